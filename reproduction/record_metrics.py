"""What a record of each experiment must hold, so that no table meets a record it cannot read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from reproduction.covering.known import KNOWN_GRAPHS
from reproduction.invariance.known import KNOWN_SETS
from reproduction.table_1 import find
from reproduction.trained import NAMES
from reproduction.training.arms import Arm

Shape = Any  # a dict of shapes by key, a list with one shape, a tuple of shapes, or a function

#: Numbers of a record stay below this, as floats do.
LARGEST = 1.7976931348623157e308


def number(value: Any) -> str | None:
    """What is wrong with a value that should be a number; None if it is one, NaN included.

    >>> number(0.5), number("NaN"), number("a")
    (None, None, 'expected a number')
    """
    if isinstance(value, str):
        return None if value in ("NaN", "Infinity", "-Infinity") else "expected a number"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "expected a number"
    whole = isinstance(value, int) and abs(value) > LARGEST
    return "expected a number that a float can hold" if whole else None


def text(value: Any) -> str | None:
    return None if isinstance(value, str) else "expected a string"


def null(value: Any) -> str | None:
    return None if value is None else "expected null"


def count(value: Any) -> str | None:
    whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
    return None if whole else "expected a whole number of at least 0"


def several(value: Any) -> str | None:
    some = isinstance(value, list) and value and not any(map(number, value))
    return None if some else "expected a list of one or more numbers"


def pair(value: Any) -> str | None:
    both = isinstance(value, list) and len(value) == 2 and not any(map(number, value))
    return None if both else "expected a list of two numbers"


def name(value: Any) -> str | None:
    """What is wrong with a value that should be a name: of timm's, or of a plan's arm."""
    right = isinstance(value, str) and re.fullmatch(r"[\w.:@/-][\w.:@/ -]{0,99}", value)
    return None if right else "expected a name of letters, digits, spaces and ._:@/-"


def one_of(names: Iterable[str]) -> Callable[[Any], str | None]:
    """What is wrong with a value that should be one of some names."""
    known = tuple(names)

    def check(value: Any) -> str | None:
        right = isinstance(value, str) and value in known
        return None if right else f"expected one of {', '.join(known)}"

    return check


def size(value: Any) -> str | None:
    return "expected a whole number of at least 4" if count(value) or value < 4 else None


def model(value: Any) -> str | None:
    return _parsed(find, value)


def arm(value: Any) -> str | None:
    return _parsed(Arm.parse, value)


def _parsed(parse: Callable[[Any], object], value: Any) -> str | None:
    try:
        parse(value)
    except ValueError as error:
        return str(error)
    return None


_MAYBE = (number, null)
_RATES = {"printed": number, "released": number}
# Keys: "a?" may be missing, "*" is any number of entries, "+" one or more; others may be there.
# "=" names lists of one length.
_LAYER = {"+": {"D": number, **_RATES, "+": number}}
_WAYS = {"*": _MAYBE}
_EXPONENT = {"exponent": _MAYBE, "standard_error": _MAYBE, "n": number, "n_tail": number}
_DIMENSION = {"dimension": _MAYBE, "standard_error": _MAYBE, "n": number}
_INVARIANCES = {
    "sigma": _WAYS,
    "delta": _WAYS,
    "sigma_null": _WAYS,
    "layers": {
        "*": {
            "activations": number,
            "nonzero_share": number,
            "exponents": {"*": (_EXPONENT, null)},
            "null_exponents": _WAYS,
            "dimensions": {"*": (_DIMENSION, null)},
        }
    },
}
_LINES = ("theta", "lower", "upper", "printed", "released")
_CURVES = {
    "+": {
        "D": number,
        **{name: [number] for name in _LINES},
        "=": _LINES,
        "rates": {"lower": number, "upper": number, **_RATES},
    }
}
_COVER = {
    "boxes": several,
    "sizes": several,
    "=": ("boxes", "sizes"),
    "window": pair,
    "reason": text,
    **dict.fromkeys(("dimension", "error", "slope", "n"), number),
    **dict.fromkeys(("exponential_residual", "power_residual"), number),
}
_COMPONENT = dict.fromkeys(("density", "nodes", "diameter"), number)
_COVERS = {f"{way}?": _COVER for way in ("colouring", "greedy", "burning", "growing")}
_GRAPH = {
    "of": one_of(("features", "gaussian")),
    "asked": number,
    **dict.fromkeys(("degree_cv", "clustering", "largest", "path", "sigma"), _MAYBE),
    "+": (number, text),
}
_PROBE = {"512": {"+": number}}
#: What every record of training has; those of a plan are read for this alone.
_PAIRED = {
    "top1_last": number,
    "gamma": _MAYBE,
    "ss_rate_train": number,
    "ss_rate_train_modules": {"+": number},
}
_EPOCHS = ("test", "heldout", "train_loss", "ss_rate_train")
_TRAINING = {
    **_PAIRED,
    "top1_best": number,
    "top1_heldout": number,
    "ss_rate_probe": _PROBE,
    "ss_rate_probe_before": _PROBE,
    "images_per_second": number,
    "history": {**{name: [number] for name in _EPOCHS}, "=": _EPOCHS},
    "settings": {"epochs": number, "penalty": ({"alpha": number}, null)},
}
_ALIKE = {"+": {"unbiased": number, "biased": number}}
_COLUMNS = (
    *("D", "printed", "released", "scale_free_rate", "participation_ratio"),
    *("distance_mean", "distance_std", "distance_skewness"),
)
_ARCHITECTURE = (
    {"skipped": text},
    {
        "modules": [text],
        "parameters": number,
        "initialisation": text,
        **{name: [number] for name in _COLUMNS},
        "=": ("modules", *_COLUMNS),
    },
)
_TOP1 = {"top1": number, "top5": number}
_TRAINED = {"model": one_of(NAMES), "weights": text, "images": text, "draw": count}
_TABLE_2 = {"model": model, "images": text, "weights": text, "n_images": count, "draw": count}

#: Experiment -> the shapes of its configuration and of its metrics.
SHAPES: dict[str, tuple[Shape, Shape]] = {
    "architectures": ({"model": name, "images": text, "weights": text}, _ARCHITECTURE),
    "benchmark-constraint": (
        {"model": name, "batch": count, "device": text},
        {
            **dict.fromkeys(("step_ms", "step_with_ms", "added_share"), number),
            **{f"{way}_ms": number for way in ("ours", "pdist", "plain")},
            **{f"{way}_share": number for way in ("ours", "pdist", "plain")},
        },
    ),
    "benchmark-correlation-dimension": (
        {"N": count, "dimensions": count, "threads": count},
        {
            f"{way}_{unit}": number
            for way in ("ours", "matrix", "released")
            for unit in ("s", "MB", "dimension")
        },
    ),
    "benchmark-scaling": (
        {"D": count, "B": count, "device": text, "thresholds": count},
        dict.fromkeys(("ours_ms", "ours_MB", "floor_ms"), number)
        | dict.fromkeys(("product_ms?", "distances_ms?", "pdist_alone_ms?"), number)
        | {"pdist_ms?": number, "pdist_MB?": number, "plain_ms?": number, "plain_MB?": number},
    ),
    "benchmark-ss-rate": (
        {"D": count, "B": count, "device": text, "thresholds": count},
        dict.fromkeys(("ours_ms", "floor_ms", "ours_MB"), number)
        | dict.fromkeys(("product_ms?", "distances_ms?", "pdist_alone_ms?"), number)
        | {"pdist_ms?": number, "pdist_MB?": number, "plain_ms?": number, "plain_MB?": number},
    ),
    "box-covering": (
        ({"model": model, "images": text}, {"points": one_of(KNOWN_SETS), "n": count}),
        {"layers": _CURVES, "graph?": {"module": text, "covers": [_COVER | _COMPONENT]}},
    ),
    "box-covering-graphs": (
        {"graph": one_of(KNOWN_GRAPHS)},
        {"nodes": number, "diameter": number, "dimension": number, "covers": _COVERS},
    ),
    "cka-training": (
        {"model": model, "recipe": text, "dataset": text, "arm": arm},
        {"cka": {"+": number}},
    ),
    "cka-unrelated": (
        {"model": model, "recipe": text, "dataset": text},
        {"layers": {"+": {"unbiased": number, "biased": number, "features": size, "images": size}}},
    ),
    "constraint": ({"model": model, "recipe": text, "dataset": text, "arm": arm}, _TRAINING),
    "invariance": (
        {
            **{"model": model, "images": text, "n_images?": count, "weights?": text},
            "arm?": (one_of(["untrained"]), arm),
        },
        _INVARIANCES,
    ),
    "invariance-umap": (
        {"model": model, "images": text, "umap": {"+": number}, "weights": text},
        _INVARIANCES,
    ),
    "ss-rate": (
        _TABLE_2,
        {
            "mean_printed_modules": _RATES,
            "mean_released_modules": _RATES,
            "modules": {"printed": [text], "released": [text]},
            "layers": _LAYER,
        },
    ),
    "ss-rate-factors": (
        {"model": model, "factor": text, "value": text, "images": text},
        {"mean": _RATES, "layers": _LAYER},
    ),
    "ss-rate-measures": (
        _TABLE_2,
        {
            "layers": {
                "+": {
                    **dict.fromkeys(("D", "effective_rank", "two_nn"), number),
                    **_RATES,
                    "cka": _MAYBE,
                    "nulls": {"+": _RATES},
                    **{f"{form}, {axis}": number for form in _RATES for axis in ("linear", "log")},
                }
            },
            "graph": {"module": text, "statistics": [_GRAPH]},
        },
    ),
    "ss-rate-one-factor": (
        _TABLE_2,
        {
            "module": text,
            "D": number,
            "rows": [{"factor": text, "value": (number, text), "draw": count, **_RATES}],
        },
    ),
    "trained-batch-norm": (
        {**_TRAINED, "statistics": text},
        {"layers": {"+": {**_RATES, "*": _MAYBE}}, **_TOP1},
    ),
    "trained-channels": (
        _TRAINED,
        {
            "positions": {"trained": [[number]], "untrained": [[number]]},
            "participation": {"trained": number, "untrained": number},
            "channels": number,
            "stress": number,
        },
    ),
    "trained-covers": (_TRAINED, {"layers": _CURVES}),
    "trained-invariance": (_TRAINED, _INVARIANCES),
    "trained-layers": (
        _TRAINED,
        {"layers": {"+": {"D": number, **_RATES, "nulls": {"+": {"+": number}}}}, **_TOP1},
    ),
    "trained-path": (
        _TRAINED,
        {"points": [{"t": number, "layers": {"+": {**_RATES, "*": _MAYBE}}, **_TOP1}]},
    ),
    "trained-remote": (
        _TRAINED,
        {
            "layers": {
                "+": [
                    {
                        "share": number,
                        "which": text,
                        "released, mean": number,
                        "left_out": number,
                        **_RATES,
                        "*": (number, text),
                    }
                ]
            }
        },
    ),
    "trained-similarity": (_TRAINED, {"trained": _ALIKE, "another seed": _ALIKE}),
    "trained-twins": (
        _TRAINED,
        {"layers": {"+": {"ratio": number, "cka": number, **dict.fromkeys(_RATES, {"+": number})}}},
    ),
    "weights-check": (
        {"model": name, "weights": text},
        {**_TOP1, "sha256": {"file": (text, null), "state": text}},
    ),
}

#: The same for the runs of a plan, whose folder has the plan's name.
PLANNED: tuple[Shape, Shape] = (
    {"model": model, "dataset": text, "plan": text, "arm": name},
    _PAIRED,
)


def at_odds(record: Mapping[str, Any]) -> str | None:
    """What two parts of a record that has its shape do not agree on; None if all is well."""
    config, metrics = record["config"], record["metrics"]
    if record["experiment"] == "box-covering":
        graph = metrics.get("graph", {})
        if "points" not in config and not graph:
            return "metrics.graph is missing"
        module = config["points"] if "points" in config else graph["module"]
        return None if module in metrics["layers"] else f"metrics.layers.{module} is missing"
    if record["experiment"] == "ss-rate-one-factor":
        if metrics["module"] not in find(config["model"]).modules:
            return f"metrics.module is {short(metrics['module'])}, no module of {config['model']}"
        if not any(row["factor"] == "scale" and row["value"] == 1 for row in metrics["rows"]):
            return "metrics.rows: expected one of factor 'scale' and value 1"
    return None


def misfit(value: Any, shape: Shape, place: str) -> str | None:
    """The first thing about a value that is not of a shape; None if it fits.

    >>> misfit({"layers": {"a": "x"}}, {"layers": {"+": number}}, "metrics")
    "metrics.layers.a: expected a number, got 'x'"
    """
    if isinstance(shape, tuple):
        wrong = [misfit(value, one, place) for one in shape]
        if None in wrong:
            return None
        # of several shapes, say what the likeliest lacks: the one of the value's own kind
        alike = [why for why, one in zip(wrong, shape, strict=True) if isinstance(one, type(value))]
        return (alike or wrong)[-1 if alike else 0]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{place}: expected a list, got {short(value)}"
        entries = (misfit(entry, shape[0], f"{place}[{i}]") for i, entry in enumerate(value))
        return next((why for why in entries if why), None)
    if not isinstance(shape, dict):
        why = shape(value)
        return f"{place}: {why}, got {short(value)}" if why else None
    if not isinstance(value, Mapping):
        return f"{place}: expected a dict, got {short(value)}"
    named = {key.removesuffix("?") for key in shape} - {"*", "+", "="}
    lacking = [key for key in shape if key[-1:] not in ("?", "*", "+", "=") and key not in value]
    if lacking:
        return f"{place}.{lacking[0]} is missing"
    if "+" in shape and not set(value) - named:
        return f"{place}: expected at least one entry, got none"
    rest = shape.get("*") or shape.get("+")
    for key, entry in value.items():
        one = shape.get(key, shape.get(f"{key}?")) if key in named else rest
        if one is not None and (why := misfit(entry, one, f"{place}.{key}")):
            return why
    lengths = {key: len(value[key]) for key in shape.get("=", ())}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{key} has {n}" for key, n in lengths.items())
        return f"{place}: expected lists of one length: {said}"
    return None


def short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
