"""Input outside an estimator's model: an error that names the argument, a NaN with its reason, or
the right number, and never a number that means nothing.
"""

from __future__ import annotations

import math
import re
import warnings

import networkx as nx
import numpy as np
import pytest
import torch

from reproduction.sensitivity.measures import participation_ratio
from reproduction.sensitivity.nulls import null_features
from sslib import adjacency, box_curve, fluctuation, pair_distances, ss_rate
from sslib.boxes import DegenerateDistances, scale_free_rate
from sslib.covering import box_counts, box_dimension, box_sizes, covering_numbers, hop_distances
from sslib.dimension import correlation_dimension, umap_points
from sslib.grams import gram_distances, gram_update
from sslib.graph import mds
from sslib.noise import gaussian_features
from sslib.powerlaw import gram_spectrum, null_exponent, powerlaw_exponent, spectrum

RNG = np.random.default_rng(0)
POINTS = RNG.random((300, 2))
TAIL = np.arange(1, 101) ** -1.0
ORTHONORMAL = np.linalg.qr(RNG.standard_normal((60, 60)))[0]
NORMAL = RNG.standard_normal((40, 30))
ESTIMATORS = ("printed", "released")


def answer(call):
    """The number, or the words of what was said in place of one."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            value = float(call())
        except ValueError as error:
            return math.nan, str(error)
    reason = " ".join(str(warning.message) for warning in said)
    assert not ("encountered" in reason or "Polyfit" in reason), reason
    return value, reason


def check(value, reason, expected, rel=0.15):
    if isinstance(expected, str):
        assert math.isnan(value) and re.search(expected, reason), (value, reason)
    else:
        assert value == pytest.approx(expected, rel=rel) and not reason, (value, reason)


# --- points: correlation dimension
# ----------------------------------------------------------------------------------------

POINT_SETS = {
    # ties up to rounding
    "an offset that rounds them away": (1e6 + 1e-12 * POINTS, "points are equal, rounding apart"),
    "last digits": (3 * (1 + 2.2e-16 * RNG.integers(0, 4, (200, 2))), "coincide, rounding apart"),
    "float32 beside 1000": ((1000 + 1e-4 * POINTS).astype(np.float32), "rounding apart"),
    "corners of a simplex": (ORTHONORMAL, "no scaling region"),
    # duplicates
    "every point twice": (np.repeat(POINTS, 2, 0), "300 pairs of 600 points coincide"),
    "twice, blurred": (
        np.repeat(POINTS, 2, 0) + 1e-17 * RNG.standard_normal((600, 2)),
        "pairs of 600 points coincide",
    ),
    "two places": (np.repeat(np.eye(2), 50, 0), "2450 pairs of 100 points coincide"),
    "one point twice": (np.r_[POINTS, POINTS[:1]], 1.8),
    # collinear
    "on a line through space": (np.outer(RNG.random(500), [1, 2, 3]), 1.0),
    "equally spaced": (np.arange(500.0)[:, None], 1.0),
    "on a line, one axis constant": (np.c_[RNG.random(500), np.full(500, 7.0)], 1.0),
    # too large or too small to be squared
    "1e200": (1e200 * POINTS, 1.8),
    "1e299": (1e299 * POINTS, 1.8),
    "1e-200": (1e-200 * POINTS, 1.8),
    "1e-300": (1e-300 * POINTS, 1.8),
    "1e306": (1e306 * POINTS, "points: expected finite numbers, got .*beyond 1e300"),
    # one scale only
    "a triangle": (np.eye(3), "3 points show no scaling region"),
    "two clusters of last digits": (
        np.repeat(np.eye(2), 50, 0) + 1e-16 * RNG.random((100, 2)),
        "pairs of 100 points coincide",
    ),
    "all at one distance": (5 * np.eye(80), "80 points show no scaling region"),
}


@pytest.mark.parametrize("name", POINT_SETS)
def test_correlation_dimension(name):
    points, expected = POINT_SETS[name]
    value, reason = answer(lambda: correlation_dimension(points))
    check(value, reason, expected)
    # "released" has fixed radii: what is far below them is one place, what is far above, none
    value, reason = answer(lambda: correlation_dimension(points, estimator="released"))
    assert math.isnan(value) == bool(reason) and not value < 0


DIMENSIONS = {
    "equal": ([2.0, 2.0, 2.0], 0.0),
    "equal but for rounding": ([2.0, 2.0 + 4e-16], pytest.approx(0, abs=1e-15)),
    "large": ([1e200, 3e200], 1.0),
    "small": ([1e-200, 3e-200], 1.0),
    "too large": ([1e305, 1.0], "dimensions: expected finite numbers"),
    "none": ([math.nan, 1.0], "dimensions: expected finite numbers, got 1 of 2 NaN"),
    "zeros": ([0.0, 0.0], "dimensions: expected a positive mean"),
}


@pytest.mark.parametrize("name", DIMENSIONS)
def test_fluctuation(name):
    values, expected = DIMENSIONS[name]
    value, reason = answer(lambda: fluctuation(values))
    if isinstance(expected, str):
        check(value, reason, expected)
    else:
        assert value == expected


DATA = {
    "all equal": (np.ones((40, 3)), {}, "data: expected samples that differ"),
    "too large for float32": (1e30 * NORMAL, {}, "data: expected samples that differ, by less"),
    "infinite distances": (
        np.where(np.eye(40) > 0, 0, np.inf),
        {"metric": "precomputed"},
        "data: expected finite numbers",
    ),
    "not symmetric": (
        np.triu(np.ones((40, 40)), 1),
        {"metric": "precomputed"},
        "data: expected a symmetric",
    ),
}


@pytest.mark.parametrize("name", DATA)
def test_umap_points(name):
    data, options, message = DATA[name]
    settings = {"n_components": 2, "n_neighbors": 5, "min_dist": 0.1, "seed": 0}
    with pytest.raises(ValueError, match=message):
        umap_points(data, **settings, **options)


# --- eigenvalues: power laws
# ----------------------------------------------------------------------------------------

SPECTRA = {
    # ties up to rounding
    "equal but for rounding": (1 + 2e-16 * RNG.integers(0, 9, 40), "40 eigenvalues are equal"),
    "to nine digits": (1 + 1e-9 * RNG.random(40), "40 eigenvalues are equal, rounding apart"),
    "float32": (np.float32(2) + np.float32(2.4e-7) * RNG.integers(0, 3, 30), "30 eigenvalues are"),
    "of a rotation": (np.linalg.eigvalsh(ORTHONORMAL @ ORTHONORMAL.T), "60 eigenvalues are equal"),
    "tied at the top": (np.r_[TAIL, 1 + 2e-16 * np.arange(1, 9)], 2.0),
    # duplicates
    "each twice": (np.repeat(TAIL, 2), 2.0),
    "few and many zeros": (np.r_[np.arange(1.0, 10), np.zeros(90)], "9 eigenvalues above 1e-10"),
    "one value": (np.full(30, 0.3), "30 eigenvalues are equal"),
    # too large, too small
    "1e250": (1e250 * TAIL, 2.0),
    "1e299": (1e299 * TAIL, 2.0),
    "1e305": (1e305 * TAIL, "eigenvalues: expected finite numbers, got .*beyond 1e300"),
    "1e-155": (1e-155 * TAIL, "0 eigenvalues above 1e-10"),
    "1e-320": (1e-320 * TAIL, "0 eigenvalues above 1e-10"),
}


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", SPECTRA)
def test_powerlaw_exponent(name, estimator):
    values, expected = SPECTRA[name]
    value, reason = answer(lambda: powerlaw_exponent(values, estimator=estimator))
    check(value, reason, expected)


FEATURES = {
    "orthonormal": (ORTHONORMAL, "eigenvalues are equal, rounding apart"),
    "one direction": (
        np.outer(np.arange(1.0, 41), np.arange(1.0, 31)),
        "1 eigenvalues above 1e-10",
    ),
    "no image differs": (np.ones((40, 30)), "[01] eigenvalues above 1e-10"),
    "few directions": (NORMAL[:, :4] @ NORMAL[:4], "4 eigenvalues above 1e-10"),
    "1e160": (1e160 * NORMAL, r"F: expected numbers of up to 1e150, to be squared, got \S+e\+160"),
    "1e290": (1e290 * NORMAL, "F: expected numbers of up to 1e150"),
    "1e-155": (1e-155 * NORMAL, "0 eigenvalues above 1e-10"),
    "1e-300": (1e-300 * NORMAL, "0 eigenvalues above 1e-10"),
}


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", FEATURES)
def test_spectrum(name, estimator):
    F, expected = FEATURES[name]
    value, reason = answer(
        lambda: powerlaw_exponent(spectrum(F, estimator=estimator), estimator=estimator)
    )
    check(value, reason, expected)


def test_noise_of_so_many_features_that_all_eigenvalues_are_equal():
    value, reason = answer(lambda: null_exponent(10**15, 64))
    check(value, reason, "exponent of noise is NaN: all 64 eigenvalues are equal")


# --- Gram matrices
# ----------------------------------------------------------------------------------------

BLOCKS = {
    "1e160": 1e160 * NORMAL,
    "one large image": np.r_[NORMAL, 1e200 * NORMAL[:1]],
    "1e-160": 1e-160 * NORMAL,
    "1e-320": 1e-320 * NORMAL,
    "one small image": np.r_[NORMAL, 1e-200 * NORMAL[:1]],
}


@pytest.mark.parametrize("name", BLOCKS)
def test_gram_update(name):
    with pytest.raises(ValueError, match="block: expected finite numbers, got NaN, .* in shape"):
        gram_update(None, BLOCKS[name])


@pytest.mark.parametrize("factor", [1.0, 1e100, 1e-100])
def test_gram_distances_of_equal_and_parallel_images_are_zero(factor):
    images = factor * np.repeat(RNG.random((5, 7)), 3, 0) * np.tile([1, 2, 1 / 3], 5)[:, None]
    distances = gram_distances(gram_update(None, images))
    same = np.kron(np.eye(5), np.ones((3, 3))) > 0
    assert (distances[same] == 0).all() and (distances[~same] > 0.01).all()


def test_gram_spectrum_of_ties_and_of_no_activations():
    for gram, message in (
        (gram_update(None, ORTHONORMAL), "60 eigenvalues are equal"),
        (gram_update(None, np.zeros((40, 30))), "0 eigenvalues above"),
        (gram_update(None, np.ones((40, 30))), "1 eigenvalues above"),
    ):
        check(*answer(lambda gram=gram: powerlaw_exponent(gram_spectrum(gram))), message)


# --- channels: SS_rate, its variants, the picture, null models
# ----------------------------------------------------------------------------------------

NOISE = torch.from_numpy(NORMAL)
APART = "are equal, rounding apart: SS_rate is 0/0"
MATRICES = {
    # ties up to rounding
    "simplex": (torch.from_numpy(ORTHONORMAL), APART),
    "simplex, float32": ((5 * torch.from_numpy(ORTHONORMAL)).float(), APART),
    "one-hot": (0.37 * torch.eye(200), APART),
    "an offset that rounds them away": (1e4 + 1e-4 * NOISE.float(), APART),
    "an offset in half precision": ((500 + 0.05 * NOISE).bfloat16(), APART),
    # duplicates
    "all equal": (torch.full((9, 5), 0.1), APART),
    "two channels": (torch.tensor([[0.0, 1.0], [2.0, 3.0]]), APART),
    # too large to be held
    "float32 overflow": (1e38 * NOISE.float(), r"F: expected numbers of up to 8.5e\+37, as torch"),
    "float64 overflow": (1e304 * NOISE, r"F: expected numbers of up to 1e\+300"),
    "overflown": (torch.full((4, 5), math.inf), "F: expected finite numbers, got NaN or Inf"),
    "half precision, overflown": ((1e5 * NOISE).half(), "F: expected finite numbers"),
}


@pytest.mark.parametrize("name", MATRICES)
def test_ss_rate_and_its_variants(name):
    F, expected = MATRICES[name]
    for call in (ss_rate, lambda F: box_curve(F, formula="printed").ss_rate):
        check(*answer(lambda call=call: call(F)), expected)
    for axis in ("mean", "log", "linear"):
        assert math.isnan(answer(lambda axis=axis: scale_free_rate(F, axis=axis))[0])
    if expected != APART:
        return
    G = F.clone().requires_grad_()
    with pytest.warns(DegenerateDistances):
        ss_rate(G).backward()
    assert not G.grad.any()


@pytest.mark.parametrize(
    ("dtype", "factors"),
    [
        (torch.float64, (2.0**600, 2.0**-600, 2.0**900, 2.0**-900)),
        (torch.float32, (2.0**80, 2.0**-80, 2.0**110, 2.0**-110)),
        (torch.bfloat16, (2.0**80, 2.0**-80)),
    ],
)
def test_distances_of_any_size_are_those_of_the_size_of_one(dtype, factors):
    F = NOISE.to(dtype)
    C = pair_distances(F)
    rates = [scale_free_rate(F, axis=axis) for axis in ("mean", "log", "linear")]
    place, stress = mds(C)
    for factor in factors:
        G = F * factor
        assert torch.equal(pair_distances(G), C * factor)
        assert (adjacency(G, 7 * factor) == adjacency(F, 7)).all()
        again = [scale_free_rate(G, axis=axis) for axis in ("mean", "log", "linear")]
        assert again == pytest.approx(rates, rel=1e-9)
        assert participation_ratio(G) == pytest.approx(participation_ratio(F), rel=1e-12)
        where, error = mds(pair_distances(G))
        assert where / factor == pytest.approx(place, rel=1e-6) and error == pytest.approx(stress)
        # SS_rate sees log(1 + theta): of large features it is that of log theta, of small ones that
        # of theta
        limit = scale_free_rate(F, axis="log" if factor > 1 else "linear")
        assert float(ss_rate(G)) == pytest.approx(limit, abs=1e-5)


@pytest.mark.parametrize("factor", [2.0**80, 2.0**-80])
def test_gradient_of_large_and_small_features(factor):
    """In float32, where C squared is out of range: as in float64, which holds it."""
    exact, single = (
        (NOISE * factor).to(kind).requires_grad_() for kind in (NOISE.dtype, torch.float)
    )
    for F in (exact, single):
        ss_rate(F, smoothing=1 / factor).backward()
    assert torch.allclose(single.grad.double(), exact.grad, rtol=1e-3, atol=1e-3 * exact.grad.std())


PICTURES = {
    "all equal": (np.zeros((5, 5)), "C: expected distances that are not all 0"),
    "infinite": (np.where(np.eye(5) > 0, 0, np.inf), "C: expected finite distances, got Inf"),
    "none": (np.full((5, 5), np.nan), "C: expected a symmetric"),
    "on a line": (np.abs(np.subtract.outer(np.arange(9.0), np.arange(9.0))), 0.0),
    "on a line, each twice": (
        np.abs(np.subtract.outer(np.arange(8) // 2, np.arange(8) // 2)).astype(float),
        0.0,
    ),
    "on a line, 1e200": (1e200 * np.abs(np.subtract.outer(np.arange(9.0), np.arange(9.0))), 0.0),
    "on a line, 1e-200": (1e-200 * np.abs(np.subtract.outer(np.arange(9.0), np.arange(9.0))), 0.0),
}


@pytest.mark.parametrize("name", PICTURES)
def test_mds(name):
    C, expected = PICTURES[name]
    value, reason = answer(lambda: mds(C)[1])
    if isinstance(expected, str):
        check(value, reason, expected)
    else:
        assert value == pytest.approx(0, abs=0.02) and not reason


@pytest.mark.parametrize(
    ("F", "kind", "message"),
    [
        (torch.ones(5, 4), "shuffled", "F: expected channels that differ, got equal channels"),
        (1e4 + 1e-5 * torch.rand(5, 4), "gaussian", "F: expected channels that differ, got"),
        (
            torch.outer(torch.rand(9) + 1, torch.rand(7)),
            "standardised",
            "only what rounding leaves",
        ),
        (torch.eye(2).repeat_interleave(4, 1), "whitened", None),
        (1e200 * NOISE, "standardised", None),
        (1e-200 * NOISE, "whitened", None),
        (1e-300 * NOISE, "shuffled", None),
    ],
)
def test_null_features(F, kind, message):
    if message:
        with pytest.raises(ValueError, match=message):
            null_features(F, kind)
        return
    null = null_features(F, kind)
    mean = pair_distances(null).sum() / pair_distances(F).sum()
    assert null.isfinite().all() and float(mean) == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 5, 1.0), "D: expected an integer of at least 2, got 1"),
        ((5, 0, 1.0), "B: expected an integer of at least 1, got 0"),
        ((5, 5, 0.0), "mean_distance: expected a finite number above 0, got 0"),
        ((5, 5, math.inf), "mean_distance: expected a finite number above 0, got inf"),
        ((5, 5, math.nan), "mean_distance: expected a finite number above 0, got nan"),
    ],
)
def test_gaussian_features(arguments, message):
    with pytest.raises(ValueError, match=message):
        gaussian_features(*arguments)


# --- covers
# ----------------------------------------------------------------------------------------

LINE = np.abs(np.subtract.outer(np.arange(9.0), np.arange(9.0)))
CLOUDS = {
    "no distance": (np.zeros((7, 7)), 0.0, 1, 1),
    "one distance": (1 - np.eye(7), 0.5, 7, 7),
    "one distance, reached": (1 - np.eye(7), 1.0, 1, 1),
    "1e200": (1e200 * LINE, 2e200, 3, 3),
    "1e298": (1e298 * LINE, 2e298, 3, 3),
    "1e-200": (1e-200 * LINE, 2e-200, 3, 3),
    "1e-320": (1e-320 * LINE, 2e-320, 3, 3),
    "each twice": (np.kron(LINE, np.ones((2, 2))), 2.0, 3, 3),
    "two far apart": (np.kron(1e300 * (1 - np.eye(2)), np.ones((4, 4))), 1.0, 2, 2),
}


@pytest.mark.parametrize("name", CLOUDS)
def test_covering_numbers(name):
    C, theta, lower, upper = CLOUDS[name]
    cover = covering_numbers(C, [theta])
    assert (cover.lower[0], cover.upper[0]) == (lower, upper)


@pytest.mark.parametrize("factor", [1e-9, 1e-200, 1e200])
def test_distances_that_are_not_symmetric_are_refused_in_any_unit(factor):
    with pytest.raises(ValueError, match="C: expected a symmetric"):
        covering_numbers(factor * np.triu(LINE), [factor])


GRAPHS = {
    "isolated nodes only": (lambda: nx.empty_graph(9), "got 9 components of 9 nodes"),
    "two rings": (
        lambda: nx.disjoint_union(nx.cycle_graph(40), nx.cycle_graph(60)),
        "got 2 components of 100 nodes",
    ),
    "a star beside a node": (
        lambda: nx.union(nx.star_graph(20), nx.empty_graph([99])),
        "got 2 components of 22 nodes",
    ),
    "a forest": (lambda: nx.balanced_tree(2, 5).subgraph(range(1, 63)), "got 2 components"),
    # one scale only
    "all joined": (lambda: nx.complete_graph(30), "0 sizes in the window"),
    "a star": (lambda: nx.star_graph(200), "0 sizes in the window"),
    "a short path": (lambda: nx.path_graph(9), "0 sizes in the window"),
    # no power law
    "a regular tree": (lambda: nx.balanced_tree(2, 9), "less than two octaves|exponential"),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_box_dimension_of_graphs(name):
    make, reason = GRAPHS[name]

    def dimension():
        hops = hop_distances(make())
        sizes = box_sizes(hops)
        fit = box_dimension(sizes, box_counts(hops, sizes, passes=1))
        warnings.warn(fit.reason, stacklevel=1)
        return fit

    check(*answer(dimension), reason)


SIZES = [5, 7, 10, 14, 20, 28]
COUNTS = {
    "constant": ([50] * 6, "50 boxes of size 28 are no fewer than of size 5"),
    "rising": ([10, 20, 40, 60, 80, 90], "90 boxes of size 28 are no fewer than of size 5"),
    "one box": ([1] * 6, "0 sizes in the window"),
    "one size": ([400, 1, 1, 1, 1, 1], "1 sizes in the window"),
    "too many to tell": ([10**300 // 10**k for k in range(6)], "real numbers|exponential"),
}


@pytest.mark.parametrize("name", COUNTS)
def test_box_dimension_of_counts(name):
    counts, reason = COUNTS[name]

    def dimension():
        fit = box_dimension(SIZES, counts)
        warnings.warn(fit.reason, stacklevel=1)
        return fit

    check(*answer(dimension), reason)


@pytest.mark.parametrize(
    ("hops", "message"),
    [
        (0.01 * LINE, "distances: expected whole numbers of hops, 1 or more .*, got 0.01"),
        (1e200 * LINE, None),
        (np.kron(LINE, np.ones((2, 2))), "distances: expected whole numbers of hops, .* 0 to 8"),
        (np.sqrt(LINE), "distances: expected whole numbers of hops"),
    ],
)
def test_hops_are_whole_numbers(hops, message):
    if message is None:  # whole, as all numbers of that size
        assert box_counts(hops, [5]).tolist() == [9]
        return
    for call in (box_sizes, lambda hops: box_counts(hops, [2])):
        with pytest.raises(ValueError, match=message):
            call(hops)


# --- what is no block of numbers
# ----------------------------------------------------------------------------------------

NESTED = torch.nested.nested_tensor([torch.rand(3, 4), torch.rand(2, 4)])
QUANTIZED = torch.quantize_per_tensor(torch.rand(4, 5), 0.1, 0, torch.quint8)


@pytest.mark.parametrize("value", [NESTED, QUANTIZED], ids=["nested", "quantized"])
@pytest.mark.parametrize(
    "call",
    [correlation_dimension, spectrum, mds, hop_distances, ss_rate, pair_distances, box_curve],
)
def test_a_tensor_that_is_no_block_is_named(call, value):
    with pytest.raises(
        ValueError, match=r"^(points|F|C|A): expected .* got .*(nested|quant|quint)"
    ):
        call(value)


@pytest.mark.parametrize("form", [torch.Tensor.to_sparse, torch.Tensor.to_sparse_csr])
def test_sparse_features_are_named(form):
    for call in (ss_rate, pair_distances, box_curve):
        with pytest.raises(ValueError, match="F: expected a dense matrix .*sparse tensor"):
            call(form(torch.rand(4, 5)))
