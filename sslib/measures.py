"""SS_rate beside other measures: a scale-free variant, ranks and dimensions, null models,
statistics of A_epsilon, and how much of a measure others explain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from sslib.rate import FORMULAS, pair_distances

#: What each measure of a feature matrix does not change with: "scale" (of F as a whole), "shift"
#: (one vector added to every channel), "rotation" (of the space of the images), "order" (of
#: channels and of images), "mixing" (an orthogonal mixture of channels), "offset" (a constant of
#: its own added to each channel).
PROPERTIES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "ss_rate": frozenset({"shift", "rotation", "order"}),
        "scale_free_rate": frozenset({"scale", "shift", "rotation", "order"}),
        "participation_ratio": frozenset({"scale", "shift", "rotation", "order"}),
        "effective_rank": frozenset({"scale", "shift", "rotation", "order"}),
        "two_nn": frozenset({"scale", "shift", "rotation", "order"}),
        "linear_cka": frozenset({"scale", "order", "mixing", "offset"}),
    }
)

#: Axes of ``scale_free_rate``.
AXES = ("mean", "log", "linear")
#: Null models of ``null_features``.
NULLS = ("gaussian", "shuffled", "one direction", "standardised", "whitened")

# Distances that differ by less are equal but for rounding.
_EQUAL = 1e-6


def scale_free_rate(
    F: Tensor, *, axis: str = "mean", formula: str = "released", thresholds: int = 256
) -> float:
    """SS_rate with the axis log(1 + theta) of Eq. 3-5 replaced by one on which the unit of F does
    not matter.

    Thresholds run from TZ to TV in equal steps of g(theta), and the line of Eq. 4 is straight in g:

    - "mean": g = log(1 + theta / m), m the mean distance of pairs i < j. SS_rate of F / m.
    - "log": g = log theta, as in N ~ theta^-d (Eq. 7). What SS_rate of c F tends to as c grows. NaN
      where two channels are equal, as log TZ does not exist.
    - "linear": g = theta. What SS_rate of c F tends to as c goes to 0.

    Args:
        F: (D, B) feature matrix.
        formula: "released" or "printed", for N_theta and the integral, as for ``ss_rate``.
        thresholds: T >= 2.

    Returns:
        A number from 0 to 1; NaN where all distances are equal, as for ``ss_rate``.

    Raises:
        ValueError: an argument is not as said above.

    >>> F = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    >>> [round(scale_free_rate(F, axis=axis), 4) for axis in AXES]
    [0.1536, 0.2461, 0.1753]
    """
    if axis not in AXES:
        raise ValueError(f"axis is {axis!r}; expected one of {AXES}")
    if formula not in FORMULAS:
        raise ValueError(f"formula is {formula!r}; expected one of {FORMULAS}")
    if not isinstance(thresholds, int) or thresholds < 2:
        raise ValueError(f"thresholds is {thresholds!r}; expected an integer of at least 2")
    D, pairs = len(F), np.sort(_pairs(F))
    low, high = pairs[0], pairs[-1]
    if not high - low > _EQUAL * high or (axis == "log" and low == 0):
        return math.nan
    mean = pairs.mean()
    g, back = {
        "mean": (lambda t: np.log1p(t / mean), lambda y: np.expm1(y) * mean),
        "log": (np.log, np.exp),
        "linear": (lambda t: t, lambda y: y),
    }[axis]
    theta = np.clip(back(np.linspace(g(low), g(high), thresholds)), low, high)
    below = np.searchsorted(pairs, theta, side="right" if formula == "printed" else "left")
    below[0], below[-1] = 0, np.searchsorted(pairs, high, side="left")
    p = below / len(pairs)
    if formula == "printed":
        boxes = 1 + (D - 1) * np.log(D - (D - 1) * p) / math.log(D)
    else:
        boxes = D - (D - 1) * np.log1p((D - 1) * p) / math.log(D)
    return rate_of_boxes(boxes, D, formula=formula)


def rate_of_boxes(boxes: ArrayLike, D: int, *, formula: str = "released") -> float:
    """SS_rate of any box numbers, such as true covering numbers, at thresholds uniform in log(1 +
    theta) (Eq. 3-4).

    boxes: (T,) from D to 1; formula: "released" averages abs(log N - line) over the thresholds,
    "printed" takes the trapezoid rule. Raises ValueError unless 1 <= boxes <= D and T >= 2.

    >>> rate_of_boxes([4, 2, 1], 4), round(rate_of_boxes([4, 4, 1], 4), 4)
    (0.0, 0.3333)
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    if (
        boxes.ndim != 1
        or len(boxes) < 2
        or not ((boxes >= 1 - 1e-9) & (boxes <= D * (1 + 1e-9))).all()
    ):
        raise ValueError(
            f"boxes has shape {boxes.shape}; expected (T,) numbers from 1 to D = {D}, T >= 2"
        )
    residual = np.abs(np.linspace(1, 0, len(boxes)) - np.log(boxes) / math.log(D))
    return float(
        2 * np.trapezoid(residual) / (len(boxes) - 1)
        if formula == "printed"
        else 2 * residual.mean()
    )


def effective_rank(F: Tensor) -> float:
    """How many directions the D channels spread over: exp of the entropy of their singular values'
    shares.

    The singular values are those of the channels as D points around their mean (Roy and Vetterli
    2007); 1 is a line, min(D - 1, B) a cloud as wide in every direction. Weak directions count for
    more than in ``graph.participation_ratio``. NaN where all channels are equal.

    F: (D, B). Raises ValueError unless it is a finite matrix with D >= 2.

    >>> round(effective_rank(torch.tensor([[0.0, 0.0], [1.0, 1.0], [3.0, 3.0]])), 6)
    1.0
    """
    F = _double(F)
    values = torch.linalg.svdvals(F - F.mean(0)).numpy()
    if not values.any():
        return math.nan
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def two_nn(F: Tensor, *, discard: float = 0.1) -> float:
    """Intrinsic dimension of the channels as D points, from each one's two nearest neighbours
    (Facco et al. 2017).

    The ratio m of the second to the first distance has log P(m > x) = -d log x; d is the
    least-squares slope through the origin over all but the largest ratios. A channel equal to
    another has no ratio and is left out.

    Args:
        F: (D, B) feature matrix.
        discard: the share of largest ratios left out, from 0 up to 1.

    Returns:
        d; NaN where fewer than 10 ratios are left.

    Raises:
        ValueError: F or discard is not as said above.

    >>> round(two_nn(torch.rand(2000, 2, generator=torch.Generator().manual_seed(0))), 1)
    2.0
    """
    if not 0 <= discard < 1:
        raise ValueError(f"discard is {discard!r}; expected a share from 0 up to 1")
    C = pair_distances(F).cpu().double().fill_diagonal_(math.inf)
    nearest = C.topk(2, largest=False).values.numpy()
    nearest = nearest[nearest[:, 0] > 0]
    log_ratio = np.sort(np.log(nearest[:, 1] / nearest[:, 0]))
    n = len(log_ratio)
    kept = int(n * (1 - discard))
    if kept < 10:
        return math.nan
    x, y = log_ratio[:kept], -np.log1p(-np.arange(1, kept + 1) / (n + 1))
    return float(x @ y / (x @ x)) if x.any() else math.nan


def linear_cka(F: Tensor, G: Tensor) -> float:
    """Linear centred kernel alignment of two layers' responses to the same images, 0 to 1
    (Kornblith et al. 2019).

    F, G: (D, B) and (D', B). 1 where one is an orthogonal mixture of the other's channels, whatever
    their scale. NaN where a layer's channels are all constant. Raises ValueError unless both are
    matrices with the same B >= 2.

    >>> F = torch.randn(5, 20, generator=torch.Generator().manual_seed(0))
    >>> round(linear_cka(F, 3 * F.flip(0) + 1), 6)
    1.0
    """
    F, G = torch.as_tensor(F), torch.as_tensor(G)
    if F.ndim != 2 or G.ndim != 2 or F.shape[1] != G.shape[1] or F.shape[1] < 2:
        raise ValueError(
            f"F and G have shapes {tuple(F.shape)} and {tuple(G.shape)}; expected (D, B) with the same B >= 2"
        )
    return cka_of_grams(
        *(
            X.double().T @ X.double()
            for X in (F - F.mean(1, keepdim=True), G - G.mean(1, keepdim=True))
        )
    )


def cka_of_grams(K: Tensor | ArrayLike, L: Tensor | ArrayLike) -> float:
    """``linear_cka`` from the Gram matrices of the images: (B, B) products of any features, such as
    whole activations.

    K, L: symmetric, of the same images, centred or not. Raises ValueError unless both are (B, B)
    with the same B >= 2.

    >>> F = torch.randn(5, 20, generator=torch.Generator().manual_seed(0))
    >>> round(cka_of_grams(F.T @ F, 4 * F.T @ F), 6)
    1.0
    """
    K, L = (torch.as_tensor(M).detach().cpu().double() for M in (K, L))
    if K.ndim != 2 or K.shape[0] != K.shape[1] or K.shape != L.shape or len(K) < 2:
        raise ValueError(
            f"K and L have shapes {tuple(K.shape)} and {tuple(L.shape)}; expected (B, B) with the same B >= 2"
        )
    K, L = (M - M.mean(0) - M.mean(1, keepdim=True) + M.mean() for M in (K, L))
    return float((K * L).sum() / (K.norm() * L.norm()))


def gaussian_features(D: int, B: int, mean_distance: float, *, seed: int = 0) -> Tensor:
    """Independent normal numbers, (D, B) float64, scaled so that pairs of rows are `mean_distance`
    apart on average.

    The distance is that of ``pair_distances``. D >= 2.

    >>> F = gaussian_features(20, 30, 0.5)
    >>> F.shape, round(float(pair_distances(F).sum() / (20 * 19)), 6)
    (torch.Size([20, 30]), 0.5)
    """
    noise = torch.randn((D, B), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return noise * (mean_distance / _pairs(noise).mean())


def null_features(F: Tensor, kind: str, *, seed: int = 0) -> Tensor:
    """Features of the same shape and the same mean pair distance as F, but without some of its
    structure.

    - "gaussian": independent normal numbers.
    - "shuffled": the channels' values shuffled anew within each image: the histogram of each image
      stays.
    - "one direction": each channel keeps only its place along the widest direction of the channels:
      D points on a line.
    - "standardised": each channel with mean 0 and variance 1 over the images; distances then are
      those of correlations alone. A constant channel becomes 0.
    - "whitened": the channels as points, stretched to the same width in all directions they have.
      With D - 1 such directions all distances are equal, and SS_rate does not exist.

    Args:
        F: (D, B) feature matrix, not all channels equal.
        kind: one of ``NULLS``.
        seed: of the random numbers of the first two.

    Returns:
        (D, B) float64.

    Raises:
        ValueError: an argument is not as said above.

    >>> F = torch.tensor([[0.0, 1.0], [1.0, 2.0], [3.0, 0.0]])
    >>> null_features(F, "shuffled").shape
    torch.Size([3, 2])
    """
    if kind not in NULLS:
        raise ValueError(f"kind is {kind!r}; expected one of {NULLS}")
    mean = _pairs(F).mean()
    if not mean > 0:
        raise ValueError(
            f"F of shape {tuple(F.shape)} has equal channels only; expected some to differ"
        )
    if kind == "gaussian":
        return gaussian_features(F.shape[0], F.shape[1], float(mean), seed=seed)
    F = _double(F)
    generator = torch.Generator().manual_seed(seed)
    if kind == "shuffled":
        null = F.gather(0, torch.rand(F.shape, generator=generator).argsort(0))
    elif kind == "standardised":
        centred = F - F.mean(1, keepdim=True)
        width = centred.norm(dim=1, keepdim=True) / math.sqrt(F.shape[1])
        null = torch.where(width > _EQUAL * width.max(), centred / width, 0)
    else:
        U, S, V = torch.linalg.svd(F - F.mean(0), full_matrices=False)
        S = (
            torch.where(torch.arange(len(S)) == 0, S, 0)
            if kind == "one direction"
            else (S > _EQUAL * S[0]).double()
        )
        null = (U * S) @ V
    return null * (mean / _pairs(null).mean())


def adjacency_at(C: Tensor, density: float) -> np.ndarray:
    """A_epsilon of Eq. 1 at the epsilon that joins a share `density` of all pairs, as closely as
    ties allow.

    C: (D, D) distances, D >= 3, as from ``pair_distances``; density: between 0 and 1. Returns (D,
    D) bool, False on the diagonal. Raises ValueError for any other C or density.

    >>> adjacency_at(pair_distances(torch.tensor([[0.0], [1.0], [3.0]])), 0.4).astype(int).tolist()
    [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    """
    C = np.asarray(torch.as_tensor(C).detach().cpu(), dtype=np.float64)
    if C.ndim != 2 or C.shape[0] != C.shape[1] or len(C) < 3 or not np.isfinite(C).all():
        raise ValueError(
            f"C has shape {C.shape}; expected a finite (D, D) matrix of distances, D >= 3"
        )
    if not 0 < density < 1:
        raise ValueError(f"density is {density!r}; expected a share between 0 and 1")
    pairs = np.sort(C[np.triu_indices(len(C), 1)])
    asked = round(density * len(pairs))
    A = C <= pairs[asked - 1] if asked else np.zeros(C.shape, dtype=bool)
    np.fill_diagonal(A, False)
    return A


def graph_statistics(
    C: Tensor, density: float, *, draws: int = 5, seed: int = 0
) -> dict[str, float]:
    """A_epsilon at the epsilon that joins a share `density` of all pairs, beside random graphs with
    as many edges.

    Args:
        C: (D, D) distances with D >= 3, as from ``pair_distances``; the share is met as closely as
            ties allow.
        density: from 0 to 1, both excluded.
        draws: random graphs (Erdős and Rényi's, of D nodes and the same number of edges) to average
            over.
        seed: of these.

    Returns:
        "density" as met; "degree", mean, and "degree_cv", standard deviation over mean;
        "clustering", the mean over nodes of the share of joined neighbours; "largest", the share of
        nodes in the largest component; "path", the mean number of edges between two of its nodes;
        "random_clustering" and "random_path", the same of the random graphs; "sigma", (clustering /
        random_clustering) / (path / random_path), above 1 in a small world (Humphries and Gurney
        2008). NaN where undefined.

    Raises:
        ValueError: an argument is not as said above.

    >>> C = pair_distances(torch.rand(60, 2, generator=torch.Generator().manual_seed(0)))
    >>> found = graph_statistics(C, 0.2)
    >>> round(found["density"], 2), found["sigma"] > 1
    (0.2, True)
    """
    A = adjacency_at(C, density)
    i, j = np.triu_indices(len(A), 1)
    joined, degree = A[i, j], A.sum(1)
    clustering, largest, path = _clustering_and_path(A)
    rng, random = np.random.default_rng(seed), []
    for _ in range(draws):
        R = np.zeros(A.shape, dtype=bool)
        drawn = rng.choice(len(i), int(joined.sum()), replace=False)
        R[i[drawn], j[drawn]] = True
        random.append(_clustering_and_path(R | R.T))
    random_clustering, _, random_path = np.mean(random, axis=0) if random else (math.nan,) * 3
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = np.float64(clustering) / random_clustering / (path / random_path)
    return {
        "density": float(joined.mean()),
        "degree": float(degree.mean()),
        "degree_cv": float(degree.std() / degree.mean()) if degree.any() else math.nan,
        "clustering": clustering,
        "largest": largest,
        "path": path,
        "random_clustering": float(random_clustering),
        "random_path": float(random_path),
        "sigma": float(sigma) if np.isfinite(sigma) else math.nan,
    }


def _clustering_and_path(A: np.ndarray) -> tuple[float, float, float]:
    """Mean local clustering, share of nodes in the largest component, mean path within it."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components, shortest_path

    edges = A.astype(np.float32)
    closed = ((edges @ edges) * edges).sum(1, dtype=np.float64)
    degree = A.sum(1)
    clustering = float(np.mean(closed / np.maximum(degree * (degree - 1), 1)))
    labels = connected_components(csr_array(A))[1]
    inside = labels == np.bincount(labels).argmax()
    size = int(inside.sum())
    if size < 2:
        return clustering, size / len(A), math.nan
    hops = shortest_path(csr_array(A[np.ix_(inside, inside)]), unweighted=True)
    return clustering, size / len(A), float(hops.sum() / (size * (size - 1)))


@dataclass(frozen=True)
class Explained:
    """How much of a measure others explain, by ordinary least squares with an intercept.

    Attributes:
        r2: share of the variance explained.
        interval: of r2, 95 %, from resampling whole groups.
        r2_left_out: the same for groups that the fit has not seen, each left out once; can be
            negative.
        residual: standard deviation of what is left, in the unit of the measure.
        coefficients: per explaining column, in units of the measure per standard deviation of the
            column.
        n, groups: rows and groups.
    """

    r2: float
    interval: tuple[float, float]
    r2_left_out: float
    residual: float
    coefficients: dict[str, float]
    n: int
    groups: int


def explained(
    table: pd.DataFrame,
    target: str,
    by: Sequence[str],
    group: str,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Explained:
    """How much of a column others explain, with an interval that allows for rows of one group being
    alike.

    Args:
        table: one row per layer, say; rows with a NaN in a column that is used are left out.
        target, by: the column to explain, and those to explain it by, all numbers.
        group: the column of the groups, such as the network a layer belongs to; at least 3.
        resamples: draws of groups with replacement, for the interval.

    Raises:
        ValueError: a column is missing, or too few rows or groups are left.

    >>> table = pd.DataFrame({"x": range(12), "net": list("abcd") * 3}).assign(y=lambda t: 2.0 * t["x"])
    >>> found = explained(table, "y", ["x"], "net")
    >>> round(found.r2, 6), found.n, found.groups
    (1.0, 12, 4)
    """
    missing = [column for column in (target, *by, group) if column not in table]
    if missing:
        raise ValueError(f"columns {missing} are not in the table, which has {list(table.columns)}")
    table = table[[target, *by, group]].dropna()
    codes, names = pd.factorize(table[group])
    if len(names) < 3 or len(table) <= len(by) + 2:
        raise ValueError(
            f"{len(table)} rows of {len(names)} groups are left; expected at least {len(by) + 3} of 3"
        )
    y = table[target].to_numpy(dtype=np.float64)
    X = table[list(by)].to_numpy(dtype=np.float64)
    X = np.column_stack([np.ones(len(X)), (X - X.mean(0)) / X.std(0)])

    def fit(rows: np.ndarray) -> np.ndarray:
        return np.linalg.lstsq(X[rows], y[rows], rcond=None)[0]

    def score(rows: np.ndarray) -> float:
        left = y[rows] - X[rows] @ fit(rows)
        return 1 - left @ left / max(np.sum((y[rows] - y[rows].mean()) ** 2), 1e-300)

    members = [np.flatnonzero(codes == k) for k in range(len(names))]
    rng = np.random.default_rng(seed)
    drawn = [
        score(np.concatenate([members[k] for k in rng.integers(0, len(names), len(names))]))
        for _ in range(resamples)
    ]
    everything = np.arange(len(y))
    coefficients = fit(everything)
    left_out = np.concatenate(
        [y[rows] - X[rows] @ fit(np.setdiff1d(everything, rows)) for rows in members]
    )
    spread = np.sum((y - y.mean()) ** 2)
    return Explained(
        r2=float(score(everything)),
        interval=tuple(float(q) for q in np.quantile(drawn, [0.025, 0.975]))
        if drawn
        else (math.nan, math.nan),
        r2_left_out=float(1 - left_out @ left_out / spread),
        residual=float((y - X @ coefficients).std(ddof=len(coefficients))),
        coefficients=dict(zip(by, map(float, coefficients[1:]))),
        n=len(y),
        groups=len(names),
    )


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation of two columns, and its 95 % interval from resampling whole
    groups.
    """

    rho: float
    interval: tuple[float, float]
    n: int

    def __str__(self) -> str:
        return f"{self.rho:.2f} [{self.interval[0]:.2f}, {self.interval[1]:.2f}]"


def rank_correlation(
    table: pd.DataFrame, x: str, y: str, group: str, *, resamples: int = 1000, seed: int = 0
) -> RankCorrelation:
    """Whether two columns put the rows in the same order, with an interval that allows for alike
    rows of one group.

    Rows with a NaN in either column are left out. Raises ValueError if a column is missing or fewer
    than 3 groups are left.

    >>> table = pd.DataFrame({"x": range(12), "net": list("abcd") * 3}).assign(y=lambda t: t["x"] ** 2)
    >>> str(rank_correlation(table, "x", "y", "net"))
    '1.00 [1.00, 1.00]'
    """
    missing = [column for column in (x, y, group) if column not in table]
    if missing:
        raise ValueError(f"columns {missing} are not in the table, which has {list(table.columns)}")
    table = table[[x, y, group]].dropna()
    codes, names = pd.factorize(table[group])
    if len(names) < 3:
        raise ValueError(
            f"{len(table)} rows of {len(names)} groups are left; expected at least 3 groups"
        )

    def rho(rows: np.ndarray) -> float:
        ranks = [table[column].iloc[rows].rank().to_numpy() for column in (x, y)]
        return float(np.corrcoef(*ranks)[0, 1]) if all(np.ptp(r) > 0 for r in ranks) else math.nan

    members, rng = (
        [np.flatnonzero(codes == k) for k in range(len(names))],
        np.random.default_rng(seed),
    )
    drawn = [
        rho(np.concatenate([members[k] for k in rng.integers(0, len(names), len(names))]))
        for _ in range(resamples)
    ]
    interval = (
        tuple(float(q) for q in np.nanquantile(drawn, [0.025, 0.975]))
        if drawn
        else (math.nan, math.nan)
    )
    return RankCorrelation(rho(np.arange(len(table))), interval, len(table))


def _pairs(F: Tensor) -> np.ndarray:
    """Distances of pairs i < j, float64."""
    C = pair_distances(F).cpu().double().numpy()
    return C[np.triu_indices(len(C), 1)]


def _double(F: Tensor) -> Tensor:
    F = torch.as_tensor(F).detach().cpu().double()
    if F.ndim != 2 or len(F) < 2 or F.shape[1] < 1 or not torch.isfinite(F).all():
        raise ValueError(
            f"F has shape {tuple(F.shape)}; expected (D, B) finite numbers with D >= 2 channels"
        )
    return F
