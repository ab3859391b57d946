"""A plan of training as the book shows it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from reproduction.training.confirm import Results
from reproduction.words import percent


def plan_table(found: Results) -> pd.DataFrame:
    """The outcome of a finished plan, hypothesis by hypothesis; of another one its progress.

    Returns:
        Text, a row per hypothesis and what it is about; or per network and arm.
    """
    if found.delivery is None or found.hypotheses is None:
        names = {"done": "runs done", "due": "runs due", "look": "look at the scatter"}
        return found.progress.rename(columns=names).set_index("network").rename_axis(None)
    rows = [
        _row("H0", f"{network}: share closed", row, _share)
        for network, row in found.delivery.to_dict("index").items()
    ]
    rows += [
        _row(row["hypothesis"], f"{row['network']}: {row['comparison']}", row, _points)
        for row in found.hypotheses.to_dict("records")
    ]
    return pd.DataFrame(rows).set_index("hypothesis").rename_axis(None)


def _row(
    name: str, of: str, row: Mapping[Any, Any], form: Callable[[float], str]
) -> dict[str, str]:
    interval = "" if math.isnan(row["low"]) else f" ({_between(row, form)})"
    return {
        "hypothesis": name,
        "of": of,
        "outcome": row["outcome"],
        "pairs": f"{row['n']:.0f}",
        "mean (95 % interval)": form(row["mean"]) + interval,
        "p": p_value(row.get("p", math.nan)),
    }


def paper_table(found: Results) -> pd.DataFrame:
    """R - B of each network of a finished plan beside the paper's gain; no rows before."""
    rows = found.paper.to_dict("index") if found.paper is not None else {}
    text = {
        network: {
            "pairs": f"{row['n']:.0f}",
            "ours": _points(row["mean"]),
            "95 % interval": _between(row, _points),
            "paper": f"{row['gain']:+.2f} ± {row['error']:.2f}",
            "outcome": row["outcome"],
        }
        for network, row in rows.items()
    }
    columns = ["pairs", "ours", "95 % interval", "paper", "outcome"]
    return pd.DataFrame.from_dict(text, orient="index", columns=columns)


def p_value(p: float) -> str:
    """
    >>> p_value(0.0312), p_value(1e-9), p_value(float("nan"))
    ('0.031', '< 0.001', '–')
    """
    if math.isnan(p):
        return "–"
    return "< 0.001" if p < 0.0005 else f"{p:.3f}"


def _share(value: float) -> str:
    return "–" if math.isnan(value) else percent(value)


def _points(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:+.2f}"


def _between(row: Any, form: Any) -> str:
    return "–" if math.isnan(row["low"]) else f"{form(row['low'])} to {form(row['high'])}"
