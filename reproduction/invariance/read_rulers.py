"""How well known exponents and dimensions are recovered: the frames of `rulers` as they are shown,
and what they come to. And what a correlation dimension costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from reproduction.invariance.known import KNOWN_SETS, SET_NAMES
from reproduction.invariance.read import ESTIMATORS
from reproduction.words import percent


def exponents_known(found: pd.DataFrame) -> pd.DataFrame:
    """``rulers.exponent_recovery`` as a reader sees it: a row per exponent, text.

    Returns:
        Per estimator: found (mean ± standard deviation over the draws), error (mean of the standard
        errors stated) and within (share of the draws within three of them).
    """
    cells = found.assign(
        found=[f"{row.mean:.2f} ± {row.std:.2f}" for row in found.itertuples()],
        error=found["standard_error"].map("{:.2f}".format),
        within=found["within"].map(percent),
    )
    shown = _beside(cells, "exponent", ("found", "error", "within"))
    return shown.rename(index="γ = {:.1f}".format)


def exponents_other(examples: pd.DataFrame) -> pd.DataFrame:
    """``rulers.exponent_examples`` as a reader sees it: a row per spectrum, text.

    Returns:
        Per estimator: γ with its standard error, n (eigenvalues in the fit) and KS.
    """
    cells = examples.assign(
        γ=[f"{row.exponent:.2f} ± {row.standard_error:.2f}" for row in examples.itertuples()],
        n=examples["n_tail"].map(str),
        KS=examples["ks_distance"].map("{:.2f}".format),
    )
    return _beside(cells, "spectrum", ("γ", "n", "KS")).loc[examples["spectrum"].unique()]


def _beside(cells: pd.DataFrame, index: str, columns: Sequence[str]) -> pd.DataFrame:
    """The columns of both estimators side by side."""
    wide = cells.pivot(index=index, columns="estimator", values=list(columns)).swaplevel(axis=1)
    wide = wide[[(estimator, column) for estimator in ESTIMATORS for column in columns]]
    return wide.rename_axis(None).rename_axis(columns=[None, None])


def exponent_scatter(found: pd.DataFrame) -> pd.DataFrame:
    """What ``rulers.exponent_recovery`` comes to, per estimator.

    Returns:
        Columns: within, the smallest share of draws within three standard errors; ratio, how many
        times the standard error stated the estimates scatter, mean over exponents.
    """
    ratio = (found["std"] / found["standard_error"]).groupby(found["estimator"]).mean()
    return pd.DataFrame({"within": found.groupby("estimator")["within"].min(), "ratio": ratio})


def dimensions_known(found: pd.DataFrame) -> pd.DataFrame:
    """``rulers.dimension_recovery`` as a reader sees it: a row per set, text.

    Returns:
        Columns: true, held out, and per estimator one per unit; "none" where there is no dimension.
    """
    cells = found.assign(
        dimension=found["dimension"].map("{:.2f}".format).replace("nan", "none"),
        scale=found["scale"].map("× {:g}".format),
    )
    wide = cells.pivot(index="set", columns=["estimator", "scale"], values="dimension")
    wide = wide.loc[[name for name in KNOWN_SETS if name in wide.index]]
    about = found.groupby("set")[["true", "held_out"]].first().loc[wide.index]
    wide.insert(0, ("", "true"), about["true"].map("{:.2f}".format))
    wide.insert(1, ("", "held out"), about["held_out"].map({True: "yes", False: "no"}))
    return wide.rename(index=SET_NAMES).rename_axis(None).rename_axis(columns=[None, None])


class Recovery(NamedTuple):
    """What ``rulers.dimension_recovery`` comes to."""

    chosen: float  # the printed estimator's largest relative error on the sets its rule was made on
    held_out: float  # the same on the others
    moved: float  # by how much a unit moves the printed estimator, at most
    off: int  # values of the released estimator off by more than a tenth, or missing
    values: int  # of how many


def dimension_errors(found: pd.DataFrame) -> Recovery:
    """The errors in a ``rulers.dimension_recovery``; the printed estimator's at unit 1."""
    error = (found["dimension"] / found["true"] - 1).abs()
    printed = found["estimator"] == "printed"
    at_one = error[printed & (found["scale"] == 1)].groupby(found["held_out"]).max()
    by_set = found[printed].groupby("set")["dimension"]
    return Recovery(
        at_one[False],
        at_one[True],
        (by_set.max() - by_set.min()).max(),
        int((~(error[~printed] < 0.1)).sum()),
        int((~printed).sum()),
    )


def cost_table(runs: pd.DataFrame) -> pd.DataFrame:
    """What a correlation dimension costs: seconds, MB beyond what is in use before, the dimension.

    Args:
        runs: ``records.read_all("benchmark-correlation-dimension")``; the last one counts.
    """
    estimators = {
        "all pairs, in blocks": "ours",
        "all pairs, full matrix": "matrix",
        "released: 29 neighbours": "released",
    }
    columns = {
        "seconds": ("s", "{:.1f}"),
        "MB": ("MB", "{:.0f}"),
        "dimension": ("dimension", "{:.2f}"),
    }
    if runs.empty:
        return pd.DataFrame("not run", index=list(estimators), columns=list(columns))
    last = runs.iloc[-1]
    return pd.DataFrame(
        {
            column: [form.format(last[f"metrics.{key}_{unit}"]) for key in estimators.values()]
            for column, (unit, form) in columns.items()
        },
        index=list(estimators),
    )
