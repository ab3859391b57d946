"""Scale invariance: spectra and their power-law exponents (Appendix B, Eq. 10 to 14)."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np

from sslib import checks
from sslib.checks import ESTIMATORS, Array, Layers, Values
from sslib.distances import ROUNDING
from sslib.grams import Gram
from sslib.noise import noise_matrix

_CUT = 1e-10  # smaller eigenvalues count as zero, in both estimators
_NEGATIVE = 1e-5  # below -1e-5 of the largest, an eigenvalue is no rounding error of a covariance
_LAYER_EIGENVALUES = 50  # the released pipeline skips layers with fewer
_PCA_LIMIT = 1000  # features above which the released pipeline runs a PCA first


def spectrum(F: Values, *, estimator: str = "printed", features: int | None = None) -> Array:
    """Eigenvalues (Eq. 11) of the covariance matrix (Eq. 10) of features, largest first.

    Computed from F's singular values, so none is negative.

    >>> F = np.array([[3.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    >>> spectrum(F)
    array([4.5, 2. ])
    >>> spectrum(F.T @ F).shape
    (3,)

    Args:
        F: (D, B), D features of B samples, B >= 3.
        estimator: "printed": of F^T F / (B-1), not centred; F F^T / (B-1), the D x D matrix, has
            the same ones. "released": of the sample covariance, centred over the samples.
        features: D, where F has fewer rows than what it stands for, as from ``noise_matrix``.

    Returns:
        "printed": (min(D, B),). "released": (min(D, B-1),); with D > 1000 the largest
        min(1000, B//2) of them, which is what its PCA keeps (here exact; there randomised).
    """
    checks.choice("estimator", estimator, ESTIMATORS)
    F = checks.array("F", F, "(D, B)")
    if F.shape[1] < 3:
        raise checks.error("F", "(D, B) with at least 3 samples", f"shape {F.shape}")
    if np.abs(F).max() > 1e150:
        raise checks.error("F", "numbers of up to 1e150, to be squared", f"{np.abs(F).max():.3g}")
    if estimator == "released":
        F = F - F.mean(axis=1, keepdims=True)
    eigenvalues: Array = np.linalg.svd(F, compute_uv=False) ** 2 / (F.shape[1] - 1)
    return eigenvalues[: _spectrum_length(features or len(F), F.shape[1], estimator)]


def _spectrum_length(features: int, B: int, estimator: str) -> int:
    if estimator == "printed":
        return min(features, B)
    return min(_PCA_LIMIT, B // 2) if features > _PCA_LIMIT else min(features, B - 1)


def gram_spectrum(gram: Gram, *, estimator: str = "printed") -> Array:
    """The same eigenvalues as :func:`spectrum` of the (features, B) matrix, from its Gram matrix.

    Eigenvalues below the rounding error of the matrix (B * 2.2e-16 of the largest, before centring)
    are returned as exactly 0: left in, they would be the smallest "non-zero" ones, on which Eq. 13
    rests.

    >>> from sslib.grams import gram_update
    >>> F = np.array([[3.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    >>> gram_spectrum(gram_update(None, F.T)).round(9)
    array([4.5, 2. ])
    """
    checks.choice("estimator", estimator, ESTIMATORS)
    products: Array = gram.products.cpu().numpy()
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
    """A power law P(λ) ∝ λ^-exponent of the eigenvalues >= x_min; ``float()`` is the exponent."""

    exponent: float  #: NaN where there is none
    standard_error: float  #: (exponent - 1) / sqrt(n_tail)
    n: int  #: eigenvalues above the cut
    n_tail: int  #: eigenvalues that the fit uses
    x_min: float  #: the smallest of them
    ks_distance: float  #: largest gap of the distribution functions, taken below each value
    estimator: str

    def __float__(self) -> float:
        return self.exponent


def powerlaw_exponent(eigenvalues: Values, *, estimator: str = "printed") -> PowerLaw:
    """Exponent γ of P(λ) ∝ λ^-γ (Eq. 12) by maximum likelihood (Eq. 13), and the fit behind it.

    NaN with a warning: fewer than 10 eigenvalues left, or all of them equal but for rounding, that
    is to one part in a million. No tail is made of such eigenvalues alone.

    >>> tail = np.arange(1, 101) ** -1.0            # λ_k = 1/k is a density λ^-2
    >>> fit = powerlaw_exponent(tail)
    >>> round(float(fit), 3), round(fit.standard_error, 3), fit.n_tail, fit.x_min
    (2.033, 0.103, 100, 0.01)
    >>> round(float(powerlaw_exponent(tail, estimator="released")), 3)
    2.033

    Args:
        eigenvalues: 1-D, at least 3, in any order; those of size 1e-10 or less are left out.
        estimator: "printed": λ_min is the smallest eigenvalue left, so all of them are the tail.
            "released": λ_min is the eigenvalue with the smallest Kolmogorov–Smirnov distance among
            all but the largest; equal to powerlaw 1.5's ``Fit`` on continuous data. Each is fitted
            to its own tail, which may be as short as 2.

    Returns:
        A `PowerLaw`; ``float()`` is the exponent.

    Raises:
        ValueError: an argument is not as said above.
    """
    fit, reason = _fit("eigenvalues", eigenvalues, estimator)
    if reason:
        warnings.warn(f"power-law exponent is NaN: {reason}", stacklevel=2)
    return fit


def null_exponent(D: int, B: int, *, estimator: str = "printed", seed: int = 0) -> PowerLaw:
    """The exponent of pure noise: Gaussian (D, B) through the same spectrum and fit.

    D may be as large as a layer, as only B x B numbers are drawn. Same seed, same result.

    >>> round(float(null_exponent(150_528, 64, estimator="released")), 1) > 20
    True
    """
    eigenvalues = spectrum(noise_matrix(D, B, seed), estimator=estimator, features=D)
    fit, reason = _fit("eigenvalues", eigenvalues, estimator)
    if reason:
        warnings.warn(f"power-law exponent of noise is NaN: {reason}", stacklevel=2)
    return fit


def _fit(name: str, eigenvalues: Values, estimator: str) -> tuple[PowerLaw, str]:
    """The fit, and why it is NaN (empty if it is not)."""
    checks.choice("estimator", estimator, ESTIMATORS)
    values = checks.array(name, eigenvalues, "(n,)", smallest=3)
    if values.min() < -_NEGATIVE * np.abs(values).max():
        expected = "eigenvalues of a covariance matrix, none clearly negative"
        raise checks.error(name, expected, f"{values.min():.3g} beside {values.max():.3g}")
    values = np.sort(np.abs(values))
    values = values[values > _CUT]
    n = len(values)
    none = PowerLaw(math.nan, math.nan, n, 0, math.nan, math.nan, estimator)
    if n < 10:
        return none, f"{n} eigenvalues above {_CUT:g}, expected at least 10"
    starts = np.unique(values, return_index=True)[1]
    starts = starts[values[-1] - values[starts] > ROUNDING * values[-1]]
    if not len(starts):
        return none, f"all {n} eigenvalues are equal, rounding apart"
    logs = np.log(values)
    tails = (_fit_tail(logs[s:]) for s in (starts if estimator == "released" else starts[:1]))
    exponent, distance, n_tail = min(tails, key=lambda fit: fit[1])
    error = (exponent - 1) / math.sqrt(n_tail)
    return PowerLaw(exponent, error, n, n_tail, float(values[n - n_tail]), distance, estimator), ""


def _fit_tail(logs: Array) -> tuple[float, float, int]:
    """Exponent (Eq. 13), KS distance and length of one tail, given its sorted logarithms."""
    excess = logs - logs[0]
    exponent = 1 + len(logs) / excess.sum()
    fitted = -np.expm1((1 - exponent) * excess)
    below = np.searchsorted(logs, logs) / len(logs)  # the share strictly below
    return float(exponent), float(np.abs(fitted - below).max()), len(logs)


@dataclass(frozen=True)
class ScaleInvariance:
    """Spread σ of the layers' exponents (Eq. 14); ``float()`` is σ."""

    sigma: float  #: NaN where fewer than 2 layers have an exponent
    layers: dict[str, PowerLaw]  #: the fits behind it
    skipped: tuple[str, ...]  #: layers without an exponent
    estimator: str

    def __float__(self) -> float:
        return self.sigma


def scale_invariance(spectra: Layers, *, estimator: str = "printed") -> ScaleInvariance:
    """σ, the population standard deviation of the layers' exponents (Eq. 14, Table 4).

    Smaller means more scale invariant. A layer is left out, with a warning that names it, where its
    exponent does not exist; "released" also leaves out layers with fewer than 50 eigenvalues above
    1e-10. Fewer than 2 layers left: NaN, warned.

    >>> layers = {"a": np.arange(1, 101) ** -1.0, "b": np.arange(1, 101) ** -0.5}
    >>> result = scale_invariance(layers)
    >>> round(float(result), 3), round(result.layers["b"].exponent, 3)
    (0.517, 3.067)

    Args:
        spectra: eigenvalues by layer, from :func:`spectrum` or :func:`gram_spectrum` with the same
            estimator.
        estimator: "printed" or "released".

    Raises:
        ValueError: an argument is not as said above.
    """

    def fit(name: str, eigenvalues: Values) -> tuple[PowerLaw, str]:
        found, reason = _fit(name, eigenvalues, estimator)
        if not reason and estimator == "released" and found.n < _LAYER_EIGENVALUES:
            reason = f"{found.n} eigenvalues, the released code asks for {_LAYER_EIGENVALUES}"
        return found, reason

    fits, skipped = checks.layer_fits("spectra", spectra, fit, "σ", "an exponent")
    exponents = [found.exponent for found in fits.values()]
    sigma = float(np.std(exponents)) if len(fits) > 1 else math.nan
    return ScaleInvariance(sigma, fits, skipped, estimator)
