"""Null models: features and spectra of noise of the same shape."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sslib import checks
from sslib.checks import Array
from sslib.distances import distinct_pairs


def noise_matrix(D: int, B: int, seed: int) -> Array:
    """A matrix with the Gram matrix, hence the spectrum, of Gaussian (D, B): (min(D, B), B).

    For D >= B it is Bartlett's triangular factor of a Wishart matrix, in O(B^2) memory.
    """
    checks.integer("D", D, 1)
    checks.integer("B", B, 3)
    rng = np.random.default_rng(seed)
    if D < B:
        return rng.standard_normal((D, B))
    F = np.triu(rng.standard_normal((B, B)), 1)
    F[np.diag_indices(B)] = np.sqrt(rng.chisquare(D - np.arange(B)))
    return F


def gaussian_features(D: int, B: int, mean_distance: float, *, seed: int = 0) -> Tensor:
    """Independent normal numbers (D, B), float64, whose rows are `mean_distance` apart on average.

    >>> F = gaussian_features(20, 30, 0.5)
    >>> F.shape, round(float(distinct_pairs(F).mean()), 6)
    (torch.Size([20, 30]), 0.5)
    """
    D, B = checks.integer("D", D, 2), checks.integer("B", B, 1)
    checks.number("mean_distance", mean_distance, above=0)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((D, B), generator=generator, dtype=torch.float64, device="cpu")
    return noise * float(mean_distance / distinct_pairs(noise).mean())
