"""Spectra and point sets whose exponent or dimension is known, and how well it is recovered."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from reproduction.invariance.known import KNOWN_SETS, RULE_CHOSEN_ON, known_points
from sslib.checks import ESTIMATORS
from sslib.dimension import RELEASED_UMAP, correlation_dimension, umap_points
from sslib.grams import Gram, gram_distances
from sslib.noise import noise_matrix
from sslib.powerlaw import powerlaw_exponent, spectrum

#: Spectra that are no power law, and one that is one above a bulk which is not.
OTHER_SPECTRA = ("noise", "low rank", "exponential", "bulk and tail 2.5")


def known_spectrum(name: str, n: int = 300, *, seed: int = 0) -> np.ndarray:
    """n eigenvalues of a known kind, in no order.

    "tail 2.5" (or another exponent above 1) is a pure power law λ^-2.5, λ >= 1. "noise" is the
    spectrum of n samples of 4n Gaussian features, "low rank" 20 eigenvalues between 1 and 10 above
    noise of the size of 1e-4, "exponential" is drawn from an exponential distribution, and in "bulk
    and tail 2.5" half lie evenly below 1, half in the tail.

    >>> bool(known_spectrum("tail 3", 1000).min() >= 1), known_spectrum("low rank").shape
    (True, (300,))

    Args:
        name: one of `OTHER_SPECTRA`, or "tail <exponent>".
        n: how many eigenvalues, at least 40.
        seed: of their draw.

    Raises:
        ValueError: another name, n < 40.
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
            return spectrum(noise_matrix(4 * n, n, seed), features=4 * n)
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


def exponent_recovery(
    exponents: Sequence[float] = (1.5, 2.0, 2.5, 3.0, 3.5),
    *,
    n: int = 300,
    draws: int = 100,
    seed: int = 0,
) -> pd.DataFrame:
    """Pure power laws of known exponent, given to both estimators: a row per exponent and
    estimator.

    >>> exponent_recovery([2.5], n=100, draws=3)["within"].tolist()
    [1.0, 1.0]

    Args:
        exponents: of the power laws.
        n: eigenvalues of a spectrum.
        draws: spectra per exponent.
        seed: of the draws.

    Returns:
        Columns: exponent, estimator, mean and std of the estimates over the draws, standard_error
        (mean of those stated), within: the share of the draws within three of their own standard
        errors of the truth.
    """
    rows = []
    for j, exponent in enumerate(exponents):
        spectra = [
            known_spectrum(f"tail {exponent}", n, seed=seed + draws * j + k) for k in range(draws)
        ]
        for estimator in ESTIMATORS:
            fits = [powerlaw_exponent(values, estimator=estimator) for values in spectra]
            found, errors = (
                np.array([getattr(f, name) for f in fits])
                for name in ("exponent", "standard_error")
            )
            rows.append(
                {
                    "exponent": exponent,
                    "estimator": estimator,
                    "mean": found.mean(),
                    "std": found.std(ddof=1),
                    "standard_error": errors.mean(),
                    "within": float((np.abs(found - exponent) <= 3 * errors).mean()),
                }
            )
    return pd.DataFrame(rows)


def exponent_examples(*, n: int = 300, seed: int = 0) -> pd.DataFrame:
    """What both estimators say of spectra that are no power law.

    Args:
        n: eigenvalues of a spectrum.
        seed: of their draw.

    Returns:
        A row per spectrum of `OTHER_SPECTRA` and estimator, with the fields of the fit.
    """
    rows = []
    for name in OTHER_SPECTRA:
        for estimator in ESTIMATORS:
            fit = powerlaw_exponent(known_spectrum(name, n, seed=seed), estimator=estimator)
            rows.append({"spectrum": name, **dataclasses.asdict(fit)})
    return pd.DataFrame(rows)


def dimension_recovery(
    *, n: int = 2000, scales: Sequence[float] = (0.01, 1.0, 100.0), seed: int = 0
) -> pd.DataFrame:
    """Point sets of known dimension in three units, given to both estimators: a row per set,
    estimator and unit.

    >>> found = dimension_recovery(n=300, scales=[1.0])
    >>> found.loc[found["estimator"] == "printed", "dimension"].round(0).tolist()[:2]
    [1.0, 2.0]

    Args:
        n: points of a set.
        scales: what all lengths are multiplied with.
        seed: of the draw of the points.

    Returns:
        Columns: set, true, held_out (the set had no say in the rule for the scaling region),
        estimator, scale, dimension, standard_error; NaN where there is no dimension.
    """
    rows = []
    for name, true in KNOWN_SETS.items():
        points = known_points(name, n, seed=seed)
        for estimator in ESTIMATORS:
            for scale in scales:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # NaN says it
                    fit = correlation_dimension(scale * points, estimator=estimator)
                rows.append(
                    {
                        "set": name,
                        "true": true,
                        "held_out": name not in RULE_CHOSEN_ON,
                        "estimator": estimator,
                        "scale": scale,
                        "dimension": fit.dimension,
                        "standard_error": fit.standard_error,
                    }
                )
    return pd.DataFrame(rows)


def umap_repeats(
    gram: Gram, seeds: Sequence[int], *, umap: Mapping[str, float] = RELEASED_UMAP
) -> pd.DataFrame:
    """One layer's dimension under several seeds of UMAP: a row per seed, a column per estimator.

    Nothing differs between the rows but UMAP's random numbers, so Δ of a column is what UMAP alone
    gives.
    """
    distances = gram_distances(gram)
    rows = {}
    for seed in seeds:
        points = umap_points(distances, metric="precomputed", **{**umap, "seed": seed})
        rows[seed] = {
            estimator: float(correlation_dimension(points, estimator=estimator))
            for estimator in ESTIMATORS
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("seed")
