"""The committed notebooks: in step with their text, run, compared (by nbval, see the Makefile),
strict.
"""

from __future__ import annotations

import re

import jupytext
import nbformat
import papermill
import pytest
from jupytext.compare import compare_notebooks

from reproduction.paths import ROOT

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def shown_text(cell) -> str:
    """What the cell shows as text; of a figure, nothing."""
    shown = []
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stdout":
            shown.append(output.text)
        elif output.output_type != "stream" and not is_figure(output):
            shown.append(output.get("data", {}).get("text/plain", ""))
    return "".join(shown)


def prints(cell) -> bool:
    return bool(re.search(r"^\s*(print|display)\(", cell.source, flags=re.MULTILINE))


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def test_there_are_notebooks():
    assert NOTEBOOKS, "no notebook found, so the tests below would check nothing"
    assert {path.stem for path in NOTEBOOKS} == {path.stem for path in FOLDER.glob("*.py")}


def is_figure_or_table(output) -> bool:
    data = output.get("data", {})
    return "<table" in data.get("text/html", "") or is_figure(output)


def is_figure(output) -> bool:
    """Committed without its picture, a figure is known by its line of text."""
    return "<Figure" in output.get("data", {}).get("text/plain", "")


def captions(notebook) -> list[dict]:
    """The caption of every cell that shows a figure or a table; {} where there is none."""
    found = []
    for cell in code_cells(notebook):
        if any(map(is_figure_or_table, cell.outputs)):
            assert sum(output.output_type != "stream" for output in cell.outputs) == 1, (
                f"one number for two: {cell.source[:60]}"
            )
            found.append(cell.metadata.get("mystnb", {}).get("figure", {}))
    return found


def test_every_figure_and_table_has_a_caption(notebook):
    assert all(caption.get("caption") for caption in captions(notebook))


def test_no_two_figures_or_tables_share_a_name():
    names = [
        caption.get("name")
        for path in NOTEBOOKS
        for caption in captions(nbformat.read(path, as_version=4))
    ]
    assert (
        len(names) > 80
        and len(set(names)) == len(names)
        and all(name.startswith(("fig-", "tab-")) for name in names)
    )


@every_notebook
def test_text_and_notebook_hold_the_same_cells(path):
    """Mend with `.venv/bin/jupytext --sync notebooks/*.py`, then run the notebook again."""
    compare_notebooks(jupytext.read(path.with_suffix(".py")), jupytext.read(path), fmt="py:percent")


def test_the_notebook_was_run_from_top_to_bottom(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    assert not [
        output
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.output_type == "error"
    ]


@every_notebook
def test_the_first_cells_are_the_parameters_and_their_check(path):
    notebook = nbformat.read(path, as_version=4)
    first, *others = code_cells(notebook)
    assert "parameters" in tags(first)
    check = next(cell for cell in others if "start(" in cell.source)
    before = others[: others.index(check)]
    assert f'settings = start("{path.stem}", globals())' in check.source
    assert all(re.match(r"(from|import) ", cell.source) for cell in before), "imports alone"


def test_compared_cells_have_something_to_compare(notebook):
    """nbval passes a cell that has no stored output."""
    compared = [cell for cell in code_cells(notebook) if "nbval-check-output" in tags(cell)]
    assert not [cell.source for cell in compared if not shown_text(cell).strip()]
    assert any(character.isdigit() for cell in compared for character in shown_text(cell)), (
        "no number is compared"
    )


def test_no_notebook_shows_a_warning(notebook):
    streams = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert not [output.text for output in streams if output.get("name") == "stderr"]


def test_what_prints_has_printed(notebook):
    assert not [cell.source for cell in code_cells(notebook) if prints(cell) and not cell.outputs]


def test_figures_have_a_caption_and_a_text_in_their_place(notebook):
    for cell in code_cells(notebook):
        if any(map(is_figure, cell.outputs)):
            options = cell.metadata.get("mystnb", {})
            assert options.get("figure", {}).get("caption"), cell.source
            assert options.get("image", {}).get("alt"), cell.source


@every_notebook
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"scal": "quick"}, "unknown parameter 'scal', did you mean 'scale'"),
        ({"scale": "quik"}, "parameter scale='quik' is not allowed: expected 'quick'"),
    ],
)
def test_a_wrong_parameter_stops_the_notebook_at_once(path, parameters, message, tmp_path):
    target = tmp_path / path.name
    with pytest.raises(papermill.PapermillExecutionError, match="ValueError") as caught:
        papermill.execute_notebook(
            path, target, parameters, kernel_name="python3", cwd=FOLDER, progress_bar=False
        )
    assert message in caught.value.evalue
    cells = [
        cell
        for cell in code_cells(nbformat.read(target, as_version=4))
        if "parameters" not in tags(cell)
    ]
    check = next(number for number, cell in enumerate(cells) if "start(" in cell.source)
    assert [output.output_type for output in cells[check].outputs] == ["error"]
    assert all(cell.execution_count is None for cell in cells[check + 1 :])


def test_cells_draw_show_or_say_and_are_short(notebook):
    """A cell calls the package: it defines nothing, and puts no sentence together."""
    for cell in code_cells(notebook):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert len(lines) <= 12, cell.source
        assert all(len(line) <= 100 for line in lines), cell.source
        if "parameters" not in tags(cell):
            assert not re.search(r"^\s*(def|class|lambda) ", cell.source, re.MULTILINE), cell.source
        assert not re.search(r"Markdown\(\s*f[\"']", cell.source), cell.source


def test_the_notebooks_together_stay_short():
    code = [
        line
        for path in NOTEBOOKS
        for cell in code_cells(nbformat.read(path, as_version=4))
        for line in cell.source.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    assert len(code) <= 600


def test_committed_notebooks_carry_no_pictures(notebook):
    """They are drawn anew by the build, and would be four fifths of the repository's notebooks."""
    kinds = {
        kind
        for cell in code_cells(notebook)
        for output in cell.outputs
        for kind in output.get("data", {})
    }
    assert not [kind for kind in kinds if kind.startswith("image/")]


def test_what_is_shown_says_where_it_comes_from(notebook):
    for cell in code_cells(notebook):
        if any(map(is_figure_or_table, cell.outputs)):
            own = [tag for tag in tags(cell) if tag in ("paper", "live") or tag[:8] == "records:"]
            assert own, cell.source
            caption = cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", "")
            assert "live" in own or "live" not in re.findall(r"\w+", caption.lower()), cell.source
