"""The designs that are measured: a line each in data/architectures.csv."""

from __future__ import annotations

import csv
from pathlib import Path

from reproduction.paths import ROOT

#: A line per design: timm's name, family, lineage and so on. Add a line to add a design.
DESIGNS = ROOT / "data" / "architectures.csv"

#: What a family is to the questions: mixing over the whole image at once, over a neighbourhood, or
#: both by turns.
REACH = {
    "global attention": "global",
    "global MLP": "global",
    "windowed attention": "local",
    "pooling": "local",
    "convolution": "local",
    "hybrid": "hybrid",
}


def designs(path: Path = DESIGNS) -> list[dict[str, str]]:
    """The designs in the order of the file, a dict of its columns each.

    Raises:
        ValueError: a name is there twice, or a family is not one of ``REACH``.
    """
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [row["name"] for row in rows]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{path} names {', '.join(sorted(twice))} more than once")
    if unknown := {row["family"] for row in rows} - set(REACH):
        raise ValueError(
            f"{path} has the family {unknown.pop()!r}; expected one of {', '.join(REACH)}"
        )
    return rows
