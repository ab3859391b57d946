"""Known exponents and dimensions, and one network's layers, as the notebooks fit them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from reproduction.invariance import live
from reproduction.invariance.known import KNOWN_SETS, SET_NAMES
from reproduction.invariance.read import ESTIMATORS
from reproduction.invariance.read_rulers import (
    cost_table,
    dimension_errors,
    dimensions_known,
    exponent_scatter,
    exponents_known,
    exponents_other,
)
from reproduction.invariance.rulers import (
    OTHER_SPECTRA,
    dimension_recovery,
    exponent_examples,
    exponent_recovery,
    umap_repeats,
)
from reproduction.words import percent
from sslib.grams import Gram
from sslib.powerlaw import powerlaw_exponent


def test_exponent_recovery_counts_the_draws_within_three_errors():
    table = exponent_recovery([2.0, 3.0], n=200, draws=20)
    assert list(table["exponent"]) == [2.0, 2.0, 3.0, 3.0] and (table["within"] >= 19 / 20).all()
    np.testing.assert_allclose(table["mean"], table["exponent"], rtol=0.1)
    # The printed standard error is that of the draws; the released one does not know that x_min was
    # chosen.
    printed = table[table["estimator"] == "printed"]
    np.testing.assert_allclose(printed["standard_error"], printed["std"], rtol=0.6)


def test_exponent_examples_give_an_exponent_to_anything():
    table = exponent_examples().set_index(["spectrum", "estimator"])
    assert table["exponent"].notna().all()
    tail = table.loc[("bulk and tail 2.5", "released")]
    assert abs(tail["exponent"] - 2.5) < 3 * tail["standard_error"]
    assert abs(table.loc[("bulk and tail 2.5", "printed"), "exponent"] - 2.5) > 1


def test_dimension_recovery_shows_the_unit_matters_for_the_released_estimator_alone():
    table = (
        dimension_recovery(n=400).set_index(["set", "estimator", "scale"])["dimension"].unstack()
    )
    printed, released = table.xs("printed", level=1), table.xs("released", level=1)
    np.testing.assert_allclose(printed[0.01], printed[100.0], atol=1e-3)
    assert (released[0.01] - released[100.0]).abs().drop("ball").min() > 0.1
    held_out = dimension_recovery(n=50, scales=[1.0]).groupby("set")["held_out"].first()
    assert set(held_out.index[~held_out]) == {"line", "swiss_roll", "cantor", "henon"}


def test_one_layer_under_several_seeds_of_umap():
    x = torch.randn(60, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    umap = {"n_components": 2, "n_neighbors": 5, "min_dist": 0.1, "seed": 3}
    table = umap_repeats(Gram(x @ x.T, 200, x.numel()), [0, 1], umap=umap)
    assert list(table.index) == [0, 1] and list(table.columns) == ["printed", "released"]
    assert (table.loc[0] != table.loc[1]).any() and (table > 0).all().all()


# --- as they are shown


def test_known_exponents_are_shown_and_their_scatter_is_told():
    found = exponent_recovery([2.0, 3.0], n=100, draws=4)
    shown = exponents_known(found)
    assert list(shown.index) == ["exponent 2.0", "exponent 3.0"]
    columns = [(way, column) for way in ESTIMATORS for column in ("found", "error", "within")]
    assert list(shown.columns) == columns
    first = found.iloc[0]
    assert (
        shown.loc["exponent 2.0", ("printed", "found")]
        == f"{first['mean']:.2f} ± {first['std']:.2f}"
    )
    assert shown.loc["exponent 2.0", ("printed", "within")] == percent(first["within"])
    scatter = exponent_scatter(found)
    printed = found[found["estimator"] == "printed"]
    assert scatter.loc["printed", "within"] == printed["within"].min()
    expected = (printed["std"] / printed["standard_error"]).mean()
    assert scatter.loc["printed", "ratio"] == pytest.approx(expected)


def test_other_spectra_are_shown_in_their_order():
    examples = exponent_examples(n=100)
    shown = exponents_other(examples)
    assert tuple(shown.index) == OTHER_SPECTRA
    last = examples.iloc[-1]
    cell = shown.loc[OTHER_SPECTRA[-1], "released"]
    assert cell["n"] == str(last["n_tail"]) and cell["KS"] == f"{last['ks_distance']:.2f}"
    assert cell["exponent"] == f"{last['exponent']:.2f} ± {last['standard_error']:.2f}"


def test_known_dimensions_are_shown_by_set_and_unit():
    found = dimension_recovery(n=100)
    shown = dimensions_known(found)
    assert list(shown.index) == list(SET_NAMES.values())
    assert list(shown.columns[:3]) == [("", "true"), ("", "held out"), ("printed", "× 0.01")]
    assert list(shown[("", "held out")].iloc[:2]) == ["no", "yes"]
    assert shown.loc["line", ("", "true")] == f"{KNOWN_SETS['line']:.2f}"
    missing = found.assign(dimension=np.nan)
    assert set(dimensions_known(missing)["released"].to_numpy().ravel()) == {"none"}


def test_the_errors_of_dimensions_are_those_of_the_halves():
    rows = [
        ("line", 1.0, False, "printed", 1.0, 1.02),
        ("line", 1.0, False, "printed", 100.0, 1.03),
        ("ball", 5.0, True, "printed", 1.0, 4.5),
        ("line", 1.0, False, "released", 1.0, 0.95),
        ("line", 1.0, False, "released", 100.0, 0.5),
        ("ball", 5.0, True, "released", 1.0, np.nan),
    ]
    columns = ["set", "true", "held_out", "estimator", "scale", "dimension"]
    found = dimension_errors(pd.DataFrame(rows, columns=columns))
    assert found.chosen == pytest.approx(0.02) and found.held_out == pytest.approx(0.1)
    assert found.moved == pytest.approx(0.01)
    assert (found.off, found.values) == (2, 3)


def test_the_cost_is_that_of_the_last_record():
    rows = [
        {
            f"metrics.{key}_{unit}": value * k
            for key in ("ours", "matrix", "released")
            for unit, value in (("s", 0.25), ("MB", 40.0), ("dimension", 2.125))
        }
        for k in (1, 2)
    ]
    shown = cost_table(pd.DataFrame(rows))
    assert (shown == ["0.5", "80", "4.25"]).all(axis=None) and len(shown) == 3
    assert (cost_table(pd.DataFrame()) == "not run").all(axis=None)


# --- one network on a few pictures


@pytest.fixture(scope="module")
def layers():
    generator = torch.Generator().manual_seed(0)
    batch = torch.rand(60, 3, 8, 8, generator=generator)
    x = {name: torch.randn(60, 200, generator=generator).relu() for name in "abcdefghi"}
    grams = {name: Gram(y @ y.T, 200, int((y > 0).sum())) for name, y in x.items()}
    return live.Walk(grams, {name: y[:, :80].T for name, y in x.items()}, batch)


def test_both_products_of_a_layer_have_the_same_largest_eigenvalues(layers):
    found = live.agreement(layers)
    assert found[:4] == ("a", 80, 60, 30) and found.worst < 1e-9


def test_four_layers_are_fitted_by_both_estimators(layers):
    assert layers.modules == ["a", "c", "e", "g"]
    wide = live.Walk(
        {m: Gram(g.products.double(), 200, 0) for m, g in layers.grams.items()},
        layers.features,
        layers.batch,
    )
    spectra = live.spectra(wide)
    assert list(spectra) == layers.modules
    for panels in spectra.values():
        assert tuple(panels) == ESTIMATORS
        for way, (values, fit) in panels.items():
            assert fit.exponent == powerlaw_exponent(values, estimator=way).exponent
    first = layers.batch.flatten(1).double()
    values = np.linalg.svd((first - first.mean(0)).numpy(), compute_uv=False)[:-1] ** 2
    pixels = live.pixels(layers)
    assert pixels.pictures == 60
    expected = powerlaw_exponent(values, estimator="released").exponent
    assert pixels.exponent == pytest.approx(expected, rel=1e-3)


def test_integrals_and_repeats_are_of_the_layers_that_are_drawn(layers):
    few = live.Walk({"a": layers.grams["a"]}, {"a": layers.features["a"]}, layers.batch)
    fits = live.integrals(few)
    assert list(fits) == ["a"] and tuple(fits["a"]) == ESTIMATORS
    found = live.repeats(few, seeds=2)
    assert (found.pictures, found.seeds) == (60, 2) and set(found.delta) == set(ESTIMATORS)
    table = umap_repeats(few.grams["a"], [0, 1])["printed"]
    assert found.delta["printed"] == pytest.approx(np.ptp(table) / table.mean())
