"""Run notebooks in place, as they are committed: python book/commit_notebooks.py [NAME ...]

Text outputs stay, for nbval to compare. Pictures go: the build draws them anew, and as SVG they are
four fifths of a notebook.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat

from reproduction.paths import ROOT

NOTEBOOKS = ROOT / "notebooks"


def without_pictures(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook, its outputs of images reduced to their line of text; changed in place."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for kind in [kind for kind in output.get("data", {}) if kind.startswith("image/")]:
                del output["data"][kind]
                output.metadata.pop(kind, None)
    return notebook


def run(path: Path) -> None:
    """Run one notebook in place."""
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace"]
    # Without the times, a notebook that is run again has the same bytes.
    command += ["--ExecutePreprocessor.record_timing=False", "--ExecutePreprocessor.timeout=1200"]
    subprocess.run([*command, str(path)], check=True)
    nbformat.write(without_pictures(nbformat.read(path, as_version=4)), path)


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")):
        run(NOTEBOOKS / f"{name}.ipynb")
