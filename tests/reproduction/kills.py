"""Processes that are killed (SIGKILL) at seeded moments, and what their folder holds afterwards.

`python tests/reproduction/kills.py --kills 25` does it to each of `WORK`; tests do it less often.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Event
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

#: What two runs of one cell may differ in.
TIMED = {"seconds", "images_per_second", "date", "commit", "dirty"}


def training(root: Path) -> None:
    """Table 3: two seeds of a baseline and its constrained and yoked run, two epochs each."""
    from reproduction.training import cells
    from reproduction.training.recipes import RECIPES
    from reproduction.training.run import run_grid

    tiny = replace(RECIPES["quick"], epochs=2, train_images=150, test_images=50)
    cells.RECIPES = {**RECIPES, "quick": tiny}
    arms = ("baseline", "constrained:alpha=1", "yoked:of=constrained,alpha=1")
    work = [cells.Cell("quick", "digits", "resnet34", arm, seed) for seed in (0, 1) for arm in arms]
    list(run_grid(work, root=root, device="cpu"))


def table_2(root: Path) -> None:
    """Table 2: two seeds of one network on two draws of images."""
    from reproduction.ss_rate.run import run_ss_rate

    options = {"images": "digits", "n_images": 8, "device": "cpu", "root": root}
    list(run_ss_rate(["resnet34"], [0, 1], [0, 1], **options))


def invariance(root: Path) -> None:
    """Tables 4 and 5: two seeds of one network under two settings of UMAP."""
    from reproduction.invariance.run import run_invariance

    umap = {"n_components": 2, "n_neighbors": 5, "min_dist": 0.1, "seed": 3}
    options = {"settings": [umap, umap | {"n_neighbors": 8}], "n_images": 56, "size": 32}
    list(run_invariance(["ResNet"], [0, 1], ["digits"], **options, device="cpu", root=root))


WORK: dict[str, Callable[[Path], None]] = {
    "training": training,
    "table_2": table_2,
    "invariance": invariance,
}


def context() -> ForkServerContext:
    """Processes that start at once, from a server that has the imports behind it."""
    found = multiprocessing.get_context("forkserver")
    modules = ["training.run", "ss_rate.run", "invariance.run"]
    found.set_forkserver_preload(
        [f"reproduction.{name}" for name in modules]
        + ["timm", "torchvision", "sklearn.datasets", "umap"]
    )
    return found


def worker(name: str, root: Path, threads: int, begun: Event | None) -> None:
    import torch

    torch.set_num_threads(threads)
    if begun:
        begun.set()
    WORK[name](root)


def contents(root: Path) -> dict[str, str]:
    """File -> what its record says beside times, as text, every digit included.

    Raises ValueError for what is no record, or stands under another's name.
    """
    from reproduction import records

    found = {}
    for path in sorted(root.rglob("[!.]*.json")):
        record = records.read(path)
        named = records.record_path(record["experiment"], record["config"], record["seed"], root)
        if path != named:
            raise ValueError(f"{path} should be {named}")
        found[str(path.relative_to(root))] = json.dumps(_untimed(record))
    return found


def _untimed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _untimed(one) for key, one in value.items() if key not in TIMED}
    return [_untimed(one) for one in value] if isinstance(value, list) else value


def killed(name: str, folder: Path, kills: int, seed: int = 0, threads: int = 1) -> dict[str, int]:
    """Kill a command of `WORK` so often, each time going on in the folder that it left.

    Checks after every kill that each record is whole, bears its name and is the one that it was;
    at the end, that the folder holds the records of a run that nobody disturbed, to the last digit,
    and nothing else.

    Args:
        name: of `WORK`.
        folder: an empty one.
        kills: how often.
        seed: of the moments.
        threads: of PyTorch, for all.

    Returns:
        "kills", "rounds" (times that all was done and begun again), "records" (of one round),
        "resumed" (kills that left some records, but not all).
    """
    processes, moments = context(), random.Random(seed)
    undisturbed = folder / "undisturbed"
    begun = processes.Event()
    process = processes.Process(target=worker, args=(name, undisturbed, threads, begun))
    process.start()
    begun.wait()
    start = time.perf_counter()
    process.join()
    length, whole = time.perf_counter() - start, contents(undisturbed)
    assert process.exitcode == 0 and whole
    told = {"kills": 0, "rounds": 0, "records": len(whole), "resumed": 0}
    root = folder / "0"
    while told["kills"] < kills:
        before = contents(root)
        begun = processes.Event()
        process = processes.Process(target=worker, args=(name, root, threads, begun))
        process.start()
        begun.wait()
        process.join(moments.uniform(0, length * 0.7))
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            told["kills"] += process.exitcode == -signal.SIGKILL
        found = contents(root)
        assert before.items() <= found.items() <= whole.items()
        told["resumed"] += 0 < len(found) < len(whole)
        if len(found) == len(whole):
            told["rounds"] += 1
            _complete(processes, name, root, threads, whole)
            root = folder / str(told["rounds"])
    _complete(processes, name, root, threads, whole)
    return told


def _complete(
    processes: ForkServerContext, name: str, root: Path, threads: int, whole: dict[str, str]
) -> None:
    """Let the command finish, and look at all that is in the folder then."""
    process = processes.Process(target=worker, args=(name, root, threads, None))
    process.start()
    process.join()
    assert process.exitcode == 0 and contents(root) == whole
    # A kill between a record and the end of its checkpoint or lock leaves those, hidden.
    kept = {path.name for path in root.rglob("*") if path.is_file() and path.name[0] != "."}
    records = {Path(name).name for name in whole}
    assert kept - records <= {Path(name).with_suffix(".npz").name for name in records}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=25, help="of each")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", nargs="+", choices=WORK, default=[*WORK])
    asked = parser.parse_args()
    for name in asked.work:
        with TemporaryDirectory() as folder:
            start = time.perf_counter()
            told = killed(name, Path(folder), asked.kills, asked.seed, asked.threads)
            print(f"{name}: {told}, {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    # Under its own name, by which the processes find it.
    sys.path.insert(0, str(Path(__file__).parent))
    from kills import main as run

    run()
