"""What moves SS_rate: records are recomputed from their configuration, tables follow the records,
sentences the tables.
"""

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from filled import filled
from repeat import at_threads_of

from reproduction import models, records
from reproduction.covering.run import COVERING
from reproduction.models import features_of
from reproduction.paths import RESULTS, data_root
from reproduction.sensitivity import live, read, read_cka, read_graphs, run, say
from reproduction.sensitivity.cells import (
    MEASURES,
    ONE_FACTOR,
    ONE_PER_FAMILY,
    TRAINED,
    config,
    layer_name,
)
from reproduction.sensitivity.read_factors import (
    comparability,
    comparable,
    comparison_table,
    factors,
    live_table,
    setting_table,
)
from reproduction.sensitivity.run import layer_measures, one_factor, run_cka, run_measures
from reproduction.table_1 import TABLE_1, find
from sslib import ss_rate
from sslib.boxes import FORMULAS, scale_free_rate

NOT_RUN = "This study was **not run**."


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


def test_networks_share_one_pass_of_the_images_and_what_is_done_is_skipped(tmp_path, monkeypatch):
    passes = []

    def features_once(architecture, network, images, *, modules, device):
        passes.append(architecture.timm_name)
        g = torch.Generator().manual_seed(0)
        return {module: torch.randn(20, 12, generator=g) for module in modules}

    monkeypatch.setattr(run, "features_of", features_once)
    monkeypatch.setattr(models, "untrained", lambda *_: None)
    small = {"images": "photographs", "n_images": 8, "root": tmp_path, "device": "cpu"}
    new = list(run_measures(["ResNet50", "VGG"], [0, 1], **small))
    assert passes == ["resnet50", "vgg11"] * 2  # one pass for two records
    assert [path.parent.name for path in new] == [MEASURES, "box-covering"] * 4
    assert list(run_measures(["resnet50"], [0, 1], **small)) == [] and len(passes) == 4
    new[1].unlink()
    assert list(run_measures(["resnet50"], [0], **small)) == [new[1]] and len(passes) == 5
    record = records.read(new[0])
    assert list(record["metrics"]["layers"]) == ["layer1", "layer2", "layer3", "layer4"]
    assert record["data"]["name"] == "photographs" and record["data"]["n"] == 8
    with pytest.raises(ValueError, match="no model of Table 1"):
        list(run_measures(["resnet99"], [0], **small))


def test_the_paper_scale_is_the_committed_grid_and_the_others_read_it():
    assert run.at_scale({"scale": "quick"}) == run.at_scale({"scale": "gpu"}) == []
    jobs = run.at_scale({"scale": "paper"})
    assert len(jobs) == 2 * len(TABLE_1) + len(ONE_PER_FAMILY)
    assert not [job for job in jobs if job.lacking(RESULTS)]


@pytest.fixture
def factor_runs():
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


def test_what_can_be_compared_follows_from_the_shift_and_the_spread(factor_runs):
    verdict = comparable(factors(factor_runs))
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


def test_the_table_of_settings_gives_the_change_and_for_images_the_interval(factor_runs):
    rows = factor_runs.loc[0, "metrics.rows"]
    training = {"factor": "mode", "value": "training", "draw": 0, "released": 0.2997, "printed": 0}
    factor_runs["metrics.rows"] = [[*rows, training], rows]
    table = setting_table(factors(factor_runs))
    assert list(table.columns) == ["ResNet34 layer", "MLP-Mixer layer"]
    assert table.loc["precision: float16", "ResNet34 layer"] == "0.301 (+0.001)"
    assert table.loc["images: bootstrap", "MLP-Mixer layer"] == "0.300 [0.290, 0.310]"
    assert table.loc["mode: training"].tolist() == ["0.300 (+0.000)", "–"]


def test_the_table_of_comparisons_words_each_change_briefly(factor_runs):
    table = comparison_table(comparable(factors(factor_runs)))
    assert table.loc["half precision of F", "comparable"] == "yes"
    scale = table.loc["features × 3 or ÷ 3"]
    assert scale["shift"] == "+0.100 [+0.090, +0.110]"
    assert (scale["ratio"], scale["n"], scale["comparable"]) == ("10.0", 2, "no")


def test_other_seeds_and_draws_are_held_against_the_first(factor_runs):
    rows = [(0, 0, 0.3), (1, 0, 0.25), (0, 1, 0.305), (1, 1, 0.9)]
    layers = pd.DataFrame(rows, columns=["seed", "draw", "released"])
    layers = layers.assign(model="ResNet34", module="layer")
    alone = factors(factor_runs).query("model == 'ResNet34'")
    verdict = comparable(alone, layers)
    seed = verdict.loc["another seed of the random weights"]
    assert seed["moves by"] == pytest.approx(-0.05) and not seed["comparable"]
    assert seed["low"] == pytest.approx(-0.06, abs=1e-3)  # one number: the spread over images
    draw = verdict.loc["another draw of 512 of the images"]
    assert draw["moves by"] == pytest.approx(0.005) and draw["comparable"]


def a_layer(model="resnet34", module="layer1", **numbers):
    """A record of one layer."""
    layer = {"D": 8, "TZ": 0.5, "TV": 2.0, "distance_mean": 1.0, "distance_std": 0.5} | numbers
    return {"config.model": model, "config.draw": 0, "seed": 0, "metrics.layers": {module: layer}}


def test_layers_carry_the_moments_of_their_distances():
    (row,) = read.layers(pd.DataFrame([a_layer(released=0.2)])).to_dict("records")
    assert (row["model"], row["family"], row["module"]) == ("ResNet34", "cnn", "layer1")
    assert (row["log_scale"], row["cv"]) == (0, 0.5)
    assert row["log_D"] == pytest.approx(math.log(8))
    assert row["log_range"] == pytest.approx(math.log(3 / 1.5))
    assert read.layers(records.read_all("no-such-experiment")).empty


@pytest.fixture
def explained_layers():
    """The released SS_rate is a sum of scale and shape; the printed one of their squares."""
    g = np.random.default_rng(0)
    names = ["log_scale", "cv", "distance_skewness", "log_D", "log_range"]
    table = pd.DataFrame(g.normal(size=(60, 5)), columns=names).assign(model=list("abcdef") * 10)
    return table.assign(
        released=table["log_scale"] + table["cv"],
        printed=table["cv"] ** 2 + table["log_scale"] * table["distance_skewness"],
    )


def test_fits_explain_what_a_column_was_made_of(explained_layers):
    fits = read.fits(explained_layers, resamples=20)
    assert fits["r2"]["released", "scale and shape"] == pytest.approx(1)
    assert 0.2 < fits["r2"]["released", "scale"] < 0.8
    assert fits["r2"]["printed", "scale and shape"] < 0.4
    assert fits["r2"]["printed", "and squares, products"] == pytest.approx(1)
    table = read.explained_table(fits)
    assert table["released", "R²"]["scale and shape"] == "1.00 [1.00, 1.00]"
    assert table["released", "unseen"]["scale and shape"] == "1.00"
    said = say.explained(explained_layers, fits)
    assert said.startswith("These are 60 layers of 6 networks")
    assert "explain 100 % of the released SS_rate's variance [100 %, 100 %]" in said
    assert say.explained(pd.DataFrame(), pd.DataFrame()) == NOT_RUN


@pytest.fixture
def null_runs():
    def layer(rate, noise, line, white):
        kinds = {"gaussian": noise, "one direction": line, "whitened": white}
        return {"released": rate, "nulls": {k: {"released": v} for k, v in kinds.items()}}

    two = {"layer1": layer(0.1, 0.2, 0.3, math.nan), "layer2": layer(0.4, 0.2, 0.3, 0.5)}
    one = {"blocks.0": layer(0.1, 0.22, 0.05, math.nan)}
    models = ["resnet34", "vit_small_patch16_224"]
    return pd.DataFrame({"config.model": models, "metrics.layers": [two, one]})


def test_null_models_are_averaged_over_the_layers_that_have_one(null_runs):
    nulls = read.nulls(null_runs)
    table = read.null_table(nulls)
    assert list(table.index) == ["ViT (small)", "ResNet34"]  # as in the paper
    assert table.loc["ResNet34"].tolist() == ["0.25", "0.20", "0.30", "0.50 (1 of 2)"]
    assert table.loc["ViT (small)", "whitened"] == "–" and list(table)[1:3] == ["noise", "line"]
    found = read.against_noise(nulls)
    assert (found.n, found.low, found.high, found.networks) == (3, 0.2, 0.22, 2)
    # one of two layers of one network, the only one of the other: two of three layers
    assert found.below == pytest.approx(3 / 4) and found.most == 1
    assert found.below_line == pytest.approx(1 / 4)
    assert found.gap == pytest.approx((0.15 + 0.12) / 2)
    said = say.noise(found)
    assert "0.20 to 0.22. Layers" in said and "average 75 % of a network's layers have" in said
    assert "in 1 of 2 networks more than half do (3 layers in all)" in said
    assert "difference is 0.14. 25 % lie" in said or "difference is 0.13. 25 % lie" in said
    assert say.noise(read.against_noise(nulls[:0])) == NOT_RUN


def test_correlations_name_the_measures_whose_interval_excludes_zero():
    g = np.random.default_rng(2)
    columns = [*read.MEASURES_BESIDE, *read.RATES]
    layers = pd.DataFrame(g.normal(size=(40, 8)), columns=columns).assign(model=list("abcde") * 8)
    layers["released"] = -layers["distance_mean"]
    layers.loc[0, "cka"] = math.nan
    layers["cka_noise"] = [0.25, 0.75] * 20
    found = read.correlations(layers)
    assert found.loc["mean distance", "released"].rho == pytest.approx(-1)
    assert read.clear(found["released"]) == ["mean distance"]
    cell = read.correlation_table(found).loc["mean distance", "released"]
    assert cell == "-1.00 [-1.00, -1.00]; -1.00 (5 of 5)"
    said = say.beside(found, layers)
    assert (
        "Over 40 layers of 5 networks" in said
        and "excludes zero for 1 of 5 measures: mean distance (" in said
    )
    assert "and 0.25 to 0.75 of noise with as many channels" in said
    none = found.drop("mean distance")
    assert "excludes zero for 0 of 4 measures. The" in say.beside(none, layers)
    assert say.beside(read.correlations(pd.DataFrame()), layers) == NOT_RUN


def test_cka_is_averaged_over_layers_then_over_seeds():
    rows = [
        {"config.model": "resnet34", "config.dataset": "d", "config.recipe": recipe, "seed": seed}
        | {"config.arm": arm, "metrics.cka": {"a": first, "b": last}}
        for recipe, arm, seed, first, last in (
            ("cpu", "baseline", 0, 0.9, 0.5),
            ("cpu", "baseline", 1, 0.7, 0.5),
            ("cpu", "constrained", 0, 0.8, 0.6),
            ("cpu", "constrained", 1, 0.8, 0.6),
            ("quick", "baseline", 0, 0.0, 0.0),
            ("cpu", "placebo", 0, 0.0, 0.0),
        )
    ]
    similar = read_cka.similarity(pd.DataFrame(rows))
    table = read_cka.cka_table(similar, read_cka.unrelated(pd.DataFrame()))
    assert table.loc["ResNet34"].to_dict() == {
        "baseline (2 seeds)": "0.65 ± 0.07 (0.80, 0.50)",
        "constrained (2 seeds)": "0.70 ± 0.00 (0.80, 0.60)",
        "two seeds": "not run",
        "two seeds, unbiased": "not run",
        "noise": "not run",
    }
    assert (
        say.similarity(read_cka.reference(similar, read_cka.unrelated(pd.DataFrame()))) == NOT_RUN
    )


def test_cka_is_held_against_unrelated_networks():
    layer = {"features": 384, "images": 512, "biased": 0.9, "unbiased": 0.8}
    other = {**layer, "biased": 0.7, "unbiased": 0.7}
    runs = [
        {"config.model": "resnet34", "seed": seed, "metrics.layers": {"a": layer, "b": other}}
        for seed in (0, 2)
    ]
    unrelated = read_cka.unrelated(pd.DataFrame(runs))
    cell = {"model": "ResNet34", "recipe": "cpu", "arm": "baseline", "module": "a"}
    similar = pd.DataFrame([cell | {"seed": seed, "cka": 0.6} for seed in (0, 1)])
    row = read_cka.cka_table(similar, unrelated).loc["ResNet34"]
    assert row["two seeds"] == "0.80 ± 0.00 (0.90, 0.70)" and row["noise"] == "0.43 (0.43, 0.43)"
    found = read_cka.reference(similar, unrelated)
    assert (found.closer, found.models) == (1, 1)
    assert found.unbiased == pytest.approx((0.75, 0.75))
    said = say.similarity(found)
    assert "neither trained, have 0.80 to 0.80**" in said and "training 0.60 to 0.60" in said
    assert read_cka.reference(similar.assign(cka=0.9), unrelated).closer == 0


def test_the_order_of_networks_may_turn_with_the_axis():
    networks = {"ResNet34": 3, "ViT (small)": 1, "VGG": 2, "MLP-Mixer": 4}
    layers = pd.DataFrame(
        {
            "model": list(networks),
            "released": [0.1 * k for k in networks.values()],
            "released, mean": [0.5 - 0.1 * k for k in networks.values()],
            "released, log": [math.nan, 0.2, 0.3, 0.4],
            "released, linear": [0.1 * k for k in networks.values()],
        }
    )
    ranking = read.ranking(layers)
    table = read.axis_table(ranking)
    assert list(table.index) == ["ViT (small)", "ResNet34", "VGG", "MLP-Mixer"]
    assert table.loc["ResNet34"].tolist() == ["0.300 (3)", "0.200 (2)", "–", "0.300 (3)"]
    found = read.order(ranking)
    assert (found.n, found.mean.rho, found.linear.rho) == (4, pytest.approx(-1), pytest.approx(1))
    assert (found.mover, found.places, found.undefined) == ("ViT (small)", 3, ("ResNet34",))
    said = say.order(found)
    assert "the order of the 4 networks" in said and "ViT (small) moves most, by 3 places" in said
    assert "log θ is undefined for ResNet34, where" in said
    assert "undefined for none, where" in say.order(found._replace(undefined=()))
    assert say.order(read.order(ranking[:2])) == NOT_RUN


def test_small_worlds_are_counted_among_features_and_noise():
    def row(of, asked, sigma):
        rest = dict.fromkeys(("degree_cv", "clustering", "largest", "path"), 0.5)
        return {"of": of, "asked": asked, "density": asked, "sigma": sigma} | rest

    rows = [
        row(of, asked, sigma)
        for of, sigmas in (("features", (3.0, 2.0, 0.5)), ("gaussian", (2.0, 2.5, 1.5)))
        for asked, sigma in zip((0.02, 0.1, 0.5), sigmas, strict=True)
    ]
    runs = pd.DataFrame(
        [
            {"config.model": m, "metrics.graph": {"module": "x", "statistics": rows}}
            for m in ONE_PER_FAMILY
        ]
    )
    graphs = read_graphs.graphs(runs)
    table = read_graphs.small_world_table(graphs)
    assert len(table) == 12 and table.loc[("2 % of pairs", "convolution"), "σ"] == "3.00"
    assert table.loc[("50 % of pairs", "noise"), "σ"] == "1.50"
    found = read_graphs.small_worlds(graphs)
    assert found == pytest.approx((9, 2 / 3, 1, 1 / 3))
    said = say.small_worlds(found)
    assert "in 67 % of the 9 graphs of features, and in 100 % of those of noise" in said
    assert said.endswith("larger for the features than for the noise in 33 %.")
    assert say.small_worlds(read_graphs.small_worlds(graphs[:0])) == NOT_RUN


def test_the_last_sentence_lists_what_can_be_compared_and_what_not(factor_runs):
    found = comparable(factors(factor_runs))
    layers = pd.DataFrame({"released": [0.2, 0.3], "printed": [0.7, 0.8]})
    layers = layers.assign(distance_mean=[0.1, 1.5], model=["a", "b"])
    noise = read.NoiseComparison(0.2, 0.25, 10, 3, 0.7, 2, 0.6, 0.1)
    outcome = comparability(found, layers)
    assert outcome.yes == ("half precision of F",) and len(outcome.no) == 2
    said = say.comparability(outcome, noise)
    assert "- **They can** if they differ in: half precision of F.\n" in said
    assert "differ in: a sixth to a half of the channels, mean of draws; features three" in said
    assert "larger by 0.50 in the median layer of the median network, 0.50 to 0.50 over" in said
    assert "move SS_rate by 0.100 [0.090, 0.110], up to 10 times the spread" in said
    assert "runs from 0.1 to 1.5" in said and "(0.20 to 0.25 here)" in said
    assert said.endswith("70 % of a network's layers are below, on average.")
    nothing = say.comparability(comparability(found.assign(comparable=False), layers), noise)
    assert "**They can** if they differ in: nothing that was tried." in nothing
    assert comparability(comparable(pd.DataFrame()), layers) is None
    assert say.comparability(None, noise) == say.comparability(outcome, None) == NOT_RUN


def test_the_live_tables_show_what_was_computed(F):
    rates = live.changed_rates(F)
    assert rates.loc["multiplied by 10", "released"] == pytest.approx(float(ss_rate(10 * F)))
    table = read.change_table(rates)
    same = ["as it is", "rotated", "shifted by one vector", "channels in another order"]
    assert table.loc[same, "printed"].nunique() == 1 and table["printed"].nunique() > 3
    fractals = live.fractal_rates(n=40, clouds=2)
    assert (fractals["low"] <= fractals["high"]).all()
    shown = read.fractal_table(fractals).loc["Cantor set"]
    assert shown["dimension"] == "0.63" and shown["noise like it"].count(" to ") == 1
    found = live_table(live.factor_rates({"resnet34": F}, draws=1))
    assert list(found) == [layer_name("resnet34")]
    assert found.loc["scale: 1"].item() == found.loc["precision: float64"].item()
    assert "thresholds: 16" in found.index and not found.index.str.startswith("D:").any()


def test_one_network_per_family_gives_its_middle_layer():
    few = {"images": "photographs", "n_images": 4, "seed": 0}
    features = live.middle_layers(few, ["resnet34"])
    assert features["resnet34"].shape == (256, 4)
    assert say.layer("resnet34", features["resnet34"].shape) == (
        "The layer is layer3, with 256 channels; it saw 4 images."
    )


@pytest.mark.parametrize("room", ["sensitivity", "covering"])
def test_reading_drawing_and_saying_need_no_torch(room):
    parts = "read, draw, say" + ", read_factors, read_graphs" * (room == "sensitivity")
    check = "import sys; sys.exit(len({'torch', 'timm', 'sslib'} & set(sys.modules)))"
    code = f"from reproduction.{room} import {parts}\n{check}"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_ranking_leaves_out_what_is_undefined():
    table = pd.DataFrame(
        {"model": list("aabbcc"), "x": [1.0, 3, 0, 1, 5, 5], "y": [1.0, math.nan, 0, 1, 5, 5]}
    )
    ranked = read.ranking(table, {"first": "x", "second": "y"})
    assert ranked["first"].to_dict() == {"a": 2.0, "b": 0.5, "c": 5.0}
    assert ranked["rank, first"].to_dict() == {"a": 2.0, "b": 1.0, "c": 3.0}
    assert math.isnan(ranked.loc["a", "second"]) and math.isnan(ranked.loc["a", "rank, second"])


def test_committed_records_cover_the_grid():
    runs = records.read_all(MEASURES)
    assert set(runs["config.model"].dropna()) == set(TABLE_1)
    assert set(records.read_all(ONE_FACTOR)["config.model"]) == set(ONE_PER_FAMILY)


def test_a_committed_record_of_a_network_is_recomputed(tmp_path):
    root = data_root()
    if root is None or not (root / "imagenet-sample").is_dir():
        pytest.skip(
            "needs the ImageNet sample: set SSLIB_DATA to a folder that holds imagenet-sample/"
        )
    from reproduction.images import load_images

    asked, images = config("resnet34"), load_images("imagenet-sample", 512)
    architecture = find("resnet34")
    batches = images.batches(architecture.mean, architecture.std)
    committed = records.read(records.record_path(MEASURES, asked, 0))
    layer, network = committed["metrics"]["layers"]["layer1"], models.untrained("resnet34", 0)
    with at_threads_of(committed):
        features = features_of(architecture, network, batches, modules=architecture.modules[:1])
        again = layer_measures(features["layer1"])
    assert {key: layer[key] for key in again} == pytest.approx(again, rel=2e-3, abs=2e-3)


def test_records_agree_with_those_of_table_2():
    """Measured from the same features: SS_rate of each layer is the same to rounding."""
    ours, theirs = (read.layers(records.read_all(e)) for e in (MEASURES, "ss-rate"))
    both = ours.merge(theirs, on=["model", "seed", "draw", "module"], suffixes=("", ", Table 2"))
    assert len(both) == len(ours) > 50
    assert both["released"].to_numpy() == pytest.approx(
        both["released, Table 2"].to_numpy(), abs=2e-3
    )


def test_cka_of_a_network_that_training_left_as_it_was_is_one(tmp_path):
    from reproduction.training.pictures import load_pictures, normalise
    from reproduction.training.recipes import RECIPES, Run, network_of
    from sslib.grams import activation_grams

    asked = {"recipe": "quick", "dataset": "digits", "model": "resmlp_12_224", "arm": "baseline"}
    metrics = filled("constraint", {"top1_last": 10.0})
    record = records.new_record("constraint", asked, 0, metrics, seconds=1.0)
    kept = records.write(record, tmp_path).with_suffix(".npz")
    pictures = load_pictures("digits", RECIPES["quick"])
    network, modules = network_of(Run("resmlp_12_224", RECIPES["quick"], 0), pictures.classes)
    grams = activation_grams(network, normalise(pictures.probe, find("resmlp_12_224")), modules)
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
    table = read_cka.similarity(records.read_all(TRAINED, tmp_path))
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
