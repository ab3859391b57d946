"""The record of a run: one self-describing JSON file, written whole or not at all.

A run is known by its experiment, configuration and seed; they give its file, of which there is
never a second version. Whatever makes two runs different belongs in the configuration.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import uuid
import warnings
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from reproduction import json_text
from reproduction.files import appear, put
from reproduction.machine import describe_device, provenance
from reproduction.paths import CHECKOUT, RESULTS
from reproduction.record_shape import (
    FIELDS,
    SCHEMA,
    check,
    check_contents,
    experiment_name,
    map_floats,
    mapping,
    parsed,
    plain,
    seed_number,
)
from reproduction.table_1 import find

if TYPE_CHECKING:
    import torch


#: Bytes of the largest file that is read as a record; those of this project have up to 60,000.
LARGEST_FILE = 2**25


class RecordWarning(UserWarning):
    """A file among the records is not a readable record of this version, and was left out."""


def new_record(
    experiment: str,
    config: Mapping[str, Any],
    seed: int,
    metrics: Mapping[str, Any],
    *,
    data: Mapping[str, Any] | None = None,
    device: str | torch.device = "cpu",
    seconds: float,
) -> dict[str, Any]:
    """A finished run as a record: what is given here, plus code, versions, machine and date.

    Args:
        experiment: names the folder: lower-case letters, digits, "_" and "-".
        config: what was asked for, JSON values under string keys; with `seed` it names the file.
        seed: 0 or above.
        metrics: what came out: numbers, strings, None, and lists and dicts of these. NaN and
            infinities are allowed here and only here. Dicts keep their order (that of the layers,
            say); see `long`.
        data: what the run looked at, as a rule name, n and fingerprint of an `ImageSet`.
        device: where the model ran; described as type, name of the CPU or GPU, and CPU threads.
        seconds: wall-clock time, 0 or above.

    NumPy and torch numbers and arrays become Python numbers and lists, exactly. Raises ValueError
    that names the key for anything else, for a NaN outside `metrics` and for arguments out of
    range.

    >>> config, metrics = {"model": "resnet34"}, {"ss_rate": {"layer1": 0.25}}
    >>> record = new_record("demo", config, 0, metrics, seconds=1.5)
    >>> record["metrics"], record["device"]["type"]
    ({'ss_rate': {'layer1': 0.25}}, 'cpu')
    """
    experiment_name(experiment)
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or not 0 <= seconds < math.inf
    ):
        raise ValueError(f"seconds must be a finite number of at least 0, got {seconds!r}")
    record = {
        "schema": SCHEMA,
        "experiment": experiment,
        "config": plain(mapping("config", config), "config"),
        "seed": seed_number(seed),
        "metrics": plain(mapping("metrics", metrics), "metrics", measured=True),
        "data": None if data is None else plain(mapping("data", data), "data"),
        "seconds": seconds,
        "device": describe_device(device),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return record | deepcopy(provenance())


def record_path(
    experiment: str, config: Mapping[str, Any], seed: int, root: str | os.PathLike[str] = RESULTS
) -> Path:
    """The file of a run: ``<root>/<experiment>/<words of the
    configuration>-seed<seed>-<hash>.json``.

    The hash, 8 hexadecimal digits, is over the configuration as JSON with sorted keys: their order
    is of no account, but 1 and 1.0 differ. Raises ValueError as `new_record` does.

    >>> record_path("table2", {"model": "vgg11", "n": 512}, 0, "results").as_posix()
    'results/table2/vgg11-seed0-0265ba70.json'
    """
    stored = plain(mapping("config", config), "config")
    canonical = json.dumps(stored, separators=(",", ":"), allow_nan=False)
    words = "-".join(value for _, value in sorted(stored.items()) if isinstance(value, str))
    words = re.sub(r"[^a-z0-9._]+", "-", words.lower())[:60].strip("-.")
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:8]
    name = f"{words}-seed{seed_number(seed)}-{digest}.json".removeprefix("-")
    return Path(root) / experiment_name(experiment) / name


def write(record: Mapping[str, Any], root: str | os.PathLike[str] = RESULTS) -> Path:
    """Write a record to its file, whole or not at all, and return the path. Never overwrites.

    The text goes to a hidden file in the same folder, is flushed to disk, and appears under its
    name in one step; of two writers one succeeds. Non-finite metrics are stored as "NaN",
    "Infinity" and "-Infinity". Keys are sorted, except in the metrics, whose order is kept. Where
    the file system has no hard links, an empty file takes the name first.

    >>> from tempfile import TemporaryDirectory
    >>> record = new_record("demo", {"model": "vgg11"}, 0, {"ss_rate": 0.1}, seconds=2.0)
    >>> with TemporaryDirectory() as folder:
    ...     read(write(record, folder)) == record
    True

    Raises:
        FileExistsError: the run has a record already.
        ValueError: `record` is not of the form that `new_record` gives, or `read` would refuse it:
            its metrics lack what tables take from a record of its experiment.
    """
    check(record)
    path = record_path(record["experiment"], record["config"], record["seed"], root)
    stored = {key: plain(record[key], key, measured=key == "metrics") for key in sorted(record)}
    if Path(root) == RESULTS and not CHECKOUT:
        raise ValueError(
            f"root is {root}, which is in no checkout of the repository: pass a folder "
            "(--results FOLDER on the command line)"
        )
    content = json_text.text(map_floats(stored)) + "\n"
    try:
        _record(content.encode("utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path.name} could not be read again, so it is not written: {error}"
        ) from error
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        put(path, content)
    except FileExistsError:
        raise FileExistsError(
            f"{path} exists: this run has its record; delete it to run again"
        ) from None
    return path


def check_folder(root: str | os.PathLike[str]) -> None:
    """Whether records can be written to a folder, made if need be: tried with a small file.

    Raises:
        ValueError: naming the folder and what failed: no room, no right to write.
    """
    name = Path(root) / f".{uuid.uuid4().hex}.tmp"
    other = name.with_suffix(".linked.tmp")
    try:
        Path(root).mkdir(parents=True, exist_ok=True)
        name.write_bytes(b" " * 2**16)
        appear(name, other)  # as `write` does
    except OSError as error:
        raise ValueError(f"no record can be written to {root}: {error}") from error
    finally:
        for path in (name, other):
            with contextlib.suppress(OSError):
                path.unlink()


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """One record, as `new_record` made it: every float is the one that was written, NaN included.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: naming the file if it is not strict JSON, not a record, or one of another
            version. `write` shows it at work.
    """
    try:
        if not S_ISREG(Path(path).stat().st_mode):  # a pipe would never end
            raise ValueError("it is no regular file")
        with open(path, "rb") as file:
            record = _record(file.read(LARGEST_FILE + 1))
    except ValueError as error:
        raise ValueError(f"{path} is not a record of version {SCHEMA}: {error}") from error
    return record | {"metrics": map_floats(record["metrics"], back=True)}


def _record(content: bytes) -> dict[str, Any]:
    """The record in a file's content; ValueError that says what is wrong with it."""
    if len(content) > LARGEST_FILE:
        raise ValueError(f"it has more bytes than the {LARGEST_FILE:,} that are read")
    if not content:
        raise ValueError("it is empty, as a process was killed that put it there; delete it")
    record = parsed(content.decode("utf-8"))
    check(record)
    check_contents(record)
    return record


def exists(
    experiment: str, config: Mapping[str, Any], seed: int, root: str | os.PathLike[str] = RESULTS
) -> bool:
    """Whether this run has its record already, so that a grid that was stopped can skip it.

    >>> exists("demo", {"model": "vgg11"}, 0, root="no-such-folder")
    False

    Raises:
        ValueError: naming the file if there is one and it is broken: better before the run than
            after it.
    """
    path = record_path(experiment, config, seed, root)
    if not path.exists():
        if path.is_symlink():
            raise ValueError(f"{path} is a link to a file that is not there; delete it")
        return False
    read(path)
    return True


def read_all(experiment: str, root: str | os.PathLike[str] = RESULTS) -> pd.DataFrame:
    """All records of an experiment, one row each, sorted by file name; no rows if there are none.

    Columns: the fields of the record, those that are dicts opened one level ("config.model",
    "device.name", "metrics.ss_rate"), and "path". What lies deeper, as values per layer, stays in
    its cell: see `long`.

    Files that are broken, of another version, or not named after their own configuration are left
    out, each with a `RecordWarning` that names it. Raises ValueError if `experiment` cannot be a
    folder's name.

    Where the environment variable SSLIB_READS names a file, a line about the reading is added to
    it; so the book knows which records a page rests on.

    >>> read_all("no-such-experiment").empty
    True
    """
    there, wrong = _sorted_out(experiment, root)
    for why in wrong:
        warnings.warn(f"left out: {why}", RecordWarning, stacklevel=2)
    rows = []
    for path, record in there.items():
        row: dict[str, Any] = {}
        for field in FIELDS:
            value = record[field]
            opened = value if isinstance(value, dict) else {}
            row |= {f"{field}.{key}": cell for key, cell in opened.items()} or {field: value}
        rows.append(row | {"path": str(path)})
    if log := os.environ.get("SSLIB_READS"):
        entry = {
            "time": datetime.now(UTC).isoformat(),
            "experiment": experiment,
            "records": len(rows),
        }
        with open(log, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
    return pd.DataFrame(rows, columns=None if rows else ["experiment", "seed", "path"])


def found(experiment: str, root: str | os.PathLike[str] = RESULTS) -> dict[Path, dict[str, Any]]:
    """The records that `read_all` gives, as `read` does, by path.

    >>> found("no-such-experiment")
    {}
    """
    return _sorted_out(experiment, root)[0]


def left_out(experiment: str, root: str | os.PathLike[str] = RESULTS) -> list[str]:
    """What `read_all` leaves out: a line per file, which names it and says what is wrong with it.

    >>> left_out("no-such-experiment")
    []
    """
    return _sorted_out(experiment, root)[1]


def _sorted_out(
    experiment: str, root: str | os.PathLike[str]
) -> tuple[dict[Path, dict[str, Any]], list[str]]:
    found, wrong = {}, []
    for path in sorted((Path(root) / experiment_name(experiment)).glob("*.json")):
        try:
            record = read(path)
            if record_path(record["experiment"], record["config"], record["seed"], root) != path:
                raise ValueError(
                    f"{path} was moved or edited: its configuration gives another name"
                )
            found[path] = record
        except (ValueError, OSError) as error:
            wrong.append(str(error) if str(path) in str(error) else f"{path}: {error}")
    return found, wrong


def long(frame: pd.DataFrame, column: str, *, key: str = "layer") -> pd.DataFrame:
    """One row per entry of the dicts (or lists) in `column`: values per layer, tidy.

    The entry's name (or position) goes to the new column `key`, its value takes the dict's place.
    Rows without a value in `column` are dropped.

    >>> values = {"blocks.2": 0.5, "blocks.10": 0.25}
    >>> frame = pd.DataFrame({"seed": [0], "metrics.ss_rate": [values]})
    >>> long(frame, "metrics.ss_rate")
       seed      layer  metrics.ss_rate
    0     0   blocks.2             0.50
    1     0  blocks.10             0.25

    Raises:
        ValueError: there is no such column, if `key` is taken, or if a cell is neither dict nor
            list.
    """
    if column not in frame.columns:
        raise ValueError(f"column {column!r} is not among {', '.join(map(str, frame.columns))}")
    if key in frame.columns:
        raise ValueError(f"key={key!r} is a column already; choose another")
    frame = frame[frame[column].notna()]
    for cell in frame[column]:
        if not isinstance(cell, dict | list):
            raise ValueError(f"column {column!r} must hold dicts or lists, found {cell!r}")
    entries = [
        list(cell.items() if isinstance(cell, dict) else enumerate(cell)) for cell in frame[column]
    ]
    rows = np.repeat(np.arange(len(frame)), [len(entry) for entry in entries])
    repeated = frame.iloc[rows].reset_index(drop=True)
    flat = [pair for entry in entries for pair in entry]
    repeated[column] = pd.Series([value for _, value in flat], index=repeated.index)
    repeated.insert(repeated.columns.get_loc(column), key, [name for name, _ in flat])
    return repeated


def layers(runs: pd.DataFrame, column: str = "metrics.layers") -> pd.DataFrame:
    """One row per layer of every record: what it is a layer of, and the layer's numbers.

    >>> layers(read_all("no-such-experiment")).empty
    True

    Args:
        runs: as from ``read_all``; `column` holds a dict {module: {name: value}} per record.
        column: the values per layer.

    Returns:
        Columns: the configuration without its "config."; "model", the paper's name of the network
        where it has one; "family" ("" where the paper has none); "seed"; "module"; "depth", 0 for
        the first module and 1 for the last; and the layer's numbers by name.
    """
    rows = []
    for run in runs.to_dict("records"):
        own = {key.removeprefix("config."): v for key, v in run.items() if key[:7] == "config."}
        own |= _network(own.get("model")) | {"seed": run["seed"]}
        found = run[column]
        for k, (module, layer) in enumerate(found.items()):
            numbers = {name: v for name, v in layer.items() if isinstance(v, int | float)}
            depth = k / max(1, len(found) - 1)
            rows.append(own | {"module": module, "depth": depth} | numbers)
    return pd.DataFrame(rows)


def _network(name: Any) -> dict[str, str]:
    """Name and family of a network; a name that is none of Table 1's stays as it is."""
    try:
        known = find(name)
    except ValueError:
        return {"model": name, "family": ""}
    return {"model": known.name, "family": known.family}
