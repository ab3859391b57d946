"""Features with some of a layer's structure taken away, to tell which of it SS_rate sees."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sslib import checks
from sslib.distances import ROUNDING, distinct_pairs
from sslib.noise import gaussian_features

#: Null models of ``null_features``.
NULLS = ("gaussian", "shuffled", "one direction", "standardised", "whitened")


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
        F: (D, B) feature matrix, whose channels differ, and still do without that structure.
        seed: of the random numbers of the first two.
    """
    checks.choice("kind", kind, NULLS)
    mean = float(distinct_pairs(F).mean())
    if not mean > 0:
        raise checks.error("F", "channels that differ", f"equal channels only, {len(F)} of them")
    if kind == "gaussian":
        return gaussian_features(F.shape[0], F.shape[1], mean, seed=seed)
    rounding = 1e3 * checks.precision(F)
    F = checks.wide_matrix("F", F)
    F = F / checks.unit(F)
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
    apart = float(distinct_pairs(null).mean())
    if not apart > rounding * float(null.abs().max()):
        raise checks.error("F", f"channels that differ when {kind}", "only what rounding leaves")
    return null * (mean / apart)
