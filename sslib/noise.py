"""Null models: features and spectra of noise of the same shape."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from sslib.distances import _ROUNDED, _double, _pairs
from sslib.grams import Gram


def noise_gram(D: int, B: int, *, seed: int = 0) -> Gram:
    """The Gram matrix of Gaussian noise: B samples of D features each, without ever holding them.

    What a layer of that size would give if it knew nothing of the images. Same seed, same result.

    >>> gram = noise_gram(3_000_000, 64)
    >>> bool(abs(gram_distances(gram)[0, 1] - 2**0.5) < 0.01), gram.features
    (True, 3000000)
    """
    _check_shape(D, B)
    F = torch.from_numpy(_noise(D, B, seed))
    return Gram(F.T @ F, D, D * B)


def _noise(D: int, B: int, seed: int) -> np.ndarray:
    """A matrix with the Gram matrix, hence the spectrum, of Gaussian (D, B): (min(D, B), B)."""
    rng = np.random.default_rng(seed)
    if D < B:
        return rng.standard_normal((D, B))
    F = np.triu(rng.standard_normal((B, B)), 1)
    F[np.diag_indices(B)] = np.sqrt(rng.chisquare(D - np.arange(B)))
    return F


def _check_shape(D: int, B: int) -> None:
    for name, value, least in (("D", D, 1), ("B", B, 3)):
        if not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"{name}: expected an integer of at least {least}, got {value!r}")


#: Null models of ``null_features``.
NULLS = ("gaussian", "shuffled", "one direction", "standardised", "whitened")


def gaussian_features(D: int, B: int, mean_distance: float, *, seed: int = 0) -> Tensor:
    """Independent normal numbers, (D, B) float64, scaled so that pairs of rows are `mean_distance`
    apart on average.

    The distance is that of ``pair_distances``. D >= 2.

    >>> F = gaussian_features(20, 30, 0.5)
    >>> F.shape, round(float(pair_distances(F).sum() / (20 * 19)), 6)
    (torch.Size([20, 30]), 0.5)
    """
    noise = torch.randn((D, B), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return noise * (mean_distance / _pairs(noise).mean())


def null_features(F: Tensor, kind: str, *, seed: int = 0) -> Tensor:
    """Features of the same shape and the same mean pair distance as F, but without some of its
    structure.

    - "gaussian": independent normal numbers.
    - "shuffled": the channels' values shuffled anew within each image: the histogram of each image
      stays.
    - "one direction": each channel keeps only its place along the widest direction of the channels:
      D points on a line.
    - "standardised": each channel with mean 0 and variance 1 over the images; distances then are
      those of correlations alone. A constant channel becomes 0.
    - "whitened": the channels as points, stretched to the same width in all directions they have.
      With D - 1 such directions all distances are equal, and SS_rate does not exist.

    Args:
        F: (D, B) feature matrix, not all channels equal.
        kind: one of ``NULLS``.
        seed: of the random numbers of the first two.

    Returns:
        (D, B) float64.

    Raises:
        ValueError: an argument is not as said above.

    >>> F = torch.tensor([[0.0, 1.0], [1.0, 2.0], [3.0, 0.0]])
    >>> null_features(F, "shuffled").shape
    torch.Size([3, 2])
    """
    if kind not in NULLS:
        raise ValueError(f"kind is {kind!r}; expected one of {NULLS}")
    mean = _pairs(F).mean()
    if not mean > 0:
        raise ValueError(
            f"F of shape {tuple(F.shape)} has equal channels only; expected some to differ"
        )
    if kind == "gaussian":
        return gaussian_features(F.shape[0], F.shape[1], float(mean), seed=seed)
    F = _double(F)
    generator = torch.Generator().manual_seed(seed)
    if kind == "shuffled":
        null = F.gather(0, torch.rand(F.shape, generator=generator).argsort(0))
    elif kind == "standardised":
        centred = F - F.mean(1, keepdim=True)
        width = centred.norm(dim=1, keepdim=True) / math.sqrt(F.shape[1])
        null = torch.where(width > _ROUNDED * width.max(), centred / width, 0)
    else:
        U, S, V = torch.linalg.svd(F - F.mean(0), full_matrices=False)
        S = (
            torch.where(torch.arange(len(S)) == 0, S, 0)
            if kind == "one direction"
            else (S > _ROUNDED * S[0]).double()
        )
        null = (U * S) @ V
    return null * (mean / _pairs(null).mean())
