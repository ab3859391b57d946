"""Measures beside SS_rate: declared properties, known answers, null models, graphs of networkx."""

import math
from itertools import permutations

import networkx as nx
import numpy as np
import pytest
import torch

from reproduction.covering.run import rate_of_boxes
from reproduction.invariance.known import known_points
from reproduction.sensitivity.measures import (
    PROPERTIES,
    adjacency_at,
    cka_of_grams,
    effective_rank,
    graph_statistics,
    linear_cka,
    participation_ratio,
    two_nn,
)
from reproduction.sensitivity.nulls import NULLS, null_features
from reproduction.sensitivity.read_cka import cka_of_noise
from sslib import pair_distances, ss_rate
from sslib.boxes import AXES, FORMULAS, scale_free_rate

AXIS_OF = {
    f"scale_free_rate, {axis}, {formula}": (axis, formula) for axis in AXES for formula in FORMULAS
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def F():
    """24 channels that differ in mean, width and correlation; float64, so that invariance shows to
    many digits.
    """
    g = generator(1)
    mixed = torch.randn(24, 6, generator=g, dtype=torch.float64) @ torch.randn(
        6, 40, generator=g, dtype=torch.float64
    )
    return mixed * torch.rand(24, 1, generator=g) + torch.randn(
        24, 1, generator=g, dtype=torch.float64
    )


def orthogonal(n):
    return torch.linalg.qr(torch.randn(n, n, generator=generator(2), dtype=torch.float64)).Q


CHANGES = {
    "scale": lambda F: 7.3 * F,
    "shift": lambda F: F + torch.randn(F.shape[1], generator=generator(3), dtype=F.dtype),
    "rotation": lambda F: F @ orthogonal(F.shape[1]),
    "order": lambda F: F[torch.randperm(len(F), generator=generator(4))][
        :, torch.randperm(F.shape[1], generator=generator(5))
    ],
    "mixing": lambda F: orthogonal(len(F)) @ F,
    "offset": lambda F: F + torch.randn(len(F), 1, generator=generator(6), dtype=F.dtype),
}
MEASURES = {
    "ss_rate": lambda F, _: float(ss_rate(F)),
    "participation_ratio": lambda F, _: participation_ratio(F),
    "effective_rank": lambda F, _: effective_rank(F),
    "two_nn": lambda F, _: two_nn(F),
    "linear_cka": lambda F, other: linear_cka(F, other),
} | {
    name: lambda F, _, axis=axis, formula=formula: scale_free_rate(F, axis=axis, formula=formula)
    for name, (axis, formula) in AXIS_OF.items()
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_changes_with_what_it_does_not_declare_and_with_nothing_else(name, change, F):
    declared = PROPERTIES[name.partition(",")[0]]
    assert declared <= set(CHANGES)
    other = F**2
    if name == "linear_cka" and change == "order":  # of channels: the images are shared
        changed = F[torch.randperm(len(F), generator=generator(4))]
    else:
        changed = CHANGES[change](F)
    before, after = MEASURES[name](F, other), MEASURES[name](changed, other)
    if change in declared:
        assert after == pytest.approx(before, abs=1e-6)
    else:
        assert abs(after - before) > 1e-4


@pytest.mark.parametrize("formula", FORMULAS)
def test_scale_free_rates_are_the_rate_of_one_scale_and_its_two_limits(formula, F):
    mean = pair_distances(F)[np.triu_indices(len(F), 1)].mean()
    for axis, same in (("mean", F / mean), ("log", F * 1e7), ("linear", F * 1e-7)):
        expected = float(ss_rate(same, formula=formula))
        assert scale_free_rate(F, axis=axis, formula=formula) == pytest.approx(
            expected, abs=2e-3
        ), axis


def test_scale_free_rate_of_nothing_to_measure_is_nan():
    simplex = torch.eye(5)
    assert all(math.isnan(scale_free_rate(simplex, axis=axis)) for axis in AXES)
    twins = torch.tensor([[0.0], [0.0], [1.0], [3.0]])
    assert (
        math.isnan(scale_free_rate(twins, axis="log"))
        and 0 < scale_free_rate(twins, axis="mean") < 1
    )


def test_rate_of_boxes_is_ss_rate_of_its_own_boxes(F):
    from sslib import box_curve

    for formula in FORMULAS:
        curve = box_curve(F, formula=formula)
        again = rate_of_boxes(curve.boxes, len(F), formula=formula)
        assert again == pytest.approx(float(curve.ss_rate), abs=1e-9)
    assert rate_of_boxes(np.geomspace(24, 1, 50), 24) == pytest.approx(0, abs=1e-9)


def test_ranks_of_known_clouds():
    g = generator()
    line = torch.randn(40, 1, generator=g) @ torch.randn(1, 30, generator=g)
    assert effective_rank(line) == pytest.approx(1, abs=0.02) and participation_ratio(
        line
    ) == pytest.approx(1)
    simplex = torch.eye(9, 20)
    assert effective_rank(simplex) == pytest.approx(8) and participation_ratio(
        simplex
    ) == pytest.approx(8)
    assert math.isnan(effective_rank(torch.ones(4, 3)))


# scikit-dimension 0.5.0, skdim.id.TwoNN().fit(known_points(name, 1000, seed=1)).dimension_
SKDIM = {
    "line": 1.0293145,
    "square": 1.8698427,
    "ball": 4.5624039,
    "swiss_roll": 2.0155422,
    "henon": 1.2085692,
}


@pytest.mark.parametrize("name", SKDIM)
def test_two_nn_agrees_with_scikit_dimension(name):
    points = torch.from_numpy(known_points(name, 1000, seed=1))
    assert two_nn(points) == pytest.approx(SKDIM[name], rel=0.005)


def test_two_nn_leaves_out_channels_that_are_equal():
    points = torch.from_numpy(known_points("square", 400))
    twice = torch.cat([points, points[:40]])
    assert two_nn(twice) == pytest.approx(two_nn(points), rel=0.1)
    assert math.isnan(two_nn(torch.ones(50, 3))) and math.isnan(two_nn(torch.rand(2, 3)))


def test_cka_of_the_same_and_of_unrelated_layers(F):
    assert linear_cka(F, orthogonal(24) @ F * 3) == pytest.approx(1)
    other = F**2
    assert cka_of_grams(F.T @ F, other.T @ other) == pytest.approx(linear_cka(F, other))
    # written out: Kornblith et al. 2019, Eq. 4 with centred columns
    X, Y = (M.T - M.T.mean(0) for M in (F, other))
    plain = (Y.T @ X).norm() ** 2 / ((X.T @ X).norm() * (Y.T @ Y).norm())
    assert linear_cka(F, other) == pytest.approx(float(plain))
    noise = torch.randn(5, 4000, generator=generator(), dtype=torch.float64)
    assert (
        linear_cka(noise, torch.randn(7, 4000, generator=generator(9), dtype=torch.float64)) < 0.01
    )
    assert math.isnan(linear_cka(torch.ones(2, 5), torch.ones(2, 5)))
    assert math.isnan(linear_cka(torch.ones(2, 5), torch.ones(2, 5), unbiased=True))


def test_unbiased_cka_is_the_mean_over_four_different_images():
    """HSIC as a U-statistic, written out over all quadruples (Song et al. 2012, Eq. 7)."""
    F = torch.randn(3, 7, generator=generator(1), dtype=torch.float64) + 5
    G = F[:2] + torch.randn(2, 7, generator=generator(2), dtype=torch.float64)

    def hsic(K, L):
        terms = (
            K[i, j] * (L[i, j] + L[q, r] - 2 * L[i, q]) for i, j, q, r in permutations(range(7), 4)
        )
        return float(sum(terms))

    K, L = F.T @ F, G.T @ G
    by_hand = hsic(K, L) / math.sqrt(hsic(K, K) * hsic(L, L))
    assert linear_cka(F, G, unbiased=True) == pytest.approx(by_hand)
    assert cka_of_grams(K, L, unbiased=True) == pytest.approx(by_hand)
    assert linear_cka(F, 2 * F.flip(0), unbiased=True) == pytest.approx(1)


@pytest.mark.parametrize(("D", "other", "B"), [(16, 384, 128), (600, 600, 64)])
def test_cka_of_noise_is_its_bias(D, other, B):
    noise = [
        [torch.randn(n, B, generator=generator(k + n), dtype=torch.float64) for n in (D, other + 1)]
        for k in range(8)
    ]
    biased = np.mean([linear_cka(F, G) for F, G in noise])
    assert biased == pytest.approx(cka_of_noise(D, other, B), rel=0.05)
    unbiased = np.mean([linear_cka(F, G, unbiased=True) for F, G in noise])
    assert abs(unbiased) < 0.03 < biased


@pytest.mark.parametrize("kind", NULLS)
def test_null_models_keep_shape_and_mean_distance(kind, F):
    null = null_features(F, kind)
    assert null.shape == F.shape
    mean = [pair_distances(X.double())[np.triu_indices(24, 1)].mean() for X in (F, null)]
    assert mean[1] == pytest.approx(float(mean[0]), rel=1e-6)
    other = null_features(F, kind, seed=1)
    assert torch.equal(null, null_features(F, kind)) and torch.equal(null, other) == (
        kind not in ("gaussian", "shuffled")
    )


def test_null_models_lose_what_they_say(F):
    shuffled = null_features(F, "shuffled")
    ratio = shuffled.sort(0).values / F.sort(0).values
    assert ratio == pytest.approx(
        float(ratio[0, 0])
    )  # the same numbers within each image, at another scale
    assert participation_ratio(null_features(F, "one direction")) == pytest.approx(1)
    standardised = null_features(F, "standardised")
    assert standardised.mean(1) == pytest.approx(0, abs=1e-9) and standardised.std(1).std() < 1e-9
    assert participation_ratio(null_features(F, "whitened")) == pytest.approx(
        7, abs=1e-6
    )  # six, and the means
    wide = torch.randn(10, 50, generator=generator())
    assert math.isnan(scale_free_rate(null_features(wide, "whitened"), axis="linear"))


@pytest.mark.parametrize("density", [0.1, 0.3])
def test_graph_statistics_are_those_of_networkx(density, F):
    C = pair_distances(F)
    found = graph_statistics(C, density, draws=3)
    A = adjacency_at(C, density)
    graph = nx.from_numpy_array(A)
    degrees = [d for _, d in graph.degree]
    largest = graph.subgraph(max(nx.connected_components(graph), key=len))
    assert found["density"] == pytest.approx(nx.density(graph)) == pytest.approx(density, abs=0.01)
    assert found["degree"] == pytest.approx(np.mean(degrees))
    assert found["degree_cv"] == pytest.approx(np.std(degrees) / np.mean(degrees))
    assert found["clustering"] == pytest.approx(nx.average_clustering(graph))
    assert found["largest"] == pytest.approx(len(largest) / 24)
    assert found["path"] == pytest.approx(nx.average_shortest_path_length(largest))


def test_a_random_graph_is_no_small_world_and_a_ring_lattice_has_long_paths():
    nodes, seed = 120, np.random.default_rng(0)
    noise = seed.random((nodes, nodes))
    assert graph_statistics(np.triu(noise, 1) + np.triu(noise, 1).T, 0.1)["sigma"] == pytest.approx(
        1, abs=0.15
    )
    around = np.abs(np.arange(nodes)[:, None] - np.arange(nodes))
    ring = graph_statistics(np.minimum(around, nodes - around), 0.05)
    assert (
        ring["clustering"] > 5 * ring["random_clustering"]
        and ring["path"] > 3 * ring["random_path"]
    )
    assert ring["degree_cv"] == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda F: scale_free_rate(F, axis="square"), "axis: expected one of .*, got 'square'"),
        (lambda F: scale_free_rate(F, formula="typed"), "formula: expected one of .*, got 'typed'"),
        (lambda F: scale_free_rate(F, thresholds=1), "thresholds: expected .*, got 1"),
        (lambda F: scale_free_rate(F[0]), r"F: expected .*, got shape \(40,\)"),
        (lambda F: rate_of_boxes([5, 1], 4), "boxes: expected .*, got 1 to 5"),
        (lambda F: effective_rank(F / 0), "F: expected finite numbers"),
        (lambda F: two_nn(F, discard=1), "discard is 1"),
        (lambda F: linear_cka(F, F[:, :3]), "the same B"),
        (lambda F: cka_of_grams(F, F), "K and L have shapes"),
        (lambda F: linear_cka(F[:, :3], F[:, :3], unbiased=True), "B >= 4"),
        (lambda F: null_features(F, "hypothesis"), "kind: expected one of .*, got 'hypothesis'"),
        (lambda F: null_features(F * 0, "gaussian"), "equal channels only"),
        (lambda F: graph_statistics(F, 0.1), "C: expected a symmetric .*, got shape"),
        (lambda F: graph_statistics(pair_distances(F), 1.0), r"density: expected .*, got 1\.0"),
    ],
)
def test_functions_say_what_they_expect(call, message, F):
    with pytest.raises(ValueError, match=message):
        call(F)
