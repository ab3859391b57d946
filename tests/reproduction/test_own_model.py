"""The page on your own model: what it computes, shows and says."""

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt
from torch import nn

import sslib
from reproduction.images import load_images
from reproduction.own_model import draw, live, read, refusals, say


@pytest.fixture
def layers():
    """Three layers: one like noise, one below it, one above."""
    columns = {"SS_rate": [0.2, 0.1, 0.4], "null": [0.2, 0.2, 0.3], "null_std": [0.02, 0.02, 0.03]}
    table = pd.DataFrame(columns, index=["0", "1", "2"])
    return table.assign(z=(table["SS_rate"] - table["null"]) / table["null_std"])


@pytest.fixture
def F():
    return torch.randn(20, 6, generator=torch.Generator().manual_seed(0))


def test_fewer_images_are_the_first_and_fewer_channels_are_drawn(F):
    table = live.how_many(F, (3, 6, 12), (8, 32), draws=4)
    assert table[["channels", "images"]].values.tolist() == [[20, 3], [20, 6], [8, 6]]
    assert table["low"][0] == table["high"][0] == sslib.ss_rate(F[:, :3]).item()
    assert table["low"][2] < table["high"][2]
    shown = read.how_many(table)
    assert list(shown.index) == ["all 20", "all 20", "8 drawn"]
    assert list(shown["images"]) == ["the first 3", "the first 6", "all 6"]
    assert " to " in shown["SS_rate"].iloc[2] and " to " not in shown["SS_rate"].iloc[0]


def test_scaled_features_have_another_ss_rate(F):
    rates = live.scaled(F, (0.1, 1))
    assert rates[1] == sslib.ss_rate(F).item() != rates[0.1]
    assert read.scaled(rates).columns.tolist() == ["× 0.1", "× 1"]


def test_seeds_are_those_of_a_model_built_anew():
    images = torch.randn(9, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    state = torch.get_rng_state()
    rates = live.over_seeds(model, images, "1", (0, 5))
    assert torch.equal(torch.get_rng_state(), state)
    F = sslib.feature_matrices(model, images, "1")["1"]
    assert rates.loc[0, "released"] == pytest.approx(sslib.ss_rate(F).item())
    assert rates.loc[0, "printed"] == pytest.approx(sslib.ss_rate(F, formula="printed").item())
    assert say.seeds(rates).splitlines()[0] == (
        f"released: SS_rate = {rates['released'].min():.2f} to {rates['released'].max():.2f} "
        "over two seeds"
    )


def test_fit_is_training_with_a_constraint_of_no_weight():
    images = load_images("digits", 32, size=16)
    batches = [*zip(images.normalised().split(16), images.labels.split(16), strict=True)]
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
    convnet = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), *head)
    plain = live.fit(live.reseeded(convnet, 0), batches, 2)
    model = live.reseeded(convnet, 0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    constraint = sslib.SelfSimilarityConstraint(model, ["0"], target=0.1, weight=0.0)
    for x, y in 2 * batches:
        loss = nn.functional.cross_entropy(model(x), y) + constraint()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for one, other in zip(plain.parameters(), model.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    assert not torch.equal(plain[0].weight, live.reseeded(convnet, 0)[0].weight)


def test_trained_models_are_held_against_the_target():
    images = load_images("digits", 20, size=16)
    torch.manual_seed(0)
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), *head)
    table = live.trained_models({"a": model, "b": model}, ["0", "1"], images, images)
    assert (
        list(table.columns) == ["0", "1", "accuracy"] and (table.loc["a"] == table.loc["b"]).all()
    )
    assert table.loc["a", "accuracy"] * 20 / 100 == pytest.approx(
        round(table.loc["a", "accuracy"] / 5)
    )
    shown = read.trained_models(table)
    assert list(shown.columns) == ["SS_rate, layer 0", "SS_rate, layer 1", "test accuracy, %"]


def test_the_effect_is_the_second_row_against_the_first():
    table = pd.DataFrame({"0": [0.3, 0.1], "3": [0.2, 0.2], "accuracy": [77.0, 83.0]})
    effect = read.effect(table, 0.1)
    assert effect == pytest.approx((0.1, 0.05, 0.15, 6))
    told = say.constraint(effect, 4, 1280)
    assert told.startswith(
        "With the constraint, the two layers end nearer to the target 0.1: 0.05 "
    )
    assert "0.15 without. The accuracy differs by +6 points, but one seed and 4 epochs" in told
    assert "no nearer to" in say.constraint(read.effect(table.iloc[::-1], 0.1), 4, 1280)


def test_layers_are_counted_by_their_distance_from_noise(layers):
    outcome = read.against_noise({"a": layers, "b": layers.iloc[:0], "c": layers})
    assert outcome == ({"a": (1, 1, 1), "b": (0, 0, 0), "c": (1, 1, 1)}, 0.2, 0.3)
    told = say.against_noise(outcome)
    assert told.startswith(
        "Layers of each model within two standard deviations of noise, below and above: "
        "a 1, 1, 1; b 0, 0, 0; c 1, 1, 1."
    )
    assert "**Noise itself has an SS_rate of 0.20 to 0.30** here" in told


def test_averages_are_over_the_layers(layers):
    shown = read.averages({"a": layers, "b": layers[:1]})
    assert shown.to_dict("index") == {
        "a": {"SS_rate": 0.23, "noise": 0.23},
        "b": {"SS_rate": 0.2, "noise": 0.2},
    }


def test_relus_are_paired_with_their_convolutions():
    table = pd.DataFrame({"SS_rate": [0.1, 0.2, 0.3, 0.4]}, index=["0", "1", "2", "3"])
    assert say.relus(table).splitlines() == [
        "convolution 0: 0.10, after its ReLU: 0.20",
        "convolution 2: 0.30, after its ReLU: 0.40",
    ]


def test_a_model_is_a_panel_with_the_band_of_its_noise(layers):
    figure = draw.plot_self_similarity({"a": layers, "b": layers, "c": layers})
    assert [axis.get_title() for axis in figure.axes] == ["a", "b", "c"]
    null, rate = figure.axes[0].lines
    assert list(rate.get_ydata()) == list(layers["SS_rate"])
    assert list(null.get_ydata()) == list(layers["null"])
    band = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((0.16, 0.36))
    assert np.ptp(figure.axes[0].get_xticks()) == 2
    plt.close("all")


def test_what_is_refused_and_what_is_read():
    table = refusals.refusals()
    assert table["refused"].tolist() == [True] * 13 + [False] * 4
    assert table["answer"][:13].str.contains("module").all()
    assert table["answer"][13:].str.contains("D = 8 channels, B = 6 images").all()
    shown = read.refused(table)
    assert shown["refused"].tolist() == ["yes"] * 13 + ["no"] * 4
    with pd.option_context("display.max_colwidth", None):
        assert "pass layout='BCHW' or layout='BHWC'" in shown.to_string()


def test_what_no_estimator_has_a_number_for():
    table = refusals.degenerate()
    refused, read_rightly = table[table["refused"]], table[~table["refused"]]
    assert (len(refused), len(read_rightly)) == (13, 4)
    assert refused["answer"].str.contains("NaN|expected").all()
    numbers = read_rightly["answer"].astype(float)
    expected = {"line through space": 1, "distances of 1e155": 2, "path alone": 1}
    for what, dimension in expected.items():
        (number,) = numbers[numbers.index.str.contains(what)]
        assert number == pytest.approx(dimension, abs=0.1)
    assert "21 components of 320 nodes" in read.refused(table).to_string(max_colwidth=None)


def test_a_model_is_loaded_by_its_name_or_from_a_file(tmp_path):
    state = torch.get_rng_state()
    one, other = (live.load_model("torchvision:squeezenet1_1", seed=seed) for seed in (0, 1))
    assert torch.equal(torch.get_rng_state(), state) and not one.training
    assert not torch.equal(next(one.parameters()), next(other.parameters()))
    assert live.load_model("timm:resnet10t").default_cfg["num_classes"] == 1000
    path = tmp_path / "mine.py"
    path.write_text("import torch\ndef small():\n    return torch.nn.Linear(2, 3)\nseven = int\n")
    assert live.load_model(f"{path}:small").out_features == 3
    for bad in ("resnet18", "timm:no_such", "torchvision:resnet", f"{tmp_path}/no.py:small"):
        with pytest.raises(ValueError, match="model: expected timm:NAME, torchvision:NAME or"):
            live.load_model(bad)
    for name in ("seven", "absent"):
        with pytest.raises(ValueError, match="returns a torch.nn.Module, got"):
            live.load_model(f"{path}:{name}")
