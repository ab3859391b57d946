"""What a plan of training comes to, in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

from reproduction.training.confirm import Results
from reproduction.training.read_plans import p_value
from reproduction.words import percent

#: Says something of a finished plan.
Say = Callable[[Results], str]

#: What the outcome of a tested hypothesis means.
_OUTCOMES = {
    "holds": "holds",
    "the opposite": "does not hold: the difference has the opposite sign",
    "open": "is left open",
    "described": "is reported without a test",
    "not tested: stopped": "is not tested, as the constraint did not act on the network",
    "not tested: not delivered": "is not tested, as the constraint did too little to the network",
}

_AGAINST = {
    "reproduced in small": "the paper's gain is reproduced in small",
    "not reproduced": "the paper's gain is not reproduced",
    "open": "the paper's gain is neither confirmed nor excluded",
}


def outcome(found: Results) -> str:
    """What a finished plan comes to, test by test; of another one its progress, and no accuracy."""
    if not found.finished:
        return progress(found)
    assert found.hypotheses is not None and found.paper is not None
    tested = [_tested(row) for row in found.hypotheses.to_dict("records")]
    printed = [
        f"{network}: {_AGAINST[row['outcome']]}"
        for network, row in found.paper.iterrows()
        if row["outcome"] in _AGAINST
    ]
    against = "; ".join(printed) or "no network was tested"
    tests = "\n".join(f"- {one}" for one in tested)
    return f"{delivered(found)}\n\n{tests}\n\n**Compared with Table 3**: {against}."


def outcomes(plans: Iterable[Results]) -> str:
    """A paragraph per plan: its question, then its outcome or its progress."""
    return "\n\n".join(
        f"**{found.plan.name}.** {' '.join(found.plan.text['question'].split())} {outcome(found)}"
        for found in plans
    )


def progress(found: Results) -> str:
    """How many runs of a plan are done, and which networks have been stopped."""
    table = found.progress
    done, due = int(table["done"].sum()), int(table["due"].sum())
    if not done:
        return f"Not run: 0 of {due} runs."
    text = f"Not finished: {done} of {due} runs are done"
    halted = list(dict.fromkeys(table.loc[table["state"] == "stopped", "network"]))
    if halted:
        text += f"; {_and(halted)} stopped early, because the constraint did not act there"
    return text + ". No accuracy is read from its records before the last run is done."


def delivered(found: Results) -> str:
    """H0 of a finished plan: where the constraint acts."""
    assert found.delivery is not None
    parts = []
    for network, row in found.delivery.iterrows():
        stopped = ", stopped" if row["outcome"] == "not delivered" else ""
        share = f"{percent(row['mean'])}{_interval(row, percent)}"
        parts.append(f"{share} in {network}, {_pairs(row['n'])}{stopped}")
    holds = list(found.delivery.index[found.delivery["outcome"] == "holds"])
    share = found.plan.text["delivery"]["share"]
    where = f"acts in {_and(holds)}" if holds else "acts in no network"
    return (
        f"The constraint {where} (**H0**). The plan requires that it close {percent(share)} of the "
        f"baseline's distance to γ; it closes {'; '.join(parts)}."
    )


def acted(found: Results) -> str:
    """H0 for the head of the chapter: the networks in which the constraint acts, and the others."""
    assert found.delivery is not None
    acts = found.delivery["outcome"] == "holds"
    closed = [f"{network} ({percent(mean)})" for network, mean in found.delivery["mean"].items()]
    yes = [one for one, act in zip(closed, acts, strict=True) if act]
    no = [one for one, act in zip(closed, acts, strict=True) if not act]
    told = [f"acts in {_and(yes)}"] if yes else []
    told += [f"does not act in {_and(no)}"] if no else []
    return (
        f"the constraint {' and '.join(told)} (in brackets: how much of the distance to γ it "
        "closes)."
    )


def helped(found: Results) -> str:
    """R - B of the networks in which the constraint acts, beside the paper's gain; and the wrong
    target's, where the plan has one. For the head of the chapter.
    """
    assert found.hypotheses is not None and found.paper is not None
    told = [
        f"{row['mean']:+.2f} points for {network}{_interval(row, _points)}, {_pairs(row['n'])} "
        f"(paper {row['gain']:+.2f})"
        for network, row in found.paper.iterrows()
        if row["outcome"] != "not tested"
    ]
    text = f"{'; '.join(told) or 'not tested in any network'}."
    for row in found.hypotheses.to_dict("records"):
        if row["comparison"].endswith("− W") and row["n"]:
            text += (
                f" Compared with the same penalty and the wrong target, {row['network']} gains "
                f"{row['mean']:+.2f} points{_interval(row, _points)}."
            )
    return text


def _tested(row: Mapping[str, Any] | pd.Series) -> str:
    name = "" if row["hypothesis"] == "secondary" else f"**{row['hypothesis']}** "
    numbers = "no pairs"
    if row["n"]:
        numbers = f"{row['mean']:+.2f} points{_interval(row, _points)}, {_pairs(row['n'])}"
    if not math.isnan(row["p"]):
        p = p_value(row["p"])
        numbers += f", p {p}" if p.startswith("<") else f", p = {p}"
    return f"{name}({row['network']}, {row['comparison']}) {_OUTCOMES[row['outcome']]}: {numbers}."


def _interval(row: Mapping[str, Any] | pd.Series, write: Callable[[float], str]) -> str:
    if math.isnan(row["low"]):
        return ""
    return f" (95 % interval {write(row['low'])} to {write(row['high'])})"


def _points(difference: float) -> str:
    return f"{difference:+.2f}"


def _pairs(n: float) -> str:
    return "1 pair" if n == 1 else f"{n:.0f} pairs"


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
