"""The notebooks that the book's pages offer for download: as JupyterLab shows them, with captions
and without the book's own markup.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from code_cells import SETUP


def plain(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with each caption in a cell after its figure or table, roles as words, no code
    twice.
    """
    notebook = nbformat.from_dict(notebook)
    titles, cells = {}, []
    notebook.cells = [cell for cell in notebook.cells if SETUP not in cell.metadata.get("tags", [])]
    for cell in notebook.cells:
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        if "name" in figure:
            bold = re.match(r"\*\*(.+?)\*\*", figure["caption"])
            titles[figure["name"]] = (bold[1] if bold else figure["caption"]).rstrip(".:")
    for number, cell in enumerate(notebook.cells):
        cells.append(cell)
        if cell.cell_type == "markdown":
            cell.source = words(cell.source, titles)
        for output in cell.get("outputs", []):
            if "text/markdown" in output.get("data", {}):
                text = "".join(output.data["text/markdown"])
                output.data["text/markdown"] = words(text, titles)
        if caption := cell.metadata.get("mystnb", {}).get("figure", {}).get("caption"):
            added = nbformat.v4.new_markdown_cell(words(caption, titles), id=f"caption-{number}")
            cells.append(added)
    notebook.cells = cells
    return notebook


def words(text: str, titles: dict[str, str]) -> str:
    """Markdown without roles, labels and directives.

    >>> words("See {numref}`tab-a` {cite:p}`ding2025self`.", {"tab-a": "Rates"})
    'See “Rates” (Ding 2025).'
    """
    text = re.sub(r"^\([\w-]+\)=\n|^:{3,}.*\n?", "", text, flags=re.MULTILINE)
    return re.sub(r"\{([a-z:]+)\}`([^`]+)`", lambda role: _word(role[1], role[2], titles), text)


def _word(role: str, target: str, titles: dict[str, str]) -> str:
    name = re.sub(r"\s*<[^>]+>$", "", target)
    if role.startswith("cite"):
        keys = [re.match(r"\s*([a-z]+?)(\d{4})", key) for key in target.split(",")]
        cited = ", ".join(f"{key[1].title()} {key[2]}" if key else target for key in keys)
        return cited if role == "cite:t" else f"({cited})"
    return f"“{titles[target]}”" if target in titles else name


def rewrite(folder: Path) -> None:
    """Make every notebook in a folder plain."""
    for path in sorted(folder.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        nbformat.write(plain(notebook), path)
