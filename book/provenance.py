"""Where a figure or table comes from: a small line under each, made when the book is built.

A cell that shows one says so itself, by its tags: "records:NAME" for each experiment whose records
it rests on, "paper" for the printed tables alone, "live" for what is computed in the build. The
build holds these tags against the log of what the notebook read. The notebooks in the repository
stay free of the lines.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import nbformat
from record_pages import address
from tables import CLASS

from reproduction import machine, plain

#: Tags of cells whose outputs no reader sees.
UNSEEN = {"remove-output", "remove-cell", "hide-output"}


@dataclass(frozen=True)
class Build:
    """What all lines of a build share.

    Attributes:
        commit: short, with "+" if files differ from it.
        date: year-month-day.
        machine: the CPU and its threads.
    """

    commit: str
    date: str
    machine: str

    @classmethod
    def now(cls) -> Build:
        """This checkout, today, here."""
        found, device = machine.provenance(), machine.describe_device("cpu")
        commit = "unknown"
        if found["commit"] is not None:
            commit = found["commit"][:7] + "+" * bool(found["dirty"])
        date = datetime.now().astimezone().date().isoformat()
        threads = f"{device['threads']} thread{'s' * (device['threads'] != 1)}"
        where = machine.names([(device["type"], device["name"])])
        return cls(commit, date, f"{where}, {threads}")


def experiments_read(path: Path) -> set[str]:
    """The experiments in the log of ``records.read_all`` of one notebook; none if there is none."""
    if not path.exists():
        return set()
    lines = path.read_text(encoding="utf-8").splitlines()
    return {json.loads(line)["experiment"] for line in lines}


def sources(cell: nbformat.NotebookNode) -> list[str]:
    """What the cell says it rests on: its tags "records:NAME", "paper" and "live"."""
    tags = cell.metadata.get("tags", [])
    return [tag for tag in tags if tag in ("paper", "live") or tag.startswith("records:")]


def shows(cell: nbformat.NotebookNode) -> bool:
    """Whether a reader sees a figure or a table of this cell."""
    if cell.cell_type != "code" or UNSEEN & set(cell.metadata.get("tags", [])):
        return False
    return any(_is_figure(output) or _is_table(output) for output in cell.outputs)


def complaints(notebook: nbformat.NotebookNode, read: Collection[str]) -> list[str]:
    """What is wrong with the tags of a notebook that was run; read: ``experiments_read``."""
    found, named = [], set()
    for cell in notebook.cells:
        own = sources(cell)
        named |= {tag.removeprefix("records:") for tag in own if tag.startswith("records:")}
        if shows(cell) and not own:
            found.append(f"no source is named for the output of: {cell.source[:60]!r}")
        caption = cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", "")
        if shows(cell) and "live" in re.findall(r"\w+", caption.lower()) and "live" not in own:
            found.append(f"the caption says live, the tags do not: {caption[:60]!r}")
    found += [f"records:{name} is named, but never read" for name in sorted(named - set(read))]
    found += [f"{name} is read, but no cell names it" for name in sorted(set(read) - named)]
    return found


def line(
    name: str, own: Collection[str], build: Build, known: Mapping[str, str], *, ran: bool = True
) -> str:
    """The text of one stamp, as HTML.

    Args:
        name: of the notebook.
        own: the cell's ``sources``.
        build: commit, date and machine.
        known: experiment -> what its records are, for the readers.
        ran: False where the outputs are older than the build.
    """
    parts = [html.escape(name), f"commit {plain.text(build.commit)}", build.date]
    if not ran:
        parts.append("run in an earlier build")
    for source in own:
        kind, _, experiment = source.partition(":")
        if kind == "records":
            origin = plain.text(known.get(experiment, "none"))
            link = f'<a href="{address(experiment)}">{html.escape(experiment)}</a>'
            parts.append(f"records {link}: {origin}")
        elif kind == "paper":
            parts.append("from the paper's printed tables (data/paper)")
        else:
            parts.append(f"computed in this build on {plain.text(build.machine)}")
    return " · ".join(parts)


def stamp(
    notebook: nbformat.NotebookNode,
    name: str,
    build: Build,
    known: Mapping[str, str],
    *,
    ran: bool = True,
) -> None:
    """Put the line under every figure and table of a notebook, in place: into its caption, or below
    the output where it has none.
    """
    for cell in filter(shows, notebook.cells):
        text = line(name, sources(cell), build, known, ran=ran)
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        if figure.get("caption"):
            figure["caption"] += f'\n\n<span class="provenance">{text}</span>'
            if not any(map(_is_figure, cell.outputs)):
                figure["classes"] = CLASS
        else:
            shown = {"text/html": f'<p class="provenance">{text}</p>', "text/plain": text}
            cell.outputs.append(nbformat.v4.new_output("display_data", data=shown))


def _is_figure(output: nbformat.NotebookNode) -> bool:
    return any(kind.startswith("image/") for kind in output.get("data", {}))


def _is_table(output: nbformat.NotebookNode) -> bool:
    shown = output.get("data", {}).get("text/html", "")
    printed = (
        output.get("text", "") if output.output_type == "stream" and output.name == "stdout" else ""
    )
    return "<table" in shown or printed.count("\n") > 3
