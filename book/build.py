"""Run the notebooks and build the book: python book/build.py [--params FILE] [--output FOLDER]
[--as-committed].

The book is built from a mirror of the repository under the output folder, in which papermill has
run every notebook. Building from the repository itself would drag .venv in, and overwrite committed
outputs.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fragments
import nbformat
import provenance
import scorecard
import yaml

from reproduction.paths import ROOT

NOTEBOOKS = ROOT / "notebooks"
AT_ONCE = 2  # notebooks that run at the same time, each on its share of the cores


def run_notebook(source: Path, target: Path, params: Path) -> float | str:
    """Run one notebook into target, its reading of records into a log beside it; return the
    seconds, or what went wrong.
    """
    command = [sys.executable, "-m", "papermill", str(source), str(target), "-f", str(params)]
    command += ["--cwd", str(NOTEBOOKS), "--kernel", "python3", "--no-progress-bar"]
    log = {"SSLIB_READS": str(target.with_suffix(".reads"))}
    start = time.perf_counter()
    # Two notebooks whose threads outnumber the cores wait for each other: a training loop then
    # takes ten times as long.
    threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // AT_ONCE))}
    environment = threads | os.environ | log
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    if done.returncode:
        return f"{source.name} failed (as far as it came: {target})\n{done.stdout}"
    notebook = nbformat.read(target, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    if errors := [output for output in outputs if output.output_type == "error"]:
        return f"{source.name} shows an error: {errors[0].ename}: {errors[0].evalue}"
    seconds = time.perf_counter() - start
    print(f"  {source.name}: {seconds:.0f} s", flush=True)
    return seconds


def run_all(notebooks: list[Path], folder: Path, params: Path) -> dict[str, float]:
    """Run the notebooks into folder; return the seconds of each. SystemExit says what went wrong in
    each that failed.
    """
    print(f"Running {len(notebooks)} notebook(s) with {params.name}", flush=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        run = list(
            pool.map(lambda source: run_notebook(source, folder / source.name, params), notebooks)
        )
    if failures := [failure for failure in run if isinstance(failure, str)]:
        raise SystemExit("\n".join(failures))
    return {source.stem: seconds for source, seconds in zip(notebooks, run)}


def finish(folder: Path, seconds: dict[str, float]) -> list[fragments.NotebookRun]:
    """Stamp the notebooks in folder with where they come from and make them fit to be shown; return
    what is known of each.
    """
    build, known, runs = provenance.Build.now(), fragments.known_records(), []
    for path in sorted(folder.glob("*.ipynb")):
        notebook, reads = (
            nbformat.read(path, as_version=4),
            provenance.load_reads(path.with_suffix(".reads")),
        )
        provenance.stamp(notebook, path.stem, reads, build, known, ran=path.stem in seconds)
        _publish(notebook)
        nbformat.write(notebook, path)
        read = tuple(dict.fromkeys(read.experiment for read in reads))
        runs.append(fragments.NotebookRun(path.stem, seconds.get(path.stem), read))
    return runs


def write_fragments(stage: Path, runs: list[fragments.NotebookRun], params: Path) -> None:
    """What pages under book/ include: {include} `_generated/NAME.md`."""
    pages = _pages(yaml.safe_load((ROOT / "book/_toc.yml").read_text(encoding="utf-8")))
    made = {
        "scorecard": scorecard.scorecard(pages),
        "verdicts": scorecard.verdicts(pages),
        "differences": fragments.differences(),
        "errata": fragments.errata(),
        "status": fragments.status(provenance.Build.now(), runs, params.name, pages),
    }
    (stage / "book/_generated").mkdir()
    for name, text in made.items():
        (stage / f"book/_generated/{name}.md").write_text(text, encoding="utf-8")


def _publish(notebook: nbformat.NotebookNode) -> None:
    """Remove papermill's traces and fold the cell that it injected, which has no switch for that."""
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags:
            cell.metadata["tags"] = [*tags, "hide-input"]
            cell.metadata["mystnb"] = {"code_prompt_show": "Parameters of this build"}


def mirror(stage: Path) -> list[Path]:
    """Copy what the book is built from, with links to data and benchmarks; return the notebooks to
    run.
    """
    shutil.copytree(
        ROOT / "book", stage / "book", ignore=shutil.ignore_patterns("*.py", "__pycache__")
    )
    for folder in ("data", "benchmarks"):
        if (ROOT / folder).is_dir():
            (stage / folder).symlink_to(ROOT / folder, target_is_directory=True)
    # One script renders all equations, from the package that the lock pins, so that pages need no
    # network.
    package = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent
    (stage / "book/_static/mathjax").mkdir()
    shutil.copy(package / "static/mathjax/tex-svg-full.js", stage / "book/_static/mathjax")
    (stage / "notebooks").mkdir()
    contents = yaml.safe_load((ROOT / "book/_toc.yml").read_text(encoding="utf-8"))
    return [ROOT / f"{page}.ipynb" for page in _pages(contents) if page.startswith("notebooks/")]


def _pages(node: object) -> list[str]:
    """All pages that a table of contents names."""
    if isinstance(node, list):
        return [page for item in node for page in _pages(item)]
    if isinstance(node, dict):
        own = [node["file"]] if "file" in node else []
        return own + [page for value in node.values() for page in _pages(value)]
    return []


def build(output: Path, params: Path, *, as_committed: bool = False) -> Path:
    """Build the book into output/_build/html, from nothing; return its first page."""
    made = output / "_build"
    stage, html = made / "stage", made / "html"
    # Kept .doctrees hide warnings, kept pages outlive their removal from the table of contents.
    for folder in (stage, html, made / ".doctrees"):
        shutil.rmtree(folder, ignore_errors=True)
    notebooks = mirror(stage)
    seconds: dict[str, float] = {}
    if as_committed:
        for source in notebooks:
            shutil.copy(source, stage / "notebooks")
    else:
        seconds = run_all(notebooks, stage / "notebooks", params)
    write_fragments(stage, finish(stage / "notebooks", seconds), params)
    program = Path(sys.executable).with_name("jupyter-book")
    command = [str(program), "build", str(stage), "--path-output", str(output)]
    command += [
        "--config",
        str(ROOT / "_config.yml"),
        "--toc",
        str(ROOT / "book/_toc.yml"),
        "--all",
        "-q",
    ]
    # Without -W a warning, and even a notebook that failed, would exit 0. Warnings come on stderr.
    if subprocess.run([*command, "-W", "--keep-going"], stdout=subprocess.DEVNULL).returncode:
        raise SystemExit("The book was not built: see the warnings above.")
    return html / "index.html"


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the notebooks and build the book.")
    parser.add_argument(
        "--params",
        type=Path,
        default=NOTEBOOKS / "params/quick.yml",
        help="notebook parameters (YAML)",
    )
    parser.add_argument("--output", type=Path, default=ROOT, help="folder in which _build/ is made")
    parser.add_argument(
        "--as-committed",
        action="store_true",
        help="do not run the notebooks, show the outputs they are committed with: a quick look at the pages",
    )
    arguments = parser.parse_args()
    start = time.perf_counter()
    page = build(
        arguments.output.resolve(), arguments.params.resolve(), as_committed=arguments.as_committed
    )
    print(
        f"The book is built ({time.perf_counter() - start:.0f} s). Open it in a browser:\n  {page}"
    )


if __name__ == "__main__":
    main()
