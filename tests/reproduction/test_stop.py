"""After a scheduler's SIGTERM: an exit code to requeue on, nothing lost, nothing half written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reproduction import records
from reproduction.paths import ROOT


def train(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "reproduction", "train", "--recipe", "quick", "--dataset", "digits"]
        + ["--models", "resnet34", "--arms", "baseline", "--results", str(folder)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a process can catch")
def test_sigterm_says_go_on_later_and_the_same_command_does(tmp_path):
    process = train(tmp_path)
    while not list(tmp_path.rglob("*.checkpoint.pt")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    assert process.returncode == 75, said
    assert "the same command goes on from here" in said
    assert not list(tmp_path.rglob("*.json"))

    process = train(tmp_path)
    process.communicate()
    assert process.returncode == 0
    assert len(records.read_all("constraint", tmp_path)) == 1
    assert not list(tmp_path.rglob("*.checkpoint.pt"))
