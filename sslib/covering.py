"""Covers of graphs and of point sets by boxes, and the box dimension (Appendix A)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Covering:
    """The least number of boxes that cover D points lies from `lower` to `upper`, at each
    threshold.

    Attributes:
        theta: (T,) box sizes: in one box, no two points are further apart than theta (Eq. 7).
        lower, upper: (T,) int, between 1 and D, falling with theta; where they are equal, the
            number is known.
    """

    theta: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


def covering_numbers(C: Tensor | ArrayLike, theta: Tensor | ArrayLike) -> Covering:
    """Bounds on the covering number of the points behind C, which N_theta of Alg. 2 stands in for.

    From above by boxes that exist: complete linkage merges the two groups whose union is narrowest,
    so one tree gives a cover for every theta; taking the points in the tree's order, each into the
    first box it fits, may give a better one. From below by packings: points that are pairwise
    further apart than theta need a box each. They are picked greedily, the point with the fewest
    others within theta first. The covering number falls as theta grows, so a bound at one theta
    also holds on one side of it.

    Args:
        C: (D, D) symmetric distances with D >= 2, as from ``pair_distances``.
        theta: (T,) box sizes >= 0 in the unit of C, in any order.

    Raises:
        ValueError: C or theta is not as said above, or holds NaN or Inf.

    >>> line = np.arange(6.0)
    >>> cover = covering_numbers(abs(line[:, None] - line), [0, 1, 2, 5])
    >>> cover.lower.tolist(), cover.upper.tolist()
    ([6, 3, 2, 1], [6, 3, 2, 1])
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    C, theta = _symmetric("C", C), np.asarray(theta, dtype=np.float64)
    if not np.isfinite(C).all():
        raise ValueError(f"C of shape {C.shape} holds NaN or Inf; expected finite distances")
    if theta.ndim != 1 or not (np.isfinite(theta) & (theta >= 0)).all():
        raise ValueError(
            f"theta has shape {theta.shape}; expected (T,) finite numbers of at least 0"
        )
    tree = linkage(squareform(C, checks=False), "complete")
    leaves = leaves_list(tree)
    upper = len(C) - np.searchsorted(np.sort(tree[:, 2]), theta, side="right")
    lower = np.zeros_like(upper)
    for k, t in enumerate(theta):
        near = C <= t
        upper[k] = min(upper[k], _first_fit(near, leaves).max() + 1)
        lower[k] = _packing(near)
    order = np.argsort(theta)
    upper[order] = np.minimum.accumulate(upper[order])
    lower[order[::-1]] = np.maximum.accumulate(lower[order[::-1]])
    return Covering(theta, lower, upper)


def _packing(near: np.ndarray) -> int:
    """The size of a set of nodes of which no two are near, picked greedily."""
    left, degree, size = np.ones(len(near), dtype=bool), near.sum(1), 0
    while left.any():
        picked = np.where(left, degree, len(near) + 1).argmin()
        gone = near[picked] & left
        gone[picked] = True
        left &= ~gone
        degree = degree - near[gone].sum(0)
        size += 1
    return size


def _symmetric(name: str, matrix: Tensor | ArrayLike) -> np.ndarray:
    """(n, n) float64, n >= 2, non-negative, 0 on the diagonal."""
    matrix = np.asarray(
        matrix.detach().cpu() if isinstance(matrix, Tensor) else matrix, dtype=np.float64
    )
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] >= 2
    if (
        not square
        or not (matrix == matrix.T).all()
        or matrix.diagonal().any()
        or not (matrix >= 0).all()
    ):
        raise ValueError(
            f"{name} has shape {matrix.shape}; expected a symmetric (n, n) matrix, n >= 2, of numbers of at least 0, "
            "with 0 on the diagonal"
        )
    return matrix


#: How ``box_counts`` covers a graph.
COVERS = ("colouring", "burning", "growing")

# A side of fewer hops, or a count of fewer boxes, is too coarse for a slope: one more is over a
# fifth of it.
_LEAST = 5

# Smallest ratio of the largest to the smallest box size from which a power law is claimed: two
# octaves.
_LEAST_RANGE = 4.0


def hop_distances(A: Tensor | ArrayLike) -> np.ndarray:
    """Edges on the shortest path between any two nodes: (n, n) float64, Inf between components.

    A: (n, n) adjacency matrix, symmetric, 0 on the diagonal, n >= 2; whatever is not 0 is an edge.

    Raises ValueError for any other A.

    >>> hop_distances([[0, 1, 0], [1, 0, 0], [0, 0, 0]]).tolist()
    [[0.0, 1.0, inf], [1.0, 0.0, inf], [inf, inf, 0.0]]
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import shortest_path

    return shortest_path(csr_array(_symmetric("A", A) > 0), directed=False, unweighted=True)


def box_counts(
    distances: ArrayLike,
    sizes: Sequence[int],
    *,
    method: str = "colouring",
    passes: int = 10,
    seed: int = 0,
) -> np.ndarray:
    """How many boxes cover a graph, for each box size: (len(sizes),) int.

    A box of size l holds nodes less than l hops apart (Appendix A, where theta = 3 stands for two
    hops).

    - "colouring": greedy colouring of the graph that joins nodes l or more hops apart (Song et al.
      2007). It is repeated, colour by colour in a new order: that never takes more colours, and
      often fewer.
    - "burning": a box is filled with random nodes that are less than l hops from all in it, until
      none is left; then the next box (Song et al. 2007, compact-box burning).
    - "growing": a random node not yet covered takes all such nodes within (l - 1) // 2 hops.

    Args:
        distances: (n, n) hops, as from ``hop_distances``.
        sizes: whole numbers of at least 1.
        method: one of ``COVERS``.
        passes: at least 1; the fewest boxes of so many tries count, as N is a minimum.
        seed: of the random orders.

    Raises:
        ValueError: an argument is not as said above.

    >>> ring = hop_distances(np.roll(np.eye(8), 1, 0) + np.roll(np.eye(8), -1, 0))
    >>> box_counts(ring, [1, 2, 4, 5]).tolist()
    [8, 4, 2, 1]
    """
    distances = _symmetric("distances", distances)
    sizes = list(sizes)
    if method not in COVERS:
        raise ValueError(f"method is {method!r}; expected one of {COVERS}")
    if not sizes or not all(isinstance(size, int | np.integer) and size >= 1 for size in sizes):
        raise ValueError(f"sizes is {sizes!r}; expected whole numbers of at least 1")
    if not isinstance(passes, int) or passes < 1:
        raise ValueError(f"passes is {passes!r}; expected a whole number of at least 1")
    cover = {"colouring": _colour, "burning": _burn, "growing": _grow}[method]
    return np.array(
        [cover(distances, int(size), passes, np.random.default_rng(seed)) for size in sizes]
    )


def box_sizes(distances: ArrayLike) -> list[int]:
    """Box sizes from 2 hops up to the longest distance plus one, four to an octave, as a log-log
    fit weighs them.

    >>> box_sizes(hop_distances(np.eye(20, k=1) + np.eye(20, k=-1)))
    [2, 3, 4, 5, 6, 7, 8, 10, 11, 13, 16, 19]
    """
    distances = _symmetric("distances", distances)
    largest = int(distances[np.isfinite(distances)].max()) + 1
    steps = 2.0 ** (np.arange(4, 4 * math.log2(largest + 1) + 1) / 4)
    return [size for size in dict.fromkeys(np.rint(steps).astype(int).tolist()) if size <= largest]


def _colour(distances: np.ndarray, size: int, passes: int, rng: np.random.Generator) -> int:
    close = distances < size
    order = rng.permutation(len(close))
    for tried in range(passes):
        colour = _first_fit(close, order)
        count = int(colour.max()) + 1
        # Classes kept together, in a new order, fit into as many colours at most (Culberson's
        # iterated greedy).
        rank = rng.permutation(count) if tried % 2 else np.arange(count)[::-1]
        order = np.argsort(rank[colour], kind="stable")
    return count


def _first_fit(close: np.ndarray, order: np.ndarray) -> np.ndarray:
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


def _burn(distances: np.ndarray, size: int, passes: int, rng: np.random.Generator) -> int:
    close, fewest = distances < size, len(distances)
    for _ in range(passes):
        order, count = rng.permutation(len(close)), 0
        left = np.ones(len(close), dtype=bool)
        while left.any():
            candidates, count = left.copy(), count + 1
            for node in order[left[order]]:
                if candidates[node]:
                    candidates &= close[node]
                    left[node] = False
        fewest = min(fewest, count)
    return fewest


def _grow(distances: np.ndarray, size: int, passes: int, rng: np.random.Generator) -> int:
    within, fewest = distances <= (size - 1) // 2, len(distances)
    for _ in range(passes):
        left, count = np.ones(len(within), dtype=bool), 0
        for node in rng.permutation(len(within)):
            if left[node]:
                left &= ~within[node]
                count += 1
        fewest = min(fewest, count)
    return fewest


@dataclass(frozen=True)
class BoxDimension:
    """A box dimension, or why none is claimed; ``float()`` is the dimension, NaN without a power
    law.

    Attributes:
        slope: of the log-log fit, with its sign turned: d_B where a power law is claimed.
        error: standard error of the slope; neighbouring sizes are not independent, so it is a lower
            bound.
        n: sizes in the fit.
        window: smallest and largest box size in the fit.
        power_residual, exponential_residual: root mean square of the residuals of log(N - 1)
            against log l and l.
        reason: "" where a power law is claimed, else what speaks against it.
    """

    slope: float
    error: float
    n: int
    window: tuple[int, int]
    power_residual: float
    exponential_residual: float
    reason: str

    @property
    def power_law(self) -> bool:
        return not self.reason

    def __float__(self) -> float:
        return self.slope if self.power_law else math.nan


def box_dimension(sizes: Sequence[int], boxes: Sequence[int]) -> BoxDimension:
    """d_B of N(l) ~ l^-d_B by least squares, if it is a power law rather than an exponential.

    N - 1 is fitted against l, as one box is left however large l is. The window follows from the
    whole numbers alone: sizes of at least 5 hops and counts of at least 5 boxes, as below one step
    is more than a fifth. No power law is claimed from fewer than 4 sizes, over less than two
    octaves, or where an exponential fits the same points as well: Akaike's criterion, 2 in its
    favour asked of the power law.

    Args:
        sizes: box sizes l, rising whole numbers, as from ``box_sizes``.
        boxes: N(l), as from ``box_counts``.

    Raises:
        ValueError: the two differ in length, sizes do not rise from at least 1, boxes are less than
            1.

    >>> sizes = [2, 3, 4, 5, 6, 7, 8, 10, 11, 13, 16, 19, 23]
    >>> fit = box_dimension(sizes, [1 + 10_000 // l**2 for l in sizes])
    >>> round(float(fit), 1), fit.window, box_dimension(sizes, [1 + 2 ** (14 - l // 2) for l in sizes]).reason
    (2.0, (5, 23), 'an exponential fits as well')
    """
    l, N = np.asarray(sizes, dtype=np.float64), np.asarray(boxes, dtype=np.float64)
    if (
        l.ndim != 1
        or l.shape != N.shape
        or not (np.diff(l) > 0).all()
        or not (l >= 1).all()
        or not (N >= 1).all()
    ):
        raise ValueError(
            f"sizes and boxes have shapes {l.shape} and {N.shape}; expected as many rising sizes of at least 1 as "
            "counts of at least 1"
        )
    used = (l >= _LEAST) & (N >= _LEAST)
    l, y, n = l[used], np.log(N[used] - 1), int(used.sum())
    if n < 4:
        return BoxDimension(
            math.nan,
            math.nan,
            n,
            (0, 0),
            math.nan,
            math.nan,
            f"{n} sizes in the window, 4 are needed",
        )
    x = np.log(l)
    power, exponential = (np.polyval(np.polyfit(axis, y, 1), axis) - y for axis in (x, l))
    slope = -np.polyfit(x, y, 1)[0]
    error = math.sqrt(power @ power / (n - 2) / np.sum((x - x.mean()) ** 2))
    reason = ""
    if l[-1] / l[0] < _LEAST_RANGE:
        reason = f"sizes {l[0]:.0f} to {l[-1]:.0f} are less than two octaves"
    elif not n * math.log(max(exponential @ exponential, 1e-300) / max(power @ power, 1e-300)) > 2:
        reason = "an exponential fits as well"
    window = (int(l[0]), int(l[-1]))
    rms, other = (float(np.sqrt(np.mean(residual**2))) for residual in (power, exponential))
    return BoxDimension(float(slope), error, n, window, rms, other, reason)
