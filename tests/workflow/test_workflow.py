"""The workflow under Snakemake: on a laptop, with GPUs that are pretended, on a Slurm of this
machine; disturbed in every way that a cluster knows, it ends with each record once, bit by bit that
of an undisturbed run.

`make cluster-test` runs it. The cells are real, of the recipe "quick" cut to a second (tiny.py).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from reproduction import grids, records
from reproduction.paths import RESULTS, ROOT

SNAKEMAKE = os.environ.get("SNAKEMAKE") or shutil.which("snakemake")
if SNAKEMAKE:
    SNAKEMAKE = str(Path(SNAKEMAKE).absolute())
pytestmark = pytest.mark.skipif(not SNAKEMAKE, reason="no Snakemake here: make cluster-test")

PAIR = {
    "recipe": "quick",
    "dataset": "digits",
    "models": ["resmlp_12_224"],
    "arms": ["baseline", "constrained:alpha=1"],
    "seeds": [0],
    "gamma": "own",
}
TRAINING = {"table_3": [PAIR, PAIR | {"arms": ["baseline"], "seeds": [1]}]}
OTHERS = {
    "table_2": [{"models": ["resnet34"], "seeds": [0, 1], "images": "photographs", "n_images": 8}],
    "tables_4_and_5": [
        {"models": ["ResNet"], "seeds": [0, 1], "images": ["photographs"], "n_images": 64}
    ],
}
TIMED = {"seconds", "images_per_second"}
#: Seconds for what a quiet machine does in a few: others may use this one.
LIMIT = 1800
Mishap = Callable[["Bench", subprocess.Popen], None]


class Bench:
    """A grid with a folder of results, and the Snakemake that works on it."""

    def __init__(self, folder: Path, grid: dict, profile: str = "laptop", *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.results, self.ledger = folder / "results", folder / "ledger"
        self.ledger.touch()
        self.lost: list[str] = []
        self.grid = folder / "grid.yaml"
        self.grid.write_text(yaml.safe_dump(grid), encoding="utf-8")
        self.python = folder / "python"
        tiny = Path(__file__).with_name("tiny.py")
        self.python.write_text(f'#!/bin/sh\nexec {sys.executable} {tiny} "$@"\n')
        self.python.chmod(0o755)
        config = [f"grid={self.grid}", f"results={self.results}", f"python={self.python}"]
        self.command = [SNAKEMAKE, "--profile", f"workflow/profiles/{profile}", *options]
        self.command += ["--config", *config]
        self.environment = {**os.environ, "LEDGER": str(self.ledger), "PYTHONPATH": str(ROOT)}
        self.log = folder / "snakemake.log"

    def start(self, *options: str) -> subprocess.Popen:
        with open(self.log, "a", encoding="utf-8") as log:
            return subprocess.Popen(
                [*self.command, *options],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, *options: str) -> int:
        return self.start(*options).wait(LIMIT)

    def finish(self) -> None:
        """Call it until nothing is left, as one does whose jobs have outlived Snakemake."""
        for _ in range(20):
            assert self.run("--unlock") == 0
            if self.run() == 0 and not self.lacking():
                return
        raise AssertionError(self.log.read_text(encoding="utf-8")[-4000:])

    def lacking(self) -> list[str]:
        cells = grids.load(self.grid, self.results)
        return [cell.record for cell in cells if not (self.results / cell.record).exists()]

    def lose(self, chance: random.Random) -> None:
        """Delete a record that no other needs."""
        cells = grids.load(self.grid, self.results)
        needed = {need for cell in cells for need in cell.needs}
        record = chance.choice([cell.record for cell in cells if cell.record not in needed])
        (self.results / record).unlink()
        self.lost.append(record)

    def measured(self) -> list[list[str]]:
        return [line.split() for line in self.ledger.read_text(encoding="utf-8").splitlines()]

    def cells(self) -> list[psutil.Process]:
        """The processes that measure now, whosever children they are."""
        found = []
        for process in psutil.process_iter():
            try:
                line = process.cmdline()
            except psutil.Error:
                continue
            words = ("-m", "reproduction", str(self.results))
            if "python" in Path(line[0] if line else "").name and all(w in line for w in words):
                found.append(process)
        return found

    def at_work(self) -> list[psutil.Process]:
        """Those of them that hold a cell, past their imports."""
        found = []
        for process in self.cells():
            with contextlib.suppress(psutil.Error):
                if any(file.path.endswith(".lock") for file in process.open_files()):
                    found.append(process)
        return found

    def end(self) -> None:
        """Kill whatever still works on the grid: jobs that have outlived their Snakemake."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("LEDGER") == str(self.ledger):
                    process.kill()

    def measures(self, process: subprocess.Popen) -> bool:
        """Wait for a cell that is being measured: whether there is one before the process ends."""
        until(lambda: process.poll() is not None or self.at_work())
        return process.poll() is None


def until(there: Callable[[], object]) -> None:
    end = time.monotonic() + LIMIT
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)


def metrics(results: Path) -> dict[str, str]:
    """Name of a record -> what it measured, without what a clock said."""
    found = {}
    for path in sorted(results.glob("*/*.json")):
        measured = records.read(path)["metrics"]
        history = measured.get("history", {})
        kept = {key: value for key, value in measured.items() if key not in TIMED | {"history"}}
        kept["history"] = {key: value for key, value in history.items() if key not in TIMED}
        found[path.relative_to(results).as_posix()] = repr(kept)
    return found


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory) -> Callable[[dict], Path]:
    """Grid -> the results of its commands, one after another and without Snakemake."""
    known: dict[str, Path] = {}

    def run(grid: dict) -> Path:
        key = json.dumps(grid)
        if key not in known:
            bench = Bench(tmp_path_factory.mktemp("undisturbed"), grid)
            for cell in grids.load(bench.grid, bench.results):
                command = [bench.python, "-m", "reproduction", *cell.command]
                subprocess.run(
                    [*map(str, command), "--results", str(bench.results)],
                    cwd=ROOT,
                    env={**bench.environment, "OMP_NUM_THREADS": "1"},
                    check=True,
                    capture_output=True,
                )
            known[key] = bench.results
        return known[key]

    return run


def whole(bench: Bench, undisturbed: Path) -> None:
    """None lost, none doubled, none begun and left, each bit by bit what it should be."""
    expected = metrics(undisturbed)
    until(lambda: not bench.cells())  # one whose record is there may be about to end
    assert metrics(bench.results) == expected
    assert Counter(line[0] for line in bench.measured()) == Counter([*expected, *bench.lost])
    left = [path.name for path in bench.results.glob("*/.*") if path.suffix != ".log"]
    assert not left


# --- what is to be done ---


@pytest.mark.parametrize("done", [False, True])
def test_the_papers_grid_is_listed_in_seconds(tmp_path, done):
    """630 cells to be done, or nothing but to tell that the records are others', as they are here;
    in processor seconds, as others may use the machine.
    """
    cells = grids.load(ROOT / "workflow" / "grids" / "paper.yaml")
    record = min((RESULTS / "constraint").glob("*.json"))
    for cell in cells if done else ():
        (tmp_path / cell.record).parent.mkdir(exist_ok=True)
        shutil.copy(record, tmp_path / cell.record)
    command = [SNAKEMAKE, "--profile", "workflow/profiles/laptop", "--dry-run", "--config"]
    command += ["grid=paper", f"results={tmp_path}", f"python={sys.executable}"]
    before = os.times()
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    after = os.times()
    assert said.returncode == 0, said.stderr
    text = said.stdout + said.stderr
    assert ("Nothing to be done" in text) == done
    assert len(set(re.findall(r"^changed since: (constraint/\S+): ", text, re.M))) == 540 * done
    if not done:
        jobs = dict(re.findall(r"^(table\w+)\s+(\d+)$", text, re.MULTILINE))
        assert jobs == {"table_2": "45", "table_3": "540", "tables_4_and_5": "45"}
    spent = after.children_user + after.children_system
    assert spent - before.children_user - before.children_system < 10


# --- laptop ---


def terminate(bench: Bench, _: subprocess.Popen) -> None:
    for process in bench.at_work()[:1]:
        process.terminate()


def kill(bench: Bench, _: subprocess.Popen) -> None:
    for process in bench.at_work()[:1]:
        process.kill()


def kill_snakemake(_: Bench, process: subprocess.Popen) -> None:
    """Its jobs live on without it."""
    os.kill(process.pid, signal.SIGKILL)


def disturbed(bench: Bench, chance: random.Random, mishaps: list[Mishap]) -> None:
    """The mishaps one after another, each while a cell is being measured; then the same command
    until nothing is left.
    """
    process = bench.start()
    try:
        for mishap in mishaps:
            time.sleep(chance.uniform(0, 5))
            for _ in range(20):
                if bench.measures(process):
                    break
                bench.run("--unlock")
                if not bench.lacking():  # all done before the last mishap: lose a record, go on
                    bench.lose(chance)
                process = bench.start()
            else:
                raise AssertionError(bench.log.read_text(encoding="utf-8")[-4000:])
            mishap(bench, process)
            if mishap is kill_snakemake:
                process.wait()
        process.wait(LIMIT)
        bench.finish()
    finally:
        bench.end()


rounds = pytest.mark.parametrize("round_", range(int(os.environ.get("ROUNDS", 10))))


@rounds
def test_chaos_on_a_laptop(tmp_path, undisturbed, round_):
    """In each round two mishaps, and then the same command until nothing is left."""
    chance, bench = random.Random(round_), Bench(tmp_path, TRAINING)
    disturbed(bench, chance, chance.sample([terminate, kill, kill_snakemake], 2))
    whole(bench, undisturbed(TRAINING))


@rounds
def test_chaos_in_other_tables(tmp_path, undisturbed, round_):
    chance, bench = random.Random(round_), Bench(tmp_path, OTHERS)
    disturbed(bench, chance, chance.sample([terminate, kill, kill_snakemake], 2))
    whole(bench, undisturbed(OTHERS))


def test_an_edit_of_the_workflow_makes_nothing_again(tmp_path, undisturbed):
    """Nor does a command that is told to, or a newer baseline."""
    bench = Bench(tmp_path, TRAINING)
    shutil.copytree(undisturbed(TRAINING), bench.results)
    for path in bench.results.glob("*/baseline*.json"):
        os.utime(path)
    stamps = {path: path.stat().st_mtime_ns for path in bench.results.glob("*/*.json")}
    for options in ([], ["--forceall"], ["--rerun-triggers", "code", "params", "input", "mtime"]):
        assert bench.run(*options) == 0
    assert {path: path.stat().st_mtime_ns for path in bench.results.glob("*/*.json")} == stamps
    assert not bench.measured() and len(stamps) == 3
    told = "changed since: .*: epochs was 4, it is 6 by now"  # tiny.py has shortened the runs only
    assert len(re.findall(told, bench.log.read_text(encoding="utf-8"))) >= 3 * 3


# --- a box with GPUs ---


def test_each_cell_has_a_gpu_of_its_own(tmp_path, undisturbed):
    """Four pretended ones: which each cell saw, and when."""
    bench = Bench(tmp_path, TRAINING, "gpubox", "--set-resources", "table_3:gpu=1")
    assert bench.run() == 0
    seen = [(gpu, float(start), float(end)) for _, gpu, start, end, _ in bench.measured()]
    assert {gpu for gpu, *_ in seen} <= {"0", "1", "2", "3"} and len(seen) == 3
    for k, (gpu, start, end) in enumerate(seen):
        others = [(s, e) for g, s, e in seen[:k] if g == gpu]
        assert all(end <= s or e <= start for s, e in others)
    whole(bench, undisturbed(TRAINING))


# --- Slurm ---


@pytest.fixture(scope="module")
def slurm(tmp_path_factory) -> Iterator[str]:
    """A Slurm of two nodes on this machine: its folder."""
    folder, script = tmp_path_factory.mktemp("slurm"), str(ROOT / "workflow" / "slurm_here.sh")
    up = subprocess.run(["bash", script, "up", str(folder)], capture_output=True, text=True)
    if up.returncode == 3:
        pytest.skip(up.stderr.strip())
    assert up.returncode == 0, up.stderr
    yield str(folder)
    subprocess.run(["bash", script, "down", str(folder)], check=True)


def call(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout


def running() -> list[str]:
    return call("squeue", "--noheader", "--states=running", "--format=%A").split()


def cancel(bench: Bench, process: subprocess.Popen) -> None:
    for job in running()[:1]:
        call("scancel", job)


def requeue(bench: Bench, process: subprocess.Popen) -> None:
    for job in running()[:1]:
        call("scontrol", "requeue", job)


def lose_a_node(bench: Bench, process: subprocess.Popen) -> None:
    """Its jobs are killed and put back into the queue; it comes back."""
    call("scontrol", "update", "nodename=here1", "state=down", "reason=chaos")
    until(lambda: not call("squeue", "--noheader", "--nodelist=here1", "--states=running"))
    call("scontrol", "update", "nodename=here1", "state=resume")


SLURM = {
    "table_3": [PAIR | {"models": ["resmlp_12_224", "vit_small_patch16_224"], "seeds": [0, 1]}]
}


def test_chaos_on_slurm(slurm, tmp_path, undisturbed):
    """Ten mishaps in the course of a grid: Snakemake killed, jobs cancelled and requeued, cells
    killed, a node lost and brought back.
    """
    options = ["--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "10"]
    options += ["--default-resources", "slurm_partition=here", "--set-resources"]
    options += ["table_3:mem_mb=1000", "--slurm-status-command", "squeue"]
    bench, chance = Bench(tmp_path, SLURM, "slurm", *options), random.Random(20)
    mishaps = [kill_snakemake, cancel, requeue, lose_a_node, kill] * 2
    chance.shuffle(mishaps)
    disturbed(bench, chance, mishaps)
    whole(bench, undisturbed(SLURM))
    assert {node for *_, node in bench.measured()} == {"here1", "here2"}
