"""G_M as a graph and as a cloud of points: adjacency (Eq. 1), its picture in the plane (Fig. 2),
its dimension, and box covering: of points by their distances, and of any graph by its hops
(Appendix A).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sslib.distances import pair_distances


def mds(C: Tensor, *, seed: int = 42) -> tuple[np.ndarray, float]:
    """Channels placed in the plane so that their distances resemble C: Fig. 2's metric
    multidimensional scaling.

    scikit-learn's SMACOF from four random starts (its default when the figure was made), at most
    300 steps each.

    Args:
        C: (D, D) symmetric distances, as from ``pair_distances``.
        seed: of the random starts; the released script uses 42.

    Returns:
        (D, 2) float64 positions in the unit of C, and Kruskal's stress-1: the root of the squared
        errors' share in the squared distances, 0 for a perfect picture.

    Raises:
        ValueError: C is not a square, finite, symmetric matrix, or all of it is 0.

    >>> positions, stress = mds(pair_distances(torch.tensor([[0.0], [1.0], [3.0], [7.0]])))
    >>> positions.shape, stress < 0.01
    ((4, 2), True)
    """
    from sklearn.manifold import smacof

    C = torch.as_tensor(C).detach().cpu().numpy().astype(np.float64)
    square = C.ndim == 2 and C.shape[0] == C.shape[1]
    if not square or not np.isfinite(C).all() or not np.allclose(C, C.T) or not C.any():
        raise ValueError(
            f"C has shape {C.shape}; expected a finite, symmetric (D, D) matrix of distances, not all 0"
        )
    place, _ = smacof(C, n_components=2, n_init=4, max_iter=300, eps=1e-6, random_state=seed)
    drawn = np.linalg.norm(place[:, None] - place, axis=-1)
    return place, float(np.sqrt(((drawn - C) ** 2).sum() / (C**2).sum()))


def participation_ratio(F: Tensor) -> float:
    """How many directions the D channels of G_M spread over: (sum of eigenvalues)^2 / sum of
    squared eigenvalues.

    The eigenvalues are those of the covariance of the channels, taken as D points in B dimensions
    around their mean. 1 is a line; min(D - 1, B) a cloud as wide in every direction. NaN where all
    channels are equal.

    Args:
        F: (D, B) feature matrix: D channels, B samples.

    Raises:
        ValueError: F is not a finite floating-point matrix with D >= 2.

    >>> round(participation_ratio(torch.tensor([[0.0, 0.0], [1.0, 1.0], [3.0, 3.0]])), 6)
    1.0
    """
    squared = pair_distances(F).cpu().double().square()
    # the Gram matrix of the centred channels, from their distances (classical scaling)
    row = squared.mean(1)
    gram = (row[:, None] + row - squared - row.mean()) / 2
    return float(gram.trace() ** 2 / gram.square().sum())
