"""Box covering: brackets against brute force and known sets, graph covers against networkx and
known dimensions.
"""

import itertools
import math

import networkx as nx
import numpy as np
import pytest
import torch

from reproduction.covering.known import flower, song_havlin_makse
from reproduction.invariance.rulers import known_points
from sslib import pair_distances
from sslib.covering import (
    COVERS,
    box_counts,
    box_dimension,
    box_sizes,
    covering_numbers,
    hop_distances,
)


def distances(points):
    points = np.asarray(points, dtype=float)
    return np.linalg.norm(points[:, None] - points, axis=-1)


def least_cover(C, theta):
    """The covering number by trying every way to put the points into groups."""
    best = len(C)

    def put(k, groups):
        nonlocal best
        if len(groups) >= best:
            return
        if k == len(C):
            best = len(groups)
            return
        for group in groups:
            if (C[k, group] <= theta).all():
                group.append(k)
                put(k + 1, groups)
                group.pop()
        put(k + 1, [*groups, [k]])

    put(0, [])
    return best


@pytest.mark.parametrize("seed", range(8))
def test_the_bracket_holds_the_least_number_of_boxes(seed):
    C = distances(np.random.default_rng(seed).standard_normal((9, 1 + seed % 3)))
    theta = np.quantile(C[np.triu_indices(9, 1)], np.linspace(0, 1, 12))
    cover = covering_numbers(C, theta)
    exact = [least_cover(C, t) for t in theta]
    assert (cover.lower <= exact).all() and (exact <= cover.upper).all()
    assert (cover.lower == exact).mean() > 0.5 and (cover.upper == exact).mean() > 0.5


def test_the_bracket_falls_from_all_points_to_one_box_in_any_order_of_theta():
    C = pair_distances(torch.randn(60, 5, generator=torch.Generator().manual_seed(0))).numpy()
    theta = np.linspace(0, C.max(), 30)
    cover = covering_numbers(C, theta)
    assert (cover.lower[0], cover.upper[0]) == (60, 60) and (cover.lower[-1], cover.upper[-1]) == (
        1,
        1,
    )
    assert (cover.lower <= cover.upper).all()
    assert (np.diff(cover.lower) <= 0).all() and (np.diff(cover.upper) <= 0).all()
    shuffled = np.random.default_rng(0).permutation(30)
    again = covering_numbers(C, theta[shuffled])
    assert (again.lower == cover.lower[shuffled]).all() and (
        again.upper == cover.upper[shuffled]
    ).all()


@pytest.mark.parametrize(
    ("name", "dimension"), [("line", 1), ("cantor", math.log(2) / math.log(3))]
)
def test_boxes_of_known_sets_scale_with_their_dimension(name, dimension):
    C = distances(known_points(name, 1500))
    theta = C.max() * 3.0 ** -np.arange(1, 4)
    cover = covering_numbers(C, theta)
    low, high = (
        -np.polyfit(np.log(theta), np.log(bound), 1)[0] for bound in (cover.lower, cover.upper)
    )
    assert low == pytest.approx(dimension, abs=0.1) and high == pytest.approx(dimension, abs=0.1)


def test_a_square_takes_as_many_boxes_as_its_area_says():
    theta = 0.5 ** np.arange(1, 4)
    cover = covering_numbers(distances(known_points("square", 2500)), theta)
    discs, tiles = (
        4 / (math.pi * theta**2),
        np.ceil(math.sqrt(2) / theta) ** 2,
    )  # no box is larger than a disc
    assert (cover.lower <= tiles).all() and (cover.upper >= discs).all()
    assert (cover.upper <= 2 * cover.lower).all()


def test_a_cantor_set_takes_two_boxes_more_at_every_third():
    ends = np.array(
        [
            sum(2 * 3.0**-k * d for k, d in enumerate(digits, 1))
            for digits in itertools.product((0, 1), repeat=6)
        ]
    )
    cover = covering_numbers(distances(ends[:, None]), [3.0**-k for k in range(1, 6)])
    assert cover.lower.tolist() == cover.upper.tolist() == [2, 4, 8, 16, 32]


@pytest.mark.parametrize(
    ("C", "theta", "message"),
    [
        (np.zeros((2, 3)), [1], r"C: expected .*, got shape \(2, 3\)"),
        ([[0, 1], [2, 0]], [1], "symmetric"),
        ([[0, -1], [-1, 0]], [1], "at least 0"),
        ([[1, 1], [1, 0]], [1], "0 on the diagonal"),
        ([[0, math.inf], [math.inf, 0]], [1], r"C: expected finite .*Inf in shape \(2, 2\)"),
        ([[0, math.nan], [math.nan, 0]], [1], r"C: expected .*shape \(2, 2\) with NaN"),
        ([[0, 1], [1, 0]], [[1]], r"theta: expected .* \(T,\), got shape \(1, 1\)"),
        ([[0, 1], [1, 0]], [-1.0], r"theta: expected \(T,\) numbers of at least 0, got -1"),
    ],
)
def test_covering_numbers_say_what_they_expect(C, theta, message):
    with pytest.raises(ValueError, match=message):
        covering_numbers(C, theta)


def test_hops_are_those_of_networkx():
    graph = nx.gnm_random_graph(40, 50, seed=1)
    hops = hop_distances(nx.to_numpy_array(graph))
    for i, lengths in nx.all_pairs_shortest_path_length(graph):
        assert {j: hops[i, j] for j in lengths} == lengths
        assert np.isinf(hops[i]).sum() == 40 - len(lengths)
    assert (hop_distances(torch.from_numpy(nx.to_numpy_array(graph) > 0)) == hops).all()


@pytest.mark.parametrize("size", [2, 3, 4])
def test_colouring_takes_no_more_boxes_than_networkx_and_no_fewer_than_a_packing(size):
    hops = hop_distances(nx.to_numpy_array(nx.grid_2d_graph(9, 9)))
    dual = nx.from_numpy_array(hops >= size)
    theirs = min(
        max(nx.greedy_color(dual, strategy, seed).values()) + 1
        for strategy, seed in [
            ("largest_first", False),
            ("smallest_last", False),
            ("DSATUR", False),
        ]
    )
    ours = box_counts(hops, [size], passes=80)[0]
    assert covering_numbers(hops, [size - 1]).lower[0] <= ours <= theirs


@pytest.mark.parametrize("method", COVERS)
def test_a_path_is_covered_as_well_as_can_be(method):
    hops = hop_distances(nx.to_numpy_array(nx.path_graph(60)))
    counts = box_counts(hops, [1, 3, 61], method=method, passes=60)
    assert counts[0] == 60 and counts[2] == 1 + (method == "growing" and counts[2] > 1)
    assert 20 <= counts[1] <= 26
    assert box_counts(hops, [3], method=method, seed=5, passes=1)[0] >= counts[1] - 2


def test_more_passes_never_take_more_boxes():
    hops = hop_distances(flower(2, 3, 3))
    for method in COVERS:
        counts = [
            box_counts(hops, [3, 5, 7], method=method, passes=passes) for passes in (1, 4, 12)
        ]
        assert (np.diff(counts, axis=0) <= 0).all(), method


def compact_box_burning(hops, size, rng):
    """Song et al. 2007, section 3.1, step by step in sets."""
    uncovered, boxes = set(range(len(hops))), 0
    while uncovered:
        candidates = set(uncovered)
        while candidates:
            p = int(rng.choice(sorted(candidates)))
            candidates -= {q for q in candidates if hops[p, q] >= size or q == p}
            uncovered.discard(p)
        boxes += 1
    return boxes


def excluded_mass_burning(hops, radius, rng):
    """Song et al. 2007, section 3.2: the centres, which are as many as the boxes."""
    uncovered, centres = set(range(len(hops))), []
    while uncovered:
        mass = [len({q for q in uncovered if hops[p, q] <= radius}) for p in range(len(hops))]
        p = int(rng.choice([p for p in range(len(hops)) if mass[p] == max(mass)]))
        uncovered -= {q for q in uncovered if hops[p, q] <= radius}
        centres.append(p)
    return len(centres)


@pytest.mark.parametrize(
    ("method", "naive"),
    [
        ("burning", compact_box_burning),
        ("greedy", lambda hops, size, rng: excluded_mass_burning(hops, (size - 1) // 2, rng)),
    ],
)
@pytest.mark.parametrize("size", [3, 5])
def test_covers_are_those_of_the_literature(method, naive, size):
    # Random boxes: the same law of their number, over sixty draws of each.
    hops = hop_distances(flower(2, 3, 3))
    rng = np.random.default_rng(0)
    ours = [box_counts(hops, [size], method=method, passes=1, seed=k)[0] for k in range(60)]
    theirs = [naive(hops, size, rng) for _ in range(60)]
    error = math.hypot(np.std(ours), np.std(theirs)) / math.sqrt(60)
    assert abs(np.mean(ours) - np.mean(theirs)) <= 3.5 * error
    assert np.std(ours) == pytest.approx(np.std(theirs), rel=0.5, abs=0.1)


def test_burning_is_no_colouring_of_one_order():
    # Boxes that are all filled in one order are those of first fit in it, to the last one.
    hops = hop_distances(flower(2, 3, 3))
    colouring, burning = (
        [box_counts(hops, [4], method=method, passes=1, seed=seed)[0] for seed in range(20)]
        for method in ("colouring", "burning")
    )
    assert burning != colouring


@pytest.mark.parametrize(
    "points",
    [
        lambda: known_points("ball", 300),
        lambda: known_points("sierpinski", 300),
        lambda: np.random.default_rng(1).standard_normal((200, 40)),
    ],
    ids=["ball", "Sierpinski triangle", "noise"],
)
def test_the_upper_bound_is_as_low_as_ten_passes_of_colouring(points):
    # In hundredths of the diameter, so that box_counts covers the same: whole numbers, 1 or more.
    C = distances(points())
    hops = np.ceil(100 * C / C.max())
    sizes = [5, 10, 20, 40, 70]
    upper = covering_numbers(hops, [size - 1 for size in sizes]).upper
    assert (upper <= box_counts(hops, sizes)).all()


SCATTERED = {
    "a path and isolated nodes": (
        lambda: nx.union(nx.path_graph(300), nx.empty_graph(range(300, 320))),
        21,
        300,
    ),
    "two paths": (lambda: nx.disjoint_union(nx.path_graph(9), nx.path_graph(4)), 2, 9),
    "a sparse random graph": (lambda: nx.gnm_random_graph(60, 40, seed=0), None, None),
    "a lattice and a triangle": (
        lambda: nx.disjoint_union(nx.grid_2d_graph(6, 6), nx.complete_graph(3)),
        2,
        36,
    ),
}


@pytest.mark.parametrize("name", SCATTERED)
def test_a_graph_in_pieces_has_no_box_dimension_and_its_largest_piece_is_named(name):
    make, pieces, nodes = SCATTERED[name]
    graph = make()
    parts = [*nx.connected_components(graph)]
    assert pieces in (None, len(parts))
    hops = hop_distances(graph)
    said = rf"distances: expected one connected .*'largest'\), got {len(parts)} components of"
    for call in (box_sizes, lambda hops: box_counts(hops, [2])):
        with pytest.raises(ValueError, match=said):
            call(hops)
    largest = hop_distances(graph, component="largest")
    assert len(largest) == max(map(len, parts)) and nodes in (None, len(largest))
    assert box_counts(largest, [len(graph)]).tolist() == [1]


@pytest.mark.parametrize(
    "form",
    [
        nx.to_scipy_sparse_array,
        lambda graph: nx.to_scipy_sparse_array(graph, format="coo"),
        lambda graph: torch.from_numpy(nx.to_numpy_array(graph)).to_sparse(),
        lambda graph: nx.relabel_nodes(graph, str),
        lambda graph: (nx.set_edge_attributes(graph, 0, "weight"), graph)[1],
    ],
    ids=["csr", "coo", "torch", "names", "weights of 0"],
)
def test_a_graph_is_taken_as_it_comes(form):
    graph = nx.cycle_graph(9)
    dense = hop_distances(nx.to_numpy_array(graph))
    assert (hop_distances(form(graph)) == dense).all()


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (lambda: nx.DiGraph([(0, 1), (1, 2)]), "A: expected a symmetric"),
        (lambda: nx.Graph([(0, 0), (0, 1)]), "0 on the diagonal"),
        (lambda: nx.to_scipy_sparse_array(nx.DiGraph([(0, 1)])), "A: expected a symmetric"),
        (lambda: nx.empty_graph(1), r"n >= 2.*got shape \(1, 1\)"),
    ],
)
def test_a_graph_that_is_none_is_refused(graph, message):
    with pytest.raises(ValueError, match=message):
        hop_distances(graph())
    with pytest.raises(ValueError, match="component: expected one of all, largest, got 'first'"):
        hop_distances(np.ones((2, 2)) - np.eye(2), component="first")


# With d_B, in generations for which the window of the fit spans two octaves. The last two were
# first looked at when the rule of the window was set already.
FRACTALS = {
    "(2, 2)-flower": (lambda: flower(2, 2, 6), 2),
    "(2, 3)-flower": (lambda: flower(2, 3, 5), math.log(5) / math.log(2)),
    "(3, 3)-flower": (lambda: flower(3, 3, 4), math.log(6) / math.log(3)),
    "Song-Havlin-Makse": (lambda: song_havlin_makse(2, 4), math.log(5) / math.log(3)),
    "lattice": (lambda: nx.to_numpy_array(nx.grid_2d_graph(40, 40)), 2),
    "(3, 4)-flower": (lambda: flower(3, 4, 4), math.log(7) / math.log(3)),
    "ring": (lambda: nx.to_numpy_array(nx.cycle_graph(400)), 1),
}


@pytest.mark.parametrize("name", FRACTALS)
def test_box_dimension_of_fractal_graphs_within_a_tenth(name):
    make, dimension = FRACTALS[name]
    hops = hop_distances(make())
    sizes = [size for size in box_sizes(hops) if size >= 5]
    fit = box_dimension(sizes, box_counts(hops, sizes))
    assert fit.power_law, fit.reason
    assert float(fit) == pytest.approx(dimension, rel=0.1)


@pytest.mark.parametrize(
    "graph",
    [
        lambda: nx.gnm_random_graph(1000, 2500, seed=0),
        lambda: nx.gnm_random_graph(1500, 2250, seed=1),
        lambda: nx.connected_watts_strogatz_graph(1000, 4, 0.1, seed=0),
        lambda: nx.from_numpy_array(flower(1, 3, 5)),
        lambda: nx.from_numpy_array(song_havlin_makse(2, 4, kept=1)),
    ],
    ids=["Erdős–Rényi", "sparser", "small world", "(1, 3)-flower", "all edges kept"],
)
def test_no_power_law_is_claimed_for_graphs_without_one(graph):
    graph = graph()
    largest = graph.subgraph(max(nx.connected_components(graph), key=len))
    hops = hop_distances(nx.to_numpy_array(largest))
    sizes = box_sizes(hops)
    fit = box_dimension(sizes, box_counts(hops, sizes))
    assert not fit.power_law and fit.reason and math.isnan(float(fit))


def test_a_fit_says_why_it_claims_nothing():
    short = box_dimension([5, 6, 7, 8, 10], [400, 280, 200, 160, 100])
    assert (
        short.reason == "sizes 5 to 10 are less than two octaves"
        and short.slope == pytest.approx(2, abs=0.1)
    )
    assert "4 are needed" in box_dimension([2, 3, 5], [400, 180, 60]).reason
    exact = box_dimension([5, 10, 20, 40], [1 + 8000, 1 + 4000, 1 + 2000, 1 + 1000])
    assert (
        float(exact) == pytest.approx(1)
        and exact.error == pytest.approx(0, abs=1e-6)
        and exact.window == (5, 40)
    )


@pytest.mark.parametrize(("u", "v"), [(2, 2), (2, 3), (3, 3)])
def test_flowers_have_the_nodes_and_edges_of_their_recursion(u, v):
    A, w = flower(u, v, 4), u + v
    assert A.sum() / 2 == w**4
    assert len(A) == (w - 2) / (w - 1) * w**4 + w / (w - 1)
    assert hop_distances(A)[0, 1] == u**4  # the first two hubs


def test_song_havlin_makse_grows_a_tree_that_stretches_threefold():
    trees = [nx.from_numpy_array(song_havlin_makse(2, k)) for k in (1, 2, 3)]
    assert all(nx.is_tree(tree) for tree in trees)
    assert [nx.diameter(tree) for tree in trees] == [3 + 2, 3 * 5 + 2, 3 * 17 + 2]
    kept = nx.from_numpy_array(song_havlin_makse(2, 3, kept=1))
    assert len(kept) == len(trees[2]) and nx.diameter(kept) == 1 + 2 * 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hop_distances([[0, 1]]), r"A: expected a symmetric .*, got shape \(1, 2\)"),
        (
            lambda: box_counts(np.eye(3), [1]),
            r"distances: expected .* 0 on the diagonal, got shape \(3, 3\)",
        ),
        (
            lambda: box_counts(1 - np.eye(3), [1], method="ironing"),
            "method: expected one of .*, got 'ironing'",
        ),
        (lambda: box_counts(1 - np.eye(3), [0]), "sizes: expected an integer of at least 1, got 0"),
        (lambda: box_counts(1 - np.eye(3), []), "sizes: expected .*got none"),
        (
            lambda: box_counts(1 - np.eye(3), [1], passes=0),
            "passes: expected an integer of at least 1, got 0",
        ),
        (lambda: box_dimension([1, 2], [3]), r"boxes: expected 2 counts of at least 1, got \[3\]"),
        (
            lambda: box_dimension([2, 1], [3, 2]),
            r"sizes: expected rising sizes of at least 1, got \[2, 1\]",
        ),
        (
            lambda: box_dimension([1, 2], [3, 0]),
            r"boxes: expected 2 counts of at least 1, got \[3, 0\]",
        ),
        (lambda: flower(1, 1, 2), "u, v, generations are"),
        (lambda: song_havlin_makse(2, 2, kept=1.5), "offspring, generations, kept are"),
    ],
)
def test_graph_functions_say_what_they_expect(call, message):
    with pytest.raises(ValueError, match=message):
        call()
