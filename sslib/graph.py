"""G_M as a cloud of points: its picture in the plane (Fig. 2), and its dimension."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from sslib import checks
from sslib.checks import Array
from sslib.distances import pair_distances


def mds(C: Tensor, *, seed: int = 42) -> tuple[Array, float]:
    """Channels in the plane, their distances resembling C: Fig. 2's multidimensional scaling.

    scikit-learn's metric SMACOF from four random starts (its default when the figure was made).

    >>> import torch
    >>> positions, stress = mds(pair_distances(torch.tensor([[0.0], [1.0], [3.0], [7.0]])))
    >>> positions.shape, stress < 0.01
    ((4, 2), True)

    Args:
        C: (D, D) symmetric distances, as from ``pair_distances``.
        seed: of the random starts; the released script uses 42.

    Returns:
        (D, 2) float64 positions in the unit of C, and Kruskal's stress-1: the root of the squared
        errors' share in the squared distances, 0 for a perfect picture.

    Raises:
        ImportError: scikit-learn is not installed.
    """
    distances = checks.distances("C", C, finite=True)
    if not distances.any():
        raise checks.error("C", "distances that are not all 0", f"shape {distances.shape}")
    smacof = checks.extra("sklearn.manifold").smacof
    place, _ = smacof(
        distances, n_components=2, n_init=4, max_iter=300, eps=1e-6, random_state=seed
    )
    drawn = np.linalg.norm(place[:, None] - place, axis=-1)
    return place, float(np.sqrt(((drawn - distances) ** 2).sum() / (distances**2).sum()))


def participation_ratio(F: Tensor) -> float:
    """How many directions the D channels of G_M spread over: (sum λ)^2 / sum λ^2.

    The eigenvalues λ are those of the covariance of the channels, taken as D points in B dimensions
    around their mean. 1 is a line; min(D - 1, B) a cloud as wide in every direction. NaN where all
    channels of F (D, B) are equal.

    >>> import torch
    >>> round(participation_ratio(torch.tensor([[0.0, 0.0], [1.0, 1.0], [3.0, 3.0]])), 6)
    1.0
    """
    squared = pair_distances(F).cpu().double().square()
    # the Gram matrix of the centred channels, from their distances (classical scaling)
    row = squared.mean(1)
    gram = (row[:, None] + row - squared - row.mean()) / 2
    return float(gram.trace() ** 2 / gram.square().sum())
