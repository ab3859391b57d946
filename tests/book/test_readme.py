"""README: its script runs and prints what it says; its tables are the notebooks'."""

from __future__ import annotations

import ast
import contextlib
import io
import re

import nbformat
import pytest
import yaml

from reproduction.paths import ROOT
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
    assert "does not count boxes" in answer and rows["boxes"]["verdict"] == "not reproduced"
    assert "As printed it is too weak" in answer and rows["toward-target"]["in small"] in (
        "undecided",
        "disagrees",
    )
    assert "gain in one case and lose" in answer and rows["helps"]["released"] == "signs differ"
    assert "does not say who gains" in answer and rows["invariance"]["in print"] == "does not hold"
    assert "**Not run:**" in answer and {rows[key]["verdict"] for key in ("helps", "rises")} == {
        "not run"
    }
