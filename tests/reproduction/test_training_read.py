"""The tables of the chapter on Table 3 as it shows them, from numbers that are known."""

import subprocess
import sys

import pandas as pd
import pytest

from reproduction.paths import RESULTS
from reproduction.training import draw, read
from reproduction.training.pairs import Batch, judged


@pytest.fixture(scope="module")
def committed():
    return read.read_runs(RESULTS)


def test_pages_are_read_without_torch():
    """A page that reads records starts in a second, and where torch is not installed."""
    code = (
        "import sys; from reproduction.training import draw, pairs, read, say; "
        "print([name for name in ('torch', 'timm', 'sslib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_committed_runs_stand_above_chance(committed):
    assert (committed[committed["arm"] == "baseline"]["top1_last"] > 25).all()  # ten classes
    assert read.above_chance(pd.DataFrame({"top1_last": [20.5, 90.0]}))
    assert not read.above_chance(pd.DataFrame({"top1_last": [19.5, 90.0]}))


def test_runs_of_one_recipe_and_data_set(committed):
    part = read.read_runs(RESULTS, recipe="cpu", dataset="cifar10")
    assert set(part["recipe"]) == {"cpu"} and set(part["dataset"]) == {"cifar10"}
    assert len(part) < len(committed) and list(part.columns) == list(committed.columns)
    assert set(part["model"]) <= {"ResMLP", "ResNet34", "ViT (small)"}


def test_the_plan_is_read_in_its_order(tmp_path):
    file = tmp_path / "plan.yml"
    file.write_text("batches:\n  - {model: VGG, arm: released, seeds: [6, 7]}\n", encoding="utf-8")
    assert read.plan(file) == [Batch("VGG", "released", (6, 7))]
    batches = read.plan()
    assert len(batches) == 3 and all(len(batch.seeds) >= 6 for batch in batches)


def test_planned_batches_were_run(committed):
    for batch in read.plan():
        own = committed[(committed["model"] == batch.model) & (committed["recipe"] == "cpu")]
        assert set(batch.seeds) <= set(own[own["arm"] == batch.arm]["seed"])


def test_histories_have_a_row_per_epoch():
    history = {"test": [10.0, 20.0], "gradient_ratio": [0.1, 0.2]}
    run = {"model": "VGG", "family": "cnn", "seed": 0, "gamma": 0.2, "history": history}
    runs = pd.DataFrame(
        [
            {**run, "arm": "baseline", "alpha": 0.0},
            {**run, "arm": "constrained", "alpha": 1e-4},
            {**run, "arm": "constrained@0.001", "alpha": 1e-4},
        ]
    )
    table = read.histories(runs)
    assert table["epoch"].tolist() == [1, 2] * 3 and table["test"].tolist() == [10.0, 20.0] * 3
    assert set(read.penalised(runs)["arm"]) == {"constrained"}
    assert read.histories(runs.iloc[:0]).empty


def test_table_3_has_one_gamma_that_of_most_runs():
    """New runs take the model's; a cell that has both is not switched by its first new run."""
    where = {"recipe": "paper", "dataset": "cifar10", "ss_rate_train": 0.2}
    new, own = "constrained:gamma=model", "constrained"
    runs = [("VGG", "baseline", 90), ("VGG", new, 91), ("VGG", "constrained:gamma=0.3", 50)]
    runs += [("PVT", own, 80), ("PVT", own, 82), ("PVT", new, 70)]
    frame = pd.DataFrame(runs, columns=["model", "arm", "top1_last"]).assign(**where)
    table = read.table_3(frame, "paper", "cifar10")
    shown = table[["constrained: n", "constrained: mean"]]
    assert shown.loc["VGG"].tolist() == [1, 91] and shown.loc["PVT"].tolist() == [2, 81]


def test_accuracies_as_they_are_shown():
    rows = {
        "VGG": [89.98, 89.83, 50.04, 0.44, 3, 0.2, 51.0, 0.5, 3, 0.25],
        "PVT": [94.55, 94.43, None, None, 0, None, None, None, 0, None],
    }
    columns = ["paper: baseline", "paper: constrained"] + [
        f"{arm}: {key}"
        for arm in ("baseline", "constrained")
        for key in ("mean", "std", "n", "SS_rate")
    ]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).astype(float)
    shown = read.accuracy_table(table)
    assert shown.loc["VGG"].tolist() == [
        "89.98 → 89.83",
        "50.0 ± 0.4 (3)",
        "51.0 ± 0.5 (3)",
        "0.20 → 0.25",
    ]
    assert shown.loc["PVT"].tolist()[1:] == ["not run", "not run", "–"]


def test_effects_as_they_are_shown():
    pair = {"recipe": "cpu", "dataset": "cifar10", "model": "VGG", "family": "cnn"}
    rows = [pair | {"seed": k, "difference": k % 2 + 0.5} for k in range(6)]
    rows += [pair | {"seed": 6, "difference": -6.0}]
    rows += [pair | {"model": "PVT", "seed": 7, "difference": -3.0}]
    every = pd.DataFrame(rows)
    shown = read.effects_table(judged(every, "constrained", []), every)
    text = ["first, 0 to 5", "6", "+1.00", "+0.43 to +1.57", "0.031", "0.031", "0.79", "+0.00 (7)"]
    assert shown.loc["VGG"].tolist() == text
    assert shown.loc["PVT"].tolist() == ["–"] * 7 + ["-3.00 (1)"]
    assert shown.loc["all pairs"].tolist()[1:3] == ["6", "+1.00"]
    assert shown.loc["all pairs"].tolist()[-1] == "-0.38 (8)"


def test_batches_as_they_are_shown():
    batch = {"model": "VGG", "arm": "released", "batch": "first", "from": 0, "to": 2}
    table = pd.DataFrame(
        [
            {**batch, "against": "baseline", "n": 3, "mean": 1.5, "p": 0.25},
            {**batch, "against": "placebo"},
        ]
    )
    shown = read.batches_table(table)
    assert shown.to_dict("index") == {
        "VGG, released, first: seeds 0 to 2": {
            "minus baseline": "+1.50 (p = 0.250, 3)",
            "minus placebo": "not run",
        }
    }
    assert read.batches_table(table.iloc[:0]).empty


DOSE = {"family": "cnn", "n": 3, "gamma": 0.3, "SS_rate": 0.2111, "with": 0.057, "without": 0.033}
DOSE |= {"nearer": -0.024, "top-1": -0.12, "std": 2.2, "gradient": 0.03}
DOSES = pd.DataFrame(
    [DOSE, DOSE],
    index=pd.MultiIndex.from_tuples(
        [("VGG", "constrained", 0.01), ("VGG", "placebo", 1.0)], names=["model", "penalty", "alpha"]
    ),
)


def test_doses_as_they_are_shown():
    shown = read.doses_table(DOSES)
    names = [name.replace("\u00a0", " ") for name in shown.index]
    assert names == ["VGG constrained, α = 0.01", "VGG placebo, α = 1"]
    cells = ["3", "0.30", "0.211", "0.057 (0.033)", "-0.1 ± 2.2", "3e-02"]
    assert shown.iloc[0].tolist() == cells
    assert read.doses_table(DOSES.iloc[:0]).empty


def test_rates_and_choices_as_they_are_shown():
    index = pd.MultiIndex.from_tuples([("VGG", 0.008)])
    row = {"baseline": 43.9, "baseline: n": 20.0, "constrained": 44.1, "constrained: n": 19.0}
    shown = read.rates_table(pd.DataFrame([{**row, "gain": 0.2}], index=index))
    assert shown.loc["VGG, learning rate 0.008"].tolist() == ["43.90 (20)", "44.10 (19)", "+0.20"]
    numbers = {"held-out - last": -0.2, "best test - last": 0.1}
    numbers |= {f"gain, {rule}": 0.25 for rule in ("last", "held-out", "best test")}
    shown = read.choices_table(pd.DataFrame([numbers], index=["VGG"]))
    assert shown["added to the last epoch"].loc["VGG"].tolist() == ["-0.20", "+0.10"]
    assert shown["constrained − baseline"].columns.tolist() == ["last", "held-out", "best test"]


def test_live_pairs_as_they_are_shown():
    run = {"model": "VGG", "arm": "baseline", "top1_last": 90.0, "ss_rate_train": 0.2}
    other = {**run, "arm": "constrained", "top1_last": 91.0}
    shown = read.live_table(pd.DataFrame([run, {**run, "top1_last": 91.0}, other]))
    assert shown.loc["VGG"].tolist() == ["90.5", "91.0", "0.200", "0.200"]


# --- figures ---


def test_differences_are_drawn_one_dot_a_pair():
    pair = {"model": "VGG", "family": "cnn"}
    differences = pd.DataFrame([{**pair, "seed": k, "difference": k} for k in (1.0, 2.0, 3.0)])
    one = pd.DataFrame([{"model": "PVT", "family": "attention", "seed": 0, "difference": -1.0}])
    (axis,) = draw.plot_differences(pd.concat([differences, one]), differences.iloc[:2]).axes
    means = [line.get_xdata()[0] for line in axis.get_lines() if line.get_marker() == "D"]
    assert means == [1.5]
    assert [set(dots.get_alpha()) for dots in axis.collections] == [{0.25}, {0.9, 0.25}]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["PVT", "VGG"]
    dots = sorted(dot[0] for drawn in axis.collections for dot in drawn.get_offsets())
    assert dots == [-1.0, 1.0, 2.0, 3.0]


def test_doses_are_drawn_against_the_baseline():
    distance, accuracy = draw.plot_doses(DOSES).axes
    real, sham = (line for line in distance.get_lines() if "VGG" in str(line.get_label()))
    assert real.get_ydata().tolist() == [0.024] and sham.get_marker() == "s"
    assert distance.get_xscale() == accuracy.get_xscale() == "log"
