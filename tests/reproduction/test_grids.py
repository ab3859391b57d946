"""The grids of the workflow: their cells, and that each one's command makes its record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from filled import filled

from reproduction import __main__ as command_line
from reproduction import grid, grids, records
from reproduction.grid import Elsewhere
from reproduction.paths import RESULTS, ROOT
from reproduction.training import plans
from reproduction.training import run as training_run
from reproduction.training.recipes import RECIPES

FOLDER = ROOT / "workflow" / "grids"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "grid.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_papers_grid():
    """Table 3: nine networks, three data sets, two arms, ten times; 90 cells of other tables."""
    cells = grids.load(FOLDER / "paper.yaml")
    tables = [cell.table for cell in cells]
    assert tables.count("table_3") == 9 * 3 * 2 * 10 == 540
    assert len(tables) - 540 == 90 and len({cell.record for cell in cells}) == 630
    constrained = [cell for cell in cells if cell.needs]
    assert len(constrained) == 270 and all(cell.gpus == 1 for cell in constrained)
    done: set[str] = set()
    for cell in cells:
        assert done.issuperset(cell.needs)
        done.add(cell.record)


def test_a_recipe_of_several_processes_takes_as_many_gpus(tmp_path):
    entry = "{recipe: paper-4, dataset: imagenette, models: [vit_base_patch16_224], gamma: own}"
    cells = grids.load(written(tmp_path, f"table_3: [{entry}]"))
    assert [(cell.gpus, cell.processes) for cell in cells] == [(4, 4), (4, 4)]


def test_every_plan_has_a_grid():
    for name in plans.names():
        cells = grids.load(FOLDER / f"{name}.yaml")
        assert cells and {cell.table for cell in cells} == {"table_3"}
        assert {cell.record.partition("/")[0] for cell in cells} == {name}


def test_a_list_needs_no_torch():
    line = (
        "import sys; from pathlib import Path; from reproduction import grids;"
        "grids.load(Path(sys.argv[1])); print([m for m in ('torch', 'timm') if m in sys.modules])"
    )
    command = [sys.executable, "-c", line, str(FOLDER / "paper.yaml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["quick", "paper", "imagenette-vit"])
def test_each_command_makes_its_record_and_no_other(name, tmp_path, monkeypatch):
    """By the jobs that the command line comes to; nothing is measured."""
    asked: list[str] = []

    def note(jobs, root, **_):
        for job in jobs:
            for config, seed in job.cells:
                path = records.record_path(job.experiment, config, seed, root)
                asked.append(path.relative_to(root).as_posix())
        raise Elsewhere("measured by nobody")

    monkeypatch.setattr(grid, "run", note)
    monkeypatch.setattr(training_run, "run_jobs", note)
    monkeypatch.setattr(training_run.Cell, "check", lambda *_: None)
    cells = grids.load(FOLDER / f"{name}.yaml", tmp_path)
    for cell in cells[:: max(1, len(cells) // 30)]:
        options = [*cell.command, "--results", str(tmp_path), "--device", "cpu"]
        monkeypatch.setattr("sys.argv", ["reproduction", *options])
        asked.clear()
        with pytest.raises(SystemExit):
            command_line.main()
        assert asked == [cell.record]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("table_9: [{}]", "expected a list under one or more of table_2, table_3"),
        ("[1]", "expected a list under"),
        ("{", "expected a grid in YAML"),
        ("table_2: [{model: [vgg11]}]", "table_2, .*unexpected keyword argument 'model'"),
        ("table_2: [{models: [vgg12]}]", "'vgg12' is no model of Table 1"),
        ("table_3: [{recipe: long, dataset: digits}]", "recipe: expected one of"),
        ("table_3: [{plan: small-confirm, seeds: [1]}]", "seeds: a plan says it"),
        ("table_3: [{plan: none}]", "plan: expected one of small-confirm"),
    ],
)
def test_a_bad_grid(tmp_path, text, message):
    with pytest.raises(ValueError, match=f"grid.yaml.*{message}"):
        grids.load(written(tmp_path, text))


def test_what_a_cell_needs_is_in_the_grid(tmp_path):
    text = "table_3: [{recipe: quick, dataset: digits, models: [vgg11], arms: [constrained]}]"
    *levels, cell = grids.load(written(tmp_path, text))
    assert len(levels) == 5 and cell.needs == tuple(level.record for level in levels)


def test_what_has_changed_is_told_cell_by_cell(tmp_path):
    """Images and recipe; nothing that is as it was."""
    cells = [cell for cell in grids.load(FOLDER / "quick.yaml") if cell.table == "table_3"][:3]
    for k, cell in enumerate(cells):
        config = {"dataset": "digits", "recipe": "quick", "model": "vgg11", "arm": "baseline"}
        settings = asdict(RECIPES["quick"]) | {"penalty": None, "epochs": 5 if k == 0 else 6}
        record = records.new_record(
            "constraint", config, k, filled("constraint", {"settings": settings}), seconds=1.0
        ) | {
            "data": {"name": "digits", "n": 1294, "fingerprint": "ab" if k == 1 else "cd"},
            "date": f"2026-11-2{k}T00:00:00+00:00",
        }
        path = records.write(record, tmp_path)
        path.rename(tmp_path / cell.record)
    assert grids.changes(cells, tmp_path) == [
        f"{cells[0].record}: epochs was 5, it is 6 by now",
        f"{cells[1].record}: its images (digits) have the fingerprint ab, the latest's cd",
    ]
    file = tmp_path / "vgg11.safetensors"
    last = replace(cells[2], recipe=None, weights=file)
    file.touch()
    assert grids.changes([last], tmp_path) == [f"{last.record}: {file} is newer"]
    os.utime(file, (0, 0))
    assert grids.changes([last], tmp_path) == []


def test_the_command_prints_json(tmp_path):
    command = [sys.executable, "-m", "reproduction.grids", str(FOLDER / "quick.yaml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert {cell["table"] for cell in json.loads(done.stdout)} == set(grids.TABLES)
    command[-1] = str(written(tmp_path, "table_9: []"))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "expected a list under" in done.stderr
    committed = grids.load(FOLDER / "small-confirm.yaml")
    assert grids.changes(committed, RESULTS) == []
