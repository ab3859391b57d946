"""Records of measures and of covering numbers: recomputed from their configuration, and the tables
follow them.
"""

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from reproduction import models, records
from reproduction.covering.known import KNOWN_GRAPHS
from reproduction.covering.read import cover_table, dimension_table
from reproduction.covering.run import COVERING, GRAPHS, cover_curves, graph_metrics
from reproduction.invariance.rulers import KNOWN_SETS, known_points
from reproduction.networks import features_of
from reproduction.paths import RESULTS, data_root
from reproduction.sensitivity.read import (
    cka_table,
    comparable,
    layer_table,
    one_factor_table,
    ranking,
)
from reproduction.sensitivity.run import (
    MEASURES,
    ONE_FACTOR,
    ONE_PER_FAMILY,
    TRAINED,
    layer_measures,
    one_factor,
    run_cka,
)
from reproduction.sensitivity.run import config as sensitivity_config
from sslib import box_curve, pair_distances, ss_rate
from sslib.boxes import FORMULAS, scale_free_rate
from sslib.covering import box_dimension, covering_numbers


@pytest.fixture(scope="module")
def F():
    g = torch.Generator().manual_seed(0)
    return torch.randn(40, 6, generator=g) @ torch.randn(6, 50, generator=g)


def test_layer_measures_hold_what_the_functions_give(F):
    found = layer_measures(F)
    for formula in FORMULAS:
        assert found[formula] == pytest.approx(float(ss_rate(F, formula=formula)), abs=1e-6)
        assert found[f"{formula}, mean"] == scale_free_rate(F, formula=formula)
    assert found["D"] == 40 and 1 < found["participation_ratio"] < found["effective_rank"] < 6.01


def test_cover_curves_lie_at_the_thresholds_of_ss_rate(F):
    found = cover_curves(F)
    curve = box_curve(F, thresholds=33)
    assert found["released"] == pytest.approx(curve.boxes.numpy()) and found[
        "theta"
    ] == pytest.approx(curve.theta.numpy())
    cover = covering_numbers(pair_distances(F), found["theta"])
    assert (found["lower"] == cover.lower).all() and (found["upper"] == cover.upper).all()
    assert found["rates"]["released"] == pytest.approx(float(curve.ss_rate))


def test_one_factor_changes_one_thing(F):
    rows = pd.DataFrame(one_factor(F, draws=2, resamples=5))
    plain = float(ss_rate(F))
    unchanged = rows[
        ((rows["factor"] == "scale") & (rows["value"] == 1))
        | ((rows["factor"] == "D") & (rows["value"] == 40))
        | ((rows["factor"] == "B") & (rows["value"] == 50))
        | ((rows["factor"] == "thresholds") & (rows["value"] == 256))
    ]
    assert len(unchanged) == 4 and unchanged["released"].to_numpy() == pytest.approx(
        plain, abs=1e-4
    )
    assert float(
        rows[(rows["factor"] == "scale") & (rows["value"] == 10)]["released"].iloc[0]
    ) == pytest.approx(float(ss_rate(10 * F)))
    assert rows.groupby(["factor", "value"]).size()[("images", "bootstrap")] == 5


@pytest.fixture
def factors():
    """Two layers: their spread over images is 0.01 on either side; scale moves one by 0.1,
    precision by 0.001.
    """
    rows = [
        {"factor": "images", "value": "bootstrap", "draw": k, "released": 0.3 + d, "printed": 0.7}
        for k, d in enumerate(np.linspace(-0.01, 0.01, 401) / 0.95)
    ]
    for factor, value, rate in (
        ("scale", 1.0, 0.3),
        ("scale", 3.0, 0.4),
        ("scale", 0.3, 0.29),
        ("precision", "float16", 0.301),
    ):
        rows.append({"factor": factor, "value": value, "draw": 0, "released": rate, "printed": 0.7})
    rows += [
        {
            "factor": "D",
            "value": size,
            "draw": k,
            "released": 0.3 + (size == 64) * 0.05 + 0.01 * k,
            "printed": 0.7,
        }
        for size in (64, 128, 200)
        for k in range(-1, 2)
    ]
    return pd.DataFrame(
        [
            {"config.model": m, "metrics.module": "layer", "metrics.rows": rows}
            for m in ("resnet34", "mixer_b16_224")
        ]
    )


def test_what_can_be_compared_follows_from_the_shift_and_the_spread(factors):
    verdict = comparable(one_factor_table(factors))
    scale = verdict.loc["features three times larger or smaller"]
    assert scale["moves by"] == pytest.approx(0.1) and scale["times the spread"] == pytest.approx(
        10, rel=0.02
    )
    assert not scale["comparable"] and scale["low"] == pytest.approx(0.09, abs=1e-3)
    precision = verdict.loc["half precision of F"]
    assert precision["comparable"] and precision["times the spread"] == pytest.approx(0.1, rel=0.02)
    # half of 200 channels is 100, of which 64 is the nearest power of 2 below; a quarter is 50, and
    # 32 was not drawn
    channels = verdict.loc["a sixth to a half of the channels, mean of draws"]
    assert (
        channels["moves by"] == pytest.approx(0.05)
        and channels["low"] < 0.05 < channels["high"]
        and not channels["comparable"]
    )
    assert (verdict["layers"] == 2).all() and "training instead of eval mode" not in verdict.index


def test_ranking_leaves_out_what_is_undefined():
    table = pd.DataFrame(
        {"model": list("aabbcc"), "x": [1.0, 3, 0, 1, 5, 5], "y": [1.0, math.nan, 0, 1, 5, 5]}
    )
    ranked = ranking(table, {"first": "x", "second": "y"})
    assert ranked["first"].to_dict() == {"a": 2.0, "b": 0.5, "c": 5.0}
    assert ranked["rank, first"].to_dict() == {"a": 2.0, "b": 1.0, "c": 3.0}
    assert math.isnan(ranked.loc["a", "second"]) and math.isnan(ranked.loc["a", "rank, second"])


def test_cover_table_measures_the_distance_to_the_nearer_bound():
    curve = {
        "D": 8,
        "theta": [1.0, 2.0, 3.0],
        "lower": [8, 2, 1],
        "upper": [8, 4, 1],
        "released": [8.0, 8.0, 1.0],
        "printed": [8.0, 1.0, 1.0],
        "rates": {"released": 0.1, "printed": 0.2, "lower": 0.3, "upper": 0.4},
    }
    runs = pd.DataFrame(
        [{"config.points": "cantor", "seed": 0, "metrics.layers": {"cantor": curve}}]
    )
    row = cover_table(runs).iloc[0]
    assert row["bracket"] == 2 and row["released: worst"] == 2 and row["printed: worst"] == 2
    assert row["rate: upper"] == 0.4 and row["of"] == "points"


def test_records_of_point_sets_and_graphs_are_recomputed():
    run = records.read(records.record_path(COVERING, {"points": "cantor", "n": 512}, 0))
    again = cover_curves(torch.from_numpy(known_points("cantor", 512)))
    committed = run["metrics"]["layers"]["cantor"]
    assert (
        committed["lower"] == again["lower"].tolist()
        and committed["upper"] == again["upper"].tolist()
    )
    assert committed["released"] == pytest.approx(again["released"].tolist())
    run = records.read(records.record_path(GRAPHS, {"graph": "(1, 3)-flower"}, 0))
    again = graph_metrics("(1, 3)-flower")
    for method, found in run["metrics"]["covers"].items():
        assert found["boxes"] == again["covers"][method]["boxes"].tolist(), method


def test_committed_records_cover_the_grid():
    for experiment in (MEASURES, COVERING):
        runs = records.read_all(experiment)
        assert set(runs["config.model"].dropna()) == set(models.TABLE_1), experiment
    assert set(records.read_all(ONE_FACTOR)["config.model"]) == set(ONE_PER_FAMILY)
    assert set(records.read_all(COVERING)["config.points"].dropna()) == set(KNOWN_SETS)
    assert set(records.read_all(GRAPHS)["config.graph"]) == set(KNOWN_GRAPHS)


def test_recorded_dimensions_of_graphs_are_within_a_tenth_and_none_is_claimed_without_one():
    table = dimension_table(records.read_all(GRAPHS))
    colouring = table[table["method"] == "colouring"].set_index("graph")
    for graph, known in KNOWN_GRAPHS.items():
        fit = box_dimension(colouring.loc[graph, "sizes"], colouring.loc[graph, "boxes"])
        if math.isnan(known):
            assert not fit.power_law, graph
        else:
            assert float(fit) == pytest.approx(known, rel=0.1), graph
        assert fit.slope == pytest.approx(colouring.loc[graph, "slope"], nan_ok=True)


def test_a_committed_record_of_a_network_is_recomputed(tmp_path):
    root = data_root()
    if root is None or not (root / "imagenet-sample").is_dir():
        pytest.skip(
            "needs the ImageNet sample: set SSLIB_DATA to a folder that holds imagenet-sample/"
        )
    from reproduction.images import load_images

    asked, images = sensitivity_config("resnet34"), load_images("imagenet-sample", 512)
    architecture = models.find("resnet34")
    batches = images.batches(architecture.mean, architecture.std)
    features = features_of(
        architecture, models.untrained("resnet34", 0), batches, modules=architecture.modules[:1]
    )
    layer = records.read(records.record_path(MEASURES, asked, 0))["metrics"]["layers"]["layer1"]
    again = layer_measures(features["layer1"])
    assert {key: layer[key] for key in again} == pytest.approx(again, rel=2e-3, abs=2e-3)


def test_records_agree_with_those_of_table_2():
    """Measured from the same features: SS_rate of each layer is the same to rounding."""
    ours, theirs = (layer_table(records.read_all(e)) for e in (MEASURES, "ss-rate"))
    both = ours.merge(theirs, on=["model", "seed", "draw", "module"], suffixes=("", ", Table 2"))
    assert len(both) == len(ours) > 50
    assert both["released"].to_numpy() == pytest.approx(
        both["released, Table 2"].to_numpy(), abs=2e-3
    )


def test_cka_of_a_network_that_training_left_as_it_was_is_one(tmp_path):
    from reproduction.training.pictures import load_pictures, normalise
    from reproduction.training.recipes import RECIPES, Run, network_of
    from sslib.grams import activation_grams

    config = {"recipe": "quick", "dataset": "digits", "model": "resmlp_12_224", "arm": "baseline"}
    record = records.new_record("constraint", config, 0, {"top1_last": 10.0}, seconds=1.0)
    kept = records.write(record, tmp_path).with_suffix(".npz")
    pictures = load_pictures("digits", RECIPES["quick"])
    network, modules = network_of(Run("resmlp_12_224", RECIPES["quick"], 0), pictures.classes)
    grams = activation_grams(
        network, normalise(pictures.probe, models.find("resmlp_12_224")), modules
    )
    other = torch.randn(len(pictures.probe), 5, generator=torch.Generator().manual_seed(0)).double()
    arrays = {f"gram/{name}": gram.products.numpy() for name, gram in grams.items()}
    arrays |= {f"gram/{modules[-1]}": (other @ other.T).numpy()}
    arrays |= {f"{kind}/{name}": 1 for name in grams for kind in ("features", "nonzero")}
    np.savez(kept, **arrays)
    (path,) = run_cka(kept.parent, root=tmp_path)
    cka = records.read(path)["metrics"]["cka"]
    assert [cka[name] for name in modules[:-1]] == pytest.approx([1.0] * (len(modules) - 1))
    assert cka[modules[-1]] < 0.2
    assert list(run_cka(kept.parent, root=tmp_path)) == []
    table = cka_table(records.read_all(TRAINED, tmp_path))
    assert table["depth"].iloc[-1] == 1 and set(table["model"]) == {"ResMLP"}
    with pytest.raises(ValueError, match="found none"):
        list(run_cka(tmp_path, root=tmp_path))


def test_the_command_covers_a_network(tmp_path):
    command = [
        sys.executable,
        "-m",
        "reproduction",
        "measures",
        "--models",
        "resnet34",
        "--images",
        "photographs",
        "--n-images",
        "8",
    ]
    done = subprocess.run(
        [*command, "--no-covers", "--results", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "3 new record(s)"
    assert {path.parent.name for path in tmp_path.glob("*/*.json")} == {
        MEASURES,
        COVERING,
        ONE_FACTOR,
    }
    assert RESULTS not in tmp_path.parents
