"""What the first page answers before its table: the same verdicts, in sentences.

Every sentence is made of the words of the table below it, so that the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The row of a claim in ``claims.scorecard``.
Row = Mapping[str, Any]

#: Results in small that say nothing: the claim has no smaller form, or it was not run.
SILENT = ("–", "not run")

VERDICT = {
    "reproduced": "*reproduced*",
    "partly": "*partly* reproduced",
    "signs differ": "*signs differ*",
    "not reproduced": "*not reproduced*",
    "undecided": "*undecided* at the paper's settings",
    "not testable here": "*not testable here*",
    "not run": "*not run* at the paper's settings",
}

IN_SMALL = {
    "agrees": "*agree*",
    "agrees in part": "*agree in part*",
    "signs differ": "have *signs that differ*",
    "disagrees": "*disagree*",
    "undecided": "are *undecided*",
}

IN_PRINT = {
    "holds": "*holds*",
    "holds in part": "*holds in part*",
    "does not hold": "*does not hold*",
}

#: The forms of the constraint that small runs may have.
FORMS = {"in small": "of the printed form", "released": "of its authors' own form"}


def count(n: int, word: str) -> str:
    """So many results in small.

    >>> count(1, "agrees in part"), count(2, "agrees in part")
    ('1 agrees in part', '2 agree in part')
    """
    return f"{n} {word if n == 1 else word.replace('agrees', 'agree')}"


def standing(row: Row) -> str:
    """What has become of a claim: at the paper's settings, in small by form, in print.

    >>> row = {"verdict": "partly", "in small": "agrees", "released": "–", "in print": "holds"}
    >>> standing(row)
    "*partly* reproduced; small runs *agree*; by the paper's own numbers it *holds*"
    """
    where = f" on {row['n']}" if row.get("n", "").endswith(("machine", "machines")) else ""
    told = [VERDICT[row["verdict"]] + where]
    small = [f"{FORMS[name]} {IN_SMALL[row[name]]}" for name in FORMS if row[name] not in SILENT]
    if row["released"] in SILENT:  # there is one form only
        small = [words.removeprefix(f"{FORMS['in small']} ") for words in small]
    if small:
        told.append("small runs " + ", those ".join(small))
    if row["in print"] in IN_PRINT:
        told.append(f"by the paper's own numbers it {IN_PRINT[row['in print']]}")
    return "; ".join(told)


#: What a reader asks, and the claims that answer it, by key, as they are called there.
QUESTIONS = {
    "Can I believe the paper?": {
        "table2-untrained": "Untrained networks have the printed SS_rates",
        "self-similar-gain": "Self-similar networks gain",
        "invariance": "Invariance explains who gains",
    },
    "Can I use the measure?": {
        "cheap": "SS_rate is cheap enough for a loss function",
        "range": "It is small for self-similar sets",
        "boxes": "It counts boxes",
    },
    "Should I use the constraint?": {
        "toward-target": "It moves SS_rate to its target",
        "helps": "It improves MLPs and ViTs, not CNNs",
    },
}


def answers(rows: Mapping[str, Row]) -> dict[str, list[str]]:
    """Question -> a line per claim that answers it; rows: of the scorecard, by the claim's key."""
    return {
        question: [f"{what}: {standing(rows[key])}." for key, what in claims.items() if key in rows]
        for question, claims in QUESTIONS.items()
    }
