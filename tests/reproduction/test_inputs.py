"""A record is named by what it was made from; other images are told apart from a finished cell."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reproduction import inputs, records
from reproduction.grid import complete
from reproduction.image_sources import drawn
from reproduction.images import load_images
from reproduction.paths import RESULTS, ROOT, data_root
from reproduction.ss_rate.run import jobs, run_ss_rate
from reproduction.table_1 import find, weights_label
from reproduction.training.cells import Cell, grid
from reproduction.training.pictures import load_pictures
from reproduction.training.recipes import RECIPES

NET = {"names": ["resnet34"], "seeds": [0], "draws": [0]}


def folder(at: Path, n: int = 5, first: int = 0, test: bool = False) -> Path:
    """Noise pictures in two classes, as a folder that may have a test split."""
    parts = ["train", "test"] if test else ["."]
    for part in parts:
        for k in range(n):
            pixels = np.random.default_rng([first, k, len(part)]).integers(0, 256, (40, 40, 3))
            file = at / part / "ab"[k % 2] / f"{k}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(file)
    return at


def configs(root: Path, experiment: str = "ss-rate") -> list[dict]:
    return [record["config"] for record in records.found(experiment, root).values()]


def test_a_draw_is_told_by_its_images_and_labels(tmp_path):
    at = folder(tmp_path / "one")
    name = f"imagefolder:{at}"
    first = drawn(name, 4)
    assert first == load_images(name, 4, size=8).drawn and (first.n, first.of) == (4, 5)
    assert first != drawn(name, 3) and first != drawn(name, 4, seed=1)
    copy = shutil.copytree(at, tmp_path / "elsewhere" / "one")
    assert drawn(f"imagefolder:{copy}", 4) == first
    one = copy / "a" / "0.png"
    whole = drawn(f"imagefolder:{copy}", None).content
    one.rename(copy / "b" / "0.png")  # the same picture under another label
    assert drawn(f"imagefolder:{copy}", None).content != whole
    stored = bytearray((copy / "b" / "1.png").read_bytes())
    stored[-20] ^= 1  # as long as before
    before = drawn(f"imagefolder:{copy}", None).content
    (copy / "b" / "1.png").write_bytes(stored)
    assert drawn(f"imagefolder:{copy}", None).content != before


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_what_is_no_file_is_no_hang(tmp_path, kind):
    import os

    at = folder(tmp_path / "x")
    (at / "a" / "0.png").unlink()
    if kind == "pipe":
        os.mkfifo(at / "a" / "0.png")
    else:
        (at / "a" / "0.png").symlink_to(at)
    with pytest.raises(ValueError, match=r"no regular file|holds folders"):
        drawn(f"imagefolder:{at}", None)


def test_two_folders_of_one_name_have_two_records(tmp_path, monkeypatch):
    """`imagefolder:mine` from two working folders, and after its pictures were replaced."""
    options = {**NET, "images": "imagefolder:mine", "n_images": 4, "root": tmp_path / "results"}
    for place in ("one", "two"):
        folder(tmp_path / place / "mine", first=len(place) + ord(place[0]))
        monkeypatch.chdir(tmp_path / place)
        assert len(list(run_ss_rate(**options))) == 1
        assert list(run_ss_rate(**options)) == []
    folder(tmp_path / "two" / "mine", first=9)
    assert len(list(run_ss_rate(**options))) == 1
    found = configs(tmp_path / "results")
    assert len({config["content"] for config in found}) == 3
    assert {config["images"] for config in found} == {"imagefolder:mine"}
    written = "".join(path.read_text() for path in (tmp_path / "results").rglob("*.json"))
    assert str(tmp_path) not in written


@pytest.fixture
def sample(tmp_path, monkeypatch) -> Path:
    """A made-up imagenet-sample, with a finished record of it in tmp_path/results."""
    at = folder(tmp_path / "data" / "imagenet-sample", n=6)
    monkeypatch.setenv("SSLIB_DATA", str(tmp_path / "data"))
    options = {**NET, "images": "imagenet-sample", "n_images": 4, "root": tmp_path / "results"}
    assert len(list(run_ss_rate(**options))) == 1
    return at


def test_changed_images_are_no_finished_cell(sample, tmp_path):
    root = tmp_path / "results"
    options = {**NET, "images": "imagenet-sample", "n_images": 4}
    assert list(run_ss_rate(**options, root=root)) == []
    before = {path: path.read_bytes() for path in root.rglob("*.json")}
    (sample / "a" / "one more.png").write_bytes((sample / "a" / "0.png").read_bytes())
    more = options | {"seeds": [0, 1]}
    with pytest.raises(
        ValueError, match=r"finished records \(1\) .* of 6 images.* here: of 7 images"
    ):
        list(run_ss_rate(**more, root=root))
    with pytest.raises(ValueError, match="imagenet-sample-eval-resnet34-untrained-seed0"):
        complete(jobs(**options), root)
    assert {path: path.read_bytes() for path in root.rglob("*.json")} == before
    (sample / "a" / "one more.png").unlink()
    assert len(list(run_ss_rate(**more, root=root))) == 1


def test_images_that_are_not_here_change_nothing(sample, tmp_path):
    shutil.rmtree(sample)
    options = {**NET, "images": "imagenet-sample", "n_images": 4, "root": tmp_path / "results"}
    assert list(run_ss_rate(**options)) == []


def test_check_says_by_its_exit_code_what_is_changed(sample, tmp_path):
    command = [sys.executable, "-m", "reproduction", "check", "--results", tmp_path / "results"]

    def check(*more: str) -> tuple[int, str]:
        done = subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    assert check() == (0, "1 as recorded, 0 changed, 0 not compared\n")
    Image.new("RGB", (40, 40), "red").save(sample / "a" / "0.png")
    Image.new("RGB", (40, 40), "red").save(sample / "b" / "1.png")
    Image.new("RGB", (40, 40), "red").save(sample / "a" / "2.png")
    code, told = check("ss-rate")
    assert (
        code == 1
        and "seed0" in told
        and "content" in told
        and told.endswith("0 as recorded, 1 changed, 0 not compared\n")
    )
    shutil.rmtree(sample)
    code, told = check()
    assert code == 0 and "not compared: 1 records: imagenet-sample is not here" in told
    (path,) = (tmp_path / "results").rglob("*.json")
    path.write_text("{")
    assert check()[0] == 1
    assert check("nothing") == (2, f"nothing: {tmp_path / 'results'} has only ss-rate\n")


def test_training_on_a_folder_is_named_by_what_it_trains_on(tmp_path):
    at = folder(tmp_path / "mine", n=30, test=True)
    asked = ("quick", f"imagefolder:{at}", ["resnet34"], ["baseline", "constrained"], [0], "own")
    first = grid(*asked)
    assert {cell.config["dataset"] for cell in first} == {"imagefolder:mine"}
    assert len({cell.config["content"] for cell in first}) == 1
    pictures = load_pictures(first[0].dataset, RECIPES["quick"])
    assert "-".join(one["content"] for one in pictures.data["drawn"]) == first[0].content
    Image.new("RGB", (40, 40)).save(at / "test" / "a" / "0.png")
    assert grid(*asked)[0].config != first[0].config
    assert "content" not in Cell("quick", "digits", "resnet34", "baseline", 0).config


def test_weights_are_named_by_their_file(tmp_path):
    labels = set()
    for k, content in enumerate((b"a", b"b", b"a")):
        file = tmp_path / str(k) / "mine" / "resnet34.safetensors"
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        labels.add(weights_label(find("resnet34"), str(file.parent)))
    assert len(labels) == 2 and all(label.startswith("checkpoint:mine@") for label in labels)
    with pytest.raises(ValueError, match="there is no file .*resnet34.safetensors"):
        weights_label(find("resnet34"), str(tmp_path))


def known() -> list[dict[str, str]]:
    with open(inputs.KNOWN, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_of_every_committed_record_it_is_known_what_was_drawn():
    for experiment in sorted(path.name for path in RESULTS.iterdir() if path.is_dir()):
        for path, record in records.found(experiment).items():
            if data := record["data"]:
                assert len(inputs.drawn_for(data)) == data["fingerprint"].count("-") + 1, path
                at = {
                    key: record["config"][key]
                    for key in ("draw", "n_images")
                    if key in record["config"]
                }
                for one in inputs.drawn_for(data):
                    assert one.seed == at.get("draw", one.seed), path
                    assert data["name"] == "cifar10" or one.n == at.get("n_images", one.n), path


@pytest.mark.parametrize("row", known(), ids=lambda row: row["fingerprint"])
def test_what_was_drawn_has_the_pixels_of_the_records(row):
    """Content of files beside the fingerprint of pixels, where the images are here."""
    root, live = data_root(), ("digits", "photographs")
    if row["name"] not in live and not (root and (root / row["name"]).is_dir()):
        pytest.skip(f"{row['name']} is not here")
    images = load_images(
        row["name"],
        int(row["n"]),
        seed=int(row["seed"]),
        size=int(row["size"]),
        split=row["split"],
        crop_pct=float(row["crop_pct"]),
    )
    assert images.fingerprint == row["fingerprint"] and images.drawn
    assert (images.drawn.content, images.drawn.of) == (row["content"], int(row["of"]))
