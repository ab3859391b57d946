"""Companion to "Self-similarity Analysis in Deep Neural Networks" (arXiv 2507.17785).

SS_rate and G_M of any PyTorch model in three lines:

    import sslib
    F = sslib.feature_matrices(model, images, ["layer1", "layer2"])
    {name: float(sslib.ss_rate(matrix)) for name, matrix in F.items()}
"""

__version__ = "0.1.0"

from sslib.boxes import BoxCurve, box_curve
from sslib.constraint import SelfSimilarityConstraint
from sslib.dimension import correlation_dimension, fluctuation, geometric_invariance
from sslib.distances import adjacency, pair_distances
from sslib.features import feature_matrices
from sslib.powerlaw import powerlaw_exponent, scale_invariance
from sslib.rate import ss_rate
from sslib.report import self_similarity

__all__ = ["BoxCurve", "SelfSimilarityConstraint", "adjacency", "box_curve"]
__all__ += ["correlation_dimension", "feature_matrices", "fluctuation", "geometric_invariance"]
__all__ += ["pair_distances", "powerlaw_exponent", "scale_invariance", "self_similarity", "ss_rate"]
