"""Which modules of any network are measured: blocks, else stages, else timm's feature_info."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn

from sslib.features import reduce_mean

# "3", "layer3", "denseblock3": a number that counts repeats; "conv2" and "norm2" number the parts
# of one block.
_REPEAT = re.compile(r"(layer|stage|level|block|denseblock|denselayer|tree|s|b)?\d+")
_WEIGHTS = (nn.Conv2d, nn.Linear)


def blocks(network: nn.Module) -> list[str]:
    """The numbered modules with two or more convolutions or linear maps, and no such one inside.

    >>> block = lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    >>> blocks(nn.Sequential(nn.Sequential(block(), block()), nn.Sequential(block())))
    ['0.0', '0.1', '1.0']
    """
    names = _repeats(network)
    return [name for name in names if not any(other.startswith(f"{name}.") for other in names)]


def stages(network: nn.Module) -> list[str]:
    """The same modules' outermost numbered parents: those that lie in no other numbered module."""
    names = _repeats(network)
    return [name for name in names if not any(name.startswith(f"{other}.") for other in names)]


def _repeats(network: nn.Module) -> list[str]:
    return [
        name
        for name, module in network.named_modules()
        if _REPEAT.fullmatch(name.rpartition(".")[2])
        and sum(isinstance(part, _WEIGHTS) for part in module.modules()) >= 2
    ]


def feature_info(network: nn.Module) -> list[str]:
    """The modules that timm names as the network's features; none where it names none."""
    info = getattr(network, "feature_info", None)
    entries = getattr(info, "info", info) or []
    names = dict(network.named_modules())
    return [entry["module"] for entry in entries if entry.get("module") in names]


def modules_of(network: nn.Module, images: Tensor) -> tuple[str, list[str]]:
    """The level that the rule ends at and its modules, in the order they run.

    A level counts if it has two modules or more, each runs once in a forward, and ReduceMean can
    read each output: one row per image, in a layout it can tell. Numbered modules that are only
    containers and never run are left out.

    Args:
        network: in eval mode.
        images: (2, 3, H, W), two images to try the levels on.

    Raises:
        ValueError: no level counts; it says why not, per level.
    """
    candidates = {
        "blocks": blocks(network),
        "stages": stages(network),
        "feature_info": feature_info(network),
    }
    every = list(dict.fromkeys(name for names in candidates.values() for name in names))
    runs, faults = _trial(network, images, every)
    reasons = []
    for level, names in candidates.items():
        used = [name for name in runs if name in names]
        fault = next((faults[name] for name in used if name in faults), "")
        again = next((f"{name} runs more than once" for name in used if runs[name] > 1), "")
        if len(used) >= 2 and not fault and not again:
            return level, used
        reasons.append(f"{level}: {fault or again or f'{len(used)} modules'}")
    raise ValueError("; ".join(reasons))


def _trial(
    network: nn.Module, images: Tensor, names: list[str]
) -> tuple[Counter[str], dict[str, str]]:
    """How often each module runs in a forward, in order, and why an output cannot be read."""
    runs: Counter[str] = Counter()
    faults: dict[str, str] = {}

    def hook(name: str) -> Callable[..., None]:
        def look(_module: nn.Module, _inputs: tuple, output: Tensor | tuple | list) -> None:
            runs[name] += 1
            try:
                rows = reduce_mean(output, module=name)
                if rows.ndim != 2 or len(rows) != len(images):
                    faults[name] = f"{name} has {len(rows)} rows for {len(images)} images"
            except (ValueError, TypeError, AttributeError) as error:
                faults[name] = str(error)

        return look

    handles = [network.get_submodule(name).register_forward_hook(hook(name)) for name in names]
    try:
        with torch.no_grad():
            network(images)
    finally:
        for handle in handles:
            handle.remove()
    return runs, faults
