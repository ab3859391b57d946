"""Pair distances C of a feature matrix, and the adjacency matrix of G_M (Eq. 1, Eq. 8)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sslib import checks
from sslib.checks import Array

# A squared distance below this share of the two rows' squared norms has lost too many digits in the
# Gram product.
_CLOSE = {torch.float32: 1e-3, torch.float64: 1e-6}

# On an accelerator the product is taken in float64 and no pair is looked at again: below this
# share, distances of less than 3e-7 of the rows' norms, rows count as equal, rounding or not.
_EQUAL = 1e-13

CHUNK = 2**22  #: numbers held at once where all would be too many: 16 MB in float32
CACHED = 2**17  #: numbers worked on at once on a CPU, to stay in its cache
_KEPT = 2**24  # pairs whose distances are kept, 64 MB in float32; of more, they are made again

#: A smaller share of the largest is nothing but rounding.
ROUNDING = 1e-6


def pair_distances(F: Tensor) -> Tensor:
    """Distance matrix C of Alg. 2 (Eq. 8): C_ij = ||F_i - F_j||_2 / sqrt(B).

    >>> pair_distances(torch.tensor([[0.0, 0.0], [3.0, 4.0]]))
    tensor([[0.0000, 3.5355],
            [3.5355, 0.0000]])

    Args:
        F: (D, B) feature matrix: D channels, B samples; any float dtype (half precision is computed
            in float32).

    Returns:
        (D, D) symmetric, zero on the diagonal, in the unit of F. Equal rows have distance exactly
        0. No gradient.

    Raises:
        ValueError: F is not a finite floating-point matrix with D >= 2 and B >= 1.
    """
    F = checks.matrix("F", F)
    blocks = Distances(F)
    C = blocks.rows.new_zeros(len(F), len(F), dtype=blocks.dtype)
    for top, block in zip(blocks.tops, blocks, strict=True):  # (h, D - top)
        C[top : top + len(block), top:] = block.triu_(1)
        C[top:, top : top + len(block)] += block.T
    return C


def adjacency(F: Tensor, epsilon: float) -> Tensor:
    """Adjacency matrix A of G_M (Eq. 1): channels i, j are joined where ||F_i - F_j||_2 < epsilon.

    Alg. 2 measures the norm over sqrt(B): an epsilon of theta * sqrt(B) joins the pairs that
    ``pair_distances`` puts below theta.

    >>> adjacency(torch.tensor([[0.0], [1.0], [3.0]]), 1.5).int()
    tensor([[0, 1, 0],
            [1, 0, 0],
            [0, 0, 0]], dtype=torch.int32)

    Args:
        F: (D, B) feature matrix: D channels, B samples.
        epsilon: threshold >= 0, in the unit of F times sqrt(B).

    Returns:
        (D, D) bool, symmetric, False on the diagonal.

    Raises:
        ValueError: F is not a finite floating-point matrix with D >= 2, or epsilon is negative or
            not a number.
    """
    if not epsilon >= 0:
        raise checks.error("epsilon", "a number of at least 0", repr(epsilon))
    joined = pair_distances(F) * math.sqrt(torch.as_tensor(F).shape[1]) < epsilon
    return joined.fill_diagonal_(False)


def distinct_pairs(F: Tensor) -> Array:
    """Distances of the pairs i < j: (D(D-1)/2,) float64."""
    C: Array = pair_distances(F).cpu().double().numpy()
    return C[np.triu_indices(len(C), 1)]


def on_host(device: torch.device) -> bool:
    """Whether values can be read without waiting: elsewhere, no operation below depends on one."""
    return device.type == "cpu"


def wide(device: torch.device, dtype: torch.dtype) -> torch.dtype:
    """float64 where it costs little: for a curve of T numbers, on CUDA for the products as well."""
    return torch.float32 if device.type == "mps" else torch.promote_types(dtype, torch.float64)


class Distances:
    """C_ij of the pairs i < j (Eq. 8), in blocks of rows: memory grows with D * B, not with D^2.

    An iteration gives, for each top in `tops`, rows top to top + h of C from column top on:
    (h, D - top), inf where i >= j. Few pairs are kept; of many, each iteration makes them again.

    The rows are centred on their common mean, so that the product loses fewer digits; pairs too
    close for it are taken from their differences. On an accelerator it runs in float64: exact
    enough that no pair has to be looked at again, which would make the host wait, and safe from
    TF32.
    """

    def __init__(self, F: Tensor) -> None:
        F, D, self.host = F.detach(), len(F), on_host(F.device)
        self.dtype = torch.promote_types(F.dtype, torch.float32)  #: of the distances
        rows = F.to(self.dtype if self.host else wide(F.device, self.dtype))
        largest = F.abs().amax().to(rows.dtype)
        self.unit = checks.unit(largest) if self.host else 1.0  #: of the rows and their norms
        rows = rows if self.unit == 1 else rows / self.unit
        #: Rows no further apart than this are equal but for the rounding of their numbers.
        self.rounding = largest * (2 * torch.finfo(F.dtype).eps)
        self.rows = rows - rows.mean(0)  #: (D, B)
        self.norm = torch.linalg.vector_norm(self.rows, dim=1).square_()  # (D,)
        height = D if D <= 320 else min(-(-D // 4), 256 if self.host else max(1, _KEPT // D))
        self.tops = range(0, D, height)
        self.kept: tuple[Tensor, ...] = ()
        self.kept = tuple(self) if self.numel() <= _KEPT else ()  #: the blocks, where these are few

    def numel(self) -> int:
        """D(D - 1)/2."""
        return math.comb(len(self.rows), 2)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.kept or map(self._block, self.tops))

    def split(self, size: int) -> Iterator[Tensor]:
        """The blocks in parts of whole rows, of about `size` numbers each."""
        for block in self:
            yield from torch.split(block, size // block.shape[1] + 1)

    def ends(self) -> tuple[Tensor, Tensor]:
        """TZ and TV, the smallest and the largest distance, 0-d."""
        low, high = zip(*((block.amin(), block.triu(1).amax()) for block in self), strict=True)
        return torch.stack(low).amin(), torch.stack(high).amax()

    def _block(self, top: int) -> Tensor:
        rows, norm, here = self.rows[top:], self.norm[top:], slice(top, top + self.tops.step)
        block, step = self.rows[here], CHUNK // rows.shape[1] + 1  # (h, B)
        h = len(block)
        scale = self.norm[here, None] + norm  # (h, D - top)
        square = torch.addmm(scale, block, rows.T, alpha=-2)  # (h, D - top)
        if not self.host:
            square.masked_fill_(square <= scale.mul_(_EQUAL), 0)
        square[:, :h] += torch.full((h, h), math.inf, device=square.device).tril_()  # no pairs
        share = _CLOSE[rows.dtype]
        if self.host and (square.amin(1) < share * (norm[:h] + norm.max())).any():
            close, twin = square < scale.mul_(share), self.twin
            square.masked_fill_(close, 0)  # as it is for equal rows
            i, j = (close & (twin[here, None] != twin[top:])).nonzero(as_tuple=True)  # (pairs,)
            for a, b in zip(i.split(step), j.split(step), strict=True):
                square[a, b] = (block[a] - rows[b]).square_().sum(1)
        C = square.div_(rows.shape[1]).sqrt_().to(self.dtype)
        return C if self.unit == 1 else C.mul_(self.unit)

    @cached_property
    def twin(self) -> Tensor:
        """(D,) for each row one that equals it: dead channels are no close pairs to look at."""
        group = torch.unique(self.norm, return_inverse=True)[1]
        own = torch.arange(len(group))
        other = own.scatter(0, group, own)[group]  # (D,) a row of the same norm
        return torch.where((self.rows == self.rows[other]).all(1), other, own)
