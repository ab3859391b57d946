"""A verdict for every claim of the paper: rules written as data (data/paper/claims.yml), applied to
the records.

Three things are kept apart. The verdict is about runs at the paper's own settings. A result "in
small" (small networks or images, few epochs) goes by the same rule and stands beside it. What the
paper's own tables say comes from `sslib.audit` and needs no record.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import yaml

from reproduction.paths import PAPER, RESULTS
from reproduction.verdicts.finding import NOT_RUN, _Limits, _Pair, _Root
from reproduction.verdicts.in_print import _PRINT
from reproduction.verdicts.measured import (
    _boxes,
    _cheap,
    _invariance,
    _low_dimensional,
    _poolformer,
    _range,
    _table_2,
)
from reproduction.verdicts.trained import (
    _judge_average_gain,
    _judge_helps,
    _judge_toward,
    _judge_up_to_six,
    _on_pairs,
    _rises,
)

#: A verdict, and what a result in small is called under the same rule.
IN_SMALL = {
    "reproduced": "agrees",
    "partly": "agrees in part",
    "not reproduced": "disagrees",
    "undecided": "undecided",
    "not run": "not run",
}

VERDICTS = ("reproduced", "partly", "not reproduced", "not testable here", "not run")

#: What a claim's own tables can do for it.
IN_PRINT = ("holds", "holds in part", "does not hold", "no numbers in print")


@dataclass(frozen=True)
class Claim:
    """One claim of the paper, as data/paper/claims.yml has it; the file says what the fields mean."""

    number: int
    key: str
    short: str
    claim: str
    where: str
    test: str
    rule: str
    limits: Mapping[str, float]
    known: str
    evidence: tuple[str, ...]
    printed: str = ""


def load_claims() -> list[Claim]:
    """The claims in their order, numbered from 1, with the limits filled into the words of the
    rule.

    >>> claims = load_claims()
    >>> len(claims), claims[7].short
    (13, 'The constraint helps MLPs and ViTs, not CNNs')
    """
    entries = yaml.safe_load((PAPER / "claims.yml").read_text(encoding="utf-8"))["claims"]
    claims = []
    for number, entry in enumerate(entries, start=1):
        rule = entry["rule"].format(**entry["limits"])
        claims.append(Claim(number, **entry | {"rule": rule, "evidence": tuple(entry["evidence"])}))
    return claims


def rules_written() -> str:
    """The date on which the rules were written, year-month-day.

    >>> rules_written()[:4]
    '2026'
    """
    return str(yaml.safe_load((PAPER / "claims.yml").read_text(encoding="utf-8"))["written"])


def scorecard(root: str | os.PathLike[str] = RESULTS) -> pd.DataFrame:
    """Every claim with its verdict, a row each, indexed by number.

    root: the folder of records. Whatever is missing there is "not run"; nothing fails.

    Returns columns claim (short), where, paper (what is printed), "in print" (one of `IN_PRINT`),
    "in print: fact" and "in print: why", ours (value ± spread), n, hardware, verdict (one of
    `VERDICTS`), "in small" (a value of `IN_SMALL`, or "–" where the claim has no smaller form), "in
    small: ours", "in small: n", "in small: hardware", known, evidence.

    >>> scorecard("no-such-folder")["verdict"].unique().tolist()
    ['not run']
    """
    rows = []
    for claim in load_claims():
        printed = _PRINT[claim.key]()
        full, small = _RULES[claim.key](claim.limits, root)
        row: dict[str, Any] = {"number": claim.number, "claim": claim.short, "where": claim.where}
        row |= {"paper": printed.paper or claim.printed, "in print": printed.verdict}
        row |= {"in print: fact": printed.fact, "in print: why": printed.why}
        row |= {"ours": full.ours, "n": full.n, "hardware": full.hardware}
        row["verdict"] = "not testable here" if full.outcome == "undecided" else full.outcome
        row["in small"] = IN_SMALL[small.outcome] if small else "–"
        small = small or NOT_RUN
        row |= {
            "in small: ours": small.ours,
            "in small: n": small.n,
            "in small: hardware": small.hardware,
        }
        rows.append(row | {"known": claim.known, "evidence": claim.evidence})
    return pd.DataFrame(rows).set_index("number")


def by_key(table: pd.DataFrame) -> dict[str, pd.Series]:
    """The rows of a ``scorecard`` by the keys of data/paper/claims.yml.

    >>> by_key(scorecard("no-such-folder"))["invariance"]["verdict"]
    'not run'
    """
    return {claim.key: table.loc[claim.number] for claim in load_claims()}


_RULES: Mapping[str, Callable[[_Limits, _Root], _Pair]] = {
    "range": _range,
    "cheap": _cheap,
    "table2-untrained": _table_2("untrained"),
    "table2-trained": _table_2("pretrained"),
    "rises": _rises,
    "low-dimensional": _low_dimensional,
    "poolformer": _poolformer,
    "helps": _on_pairs(_judge_helps),
    "average-gain": _on_pairs(_judge_average_gain),
    "up-to-six": _on_pairs(_judge_up_to_six),
    "invariance": _invariance,
    "boxes": _boxes,
    "toward-target": _on_pairs(_judge_toward),
}
