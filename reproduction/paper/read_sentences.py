"""Every sentence of the paper that numbers could contradict, with the claims that judge it."""

from __future__ import annotations

import pandas as pd
import yaml

from reproduction.paths import PAPER

COLUMNS = ("section", "quote", "says", "claims", "reason")


def sentences() -> pd.DataFrame:
    """The sentences in the paper's order, a row each.

    >>> sentences().iloc[4][["section", "quote", "claims"]].tolist()
    ['Abstract', 'by up to 6%', ('up-to-six',)]

    Returns:
        Columns section; quote, a few of its words; says, what it says in ours; claims, keys of
        data/paper/claims.yml; reason, why there is none ("" where there is one).
    """
    sections = yaml.safe_load((PAPER / "sentences.yml").read_text(encoding="utf-8"))
    rows = [
        {"section": section, "reason": ""} | entry | {"claims": tuple(entry.get("claims", ()))}
        for section, entries in sections.items()
        for entry in entries
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
