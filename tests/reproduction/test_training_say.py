"""What the chapter on Table 3 says: the sentence of a small table, and of none."""

import pandas as pd
import pytest

from reproduction.training import confirm, plans, say, say_first
from reproduction.training.pairs import effects, outcomes

NAN = float("nan")
RUN = {"recipe": "cpu", "model": "VGG", "epochs": 10, "device": "a CPU", "arm": "baseline"}
RUNS = pd.DataFrame([RUN, {**RUN, "model": "PVT", "arm": "constrained"}])


def test_what_was_run():
    nothing = pd.DataFrame({"network": ["VGG"], "done": [0]})
    text = say.what_was_run(RUNS, RUNS, nothing)
    assert text.startswith("**Not run at 224 px**. What was run instead: 2 runs of small versions")
    assert "2 of the architectures (PVT, VGG) on 8,000 CIFAR-10 training images" in text
    assert text.endswith("at 32 px, 10 epochs, AdamW, on a CPU. CIFAR-100: not run.")
    full = pd.concat([RUNS, pd.DataFrame([{**RUN, "recipe": "paper"}])])
    assert say.what_was_run(full, RUNS, nothing).startswith("1 run is among the records at 224 px.")
    none = say.what_was_run(full, RUNS.iloc[:0], nothing)
    assert "Small networks on small images: not run" in none
    planned = say.what_was_run(RUNS, RUNS, nothing.assign(done=3))
    assert "Besides, 3 runs of a plan on the authors' own form (VGG), trained alike" in planned


def test_baselines():
    table = pd.DataFrame(
        {
            "paper: baseline": [90.0, 94.0, 80.0],
            "baseline: mean": [50.0, 44.0, NAN],
            "baseline: n": [3, 3, 0],
        }
    )
    text = say.baselines(table)
    assert "reach 44.0 to 50.0 % where chance is 10 %, and stand 40 to 50 points below" in text
    assert text.endswith("They are trained on 14 % of the images for 10 epochs instead of 200.")
    assert say.baselines(table.iloc[2:]) == "The small baselines: not run."


def differences(*values, model="VGG"):
    return pd.DataFrame({"model": [model] * len(values), "difference": list(values)})


def test_effect():
    text = say.effect("convolutional networks", effects(differences(1, 2, 1, 2, 1, 2)))
    assert text == (
        "For convolutional networks (VGG), the constrained arm differs by +1.50 points over the 6 "
        "pairs that are judged (95 % interval +0.93 to +2.07, p = 0.031); with 80 % power, 0.8 "
        "points would have been detected."
    )
    few = say.effect("convolutional networks", effects(differences(1.0, 2.0)))
    assert few.endswith("p = 0.500); so few pairs could not have shown a difference of any size.")
    one = say.effect("convolutional networks", effects(differences(1.0)))
    assert one == "For convolutional networks (VGG): too few pairs were run."


BATCH = {"model": "VGG", "arm": "constrained", "batch": "planned", "from": 8, "to": 13}
CONTRASTS = pd.DataFrame(
    [
        {**BATCH, "against": "baseline", "n": 6, "mean": 0.5, "low": 0.1, "high": 0.9, "p": 0.031},
        {**BATCH, "against": "placebo", "n": 6, "mean": 0.4, "low": -0.1, "high": 0.9, "p": 0.125},
    ]
)


@pytest.mark.parametrize("outcome", ["repeated", "left open", "not repeated"])
def test_planned(outcome):
    assert say.planned(CONTRASTS.assign(outcome=outcome)) == (
        "In the batch of VGG planned beforehand, the arm “constrained” differs by +0.50 points "
        "from the baseline (+0.10 to +0.90, p = 0.031) and by +0.40 points from the placebo "
        f"(-0.10 to +0.90, p = 0.125): **the result that led to it is {outcome}.**"
    )


def test_helps():
    group = {"convolutional networks": effects(differences(1, 2, 1, 2, 1, 2))}
    text = say.helps(group, CONTRASTS.assign(outcome="left open"))
    assert text.startswith("For convolutional networks") and text.endswith("is left open.**")
    assert text.count("planned beforehand") == 1
    nothing = outcomes(CONTRASTS.iloc[:0], [])
    assert say.helps({}, nothing) == "Pairs with and without the constraint: not run."


def test_placebo():
    shams, contrast = effects(differences(1.0, -2.0)), effects(differences(0.5, 1.5))
    assert say.placebo(shams, contrast) == (
        "On VGG, 2 placebo runs differ from their baselines by -0.50 points on average (standard "
        "deviation 2.12, single differences up to 2.00). Constrained minus placebo, same seeds "
        "(VGG, 2 pairs that are judged): +1.00 points (95 % interval -5.35 to +7.35, p = 0.500)."
    )
    assert say.placebo(shams, effects(differences())).endswith("that may be judged.")
    nothing = effects(differences())
    assert say.placebo(nothing, nothing) == "The placebo at this α: not run."


def test_placebo_sizes():
    text = say.placebo_sizes(DOSES)
    assert text == (
        "Over all parameters, the placebo's gradient as a share of the constrained arm's (each as "
        "a ratio to the task's, mean over training): 0.57 (VGG, α = 1)."
    )
    assert say.placebo_sizes(DOSES.iloc[:2]).endswith("constrained arm: not run.")


def test_own_gammas():
    arms = ["baseline", *["constrained"] * 3, "constrained:gamma=model"]
    gammas = [None, 0.1, 0.2, 0.3, 0.9]
    runs = pd.DataFrame({"model": "VGG", "arm": arms, "gamma": gammas})
    assert say.own_gammas(runs) == (
        "Over the seeds of the constrained arm, the standard deviation of γ is 0.100 (VGG)."
    )
    assert say.own_gammas(runs.iloc[:2]) == "γ of more than one seed: not run."


DOSES = pd.DataFrame(
    {
        "with": [0.02, 0.004, 0.005],
        "without": [0.022, 0.026, 0.026],
        "top-1": [0.2, -3.0, -13.1],
        "gradient": [1e-4, 0.87, 0.5],
    },
    index=pd.MultiIndex.from_tuples(
        [("VGG", "constrained", 1e-4), ("VGG", "constrained", 1.0), ("VGG", "placebo", 1.0)],
        names=["model", "penalty", "alpha"],
    ),
)
RATIOS = pd.DataFrame(
    {"arm": ["constrained"] * 3 + ["placebo"], "gradient_ratio": [1e-4, 2e-4, 2e-3, 1]}
)


def test_acts():
    text = say.acts(DOSES, DOSES, RATIOS)
    assert text == (
        "With α = 0.0001 the gradient of the penalty is 0.02 % of the task's (median over "
        "networks, seeds and epochs; at most 0.20 %). VGG's modules end 0.020 from γ instead "
        "of 0.022. "
        "With α = 1, the gradient of VGG's penalty is 0.87 times the task's; the modules end 0.004 "
        "from γ instead of 0.026, and accuracy changes by -3.0 points (placebo: -13.1)."
    )
    alone = say.acts(DOSES.iloc[:1], DOSES.iloc[:0], RATIOS)
    assert alone.endswith("instead of 0.022.")
    nothing = say.acts(DOSES.iloc[:0], DOSES.iloc[:0], RATIOS.iloc[:0])
    assert nothing == "The constraint at α = 0.0001: not run."


def test_largest_dose():
    text = say.largest_dose("VGG", 10.0, DOSES.iloc[1], None)
    assert text.startswith("With α = 10, the gradient of VGG's penalty is 0.87 times the task's;")
    assert text.endswith("accuracy changes by -3.0 points.")


@pytest.mark.parametrize(("crossed", "sign"), [(-1.67, "loss"), (1.67, "gain")])
def test_rates(crossed, sign):
    row = {"alone": -1.62, "alone: n": 3, "crossed": crossed, "crossed: n": 3}
    table = pd.DataFrame([row | {"higher": 0.22, "lower": -0.05}], index=["VGG"])
    expected = (
        "For VGG, the lower rate alone changes the baseline by -1.62 points (3 pairs of the same "
        "seed). At the same rate, the constraint changes accuracy by +0.22 points (higher rate) "
        "and -0.05 (lower). **Compared as in the scripts, constrained at the lower rate and "
        f"baseline at the higher, the arms differ by {crossed:+.2f} points** (3 pairs): the rate "
        f"alone produces a {sign}."
    )
    assert say.rates(table) == say.rate("VGG", table.iloc[0]) == expected
    assert say.rates(table.iloc[:0]) == "The learning-rate control: not run."


def test_choices():
    row = {"held-out - last": -0.23, "best test - last": 0.11}
    row |= {"gain, last": 0.2, "gain, held-out": -0.06, "gain, best test": 0.33}
    table = pd.DataFrame([row], index=["VGG"])
    assert say.choices(table) == (
        "Reporting the best test epoch instead of the last changes accuracy by +0.11 points on "
        "average, and the epoch that is best on held-out images by -0.23. The difference between "
        "the arms moves by up to 0.13 points with the first choice and by up to 0.26 with the "
        "second."
    )
    assert say.choices(table.iloc[:0]) == "The choice of the epoch: not run."


def test_the_first_lines_say_what_was_not_run():
    doses = pd.DataFrame(
        {"gradient": [], "nearer": [], "without": []},
        index=pd.MultiIndex.from_arrays([[], [], []], names=["model", "penalty", "alpha"]),
    )
    found = confirm.results(plans.load("small-confirm"), "no-such-folder")
    rates, choices = pd.DataFrame(columns=["alone"]), pd.DataFrame()
    lines = say_first.three_lines(found, doses, {}, rates, choices).splitlines()
    assert [line.count("not run") for line in lines] == [1, 1, 2]
    assert [line.count("small-confirm is at 0 of ") for line in lines] == [1, 1, 0]


def test_the_first_lines_say_the_numbers():
    doses = pd.DataFrame(
        {"gradient": [1e-4, 2e-4, 9.0], "nearer": [0.002, -0.001, 0.5], "without": [0.1, 0.2, 0.9]},
        index=pd.MultiIndex.from_tuples(
            [("VGG", "constrained", 1e-4), ("PVT", "constrained", 1e-4), ("PVT", "placebo", 1e-4)],
            names=["model", "penalty", "alpha"],
        ),
    )
    assert say_first.acts(doses) == (
        "As printed (α = 0.0001), its gradient is at most 0.02 % of the task's. Without it, the "
        "modules end at a distance of 0.100 to 0.200 from γ; with it, the distance shrinks by "
        "-0.001 to +0.002 (2 networks)."
    )
    helped = say_first.helps({"networks": effects(differences(1, 2, 1, 2, 1, 2))})
    assert helped == (
        "As printed: +1.50 points for networks (95 % interval +0.93 to +2.07, 6 pairs)."
    )
    rates = pd.DataFrame({"alone": [-1.6]}, index=["VGG"])
    choices = pd.DataFrame({"best test - last": [0.1, 0.3]})
    assert say_first.protocol(rates, choices) == (
        "The lower learning rate of the released commands alone changes the accuracy of VGG by "
        "-1.60 points; reporting the best test epoch changes that of an arm by +0.20 points."
    )


def test_live():
    assert say.live(RUNS.assign(top1_last=90.0)) == (
        "2 runs of 10 epochs, arms: baseline, constrained\nall above chance: True"
    )
    assert say.live(RUNS.assign(top1_last=[90.0, 11.0])).endswith("all above chance: False")
    assert say.live(RUNS.iloc[:0]) == "not run"
