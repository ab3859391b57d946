"""Spectra and point sets whose exponent or dimension is known, and how well it is recovered."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd

from sslib.checks import ESTIMATORS
from sslib.dimension import RELEASED_UMAP, correlation_dimension, umap_points
from sslib.grams import Gram, gram_distances
from sslib.noise import noise_matrix
from sslib.powerlaw import powerlaw_exponent, spectrum

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


def exponent_recovery(
    exponents: Sequence[float] = (1.5, 2.0, 2.5, 3.0, 3.5),
    *,
    n: int = 300,
    draws: int = 100,
    seed: int = 0,
) -> pd.DataFrame:
    """Pure power laws of known exponent, given to both estimators: a row per exponent and
    estimator.

    Columns: exponent, estimator, mean and std of the estimates over the draws, standard_error
    (their mean), within: how many of the draws lie within three of their own standard errors of the
    truth.

    >>> exponent_recovery([2.5], n=100, draws=3)["within"].tolist()
    [3, 3]
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
                    "within": int((np.abs(found - exponent) <= 3 * errors).sum()),
                }
            )
    return pd.DataFrame(rows)


def exponent_examples(*, n: int = 300, seed: int = 0) -> pd.DataFrame:
    """What both estimators say of spectra that are no power law: exponent, standard_error, n_tail,
    ks_distance of each.
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

    Columns: set, true, held_out (the set had no say in the rule for the scaling region), estimator,
    scale, dimension, standard_error; NaN where there is no dimension.

    >>> found = dimension_recovery(n=300, scales=[1.0])
    >>> found.loc[found["estimator"] == "printed", "dimension"].round(0).tolist()[:2]
    [1.0, 2.0]
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
