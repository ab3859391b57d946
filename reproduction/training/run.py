"""The cells of Table 3: a network, a data set, an arm and a seed; run, resumed, and shared between
processes.

Each finished cell is one record. What an unfinished one has reached lies beside it in a hidden
checkpoint; a hidden lock tells other processes that it is taken, and goes with the process that
holds it, however that ends.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from reproduction.grid import _WAIT, Job, Measurement, _lock, default_device
from reproduction.grid import run as run_jobs
from reproduction.paths import RESULTS
from reproduction.table_1 import TABLE_1
from reproduction.training.arms import EXPERIMENT
from reproduction.training.cells import Cell, Trainable, grid
from reproduction.training.due import due, unchanged
from reproduction.training.loop import train
from reproduction.training.pictures import Pictures, load_pictures
from reproduction.training.plans import Plan


def run_grid(
    cells: Sequence[Cell],
    *,
    device: str | None = None,
    root: Path = RESULTS,
    minutes: float = math.inf,
    matrices: bool = True,
    anew: bool = False,
) -> Iterator[Path]:
    """Work through the cells that have no record, in their order; yields the paths of new records.

    Stops when all are done or `minutes` are over, to the next end of an epoch; what was reached is
    gone on from at the next call. Several processes, on one machine or on machines that share the
    folder, never do a cell twice: one waits for a cell that another holds, and takes it over where
    that one died. That needs a folder whose file system has hard links and locks that reach as far
    as the processes do (flock); without, a cell may be trained twice.

    Args:
        cells: see ``cells.grid``.
        device: "cuda" where there is one, else "cpu", unless given.
        root: folder of the records.
        minutes: how long.
        matrices: keep the trained network's matrices in an .npz beside the record, for Tables 4
            and 5.
        anew: begin a run from the beginning where its checkpoint cannot be gone on from.

    Raises:
        FileNotFoundError: images are missing, or runs that a cell needs and that are not among
            the cells.
        ValueError: bad arguments, or a cell of an arm that is no longer run.
        RuntimeError: a loss is no longer finite.
    """
    if not minutes > 0:
        raise ValueError(f"minutes: expected a number above 0, got {minutes!r}")
    device, deadline = device or default_device(), time.time() + 60 * minutes
    work = job(cells, root=root, device=device, deadline=deadline, matrices=matrices, anew=anew)
    return run_jobs([work], root, device=device)


def job(
    cells: Sequence[Trainable],
    *,
    root: Path,
    device: str,
    deadline: float = math.inf,
    matrices: bool = True,
    anew: bool = False,
) -> Job:
    """The cells as a job of ``reproduction.grid``. Arguments as for `run_grid`; deadline: a
    ``time.time()``.
    """

    def measure(lacking: Sequence[tuple[Mapping[str, Any], int]]) -> Iterator[Measurement]:
        todo = [cell for cell in cells if (cell.config, cell.seed) in lacking]
        return _measure(todo, root, device, deadline, matrices, anew)

    (experiment,) = {cell.experiment for cell in cells} or {EXPERIMENT}
    return Job(experiment, tuple((cell.config, cell.seed) for cell in cells), measure)


def _measure(
    todo: list[Trainable], root: Path, device: str, deadline: float, matrices: bool, anew: bool
) -> Iterator[Measurement]:
    """Train what no other process holds, and wait for what one does, until all have a record."""
    for cell in todo:
        cell.check(root, todo)
    pictures = cache(lambda dataset, recipe: load_pictures(dataset, recipe, device=device))
    while todo and time.time() < deadline:
        for cell in todo:
            if time.time() < deadline and cell.ready(root):
                with _lock(cell.path(root)) as ours:
                    if ours and not cell.done(root):
                        images = pictures(cell.dataset, cell.protocol)
                        yield from _trained(cell, images, device, root, deadline, matrices, anew)
        waiting = [cell for cell in todo if not cell.done(root)]
        if len(waiting) == len(todo):
            time.sleep(min(_WAIT, max(0.0, deadline - time.time())))
        todo = waiting


def _trained(
    cell: Trainable,
    pictures: Pictures,
    device: str,
    root: Path,
    deadline: float,
    matrices: bool,
    anew: bool,
) -> Iterator[Measurement]:
    """Train one cell, from its checkpoint if there is one; nothing if the time was over before."""
    path = cell.path(root)
    checkpoint = path.with_name(f".{path.stem}.checkpoint.pt")
    metrics = train(
        cell.run(root),
        pictures,
        device=device,
        checkpoint=checkpoint,
        deadline=deadline,
        doses=cell.doses(root),
        matrices=path.with_suffix(".npz") if matrices else None,
        anew=anew,
    )
    if metrics is None:
        return
    # What all epochs took, those before a stop included.
    seconds = sum(metrics["history"]["seconds"])
    try:
        yield Measurement(cell.config, cell.seed, metrics, pictures.data, seconds)
    finally:
        if path.exists():
            checkpoint.unlink(missing_ok=True)


def run_plan(
    plan: Plan,
    *,
    device: str | None = None,
    root: Path = RESULTS,
    minutes: float = math.inf,
    anew: bool = False,
) -> Iterator[Path]:
    """Run what the plan still lacks; yields the paths of new records.

    Arguments and errors as of `run_grid`; several processes may share the work.

    Raises:
        ValueError: the plan was changed after a run of it.
    """
    if not minutes > 0:
        raise ValueError(f"minutes: expected a number above 0, got {minutes!r}")
    device, deadline = device or default_device(), time.time() + 60 * minutes
    while time.time() < deadline:
        unchanged(plan, root)
        cells = due(plan, root)
        if all(cell.done(root) for cell in cells):
            return
        work = job(cells, root=root, device=device, deadline=deadline, matrices=False, anew=anew)
        yield from run_jobs([work], root, device=device)


def progress(cells: Iterable[Trainable], root: Path = RESULTS) -> pd.DataFrame:
    """What is done and what is not: a row per cell with its state, "done", "running", "begun" or
    "not run".
    """
    rows = []
    for cell in cells:
        path = cell.path(root)
        state = "done" if cell.done(root) else "not run"
        if state != "done" and path.with_name(f".{path.stem}.lock").exists():
            with _lock(path) as free:
                state = "begun" if free else "running"
        rows.append({**cell.config, "seed": cell.seed, "state": state})
    return pd.DataFrame(rows)


# --- what the notebook of Table 3 runs ---


def pairs(settings: Mapping[str, Any]) -> list[Cell]:
    """Baseline and constrained arm as a notebook's settings have it: recipe, dataset, names (None:
    all of Table 1) and n_seeds. At "quick" gamma is the pair's own, which needs no other runs.
    """
    names, seeds = settings["names"] or TABLE_1, range(settings["n_seeds"])
    arms, gamma = ["baseline", "constrained"], "own" if settings["scale"] == "quick" else "model"
    return grid(settings["recipe"], settings["dataset"], names, arms, seeds, gamma)


def at_scale(settings: Mapping[str, Any]) -> list[Job]:
    """The jobs of a notebook's scale: none at "quick", whose pairs are trained by `trained`."""
    if settings["scale"] == "quick":
        return []
    return [job(pairs(settings), root=RESULTS, device=default_device())]


@contextmanager
def trained(settings: Mapping[str, Any]) -> Iterator[Path]:
    """The folder with the records of a notebook's `pairs`.

    At "quick" they are trained now, and the folder goes when it has been read; at the other scales
    it is that of all records, see `at_scale`.
    """
    if settings["scale"] != "quick":
        yield RESULTS
        return
    with TemporaryDirectory() as folder:
        for _ in run_grid(pairs(settings), root=Path(folder), matrices=False):
            pass
        yield Path(folder)
