"""The lists that code writes when the book is built, as MyST text: what a build is made of, where
print and release differ, the paper's slips.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from provenance import Build
from record_pages import address

from reproduction import machine, plain, records
from reproduction.paper import errata as paper_errata
from reproduction.paths import PAPER, RESULTS
from reproduction.verdicts.differences import differences as point_by_point


@dataclass(frozen=True)
class NotebookRun:
    """One notebook of this build.

    Attributes:
        name: without its ending.
        seconds: None where an earlier build ran it.
        experiments: whose records it read.
    """

    name: str
    seconds: float | None
    experiments: tuple[str, ...]


def status(build: Build, runs: Collection[NotebookRun], scale: str, root: Path = RESULTS) -> str:
    """What this build was made of: commit, machine, versions, notebooks and their times, the
    records in a folder, printed tables.
    """
    lines = [
        f"Built on {build.date} from commit `{build.commit}` on {build.machine}, "
        f"notebooks at scale `{scale}`.",
        "",
    ]
    if build.commit.endswith("+"):
        lines += ["The plus sign says that files differed from that commit.", ""]
    versions = machine.provenance()["versions"]
    told = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    lines += [f"Versions: {told}.", "", "## Notebooks", ""]
    lines += ["| notebook | run time | records it read |", "|-|-|-|"]
    for run in sorted(runs, key=lambda run: run.name):
        time = "run in an earlier build" if run.seconds is None else f"{run.seconds:.0f} s"
        link = f"[{run.name}](../notebooks/{run.name}.ipynb)"
        lines.append(_row((link, time, ", ".join(run.experiments) or "–")))
    lines += ["", "## Records", "", ":::{div} wide", ""]
    heads = ("experiment", "records", "made", "commits", "machines", "image sets (fingerprint)")
    lines += [_row(heads), "|-|-|-|-|-|-|"]
    for experiment in experiments(root):
        number, made, commits, where, images = _origin(experiment, root)
        link = f'<a href="{address(experiment)}">{plain.text(experiment)}</a>'
        lines.append(_row((link, number, made, commits, plain.text(where), images)))
    lines += ["", ":::", "", *left_out(root), "## Printed tables and rules", ""]
    lines += ["| file | SHA-256, first 16 digits |", "|-|-|"]
    for path in sorted(PAPER.glob("*.*")):
        if path.suffix in (".csv", ".yml"):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            lines.append(_row((f"`data/paper/{path.name}`", f"`{digest}`")))
    return "\n".join([*lines, ""])


def experiments(root: Path = RESULTS) -> list[str]:
    """The experiments that have records."""
    return sorted({path.parent.name for path in root.glob("*/*.json")})


def left_out(root: Path = RESULTS) -> list[str]:
    """How many files among the records could not be read, and what is wrong with each."""
    found = [why for experiment in experiments(root) for why in records.left_out(experiment, root)]
    shown = (why.replace(f"{root}/", "") for why in found)
    lines = [f"- {plain.text(why[:300])}" for why in shown]
    return [f"Files left out of all tables: {len(found)}.", "", *lines, *[""][: len(lines)]]


def known_records(root: Path = RESULTS) -> dict[str, str]:
    """Experiment -> how many records, when and on what they were made, for the line under a
    figure.
    """
    return {e: "{0}, {1}, {3}".format(*_origin(e, root)) for e in experiments(root)}


def _origin(experiment: str, root: Path) -> tuple[str, str, str, str, str]:
    """How many records, dates, commits, machines and image sets; commits and sets as Markdown."""
    runs = records.read_all(experiment, root)
    if runs.empty:
        return "0", "–", "–", "–", "–"
    dates = sorted({date[:10] for date in runs["date"]})
    made = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    commits = ", ".join(plain.code(c[:7]) for c in dict.fromkeys(runs["commit"].dropna()))
    images = "–"
    if "data.name" in runs:
        sets = runs[["data.name", "data.fingerprint"]].dropna().drop_duplicates()
        images = "; ".join(
            f"{plain.text(name)} ({_first_three(list(prints))})"
            for name, prints in sets.groupby("data.name")["data.fingerprint"]
        )
    devices = runs[["device.type", "device.name"]].drop_duplicates()
    where = machine.names(devices.itertuples(index=False))
    return str(len(runs)), made, commits, where, images or "–"


def _first_three(prints: Sequence[str]) -> str:
    return ", ".join(map(plain.code, prints[:3])) + ", …" * (len(prints) > 3)


def differences(root: Path = RESULTS) -> str:
    """Print against release: a table per part, a row per difference."""
    lines = []
    for part, rows in point_by_point(root).groupby("part", sort=False):
        lines += [f"## {part}", "", ":::{div} wide stacked differences", ""]
        lines += ["| step | printed | released | effect | here |", "|-|-|-|-|-|"]
        columns = ["step", "printed", "released", "effect", "ours"]
        lines += [_row(map(_escaped, cells)) for cells in rows[columns].itertuples(index=False)]
        lines += ["", ":::", ""]
    return "\n".join(lines)


def errata() -> str:
    """The errata as a table, numbers filled in from the printed tables."""
    lines = [":::{div} wide stacked errata", ""]
    lines += ["| where | printed | should be | why | found |", "|-|-|-|-|-|"]
    rows = paper_errata.table().itertuples(index=False)
    lines += [_row(map(_escaped, cells)) for cells in rows]
    return "\n".join([*lines, "", ":::", ""])


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("_", "\\_")
