"""JSON that a person can read: what fits on a line stands on one, long lists are wrapped.

>>> print(text({"seed": 0, "curve": [0.5, 0.25, 0.125], "none": {}}, width=20))
{
 "seed": 0,
 "curve": [
  0.5, 0.25, 0.125
 ],
 "none": {}
}

``python -m reproduction.json_text FOLDER`` writes the JSON files below a folder again in this
layout, each replaced only if every value is read back as it was.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def text(value: Any, *, width: int = 100) -> str:
    """`value` as JSON; every number is the one that ``json.dumps`` writes.

    Args:
        value: of dicts with string keys, lists, strings, finite numbers, True, False and None.
        width: columns that a line does not exceed, unless one string or number does.

    Returns:
        The outermost dict, and whatever is too long for a line, are opened; entries of an opened
        list share lines where they fit.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    return _lines(value, width, 0, width if isinstance(value, dict) else 0)


def _lines(value: Any, width: int, depth: int, lead: int) -> str:
    """`lead`: columns that are taken before the value on its line; one is left for a comma."""
    flat = json.dumps(value, allow_nan=False, ensure_ascii=False)
    if not value or not isinstance(value, dict | list) or lead + len(flat) < width:
        return flat
    inner, edge = "\n" + " " * (depth + 1), "\n" + " " * depth
    opened, closed, keys = "[", "]", [""] * len(value)
    if isinstance(value, dict):
        opened, closed = "{", "}"
        keys = [json.dumps(key, ensure_ascii=False) + ": " for key in value]
        value = value.values()
    lines: list[str] = []
    for key, entry in zip(keys, value, strict=True):
        own = key + _lines(entry, width, depth + 1, depth + 1 + len(key))
        fits = lines and depth + 4 + len(lines[-1] + own) <= width and "\n" not in lines[-1] + own
        if fits and (depth or not key):
            lines[-1] += f", {own}"
        else:
            lines.append(own)
    return opened + inner + ("," + inner).join(lines) + edge + closed


def rewrite(path: Path) -> bool:
    """Give one JSON file this layout; whether it had another.

    Raises:
        ValueError: naming the file if it is not JSON, or would not be read back as it was.
    """
    before = path.read_text(encoding="utf-8")
    try:
        value = json.loads(before)
        after = text(value) + "\n"
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if json.dumps(json.loads(after)) != json.dumps(value):
        raise ValueError(f"{path} would not be read back as it was")
    if after == before:
        return False
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(after, encoding="utf-8")
    os.replace(temporary, path)
    return True


if __name__ == "__main__":
    _changed = [rewrite(path) for path in sorted(Path(sys.argv[1]).rglob("*.json"))]
    print(f"{sum(_changed)} of {len(_changed)} files rewritten")
