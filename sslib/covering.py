"""Covers of graphs and of point sets by boxes, and the box dimension (Appendix A)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from sslib import checks
from sslib.checks import Array, Counts, Values

_Mask = NDArray[np.bool_]
_PASSES = 10  # tries of which the fewest boxes count


@dataclass(frozen=True, eq=False)
class Covering:
    """The least number of boxes that cover D points: between two bounds, known where they meet."""

    theta: Array  #: (T,) box sizes: in one box, no two points are further apart (Eq. 7)
    lower: Counts  #: (T,) at least so many boxes are needed
    upper: Counts  #: (T,) so many are enough


def covering_numbers(C: Values, theta: Values) -> Covering:
    """Bounds on the number of boxes of Eq. 7, which N_theta of Alg. 2 stands in for.

    C are (D, D) distances, theta (T,) box sizes >= 0 in any order. From above by boxes that exist:
    complete linkage merges the two groups whose union is narrowest, so one tree gives a cover for
    every theta; ten passes of the "colouring" of ``box_counts``, begun in the tree's order, and ten
    from a random one, may give a better one. From below by packings: points pairwise further apart
    than theta need a box each. They are picked greedily, the one with the fewest others within
    theta first. The number falls as theta grows, so a bound at one theta also holds on one side.

    >>> line = np.arange(6.0)
    >>> cover = covering_numbers(abs(line[:, None] - line), [0, 1, 2, 5])
    >>> cover.lower.tolist(), cover.upper.tolist()
    ([6, 3, 2, 1], [6, 3, 2, 1])
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    C, theta = checks.distances("C", C, finite=True), checks.array("theta", theta, "(T,)")
    if (theta < 0).any():
        raise checks.error("theta", "(T,) numbers of at least 0", f"{theta.min():.4g} among them")
    tree = linkage(squareform(C, checks=False), "complete")
    leaves = leaves_list(tree)
    upper = len(C) - np.searchsorted(np.sort(tree[:, 2]), theta, side="right")
    lower = np.zeros_like(upper)
    for k, t in enumerate(theta):
        near = t >= C
        for start in (leaves, None):
            upper[k] = min(upper[k], _colour(near, _PASSES, default_rng(0), start))
        lower[k] = _packing(near)
    order = np.argsort(theta)
    upper[order] = np.minimum.accumulate(upper[order])
    lower[order[::-1]] = np.maximum.accumulate(lower[order[::-1]])
    return Covering(theta, lower, upper)


def _packing(near: _Mask) -> int:
    """The size of a set of nodes of which no two are near, picked greedily."""
    left, degree, size = np.ones(len(near), dtype=bool), near.sum(1), 0
    while left.any():
        gone = near[np.where(left, degree, len(near) + 1).argmin()] & left
        left, degree, size = left & ~gone, degree - near[gone].sum(0), size + 1
    return size


#: How ``box_counts`` covers a graph, and which part of it ``hop_distances`` measures.
COVERS, COMPONENTS = ("colouring", "burning", "growing", "greedy"), ("all", "largest")

_LEAST = 5  # of fewer hops or boxes, one more is over a fifth: too coarse for a slope
_LEAST_RANGE = 4.0  # of box sizes, largest over smallest, for a power law: two octaves
_EXACT = 1e-9  # residuals of a fit that are rounding


def hop_distances(A: Any, *, component: str = "all") -> Array:
    """Edges on the shortest path between any two nodes: (n, n) float64, Inf between components.

    >>> hop_distances([[0, 1, 0], [1, 0, 0], [0, 0, 0]]).tolist()
    [[0.0, 1.0, inf], [1.0, 0.0, inf], [inf, inf, 0.0]]

    Args:
        A: the (n, n) adjacency matrix, dense or sparse, symmetric, 0 on the diagonal; what is not 0
            is an edge. Or an undirected graph of networkx.
        component: "largest" leaves out the nodes of all components but the largest one.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import shortest_path

    checks.choice("component", component, COMPONENTS)
    if hasattr(A, "adj"):  # weight=None: an edge of weight 0 is one
        A = checks.extra("networkx").to_numpy_array(A, weight=None)
    edges = csr_array(checks.distances("A", A) > 0)
    hops: Array = shortest_path(edges, directed=False, unweighted=True)
    if component == "all":
        return hops
    within = np.isfinite(hops[np.isfinite(hops).sum(1).argmax()])
    return hops[np.ix_(within, within)]


def _connected(distances: Values) -> Array:
    """Hops of a graph in one piece: boxes of several say nothing of a dimension."""
    hops = checks.distances("distances", distances)
    pieces = len(np.unique(np.isfinite(hops), axis=0))
    if pieces > 1:
        one = "one connected graph, as of hop_distances(A, component='largest')"
        raise checks.error("distances", one, f"{pieces} components of {len(hops)} nodes")
    others = hops[~np.eye(len(hops), dtype=bool)]
    if (others < 1).any() or (others % 1).any():
        got = f"{others.min():.4g} to {others.max():.4g} in shape {hops.shape}"
        raise checks.error("distances", "whole numbers of hops, 1 or more between nodes", got)
    return hops


def box_counts(
    distances: Values,
    sizes: Sequence[int],
    *,
    method: str = "colouring",
    passes: int = _PASSES,
    seed: int = 0,
) -> Counts:
    """How many boxes cover a graph, for each box size: (len(sizes),) int.

    A box of size l holds nodes less than l hops apart (Appendix A, where theta = 3 stands for two
    hops). The first two fill boxes; the others lay balls, of the nodes within (l - 1) // 2 hops.

    - "colouring": greedy colouring of the graph that joins nodes l or more hops apart (Song et al.
      2007), repeated colour by colour in a new order, which never takes more (Culberson and Luo
      1996).
    - "burning": compact-box burning (Song et al. 2007). A box takes random nodes, drawn afresh from
      those less than l hops from all in it, until there is none; then the next box.
    - "growing": random sequential balls (Kim et al. 2007), here around nodes not yet covered.
    - "greedy": the ball with the most nodes not yet covered, drawn among equals: the appendix's
      greedy algorithm, and the boxes of maximum-excluded-mass burning (MEMB, Song et al. 2007).

    >>> ring = hop_distances(np.roll(np.eye(8), 1, 0) + np.roll(np.eye(8), -1, 0))
    >>> box_counts(ring, [1, 2, 4, 5]).tolist()
    [8, 4, 2, 1]

    Args:
        distances: (n, n) hops of a connected graph, as from ``hop_distances``.
        passes: the fewest boxes of so many tries count, as N is a minimum.
        seed: of the random orders.
    """
    hops = _connected(distances)
    checks.choice("method", method, COVERS)
    checks.integer("passes", passes, 1)
    sizes = [checks.integer("sizes", size, 1) for size in sizes]
    if not sizes:
        raise checks.error("sizes", "whole numbers of at least 1", "none")

    def cover(size: int) -> int:
        rng = default_rng(seed)
        if method == "colouring":
            return _colour(hops < size, passes, rng)
        near = hops < size if method == "burning" else hops <= (size - 1) // 2
        once = {"burning": _burn, "growing": _grow, "greedy": _greedy}[method]
        return min(once(near, rng) for _ in range(passes))

    return np.array([cover(size) for size in sizes])


def box_sizes(distances: Values) -> list[int]:
    """Box sizes from 2 hops to the longest distance plus one, evenly spaced for a log-log fit.

    >>> box_sizes(hop_distances(np.eye(20, k=1) + np.eye(20, k=-1)))
    [2, 3, 4, 5, 6, 7, 8, 10, 11, 13, 16, 19]
    """
    largest = int(_connected(distances).max()) + 1
    steps = 2.0 ** (np.arange(4, 4 * math.log2(largest + 1) + 1) / 4)
    return [size for size in dict.fromkeys(np.rint(steps).astype(int).tolist()) if size <= largest]


def _colour(close: _Mask, passes: int, rng: Generator, order: Counts | None = None) -> int:
    order = rng.permutation(len(close)) if order is None else order
    for tried in range(passes):
        colour = _first_fit(close, order)
        count = int(colour.max()) + 1
        # Classes kept together, in a new order, fit into as many colours at most.
        rank = rng.permutation(count) if tried % 2 else np.arange(count)[::-1]
        order = np.argsort(rank[colour], kind="stable")
    return count


def _first_fit(close: _Mask, order: Counts) -> Counts:
    """Each node in turn into the first box all of whose nodes are close to it."""
    fits, colour, count = np.zeros_like(close), np.empty(len(close), dtype=np.int64), 0
    for node in order:
        box = int(fits[:count, node].argmax()) if count else 0
        if count and fits[box, node]:
            fits[box] &= close[node]
        else:
            box, count = count, count + 1
            fits[box] = close[node]
        colour[node] = box
    return colour


def _burn(close: _Mask, rng: Generator) -> int:
    left, count = np.ones(len(close), dtype=bool), 0
    while left.any():
        # The next that still fits, in a random order, is a random one of those that still fit.
        fitting, count = rng.permutation(np.flatnonzero(left)), count + 1
        while len(fitting):
            node, fitting = fitting[0], fitting[1:]
            left[node] = False
            fitting = fitting[close[node, fitting]]
    return count


def _grow(within: _Mask, rng: Generator) -> int:
    left, count = np.ones(len(within), dtype=bool), 0
    for node in rng.permutation(len(within)):
        if left[node]:
            left &= ~within[node]
            count += 1
    return count


def _greedy(within: _Mask, rng: Generator) -> int:
    left, mass, count = np.ones(len(within), dtype=bool), within.sum(1), 0
    while left.any():
        ball = within[(mass + rng.random(len(mass))).argmax()] & left
        left, mass, count = left & ~ball, mass - within[ball].sum(0), count + 1
    return count


@dataclass(frozen=True)
class BoxDimension:
    """A box dimension, or why none is claimed; ``float()`` is NaN without a power law."""

    slope: float  #: of the log-log fit, its sign turned: d_B where a power law is claimed
    error: float  #: standard error of the slope; a lower bound, as sizes are not independent
    n: int  #: sizes in the fit
    window: tuple[int, int]  #: smallest and largest box size in the fit
    power_residual: float  #: root mean square of the residuals of log(N - 1) against log l
    exponential_residual: float  #: the same against l
    reason: str  #: "" where a power law is claimed, else what speaks against it

    @property
    def power_law(self) -> bool:
        return not self.reason

    def __float__(self) -> float:
        return self.slope if self.power_law else math.nan


def box_dimension(sizes: Sequence[int], boxes: Sequence[int]) -> BoxDimension:
    """d_B of N(l) ~ l^-d_B by least squares, if it is a power law rather than an exponential.

    N - 1 is fitted against l, as one box is left of a connected graph however large l is, over
    sizes of at least 5 hops and counts of at least 5 boxes, as below one step is more than a fifth.
    No power law is claimed from fewer than 4 sizes, over less than two octaves, where N does not
    fall, or where an exponential fits as well (Akaike's criterion: 2 in its favour are asked of the
    power law).

    >>> sizes = [2, 3, 4, 5, 6, 7, 8, 10, 11, 13, 16, 19, 23]
    >>> fit = box_dimension(sizes, [1 + 10_000 // l**2 for l in sizes])
    >>> round(float(fit), 1), fit.window
    (2.0, (5, 23))
    >>> box_dimension(sizes, [1 + 2 ** (14 - l // 2) for l in sizes]).reason
    'an exponential fits as well'

    Args:
        sizes, boxes: rising l, as from ``box_sizes``, and N(l), as from ``box_counts``.
    """
    side, N = checks.array("sizes", sizes, "(n,)"), checks.array("boxes", boxes, "(n,)")
    if not (np.diff(side) > 0).all() or side[0] < 1:
        raise checks.error("sizes", "rising sizes of at least 1", repr(list(sizes)))
    if side.shape != N.shape or (N < 1).any():
        raise checks.error("boxes", f"{len(side)} counts of at least 1", repr(list(boxes)))
    used = (side >= _LEAST) & (N >= _LEAST)
    x, y, n = side[used], np.log(N[used] - 1), int(used.sum())
    if n < 4:
        nan, reason = math.nan, f"{n} sizes in the window, 4 are needed"
        return BoxDimension(nan, nan, n, (0, 0), nan, nan, reason)
    log_x = np.log(x)
    axes = log_x, x / x[-1]
    power, exponential = (np.polyval(np.polyfit(axis, y, 1), axis) - y for axis in axes)
    errors = [max(float(residual @ residual), n * _EXACT**2) for residual in (power, exponential)]
    slope = -np.polyfit(log_x, y, 1)[0]
    error = math.sqrt(power @ power / (n - 2) / np.sum((log_x - log_x.mean()) ** 2))
    reason = ""
    if x[-1] / x[0] < _LEAST_RANGE:
        reason = f"sizes {x[0]:.0f} to {x[-1]:.0f} are less than two octaves"
    elif not y[-1] < y[0]:
        reason = f"{N[used][-1]:.0f} boxes of size {x[-1]:.0f} are no fewer than of size {x[0]:.0f}"
    elif not n * math.log(errors[1] / errors[0]) > 2:
        reason = "an exponential fits as well"
    window = (int(x[0]), int(x[-1]))
    rms, other = (float(np.sqrt(np.mean(residual**2))) for residual in (power, exponential))
    return BoxDimension(float(slope), error, n, window, rms, other, reason)
