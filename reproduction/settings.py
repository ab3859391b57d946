"""The parameters of a notebook: checked before anything runs, completed from its scale."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import yaml

from reproduction.paths import ROOT

#: The comment that papermill writes above the parameters it injects.
_INJECTED = "# Parameters"


#: What each notebook takes, and what each scale means for it.
SCALES = ROOT / "notebooks" / "scales.yml"


def start(notebook: str, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The first line of a notebook: check its parameters and set the style of its figures.

    Args:
        notebook: its section in ``notebooks/scales.yml``.
        namespace: the notebook's ``globals()``.

    Returns:
        Parameter name -> value, plus the scale's settings that are no parameters.

    Raises:
        ValueError: as ``check_parameters`` says, or there is no such section.
    """
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    from reproduction.style import use_style

    settings = check_parameters(namespace, *scales_of(notebook))
    use_style()
    set_matplotlib_formats("svg")
    return settings


def scales_of(notebook: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """What a notebook's parameters may be, and what each scale sets, from ``notebooks/scales.yml``.

    In the file a parameter is a list of values, one of the words "string", "integer", "number" and
    "boolean", or a range {from: 1, to: 100}.

    >>> allowed, scales = scales_of("training")
    >>> sorted(scales)
    ['gpu', 'paper', 'quick']

    Raises:
        ValueError: the notebook has no section.
    """
    sections = yaml.safe_load(SCALES.read_text(encoding="utf-8"))
    if notebook not in sections:
        raise ValueError(f"notebook: {notebook!r} has no section in {SCALES}")
    section = sections[notebook]
    return {name: _spec(spec) for name, spec in section["parameters"].items()}, section["scales"]


def _spec(spec: Any) -> Any:
    if isinstance(spec, dict):
        return range(spec["from"], spec["to"] + 1)
    if isinstance(spec, list):
        return tuple(_spec(one) for one in spec)
    return {"string": str, "integer": int, "number": float, "boolean": bool}.get(spec, spec)


def check_parameters(
    namespace: Mapping[str, Any],
    allowed: Mapping[str, Any],
    scales: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Check a notebook's parameters before anything runs; return them, completed from the scale's
    settings.

    papermill only warns when a parameter is misspelt and then runs with the default. Called right
    after the parameters, this stops the notebook instead.

    Args:
        namespace: the notebook's ``globals()``.
        allowed: parameter name -> what it may be: a type (``str``; ``float`` admits whole numbers
            too), a ``range`` of integers, a single value, or a tuple of these, one of which must
            hold.
        scales: scale name -> its settings. With it, the parameter ``scale`` must name one of them,
            and a parameter that is None takes the scale's setting; one that is set overrides it.

    Returns:
        Parameter name -> value, plus the scale's settings that are no parameters.

    Raises:
        ValueError: papermill passed a name that is not a parameter, a parameter is missing or has a
            value that ``allowed`` does not admit.

    >>> scales = {"quick": {"n_images": 128}, "paper": {"n_images": 512}}
    >>> check_parameters({"scale": "quick", "seed": 0, "n_images": None},
    ...                  {"seed": int, "n_images": range(2, 4097)}, scales)
    {'scale': 'quick', 'seed': 0, 'n_images': 128}
    >>> check_parameters({"scale": "paper", "n_images": 64}, {"n_images": range(2, 4097)}, scales)
    {'scale': 'paper', 'n_images': 64}
    >>> check_parameters({"scale": "quik"}, {}, scales)
    Traceback (most recent call last):
    ...
    ValueError: parameter scale='quik' is not allowed: expected 'quick' or 'paper'
    """
    specs = dict(allowed)
    if scales is not None:
        specs = {"scale": tuple(scales)} | specs
    for name in _injected(namespace):
        if name not in specs:
            near = get_close_matches(name, specs, n=1)
            hint = f", did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"unknown parameter {name!r}{hint} (this notebook takes: {', '.join(specs)})"
            )
    missing = [name for name in specs if name not in namespace]
    if missing:
        raise ValueError(f"parameter {missing[0]!r} is not set in the parameters cell")

    values: dict[str, Any] = {}
    settings: Mapping[str, Any] = {}
    for name, spec in specs.items():
        value = values[name] = namespace[name]
        if not _fits(value, spec) and not (value is None and name in settings):
            raise ValueError(
                f"parameter {name}={value!r} is not allowed: expected {_describe(spec)}"
            )
        if scales is not None and name == "scale":
            settings = scales[value]
    return values | {name: value for name, value in settings.items() if values.get(name) is None}


def _injected(namespace: Mapping[str, Any]) -> Iterator[str]:
    """The names that papermill set, read from its cell in IPython's history ``In``."""
    for source in namespace.get("In", []):
        if source.partition("\n")[0] == _INJECTED:
            for node in ast.parse(source).body:
                if isinstance(node, ast.Assign):
                    yield from (
                        target.id for target in node.targets if isinstance(target, ast.Name)
                    )


def _fits(value: Any, spec: Any) -> bool:
    if isinstance(spec, tuple):
        return any(_fits(value, one) for one in spec)
    if isinstance(spec, range):
        return type(value) is int and value in spec
    if isinstance(spec, type):
        # bool is a subclass of int, but `n_images = True` is a mistake.
        exact = spec in (int, float)
        return (
            type(value) is spec or (spec is float and type(value) is int)
            if exact
            else isinstance(value, spec)
        )
    return type(value) is type(spec) and value == spec


def _describe(spec: Any) -> str:
    if isinstance(spec, tuple):
        return " or ".join(_describe(one) for one in spec)
    if isinstance(spec, range):
        step = "" if spec.step == 1 else f" in steps of {spec.step}"
        return f"an integer from {spec[0]} to {spec[-1]}{step}"
    if isinstance(spec, type):
        return {str: "a string", int: "an integer", float: "a number", bool: "True or False"}.get(
            spec, spec.__name__
        )
    return repr(spec)
