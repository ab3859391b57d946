"""What every command that writes records shares: the device, the lock, the record written once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from reproduction import records


def default_device() -> str:
    """The device an experiment runs on unless told otherwise: "cuda" where there is one, else
    "cpu".

    >>> default_device() in ("cuda", "cpu")
    True
    """
    return "cuda" if torch.cuda.is_available() else "cpu"


def written(record: dict[str, Any], root: Path) -> Iterable[Path]:
    """The record's path, or nothing where another process was first: its record says the same."""
    try:
        yield records.write(record, root)
    except FileExistsError:
        return


def _written(
    experiment: str,
    asked: Any,
    seed: int,
    metrics: Any,
    data: Any,
    device: Any,
    start: float,
    root: Path,
) -> Iterable[Path]:
    """`experiments.written` for a record whose time began at `start`."""
    seconds = round(time.perf_counter() - start, 2)
    return written(
        records.new_record(
            experiment, asked, seed, metrics, data=data, device=device, seconds=seconds
        ),
        root,
    )


_WAIT = 2.0  # seconds between looks at cells that other processes hold


@contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Whether this process holds the cell now. The lock is the kernel's: it ends with the process."""
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
