"""Geometric invariance: correlation dimension and fluctuation over layers (Appendix C, Eq. 15-19)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import ArrayLike

from sslib.checks import _array, _check_estimator, _layers

#: UMAP as the authors' command line has it by default; ``umap_points(x, metric=...,
#: **RELEASED_UMAP)``.
RELEASED_UMAP: Mapping[str, float] = MappingProxyType(
    {"n_components": 30, "n_neighbors": 20, "min_dist": 0.05, "seed": 42}
)

_SMALLEST_DIMENSION = 1e-3  # the released pipeline drops dimensions up to this one

_PER_OCTAVE, _OCTAVES = 64, 52  # histogram of log2 distances

_CHUNK = 2**21  # pair distances (or matrix entries) held at once

_EXACT = "donot_use_mm_for_euclid_dist"  # differences, not an expanded square: small distances stay exact

_GROUPS = 16  # of the jackknife

_NEIGHBOURS, _UPPER_SHARE = 0.5, 0.02  # the scaling region, see correlation_dimension

_RELEASED_RADII = np.logspace(-3, 0.5, 40)

_RELEASED_NEIGHBOURS = 29


@dataclass(frozen=True, eq=False)
class CorrelationDimension:
    """Slope of log T(r) against log r over the region; ``float()`` is the dimension.

    region: smallest and largest r of the fit. n_radii: radii in it. The fitted line is log T =
    intercept + dimension·log r. radii, integral: r and T(r) wherever T(r) > 0, for drawing.
    standard_error: "printed", a jackknife over 16 groups of points (NaN for a handful of points);
    "released", that of the least squares: too small, since it takes the cumulative T(r) as
    independent.
    """

    dimension: float
    standard_error: float
    n: int
    n_radii: int
    region: tuple[float, float]
    intercept: float
    radii: np.ndarray = field(repr=False)
    integral: np.ndarray = field(repr=False)
    estimator: str

    def __float__(self) -> float:
        return self.dimension


def correlation_dimension(
    points: ArrayLike | torch.Tensor, *, estimator: str = "printed"
) -> CorrelationDimension:
    """Correlation dimension: slope of the correlation integral T(r) on log-log axes (Eq. 16–18).

    points: (N, d), N >= 3, any unit.

    "printed": T(r) over all pairs (Grassberger–Procaccia), r in steps of 1/64 octave. The scaling
    region is read off the data: from the r at which a point has half a neighbour on average, T =
    0.5/(N-1), to the r that holds 2 % of the pairs (ten times the lower T where N is small); least
    squares over it. So the estimate does not depend on the points' unit. The rule's two numbers
    were chosen among 20 pairs on the line, the Swiss roll, the Cantor set and the Hénon map: a tie
    for the smallest worst error, 2.1 % (rms of 10 draws; 3.5 % for the worst pair). The other four
    sets had no say; their errors are 1.5 % (square), 0.9 % (Sierpinski triangle), 1.2 % (Lorenz
    attractor) and 6.4 % (5-ball: edges make the estimate too low in high dimensions, which the
    standard error does not know). Memory O(N·d), never the N x N matrix.

    "released": T(r) counts each point's 29 nearest neighbours only, at 40 fixed r from 10^-3 to
    10^0.5, and the line is fitted to the middle half of those with T(r) > 0. Depends on the points'
    unit, and saturates. (Above 3,000 points the released code draws a random 3,000 of them; here
    all are used.)

    NaN with a warning: all points equal, no scaling region (or so many equal points that it would
    start at r = 0). ValueError: not (N, d), N < 3, NaN or infinite values, unknown estimator.

    >>> square = np.random.default_rng(0).random((1000, 2))
    >>> [round(float(correlation_dimension(unit * square)), 2) for unit in (0.01, 1, 100)]
    [1.93, 1.93, 1.93]
    >>> round(float(correlation_dimension(0.01 * square, estimator="released")), 2)
    0.0
    """
    fit, reason = _dimension("points", points, estimator)
    if reason:
        warnings.warn(f"correlation dimension is NaN: {reason}", stacklevel=2)
    return fit


def _dimension(
    name: str, points: ArrayLike | torch.Tensor, estimator: str
) -> tuple[CorrelationDimension, str]:
    """The fit, and why it is NaN (empty if it is not)."""
    _check_estimator(estimator)
    x = _array(name, points, 2, "(N, d)", smallest=3)
    return _all_pairs(x) if estimator == "printed" else _nearest_neighbours(x)


def _no_dimension(
    n: int, estimator: str, reason: str, radii: ArrayLike = (), integral: ArrayLike = ()
) -> tuple[CorrelationDimension, str]:
    nan = math.nan
    return CorrelationDimension(
        nan, nan, n, 0, (nan, nan), nan, np.asarray(radii), np.asarray(integral), estimator
    ), reason


def _all_pairs(x: np.ndarray) -> tuple[CorrelationDimension, str]:
    n = len(x)
    scale = 2 * float(np.linalg.norm(x - x.mean(axis=0), axis=1).max())  # no distance is larger
    if np.ptp(x, axis=0).max() == 0:
        return _no_dimension(n, "printed", f"all {n} points are equal")
    counts, by_group, sizes = _pair_counts(torch.from_numpy(x), scale)
    # The histogram runs from large r to small, so T(r) sums it from its end; the last bin is r = 0.
    T = counts[::-1].cumsum()[::-1] / (n * (n - 1) / 2)
    radii = scale * 2.0 ** (-np.arange(len(T)) / _PER_OCTAVE)
    lower = _NEIGHBOURS / (n - 1)
    upper = max(_UPPER_SHARE, 10 * lower)
    shown = T > 0
    curve = radii[shown][::-1], T[shown][::-1]
    if T[-1] >= lower:
        return _no_dimension(n, "printed", f"{counts[-1]} pairs of {n} points coincide", *curve)
    fitted = np.flatnonzero((T >= lower) & (T <= upper) & (T < 1))
    if len(fitted) < 3 or T[fitted[0]] == T[fitted[-1]]:
        return _no_dimension(n, "printed", f"{n} points show no scaling region", *curve)

    log_r = np.log(radii[fitted])
    slope, intercept = np.polyfit(log_r, np.log(T[fitted]), 1)
    # Jackknife: the same fit without each group of points.
    without = (counts - by_group)[:, ::-1].cumsum(axis=1)[:, ::-1][:, fitted]
    left = n - sizes
    with np.errstate(divide="ignore", invalid="ignore"):
        log_T = np.log(without / (left * (left - 1) / 2)[:, None])
        centred = log_r - log_r.mean()
        slopes = log_T @ centred / (centred @ centred)
        error = math.sqrt((len(sizes) - 1) * np.var(slopes))
    return CorrelationDimension(
        float(slope),
        error,
        n,
        len(fitted),
        (float(radii[fitted[-1]]), float(radii[fitted[0]])),
        float(intercept),
        *curve,
        "printed",
    ), ""


def _pair_counts(x: torch.Tensor, scale: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Histograms of -log2(distance/scale): of all pairs, of those with a member in each group;
    group sizes.

    Point i belongs to group i mod 16. Distances come in blocks of at most _CHUNK.
    """
    bins = _PER_OCTAVE * _OCTAVES + 1
    groups = min(_GROUPS, len(x))
    parts = [x[g::groups] for g in range(groups)]
    sizes = np.array([len(part) for part in parts])
    starts = np.cumsum(sizes) - sizes
    x = torch.cat(parts)
    offsets = np.repeat(np.arange(groups) * bins, sizes)
    by_group = np.zeros((groups, bins), dtype=np.int64)
    counts = np.zeros(bins, dtype=np.int64)
    for a, start in enumerate(starts.tolist()):
        pairs = np.zeros(groups * bins, dtype=np.int64)
        for rows in parts[a].split(max(1, _CHUNK // (len(x) - start))):
            depth = torch.cdist(rows, x[start:], compute_mode=_EXACT).numpy()
            depth /= scale
            with np.errstate(divide="ignore"):  # log2(0) goes into the last bin
                np.log2(depth, out=depth)
            depth *= -_PER_OCTAVE
            np.clip(depth, 0, bins - 1, out=depth)
            pairs += np.bincount(
                (depth.astype(np.int64) + offsets[start:]).ravel(), minlength=len(pairs)
            )
        pairs = pairs.reshape(groups, bins)  # of group a with each group from a on
        pairs[a, -1] -= sizes[a]  # each point's distance to itself
        pairs[a] //= 2  # within the group, every pair came twice
        together = pairs.sum(axis=0)
        counts += together
        by_group += pairs
        by_group[a] += together - pairs[a]
    return counts, by_group, sizes


def _nearest_neighbours(x: np.ndarray) -> tuple[CorrelationDimension, str]:
    n = len(x)
    if np.ptp(x, axis=0).max() == 0:
        return _no_dimension(n, "released", f"all {n} points are equal")
    k = min(_RELEASED_NEIGHBOURS, n - 1)
    points = torch.from_numpy(x)
    near = torch.empty(n, k, dtype=torch.float64)
    step = max(1, _CHUNK // n)
    for start in range(0, n, step):
        distances = torch.cdist(points[start : start + step], points, compute_mode=_EXACT)
        # The nearest is the point itself.
        near[start : start + step] = distances.topk(k + 1, largest=False).values[:, 1:]
    below = np.searchsorted(
        np.sort(near.numpy(), axis=None), _RELEASED_RADII
    )  # neighbours with distance < r
    T = below / n / (n - 1)
    radii, T = _RELEASED_RADII[T > 0], T[T > 0]
    m = len(T)
    if m < 2:
        return _no_dimension(
            n, "released", f"T(r) > 0 at {m} of the 40 radii, expected at least 2", radii, T
        )
    fitted = slice(m // 4, 3 * m // 4) if m > 5 else slice(None)
    log_r, log_T = np.log(radii[fitted]), np.log(T[fitted])
    slope, intercept = np.polyfit(log_r, log_T, 1)
    residuals = log_T - intercept - slope * log_r
    free = len(log_r) - 2
    variance = (
        residuals @ residuals / free / np.sum((log_r - log_r.mean()) ** 2) if free else math.nan
    )
    return CorrelationDimension(
        max(float(slope), 0.0),
        math.sqrt(variance),
        n,
        len(log_r),
        (float(radii[fitted][0]), float(radii[fitted][-1])),
        float(intercept),
        radii,
        T,
        "released",
    ), ""


def fluctuation(dimensions: Iterable[float]) -> float:
    """Δ = (max - min)/mean of the layers' correlation dimensions (Eq. 19).

    dimensions: at least 2 numbers (or records) with a positive mean. ValueError: fewer (one layer
    would give 0, which means perfect invariance), NaN or infinite values, mean not positive.

    >>> fluctuation([1.0, 2.0, 3.0])
    1.0
    """
    values = _array(
        "dimensions", [float(value) for value in dimensions], 1, "(layers,)", smallest=2
    )
    if values.mean() <= 0:
        raise ValueError(f"dimensions: expected a positive mean, got {values.mean():.3g}")
    return float(np.ptp(values) / values.mean())


@dataclass(frozen=True, eq=False)
class GeometricInvariance:
    """Fluctuation Δ of the layers' dimensions (Eq. 19); ``float()`` is Δ. skipped: layers left out
    of it.
    """

    delta: float
    layers: dict[str, CorrelationDimension]
    skipped: tuple[str, ...]
    estimator: str

    def __float__(self) -> float:
        return self.delta


def geometric_invariance(
    points: Mapping[str, ArrayLike | torch.Tensor], *, estimator: str = "printed"
) -> GeometricInvariance:
    """Δ, the fluctuation of the layers' correlation dimensions (Eq. 15–19, Table 5).

    points: layer name -> (N, d) points, as :func:`umap_points` returns them. Smaller means more
    invariant. A layer is left out, with a warning that names it, where its dimension does not
    exist; "released" also leaves out dimensions up to 0.001. Fewer than 2 layers left: NaN, warned
    (the released code has 0 there).

    >>> rng = np.random.default_rng(0)
    >>> result = geometric_invariance({"line": rng.random((500, 1)), "square": rng.random((500, 2))})
    >>> round(float(result), 1), round(result.layers["square"].dimension, 1)
    (0.6, 1.9)
    """
    fits, skipped = {}, []
    for name, x in _layers("points", points).items():
        fit, reason = _dimension(f"points[{name!r}]", x, estimator)
        if not reason and estimator == "released" and fit.dimension <= _SMALLEST_DIMENSION:
            reason = (
                f"dimension {fit.dimension:.2g}, the released estimator drops those up to 0.001"
            )
        if reason:
            warnings.warn(f"layer {name!r} left out of Δ: {reason}", stacklevel=2)
            skipped.append(name)
        else:
            fits[name] = fit
    delta = math.nan
    if len(fits) < 2:
        warnings.warn(
            f"Δ is NaN: {len(fits)} of {len(points)} layers have a dimension", stacklevel=2
        )
    else:
        delta = fluctuation(fits.values())
    return GeometricInvariance(delta, fits, tuple(skipped), estimator)


def umap_points(
    data: ArrayLike | torch.Tensor,
    *,
    n_components: int,
    n_neighbors: int,
    min_dist: float,
    seed: int,
    metric: str = "euclidean",
) -> np.ndarray:
    """Points in n_components dimensions by UMAP (Eq. 15): (N, n_components) float32, the same for
    one seed.

    data: (N, d) features, or (N, N) distances with ``metric="precomputed"``
    (:func:`gram_distances`). min_dist: in (0, 1]. :data:`RELEASED_UMAP` holds the released values
    of the four parameters without a default. Everything else is umap-learn's default. Needs
    umap-learn; the first call imports it (seconds). ValueError: wrong rank, NaN or infinite values,
    N not above n_neighbors and n_components + 1, distances not square.
    """
    x = _array("data", data, 2, "(N, d)")
    smallest = max(n_neighbors, n_components + 1) + 1
    if len(x) < smallest:
        raise ValueError(
            f"data: n_neighbors={n_neighbors}, n_components={n_components} need at least {smallest} samples, "
            f"got shape {x.shape}"
        )
    if metric == "precomputed" and x.shape[0] != x.shape[1]:
        raise ValueError(
            f"data: expected (N, N) distances with metric='precomputed', got shape {x.shape}"
        )
    from umap import UMAP  # heavy: numba

    with warnings.catch_warnings():
        # Only says that new points cannot be placed later.
        warnings.filterwarnings("ignore", message="using precomputed metric")
        return UMAP(
            n_components=n_components,
            n_neighbors=n_neighbors,
            min_dist=min_dist,
            metric=metric,
            random_state=seed,
            n_jobs=1,
        ).fit_transform(x)
