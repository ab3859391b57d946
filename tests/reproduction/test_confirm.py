"""What a finished plan comes to, and that one which is not finished shows no accuracy."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
from filled import filled
from matplotlib.text import Text
from scipy import stats as scipy_stats

from reproduction import records
from reproduction.training import confirm, draw_plans, read_plans, say_plans
from reproduction.training.confirm import COMPARISONS, equivalence, results
from reproduction.training.due import due, finished, runs_in
from reproduction.training.plans import load, names
from reproduction.verdicts import claims, power

SPREAD = np.array([0.0, 0.8, -0.6, 1.1, -0.9, 0.3, 0.7, -0.4])


def write(plan, cell, root, *, top1, rate=0.18):
    metrics = {"ss_rate_train": rate, "ss_rate_train_modules": {"a": rate}, "top1_last": top1}
    metrics["gamma"] = None if cell.arm.startswith("B") else 0.3
    record = records.new_record(cell.experiment, cell.config, cell.seed, metrics, seconds=1.0)
    records.write(record, root)


def complete(plan, root, top1, *, closer=0.06):
    """Records of every run that the plan asks for, step by step as its decisions go.

    top1: of network, arm and the number of the seed; closer: by which arms with a target end nearer
    to 0.3, a number or one per network.
    """
    for _ in range(5):
        cells = [cell for cell in due(plan, root) if not cell.done(root)]
        if not cells:
            return
        for cell in cells:
            near = closer[cell.model] if isinstance(closer, dict) else closer
            rate = 0.18 + (0.0 if cell.arm.startswith("B") else near)
            value = top1(cell.model, cell.arm, cell.seed - plan.first_seed)
            write(plan, cell, root, top1=value, rate=rate)
    raise AssertionError("the plan asks for ever more runs")


def gains(**by_arm):
    """top-1 by arm, for ViT only: other networks have none; with a scatter within a seed."""

    def top1(model, arm, k):
        own = by_arm.get(arm.replace(" ", "_"), 0.0) if model.startswith("ViT") else 0.0
        wobble = 0.0 if arm == "B" else 0.2 * SPREAD[(k + len(model) + len(arm)) % 8]
        return round(50 + 0.1 * k + own + wobble, 2)

    return top1


def row(found, name, network=None):
    table = found.hypotheses[found.hypotheses["hypothesis"] == name]
    return (table if network is None else table[table["network"] == network]).iloc[0]


@pytest.mark.parametrize("name", names())
def test_every_hypothesis_of_a_text_is_compared(name):
    plan = load(name)
    texts = plan.text["hypotheses"]
    assert set(texts) - {"H0"} == set(COMPARISONS[name])
    for hypothesis, comparisons in COMPARISONS[name].items():
        for comparison in comparisons:
            arms = comparison.more + comparison.less
            assert set(arms) <= set(plan.networks[comparison.network].arms)
            if len(plan.networks) > 1:
                assert comparison.network in texts[hypothesis]
            assert comparison.other is None or comparison.other in texts[hypothesis]
            assert comparison.test != "margin" or plan.networks[comparison.network].margin == 0.5
    rule = "not tested" in plan.text["tests"] or plan.text["tests"] == "As in small-confirm."
    assert rule == (name in confirm.NEEDS_DELIVERY)


@pytest.mark.parametrize("name", names())
def test_a_plan_is_finished_and_rendered(name, tmp_path):
    plan = load(name)
    assert not results(plan, tmp_path).finished
    complete(plan, tmp_path, gains(R=1.0, R_at_1e4=1.0))
    found = results(plan, tmp_path)
    assert found.finished and finished(plan, runs_in(plan, tmp_path))
    assert (found.progress["done"] == found.progress["due"]).all()
    assert set(found.progress["state"]) == {"done"}
    table, text = read_plans.plan_table(found), say_plans.outcome(found)
    assert len(table) == len(found.hypotheses) + len(plan.networks)
    assert "H1" in text and "nan" not in (text + table.to_string()).lower()
    assert draw_plans.plot_plan(found).axes


def test_a_gain_is_found_and_held_against_the_paper(tmp_path):
    plan = load("small-confirm")
    complete(plan, tmp_path, gains(R=0.8, W=-0.5))
    found = results(plan, tmp_path)
    assert found.delivery["outcome"].tolist() == ["holds"] * 4
    assert found.delivery["mean"].to_numpy() == pytest.approx([0.5] * 4)
    runs = runs_in(plan, tmp_path)
    pairs = [
        runs["ViT (small)", "R", seed]["top1_last"] - runs["ViT (small)", "B", seed]["top1_last"]
        for seed in range(100, 134)
    ]
    first = row(found, "H1")
    assert (first["n"], first["outcome"]) == (34, "holds")
    assert first["mean"] == pytest.approx(np.mean(pairs))
    low, high = scipy_stats.t.interval(0.95, 33, np.mean(pairs), scipy_stats.sem(pairs))
    assert (first["low"], first["high"]) == (pytest.approx(low), pytest.approx(high))
    assert row(found, "H2")["mean"] > 1.2 and row(found, "H3")["outcome"] == "holds"
    assert row(found, "H4")["outcome"] == "holds"
    assert row(found, "secondary", "ResMLP")["outcome"] == "described"
    assert math.isnan(row(found, "secondary", "ResMLP")["p"])
    printed = found.paper.loc["ViT (small)"]
    assert printed["gain"] == pytest.approx(0.51)
    assert printed["outcome"] == "reproduced in small"
    assert found.paper.loc["ResNet34", "outcome"] == "open"  # its printed gain is 0.1 +- 0.04


@pytest.mark.parametrize(
    ("gain", "outcome", "against"),
    [(0.0, "open", "not reproduced"), (-1.0, "the opposite", "not reproduced")],
)
def test_no_gain(tmp_path, gain, outcome, against):
    plan = load("small-confirm")
    complete(plan, tmp_path, gains(R=gain, W=gain))
    found = results(plan, tmp_path)
    assert row(found, "H1")["outcome"] == outcome
    assert found.paper.loc["ViT (small)", "outcome"] == against


@pytest.mark.parametrize(("shift", "outcome"), [(-2.5, "not reproduced"), (-1.5, "open")])
def test_not_reproduced_needs_both_uncertainties(tmp_path, shift, outcome):
    """An upper end between the gain less 1.96 errors and the gain leaves it open."""
    plan = load("small-confirm")
    gain, error = confirm.printed("ViT (small)", plan)
    end, n = gain + shift * error, 68  # so wide a scatter asks for the most pairs

    def top1(model, arm, k):
        if (model, arm) != ("ViT (small)", "R"):
            return 50.0
        half = scipy_stats.t.ppf(0.975, n - 1) * 2 / math.sqrt(n - 1)
        return 50.0 + end - half + (2 if k % 2 else -2)

    complete(plan, tmp_path, top1)
    found = results(plan, tmp_path).paper.loc["ViT (small)"]
    assert found["n"] == n and found["high"] == pytest.approx(end)
    assert found["outcome"] == outcome


def test_the_head_of_the_chapter_has_the_networks_in_which_it_acts(tmp_path):
    plan = load("small-confirm")
    closer = dict.fromkeys(plan.networks, 0.06) | {"ResMLP": 0.001}
    complete(plan, tmp_path, gains(R=0.8, W=-0.5), closer=closer)
    found = results(plan, tmp_path)
    shares = {name: f"{name} ({100 * mean:.0f} %)" for name, mean in found.delivery["mean"].items()}
    others, last = shares | {}, shares.pop("ResMLP")
    assert f" and {list(shares.values())[-1]} and does not act in {last} (" in say_plans.acted(
        found
    )
    assert all(share in say_plans.acted(found) for share in others.values())
    text = say_plans.helped(found)
    assert text.count("points") == 4 and "ResMLP" not in text
    assert " points for ViT (small) (95 %" in text and "(paper +0.51)" in text
    assert "the same penalty and the wrong target, ViT (small) gains +1." in text


def test_holm_is_over_h1_and_h2_alone(tmp_path):
    plan = load("small-confirm")
    complete(plan, tmp_path, gains(R=0.05, W=0.0))
    found, runs = results(plan, tmp_path), runs_in(plan, tmp_path)
    raw = {
        name: confirm._p(COMPARISONS[plan.name][name][0], values, plan)
        for name in ("H1", "H2", "H4")
        for values in [confirm._differences(COMPARISONS[plan.name][name][0], runs)]
    }
    smaller, larger = sorted((raw["H1"], raw["H2"]))
    expected = sorted([min(1, 2 * smaller), max(larger, min(1, 2 * smaller))])
    assert sorted(row(found, name)["p"] for name in ("H1", "H2")) == pytest.approx(expected)
    assert row(found, "H4")["p"] == pytest.approx(raw["H4"])


def test_a_stopped_network_is_not_tested(tmp_path):
    plan = load("small-confirm")
    closer = dict.fromkeys(plan.networks, 0.06) | {"ViT (small)": 0.001}
    complete(plan, tmp_path, gains(R=2.0), closer=closer)
    found = results(plan, tmp_path)
    assert found.delivery.loc["ViT (small)", "outcome"] == "not delivered"
    for name in ("H1", "H2", "H4"):
        assert row(found, name)["outcome"] == "not tested: stopped"
        assert math.isnan(row(found, name)["p"])
    assert row(found, "H2")["n"] == 0 and row(found, "H3")["outcome"] == "holds"
    assert found.paper.loc["ViT (small)", "outcome"] == "not tested"
    own = found.progress[found.progress["network"] == "ViT (small)"]
    assert own["due"].tolist() == [4, 4, 0] and set(own["state"]) == {"stopped"}
    assert (
        "nan" not in (read_plans.plan_table(found).to_string() + say_plans.outcome(found)).lower()
    )
    assert "stopped" in say_plans.outcome(found)


def test_delivered_to_less_than_a_quarter_is_not_tested_either(tmp_path):
    """The first four pairs scatter too much for a stop; the mean share ends below a quarter."""
    plan = load("imagenette-controls")
    for seed, model in itertools.product(range(10), plan.networks):
        if seed < plan.networks[model].pairs:
            near = [0.06, 0.0][seed % 2] if model == "ResNet50" else 0.06
            for arm in plan.networks[model].arms:
                rate = 0.18 + (0 if arm == "B" else near * (0.8 if near == 0.06 else 1))
                cell = plan.cell(model, arm, plan.first_seed + seed)
                write(plan, cell, tmp_path, top1=50.0 + seed, rate=rate)
    found = results(plan, tmp_path)
    assert found.finished
    assert found.delivery["outcome"].tolist() == ["holds", "does not hold"]
    assert row(found, "H3")["outcome"] == "not tested: not delivered"
    assert row(found, "H1")["outcome"] == "open"


def test_two_one_sided_tests_are_the_ninety_per_cent_interval():
    draws = np.random.default_rng(0)
    both = set()
    for _ in range(200):
        values = list(draws.normal(draws.uniform(-0.6, 0.6), 0.8, 12))
        low, high = scipy_stats.t.interval(0.9, 11, np.mean(values), scipy_stats.sem(values))
        assert (equivalence(values, 0.5) < 0.05) == (-0.5 < low and high < 0.5)
        both.add(equivalence(values, 0.5) < 0.05)
    assert both == {True, False}
    assert equivalence([0.2, 0.2], 0.5) == 0 and equivalence([0.7, 0.7], 0.5) == 1


def rendered(found):
    """Everything the book shows of a plan, as text."""
    figure = draw_plans.plot_plan(found)
    texts = [text.get_text() for axis in figure.axes for text in axis.findobj(Text)]
    lengths = [f"{patch.get_width()}" for axis in figure.axes for patch in axis.patches]
    parts = [say_plans.outcome(found), read_plans.plan_table(found).to_string(), *texts, *lengths]
    parts += [repr(found.delivery), repr(found.hypotheses), repr(found.paper)]
    return "\n".join([*parts, repr(found.differences), found.progress.to_string()])


@pytest.mark.parametrize("seeds", [1, 3, 4, 5, 6, 20, 33])
def test_an_unfinished_plan_shows_no_accuracy(tmp_path, seeds):
    """No top-1 in any rounding is rendered, and swapping the arms' accuracies changes nothing."""
    plan, tops = load("small-confirm"), []
    for side in ("as it is", "swapped"):
        draws = np.random.default_rng(seeds)
        for k, (model, network) in itertools.product(range(seeds), plan.networks.items()):
            values = 71.3 + draws.random(2).round(4)  # far from every number of the plan
            one = dict(zip(("B", "R"), values if side == "as it is" else values[::-1], strict=True))
            for arm in network.arms if k < network.pairs else ():
                top1 = one.get(arm, 73.4321)
                tops.append(top1)
                cell = plan.cell(model, arm, 100 + k)
                rate = 0.18 if arm == "B" else 0.24
                write(plan, cell, tmp_path / side, top1=top1, rate=rate)
    first, second = (rendered(results(plan, tmp_path / side)) for side in ("as it is", "swapped"))
    assert not results(plan, tmp_path / "as it is").finished
    assert first == second
    numbers = set(re.findall(r"\d+\.?\d*", first))
    for digits in range(4):
        assert not numbers & {f"{top:.{digits}f}" for top in tops}
    assert "Not finished" in first and "No accuracy" in first


def old_pair(root, seed):
    """An earlier pair of the same form, which the plan never counts."""
    for arm, top1 in (("baseline", 50.0), ("released", 59.0)):
        config = {
            "recipe": "cpu",
            "dataset": "cifar10",
            "model": "vit_small_patch16_224",
            "arm": arm,
        }
        metrics = {"top1_last": top1, "ss_rate_train_modules": {"a": 0.2}, "gamma": 0.3}
        metrics["ss_rate_train"] = 0.2
        metrics |= {
            name: {"512": {"a": 0.2, "b": 0.2}}
            for name in ("ss_rate_probe", "ss_rate_probe_before")
        }
        metrics = filled("constraint", metrics)
        record = records.new_record("constraint", config, seed, metrics, seconds=1.0)
        records.write(record, root)


def test_a_finished_plan_takes_the_place_of_earlier_pairs(tmp_path, monkeypatch):
    """On the first page; in networks to which nothing was delivered no gain is looked at."""
    monkeypatch.setattr(power, "LOOKS", (40,))
    plan = load("small-confirm")
    closer = dict.fromkeys(plan.networks, 0.06) | {"ResMLP": 0.001}
    for seed in range(6, 12):
        old_pair(tmp_path, seed)
    complete(plan, tmp_path, gains(R=0.8), closer=closer)

    def card():
        return claims.by_key(claims.scorecard(tmp_path))

    row = card()["helps"]
    # 34 + 34, none of ResMLP, none of the old, and MLP-Mixer beside: its script has another α
    assert row["released: n"] == "68 pairs, cpu"
    assert "and so not judged: MLP-Mixer +0.0" in row["released: ours"]
    assert "ViT (small) +0.82 ± 0.05 points (paper +0.51)" in row["released: ours"]
    assert "ResMLP" not in row["released: ours"] and row["in small"] == "not run"
    assert card()["negligible"]["released"] == "agrees"
    toward = card()["toward-target"]
    assert toward["released: n"] == "84 pairs, cpu"
    assert "3 of 4 networks close 25 % or more" in toward["released: ours"]
    next((tmp_path / "small-confirm").glob("r-*seed110-*.json")).unlink()
    assert card()["helps"]["released: n"] == "6 pairs, cpu"  # unfinished: the earlier ones
