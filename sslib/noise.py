"""Null models: features and spectra of noise of the same shape."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from sslib import checks
from sslib.checks import Array
from sslib.distances import ROUNDING, distinct_pairs
from sslib.grams import Gram

#: Null models of ``null_features``.
NULLS = ("gaussian", "shuffled", "one direction", "standardised", "whitened")


def noise_gram(D: int, B: int, *, seed: int = 0) -> Gram:
    """The Gram matrix of Gaussian noise: B samples of D features each, without ever holding them.

    What a layer of that size, D >= 1 and B >= 3, would give if it knew nothing of the images.

    >>> gram = noise_gram(3_000_000, 64)
    >>> bool(abs(gram.products[0, 0] / 3_000_000 - 1) < 0.01), gram.features
    (True, 3000000)
    """
    F = torch.from_numpy(noise_matrix(D, B, seed))
    return Gram(F.T @ F, D, D * B)


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
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((D, B), generator=generator, dtype=torch.float64, device="cpu")
    return noise * float(mean_distance / distinct_pairs(noise).mean())


def null_features(F: Tensor, kind: str, *, seed: int = 0) -> Tensor:
    """Features (D, B), float64, with F's mean pair distance but without some of its structure.

    - "gaussian": independent normal numbers.
    - "shuffled": the channels' values shuffled anew within each image, whose histogram stays.
    - "one direction": each channel keeps only its place along the channels' widest direction.
    - "standardised": each channel with mean 0 and variance 1 over the images; distances then are
      those of correlations alone. A constant channel becomes 0.
    - "whitened": the channels as points, stretched to the same width in all directions they have.
      With D - 1 such directions all distances are equal, and SS_rate does not exist.

    >>> F = torch.tensor([[0.0, 1.0], [1.0, 2.0], [3.0, 0.0]])
    >>> null_features(F, "shuffled").shape
    torch.Size([3, 2])

    Args:
        F: (D, B) feature matrix, not all channels equal.
        seed: of the random numbers of the first two.
    """
    checks.choice("kind", kind, NULLS)
    mean = float(distinct_pairs(F).mean())
    if not mean > 0:
        raise checks.error("F", "channels that differ", f"equal channels only, {len(F)} of them")
    if kind == "gaussian":
        return gaussian_features(F.shape[0], F.shape[1], mean, seed=seed)
    F = checks.wide_matrix("F", F)
    if kind == "shuffled":
        generator = torch.Generator().manual_seed(seed)
        null = F.gather(0, torch.rand(F.shape, generator=generator).argsort(0))
    elif kind == "standardised":
        centred = F - F.mean(1, keepdim=True)
        width = centred.norm(dim=1, keepdim=True) / math.sqrt(F.shape[1])
        null = torch.where(width > ROUNDING * width.max(), centred / width, 0)
    else:
        U, widths, V = torch.linalg.svd(F - F.mean(0), full_matrices=False)
        if kind == "one direction":
            widths = torch.where(torch.arange(len(widths)) == 0, widths, 0)
        else:
            widths = (widths > ROUNDING * widths[0]).double()
        null = (U * widths) @ V
    return null * float(mean / distinct_pairs(null).mean())
