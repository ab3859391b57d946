"""Algorithm 1: run a model, tap its modules, average over space (ReduceMean), transpose to F."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from sslib import checks, taps
from sslib.taps import Images

#: The axes that ReduceMean averages over, per layout; a layout has one letter per axis.
_AXES: dict[str, tuple[int, ...]] = {"BCHW": (2, 3), "BHWC": (1, 2), "BND": (1,), "BD": ()}

#: A bar that is silent where nobody watches, and for the first seconds.
PROGRESS: dict[str, Any] = {"disable": None, "delay": 3, "leave": False}

#: What the argument ``layout`` accepts.
LAYOUTS = ("auto", *_AXES)


def feature_matrices(
    model: nn.Module,
    images: Images,
    modules: str | Iterable[str],
    *,
    layout: str = "auto",
    batch_size: int = 64,
    device: str | torch.device | None = None,
    training: bool = False,
) -> dict[str, Tensor]:
    """The feature matrix F of each tapped module (Alg. 1).

    The model runs without gradients and comes back as it was, even after an error: hooks, device,
    modes, buffers (batch-norm's statistics), ``requires_grad`` and ``grad``.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3))
    >>> F = feature_matrices(model, torch.rand(10, 3, 32, 32), ["0", "2"], batch_size=4)
    >>> {name: tuple(matrix.shape) for name, matrix in F.items()}
    {'0': (8, 10), '2': (16, 10)}

    Args:
        images: a float tensor (B, ...), cut into pieces of `batch_size`, or batches as from a
            DataLoader: float tensors, or tuples whose first entry is one (labels are ignored).
        modules: names or patterns, see `sslib.taps.resolve_modules`; the result keeps their order.
        layout: how ReduceMean reads the outputs, one for all modules, see `reduce_mean`.
        device: where to run; None means where the model is.
        training: run in training mode, with each batch's statistics and dropout's global RNG.

    Returns:
        {module name: F}. F is (D, B), contiguous: D channels, B images over all batches, in units
        of the module's output, on the device of the run; float64 where the output is, else float32.

    Raises:
        ValueError: an argument is not as above, a module does not run exactly once per forward, or
            its output has not one row per image or cannot be averaged.
    """
    checks.choice("layout", layout, LAYOUTS)
    checks.integer("batch_size", batch_size, 1)
    names = taps.resolve_modules(model, modules)
    rows: dict[str, list[Tensor]] = {name: [] for name in names}

    def keep(name: str, output: Tensor) -> None:
        # Reduced at once: an in-place layer that follows may overwrite the output.
        rows[name].append(reduce_mean(output, layout, module=name))

    with taps.borrowed(model, device, training=training) as place:
        # Silent where nobody watches (disable=None) and for the first seconds.
        for batch in tqdm(taps.batches(images, batch_size), "features", unit="batch", **PROGRESS):
            taps.forward(model, taps.images_of(batch).to(place), names, keep)
    if not rows[names[0]]:
        raise checks.error("images", "at least one batch", "an empty iterable")
    return {name: torch.cat(parts).T.contiguous() for name, parts in rows.items()}


def kept_dtype(output: Tensor) -> torch.dtype:
    """float64 stays; everything else becomes float32."""
    return torch.float64 if output.dtype == torch.float64 else torch.float32


def reduce_mean(output: Any, layout: str = "auto", *, module: str = "output") -> Tensor:
    """ReduceMean of one module's output (Alg. 1, step 2): (B, D), differentiable.

    >>> reduce_mean(torch.ones(2, 64, 7, 7, dtype=torch.float16)).shape
    torch.Size([2, 64])
    >>> reduce_mean(torch.rand(2, 7, 7, 7), "BHWC").shape
    torch.Size([2, 7])

    Args:
        output: a floating-point tensor; of a tuple or list, its first tensor counts.
        layout: "BCHW" and "BHWC" average over H and W, "BND" over N (a class token included), "BD"
            copies. "auto" takes 2 axes for BD, 3 for BND, and tells BCHW from BHWC by the two equal
            sides of a square map; where images are not square, name the layout.
        module: the name used in error messages.

    Returns:
        (B, D): float64 stays float64; everything else is averaged in, and returned as, float32. It
        shares no memory with `output`, so a later in-place layer cannot change it.
    """
    checks.choice("layout", layout, LAYOUTS)
    output = taps.activations(output, module)
    shape = tuple(output.shape)
    if layout == "auto":
        layout = _guess(shape, module)
    elif len(shape) != len(layout):
        expected = f"an output of {len(layout)} axes for layout={layout!r}"
        raise checks.error(f"module {module!r}", expected, f"shape {shape}")
    dtype = kept_dtype(output)
    if layout == "BD":
        return output.to(dtype, copy=True)
    return output.mean(_AXES[layout], dtype=dtype)


def _guess(shape: tuple[int, ...], module: str) -> str:
    """The layout that "auto" stands for."""
    if len(shape) not in (2, 3, 4):
        expected = f"an output of 2, 3 or 4 axes ({', '.join(_AXES)})"
        raise checks.error(f"module {module!r}", expected, f"shape {shape}")
    if len(shape) < 4:
        return "BD" if len(shape) == 2 else "BND"
    _, a, b, c = shape
    if (a == b) == (b == c):
        choose = "pass layout='BCHW' or layout='BHWC'"
        raise ValueError(f"module {module!r}: cannot tell BCHW from BHWC in {shape}; {choose}")
    return "BCHW" if b == c else "BHWC"
