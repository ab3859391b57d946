"""Tables 4 and 5 in words."""

from __future__ import annotations

import pandas as pd
import pytest

from reproduction.invariance import say
from reproduction.invariance.live import Agreement, Pixels, Repeats
from reproduction.invariance.read import Distance, Exponents
from reproduction.invariance.read_rulers import Recovery


def test_correlations_are_told_beside_what_chance_gives():
    order = pd.DataFrame(
        {"rho": [-0.9, 0.1], "p": [0.01, 0.8]},
        index=pd.MultiIndex.from_product([["CIFAR-10"], ["printed", "released"]]),
    )
    told = say.order(order)
    assert (
        told.startswith("1 of 2 correlations has p < 0.05: printed on CIFAR-10 (ρ = -0.90).")
        and "reverse" in told
    )
    assert say.order(order.iloc[1:]) == "None of the 1 correlations has p < 0.05."
    assert say.order(order.iloc[:0]) == "Rank correlations: **not run**."
    assert say.order_of_untrained(order).startswith(told)


def test_changes_are_told_per_way():
    columns = ["networks", "by training", "by the constraint", "beyond scatter"]
    found = pd.DataFrame([[2, 1, 1, 0]], index=["released"], columns=columns)
    told = say.changes(found, "Δ")
    assert "Δ smaller in 1 of 2 networks" in told and told.startswith("**released**: ")
    assert "in none the two differ" in told
    assert say.changes(found.iloc[:0], "Δ") == "Trained networks: **not run**."


@pytest.mark.parametrize(
    ("worst", "expected"), [(1e-9, "agree to a millionth."), (0.125, "differ")]
)
def test_the_spectra_of_both_products_are_compared(worst, expected):
    told = say.same_spectrum(Agreement("layer1", 64, 112, 32, worst))
    assert told.startswith("In layer1 above, with D = 64 and B = 112, the 32 largest")
    assert expected in told


def test_the_distance_to_the_paper_is_told_with_its_outcome():
    found = Distance({"printed": 4.0, "released": 2.0}, True, 14, (0.1, 0.8), (1e-5, 0.5), "ResMLP")
    told = say.distance(found)
    assert told.startswith("**Neither estimator gives") and "Half of the 14 cells" in told
    assert "2.0 or more (released) and 4.0 or more (printed)" in told and "0.000010 to" in told
    assert say.distance(found._replace(neither=False)).startswith("Half of the 14")
    assert say.distance(None) == "Untrained networks: **not run**."


def test_the_gain_is_told_as_the_claim_found_it():
    told = say.gain({"ours": "untrained: ρ(σ, gain) +0.10 (p = 0.84)", "n": "7 networks, 3 seeds"})
    assert "gain. Untrained: ρ(σ, gain) +0.10 (p = 0.84), 7 networks, 3 seeds. Random" in told
    assert "Untrained: **not run**. Random" in say.gain({"ours": "", "n": ""})


def test_the_worth_of_the_exponents_and_the_pixels():
    columns = ["exponent", "exponent_error", "n_tail", "ks_distance", "null_exponent"]
    medians = pd.DataFrame(
        [[1.2, 0.01, 640.0, 0.2, 1.5], [2.3, 0.1, 90.0, 0.05, 40.0]],
        index=["printed", "released"],
        columns=columns,
    )
    found = Exponents(medians, 3, 42, 17.4, (0.5, 1.0))
    told = say.exponents(found).split("\n\n")
    assert len(told) == 5 and told[1].startswith("**released**, medians over layers: exponent 2.30")
    assert told[2].startswith("In 3 of 42 measurements") and "would be 17 (median)" in told[3]
    pixels = say.pixels(Pixels(112, 1.9, 0.2, 0.04, 50))
    assert "112 pictures" in pixels and "1.90 ± 0.20 (KS 0.04, 50 eigenvalues)" in pixels
    assert "50 % to 100 %" in told[4]
    assert say.exponents(None) == "Untrained networks: **not run**."


def test_known_exponents_are_told():
    scatter = pd.DataFrame(
        {"within": [1.0, 0.84], "ratio": [1.0, 2.04]}, index=["printed", "released"]
    )
    told = say.exponents_known(scatter)
    assert "at least 100 % (printed) and 84 % (released)" in told
    assert "scatter 2.0 times as much as their standard error says (printed: 1.0)" in told
    assert "not run" in say.exponents_known(scatter.iloc[:0])


def test_other_spectra_are_told():
    rows = [
        (name, way, 2.0 + k, 0.25, 20 + k)
        for k, name in enumerate(("noise", "low rank", "bulk and tail 2.5"))
        for way in ("printed", "released")
    ]
    columns = ["spectrum", "estimator", "exponent", "standard_error", "n_tail"]
    examples = pd.DataFrame(rows, columns=columns)
    told = say.exponents_other(examples)
    assert "4.00 where the tail has 2.5 (the released one finds 4.00 ± 0.25)" in told
    assert "only 21 eigenvalues" in told and "an exponent of 2.0 in noise" in told
    assert "not run" in say.exponents_other(examples.iloc[:0])


def test_repeats_are_told_per_estimator():
    row = {
        "seeds": 4,
        "low": 0.1,
        "high": 0.3,
        "layers": 4,
        "networks": "ResNet34 on CIFAR-10",
        "resmlp": 0.2,
        "printed": 0.5,
        "ours": 0.75,
        "paper_low": 0.14,
        "paper_high": 0.64,
    }
    found = pd.DataFrame.from_dict({"printed": row, "released": row}, orient="index")
    told = say.repeats(found, Repeats({"printed": 0.15, "released": 0.6}, 96, 8)).split("\n\n")
    assert len(told) == 2 and "(4 layers of ResNet34 on CIFAR-10, 640 images; 0.60 on" in told[1]
    assert "50 % of the values of Table 5 (0.14 to 0.64)" in told[0] and "75 % of ours" in told[0]
    nothing = say.repeats(found.iloc[:0], Repeats({}, 96, 8))
    assert nothing == "Repeats under several seeds of UMAP: not run."


def test_dimensions_are_told_beside_what_chance_gives():
    row = {"low": 1.0, "high": 4.0, "median": 2.5, "error": 0.1, "span": 5.0}
    found = pd.DataFrame.from_dict({"printed": row, "released": row}, orient="index")
    told = say.dimensions(found).split("\n\n")
    assert len(told) == 3 and "spans 5.0 such errors (median)" in told[0]
    assert "four measurements of the same number span 2.1" in told[2] and "span 3.3" in told[2]
    assert say.dimensions(found.iloc[:0]) == "Untrained networks: **not run**."


def test_known_dimensions_are_told_by_half_and_unit():
    found = Recovery(0.02, 0.08, 1e-12, 20, 24)
    told = say.dimensions_known(found)
    assert "2.0 % on the sets used to choose the rule and 8.0 % on those held out" in told
    assert "the unit does not matter." in told and "20 of its 24 values" in told
    assert "unit changes it by 1e-03 at most." in say.dimensions_known(found._replace(moved=1e-3))


@pytest.mark.parametrize(("threads", "expected"), [(1, "1 thread of"), (2, "2 threads of")])
def test_the_machine_of_the_cost_is_told(threads, expected):
    row = {"config.N": 20_000, "config.dimensions": 30, "device.name": "X"}
    runs = pd.DataFrame([row | {"config.threads": threads}])
    text = f"Measured on 20,000 points in 30 dimensions, on one machine, with {expected} an X."
    assert say.cost(runs) == text
    assert say.cost(runs.iloc[:0]) == "Time and memory: **not run**."
