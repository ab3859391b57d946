"""What the printed tables come to, in words and as shown: small tables, changed tables, none."""

from __future__ import annotations

import pandas as pd
import pytest

from reproduction.paper import audit, draw, errata, read, say
from reproduction.paper.tables import DATASETS


def comparisons(*rows) -> pd.DataFrame:
    """Rows of (model, data set, family, marked, gain, decided)."""
    columns = ["model", "dataset", "family", "marked", "gain", "decided"]
    table = pd.DataFrame(list(rows), columns=columns).set_index(["model", "dataset"])
    return table.assign(relative=table["gain"] * 2)


MIXER = ("MLP-Mixer", "imagenette", "mlp", True, -0.8, "loss")
VIT = ("ViT (base)", "cifar100", "attention", True, 5.75, "gain")
POOL = ("PoolFormer", "imagenette", "attention", False, 1.94, "gain")
VGG = ("VGG", "cifar10", "cnn", False, -0.15, "loss")


def test_who_gains_counts_what_was_decided():
    text = say.helps(comparisons(MIXER, VIT, POOL, VGG))
    assert "Of the 2 comparisons of marked models, **1 is a gain and 1 is a loss**" in text
    assert "MLP-Mixer on Imagenette -0.80" in text and "(PoolFormer on Imagenette +1.94)" in text
    assert "contradicted by PoolFormer on Imagenette; no convolutional network gains" in text


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((MIXER, VIT), "**“Exclusively” holds.**"),
        (
            (VIT, ("VGG", "cifar10", "cnn", False, 2.0, "gain")),
            "convolutional networks gain, too.**",
        ),
    ],
)
def test_exclusively_follows_the_table(rows, expected):
    assert say.helps(comparisons(*rows)).endswith(expected)


def test_average_gain_is_over_the_marked_models():
    text = say.average_gain(comparisons(MIXER, VIT, POOL))
    assert "**-0.80 to 5.75 points**" in text and "-1.60 to 11.50 %" in text
    assert "5.75 points (ViT (base) on CIFAR-100)" in text and "it is 11.5 %." in text


def test_best_of_names_the_errors():
    assert "0.3 points (CIFAR-10), 0.5 points (CIFAR-100)" in say.best_of(
        {"cifar10": 0.3, "cifar100": 0.47}
    )


def test_invariance_names_who_stands_before_the_marked():
    summary = pd.DataFrame(
        {"rho": [-0.43, -0.32], "p": [0.35, 0.5], "before": [("PoolFormer", "ResNet"), ("VGG",)]},
        index=[4, 5],
    )
    text = say.invariance(summary)
    assert "ρ = -0.43 (exact p = 0.35) for Table 4 and ρ = -0.32 (exact p = 0.50)" in text
    assert "PoolFormer and ResNet in Table 4 and VGG in Table 5 rank before" in text


def averages(off) -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples([(5, "ResNet"), (5, "VGG")])
    return pd.DataFrame({"off": off}, index=index)


def test_averages_name_what_does_not_follow_and_what_stands_twice():
    text = say.averages(averages([0.67, 0.1]), [(4, "ResMLP", 0.3404, ["cifar100", "imagenette"])])
    assert "last digit of 1 in Table 5 (ResNet)" in text
    assert "ResMLP has 0.3404 for CIFAR-100 and Imagenette in Table 4" in text
    fine = say.averages(averages([0.3, 0.1]), [])
    assert fine == "All averages follow from their rows. No value is printed twice in a row."


@pytest.mark.parametrize(
    ("nearer", "expected"),
    [(10, "By no reading do most SS_rates come"), (20, "By one reading most SS_rates do come")],
)
def test_movement_asks_for_most_cells(nearer, expected):
    row = {"cells": 27, "away": 8, "rho": 0.46, "p": 0.016}
    summary = pd.DataFrame([row | {"nearer": nearer}] * 2, index=["table 2", "released"])
    text = say.movement(summary)
    assert f"**{expected}" in text and f"{nearer} of 27 cells" in text and "p = 0.016" in text


@pytest.mark.parametrize(
    ("change", "majority", "universal", "falls"),
    [
        ([0.5, 0.3, -0.05], "holds", "does not", "c fall, by at most 0.05"),
        ([0.5, -0.3, -0.05], "does not hold", "does not", "b and c fall, by at most 0.30"),
        ([0.5, 0.3, 0.1], "holds", "does, too", "none fall."),
    ],
)
def test_changes_hold_or_not(change, majority, universal, falls):
    table = pd.DataFrame({"change": change}, index=list("abc"))
    text = say.changes(table, pd.Series({"a": 0.1, "b": 0.3}))
    assert f"sentence {majority}, and the “universal” of another {universal}." in text
    assert falls in text and "0.20 on average and by 0.30 at most (b)" in text


def test_reach_names_the_smallest_printed_value():
    assert "(at least 0.12)" in say.reach(0.12)


@pytest.mark.parametrize(
    "text",
    [
        lambda: say.helps(audit.comparisons().iloc[:0]),
        lambda: say.average_gain(audit.comparisons().iloc[:0]),
        lambda: say.invariance(audit.invariance_summary().iloc[:0]),
        lambda: say.movement(audit.movement_summary().iloc[:0]),
        lambda: say.changes(audit.table_2_changes().iloc[:0], audit.trained_rates()),
    ],
)
def test_without_a_table_nothing_is_said_of_it(text):
    assert text() == say.NOTHING


def test_without_errors_or_averages_the_sentences_still_hold():
    assert "an amount that was not computed" in say.best_of({})
    assert say.averages(audit.readded_averages().iloc[:0], []).startswith("All averages follow")


def test_tables_are_shown_with_the_names_of_data_sets():
    assert set(read.gains().index.get_level_values("dataset")) == set(DATASETS.values())
    assert list(read.rank_correlations().index) == ["averages", *DATASETS.values()]
    assert list(read.movement().index) == list(read.READINGS.values())


@pytest.mark.parametrize(
    ("figure", "axes"),
    [
        (lambda: draw.plot_gains(read.gains()), 3),
        (lambda: draw.plot_invariance_gain(read.invariance_against_gain()), 2),
        (lambda: draw.plot_movement(read.ss_rates()), 1),
    ],
)
def test_figures_have_a_panel_per_table(figure, axes):
    assert len(figure().axes) == axes


def test_errata_have_all_their_numbers():
    table = errata.table()
    assert len(table) == 20 and not table.apply(lambda c: c.str.contains("[{}]")).any(axis=None)
    assert table["where"].is_unique


def test_errata_say_what_the_tables_and_commands_say():
    rows = errata.table().set_index("where")
    assert (
        "2 have α = 10⁻⁴ (PoolFormer) and 9 have 0.05" in rows.at["Quantitative Analysis, α", "why"]
    )
    assert rows.at["Abstract", "should_be"] == "by up to 6 percentage points"
    vgg = rows.at["Text after Table 3, on VGG", "why"]
    assert "VGG has 0.19" in vgg and "(0.09 to 0.13)" in vgg and "ranked 2 of 9" in vgg
    purpose = rows.at["Text after Table 3, what the constraint is for", "why"]
    assert "in 7 of 9 models" in purpose and "in 15 of 27 cells" in purpose


def test_self_similar_networks_gain_is_said_as_the_summary_has_it():
    summary = audit.self_similarity_summary()
    assert summary.loc["untrained", "p"] == pytest.approx(1 / 126)
    assert summary.loc["untrained", "rho"] == pytest.approx(-0.775, abs=5e-4)
    assert "holds in print" in say.self_similarity(summary)
    other = summary.assign(separated=[False, True])
    assert "not the most self-similar" in say.self_similarity(other)
    assert "also separated" in say.self_similarity(other)
