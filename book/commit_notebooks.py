"""Run notebooks in place, as they are committed: python book/commit_notebooks.py [NAME ...]

Text outputs stay, for nbval to compare. Pictures go: the build draws them anew, and as SVG they are
four fifths of a notebook.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from reproduction.files import replace
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
    """Run one notebook, and put it in its place when it is whole."""
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute"]
    # Without the times, a notebook that is run again has the same bytes.
    command += ["--ExecutePreprocessor.record_timing=False", "--ExecutePreprocessor.timeout=1200"]
    with TemporaryDirectory() as folder:
        subprocess.run([*command, "--output-dir", folder, str(path)], check=True)
        notebook = without_pictures(nbformat.read(Path(folder, path.name), as_version=4))
    replace(path, nbformat.writes(notebook) + "\n")


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")):
        run(NOTEBOOKS / f"{name}.ipynb")
