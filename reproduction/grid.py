"""One loop for every command that writes records: skip what is done, measure, time, write.

A cell that is measured is locked: no two processes, on one machine or on several that share the
folder, do it twice. None waits for another; what another holds is left to it.
"""

from __future__ import annotations

import math
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from reproduction import records
from reproduction.inputs import check_finished
from reproduction.paths import RESULTS
from reproduction.words import some

Asked = tuple[Mapping[str, Any], int]


#: Exit code after SIGTERM, and where cells were left to other processes: not finished, the same
#: command goes on (EX_TEMPFAIL of sysexits).
GO_ON_LATER = 75


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
        ready: whether the records that the cells need are in a folder; a job that is not ready is
            left out.
    """

    experiment: str
    cells: tuple[Asked, ...]
    measure: Callable[[tuple[Asked, ...]], Iterable[Measurement]]
    device: str | None = None
    ready: Callable[[Path], bool] | None = None

    def lacking(self, root: Path) -> tuple[Asked, ...]:
        """The cells without a record."""
        return tuple(
            (config, seed)
            for config, seed in self.cells
            if not records.exists(self.experiment, config, seed, root)
        )


class Elsewhere(RuntimeError):
    """All was done but the cells that other processes hold, or that need one of those."""


def run(
    jobs: Iterable[Job], root: Path = RESULTS, *, device: str = "cpu", until: float = math.inf
) -> Iterator[Path]:
    """Measure what has no record yet, and write a record of each cell as soon as it is there.

    Args:
        jobs: taken one after another; a job that is done costs nothing.
        root: folder of the records.
        device: where the networks run, for the record.
        until: a ``time.time()`` after which no job is begun.

    Returns:
        The paths of new records. The seconds in a record are those since the one before it, unless
        the measurement has its own.

    Raises:
        Elsewhere: at the end, if cells were left to other processes.
        ValueError: what is finished was made from other images than those here; see ``inputs``.
    """
    jobs = list(jobs)
    _check(jobs, root)
    yield from _measured(jobs, root, device, until)


def _check(jobs: Iterable[Job], root: Path) -> None:
    check_finished([(job.experiment, *cell) for job in jobs for cell in job.cells], root)


def _measured(
    jobs: Iterable[Job], root: Path, device: str, until: float = math.inf
) -> Iterator[Path]:
    left: list[str] = []
    for job in takewhile(lambda _: time.time() < until, jobs):
        with ExitStack() as held:
            ours = []
            for config, seed in job.lacking(root):
                path = records.record_path(job.experiment, config, seed, root)
                if job.ready and not job.ready(root) or not held.enter_context(claim(path)):
                    left.append(path.stem)
                elif not records.exists(job.experiment, config, seed, root):
                    ours.append((config, seed))
            if ours:
                yield from _records(job, tuple(ours), root, job.device or device)
    if left:
        raise Elsewhere(
            f"left to other processes, or waiting for what they do: {some(left)}; "
            "the same command goes on when they are done"
        )


def _records(job: Job, cells: tuple[Asked, ...], root: Path, device: str) -> Iterator[Path]:
    start = time.perf_counter()
    for config, seed, metrics, data, measured in job.measure(cells):
        now = time.perf_counter()
        seconds, start = round(now - start if measured is None else measured, 2), now
        record = records.new_record(
            job.experiment, config, seed, metrics, data=data, device=device, seconds=seconds
        )
        yield from written(record, root)


def complete(jobs: Iterable[Job], root: Path = RESULTS, *, device: str | None = None) -> int:
    """``run`` for a notebook: with a bar that says how many cells are left, and about how long.

    Returns:
        How many records are new.

    Raises:
        Elsewhere: as `run` does.
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


@contextmanager
def claim(path: Path) -> Iterator[bool]:
    """Whether the cell of that record is this process's now: False where another one holds it.

    The lock is a hidden file beside the record. The system frees it when its process ends, however
    that ends; see `locks_of` for folders where it cannot.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = locks_of(path.parent)(lock_path(path))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        # Whoever opened it before this line gets the lock of a removed file, and then finds the
        # record. Windows removes no open file.
        if path.exists():
            with suppress(OSError):
                Path(lock.lock_file).unlink()
        lock.release()


def lock_path(path: Path) -> Path:
    """Where the lock of a record's cell lies."""
    return path.with_name(f".{path.stem}.lock")


@cache
def locks_of(folder: Path) -> type[BaseFileLock]:
    """The kind of lock that a folder's file system has: tried, once in a process.

    Where it has none, a file that is made exclusively stands for it. That one stays if its process
    is killed: one on this machine is then seen to be gone, one on another is not.
    """
    probe = folder / f".{uuid.uuid4().hex}.lock"
    try:
        with FileLock(probe, fallback_to_soft=False):
            return FileLock
    except (OSError, NotImplementedError) as error:
        warnings.warn(
            f"no file locks in {folder} ({error}): files made exclusively take their place; if a "
            "machine dies, delete the .lock files in there that name it",
            stacklevel=2,
        )
        return SoftFileLock
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
