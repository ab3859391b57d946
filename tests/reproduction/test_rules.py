"""The rules on made-up tables, and findings in words: no record is read here."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from reproduction.paper.audit import gains
from reproduction.paper.tables import MARGIN, MARKED, load_table
from reproduction.training.plans import load
from reproduction.verdicts import rules, rules_training, say, say_in_print
from reproduction.verdicts.claims import RULES, load_claims
from reproduction.verdicts.finding import NOT_RUN, Finding
from reproduction.verdicts.in_print import IN_PRINT, PRINT, Print

LIMITS = {claim.key: claim.limits for claim in load_claims()}


def rates(*values) -> pd.DataFrame:
    return pd.DataFrame({"released": values, "printed": values})


def sets(own, low=0.2) -> pd.DataFrame:
    return pd.DataFrame({"own": [own], "low": [low], "high": [0.3]}, index=["Cantor set"])


NO_SETS = sets(0.1).iloc[:0]


@pytest.mark.parametrize(
    ("known", "outcome", "told"),
    [
        (sets(0.1), "reproduced", "1 of 1 sets lie below noise: Cantor set 0.10"),
        (sets(0.25), "not reproduced", "0 of 1 sets lie below noise: Cantor set 0.25"),
        (pd.concat([sets(0.1), sets(0.25).set_axis(["line"])]), "partly", "1 of 2 sets lie below"),
        (NO_SETS, "undecided", "no set of known self-similarity was measured"),
    ],
)
@pytest.mark.parametrize("values", [(0.1, 0.9), (0.1, 1.2)])
def test_known_sets_decide_and_the_range_does_not(values, known, outcome, told):
    """What lies in 0…1 by arithmetic can decide nothing."""
    finding = rules.in_range({}, rates(*values), known)
    assert finding.outcome == outcome
    text = say.measured("range", finding)
    assert text.startswith(told)
    assert f"layers {min(values):.2f} to {max(values):.2f}, with the equations" in text


def pairs(gain, *, models=("ResMLP", "VGG"), n=8, share=0.0, spread=0.1, recipe="cpu"):
    """Pairs of runs whose gains scatter around gain(model)."""
    families = {"ResMLP": "mlp", "MLP-Mixer": "mlp", "VGG": "cnn", "ViT (small)": "attention"}
    random = np.random.default_rng(0)
    rows = [
        {
            "recipe": recipe,
            "dataset": "cifar10",
            "model": model,
            "family": families[model],
            "seed": seed,
            "gain": gain(model) + random.normal(0, spread),
            "share": share + random.normal(0, spread / 2),
            "share_eval": share,
        }
        for model, seed in product(models, range(n))
    ]
    return pd.DataFrame(rows)


def marked(points, others=0.0):
    return lambda model: points if model in MARKED else others


@pytest.mark.parametrize(
    ("gain", "outcome"),
    [
        (marked(2.0), "reproduced"),
        (marked(2.0, 2.0), "partly"),
        (marked(2.0, -2.0), "partly"),  # of the CNNs no claim is made that they lose
        (marked(0.4), "partly"),
        (marked(0.0), "not reproduced"),
        (marked(-2.0), "not reproduced"),
    ],
)
def test_helps(gain, outcome):
    """Table 3 prints 0.82 points for ResMLP on CIFAR-10."""
    finding = rules_training.helps(LIMITS["helps"], pairs(gain))
    assert finding.outcome == outcome and finding.n == {"pair": 16, "recipe": ("cpu",)}
    told = say.measured("helps", finding)
    assert told.startswith("ResMLP ") and "points (paper +0.82); VGG" in told


def test_helps_needs_six_pairs_and_says_so():
    few = rules_training.helps(LIMITS["helps"], pairs(marked(2.0), n=1))
    assert few.outcome == "undecided"
    told = say.measured("helps", few)
    assert told.startswith(f"{say.TOO_FEW}; ResMLP +2.") and "points; VGG" in told
    none = rules_training.helps(LIMITS["helps"], pairs(marked(2.0), models=("VGG",)))
    assert none.outcome == "undecided" and say.measured("helps", none).startswith(
        f"{say.TOO_FEW}; VGG"
    )


def test_a_wide_scatter_decides_nothing():
    finding = rules_training.helps(LIMITS["helps"], pairs(marked(0.5), spread=5.0))
    assert finding.outcome == "undecided" and not finding.values["too few"]


def test_cnns_of_which_little_is_known_leave_it_at_partly():
    """No significant gain is not the same as none."""
    alone = rules_training.helps(LIMITS["helps"], pairs(marked(1.0), models=("ResMLP",)))
    both = pairs(marked(1.0))
    wide = both.assign(gain=both["gain"].where(both["model"] != "VGG", 10 * both["gain"]))
    assert alone.outcome == rules_training.helps(LIMITS["helps"], wide).outcome == "partly"
    assert rules_training.helps(LIMITS["helps"], both).outcome == "reproduced"


def test_one_network_that_falls_short_is_not_made_up_for_by_another():
    gain = {"ResMLP": 0.0, "ViT (small)": 3.0, "VGG": 0.0}.get
    finding = rules_training.helps(LIMITS["helps"], pairs(gain, models=tuple(gain.__self__)))
    assert finding.outcome == "partly" and finding.values["short"] == ("ResMLP",)


def test_where_one_network_gains_and_another_loses_the_signs_differ():
    """A positive mean of the two would hide the loss."""
    gain = {"ResMLP": -0.6, "ViT (small)": 3.0}.get
    table = pairs(gain, models=tuple(gain.__self__))
    finding = rules_training.helps(LIMITS["helps"], table)
    assert table["gain"].mean() > 1 and finding.outcome == "signs differ"
    told = say.measured("helps", finding)
    assert told.startswith("signs differ: ViT (small) gains, ResMLP loses; ResMLP -0.6")
    assert told.endswith("; no convolutional network is judged")
    noisy = pairs(gain, models=tuple(gain.__self__), spread=3.0)  # a loss that may be chance
    assert rules_training.helps(LIMITS["helps"], noisy).outcome != "signs differ"


def test_more_of_the_printed_gain_is_never_a_worse_verdict():
    """With convolutional networks and without: from nothing to twice what is printed."""
    order = ["not reproduced", "undecided", "partly", "reproduced"]
    for models in (("ResMLP", "VGG"), ("ResMLP",)):
        tables = [pairs(marked(0.82 * share), models=models) for share in np.linspace(0, 2, 21)]
        found = [rules_training.helps(LIMITS["helps"], table).outcome for table in tables]
        places = [order.index(outcome) for outcome in found]
        assert places == sorted(places) and found[0] == "not reproduced"
        assert found[-1] == ("reproduced" if "VGG" in models else "partly")


def test_pairs_at_other_settings_are_given_and_not_judged():
    gain = {"ResMLP": -0.6, "ViT (small)": 3.0}.get
    table = pairs(gain, models=tuple(gain.__self__))
    table["own settings"] = table["model"] != "ResMLP"
    finding = rules_training.helps(LIMITS["helps"], table)
    assert (finding.outcome, finding.n["pair"]) == ("partly", 8)
    assert "script's, and so not judged: ResMLP -0.6" in say.measured("helps", finding)


def test_each_cell_counts_once():
    many = pairs(marked(0.0), n=40)
    few = pairs(marked(3.0), models=("ViT (small)",), n=4)
    finding = rules_training.helps(LIMITS["helps"], pd.concat([many, few]))
    assert finding.values["marked"]["mean"] == pytest.approx(1.5, abs=0.05)


@pytest.mark.parametrize(("effect", "wrong"), [(1.0, "not reproduced"), (0.0, "reproduced")])
def test_the_rule_of_the_gains_is_wrong_in_five_per_cent_at_most(effect, wrong):
    """Data drawn from the paper's own cells at the scatter of small runs, and from no effect."""
    random, said = np.random.default_rng(2), []
    table = pairs(marked(0.0), models=("ResMLP", "ViT (small)", "VGG"), n=6)
    means = gains()["gain"].xs("cifar10", level="dataset")[table["model"]].to_numpy()
    for _ in range(400):
        drawn = table.assign(gain=random.normal(effect * means, 0.8))
        said.append(rules_training.helps(LIMITS["helps"], drawn).outcome)
    assert said.count(wrong) <= 20


def test_at_paper_scale_all_data_sets_are_asked_for():
    judge = rules_training.at_paper_scale(rules_training.helps)
    part = pairs(marked(2.5), recipe="paper")
    assert judge(LIMITS["helps"], part).outcome == "partly"
    names = ("cifar10", "cifar100", "imagenette")
    whole = pd.concat([part.assign(dataset=name) for name in names])
    assert judge(LIMITS["helps"], whole).outcome == "reproduced"


DATA = ("cifar10", "cifar100", "imagenette")


@pytest.mark.parametrize(
    ("gain", "outcome"),
    [
        (marked(2.0), "reproduced"),
        (marked(6.0), "undecided"),
        (marked(0.0), "not reproduced"),
        (lambda model: 2.0 if model == "ResMLP" else 0.0, "partly"),
    ],
)
def test_average_gain(gain, outcome):
    part, limits = pairs(gain, models=("ResMLP", "ViT (small)", "VGG")), LIMITS["average-gain"]
    assert rules_training.average_gain(limits, part) == NOT_RUN
    whole = pd.concat([part.assign(dataset=name) for name in DATA])
    finding = rules_training.average_gain(limits, whole)
    assert finding.outcome == outcome and finding.n["pair"] == 48
    assert say.measured("average-gain", finding).startswith("ResMLP ")
    assert rules_training.average_gain(limits, pairs(gain, models=("VGG",))) == NOT_RUN


@pytest.mark.parametrize(
    ("points", "spread", "outcome"),
    [(5.75, 0.3, "reproduced"), (3.0, 0.3, "not reproduced"), (3.0, 9.0, "undecided")],
)
def test_the_largest_gain_is_that_of_its_own_cell(points, spread, outcome):
    part = pairs(lambda _: points, models=("ViT (small)",), spread=spread)
    assert rules_training.up_to_six({}, part) == NOT_RUN
    cell = part.assign(model="ViT (base)", dataset="cifar100")
    finding = rules_training.up_to_six({}, cell)
    assert finding.outcome == outcome
    assert say.measured("up-to-six", finding).endswith(": ViT (base), CIFAR-100")


@pytest.mark.parametrize(("effect", "wrong"), [(1.0, "not reproduced"), (0.0, "reproduced")])
def test_the_rule_of_the_largest_gain_is_wrong_in_five_per_cent_at_most(effect, wrong):
    """Data drawn from the paper's own cell, and from no effect at all."""
    random, said = np.random.default_rng(1), []
    cell = pairs(marked(0.0), models=("ViT (small)",)).assign(model="ViT (base)")
    for _ in range(300):
        drawn = random.normal(5.75 * effect, 0.9, len(cell))
        table = cell.assign(dataset="cifar100", gain=drawn)
        said.append(rules_training.up_to_six({}, table).outcome)
    assert said.count(wrong) <= 15


@pytest.mark.parametrize(
    ("share", "spread", "outcome"),
    [
        (0.5, 0.1, "reproduced"),
        (0.15, 0.1, "undecided"),  # sure, and less than a quarter
        (0.0, 0.1, "not reproduced"),
        (-0.5, 0.1, "not reproduced"),
        (0.2, 2.0, "undecided"),
    ],
)
def test_toward(share, spread, outcome):
    finding = rules_training.toward(
        LIMITS["toward-target"], pairs(marked(0.0), share=share, spread=spread)
    )
    assert finding.outcome == outcome
    closed = 2 if outcome == "reproduced" else 0
    told = say.measured("toward-target", finding)
    assert told.startswith(f"{closed} of 2 networks close 25 % or more of the gap to γ: ResMLP ")
    assert told.count(f"(8 pairs; {100 * share:.0f} % in eval mode)") == 2


def test_part_of_the_networks_moving_is_partly():
    some = [pairs(marked(0.0), models=(m,), share=s) for m, s in (("ResMLP", 0.5), ("VGG", 0.0))]
    finding = rules_training.toward(LIMITS["toward-target"], pd.concat(some))
    assert finding.outcome == "partly" and finding.values["closed"] == 1


def test_the_share_asked_for_is_that_of_the_plan():
    assert LIMITS["toward-target"]["closed"] == load("small-confirm").text["delivery"]["share"]
    assert LIMITS["helps"]["margin"] == load("small-confirm").networks["ResNet34"].margin


def test_two_pairs_have_no_interval():
    key = "toward-target"
    finding = RULES[key].small_judge(LIMITS[key], pairs(marked(2.0), n=2))
    assert finding.outcome == "undecided" and say.measured(key, finding) == say.TOO_FEW
    assert say.counts(finding) == "4 pairs, cpu"


SEVEN = ("ViT (small)", "ResMLP", "MLP-Mixer", "ResNet34", "PVT", "VGG", "PoolFormer")


def invariances(sigma, n=7, delta=float, seeds=1, spread=0.0) -> pd.DataFrame:
    """The first three of the seven models are marked, and gain most."""
    random = np.random.default_rng(0)
    rows = [
        {
            "model": SEVEN[k],
            "images": "cifar10",
            "seed": seed,
            "weights": "untrained",
            "sigma": sigma(k) + random.normal(0, spread),
            "delta": delta(k) + random.normal(0, spread),
            "gain": 10.0 - k,
        }
        for k, seed in product(range(n), range(seeds))
    ]
    return pd.DataFrame(rows)


def loose(k):
    """Marked and other models mixed."""
    return (3, 5, 1, 2, 7, 6, 4)[k]


@pytest.mark.parametrize(
    ("sigma", "delta", "n", "outcome", "below"),
    [
        (float, float, 7, "reproduced", "σ and Δ"),
        (loose, float, 7, "partly", "Δ"),
        (lambda k: -float(k), float, 7, "partly", "Δ"),
        (loose, loose, 7, "not reproduced", "neither"),
        (lambda k: -float(k), lambda k: -float(k), 7, "not reproduced", "neither"),
        (float, float, 6, "undecided", None),
    ],
)
def test_invariance(sigma, delta, n, outcome, below):
    table = invariances(sigma, n, delta)
    finding = rules.invariance(LIMITS["invariance"], table)
    assert finding.outcome == "undecided"  # of untrained networks
    told = say.measured("invariance", finding)
    assert told.startswith("untrained: ") and ("too few networks" in told) == (n < 7)
    trained = rules.invariance(LIMITS["invariance"], table.assign(weights="pretrained:x"))
    assert trained.outcome == outcome
    assert say.measured("invariance", trained) == told.removeprefix("untrained: ")
    assert below is None or told.endswith(f"below all others in {below}")


def test_a_strong_correlation_without_a_separation_is_partly():
    order = (1, 2, 4, 3, 5, 6, 7)
    table = invariances(lambda k: order[k], delta=lambda k: order[k]).assign(weights="trained")
    finding = rules.invariance(LIMITS["invariance"], table)
    assert finding.outcome == "partly" and finding.values["apart"] == []


def test_models_in_the_wrong_group_by_chance_decide_nothing():
    """The same means, over seeds that scatter little and much."""
    for spread, outcome in ((0.01, "not reproduced"), (2.0, "undecided")):
        table = invariances(loose, delta=loose, seeds=3, spread=spread).assign(weights="trained")
        assert rules.invariance(LIMITS["invariance"], table).outcome == outcome


def coverings(worst, order, scatter=0.1, networks=6) -> pd.DataFrame:
    """Networks of five layers whose SS_rates by N_theta stand in a given order to those by covers;
    each network on a level of its own.
    """
    random = np.random.default_rng(0)
    rows = []
    for k, layer in product(range(networks), range(5)):
        rates = {f"rate: {name}": k + 0.1 * layer for name in ("lower", "upper")}
        row = {"model": f"n{k}", **rates}
        for formula in ("released", "printed"):
            row[f"{formula}: worst"] = worst * np.exp(random.normal(0, scatter))
            row[f"{formula}: typical"] = 1.5
            row[f"rate: {formula}"] = k + 0.1 * order(layer)
        rows.append(row)
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("worst", "order", "scatter", "outcome"),
    [
        (1.5, float, 0.1, "reproduced"),
        (4.0, float, 0.1, "partly"),
        (1.5, lambda layer: -layer, 0.1, "partly"),
        (4.0, lambda layer: -layer, 0.1, "not reproduced"),
        (2.0, lambda layer: -layer, 0.9, "undecided"),
    ],
)
def test_boxes(worst, order, scatter, outcome):
    """Ranked over all layers at once, the second order would be nearly right, too."""
    finding = rules.boxes(LIMITS["boxes"], coverings(worst, order, scatter))
    assert finding.outcome == outcome and finding.n == {"layer": 30, "network": 6}
    told = say.measured("boxes", finding)
    assert "1.5× at the median θ" in told and "τ with the covers, inside a network, " in told


def test_layers_that_the_covers_cannot_order_have_no_say():
    """Brackets that overlap: two layers apart from the rest, whose own order is noise."""
    table = coverings(4.0, float)
    noise = coverings(4.0, lambda layer: -layer, networks=1).assign(model="noise")
    noise[["rate: lower", "rate: upper"]] = [0.1, 0.9]
    assert len(rules.orders_within(noise, "rate: released")) == 0
    ranks = rules.orders_within(pd.concat([table, noise]), "rate: released")
    assert ranks == {f"n{k}": 1.0 for k in range(6)}
    noise.loc[noise.index[0], ["rate: lower", "rate: upper"]] = 0.0  # below the other four
    assert rules.orders_within(noise, "rate: released") == {"noise": -1.0}


def test_a_number_anywhere_in_its_bracket_ranks_as_covers_do():
    table = coverings(1.5, float)
    table["rate: upper"] += 0.15
    random = np.random.default_rng(0)
    table["rate: released"] = random.uniform(table["rate: lower"], table["rate: upper"])
    assert set(rules.orders_within(table, "rate: released").values()) == {1.0}


def test_two_networks_say_nothing_of_boxes():
    finding = rules.boxes(LIMITS["boxes"], coverings(1.0, float, networks=2))
    assert finding.outcome == "undecided" and say.measured("boxes", finding) == say.TOO_FEW


def directions(**states) -> pd.DataFrame:
    """States -> (directions of the first group, of the second, of PoolFormer)."""
    table = {}
    for state in ("untrained", "trained"):
        low, even, pool = states.get(state, (np.nan,) * 3)
        table[state] = dict.fromkeys(rules.LOW, low) | dict.fromkeys(rules.EVEN, even)
        table[state]["poolformer_s12"] = pool
    return pd.DataFrame(table)


@pytest.mark.parametrize(
    ("states", "outcome", "told"),
    [
        ({"untrained": (1, 9, 2), "trained": (1, 9, 8)}, "reproduced", "trained: 1.0–1.0 dir"),
        ({"untrained": (1, 9, 2)}, "partly", "; trained: not run"),
        ({"trained": (1, 9, 2)}, "partly", "; untrained: not run"),
        ({"untrained": (1, 9, 2), "trained": (9, 1, 8)}, "partly", "untrained: 1.0–1.0 dir"),
        ({"untrained": (9, 1, 2), "trained": (9, 1, 8)}, "not reproduced", "trained: 9.0–9.0"),
    ],
)
def test_low_dimensional(states, outcome, told):
    finding = rules.low_dimensional({}, directions(**states))
    assert finding.outcome == outcome and told in say.measured("low-dimensional", finding)


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [(2, 8, "reproduced"), (20, 80, "partly"), (2, 2.1, "partly"), (20, 30, "not reproduced")],
)
def test_poolformer(before, after, outcome):
    """Untrained the CNNs spread over 9 directions; trained, the first group over 1 (or 3)."""
    low = 3 if after == 2.1 else 1
    limits = {"factor": 1} if after == 2.1 else LIMITS["poolformer"]
    table = directions(untrained=(1, 9, before), trained=(low, 9, after))
    assert rules.poolformer(limits, table).outcome == outcome


@pytest.mark.parametrize(
    ("rule", "table"),
    [
        (rules.low_dimensional, directions()),
        (rules.poolformer, directions()),
        (rules.poolformer, directions().drop(index="poolformer_s12")),
        (rules.table_2, pd.DataFrame({"paper": [0.2] * 9, "ours": [np.nan] * 9})),
    ],
)
def test_tables_without_a_value_are_not_run(rule, table):
    assert rule(LIMITS["poolformer"], table) == NOT_RUN


PRINTED = load_table(2)["untrained"].to_numpy()


def nine(ours, std=0.005, seeds=5) -> pd.DataFrame:
    return pd.DataFrame({"paper": PRINTED, "ours": ours, "std": std, "seeds": seeds})


@pytest.mark.parametrize(
    ("table", "outcome", "counts"),
    [
        (nine(PRINTED + 0.01), "reproduced", (9, 0, 0)),
        (nine(PRINTED + 0.01, std=0.05), "partly", (0, 9, 0)),  # a wide spread is no help
        (nine(np.where(np.arange(9) < 8, PRINTED, np.nan)), "partly", (8, 0, 0)),
        (nine(PRINTED + 0.5), "not reproduced", (0, 0, 9)),
        (nine(PRINTED[::-1]), "not reproduced", (3, 0, 6)),
        (nine(0.18), "not reproduced", (2, 0, 7)),  # a constant, once good for "partly"
        (nine(0.18, std=0.05), "undecided", (0, 8, 1)),
        (nine(PRINTED, seeds=2), "partly", (0, 9, 0)),
    ],
)
def test_table_2(table, outcome, counts):
    finding = rules.table_2(LIMITS["table2-untrained"], table)
    assert finding.outcome == outcome and tuple(finding.values["counts"].values()) == counts
    told = say.measured("table2-untrained", finding)
    assert told.endswith("(the mean of the other printed values: 2 reproduced, off by 0.063)")
    assert ("order: ρ" in told) == (table["ours"].nunique() > 1)
    assert say.counts(finding).startswith(f"{int(table['ours'].notna().sum())} networks, ")


def test_published_weights_count_as_they_are():
    table = nine(PRINTED + 0.02, std=np.nan, seeds=1)
    assert rules.table_2(LIMITS["table2-trained"], table).outcome == "reproduced"
    assert rules.table_2(LIMITS["table2-untrained"], table).outcome == "partly"


@pytest.mark.parametrize(("kept", "wrong"), [(True, "not reproduced"), (False, "reproduced")])
def test_the_rule_of_table_2_is_wrong_in_five_per_cent_at_most(kept, wrong):
    """Seeds that scatter as ours around the printed values, and around these in any order."""
    random, said = np.random.default_rng(3), []
    for _ in range(200):
        means = PRINTED if kept else random.permutation(PRINTED)
        runs = means[:, None] + 0.03 * random.standard_normal((9, 5))
        table = nine(np.abs(runs.mean(1)), runs.std(1, ddof=1))
        said.append(rules.table_2(LIMITS["table2-untrained"], table).outcome)
    assert said.count(wrong) <= 10


def test_one_margin_is_that_of_the_pages():
    assert LIMITS["table2-untrained"]["margin"] == LIMITS["table2-trained"]["margin"] == MARGIN


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ([0.1, 0.1, -0.1], "reproduced"),
        ([0.1, -0.1, 0.0], "undecided"),  # the third may rise, too
        ([0.1, 0.1, 0.0, 0.0], "undecided"),
        ([0.1, -0.1], "undecided"),  # no majority
        ([-0.1, -0.1, 0.0], "not reproduced"),
        ([0.1, 0.0, 0.0], "undecided"),
    ],
)
def test_rises(change, outcome):
    limits = LIMITS["rises"] | {"models": len(change)}
    finding = rules.rises(limits, pd.DataFrame({"change": change}))
    assert finding.outcome == outcome
    small = rules.rises_in_small(limits, runs_that_change(enumerate(change)))
    of = len(change)
    assert small.outcome == outcome and small.n == {"run": 3 * of, "model": of}
    assert f"of {of} models rise" in say.measured("rises", small)
    assert say.measured("rises", small).startswith(say.measured("rises", finding))


def runs_that_change(change) -> pd.DataFrame:
    """Three runs of each model."""
    rows = [{"model": str(k), "change": c + e} for k, c in change for e in (-0.01, 0, 0.01)]
    return pd.DataFrame(rows)


def test_three_models_of_nine_contradict_no_majority():
    """They are held against Table 2 one by one: +0.31, +0.53 and -0.05."""
    printed = {"ResMLP": 0.31, "ViT (small)": 0.53, "ResNet34": -0.05}
    limits, falling = LIMITS["rises"], dict.fromkeys(printed, -0.1)
    small = rules.rises_in_small(limits, runs_that_change(falling.items()))
    assert small.outcome == "undecided" and small.values["off"] == 2
    told = say.measured("rises", small)
    assert told.startswith("0 of 9 models rise, 3 fall, 0 undecided, 6 not run; 0 as in Table 2")
    assert "ResMLP -0.10 ± 0.02 (paper +0.31, p < 0.001)" in told
    same = rules.rises_in_small(limits, runs_that_change(printed.items()))
    assert same.outcome == "partly" and same.values["met"] == 3


def test_a_majority_is_one_of_the_nine_networks_of_the_paper():
    three = pd.DataFrame({"change": [0.1, 0.1, 0.1]})
    assert rules.rises(LIMITS["rises"], three).outcome == "undecided"


@pytest.mark.parametrize(("machines", "told"), [(1, "on one machine"), (2, "on 2 machines")])
def test_the_cost_says_on_how_many_machines(machines, told):
    costs = pd.DataFrame({"plain": [0.02] * machines, "ours": [0.01] * machines})
    finding = rules.cheap(LIMITS["cheap"], costs)
    assert say.measured("cheap", finding).endswith(f"1.0 % in sslib, {told}")


def test_every_claim_has_a_rule_and_words():
    keys = set(LIMITS)
    assert keys == set(RULES) == set(PRINT) == set(say.MEASURED) == set(say_in_print.PRINTED)


@pytest.mark.parametrize("key", LIMITS)
def test_nothing_run_has_no_words_and_print_always_a_reason(key):
    assert say.measured(key, NOT_RUN) == say.counts(NOT_RUN) == ""
    printed = PRINT[key](LIMITS[key])
    assert printed.verdict in IN_PRINT
    assert say_in_print.PRINTED[key](printed.values).why


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        (Finding(n={"network": 1, "seed": 1}), "1 network, 1 seed"),
        (Finding(n={"pair": 12, "recipe": ("cpu", "short")}), "12 pairs, cpu and short"),
        (Finding(), ""),
    ],
)
def test_counts(finding, expected):
    assert say.counts(finding) == expected


def test_what_is_printed_follows_the_tables(monkeypatch):
    from reproduction.verdicts import in_print

    table = in_print.audit.comparisons()
    all_gain = table.assign(decided=np.where(table["marked"], "gain", "not significant"))
    monkeypatch.setattr(in_print.audit, "comparisons", lambda: all_gain)
    assert PRINT["helps"]({}) == Print("holds", PRINT["helps"]({}).values)
    none = table.assign(decided="not significant", gain=3.0, relative=3.0)
    monkeypatch.setattr(in_print.audit, "comparisons", lambda: none)
    assert PRINT["helps"]({}).verdict == "does not hold"
    assert PRINT["average-gain"]({"low": 3.0, "high": 3.0}).verdict == "holds"
