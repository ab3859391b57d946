"""The rules on pairs of training runs: limits and tables in, a finding out, as in ``rules``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from reproduction.paper.audit import gains
from reproduction.paper.tables import DATASETS, MARKED
from reproduction.stats import Interval, sign_flip_test
from reproduction.stats_means import INSIDE, OUTSIDE, Mean, average, beside_margin, mean_of
from reproduction.verdicts.finding import NOT_RUN, Finding, Limits
from reproduction.verdicts.intervals import FEWEST_OF_INTERVAL, intervals, signs

#: Of Table 3, and of ours.
_CELL = ["model", "dataset", "recipe"]

#: Pairs below which no sign-flip test can reach p < 0.05.
FEWEST = 6


def at_paper_scale(rule: Callable[[Limits, pd.DataFrame], Finding]) -> Callable[..., Finding]:
    """The same rule, which "reproduces" only what was run on all of the paper's data sets."""

    def judge(limits: Limits, pairs: pd.DataFrame) -> Finding:
        finding = rule(limits, pairs)
        if finding.outcome == "reproduced" and pairs["dataset"].nunique() < len(DATASETS):
            return replace(finding, outcome="partly")
        return finding

    return judge


class Cell(NamedTuple):
    """What a cell of Table 3 gains, ours over seeds and in print over the paper's ten runs."""

    ours: Mean
    printed: Mean
    gains: np.ndarray

    @property
    def lacks(self) -> Mean:
        """Ours minus the printed gain."""
        return self.ours.minus(self.printed)


def cells(pairs: pd.DataFrame) -> dict[tuple[str, str, str], Cell]:
    """The cells of Table 3 that were run with enough pairs for an interval, by model, data set and
    recipe.
    """
    printed, found = _printed_gains(), {}
    for key, rows in pairs.groupby(_CELL, sort=False).indices.items():
        if key[:2] in printed and len(rows) >= FEWEST_OF_INTERVAL:
            own = pairs["gain"].to_numpy()[rows]
            found[key] = Cell(mean_of(own), printed[key[:2]], own)
    return found


@cache
def _printed_gains() -> dict[Any, Mean]:
    table = gains()
    # of Welch's test, whose t is the gain in standard errors
    errors = (table["gain"] / table["t"]).abs()
    return {
        cell: Mean(gain, error, df)
        for cell, gain, error, df in zip(
            table.index, table["gain"], errors, table["df"], strict=True
        )
    }


def helps(limits: Limits, pairs: pd.DataFrame) -> Finding:
    """Whether the marked models gain what Table 3 prints for them, cell by cell and pooled, and the
    convolutional ones do not. Where one network gains and another loses, nothing is pooled.

    Pairs whose column "own settings" says no are given beside it, and not judged.
    """
    own = pairs.get("own settings", pd.Series(True, pairs.index)).astype(bool)
    aside, pairs = pairs[~own], pairs[own]
    parts = {"marked": pairs[pairs["model"].isin(MARKED)], "cnn": pairs[pairs["family"] == "cnn"]}
    groups = {name: cells(part) for name, part in parts.items()}
    marked, cnn = groups.values()
    judged = sum(len(cell.gains) for cell in marked.values())
    values: dict[str, Any] = {"too few": judged < FEWEST, "short": (), "gain": (), "lose": ()}
    values |= {name: _group(part, groups[name]) for name, part in parts.items()}
    values["aside"] = _group(aside, cells(aside))
    n = _pairs(pairs)
    if values["too few"]:
        return Finding("undecided", values, n)
    names = dict.fromkeys(model for model, *_ in marked)
    each = {
        name: average([cell.ours for (model, *_), cell in marked.items() if model == name])
        for name in names
    }
    gain = tuple(name for name, own in each.items() if own.low(0.05 / len(each)) > 0)
    lose = tuple(name for name, own in each.items() if own.high(0.05 / len(each)) < 0)
    values |= {"gain": gain, "lose": lose}
    if gain and lose:  # a mean over them is a mean of nothing
        return Finding("signs differ", values, n)
    short = [key for key, cell in marked.items() if cell.lacks.high(0.05 / len(marked)) < 0]
    values["short"] = tuple(model for model, *_ in short)
    # each cell counts once, however many pairs it has
    weighted = [cell.gains / len(cell.gains) for cell in marked.values()]
    test = sign_flip_test(np.concatenate(weighted))
    gaining = test.p < 0.05 and test.estimate > 0
    lacks = average([c.ours for c in marked.values()]).minus(
        average([c.printed for c in marked.values()])
    )
    falls_short = lacks.high() < 0
    if not gaining:
        return Finding("not reproduced" if falls_short else "undecided", values, n)
    if lose:
        return Finding("undecided", values, n)
    still = _still(list(cnn.values()), limits["margin"])
    whole = still and not falls_short and not short
    return Finding("reproduced" if whole else "partly", values, n)


def _still(cnn: Sequence[Cell], margin: float) -> bool:
    """Whether convolutional networks stay as they are: pooled within a margin, and none beyond."""
    if not cnn:
        return False
    each = [beside_margin(cell.ours, margin, 0.05 / len(cnn)) for cell in cnn]
    pooled = beside_margin(average([cell.ours for cell in cnn]), margin)
    return pooled == INSIDE and OUTSIDE not in each


def _group(pairs: pd.DataFrame, found: Mapping[Any, Cell]) -> dict[str, Any] | None:
    """Models of a group, its mean gain over cells with half of the 95 % interval, and the mean of
    the printed gains; the last two are None where no cell has enough pairs. "each": the same three
    numbers of every model.
    """
    if pairs.empty:
        return None
    group: dict[str, Any] = {"models": tuple(pairs["model"].unique()), "half": None}
    group |= {"printed": None, "each": {}}
    if not found:
        group["mean"] = pairs.groupby(_CELL)["gain"].mean().mean()
    else:
        group["models"] = tuple(dict.fromkeys(model for model, *_ in found))
        names = ("mean", "half", "printed")
        group |= zip(names, _gain_of(found.values()), strict=True)
        group["each"] = {
            model: _gain_of([cell for key, cell in found.items() if key[0] == model])
            for model in group["models"]
        }
    return group


def _gain_of(found: Collection[Cell]) -> tuple[float, float, float]:
    """Mean over cells, half of its 95 % interval, and the mean in print."""
    ours = average([cell.ours for cell in found])
    return ours.value, ours.high() - ours.value, average([cell.printed for cell in found]).value


def average_gain(limits: Limits, pairs: pd.DataFrame) -> Finding:
    """Whether every marked model gains as much as the text says, averaged over all data sets.

    A model that was not run on all of them has no such average.
    """
    marked = pairs[pairs["model"].isin(MARKED)]
    whole = marked.groupby("model")["dataset"].transform("nunique") == len(DATASETS)
    if not whole.any():
        return NOT_RUN
    n = _pairs(marked[whole])
    found = intervals(marked[whole], ["model"], "gain")
    if not found:
        return Finding("undecided", n=n)
    values = {"models": {model: (i.mean, _half(i)) for model, i in found.items()}}
    each = found.values()
    good = [i.low > 0 and i.low <= limits["high"] and i.high >= limits["low"] for i in each]
    if any(good):
        return Finding("reproduced" if all(good) else "partly", values, n)
    short = all(i.high < limits["low"] for i in each)
    return Finding("not reproduced" if short else "undecided", values, n)


def up_to_six(limits: Limits, pairs: pd.DataFrame) -> Finding:
    """Whether the cell with the largest gain in print gains as much, both uncertainties counted."""
    printed = _printed_gains()
    model, dataset = max(printed, key=lambda cell: printed[cell].value)
    part = pairs[(pairs["model"] == model) & (pairs["dataset"] == dataset)]
    if part.empty:
        return NOT_RUN
    n = _pairs(part)
    found = intervals(part, ["model"], "gain")
    if not found:
        return Finding("undecided", n=n)
    ours, least = found[model], printed[model, dataset].low()
    values = {"model": model, "dataset": dataset, "mean": ours.mean, "half": _half(ours)}
    if ours.high < least:
        return Finding("not reproduced", values, n)
    return Finding("reproduced" if ours.low > 0 else "undecided", values, n)


def toward(limits: Limits, pairs: pd.DataFrame) -> Finding:
    """In how many cells the constraint closes a good part of the modules' distance to γ."""
    found = intervals(pairs, _CELL, "share")
    n = _pairs(pairs)
    if not found:
        return Finding("undecided", n=n)
    each, least = found.values(), limits["closed"]
    nearer, away = signs(found)
    closed = sum(i.low > 0 and i.mean >= least for i in each)
    values: dict[str, Any] = {
        "closed": closed,
        "nearer": nearer,
        "away": away,
        "of": len(found),
        "least": least,
    }
    cells = pairs.dropna(subset=["share"]).groupby(_CELL)
    counts, evals = cells.size(), cells["share_eval"].mean()
    values["shares"] = {
        key: (i.mean, _half(i), int(counts[key]), float(evals[key])) for key, i in found.items()
    }
    if closed >= limits["share"] * len(found):
        return Finding("reproduced", values, n)
    if closed:
        return Finding("partly", values, n)
    short = nearer <= away and all(i.high < least for i in each)
    return Finding("not reproduced" if short else "undecided", values, n)


def _half(interval: Interval) -> float:
    """Half the width of the 95 % interval."""
    return (interval.high - interval.low) / 2


def _pairs(pairs: pd.DataFrame) -> dict[str, int | tuple[str, ...]]:
    return {"pair": len(pairs), "recipe": tuple(sorted(pairs["recipe"].unique()))}
