"""What a run ran on: the commit, the versions of the libraries, the device."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproduction.paths import ROOT

if TYPE_CHECKING:
    import torch


@cache
def provenance() -> dict[str, Any]:
    """What code this process runs: commit, whether tracked files differ from it, versions of the
    libraries.

    Looked up once per process; a long run calls it at its start, before the checkout can move on.
    ``commit`` and ``dirty`` are None outside a git checkout, a version is None for what is not
    installed.

    >>> sorted(provenance())
    ['commit', 'dirty', 'versions']
    """
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in ("numpy", "sslib", "timm", "torch", "torchvision"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    commit = _git("rev-parse", "HEAD")
    # Untracked files do not count: the records of the same grid are among them.
    changes = _git("status", "--porcelain", "--untracked-files=no")
    dirty = None if commit is None or changes is None else bool(changes)
    return {"commit": commit, "dirty": dirty, "versions": versions}


def describe_device(device: str | torch.device) -> dict[str, Any]:
    """Type, name and CPU threads of a device, as a record keeps them; ValueError if it cannot be
    used here.

    >>> describe_device("cpu")["type"]
    'cpu'
    """
    import torch

    try:
        kind = torch.device(device)
        name = torch.cuda.get_device_name(kind) if kind.type == "cuda" else _cpu_name()
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ValueError(f"device={device!r} is not usable here: {error}") from error
    return {"type": kind.type, "name": name, "threads": torch.get_num_threads()}


def names(devices: Iterable[tuple[str, str]]) -> str:
    """Types and names of devices, as records have them, for a reader: each once, plainly named.

    >>> names([("cpu", "Intel(R) Xeon(R) Processor"), ("cuda", "NVIDIA H100")])
    'CPU (Intel Xeon); NVIDIA H100'
    """
    found = set()
    for kind, name in devices:
        for decoration in ("(R)", "(TM)", "Processor", "CPU"):
            name = name.replace(decoration, "")
        plain = " ".join(name.split())
        found.add(plain if kind == "cuda" else f"CPU ({plain})")
    return "; ".join(sorted(found))


def _cpu_name() -> str:
    try:
        found = re.search(
            r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE
        )
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _git(*arguments: str) -> str | None:
    # Only the checkout itself: an installed package may lie within somebody else's repository.
    if not (ROOT / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
