"""Products of flattened activations, filled block by block (for Appendices B and C)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from tqdm import tqdm

from sslib.dimension import _CHUNK
from sslib.features import _check_layout, _check_whole, _checked, _kept_dtype, reduce_mean
from sslib.taps import _borrowed, _watch, resolve_modules


def activation_grams(
    model: nn.Module,
    images: Tensor,
    modules: str | Iterable[str],
    *,
    batch_size: int = 64,
    device: str | torch.device | None = None,
    memory: int = 2**31,
) -> dict[str, Gram]:
    """The B x B Gram matrix of each tapped module's flattened activations, without ReduceMean
    (Appendices B, C).

    Runs `model` in eval mode, without gradients, and returns ``{module name: Gram}``, on the device
    of the run. An output (B, ...) counts as B rows, whatever its layout, and of a tuple its first
    tensor, as in `reduce_mean`. Products and sums are in float64.

    images: a float tensor (B, ...) of at least 3 images; it is run through the model several times.
    modules: names or patterns, see `resolve_modules`; the result keeps their order. batch_size,
    device: as for `feature_matrices`. memory: bytes of activations kept at once, of all images
    together. A module's (B, features) matrix may be larger
        (8 GB for 640 images and VGG11's first layer): it is then made in slices of features, one or
        more to a pass over the images. Each pass ends its forwards after the last module it needs.
        The model's own memory comes on top.

    The model comes back as `feature_matrices` leaves it.

    Raises ValueError if an argument is not as above, if a module does not run exactly once per
    forward, or if its output has not one row per image, is no floating-point tensor, or holds NaN
    or infinite values.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 16, 3))
    >>> gram = activation_grams(model, torch.rand(10, 3, 32, 32), "1")["1"]
    >>> tuple(gram.products.shape), gram.features == 8 * 30 * 30, 0 < gram.nonzero_share < 1
    ((10, 10), True, True)
    """
    return _activations(model, images, modules, None, batch_size, device, memory)[0]


def grams_and_features(
    model: nn.Module,
    images: Tensor,
    modules: str | Iterable[str],
    *,
    layout: str = "auto",
    batch_size: int = 64,
    device: str | torch.device | None = None,
    memory: int = 2**31,
) -> tuple[dict[str, Gram], dict[str, Tensor]]:
    """`activation_grams` and the `feature_matrices` of the same modules, from the same forwards.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 16, 3))
    >>> grams, F = grams_and_features(model, torch.rand(10, 3, 32, 32), ["0", "2"])
    >>> grams["2"].features, tuple(F["2"].shape)
    (12544, (16, 10))
    """
    _check_layout(layout)
    return _activations(model, images, modules, layout, batch_size, device, memory)


def _activations(
    model: nn.Module,
    images: Tensor,
    modules: str | Iterable[str],
    layout: str | None,
    batch_size: int,
    device: str | torch.device | None,
    memory: int,
) -> tuple[dict[str, Gram], dict[str, Tensor]]:
    """Gram matrices and, where a layout is given, F of each module."""
    _check_whole("batch_size", batch_size)
    _check_whole("memory", memory)
    names = resolve_modules(model, modules)
    if len(_checked(images)) < 3:
        raise ValueError(f"images: expected at least 3 images, got shape {tuple(images.shape)}")
    grams: dict[str, Gram | None] = dict.fromkeys(names)
    rows: dict[str, list[Tensor]] = {name: [] for name in names}
    with _borrowed(model, device, False) as place, torch.no_grad():
        sizes: dict[str, tuple[int, torch.dtype]] = {}

        def measure(name: str, output: Tensor) -> None:
            sizes[name] = output[0].numel(), _kept_dtype(output)

        _watch(
            model, images[:1].to(place), names, measure
        )  # the modules in the order they finish in
        passes = _plan(sizes, len(images), memory)
        for pieces in tqdm(
            passes, desc="Gram matrices", unit="pass", disable=None, delay=3, leave=False
        ):
            kept = _slices(model, images.split(batch_size), pieces, sizes, place, layout, rows)
            while kept:  # each piece is freed as soon as it is multiplied
                (name, _, _), block = kept.popitem()
                try:
                    grams[name] = gram_update(grams[name], block)
                except ValueError as error:
                    raise ValueError(f"module {name!r}: {error}") from None
    features = {name: torch.cat(parts).T.contiguous() for name, parts in rows.items() if parts}
    return {name: gram for name, gram in grams.items() if gram is not None}, features


def _plan(
    sizes: dict[str, tuple[int, torch.dtype]], B: int, memory: int
) -> list[list[tuple[str, int, int]]]:
    """Passes over the images, each a list of (module, first feature, end) whose activations fit
    into `memory` bytes.
    """
    passes: list[list[tuple[str, int, int]]] = [[]]
    room = memory
    for name, (features, dtype) in sizes.items():
        row = B * dtype.itemsize  # bytes of one feature of all images
        if row > memory:
            raise ValueError(
                f"memory: expected at least {row} bytes, one activation of {B} images, got {memory}"
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


def _slices(
    model: nn.Module,
    batches: Sequence[Tensor],
    pieces: list[tuple[str, int, int]],
    sizes: dict[str, tuple[int, torch.dtype]],
    place: torch.device | None,
    layout: str | None,
    rows: dict[str, list[Tensor]],
) -> dict[tuple[str, int, int], Tensor]:
    """One pass over the images: {(module, start, end): (B, end - start)}; each module's ReduceMean
    is added to `rows`.
    """
    B, first = sum(map(len, batches)), 0
    kept = {
        (name, start, end): torch.empty(B, end - start, dtype=sizes[name][1], device=place)
        for name, start, end in pieces
    }

    def keep(name: str, output: Tensor) -> None:
        flat = output.reshape(len(output), -1)
        if flat.shape[1] != sizes[name][0]:
            raise ValueError(
                f"module {name!r}: expected {sizes[name][0]} activations per image as for the first "
                f"image, got shape {tuple(output.shape)}"
            )
        for (module, start, end), block in kept.items():
            if module == name:
                block[first : first + len(flat)] = flat[:, start:end]
        if layout and (name, 0) in {
            piece[:2] for piece in pieces
        }:  # once, however many slices there are
            rows[name].append(reduce_mean(output, layout, module=name))

    names = list(dict.fromkeys(name for name, _, _ in pieces))
    for batch in batches:
        _watch(model, batch.to(place), names, keep, last=names[-1])
        first += len(batch)
    return kept


_ROWS = 128  # of a Gram matrix multiplied at once


@dataclass(frozen=True, eq=False)
class Gram:
    """What the released pipeline needs of a layer's flattened activations, gathered in one B x B
    matrix.

    products: (B, B) float64, scalar products of the samples' activations. features: activations per
    sample. nonzero: how many of the B·features activations are not zero.
    """

    products: torch.Tensor = field(repr=False)
    features: int
    nonzero: int

    @property
    def nonzero_share(self) -> float:
        """Share of NON-zero activations, in [0, 1] (what the paper calls feature sparsity)."""
        return self.nonzero / (self.features * len(self.products))


def gram_update(gram: Gram | None, block: ArrayLike | torch.Tensor) -> Gram:
    """Add a block of features to a Gram matrix; start with None.

    block: (B, anything >= 1), some features of all B samples, in the same order of samples each
    time. The Gram matrix is a sum over features, so a layer may arrive in blocks of any width and
    no more than one block is ever held. Sums are in float64, on the block's device; nothing is
    changed in place. ValueError: wrong rank, fewer than 3 samples, another B than before, NaN or
    infinite values.

    ``features.activation_grams`` does this for the modules of a model. (Products in float32 would
    be 1.7 times as fast, with an error of 2e-6 of the largest product, which is more than the
    differences between some images.)

    >>> x = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
    >>> gram = gram_update(gram_update(None, x[:, :2]), x[:, 2:])
    >>> gram.products.tolist()
    [[5.0, 0.0, 6.0], [0.0, 1.0, 0.0], [6.0, 0.0, 9.0]]
    >>> round(gram.nonzero_share, 3)
    0.444
    """
    tensor = isinstance(block, torch.Tensor)
    if not tensor:
        block = np.asarray(block)
    real = not block.is_complex() if tensor else block.dtype.kind in "fiu"
    if not real or block.ndim != 2 or block.shape[0] < 3 or block.shape[1] < 1:
        raise ValueError(
            "block: expected real numbers of shape (B, features), B at least 3, "
            f"got {tuple(block.shape)} {block.dtype}"
        )
    B, features = block.shape
    if gram is not None and len(gram.products) != B:
        raise ValueError(
            f"block: expected {len(gram.products)} samples as before, got shape {tuple(block.shape)}"
        )
    products = torch.zeros(B, B, dtype=torch.float64, device=block.device if tensor else None)
    nonzero = 0
    step = max(1, 2 * _CHUNK // B)
    for start in range(0, features, step):  # the block itself may be float32, or a memory map
        part = block[:, start : start + step]
        part = part.detach().double() if tensor else torch.from_numpy(part.astype(np.float64))
        for row in range(0, B, _ROWS):  # symmetric: only the blocks from the diagonal on
            products[row : row + _ROWS, row:].addmm_(part[row : row + _ROWS], part[row:].T)
        nonzero += part.count_nonzero()
    products = products.triu() + products.triu(1).T
    if not products.diagonal().isfinite().all():
        raise ValueError(f"block: NaN, infinite or overflowing values, shape {tuple(block.shape)}")
    if gram is not None:
        products += gram.products
        features, nonzero = features + gram.features, nonzero + gram.nonzero
    return Gram(products, features, int(nonzero))


def gram_distances(gram: Gram) -> np.ndarray:
    """Euclidean distances between the samples' activations, each scaled to unit length: (B, B), in
    [0, 2].

    A sample whose activations are all zero stays the zero vector. For
    ``umap_points(metric="precomputed")``.

    >>> gram_distances(gram_update(None, np.array([[2.0, 0.0], [0.0, 5.0], [3.0, 0.0]]))).round(4)
    array([[0.    , 1.4142, 0.    ],
           [1.4142, 0.    , 1.4142],
           [0.    , 1.4142, 0.    ]])
    """
    products = gram.products.cpu().numpy()
    norms = np.sqrt(products.diagonal())
    norms = np.where(norms > 0, norms, 1.0)
    unit = products / norms / norms[:, None]
    squares = unit.diagonal()
    distances = np.sqrt(np.maximum(squares + squares[:, None] - 2 * unit, 0.0))
    np.fill_diagonal(distances, 0.0)
    return distances
