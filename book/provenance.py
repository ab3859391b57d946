"""Where a figure or table comes from: a small line under each, made when the book is built.

The notebooks in the repository stay free of it. What a cell rests on is found in two steps: the log
of `records.read_all` says which cell read which experiment, and the names that the cell assigns
carry it to later cells.
"""

from __future__ import annotations

import ast
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import nbformat
from tables import CLASS

from reproduction import machine

#: Calls that read nothing, though they stand in the cell that does.
SETUP = {"check_parameters", "use_style", "globals"}


@dataclass(frozen=True)
class Read:
    """One call of ``records.read_all`` in a notebook."""

    time: datetime
    experiment: str


@dataclass(frozen=True)
class Build:
    """What all lines of a build share: commit (short, "+" if files differ from it), date, machine."""

    commit: str
    date: str
    machine: str

    @classmethod
    def now(cls) -> Build:
        found, device = machine.provenance(), machine.describe_device("cpu")
        commit = (
            "unknown"
            if found["commit"] is None
            else found["commit"][:7] + "+" * bool(found["dirty"])
        )
        date = datetime.now().astimezone().date().isoformat()
        return cls(
            commit,
            date,
            f"{machine.names([(device['type'], device['name'])])}, {device['threads']} thread{'s' * (device['threads'] != 1)}",
        )


def load_reads(path: Path) -> list[Read]:
    """The log of one notebook; none if it read nothing."""
    if not path.exists():
        return []
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Read(datetime.fromisoformat(entry["time"]), entry["experiment"]) for entry in entries]


def experiments_of_cells(cells: list[nbformat.NotebookNode], reads: list[Read]) -> list[set[str]]:
    """Per cell, the experiments whose records stand behind it; empty for cells of text and for what
    is computed live.

    cells: of a notebook that papermill ran, with its times in the metadata.
    """
    names: dict[str, set[str]] = {}
    modules: set[str] = set()
    found = []
    for cell in cells:
        own: set[str] = set()
        if cell.cell_type == "code":
            direct = _read_in(cell, reads)
            for statement in _statements(cell.source):
                own |= _follow(statement, direct, names, modules)
        found.append(own)
    return found


def _read_in(cell: nbformat.NotebookNode, reads: list[Read]) -> set[str]:
    times = cell.metadata.get("papermill", {})
    if not times.get("start_time") or not times.get("end_time"):
        return set()
    start, end = (datetime.fromisoformat(times[key]) for key in ("start_time", "end_time"))
    # papermill writes UTC, with or without saying so
    start, end = (time if time.tzinfo else time.replace(tzinfo=UTC) for time in (start, end))
    return {read.experiment for read in reads if start <= read.time <= end}


def _statements(source: str) -> list[ast.stmt]:
    lines = ["pass" if line.startswith(("%", "!")) else line for line in source.splitlines()]
    try:
        return ast.parse("\n".join(lines)).body
    except SyntaxError:
        return []


def _follow(
    statement: ast.stmt, direct: set[str], names: dict[str, set[str]], modules: set[str]
) -> set[str]:
    """Carry experiments through one statement; return what it rests on."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        modules.update((alias.asname or alias.name).split(".")[0] for alias in statement.names)
        return set()
    nodes = list(ast.walk(statement))
    loaded = {
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    carried = set().union(*(names.get(name, set()) for name in loaded))
    called = {
        getattr(node.func, "attr", getattr(node.func, "id", ""))
        for node in nodes
        if isinstance(node, ast.Call)
    }
    if called - SETUP:
        carried |= direct
    stored = {
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    if isinstance(statement, ast.FunctionDef):
        stored.add(statement.name)
    # parts that are assigned (a[b] = c, a.b = c) and objects whose methods are called (a.append(b))
    # change too
    for node in nodes:
        part = isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store)
        method = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if part or method:
            stored.add(_root(node.func if method else node))
    for name in stored - modules - {""}:
        names[name] = names.get(name, set()) | carried
    return carried


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def line(
    name: str, experiments: set[str], build: Build, known: Mapping[str, str], *, ran: bool
) -> str:
    """The text of one stamp, as HTML. known: experiment -> what its records are, for the readers."""
    parts = [name, f"commit {build.commit}", build.date]
    if not ran:
        parts.append("outputs as committed, not run in this build")
    elif experiments:
        parts += [
            f"records {experiment}: {known.get(experiment, 'none')}"
            for experiment in sorted(experiments)
        ]
    else:
        parts.append(f"computed in this build on {build.machine}")
    return " · ".join(html.escape(part) for part in parts)


def stamp(
    notebook: nbformat.NotebookNode,
    name: str,
    reads: list[Read],
    build: Build,
    known: Mapping[str, str],
    *,
    ran: bool,
) -> None:
    """Put the line under every figure (into its caption) and under every table of a notebook, in
    place.
    """
    for cell, experiments in zip(notebook.cells, experiments_of_cells(notebook.cells, reads)):
        if cell.cell_type != "code" or set(cell.metadata.get("tags", [])) & {
            "remove-output",
            "remove-cell",
            "hide-output",
        }:
            continue
        text = line(name, experiments, build, known, ran=ran)
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        drawn, printed = (
            any(kind(output) for output in cell.outputs) for kind in (_is_figure, _is_table)
        )
        if figure.get("caption") and (drawn or printed):
            figure["caption"] += f'\n\n<span class="provenance">{text}</span>'
            if not drawn:
                figure["classes"] = CLASS
        elif drawn or printed:
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
