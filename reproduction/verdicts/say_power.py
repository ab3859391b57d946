"""What rules can tell, in words: the table of operating characteristics, and why a verdict is not
given.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from reproduction.verdicts.finding import Finding
from reproduction.verdicts.power import MORE_WRONG, WRONG, Power, Shares, faults
from reproduction.verdicts.simulate import TRUTHS
from reproduction.words import percent as to_percent

#: The forms of runs that a claim is judged in, as they are called here.
FORMS = {
    "verdict": "at the paper's settings",
    "in small": "in small, printed form",
    "released": "in small, released form",
}

PRINTED = "the paper's own, as printed"

_ORDER = ("reproduced", "partly", "signs differ", "undecided", "not reproduced")


def table(found: Mapping[tuple[int, str, str], Power]) -> pd.DataFrame:
    """The characteristics as the book shows them: a row per claim and form, a column per truth. In
    bold: what is wrong in more than 5 % of the draws.

    Args:
        found: by the claim's number, its short name, and the form of the runs.
    """
    rows = []
    for (number, claim, form), power in found.items():
        runs = PRINTED if power.printed else FORMS[form]
        row = {"claim": f"{number}. {claim}", "runs": runs, "n": count(*power.n)}
        for truth in TRUTHS:
            row[truth] = _shares(power.shares[truth], _wrong(power, truth))
        rows.append(row | {"would decide": would_decide(power)})
    return pd.DataFrame(rows, columns=["claim", "runs", "n", *TRUTHS, "would decide"])


def _wrong(power: Power, truth: str) -> set[str]:
    """The outcomes that are wrong, and come in more than 5 %, if that is the truth."""
    given = [outcome for outcome, truths in MORE_WRONG.items() if truth in truths]
    wrong = [*WRONG.get(truth, ()), *given]
    return {outcome for outcome in wrong if truth in faults(power.shares, outcome)}


def _shares(shares: Shares, wrong: set[str]) -> str:
    told = [
        f"**{outcome} {share}**" if outcome in wrong else f"{outcome} {share}"
        for outcome in _ORDER
        if (share := percent(shares.of.get(outcome, 0.0)))
    ]
    return ", ".join(told)


def percent(share: float) -> str:
    """A share in per cent; "" for none at all.

    >>> percent(0.002), percent(0.998), percent(0.25), percent(0.0)
    ('below 1 %', 'over 99 %', '25 %', '')
    """
    if not share:
        return ""
    if share < 0.01:
        return "below 1 %"
    return "over 99 %" if 0.99 < share < 1 else to_percent(share)


def count(n: int, unit: str) -> str:
    """How many of what.

    >>> count(1, "pair"), count(20, "pair")
    ('1 pair', '20 pairs')
    """
    return f"{n} {unit}{'s' * (n != 1)}"


def would_decide(power: Power) -> str:
    """How many runs would decide; "–" where no more can be had."""
    if not power.most:
        return "–"
    return f"{power.enough}" if power.enough else f"more than {power.most}"


def meanings(found: Mapping[tuple[int, str, str], Power]) -> dict[str, str]:
    """What "paper" and "none" mean, by claim."""
    return {
        f"{number}. {claim}": f"{power.paper}; none: {power.none}"
        for (number, claim, _), power in found.items()
    }


def gate(finding: Finding, power: Power | None) -> str:
    """Why a verdict is not given, and how many runs would decide; "" where it is given."""
    if not finding.gated or power is None:
        return ""
    where = {"paper": f"if the paper is right ({power.paper})", "none": f"if not ({power.none})"}
    found = faults(power.shares, finding.gated)
    words = {truth: " or ".join(outcomes) for truth, outcomes in WRONG.items()}
    for truth in MORE_WRONG.get(finding.gated, ()):
        words[truth] = f"{finding.gated} or {words[truth]}"
    why = " and ".join(
        f"“{words[truth]}” in {percent(share)} of draws {where[truth]}"
        for truth, share in found.items()
    )
    decide = would_decide(power)
    enough = "" if decide == "–" else f"; {decide} {power.n[1]}s would decide"
    return f"; not called {finding.gated}, as the rule says {why}{enough}"
