"""Pair distances C of a feature matrix and the adjacency A_epsilon (Eq. 1, Eq. 8)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

# A squared distance below this share of the two rows' squared norms has lost too many digits in the
# Gram product.
_CLOSE = {torch.float32: 1e-3, torch.float64: 1e-6}

# On an accelerator the product is taken in float64 and no pair is looked at again: below this
# share, distances of less than 3e-7 of the rows' norms, two rows count as equal. It hides the
# rounding that is left of equal rows.
_EQUAL = 1e-13

# Pairs whose differences are taken at once: 2**22 numbers, 16 MB in float32.
_CHUNK = 2**22


def pair_distances(F: Tensor) -> Tensor:
    """Distance matrix C of Alg. 2 and Eq. 8: C_ij = ||F_i - F_j||_2 / sqrt(B).

    Args:
        F: (D, B) feature matrix: D channels, B samples; any float dtype (half precision is computed
            in float32).

    Returns:
        (D, D) symmetric, zero on the diagonal, in the unit of F. Equal rows have distance exactly
        0. No gradient.

    Raises:
        ValueError: F is not a finite floating-point matrix with D >= 2 and B >= 1.

    >>> pair_distances(torch.tensor([[0.0, 0.0], [3.0, 4.0]]))
    tensor([[0.0000, 3.5355],
            [3.5355, 0.0000]])
    """
    F = _features(F)
    with torch.no_grad():
        C = _distances(_centred(F), _working(F.dtype))
        upper = C.triu(1)
        return upper + upper.T


def _features(F: Tensor, *, values: bool = True) -> Tensor:
    F = torch.as_tensor(F)
    shape = tuple(F.shape)
    if F.ndim != 2 or shape[0] < 2 or shape[1] < 1:
        raise ValueError(
            f"F has shape {shape}; expected (D, B) with D >= 2 channels and B >= 1 samples"
        )
    if not F.is_floating_point():
        raise ValueError(f"F of shape {shape} has dtype {F.dtype}; expected a floating-point dtype")
    if values and not torch.isfinite(F).all():
        raise ValueError(f"F of shape {shape} holds NaN or Inf; expected finite numbers")
    return F


def _on_host(device: torch.device) -> bool:
    """Whether values can be read without waiting: elsewhere, no operation below depends on one."""
    return device.type == "cpu"


def _working(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)


def _wide(device: torch.device, dtype: torch.dtype) -> torch.dtype:
    """float64 where it costs little: always for a curve of T numbers, on CUDA for the products as
    well.
    """
    return torch.float32 if device.type == "mps" else torch.promote_types(dtype, torch.float64)


def _centred(F: Tensor) -> Tensor:
    """Rows minus their common mean, in the dtype of the products: distances stay, products lose
    fewer digits.

    On an accelerator the products run in float64: exact enough that no pair has to be looked at
    again, which would make the host wait, and safe from TF32.
    """
    F = F.detach().to(_working(F.dtype))
    F = F if _on_host(F.device) else F.to(_wide(F.device, F.dtype))
    return F - F.mean(0)


def _distances(rows: Tensor, dtype: torch.dtype) -> Tensor:
    """(D, D) distances of centred rows from one Gram product; pairs too close for it are taken from
    differences.
    """
    D, B = rows.shape
    host = _on_host(rows.device)
    # On a CPU only blocks on and above the diagonal are multiplied, the rest is their mirror image.
    height = -(-D // 4) if host and D > 512 else D
    C = rows.new_empty(D, D, dtype=dtype)
    norm = torch.linalg.vector_norm(rows, dim=1).square_()
    for top in range(0, D, height):
        block = rows[top : top + height]
        below = top + len(block)
        scale = norm[top:below, None] + norm[top:]
        square = torch.addmm(scale, block, rows[top:].T, alpha=-2)
        if host:
            square.fill_diagonal_(math.inf)
            i, j = (square < scale.mul_(_CLOSE[rows.dtype])).nonzero(as_tuple=True)
            for a, b in zip(i.split(_CHUNK // B + 1), j.split(_CHUNK // B + 1)):
                square[a, b] = (block[a] - rows[top + b]).square_().sum(1)
            square.fill_diagonal_(0)
        else:
            square.masked_fill_(square <= scale.mul_(_EQUAL), 0)
        C[top:below, top:] = square.div_(B).sqrt_()
        C[below:, top:below] = C[top:below, below:].T
    return C


def adjacency(F: Tensor, epsilon: float) -> Tensor:
    """Adjacency matrix of G_M (Eq. 1): channels i and j are joined where ||F_i - F_j||_2 < epsilon.

    Eq. 1 measures the plain norm, Alg. 2 the norm over sqrt(B): an epsilon of theta * sqrt(B) joins
    the pairs that ``pair_distances`` puts below theta.

    Args:
        F: (D, B) feature matrix: D channels, B samples.
        epsilon: threshold >= 0, in the unit of F times sqrt(B).

    Returns:
        (D, D) bool, symmetric, False on the diagonal.

    Raises:
        ValueError: F is not a finite floating-point matrix with D >= 2, or epsilon is negative or
            not a number.

    >>> adjacency(torch.tensor([[0.0], [1.0], [3.0]]), 1.5).int()
    tensor([[0, 1, 0],
            [1, 0, 0],
            [0, 0, 0]], dtype=torch.int32)
    """
    if not epsilon >= 0:
        raise ValueError(f"epsilon is {epsilon!r}; expected a number of at least 0")
    C = pair_distances(F)
    joined = C * math.sqrt(torch.as_tensor(F).shape[1]) < epsilon
    return joined.fill_diagonal_(False)


# Distances that differ by less are equal but for rounding.
_ROUNDED = 1e-6


def adjacency_at(C: Tensor, density: float) -> np.ndarray:
    """A_epsilon of Eq. 1 at the epsilon that joins a share `density` of all pairs, as closely as
    ties allow.

    C: (D, D) distances, D >= 3, as from ``pair_distances``; density: between 0 and 1. Returns (D,
    D) bool, False on the diagonal. Raises ValueError for any other C or density.

    >>> adjacency_at(pair_distances(torch.tensor([[0.0], [1.0], [3.0]])), 0.4).astype(int).tolist()
    [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    """
    C = np.asarray(torch.as_tensor(C).detach().cpu(), dtype=np.float64)
    if C.ndim != 2 or C.shape[0] != C.shape[1] or len(C) < 3 or not np.isfinite(C).all():
        raise ValueError(
            f"C has shape {C.shape}; expected a finite (D, D) matrix of distances, D >= 3"
        )
    if not 0 < density < 1:
        raise ValueError(f"density is {density!r}; expected a share between 0 and 1")
    pairs = np.sort(C[np.triu_indices(len(C), 1)])
    asked = round(density * len(pairs))
    A = C <= pairs[asked - 1] if asked else np.zeros(C.shape, dtype=bool)
    np.fill_diagonal(A, False)
    return A


def _pairs(F: Tensor) -> np.ndarray:
    """Distances of pairs i < j, float64."""
    C = pair_distances(F).cpu().double().numpy()
    return C[np.triu_indices(len(C), 1)]


def _double(F: Tensor) -> Tensor:
    F = torch.as_tensor(F).detach().cpu().double()
    if F.ndim != 2 or len(F) < 2 or F.shape[1] < 1 or not torch.isfinite(F).all():
        raise ValueError(
            f"F has shape {tuple(F.shape)}; expected (D, B) finite numbers with D >= 2 channels"
        )
    return F
