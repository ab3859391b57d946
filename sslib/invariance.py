"""Scale invariance and geometric invariance of a network's layers (Appendices B and C, Tables 4 and
5).

Two estimators everywhere: ``"printed"`` follows the paper's equations, ``"released"`` what its
authors' code computes. Matrices may be NumPy arrays or tensors; results are float64 NumPy arrays
and frozen records whose ``float()`` is the estimate. Bad arguments raise ValueError; data on which
an estimate does not exist (a dead layer) gives NaN and a warning that says why.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import ArrayLike

ESTIMATORS = ("printed", "released")

#: Which changes of the data leave an estimate as it is. (The exponent's cut at 1e-10 is absolute,
#: so its scale invariance ends where scaling moves an eigenvalue across the cut.)
PROPERTIES: Mapping[tuple[str, str], frozenset[str]] = MappingProxyType(
    {
        ("powerlaw_exponent", "printed"): frozenset({"scale", "order"}),
        ("powerlaw_exponent", "released"): frozenset({"scale", "order"}),
        ("correlation_dimension", "printed"): frozenset({"scale", "order", "rotation", "shift"}),
        ("correlation_dimension", "released"): frozenset({"order", "rotation", "shift"}),
    }
)

#: UMAP as the authors' command line has it by default; ``umap_points(x, metric=...,
#: **RELEASED_UMAP)``.
RELEASED_UMAP: Mapping[str, float] = MappingProxyType(
    {"n_components": 30, "n_neighbors": 20, "min_dist": 0.05, "seed": 42}
)

_EIGENVALUE_CUT = 1e-10  # smaller ones count as zero, in both estimators
_NEGATIVE = (
    1e-5  # below -1e-5 of the largest, an eigenvalue is no rounding error of a covariance matrix
)
_LAYER_EIGENVALUES = 50  # the released pipeline skips layers with fewer
_PCA_LIMIT = 1000  # features above which the released pipeline runs a PCA first
_SMALLEST_DIMENSION = 1e-3  # the released pipeline drops dimensions up to this one

_PER_OCTAVE, _OCTAVES = 64, 52  # histogram of log2 distances
_CHUNK = 2**21  # pair distances (or matrix entries) held at once
_ROWS = 128  # of a Gram matrix multiplied at once
_EXACT = "donot_use_mm_for_euclid_dist"  # differences, not an expanded square: small distances stay exact
_GROUPS = 16  # of the jackknife
_NEIGHBOURS, _UPPER_SHARE = 0.5, 0.02  # the scaling region, see correlation_dimension

_RELEASED_RADII = np.logspace(-3, 0.5, 40)
_RELEASED_NEIGHBOURS = 29


def _array(
    name: str, value: ArrayLike | torch.Tensor, ndim: int, shape: str, smallest: int = 0
) -> np.ndarray:
    """Finite float64 array of the given rank, first axis at least ``smallest``."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = value.double().numpy() if value.dtype.is_floating_point else value.numpy()
    array = np.asarray(value)
    if array.ndim != ndim or array.dtype.kind not in "fiu" or 0 in array.shape:
        raise ValueError(
            f"{name}: expected real numbers of shape {shape}, got {array.shape} {array.dtype}"
        )
    if len(array) < smallest:
        raise ValueError(
            f"{name}: expected {shape} with at least {smallest} rows, got shape {array.shape}"
        )
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name}: {np.sum(~np.isfinite(array))} of {array.size} values are NaN or infinite"
        )
    return array.astype(np.float64)


def _check_estimator(estimator: str) -> None:
    if estimator not in ESTIMATORS:
        raise ValueError(f"estimator: expected one of {ESTIMATORS}, got {estimator!r}")


def _layers(name: str, layers: Mapping) -> Mapping:
    if not isinstance(layers, Mapping) or not layers:
        raise ValueError(
            f"{name}: expected a non-empty mapping of layer names, got {type(layers).__name__}"
        )
    return layers


# ---------------------------------------------------------------------------------------------------------
# Spectra


def spectrum(F: ArrayLike | torch.Tensor, *, estimator: str = "printed") -> np.ndarray:
    """Non-zero eigenvalues of a feature matrix's covariance, largest first (Eq. 10–11).

    F: (D, B), D features of B samples, B >= 3. "printed": of FᵀF/(B-1), not centred: min(D, B)
    values. FFᵀ/(B-1), the D x D matrix, has the same ones. "released": of the sample covariance,
    centred over the samples: min(D, B-1) values; with D > 1000 the largest min(1000, B//2) of them,
    which is what its PCA keeps (here exact; the released PCA is randomised).

    Computed from F's singular values, so no eigenvalue is negative. ValueError: F not (D, B), NaN
    or infinite values, B < 3.

    >>> F = np.array([[3.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    >>> spectrum(F)
    array([4.5, 2. ])
    >>> spectrum(F.T @ F).shape
    (3,)
    """
    _check_estimator(estimator)
    F = _array("F", F, 2, "(D, B)")
    if F.shape[1] < 3:
        raise ValueError(f"F: expected (D, B) with at least 3 samples, got shape {F.shape}")
    return _spectrum(F, len(F), estimator)


def _spectrum(F: np.ndarray, features: int, estimator: str) -> np.ndarray:
    B = F.shape[1]
    if estimator == "released":
        F = F - F.mean(axis=1, keepdims=True)
    eigenvalues = np.linalg.svd(F, compute_uv=False) ** 2 / (B - 1)
    return eigenvalues[: _spectrum_length(features, B, estimator)]


def _spectrum_length(features: int, B: int, estimator: str) -> int:
    if estimator == "printed":
        return min(features, B)
    return min(_PCA_LIMIT, B // 2) if features > _PCA_LIMIT else min(features, B - 1)


@dataclass(frozen=True, eq=False)
class Gram:
    """What the released pipeline needs of a layer's flattened activations, gathered in one B x B
    matrix.

    products: (B, B) float64, scalar products of the samples' activations. features: activations per
    sample. nonzero: how many of the B·features activations are not zero.
    """

    products: torch.Tensor = field(repr=False)
    features: int
    nonzero: int

    @property
    def nonzero_share(self) -> float:
        """Share of NON-zero activations, in [0, 1] (what the paper calls feature sparsity)."""
        return self.nonzero / (self.features * len(self.products))


def gram_update(gram: Gram | None, block: ArrayLike | torch.Tensor) -> Gram:
    """Add a block of features to a Gram matrix; start with None.

    block: (B, anything >= 1), some features of all B samples, in the same order of samples each
    time. The Gram matrix is a sum over features, so a layer may arrive in blocks of any width and
    no more than one block is ever held. Sums are in float64, on the block's device; nothing is
    changed in place. ValueError: wrong rank, fewer than 3 samples, another B than before, NaN or
    infinite values.

    ``features.activation_grams`` does this for the modules of a model. (Products in float32 would
    be 1.7 times as fast, with an error of 2e-6 of the largest product, which is more than the
    differences between some images.)

    >>> x = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
    >>> gram = gram_update(gram_update(None, x[:, :2]), x[:, 2:])
    >>> gram.products.tolist()
    [[5.0, 0.0, 6.0], [0.0, 1.0, 0.0], [6.0, 0.0, 9.0]]
    >>> round(gram.nonzero_share, 3)
    0.444
    """
    tensor = isinstance(block, torch.Tensor)
    if not tensor:
        block = np.asarray(block)
    real = not block.is_complex() if tensor else block.dtype.kind in "fiu"
    if not real or block.ndim != 2 or block.shape[0] < 3 or block.shape[1] < 1:
        raise ValueError(
            "block: expected real numbers of shape (B, features), B at least 3, "
            f"got {tuple(block.shape)} {block.dtype}"
        )
    B, features = block.shape
    if gram is not None and len(gram.products) != B:
        raise ValueError(
            f"block: expected {len(gram.products)} samples as before, got shape {tuple(block.shape)}"
        )
    products = torch.zeros(B, B, dtype=torch.float64, device=block.device if tensor else None)
    nonzero = 0
    step = max(1, 2 * _CHUNK // B)
    for start in range(0, features, step):  # the block itself may be float32, or a memory map
        part = block[:, start : start + step]
        part = part.detach().double() if tensor else torch.from_numpy(part.astype(np.float64))
        for row in range(0, B, _ROWS):  # symmetric: only the blocks from the diagonal on
            products[row : row + _ROWS, row:].addmm_(part[row : row + _ROWS], part[row:].T)
        nonzero += part.count_nonzero()
    products = products.triu() + products.triu(1).T
    if not products.diagonal().isfinite().all():
        raise ValueError(f"block: NaN, infinite or overflowing values, shape {tuple(block.shape)}")
    if gram is not None:
        products += gram.products
        features, nonzero = features + gram.features, nonzero + gram.nonzero
    return Gram(products, features, int(nonzero))


def gram_spectrum(gram: Gram, *, estimator: str = "printed") -> np.ndarray:
    """The same eigenvalues as :func:`spectrum` of the (features, B) matrix, from its Gram matrix.

    Eigenvalues below the rounding error of the matrix (B·2.2e-16 of the largest, before centring)
    are returned as exactly 0: left in, they would be the smallest "non-zero" ones, on which Eq. 13
    rests.

    >>> F = np.array([[3.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    >>> gram_spectrum(gram_update(None, F.T)).round(9)
    array([4.5, 2. ])
    """
    _check_estimator(estimator)
    products = gram.products.cpu().numpy()
    B = len(products)
    floor = B * np.finfo(np.float64).eps * np.trace(products) / (B - 1)
    if estimator == "released":
        rows = products.mean(axis=0)
        products = products - rows - rows[:, None] + rows.mean()
    eigenvalues = np.linalg.eigvalsh(products)[::-1] / (B - 1)
    eigenvalues = np.where(eigenvalues > floor, eigenvalues, 0.0)
    return eigenvalues[: _spectrum_length(gram.features, B, estimator)]


def gram_distances(gram: Gram) -> np.ndarray:
    """Euclidean distances between the samples' activations, each scaled to unit length: (B, B), in
    [0, 2].

    A sample whose activations are all zero stays the zero vector. For
    ``umap_points(metric="precomputed")``.

    >>> gram_distances(gram_update(None, np.array([[2.0, 0.0], [0.0, 5.0], [3.0, 0.0]]))).round(4)
    array([[0.    , 1.4142, 0.    ],
           [1.4142, 0.    , 1.4142],
           [0.    , 1.4142, 0.    ]])
    """
    products = gram.products.cpu().numpy()
    norms = np.sqrt(products.diagonal())
    norms = np.where(norms > 0, norms, 1.0)
    unit = products / norms / norms[:, None]
    squares = unit.diagonal()
    distances = np.sqrt(np.maximum(squares + squares[:, None] - 2 * unit, 0.0))
    np.fill_diagonal(distances, 0.0)
    return distances


# ---------------------------------------------------------------------------------------------------------
# Power-law exponents (Appendix B)


@dataclass(frozen=True)
class PowerLaw:
    """A power law P(λ) ∝ λ^-exponent fitted to eigenvalues >= x_min; ``float()`` is the exponent.

    standard_error: (exponent - 1)/√n_tail. n: eigenvalues above the cut, n_tail: those the fit
    uses. ks_distance: largest gap between the fitted and the empirical distribution function over
    the tail, the latter taken just below each value (as the powerlaw package does).
    """

    exponent: float
    standard_error: float
    n: int
    n_tail: int
    x_min: float
    ks_distance: float
    estimator: str

    def __float__(self) -> float:
        return self.exponent


def powerlaw_exponent(
    eigenvalues: ArrayLike | torch.Tensor, *, estimator: str = "printed"
) -> PowerLaw:
    """Exponent γ of P(λ) ∝ λ^-γ by maximum likelihood (Eq. 12–13), and the fit behind it.

    eigenvalues: 1-D, at least 3, in any order; those of size 1e-10 or less are left out. "printed":
    λ_min is the smallest eigenvalue left, so all of them are the tail. "released": λ_min is the
    eigenvalue with the smallest Kolmogorov–Smirnov distance among all but the largest; equal to
    powerlaw 1.5's ``Fit`` on continuous data. Each is fitted to its own tail, which may be as short
    as 2.

    NaN with a warning: fewer than 10 eigenvalues left, or all of them equal. ValueError: not 1-D,
    fewer than 3, NaN or infinite, an eigenvalue below -1e-5 times the largest, unknown estimator.

    >>> tail = np.arange(1, 101) ** -1.0            # λ_k = 1/k is a density λ^-2
    >>> fit = powerlaw_exponent(tail)
    >>> round(float(fit), 3), round(fit.standard_error, 3), fit.n_tail, fit.x_min
    (2.033, 0.103, 100, 0.01)
    >>> round(float(powerlaw_exponent(tail, estimator="released")), 3)
    2.033
    """
    fit, reason = _powerlaw("eigenvalues", eigenvalues, estimator)
    if reason:
        warnings.warn(f"power-law exponent is NaN: {reason}", stacklevel=2)
    return fit


def null_exponent(D: int, B: int, *, estimator: str = "printed", seed: int = 0) -> PowerLaw:
    """The exponent of pure noise: Gaussian features of shape (D, B), through the same spectrum and
    fit.

    D may be as large as a layer: for D >= B the B x B Gram matrix is drawn from its own law
    (Bartlett's triangular factor of a Wishart matrix), in O(B²) memory. Same seed, same result.

    >>> round(float(null_exponent(150_528, 64, estimator="released")), 1) > 20
    True
    """
    _check_shape(D, B)
    _check_estimator(estimator)
    F = _noise(D, B, seed)
    fit, reason = _powerlaw("eigenvalues", _spectrum(F, D, estimator), estimator)
    if reason:
        warnings.warn(f"power-law exponent of noise is NaN: {reason}", stacklevel=2)
    return fit


def noise_gram(D: int, B: int, *, seed: int = 0) -> Gram:
    """The Gram matrix of Gaussian noise: B samples of D features each, without ever holding them.

    What a layer of that size would give if it knew nothing of the images. Same seed, same result.

    >>> gram = noise_gram(3_000_000, 64)
    >>> bool(abs(gram_distances(gram)[0, 1] - 2**0.5) < 0.01), gram.features
    (True, 3000000)
    """
    _check_shape(D, B)
    F = torch.from_numpy(_noise(D, B, seed))
    return Gram(F.T @ F, D, D * B)


def _noise(D: int, B: int, seed: int) -> np.ndarray:
    """A matrix with the Gram matrix, hence the spectrum, of Gaussian (D, B): (min(D, B), B)."""
    rng = np.random.default_rng(seed)
    if D < B:
        return rng.standard_normal((D, B))
    F = np.triu(rng.standard_normal((B, B)), 1)
    F[np.diag_indices(B)] = np.sqrt(rng.chisquare(D - np.arange(B)))
    return F


def _check_shape(D: int, B: int) -> None:
    for name, value, least in (("D", D, 1), ("B", B, 3)):
        if not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"{name}: expected an integer of at least {least}, got {value!r}")


def _powerlaw(
    name: str, eigenvalues: ArrayLike | torch.Tensor, estimator: str
) -> tuple[PowerLaw, str]:
    """The fit, and why it is NaN (empty if it is not)."""
    _check_estimator(estimator)
    values = _array(name, eigenvalues, 1, "(n,)", smallest=3)
    if values.min() < -_NEGATIVE * np.abs(values).max():
        raise ValueError(
            f"{name}: expected eigenvalues of a covariance matrix, none clearly negative, "
            f"got {values.min():.3g} beside {values.max():.3g}"
        )
    values = np.sort(np.abs(values))
    values = values[values > _EIGENVALUE_CUT]
    n = len(values)
    if n < 10 or values[0] == values[-1]:
        reason = (
            f"{n} eigenvalues above {_EIGENVALUE_CUT:g}, expected at least 10"
            if n < 10
            else (f"all {n} eigenvalues are equal")
        )
        return PowerLaw(math.nan, math.nan, n, 0, math.nan, math.nan, estimator), reason

    logs = np.log(values)
    starts = np.unique(values, return_index=True)[1][:-1] if estimator == "released" else [0]
    exponent, distance, n_tail = min(
        (_fit_tail(logs[start:]) for start in starts), key=lambda fit: fit[1]
    )
    error = (exponent - 1) / math.sqrt(n_tail)
    return PowerLaw(exponent, error, n, n_tail, float(values[n - n_tail]), distance, estimator), ""


def _fit_tail(logs: np.ndarray) -> tuple[float, float, int]:
    """Exponent, KS distance and length of one tail, given its sorted logarithms."""
    excess = logs - logs[0]
    exponent = 1 + len(logs) / excess.sum()
    fitted = -np.expm1((1 - exponent) * excess)
    empirical = np.searchsorted(logs, logs) / len(
        logs
    )  # share strictly below, also where values repeat
    return float(exponent), float(np.abs(fitted - empirical).max()), len(logs)


@dataclass(frozen=True)
class ScaleInvariance:
    """Spread σ of the layers' exponents (Eq. 14); ``float()`` is σ. skipped: layers without an
    exponent.
    """

    sigma: float
    layers: dict[str, PowerLaw]
    skipped: tuple[str, ...]
    estimator: str

    def __float__(self) -> float:
        return self.sigma


def scale_invariance(
    spectra: Mapping[str, ArrayLike | torch.Tensor], *, estimator: str = "printed"
) -> ScaleInvariance:
    """σ, the population standard deviation of the layers' power-law exponents (Eq. 14, Table 4).

    spectra: layer name -> eigenvalues, as :func:`powerlaw_exponent` takes them (from
    :func:`spectrum` or :func:`gram_spectrum` with the same estimator). Smaller means more scale
    invariant. A layer is left out, with a warning that names it, where its exponent does not exist;
    "released" also leaves out layers with fewer than 50 eigenvalues above 1e-10. Fewer than 2
    layers left: NaN, warned.

    >>> layers = {"a": np.arange(1, 101) ** -1.0, "b": np.arange(1, 101) ** -0.5}
    >>> result = scale_invariance(layers)
    >>> round(float(result), 3), round(result.layers["b"].exponent, 3)
    (0.517, 3.067)
    """
    fits, skipped = {}, []
    for name, eigenvalues in _layers("spectra", spectra).items():
        fit, reason = _powerlaw(f"spectra[{name!r}]", eigenvalues, estimator)
        if not reason and estimator == "released" and fit.n < _LAYER_EIGENVALUES:
            reason = f"{fit.n} eigenvalues, the released estimator asks for {_LAYER_EIGENVALUES}"
        if reason:
            warnings.warn(f"layer {name!r} left out of σ: {reason}", stacklevel=2)
            skipped.append(name)
        else:
            fits[name] = fit
    sigma = math.nan
    if len(fits) < 2:
        warnings.warn(
            f"σ is NaN: {len(fits)} of {len(spectra)} layers have an exponent", stacklevel=2
        )
    else:
        sigma = float(np.std([fit.exponent for fit in fits.values()]))
    return ScaleInvariance(sigma, fits, tuple(skipped), estimator)


# ---------------------------------------------------------------------------------------------------------
# Correlation dimension (Appendix C)


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


# ---------------------------------------------------------------------------------------------------------
# Known answers

#: Point sets of known correlation dimension (Hénon and Lorenz: measured, Grassberger and Procaccia
#: 1983).
KNOWN_SETS: Mapping[str, float] = MappingProxyType(
    {
        "line": 1.0,
        "square": 2.0,
        "ball": 5.0,
        "swiss_roll": 2.0,
        "cantor": math.log(2) / math.log(3),
        "sierpinski": math.log(3) / math.log(2),
        "henon": 1.22,
        "lorenz": 2.05,
    }
)

#: Their names for a reader.
SET_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "line": "line",
        "square": "square",
        "ball": "5-ball",
        "swiss_roll": "Swiss roll",
        "cantor": "Cantor set",
        "sierpinski": "Sierpiński triangle",
        "henon": "Hénon map",
        "lorenz": "Lorenz attractor",
    }
)

#: Those that the rule for the scaling region was chosen on; the others had no say in it.
RULE_CHOSEN_ON = ("line", "swiss_roll", "cantor", "henon")

#: Spectra that are no power law, and one that is one above a bulk which is not.
OTHER_SPECTRA = ("noise", "low rank", "exponential", "bulk and tail 2.5")


def known_spectrum(name: str, n: int = 300, *, seed: int = 0) -> np.ndarray:
    """n eigenvalues of a known kind, in no order: one of `OTHER_SPECTRA`, or "tail 2.5", a pure
    power law λ^-2.5.

    "tail 2.5" (or another exponent above 1) has λ >= 1. "noise" is the spectrum of n samples of 4n
    Gaussian features, "low rank" 20 eigenvalues between 1 and 10 above noise of the size of 1e-4,
    "exponential" is drawn from an exponential distribution, and in "bulk and tail 2.5" half lie
    evenly below 1, half in the tail. ValueError: another name, n < 40.

    >>> bool(known_spectrum("tail 3", 1000).min() >= 1), known_spectrum("low rank").shape
    (True, (300,))
    """
    if not isinstance(n, (int, np.integer)) or n < 40:
        raise ValueError(f"n: expected an integer of at least 40, got {n!r}")
    rng = np.random.default_rng(seed)
    if name.startswith("tail "):
        try:
            exponent = float(name.removeprefix("tail "))
        except ValueError:
            exponent = math.nan
        if exponent > 1:
            return 1 + rng.pareto(exponent - 1, n)
    match name:
        case "noise":
            return _spectrum(_noise(4 * n, n, seed), 4 * n, "printed")
        case "low rank":
            return np.concatenate(
                [rng.uniform(1, 10, 20), 1e-4 * known_spectrum("noise", n, seed=seed)[20:]]
            )
        case "exponential":
            return rng.exponential(size=n)
        case "bulk and tail 2.5":
            return np.concatenate([rng.random(n // 2), 1 + rng.pareto(1.5, n - n // 2)])
    raise ValueError(
        f"name: expected one of {OTHER_SPECTRA} or 'tail <exponent above 1>', got {name!r}"
    )


def known_points(name: str, n: int = 2000, *, seed: int = 0) -> np.ndarray:
    """n independent points of a set whose correlation dimension ``KNOWN_SETS[name]`` is known: (n,
    1 … 5).

    "ball" is the solid 5-dimensional ball. "henon" and "lorenz" are n orbits, each from its own
    start, at one late time, so that no two points are neighbours in time.

    >>> known_points("cantor", 4, seed=1).shape, KNOWN_SETS["cantor"].__round__(4)
    ((4, 1), 0.6309)
    """
    if name not in KNOWN_SETS:
        raise ValueError(f"name: expected one of {tuple(KNOWN_SETS)}, got {name!r}")
    if n < 1:
        raise ValueError(f"n: expected at least 1, got {n!r}")
    rng = np.random.default_rng(seed)
    match name:
        case "line":
            return rng.random((n, 1)) * np.array([1.0, 2.0, -1.0])
        case "square":
            return rng.random((n, 2))
        case "ball":
            direction = rng.standard_normal((n, 5))
            return (
                direction
                * rng.random((n, 1)) ** 0.2
                / np.linalg.norm(direction, axis=1, keepdims=True)
            )
        case "swiss_roll":
            angle, height = 1.5 * np.pi * (1 + 2 * rng.random(n)), 21 * rng.random(n)
            return np.column_stack([angle * np.cos(angle), height, angle * np.sin(angle)])
        case "cantor":  # ternary digits 0 and 2
            return rng.integers(0, 2, (n, 33)) @ (2 * 3.0 ** -np.arange(1, 34))[:, None]
        case "sierpinski":  # a corner at each of 50 halvings
            corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(0.75)]])
            return np.einsum(
                "nkd,k->nd", corners[rng.integers(0, 3, (n, 50))], 0.5 ** np.arange(1, 51)
            )
        case "henon":
            x, y = rng.uniform(-0.1, 0.1, (2, n))
            for _ in range(200):
                x, y = 1 - 1.4 * x * x + y, 0.3 * x
            return np.column_stack([x, y])
        case "lorenz":
            return _lorenz(rng.standard_normal((n, 3)) * 5 + np.array([0.0, 0.0, 25.0]))


def _lorenz(state: np.ndarray, steps: int = 2000, dt: float = 0.01) -> np.ndarray:
    """The Lorenz system (σ = 10, ρ = 28, β = 8/3) by the classical Runge–Kutta method."""

    def flow(s: np.ndarray) -> np.ndarray:
        x, y, z = s
        return np.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])

    s = state.T
    for _ in range(steps):
        k1 = flow(s)
        k2 = flow(s + dt / 2 * k1)
        k3 = flow(s + dt / 2 * k2)
        k4 = flow(s + dt * k3)
        s = s + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return s.T
