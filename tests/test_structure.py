"""The two packages keep to their plan: imports, lengths of files, what is documented."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from reproduction.paths import ROOT

#: sslib from the ground up: a file imports only from those before it.
METHOD = [
    "checks",
    "distances",
    "inputs",
    "taps",
    "layouts",
    "boxes",
    "features",
    "graph",
    "covering",
    "dimension",
    "rate",
    "grams",
    "noise",
    "powerlaw",
    "constraint",
    "report",
]
#: What every room of reproduction may use.
BASE = [
    "paths",
    "words",
    "table_1",
    "machine",
    "plain",
    "files",
    "stop",
    "records",
    "inputs",
    "grid",
    "stats",
    "stats_groups",
    "stats_means",
    "style",
    "settings",
    "image_files",
    "image_folders",
    "image_sources",
    "images",
    "models",
]
MODULES = [
    path
    for package in ("sslib", "reproduction")
    for path in sorted((ROOT / package).rglob("*.py"))
    if path.name != "__init__.py"
]
every_module = pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: str(path.relative_to(ROOT))
)


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imported(path: Path) -> set[str]:
    """The project's own modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                is_module = (ROOT / (whole.replace(".", "/") + ".py")).exists()
                found.add(whole if is_module else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] in ("sslib", "reproduction", "book")}


def test_the_method_is_small():
    lines = {p.name: len(p.read_text().splitlines()) for p in (ROOT / "sslib").glob("*.py")}
    assert sum(lines.values()) <= 2950 and max(lines.values()) <= 300, lines
    assert set(METHOD) == {path.stem for path in (ROOT / "sslib").glob("[a-z]*.py")}


def test_no_file_of_the_reproduction_is_long():
    lines = {name_of(p): len(p.read_text().splitlines()) for p in MODULES}
    assert not {name: n for name, n in lines.items() if n > 400}


@every_module
def test_imports_go_down(path):
    own, used = name_of(path), imported(path)
    assert not [name for name in used if name.startswith("book")]
    if own.startswith("sslib."):
        below = {f"sslib.{name}" for name in METHOD[: METHOD.index(own.split(".")[1])]}
        assert used <= below, used - below
    parts = own.split(".")
    if len(parts) == 2 and parts[1] in BASE:
        rooms = [name for name in used if name.count(".") == 2 and "paper.tables" not in name]
        assert not rooms, rooms
    if parts[-1].startswith("read"):
        assert not [name for name in used if name.startswith("sslib") or name.endswith(".run")]


@pytest.mark.parametrize("kind", ["read", "draw", "say"])
def test_tables_figures_and_sentences_need_no_torch(kind):
    names = [name_of(path) for path in MODULES if path.stem.split("_")[0] == kind]
    assert names
    line = (
        f"import sys, importlib; [importlib.import_module(name) for name in {names}]; "
        "print([name for name in ('torch', 'timm', 'torchvision') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", line], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_no_circles():
    graph = {name_of(path): imported(path) for path in MODULES}
    done: set[str] = set()
    while ready := {name for name, used in graph.items() if name not in done and not used - done}:
        done |= ready
        known = set(graph)
        graph = {name: {u for u in used if u in known} for name, used in graph.items()}
    assert done == set(graph), set(graph) - done


def test_every_equation_of_the_paper_is_named_in_the_method():
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "sslib").glob("*.py"))
    named: set[int] = set()
    for first, last in re.findall(r"Eq\. (\d+)(?:[-–](\d+))?", text):
        named |= set(range(int(first), int(last or first) + 1))
    for several in re.findall(r"Eq\. ([\d, and]+)", text):
        named |= {int(number) for number in re.findall(r"\d+", several)}
    assert not set(range(1, 20)) - named


def test_the_reference_has_every_module():
    pages = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "book").glob("api_*.md"))
    documented = re.findall(r"automodule:: ([\w.]+)", pages)
    expected = {name_of(path) for path in MODULES if path.stem != "__main__"}
    assert sorted(documented) == sorted(expected)
