"""What a rule can tell with the runs that there are: its verdicts when the truth is known, and a
gate for those that it would also give if the contrary were true.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from reproduction.paths import CHECKOUT, ROOT
from reproduction.verdicts import finding as finding_module
from reproduction.verdicts import rules, rules_networks, rules_training, simulate
from reproduction.verdicts.finding import Evidence, Finding, Limits
from reproduction.verdicts.simulate import DRAWS, TRUTHS, Draw

#: Draws per truth, and for the number of runs that would decide.
N, N_MORE = 120, 40

#: A verdict is not given if its rule gives it more often than this where the contrary is true.
ERROR = 0.05

#: How often a number of runs has to come to the right verdict to be called enough.
ENOUGH = 0.8

#: How many times the runs that there are it is looked for.
TIMES = (1, 2, 4, 8, 16)

Judge = Callable[..., Finding]


class Power(NamedTuple):
    """The operating characteristics of a rule, at the number and scatter of the measured runs.

    Attributes:
        frequencies: by truth ("paper", "half", "none"; those that can be drawn), how often each
            outcome comes.
        none: what "none" means.
        n: how many runs, and of what.
        enough: how many of them would decide, None if more than `most`, which is 0 where no more
            can be had or nothing printed says how large the effect is.
    """

    frequencies: Mapping[str, Mapping[str, float]]
    none: str
    n: tuple[int, str]
    enough: int | None
    most: int

    def of(self, truth: str, outcome: str) -> float:
        return self.frequencies.get(truth, {}).get(outcome, 0.0)


def characteristics(
    key: str, judge: Judge, limits: Limits, evidence: Evidence | None
) -> Power | None:
    """How often a rule gives each verdict when the paper is right, half right, or wrong.

    Args:
        key: of the claim, as in data/paper/claims.yml.
        judge, limits, evidence: its rule, and what it was applied to.

    Returns:
        None where nothing was run, or where there is nothing to draw (``simulate.NOT_DRAWN``).
    """
    if evidence is None or key not in DRAWS:
        return None
    found = judge(limits, *evidence.tables)
    if not found.n:  # not run
        return None
    draw, name = DRAWS[key], _hash(key, judge, limits, evidence)

    def outcomes(truth: str) -> dict[str, float]:
        return _outcomes(draw, judge, limits, evidence, TRUTHS[truth])

    frequencies = {
        truth: shares for truth in TRUTHS if (shares := _kept(name, truth, outcomes, truth))
    }
    n = int(str(found.n.get(draw.unit, 0)))
    times = None
    if draw.more and len(frequencies) == len(TRUTHS):
        times = _kept(name, "times", _enough, draw, judge, limits, evidence)["times"]
    enough = n * int(times) if times else None
    most = n * TIMES[-1] if times is not None else 0
    return Power(frequencies, draw.none, (n, draw.unit), enough, most)


def gated(key: str, judge: Judge, limits: Limits, evidence: Evidence, finding: Finding) -> Finding:
    """The finding, or "undecided" where its rule would also give it if the contrary were true.

    "Not reproduced" is not given if it comes in more than 5 % of the draws of the paper's own
    values, nor "reproduced" if it comes in more than 5 % of those of nothing.
    """
    truth = {"not reproduced": "paper", "reproduced": "none"}.get(finding.outcome)
    if truth is None or key not in DRAWS:
        return finding

    def outcomes() -> dict[str, float]:
        return _outcomes(DRAWS[key], judge, limits, evidence, TRUTHS[truth])

    found = _kept(_hash(key, judge, limits, evidence), truth, outcomes)
    if found.get(finding.outcome, 0) <= ERROR:
        return finding
    return replace(finding, outcome="undecided", gated=finding.outcome)


def _enough(draw: Draw, judge: Judge, limits: Limits, evidence: Evidence) -> dict[str, float]:
    """How many times the runs would come to the right verdict if the paper is right, and if it is
    wrong; 0 if more than the last of `TIMES`.
    """

    def rare(share: float, times: int, wrong: Collection[str], most: float) -> bool:
        """Whether some outcomes come in at most that share of the draws."""
        left = int(most * N_MORE)
        for outcome in _drawn(draw, judge, limits, evidence, share, times, N_MORE):
            left -= outcome in wrong
            if left < 0:
                return False
        return True

    for times in TIMES:
        if (
            rare(1.0, times, ("undecided", "not reproduced"), 1 - ENOUGH)
            and rare(1.0, times, ("not reproduced",), ERROR)
            and rare(0.0, times, ("reproduced",), ERROR)
        ):
            return {"times": times}
    return {"times": 0}


def _outcomes(
    draw: Draw, judge: Judge, limits: Limits, evidence: Evidence, share: float
) -> dict[str, float]:
    """How often each outcome comes; empty where they cannot be drawn."""
    try:
        counts = Counter(_drawn(draw, judge, limits, evidence, share, 1, N))
    except ValueError:
        return {}
    return {outcome: count / N for outcome, count in counts.items()}


def _drawn(
    draw: Draw, judge: Judge, limits: Limits, evidence: Evidence, share: float, times: int, n: int
) -> Iterator[str]:
    """What the rule says of n draws, one after another."""
    random = np.random.default_rng([int(100 * share), times])
    for _ in range(n):
        yield judge(limits, *draw.draw(limits, evidence.tables, share, times, random)).outcome


# --- kept between processes ---


def _hash(key: str, judge: Judge, limits: Limits, evidence: Evidence) -> str:
    """Of all that decides: limits, tables, and the code of rules and draws."""
    text = json.dumps([key, getattr(judge, "__qualname__", ""), dict(limits), _code(), N, N_MORE])
    whole = hashlib.sha256(text.encode())
    for table in evidence.tables:
        plain = table.map(str) if len(table) else table
        whole.update(plain.to_csv().encode())
    return whole.hexdigest()[:24]


@lru_cache(maxsize=1)
def _code() -> str:
    modules = (rules, rules_training, rules_networks, simulate, finding_module)
    paths = [Path(str(module.__file__)) for module in modules]
    paths += [Path(__file__), *sorted(Path(__file__).parents[1].glob("stats*.py"))]
    paths += sorted((Path(__file__).parents[1] / "paper").glob("*.py"))
    paths += sorted((ROOT / "data" / "paper").glob("table*.csv"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


_memory: dict[str, dict[str, float]] = {}


def _kept(
    name: str, part: str, measure: Callable[..., dict[str, float]], *arguments: Any
) -> dict[str, float]:
    """What was measured under a name before, in this process or in another one on this checkout;
    else it is measured.
    """
    name = f"{name}-{part}"
    path = ROOT / "_build" / "power" / f"{name}.json"
    if name not in _memory:
        try:
            _memory[name] = {**json.loads(path.read_text("utf-8"))}
        except (OSError, ValueError, TypeError):  # not there, or damaged
            _memory[name] = measure(*arguments)
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


def table(found: Mapping[tuple[int, str, str], Power]) -> pd.DataFrame:
    """The characteristics as the book shows them: a row per claim and form, a column per truth.

    Args:
        found: by the claim's number, its short name, and the form of the runs.
    """
    rows = []
    for (number, claim, form), power in found.items():
        count, unit = power.n
        row = {"claim": f"{number}. {claim}", "runs": form, "n": f"{count} {unit}s"}
        for truth in TRUTHS:
            own = power.frequencies.get(truth, {})
            told = [f"{outcome} {own[outcome]:.0%}" for outcome in _ORDER if own.get(outcome)]
            row[truth] = ", ".join(told) or "–"
        enough = f"{power.enough}" if power.enough else f"more than {power.most}"
        row["would decide"] = enough if power.most else "–"
        rows.append(row)
    return pd.DataFrame(rows, columns=["claim", "runs", "n", *TRUTHS, "would decide"])


_ORDER = ("reproduced", "partly", "undecided", "not reproduced")
