"""Products of flattened activations, gathered block by block (for Appendices B and C)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from sslib import checks
from sslib.checks import Array, Values
from sslib.distances import CHUNK
from sslib.features import PROGRESS, reduce_mean
from sslib.inputs import images_of
from sslib.layouts import LAYOUTS
from sslib.taps import activations, borrowed, forward, resolve_modules

_ROWS = 128  # of a Gram matrix multiplied at once

_Sizes: TypeAlias = dict[str, tuple[int, torch.dtype]]  # features of each module, dtype kept
_Piece: TypeAlias = tuple[str, int, int]  # some features of a module, from a first to an end


@dataclass(frozen=True, eq=False)
class Gram:
    """What the released pipeline needs of a layer's flattened activations, in one B x B matrix."""

    products: Tensor = field(repr=False)  #: (B, B) float64, products of the samples' activations
    features: int  #: activations per sample
    nonzero: int  #: how many of the B * features activations are not zero

    @property
    def nonzero_share(self) -> float:
        """Share of NON-zero activations, in [0, 1] (what the paper calls feature sparsity)."""
        return self.nonzero / (self.features * len(self.products))


def gram_update(gram: Gram | None, block: Values) -> Gram:
    """A Gram matrix with one more block of features in it; start with None.

    Blocks are (B, any width), some features of all B >= 3 samples, in the same order each time: the
    matrix is a sum over features, and no more than one block is ever held. Sums are in float64, on
    the block's device. (Products in float32 would be 1.7 times as fast, with an error of 2e-6 of
    the largest product, which is more than the differences between some images.)

    >>> x = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
    >>> gram = gram_update(gram_update(None, x[:, :2]), x[:, 2:])
    >>> gram.products.tolist(), round(gram.nonzero_share, 3)
    ([[5.0, 0.0, 6.0], [0.0, 1.0, 0.0], [6.0, 0.0, 9.0]], 0.444)
    """
    rows = block if isinstance(block, Tensor) else np.asarray(block)
    got = f"shape {tuple(rows.shape)} of {rows.dtype}"
    real = not rows.is_complex() if isinstance(rows, Tensor) else rows.dtype.kind in "fiu"
    if not real or rows.ndim != 2 or rows.shape[0] < 3 or rows.shape[1] < 1:
        raise checks.error("block", "real numbers (B, features) with B at least 3", got)
    B, features = rows.shape
    if gram is not None and len(gram.products) != B:
        raise checks.error("block", f"{len(gram.products)} samples as before", got)
    device = rows.device if isinstance(rows, Tensor) else "cpu"
    products = torch.zeros(B, B, dtype=torch.float64, device=device)
    nonzero = torch.zeros(B, dtype=torch.int64, device=device)
    step = max(1, CHUNK // B)
    for start in range(0, features, step):
        part = _wide(rows[:, start : start + step])  # (B, step)
        for row in range(0, B, _ROWS):  # symmetric: only the blocks from the diagonal on
            # (h, B - row) += (h, step) @ (step, B - row)
            products[row : row + _ROWS, row:].addmm_(part[row : row + _ROWS], part[row:].T)
        nonzero += part.count_nonzero(1)
    products = products.triu() + products.triu(1).T  # (B, B)
    own, count = products.diagonal(), int(nonzero.sum())
    if not (own.isfinite() & ((own > 1e-290) | (nonzero == 0))).all():  # squares have to be held
        these = f"NaN, infinite, too large or too small ones in {got}"
        raise checks.error("block", "finite numbers", these)
    if gram is None:
        return Gram(products, features, count)
    return Gram(products + gram.products, features + gram.features, count + gram.nonzero)


def _wide(part: Tensor | NDArray[np.generic]) -> Tensor:
    """A part in float64; the block itself may be float32, or a memory map."""
    if isinstance(part, Tensor):
        return part.detach().double()
    return torch.from_numpy(part.astype(np.float64))


def gram_distances(gram: Gram) -> Array:
    """(B, B) distances, in [0, 2], between the samples' activations scaled to unit length.

    For ``umap_points(metric="precomputed")``. Where all activations are zero, they stay so.

    >>> gram_distances(gram_update(None, np.array([[2.0, 0.0], [0.0, 5.0], [3.0, 0.0]]))).round(4)
    array([[0.    , 1.4142, 0.    ],
           [1.4142, 0.    , 1.4142],
           [0.    , 1.4142, 0.    ]])
    """
    products: Array = gram.products.cpu().numpy()
    norms = np.sqrt(products.diagonal())
    norms = np.where(norms > 0, norms, 1.0)
    unit = products / norms / norms[:, None]
    squares = unit.diagonal()
    apart = squares + squares[:, None] - 2 * unit
    distances: Array = np.sqrt(np.where(apart > 1e-14, apart, 0.0))  # below, it is rounding
    return distances


def activation_grams(
    model: nn.Module,
    images: Tensor,
    modules: str | Iterable[str],
    *,
    batch_size: int = 64,
    device: str | torch.device | None = None,
    memory: int = 2**31,
) -> dict[str, Gram]:
    """The Gram matrix of each tapped module's flattened activations, without ReduceMean.

    An output (B, ...) counts as B rows, whatever its layout, and of a tuple its first tensor, as in
    `reduce_mean`. The model runs in eval mode and comes back as `feature_matrices` leaves it.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3))
    >>> gram = activation_grams(model, torch.rand(10, 3, 32, 32), "1")["1"]
    >>> tuple(gram.products.shape), gram.features == 8 * 30 * 30, 0 < gram.nonzero_share < 1
    ((10, 10), True, True)

    Args:
        images: (B, ...) float tensor, B >= 3; it is run through the model several times.
        modules, batch_size, device: as for `feature_matrices`.
        memory: bytes of activations kept at once, the model's own not counted. A module's (B,
            features) matrix may be larger (8 GB for 640 images and VGG11's first layer): it is then
            made in slices, one or more to a pass over the images.
    """
    return grams_and_features(
        model, images, modules, layout=None, batch_size=batch_size, device=device, memory=memory
    )[0]


def grams_and_features(
    model: nn.Module,
    images: Tensor,
    modules: str | Iterable[str],
    *,
    layout: str | None = "auto",
    batch_size: int = 64,
    device: str | torch.device | None = None,
    memory: int = 2**31,
) -> tuple[dict[str, Gram], dict[str, Tensor]]:
    """`activation_grams` and `feature_matrices` of the same modules, from the same forwards.

    None for a layout makes no feature matrices.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3))
    >>> grams, F = grams_and_features(model, torch.rand(10, 3, 32, 32), ["0", "2"])
    >>> grams["2"].features, tuple(F["2"].shape)
    (12544, (16, 10))
    """
    if layout is not None:
        checks.choice("layout", layout, LAYOUTS)
    checks.integer("batch_size", batch_size, 1)
    checks.integer("memory", memory, 1)
    names = resolve_modules(model, modules)
    if not isinstance(images, Tensor) or len(images_of(images)) < 3:
        got = f"shape {tuple(getattr(images, 'shape', ()))} of {type(images).__name__}"
        raise checks.error("images", "a float tensor of at least 3 images", got)
    grams: dict[str, Gram | None] = dict.fromkeys(names)
    rows: dict[str, list[Tensor]] = {name: [] for name in names}
    with borrowed(model, device) as place:
        sizes: _Sizes = {}  # in the order in which the modules finish

        def measure(name: str, output: Any) -> None:
            output = activations(output, name, 1)
            sizes[name] = output[0].numel(), torch.promote_types(output.dtype, torch.float32)

        forward(model, images[:1].to(place), names, measure)
        passes = _passes(sizes, len(images), memory)
        for pieces in tqdm(passes, "Gram matrices", unit="pass", **PROGRESS):
            batches = torch.split(images, batch_size)
            blocks = _blocks(model, batches, pieces, sizes, place, layout, rows)
            while blocks:  # each is freed as soon as it is multiplied
                (name, _, _), block = blocks.popitem()
                try:
                    grams[name] = gram_update(grams[name], block)
                except ValueError as error:
                    raise ValueError(f"module {name!r}: {error}") from None
    features = {name: torch.cat(parts).T.contiguous() for name, parts in rows.items() if parts}
    return {name: gram for name, gram in grams.items() if gram is not None}, features


def _passes(sizes: _Sizes, B: int, memory: int) -> list[list[_Piece]]:
    """Passes over the images, each the pieces whose activations fit into `memory` bytes."""
    passes: list[list[_Piece]] = [[]]
    room = memory
    for name, (features, dtype) in sizes.items():
        row = B * dtype.itemsize  # bytes of one feature of all images
        if row > memory:
            raise checks.error(
                "memory", f"at least {row} bytes, one activation of {B} images", memory
            )
        start = 0
        while start < features:
            if room < row:
                passes.append([])
                room = memory
            end = min(features, start + room // row)
            passes[-1].append((name, start, end))
            room -= (end - start) * row
            start = end
    return passes


def _blocks(
    model: nn.Module,
    batches: Sequence[Tensor],
    pieces: list[_Piece],
    sizes: _Sizes,
    place: torch.device | None,
    layout: str | None,
    rows: dict[str, list[Tensor]],
) -> dict[_Piece, Tensor]:
    """One pass over the images: {piece: (B, end - start)}; ReduceMean is added to `rows`."""
    B, first = sum(map(len, batches)), 0
    blocks = {
        (name, start, end): torch.empty(B, end - start, dtype=sizes[name][1], device=place)
        for name, start, end in pieces
    }
    begun = {name for name, start, _ in pieces if start == 0}

    def keep(name: str, output: Any) -> None:
        output = activations(output, name, len(batch))
        flat = output.reshape(len(output), -1)
        if flat.shape[1] != sizes[name][0]:
            expected = f"{sizes[name][0]} activations per image as for the first image"
            raise checks.error(f"module {name!r}", expected, f"shape {tuple(output.shape)}")
        for (module, start, end), block in blocks.items():
            if module == name:
                block[first : first + len(flat)] = flat[:, start:end]
        if layout and name in begun:  # once, however many pieces there are
            rows[name].append(reduce_mean(output, layout, module=name))

    names = list(dict.fromkeys(name for name, _, _ in pieces))
    for batch in batches:
        forward(model, batch.to(place), names, keep, last=names[-1])
        first += len(batch)
    return blocks
