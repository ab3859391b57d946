"""The cells of Table 3: a network, a data set, an arm and a seed; run, and resumed.

Each finished cell is one record. What an unfinished one has reached lies beside it in a hidden
checkpoint.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from reproduction.grid import Asked, Elsewhere, Job, Measurement, claim, default_device, lock_path
from reproduction.grid import run as run_jobs
from reproduction.paths import RESULTS
from reproduction.table_1 import TABLE_1
from reproduction.training import processes
from reproduction.training.cells import Cell, Trainable, grid
from reproduction.training.due import due, unchanged
from reproduction.training.loop import train
from reproduction.training.pictures import load_pictures
from reproduction.training.plans import Plan, chosen

#: Trains a cell: its metrics, None if the time was over, and what its record says of the images.
_Trains = Callable[[Trainable], tuple[dict[str, Any] | None, dict[str, Any]]]


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
    gone on from at the next call.

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
        RuntimeError: a loss is no longer finite; cells were left to other processes.
    """
    if not minutes > 0:
        raise ValueError(f"minutes: expected a number above 0, got {minutes!r}")
    device, deadline = device or default_device(), time.time() + 60 * minutes
    work = jobs(cells, root=root, device=device, deadline=deadline, matrices=matrices, anew=anew)
    if processes.rank():
        return processes.followed(_trainer(root, device, deadline, False, anew))
    return processes.led(run_jobs(work, root, device=device, until=deadline))


def jobs(
    cells: Sequence[Trainable],
    *,
    root: Path,
    device: str,
    deadline: float = math.inf,
    matrices: bool = True,
    anew: bool = False,
) -> list[Job]:
    """A job of ``reproduction.grid`` for each cell. Arguments and errors as for `run_grid`;
    deadline: a ``time.time()``.
    """
    todo = [cell for cell in cells if not cell.done(root)]
    for cell in todo:
        cell.check(root, todo)
        if cell.protocol.processes != processes.count():
            raise ValueError(
                f"recipe: that of {cell.arm} of {cell.model} is for {cell.protocol.processes} "
                f"processes (torchrun --nproc-per-node), got {processes.count()}"
            )
    train_one = _trainer(root, device, deadline, matrices, anew)
    return [
        Job(
            cell.experiment,
            ((cell.config, cell.seed),),
            partial(_trained, cell, train_one, root),
            ready=cell.ready,
        )
        for cell in cells
    ]


def _trainer(root: Path, device: str, deadline: float, matrices: bool, anew: bool) -> _Trains:
    """What trains one cell, from its checkpoint if there is one; pictures are loaded once."""
    pictures = cache(partial(load_pictures, device=device))

    def train_one(cell: Trainable) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        path, shown = cell.path(root), pictures(cell.dataset, cell.protocol)
        metrics = train(
            cell.run(root),
            shown,
            device=device,
            checkpoint=_checkpoint(path),
            deadline=deadline,
            doses=cell.doses(root),
            matrices=path.with_suffix(".npz") if matrices else None,
            anew=anew,
        )
        return metrics, shown.data

    return train_one


def _checkpoint(path: Path) -> Path:
    return path.with_name(f".{path.stem}.checkpoint.pt")


def _trained(
    cell: Trainable, train_one: _Trains, root: Path, _: tuple[Asked, ...]
) -> Iterator[Measurement]:
    """Train one cell; nothing if the time was over before."""
    metrics, data = train_one(processes.announce(cell))
    if metrics is None:
        return
    path = cell.path(root)
    # What all epochs took, those before a stop included.
    seconds = sum(metrics["history"]["seconds"])
    try:
        yield Measurement(cell.config, cell.seed, metrics, data, seconds)
    finally:
        if path.exists():
            _checkpoint(path).unlink(missing_ok=True)


def run_plan(
    plan: Plan,
    *,
    device: str | None = None,
    root: Path = RESULTS,
    minutes: float = math.inf,
    anew: bool = False,
    only: Mapping[str, Any] | None = None,
) -> Iterator[Path]:
    """Run what the plan still lacks; yields the paths of new records.

    Arguments and errors as of `run_grid`; only: of these runs, as for ``plans.chosen``.

    Raises:
        ValueError: the plan was changed after a run of it, or asks for nothing of what is named.
    """
    if not minutes > 0:
        raise ValueError(f"minutes: expected a number above 0, got {minutes!r}")
    device, deadline = device or default_device(), time.time() + 60 * minutes
    while time.time() < deadline:
        unchanged(plan, root)
        cells = chosen(due(plan, root), **(only or {}))
        if all(cell.done(root) for cell in cells):
            return
        work = jobs(cells, root=root, device=device, deadline=deadline, matrices=False, anew=anew)
        new = None
        try:
            for new in run_jobs(work, root, device=device, until=deadline):
                yield new
        except Elsewhere:
            if new is None:  # else the plan may ask for more by now
                raise


def progress(cells: Iterable[Trainable], root: Path = RESULTS) -> pd.DataFrame:
    """What is done and what is not: a row per cell with its state, "done", "running", "begun" or
    "not run".
    """
    rows = []
    for cell in cells:
        path = cell.path(root)
        state = "done" if cell.done(root) else "not run"
        if state != "done" and lock_path(path).exists():
            with claim(path) as free:
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
    return jobs(pairs(settings), root=RESULTS, device=default_device())


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
