"""Table 3 from records: the runs, their histories, and the tables as the book shows them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from reproduction import records
from reproduction.image_sources import label
from reproduction.paper.tables import load_table
from reproduction.paths import RESULTS
from reproduction.table_1 import find
from reproduction.training.arms import EXPERIMENT, Arm
from reproduction.training.pairs import Batch, effects
from reproduction.training.recipes import PROBE

# fmt: off
_COLUMNS = [
    "recipe", "dataset", "model", "family", "arm", "seed", "alpha", "gamma",
    "top1_last", "top1_best", "top1_heldout", "ss_rate_train", "ss_rate_probe",
    "modules", "history", "device", "epochs", "images_per_second", "path",
]
# fmt: on

#: Settings that older records do not name, with what they were.
_LATER = {"test_last": False, "processes": 1, "gathered": False}


def read_runs(
    root: Path = RESULTS, *, recipe: str | None = None, dataset: str | None = None
) -> pd.DataFrame:
    """The records of training, one row each; empty, with the same columns, if there is none.

    Warns where runs of one recipe were trained under different settings, a recipe that was changed
    under its old name, or on different numbers of CPU threads: pairs of such runs differ by more
    than their arms.

    Args:
        root: the folder of records.
        recipe, dataset: only these, where given.

    Returns:
        Columns: recipe, dataset, model (the paper's name), family, arm, seed, alpha, gamma; the
        accuracies "top1_last", "top1_best", "top1_heldout" in per cent; "ss_rate_train",
        "ss_rate_probe" (512 images, eval mode); "modules" (SS_rate of each at the end, as the
        penalty sees it); "history", "device", "epochs", "images_per_second", "path".
    """
    table = records.read_all(EXPERIMENT, root)
    rows = [_run(record) for record in table.to_dict("records")]
    runs = pd.DataFrame(rows, columns=[*_COLUMNS, "settings"])
    for name, part in runs.groupby("recipe", sort=False):
        _warn_changed(str(name), part)
    for column, value in (("recipe", recipe), ("dataset", dataset and label(dataset))):
        runs = runs if value is None else runs[runs[column] == value]
    return runs[_COLUMNS]


def _run(record: Mapping[str, Any]) -> dict[str, Any]:
    network, settings = find(record["config.model"]), record["metrics.settings"]
    probe = record["metrics.ss_rate_probe"][str(PROBE[-1])]
    same = ("gamma", "top1_last", "top1_best", "top1_heldout", "ss_rate_train", "history")
    return {
        "recipe": record["config.recipe"],
        "dataset": record["config.dataset"],
        "model": network.name,
        "family": network.family,
        "arm": str(Arm.parse(record["config.arm"])),
        "seed": record["seed"],
        "alpha": settings["penalty"]["alpha"] if settings["penalty"] else 0.0,
        **{key: record[f"metrics.{key}"] for key in same},
        "ss_rate_probe": float(np.mean(list(probe.values()))),
        "modules": record["metrics.ss_rate_train_modules"],
        "device": record["device.name"],
        "epochs": settings["epochs"],
        "images_per_second": record["metrics.images_per_second"],
        "path": record["path"],
        "settings": _LATER
        | {k: v for k, v in settings.items() if k not in ("penalty", "lr")}
        | _threads(record),
    }


def _threads(record: Mapping[str, Any]) -> dict[str, list[int]]:
    """The numbers of CPU threads of a run, as the order of its sums, and so its last digits, turn
    on them; several where it went on after a stop with another one.
    """
    if record["device.type"] != "cpu":
        return {}
    own = record["metrics.history"].get("threads", [record["device.threads"]])
    return {"threads": sorted(set(own))}


def _warn_changed(recipe: str, runs: pd.DataFrame) -> None:
    """Warn of the first run of a recipe whose settings are not those of the recipe's first run."""
    first, name = runs["settings"].iloc[0], Path(runs["path"].iloc[0]).name
    for settings, path in zip(runs["settings"], runs["path"], strict=True):
        if settings != first:
            keys = settings.keys() | first.keys()
            changed = sorted(key for key in keys if settings.get(key) != first.get(key))
            warnings.warn(
                f"runs of recipe {recipe!r} differ in {', '.join(changed)}: {Path(path).name} and "
                f"{name}",
                stacklevel=3,
            )
            return


def plan(path: Path = RESULTS / "plan.yml") -> list[Batch]:
    """The batches of seeds that were planned beforehand, in the order of the file.

    >>> [batch.arm for batch in plan() if batch.model == "ResNet34"]
    ['constrained']
    """
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))["batches"]
    return [Batch(**{**entry, "seeds": tuple(entry["seeds"])}) for entry in entries]


def histories(runs: pd.DataFrame) -> pd.DataFrame:
    """What was kept of every epoch, tidy: model, family, arm, alpha, seed, gamma, epoch (from 1),
    and a column per quantity of the runs' "history": "test", "heldout" (top-1, %), "ss_rate_train",
    "gradient_ratio", ...
    """
    keys = ["model", "family", "arm", "alpha", "seed", "gamma"]
    parts = [
        pd.DataFrame(run["history"]).assign(
            epoch=lambda part: range(1, len(part) + 1), **{key: run[key] for key in keys}
        )
        for run in runs.to_dict("records")
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*keys, "epoch"])


def penalised(runs: pd.DataFrame) -> pd.DataFrame:
    """`histories` of the runs with a penalty, at the recipe's own learning rate."""
    return histories(runs[(runs["alpha"] > 0) & ~runs["arm"].str.contains("@")])


def one_gamma(
    runs: pd.DataFrame, cell: Sequence[str] = ("recipe", "dataset", "model"), arm: str = "arm"
) -> pd.DataFrame:
    """The runs with one choice of gamma for the printed form, as arm "constrained": that of most
    runs of a cell, whatever came out of them; of equally many, the first of model, own, table2.

    >>> arms = ["baseline", "constrained", "constrained:gamma=model", "constrained:gamma=0.3"]
    >>> runs = pd.DataFrame({"model": "VGG", "arm": arms, "gamma": [None, 0.21, 0.2, 0.3]})
    >>> chosen = one_gamma(runs, ["model"]).query("arm == 'constrained'")
    >>> chosen["gamma"].tolist()
    [0.2]

    Args:
        runs: with the arms as records name them.
        cell, arm: names of columns; within a cell the choice is the same.
    """
    order = [str(Arm("constrained", gamma=gamma)) for gamma in ("model", "own", "table2")]
    chosen = runs[arm].isin(order)
    parts = [runs[~chosen]]
    for _, part in runs[chosen].groupby(list(cell), sort=False):
        n = part[arm].value_counts()
        most = min(n.index, key=lambda name: (-n[name], order.index(name)))
        parts.append(part[part[arm] == most].assign(**{arm: "constrained"}))
    return pd.concat(parts).sort_index()


def table_3(runs: pd.DataFrame, recipe: str, dataset: str) -> pd.DataFrame:
    """Table 3 beside the records of one recipe and data set: a row per model of the paper, printed
    values first; gamma as of `one_gamma`.

    Columns: "paper: baseline" and "paper: constrained" (top-1, NaN for a data set the paper does
    not have), and per arm "<arm>: mean", "<arm>: std", "<arm>: n" of the last epoch's test top-1 in
    per cent, "<arm>: SS_rate" (training mode). n is 0 where nothing was run.
    """
    part = one_gamma(runs[(runs["recipe"] == recipe) & (runs["dataset"] == dataset)])
    printed = load_table(3)
    rows = {}
    for model in dict.fromkeys(printed["model"]):
        theirs = printed[(printed["model"] == model) & (printed["dataset"] == dataset)]
        theirs = theirs.set_index("arm")["top1_mean"]
        row = {f"paper: {arm}": theirs.get(arm, math.nan) for arm in _PAIR}
        for arm in _PAIR:
            own = part[(part["model"] == model) & (part["arm"] == arm)]
            row |= {
                f"{arm}: mean": own["top1_last"].mean(),
                f"{arm}: std": own["top1_last"].std(),
                f"{arm}: n": len(own),
                f"{arm}: SS_rate": own["ss_rate_train"].mean(),
            }
        rows[model] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


_PAIR = ("baseline", "constrained")


def above_chance(runs: pd.DataFrame, *, least: float = 20.0) -> bool:
    """Whether every run ends above `least` per cent; guessing among ten classes gives 10."""
    return bool((runs["top1_last"] > least).all())


# --- as the book shows them ---


def accuracy_table(table: pd.DataFrame) -> pd.DataFrame:
    """`table_3` as the book shows it: "paper", "baseline", "constrained" and "SS_rate" as text."""
    text = pd.DataFrame({"paper": _arrow(table, "paper: {}", "{:.2f}")})
    for arm in _PAIR:
        numbers = (table[f"{arm}: {key}"] for key in ("mean", "std", "n"))
        text[arm] = [
            f"{mean:.1f} ± {std:.1f} ({n:.0f})" if n else "not run"
            for mean, std, n in zip(*numbers, strict=True)
        ]
    text["SS_rate"] = _arrow(table, "{}: SS_rate", "{:.2f}").where(table["baseline: n"] > 0, "–")
    return text.rename_axis(None)


def _arrow(table: pd.DataFrame, column: str, number: str) -> pd.Series:
    before, after = (table[column.format(arm)].map(number.format) for arm in _PAIR)
    return before + " → " + after


def effects_table(judged: pd.DataFrame, every: pd.DataFrame) -> pd.DataFrame:
    """`pairs.effects` of the pairs that are judged, beside the mean of all pairs, as text.

    Args:
        judged, every: of `pairs.judged`, and of `pairs.paired`.

    Returns:
        A row per model and "all pairs".
    """
    described = effects(every)
    all_seeds = zip(described["mean"], described["n"], strict=True)
    judged_effects = effects(judged).reindex(described.index)
    batch = {
        model: "{}, {} to {}".format(own["batch"].iloc[0], own["seed"].min(), own["seed"].max())
        for model, own in judged.groupby("model", sort=False)
    }

    def number(column: str, form: str) -> pd.Series:
        values = judged_effects[column]
        return values.map(form.format).where(values.notna(), "–")

    interval = number("low", "{:+.2f}") + " to " + number("high", "{:+.2f}")
    return pd.DataFrame(
        {
            "seeds": pd.Series(batch).reindex(described.index).fillna("–"),
            "pairs": number("n", "{:.0f}"),
            "mean": number("mean", "{:+.2f}"),
            "95 % interval": interval.where(judged_effects["low"].notna(), "–"),
            "p": number("p", "{:.3f}"),
            "p, Holm": number("p, Holm", "{:.3f}"),
            "detectable": number("smallest effect", "{:.2f}"),
            "all seeds": [f"{mean:+.2f} ({n:.0f})" for mean, n in all_seeds],
        }
    ).rename(index={"all": "all pairs"})


def batches_table(batches: pd.DataFrame) -> pd.DataFrame:
    """`pairs.batches` as the book shows it: a row per batch, a column per arm it is against."""
    label = "{model}, {arm}, {batch}: seeds {from} to {to}"
    cell = "{mean:+.2f} (p = {p:.3f}, {n:.0f})"
    rows: dict[str, dict[str, str]] = {}
    for row in batches.to_dict("records"):
        text = "not run" if math.isnan(row["mean"]) else cell.format(**row)
        rows.setdefault(label.format(**row), {})[f"minus {row['against']}"] = text
    return pd.DataFrame.from_dict(rows, orient="index")


def doses_table(doses: pd.DataFrame) -> pd.DataFrame:
    """`pairs.dose_response` as the book shows it: a row per model, penalty and alpha."""
    cells = {
        "n": "{n}",
        "γ": "{gamma:.2f}",
        "SS_rate": "{SS_rate:.3f}",
        "from γ": "{with:.3f} ({without:.3f})",
        "top-1, points": "{top-1:+.1f} ± {std:.1f}",
        "gradient": "{gradient:.0e}",
    }
    rows = doses.reset_index().to_dict("records")
    # Unbroken, in a narrow column.
    index = ["{model} {penalty}, α\u00a0=\u00a0{alpha:g}".format(**row) for row in rows]
    text = [{name: cell.format(**row) for name, cell in cells.items()} for row in rows]
    return pd.DataFrame(text, index=index, columns=list(cells))


def rates_table(rates: pd.DataFrame) -> pd.DataFrame:
    """`pairs.learning_rates` as the book shows it: mean top-1 and number of runs per arm, and the
    gain.
    """
    text = {}
    for (model, rate), row in rates.iterrows():
        cells = {arm: f"{row[arm]:.2f} ({row[f'{arm}: n']:.0f})" for arm in _PAIR}
        cells["constrained − baseline"] = f"{row['gain']:+.2f}"
        text[f"{model}, learning rate {rate:g}"] = cells
    return pd.DataFrame.from_dict(text, orient="index")


def choices_table(choices: pd.DataFrame) -> pd.DataFrame:
    """`pairs.choices` as the book shows it: what a rule adds, and the gain by each."""
    added, gain = "added to the last epoch", "constrained − baseline"
    columns = {f"{rule} - last": (added, rule) for rule in ("held-out", "best test")}
    columns |= {f"gain, {rule}": (gain, rule) for rule in ("last", "held-out", "best test")}
    text = choices[list(columns)].map("{:+.2f}".format)
    return text.set_axis(pd.MultiIndex.from_tuples(columns.values()), axis=1)


def live_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Top-1 and SS_rate at the end, means over the runs of a model and arm, as text."""
    means = runs.pivot_table(index="model", columns="arm", values=["top1_last", "ss_rate_train"])
    text = {
        "top-1, %": means["top1_last"].map("{:.1f}".format),
        "SS_rate": means["ss_rate_train"].map("{:.3f}".format),
    }
    return pd.concat(text, axis=1).rename_axis(None).rename_axis(columns=[None, None])
