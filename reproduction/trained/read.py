"""Records of trained networks as tables, and answers by the rules of the plan."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import optimize
from scipy import stats as scipy_stats

from reproduction import records
from reproduction.paths import RESULTS
from reproduction.stats import mean_interval
from reproduction.trained import CHECK, LAYERS, NAMES, PATH, TWINS

FORMULAS = ("released", "printed")
AXES = ("mean", "log", "linear")
NULLS = ("shuffled", "one direction", "standardised")
ABOVE, BELOW, WITHIN = "above", "below", "not told apart"

#: What tables call the measures.
LABELS = {
    "released": "SS_rate, released",
    "printed": "SS_rate, printed",
    "distance_mean": "mean pair distance",
    **{f"{formula}, {axis}": f"{formula}, axis {axis}" for formula in FORMULAS for axis in AXES},
    "shuffled": "shuffled",
    "one direction": "one direction alone",
    "standardised": "correlations alone",
    "less gaussian": "less Gaussian noise",
    "less shuffled": "less shuffled",
    "less one direction": "less one direction",
    "less standardised": "means and variances (the rest)",
    "participation_ratio": "participation ratio",
    "effective_rank": "effective rank",
    "two_nn": "dimension (TwoNN)",
    "sigma": "σ",
    "delta": "Δ",
    "cifar10": "CIFAR-10",
    "imagenette": "Imagenette",
}

# Pairings drawn for the p of a rank correlation.
_PAIRINGS = 100_000


def runs_of(experiment: str, root: Path) -> pd.DataFrame:
    """Records with the columns network, by name, and state, in the order of `NAMES` and seeds."""
    runs = records.read_all(experiment, root)
    if runs.empty:
        return runs
    order = {name: place for place, name in enumerate(NAMES)}
    place = runs["config.model"].map(order)
    runs = runs.assign(network=runs["config.model"].map(NAMES), place=place)
    state = np.where(runs["config.weights"] == "untrained", "untrained", "trained")
    return runs.assign(state=state).sort_values(["place", "seed"], kind="stable")


def check(root: Path = RESULTS) -> pd.DataFrame:
    """Accuracy of the weights: network, timm name, top1, top5, images, file (SHA-256).

    A network may stand there twice: its weights also fit another of timm's definitions.
    """
    rows = []
    for run in records.read_all(CHECK, root).to_dict("records"):
        rows.append(
            {
                "network": NAMES.get(run["config.model"], NAMES["tf_efficientnet_lite0"]),
                "timm name": run["config.model"],
                "top1": run["metrics.top1"],
                "top5": run["metrics.top5"],
                "images": run["data.n"],
                "file": run["metrics.sha256"]["file"],
            }
        )
    table = pd.DataFrame(rows)
    return table.sort_values(["network", "top1"], ascending=False) if rows else table


def layers(root: Path = RESULTS) -> pd.DataFrame:
    """A row per layer of every record: network, state, seed, draw, module, depth, measures.

    depth runs from 0 to 1. Measures are those of ``layer_measures`` and, as "<kind>: <rate>", the
    rates of null models; top1 is that of the whole network on the draw.
    """
    rows = []
    for run in runs_of(LAYERS, root).to_dict("records"):
        found = run["metrics.layers"]
        for place, (module, of) in enumerate(found.items()):
            nulls = {
                f"{k}: {rate}": v for k, rates in of["nulls"].items() for rate, v in rates.items()
            }
            rows.append(
                {
                    "network": run["network"],
                    "state": run["state"],
                    "seed": run["seed"],
                    "draw": run["config.draw"],
                    "module": module,
                    "depth": place / max(1, len(found) - 1),
                    "top1": run["metrics.top1"],
                }
                | {key: value for key, value in of.items() if key != "nulls"}
                | nulls
            )
    return pd.DataFrame(rows)


def prediction_interval(values: Sequence[float]) -> tuple[float, float]:
    """Where one more of n normal values lies in 95 of 100 cases: mean ± t · s · √(1 + 1/n).

    >>> low, high = prediction_interval([1.0, 2.0, 3.0])
    >>> round(low, 2), round(high, 2)
    (-2.97, 6.97)
    """
    x = np.asarray(values, dtype=float)
    if len(x) < 2:
        return math.nan, math.nan
    half = scipy_stats.t.ppf(0.975, len(x) - 1) * x.std(ddof=1) * math.sqrt(1 + 1 / len(x))
    return float(x.mean() - half), float(x.mean() + half)


def detectable(values: Sequence[float], power: float = 0.8) -> float:
    """The smallest difference that `prediction_interval` of n normal values would find.

    One value that lies so far from the others' mean is outside, on that side, with the given power;
    their standard deviation is taken as the true one.

    >>> round(detectable([1.0, 2.0, 3.0, 4.0, 5.0]), 1)
    6.5
    """
    x = np.asarray(values, dtype=float)
    df, width = len(x) - 1, x.std(ddof=1) * math.sqrt(1 + 1 / len(x)) if len(x) > 1 else 0.0
    if not width > 0:
        return math.nan
    limit = scipy_stats.t.ppf(0.975, df)
    shift = optimize.brentq(lambda d: scipy_stats.nct.sf(limit, df, d) - power, 0, 30)
    return float(shift * width)


def outside(layers: pd.DataFrame, measures: Iterable[str]) -> pd.DataFrame:
    """Is the trained network outside the untrained ones? A row per network and measure.

    A network's value is the mean over modules and draws; modules that have no value in some run are
    left out of all. "above" and "below" ask for a value outside the 95 % prediction interval of one
    more untrained network, and on the same side of the seeds' mean in every draw.

    Args:
        layers: as from `layers`.
        measures: columns of it.

    Returns:
        network, measure, untrained (mean over seeds), std, low, high (the interval), seeds,
        trained, change, detectable (by 80 % power), draws, modules, outcome.
    """
    rows = []
    names = "network measure untrained std low high seeds trained change detectable draws modules"
    for (network, measure), part in _cells(layers, measures):
        cells = part.groupby(["state", "seed", "draw"])[measure].mean()
        of_seeds = cells["untrained"].groupby("seed").mean()
        of_draws = cells["trained"].groupby("draw").mean()
        low, high = prediction_interval(of_seeds)
        trained, mean = of_draws.mean(), of_seeds.mean()
        sides = np.sign(of_draws - cells["untrained"].groupby("draw").mean())
        outcome = ABOVE if trained > high else BELOW if trained < low else WITHIN
        rows.append(
            {
                "network": network,
                "measure": measure,
                "untrained": mean,
                "std": of_seeds.std(),
                "low": low,
                "high": high,
                "seeds": len(of_seeds),
                "trained": trained,
                "change": trained - mean,
                "detectable": detectable(of_seeds),
                "draws": len(of_draws),
                "modules": part["module"].nunique(),
                "outcome": outcome if sides.nunique() == 1 else WITHIN,
            }
        )
    return pd.DataFrame(rows, columns=[*names.split(), "outcome"])


def _cells(
    layers: pd.DataFrame, measures: Iterable[str]
) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    for network, part in layers.groupby("network", sort=False):
        if set(part["state"]) == {"trained", "untrained"}:
            for measure in measures:
                lacking = part.loc[part[measure].isna(), "module"].unique()
                yield (network, measure), part[~part["module"].isin(lacking)]


def rates(layers: pd.DataFrame) -> pd.DataFrame:
    """Does training raise SS_rate? `outside` of both formulas and of the mean pair distance."""
    return outside(layers, [*FORMULAS, "distance_mean"])


def shape(layers: pd.DataFrame) -> pd.DataFrame:
    """Does the shape of the distances change? `outside` of the scale-free variants."""
    return outside(layers, [f"{formula}, {axis}" for formula in FORMULAS for axis in AXES])


def structure(layers: pd.DataFrame) -> pd.DataFrame:
    """What in the shape changes? `outside` of null models, of F less each, and of dimensions.

    All rates are scale-free (axis mean, released): "<kind>" of a null model, "less <kind>" of the
    features less it. "standardised" has correlations alone, so what is left less it is means and
    variances.
    """
    rate = "released, mean"
    added = {kind: layers[f"{kind}: {rate}"] for kind in NULLS}
    added |= {
        f"less {kind}": layers[rate] - layers[f"{kind}: {rate}"] for kind in ("gaussian", *NULLS)
    }
    measures = [*added, "participation_ratio", "effective_rank", "two_nn"]
    return outside(layers.assign(**added), measures)


def twins(root: Path = RESULTS) -> pd.DataFrame:
    """One row per layer, pair of trained and untrained network and formula.

    Columns: network, seed, draw, module, depth, formula, the four rates of ``run.exchange``, ratio,
        cka.
    """
    rows = []
    for run in runs_of(TWINS, root).to_dict("records"):
        found = run["metrics.layers"]
        for place, (module, of) in enumerate(found.items()):
            for formula in FORMULAS:
                rows.append(
                    {
                        "network": run["network"],
                        "seed": run["seed"],
                        "draw": run["config.draw"],
                        "module": module,
                        "depth": place / max(1, len(found) - 1),
                        "formula": formula,
                        **of[formula],
                        "ratio": of["ratio"],
                        "cka": of["cka"],
                    }
                )
    return pd.DataFrame(rows)


def scale(twins: pd.DataFrame) -> pd.DataFrame:
    """How much of the change is one of scale? A row per network and formula.

    The scale's part is the mean of what it changes with trained and with untrained features, the
    shape's part is the rest. Means over modules, then draws; intervals over the seeds.

    Returns:
        network, formula, change, scale, shape (means over seeds), share (of the scale, in the
        change), low, high (its 95 % t interval), seeds, outcome.
    """
    rows = []
    four = ["untrained", "trained", "trained at untrained scale", "untrained at trained scale"]
    for (network, formula), part in twins.groupby(["network", "formula"], sort=False):
        means = part.groupby(["seed", "draw"])[four].mean().groupby("seed").mean()
        change = means["trained"] - means["untrained"]
        of_scale = (means["trained"] - means[four[2]] + means[four[3]] - means["untrained"]) / 2
        share = mean_interval(of_scale / change)
        outcome = (
            "mostly shape" if share.high < 0.5 else "mostly scale" if share.low > 0.5 else "both"
        )
        rows.append(
            {
                "network": network,
                "formula": formula,
                "change": change.mean(),
                "scale": of_scale.mean(),
                "shape": (change - of_scale).mean(),
                "share": share.mean,
                "low": share.low,
                "high": share.high,
                "seeds": share.n,
                "outcome": outcome,
            }
        )
    return pd.DataFrame(rows)


def path(root: Path = RESULTS) -> pd.DataFrame:
    """Means over modules: network, statistics, seed, t, both rates, log distance, top1."""
    rows = []
    for run in runs_of(PATH, root).to_dict("records"):
        for point in run["metrics.points"]:
            of = pd.DataFrame(point["layers"]).T
            rows.append(
                {
                    "network": run["network"],
                    "statistics": run["config.statistics"],
                    "seed": run["seed"],
                    "t": point["t"],
                    **{key: of[key].mean(skipna=False) for key in (*FORMULAS, "released, mean")},
                    "log distance": np.log10(of["distance_mean"]).mean(skipna=False),
                    "top1": point["top1"],
                }
            )
    return pd.DataFrame(rows)


def path_outcomes(path: pd.DataFrame, measure: str = "released") -> pd.DataFrame:
    """Does SS_rate go straight from one end to the other? A row per network and statistics.

    "leaves the range": in all seeds some value lies outside the range of the ends by more than a
    quarter of their difference; "monotone": in all seeds every step has the sign of the whole; else
    "within the range". "excess": by how much of the difference the range is left, mean over seeds.
    """
    rows = []
    for (network, statistics), part in path.groupby(["network", "statistics"], sort=False):
        excess, monotone = [], []
        for _, run in part.sort_values("t").groupby("seed"):
            values = run[measure].to_numpy()
            whole = values[-1] - values[0]
            along = (values - values[0]) / whole  # 0 at the start, 1 at the end
            excess.append(max(along.max() - 1, -along.min(), 0))
            monotone.append(bool((np.diff(along) > 0).all()))
        leaves = min(excess) > 0.25
        outcome = (
            "leaves the range" if leaves else "monotone" if all(monotone) else "within the range"
        )
        rows.append(
            {
                "network": network,
                "statistics": statistics,
                "untrained": part.loc[part["t"] == 0, measure].mean(),
                "trained": part.loc[part["t"] == 1, measure].mean(),
                "highest": part.groupby("seed")[measure].max().mean(),
                "lowest": part.groupby("seed")[measure].min().mean(),
                "excess": float(np.mean(excess)),
                "seeds": len(excess),
                "outcome": outcome,
            }
        )
    return pd.DataFrame(rows)


def depth(layers: pd.DataFrame, twins: pd.DataFrame, alike: pd.DataFrame) -> pd.DataFrame:
    """How much training changes a module: network, module, depth, "SS_rate", "1 - CKA" (biased, as
    planned), "1 - CKA, unbiased".

    Args:
        layers, twins: of the functions of these names.
        alike: of ``read_beside.alike``.
    """
    keys = ["network", "module", "depth"]
    means = layers.groupby([*keys, "state"], sort=False)["released"].mean().unstack("state")
    biased = twins[twins["draw"] == 0].groupby(keys, sort=False)["cka"].mean()
    unbiased = alike.groupby(keys, sort=False)["trained"].mean()
    change = (means["trained"] - means["untrained"]).abs()
    columns = {"SS_rate": change, "1 - CKA": 1 - biased, "1 - CKA, unbiased": 1 - unbiased}
    return pd.DataFrame(columns).reset_index()


def depth_ranks(depth: pd.DataFrame) -> pd.DataFrame:
    """Are shallow modules changed more? Spearman's correlation of change with depth.

    p, two-sided, is the share of 100,000 random pairings (fixed seed) at least as strong. It takes
    the modules of a network as exchangeable, which neighbours are not: a network is one case.

    Returns:
        network, measure, rho, p, modules, outcome ("as the paper says", "the other way",
        "undecided").
    """
    rows, rng = [], np.random.default_rng(0)
    for network, part in depth.groupby("network", sort=False):
        for measure in part.columns.drop(["network", "module", "depth"], errors="ignore"):
            ranks = scipy_stats.rankdata(part[measure])
            x, y = (r - r.mean() for r in (scipy_stats.rankdata(part["depth"]), ranks))
            rho = x @ y / math.sqrt((x @ x) * (y @ y))
            drawn = rng.permuted(np.tile(y, (_PAIRINGS, 1)), axis=1) @ x
            p = float((abs(drawn) >= abs(x @ y) - 1e-9).mean())
            sign = "as the paper says" if rho < 0 else "the other way"
            outcome = sign if p < 0.05 else "undecided"
            row = {"network": network, "measure": measure, "rho": float(rho), "p": p}
            rows.append(row | {"modules": len(part), "outcome": outcome})
    return pd.DataFrame(rows)


def shown(table: pd.DataFrame, rows: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Columns of a table as a reader sees them, by the names of its rows; numbers to three digits.

    >>> table = pd.DataFrame({"measure": ["released"], "change": [0.12345], "seeds": [5]})
    >>> shown(table, ["measure"], ["change", "seeds"]).loc["SS_rate, released"].tolist()
    [0.123, 5.0]
    """
    named = table.assign(
        **{row: table[row].replace(LABELS) for row in rows if row not in ("formula", "way")}
    )
    return named.set_index([*rows])[[*columns]].round(3).rename_axis([None] * len(rows))
