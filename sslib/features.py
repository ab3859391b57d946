"""Algorithm 1: run a model, tap its modules, average over space (ReduceMean), transpose to F.

And without the average: the Gram matrices of flattened activations, for Appendices B and C.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import chain

import torch
from torch import Tensor, nn
from tqdm import tqdm

from sslib.invariance import Gram, gram_update

#: The axes that ReduceMean averages over, per layout; a layout has one letter per axis.
_AXES = {"BCHW": (2, 3), "BHWC": (1, 2), "BND": (1,), "BD": ()}
#: What the argument ``layout`` accepts.
LAYOUTS = ("auto", *_AXES)


def feature_matrices(
    model: nn.Module,
    images: Tensor | Iterable[Tensor | tuple | list],
    modules: str | Iterable[str],
    *,
    layout: str = "auto",
    batch_size: int = 64,
    device: str | torch.device | None = None,
    training: bool = False,
) -> dict[str, Tensor]:
    """The feature matrix F of each tapped module (Algorithm 1).

    Runs `model` on `images` without gradients and returns ``{module name: F}``. F is (D, B),
    contiguous: D channels, B images over all batches, in units of the module's output. It is
    float64 where the output is, float32 otherwise (half precision is averaged in float32), and
    stays on the device of the run.

    images: a float tensor (B, ...), cut into pieces of `batch_size`, or an iterable of batches
        taken as they are, such as a DataLoader: float tensors, or tuples whose first entry is one
        (the labels are ignored).
    modules: names or patterns, see `resolve_modules`; the result keeps their order. layout: how
    ReduceMean reads the outputs, one for all modules, see `reduce_mean`. device: where to run; None
    means where the model is. training: run in training mode; batch-norm then uses the statistics of
    each batch, dropout the global RNG.

    The model comes back as it was, even after an error: hooks, device, modes, buffers (batch-norm's
    statistics), ``requires_grad`` and ``grad``.

    Raises ValueError if an argument is not as above, if a module does not run exactly once per
    forward, or if its output has not one row per image or cannot be averaged.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 16, 3))
    >>> F = feature_matrices(model, torch.rand(10, 3, 32, 32), ["0", "2"], batch_size=4)
    >>> {name: tuple(matrix.shape) for name, matrix in F.items()}
    {'0': (8, 10), '2': (16, 10)}
    """
    _check_layout(layout)
    _check_whole("batch_size", batch_size)
    names = resolve_modules(model, modules)
    batches = _batches(images, batch_size)
    rows: dict[str, list[Tensor]] = {name: [] for name in names}
    with _borrowed(model, device, training) as place, torch.no_grad():
        # Silent where nobody watches (disable=None) and for the first seconds.
        for batch in tqdm(
            batches, desc="features", unit="batch", disable=None, delay=3, leave=False
        ):
            batch = _checked(batch[0] if isinstance(batch, (tuple, list)) and batch else batch)
            for name, reduced in _tap(model, batch.to(place), names, layout).items():
                rows[name].append(reduced)
    if not rows[names[0]]:
        raise ValueError("images: expected at least one batch, got an empty iterable")
    return {name: torch.cat(parts).T.contiguous() for name, parts in rows.items()}


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


def _kept_dtype(output: Tensor) -> torch.dtype:
    return torch.float64 if output.dtype == torch.float64 else torch.float32


def _check_whole(name: str, value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}: expected an integer of at least 1, got {value!r}")


def reduce_mean(
    output: Tensor | tuple | list, layout: str = "auto", *, module: str = "output"
) -> Tensor:
    """ReduceMean of one module's output (Algorithm 1, step 2): (B, D), differentiable.

    output: a floating-point tensor; of a tuple or list, its first tensor counts. layout: "BCHW" and
    "BHWC" average over H and W, "BND" over N (a class token included), "BD" copies. "auto"
        takes 2 axes for BD, 3 for BND, and tells BCHW from BHWC by the two equal sides of a square
        map. It refuses what it cannot tell; where images are not square, name the layout.
    module: the name used in error messages.

    float64 stays float64; everything else is averaged in, and returned as, float32. The result
    shares no memory with `output`, so a later in-place layer (an in-place ReLU) cannot change it.

    Raises ValueError naming `module` and the shape for any other output, layout or rank.

    >>> import torch
    >>> reduce_mean(torch.ones(2, 64, 7, 7, dtype=torch.float16)).shape
    torch.Size([2, 64])
    >>> reduce_mean(torch.rand(2, 7, 7, 7), "BHWC").shape
    torch.Size([2, 7])
    """
    _check_layout(layout)
    output = _floats(output, module)
    shape = tuple(output.shape)
    if layout == "auto":
        layout = _guess(shape, module)
    elif len(shape) != len(layout):
        raise ValueError(
            f"module {module!r}: layout={layout!r} needs {len(layout)} axes, got shape {shape}"
        )
    dtype = _kept_dtype(output)
    if layout == "BD":
        return output.to(dtype, copy=True)
    return output.mean(_AXES[layout], dtype=dtype)


def resolve_modules(model: nn.Module, modules: str | Iterable[str]) -> list[str]:
    """The names in `model` that `modules`, names or glob patterns, stand for.

    In a pattern, ``*``, ``?`` and ``[...]`` match within one part of a dotted name: "blocks.*" is
    blocks.0, blocks.1, ... but not blocks.0.norm1. Order: as given, and as in the model within a
    pattern; a name that several entries match counts once.

    Raises ValueError if `model` is no module, `modules` is empty or not strings, or an entry
    matches nothing.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Conv2d(8, 16, 3))
    >>> resolve_modules(model, ["2", "*"])
    ['2', '0', '1']
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    if isinstance(modules, str):
        modules = [modules]
    patterns = list(modules) if isinstance(modules, Iterable) else []
    if not patterns or not all(isinstance(pattern, str) for pattern in patterns):
        raise ValueError(
            f"modules: expected a module name, or a non-empty list of names, got {modules!r}"
        )
    names = [name for name, _ in model.named_modules() if name]  # the model itself has the name ""
    found: dict[str, None] = {}
    for pattern in patterns:
        matches = (
            [pattern] if pattern in names else [name for name in names if _matches(name, pattern)]
        )
        if not matches:
            close = difflib.get_close_matches(pattern, names, n=3)
            near = close or [name for name, _ in model.named_children()] or ["none"]
            hint = f"{'close names' if close else 'its children'}: {', '.join(near)}"
            raise ValueError(
                f"modules: {pattern!r} matches no module of {type(model).__name__}; {hint}"
            )
        found.update(dict.fromkeys(matches))
    return list(found)


def _matches(name: str, pattern: str) -> bool:
    """Does `pattern` match `name`, part by part between the dots?"""
    parts, globs = name.split("."), pattern.split(".")
    return len(parts) == len(globs) and all(map(fnmatchcase, parts, globs))


def _check_layout(layout: str) -> None:
    if layout not in LAYOUTS:
        raise ValueError(f"layout: expected one of {', '.join(LAYOUTS)}, got {layout!r}")


def _guess(shape: tuple[int, ...], module: str) -> str:
    """The layout that "auto" stands for."""
    if len(shape) == 2:
        return "BD"
    if len(shape) == 3:
        return "BND"
    if len(shape) == 4:
        _, a, b, c = shape
        if a != b == c:
            return "BCHW"
        if a == b != c:
            return "BHWC"
        raise ValueError(
            f"module {module!r}: cannot tell BCHW from BHWC for shape {shape}; "
            "pass layout='BCHW' or layout='BHWC'"
        )
    raise ValueError(
        f"module {module!r}: expected an output of 2, 3 or 4 axes ({', '.join(_AXES)}), "
        f"got shape {shape}"
    )


def _batches(images: Tensor | Iterable, batch_size: int) -> Iterable:
    """`images` as an iterable of batches."""
    if isinstance(images, Tensor):
        return _checked(images).split(batch_size)
    if isinstance(images, (str, bytes, dict)) or not isinstance(images, Iterable):
        raise ValueError(
            "images: expected a float tensor or an iterable of batches, "
            f"got {type(images).__name__}"
        )
    return images


def _checked(batch: Tensor) -> Tensor:
    """`batch`, if it is a float tensor (B, ...)."""
    if not isinstance(batch, Tensor):
        raise ValueError(f"images: expected float tensors (B, ...), got {type(batch).__name__}")
    if batch.ndim < 2 or batch.numel() == 0 or not batch.is_floating_point():
        raise ValueError(
            "images: expected non-empty floating-point tensors (B, ...) of 2 or more axes, "
            f"got shape {tuple(batch.shape)} of {batch.dtype}"
        )
    return batch


def _floats(output: object, module: str) -> Tensor:
    """`output`, or its first tensor, if that is a non-empty floating-point tensor."""
    if isinstance(output, (tuple, list)):
        output = next((entry for entry in output if isinstance(entry, Tensor)), None)
    if not isinstance(output, Tensor):
        raise ValueError(
            f"module {module!r}: expected a tensor, or a tuple holding one, as output, "
            f"got {type(output).__name__}"
        )
    if not output.is_floating_point() or output.numel() == 0:
        raise ValueError(
            f"module {module!r}: expected a non-empty floating-point output, "
            f"got shape {tuple(output.shape)} of {output.dtype}"
        )
    return output


def _tap(model: nn.Module, batch: Tensor, names: list[str], layout: str) -> dict[str, Tensor]:
    """One forward on `batch`: {name: (B, D)}."""
    tapped: dict[str, Tensor] = {}

    def keep(name: str, output: Tensor) -> None:
        # Reduced at once: an in-place layer that follows may overwrite the output.
        tapped[name] = reduce_mean(output, layout, module=name)

    _watch(model, batch, names, keep)
    return tapped


class _Enough(Exception):
    """Ends a forward of which nothing more is needed."""


def _watch(
    model: nn.Module,
    batch: Tensor,
    names: list[str],
    keep: Callable[[str, Tensor], None],
    *,
    last: str | None = None,
) -> None:
    """One forward on `batch` that hands each named module's output to `keep`; the hooks are gone
    afterwards.

    last: the module after which the forward ends; None runs all of it.
    """
    seen: set[str] = set()

    def hook(name: str, output: object) -> None:
        if name in seen:
            raise ValueError(
                f"modules: {name!r} is called more than once in one forward, so it has no "
                "single output; expected modules that run once"
            )
        seen.add(name)
        output = _floats(output, name)
        if len(output) != len(batch):
            raise ValueError(
                f"modules: the output of {name!r} has a batch of {len(output)} for "
                f"{len(batch)} images (windowed attention?); expected one row per image"
            )
        keep(name, output)
        if name == last:
            raise _Enough

    handles = []
    try:
        for name in names:
            module = model.get_submodule(name)
            handles.append(
                module.register_forward_hook(lambda _, __, output, name=name: hook(name, output))
            )
        model(batch)
    except _Enough:
        pass
    finally:
        for handle in handles:
            handle.remove()
    for name in names:
        if name not in seen:
            raise ValueError(
                f"modules: {name!r} was never called in the forward; expected modules that run "
                "(of a compiled model, tap the original instead)"
            )


@contextmanager
def _borrowed(
    model: nn.Module, device: str | torch.device | None, training: bool
) -> Iterator[torch.device | None]:
    """Lend out `model` on `device` in one mode, yield where it is, and put everything back."""
    homes = list(
        dict.fromkeys(tensor.device for tensor in chain(model.parameters(), model.buffers()))
    )
    home = place = homes[0] if homes else None
    if device is not None:
        try:
            place = torch.device(device)
        except (RuntimeError, TypeError):
            raise ValueError(
                f"device: expected a torch device such as 'cpu' or 'cuda:0', got {device!r}"
            ) from None
        if len(homes) > 1:
            raise ValueError(
                f"device: expected None for a model spread over several devices, got {device!r}"
            )
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(module, dict(module._buffers)) for module in model.modules()]
    copies = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    try:
        if place != home:
            model.to(place)
        model.train(training)
        yield place
    finally:
        if place != home and home is not None:
            model.to(home)
        for module, mode in modes:
            module.training = mode
        for module, own in buffers:
            module._buffers.clear()
            module._buffers.update(own)
        for buffer, copy in copies:
            # Written only where it changed: writing would break a graph that has saved the buffer.
            if not torch.equal(buffer, copy):
                with torch.no_grad():
                    buffer.copy_(copy)
