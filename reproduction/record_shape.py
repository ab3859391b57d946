"""What a record is made of: its fields, the values that JSON can hold, the sizes that are read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from reproduction.record_metrics import (
    PLANNED,
    SHAPES,
    at_odds,
    count,
    misfit,
    null,
    number,
    short,
    text,
)

#: Version of the layout below; a record of another version is not read.
SCHEMA = 1

FIELDS = {
    "schema": int,
    "experiment": str,
    "config": dict,
    "seed": int,
    "metrics": dict,
    "data": dict | None,
    "seconds": int | float,
    "device": dict,
    "date": str,
    "commit": str | None,
    "dirty": bool | None,
    "versions": dict,
}

# JSON has no such numbers. As strings they survive; nothing else in the metrics is spelt so.
_NONFINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def check(record: Any) -> None:
    """Whether the fields are those of a record; raises ValueError that says what is not."""
    if not isinstance(record, Mapping):
        raise ValueError(f"record must be a dict, got {type(record).__name__}")
    if record.get("schema") != SCHEMA:
        raise ValueError(f"schema is {record.get('schema')!r}, expected {SCHEMA}")
    if set(record) != set(FIELDS):
        raise ValueError(
            f"fields missing or unknown: {', '.join(sorted(set(record) ^ set(FIELDS)))}"
        )
    for field, kind in FIELDS.items():
        if not isinstance(record[field], kind):
            raise ValueError(f"{field} has the wrong type: {record[field]!r}")


def check_contents(record: Mapping[str, Any]) -> None:
    """Whether a record that `check` has passed holds what tables take from one of its experiment.

    Raises:
        ValueError: naming the first place that is missing or of another kind.
    """
    config, metrics = SHAPES.get(record["experiment"], ({}, {}))
    if _is_of_a_plan(record):
        config, metrics = PLANNED
    parts = {"seed": count, "seconds": number, "device": _DEVICE, "data": (_DATA, null)}
    parts |= {"config": config, "metrics": metrics, "date": _date}
    for field, shape in parts.items():
        if why := misfit(record[field], shape, field) or odd_key(record[field], field):
            raise ValueError(why)
    if why := at_odds(record):
        raise ValueError(why)


def _is_of_a_plan(record: Mapping[str, Any]) -> bool:
    return record["experiment"] not in SHAPES and isinstance(record["config"].get("plan"), str)


_DEVICE = {"type": text, "name": text, "threads": count}
_DRAWN = {"split": text, "seed": count, "n": count, "of": count, "content": text}
_DATA = {"name": text, "n": count, "fingerprint": text, "drawn?": [_DRAWN]}


def _date(value: str) -> str | None:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return "expected a date"
    return None


#: Signs that HTML or Markdown read as their own: no key of a record has them.
_MARKUP = re.compile(r"[<>&\"'`|\[\]{}$\\\n]")


def odd_key(value: Any, place: str) -> str | None:
    """The first key in a value that could be markup; None if there is none.

    >>> odd_key({"layers": {"a<b>": 1}}, "metrics")
    "metrics.layers has the key 'a<b>'"
    """
    if isinstance(value, list):
        entries = (odd_key(entry, f"{place}[{i}]") for i, entry in enumerate(value))
        return next((why for why in entries if why), None)
    if not isinstance(value, Mapping):
        return None
    for key, entry in value.items():
        if _MARKUP.search(key):
            return f"{place} has the key {short(key)}"
        if why := odd_key(entry, f"{place}.{key}"):
            return why
    return None


def parsed(content: str) -> Any:
    """JSON as Python has it; ValueError for anything that is not strict JSON or too deep."""
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def experiment_name(experiment: str) -> str:
    if not isinstance(experiment, str) or not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", experiment):
        raise ValueError(f'experiment must consist of a-z, 0-9, "_" and "-", got {experiment!r}')
    return experiment


def mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be a dict, got {value!r}")
    return value


def seed_number(seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed must be a whole number of at least 0, got {seed!r}")
    return int(seed)


def plain(value: Any, key: str, *, measured: bool = False) -> Any:
    """`value` as JSON can hold it; `key` is its place, for errors; `measured` admits NaN and keeps
    order.
    """
    if hasattr(value, "detach"):  # a torch tensor, told without importing torch
        value = value.detach().tolist()
    elif isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise ValueError(f"{key} has the key {name!r}; keys must be strings")
        names = value if measured else sorted(value)
        return {name: plain(value[name], f"{key}.{name}", measured=measured) for name in names}
    if isinstance(value, list | tuple):
        return [plain(entry, f"{key}[{i}]", measured=measured) for i, entry in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value) and not measured:
        raise ValueError(f"{key} is {value}; only metrics may be NaN or infinite")
    if isinstance(value, str) and value in _NONFINITE and measured:
        raise ValueError(f"{key} is the string {value!r}, which stands for the number in a record")
    if value is not None and not isinstance(value, bool | int | float | str):
        raise ValueError(
            f"{key} is of type {type(value).__name__}, not a number, string, list or dict"
        )
    return value


def map_floats(value: Any, *, back: bool = False) -> Any:
    """Non-finite floats to strings, or back."""
    if isinstance(value, dict):
        return {key: map_floats(entry, back=back) for key, entry in value.items()}
    if isinstance(value, list):
        return [map_floats(entry, back=back) for entry in value]
    if back:
        return _NONFINITE.get(value, value) if isinstance(value, str) else value
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
