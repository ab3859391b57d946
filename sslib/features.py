"""Algorithm 1: run a model, tap its modules, average over space (ReduceMean), transpose to F."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from sslib import checks, inputs, taps
from sslib.inputs import Images
from sslib.layouts import LAYOUTS, Known, evidence, guess, layouts_of, places, sides

TOKENS = ("all", "class", "patch")
POOLS = ("mean", "max")

#: A bar that is silent where nobody watches, and for the first seconds.
PROGRESS: dict[str, Any] = {"disable": None, "delay": 3, "leave": False}


def feature_matrices(
    model: nn.Module,
    images: Images,
    modules: str | Iterable[str],
    *,
    layout: str | Mapping[str, str] = "auto",
    batch_size: int = 64,
    device: str | torch.device | None = None,
    training: bool = False,
    tokens: str = "all",
    pool: str = "mean",
    forward: taps.Forward | None = None,
    call: int | None = None,
    max_batches: int | None = None,
    out: str | Path | None = None,
) -> dict[str, Tensor]:
    """The feature matrix F of each tapped module (Alg. 1).

    The model runs without gradients and comes back as it was, even after an error: hooks, device,
    modes, attributes, buffers (batch-norm's statistics), ``requires_grad`` and ``grad``. After the
    first batch, a forward ends with the last module that is needed.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3))
    >>> F = feature_matrices(model, torch.rand(10, 3, 32, 32), ["0", "2"], batch_size=4)
    >>> {name: tuple(matrix.shape) for name, matrix in F.items()}
    {'0': (8, 10), '2': (16, 10)}

    Args:
        images: a float tensor (B, ...), token ids (B, N), a mapping of tensors such as a tokenizer
            returns, or a data set, cut into pieces of `batch_size`; or batches as from a
            DataLoader: any of these, or tuples whose first entry is one (labels are ignored).
        modules: names or patterns, see `sslib.taps.resolve_modules`; the result keeps their order.
        layout: how `reduce_mean` reads the outputs: one for all modules, or {name: layout}.
        device: where to run; None means where the model is.
        training: run in training mode, with each batch's statistics and dropout's global RNG.
        tokens, pool: see `reduce_mean`.
        forward: ``forward(model, batch)`` for a model that takes the whole batch in its own way.
        call: which call of a module counts, from 0; None for modules that run once.
        max_batches: how many batches are read; None for all.
        out: a folder for features that memory does not hold: F of a module is a file of its own,
            rows (B, D) of bare numbers, and what is returned a map of it.

    Returns:
        {module name: F}. F is (D, B), contiguous but for `out`: D channels, B images over all
        batches, in units of the module's output, on the device of the run (`out`: on the CPU);
        float64 where the output is, else float32.

    Raises:
        ValueError: an argument is not as above, a module does not run exactly once per forward, or
            its output has not one row per image or cannot be averaged.
    """
    checks.integer("batch_size", batch_size, 1)
    stop = None if max_batches is None else checks.integer("max_batches", max_batches, 1)
    call = None if call is None else checks.integer("call", call, 0)
    names = taps.resolve_modules(model, modules)
    layouts = layouts_of(layout, model, names)
    known = {name: evidence(model, name) for name in names}
    rows: dict[str, list[Tensor]] = {name: [] for name in names}
    B, files = 0, {name: Path(out or "") / f"{name}.bin" for name in names}
    if out is not None:
        Path(out).mkdir(parents=True, exist_ok=True)

    def keep(name: str, output: Any) -> None:
        # Reduced at once: an in-place layer that follows may overwrite the output.
        seen = known[name]._replace(images=inputs.rows(batch), sides=sides(batch))
        output = taps.activations(output, name)
        if layouts[name] == "auto":  # the first batch decides for all
            layouts[name] = guess(tuple(output.shape), name, seen)
        row = reduce_mean(output, layouts[name], module=name, known=seen, tokens=tokens, pool=pool)
        if out is not None:
            with files[name].open("ab" if B else "wb") as file:
                file.write(row.cpu().contiguous().numpy().tobytes())
            row = row[:0].clone()
        rows[name].append(row)

    with taps.borrowed(model, device, training=training) as place:
        given = islice(inputs.batches(images, batch_size), stop)
        for whole in tqdm(given, "features", unit="batch", **PROGRESS):
            batch = inputs.images_of(whole)
            fed = inputs.moved(batch if forward is None else whole, place)
            taps.forward(model, fed, names, keep, call=call, whole=B == 0, run=forward)
            B += inputs.rows(batch)
    if not B:
        raise checks.error("images", "at least one batch", "an empty iterable")
    if out is None:
        return {name: torch.cat(rows.pop(name)).T.contiguous() for name in names}
    maps = {}
    for name, parts in rows.items():
        D, dtype, path = parts[0].shape[1], parts[0].dtype, str(files[name])
        flat = torch.from_file(path, shared=True, size=B * D, dtype=dtype, device="cpu")
        maps[name] = flat.view(B, D).T
    return maps


def reduce_mean(
    output: Any,
    layout: str = "auto",
    *,
    module: str = "output",
    known: Known | None = None,
    tokens: str = "all",
    pool: str = "mean",
) -> Tensor:
    """ReduceMean of one module's output (Alg. 1, step 2): (B, D), differentiable.

    >>> reduce_mean(torch.ones(2, 64, 7, 7, dtype=torch.float16)).shape
    torch.Size([2, 64])
    >>> reduce_mean(torch.rand(2, 7, 7, 7), "BHWC").shape
    torch.Size([2, 7])

    Args:
        output: a floating-point tensor; of a tuple, list or mapping, its first tensor counts.
        layout: a letter per axis: "BCHW", "BHWC", "BND", "BDN", "NBD", "BCDHW" and "BDHWC" average
            over all but images and channels, "BD" copies. "auto" takes 2 axes for BD, 3 for BND,
            and tells BCHW from BHWC by the two equal sides of a square map, unless `known` says
            more; what it cannot tell it refuses.
        module: the name used in error messages.
        known: what the model and the batch say, see `evidence`.
        tokens: of three axes, "all" tokens, the "class" token alone (the first), or the "patch"
            tokens without it.
        pool: "mean", or "max" over the same axes.

    Returns:
        (B, D): float64 stays float64; everything else is averaged in, and returned as, float32. It
        shares no memory with `output`, so a later in-place layer cannot change it.
    """
    checks.choice("layout", layout, LAYOUTS)
    checks.choice("tokens", tokens, TOKENS)
    checks.choice("pool", pool, POOLS)
    output = taps.activations(output, module)
    shape = tuple(output.shape)
    if layout == "auto":
        layout = guess(shape, module, known or Known())
    elif len(shape) != len(layout):
        expected = f"an output of {len(layout)} axes for layout={layout!r}"
        raise checks.error(f"module {module!r}", expected, f"shape {shape}")
    B = layout.index("B")
    if known and known.images is not None and shape[B] != known.images:
        got = f"a batch of {shape[B]} for {known.images} images (windowed attention?)"
        raise checks.error(f"module {module!r}", "an output with one row per image", got)
    if tokens != "all":
        if "N" not in layout or shape[layout.index("N")] < 2:
            expected = f"an output with 2 or more tokens for tokens={tokens!r}"
            raise checks.error(f"module {module!r}", expected, f"shape {shape} read as {layout}")
        first, length = (0, 1) if tokens == "class" else (1, shape[layout.index("N")] - 1)
        output = output.narrow(layout.index("N"), first, length)
    axes, dtype = places(layout), torch.promote_types(output.dtype, torch.float32)
    if not axes or pool == "max":
        return (output.amax(axes) if axes else output).to(dtype, copy=True)
    return output.mean(axes, dtype=dtype)
