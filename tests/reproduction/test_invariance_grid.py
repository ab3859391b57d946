"""The cells of Tables 4 and 5: recomputed by hand from noise pictures, and the tables follow the
records.
"""

from __future__ import annotations

import copy
import math

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.spatial.distance import cdist
from torch import nn

from reproduction import models, records
from reproduction.images import load_images
from reproduction.invariance import run as invariance_run
from reproduction.invariance.read import (
    full_scale,
    invariance_table,
    layer_table,
    rank_correlations,
    sensitivity_table,
    trained_changes,
    trained_table,
    umap_seed_spread,
)
from reproduction.invariance.rulers import (
    dimension_recovery,
    exponent_examples,
    exponent_recovery,
    umap_repeats,
)
from reproduction.invariance.run import (
    MODELS,
    UMAP_SETTINGS,
    WAYS,
    invariance_config,
    invariance_metrics,
    run_invariance,
    run_noise,
)
from reproduction.invariance.say import (
    changes_told,
    mean_and_std,
    order_told,
    shown_table,
    shown_trained,
)
from reproduction.invariance.trained import run_before_training, run_trained
from reproduction.paper.tables import load_table
from reproduction.training.matrices import read_matrices
from reproduction.training.recipes import GRAM_IMAGES
from sslib.dimension import RELEASED_UMAP, correlation_dimension
from sslib.grams import Gram
from sslib.powerlaw import powerlaw_exponent

UMAP = {"n_components": 2, "n_neighbors": 5, "min_dist": 0.1, "seed": 3}
N = 56  # more than the 50 eigenvalues that the released estimator asks for
ARCHITECTURE = models.find("resnet34")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    noise = np.random.default_rng(0).integers(0, 256, (N, 12, 16, 3), dtype=np.uint8)
    for k, pixels in enumerate(noise):
        Image.fromarray(pixels).save(folder / f"{k:02}.png")
    return f"imagefolder:{folder}"


@pytest.fixture(scope="module")
def run(pictures, tmp_path_factory):
    """ResNet34 on 32-pixel noise, under two settings of UMAP."""
    root = tmp_path_factory.mktemp("records")
    settings = [UMAP, UMAP | {"n_neighbors": 8}]
    arguments = {"settings": settings, "n_images": N, "size": 32, "root": root}
    return root, list(run_invariance(["ResNet"], [1], [pictures], **arguments)), arguments


@pytest.fixture(scope="module")
def outputs(pictures):
    """Flattened activations (N, features) and F (D, N) of every module, by hand, in float64."""
    images = load_images(pictures, N, seed=42, size=32)
    network = models.untrained("resnet34", 1)
    kept: dict[str, torch.Tensor] = {}
    for name in ARCHITECTURE.modules:
        network.get_submodule(name).register_forward_hook(
            lambda _, __, output, name=name: kept.update({name: output.detach().double().clone()})
        )
    with torch.no_grad():
        network(images.normalised())
    return {name: (x.flatten(1).numpy(), x.mean((2, 3)).T.numpy()) for name, x in kept.items()}


def umap(x, **options):
    from umap import UMAP as Reference

    return Reference(
        n_components=2, n_neighbors=5, min_dist=0.1, random_state=3, n_jobs=1, **options
    ).fit_transform(x)


def test_a_record_holds_what_its_configuration_gives(run, outputs, pictures):
    root, paths, _ = run
    record = next(r for r in map(records.read, paths) if r["config"]["umap"] == UMAP)
    assert (
        record["seed"] == 1
        and record["config"]["draw"] == 42
        and record["config"]["model"] == "resnet34"
    )
    assert record["data"]["fingerprint"] == load_images(pictures, N, seed=42, size=32).fingerprint
    layers, metrics = record["metrics"]["layers"], record["metrics"]
    assert list(layers) == list(ARCHITECTURE.modules)
    for name, (x, F) in outputs.items():
        layer = layers[name]
        assert (layer["D"], layer["activations"]) == (len(F), x.shape[1])
        assert layer["nonzero_share"] == pytest.approx(np.count_nonzero(x) / x.size, abs=1e-4)
        # Eq. 10-13 on F.
        eigenvalues = np.sort(np.linalg.eigvalsh(F @ F.T / (N - 1)))[::-1][: min(F.shape)]
        fit = powerlaw_exponent(eigenvalues)
        assert layer["exponents"]["printed"]["exponent"] == pytest.approx(fit.exponent, abs=0.02)
        assert layer["exponents"]["printed"]["n"] == pytest.approx(fit.n, abs=2)
        # The uncentred spectrum of the activations.
        fit = powerlaw_exponent(np.linalg.eigvalsh(x @ x.T / (N - 1)))
        assert layer["exponents"]["printed, activations"]["exponent"] == pytest.approx(
            fit.exponent, abs=1e-3
        )
        # The released estimators: the centred spectrum, above 1000 features half as long as there
        # are images.
        if x.shape[1] > 1000:
            assert layer["exponents"]["released"] is None  # 28 eigenvalues
        else:
            fit = powerlaw_exponent(
                np.linalg.svd(x - x.mean(0), compute_uv=False)[:-1] ** 2, estimator="released"
            )
            assert layer["exponents"]["released"]["exponent"] == pytest.approx(
                fit.exponent, rel=1e-3
            )
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        distances = cdist(unit, unit)
        for way, points in (
            ("released", umap(distances, metric="precomputed")),
            ("printed", umap(F.T.astype(np.float32))),
        ):
            fit = correlation_dimension(points, estimator=way)
            assert layer["dimensions"][way]["dimension"] == pytest.approx(fit.dimension, rel=0.3)
    sigma = np.std([layer["exponents"]["printed"]["exponent"] for layer in layers.values()])
    assert metrics["sigma"]["printed"] == pytest.approx(sigma)
    for way in ("printed", "released"):
        dimensions = np.array([layer["dimensions"][way]["dimension"] for layer in layers.values()])
        assert metrics["delta"][way] == pytest.approx(np.ptp(dimensions) / dimensions.mean())
    assert math.isnan(metrics["sigma"]["released"])
    assert (
        sum("released: layer" in line and "28 eigenvalues" in line for line in metrics["skipped"])
        == 3
    )


def test_what_is_done_is_not_done_again_and_settings_share_the_walk(run, pictures, monkeypatch):
    root, paths, arguments = run
    assert len(paths) == 2
    before = {path: path.read_bytes() for path in paths}
    calls = []
    walk = invariance_run.grams_and_features
    monkeypatch.setattr(
        invariance_run, "grams_and_features", lambda *a, **k: calls.append(1) or walk(*a, **k)
    )
    assert list(run_invariance(["ResNet"], [1], [pictures], **arguments)) == []
    assert not calls
    more = arguments | {
        "settings": [*arguments["settings"], UMAP | {"seed": 4}, UMAP | {"min_dist": 0.5}]
    }
    assert len(list(run_invariance(["resnet34"], [1], [pictures], **more))) == 2
    assert len(calls) == 1
    assert {path: path.read_bytes() for path in paths} == before


def test_a_layer_without_an_exponent_or_a_dimension_is_named_and_left_out():
    x = torch.randn(N, 300, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    dead = Gram(torch.zeros(N, N, dtype=torch.float64), 300, 0)
    metrics = invariance_metrics({"a": Gram(x @ x.T, 300, x.numel()), "dead": dead}, umap=UMAP)
    assert metrics["layers"]["dead"]["exponents"] == {
        "released": None,
        "printed, activations": None,
    }
    assert metrics["layers"]["a"]["exponents"]["printed, activations"]["n"] == N
    assert math.isnan(metrics["sigma"]["printed, activations"])
    assert any("layer 'dead' left out of σ" in line for line in metrics["skipped"])
    assert records.new_record("invariance", {}, 0, metrics, seconds=1.0)["metrics"]["layers"]


def test_noise_has_the_exponents_of_noise(tmp_path, monkeypatch):
    class Tiny(nn.Module):
        def __init__(self):
            super().__init__()
            for name in ARCHITECTURE.modules:
                setattr(self, name, nn.Conv2d(3, 3, 3, padding=1))

        def forward(self, x):
            for name in ARCHITECTURE.modules:
                x = getattr(self, name)(x)
            return x

    monkeypatch.setattr(invariance_run.models, "untrained", lambda *_: Tiny())
    paths = list(run_noise(["ResNet"], [0, 1], n_images=120, root=tmp_path))
    assert list(run_noise(["ResNet"], [0, 1], n_images=120, root=tmp_path)) == []
    first, second = (records.read(path)["metrics"] for path in paths)
    for layer in first["layers"].values():
        assert layer["activations"] == 3 * 224 * 224 and layer["nonzero_share"] == 1
        own = layer["exponents"]["printed, activations"]["exponent"]
        assert (
            own == pytest.approx(layer["null_exponents"]["printed, activations"], rel=0.3)
            and own > 10
        )
    values = [
        layer["exponents"]["printed, activations"]["exponent"]
        for m in (first, second)
        for layer in m["layers"].values()
    ]
    assert len(set(values)) == len(values)  # every layer is a draw of its own


# --- the networks of Table 3
# ----------------------------------------------------------------------------------


@pytest.fixture
def trained(tmp_path):
    """A record of a training, and its network's matrices in a folder of their own."""
    config = {"model": "resnet34", "dataset": "digits", "recipe": "quick", "arm": "baseline"}
    record = records.new_record(
        "constraint", config, 5, {"top1_last": 50.0}, data={"name": "digits"}, seconds=1.0
    )
    path = records.write(record, tmp_path / "results")
    rng = np.random.default_rng(0)
    arrays = {}
    for name in ("layer1", "layer2"):
        x = np.maximum(
            rng.standard_normal((GRAM_IMAGES, 900)) @ np.diag(np.arange(1, 901) ** -0.5), 0
        )
        arrays |= {
            f"gram/{name}": x @ x.T,
            f"features/{name}": 900,
            f"nonzero/{name}": np.count_nonzero(x),
        }
    folder = tmp_path / "matrices"
    folder.mkdir()
    np.savez(folder / f"{path.stem}.npz", **arrays)
    return tmp_path / "results", folder / f"{path.stem}.npz"


def test_matrices_of_a_trained_network_become_a_record(trained):
    root, path = trained
    (written,) = run_trained(path.parent, root=root)
    assert list(run_trained(path.parent, root=root)) == []
    record = records.read(written)
    asked = {
        "model": "resnet34",
        "weights": "trained",
        "images": "digits",
        "recipe": "quick",
        "arm": "baseline",
    }
    assert record["config"] == asked | {"n_images": GRAM_IMAGES, "umap": dict(RELEASED_UMAP)}
    assert record["seed"] == 5 and record["data"] == {"name": "digits"}
    metrics = record["metrics"]
    assert list(metrics["sigma"]) == ["released", "printed, activations"]
    assert 0.4 < metrics["layers"]["layer2"]["nonzero_share"] < 0.6
    expected = powerlaw_exponent(
        np.linalg.eigvalsh(np.load(path)["gram/layer1"]) / (GRAM_IMAGES - 1)
    ).exponent
    assert metrics["layers"]["layer1"]["exponents"]["printed, activations"][
        "exponent"
    ] == pytest.approx(expected)


def test_matrices_without_a_record_or_in_pieces_are_named(trained, tmp_path):
    root, path = trained
    lonely = path.with_name("lonely.npz")
    path.rename(lonely)
    with pytest.warns(UserWarning, match="lonely.npz passed over: no record lonely.json"):
        assert list(run_trained(path.parent, root=root)) == []
    np.savez(lonely, **{"gram/layer1": np.eye(4), "features/layer1": 4})
    with pytest.raises(
        ValueError, match="lonely.npz: expected gram/, features/ and nonzero/ .*got gram/layer1"
    ):
        read_matrices(lonely)
    for products in (np.ones((3, 4)), np.full((4, 4), np.nan)):
        np.savez(lonely, **{"gram/a": products, "features/a": 4, "nonzero/a": 16})
        with pytest.raises(
            ValueError, match=r"lonely.npz: expected finite \(B, B\) products for 'a'"
        ):
            read_matrices(lonely)
    np.savez(path, **{"gram/a": np.eye(4), "features/a": 4, "nonzero/a": 16})
    lonely.unlink()
    with pytest.raises(ValueError, match="expected matrices of 640 images, got 4"):
        list(run_trained(path.parent, root=root))
    with pytest.raises(ValueError, match="expected .npz files of trained networks, found none"):
        list(run_trained(tmp_path, root=root))


def test_networks_before_training_are_measured_as_training_finds_them(trained):
    root, path = trained
    (written,) = run_before_training(["ResNet"], [5], ["digits"], "quick", root=root)
    assert list(run_before_training(["ResNet"], [5], ["digits"], "quick", root=root)) == []
    record = records.read(written)
    assert record["config"]["arm"] == record["config"]["weights"] == "untrained"
    assert list(record["metrics"]["sigma"]) == list(WAYS)
    assert list(record["metrics"]["layers"]) == list(ARCHITECTURE.modules)
    list(run_trained(path.parent, root=root))
    table = trained_table(records.read_all("invariance", root), 4).set_index(["way", "arm"])
    assert (
        set(table.loc["released"].index) == {"untrained", "baseline"}
        and (table["seeds"] == 1).all()
    )
    assert table.loc[("released", "untrained"), "ours"] == pytest.approx(
        record["metrics"]["sigma"]["released"]
    )
    with pytest.raises(ValueError, match="recipe: expected one of .*got 'gpu'"):
        list(run_before_training(["ResNet"], [0], ["digits"], "gpu", root=root))


# --- tables
# ---------------------------------------------------------------------------------------------------


@pytest.fixture
def runs(tmp_path):
    """Made-up records: sigma as printed in Table 4 plus 0.1 per seed, delta in the opposite order."""
    fit = {
        "exponent": 2.0,
        "standard_error": 0.1,
        "n": 640,
        "n_tail": 600,
        "x_min": 1.0,
        "ks_distance": 0.1,
    }
    size = {
        "dimension": 3.0,
        "standard_error": 0.1,
        "n": 640,
        "n_radii": 9,
        "region": [0.1, 1.0],
        "intercept": 0.0,
    }
    ways = list(WAYS)
    layer = {
        "D": 8,
        "activations": 64,
        "nonzero_share": 0.5,
        "exponents": dict.fromkeys(ways, fit),
        "null_exponents": dict.fromkeys(ways, 9.0),
        "dimensions": dict.fromkeys(ways, size) | {"released": None},
    }
    for number, model, cifar10, imagenette in load_table(4)[
        ["model", "cifar10", "imagenette"]
    ].itertuples():
        for images, value in (("cifar10", cifar10), ("imagenette", imagenette)):
            for seed in (0, 1, 2):
                metrics = {
                    "layers": {"first": layer, "last": copy.deepcopy(layer)},
                    "sigma": dict.fromkeys(ways, value + 0.1 * seed),
                    "delta": dict.fromkeys(ways, 1 - value),
                    "sigma_null": dict.fromkeys(ways, 1.0),
                    "skipped": [],
                }
                config = invariance_config(model, images)
                records.write(
                    records.new_record("invariance", config, seed, metrics, seconds=1.0), tmp_path
                )
    other = invariance_config("ResNet", "cifar10", umap=RELEASED_UMAP | {"min_dist": 0.1})
    metrics["delta"] = dict.fromkeys(ways, 0.125)
    records.write(records.new_record("invariance-umap", other, 0, metrics, seconds=1.0), tmp_path)
    few = invariance_config("VGG", "cifar10", n_images=64)
    records.write(records.new_record("invariance", few, 0, metrics, seconds=1.0), tmp_path)
    return records.read_all("invariance", tmp_path)


def test_table_4_is_the_mean_over_seeds_beside_the_printed_value(runs):
    table = invariance_table(runs, 4)
    assert len(table) == 7 * 3 * 4
    done = table[table["images"] != "cifar100"]
    np.testing.assert_allclose(done["ours"], done["paper"] + 0.1)
    np.testing.assert_allclose(done["std"], 0.1)
    assert (done["seeds"] == 3).all() and (done["rank"] == done["paper rank"]).all()
    missing = table[table["images"] == "cifar100"]
    assert (
        missing["ours"].isna().all()
        and (missing["seeds"] == 0).all()
        and missing["paper"].notna().all()
    )
    found = rank_correlations(table)
    assert (
        found.loc[("cifar10", "printed"), "rho"] == pytest.approx(1)
        and found.loc[("cifar10", "printed"), "n"] == 7
    )
    assert found.loc[("cifar10", "printed"), "p"] == pytest.approx(2 / math.factorial(7))
    assert math.isnan(found.loc[("cifar100", "printed"), "rho"])


def test_the_shown_table_has_a_text_per_cell(runs):
    table = invariance_table(runs, 4)
    shown = shown_table(table, list(WAYS))
    assert list(shown.columns) == ["paper", *WAYS, "ranks", "n"] and shown.index.names == [
        None,
        None,
    ]
    assert list(shown.index.unique(0)) == ["CIFAR-10", "Imagenette"] and len(shown) == 2 * 7
    assert shown.loc[("CIFAR-10", "ViT")].tolist() == [
        "0.1521",
        *["0.2521 ± 0.1000"] * 4,
        "2 / 2 / 2 / 2 / 2",
        "3",
    ]
    missing = shown_table(table, sets=["cifar100"]).loc[("CIFAR-100", "ViT")]
    assert missing.tolist() == ["0.1779", *["not run"] * 2, "3 / – / –", "0"]


def test_a_number_too_small_for_four_decimals_is_not_shown_as_zero():
    assert mean_and_std(7.4e-6, 1e-6) == mean_and_std(7.4e-6, math.nan) == "< 0.0001"
    assert (
        mean_and_std(0.0121, 1e-6) == "0.0121 ± < 0.0001"
        and mean_and_std(6e-5, 5.1e-5) == "0.0001 ± 0.0001"
    )


def test_tables_without_records_say_nothing_was_run():
    for runs in (pd.DataFrame(), records.read_all("no-such-experiment")):
        table = invariance_table(runs, 5)
        assert table["ours"].isna().all() and (table["seeds"] == 0).all()
        assert rank_correlations(table)["rho"].isna().all()
        assert layer_table(runs).empty and trained_table(runs, 4).empty
        assert sensitivity_table(runs, pd.DataFrame(), "released").empty
    with pytest.raises(ValueError, match=r"number: expected one of \(4, 5\), got 3"):
        invariance_table(pd.DataFrame(), 3)


def test_settings_of_umap_are_compared_for_networks_that_have_several(runs, tmp_path):
    table = sensitivity_table(runs, records.read_all("invariance-umap", tmp_path), "released")
    assert list(table.columns) == ["ResNet, cifar10, seed 0"]
    assert table.index[0] == "as released" and len(table) == 1 + len(UMAP_SETTINGS)
    assert table.loc["min_dist = 0.1", "ResNet, cifar10, seed 0"] == 0.125
    printed = load_table(4).set_index("model").loc["ResNet", "cifar10"]
    assert table.loc["as released", "ResNet, cifar10, seed 0"] == pytest.approx(1 - printed)


def test_one_layer_differs_by_seeds_of_umap_alone():
    runs, others = records.read_all("invariance"), records.read_all("invariance-umap")
    table = umap_seed_spread(runs, others)
    row = table[
        (table["model"] == "resnet34")
        & (table["module"] == "layer1")
        & (table["way"] == "released")
    ].iloc[0]
    near = pd.concat([runs, others])
    near = near[
        (near["config.model"] == "resnet34")
        & (near["config.images"] == "cifar10")
        & (near["seed"] == 0)
    ]
    near = near[
        near["config.umap"].map(lambda umap: {**umap, "seed": 42} == dict(RELEASED_UMAP))
        & (near["config.size"] == 224)
    ]
    found = [
        layers["layer1"]["dimensions"]["released"]["dimension"] for layers in near["metrics.layers"]
    ]
    assert row["seeds"] == len(found) >= 2
    assert row["delta"] == pytest.approx((max(found) - min(found)) / (sum(found) / len(found)))
    assert umap_seed_spread(runs.iloc[:0], others.iloc[:0]).empty


def test_correlations_are_told_beside_what_chance_gives():
    order = pd.DataFrame(
        {"rho": [-0.9, 0.1], "p": [0.01, 0.8]},
        index=pd.MultiIndex.from_product([["CIFAR-10"], ["printed", "released"]]),
    )
    told = order_told(order)
    assert (
        told.startswith("1 of 2 correlations has p < 0.05: printed on CIFAR-10 (ρ = -0.90).")
        and "reverse" in told
    )
    assert order_told(order.iloc[1:]) == "None of the 1 correlations has p < 0.05."


def test_trained_networks_are_compared_beyond_the_scatter_over_seeds():
    table = pd.DataFrame(
        [
            ("A", "x", "cpu", "released", arm, ours, 0.1, 3)
            for arm, ours in (("untrained", 1.0), ("baseline", 0.5), ("constrained", 0.45))
        ]
        + [
            ("B", "x", "cpu", "released", arm, ours, 0.1, 3)
            for arm, ours in (("untrained", 0.2), ("baseline", 0.5), ("constrained", 0.8))
        ],
        columns=["model", "images", "recipe", "way", "arm", "ours", "std", "seeds"],
    )
    found = trained_changes(table).loc["released"]
    assert found.to_dict() == {
        "networks": 2,
        "by training": 1,
        "by the constraint": 1,
        "beyond scatter": 1,
    }
    assert "Δ smaller in 1 of 2 networks" in changes_told(trained_changes(table), "Δ")
    assert changes_told(trained_changes(table.iloc[:0]), "Δ") == "Trained networks: **not run**."
    shown = shown_trained(table)
    assert (
        shown.loc[("A, x, cpu", "trained"), "released"] == "0.5000 ± 0.1000"
        and shown.index.get_level_values(1)[0] == "untrained"
    )
    assert trained_changes(table[table["arm"] != "constrained"]).empty


def test_every_layer_has_a_row_per_way(runs):
    layers = layer_table(full_scale(runs))
    assert len(layers) == 7 * 2 * 3 * 2 * 4
    assert set(layers["depth"]) == {0, 1} and set(layers["model"]) == set(MODELS)
    released = layers["way"] == "released"
    assert (
        layers.loc[released, "dimension"].isna().all()
        and (layers.loc[~released, "dimension"] == 3).all()
    )
    assert (layers["exponent_error"] == 0.1).all()


def test_the_models_are_those_of_the_tables():
    assert list(MODELS) == load_table(4)["model"].tolist()
    assert set(MODELS) == set(load_table(5)["model"])
    assert all(models.find(name).timm_name == name for name in MODELS.values())


def test_an_unknown_model_or_data_set_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no model of Table 1"):
        list(run_invariance(["resnet18"], [0], root=tmp_path))
    with pytest.raises(ValueError, match="name must be one of"):
        list(run_invariance(["ResNet"], [0], ["mnist"], root=tmp_path))


# --- known answers
# --------------------------------------------------------------------------------------------


def test_exponent_recovery_counts_the_draws_within_three_errors():
    table = exponent_recovery([2.0, 3.0], n=200, draws=20)
    assert list(table["exponent"]) == [2.0, 2.0, 3.0, 3.0] and (table["within"] >= 19).all()
    np.testing.assert_allclose(table["mean"], table["exponent"], rtol=0.1)
    # The printed standard error is that of the draws; the released one does not know that x_min was
    # chosen.
    printed = table[table["estimator"] == "printed"]
    np.testing.assert_allclose(printed["standard_error"], printed["std"], rtol=0.6)


def test_exponent_examples_give_an_exponent_to_anything():
    table = exponent_examples().set_index(["spectrum", "estimator"])
    assert table["exponent"].notna().all()
    tail = table.loc[("bulk and tail 2.5", "released")]
    assert abs(tail["exponent"] - 2.5) < 3 * tail["standard_error"]
    assert abs(table.loc[("bulk and tail 2.5", "printed"), "exponent"] - 2.5) > 1


def test_dimension_recovery_shows_the_unit_matters_for_the_released_estimator_alone():
    table = (
        dimension_recovery(n=400).set_index(["set", "estimator", "scale"])["dimension"].unstack()
    )
    printed, released = table.xs("printed", level=1), table.xs("released", level=1)
    np.testing.assert_allclose(printed[0.01], printed[100.0], atol=1e-3)
    assert (released[0.01] - released[100.0]).abs().drop("ball").min() > 0.1
    held_out = dimension_recovery(n=50, scales=[1.0]).groupby("set")["held_out"].first()
    assert set(held_out.index[~held_out]) == {"line", "swiss_roll", "cantor", "henon"}


def test_one_layer_under_several_seeds_of_umap():
    x = torch.randn(60, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    table = umap_repeats(Gram(x @ x.T, 200, x.numel()), [0, 1], umap=UMAP)
    assert list(table.index) == [0, 1] and list(table.columns) == ["printed", "released"]
    assert (table.loc[0] != table.loc[1]).any() and (table > 0).all().all()


# --- the command
# ----------------------------------------------------------------------------------------------


def test_a_command_that_is_stopped_says_what_it_has_done(monkeypatch, tmp_path, capsys):
    from reproduction import __main__ as command

    def stopped(*_, **__):
        yield "a record"
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run_noise", stopped)
    monkeypatch.setattr(
        "sys.argv", ["reproduction", "invariance", "--noise", "--results", str(tmp_path)]
    )
    with pytest.raises(SystemExit) as end:
        command.main()
    out, err = capsys.readouterr()
    assert end.value.code == 130 and out == "a record\n"
    assert str(tmp_path) in err and "Stopped after 1 new record(s); the same command goes on" in err


@pytest.mark.parametrize(
    ("options", "function", "expected"),
    [
        (
            [],
            "run_invariance",
            {
                "settings": [RELEASED_UMAP],
                "memory": 2 * 2**30,
                "n_images": 640,
                "weights": "untrained",
            },
        ),
        (
            ["--umap-settings", "--memory", "0.5"],
            "run_invariance",
            {"settings": UMAP_SETTINGS, "memory": 2**29},
        ),
        (["--noise", "--n-images", "99"], "run_noise", {"n_images": 99}),
        (["--recipe", "cpu"], "run_before_training", {}),
        (["--trained", "kept"], "run_trained", {}),
    ],
)
def test_the_command_runs_what_its_options_ask_for(
    options, function, expected, monkeypatch, tmp_path, capsys
):
    from reproduction import __main__ as command

    calls = []
    monkeypatch.setattr(command, function, lambda *a, **k: calls.append((a, k)) or ["a record"])
    monkeypatch.setattr(
        "sys.argv", ["reproduction", "invariance", *options, "--results", str(tmp_path)]
    )
    command.main()
    ((arguments, keywords),) = calls
    assert keywords["root"] == tmp_path and {name: keywords[name] for name in expected} == expected
    if function != "run_trained":
        assert arguments[:2] == ([*MODELS], [0])
    assert capsys.readouterr().out == "a record\n1 new record(s)\n"


def test_the_command_refuses_two_kinds_of_networks_at_once(monkeypatch, capsys):
    from reproduction import __main__ as command

    monkeypatch.setattr("sys.argv", ["reproduction", "invariance", "--noise", "--recipe", "cpu"])
    with pytest.raises(SystemExit):
        command.main()
    assert "not allowed with argument" in capsys.readouterr().err
