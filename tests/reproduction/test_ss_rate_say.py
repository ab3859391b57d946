"""Sentences on Table 2 and the feature network: each outcome has its words, and nothing has too."""

import pandas as pd
import pytest

from reproduction import records
from reproduction.paper.tables import FORMULAS
from reproduction.ss_rate import read, say
from reproduction.ss_rate.cells import FACTOR_EXPERIMENT, SS_RATE
from reproduction.ss_rate.figure_2 import ChannelMap


@pytest.fixture
def table():
    """Two of the three models lie on the printed value, the third far away; none was trained."""
    ours = {"paper": [0.13, 0.20, 0.30], "ours, released": [0.13, 0.22, 0.40]}
    ours |= {"ours, printed": [0.7, 0.7, 0.7], "std, released": [0.01, 0.05, 0.02]}
    ours |= {"std, printed": [0.01] * 3, "seeds": [5, 4, 5], "records": [5, 4, 5]}
    ours |= {"verdict": ["reproduced", "reproduced", "differs"]}
    none = {"paper": [0.4, 0.5, 0.6], "seeds": [0] * 3, "records": [0] * 3}
    none |= dict.fromkeys([f"{what}, {f}" for what in ("ours", "std") for f in FORMULAS])
    none |= {"verdict": ["not run"] * 3}
    columns = {f"untrained: {name}": column for name, column in ours.items()}
    columns |= {f"pretrained: {name}": column for name, column in none.items()}
    return pd.DataFrame(columns, index=["V", "R", "M"])


def test_values_are_counted_by_verdict(table):
    told = say.values(read.comparison(table))
    assert told.startswith("Over 4 seeds (14 records in all), **2 of 3 values are reproduced**")
    assert "1 differs, and 0 are left open" in told and "R (standard deviation 0.050)" in told
    assert "means of 2 networks lie within 0.03" in told and "would bring 1 that close" in told
    assert "off by 0.090 on average" in told
    assert "Not run" not in told
    table.loc["M", "untrained: ours, released"] = float("nan")
    told = say.values(read.comparison(table))
    assert "**2 of 2 values are reproduced**" in told and "Not run: 1." in told


def test_the_formulas_are_told_apart_only_where_one_of_them_fits(table):
    told = say.formulas(read.comparison(table))
    assert told.startswith("The values by the released formula lie 0.040 from the printed table on")
    assert told.endswith("can hardly be the one behind its Table 2.**")
    table["untrained: ours, printed"] = table["untrained: paper"]
    assert say.formulas(read.comparison(table)).endswith(
        "This does not show which of the two is behind Table 2."
    )


def test_trained_networks_are_told_once_they_are_run(table):
    told = say.trained_networks(read.comparison(table, "pretrained"))
    assert told.startswith("For trained networks Table 2 prints 0.40 to 0.60; ours are **not run**")
    assert "`python -m reproduction ss-rate --weights pretrained`" in told
    told = say.trained_networks(read.comparison(table))
    assert (
        "on average 0.040 away" in told
        and "**2 are reproduced**, 1 differ and 0 are left open" in told
    )


def test_without_records_table_2_is_not_run():
    table = read.table_2(pd.DataFrame())
    told = say.table_2(read.comparison(table), read.comparison(table, "pretrained"))
    assert len(told.split("\n\n")) == 3
    assert all("**not run**" in paragraph for paragraph in told.split("\n\n"))


def outcome(**changes):
    strongest = (read.Setting("B", "16 images", 0.2, 0.05), read.Setting("mode", "x", 0.1, -0.01))
    known = {"model": "V", "baseline": 0.15, "std": 0.03, "seeds": 12, "paper": 0.13}
    known |= {"strongest": strongest, "nearest": strongest[1], "settings": 2, "fewest_seeds": 5}
    return read.FactorOutcome(**(known | {"within_seeds": 2} | changes))


def test_factors_name_the_strongest_and_the_nearest():
    assert say.factor(outcome()) == (
        "**V** has 0.150 ± 0.030 over 12 seeds; the paper prints 0.13. The settings that change it "
        "most are *B: 16 images (+0.050), mode: x (-0.010)*. The setting that comes nearest to the "
        "paper is *mode: x*, with 0.100."
    )
    told = say.factor(outcome(strongest=(), settings=0))
    assert told.endswith("Changed settings: **not run**.")


def test_what_seeds_explain_turns_on_the_count():
    told = say.explanation([outcome(), outcome(fewest_seeds=3)])
    assert told.startswith("Each changed setting was run over at least 3 seeds.")
    assert told.endswith(
        "seeds alone move SS_rate of these two networks by about as much as most settings do."
    )
    assert "this network" in say.explanation([outcome()])
    assert say.explanation([outcome(within_seeds=1)]).endswith("by more than seeds alone do.")


def test_factors_are_a_paragraph_per_model_or_not_run():
    assert len(say.factors([outcome(), outcome()]).split("\n\n")) == 3
    assert say.factors([]) == "One setting changed at a time: **not run**."


def test_directions_turn_on_the_groups_and_on_noise():
    known = {"seeds": 5, "low": (1.4, 1.7), "isotropic": (1.8, 2.5), "closest": "PVT", "gap": 0.1}
    apart = read.Directions(**known, noise=(56, 306), networks=7, below_noise=7)
    told = say.directions(apart)
    assert "but only 0.1 separate PVT from the nearest network of the other group." in told
    assert "But **none of the clouds is isotropic**: noise of the same shapes has 56 to 306" in told
    assert told.endswith("(`-p weights pretrained` does that).")
    assert "not run" not in say.directions(apart, weights="pretrained")
    assert "The two groups overlap." in say.directions(apart._replace(gap=-0.2))
    few = say.directions(apart._replace(below_noise=6))
    assert "6 of 7 have less than half the directions of noise" in few and "isotropic**" not in few
    assert say.directions(None) == "The directions of Figure 2's networks: **not run**."


def test_notes_give_one_value_or_a_range():
    def one(stress, ratio):
        return ChannelMap("cnn", {}, stress, {"untrained": ratio}, 47)

    notes = say.panel_notes({"a": (one(0.1, 1.51), one(0.1, 1.72)), "b": (one(0.2, 2.0),)})
    assert notes == {"a": "stress 0.10\n1.5 to 1.7 directions", "b": "stress 0.20\n2.0 directions"}
    both = ChannelMap("cnn", {}, 0.1, {"untrained": 1.5, "trained": 3.0}, 47)
    assert say.panel_notes({"a": (both,)})["a"].splitlines()[1:] == [
        "1.5 directions (untrained)",
        "3.0 directions (trained)",
    ]
    assert say.layer_notes({"a": (one(0.1, 1.51),)}) == {
        "a": "participation ratio 1.5 of 47\nstress 0.10"
    }


def test_what_is_computed_live_says_so():
    assert say.images("48 crops.") == "Images: 48 crops."
    assert say.live("Crops of two.", 16).startswith(
        "These averages were computed when this page was built, from crops of two. One seed and 16"
    )
    rates = pd.DataFrame({"SS_rate": [0.25], "by hand": [0.25]}, index=["released"])
    assert say.by_hand(rates) == "released: SS_rate = 0.2500, by hand 0.2500"
    curves = pd.DataFrame({"layer": "a", "formula": ["released", "printed"], "ss_rate": [0.1, 0.6]})
    assert say.two_formulas(curves) == (
        "For a, SS_rate is **0.100** by the released formula and **0.600** by the printed one."
    )


def test_the_gap_of_the_formulas_is_named_only_where_there_is_one():
    assert "lies 0.43 above the larger released one, so **every" in say.which_formula(0.43, 48)
    told = say.which_formula(-0.1, 48)
    assert "lies 0.10 below the larger released one. These" in told and "48 images" in told


def test_the_committed_records_have_their_sentences():
    table = read.table_2(records.read_all(SS_RATE))
    told = say.table_2(read.comparison(table), read.comparison(table, "pretrained"))
    assert "**2 of 9 values are reproduced**" in told
    study = read.factor_table(records.read_all(FACTOR_EXPERIMENT))
    assert "these two networks" in say.factors(read.factor_outcomes(study))
