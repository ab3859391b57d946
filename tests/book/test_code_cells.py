"""What code a page shows: none, a bar, or all of it."""

from __future__ import annotations

import importlib
import sys

import nbformat
import pytest

from reproduction.paths import ROOT


@pytest.fixture(scope="module", autouse=True)
def code_cells():
    sys.path.insert(0, str(ROOT / "book"))
    yield importlib.import_module("code_cells")
    sys.path.remove(str(ROOT / "book"))


def cell(source, *tags, **data):
    outputs = [nbformat.v4.new_output("display_data", data=data)] if data else []
    return nbformat.v4.new_code_cell(source, outputs=outputs, metadata={"tags": list(tags)})


def test_cells_without_figure_or_table_show_no_bar(code_cells):
    cells = [
        cell("scale = 1", "parameters", "hide-input"),
        cell("scale = 2", "injected-parameters"),
        cell("import torch", "hide-input"),
        cell("Markdown(say.it())", "hide-input", **{"text/markdown": "It is."}),
        cell("draw.it();", "hide-input", **{"image/svg+xml": "<svg/>"}),
        cell("table", "hide-input", **{"text/html": "<table></table>"}),
        cell("sslib.ss_rate(F)"),
    ]
    notebook = nbformat.v4.new_notebook(cells=[*cells, nbformat.v4.new_markdown_cell("Words.")])
    code_cells.fold(notebook)
    tags = [one.metadata.get("tags", []) for one in notebook.cells]
    assert [code_cells.HIDDEN in own for own in tags[:4]] == [True] * 4
    assert [own for own in tags[4:8]] == [["hide-input"], ["hide-input"], [], []]
    assert code_cells.bars(notebook) == 3  # figure, table, and what stands at the end
    last = notebook.cells[-1]
    assert last.source == "scale = 1\n\nscale = 2\n\nimport torch\n\nMarkdown(say.it())"
    downloads = importlib.import_module("downloads")
    assert len(downloads.plain(notebook).cells) == len(notebook.cells) - 1


def test_a_page_without_set_up_gets_none(code_cells):
    notebook = nbformat.v4.new_notebook(cells=[cell("sslib.ss_rate(F)")])
    code_cells.fold(notebook)
    assert len(notebook.cells) == 1 and code_cells.bars(notebook) == 0
