"""Damaged checkpoints and folders end in one line that names the file."""

from __future__ import annotations

import errno
import io
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from filled import filled

from reproduction import records
from reproduction.training.checkpoint import load, save
from reproduction.training.loop import train
from reproduction.training.pictures import load_pictures
from reproduction.training.recipes import RECIPES, Run

RUN = Run("resnet34", replace(RECIPES["quick"], epochs=2), 0)
STATE = {
    "run": repr(RUN),
    "images": "0a",
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


def stored(path):
    """The state in a file, unchecked."""
    return torch.load(io.BytesIO(path.read_bytes()[:-32]), weights_only=True)


def refused(path):
    with pytest.raises(ValueError) as caught:
        load(path, RUN, "0a", "cpu")
    assert str(path) in str(caught.value) and "delete" in str(caught.value)
    return str(caught.value)


def test_a_whole_checkpoint_is_read(tmp_path):
    save(tmp_path / "a.pt", STATE)
    assert load(tmp_path / "a.pt", RUN, "0a", "cpu")["epoch"] == 1
    within = {"losses": [torch.ones(())], "penalties": [], "rates": [], "doses": []}
    of_one = {"processes": [{"begun": within, "constraint": None}]}
    save(tmp_path / "a.pt", STATE | of_one | {"epoch": 0, "history": {"test": []}})
    assert load(tmp_path / "a.pt", RUN, "0a", "cpu")["epoch"] == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"run": "Run()"}, "is of Run()"),
        ({"images": "1b"}, r"is of other images (1b) than those here (0a); put them back"),
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
    save(tmp_path / "a.pt", STATE | changed)
    assert said in refused(tmp_path / "a.pt")


def test_a_checkpoint_without_a_key_is_refused(tmp_path):
    for key in STATE:
        save(tmp_path / "a.pt", {k: v for k, v in STATE.items() if k != key})
        refused(tmp_path / "a.pt")


def test_truncated_checkpoints_are_refused(tmp_path):
    path, draw = tmp_path / "a.pt", random.Random(3)
    save(path, STATE)
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

    def full(*names):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(ValueError, match="No space left"):
        records.check_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.fixture
def without_links(monkeypatch):
    """A file system that has no hard links."""

    def refuse(*names):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)


def test_records_need_no_hard_links(tmp_path, without_links, monkeypatch):
    record = records.new_record("demo", {"model": "vgg11"}, 0, {"a": 1}, seconds=1.0)
    records.check_folder(tmp_path)
    path = records.write(record, tmp_path)
    assert records.read(path) == record
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="has its record"):
        records.write(record | {"seconds": 2.0}, tmp_path)
    assert path.read_bytes() == before and [*path.parent.iterdir()] == [path]
    path.unlink()

    def refuse(*names):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="Input/output"):
        records.write(record, tmp_path)
    assert [*path.parent.iterdir()] == []


def test_of_many_writers_without_hard_links_one_succeeds(tmp_path, without_links):
    made = [
        records.new_record("demo", {"model": "vgg11"}, 0, {"a": k}, seconds=1.0) for k in range(8)
    ]

    def write(record):
        try:
            return records.write(record, tmp_path) and record
        except FileExistsError:
            return None

    with ThreadPoolExecutor(8) as pool:
        (kept,) = [record for record in pool.map(write, made) if record]
    (path,) = tmp_path.rglob("*.*")
    assert records.read(path) == kept


def test_what_a_killed_writer_leaves_without_hard_links_is_named(tmp_path):
    path = records.record_path("demo", {"model": "vgg11"}, 0, tmp_path)
    path.parent.mkdir()
    path.touch()
    with pytest.raises(ValueError, match=r"vgg11.* it is empty, .* delete it"):
        records.exists("demo", {"model": "vgg11"}, 0, tmp_path)


def test_a_record_that_could_not_be_read_is_not_written(tmp_path, monkeypatch):
    config = {"model": "resnet34", "recipe": "quick", "dataset": "digits", "arm": "baseline"}
    wrong = filled("constraint", {"top1_last": "x"})
    for metrics, said in (({}, "metrics.top1_last is missing"), (wrong, "top1_last: expected a n")):
        record = records.new_record("constraint", config, 0, metrics, seconds=1.0)
        with pytest.raises(ValueError, match=said) as caught:
            records.write(record, tmp_path)
        assert "not written" in str(caught.value) and [*tmp_path.rglob("*")] == []
    monkeypatch.setattr(records, "LARGEST_FILE", 1000)
    record = records.new_record("demo", {}, 0, {"list": [0.1] * 200}, seconds=1.0)
    with pytest.raises(ValueError, match="more bytes than"):
        records.write(record, tmp_path)
    assert [*tmp_path.rglob("*")] == []


@pytest.mark.parametrize("damage", ["truncated", "of another network", "of other images"])
def test_a_run_begins_anew_only_when_told_to(tmp_path, damage):
    """And then it is the run that it would have been."""
    pictures = load_pictures("digits", RUN.recipe)
    whole = train(RUN, pictures)
    path, later = tmp_path / "a.pt", time.time() + 3600
    assert train(RUN, pictures, checkpoint=path, deadline=0) is None
    train(replace(RUN, seed=1), pictures, checkpoint=path, deadline=later)
    state = stored(path) | {"run": repr(RUN)}
    if damage == "of another network":
        state["network"] = {"weight": torch.ones(3)}
    if damage == "of other images":
        state["images"] = "0a"
    save(path, state)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"a\.pt .*--anew"):
        train(RUN, pictures, checkpoint=path)
    assert path.read_bytes() == before
    with pytest.warns(UserWarning, match=r"begun anew, as checkpoint .*a\.pt"):
        again = train(RUN, pictures, checkpoint=path, anew=True)
    for key in ("top1_last", "ss_rate_train", "ss_rate_probe"):
        assert again[key] == whole[key]
    assert stored(path)["epoch"] == RUN.recipe.epochs


def test_the_command_says_so_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "reproduction", "ss-rate", "--results", tmp_path / "file"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and "no record" in done.stderr
