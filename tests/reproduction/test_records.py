"""Records: exact round trips, written whole or not at all, damaged ones named and left alone."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from reproduction import machine
from reproduction.records import (
    RecordWarning,
    exists,
    long,
    new_record,
    provenance,
    read,
    read_all,
    record_path,
    write,
)
from reproduction.records import layers as layers_of

CONFIG = {
    "model": "vgg11",
    "n": 64,
    "alpha": 1e-4,
    "layers": ["features.1", "features.4"],
    "extra": None,
}


def make(seed: int = 0, metrics: dict | None = None, config: dict = CONFIG) -> dict:
    return new_record(
        "table2", config, seed, {"mean": 0.1} if metrics is None else metrics, seconds=1.25
    )


# --- what a record says ---


def test_a_record_describes_its_run():
    data = {"name": "digits", "fingerprint": "0a"}
    record = new_record("table2", CONFIG, 3, {"mean": 0.5}, data=data, device="cpu", seconds=2)
    assert record["schema"] == 1 and record["experiment"] == "table2" and record["seed"] == 3
    assert record["config"] == CONFIG and record["data"] == data
    assert record["device"]["type"] == "cpu" and record["device"]["name"]
    assert record["device"]["threads"] == torch.get_num_threads()
    assert set(record["versions"]) == {"python", "numpy", "sslib", "timm", "torch", "torchvision"}
    assert record["versions"]["numpy"] == np.__version__
    date = datetime.fromisoformat(record["date"])
    assert date.utcoffset() == timedelta(0) and abs(datetime.now(UTC) - date) < timedelta(minutes=1)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false"]
    return subprocess.check_output(["git", *identity, *arguments], cwd=folder, text=True).strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for variable in [
        name for name in os.environ if name.startswith("GIT_")
    ]:  # as set while a hook runs
        monkeypatch.delenv(variable)
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    yield tmp_path
    provenance.cache_clear()


def look() -> tuple[str | None, bool | None]:
    provenance.cache_clear()
    found = provenance()
    return found["commit"], found["dirty"]


def test_commit_and_dirty_flag_follow_the_checkout(checkout):
    assert look() == (None, None)  # no repository
    git(checkout, "init", "-q")
    assert look() == (None, None)  # no commit
    (checkout / "code.py").write_text("a = 1\n")
    git(checkout, "add", ".")
    git(checkout, "commit", "-qm", "first")
    head = git(checkout, "rev-parse", "HEAD")
    assert len(head) == 40 and look() == (head, False)
    (checkout / "result.json").write_text("{}")  # untracked, as the records of a running grid are
    assert look() == (head, False)
    (checkout / "code.py").write_text("a = 2\n")
    assert look() == (head, True)


def test_an_enclosing_repository_is_not_ours(checkout, monkeypatch):
    git(checkout, "init", "-q")
    git(checkout, "commit", "-qm", "first", "--allow-empty")
    (checkout / "site-packages").mkdir()
    monkeypatch.setattr(machine, "ROOT", checkout / "site-packages")
    assert look() == (None, None)


def test_without_git_there_is_no_commit(checkout, monkeypatch):
    git(checkout, "init", "-q")
    git(checkout, "commit", "-qm", "first", "--allow-empty")
    monkeypatch.setenv("PATH", "")
    assert look() == (None, None)


def test_records_do_not_share_state():
    first = make()
    first["versions"]["torch"] = "changed"
    assert make()["versions"]["torch"] != "changed"


# --- round trips ---


def test_numbers_survive_exactly(tmp_path):
    values = [
        0.1,
        1 / 3,
        1e-300,
        5e-324,
        2**53 + 1,
        -0.0,
        1.7976931348623157e308,
        0.1 + 0.2,
        True,
        None,
    ]
    record = make(metrics={"values": values, "nested": {"b": {"z": 0.1 + 0.2, "a": "text äß"}}})
    back = read(write(record, tmp_path))
    assert back == record
    assert [repr(value) for value in back["metrics"]["values"]] == [repr(value) for value in values]


def test_nan_and_infinities_survive_in_strict_json(tmp_path):
    metrics = {"nan": math.nan, "layers": {"a": math.inf, "b": [-math.inf, 1.0]}}
    path = write(make(metrics=metrics), tmp_path)
    text = path.read_text()
    assert '"nan": "NaN"' in text and '"a": "Infinity"' in text and '"-Infinity"' in text
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    back = read(path)["metrics"]
    assert math.isnan(back["nan"]) and back["layers"] == {"a": math.inf, "b": [-math.inf, 1.0]}


def test_numpy_and_torch_values_become_python_numbers(tmp_path):
    metrics = {
        "float32": np.float32(0.1),
        "float64": np.float64(0.1),
        "int": np.int64(3),
        "bool": np.bool_(True),
        "tensor": torch.tensor(0.1, requires_grad=True),
        "half": torch.tensor(0.5, dtype=torch.bfloat16),
        "row": torch.arange(3),
        "array": np.array([0.5, np.nan]),
    }
    record = make(metrics=metrics, config={"n": np.int64(4), "sizes": (1, 2)})
    back = read(write(record, tmp_path))
    assert {type(value) for value in back["metrics"].values()} == {float, int, bool, list}
    assert back["metrics"]["float32"] == back["metrics"]["tensor"] == float(np.float32(0.1))
    assert back["metrics"]["row"] == [0, 1, 2] and math.isnan(back["metrics"]["array"][1])
    assert back["config"] == {"n": 4, "sizes": [1, 2]}


def test_keys_are_sorted_but_layers_keep_their_order(tmp_path):
    layers = {"stem": 0.1, "blocks.2": 0.2, "blocks.10": 0.3}
    path = write(make(metrics={"ss_rate": layers}), tmp_path)
    stored = json.loads(path.read_text())
    assert list(stored) == sorted(stored) and list(stored["config"]) == sorted(CONFIG)
    assert list(read(path)["metrics"]["ss_rate"]) == list(layers)


def test_the_same_record_gives_the_same_bytes(tmp_path):
    record = make()
    shuffled = dict(reversed(record.items())) | {"config": dict(reversed(CONFIG.items()))}
    assert (
        write(record, tmp_path / "a").read_bytes() == write(shuffled, tmp_path / "b").read_bytes()
    )


# --- names ---


def test_the_path_depends_on_configuration_and_seed_only(tmp_path):
    path = record_path("table2", CONFIG, 0, tmp_path)
    assert path.parent == tmp_path / "table2" and path.name.startswith("vgg11-seed0-")
    assert path == record_path("table2", dict(reversed(CONFIG.items())), np.int64(0), str(tmp_path))
    assert path == write(make(), tmp_path)
    other_alpha = record_path("table2", CONFIG | {"alpha": 2e-4}, 0, tmp_path)
    assert len({path, other_alpha, record_path("table2", CONFIG, 1, tmp_path)}) == 3


def test_names_of_files_stay_short_and_plain(tmp_path):
    config = {"data": "imagefolder:/home/ä b/../c", "long": "x" * 300}
    name = write(make(config=config), tmp_path).name
    assert name.startswith("imagefolder-home-b-..-c-xxx") and len(name) < 100
    assert write(make(config={}), tmp_path).name.startswith("seed0-")


# --- written whole or not at all ---


def test_an_existing_record_is_never_replaced(tmp_path):
    path = write(make(metrics={"mean": 0.1}), tmp_path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match=path.name):
        write(make(metrics={"mean": 0.9}), tmp_path)
    assert path.read_bytes() == before and list(tmp_path.rglob("*")) == [path.parent, path]


@pytest.mark.parametrize("step", ["fsync", "link"])
def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch, step):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            write(make(), tmp_path)
    assert not [entry for entry in tmp_path.rglob("*") if entry.is_file()]
    assert read(write(make(), tmp_path))["seed"] == 0


def test_a_killed_write_leaves_no_record_and_can_be_repeated(tmp_path):
    script = (
        "import os, sys\n"
        "from reproduction.records import new_record, write\n"
        # gone between the write and the link, no clean-up
        "os.link = lambda *arguments: os._exit(9)\n"
        "write(new_record('table2', {'model': 'vgg11'}, 0, {}, seconds=1), sys.argv[1])\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)]).returncode == 9
    assert [entry.suffix for entry in (tmp_path / "table2").iterdir()] == [".tmp"]
    assert read_all("table2", tmp_path).empty
    assert not exists("table2", {"model": "vgg11"}, 0, tmp_path)
    write(make(config={"model": "vgg11"}), tmp_path)
    assert len(read_all("table2", tmp_path)) == 1


def test_of_two_writers_one_succeeds(tmp_path):
    for seed in range(10):
        barrier, outcomes = threading.Barrier(2), []

        def race(mean: float, seed: int = seed, barrier=barrier, outcomes=outcomes) -> None:
            record = make(seed, {"mean": mean})
            barrier.wait()
            try:
                outcomes.append((mean, write(record, tmp_path)))
            except FileExistsError as error:
                outcomes.append((mean, error))

        threads = [threading.Thread(target=race, args=(mean,)) for mean in (0.25, 0.75)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        won = [(mean, outcome) for mean, outcome in outcomes if isinstance(outcome, Path)]
        lost = [outcome for _, outcome in outcomes if isinstance(outcome, FileExistsError)]
        assert len(won) == len(lost) == 1
        assert read(won[0][1])["metrics"]["mean"] == won[0][0]
    assert len(list((tmp_path / "table2").iterdir())) == 10


# --- reading ---


def test_read_all_gives_a_row_per_record(tmp_path):
    layers = {"a": 0.1, "b": 0.2}
    paths = [
        write(make(seed, {"mean": 0.1 * seed, "ss_rate": layers}), tmp_path) for seed in (1, 0)
    ]
    write(new_record("other", {}, 0, {}, seconds=0), tmp_path)
    frame = read_all("table2", tmp_path)
    assert frame.path.tolist() == sorted(map(str, paths)) and frame.seed.tolist() == [0, 1]
    assert frame["config.model"].tolist() == ["vgg11"] * 2 and frame["metrics.mean"].tolist() == [
        0.0,
        0.1,
    ]
    assert frame["metrics.ss_rate"][0] == layers
    assert {"experiment", "commit", "seconds", "date", "device.name", "versions.torch"} <= set(
        frame.columns
    )


def test_read_all_of_nothing_is_empty(tmp_path):
    frame = read_all("table2", tmp_path)
    assert frame.empty and list(frame.columns) == ["experiment", "seed", "path"]


def damage_truncate(path: Path) -> None:
    path.write_text(path.read_text()[:-40])


def damage_nan(path: Path) -> None:
    path.write_text(path.read_text().replace("0.1", "NaN"))


def damage_schema(path: Path) -> None:
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 0'))


def damage_field(path: Path) -> None:
    record = json.loads(path.read_text())
    del record["seed"]
    path.write_text(json.dumps(record))


def damage_type(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"metrics": 3}))


def damage_bytes(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


def damage_list(path: Path) -> None:
    path.write_text("[]")


DAMAGE = {
    damage_truncate: "not a record",
    damage_nan: "NaN is not JSON",
    damage_schema: "schema is 0, expected 1",
    damage_field: "fields missing or unknown: seed",
    damage_type: "metrics has the wrong type: 3",
    damage_bytes: "not a record",
    damage_list: "must be a dict, got list",
}


@pytest.mark.parametrize(("damage", "said"), DAMAGE.items())
def test_a_damaged_record_is_named_left_out_and_left_alone(tmp_path, damage, said):
    good, bad = write(make(0), tmp_path), write(make(1), tmp_path)
    damage(bad)
    left = bad.read_bytes()
    with pytest.warns(RecordWarning, match=said) as caught:
        frame = read_all("table2", tmp_path)
    assert (
        len(caught) == 1 and str(bad) in str(caught[0].message) and caught[0].filename == __file__
    )
    assert frame.path.tolist() == [str(good)]
    with pytest.raises(ValueError, match=bad.name):
        read(bad)
    with pytest.raises(
        ValueError, match=bad.name
    ):  # before the run that could not be recorded, not after it
        exists("table2", CONFIG, 1, tmp_path)
    with pytest.raises(FileExistsError):
        write(make(1), tmp_path)
    assert bad.read_bytes() == left


def test_a_record_under_another_name_is_left_out(tmp_path):
    path = write(make(), tmp_path)
    copy = path.with_name("copy.json")
    copy.write_bytes(path.read_bytes())
    with pytest.warns(RecordWarning, match="copy.json was moved or edited"):
        frame = read_all("table2", tmp_path)
    assert frame.path.tolist() == [str(path)]
    path.write_text(path.read_text().replace('"n": 64', '"n": 512'))
    with pytest.warns(RecordWarning, match="moved or edited"):
        assert read_all("table2", tmp_path).empty


def test_exists_is_the_done_check_of_a_grid(tmp_path):
    assert not exists("table2", CONFIG, 0, tmp_path)
    write(make(), tmp_path)
    assert exists("table2", dict(reversed(CONFIG.items())), 0, tmp_path)
    assert not exists("table2", CONFIG, 1, tmp_path)


def test_a_missing_file_is_a_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.json")


# --- per layer ---


def test_long_spreads_layers_over_rows(tmp_path):
    first = {"stem": 0.5, "blocks.2": 0.25, "blocks.10": math.nan}
    write(make(0, {"ss_rate": first, "mean": 1.0}), tmp_path)
    write(make(1, {"ss_rate": {"stem": 0.75}, "mean": 2.0}), tmp_path)
    write(make(2, {"mean": 3.0}), tmp_path)  # has no such metric
    frame = read_all("table2", tmp_path)
    layers = long(frame, "metrics.ss_rate")
    assert layers.layer.tolist() == ["stem", "blocks.2", "blocks.10", "stem"]
    assert layers.seed.tolist() == [0, 0, 0, 1] and layers["metrics.mean"].tolist() == [
        1.0,
        1.0,
        1.0,
        2.0,
    ]
    assert layers["metrics.ss_rate"].dtype == np.float64
    assert layers["metrics.ss_rate"][:2].tolist() == [0.5, 0.25] and math.isnan(
        layers["metrics.ss_rate"][2]
    )
    assert (
        layers.drop(columns="layer").columns.equals(frame.columns) and "layer" not in frame.columns
    )


def test_long_takes_lists_filtered_frames_and_nothing(tmp_path):
    frame = pd.DataFrame({"seed": [0, 1, 2], "loss": [[0.5], [0.25, 0.125], []]})
    epochs = long(frame[frame.seed > 0], "loss", key="epoch")
    assert epochs.to_dict("list") == {"seed": [1, 1], "epoch": [0, 1], "loss": [0.25, 0.125]}
    twice = long(pd.concat([frame, frame]), "loss", key="epoch")  # index labels are not unique here
    assert twice.loss.tolist() == [0.5, 0.25, 0.125] * 2
    empty = long(frame[frame.seed > 1], "loss", key="epoch")
    assert empty.empty and list(empty.columns) == ["seed", "epoch", "loss"]


@pytest.mark.parametrize(
    ("column", "key", "said"),
    [
        ("none", "layer", "column 'none'"),
        ("loss", "seed", "key='seed'"),
        ("seed", "layer", "must hold"),
    ],
)
def test_long_refuses(column, key, said):
    with pytest.raises(ValueError, match=said):
        long(pd.DataFrame({"seed": [0], "loss": [[0.5]]}), column, key=key)


# --- bad input ---


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"experiment": "Table 2"}, "experiment"),
        ({"experiment": "../up"}, "experiment"),
        ({"experiment": ""}, "experiment"),
        ({"experiment": 2}, "experiment"),
        ({"config": None}, "config must be a dict"),
        ({"config": {"alpha": math.nan}}, "config.alpha is nan"),
        ({"config": {"path": Path("a")}}, "config.path is of type"),
        ({"config": {"inner": {1: 2}}}, "config.inner has the key 1"),
        ({"seed": -1}, "seed"),
        ({"seed": 0.0}, "seed"),
        ({"seed": True}, "seed"),
        ({"metrics": [1]}, "metrics must be a dict"),
        ({"metrics": {"a": {"b": [0, 1j]}}}, r"metrics.a.b\[1\] is of type complex"),
        ({"metrics": {"a": {1, 2}}}, "metrics.a is of type set"),
        ({"metrics": {"a": np.array([None, object()])}}, r"metrics.a\[1\] is of type object"),
        ({"metrics": {"a": "NaN"}}, "metrics.a is the string 'NaN'"),
        ({"data": "digits"}, "data must be a dict"),
        ({"data": {"scale": math.inf}}, "data.scale is inf"),
        ({"seconds": -1}, "seconds"),
        ({"seconds": math.nan}, "seconds"),
        ({"seconds": math.inf}, "seconds"),
        ({"seconds": "3"}, "seconds"),
        ({"device": "abacus"}, "device='abacus'"),
        ({"device": "cuda:99"}, "device='cuda:99'"),
    ],
)
def test_bad_input_is_refused_by_name(changed, said):
    arguments = {
        "experiment": "table2",
        "config": {},
        "seed": 0,
        "metrics": {},
        "seconds": 1.0,
    } | changed
    with pytest.raises(ValueError, match=said):
        new_record(**arguments)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"schema": 2}, "schema is 2"),
        ({"more": 1}, "unknown: more"),
        ({"seconds": math.nan}, "seconds is nan"),
        ({"versions": {"torch": object()}}, "versions.torch is of type object"),
    ],
)
def test_write_refuses_what_is_no_record_and_leaves_nothing(tmp_path, changed, said):
    with pytest.raises(ValueError, match=said):
        write(make() | changed, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU to describe")
def test_a_gpu_is_named():
    device = new_record("table2", {}, 0, {}, device="cuda", seconds=1)["device"]
    assert device["type"] == "cuda" and device["name"] == torch.cuda.get_device_name()


def test_layers_have_the_name_the_family_and_the_depth_of_their_network(tmp_path):
    layers = {"layer1": {"released": 0.5, "kind": "x"}, "layer2": {"released": 0.25}}
    for model, seed in (("resnet34", 0), ("regnetx_002", 1)):
        write(new_record("demo", {"model": model}, seed, {"layers": layers}, seconds=1), tmp_path)
    table = layers_of(read_all("demo", tmp_path))
    assert table["model"].tolist() == ["regnetx_002"] * 2 + ["ResNet34"] * 2
    assert table["family"].tolist() == ["", "", "cnn", "cnn"]
    assert table["depth"].tolist() == [0, 1, 0, 1]
    assert table["released"].tolist() == [0.5, 0.25, 0.5, 0.25] and "kind" not in table


def test_an_installed_package_does_not_write_beside_itself(monkeypatch, tmp_path):
    import reproduction.records as module

    monkeypatch.setattr(module, "RESULTS", tmp_path)
    monkeypatch.setattr(module, "CHECKOUT", False)
    with pytest.raises(ValueError, match="--results"):
        write(new_record("demo", {"model": "vgg11"}, 0, {}, seconds=1), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert write(
        new_record("demo", {"model": "vgg11"}, 0, {}, seconds=1), tmp_path / "own"
    ).exists()
