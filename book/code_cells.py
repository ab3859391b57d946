"""How much code a page shows: none where a cell only says a sentence, a bar where it draws a figure
or shows a table, all of it where the cell is the chapter's step; set-up stands at the end.
"""

from __future__ import annotations

import nbformat
from provenance import shows

#: Tags of a cell whose code stands at the end of the page, and of the cell that holds it there.
HIDDEN, SETUP = "remove-input", "page-setup"

#: Tags of the cells with a notebook's parameters: as written, and as papermill sets them.
PARAMETERS = {"parameters", "injected-parameters"}


def fold(notebook: nbformat.NotebookNode) -> None:
    """Hide the code of cells that show neither figure nor table, and put it into one folded cell at
    the end; in place. Cells without the tag "hide-input" are left as they are.
    """
    hidden = []
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        folded = cell.cell_type == "code" and ("hide-input" in tags or PARAMETERS & set(tags))
        if folded and not shows(cell):
            cell.metadata["tags"] = [*(tag for tag in tags if tag != "hide-input"), HIDDEN]
            hidden.append(cell.source)
    if hidden:
        last = nbformat.v4.new_code_cell("\n\n".join(hidden), id=SETUP)
        last.metadata["tags"] = ["hide-input", SETUP]
        last.metadata["mystnb"] = {"code_prompt_show": "Set-up and sentences of this page"}
        notebook.cells.append(last)


def bars(notebook: nbformat.NotebookNode) -> int:
    """How many folded pieces of code a page shows a bar for."""
    return sum("hide-input" in cell.metadata.get("tags", []) for cell in notebook.cells)
