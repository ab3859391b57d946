"""Records in, tables out: a row per design, and a row per answer to the plan's questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from reproduction.architectures import fit
from reproduction.architectures.designs import REACH

#: Rules of the plan (data/results/plan.yml, hundred-architectures).
SMALL_RATE, SMALL_RATIO, GOOD_PART = 0.028, 1.25, 0.10
#: SS_rate as it is measured: the column, and what it is called.
RATES = {"ss_rate": "released", "printed": "printed", "scale_free": "scale-free"}
#: What (d) holds equal.
SHAPE = ("log_distance", "cv", "skewness")


def table(runs: pd.DataFrame, designs: Iterable[Mapping[str, str]]) -> pd.DataFrame:
    """The measured designs, a row each, in the file's order: means over modules, then seeds.

    Args:
        runs: the records, ``read_all("architectures")``.
        designs: what ``designs.designs`` gives.

    Returns:
        By timm's name: the file's columns and "reach"; "millions" of parameters, "depth" (modules),
        "width" (mean D), "initialisation"; "ss_rate", "printed", "scale_free"; "directions"
        (participation ratio of the first module); "log_distance", "cv", "skewness" of the
        distances; "seeds", and "seed_variance" of ss_rate.
    """
    facts = pd.DataFrame(list(designs)).set_index("name")
    facts["reach"] = facts["family"].map(REACH)
    cells = [_cell(run) for run in runs.to_dict("records") if _is_measured(run)]
    measured = pd.DataFrame([cell for cell in cells if cell is not None])
    if measured.empty:
        numbers = ["millions", "depth", "width", "ss_rate", "printed", "scale_free", "directions"]
        numbers += [*SHAPE, "seeds", "seed_variance"]
        return facts.iloc[:0].assign(initialisation="", **dict.fromkeys(numbers, np.nan))
    by_design = measured.groupby("name")
    numbers = by_design.mean(numeric_only=True).drop(columns="seed")
    # The mean over seeds is of logarithms: a ratio's scale, on which the model works.
    numbers["directions"] = np.exp(numbers.pop("log_directions"))
    numbers["initialisation"] = by_design["initialisation"].first()
    numbers["seeds"] = by_design["seed"].nunique()
    numbers["seed_variance"] = by_design["ss_rate"].var()
    return facts.join(numbers, how="inner")


def _is_measured(run: Mapping[str, Any]) -> bool:
    return isinstance(run.get("metrics.modules"), list)


def _cell(run: Mapping[str, Any]) -> dict[str, Any] | None:
    """One record as numbers, or None where fewer than two layers have an SS_rate."""
    column = {name: np.array(run[f"metrics.{name}"], dtype=float) for name in fit.LAYER_METRICS}
    kept = np.isfinite(column["released"])
    if kept.sum() < 2:
        return None
    mean = {name: float(values[kept].mean()) for name, values in column.items()}
    distance = column["distance_mean"][kept]
    log_distance = np.log(distance)
    return {
        "name": run["config.model"],
        "seed": run["seed"],
        "millions": run["metrics.parameters"] / 1e6,
        "depth": len(kept),
        "width": mean["D"],
        "initialisation": run["metrics.initialisation"],
        "ss_rate": mean["released"],
        "printed": mean["printed"],
        "scale_free": mean["scale_free_rate"],
        "log_directions": float(np.log(column["participation_ratio"][0])),
        "log_distance": float(log_distance.mean()),
        "cv": float((column["distance_std"][kept] / distance).mean()),
        "skewness": mean["distance_skewness"],
    }


def left_out(runs: pd.DataFrame) -> dict[str, str]:
    """The designs that could not be measured, and why not."""
    reasons = {}
    for run in runs.to_dict("records"):
        if not _is_measured(run):
            reasons[run["config.model"]] = run["metrics.skipped"]
        elif _cell(run) is None:
            reasons[run["config.model"]] = "fewer than two layers with an SS_rate"
    return reasons


#: Fewer designs, or lineages of either reach, than this give the plan's models nothing to fit.
FEWEST_DESIGNS, FEWEST_LINEAGES = 20, 3


def too_few(designs: pd.DataFrame) -> str:
    """Why the plan's questions cannot be answered from these designs; "" where they can."""
    if len(designs) >= FEWEST_DESIGNS:
        lineages = designs.groupby("reach")["lineage"].nunique()
        if min(lineages.get(reach, 0) for reach in ("global", "local")) >= FEWEST_LINEAGES:
            return ""
    return (
        f"{len(designs)} designs are measured; the plan's models need at least {FEWEST_DESIGNS}, "
        f"of {FEWEST_LINEAGES} lineages that mix globally and as many that do not"
    )


def _enough(designs: pd.DataFrame) -> None:
    if why := too_few(designs):
        raise ValueError(f"designs: {why}")


def contrasts(designs: pd.DataFrame) -> pd.DataFrame:
    """Questions (a) and (d), and what is described beside them: global less local, a row each.

    Args:
        designs: what ``table`` gives.

    Raises:
        ValueError: there are `too_few`, here and below.

    Returns:
        Columns "question", "outcome", "designs" (whose contrast), "estimate", "low", "high" (a
        ratio where the outcome is the participation ratio), "n", "lineages", "model" and "answer"
        (by the plan's rule; "" where it decides nothing).
    """
    _enough(designs)
    two = designs[designs["reach"] != "hybrid"]
    attention = two[two["family"] != "global MLP"]
    rows = [
        _contrast("a-directions", two, "directions"),
        _contrast("a-rate", two, "ss_rate"),
        _contrast("d", two, "ss_rate", SHAPE),
    ]
    rows += [_contrast("a-rate", two, rate) | {"answer": ""} for rate in ("printed", "scale_free")]
    rows += [
        _contrast("d", two, rate, SHAPE) | {"answer": ""} for rate in ("printed", "scale_free")
    ]
    for outcome, question in (("directions", "a-directions"), ("ss_rate", "a-rate")):
        rows.append(
            _contrast(question, attention, outcome) | {"designs": "attention", "answer": ""}
        )
        rows.append(_contrast(question, two, outcome, resample=True) | {"answer": ""})
    return pd.DataFrame(rows)


def _contrast(
    question: str,
    designs: pd.DataFrame,
    outcome: str,
    covariates: tuple[str, ...] = (),
    *,
    resample: bool = False,
) -> dict[str, Any]:
    is_ratio = outcome == "directions"
    values = np.log(designs[outcome]) if is_ratio else designs[outcome]
    X = designs[list(covariates)].assign(size=np.log10(designs["millions"]))
    X.insert(0, "global", (designs["reach"] == "global").astype(float))
    kept = values.notna() & X.notna().all(axis=1)
    estimator = fit.resampled if resample else fit.mixed
    effect = estimator(values[kept], X[kept], designs.loc[kept, "lineage"])
    numbers = np.array([effect.estimate, effect.low, effect.high])
    estimate, low, high = np.exp(numbers) if is_ratio else numbers
    return {
        "question": question,
        "outcome": outcome,
        "designs": "all",
        "estimate": estimate,
        "low": low,
        "high": high,
        "n": int(kept.sum()),
        "lineages": designs.loc[kept, "lineage"].nunique(),
        "model": effect.model,
        "answer": answer(*numbers, small=np.log(SMALL_RATIO) if is_ratio else SMALL_RATE),
    }


def answer(estimate: float, low: float, high: float, *, small: float) -> str:
    """The plan's rule for a difference: "yes" (below 0), "reversed", "none" or "open".

    >>> found = [(-2, -3, -1), (2, 1, 3), (0.1, -0.5, 0.7), (-2, -5, 1)]
    >>> [answer(*numbers, small=1) for numbers in found]
    ['yes', 'reversed', 'none', 'open']
    """
    if -small <= low and high <= small:
        return "none"
    if high < 0 and estimate <= -small:
        return "yes"
    return "reversed" if low > 0 and estimate >= small else "open"


def factors(designs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The seven factors of (b) as columns of numbers, by name."""
    stride = designs["stem"].str.extract(r"stride (\d+)")[0].astype(int)
    kernel = designs["stem"].str.extract(r"^(\d+)x")[0].astype(int)
    stem = np.select([stride >= 4, kernel >= 5], ["patch", "large"], "small")
    normalisation = designs["normalisation"].where(
        designs["normalisation"].isin(["batch", "layer"]), "other"
    )
    scale = designs["log_distance"] / np.log(10)
    return {
        "width": np.log10(designs[["width"]]),
        "depth": np.log10(designs[["depth"]]),
        "scale": pd.DataFrame({"scale": scale, "square": scale**2}),
        "normalisation": _dummies(normalisation),
        "initialisation": _dummies(designs["initialisation"]),
        "stem": _dummies(pd.Series(stem, index=designs.index)),
        "family": _dummies(designs["reach"]),
    }


def _dummies(values: pd.Series) -> pd.DataFrame:
    return pd.get_dummies(values, drop_first=True, dtype=float)


def shares(designs: pd.DataFrame, rate: str = "ss_rate") -> pd.DataFrame:
    """Question (b): each factor's Shapley share of R2, interval and answer, largest first.

    Returns:
        Indexed by factor, columns "share", "low", "high", "answer"; the last row, "all", is R2
        itself, without an answer.
    """
    _enough(designs)
    found = fit.shapley(designs[rate], factors(designs), designs["lineage"])
    found["answer"] = np.select(
        [found["low"] >= GOOD_PART, found["high"] < GOOD_PART], ["a good part", "little"], "open"
    )
    found.loc["all", "answer"] = ""
    order = found.drop(index="all")["share"].sort_values(ascending=False).index
    return found.loc[[*order, "all"]]


def usual_scale(designs: pd.DataFrame) -> pd.DataFrame:
    """The designs whose mean distance is from 1e-4 to 1e4; a cut made with the answers known."""
    return designs[designs["log_distance"].abs() < 4 * np.log(10)]


def vanishing(runs: pd.DataFrame) -> dict[str, int]:
    """Designs and how many of their layers have a mean distance below 1e-12.

    1 + theta is rounded there, and with it SS_rate.
    """
    layers = {}
    for run in runs.to_dict("records"):
        if _is_measured(run) and (n := sum(mean < 1e-12 for mean in run["metrics.distance_mean"])):
            layers[run["config.model"]] = max(n, layers.get(run["config.model"], 0))
    return layers


def seed_share(designs: pd.DataFrame, rate: str = "ss_rate") -> float:
    """The share of all variance of SS_rate between seeds of one design; NaN without repeats."""
    repeated = designs[designs["seeds"] >= 2]
    if len(repeated) < 2:
        return float("nan")
    within = float(repeated["seed_variance"].mean())
    between = float(repeated[rate].var()) - within * float((1 / repeated["seeds"]).mean())
    return within / (within + max(between, 0.0))


def standing(designs: pd.DataFrame, rate: str = "ss_rate") -> pd.DataFrame:
    """Question (c): the paper's nine, with percentiles among all designs and in their families."""
    everywhere = designs[rate].rank(pct=True)
    at_home = designs.groupby("family")[rate].rank(pct=True)
    nine = designs["paper"] != ""
    columns = {
        "name": designs["paper"],
        "family": designs["family"],
        "SS_rate": designs[rate],
        "percentile": 100 * everywhere,
        "in its family": 100 * at_home,
        "of": designs.groupby("family")[rate].transform("size"),
    }
    return pd.DataFrame(columns)[nine].sort_values("SS_rate")


def nine(designs: pd.DataFrame, rate: str = "ss_rate") -> dict[str, Any]:
    """Question (c): global less local among the paper's nine, beside nine designs drawn at random.

    Returns:
        "estimate", the paper's difference; "low" and "high", between which 95 % of the draws lie;
        "answer", "like" or "unlike".
    """
    _enough(designs)
    groups = {reach: designs[designs["reach"] == reach] for reach in ("global", "local")}
    paper = {reach: group.loc[group["paper"] != "", rate] for reach, group in groups.items()}
    estimate = float(paper["global"].mean() - paper["local"].mean())
    low, high = fit.drawn_difference(
        groups["global"][rate], groups["local"][rate], len(paper["global"]), len(paper["local"])
    )
    verdict = "like" if low <= estimate <= high else "unlike"
    return {"estimate": estimate, "low": low, "high": high, "answer": verdict}


def by_rate(designs: pd.DataFrame) -> pd.DataFrame:
    """Questions (b) and (c) with SS_rate as released, as printed and scale-free, a row each.

    Returns:
        Indexed as ``RATES``: "r2" with all factors, "factor" of the largest share, its "share",
        "share_low" and "share_high"; "nine", "nine_low" and "nine_high".
    """
    rows = {}
    for rate in RATES:
        parts, paper = shares(designs, rate), nine(designs, rate)
        top = parts.iloc[0]
        rows[rate] = {
            "r2": parts.loc["all", "share"],
            "factor": top.name,
            "share": top["share"],
            "share_low": top["low"],
            "share_high": top["high"],
            "nine": paper["estimate"],
            "nine_low": paper["low"],
            "nine_high": paper["high"],
        }
    return pd.DataFrame.from_dict(rows, orient="index")
