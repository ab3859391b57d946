"""Damaged checkpoints and folders end in one line that names the file."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from reproduction import records
from reproduction.training.checkpoint import load
from reproduction.training.recipes import RECIPES, Run

RUN = Run("resnet34", replace(RECIPES["quick"], epochs=2), 0)
STATE = {
    "run": repr(RUN),
    "network": {"weight": torch.ones(100)},
    "optimizer": {"state": {}},
    "processes": [{"begun": None, "constraint": None}],
    "epoch": 1,
    "seconds": 1.0,
    "history": {"test": [10.0]},
    "doses": [],
    "before": {},
    "by_module": {},
}


def refused(path):
    with pytest.raises(ValueError) as caught:
        load(path, RUN, "cpu")
    assert str(path) in str(caught.value) and "delete" in str(caught.value)
    return str(caught.value)


def test_a_whole_checkpoint_is_read(tmp_path):
    torch.save(STATE, tmp_path / "a.pt")
    assert load(tmp_path / "a.pt", RUN, "cpu")["epoch"] == 1
    within = {"losses": [torch.ones(())], "penalties": [], "rates": [], "doses": []}
    of_one = {"processes": [{"begun": within, "constraint": None}]}
    torch.save(STATE | of_one | {"epoch": 0, "history": {"test": []}}, tmp_path / "a.pt")
    assert load(tmp_path / "a.pt", RUN, "cpu")["epoch"] == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"run": "Run()"}, "is of Run()"),
        ({"epoch": 7}, "epoch 7 of 2"),
        ({"epoch": 2}, "history of 1"),
        ({"network": None}, "'network'"),
        ({"epoch": "1"}, "'epoch'"),
        ({"epoch": 0, "history": {"test": []}}, "epoch 0 of 2"),
        ({"processes": []}, "'processes'"),
        ({"processes": [{"begun": None}] * 2}, "'processes'"),
        (
            {
                "processes": [{"begun": {"losses": [1.0]}}],
                "epoch": 2,
                "history": {"test": [1.0, 2.0]},
            },
            "epoch 2 of 2",
        ),
    ],
)
def test_a_checkpoint_of_another_kind_is_refused(tmp_path, changed, said):
    torch.save(STATE | changed, tmp_path / "a.pt")
    assert said in refused(tmp_path / "a.pt")


def test_a_checkpoint_without_a_key_is_refused(tmp_path):
    for key in STATE:
        torch.save({k: v for k, v in STATE.items() if k != key}, tmp_path / "a.pt")
        refused(tmp_path / "a.pt")


def test_truncated_checkpoints_are_refused(tmp_path):
    path, draw = tmp_path / "a.pt", random.Random(3)
    torch.save(STATE, path)
    whole = path.read_bytes()
    for cut in [0, *(draw.randrange(1, len(whole)) for _ in range(99))]:
        path.write_bytes(whole[:cut])
        refused(path)


def test_a_link_to_nothing_is_no_missing_record(tmp_path):
    path = records.record_path("demo", {"model": "vgg11"}, 0, tmp_path)
    path.parent.mkdir()
    path.symlink_to(tmp_path / "gone.json")
    with pytest.raises(ValueError, match="link to a file that is not there"):
        records.exists("demo", {"model": "vgg11"}, 0, tmp_path)


def test_a_folder_is_tried_before_anything_is_measured(tmp_path, monkeypatch):
    records.check_folder(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="no record can be written to .*file"):
        records.check_folder(tmp_path / "file")

    def without_links(*names):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", without_links)
    with pytest.warns(UserWarning, match="no hard links in .*not permitted"):
        records.check_folder(tmp_path)
    record = records.new_record("demo", {"model": "vgg11"}, 0, {"ss_rate": 0.1}, seconds=1.0)
    path = records.write(record, tmp_path)
    assert records.read(path) == record
    with pytest.raises(FileExistsError, match="this run has its record"):
        records.write(record, tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_command_says_so_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "reproduction", "ss-rate", "--results", tmp_path / "file"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and "no record" in done.stderr
