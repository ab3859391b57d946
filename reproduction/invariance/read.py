"""Tables 4 and 5 from records: beside the printed values, and layer by layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import integrate
from scipy import stats as scipy_stats

from reproduction import records
from reproduction.invariance.cells import DRAW, MODELS, N_IMAGES, WAYS
from reproduction.paper.tables import DATASETS, load_table
from reproduction.stats import spearman_exact
from reproduction.table_1 import find

#: Number of the paper's table -> the metric it prints.
METRICS: Mapping[int, str] = MappingProxyType({4: "sigma", 5: "delta"})

#: The paper's text and the released code, each on what it looks at itself.
ESTIMATORS = ("printed", "released")

#: Model of Tables 4 and 5 -> its family.
FAMILIES: Mapping[str, str] = MappingProxyType(
    {model: find(timm_name).family for model, timm_name in MODELS.items()}
)

#: timm's name -> model of Tables 4 and 5.
NAMES: Mapping[str, str] = MappingProxyType({name: model for model, name in MODELS.items()})


# --- beside the printed values


def full_scale(runs: pd.DataFrame) -> pd.DataFrame:
    """The records among `runs` that may be held against Tables 4 and 5: 640 images at 224 px."""
    asked = {"config.n_images": N_IMAGES, "config.draw": DRAW, "config.size": 224}
    if runs.empty or not set(asked) <= set(runs):
        return runs.iloc[:0]
    return runs[(runs[list(asked)] == pd.Series(asked)).all(axis=1)]


def with_weights(runs: pd.DataFrame, weights: str = "untrained") -> pd.DataFrame:
    """What ``full_scale`` keeps, of one kind of weights: "untrained", "noise" or a label."""
    runs = full_scale(runs)
    return runs if runs.empty else runs[runs["config.weights"] == weights]


def invariance_table(
    runs: pd.DataFrame, number: int, *, weights: str = "untrained"
) -> pd.DataFrame:
    """Table 4 (σ) or 5 (Δ) beside the records, tidy.

    Args:
        runs: ``records.read_all("invariance")``; only what ``full_scale`` keeps counts.
        number: of the paper's table.
        weights: as in the records' configuration.

    Returns:
        A row per printed cell and way, printed ones first. Columns: model, images, way, paper;
        ours, the mean over seeds, and std, their sample standard deviation, both NaN where nothing
        was run (seeds is then 0), as for CIFAR-100; seeds; rank and "paper rank", 1 for the
        smallest, the most invariant, among the models that were run.

    Raises:
        ValueError: another number.
    """
    if number not in METRICS:
        raise ValueError(f"number: expected one of {tuple(METRICS)}, got {number!r}")
    runs = with_weights(runs, weights)
    printed = load_table(number)
    rows = []
    for images in DATASETS:
        for way in WAYS:
            for model, paper in zip(printed["model"], printed[images], strict=True):
                values = _values(runs, METRICS[number], way, MODELS[model], images)
                cell = {"model": model, "images": images, "way": way, "paper": paper}
                seeds = int(values.notna().sum())
                rows.append(cell | {"ours": values.mean(), "std": values.std(), "seeds": seeds})
    table = pd.DataFrame(rows)
    cells = table.groupby(["images", "way"], sort=False)
    counted = table["ours"].notna() | cells["ours"].transform("count").eq(0)
    ranked = table.assign(paper=table["paper"].where(counted)).groupby(["images", "way"])
    return table.assign(**{"rank": cells["ours"].rank(), "paper rank": ranked["paper"].rank()})


def _values(runs: pd.DataFrame, metric: str, way: str, model: str, images: str) -> pd.Series:
    """One value per seed."""
    if runs.empty:
        return pd.Series(dtype=float)
    part = runs[(runs["config.model"] == model) & (runs["config.images"] == images)]
    return of_way(part, metric, way).groupby(part["seed"]).mean()


def of_way(runs: pd.DataFrame, metric: str, way: str) -> pd.Series:
    """A metric by one way, of every record; NaN where it has none."""
    return runs[f"metrics.{metric}"].map(lambda ways: ways.get(way, math.nan)).astype(float)


def beside_paper(
    table: pd.DataFrame,
    ways: Sequence[str] = ESTIMATORS,
    sets: Sequence[str] = ("cifar10", "imagenette"),
) -> pd.DataFrame:
    """Data sets of `invariance_table` as a reader sees them: text, four decimals.

    Returns:
        A row per data set and model. Columns: "paper", one per way (mean ± std over seeds, "not
        run" where there is nothing), "ranks" (the paper's, then one per way; 1 is the smallest) and
        "n", the number of seeds.
    """
    part = table[table["images"].isin(sets)].assign(images=lambda t: t["images"].map(DATASETS))
    cells = {way: part[part["way"] == way].set_index(["images", "model"]) for way in ways}
    first = cells[ways[0]]
    shown = {"paper": first["paper"].map("{:.4f}".format)}
    for way, group in cells.items():
        shown[way] = [mean_and_std(row.ours, row.std) for row in group.itertuples()]
    ranks = zip(first["paper rank"], *(group["rank"] for group in cells.values()), strict=True)
    shown["ranks"] = [
        " / ".join("–" if math.isnan(rank) else f"{rank:g}" for rank in row) for row in ranks
    ]
    shown["n"] = first["seeds"].map(str)
    return pd.DataFrame(shown).rename_axis([None, None])


def swapped(table: pd.DataFrame) -> pd.DataFrame:
    """``beside_paper`` with what the formulas look at swapped, without the number of seeds."""
    ways = [way for way in WAYS if way not in ESTIMATORS]
    return beside_paper(table, ways).drop(columns="n")


def mean_and_std(mean: float, std: float) -> str:
    """Both with four decimals, as the paper prints σ and Δ; a std that is NaN (one seed) is left
    out.

    >>> [mean_and_std(0.0384, 0.00042), mean_and_std(0.2, float("nan")), mean_and_std(6e-06, 2e-06)]
    ['0.0384 ± 0.0004', '0.2000', '< 0.0001']
    """
    if math.isnan(mean):
        return "not run"
    parts = [value for value in (mean, std) if not math.isnan(value)]
    shown = [f"{value:.4f}" if value >= 5e-5 else "< 0.0001" for value in parts]
    return shown[0] if mean < 5e-5 else " ± ".join(shown)


class Distance(NamedTuple):
    """How far measured values are from the printed ones, over cells of network and data set."""

    factors: dict[str, float]  # estimator -> median factor between ours and the paper's
    neither: bool  # both factors are above 1.5
    cells: int
    printed: tuple[float, float]  # smallest and largest, of the cells measured
    released: tuple[float, float]
    smallest: str  # the network with the smallest value by the released estimator


def distance(table: pd.DataFrame) -> Distance | None:
    """How far ours are from the paper's in an `invariance_table`; None where nothing was run."""
    done = table.dropna(subset="ours")
    if done.empty:
        return None
    factor = np.exp(np.log(done["ours"] / done["paper"]).abs()).groupby(done["way"]).median()
    factors = {way: float(factor[way]) for way in ESTIMATORS}
    released = done[done["way"] == "released"]
    return Distance(
        factors,
        min(factors.values()) > 1.5,
        len(done) // len(WAYS),
        (done["paper"].min(), done["paper"].max()),
        (released["ours"].min(), released["ours"].max()),
        released.loc[released["ours"].idxmin(), "model"],
    )


def rank_correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Spearman's rho of the models' order, ours against the printed one, with exact two-sided p.

    Args:
        table: of ``invariance_table``.

    Returns:
        A row per data set and way: rho, p, and n, how many models were run; with fewer than 3, rho
        and p are NaN.
    """
    rows = []
    for (images, way), part in table.groupby(["images", "way"], sort=False):
        part = part.dropna(subset="ours")
        enough = len(part) > 2
        rho, p = spearman_exact(part["ours"], part["paper"]) if enough else (math.nan, math.nan)
        rows.append({"images": images, "way": way, "rho": rho, "p": p, "n": len(part)})
    return pd.DataFrame(rows).set_index(["images", "way"])


def order_table(correlations: pd.DataFrame) -> pd.DataFrame:
    """`rank_correlations` as a reader sees them: those that exist, as text, and n."""
    order = correlations.dropna(subset="rho").rename(index=DATASETS, level="images")
    shown = {"ρ": order["rho"].map("{:+.2f}".format), "p": order["p"].map("{:.3f}".format)}
    return pd.DataFrame(shown | {"n": order["n"]}).rename_axis([None, None])


# --- layer by layer


def layer_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Every layer of every record by every way, tidy.

    Returns:
        Columns: model (as Tables 4 and 5 name it, else as Table 1), family, weights, images, seed,
        module, depth (0 to 1), way, nonzero_share, null_exponent, and of the fits exponent,
        exponent_error, n_tail, ks_distance, dimension, dimension_error; NaN where the layer was
        left out.
    """
    if runs.empty:
        return pd.DataFrame()
    names = {find(timm_name).name: model for timm_name, model in NAMES.items()}
    parts = [
        records.layers(runs.assign(numbers=list(_numbers(runs, way))), "numbers").assign(way=way)
        for way in WAYS
    ]
    return pd.concat(parts, ignore_index=True).replace({"model": names})


def _numbers(runs: pd.DataFrame, way: str) -> Iterator[dict[str, dict[str, float]]]:
    """Module -> its numbers by one way, of every record; none where that way was not taken."""
    for layers in runs["metrics.layers"]:
        yield {
            module: _layer_numbers(layer, way)
            for module, layer in layers.items()
            if way in layer["exponents"]
        }


def _layer_numbers(layer: Mapping[str, Any], way: str) -> dict[str, float]:
    exponent, dimension = layer["exponents"][way] or {}, layer["dimensions"][way] or {}
    return {
        "nonzero_share": layer["nonzero_share"],
        "null_exponent": layer["null_exponents"][way],
        "exponent": exponent.get("exponent", math.nan),
        "exponent_error": exponent.get("standard_error", math.nan),
        "n_tail": exponent.get("n_tail", math.nan),
        "ks_distance": exponent.get("ks_distance", math.nan),
        "dimension": dimension.get("dimension", math.nan),
        "dimension_error": dimension.get("standard_error", math.nan),
    }


class Exponents(NamedTuple):
    """What the fits behind σ are worth."""

    medians: pd.DataFrame  # per way, over layers
    within: int  # measurements whose released σ is no larger than its layers' median error
    measurements: int  # of network, data set and seed
    null_sigma: float  # median released σ if every layer were noise
    nonzero_share: tuple[float, float]  # smallest and largest of a layer


def exponents(runs: pd.DataFrame) -> Exponents | None:
    """What the fits behind σ are worth, of untrained networks; None where nothing was run.

    Args:
        runs: ``records.read_all("invariance")``.
    """
    layers = layer_table(with_weights(runs))
    if layers.empty:
        return None
    columns = ["exponent", "exponent_error", "n_tail", "ks_distance", "null_exponent"]
    released = layers[layers["way"] == "released"].groupby(["model", "images", "seed"])
    cells = pd.DataFrame(
        {"sigma": released["exponent"].std(ddof=0), "error": released["exponent_error"].median()}
    ).dropna()
    return Exponents(
        layers.groupby("way")[columns].median(),
        int((cells["sigma"] <= cells["error"]).sum()),
        len(cells),
        of_way(full_scale(runs), "sigma_null", "released").median(),
        (layers["nonzero_share"].min(), layers["nonzero_share"].max()),
    )


def dimensions(layers: pd.DataFrame) -> pd.DataFrame:
    """How the layers' dimensions spread, beside their errors, per way of a `layer_table`.

    Returns:
        Columns: low, high and median dimension, median standard error, and "span": from a network's
        smallest to its largest layer, in its layers' median errors, median over networks, data sets
        and seeds.
    """
    if layers.empty:
        return pd.DataFrame(columns=["low", "high", "median", "error", "span"])
    ways = layers.groupby("way")
    networks = layers.groupby(["way", "model", "images", "seed"])
    spans = (networks["dimension"].max() - networks["dimension"].min()) / networks[
        "dimension_error"
    ].median()
    return pd.DataFrame(
        {
            "low": ways["dimension"].min(),
            "high": ways["dimension"].max(),
            "median": ways["dimension"].median(),
            "error": ways["dimension_error"].median(),
            "span": spans.groupby("way").median(),
        }
    )


def chance_span(n: int) -> float:
    """Mean of (largest − smallest) of n measurements of one number, in their standard errors.

    >>> round(chance_span(2), 4)  # 2/√π
    1.1284
    """
    below = scipy_stats.norm.cdf
    return float(integrate.quad(lambda x: 1 - below(x) ** n - below(-x) ** n, -12, 12)[0])
