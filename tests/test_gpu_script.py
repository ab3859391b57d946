"""The script that fills an hour of a GPU, rehearsed on a CPU."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile

import pytest

from reproduction import records
from reproduction.paths import ROOT
from reproduction.training.plans import load, names

SCRIPT = ROOT / "benchmarks" / "gpu.sh"

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


def call(*arguments, **environment):
    return subprocess.run(
        ["bash", str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"PY": sys.executable} | environment,
        timeout=600,
    )


def test_a_rehearsal_ends_in_one_archive_that_merges_with_cp(tmp_path):
    done = call("--rehearse", "--minutes", 9, tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    plans = [name for name in names() if load(name).recipe.size == 224]
    steps = ["tests", "constraint", "throughput", *plans]
    summary = (tmp_path / "run" / "summary.txt").read_text().splitlines()
    assert summary == [f"{name}: exit status 0" for name in steps] and len(plans) == 3

    (tmp_path / "elsewhere").mkdir()
    with tarfile.open(tmp_path / "run.tar.gz") as archive:
        archive.extractall(tmp_path / "elsewhere", filter="data")
    merged = tmp_path / "merged"
    shutil.copytree(tmp_path / "elsewhere" / "run" / "results", merged)
    (speed,) = records.read_all("benchmark-throughput", merged).to_dict("records")
    assert 0 < speed["metrics.training_images_per_second"]
    assert 0 < speed["metrics.resident_images_per_second"]
    assert len(records.read_all("benchmark-constraint", merged)) == 1
    for plan in plans:  # as far as a tenth of a minute goes: a record, or where to go on
        assert list((merged / f"rehearsal-{plan}").glob("*.json")) or list(
            (merged / f"rehearsal-{plan}").glob(".*.checkpoint.pt")
        )


def test_without_minutes_the_plans_say_so_and_nothing_is_lost(tmp_path):
    """A step that fails is named, the others are done, and the archive is written all the same."""
    broken = tmp_path / "python"
    broken.write_text(
        f'#!/bin/sh\ncase "$*" in *throughput*) echo "no images here"; exit 3;; '
        f'*pytest*|*constraint.py*) exit 0;; esac\nexec {sys.executable} "$@"\n'
    )
    broken.chmod(0o755)
    done = call("--rehearse", "--minutes", 0, tmp_path / "run", PY=str(broken))
    assert done.returncode == 1 and "no images here" in done.stdout
    summary = (tmp_path / "run" / "summary.txt").read_text()
    assert "throughput: exit status 3" in summary and summary.count("no time left") == 3
    assert (tmp_path / "run.tar.gz").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--minutes", "soon"), "--minutes: expected a number, got soon"),
        (("--hours", "1"), "unknown option --hours"),
    ],
)
def test_bad_arguments(tmp_path, arguments, message):
    done = call(*arguments, tmp_path / "run")
    assert done.returncode == 2 and message in done.stderr


def test_images_that_are_missing_are_named_before_anything_runs(tmp_path):
    """With a stand-in for torch that says there is a GPU."""
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\ncase "$*" in *is_available*) exit 0;; esac\nexec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    done = call(tmp_path / "run", PY=str(python), SSLIB_DATA=str(tmp_path / "empty"))
    assert done.returncode == 2
    assert "the plans train on Imagenette" in done.stderr and "is not a folder" in done.stderr
    assert not (tmp_path / "run" / "summary.txt").exists()
