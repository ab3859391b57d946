"""Which axis of an output holds the channels: what is known decides, or nothing does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from sslib import checks, taps

#: Letters of axes: B images, C or D channels, the others places, which ReduceMean averages over.
_LAYOUTS = ("BCHW", "BHWC", "BND", "BD", "BDN", "NBD", "BCDHW", "BDHWC")

#: What the argument ``layout`` accepts.
LAYOUTS = ("auto", *_LAYOUTS)


class Known(NamedTuple):
    """What is known of a module's output beside its shape."""

    axis: int | None = None  #: of the channels, where the type of the module says so
    widths: tuple[frozenset[int], ...] = ()  #: numbers of channels in the model, the surest first
    sequence_first: bool = False  #: does anything in the model have the images on axis 1?
    images: int | None = None  #: in the batch
    sides: tuple[int, int] | None = None  #: height and width of the input


_CHANNELS_FIRST = (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.GroupNorm)


def evidence(model: nn.Module, name: str) -> Known:
    """What a model says of the channels of one of its modules."""
    own = dict(model.named_modules(remove_duplicate=False))[name]
    parts, all_parts = list(own.modules()), list(model.modules())
    outs = ([m.out_features for m in p if isinstance(m, nn.Linear)] for p in (parts, all_parts))
    widths = (_widths(parts), _widths(all_parts), *map(frozenset, outs))
    axis = 1 if isinstance(own, _CHANNELS_FIRST) or type(own) is nn.Flatten else None
    linear = isinstance(own, nn.Linear) and not widths[1]  # else it may mix tokens, on axis -1
    if linear or type(own) in (nn.LayerNorm, nn.Embedding, nn.RMSNorm):
        axis = -1
    first = any(getattr(part, "batch_first", True) is False for part in all_parts)
    return Known(axis, widths, first)


def _widths(modules: list[nn.Module]) -> frozenset[int]:
    """Channels of convolutions and norms."""
    keys = ("out_channels", "num_features", "num_channels", "embedding_dim", "embed_dim")
    found = [getattr(module, key, None) for module in modules for key in keys]
    norms = [module for module in modules if isinstance(module, nn.LayerNorm | nn.RMSNorm)]
    found += [module.normalized_shape[-1] for module in norms]
    return frozenset(width for width in found if isinstance(width, int))


def layouts_of(
    layout: str | Mapping[str, str], model: nn.Module, names: Iterable[str]
) -> dict[str, str]:
    """The layout of each module, of one for all or of {name or pattern: layout}."""
    given = layout if isinstance(layout, Mapping) else {"": layout}
    for value in given.values():
        checks.choice("layout", value, LAYOUTS)
    layouts = dict.fromkeys(names, given.get("", "auto"))
    for pattern in given:
        tapped = layouts.keys() & taps.resolve_modules(model, pattern) if pattern else layouts
        if not tapped:
            raise checks.error("layout", f"names among {', '.join(layouts)}", repr(pattern))
        layouts |= dict.fromkeys(tapped, given[pattern])
    return layouts


def sides(batch: Any) -> tuple[int, int] | None:
    """Height and width of images, where the batch is a tensor (B, C, H, W)."""
    image = isinstance(batch, Tensor) and batch.ndim == 4
    return (batch.shape[2], batch.shape[3]) if image else None


def _channels(layout: str) -> int:
    return layout.index("C" if "C" in layout else "D")


def places(layout: str) -> tuple[int, ...]:
    """The axes that are neither images nor channels."""
    return tuple(i for i in range(len(layout)) if i not in (layout.index("B"), _channels(layout)))


def guess(shape: tuple[int, ...], module: str, known: Known) -> str:
    """The layout that "auto" stands for: the only one that agrees with what is known."""
    options = possible = [one for one in _LAYOUTS if len(one) == len(shape)]
    if not options:
        expected = f"an output of 2 to 5 axes ({', '.join(_LAYOUTS)})"
        raise checks.error(f"module {module!r}", expected, f"shape {shape}")
    options = [one for one in options if one[0] == "B" or known.sequence_first]
    if known.images is not None:
        options = [one for one in options if shape[one.index("B")] == known.images]
        if not options:
            why = "layout='NBD'?" if known.images in shape[1:2] else "windowed attention?"
            got = f"a batch of {shape[0]} for {known.images} images ({why})"
            raise checks.error(f"module {module!r}", "an output with one row per image", got)
    told = [one for one in options if known.axis in (_channels(one), _channels(one) - len(one))]
    for widths in known.widths:
        if len(told) == 1:
            break
        told = [one for one in options if shape[_channels(one)] in widths]
        told = told if len({_channels(one) for one in told}) == 1 else []
    if len(shape) == 3 and not known.widths:
        told = ["BND"]  # nothing but a shape: as transformers have it
    if len(shape) == 4 and known.axis is None:
        h, w = known.sides or (1, 1)
        taller = {one: shape[one.index("H")] - shape[one.index("W")] for one in options}
        fits = [one for one, by in taller.items() if (by * (h - w) >= 0 if h != w else not by)]
        if len(fits) == 1:  # a map as high as it has channels is no square
            agree = not told or told == fits or (h == w and fits == ["BCHW"])
            options = told = fits if agree else []
        elif not fits and known.sides is None:
            told = []
    if len(told) != 1 and len(options) != 1:
        choose = " or ".join(f"layout={one!r}" for one in possible)
        which = " from ".join(possible)
        raise ValueError(f"module {module!r}: cannot tell {which} in {shape}; pass {choose}")
    return (told if len(told) == 1 else options)[0]
