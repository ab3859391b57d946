"""Table 2, the factor study, Figure 2's directions and the depth profiles, from records."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd

from reproduction import records
from reproduction.paper.tables import FORMULAS, MARGIN, load_table, mean_of_others, verdict
from reproduction.ss_rate.cells import FACTORS, FIGURE_2, IMAGES, N_IMAGES
from reproduction.table_1 import find

#: The networks of Figure 2 that the paper's text calls low-dimensional; the others it calls
#: isotropic.
LOW_DIMENSIONAL = ("ViT (small)", "PoolFormer", "ResMLP", "MLP-Mixer")

#: What a column of the factor table has no room for.
_SHORT = {
    "none": "baseline",
    "baseline: 64 ImageNet images": "64 images",
    "128 drawn at random": "128 at random",
    "mean 0.5, std 0.5": "mean, std 0.5",
    "none: pixels 0 to 1": "none (0 to 1)",
}


def full_scale(runs: pd.DataFrame) -> pd.DataFrame:
    """The records among `runs` that may be held against Table 2: 512 ImageNet images, 224 px, eval
    mode.
    """
    if runs.empty:
        return runs
    asked = {"images": IMAGES, "n_images": N_IMAGES, "size": 224, "mode": "eval"}
    keep = pd.Series(True, index=runs.index)
    for key, value in asked.items():
        keep &= runs[f"config.{key}"] == value
    return runs[keep]


# ---- Table 2 ----


def table_2(runs: pd.DataFrame, *, scale: str = "full") -> pd.DataFrame:
    """Table 2 beside the records: a row per model of the paper, printed values first.

    Args:
        runs: ``records.read_all("ss-rate")``; only what `full_scale` keeps counts.
        scale: as for ``paper.tables.verdict``.

    Returns:
        Per training state: the paper's value; ours by both formulas, the mean over the modules of
        Table 1, averaged over the draws of images, then over the seeds of the weights, and the
        standard deviation over seeds; how many seeds and records; and the verdict on the released
        formula, "not run" where there is no record.
    """
    rows, runs = [], full_scale(runs)
    for printed in load_table(2).itertuples():
        row: dict[str, Any] = {"model": printed.model}
        for state in ("untrained", "pretrained"):
            theirs = getattr(printed, state)
            part = _cells(runs, find(printed.model).timm_name, state)
            row[f"{state}: paper"] = theirs
            by_seed = part.groupby("seed")[list(FORMULAS)].mean()
            for formula in ("printed", "released"):
                row[f"{state}: ours, {formula}"] = by_seed[formula].mean()
                row[f"{state}: std, {formula}"] = by_seed[formula].std()
            row[f"{state}: seeds"] = part["seed"].nunique()
            row[f"{state}: records"] = len(part)
            ours, std = row[f"{state}: ours, released"], row[f"{state}: std, released"]
            seeds = row[f"{state}: seeds"]
            if state == "pretrained" and seeds == 1:  # there is no other such network
                std = None
            row[f"{state}: verdict"] = verdict(ours, theirs, std=std, seeds=seeds, scale=scale)
        rows.append(row)
    return pd.DataFrame(rows).set_index("model")


def _cells(runs: pd.DataFrame, timm_name: str, state: str) -> pd.DataFrame:
    """The records of one model in one state, with a column per formula; none if there are none."""
    if "config.model" not in runs:
        return pd.DataFrame(columns=["seed", *FORMULAS], dtype=float)
    untrained = runs["config.weights"] == "untrained"
    part = runs[(runs["config.model"] == timm_name) & (untrained == (state == "untrained"))]
    means = pd.DataFrame(list(part["metrics.mean_printed_modules"]), part.index, FORMULAS)
    return part.assign(**means.astype(float))


def table_2_text(table: pd.DataFrame) -> pd.DataFrame:
    """`table_2` as the page shows it: mean ± standard deviation, and a verdict per state."""

    def spread(formula: str) -> list[str]:
        ours, std = (table[f"untrained: {what}, {formula}"] for what in ("ours", "std"))
        return [_spread(*pair) for pair in zip(ours, std, strict=True)]

    columns = {
        "paper": table["untrained: paper"].map("{:.2f}".format),
        "ours, released": spread("released"),
        "ours, printed": spread("printed"),
        "verdict": table["untrained: verdict"],
        "trained": table["pretrained: verdict"],
    }
    return pd.DataFrame(columns, table.index).rename_axis(None)


class Comparison(NamedTuple):
    """How one training state of Table 2 compares with ours.

    Attributes:
        models: printed values.
        run: of these, how many we have a value for.
        seeds: fewest, over the models that were run.
        records: in all.
        reproduced, open, differs: verdicts.
        close: values within 0.03 of the printed one, whatever their spread.
        constant, constant_close: mean distance of the mean of the other printed values, and how
            many of these lie within 0.03: a prediction that knows nothing of the networks.
        widest, widest_std: the model with the largest spread over seeds.
        released, printed: mean distance of each formula from the printed values.
        low, high: smallest and largest printed value.
    """

    models: int
    run: int
    seeds: int
    records: int
    reproduced: int
    open: int
    differs: int
    close: int
    constant: float
    constant_close: int
    widest: str
    widest_std: float
    released: float
    printed: float
    low: float
    high: float


def comparison(table: pd.DataFrame, state: str = "untrained") -> Comparison:
    """The outcome of `table_2` for one training state."""
    part = table.filter(like=f"{state}: ").rename(columns=lambda name: name.split(": ")[1])
    run = part.dropna(subset=["ours, released"])
    gap = {f: (run[f"ours, {f}"] - run["paper"]).abs() for f in FORMULAS}
    counts, std = run["verdict"].value_counts(), run["std, released"]
    constant = (mean_of_others(part["paper"]) - part["paper"]).abs()
    return Comparison(
        models=len(part),
        run=len(run),
        seeds=int(run["seeds"].min()) if len(run) else 0,
        records=int(run["records"].sum()),
        **{outcome: int(counts.get(outcome, 0)) for outcome in ("reproduced", "open", "differs")},
        close=int((gap["released"] <= MARGIN).sum()),
        constant=constant.mean(),
        constant_close=int((constant <= MARGIN).sum()),
        widest=std.idxmax() if std.notna().any() else "",
        widest_std=std.max(),
        **{formula: gap[formula].mean() for formula in FORMULAS},
        low=part["paper"].min(),
        high=part["paper"].max(),
    )


def depth_profiles(runs: pd.DataFrame) -> pd.DataFrame:
    """SS_rate of the printed modules of the nine models, a row per record, module and formula.

    Returns:
        Columns model, family, seed, draw, module, depth (0 to 1), formula, ss_rate.
    """
    layers = records.layers(runs)
    if len(layers):
        layers = layers[layers["model"].isin(load_table(2)["model"])]
    if layers.empty:
        return pd.DataFrame(columns=["model", "family", "formula", "depth", "ss_rate"])
    rows = []
    for model, part in layers.groupby("model", sort=False):
        printed = find(model).modules
        depth = {module: k / (len(printed) - 1) for k, module in enumerate(printed)}
        part = part[part["module"].isin(printed)]
        rows.append(part.assign(depth=part["module"].map(depth)))
    about = ["model", "family", "seed", "draw", "module", "depth"]
    return pd.concat(rows).melt(about, list(FORMULAS), var_name="formula", value_name="ss_rate")


# ---- The factor study ----


def factor_table(runs: pd.DataFrame) -> pd.DataFrame:
    """The factor study: what SS_rate becomes with one setting changed, and how much that differs.

    Args:
        runs: ``records.read_all("ss-rate-factors")``.

    Returns:
        Indexed by factor and value, columns grouped by model: "seeds"; "SS_rate" and "std", mean
        and standard deviation over seeds, released formula; "change" and "std of change", of the
        difference to the baseline of the same seed. Models without a baseline are left out.
    """
    if runs.empty:
        return pd.DataFrame()
    value = runs["metrics.mean"].map(lambda mean: mean["released"]).astype(float)
    names = ["config.model", "config.factor", "config.value", "seed"]
    cells = runs.assign(ss_rate=value).set_index(names)["ss_rate"].sort_index()
    blocks = {}
    for timm_name in dict.fromkeys(runs["config.model"]):
        if (timm_name, *FACTORS[0]) not in cells.index:
            continue
        baseline = cells.loc[timm_name, *FACTORS[0]]
        rows = {}
        for factor, setting in FACTORS:
            if (timm_name, factor, setting) in cells.index:
                part = cells.loc[timm_name, factor, setting]
                change = part - baseline.reindex(part.index)
                rows[factor, setting] = {
                    "seeds": len(part),
                    "SS_rate": part.mean(),
                    "std": part.std(),
                    "change": change.mean(),
                    "std of change": change.std(),
                }
        blocks[find(timm_name).name] = pd.DataFrame.from_dict(rows, orient="index")
    return pd.concat(blocks, axis=1) if blocks else pd.DataFrame()


def factor_text(study: pd.DataFrame) -> pd.DataFrame:
    """`factor_table` as the page shows it, models in the paper's order; –: does not apply."""
    columns = {}
    for name in _models_of(study):
        part = study[name].dropna(how="all")
        changes = part[["change", "std of change"]].iloc[1:]
        columns[name, "SS_rate"] = part["SS_rate"].map("{:.3f}".format)
        columns[name, "change"] = pd.Series(
            # + 0 makes -0.0 a 0.0
            [
                f"{round(change, 3) + 0:+.3f} ± {std:.3f}"
                for change, std in changes.itertuples(index=False)
            ],
            changes.index,
        )
    table = pd.DataFrame(columns, index=pd.MultiIndex.from_tuples(FACTORS)).fillna("–")
    return table.rename(index=_SHORT)


class Setting(NamedTuple):
    """A changed setting of the factor study, and what it does to SS_rate."""

    factor: str
    value: str
    ss_rate: float
    change: float


class FactorOutcome(NamedTuple):
    """What the factor study came to for one model.

    Attributes:
        model: by the paper's name.
        baseline: SS_rate of the baseline, its std over so many seeds.
        paper: the printed value.
        strongest: the three settings that change SS_rate most.
        nearest: the setting, of all including the baseline, that comes nearest to the paper.
        settings: how many were changed, each over at least fewest_seeds seeds.
        within_seeds: how many of them change SS_rate by less than one std over seeds.
    """

    model: str
    baseline: float
    std: float
    seeds: int
    paper: float
    strongest: tuple[Setting, ...]
    nearest: Setting
    settings: int
    fewest_seeds: int
    within_seeds: int


def factor_outcomes(study: pd.DataFrame) -> list[FactorOutcome]:
    """The outcome of `factor_table` for each model, in the paper's order."""
    return [_factor_outcome(name, study[name].dropna(how="all")) for name in _models_of(study)]


def _factor_outcome(name: str, part: pd.DataFrame) -> FactorOutcome:
    def setting(index: tuple[str, str]) -> Setting:
        return Setting(*index, part.loc[index, "SS_rate"], part.loc[index, "change"])

    theirs = load_table(2).set_index("model").loc[name, "untrained"]
    baseline, change = part.iloc[0], part["change"].iloc[1:].abs()
    return FactorOutcome(
        model=name,
        baseline=baseline["SS_rate"],
        std=baseline["std"],
        seeds=int(baseline["seeds"]),
        paper=theirs,
        strongest=tuple(map(setting, change.sort_values(ascending=False).index[:3])),
        nearest=setting((part["SS_rate"] - theirs).abs().idxmin()),
        settings=len(change),
        fewest_seeds=int(part["seeds"].iloc[1:].min()) if len(change) else 0,
        within_seeds=int((change < baseline["std"]).sum()),
    )


def _models_of(study: pd.DataFrame) -> list[str]:
    """The models of the factor study, in the paper's order."""
    known = [] if study.empty else study.columns.get_level_values(0)
    return [name for name in load_table(2)["model"] if name in known]


# ---- Figure 2 ----


def directions(runs: pd.DataFrame, noise: Callable[[int], float]) -> pd.DataFrame:
    """Over how many directions the channels of each network of Figure 2 spread: the participation
    ratio of the first module of Table 1, mean over draws of images, then over seeds.

    Args:
        runs: ``records.read_all("ss-rate")``; only untrained networks that `full_scale` keeps
            count.
        noise: D -> participation ratio of Gaussian noise of that many channels.

    Returns:
        Columns "the paper says", D, seeds, directions, std, noise; a row per network that was run.
    """
    runs = full_scale(runs)
    layers = records.layers(runs[runs["config.weights"] == "untrained"] if len(runs) else runs)
    rows = []
    for name in (find(timm_name).name for timm_name in FIGURE_2 if len(layers)):
        first = layers[(layers["model"] == name) & (layers["module"] == find(name).modules[0])]
        ratio = first.groupby("seed")["participation_ratio"].mean()
        if ratio.empty:
            continue
        says = "low-dimensional" if name in LOW_DIMENSIONAL else "isotropic"
        D = int(first["D"].iloc[0])
        rows.append([name, says, D, len(ratio), ratio.mean(), ratio.std(), noise(D)])
    columns = ["network", "the paper says", "D", "seeds", "directions", "std", "noise"]
    return pd.DataFrame(rows, columns=columns).set_index("network").rename_axis(None)


def directions_text(table: pd.DataFrame) -> pd.DataFrame:
    """`directions` as the page shows it."""
    pairs = zip(table["directions"], table["std"], strict=True)
    return table[["the paper says", "D"]].assign(
        directions=[f"{mean:.2f} ± {std:.2f}" for mean, std in pairs],
        noise=table["noise"].map("{:.0f}".format),
    )


class Directions(NamedTuple):
    """How the two groups of Figure 2 compare.

    Attributes:
        seeds: fewest of a network.
        low, isotropic: smallest and largest number of directions in each group.
        closest: the isotropic network with the fewest directions.
        gap: its lead over the low-dimensional group; below 0 where the groups overlap.
        noise: smallest and largest number of directions that noise of the same shapes has.
        networks, below_noise: all, and those with less than half the directions of noise.
    """

    seeds: int
    low: tuple[float, float]
    isotropic: tuple[float, float]
    closest: str
    gap: float
    noise: tuple[float, float]
    networks: int
    below_noise: int


def groups_apart(table: pd.DataFrame) -> Directions | None:
    """The outcome of `directions`; None where one of the paper's two groups was not run."""
    groups = {says: part["directions"] for says, part in table.groupby("the paper says")}
    if len(groups) < 2:
        return None
    low, isotropic = groups["low-dimensional"], groups["isotropic"]
    return Directions(
        seeds=int(table["seeds"].min()),
        low=(low.min(), low.max()),
        isotropic=(isotropic.min(), isotropic.max()),
        closest=isotropic.idxmin(),
        gap=isotropic.min() - low.max(),
        noise=(table["noise"].min(), table["noise"].max()),
        networks=len(table),
        below_noise=int((table["directions"] < table["noise"] / 2).sum()),
    )


def _spread(mean: float, std: float) -> str:
    if math.isnan(mean):
        return "not run"
    return f"{mean:.3f}" if math.isnan(std) else f"{mean:.3f} ± {std:.3f}"
