"""Whether the images that records were made from are those that are here now, told by content."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from reproduction import records
from reproduction.image_sources import Drawn, drawn, label
from reproduction.paths import RESULTS, ROOT
from reproduction.words import some

#: Pixels' fingerprint -> what was drawn, of the images behind the records that do not say it.
KNOWN = ROOT / "data" / "images.csv"

SAME, CHANGED, UNKNOWN = "as recorded", "changed", "not compared"


class State(NamedTuple):
    """How the images of a record compare with those here: `SAME`, `CHANGED`, `UNKNOWN`; and why."""

    state: str
    why: str = ""


def identity(name: str, *draws: Mapping[str, Any], key: str = "images") -> dict[str, str]:
    """What a configuration says of images: their name, and of a folder its content as well.

    A set that has a name is the same everywhere; that it is so here, `Here` checks.

    >>> identity("cifar10", {"n": 512})
    {'images': 'cifar10'}

    Args:
        name: as for ``images.load_images``.
        draws: arguments of ``image_sources.drawn``: all that are taken of it.
        key: of the name.

    Raises:
        ValueError, FileNotFoundError: as for ``images.load_images``.
    """
    if not name.startswith("imagefolder:"):
        return {key: name}
    return {key: label(name), "content": "-".join(drawn(name, **draw).content for draw in draws)}


@cache
def _known() -> Mapping[str, tuple[str, Drawn]]:
    with open(KNOWN, encoding="utf-8", newline="") as file:
        return {
            row["fingerprint"]: (
                row["name"],
                Drawn(
                    row["split"], int(row["seed"]), int(row["n"]), int(row["of"]), row["content"]
                ),
            )
            for row in csv.DictReader(file)
        }


def drawn_for(data: Mapping[str, Any]) -> Sequence[Drawn]:
    """What was drawn for a record with such "data"; nothing where that is not known.

    >>> [draw.split for draw in drawn_for({"name": "digits", "fingerprint": "unheard-of"})]
    []
    """
    if "drawn" in data:
        return [Drawn(*(draw[f.name] for f in fields(Drawn))) for draw in data["drawn"]]
    if not KNOWN.is_file():  # installed, without a checkout
        return []
    found = [_known().get(part) for part in data["fingerprint"].split("-")]
    return [one[1] for one in found if one and one[0] == data["name"]] if all(found) else []


class Here:
    """What is here now; each draw is looked at once."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, int, int], Drawn | str | None] = {}

    def compare(self, data: Mapping[str, Any] | None) -> State:
        """The images of a record with such "data" beside those here. Nothing is downloaded.

        >>> Here().compare(None).state
        'not compared'
        """
        if data is None:
            return State(UNKNOWN, "made from no images")
        name = data["name"]
        if name.startswith("imagefolder:"):
            return State(UNKNOWN, f"{name}: its record is named by the content of the folder")
        draws = drawn_for(data)
        if not draws:
            return State(UNKNOWN, f"{name}: the record does not say which images were drawn")
        for then in draws:
            now = self._look(name, then)
            if now is None:
                return State(UNKNOWN, f"{name} is not here")
            if now != then:
                asked = f"{name} ({then.n} of {then.split}, drawn with seed {then.seed})"
                was = f"the record's are of {then.of} images, content {then.content}"
                here = now if isinstance(now, str) else f"of {now.of} images, content {now.content}"
                return State(CHANGED, f"{asked}: {was}; here: {here}")
        return State(SAME)

    def _look(self, name: str, then: Drawn) -> Drawn | str | None:
        """What the same draw gives now, why it gives nothing, or None where the set is not here."""
        key = (name, then.split, then.seed, then.n)
        if key not in self._seen:
            try:
                self._seen[key] = drawn(
                    name, then.n, seed=then.seed, split=then.split, download=False
                )
            except FileNotFoundError:
                self._seen[key] = None
            except ValueError as error:
                self._seen[key] = str(error)
        return self._seen[key]


def check_finished(cells: Iterable[tuple[str, Mapping[str, Any], int]], root: Path) -> None:
    """Check, before anything is measured, that what is finished was made from the images here.

    Args:
        cells: experiment, configuration and seed of each.
        root: folder of the records.

    Raises:
        ValueError: naming the records that were made from others, and what has changed.
    """
    here, changed = Here(), {}
    for cell in cells:
        path = records.record_path(*cell, root)
        if path.exists():
            found = here.compare(records.read(path)["data"])
            if found.state == CHANGED:
                changed.setdefault(found.why, []).append(path.name)
    if changed:
        told = "; ".join(f"{why} ({some(names)})" for why, names in changed.items())
        raise ValueError(
            f"nothing was measured, as finished records ({sum(map(len, changed.values()))}) were "
            f"made from other images than those here: {told}. Put those images back, or keep new "
            "records apart with --results FOLDER"
        )


def states(experiments: Iterable[str], root: Path = RESULTS) -> Iterable[tuple[str, State]]:
    """Every record of some experiments with how its images compare with those here; and what is
    among the records and is none, as `CHANGED`.

    Args:
        experiments: names of folders.
        root: where they are.
    """
    here = Here()
    for experiment in experiments:
        for path, record in records.found(experiment, root).items():
            yield str(path), here.compare(record["data"])
        for why in records.left_out(experiment, root):
            yield why, State(CHANGED, "no record that can be read")
