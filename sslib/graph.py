"""G_M as a cloud of points: its picture in the plane (Fig. 2)."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from sslib import checks
from sslib.checks import Array


def mds(C: Tensor, *, seed: int = 42) -> tuple[Array, float]:
    """Channels in the plane, their distances resembling C: Fig. 2's multidimensional scaling.

    scikit-learn's metric SMACOF from four random starts (its default when the figure was made).

    >>> import torch
    >>> from sslib import pair_distances
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
    unit = checks.unit(distances)
    distances = distances / unit
    if not distances.any():
        raise checks.error("C", "distances that are not all 0", f"shape {distances.shape}")
    smacof = checks.extra("sklearn.manifold").smacof
    place, _ = smacof(distances, n_components=2, n_init=4, eps=1e-6, random_state=seed)
    drawn = np.linalg.norm(place[:, None] - place, axis=-1)
    return place * unit, float(np.sqrt(((drawn - distances) ** 2).sum() / (distances**2).sum()))
