"""Verdicts: none without records, and others when records change."""

from __future__ import annotations

import itertools
import json
import shutil

import numpy as np
import pytest
from filled import filled

from reproduction import records
from reproduction.invariance.cells import DRAW, N_IMAGES
from reproduction.paper.tables import MARKED
from reproduction.paths import RESULTS, ROOT
from reproduction.table_1 import find
from reproduction.verdicts import live, power
from reproduction.verdicts.claims import (
    IN_SMALL,
    VERDICTS,
    load_claims,
    measured,
    rules_written,
    scorecard,
)
from reproduction.verdicts.claims import by_key as verdicts_by_key
from reproduction.verdicts.in_print import IN_PRINT


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """Enough for a gate whose verdicts are not foregone."""
    monkeypatch.setattr(power, "LOOKS", (20,))
    monkeypatch.setattr(power, "N_MORE", 5)


def verdicts(root) -> dict[str, tuple[str, str]]:
    """Claim -> (verdict, in small)."""
    table = scorecard(root)
    return {
        claim.key: tuple(table.loc[claim.number, ["verdict", "in small"]])
        for claim in load_claims()
    }


def copy(experiment, root) -> None:
    shutil.copytree(RESULTS / experiment, root / experiment)


def edit(root, experiment, change) -> None:
    """Apply `change` to the metrics of every record of an experiment in a copy of the records."""
    for path in (root / experiment).glob("*.json"):
        record = json.loads(path.read_text())
        change(record["metrics"])
        path.write_text(json.dumps(record))


# --- without records
# --------------------------------------------------------------------------------------


def test_an_empty_folder_has_no_verdicts(tmp_path):
    for root in (tmp_path, tmp_path / "missing"):
        assert {verdict for verdict, _ in verdicts(root).values()} == {"not run"}
        assert {small for _, small in verdicts(root).values()} == {"not run", "–"}


def test_an_empty_experiment_has_none_either(tmp_path):
    for experiment in (
        "ss-rate",
        "constraint",
        "invariance",
        "box-covering",
        "benchmark-constraint",
        "ss-rate-measures",
    ):
        (tmp_path / experiment).mkdir()
    assert {verdict for verdict, _ in verdicts(tmp_path).values()} == {"not run"}


def test_every_word_is_one_of_those_promised():
    table = scorecard()
    assert set(table["verdict"]) <= set(VERDICTS)
    assert set(table["in small"]) <= {*IN_SMALL.values(), "–"}
    assert set(table["in print"]) <= set(IN_PRINT)


def test_claims_are_complete():
    entries = load_claims()
    assert [claim.number for claim in entries] == list(range(1, 22))
    for claim in entries:
        assert all(
            [
                claim.short,
                claim.claim,
                claim.where,
                claim.test,
                claim.rule,
                claim.known,
                claim.evidence,
            ]
        ), claim
        assert len(claim.short) <= 55 and "{" not in claim.rule
        # those that had been missed have a later date of their own
        assert (claim.written > rules_written()) == (claim.number > 13), claim.key
        assert claim.known.split(":")[0].split(",")[0] in ("yes", "no", "range", "untrained"), (
            claim.known
        )


def test_evidence_names_pages_that_are_or_will_be():
    names = {page for claim in load_claims() for page in claim.evidence}
    assert all(page.split("/")[0] in ("book", "notebooks") for page in names)
    assert {"notebooks/paper_numbers", "notebooks/nine_models"} <= names
    missing = [
        page for page in names if page.startswith("book/") and not (ROOT / f"{page}.md").exists()
    ]
    assert not missing


def test_what_is_printed_needs_no_record(tmp_path):
    table = scorecard(tmp_path)
    by_key = verdicts_by_key(table)
    assert by_key["average-gain"]["in print"] == "does not hold"
    assert by_key["average-gain"]["in print: fact"] == "0.56–4.57 points"
    assert by_key["invariance"]["in print: fact"] == "apart in 0 of 2 tables"
    assert (
        by_key["up-to-six"]["in print"] == "holds"
        and by_key["helps"]["in print"] == "holds in part"
    )


# --- committed records, edited
# ----------------------------------------------------------------------------


def test_table_2_changes_with_the_records(tmp_path):
    copy("ss-rate", tmp_path)
    before = verdicts(tmp_path)["table2-untrained"][0]

    def shift(metrics):
        metrics["mean_printed_modules"]["released"] += 0.5

    edit(tmp_path, "ss-rate", shift)
    assert (
        before in ("reproduced", "partly")
        and verdicts(tmp_path)["table2-untrained"][0] == "not reproduced"
    )


def test_fractals_are_held_against_noise_in_their_own_space(tmp_path, monkeypatch):
    copy("ss-rate", tmp_path)
    copy("box-covering", tmp_path)
    assert scorecard(tmp_path)["ours"].iloc[0].startswith("0 of 2 sets lie below noise: Cantor set")
    monkeypatch.setattr(live, "null_features", lambda F, kind, seed: F.exp() ** 9)
    assert scorecard(tmp_path)["ours"].iloc[0].startswith("2 of 2 sets lie below noise: Cantor set")


@pytest.mark.parametrize(
    ("plain", "ours", "expected"),
    [
        (0.05, 0.01, "reproduced"),
        (0.051, 0.01, "partly"),
        (0.3, 0.04, "partly"),
        (0.21, 0.051, "not reproduced"),
    ],
)
def test_the_cost_decides_at_its_limits(tmp_path, plain, ours, expected):
    copy("benchmark-constraint", tmp_path)
    edit(
        tmp_path,
        "benchmark-constraint",
        lambda metrics: metrics.update(plain_share=plain, ours_share=ours),
    )
    assert verdicts(tmp_path)["cheap"][0] == expected


def test_figure_2_changes_with_the_records(tmp_path):
    copy("ss-rate", tmp_path)
    # untrained only, and chance gives that order of medians in two cases of five
    row = scorecard(tmp_path).loc[6]
    assert row["verdict"] == "undecided" and "not called partly" in row["ours"]
    low = ("vit_small_patch16_224", "resmlp_12_224", "mixer_b16_224")
    for path in (tmp_path / "ss-rate").glob("*.json"):
        record = json.loads(path.read_text())
        for layer in record["metrics"]["layers"].values():
            layer["participation_ratio"] = 9.0 if record["config"]["model"] in low else 2.0
        path.write_text(json.dumps(record))
    assert verdicts(tmp_path)["low-dimensional"][0] == "not reproduced"


# --- records made up
# --------------------------------------------------------------------------------------


def trained_networks(root, ratio, rate) -> None:
    """Copies of the untrained records that claim to be pretrained, with another dimension and
    SS_rate.
    """
    for path in sorted((RESULTS / "ss-rate").glob("*-seed0-*.json")):
        record = records.read(path)
        if record["config"]["draw"]:
            continue
        record["config"]["weights"] = "pretrained:made_up"
        name = record["config"]["model"]
        for layer in record["metrics"]["layers"].values():
            layer["participation_ratio"] = ratio(name)
        record["metrics"]["mean_printed_modules"]["released"] = rate(name)
        records.write(record, root)


def printed_trained(name):
    from reproduction.paper.tables import load_table

    table = load_table(2).set_index("model")["pretrained"]
    return float(table.get(find(name).name, 0.5))


def test_pretrained_networks_that_are_as_printed(tmp_path):
    copy("ss-rate", tmp_path)
    low = ("vit_small_patch16_224", "resmlp_12_224", "mixer_b16_224")
    trained_networks(tmp_path, lambda name: 1.0 if name in low else 9.0, printed_trained)
    found = verdicts(tmp_path)
    assert found["table2-trained"] == ("reproduced", "–")
    assert found["low-dimensional"][0] == "reproduced" and found["poolformer"][0] in (
        "reproduced",
        "partly",
    )
    assert found["rises"][0] == "reproduced"


def test_pretrained_networks_that_are_not(tmp_path):
    copy("ss-rate", tmp_path)
    trained_networks(tmp_path, lambda name: 1.0 + 8 * ("pool" not in name), lambda name: 0.05)
    found = verdicts(tmp_path)
    assert (
        found["table2-trained"][0] == "not reproduced"
        and found["poolformer"][0] == "not reproduced"
    )
    assert found["rises"][0] == "not reproduced"


MODELS = ("ResMLP", "MLP-Mixer", "ViT (small)", "ViT (base)", "ResNet34", "VGG")


def training(
    root, gain, *, names=MODELS, recipe="cpu", datasets=("cifar10",), seeds=6, nearer=0.0, rise=0.1
) -> None:
    """Pairs of runs whose gains scatter by 0.1 around gain(model)."""
    for model, dataset, seed in itertools.product(names, datasets, range(seeds)):
        noise = np.random.default_rng([seed, names.index(model)]).normal(0, 0.1)
        for arm, top1, off in (
            ("baseline", 80.0, 0.1),
            ("constrained", 80.0 + gain(model) + noise, 0.1 - nearer + noise / 100),
        ):
            config = {
                "recipe": recipe,
                "dataset": dataset,
                "model": find(model).timm_name,
                "arm": arm,
            }
            probe = {"512": {"a": 0.2 + rise + noise / 10, "b": 0.2 + rise}}
            metrics = {
                "top1_last": top1, "gamma": 0.3 if arm == "constrained" else None,
                "ss_rate_train": 0.3,
                "ss_rate_train_modules": {"a": 0.3 + off, "b": 0.3 - off},
                "ss_rate_probe": probe, "ss_rate_probe_before": {"512": {"a": 0.2, "b": 0.2}},
            }  # fmt: skip
            metrics = filled("constraint", metrics)
            records.write(
                records.new_record("constraint", config, seed, metrics, seconds=1.0), root
            )


def marked(points, others=0.0):
    return lambda model: points if model in MARKED else others


@pytest.mark.parametrize(
    ("gain", "expected"),
    [
        (marked(3.0), "agrees"),
        (marked(0.4), "agrees in part"),
        (marked(3.0, 2.0), "agrees in part"),
        (marked(0.0), "disagrees"),
        (marked(-2.0), "disagrees"),
    ],
)
def test_gains_in_small(tmp_path, gain, expected):
    training(tmp_path, gain)
    found = verdicts(tmp_path)
    assert found["helps"] == ("not run", expected)
    # one data set is no average over three, and no cell but its own has the largest gain
    assert found["average-gain"] == found["up-to-six"] == ("not run", "not run")


def test_runs_in_small_never_make_a_verdict(tmp_path):
    for recipe in ("cpu", "short"):
        training(tmp_path, marked(2.0), recipe=recipe)
    assert {verdict for verdict, _ in verdicts(tmp_path).values()} == {"not run"}


def test_quick_runs_count_for_nothing(tmp_path):
    training(tmp_path, marked(2.0), recipe="quick")
    assert verdicts(tmp_path) == verdicts(tmp_path / "missing")


def test_the_papers_recipe_makes_a_verdict_and_asks_for_all_data_sets(tmp_path):
    names = ("ResMLP", "ViT (small)", "VGG")
    training(tmp_path, marked(2.5), names=names, recipe="paper")
    assert verdicts(tmp_path)["helps"] == ("partly", "not run")
    others = ("cifar100", "imagenette")
    training(tmp_path, marked(2.5), names=names, recipe="paper", datasets=others)
    assert verdicts(tmp_path)["helps"] == ("reproduced", "not run")


def test_two_pairs_decide_nothing(tmp_path):
    training(tmp_path, marked(2.0), seeds=2)
    found = verdicts(tmp_path)
    assert found["toward-target"][1] == found["rises"][1] == "undecided"


@pytest.mark.parametrize(
    ("nearer", "expected"), [(0.05, "agrees"), (0.0, "disagrees"), (-0.05, "disagrees")]
)
def test_movement_toward_the_target(tmp_path, nearer, expected):
    training(tmp_path, marked(0.0), nearer=nearer)
    assert verdicts(tmp_path)["toward-target"][1] == expected


@pytest.mark.parametrize(("rise", "expected"), [(0.1, "agrees"), (-0.1, "disagrees")])
def test_training_raises_ss_rate_in_small(tmp_path, rise, expected):
    training(tmp_path, marked(0.0), rise=rise)
    assert verdicts(tmp_path)["rises"] == ("not run", expected)


def test_one_more_record_can_change_a_verdict(tmp_path):
    """What the first page promises: a verdict is only as old as its records."""
    training(tmp_path, marked(3.0))
    before = verdicts(tmp_path)["helps"]
    for path in (tmp_path / "constraint").glob("*constrained*"):
        record = json.loads(path.read_text())
        record["metrics"]["top1_last"] = 79.0
        path.write_text(json.dumps(record))
    assert before[1] == "agrees" and verdicts(tmp_path)["helps"][1] == "disagrees"


SEVEN = {
    "MLP-Mixer": 3,
    "ViT (small)": 1,
    "PoolFormer": 7,
    "ResNet34": 4,
    "ResMLP": 2,
    "PVT": 5,
    "VGG": 6,
}  # ranks of the gain

LOOSE = (3, 5, 1, 2, 7, 6, 4)  # goes with 1 to 7 by rho = 0.39


def invariances(root, sigma, delta, **asked) -> None:
    full = {"size": 224, "n_images": N_IMAGES, "draw": DRAW}
    asked = asked or {"weights": "untrained", **full}
    for model, rank in SEVEN.items():
        config = {"model": find(model).timm_name, "images": "cifar10"} | asked
        metrics = {"sigma": {"released": sigma(rank)}, "delta": {"released": delta(rank)}}
        metrics = filled("invariance", metrics)
        records.write(records.new_record("invariance", config, 0, metrics, seconds=1.0), root)


@pytest.mark.parametrize(
    ("sigma", "delta", "expected"),
    [
        (lambda r: r / 10, lambda r: r / 10, "reproduced"),
        (lambda r: r / 10, lambda r: LOOSE[r - 1], "partly"),
        (lambda r: LOOSE[r - 1], lambda r: LOOSE[r - 1], "not reproduced"),
        (lambda r: -r, lambda r: -r, "not reproduced"),
    ],
)
def test_invariance_against_the_printed_gain(tmp_path, sigma, delta, expected):
    invariances(tmp_path, sigma, delta)
    assert verdicts(tmp_path)["invariance"][0] == "not testable here"  # untrained networks
    full = {"size": 224, "n_images": N_IMAGES, "draw": DRAW}
    invariances(tmp_path, sigma, delta, weights="pretrained:x", **full)
    assert verdicts(tmp_path)["invariance"][0] == expected


def test_invariance_of_our_own_networks_against_our_own_gains(tmp_path):
    gain = {model: 7.0 - rank for model, rank in SEVEN.items()}
    training(tmp_path, gain.__getitem__, names=tuple(SEVEN))
    invariances(
        tmp_path, lambda r: -r, lambda r: -r, weights="trained", recipe="cpu", arm="constrained"
    )
    assert verdicts(tmp_path)["invariance"] == (
        "not run",
        "not run",
    )  # the arm that the constraint has not touched
    invariances(tmp_path, lambda r: r, lambda r: r, weights="trained", recipe="cpu", arm="baseline")
    assert verdicts(tmp_path)["invariance"] == ("not run", "agrees")


def covering(root, off, rates) -> None:
    """Four networks whose N_theta, by both formulas, are `off` times too small at one threshold."""
    for model in ("ResMLP", "ResNet34", "VGG", "ViT (small)"):
        boxes = {
            "lower": [8, 4, 1],
            "upper": [8, 5, 1],
            "printed": [8, 4 / off, 1],
            "released": [8, 4 / off, 1],
        }
        layers = {}
        for k, rate in enumerate(rates):
            by = {"printed": rate, "released": rate, "lower": k / 10, "upper": k / 10}
            layers[f"layer{k}"] = {"D": 8, "theta": [0, 1, 2], **boxes, "rates": by}
        config = {"model": find(model).timm_name, "images": "imagenet-sample"}
        committed = min((RESULTS / "box-covering").glob("imagenet-sample-*.json"))
        graph = records.read(committed)["metrics"]["graph"] | {"module": "layer0"}
        metrics = {"layers": layers, "graph": graph}
        records.write(records.new_record("box-covering", config, 0, metrics, seconds=1.0), root)


@pytest.mark.parametrize(
    ("off", "rates", "expected"),
    [
        (1.5, (0.1, 0.2, 0.3, 0.4), "reproduced"),
        (3.0, (0.1, 0.2, 0.3, 0.4), "partly"),
        (1.5, (0.4, 0.3, 0.2, 0.1), "partly"),
        (3.0, (0.4, 0.3, 0.2, 0.1), "not reproduced"),
    ],
)
def test_box_covering(tmp_path, off, rates, expected):
    covering(tmp_path, off, rates)
    assert verdicts(tmp_path)["boxes"][0] == expected


def test_one_claim_alone_says_what_the_scorecard_says():
    row = verdicts_by_key(scorecard())["invariance"]
    assert measured("invariance") == {key: row[key] for key in ("ours", "n", "hardware")}
    with pytest.raises(ValueError, match="'invariant' is no claim"):
        measured("invariant")
