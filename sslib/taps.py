"""The one way into a model: names to modules, hooks, and the model given back as it was."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from fnmatch import fnmatchcase
from itertools import chain
from threading import get_ident
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.parameter import is_lazy
from torch.utils.hooks import RemovableHandle

from sslib.checks import error

#: How a batch reaches a model that takes it in a way of its own.
Forward: TypeAlias = Callable[[nn.Module, Any], Any]


def resolve_modules(model: nn.Module, modules: str | Iterable[str]) -> list[str]:
    """The names in `model` that `modules`, names or glob patterns, stand for.

    In a pattern, ``*``, ``?`` and ``[...]`` match within one part of a dotted name: "blocks.*" is
    blocks.0, blocks.1, ... but not blocks.0.norm1. Order: as given, and as in the model within a
    pattern, each name once. An entry that matches nothing is an error.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3))
    >>> resolve_modules(model, ["2", "*"])
    ['2', '0', '1']
    """
    if not isinstance(model, nn.Module):
        raise error("model", "a torch.nn.Module", type(model).__name__)
    several = [modules] if isinstance(modules, str) else modules
    patterns = list(several) if isinstance(several, Iterable) else []
    if not patterns or not all(isinstance(pattern, str) for pattern in patterns):
        raise error("modules", "a module name, or a non-empty list of names", repr(modules))
    names = [name for name, _ in model.named_modules() if name]  # the model itself has the name ""
    aliases = [name for name, _ in model.named_modules(remove_duplicate=False)]
    resolved: dict[str, None] = {}
    for pattern in patterns:
        matches = [name for name in aliases if name == pattern and name]
        matches = matches or [name for name in names if _matches(name, pattern)]
        if not matches:
            close = difflib.get_close_matches(pattern, names, n=3)
            near = close or [name for name, _ in model.named_children()] or ["none"]
            hint = f"{'close names' if close else 'its children'}: {', '.join(near)}"
            absent = f"{pattern!r} matches no module of {type(model).__name__}"
            raise ValueError(f"modules: {absent}; {hint}")
        resolved.update(dict.fromkeys(matches))
    return list(resolved)


def _matches(name: str, pattern: str) -> bool:
    """Does `pattern` match `name`, part by part between the dots?"""
    parts, globs = name.split("."), pattern.split(".")
    return len(parts) == len(globs) and all(map(fnmatchcase, parts, globs))


def tap(
    model: nn.Module, names: Sequence[str], keep: Callable[[str, Any], None]
) -> list[RemovableHandle]:
    """Hooks that hand the output of each named module to `keep`; whoever asks takes them off.

    They are local functions, which deepcopy leaves as they are: a copy of the model is not tapped.
    """

    def hook_of(name: str, own: nn.Module) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, _: Any, output: Any) -> None:
            if module is own:
                keep(name, output)

        return hook

    scripted = [n for n, m in model.named_modules() if isinstance(m, torch.jit.ScriptModule)]
    for name in names:
        if any(not outer or f"{name}.".startswith(f"{outer}.") for outer in scripted):
            hint = "is part of a scripted or traced module, which takes no hooks"
            raise ValueError(f"modules: {name!r} {hint}; tap the model it was made from")
    modules = [(name, model.get_submodule(name)) for name in names]
    return [module.register_forward_hook(hook_of(name, module)) for name, module in modules]


def take_off(handles: list[RemovableHandle]) -> None:
    """Remove hooks, and forget them."""
    while handles:
        handles.pop().remove()


def activations(output: Any, module: str, images: int | None = None) -> Tensor:
    """`output`, or its first tensor, if that is floating-point with one row for each image."""
    if isinstance(output, Mapping | tuple | list):
        entries = output.values() if isinstance(output, Mapping) else output
        output = next((entry for entry in entries if isinstance(entry, Tensor)), None)
    name = f"module {module!r}"
    if not isinstance(output, Tensor):
        expected = "a tensor, or a tuple or mapping holding one, as output"
        raise error(name, expected, type(output).__name__)
    if output.is_nested or output.layout != torch.strided:
        raise error(name, "a dense output", "a nested or sparse tensor")
    if not output.is_floating_point() or output.ndim == 0 or output.numel() == 0:
        got = f"shape {tuple(output.shape)} of {output.dtype}"
        raise error(name, "a non-empty floating-point output", got)
    if images is not None and len(output) != images:
        got = f"a batch of {len(output)} for {images} images (windowed attention?)"
        raise error(name, "an output with one row per image", got)
    return output


class _Enough(BaseException):
    """Ends a forward of which nothing more is needed; no model's own except catches it."""


def forward(
    model: nn.Module,
    batch: Any,
    names: Sequence[str],
    keep: Callable[[str, Any], None],
    *,
    last: str | None = None,
    call: int | None = None,
    whole: bool = True,
    run: Forward | None = None,
) -> None:
    """One forward on `batch`, up to the module `last`: each named output goes to `keep`, once.

    `call` says which call of a module counts; None: it must be the only one. Unless `whole`, the
    forward ends when every module has been kept.
    """
    calls = dict.fromkeys(names, 0)
    kept: set[str] = set()
    thread = get_ident()

    def once(name: str, output: Any) -> None:
        if get_ident() != thread:
            return
        calls[name] += 1
        if call is None and calls[name] > 1:
            more = "is called more than once in one forward, so it has no single output"
            hint = "pass call=0 for the first, or a module that runs once"
            raise ValueError(f"modules: {name!r} {more}; {hint}")
        if calls[name] == (call or 0) + 1:
            keep(name, output)
            kept.add(name)
            if name == last or (not whole and len(kept) == len(calls)):
                raise _Enough

    with ExitStack() as hooks:
        hooks.callback(take_off, tap(model, names, once))
        with suppress(_Enough):
            if run is not None:
                run(model, batch)
            elif isinstance(batch, Mapping):
                model(**{key: batch[key] for key in batch if key not in ("label", "labels")})
            else:
                model(batch)
    for name in names:
        if name not in kept:
            hint = "expected modules that run (of a compiled model, tap the original instead)"
            times = f"was called {calls[name]} times" if calls[name] else "was never called"
            raise ValueError(f"modules: {name!r} {times} in the forward; {hint}")


@contextmanager
def borrowed(
    model: nn.Module, device: str | torch.device | None = None, *, training: bool = False
) -> Iterator[torch.device | None]:
    """Lend out `model` on `device` in one mode, without gradients, and put everything back."""
    homes = [tensor.device for tensor in chain(model.parameters(), model.buffers())]
    home = homes[0] if homes else None
    place = home if device is None else _device(device, len(set(homes)))
    modules = [m for m in model.modules() if not isinstance(m, torch.jit.ScriptModule)]
    attributes = [(type(m), m.training, dict(vars(m))) for m in modules]
    registered: list[tuple[Any, dict[str, Any]]] = [
        (d, dict(d)) for m in modules for d in (m._parameters, m._buffers, m._modules)
    ]
    trained = [(p, p.requires_grad, p.grad) for p in model.parameters()]
    # A train() or eval() of a model's own may rewrite weights (adapters merge theirs).
    plain = (nn.Module.train, nn.Module.eval)
    own_modes = [m for m in modules if (type(m).train, type(m).eval) != plain]
    changing = [p for m in own_modes for p in m.parameters()]
    changing = [t for t in dict.fromkeys([*changing, *model.buffers()]) if not is_lazy(t)]
    copies = [(tensor, tensor.detach().clone()) for tensor in changing]
    try:
        if place != home:
            model.to(place)
        _switch(model, training)
        with torch.no_grad():
            yield place
    finally:
        if place != home and home is not None:
            model.to(home)
        for module, (_, mode, _) in zip(modules, attributes, strict=True):
            _switch(module, mode, deep=False)
        for module, (kind, _, own) in zip(modules, attributes, strict=True):
            if type(module) is kind:  # a lazy module has become another one
                vars(module).update(own)
                for new in vars(module).keys() - own:
                    del vars(module)[new]
        for registry, entries in registered:
            registry.clear()
            registry.update(entries)
        for parameter, requires_grad, gradient in trained:
            parameter.requires_grad_(requires_grad)
            parameter.grad = gradient
        for tensor, copy in copies:
            # Written only where it changed: writing would break a graph that has saved the tensor.
            if not torch.equal(tensor, copy):
                with torch.no_grad():
                    tensor.copy_(copy)


def _switch(module: nn.Module, training: bool, *, deep: bool = True) -> None:
    """Bring a module into a mode by its own method, unless it is there already."""
    if any(part.training != training for part in (module.modules() if deep else [module])):
        module.train() if training else module.eval()


def _device(device: str | torch.device, homes: int) -> torch.device:
    try:
        place = torch.device(device)
    except (RuntimeError, TypeError):
        raise error("device", "a torch device such as 'cpu' or 'cuda:0'", repr(device)) from None
    if homes > 1:
        raise error("device", "None for a model spread over several devices", repr(device))
    return place


def unwrapped(model: nn.Module) -> nn.Module:
    """The user's own model, whose names the modules have."""
    if isinstance(model, DistributedDataParallel):
        return unwrapped(model.module)
    inner = getattr(model, "_orig_mod", None)  # of torch.compile
    return model if inner is None else unwrapped(inner)


def in_backward() -> bool:
    """Whether a checkpoint runs its part of the model again, as torch's ModuleTracker asks it."""
    return not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1
