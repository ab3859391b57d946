"""One loop for every command that writes records: skip what is done, measure, time, write."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from reproduction import records
from reproduction.inputs import check_finished
from reproduction.paths import RESULTS

Asked = tuple[Mapping[str, Any], int]


class Measurement(NamedTuple):
    """What one cell came to: the arguments of ``records.new_record`` that only the run knows.

    seconds: where the loop's clock would not do, as after a stop.
    """

    config: Mapping[str, Any]
    seed: int
    metrics: Mapping[str, Any]
    data: Mapping[str, Any] | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Job:
    """Cells that are measured together, as one pass over the images may serve several.

    Attributes:
        experiment: names the records.
        cells: (configuration, seed) of each record.
        measure: gets the cells that have no record yet, and gives one measurement for each.
        device: where the work is done, if that is not the run's to choose.
    """

    experiment: str
    cells: tuple[Asked, ...]
    measure: Callable[[tuple[Asked, ...]], Iterable[Measurement]]
    device: str | None = None

    def lacking(self, root: Path) -> tuple[Asked, ...]:
        """The cells without a record."""
        return tuple(
            (config, seed)
            for config, seed in self.cells
            if not records.exists(self.experiment, config, seed, root)
        )


def run(jobs: Iterable[Job], root: Path = RESULTS, *, device: str = "cpu") -> Iterator[Path]:
    """Measure what has no record yet, and write a record of each cell as soon as it is there.

    Args:
        jobs: taken one after another; a job that is done costs nothing.
        root: folder of the records.
        device: where the networks run, for the record.

    Returns:
        The paths of new records. The seconds in a record are those since the one before it, unless
        the measurement has its own.

    Raises:
        ValueError: what is finished was made from other images than those here; see ``inputs``.
    """
    jobs = list(jobs)
    _check(jobs, root)
    yield from _measured(jobs, root, device)


def _check(jobs: Iterable[Job], root: Path) -> None:
    check_finished([(job.experiment, *cell) for job in jobs for cell in job.cells], root)


def _measured(jobs: Iterable[Job], root: Path, device: str) -> Iterator[Path]:
    for job in jobs:
        lacking = job.lacking(root)
        if not lacking:
            continue
        start = time.perf_counter()
        for config, seed, metrics, data, measured in job.measure(lacking):
            now = time.perf_counter()
            seconds, start = round(now - start if measured is None else measured, 2), now
            record = records.new_record(
                job.experiment,
                config,
                seed,
                metrics,
                data=data,
                device=job.device or device,
                seconds=seconds,
            )
            yield from written(record, root)


def complete(jobs: Iterable[Job], root: Path = RESULTS, *, device: str | None = None) -> int:
    """``run`` for a notebook: with a bar that says how many cells are left, and about how long.

    Returns:
        How many records are new.
    """
    from tqdm import tqdm

    jobs = list(jobs)
    _check(jobs, root)
    lacking = sum(len(job.lacking(root)) for job in jobs)
    if not lacking:
        return 0
    done = _measured(jobs, root, device or default_device())
    # On stderr, and even where that is no terminal: hours without a word look like a hang.
    return sum(1 for _ in tqdm(done, total=lacking, unit="cell", file=sys.stderr))


def written(record: dict[str, Any], root: Path) -> Iterable[Path]:
    """The record's path, or nothing where another process was first: its record says the same."""
    try:
        yield records.write(record, root)
    except FileExistsError:
        return


def default_device() -> str:
    """The device an experiment runs on unless told otherwise: "cuda" where there is one, or "cpu".

    >>> default_device() in ("cuda", "cpu")
    True
    """
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


_WAIT = 2.0  # seconds between looks at cells that other processes hold


@contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Whether this process holds the cell now; the kernel frees the lock when it ends."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.with_name(f".{path.stem}.lock")
    with open(name, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
        # Whoever opened it before this line gets the lock of a removed file, and then finds the
        # record.
        if path.exists():
            name.unlink(missing_ok=True)
