"""Appendices B and C: exponents, spectra, correlation dimensions and their spread over layers."""

from __future__ import annotations

import doctest
import json
import math
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from reproduction.invariance import rulers
from reproduction.invariance.rulers import KNOWN_SETS, OTHER_SPECTRA, known_points, known_spectrum
from reproduction.invariance.run import noise_gram
from sslib import dimension, grams, noise, powerlaw
from sslib.checks import ESTIMATORS
from sslib.dimension import (
    RELEASED_UMAP,
    correlation_dimension,
    fluctuation,
    geometric_invariance,
    umap_points,
)
from sslib.grams import gram_distances, gram_update
from sslib.powerlaw import (
    gram_spectrum,
    null_exponent,
    powerlaw_exponent,
    scale_invariance,
    spectrum,
)

# Outputs of the authors' released code (commit daffa83) and of powerlaw 1.5, the version it works
# with, on the inputs in the .npz: point sets X0 … X3, eigenvalue spectra E0 and E1.
GOLDEN = Path(__file__).parents[2] / "data" / "golden"
INPUTS = np.load(GOLDEN / "invariance_released.npz")
EXPECTED = json.loads((GOLDEN / "invariance_released.json").read_text())


def test_docstring_examples():
    results = [doctest.testmod(module) for module in (dimension, grams, noise, powerlaw, rulers)]
    assert sum(result.attempted for result in results) > 20
    assert not any(result.failed for result in results)


# --- golden values
# ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", EXPECTED["correlation_dimension"], ids=lambda c: c["kind"])
def test_released_dimension_equals_the_released_code(case):
    fit = correlation_dimension(INPUTS[case["case"]], estimator="released")
    assert float(fit) == pytest.approx(case["value"], abs=1e-6)


@pytest.mark.parametrize("case", EXPECTED["powerlaw_exponent"], ids=lambda c: c["kind"])
def test_exponents_equal_the_reference(case):
    released = powerlaw_exponent(INPUTS[case["case"]], estimator="released")
    assert float(released) == pytest.approx(case["gamma"], abs=1e-3)
    assert released.ks_distance == pytest.approx(case["ks"], abs=1e-6)
    printed = powerlaw_exponent(INPUTS[case["case"]], estimator="printed")
    assert float(printed) == pytest.approx(case["eq13_lambda_min_is_smallest"], abs=1e-9)


def test_fluctuation_equals_the_released_code():
    dimensions = [case["value"] for case in EXPECTED["correlation_dimension"]]
    assert fluctuation(dimensions) == pytest.approx(EXPECTED["fluctuation_of_those"], abs=1e-6)
    layers = {case["case"]: INPUTS[case["case"]] for case in EXPECTED["correlation_dimension"]}
    result = geometric_invariance(layers, estimator="released")
    assert float(result) == pytest.approx(EXPECTED["fluctuation_of_those"], abs=1e-6)


# --- known answers: points
# -------------------------------------------------------------------------------

WITHIN_5_PERCENT = ("line", "square", "swiss_roll", "cantor", "sierpinski")


@pytest.mark.parametrize("name", WITHIN_5_PERCENT)
def test_printed_dimension_of_known_sets(name):
    estimates = [
        float(correlation_dimension(known_points(name, 2000, seed=seed))) for seed in range(3)
    ]
    assert estimates == pytest.approx([KNOWN_SETS[name]] * 3, rel=0.05)


@pytest.mark.parametrize("name", ["henon", "lorenz"])
def test_printed_dimension_of_attractors(name):
    assert float(correlation_dimension(known_points(name, 5000))) == pytest.approx(
        KNOWN_SETS[name], abs=0.1
    )


@pytest.mark.parametrize("name", KNOWN_SETS)
def test_printed_dimension_has_no_unit(name):
    x = known_points(name, 1000)
    estimates = [float(correlation_dimension(unit * x)) for unit in (0.01, 1.0, 100.0)]
    assert np.ptp(estimates) < 1e-3


# The released estimator on the same points, measured: with the unit multiplied by 0.01, 1 and 100
# (None: no estimate). Where it comes near the truth, another unit takes it away again.
RELEASED_ESTIMATES = {
    "line": (0.0, 0.1295, 0.9881),
    "square": (0.0, 1.1336, 2.0868),
    "ball": (0.0, 2.5186, None),
    "swiss_roll": (0.5288, 2.0964, 3.3543),
    "cantor": (0.0, 0.0, 0.4841),
    "sierpinski": (0.0, 0.6091, 1.6641),
    "henon": (0.0, 0.1992, 1.2733),
    "lorenz": (0.2226, 1.9777, 1.1927),
}


@pytest.mark.parametrize("name", KNOWN_SETS)
@pytest.mark.filterwarnings("ignore:correlation dimension is NaN")
def test_released_dimension_of_known_sets_is_wrong_in_most_units(name):
    x = known_points(name, 5000 if name in ("henon", "lorenz") else 2000)
    for unit, measured in zip((0.01, 1.0, 100.0), RELEASED_ESTIMATES[name], strict=True):
        estimate = float(correlation_dimension(unit * x, estimator="released"))
        assert estimate == pytest.approx(
            math.nan if measured is None else measured, abs=0.01, nan_ok=True
        )
    assert abs(RELEASED_ESTIMATES[name][0] / KNOWN_SETS[name] - 1) > 0.7


def test_printed_dimension_of_a_ball_is_too_low_but_not_by_more_than_the_edges_explain():
    assert 0.90 < float(correlation_dimension(known_points("ball"))) / KNOWN_SETS["ball"] < 0.97


def test_correlation_integral_equals_the_full_distance_matrix():
    x = np.random.default_rng(0).standard_normal((101, 3))
    x[1] = x[0]  # a pair at distance 0 counts at every r
    fit = correlation_dimension(x)
    distances = np.sqrt(((x[:, None] - x) ** 2).sum(-1))[~np.eye(101, dtype=bool)]
    expected = (distances[:, None] <= fit.radii).mean(axis=0)
    np.testing.assert_allclose(fit.integral, expected, atol=1e-12)
    lower, upper = np.interp(fit.region, fit.radii, fit.integral)
    assert 0.5 / 100 <= lower < upper <= 10 * 0.5 / 100
    line = fit.intercept + fit.dimension * np.log(fit.region)
    np.testing.assert_allclose(line, np.log([lower, upper]), atol=0.3)


def test_jackknife_error_matches_the_spread_over_draws():
    fits = [correlation_dimension(known_points("sierpinski", 500, seed=seed)) for seed in range(30)]
    ratio = np.mean([fit.standard_error for fit in fits]) / np.std([float(fit) for fit in fits])
    assert 0.8 < ratio < 1.8


MEASURE = """
import resource, sys, time
import numpy as np
from sslib.dimension import correlation_dimension
points = np.random.default_rng(0).standard_normal((5000, 30))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, times = peak(), []
for _ in range(3):
    start = time.perf_counter()
    correlation_dimension(points)
    times.append(time.perf_counter() - start)
print(min(times), peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux only")
def test_5000_points_take_seconds_and_less_memory_than_one_distance_matrix():
    out = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True
    ).stdout
    seconds, mebibytes = map(float, out.split())
    assert seconds < 3
    assert mebibytes < 5000**2 * 8 / 2**20


# --- known answers: spectra
# ------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("exponent", [1.5, 2.0, 2.5, 3.0, 3.5])
def test_pareto_tails_are_recovered(exponent, estimator):
    rng = np.random.default_rng(round(10 * exponent))
    fits = [
        powerlaw_exponent(1 + rng.pareto(exponent - 1, 300), estimator=estimator)
        for _ in range(100)
    ]
    assert sum(abs(float(fit) - exponent) <= 3 * fit.standard_error for fit in fits) >= 95


def test_released_exponent_finds_where_the_tail_starts_and_the_printed_one_does_not():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.uniform(0, 1, 300), 1 + rng.pareto(1.5, 300)])
    released, printed = (powerlaw_exponent(values, estimator=e) for e in ("released", "printed"))
    assert abs(float(released) - 2.5) < 3 * released.standard_error
    assert 0.8 < released.x_min < 1.6
    assert float(printed) < 1.5


def test_released_exponent_handles_repeated_eigenvalues_as_powerlaw_does():
    # powerlaw 1.5: Fit(...).alpha, .D, .xmin of these values
    values = np.repeat([1.0, 2.0, 3.0, 5.0, 8.0, 13.0], [6, 5, 4, 3, 2, 1])
    fit = powerlaw_exponent(values, estimator="released")
    assert fit.exponent == pytest.approx(2.663870711782101)
    assert fit.ks_distance == pytest.approx(0.18228955047602324)
    assert (fit.x_min, fit.n_tail) == (2.0, 15)


def random_features(D, B, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((D, B)) * np.arange(1, D + 1)[:, None] ** -0.5 + 0.3


@pytest.mark.parametrize("shape", [(20, 50), (50, 20)])
def test_both_covariance_matrices_have_the_same_nonzero_spectrum(shape):
    F = random_features(*shape)
    for matrix in (F.T @ F, F @ F.T):
        expected = np.linalg.eigvalsh(matrix / (shape[1] - 1))[::-1][:20]
        np.testing.assert_allclose(spectrum(F), expected, rtol=1e-9)
    centred = np.linalg.eigvalsh(np.cov(F))[::-1][: min(shape[0], shape[1] - 1)]
    np.testing.assert_allclose(spectrum(F, estimator="released"), centred, rtol=1e-9)


def test_released_spectrum_of_wide_features_is_what_a_pca_keeps():
    from sklearn.decomposition import PCA

    F = random_features(1001, 60)
    reduced = PCA(n_components=30, svd_solver="full").fit_transform(F.T)
    expected = np.linalg.eigvalsh(np.cov(reduced.T))[::-1]
    np.testing.assert_allclose(spectrum(F, estimator="released"), expected, rtol=1e-9)
    assert len(spectrum(F[:1000], estimator="released")) == 59


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("shape", [(20, 50), (50, 20), (1200, 40)])
@pytest.mark.parametrize("convert", [np.float32, lambda F: torch.from_numpy(F).float()])
def test_gram_in_blocks_has_the_spectrum_of_the_whole(shape, estimator, convert):
    F = random_features(*shape).astype(np.float32)
    gram = None
    for block in np.array_split(F.T, 7, axis=1):
        gram = gram_update(gram, convert(block))
    assert gram.features == shape[0]
    np.testing.assert_allclose(
        gram_spectrum(gram, estimator=estimator), spectrum(F, estimator=estimator), rtol=1e-9
    )


def test_gram_of_nearly_equal_samples_keeps_its_small_eigenvalues():
    # As in an untrained network: samples differ by a thousandth of what they share.
    F = 1000.0 + random_features(400, 30)
    gram = gram_update(None, F.T)
    np.testing.assert_allclose(
        gram_spectrum(gram, estimator="released"), spectrum(F, estimator="released"), rtol=1e-6
    )


def test_gram_of_low_rank_has_exact_zeros():
    F = 1e4 * random_features(3, 40).repeat(50, axis=0)
    eigenvalues = gram_spectrum(gram_update(None, F.T))
    assert (eigenvalues[:3] > 1).all() and (eigenvalues[3:] == 0).all()


def test_a_noise_gram_has_the_law_of_noise():
    """Mean and variance of the products are those of Gaussian features, and the draws differ by
    seed alone.
    """
    D, B = 5000, 40
    products = np.stack([noise_gram(D, B, seed=seed).products.numpy() for seed in range(40)])
    diagonal = np.diagonal(products, axis1=1, axis2=2)
    off = products[:, ~np.eye(B, dtype=bool)]
    assert diagonal.mean() == pytest.approx(D, rel=0.005) and diagonal.var() == pytest.approx(
        2 * D, rel=0.1
    )
    assert abs(off.mean()) < 5 and off.var() == pytest.approx(D, rel=0.05)
    assert np.array_equal(noise_gram(D, B, seed=3).products, products[3])
    narrow = noise_gram(5, B)
    assert np.linalg.matrix_rank(narrow.products) == 5 and narrow.nonzero_share == 1
    with pytest.raises(ValueError, match="B: expected an integer of at least 3, got 2"):
        noise_gram(5, 2)


def test_gram_update_changes_nothing_and_counts_nonzero_activations():
    x = torch.tensor([[0.0, 1.0, 0.0, 2.0], [0.0, 0.0, 0.0, 3.0], [1.0, 1.0, 1.0, 0.0]])
    first = gram_update(None, x)
    second = gram_update(first, x)
    assert first.products.tolist() == (x @ x.T).tolist()
    assert second.products.tolist() == (2 * x @ x.T).tolist()
    assert first.nonzero_share == second.nonzero_share == 6 / 12


def test_gram_distances_are_those_of_unit_length_samples():
    x = random_features(30, 100).T.astype(np.float32)
    x[7] = 0.0
    unit = torch.nn.functional.normalize(torch.from_numpy(x).double())
    np.testing.assert_allclose(
        gram_distances(gram_update(None, x)), torch.cdist(unit, unit), atol=1e-7
    )


def test_known_spectra_are_what_they_are_called():
    tail = known_spectrum("tail 3.0", 20_000, seed=1)
    assert (
        np.mean(tail > 2) == pytest.approx(0.25, abs=0.01) and tail.min() >= 1
    )  # P(λ > x) = x^(1 - exponent)
    low = known_spectrum("low rank")
    assert np.sum(low >= 1) == 20 and low[20:].max() < 1e-3
    noise = known_spectrum(
        "noise", 200
    )  # the edges of Marchenko and Pastur's law, at 4 features per sample
    assert noise.max() / noise.min() == pytest.approx(9, rel=0.15)
    for name in OTHER_SPECTRA:
        values = known_spectrum(name, 100, seed=2)
        assert values.shape == (100,) and np.array_equal(values, known_spectrum(name, 100, seed=2))
        assert not np.array_equal(values, known_spectrum(name, 100, seed=3))
    for name in ("tail", "tail 1", "tail x", "wishart"):
        with pytest.raises(ValueError, match=f"name: expected one of .*got '{name}'"):
            known_spectrum(name)
    with pytest.raises(ValueError, match="n: expected an integer of at least 40, got 10"):
        known_spectrum("noise", 10)


def test_null_exponent_is_that_of_gaussian_features():
    features = [np.random.default_rng(100 + seed).standard_normal((120, 20)) for seed in range(60)]
    for estimator in ESTIMATORS:
        spectra = [spectrum(F, estimator=estimator) for F in features]
        drawn = [float(powerlaw_exponent(values, estimator=estimator)) for values in spectra]
        null = [float(null_exponent(120, 20, estimator=estimator, seed=seed)) for seed in range(60)]
        error = math.sqrt((np.var(drawn) + np.var(null)) / 60)
        assert abs(np.mean(drawn) - np.mean(null)) < 4 * error
    assert null_exponent(20, 40, seed=3) == null_exponent(20, 40, seed=3)
    assert null_exponent(20, 40, seed=3) != null_exponent(20, 40, seed=4)


# --- over layers
# -----------------------------------------------------------------------------------------


def test_scale_invariance_is_the_population_spread():
    spectra = {f"layer{i}": np.arange(1, 101) ** -power for i, power in enumerate((0.5, 1.0, 2.0))}
    for estimator in ESTIMATORS:
        result = scale_invariance(spectra, estimator=estimator)
        exponents = [
            float(powerlaw_exponent(values, estimator=estimator)) for values in spectra.values()
        ]
        assert float(result) == pytest.approx(np.std(exponents))
        assert [fit.exponent for fit in result.layers.values()] == exponents
        assert result.skipped == ()


def test_released_scale_invariance_skips_layers_with_fewer_than_50_eigenvalues():
    rank = np.arange(1.0, 101)
    spectra = {"a": rank**-0.5, "b": 1 / rank, "small": 1 / rank[:49]}
    with pytest.warns(UserWarning, match="'small' left out of σ: 49 eigenvalues"):
        result = scale_invariance(spectra, estimator="released")
    assert result.skipped == ("small",) and set(result.layers) == {"a", "b"}
    assert scale_invariance(spectra).skipped == ()


def test_layers_without_an_exponent_are_named():
    with pytest.warns(UserWarning) as seen:
        result = scale_invariance({"a": np.arange(1.0, 51), "dead": np.zeros(50)})
    assert [str(w.message) for w in seen] == [
        "layer 'dead' left out of σ: 0 eigenvalues above 1e-10, expected at least 10",
        "σ is NaN: 1 of 2 layers have an exponent",
    ]
    assert math.isnan(float(result)) and result.skipped == ("dead",)


def test_a_range_grows_with_the_number_of_layers():
    """Layers that only scatter around one dimension: twelve fluctuate 1.6 times as much as four."""
    random = np.random.default_rng(0)
    mean = {
        n: np.mean([fluctuation(random.normal(10, 1, n)) for _ in range(4000)]) for n in (4, 12)
    }
    assert mean[12] / mean[4] == pytest.approx(1.58, abs=0.03)


def test_geometric_invariance_per_layer():
    layers = {"line": known_points("line", 500), "square": known_points("square", 500)}
    result = geometric_invariance(layers)
    assert float(result) == fluctuation(result.layers.values())
    assert {name: fit.dimension for name, fit in result.layers.items()} == {
        name: float(correlation_dimension(x)) for name, x in layers.items()
    }


def test_released_geometric_invariance_drops_dimensions_up_to_a_thousandth():
    layers = {"a": INPUTS["X0"], "b": INPUTS["X1"], "tiny": 1e-6 * INPUTS["X1"]}
    with pytest.warns(
        UserWarning, match="layer 'tiny' left out of Δ: dimension .*those up to 0.001"
    ):
        result = geometric_invariance(layers, estimator="released")
    assert result.skipped == ("tiny",)
    assert float(result) == pytest.approx(
        fluctuation([0.6651924515616069, 1.8849050419453255]), abs=1e-6
    )
    assert geometric_invariance(layers).skipped == ()


def test_dead_layers_leave_no_fluctuation():
    with pytest.warns(UserWarning) as seen:
        result = geometric_invariance({"a": known_points("line", 100), "dead": np.ones((100, 3))})
    assert [str(w.message) for w in seen] == [
        "layer 'dead' left out of Δ: all 100 points are equal, rounding apart",
        "Δ is NaN: 1 of 2 layers have a dimension",
    ]
    assert math.isnan(float(result))


# --- declared properties
# ---------------------------------------------------------------------------------


# Which changes of the data leave an estimate as it is. (The exponent's cut at 1e-10 is absolute, so
# its scale invariance ends where scaling moves an eigenvalue across the cut.)
PROPERTIES = {
    ("powerlaw_exponent", "printed"): {"scale", "order"},
    ("powerlaw_exponent", "released"): {"scale", "order"},
    ("correlation_dimension", "printed"): {"scale", "order", "rotation", "shift"},
    ("correlation_dimension", "released"): {"order", "rotation", "shift"},
}


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_declared_properties_hold(estimator):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 3))
    rotation = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    changed = {"scale": 0.1 * x, "order": x[::-1], "rotation": x @ rotation, "shift": x + 5}
    reference = float(correlation_dimension(x, estimator=estimator))
    for change, y in changed.items():
        held = abs(float(correlation_dimension(y, estimator=estimator)) - reference) < 1e-3
        assert held == (change in PROPERTIES["correlation_dimension", estimator]), change

    values = 1 + rng.pareto(1.5, 200)
    reference = float(powerlaw_exponent(values, estimator=estimator))
    for change, y in {"scale": 0.1 * values, "order": values[::-1], "shift": values + 5}.items():
        held = abs(float(powerlaw_exponent(y, estimator=estimator)) - reference) < 1e-9
        assert held == (change in PROPERTIES["powerlaw_exponent", estimator]), change


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_arrays_and_tensors_are_the_same(estimator):
    for convert in (torch.tensor, lambda a: torch.tensor(a, requires_grad=True), np.ndarray.tolist):
        for name, measure in (("X1", correlation_dimension), ("E1", powerlaw_exponent)):
            expected = float(measure(INPUTS[name], estimator=estimator))
            assert float(measure(convert(INPUTS[name]), estimator=estimator)) == expected


# --- UMAP
# ------------------------------------------------------------------------------------------------


def test_umap_points_are_seeded_and_take_features_or_distances():
    pytest.importorskip("umap")
    layer = np.random.default_rng(0).standard_normal((60, 40))
    distances = gram_distances(gram_update(None, layer))
    first, again = (umap_points(distances, metric="precomputed", **RELEASED_UMAP) for _ in range(2))
    assert first.shape == (60, 30) and np.isfinite(first).all()
    np.testing.assert_array_equal(first, again)
    other = umap_points(distances, metric="precomputed", **{**RELEASED_UMAP, "seed": 1})
    assert not np.array_equal(first, other)
    assert umap_points(layer, n_components=2, n_neighbors=5, min_dist=0.1, seed=1).shape == (60, 2)


# --- bad input
# -------------------------------------------------------------------------------------------

GOOD_POINTS = np.random.default_rng(0).random((50, 2))
GOOD_SPECTRUM = np.arange(1.0, 31)


def with_value(array, value):
    array = array.copy()
    array.flat[3] = value
    return array


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("points", "message"),
    [
        (GOOD_POINTS[:2], r"points: .*at least 3 rows, got shape \(2, 2\)"),
        (GOOD_POINTS[:, 0], r"points: .*shape \(N, d\), got shape \(50,\)"),
        (GOOD_POINTS[:, :0], r"points: .*got shape \(50, 0\)"),
        (GOOD_POINTS + 0j, "points: expected real numbers"),
        (with_value(GOOD_POINTS, np.nan), "points: expected finite numbers, got 1 of 100 NaN"),
        (with_value(GOOD_POINTS, -np.inf), "points: expected finite numbers, got 1 of 100 NaN"),
    ],
)
def test_bad_points(points, message, estimator):
    with pytest.raises(ValueError, match=message):
        correlation_dimension(points, estimator=estimator)
    with pytest.raises(ValueError, match=message.replace("points", r"points\['a'\]")):
        geometric_invariance({"a": points}, estimator=estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("eigenvalues", "message"),
    [
        (GOOD_SPECTRUM[:2], "eigenvalues: .*at least 3 rows"),
        (GOOD_SPECTRUM[None], r"eigenvalues: .*shape \(n,\), got shape \(1, 30\)"),
        (GOOD_SPECTRUM + 0j, "eigenvalues: expected real numbers"),
        (
            with_value(GOOD_SPECTRUM, np.nan),
            "eigenvalues: expected finite numbers, got 1 of 30 NaN",
        ),
        (
            with_value(GOOD_SPECTRUM, np.inf),
            "eigenvalues: expected finite numbers, got 1 of 30 NaN",
        ),
        (
            with_value(GOOD_SPECTRUM, -0.1),
            "eigenvalues: .*none clearly negative, got -0.1 beside 30",
        ),
    ],
)
def test_bad_eigenvalues(eigenvalues, message, estimator):
    with pytest.raises(ValueError, match=message):
        powerlaw_exponent(eigenvalues, estimator=estimator)
    with pytest.raises(ValueError, match=message.replace("eigenvalues", r"spectra\['a'\]")):
        scale_invariance({"a": eigenvalues}, estimator=estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_estimates_that_do_not_exist_are_nan_with_a_warning(estimator):
    with pytest.warns(UserWarning, match="dimension is NaN: all 50 points are equal"):
        assert math.isnan(float(correlation_dimension(np.ones((50, 2)), estimator=estimator)))
    with pytest.warns(
        UserWarning, match="exponent is NaN: 9 eigenvalues above 1e-10, expected at least 10"
    ):
        few = np.r_[np.arange(1.0, 10), np.zeros(9)]
        assert math.isnan(float(powerlaw_exponent(few, estimator=estimator)))
    with pytest.warns(UserWarning, match="exponent is NaN: all 30 eigenvalues are equal"):
        assert math.isnan(float(powerlaw_exponent(np.ones(30), estimator=estimator)))
    with pytest.warns(UserWarning, match="exponent of noise is NaN: 5 eigenvalues"):
        assert math.isnan(float(null_exponent(5, 30, estimator=estimator)))


def test_points_without_a_scaling_region_are_nan_with_a_warning():
    with pytest.warns(UserWarning, match="coincide"):
        correlation_dimension(np.repeat(GOOD_POINTS, 2, axis=0))
    with pytest.warns(UserWarning, match="50 points show no scaling region"):
        fit = correlation_dimension(np.eye(50) + 1e-9 * GOOD_POINTS[:, :1])
    assert math.isnan(float(fit)) and len(fit.radii) == len(fit.integral) > 0
    with pytest.warns(UserWarning, match=r"T\(r\) > 0 at 0 of the 40 radii"):
        correlation_dimension(100 * np.eye(50), estimator="released")


def test_tiny_negative_eigenvalues_are_rounding_and_no_error():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert powerlaw_exponent(np.r_[GOOD_SPECTRUM, -1e-12]).n == 30


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: powerlaw_exponent(GOOD_SPECTRUM, estimator="fitted"), "estimator: .*got 'fitted'"),
        (lambda: correlation_dimension(GOOD_POINTS, estimator=None), "estimator: .*got None"),
        (lambda: spectrum(GOOD_POINTS, estimator="x"), "estimator"),
        (lambda: gram_spectrum(gram_update(None, GOOD_POINTS), estimator="x"), "estimator"),
        (lambda: scale_invariance({"a": GOOD_SPECTRUM}, estimator="x"), "estimator"),
        (lambda: geometric_invariance({"a": GOOD_POINTS}, estimator="x"), "estimator"),
        (lambda: null_exponent(10, 10, estimator="x"), "estimator"),
        (lambda: null_exponent(0, 10), "D: expected an integer of at least 1, got 0"),
        (lambda: null_exponent(10, 2.5), "B: expected an integer of at least 3, got 2.5"),
        (lambda: spectrum(GOOD_POINTS), "F: .*at least 3 samples, got shape"),
        (lambda: spectrum(GOOD_SPECTRUM), r"F: .*\(D, B\)"),
        (lambda: scale_invariance({}), "spectra: expected a non-empty mapping"),
        (
            lambda: geometric_invariance([GOOD_POINTS]),
            "points: expected a non-empty mapping .*got list",
        ),
        (lambda: fluctuation([1.0]), "dimensions: .*at least 2 rows"),
        (
            lambda: fluctuation([1.0, math.nan]),
            "dimensions: expected finite numbers, got 1 of 2 NaN",
        ),
        (lambda: fluctuation([0.0, 0.0]), "dimensions: expected a positive mean"),
        (lambda: gram_update(None, GOOD_SPECTRUM), "block: "),
        (lambda: gram_update(None, torch.ones(2, 5)), r"block: .*at least 3, got shape \(2, 5\)"),
        (
            lambda: gram_update(gram_update(None, torch.ones(4, 5)), torch.ones(3, 5)),
            "expected 4 samples",
        ),
        (
            lambda: gram_update(None, torch.full((4, 5), math.nan)),
            r"block: expected finite numbers, got NaN, .*\(4, 5\)",
        ),
        (
            lambda: gram_update(None, with_value(GOOD_POINTS, np.inf)),
            "block: expected finite numbers, got NaN, infinite",
        ),
        (lambda: gram_update(None, GOOD_POINTS + 0j), "block: expected real numbers"),
        (
            lambda: umap_points(GOOD_POINTS[:30], **RELEASED_UMAP),
            "data: expected at least 32 samples for .*, got shape",
        ),
        (
            lambda: umap_points(GOOD_POINTS, metric="precomputed", **RELEASED_UMAP),
            r"data: expected a symmetric \(n, n\) matrix",
        ),
        (lambda: known_points("circle"), "name: expected one of .*got 'circle'"),
        (lambda: known_points("line", 0), "n: expected at least 1, got 0"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
