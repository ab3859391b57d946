"""Tables 4 and 5 follow the records."""

from __future__ import annotations

import copy
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from reproduction import records
from reproduction.invariance.cells import (
    MODELS,
    RELEASED_UMAP,
    UMAP_SETTINGS,
    WAYS,
    invariance_config,
)
from reproduction.invariance.read import (
    beside_paper,
    dimensions,
    distance,
    exponents,
    full_scale,
    invariance_table,
    layer_table,
    mean_and_std,
    order_table,
    rank_correlations,
    swapped,
)
from reproduction.invariance.read_trained import states_table, trained_changes, trained_table
from reproduction.invariance.read_umap import (
    noise_table,
    repeats,
    sensitivity_table,
    umap_seed_spread,
    umap_table,
)
from reproduction.paper.tables import load_table


@pytest.fixture
def runs(tmp_path):
    """Made-up records: sigma as printed in Table 4 plus 0.1 per seed, delta the other way round."""
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
    printed = load_table(4)[["model", "cifar10", "imagenette"]]
    for model, cifar10, imagenette in printed.itertuples(index=False):
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
    shown = beside_paper(table, list(WAYS))
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
    missing = beside_paper(table, sets=["cifar100"]).loc[("CIFAR-100", "ViT")]
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
    assert list(table.columns) == ["ResNet, CIFAR-10, seed 0"]
    assert table.index[0] == "as released" and len(table) == 1 + len(UMAP_SETTINGS)
    assert table.loc["min_dist = 0.1", "ResNet, CIFAR-10, seed 0"] == 0.125
    printed = load_table(4).set_index("model").loc["ResNet", "cifar10"]
    assert table.loc["as released", "ResNet, CIFAR-10, seed 0"] == pytest.approx(1 - printed)


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
    assert trained_changes(table.iloc[:0]).empty
    shown = states_table(table)
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


def test_the_order_is_shown_where_there_is_one(runs):
    shown = order_table(rank_correlations(invariance_table(runs, 5)))
    assert list(shown.columns) == ["ρ", "p", "n"] and len(shown) == 2 * 4
    assert set(shown.index.unique(0)) == {"CIFAR-10", "Imagenette"} and (shown["n"] == 7).all()
    assert shown.loc[("CIFAR-10", "printed"), "p"].count(".") == 1
    assert order_table(rank_correlations(invariance_table(pd.DataFrame(), 5))).empty


def test_the_distance_to_the_paper_is_the_median_factor(runs):
    table = invariance_table(runs, 4)
    found = distance(table)
    done = table[(table["way"] == "released") & table["ours"].notna()]
    ratio = done["ours"] / done["paper"]
    assert found.factors["released"] == pytest.approx(np.maximum(ratio, 1 / ratio).median())
    assert found.cells == 14 and found.neither == (min(found.factors.values()) > 1.5)
    assert found.released == (done["ours"].min(), done["ours"].max())
    assert found.smallest == done.loc[done["ours"].idxmin(), "model"]
    far = distance(table.assign(ours=table["paper"] * 2))
    assert far.neither and far.factors == {"printed": 2, "released": 2}
    assert distance(invariance_table(pd.DataFrame(), 4)) is None


def test_swapped_ways_are_shown_without_the_number_of_seeds(runs):
    shown = swapped(invariance_table(runs, 4))
    assert list(shown.columns) == ["paper", "printed, activations", "released, F", "ranks"]


def test_the_worth_of_the_fits_is_told_from_their_errors(runs):
    found = exponents(runs)
    assert found.medians.loc["printed", "exponent"] == 2 and found.null_sigma == 1
    assert found.medians.loc["released", "n_tail"] == 600
    # one exponent for all layers: every σ of them is 0
    assert found.within == found.measurements == 7 * 2 * 3
    assert found.nonzero_share == (0.5, 0.5)
    assert exponents(pd.DataFrame()) is None


def test_dimensions_are_told_in_their_own_errors():
    rows = [
        ("printed", "ViT", "cifar10", seed, dimension, 0.1)
        for seed in (0, 1)
        for dimension in (2.0, 3.0 + seed)
    ]
    columns = ["way", "model", "images", "seed", "dimension", "dimension_error"]
    found = dimensions(pd.DataFrame(rows, columns=columns)).loc["printed"]
    assert (found["low"], found["high"], found["median"]) == (2, 4, 2.5)
    assert found["span"] == pytest.approx(15) and found["error"] == pytest.approx(0.1)
    assert dimensions(pd.DataFrame()).empty


def test_noise_is_shown_per_network(runs, tmp_path):
    assert noise_table(runs).empty
    metrics = {"layers": {}, "sigma": {}, "delta": dict.fromkeys(WAYS, 0.25), "sigma_null": {}}
    for seed in (0, 1):
        config = invariance_config("VGG", "noise", weights="noise")
        record = records.new_record("invariance", config, seed, metrics, seconds=1.0)
        records.write(record, tmp_path)
    shown = noise_table(records.read_all("invariance", tmp_path))
    assert list(shown.index) == ["VGG"] and shown.loc["VGG"].tolist() == ["0.25"] * 4 + [2]


def test_other_umaps_are_shown_in_words(runs, tmp_path):
    shown = umap_table(runs, records.read_all("invariance-umap", tmp_path))
    columns = [("ResNet, CIFAR-10, seed 0", way) for way in ("printed", "released")]
    assert list(shown.columns) == columns
    assert list(shown.index[:2]) == ["as released", "components = 2"]
    assert shown.loc["neighbours = 10"].tolist() == ["not run"] * 2
    assert shown.loc["min_dist = 0.1"].tolist() == ["0.12"] * 2


def test_repeats_stand_beside_the_networks():
    runs, others = records.read_all("invariance"), records.read_all("invariance-umap")
    found, spread = repeats(runs, others), umap_seed_spread(runs, others)
    part = spread[spread["way"] == "released"]
    row = found.loc["released"]
    assert row["high"] == part["delta"].max() and row["layers"] == len(part)
    assert row["networks"] == "ResNet34 on CIFAR-10"
    table = invariance_table(runs, 5)
    assert row["printed"] == (table["paper"] <= row["high"]).mean()
    ours = table.loc[table["way"] == "released", "ours"].dropna()
    assert row["ours"] == (ours <= row["high"]).mean()
    assert repeats(runs.iloc[:0], others.iloc[:0]).empty


def test_reading_drawing_and_saying_need_neither_torch_nor_the_method():
    code = (
        "import sys\n"
        "from reproduction.invariance import draw, read_rulers, read_trained, read_umap, say\n"
        "print({name.split('.')[0] for name in sys.modules} & {'sslib', 'timm', 'torch'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
