"""README: its script runs and prints what it says; its tables are the notebooks'."""

from __future__ import annotations

import ast
import contextlib
import io
import re

import nbformat
import pytest
import yaml

from reproduction import records
from reproduction.covering.read import covers, networks
from reproduction.paths import ROOT
from reproduction.training import pairs, read
from reproduction.training.confirm import every_plan
from reproduction.verdicts import claims

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_first_script_prints_the_table_beside_it():
    script, table = re.search(
        r"```python\n(import torch.+?)```\n\n```text\n(.+?)```", TEXT, re.DOTALL
    ).groups()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(script, "README.md", "exec"), {})
    ours, theirs = (
        [line.split() for line in text.strip().splitlines()] for text in (printed.getvalue(), table)
    )
    assert [row[0] for row in ours] == [row[0] for row in theirs] and len(ours) == 6
    assert ours[:2] == theirs[:2]
    for own, shown in zip(ours[2:], theirs[2:], strict=True):
        assert own[1:3] == shown[1:3]
        ratios = [float(value) for value in own[3:5]]
        assert ratios == pytest.approx([float(value) for value in shown[3:5]], abs=0.02)
        assert float(own[5]) * float(shown[5]) > 0


def parameters(path) -> str:
    """A notebook's parameters as the README shows them."""
    cells = nbformat.read(path, as_version=4).cells
    cell = next(cell for cell in cells if "parameters" in cell.metadata.get("tags", []))
    scales = yaml.safe_load((ROOT / "notebooks/scales.yml").read_text(encoding="utf-8"))
    quick, shown = scales[path.stem]["scales"]["quick"], []
    for node in ast.parse(cell.source).body:
        name, value = node.targets[0].id, ast.literal_eval(node.value)
        if name != "scale":
            shown.append(f"`{name}` {quick[name] if value is None else value}")
    return ", ".join(shown) or "–"


def test_the_table_of_parameters_is_the_notebooks():
    expected = {
        path.stem: parameters(path) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    }
    table = TEXT.partition("| notebook | its parameters")[2].partition("\n\n")[0]
    assert dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", table, re.MULTILINE)) == expected


def test_nbval_is_named_as_it_is_run():
    (command,) = re.findall(r"pytest (notebooks/\S+\.ipynb .+)", TEXT)
    make = (ROOT / "Makefile").read_text(encoding="utf-8")
    name, *options = command.split()
    assert (ROOT / name).is_file() and all(option in make for option in options)
    assert "nbval-check-output" in TEXT


def test_what_make_does_is_named():
    make = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("book", "test", "pdf", "article"):
        assert f"make {target}" in TEXT and re.search(rf"^{target}:.*##", make, re.MULTILINE)


def test_the_answer_is_what_the_verdicts_say():
    rows = claims.by_key(claims.scorecard())
    answer = TEXT.partition("## The answer")[2].partition("##")[0]
    answer = " ".join(answer.split())
    assert "not distinguish fractals from noise" in answer
    assert rows["range"]["verdict"] == "not reproduced"
    layers = networks(covers(records.read_all("box-covering")))
    found = layers.groupby("model")["released: worst"].median()
    assert "misses the number of boxes by a factor of three" in answer
    assert round(found.median()) == 3
    runs = read.read_runs().query("recipe == 'cpu' and dataset == 'cifar10'")
    pulls = pairs.dose_response(runs)["gradient"].xs(("constrained", 1e-4), level=(1, 2))
    assert "a few ten-thousandths of the task's" in answer
    assert pulls.between(1e-4, 9e-4).all()
    assert "undecided whether it moves SS_rate" in answer
    assert rows["toward-target"]["in small"] == "undecided"
    gains = every_plan()["small-confirm"].paper
    assert "a small ViT gains one point of accuracy, twice the printed gain" in answer
    own = gains.loc["ViT (small)"]
    assert own["mean"] == pytest.approx(1, abs=0.1) == own["mean"] / own["gain"] - 1
    assert rows["helps"]["released"] == "agrees in part"
    assert "MLP-Mixer loses half a point with the α and γ of most of their commands" in answer
    assert gains["mean"]["MLP-Mixer"] == pytest.approx(-0.5, abs=0.1)
    assert "with those of its own command, its accuracy does not change at all" in answer
    assert (every_plan()["small-mixer"].differences["difference"] == 0).all()
    assert "invariance does not single out the networks that gain" in answer
    assert rows["invariance"]["in print"] == "does not hold"
    assert "**Not run:**" in answer and {rows[key]["verdict"] for key in ("helps", "rises")} == {
        "not run"
    }
