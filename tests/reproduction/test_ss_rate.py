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
from repeat import at_threads_of, same_images

import sslib
from reproduction import models, records
from reproduction.grid import written
from reproduction.images import load_images
from reproduction.paths import RESULTS, data_root
from reproduction.ss_rate import factors, live, read
from reproduction.ss_rate.cells import (
    FACTOR_EXPERIMENT,
    FACTORS,
    MODELS,
    SS_RATE,
    factor_config,
    ss_rate_config,
)
from reproduction.ss_rate.figure_2 import channel_map, figure_2, noise_directions
from reproduction.ss_rate.layer import layer_metrics
from reproduction.ss_rate.read import factor_table, full_scale, table_2
from reproduction.ss_rate.run import at_scale, run_ss_rate
from reproduction.table_1 import find

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
        features = sslib.feature_matrices(network, images.normalised(), find(NAME).modules)
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
    assert table.loc["ViT (base)", "untrained: verdict"] == "reproduced"
    assert table.loc["ResNet34", "untrained: verdict"] == "open"  # near, but scattered
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
    with at_threads_of(committed):
        (path,) = run_ss_rate([NAME], [0], [0], root=tmp_path)
    again = records.read(path)
    assert again["config"] == committed["config"] and same_images(again["data"], committed["data"])
    assert again["device"]["threads"] == committed["device"]["threads"]
    for module, layer in committed["metrics"]["layers"].items():
        assert again["metrics"]["layers"][module] == pytest.approx(layer, rel=2e-3, abs=2e-3), (
            module
        )


def test_committed_records_cover_the_grid():
    """All models and seeds on the first draw of images, and other draws for the first seed at
    least.
    """
    runs = records.read_all(SS_RATE)
    cells = set(zip(runs["config.model"], runs["seed"], runs["config.draw"], strict=True))
    assert cells >= {(m, s, 0) for m in MODELS for s in range(5)} | {
        (m, 0, d) for m in MODELS for d in range(3)
    }


def test_the_page_at_full_scale_asks_for_the_committed_cells_and_no_others(tmp_path):
    """Nothing is measured where a page is quick, or shows other images."""
    asked = {"scale": "paper", "images": "imagenet-sample", "weights": "untrained"}
    jobs = at_scale(asked)
    assert not [job for job in jobs if job.lacking(RESULTS)]
    for experiment in (SS_RATE, FACTOR_EXPERIMENT):
        cells = sum(len(job.cells) for job in jobs if job.experiment == experiment)
        assert cells == len(records.read_all(experiment))
    assert at_scale(asked | {"scale": "quick"}) == at_scale(asked | {"images": "photographs"}) == []
    for config in records.read_all(SS_RATE)["config.model"].unique():
        (tmp_path / f"{config}.safetensors").touch()
    trained = at_scale(asked | {"weights": str(tmp_path)})
    labels = {config["weights"] for job in trained for config, _ in job.cells}
    assert labels == {f"checkpoint:{tmp_path.name}@e3b0c44298fc1c14"}  # of no bytes


def test_a_changed_setting_that_is_the_committed_one_is_recomputed(tmp_path):
    """The one cell of the factor study whose images come with scikit-learn."""
    model, seed = "resmlp_12_224", 0
    config = factor_config(model, "which images", "photographs")
    committed = records.read(records.record_path(FACTOR_EXPERIMENT, config, seed))
    with at_threads_of(committed):
        again = factors.measurement(config, seed, device="cpu")
    assert same_images(again.data, committed["data"]) and again.config == committed["config"]
    assert again.metrics["mean"] == pytest.approx(committed["metrics"]["mean"], abs=2e-3)


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
    assert drawn.family == "cnn" and drawn.most == 6
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
    assert factor_table(pd.DataFrame()).empty and read.factor_outcomes(pd.DataFrame()) == []


def test_factor_outcomes_follow_the_table():
    study = factor_table(records.read_all(FACTOR_EXPERIMENT))
    for outcome in read.factor_outcomes(study):
        part = study[outcome.model].dropna(how="all")
        changed = part["change"].iloc[1:].abs()
        assert outcome.settings == len(changed) and outcome.seeds == part["seeds"].iloc[0]
        assert outcome.within_seeds == (changed < part["std"].iloc[0]).sum()
        strongest = [abs(setting.change) for setting in outcome.strongest]
        assert strongest == sorted(changed, reverse=True)[:3]
        rates = part["SS_rate"]
        assert abs(outcome.nearest.ss_rate - outcome.paper) == (rates - outcome.paper).abs().min()
    text = read.factor_text(study)
    assert text.loc[("baseline", "64 images"), ("ViT (small)", "change")] == "–"
    assert text.loc[("mode", "training"), ("ViT (small)", "change")] == "+0.000 ± 0.000"
    assert list(text.columns.get_level_values(0).unique()) == ["ViT (small)", "ResMLP"]


def test_the_outcome_of_table_2_counts_its_verdicts():
    table = table_2(records.read_all(SS_RATE))
    outcome = read.comparison(table)
    counts = table["untrained: verdict"].value_counts()
    assert (outcome.reproduced, outcome.open) == (counts["reproduced"], counts["open"])
    assert outcome.reproduced + outcome.open + outcome.differs == outcome.run == outcome.models == 9
    gap = (table["untrained: ours, printed"] - table["untrained: paper"]).abs()
    assert outcome.printed == pytest.approx(gap.mean()) and outcome.seeds == 5
    nothing = read.comparison(table, "pretrained")
    assert (nothing.run, nothing.records, nothing.widest) == (0, 0, "")
    text = read.table_2_text(table)
    assert text.loc["ResNet34", "ours, released"].startswith(
        f"{table.loc['ResNet34', 'untrained: ours, released']:.3f} ± "
    )
    empty = read.table_2_text(table_2(pd.DataFrame()))
    assert set(empty["ours, released"]) == {"not run"} and (empty["paper"] == text["paper"]).all()


def test_depth_profiles_hold_the_printed_modules_alone():
    runs = full_scale(records.read_all(SS_RATE))
    profiles = read.depth_profiles(runs)
    run = runs[runs["config.model"] == NAME].iloc[0]
    part = profiles[(profiles["model"] == "ResNet34") & (profiles["formula"] == "printed")]
    part = part[(part["seed"] == run["seed"]) & (part["draw"] == run["config.draw"])]
    assert list(part["module"]) == ["layer1", "layer2", "layer3", "layer4"]
    assert list(part["depth"]) == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert list(part["ss_rate"]) == [
        run["metrics.layers"][module]["printed"] for module in part["module"]
    ]
    assert read.depth_profiles(pd.DataFrame()).empty


def test_directions_are_those_of_the_first_module_beside_noise():
    table = read.directions(records.read_all(SS_RATE), noise_directions)
    assert len(table) == 7 and (table["seeds"] == 5).all()
    assert table.loc["PVT (Fig. 2)", "the paper says"] == "isotropic"
    assert table.loc["ResNet34", "noise"] == noise_directions(64) > 20 * table["directions"].max()
    outcome = read.groups_apart(table)
    low = table.loc[table["the paper says"] == "low-dimensional", "directions"]
    assert outcome.low == (low.min(), low.max()) and outcome.below_noise == outcome.networks == 7
    assert outcome.gap == pytest.approx(table.loc[outcome.closest, "directions"] - low.max())
    assert read.groups_apart(read.directions(pd.DataFrame(), noise_directions)) is None


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
    assert records.read(path)["config"]["weights"].startswith("checkpoint:weights@")
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


def test_four_channels_by_hand():
    """The page's example: distances 1, 2, 3, 4, 6, 7, and a pair that lies on the threshold 3."""
    F = torch.tensor([[0.0, 0.0], [1.0, 1.0], [3.0, 3.0], [7.0, 7.0]])
    curves = live.box_curves({"four": F}, thresholds=3)
    table = live.by_hand(curves)
    assert list(table.loc["released", "θ"]) == list(table.loc["printed", "θ"]) == [1, 3, 7]
    assert list(table.loc["released", "p(θ)"]) == pytest.approx([0, 2 / 6, 5 / 6], abs=1e-4)
    assert list(table.loc["printed", "p(θ)"]) == pytest.approx([0, 3 / 6, 5 / 6], abs=1e-4)
    rates = live.rates_by_hand(curves)
    assert list(rates["by hand"]) == pytest.approx(list(rates["SS_rate"]), abs=1e-6)
    C = live.distances({"four": F})["four"]
    assert live.channel_table(C).loc["channel 1", "channel 4"] == 7


def test_live_layers_are_those_of_table_1():
    images = load_images("photographs", 4)
    features = live.features(["vgg11"], images, 0)
    assert list(features) == ["VGG"] and list(features["VGG"]) == list(find("VGG").modules)
    profile = live.layer_rates(features)
    assert list(profile["depth"].unique()) == [0, 0.25, 0.5, 0.75, 1]
    F = features["VGG"]["features.9"]
    assert profile[profile["module"] == "features.9"]["ss_rate"].tolist() == [
        pytest.approx(sslib.ss_rate(F, formula=formula).item())
        for formula in ("released", "printed")
    ]
    middle = live.middle_layers(features, {"VGG": "VGG11"})
    assert list(middle) == ["VGG11 features.9"] and middle["VGG11 features.9"] is F
    means = profile.groupby("formula")["ss_rate"].mean()
    assert live.averages(profile).loc["VGG", "released"] == round(means["released"], 2)
    assert live.formula_gap(profile) == pytest.approx(means["printed"] - means["released"])


def test_networks_join_the_share_of_pairs_that_is_asked_for():
    F = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
    graphs = live.networks({"layer": F}, (5, 20))["layer"]
    assert list(graphs) == ["5 % of pairs", "20 % of pairs"]
    for share, A in zip((5, 20), graphs.values(), strict=True):
        assert A.sum().item() / (40 * 39) == pytest.approx(share / 100, abs=0.002)


def test_figure_2_has_a_map_per_network_and_seed(monkeypatch):
    monkeypatch.setattr("reproduction.ss_rate.figure_2.FIGURE_2", ("vgg11",))
    images = load_images("photographs", 4)
    maps = figure_2(images, 3, 2)
    assert list(maps) == ["VGG"] and len(maps["VGG"]) == 2
    again = channel_map("vgg11", images, 4)
    assert maps["VGG"][1].participation == again.participation
