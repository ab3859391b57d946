"""What arithmetic says of the printed tables, as the book shows it: a function per table."""

from __future__ import annotations

import pandas as pd

from reproduction.paper import audit
from reproduction.paper.tables import DATASETS, MARKED

#: How γ may be read, by the names of `audit.movement`.
READINGS = {"own": "baseline's own", "table 2": "trained, Table 2", "released": "released command"}

#: What Tables 4 and 5 measure.
INVARIANCES = {4: "scale invariance", 5: "geometric invariance"}


def gains() -> pd.DataFrame:
    """Table 3 as 27 comparisons with what each comes to, data sets by their names.

    >>> gains().loc[("MLP-Mixer", "Imagenette"), "decided"]
    'loss'
    """
    return audit.comparisons().rename(index=DATASETS, level="dataset")


def mean_gains() -> pd.DataFrame:
    """The mean gain of each model, and an arrow where Table 3 has one.

    >>> mean_gains()["marked"].tolist()
    ['↑', '↑', '', '', '', '↑', '↑', '', '']
    """
    names = {"points": "mean gain, points", "relative": "in % of the baseline"}
    table = audit.mean_gains().round(2).rename(columns=names).rename_axis(None)
    return table.assign(marked=["↑" if model in MARKED else "" for model in table.index])


def best_of(epochs: tuple[int, ...] = (1, 5, 10, 50, 200)) -> pd.DataFrame:
    """What becomes of Table 3 if each run reports its best of so many epochs: a row per number.

    >>> best_of((1, 5))["gain"].to_dict()
    {'one epoch': 12, 'best of 5': 12}
    """
    rows = {}
    for k in epochs:
        mean, spread = audit.best_of(k)
        counts = audit.comparisons(spread=1 / spread)["decided"].value_counts()
        rows["one epoch" if k == 1 else f"best of {k}"] = {
            "too high by, std": f"{mean:.2f}",
            "spread, std": f"{spread:.2f}",
            **{word: int(counts.get(word, 0)) for word in ("gain", "loss", "not significant")},
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def invariance_against_gain() -> dict[str, pd.DataFrame]:
    """Tables 4 and 5 beside the gains, by the panel's title.

    >>> list(invariance_against_gain())
    ['Table 4: scale invariance', 'Table 5: geometric invariance']
    """
    return {f"Table {n}: {w}": audit.invariance_against_gain(n) for n, w in INVARIANCES.items()}


def rank_correlations() -> pd.DataFrame:
    """Spearman's rho between invariance and gain with its exact p: a row per data set.

    >>> rank_correlations().loc["averages", ("Table 4", "ρ")]
    '-0.43'
    """
    rows: dict[str, dict[tuple[str, str], str]] = {}
    for dataset in (None, *DATASETS):
        row = rows.setdefault(DATASETS.get(dataset, "averages"), {})
        for number in INVARIANCES:
            test = audit.invariance_correlation(number, dataset)
            row[f"Table {number}", "ρ"] = f"{test.estimate:+.2f}"
            row[f"Table {number}", "exact p"] = f"{test.p:.2f}"
    return pd.DataFrame.from_dict(rows, orient="index")


def self_similarity() -> pd.DataFrame:
    """Table 2 beside the mean gains, the most self-similar untrained network first.

    >>> self_similarity()["marked"].tolist()
    ['↑', '↑', '↑', '↑', '', '', '', '', '']
    """
    names = {"untrained": "SS_rate untrained", "pretrained": "SS_rate trained"}
    table = audit.table_2_changes()[list(names)].rename(columns=names).rename_axis(None)
    table = table.join(mean_gains()[["mean gain, points", "marked"]])
    return table.sort_values("SS_rate untrained", kind="stable")


def averages() -> pd.DataFrame:
    """Tables 4 and 5 re-added: a row per table and model.

    >>> averages().loc[("Table 5", "PVT"), "off"]
    '+0.67'
    """
    forms = {"printed": "{:.4f}", "mean": "{:.5f}", "off": "{:+.2f}"}
    # binary fractions: without rounding, an exact mean may come out as -0.00
    numbers = audit.readded_averages().round(6)
    table = pd.DataFrame({name: numbers[name].map(form.format) for name, form in forms.items()})
    return table.rename(index="Table {}".format, level="table").rename_axis([None, None])


def ss_rates() -> pd.DataFrame:
    """Where SS_rate went in each cell of Table 3, data sets by their names.

    >>> float(ss_rates().loc[("ResMLP", "Imagenette"), "constrained"])
    0.37
    """
    return audit.movement().rename(index=DATASETS, level="dataset")


def movement() -> pd.DataFrame:
    """How many cells of Table 3 come nearer to γ: a row per reading of γ.

    >>> movement()["come nearer"].tolist()
    [0, 10, 4]
    """
    summary = audit.movement_summary().rename(index=READINGS)
    names = {"nearer": "come nearer", "away": "go away"}
    table = summary[["cells", "nearer", "away"]].rename(columns=names)
    forms = {"mean": "{:+.3f}", "rho": "{:+.2f}", "p": "{:.3f}"}
    names = {"mean": "mean step", "rho": "ρ with gain", "p": "p"}
    for column, form in forms.items():
        table[names[column]] = summary[column].map(form.format)
    return table


def changes() -> pd.DataFrame:
    """Table 2 with the change from untrained to trained.

    >>> changes().loc["VGG", "change"]
    '-0.01'
    """
    table = audit.table_2_changes().rename_axis(None).rename(columns={"pretrained": "trained"})
    return table.assign(change=table["change"].map("{:+.2f}".format))


def reach(channels: tuple[int, ...] = (64, 384, 768)) -> pd.DataFrame:
    """The largest SS_rate by Eq. 3 as printed, a column per number of channels.

    >>> reach((384,))
                    D = 384
    largest SS_rate   0.015
    """
    values = {f"D = {D}": f"{audit.largest_ss_rate_as_printed(D):.3f}" for D in channels}
    return pd.DataFrame(values, index=["largest SS_rate"])
