"""The one way into a model: names to modules, hooks, and the model given back as it was."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import chain

import torch
from torch import Tensor, nn


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
