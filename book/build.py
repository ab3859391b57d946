"""Run the notebooks and build the book: python book/build.py [--scale NAME] [--output FOLDER]
[--reuse].

The book is built from a mirror of the repository under the output folder. papermill runs every
notebook beside it, so that committed outputs stay as they are; building from the repository itself
would also drag .venv in. The last book stays until a new one is whole.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import code_cells
import downloads
import elements
import first_screen
import fragments
import image_kinds
import nbformat
import provenance
import record_pages
import scorecard
import yaml

from reproduction.paths import ROOT
from reproduction.verdicts.say_chapters import opening

NOTEBOOKS = ROOT / "notebooks"
AT_ONCE = 2  # notebooks that run at the same time, each on its share of the cores


def run_notebook(source: Path, target: Path, scale: str, work: Path) -> float | str:
    """Run one notebook into target, with a log beside it of the records that it read. Both appear
    there when it is run, and are made in `work`: what a killed build leaves, and what its processes
    go on to write, is taken for no notebook.

    Returns:
        The seconds, or what went wrong.
    """
    running = work / target.name
    command = [sys.executable, "-m", "papermill", str(source), str(running), "-p", "scale", scale]
    command += ["--cwd", str(NOTEBOOKS), "--kernel", "python3", "--no-progress-bar"]
    log = running.with_suffix(".reads")
    log.unlink(missing_ok=True)
    start = time.perf_counter()
    # Two notebooks whose threads outnumber the cores wait for each other: a training loop then
    # takes ten times as long.
    threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // AT_ONCE))}
    environment = threads | os.environ | {"SSLIB_READS": str(log)}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    if done.returncode:
        return f"{source.name} failed (as far as it came: {running})\n{done.stdout}"
    notebook = nbformat.read(running, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    if errors := [output for output in outputs if output.output_type == "error"]:
        return f"{source.name} shows an error: {errors[0].ename}: {errors[0].evalue}"
    if wrong := provenance.complaints(notebook, provenance.experiments_read(log)):
        return "\n".join([f"{source.name} says the wrong thing about its sources:", *wrong])
    if log.exists():
        log.replace(target.with_suffix(".reads"))
    else:
        target.with_suffix(".reads").unlink(missing_ok=True)
    running.replace(target)
    seconds = time.perf_counter() - start
    print(f"  {source.name}: {seconds:.0f} s", flush=True)
    return seconds


def run_all(notebooks: list[Path], folder: Path, scale: str, work: Path) -> dict[str, float]:
    """Run the notebooks into folder, by way of `work`; return the seconds of each.

    Raises:
        SystemExit: a notebook failed; it says what went wrong in each that did.
    """
    print(f"Running {len(notebooks)} notebook(s) at scale {scale}", flush=True)

    def run_one(source: Path) -> float | str:
        return run_notebook(source, folder / source.name, scale, work)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        run = list(pool.map(run_one, notebooks))
    if failures := [failure for failure in run if isinstance(failure, str)]:
        raise SystemExit("\n".join(failures))
    return {source.stem: seconds for source, seconds in zip(notebooks, run, strict=True)}


def unchanged(source: Path, target: Path, scale: str) -> bool:
    """Whether target is source as it was run at this scale, so that it may be shown again."""
    if not target.exists():
        return False
    own, run = (nbformat.read(path, as_version=4) for path in (source, target))
    injected = [c for c in run.cells if "injected-parameters" in c.metadata.get("tags", [])]
    if [f'scale = "{scale}"' in cell.source for cell in injected] != [True]:
        return False
    kept = [cell.source for cell in run.cells if cell not in injected]
    return [cell.source for cell in own.cells] == kept


def finish(
    notebooks: list[Path], executed: Path, stage: Path, seconds: dict[str, float]
) -> list[fragments.NotebookRun]:
    """Copy the notebooks that were run to the stage, each figure and table with a line that says
    where it comes from; return what is known of each notebook.
    """
    build, known, runs = provenance.Build.now(), fragments.known_records(), []
    for name in (source.name for source in notebooks):
        path = executed / name
        notebook = nbformat.read(path, as_version=4)
        read = provenance.experiments_read(path.with_suffix(".reads"))
        provenance.stamp(notebook, path.stem, build, known, ran=path.stem in seconds)
        _publish(notebook)
        nbformat.write(notebook, stage / "notebooks" / name)
        taken = seconds.get(path.stem)
        runs.append(fragments.NotebookRun(path.stem, taken, tuple(sorted(read))))
    return runs


def write_fragments(stage: Path, runs: list[fragments.NotebookRun], scale: str) -> None:
    """What pages under book/ include: {include} `_generated/NAME.md`."""
    contents = yaml.safe_load((ROOT / "book/_toc.yml").read_text(encoding="utf-8"))
    pages = _pages(contents)
    made = {
        "picture": f"```{{raw}} html\n{first_screen.picture()}\n```\n",
        "answers": scorecard.answers(),
        "opening": f":::{{div}} answer\n{opening('method')}\n:::\n",
        "scorecard": scorecard.scorecard(_numbers(contents)),
        "verdicts": scorecard.verdicts(pages),
        "differences": fragments.differences(),
        "errata": fragments.errata(),
        "elements": elements.elements(pages),
        "sentences": elements.sentences(),
        "image_kinds": image_kinds.page(),
        "status": fragments.status(provenance.Build.now(), runs, scale),
    }
    (stage / "book/_generated").mkdir()
    for name, text in made.items():
        (stage / f"book/_generated/{name}.md").write_text(typeset(text), encoding="utf-8")


def typeset(text: str) -> str:
    """Text with a real minus before negative numbers, and none parted from its ± or →.

    >>> typeset("-0.5 points (-1.2 to +0.3), claim-8, `-p seed 1`")
    '−0.5 points (−1.2 to +0.3), claim-8, `-p seed 1`'
    """
    text = re.sub(r"(?<![^\s(>\[])-(?=\d)", "−", text)
    return re.sub("([±→]) ", "\\1\N{NO-BREAK SPACE}", text)


def _publish(notebook: nbformat.NotebookNode) -> None:
    """Remove papermill's traces, write numbers as in print, and fold the code that readers need
    not see.
    """
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            data |= {k: typeset(data[k]) for k in ("text/markdown", "text/html") if k in data}
    code_cells.fold(notebook)


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


def _numbers(contents: Mapping[str, Any]) -> dict[str, str]:
    """Page -> the number of its chapter, "" for a page of a part without numbers."""
    numbers: dict[str, str] = {}
    for part in contents["parts"]:
        for chapter in part["chapters"]:
            done = sum(bool(number) for number in numbers.values())
            numbers[chapter["file"]] = str(done + 1) if part.get("numbered") else ""
    return numbers


def build(output: Path, scale: str, *, reuse: bool = False) -> Path:
    """Build the book into output/_build/html; return its first page.

    Args:
        output: the folder in which _build/ is made.
        scale: what every notebook is run at.
        reuse: show what the last build's run gave, where a notebook has not changed since.
    """
    made = output / "_build"
    html, executed = made / "html", made / "notebooks"
    executed.mkdir(parents=True, exist_ok=True)
    for left in made.glob("building-*"):  # by a build that was killed or failed
        shutil.rmtree(left, ignore_errors=True)
    # A folder of its own: processes of a killed build may still write to theirs.
    work = Path(tempfile.mkdtemp(prefix="building-", dir=made))
    stage, running = work / "stage", work / "notebooks"
    running.mkdir()
    notebooks = mirror(stage)
    todo = [
        path for path in notebooks if not (reuse and unchanged(path, executed / path.name, scale))
    ]
    seconds = run_all(todo, executed, scale, running) if todo else {}
    write_fragments(stage, finish(notebooks, executed, stage, seconds), scale)
    program = Path(sys.executable).with_name("jupyter-book")
    command = [str(program), "build", str(stage), "--path-output", str(work)]
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
    whole = work / "_build/html"
    downloads.rewrite(whole / "_sources/notebooks")
    record_pages.write(whole)
    for ready, place in ((stage, made / "stage"), (whole, html)):
        if place.exists():
            place.rename(work / f"last-{place.name}")
        ready.rename(place)
    shutil.rmtree(work, ignore_errors=True)
    return html / "index.html"


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the notebooks and build the book.")
    parser.add_argument(
        "--scale", default="quick", choices=("quick", "gpu", "paper"), help="of every notebook"
    )
    parser.add_argument("--output", type=Path, default=ROOT, help="folder in which _build/ is made")
    parser.add_argument(
        "--reuse",
        action="store_true",
        help="run only notebooks that have changed since the last build: a quick look at the pages",
    )
    arguments = parser.parse_args()
    start = time.perf_counter()
    page = build(arguments.output.resolve(), arguments.scale, reuse=arguments.reuse)
    print(
        f"The book is built ({time.perf_counter() - start:.0f} s). Open it in a browser:\n  {page}"
    )


if __name__ == "__main__":
    main()
