"""Notebooks as they are downloaded: captions as text, no markup of the book."""

from __future__ import annotations

import importlib
import re
import sys

import nbformat
import pytest

from reproduction.paths import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def downloads():
    sys.path.insert(0, str(ROOT / "book"))
    yield importlib.import_module("downloads")
    sys.path.remove(str(ROOT / "book"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_downloaded_notebook_has_captions_and_no_roles(downloads, path):
    own = nbformat.read(path, as_version=4)
    made = downloads.plain(own)
    nbformat.validate(made)
    texts = [cell.source for cell in made.cells if cell.cell_type == "markdown"]
    assert not [text for text in texts if re.search(r"\{[a-z:]+\}`|^:::|^\(\S+\)=$", text, re.M)]
    captions = [
        re.match(r"\*\*(.+?)\*\*", cell.metadata["mystnb"]["figure"]["caption"])[0]
        for cell in own.cells
        if "caption" in cell.metadata.get("mystnb", {}).get("figure", {})
    ]
    after = [
        now.source
        for before, now in zip(made.cells, made.cells[1:], strict=False)
        if before.metadata.get("mystnb", {}).get("figure")
    ]
    assert len(after) == len(captions)
    assert all(text.startswith(bold) for text, bold in zip(after, captions, strict=True))
    code = [cell.source for cell in own.cells if cell.cell_type == "code"]
    assert code == [cell.source for cell in made.cells if cell.cell_type == "code"]


def test_references_become_words(downloads):
    text = "(x)=\nAs {numref}`tab-a` and {doc}`the rules <rules>` say {cite:t}`ding2025self`."
    assert downloads.words(text, {"tab-a": "Rates"}) == "As “Rates” and the rules say Ding 2025."


def test_a_folder_is_rewritten(downloads, tmp_path):
    cell = nbformat.v4.new_markdown_cell("See {numref}`tab-b`.")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "a.ipynb")
    downloads.rewrite(tmp_path)
    assert nbformat.read(tmp_path / "a.ipynb", as_version=4).cells[0].source == "See tab-b."
