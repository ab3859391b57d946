"""Algorithm 1: run a model, tap its modules, average over space (ReduceMean), transpose to F.

And without the average: the Gram matrices of flattened activations, for Appendices B and C.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from tqdm import tqdm

from sslib.taps import _borrowed, _floats, _watch, resolve_modules

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


def _tap(model: nn.Module, batch: Tensor, names: list[str], layout: str) -> dict[str, Tensor]:
    """One forward on `batch`: {name: (B, D)}."""
    tapped: dict[str, Tensor] = {}

    def keep(name: str, output: Tensor) -> None:
        # Reduced at once: an in-place layer that follows may overwrite the output.
        tapped[name] = reduce_mean(output, layout, module=name)

    _watch(model, batch, names, keep)
    return tapped
