"""The cells of Table 2: computed once, recomputable, and the table follows the records."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import sslib
from reproduction import models, records
from reproduction.grid import written
from reproduction.images import load_images
from reproduction.paths import RESULTS, data_root
from reproduction.ss_rate.factors import FACTOR_EXPERIMENT, FACTORS, factor_config, factor_table
from reproduction.ss_rate.figure_2 import channel_map
from reproduction.ss_rate.read import full_scale, table_2
from reproduction.ss_rate.run import SS_RATE, layer_metrics, run_ss_rate, ss_rate_config

NAME = "resnet34"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Twelve small noise pictures in a folder."""
    folder = tmp_path_factory.mktemp("pictures")
    noise = np.random.default_rng(0).integers(0, 256, (12, 64, 80, 3), dtype=np.uint8)
    for k, pixels in enumerate(noise):
        Image.fromarray(pixels).save(folder / f"{k:02}.png")
    return f"imagefolder:{folder}"


@pytest.fixture(scope="module")
def run(pictures, tmp_path_factory):
    """Two overlapping draws of five of them through one network."""
    root = tmp_path_factory.mktemp("records")
    paths = list(run_ss_rate([NAME], [3], [0, 1], images=pictures, n_images=5, root=root))
    return root, paths


def test_a_record_holds_what_its_configuration_gives(run, pictures):
    root, paths = run
    assert len(paths) == 2
    for path in paths:
        record = records.read(path)
        images = load_images(pictures, 5, seed=record["config"]["draw"])
        assert record["data"]["fingerprint"] == images.fingerprint
        network = models.untrained(NAME, record["seed"])
        features = sslib.feature_matrices(network, images.normalised(), models.find(NAME).modules)
        layers = record["metrics"]["layers"]
        for module, F in features.items():
            for formula in ("released", "printed"):
                assert layers[module][formula] == pytest.approx(
                    sslib.ss_rate(F, formula=formula).item(), abs=1e-4
                )
        mean = np.mean([layers[module]["released"] for module in features])
        assert record["metrics"]["mean_printed_modules"]["released"] == pytest.approx(mean)
        assert set(record["metrics"]["modules"]["released"]) <= set(layers) and len(layers) == 20


def test_what_is_done_is_not_done_again(run, pictures):
    root, paths = run
    before = {path: path.read_bytes() for path in paths}
    again = run_ss_rate([NAME], [3], [0, 1, 2], images=pictures, n_images=5, root=root)
    assert [records.read(path)["config"]["draw"] for path in again] == [2]
    assert {path: path.read_bytes() for path in paths} == before


def test_layer_metrics_describe_the_distances():
    F = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    metrics = layer_metrics(F)
    pairs = np.array([1, 3, 7, 2, 6, 4])
    assert metrics["distance_mean"] == pytest.approx(pairs.mean())
    assert metrics["distance_std"] == pytest.approx(pairs.std())
    assert metrics["distance_skewness"] == pytest.approx(
        ((pairs - pairs.mean()) ** 3).mean() / pairs.std() ** 3
    )
    assert metrics["participation_ratio"] == pytest.approx(1)


def test_table_2_follows_the_records(tmp_path):
    folder = tmp_path / SS_RATE
    shutil.copytree(RESULTS / SS_RATE, folder)
    table = table_2(records.read_all(SS_RATE, tmp_path))
    assert len(table) == 9 and (table["untrained: records"] > 0).all()
    assert table.loc["ResNet34", "untrained: verdict"] == "reproduced"
    assert set(table["pretrained: verdict"]) == {"not run"}
    for path in folder.glob("*resnet34*.json"):
        record = json.loads(path.read_text())
        record["metrics"]["mean_printed_modules"]["released"] += 0.5
        path.write_text(json.dumps(record))
    edited = table_2(records.read_all(SS_RATE, tmp_path))
    assert edited.loc["ResNet34", "untrained: verdict"] == "differs"
    column = "untrained: ours, released"
    assert edited.loc["ResNet34", column] == pytest.approx(table.loc["ResNet34", column] + 0.5)
    rest = table.index.drop("ResNet34")
    pd.testing.assert_frame_equal(edited.loc[rest], table.loc[rest])


def test_table_2_without_records_says_not_run():
    table = table_2(pd.DataFrame())
    assert set(table["untrained: verdict"]) == set(table["pretrained: verdict"]) == {"not run"}
    assert table["untrained: paper"].notna().all()


def test_quick_scale_gives_no_verdict():
    table = table_2(records.read_all(SS_RATE), scale="quick")
    assert set(table["untrained: verdict"]) == {"no verdict (quick scale)"}


def test_a_committed_record_is_recomputed_from_its_configuration(tmp_path):
    root = data_root()
    if root is None or not (root / "imagenet-sample").is_dir():
        pytest.skip(
            "needs the ImageNet sample: set SSLIB_DATA to a folder that holds imagenet-sample/"
        )
    config = ss_rate_config(NAME, "imagenet-sample", 512, 0)
    committed = records.read(records.record_path(SS_RATE, config, 0))
    (path,) = run_ss_rate([NAME], [0], [0], root=tmp_path)
    again = records.read(path)
    assert again["config"] == committed["config"] and again["data"] == committed["data"]
    for module, layer in committed["metrics"]["layers"].items():
        assert again["metrics"]["layers"][module] == pytest.approx(layer, rel=2e-3, abs=2e-3), (
            module
        )


def test_committed_records_cover_the_grid():
    """All models and seeds on the first draw of images, and other draws for the first seed at
    least.
    """
    runs = records.read_all(SS_RATE)
    cells = set(zip(runs["config.model"], runs["seed"], runs["config.draw"]))
    names = [*models.TABLE_1, "pvt_v2_b1"]
    assert cells >= {(m, s, 0) for m in names for s in range(5)} | {
        (m, 0, d) for m in names for d in range(3)
    }


def test_channel_map_places_all_states_together(tmp_path):
    from safetensors.torch import save_file

    images = load_images("photographs", 6)
    save_file(models.untrained("vgg11", 9).state_dict(), tmp_path / "vgg11.safetensors")
    drawn = channel_map("vgg11", images, 0, weights=str(tmp_path), channels=20)
    assert {state: place.shape for state, place in drawn.positions.items()} == {
        "untrained": (20, 2),
        "trained": (20, 2),
    }
    assert 0 < drawn.stress < 1 and all(ratio >= 1 for ratio in drawn.participation.values())
    alone = channel_map("vgg11", images, 0, channels=20)
    assert alone.participation["untrained"] == pytest.approx(drawn.participation["untrained"])


def test_factors(tmp_path):
    assert factor_config("resmlp_12_224", "class token", "alone") is None
    with pytest.raises(ValueError, match="is not in FACTORS"):
        factor_config("resmlp_12_224", "phase of the moon", "full")
    table = factor_table(records.read_all(FACTOR_EXPERIMENT))
    vit = table["ViT (small)"].dropna(how="all")
    assert vit.loc[FACTORS[0], "seeds"] >= 10 and vit.loc[FACTORS[0], "change"] == 0
    # nothing in an untrained ViT behaves differently in training mode, so this must be no change at
    # all
    assert vit.loc[("mode", "training"), "change"] == pytest.approx(0, abs=1e-4)
    assert factor_table(pd.DataFrame()).empty


def test_the_command_writes_records_and_says_what_is_wrong(pictures, tmp_path):
    command = [
        sys.executable,
        "-m",
        "reproduction",
        "ss-rate",
        "--n-images",
        "4",
        "--results",
        str(tmp_path),
    ]
    asked = [*command, "--images", pictures, "--models", NAME]
    first = subprocess.run(asked, capture_output=True, text=True, check=True)
    (path,) = (tmp_path / SS_RATE).glob("*.json")
    assert first.stdout.splitlines() == [str(path), "1 new record(s)"]
    again = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert again.stdout == "0 new record(s)\n"
    wrong = subprocess.run(
        [*command, "--images", pictures, "--models", "resnet43"], capture_output=True, text=True
    )
    assert wrong.returncode == 2 and wrong.stderr.splitlines()[-1].startswith(
        "name: 'resnet43' is no model of Table 1"
    )


def test_a_folder_of_checkpoints_fills_the_trained_column(pictures, tmp_path):
    from safetensors.torch import save_file

    folder = tmp_path / "weights"
    folder.mkdir()
    save_file(models.untrained(NAME, 5).state_dict(), folder / f"{NAME}.safetensors")
    options = {"weights": str(folder), "images": pictures, "n_images": 4, "root": tmp_path}
    (path,) = run_ss_rate([NAME], [0], [0], **options)
    assert records.read(path)["config"]["weights"] == "checkpoint:weights"
    runs = records.read_all(SS_RATE, tmp_path)
    assert full_scale(runs).empty  # four noise pictures say nothing about Table 2
    at_scale = runs.assign(**{"config.images": "imagenet-sample", "config.n_images": 512})
    row = table_2(at_scale).loc["ResNet34"]
    assert row["pretrained: records"] == 1 and row["untrained: verdict"] == "not run"
    assert (
        row["pretrained: ours, released"]
        == runs["metrics.mean_printed_modules"].iloc[0]["released"]
    )


def test_two_processes_at_one_cell_leave_one_record(run):
    root, paths = run
    record = records.read(paths[0])
    assert list(written(record, root)) == []
    assert records.read(paths[0]) == record
