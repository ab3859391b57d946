"""The loop that all runners share: what is done is skipped, what is new is kept."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest

from reproduction import grid, records
from reproduction.grid import Elsewhere, Job, Measurement, claim, complete, run
from reproduction.paths import ROOT

fcntl = pytest.importorskip("fcntl", reason="Windows has other locks")


def job(measured: list, seeds=(0, 1, 2)) -> Job:
    def measure(cells):
        for config, seed in cells:
            measured.append(seed)
            yield Measurement(config, seed, {"square": seed**2})

    return Job("demo", tuple(({"model": "vgg11"}, seed) for seed in seeds), measure)


def test_what_is_done_is_not_measured_again(tmp_path):
    measured: list[int] = []
    assert len(list(run([job(measured, (1,))], tmp_path))) == 1
    paths = list(run([job(measured)], tmp_path))
    assert measured == [1, 0, 2] and len(paths) == 2
    table = records.read_all("demo", tmp_path)
    assert table.set_index("seed")["metrics.square"].to_dict() == {0: 0, 1: 1, 2: 4}
    assert list(run([job(measured)], tmp_path)) == [] and len(measured) == 3


def test_a_stop_keeps_what_was_measured(tmp_path):
    measured: list[int] = []
    first = next(run([job(measured)], tmp_path))
    assert first.exists() and len(records.read_all("demo", tmp_path)) == 1


def test_a_notebook_sees_how_much_is_left(tmp_path, capsys):
    measured: list[int] = []
    assert complete([job(measured, (0,))], tmp_path, device="cpu") == 1
    assert complete([job(measured)], tmp_path, device="cpu") == 2
    assert "2/2" in capsys.readouterr().err
    assert complete([job(measured)], tmp_path, device="cpu") == 0
    assert capsys.readouterr().err == ""


def test_what_another_process_holds_is_left_to_it(tmp_path):
    measured: list[int] = []
    both = job(measured, (0, 1))
    with claim(records.record_path("demo", {"model": "vgg11"}, 0, tmp_path)) as ours:
        assert ours
        with pytest.raises(Elsewhere, match="left to other processes.*vgg11-seed0"):
            list(run([both], tmp_path))
    assert measured == [1]
    assert len(list(run([both], tmp_path))) == 1 and measured == [1, 0]
    assert not list(tmp_path.rglob(".*"))


def test_a_record_that_came_before_the_lock_is_not_made_again(tmp_path, monkeypatch):
    measured: list[int] = []

    @contextmanager
    def late(path):
        record = records.new_record("demo", {"model": "vgg11"}, 0, {"square": 0}, seconds=1.0)
        records.write(record, tmp_path)
        yield True

    monkeypatch.setattr(grid, "claim", late)
    assert list(run([job(measured, (0,))], tmp_path)) == [] and measured == []


def test_a_job_that_is_not_ready_is_left_out(tmp_path):
    measured: list[int] = []
    waiting = replace(job(measured, (0,)), ready=lambda root: (root / "needed").exists())
    with pytest.raises(Elsewhere):
        list(run([waiting], tmp_path))
    (tmp_path / "needed").touch()
    assert len(list(run([waiting], tmp_path))) == 1


HOLD = """
import sys, time
from pathlib import Path
from reproduction import grid
if {soft}:
    grid.locks_of = lambda folder: grid.SoftFileLock
with grid.claim(Path(sys.argv[1])) as ours:
    print(ours, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("soft", [False, True])
def test_the_cell_of_a_process_that_was_killed_is_free(tmp_path, monkeypatch, soft):
    """With the system's locks, and where exclusively made files stand for them."""
    path = tmp_path / "demo" / "cell.json"
    command = [sys.executable, "-c", HOLD.format(soft=soft), str(path)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert holder.stdout.readline() == "True\n"
    if soft:
        monkeypatch.setattr(grid, "locks_of", lambda folder: grid.SoftFileLock)
    with claim(path) as ours:
        assert not ours
    holder.kill()
    holder.wait()
    with claim(path) as ours:
        assert ours


def test_a_folder_without_locks_is_told(tmp_path, monkeypatch):
    def without_locks(*arguments):
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", without_locks)
    measured: list[int] = []
    with pytest.warns(UserWarning, match="no file locks in .*files made exclusively"):
        assert len(list(run([job(measured, (0,))], tmp_path))) == 1
    with claim(tmp_path / "demo" / "cell.json") as ours:  # told once
        assert ours
        with claim(tmp_path / "demo" / "cell.json") as again:
            assert not again


TWICE = {
    "ss-rate": ["--models", "resnet34", "--images", "photographs", "--n-images", "8"],
    "invariance": ["--models", "ResNet", "--images", "photographs", "--n-images", "64"],
}


@pytest.mark.parametrize("command", TWICE)
def test_two_processes_of_a_command_never_do_a_cell_twice(tmp_path, command):
    line = [sys.executable, "-m", "reproduction", command, "--seeds", "0", "1", "--device", "cpu"]
    line += [*TWICE[command], "--results", str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    both = [
        subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
        for _ in range(2)
    ]
    said = [process.communicate()[0] for process in both]
    assert {process.returncode for process in both} <= {0, 75}
    made = [name for text in said for name in text.split() if name.endswith(".json")]
    assert len(made) == 2 == len(set(made)) == len(records.read_all(command, tmp_path))
    assert not list(tmp_path.rglob(".*"))
