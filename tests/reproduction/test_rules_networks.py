"""The rules on single networks and on Tables 3 to 5: each outcome can come, and none is foregone.

Drawn from the paper's own values, at the scatter and number of runs we have or could have, a rule
says "not reproduced" in at most 5 % of the draws; drawn from nothing, "reproduced" in at most 5 %.
"""

from __future__ import annotations

import functools
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from reproduction.paper import audit
from reproduction.paper.tables import DATASETS, MARKED, load_table
from reproduction.stats_groups import apart
from reproduction.verdicts import read_networks, rules_networks, say
from reproduction.verdicts.claims import RULES, load_claims
from reproduction.verdicts.finding import NOT_RUN

LIMITS = {claim.key: claim.limits for claim in load_claims()}

DRAWS = 200


def outcomes(key, draw, draws=DRAWS) -> dict[str, float]:
    """How often the rule of a claim gives each outcome."""
    random, rule = np.random.default_rng(0), RULES[key].judge
    counts = Counter(rule(LIMITS[key], draw(random)).outcome for _ in range(draws))
    return {outcome: n / draws for outcome, n in counts.items()}


# --- tables as the paper has them, and without anything in them ----------------------------------


def rates_and_gains(random, *, shuffled=False):
    """Table 2's untrained column with the scatter of five seeds; shuffled: over other networks."""
    rate = load_table(2).set_index("model")["untrained"]
    rate = rate + random.normal(0, 0.03, len(rate)) / np.sqrt(5)
    if shuffled:
        rate = pd.Series(random.permutation(rate), rate.index)
    return pd.DataFrame({"rate": rate, "gain": audit.mean_gains()["points"]})


def halves(random, *, effect):
    """Three networks of twelve runs; effect: in standard deviations over runs."""
    rows = {"model": np.repeat(["A", "B", "C"], 12), "difference": effect}
    table = pd.DataFrame(rows)
    return table.assign(difference=table["difference"] + random.normal(0, 1, len(table)))


def pairs(random, *, models, column, means, spread, n=10):
    """n pairs per model and data set around means(model, dataset)."""
    family = load_table(1).set_index("model")["family"]
    rows = [
        {"recipe": "paper", "model": model, "dataset": dataset, "family": family[model]}
        | {"seed": seed, column: means(model, dataset) + random.normal(0, spread)}
        for model in models
        for dataset in DATASETS
        for seed in range(n)
    ]
    return pd.DataFrame(rows)


GAINS = audit.gains()["gain"]

CNN = ("VGG", "ResNet34", "ResNet50")


def printed_gain(model, dataset):
    return GAINS[model, dataset]


def rates(random, *, of):
    """Five runs a cell of Table 3; of: printed values by cell -> means."""
    printed = load_table(3).set_index(["model", "dataset", "arm"])["ss_rate_mean"]
    table = of(printed).repeat(5).rename("rate").reset_index()
    return table.assign(rate=table["rate"] + random.normal(0, 0.01, len(table)))


def invariances(random, number, *, shuffled=False, spread=0.15):
    """Three records a cell of Table 4 or 5, each off by 15 %; shuffled: over the models."""
    table = load_table(number)[["model", *DATASETS]]
    if shuffled:
        table = table.assign(model=random.permutation(table["model"]))
    rows = table.melt("model", var_name="images", value_name="value")
    rows = pd.concat([rows.assign(seed=seed) for seed in range(3)])
    scatter = np.exp(random.normal(0, spread, len(rows)))
    return rows.assign(value=rows["value"] * scatter, weights="pretrained")


cnn = functools.partial(pairs, models=CNN, column="gain", spread=0.3)
vgg = functools.partial(pairs, models=("VGG",), column="gain", spread=0.3)
pool = functools.partial(pairs, models=("PoolFormer",), column="change", spread=0.02)

#: Claim -> (drawn from what the paper says, drawn from nothing of it). Where the claim is that
#: nothing happens, its contrary is an effect as large as the margin, or the marked models' own.
DRAWN = {
    "self-similar-gain": (rates_and_gains, functools.partial(rates_and_gains, shuffled=True)),
    "shallow": (functools.partial(halves, effect=1.5), functools.partial(halves, effect=0.0)),
    "negligible": (
        functools.partial(cnn, means=printed_gain),
        functools.partial(cnn, means=lambda *cell: LIMITS["negligible"]["margin"]),
    ),
    "vgg-drop": (
        functools.partial(vgg, means=printed_gain),
        functools.partial(vgg, means=lambda *cell: 0.0),
    ),
    "poolformer-response": (
        functools.partial(pool, means=lambda *cell: 0.0),
        functools.partial(pool, means=lambda *cell: LIMITS["poolformer-response"]["margin"]),
    ),
    "table3-rates": (
        functools.partial(rates, of=lambda printed: printed),
        functools.partial(rates, of=lambda printed: printed * 0 + printed.mean()),
    ),
    "table4": (
        functools.partial(invariances, number=4),
        functools.partial(invariances, number=4, shuffled=True),
    ),
    "table5": (
        functools.partial(invariances, number=5),
        functools.partial(invariances, number=5, shuffled=True),
    ),
}

every = pytest.mark.parametrize("key", DRAWN)


@functools.cache
def drawn(key, *, nothing):
    # its exact test of nine networks takes a moment
    return outcomes(key, DRAWN[key][nothing], 80 if key == "self-similar-gain" else DRAWS)


@every
def test_the_papers_own_values_are_not_refused(key):
    found = drawn(key, nothing=False)
    assert found.get("not reproduced", 0) <= 0.05, found
    assert found.get("reproduced", 0) + found.get("partly", 0) >= 0.5, found


@every
def test_nothing_is_not_taken_for_the_paper(key):
    found = drawn(key, nothing=True)
    assert found.get("reproduced", 0) <= 0.05, found


def test_poolformer_moving_as_in_table_3_is_a_response():
    moved = audit.movement()["change"]
    own = functools.partial(pool, means=lambda model, dataset: moved[model, dataset])
    assert outcomes("poolformer-response", own, 20) == {"not reproduced": 1.0}


# --- outcome by outcome ------------------------------------------------------------------------


def levels(**rate):
    table = rates_and_gains(np.random.default_rng(1))
    return table.assign(rate=pd.Series(rate).rename(index=NAMES).reindex(table.index).fillna(0.3))


NAMES = {"resmlp": "ResMLP", "mixer": "MLP-Mixer", "small": "ViT (small)", "base": "ViT (base)"}
NAMES |= {"pvt": "PVT", "vgg": "VGG", "r34": "ResNet34", "r50": "ResNet50", "pool": "PoolFormer"}


@pytest.mark.parametrize(
    ("rate", "outcome"),
    [
        ({"resmlp": 0.1, "mixer": 0.12, "small": 0.11, "base": 0.09}, "reproduced"),
        ({"resmlp": 0.1, "mixer": 0.12, "small": 0.11, "base": 0.4}, "undecided"),
        ({"resmlp": 0.4, "mixer": 0.5, "small": 0.6, "base": 0.7}, "not reproduced"),
    ],
)
def test_self_similar_networks_gain(rate, outcome):
    finding = rules_networks.self_similar_gain(LIMITS["self-similar-gain"], levels(**rate))
    assert finding.outcome == outcome
    told = say.measured("self-similar-gain", finding)
    assert ("the marked models have the smallest" in told) == (outcome == "reproduced")
    few = levels(**rate).iloc[:8]
    assert rules_networks.self_similar_gain(LIMITS["self-similar-gain"], few).outcome == "undecided"


def test_who_stands_before_the_last_marked_model_is_counted():
    rate = {"resmlp": 0.1, "mixer": 0.12, "small": 0.18, "base": 0.09, "pvt": 0.13, "vgg": 0.15}
    finding = rules_networks.self_similar_gain(LIMITS["self-similar-gain"], levels(**rate))
    assert finding.values["before"] == 2 and not finding.values["separated"]
    assert "2 other networks lie below" in say.measured("self-similar-gain", finding)


@pytest.mark.parametrize(
    ("effect", "outcome"), [(3.0, "reproduced"), (-3.0, "not reproduced"), (0.0, "undecided")]
)
def test_shallow_layers(effect, outcome):
    finding = rules_networks.shallow({}, halves(np.random.default_rng(0), effect=effect))
    assert finding.outcome == outcome and "of 3 networks" in say.measured("shallow", finding)


@pytest.mark.parametrize(
    ("gain", "outcome"), [(0.0, "reproduced"), (2.0, "not reproduced"), (0.6, "undecided")]
)
def test_convolutional_networks_are_held_against_a_margin(gain, outcome):
    table = cnn(np.random.default_rng(1), means=lambda *cell: gain)
    finding = rules_networks.negligible(LIMITS["negligible"], table)
    assert finding.outcome == outcome and set(finding.values["cells"]) == set(CNN)
    assert "ResNet34 " in say.measured("negligible", finding)
    mlp = table.assign(family="mlp")
    assert rules_networks.negligible(LIMITS["negligible"], mlp) == NOT_RUN


@pytest.mark.parametrize(
    ("gain", "outcome"), [(-0.4, "reproduced"), (-2.0, "partly"), (0.2, "not reproduced")]
)
def test_vgg_drops_slightly(gain, outcome):
    table = vgg(np.random.default_rng(0), means=lambda *cell: gain)
    finding = rules_networks.slight_drop(LIMITS["vgg-drop"], table)
    assert finding.outcome == outcome and "-0.24 in print" in say.measured("vgg-drop", finding)
    assert rules_networks.slight_drop(LIMITS["vgg-drop"], table.iloc[:2]).outcome == "undecided"
    assert rules_networks.slight_drop(LIMITS["vgg-drop"], table.iloc[:0]) == NOT_RUN


@pytest.mark.parametrize(
    ("shift", "cells", "outcome"),
    [
        (0.0, 54, "reproduced"),
        (0.0, 6, "partly"),
        (0.2, 54, "not reproduced"),
        (0.03, 54, "undecided"),
    ],
)
def test_table_3_rates(shift, cells, outcome):
    table = rates(np.random.default_rng(0), of=lambda printed: printed.iloc[:cells] + shift)
    finding = rules_networks.table_3_rates(LIMITS["table3-rates"], table)
    assert finding.outcome == outcome and f"of {cells} values" in say.measured(
        "table3-rates", finding
    )


@pytest.mark.parametrize("number", [4, 5])
def test_tables_4_and_5(number):
    key, random = f"table{number}", np.random.default_rng(0)
    table = invariances(random, number, spread=0.02)
    found = {
        "reproduced": table,
        "partly": table.assign(value=table["value"] * 3),
        "undecided": table.assign(weights="untrained"),
        "not reproduced": table.assign(value=5 - table["value"]),
    }
    for outcome, runs in found.items():
        finding = rules_networks.table_4_or_5(LIMITS[key], runs)
        assert finding.outcome == outcome, outcome
        assert say.measured(key, finding).startswith("untrained") == (outcome == "undecided")


# --- readers -----------------------------------------------------------------------------------


def test_readers_find_nothing_where_nothing_is():
    def nothing(experiment):
        return pd.DataFrame()

    for key in DRAWN:
        rule = RULES[key]
        assert rule.read(nothing, LIMITS[key]) is None
        if rule.small_read:
            assert rule.small_read(nothing, LIMITS[key]) is None


@pytest.mark.parametrize("constrained", ["constrained", "constrained:gamma=model"])
def test_pairs_of_the_papers_recipe_have_the_change_of_ss_rate(constrained):
    def runs(experiment):
        rows = [
            {"config.model": "poolformer_s12", "config.recipe": "paper", "config.arm": arm}
            | {"config.dataset": "cifar10", "seed": seed, "metrics.ss_rate_train": rate + seed}
            for seed in range(3)
            for arm, rate in (("baseline", 0.2), (constrained, 0.5), ("placebo", 0.9))
        ]
        return pd.DataFrame(rows)

    (table,), _ = read_networks.changes_at_paper_scale(runs, {})
    assert table["change"].round(6).tolist() == [0.3] * 3
    (table,), _ = read_networks.rates_at_paper_scale(runs, {})
    assert len(table) == 6 and set(table["arm"]) == {"baseline", "constrained"}


def test_the_separation_is_exact():
    nine = pd.Series(range(9), [*MARKED, "a", "b", "c", "d", "e"])
    assert apart(nine, MARKED) == (True, pytest.approx(1 / 126))
    assert apart(-nine, MARKED) == (False, 1.0)
