"""What a rule can tell with the runs that there are: its verdicts when the truth is known, and a
gate for verdicts of rules that would often be wrong.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from reproduction.paths import CHECKOUT, ROOT
from reproduction.verdicts import simulate, simulate_networks
from reproduction.verdicts.finding import Evidence, Finding, Limits
from reproduction.verdicts.simulate import TRUTHS, Draw

#: How the tables of every claim are drawn, by the keys of data/paper/claims.yml.
DRAWS: Mapping[str, Draw] = {**simulate_networks.DRAWS, **simulate.DRAWS}

#: Draws per truth: more only while it is open whether the rule is wrong in more than 5 % of them.
#: None wrong of the first 60 is enough, as more than 5 % would seldom show none (p < 0.05).
LOOKS = (60, 120, 240, 400)

#: Draws per number of runs, in the search for one that would decide.
N_MORE = 60

#: A rule may be wrong in this share of the draws.
ERROR = 0.05

#: How often a number of runs has to come to the right verdict to be called enough.
ENOUGH = 0.8

#: How many times the runs that there are it is looked for.
TIMES = (2, 3, 4, 6, 8, 12, 16)

#: The verdicts that are wrong if the paper is right, and if nothing of it holds.
WRONG: Mapping[str, tuple[str, ...]] = {"paper": ("not reproduced",), "none": ("reproduced",)}

#: Verdicts that are wrong besides, of a rule that has given them.
MORE_WRONG: Mapping[str, tuple[str, ...]] = {"partly": ("none",), "signs differ": ("paper", "none")}

GIVEN = ("reproduced", "partly", "signs differ", "not reproduced")

Judge = Callable[..., Finding]


class Shares(NamedTuple):
    """How often each outcome comes, and in how many draws."""

    of: Mapping[str, float]
    draws: int

    def sum(self, outcomes: Collection[str]) -> float:
        return sum(self.of.get(outcome, 0.0) for outcome in outcomes)

    def often(self, outcomes: Collection[str]) -> bool:
        """Whether some outcomes come in more than 5 %, by more than draws scatter (two standard
        errors).
        """
        return self.sum(outcomes) > ERROR + _scatter(self.draws)

    def clear(self, outcomes: Collection[str]) -> bool:
        """Whether more draws are not needed to say that."""
        share = self.sum(outcomes)
        return not share or abs(share - ERROR) > _scatter(self.draws)


def _scatter(draws: int) -> float:
    return 2 * math.sqrt(ERROR * (1 - ERROR) / draws)


class Power(NamedTuple):
    """The operating characteristics of a rule, at the number and scatter of the measured runs.

    Attributes:
        shares: of each outcome, by truth ("paper", "half", "none").
        paper, none: what these mean, in words.
        n: how many runs, and of what.
        enough: how many of them would decide, None if more than `most`, which is 0 where no more
            can be had.
        printed: whether the runs are the paper's own, with the scatter that it prints.
    """

    shares: Mapping[str, Shares]
    paper: str
    none: str
    n: tuple[int, str]
    enough: int | None
    most: int
    printed: bool = False


def characteristics(
    key: str, judge: Judge, limits: Limits, evidence: Evidence | None, *, printed: bool = False
) -> Power | None:
    """How often a rule gives each verdict when the paper is right, half right, or wrong.

    Args:
        key: of the claim, as in data/paper/claims.yml.
        judge, limits, evidence: its rule, and what it was applied to.
        printed: where nothing was run, take the paper's own runs, if it prints how they scatter.

    Returns:
        None where there is nothing whose scatter is known.
    """
    draw, design = DRAWS[key], DRAWS[key].design
    of_print = evidence is None and printed and design is not None
    if of_print and design is not None:
        evidence = Evidence(design())
    if evidence is None or not (counts := judge(limits, *evidence.tables).n):  # not run
        return None
    rule = _Applied(key, draw, judge, limits, evidence)
    shares = {truth: rule.shares(truth) for truth in TRUTHS}
    n = int(str(counts.get(draw.unit, 0)))
    times = rule.enough(shares) if draw.more else 0
    most = n * TIMES[-1] if draw.more else 0
    enough = n * times if times else None
    return Power(shares, draw.paper, draw.none, (n, draw.unit), enough, most, of_print)


def gated(key: str, judge: Judge, limits: Limits, evidence: Evidence, finding: Finding) -> Finding:
    """The finding, or "undecided" where its rule would too often be wrong; see `faults`."""
    if finding.outcome not in GIVEN:
        return finding
    rule = _Applied(key, DRAWS[key], judge, limits, evidence)
    if not faults({truth: rule.shares(truth) for truth in WRONG}, finding.outcome):
        return finding
    return replace(finding, outcome="undecided", gated=finding.outcome)


def faults(shares: Mapping[str, Shares], outcome: str) -> dict[str, float]:
    """How often a rule is wrong, by truth, where that is more than 5 %.

    It is wrong if it says "not reproduced" of the paper's own values, or "reproduced" where nothing
    holds; of a rule that has said "partly", "partly" counts as "reproduced" does, and of one that
    has said "signs differ", that is wrong on both sides.
    """
    wrong = {truth: [*outcomes] for truth, outcomes in WRONG.items()}
    for truth in MORE_WRONG.get(outcome, ()):
        wrong[truth].append(outcome)
    found = ((truth, outcomes) for truth, outcomes in wrong.items())
    return {t: shares[t].sum(words) for t, words in found if shares[t].often(words)}


@dataclass(frozen=True)
class _Applied:
    """A rule and what it was applied to."""

    key: str
    draw: Draw
    judge: Judge
    limits: Limits
    evidence: Evidence

    def shares(self, truth: str) -> Shares:
        kept = _kept(f"{self.name}-{truth}", lambda: self._shares(truth))
        of = {outcome: share for outcome, share in kept.items() if outcome != "draws"}
        return Shares(of, int(kept["draws"]))

    def _shares(self, truth: str) -> dict[str, float]:
        drawn, counts = self.outcomes(TRUTHS[truth], 1), Counter[str]()
        own, wrong = WRONG.get(truth, ()), []
        if own:
            more = (word for word, truths in MORE_WRONG.items() if truth in truths)
            wrong = [own, *((*own, word) for word in more)]
        for look in LOOKS:
            counts.update(islice(drawn, look - counts.total()))
            found = Shares({outcome: n / look for outcome, n in counts.items()}, look)
            if all(found.clear(outcomes) for outcomes in wrong):
                break
        return {"draws": found.draws, **found.of}

    def outcomes(self, share: float, times: int) -> Iterator[str]:
        """What the rule says of draws, one after another."""
        random = np.random.default_rng([int(100 * share), times])
        sample = self.draw.prepare(self.limits, self.evidence.tables, times)
        while True:
            yield self.judge(self.limits, *sample(share, random)).outcome

    def enough(self, shares: Mapping[str, Shares]) -> int:
        """How many times the runs would find what the paper says, if it is right, and seldom be
        wrong; 0 if more than the last of `TIMES`.
        """
        right = shares["paper"].sum(("reproduced", "partly")) >= ENOUGH
        if right and not any(shares[truth].often(words) for truth, words in WRONG.items()):
            return 1
        return int(_kept(f"{self.name}-times", self._enough)["times"])

    def _enough(self) -> dict[str, float]:
        return {"times": next((times for times in TIMES if self.decides(times)), 0)}

    def decides(self, times: int) -> bool:
        """Whether so many times the runs are enough."""
        allowed = N_MORE * (ERROR + _scatter(N_MORE))
        open_, wrong = N_MORE * (1 - ENOUGH), allowed
        for outcome in islice(self.outcomes(1.0, times), N_MORE):
            open_ -= outcome not in ("reproduced", "partly")
            wrong -= outcome in WRONG["paper"]
            if min(open_, wrong) < 0:
                return False
        wrong = allowed
        for outcome in islice(self.outcomes(0.0, times), N_MORE):
            wrong -= outcome in WRONG["none"]
            if wrong < 0:
                return False
        return True

    @cached_property
    def name(self) -> str:
        """A hash of all that decides: limits, tables, and the code of rules and draws."""
        judge, settings = getattr(self.judge, "__qualname__", ""), [*LOOKS, N_MORE, *TIMES]
        text = json.dumps([self.key, judge, dict(self.limits), _code(), *settings, ERROR, ENOUGH])
        whole = hashlib.sha256(text.encode())
        for table in self.evidence.tables:
            whole.update((table.map(str) if len(table) else table).to_csv().encode())
        return whole.hexdigest()[:24]


# --- kept between processes ---


@lru_cache(maxsize=1)
def _code() -> str:
    room = Path(__file__).parent
    paths = [*room.glob("rules*.py"), *room.glob("simulate*.py"), room / "intervals.py"]
    paths += [Path(__file__), *room.parent.glob("stats*.py"), *room.parent.glob("paper/*.py")]
    paths += (ROOT / "data" / "paper").glob("table*.csv")
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()


_memory: dict[str, dict[str, float]] = {}


def _kept(name: str, measure: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What was measured under a name before, in this process or in another one on this checkout;
    else it is measured.
    """
    path = ROOT / "_build" / "power" / f"{name}.json"
    if name not in _memory:
        try:
            _memory[name] = {**json.loads(path.read_text("utf-8"))}
        except (OSError, ValueError, TypeError):  # not there, or damaged
            _memory[name] = measure()
            if CHECKOUT:
                _keep(path, _memory[name])
    return _memory[name]


def _keep(path: Path, measured: Mapping[str, float]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_text(json.dumps(measured), "utf-8")
        part.replace(path)
    except OSError:
        return  # it saves time, no more
