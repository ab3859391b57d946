"""Scale invariance: spectra and their power-law exponents (Appendix B, Eq. 10-14)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from sslib.checks import _array, _check_estimator, _layers
from sslib.grams import Gram
from sslib.noise import _check_shape, _noise

_EIGENVALUE_CUT = 1e-10  # smaller ones count as zero, in both estimators

_NEGATIVE = (
    1e-5  # below -1e-5 of the largest, an eigenvalue is no rounding error of a covariance matrix
)

_LAYER_EIGENVALUES = 50  # the released pipeline skips layers with fewer

_PCA_LIMIT = 1000  # features above which the released pipeline runs a PCA first


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
