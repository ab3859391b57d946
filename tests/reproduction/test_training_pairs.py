"""Differences between runs of one seed, from numbers that are known."""

import math

import pandas as pd
import pytest

from reproduction.paper.tables import released_commands
from reproduction.table_1 import find
from reproduction.training.arms import RELEASED, Arm
from reproduction.training.pairs import (
    Batch,
    batches,
    choices,
    closing_in,
    dose_response,
    effects,
    groups,
    judged,
    learning_rates,
    networks,
    outcome,
    outcomes,
    paired,
    raised,
    rate_alone,
)
from reproduction.training.read import table_3

HISTORY = {"gradient_ratio": [0.5, 1.5]}


def synthetic(rows):
    base = {"recipe": "cpu", "dataset": "cifar10", "family": "cnn", "ss_rate_train": 0.2}
    return pd.DataFrame([{**base, **row} for row in rows])


def arms_of(model, gains, seeds, family="cnn"):
    """Runs of a model: the baseline has 50 + seed, an arm `gains` [arm] more, a number or one for
    each seed.
    """
    rows = []
    for arm, gain in {"baseline": 0.0, **gains}.items():
        each = gain if isinstance(gain, list) else [gain] * len(seeds)
        rows += [
            {"model": model, "family": family, "arm": arm, "seed": k, "top1_last": 50 + k + more}
            for k, more in zip(seeds, each, strict=True)
        ]
    return rows


# --- arms ---


def test_arms_have_one_spelling():
    assert str(Arm.parse("constrained:alpha=0.0001")) == "constrained"
    assert str(Arm.parse("placebo:alpha=1.0@5e-4")) == "placebo:alpha=1@0.0005"
    assert str(Arm.parse("constrained:gamma=0.30,alpha=1")) == "constrained:alpha=1,gamma=0.3"
    assert str(Arm.parse("constrained:gamma=own")) == "constrained"
    assert str(Arm.parse("yoked:of=released")) == "yoked"
    for text in ("wrong:of=constrained,gamma=table2@0.001", "yoked", "released"):
        assert str(Arm.parse(text)) == text


def test_released_arms_are_those_of_the_published_commands():
    table = released_commands().query("arm == 'constrained' and dataset != 'cifar100'")
    printed = {
        (find(row["model"]).timm_name, row["dataset"]): (
            row["learning_rate"],
            row["alpha"],
            row["gamma"],
        )
        for _, row in table.iterrows()
    }
    assert printed == RELEASED


# --- effects ---


def test_table_and_effects_from_known_numbers():
    runs = synthetic(
        [
            {"model": "ResNet34", "arm": arm, "seed": seed, "top1_last": 50 + seed + gain}
            for seed in range(6)
            for arm, gain in (("baseline", 0), ("constrained", 1 + seed % 2))
        ]
    )
    table = table_3(runs, "cpu", "cifar10")
    row = table.loc["ResNet34"]
    assert (
        row["paper: baseline"] == 93.90
        and row["baseline: n"] == 6
        and row["baseline: mean"] == 52.5
    )
    assert table.loc["VGG", "baseline: n"] == 0
    differences = paired(runs, "constrained")
    assert sorted(differences["difference"]) == [1, 1, 1, 2, 2, 2]
    found = effects(differences)
    assert found.loc["ResNet34", "mean"] == 1.5 and found.loc["all", "n"] == 6
    assert found.loc["ResNet34", "p"] == pytest.approx(2 / 2**6) == found.loc["ResNet34", "p, Holm"]
    assert pd.isna(found.loc["all", "p, Holm"]) and found.loc["all", "largest"] == 2
    unpaired = paired(runs[~((runs["arm"] == "baseline") & (runs["seed"] == 3))], "constrained")
    assert len(unpaired) == 5


def test_effects_of_nothing():
    nothing = effects(paired(synthetic(arms_of("VGG", {}, [0])), "constrained"))
    assert nothing.index.tolist() == ["all"] and nothing.loc["all", "n"] == 0
    assert groups(paired(synthetic(arms_of("VGG", {}, [0])), "constrained")) == {}


def test_groups_are_the_marked_models_and_the_convolutional_ones():
    rows = arms_of("ResMLP", {"constrained": 1.0}, [0, 1], "mlp")
    rows += arms_of("VGG", {"constrained": -1.0}, [0, 1])
    rows += arms_of("PVT", {"constrained": 9.0}, [0, 1], "attention")
    runs = synthetic(rows)
    assert networks(runs) == ["PVT", "VGG", "ResMLP"]
    marked, cnn = groups(paired(runs, "constrained")).values()
    assert marked.index.tolist() == ["ResMLP", "all"] and marked.loc["all", "mean"] == 1
    assert cnn.index.tolist() == ["VGG", "all"] and cnn.loc["all", "mean"] == -1


# --- batches ---

PLAN = [Batch("VGG", "constrained", (8, 9, 10, 11, 12, 13))]


def test_batches_part_the_seeds_by_when_they_were_chosen():
    seeds = [*range(3), 6, 7, *range(8, 14)]
    gains = [1.0] * 3 + [0.5] * 2 + [2.0] * 6
    table = batches(synthetic(arms_of("VGG", {"constrained": gains}, seeds)), PLAN)
    own = table[table["against"] == "baseline"]
    assert own["batch"].tolist() == ["first", "added", "planned"]
    assert own[["from", "to"]].values.tolist() == [[0, 2], [6, 7], [8, 13]]
    assert own["mean"].tolist() == [1.0, 0.5, 2.0] and own["n"].tolist() == [3, 2, 6]
    assert table[table["against"] == "placebo"]["mean"].isna().all()
    (row,) = outcomes(table, PLAN).to_dict("records")
    assert row["outcome"] == "repeated" and row["p"] == pytest.approx(2 / 2**6)


@pytest.mark.parametrize(
    ("seeds", "batch", "expected"),
    [
        ([*range(14)], "planned", [*range(8, 14)]),
        ([*range(8)], "first", [*range(6)]),  # 6 and 7 were added after a look
        ([3, 5], "first", [3, 5]),
        ([*range(13)], None, []),  # the planned batch has begun: neither it nor the first
        ([6, 7], None, []),
    ],
)
def test_one_batch_of_a_network_is_judged(seeds, batch, expected):
    runs = synthetic(arms_of("VGG", {"constrained": 1.0, "released": 2.0}, seeds))
    chosen = judged(paired(runs, "constrained"), "constrained", PLAN)
    assert sorted(chosen["seed"]) == expected and set(chosen["batch"]) == {batch} - {None}
    other = judged(paired(runs, "released"), "released", PLAN)  # has no plan
    assert sorted(other["seed"]) == [seed for seed in seeds if seed < 6]
    elsewhere = paired(runs.assign(dataset="imagenette"), "constrained")  # nor has this
    assert sorted(judged(elsewhere, "constrained", PLAN)["seed"]) == sorted(other["seed"])


def test_nothing_is_judged_of_nothing():
    nothing = paired(synthetic(arms_of("VGG", {}, [0])), "constrained")
    assert judged(nothing, "constrained", PLAN).empty
    assert effects(judged(nothing, "constrained", PLAN)).loc["all", "n"] == 0


def test_a_planned_batch_has_an_outcome_when_it_is_whole():
    part = batches(synthetic(arms_of("VGG", {"constrained": 1.0}, [0, 1, *range(8, 13)])), PLAN)
    assert "planned" in set(part["batch"]) and outcomes(part, PLAN).empty
    alone = batches(synthetic(arms_of("VGG", {"constrained": 1.0}, [*range(8, 14)])), PLAN)
    assert outcomes(alone, PLAN).empty  # no first batch that it could repeat
    assert outcomes(batches(synthetic(arms_of("VGG", {}, [0])), PLAN), PLAN).empty


@pytest.mark.parametrize(
    ("first", "means", "p", "expected"),
    [
        (1.0, [0.5, 0.4], [0.03, 0.04], "repeated"),
        (-1.0, [-0.5], [0.03], "repeated"),
        (1.0, [0.5, 0.4], [0.03, 0.06], "left open"),
        (1.0, [0.5, -0.1], [0.03, 0.9], "not repeated"),
        (1.0, [-0.5, -0.4], [0.03, 0.03], "not repeated"),
        (1.0, [0.0], [1.0], "not repeated"),
    ],
)
def test_a_result_is_repeated_left_open_or_not_repeated(first, means, p, expected):
    assert outcome(first, pd.DataFrame({"mean": means, "p": p})) == expected


# --- does the constraint act? ---


def test_modules_come_nearer_to_gamma_or_not():
    cell = {
        "recipe": "cpu",
        "dataset": "cifar10",
        "model": "ResNet34",
        "family": "cnn",
        "seed": 0,
        "alpha": 1.0,
    }
    runs = pd.DataFrame(
        [
            {**cell, "arm": "baseline", "gamma": None, "modules": {"a": 0.1, "b": 0.5}},
            {**cell, "arm": "constrained:alpha=1", "gamma": 0.3, "modules": {"a": 0.25, "b": 0.45}},
            {**cell, "arm": "placebo:alpha=1", "gamma": 0.3, "modules": {"a": 0.0, "b": 0.6}},
        ]
    )
    real, sham = (
        closing_in(runs, arm).iloc[0] for arm in ("constrained:alpha=1", "placebo:alpha=1")
    )
    assert real[["without", "with", "nearer"]].tolist() == pytest.approx([0.2, 0.1, 0.1])
    assert sham["nearer"] == pytest.approx(-0.1)
    assert closing_in(runs, "released").empty


def test_raised_doses_are_of_models_with_more_than_the_papers_alpha():
    rows = arms_of("VGG", {"constrained": 1.0}, [0])
    rows += arms_of("PVT", {"constrained": 1.0, "constrained:alpha=1": -3.0}, [0], "attention")
    alphas = {"baseline": 0.0, "constrained": 1e-4, "constrained:alpha=1": 1.0}
    more = {"gamma": 0.2, "modules": {"a": 0.1}}
    runs = synthetic([{**row, **more, "alpha": alphas[row["arm"]]} for row in rows])
    doses = dose_response(runs.assign(history=[HISTORY] * len(runs)))
    assert doses.loc["PVT", "constrained", 1.0][["n", "top-1", "gradient"]].tolist() == [1, -3, 1]
    assert doses["family"].tolist() == ["cnn", "attention", "attention"]
    assert raised(doses).index.tolist() == [
        ("PVT", "constrained", 1e-4),
        ("PVT", "constrained", 1.0),
    ]
    assert raised(dose_response(runs.iloc[:0])).empty


def test_the_released_form_is_a_dose():
    """It has alpha and gamma of its own; an arm at another learning rate is no dose."""
    gains = {"released": 2.0, "released@0.001": 9.0}
    rows = arms_of("PVT", gains, [0, 1], "attention")
    own = {"released": {"alpha": 0.05, "gamma": 0.3}}
    runs = synthetic([{"modules": {"a": 0.1}, **row, **own.get(row["arm"], {})} for row in rows])
    doses = dose_response(runs.assign(history=[HISTORY] * len(runs)))
    assert raised(doses).index.tolist() == [("PVT", "released", 0.05)]
    row = doses.iloc[0]
    assert row[["n", "gamma", "top-1", "without"]].tolist() == pytest.approx([2, 0.3, 2, 0.2])


# --- would the protocol show a gain without it? ---


def test_the_rate_alone_and_crossed():
    gains = {"constrained": 1.0, "baseline@0.001": -2.0, "constrained@0.001": -1.5}
    runs = synthetic(arms_of("VGG", gains, [0, 1]) + arms_of("PVT", {"constrained": 1.0}, [0]))
    rates = learning_rates(runs)
    assert rates.index.tolist() == [("VGG", 8e-3), ("VGG", 1e-3)]
    assert rates["gain"].tolist() == [1.0, 0.5] and rates["baseline: n"].tolist() == [2, 2]
    row = rate_alone(runs, rates).loc["VGG"]
    assert row[["alone", "crossed", "higher", "lower"]].tolist() == [-2.0, -1.5, 1.0, 0.5]
    assert row["alone: n"] == row["crossed: n"] == 2
    lacking = learning_rates(runs[runs["arm"] != "constrained@0.001"])
    assert lacking.empty and rate_alone(runs, lacking).empty


def test_the_choice_of_the_epoch():
    accuracies = {"top1_last": 50.0, "top1_heldout": 49.0, "top1_best": 52.0}
    other = {"top1_last": 51.0, "top1_heldout": 51.0, "top1_best": 52.0}
    runs = synthetic(
        [
            {"model": "VGG", "arm": "baseline", "seed": 0, **accuracies},
            {"model": "VGG", "arm": "constrained", "seed": 0, **other},
        ]
    )
    row = choices(runs).loc["VGG"]
    assert row["held-out - last"] == -0.5 and row["best test - last"] == 1.5
    gains = [row[f"gain, {rule}"] for rule in ("last", "held-out", "best test")]
    assert gains == [1.0, 2.0, 0.0] and not math.isnan(sum(gains))
    assert choices(runs.iloc[:0]).empty
