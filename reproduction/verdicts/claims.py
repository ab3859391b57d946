"""A verdict for every claim of the paper: rules written as data (data/paper/claims.yml), applied to
the records.

Three things are kept apart. The verdict is about runs at the paper's own settings. A result "in
small" (small networks or images, few epochs) goes by the same rule and stands beside it. What the
paper's own tables say comes from ``in_print`` and needs no record.

A claim goes through three hands: ``read`` makes tables from records, ``rules`` a `Finding` from
tables, ``say`` a sentence from the finding.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import pandas as pd
import yaml

from reproduction import machine, records
from reproduction.paths import PAPER, RESULTS
from reproduction.verdicts import (
    power,
    read,
    read_networks,
    read_training,
    rules,
    rules_networks,
    rules_training,
    say,
    say_power,
)
from reproduction.verdicts.finding import NOT_RUN, Evidence, Finding, Limits, Reader
from reproduction.verdicts.in_print import PRINT
from reproduction.verdicts.power import Power
from reproduction.verdicts.say_in_print import PRINTED

#: A verdict, and what a result in small is called under the same rule.
IN_SMALL = {
    "reproduced": "agrees",
    "partly": "agrees in part",
    "not reproduced": "disagrees",
    "signs differ": "signs differ",
    "undecided": "undecided",
    "not run": "not run",
}

VERDICTS = (
    "reproduced",
    "partly",
    "signs differ",
    "not reproduced",
    "undecided",
    "not testable here",
    "not run",
)

#: The forms that a claim is judged in, as the first page names their columns.
FULL, SMALL, RELEASED = "verdict", "in small", "released"

Read = Callable[[Reader, Limits], Evidence | None]

Judge = Callable[..., Finding]


@dataclass(frozen=True)
class Claim:
    """One claim of the paper, as data/paper/claims.yml has it; the file says what is what."""

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
    written: str = ""
    changes: tuple[Mapping[str, str], ...] = ()


def load_claims() -> list[Claim]:
    """The claims in their order, numbered from 1, with the limits filled into the words of the
    rule.

    >>> claims = load_claims()
    >>> len(claims), claims[7].short
    (21, 'The constraint helps MLPs and ViTs, not CNNs')
    """
    document = yaml.safe_load((PAPER / "claims.yml").read_text(encoding="utf-8"))
    claims = []
    for number, entry in enumerate(document["claims"], start=1):
        rule = entry["rule"].format(**entry["limits"]).replace("%", " %").replace("  %", " %")
        lists = {key: tuple(entry.get(key, ())) for key in ("evidence", "changes")}
        texts = {"rule": rule, "written": str(entry.get("written", document["written"]))}
        claims.append(Claim(number, **entry | texts | lists))
    return claims


def rules_written() -> str:
    """The date on which the rules were written, year-month-day.

    >>> rules_written()[:4]
    '2026'
    """
    return str(yaml.safe_load((PAPER / "claims.yml").read_text(encoding="utf-8"))["written"])


@dataclass(frozen=True)
class Rule:
    """How a claim is judged at the paper's settings and, where it has a smaller form, in small.

    Attributes:
        read, small_read: reader of records and limits -> the evidence, None if there is none.
        judge, small_judge: limits and the tables of the evidence -> the finding.
        released_read: reader of the runs in small with the authors' own form of the constraint.
    """

    read: Read
    judge: Judge
    small_read: Read | None = None
    small_judge: Judge | None = None
    released_read: Read | None = None

    def forms(self) -> dict[str, tuple[Read, Judge]]:
        """What is judged: at the paper's settings, in small, in small by the authors' own form; as
        far as there are such runs.
        """
        found = {FULL: (self.read, self.judge)}
        if self.small_judge is not None:
            for form, reader in ((SMALL, self.small_read), (RELEASED, self.released_read)):
                if reader is not None:
                    found[form] = (reader, self.small_judge)
        return found


def _judged(key: str, form: str, limits: Limits, read_all: Reader) -> Finding:
    """What a rule finds; "undecided" where its verdict was foregone, see ``power.gated``."""
    read_evidence, judge = RULES[key].forms()[form]
    evidence = read_evidence(read_all, limits)
    if evidence is None:
        return NOT_RUN
    finding = judge(limits, *evidence.tables)
    if finding == NOT_RUN:
        return NOT_RUN
    finding = power.gated(key, judge, limits, evidence, finding)
    return replace(finding, devices=evidence.devices)


def _power(key: str, form: str, limits: Limits, read_all: Reader) -> Power | None:
    read_evidence, judge = RULES[key].forms()[form]
    evidence = read_evidence(read_all, limits)
    return power.characteristics(key, judge, limits, evidence, printed=form == FULL)


def _on_pairs(
    judge: Judge, *, cell: bool = False, released: Read = read_training.delivered_in_small
) -> Rule:
    """A rule on pairs of runs, applied to the paper's recipe and to the smaller ones.

    Args:
        cell: it is about one cell of Table 3, and asks for no other data set.
        released: reader of the smaller runs with the authors' own form.
    """
    full = judge if cell else rules_training.at_paper_scale(judge)
    return Rule(
        read_training.pairs_at_paper_scale, full, read_training.pairs_in_small, judge, released
    )


RULES: Mapping[str, Rule] = {
    "range": Rule(read.layer_rates, rules.in_range),
    "cheap": Rule(read.costs, rules.cheap),
    "table2-untrained": Rule(read.untrained_rates, rules.table_2),
    "table2-trained": Rule(read.trained_rates, rules.table_2),
    "rises": Rule(read.rises, rules.rises, read.rises_in_small, rules.rises_in_small),
    "low-dimensional": Rule(read.directions, rules.low_dimensional),
    "poolformer": Rule(read.directions, rules.poolformer),
    "helps": _on_pairs(rules_training.helps),
    "average-gain": _on_pairs(rules_training.average_gain),
    "up-to-six": _on_pairs(rules_training.up_to_six, cell=True),
    "invariance": Rule(
        read.invariances, rules.invariance, read.invariances_in_small, rules.invariance
    ),
    "boxes": Rule(read.covers, rules.boxes),
    "toward-target": _on_pairs(rules_training.toward, released=read_training.released_in_small),
    "self-similar-gain": Rule(read_networks.rates_and_gains, rules_networks.self_similar_gain),
    "shallow": Rule(
        read_networks.depth,
        rules_networks.shallow,
        read_networks.depth_in_small,
        rules_networks.shallow,
    ),
    "negligible": _on_pairs(rules_networks.negligible),
    "vgg-drop": _on_pairs(rules_networks.slight_drop),
    "poolformer-response": Rule(read_networks.changes_at_paper_scale, rules_networks.unresponsive),
    "table3-rates": Rule(read_networks.rates_at_paper_scale, rules_networks.table_3_rates),
    "table4": Rule(read_networks.sigmas, rules_networks.table_4_or_5),
    "table5": Rule(read_networks.deltas, rules_networks.table_4_or_5),
}


def findings(root: str | os.PathLike[str] = RESULTS) -> dict[str, tuple[Finding, Finding | None]]:
    """What the records say of each claim, by its key: at the paper's settings, and in small (None
    where the claim has no smaller form).

    >>> findings("no-such-folder")["cheap"][0].outcome
    'not run'
    """
    found = findings_of([claim.key for claim in load_claims()], root)
    return {key: (forms[FULL], forms.get(SMALL)) for key, forms in found.items()}


def findings_of(
    keys: Collection[str], root: str | os.PathLike[str] = RESULTS
) -> dict[str, dict[str, Finding]]:
    """What the records say of some claims: of each, a finding per form that it is judged in.

    >>> {form: finding.outcome for form, finding in findings_of(["helps"], "none")["helps"].items()}
    {'verdict': 'not run', 'in small': 'not run', 'released': 'not run'}
    """
    read_all, found = cache(partial(records.read_all, root=root)), {}
    for claim in load_claims():
        if claim.key in keys:
            found[claim.key] = _by_form(claim, read_all)
    return found


def _by_form(claim: Claim, read_all: Reader) -> dict[str, Finding]:
    forms = RULES[claim.key].forms()
    return {form: _judged(claim.key, form, claim.limits, read_all) for form in forms}


def characteristics(root: str | os.PathLike[str] = RESULTS) -> dict[tuple[int, str, str], Power]:
    """How often each rule comes to each verdict if the paper is right, half right, or wrong.

    >>> all(found.printed for found in characteristics("no-such-folder").values())
    True

    Returns:
        By the claim's number, its short name, and the form ("verdict", "in small", "released"); of
        the forms that were run, and at the paper's settings also of its own runs, where it prints
        how they scatter.
    """
    read_all, found = cache(partial(records.read_all, root=root)), {}
    for claim in load_claims():
        for form in RULES[claim.key].forms():
            own = _power(claim.key, form, claim.limits, read_all)
            if own is not None:
                found[claim.number, claim.short, form] = own
    return found


def measured(key: str, root: str | os.PathLike[str] = RESULTS) -> dict[str, str]:
    """What was found of one claim at the paper's settings, in words: "ours", "n" and "hardware".

    >>> measured("invariance", "no-such-folder")["ours"]
    ''

    Args:
        key: of the claim, as in data/paper/claims.yml.
        root: the folder of records; only those that the claim's rule looks at are read.

    Raises:
        ValueError: there is no such claim.
    """
    limits = {claim.key: claim.limits for claim in load_claims()}
    if key not in limits:
        raise ValueError(f"key: {key!r} is no claim; expected one of {', '.join(limits)}")
    read_all = partial(records.read_all, root=root)
    return _words(key, _judged(key, FULL, limits[key], read_all))


def scorecard(root: str | os.PathLike[str] = RESULTS) -> pd.DataFrame:
    """Every claim with its verdict, a row each, indexed by number.

    >>> scorecard("no-such-folder")["verdict"].unique().tolist()
    ['not run']

    Args:
        root: the folder of records. Whatever is missing there is "not run"; nothing fails.

    Returns:
        Columns claim (short), where, paper (what is printed), "in print" (one of `IN_PRINT`), "in
        print: fact" and "in print: why", ours (value ± spread), n, hardware, verdict (one of
        `VERDICTS`), "in small" (a value of `IN_SMALL`, or "–" where the claim has no smaller form),
        "in small: ours", "in small: n", "in small: hardware", the same four under "released" for
        runs in small with the authors' own form of the constraint, known, evidence.
    """
    rows, read_all = [], cache(partial(records.read_all, root=root))
    for claim in load_claims():
        printed = PRINT[claim.key](claim.limits)
        told = PRINTED[claim.key](printed.values)
        judged = _by_form(claim, read_all)
        # looked up where a verdict is not given
        able = {
            form: _power(claim.key, form, claim.limits, read_all)
            for form, finding in judged.items()
            if finding.gated
        }
        row: dict[str, Any] = {"number": claim.number, "claim": claim.short, "where": claim.where}
        row |= {"paper": told.paper or claim.printed, "in print": printed.verdict}
        row |= {"in print: fact": told.fact, "in print: why": told.why}
        row |= _words(claim.key, judged[FULL], able.get(FULL))
        row["verdict"] = verdict(judged[FULL])
        for name in (SMALL, RELEASED):
            finding = judged.get(name, NOT_RUN)
            row[name] = IN_SMALL[finding.outcome] if name in judged else "–"
            words = _words(claim.key, finding, able.get(name))
            row |= {f"{name}: {word}": text for word, text in words.items()}
        rows.append(row | {"known": claim.known, "evidence": claim.evidence})
    return pd.DataFrame(rows).set_index("number")


def verdict(finding: Finding) -> str:
    """What a finding at the paper's settings is called: one of `VERDICTS`.

    >>> verdict(Finding("undecided", {"untrained": True})), verdict(Finding("undecided"))
    ('not testable here', 'undecided')
    """
    untestable = finding.outcome == "undecided" and finding.values.get("untrained") is True
    return "not testable here" if untestable else finding.outcome


def _words(key: str, finding: Finding, found: Power | None = None) -> dict[str, str]:
    """A finding for a reader: the value, how much is behind it, what it ran on."""
    return {
        "ours": say.measured(key, finding) + say_power.gate(finding, found),
        "n": say.counts(finding),
        "hardware": machine.names(finding.devices),
    }


def counts(table: pd.DataFrame) -> dict[str, int]:
    """How many claims of a scorecard have which verdict at the paper's settings, in order."""
    found = table["verdict"].value_counts()
    return {word: int(found[word]) for word in VERDICTS if word in found}


def by_key(table: pd.DataFrame) -> dict[str, pd.Series]:
    """The rows of a ``scorecard`` by the keys of data/paper/claims.yml.

    >>> by_key(scorecard("no-such-folder"))["invariance"]["verdict"]
    'not run'
    """
    return {claim.key: table.loc[claim.number] for claim in load_claims()}
