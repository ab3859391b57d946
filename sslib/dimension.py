"""Geometric invariance: correlation dimensions and their fluctuation (Appendix C, Eq. 15 to 19)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import SupportsFloat

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sslib import checks
from sslib.checks import ESTIMATORS, Array, Counts, Layers, Values

#: UMAP as the authors' command line has it by default; ``umap_points(x, metric=...,
#: **RELEASED_UMAP)``.
RELEASED_UMAP: Mapping[str, float] = MappingProxyType(
    {"n_components": 30, "n_neighbors": 20, "min_dist": 0.05, "seed": 42}
)

_PER_OCTAVE, _OCTAVES = 64, 52  # histogram of log2 distances
_CHUNK = 2**21  # pair distances held at once
_EXACT = "donot_use_mm_for_euclid_dist"  # differences: small distances stay exact
_GROUPS = 16  # of the jackknife
_NEIGHBOURS, _UPPER_SHARE = 0.5, 0.02  # the scaling region, see correlation_dimension
_RELEASED_RADII, _RELEASED_NEIGHBOURS = np.logspace(-3, 0.5, 40), 29


@dataclass(frozen=True, eq=False)
class CorrelationDimension:
    """Slope of log T(r) against log r over the region; ``float()`` is the dimension."""

    dimension: float  #: NaN where there is no scaling region
    #: "printed": a jackknife over 16 groups of points (NaN for a handful of points). "released":
    #: that of the least squares, too small, since it takes the cumulative T(r) as independent.
    standard_error: float
    n: int  #: points
    n_radii: int  #: radii in the fit
    region: tuple[float, float]  #: smallest and largest r of the fit
    intercept: float  #: the fitted line is log T = intercept + dimension * log r
    radii: Array = field(repr=False)  #: r wherever T(r) > 0
    integral: Array = field(repr=False)  #: T(r) there
    estimator: str

    def __float__(self) -> float:
        return self.dimension


def correlation_dimension(points: Values, *, estimator: str = "printed") -> CorrelationDimension:
    """Slope (Eq. 18) of the correlation integral T(r) (Eq. 17) of the pair distances (Eq. 16).

    Of points (N, d), N >= 3, in any unit.

    "printed": T(r) over all pairs (Grassberger–Procaccia), r in steps of 1/64 octave. The scaling
    region is read off the data: from the r at which a point has half a neighbour on average, T =
    0.5/(N-1), to the r that holds 2 % of the pairs (ten times the lower T where N is small); least
    squares over it. So it does not depend on the points' unit. The rule was chosen among 20 on the
    line, the Swiss roll, the Cantor set and the Hénon map: rms errors of at most 2.1 %. Others had
    no say: 1.5 % (square), 0.9 % (Sierpinski triangle), 1.2 % (Lorenz attractor), 6.4 % (5-ball:
    edges make it too low in high dimensions, unknown to the standard error). Memory O(N d).

    "released": T(r) counts each point's 29 nearest neighbours only, at 40 fixed r from 10^-3 to
    10^0.5, and the line is fitted to the middle half of those with T(r) > 0. Depends on the points'
    unit, and saturates. (Above 3,000 points the released code draws 3,000; here all are used.)

    NaN with a warning: all points equal, or no scaling region above the rounding of the numbers.

    >>> square = np.random.default_rng(0).random((1000, 2))
    >>> [round(float(correlation_dimension(unit * square)), 2) for unit in (0.01, 1, 100)]
    [1.93, 1.93, 1.93]
    >>> round(float(correlation_dimension(0.01 * square, estimator="released")), 2)
    0.0

    Raises:
        ValueError: an argument is not as said above.
    """
    fit, reason = _fit("points", points, estimator)
    if reason:
        warnings.warn(f"correlation dimension is NaN: {reason}", stacklevel=2)
    return fit


def _fit(name: str, points: Values, estimator: str) -> tuple[CorrelationDimension, str]:
    """The fit, and why it is NaN (empty if it is not)."""
    checks.choice("estimator", estimator, ESTIMATORS)
    x = checks.array(name, points, "(N, d)", smallest=3)
    rounding = checks.precision(points) * float(np.abs(x).max())
    if np.ptp(x, axis=0).max() <= rounding:
        none = _none(len(x), estimator, np.empty(0), np.empty(0))
        return none, f"all {len(x)} points are equal, rounding apart"
    return _all_pairs(x, rounding) if estimator == "printed" else _nearest_neighbours(x)


def _none(n: int, estimator: str, radii: Array, integral: Array) -> CorrelationDimension:
    nan = math.nan
    return CorrelationDimension(nan, nan, n, 0, (nan, nan), nan, radii, integral, estimator)


def _all_pairs(x: Array, rounding: float) -> tuple[CorrelationDimension, str]:
    n, unit = len(x), checks.unit(x)
    x = x / unit
    scale = 2 * float(np.linalg.norm(x - x.mean(axis=0), axis=1).max())  # no distance is larger
    counts, by_group, sizes = _pair_counts(torch.from_numpy(x), scale)
    # The histogram runs from large r to small, so T(r) sums it from its end; the last bin is r = 0.
    integral = counts[::-1].cumsum()[::-1] / (n * (n - 1) / 2)  # T(r)
    radii = unit * scale * 2.0 ** (-np.arange(len(integral)) / _PER_OCTAVE)
    lower = _NEIGHBOURS / (n - 1)
    upper = min(max(_UPPER_SHARE, 10 * lower), np.nextafter(1, 0))
    curve = radii[integral > 0][::-1], integral[integral > 0][::-1]
    together = integral[(radii > max(4 * rounding, radii[-1])).argmin()]  # or no further apart
    if together >= lower:
        pairs = f"{round(together * n * (n - 1) / 2)} pairs of {n} points"
        return _none(n, "printed", *curve), f"{pairs} coincide, rounding apart"
    fitted = np.flatnonzero((integral >= lower) & (integral <= upper))
    if len(fitted) < 3 or integral[fitted[0]] == integral[fitted[-1]]:
        return _none(n, "printed", *curve), f"{n} points show no scaling region"
    log_r = np.log(radii[fitted])
    slope, intercept = np.polyfit(log_r, np.log(integral[fitted]), 1)
    # Jackknife: the same fit without each group of points.
    without = (counts - by_group)[:, ::-1].cumsum(axis=1)[:, ::-1][:, fitted]
    left = n - sizes
    with np.errstate(divide="ignore", invalid="ignore"):
        log_T = np.log(without / (left * (left - 1) / 2)[:, None])
        centred = log_r - log_r.mean()
        slopes = log_T @ centred / (centred @ centred)
        error = math.sqrt((len(sizes) - 1) * np.var(slopes))
    region = float(radii[fitted[-1]]), float(radii[fitted[0]])
    line = float(slope), error, n, len(fitted), region, float(intercept)
    return CorrelationDimension(*line, *curve, "printed"), ""


def _pair_counts(x: Tensor, scale: float) -> tuple[Counts, Counts, Counts]:
    """Histograms of -log2(distance/scale), (bins,) of all pairs and (groups, bins) of each group's.

    Point i belongs to group i mod 16; the (groups,) sizes come last.
    """
    bins = _PER_OCTAVE * _OCTAVES + 1
    groups = min(_GROUPS, len(x))
    parts = [x[g::groups] for g in range(groups)]
    sizes = np.array([len(part) for part in parts])
    starts = np.cumsum(sizes) - sizes  # (groups,)
    x = torch.cat(parts)  # (N, d)
    offsets = np.repeat(np.arange(groups) * bins, sizes)  # (N,)
    by_group = np.zeros((groups, bins), dtype=np.int64)
    counts = np.zeros(bins, dtype=np.int64)
    for a, start in enumerate(starts.tolist()):
        flat = np.zeros(groups * bins, dtype=np.int64)
        for rows in torch.split(parts[a], max(1, _CHUNK // (len(x) - start))):
            depth = torch.cdist(rows, x[start:], compute_mode=_EXACT).numpy()  # (rows, N - start)
            depth /= scale
            with np.errstate(divide="ignore"):  # log2(0) goes into the last bin
                np.log2(depth, out=depth)
            depth *= -_PER_OCTAVE
            np.clip(depth, 0, bins - 1, out=depth)
            cells = (depth.astype(np.int64) + offsets[start:]).ravel()  # (rows (N - start),)
            flat += np.bincount(cells, minlength=len(flat))
        pairs = flat.reshape(groups, bins)  # of group a with each group from a on
        pairs[a, -1] -= sizes[a]  # each point's distance to itself
        pairs[a] //= 2  # within the group, every pair came twice
        together = pairs.sum(axis=0)  # (bins,)
        counts += together
        by_group += pairs
        by_group[a] += together - pairs[a]
    return counts, by_group, sizes


def _nearest_neighbours(x: Array) -> tuple[CorrelationDimension, str]:
    n = len(x)
    k = min(_RELEASED_NEIGHBOURS, n - 1)
    points = torch.from_numpy(x)
    near = points.new_empty(n, k)
    step = max(1, _CHUNK // n)
    for start in range(0, n, step):
        distances = torch.cdist(points[start : start + step], points, compute_mode=_EXACT)
        # The nearest is the point itself.
        near[start : start + step] = distances.topk(k + 1, largest=False).values[:, 1:]
    below = np.searchsorted(np.sort(near.numpy(), axis=None), _RELEASED_RADII)  # distances < r
    T = below / n / (n - 1)
    radii, T = _RELEASED_RADII[below > 0], T[below > 0]
    m = len(T)
    if m < 2:
        return _none(n, "released", radii, T), f"T(r) > 0 at {m} of the 40 radii, 2 are needed"
    fitted = slice(m // 4, 3 * m // 4) if m > 5 else slice(None)
    log_r, log_T = np.log(radii[fitted]), np.log(T[fitted])
    slope, intercept = np.polyfit(log_r, log_T, 1)
    residuals = log_T - intercept - slope * log_r
    spread = np.sum((log_r - log_r.mean()) ** 2)
    free = len(log_r) - 2
    error = math.sqrt(residuals @ residuals / free / spread) if free else math.nan
    region = float(radii[fitted][0]), float(radii[fitted][-1])
    line = max(float(slope), 0.0), error, n, len(log_r), region, float(intercept)
    return CorrelationDimension(*line, radii, T, "released"), ""


def fluctuation(dimensions: Iterable[SupportsFloat]) -> float:
    """Δ = (max - min)/mean of the layers' correlation dimensions (Eq. 19).

    Of at least 2, with a positive mean: one layer would give 0, which means perfect invariance.

    >>> fluctuation([1.0, 2.0, 3.0])
    1.0

    Raises:
        ValueError: an argument is not as said above.
    """
    values = checks.array("dimensions", [*map(float, dimensions)], "(layers,)", smallest=2)
    if values.mean() <= 0:
        raise checks.error("dimensions", "a positive mean", f"{values.mean():.3g}")
    return float(np.ptp(values) / values.mean())


@dataclass(frozen=True, eq=False)
class GeometricInvariance:
    """Fluctuation Δ of the layers' dimensions (Eq. 19); ``float()`` is Δ."""

    delta: float  #: NaN where fewer than 2 layers have a dimension
    layers: dict[str, CorrelationDimension]  #: the fits behind it
    skipped: tuple[str, ...]  #: layers left out of it
    estimator: str

    def __float__(self) -> float:
        return self.delta


def geometric_invariance(points: Layers, *, estimator: str = "printed") -> GeometricInvariance:
    """Δ, the fluctuation of the layers' correlation dimensions (Eq. 19, Table 5).

    Smaller means more invariant. A layer is left out, with a warning that names it, where its
    dimension does not exist; "released" also leaves out dimensions up to 0.001. Fewer than 2 layers
    left: NaN, warned (the released code has 0 there).

    >>> rng = np.random.default_rng(0)
    >>> layers = {"line": rng.random((500, 1)), "square": rng.random((500, 2))}
    >>> result = geometric_invariance(layers)
    >>> round(float(result), 1), round(result.layers["square"].dimension, 1)
    (0.6, 1.9)

    Args:
        points: (N, d) by layer, as :func:`umap_points` returns them.
        estimator: "printed" or "released".

    Raises:
        ValueError: an argument is not as said above.
    """

    def fit(name: str, x: Values) -> tuple[CorrelationDimension, str]:
        found, reason = _fit(name, x, estimator)
        if not reason and estimator == "released" and found.dimension <= 0.001:
            reason = f"dimension {found.dimension:.2g}; the released code drops those up to 0.001"
        return found, reason

    fits, skipped = checks.layer_fits("points", points, fit, "Δ", "a dimension")
    delta = fluctuation(fits.values()) if len(fits) > 1 else math.nan
    return GeometricInvariance(delta, fits, skipped, estimator)


def umap_points(
    data: Values,
    *,
    n_components: int,
    n_neighbors: int,
    min_dist: float,
    seed: int,
    metric: str = "euclidean",
) -> NDArray[np.float32]:
    """Points in n_components dimensions by UMAP (Eq. 15), the same for one seed.

    :data:`RELEASED_UMAP` holds the released values of the four parameters without a default.

    Args:
        data: (N, d) features, or with metric "precomputed" (N, N) distances (``gram_distances``).

    Returns:
        (N, n_components).

    Raises:
        ValueError: data is neither of these, or N is not above n_neighbors and n_components + 1.
        ImportError: umap-learn is not installed.
    """
    x = checks.array("data", data, "(N, d)")
    x = checks.distances("data", x, finite=True) if metric == "precomputed" else x
    if not 0 < np.abs(x - x[0]).max() < 1e18:  # beyond, its float32 has no room for squares
        raise checks.error("data", "samples that differ, by less than 1e18", f"shape {x.shape}")
    smallest = max(n_neighbors, n_components + 1) + 1
    if len(x) < smallest:
        asked = f"n_neighbors={n_neighbors}, n_components={n_components}"
        raise checks.error("data", f"at least {smallest} samples for {asked}", f"shape {x.shape}")
    umap = checks.extra("umap")  # heavy: numba
    with warnings.catch_warnings():
        # Only says that new points cannot be placed later.
        warnings.filterwarnings("ignore", message="using precomputed metric")
        settings = {"metric": metric, "random_state": seed, "n_jobs": 1, "min_dist": min_dist}
        reducer = umap.UMAP(n_components=n_components, n_neighbors=n_neighbors, **settings)
        points: NDArray[np.float32] = reducer.fit_transform(x)
    return points
