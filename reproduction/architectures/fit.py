"""The statistics of the plan: mixed models, resampled lineages, Shapley shares, random nines."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

#: The lists of a record that a design's numbers come from.
LAYER_METRICS = (
    "D",
    "released",
    "printed",
    "scale_free_rate",
    "participation_ratio",
    "distance_mean",
    "distance_std",
    "distance_skewness",
)
DRAWS, NINES = 1000, 10_000

# A variance of lineages below this share of the residual one counts as 0.
_NO_VARIANCE = 1e-3


@dataclass(frozen=True)
class Effect:
    """A coefficient with its 95 % interval, and which model gave it."""

    estimate: float
    low: float
    high: float
    model: str


def mixed(y: pd.Series, X: pd.DataFrame, lineage: pd.Series) -> Effect:
    """The coefficient of X's first column by a mixed model: lineage as a random intercept, REML.

    The interval takes the t distribution with (lineages - 2) degrees of freedom. Where REML does
    not converge or puts the lineages' variance at 0, least squares with standard errors clustered
    by lineage stands in.

    Args:
        y: (n,) outcome.
        X: (n, p) covariates without a constant, the one asked about first.
        lineage: (n,) names.

    >>> rng = np.random.default_rng(0)
    >>> lineage = pd.Series(np.repeat(np.arange(20), 5).astype(str))
    >>> X = pd.DataFrame({"x": np.tile([0.0, 1.0, 0.0, 1.0, 1.0], 20)})
    >>> y = 3 * X["x"] + np.repeat(rng.normal(size=20), 5) + rng.normal(size=100) / 10
    >>> effect = mixed(y, X, lineage)
    >>> round(effect.estimate, 1), effect.model
    (3.0, 'mixed')
    """
    half = stats.t.ppf(0.975, lineage.nunique() - 2)
    result = _reml(y, X, lineage)
    model = "mixed"
    if result is None:
        from statsmodels.api import OLS

        codes = pd.factorize(lineage)[0]
        result = OLS(y.to_numpy(), _standardised(X)).fit(
            cov_type="cluster", cov_kwds={"groups": codes}
        )
        model = "clustered"
    estimate, error = float(np.asarray(result.params)[1]), float(np.asarray(result.bse)[1])
    return Effect(estimate, estimate - half * error, estimate + half * error, model)


def _reml(y: pd.Series, X: pd.DataFrame, lineage: pd.Series) -> Any:
    """statsmodels' result of the highest likelihood; None where no search converges above 0."""
    from statsmodels.api import MixedLM

    found = []
    # Its default search, l-bfgs, can end in a variance of 0 and an infinite likelihood.
    for method in ("bfgs", "powell", "nm"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on boundary and convergence, which are looked at here
            try:
                model = MixedLM(y.to_numpy(), _standardised(X), groups=lineage.to_numpy())
                result = model.fit(reml=True, method=method)
            except (np.linalg.LinAlgError, ValueError):
                continue
            if result.converged and math.isfinite(result.llf) and math.isfinite(result.bse[1]):
                found.append(result)
    best = max(found, key=lambda result: result.llf, default=None)
    if best is None or float(np.asarray(best.cov_re)[0, 0]) <= _NO_VARIANCE * best.scale:
        return None
    return best


def _standardised(X: pd.DataFrame) -> np.ndarray:
    """A constant, the first column as it is, the others with mean 0 and deviation 1."""
    others = X.iloc[:, 1:]
    return np.column_stack([np.ones(len(X)), X.iloc[:, 0], (others - others.mean()) / others.std()])


def resampled(
    y: pd.Series, X: pd.DataFrame, lineage: pd.Series, *, draws: int = DRAWS, seed: int = 0
) -> Effect:
    """The same coefficient by least squares, with the middle 95 % over resampled lineages."""
    design = _standardised(X)
    weights = lineage_weights(lineage, draws, seed)
    slopes = [_slope(y.to_numpy(), design, w) for w in weights]
    # A resample without any global design has no contrast.
    low, high = np.nanquantile(slopes, [0.025, 0.975])
    return Effect(
        _slope(y.to_numpy(), design, np.ones(len(y))), float(low), float(high), "resampled"
    )


def _slope(y: np.ndarray, design: np.ndarray, weights: np.ndarray) -> float:
    kept = weights > 0
    if np.ptp(design[kept, 1]) == 0:
        return math.nan
    root = np.sqrt(weights[kept])
    return float(np.linalg.lstsq(design[kept] * root[:, None], y[kept] * root, rcond=None)[0][1])


def lineage_weights(lineage: pd.Series, draws: int, seed: int) -> np.ndarray:
    """How often each row is in each resample of whole lineages: (draws, n).

    >>> lineage_weights(pd.Series(["a", "a", "b"]), 2, 0).sum(1) >= 2
    array([ True,  True])
    """
    codes, names = pd.factorize(lineage)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    return counts[:, codes].astype(float)


def shapley(
    y: pd.Series,
    factors: Mapping[str, pd.DataFrame],
    lineage: pd.Series,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """Each factor's share of R2, averaged over all orders of entry, with intervals over lineages.

    Args:
        y: (n,) outcome.
        factors: name -> its columns, (n, p).
        lineage: (n,) names; whole lineages are resampled.

    Returns:
        Indexed by factor and "all" (R2 with every factor): "share", "low" and "high", the middle
        95 % of the resamples.

    >>> x = pd.DataFrame({"x": np.arange(20.0)})
    >>> z = pd.DataFrame({"z": np.tile([1.0, -1.0, -1.0, 1.0], 5)})
    >>> lineage = pd.Series(list("abcdefghij" * 2))
    >>> shapley(3 * x["x"], {"x": x, "z": z}, lineage)["share"].round(6).tolist()
    [1.0, 0.0, 1.0]
    """
    names = list(factors)
    block = np.repeat(np.arange(len(names)), [factors[name].shape[1] for name in names])
    columns = np.column_stack(
        [*(factors[name].to_numpy(dtype=float) for name in names), y.to_numpy(dtype=float)]
    )
    columns = (columns - columns.mean(0)) / columns.std(0)
    weights = np.vstack([np.ones(len(y)), lineage_weights(lineage, draws, seed)])
    products = _weighted_products(columns, weights)
    r2 = {
        subset: _r2(products, np.flatnonzero(np.isin(block, subset)))
        for size in range(len(names) + 1)
        for subset in itertools.combinations(range(len(names)), size)
    }
    rows = {}
    for k, name in enumerate(names):
        rest = [other for other in range(len(names)) if other != k]
        share = np.zeros(len(weights))
        for size in range(len(names)):
            weight = 1 / (len(names) * math.comb(len(names) - 1, size))
            for subset in itertools.combinations(rest, size):
                share += weight * (r2[tuple(sorted((*subset, k)))] - r2[subset])
        rows[name] = share
    rows["all"] = r2[tuple(range(len(names)))]
    ends = {name: np.quantile(values[1:], [0.025, 0.975]) for name, values in rows.items()}
    found = {
        name: {"share": rows[name][0], "low": ends[name][0], "high": ends[name][1]} for name in rows
    }
    return pd.DataFrame.from_dict(found, orient="index")


def _weighted_products(columns: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted covariances of all columns with each other, per row of weights: (draws, p, p)."""
    total = weights.sum(1)
    means = weights @ columns / total[:, None]
    products = (
        np.einsum("dn,ni,nj->dij", weights, columns, columns, optimize=True) / total[:, None, None]
    )
    return products - means[:, :, None] * means[:, None, :]


def _r2(products: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """R2 of the last column on the chosen ones, per draw; dependent columns count once."""
    if not len(chosen):
        return np.zeros(len(products))
    inner = products[:, chosen[:, None], chosen[None, :]]
    outer = products[:, chosen, -1]
    inverse = np.linalg.pinv(inner, rcond=1e-8, hermitian=True)
    return np.einsum("di,dij,dj->d", outer, inverse, outer) / products[:, -1, -1]


def drawn_difference(
    first: pd.Series,
    second: pd.Series,
    n_first: int,
    n_second: int,
    *,
    draws: int = NINES,
    seed: int = 0,
) -> tuple[float, float]:
    """The middle 95 % of mean(first) - mean(second), so many of each drawn without replacement.

    >>> drawn_difference(pd.Series([1.0, 1.0]), pd.Series([3.0, 3.0, 3.0]), 1, 2)
    (-2.0, -2.0)
    """
    rng = np.random.default_rng(seed)

    def means(values: pd.Series, n: int) -> np.ndarray:
        order = rng.random((draws, len(values))).argsort(axis=1)[:, :n]
        return values.to_numpy()[order].mean(axis=1)

    low, high = np.quantile(means(first, n_first) - means(second, n_second), [0.025, 0.975])
    return float(low), float(high)
