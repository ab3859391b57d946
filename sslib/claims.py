"""A verdict for every claim of the paper: rules written as data (data/paper/claims.yml), applied to
the records.

Three things are kept apart. The verdict is about runs at the paper's own settings. A result "in
small" (small networks or images, few epochs) goes by the same rule and stands beside it. What the
paper's own tables say comes from `sslib.audit` and needs no record.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import yaml
from scipy import stats as scipy_stats

from sslib import audit, experiments, invariance_grid, measures_grid, models, records
from sslib.constraint_grid import off_target
from sslib.invariance import SET_NAMES, known_points
from sslib.measures import null_features
from sslib.paper import load_table
from sslib.paths import PAPER, RESULTS
from sslib.rate import ss_rate
from sslib.stats import Interval, mean_interval, sign_flip_test, spearman_exact

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


@dataclass(frozen=True)
class Finding:
    """What records say about a claim.

    Attributes:
        outcome: a key of `IN_SMALL`.
        ours: the measured value in words and numbers, with its spread; "" if not run.
        n: how many runs (networks, pairs of runs, layers) are behind it.
        hardware: what they ran on.
    """

    outcome: str = "not run"
    ours: str = ""
    n: str = ""
    hardware: str = ""


NOT_RUN = Finding()


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


# --- what is printed
# --------------------------------------------------------------------------------------


class _Printed(NamedTuple):
    """What the paper's own tables do for a claim: one of `IN_PRINT`, the fact in a few words, and
    why in a sentence.

    paper: the printed value, where it comes from a table and not from the text in claims.yml.
    """

    verdict: str
    fact: str
    why: str
    paper: str = ""


def _print_range() -> _Printed:
    D = 384
    largest = audit.largest_ss_rate_as_printed(D)
    why = f"with the printed factor 2/D no value exceeds log D / D: {largest:.3f} for D = {D}"
    return _Printed("does not hold", "Eq. 3 ends at log D / D", why)


def _print_table_2(state: str) -> _Printed:
    values = load_table(2)[state]
    span = f"{values.min():.2f} to {values.max():.2f}"
    return _Printed("no numbers in print", "", "nothing else in print to hold them against", span)


def _print_rises() -> _Printed:
    change = audit.table_2_changes()["change"]
    falling = " and ".join(change.index[change < 0])
    fact = f"{(change > 0).sum()} of {len(change)} rise"
    return _Printed("holds", fact, f"a majority, but no “universal” rise: {falling} fall")


def _print_helps() -> _Printed:
    table = audit.gains()
    table["decided"] = audit.decided(table)
    marked, cnn = table[table["marked"]], table[table["family"] == "cnn"]
    gains, losses = ((marked["decided"] == word).sum() for word in ("gain", "loss"))
    others = table[~table["marked"] & (table["decided"] == "gain")].index
    odd = "; ".join(f"{model} on {audit.DATASETS[dataset]}" for model, dataset in others)
    why = (
        f"of {len(marked)} comparisons of marked models {gains} are gains and {losses} a loss; of {len(cnn)} of CNNs "
        f"{(cnn['decided'] == 'gain').sum()} are gains; unmarked, but a gain: {odd}"
    )
    return _Printed("holds in part", f"{gains} of {len(marked)}, and others", why)


def _print_average_gain() -> _Printed:
    table = audit.mean_gains().loc[list(audit.MARKED)]
    points, relative = (
        (table[column].min(), table[column].max()) for column in ("points", "relative")
    )
    fact = f"{points[0]:.2f}–{points[1]:.2f} points"
    why = f"Table 3 gives {fact}, or {relative[0]:.2f}–{relative[1]:.2f} % of the baseline"
    return _Printed("does not hold", fact, why)


def _print_up_to_six() -> _Printed:
    gain = audit.gains()["gain"]
    model, dataset = gain.idxmax()
    return _Printed(
        "holds",
        f"{gain.max():.2f} points",
        f"{gain.max():.2f} points at most: {model}, {audit.DATASETS[dataset]}",
    )


def _print_invariance() -> _Printed:
    tests = [audit.invariance_correlation(number) for number in (4, 5)]
    rho, p = (" and ".join(f"{value:.2f}" for value in column) for column in zip(*tests))
    why = f"rank correlation with the gain {rho} (p = {p}); PoolFormer stands among the best in both tables"
    fact = (
        "ρ = "
        + ", ".join(f"{test.estimate:.2f}" for test in tests)
        + f" (p ≥ {min(test.p for test in tests):.2f})"
    )
    return _Printed("does not hold", fact, why)


def _print_toward() -> _Printed:
    table = audit.movement_summary()
    told = {
        reading: f"{row['nearer']:.0f} of {row['cells']:.0f} comparisons come nearer, {row['away']:.0f} go away"
        for reading, row in table.iterrows()
    }
    why = (
        f"with Table 2's trained value for γ {told['table 2']} (by more than rounding); with the released commands' "
        f"{told['released']}; with the baseline's own value none can come nearer"
    )
    best = table.loc["table 2"]
    return _Printed(
        "holds in part", f"{best['nearer']:.0f} of {best['cells']:.0f} come nearer", why
    )


def _nothing_printed(why: str) -> Callable[[], _Printed]:
    return lambda: _Printed("no numbers in print", "", why)


_PRINT: Mapping[str, Callable[[], _Printed]] = {
    "range": _print_range,
    "cheap": _nothing_printed("no time or memory is printed"),
    "table2-untrained": lambda: _print_table_2("untrained"),
    "table2-trained": lambda: _print_table_2("pretrained"),
    "rises": _print_rises,
    "low-dimensional": _nothing_printed("a picture without a measure"),
    "poolformer": _nothing_printed("a picture without a measure"),
    "helps": _print_helps,
    "average-gain": _print_average_gain,
    "up-to-six": _print_up_to_six,
    "invariance": _print_invariance,
    "boxes": _nothing_printed("N_θ is compared with no covering"),
    "toward-target": _print_toward,
}

# --- what records say
# -------------------------------------------------------------------------------------

_TOO_FEW = "too few runs yet"
#: Pairs below which no sign-flip test can reach p < 0.05.
_FEWEST = 6
_Limits = Mapping[str, float]
_Root = str | os.PathLike[str]
_Pair = tuple[Finding, Finding | None]


def _table_2(state: str) -> Callable[[_Limits, _Root], _Pair]:
    def rule(limits: _Limits, root: _Root) -> _Pair:
        runs = experiments.full_scale(records.read_all(experiments.SS_RATE, root))
        table = experiments.table_2(runs)
        verdicts = table[f"{state}: verdict"]
        run = verdicts != "not run"
        if not run.any():
            return NOT_RUN, None
        close = verdicts.isin(["reproduced", "near"]).sum()
        outcome = "not reproduced" if close < limits["most"] else "partly"
        if (verdicts == "reproduced").all():
            outcome = "reproduced"
        off = (table[f"{state}: ours, released"] - table[f"{state}: paper"])[run].abs()
        counts = [
            f"{(verdicts == word).sum()} {word}" for word in ("reproduced", "near", "differs")
        ]
        spread = table.loc[run, f"{state}: std, released"].mean()
        ours = f"{', '.join(counts)}; {off.mean():.3f} ± {spread:.3f} off on average"
        seeds = table.loc[run, f"{state}: seeds"].min()
        return Finding(
            outcome, ours, f"{run.sum()} networks, {_count(int(seeds), 'seed')}", _hardware(runs)
        ), None

    return rule


def _range(limits: _Limits, root: _Root) -> _Pair:
    runs = records.read_all(experiments.SS_RATE, root)
    if runs.empty:
        return NOT_RUN, None
    layers = [layer for run in runs["metrics.layers"] for layer in run.values()]
    values = pd.DataFrame(layers)[["released", "printed"]]
    values = values.dropna()
    held = bool(((values >= 0) & (values <= 1)).all(axis=None))
    ours = f"{values.min(axis=None):.2f} to {values.max(axis=None):.2f} once corrected"
    order = _order(root)
    # As printed, the equations cannot be evaluated at the largest distance: "reproduced" is out of
    # reach.
    outcome = "partly" if held or order.startswith("; ordered") else "not reproduced"
    ours += order
    return Finding(outcome, ours, f"{len(values)} layers", _hardware(runs)), None


def _order(root: _Root) -> str:
    """Whether sets known to be self-similar have smaller SS_rates than Gaussian clouds in the same
    space; "" if not run.

    Each set is held against ten clouds with its number of points, its coordinates and its mean
    distance.
    """
    sets = records.read_all("box-covering", root)
    if sets.empty or "config.points" not in sets:
        return ""
    found = {}
    for run in sets[sets["config.points"].isin(["cantor", "sierpinski"])].to_dict("records"):
        points = torch.from_numpy(
            known_points(run["config.points"], int(run["config.n"]), seed=run["seed"])
        )
        clouds = [
            float(ss_rate(null_features(points, "gaussian", seed=seed))) for seed in range(10)
        ]
        found[SET_NAMES[run["config.points"]]] = float(ss_rate(points)), min(clouds), max(clouds)
    if not found:
        return ""
    held = "; ordered" if all(own < low for own, low, _ in found.values()) else "; not ordered"
    told = (
        f"{name} {own:.2f} (noise {low:.2f}–{high:.2f})"
        for name, (own, low, high) in sorted(found.items())
    )
    return f"{held}: {', '.join(told)}"


def _cheap(limits: _Limits, root: _Root) -> _Pair:
    runs = records.read_all("benchmark-constraint", root)
    if runs.empty:
        return NOT_RUN, None
    runs = runs[(runs["config.model"] == "vit_small_patch16_224") & (runs["config.size"] == 224)]
    if runs.empty:
        return NOT_RUN, None
    plain, ours = (runs[f"metrics.{way}_share"].astype(float) for way in ("plain", "ours"))
    # On several machines the dearest counts.
    if plain.max() <= limits["cheap"]:
        outcome = "reproduced"
    elif plain.max() <= limits["bearable"] or ours.max() <= limits["cheap"]:
        outcome = "partly"
    else:
        outcome = "not reproduced"
    text = (
        f"{_percent(plain)} of a training step if written down plainly, {_percent(ours)} in sslib"
    )
    return Finding(outcome, text, _count(len(runs), "machine"), _hardware(runs)), None


def _percent(share: pd.Series) -> str:
    low, high = (f"{100 * value:.1f}" for value in (share.min(), share.max()))
    return f"{low} %" if low == high else f"{low} to {high} %"


def _rises(limits: _Limits, root: _Root) -> _Pair:
    measured = experiments.full_scale(records.read_all(experiments.SS_RATE, root))
    table = experiments.table_2(measured)
    change = (table["pretrained: ours, released"] - table["untrained: ours, released"]).dropna()
    full = NOT_RUN
    if len(change):
        up, down = (change > 0.03).sum(), (change < -0.03).sum()
        full = Finding(
            _majority(up, down, len(change)),
            f"{up} rise, {down} fall",
            f"{len(change)} networks",
            _hardware(measured),
        )

    runs = _training(root)
    runs = runs[runs["arm"] == "baseline"] if len(runs) else runs
    if runs.empty:
        return full, NOT_RUN
    after, before = (
        runs[column].map(_probe_mean)
        for column in ("metrics.ss_rate_probe", "metrics.ss_rate_probe_before")
    )
    runs = runs.assign(change=after - before).dropna(subset=["change"])
    intervals = {
        model: mean_interval(part["change"])
        for model, part in runs.groupby("model")
        if len(part) >= 3
    }
    if not intervals:
        return full, Finding("undecided", _TOO_FEW, _count_runs(runs), _hardware(runs))
    up, down = (
        sum(i.low > 0 for i in intervals.values()),
        sum(i.high < 0 for i in intervals.values()),
    )
    mean = np.mean([i.mean for i in intervals.values()])
    ours = f"{up} of {len(intervals)} models rise, {down} fall, {len(intervals) - up - down} undecided; {mean:+.2f} on average"
    return full, Finding(
        _majority(up, down, len(intervals)), ours, _count_runs(runs), _hardware(runs)
    )


def _majority(up: int, down: int, n: int) -> str:
    if up > n / 2 and down < up:
        return "reproduced"
    if up and up == down:
        return "partly"
    return "not reproduced" if up + down >= n / 2 else "undecided"


def _probe_mean(by_size: Any) -> float:
    """Mean SS_rate over the modules on the probe's 512 images; NaN where a record has none."""
    values = (
        list(by_size["512"].values())
        if isinstance(by_size, dict) and by_size.get("512")
        else [math.nan]
    )
    return float(np.mean(values))


#: Timm names of Fig. 2's two groups; PoolFormer, which changes sides, is a claim of its own.
_LOW = ("vit_small_patch16_224", "resmlp_12_224", "mixer_b16_224")
_EVEN = ("resnet34", "vgg11", "pvt_v2_b1")


def _directions(root: _Root) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Participation ratio of the first module by state and timm name, mean over draws, then over
    seeds; and the records.
    """
    runs = experiments.full_scale(records.read_all(experiments.SS_RATE, root))
    if runs.empty:
        return pd.DataFrame({"untrained": [], "trained": []}), runs
    first = [models.find(name).modules[0] for name in runs["config.model"]]
    ratio = [
        layers[module]["participation_ratio"]
        for layers, module in zip(runs["metrics.layers"], first)
    ]
    state = np.where(runs["config.weights"] == "untrained", "untrained", "trained")
    by_seed = (
        runs.assign(ratio=ratio, state=state)
        .groupby(["config.model", "state", "seed"], as_index=False)["ratio"]
        .mean()
    )
    table = by_seed.pivot_table(index="config.model", columns="state", values="ratio")
    return table.reindex(columns=["untrained", "trained"]), runs


def _low_dimensional(limits: _Limits, root: _Root) -> _Pair:
    table, runs = _directions(root)
    kept, ordered, told = [], [], []
    for state in table:
        low, even = (table[state].reindex(group).dropna() for group in (_LOW, _EVEN))
        if len(low) < len(_LOW) or len(even) < len(_EVEN):
            continue
        kept.append(low.max() < even.min())
        ordered.append(low.median() < even.median())
        told.append(
            f"{state}: {low.min():.1f}–{low.max():.1f} directions against {even.min():.1f}–{even.max():.1f}"
        )
    if not told:
        return NOT_RUN, None
    if sum(kept) == 2:
        outcome = "reproduced"
    else:
        outcome = "partly" if any(kept) or all(ordered) else "not reproduced"
    if len(told) == 1:
        told.append("trained: not run" if told[0].startswith("untrained") else "untrained: not run")
    return Finding(
        outcome, "; ".join(told), f"{len(_LOW) + len(_EVEN)} networks", _hardware(runs)
    ), None


def _poolformer(limits: _Limits, root: _Root) -> _Pair:
    table, runs = _directions(root)
    if "poolformer_s12" not in table.index or table.loc["poolformer_s12"].isna().any():
        return NOT_RUN, None
    before, after = table.loc["poolformer_s12", ["untrained", "trained"]]
    cnn, low = table["untrained"].reindex(["resnet34", "vgg11"]), table["trained"].reindex(_LOW)
    if cnn.notna().all() and low.notna().all() and before < cnn.min() and after > low.max():
        outcome = "reproduced"
    else:
        outcome = "partly" if after >= limits["factor"] * before else "not reproduced"
    return Finding(
        outcome,
        f"{before:.1f} directions untrained, {after:.1f} trained",
        "1 network",
        _hardware(runs),
    ), None


def _training(root: _Root) -> pd.DataFrame:
    """The training records that may count: a row each, with model (as in Table 1), family, recipe,
    dataset and arm.
    """
    runs = records.read_all("constraint", root)
    if runs.empty:
        return runs
    found = [models.find(name) for name in runs["config.model"]]
    runs = runs.assign(model=[a.name for a in found], family=[a.family for a in found])
    runs = runs.assign(**{key: runs[f"config.{key}"] for key in ("recipe", "dataset", "arm")})
    return runs[runs["recipe"] != "quick"]


_CELL = ["recipe", "dataset", "model", "family", "seed"]


def training_pairs(root: str | os.PathLike[str] = RESULTS) -> pd.DataFrame:
    """Constrained minus baseline, seed by seed: what the rules on training look at.

    Returns a row per recipe, data set, model and seed that has both arms: gain (top-1 of the last
    epoch, points) and nearer (by how much the modules end nearer to gamma: mean abs(SS_rate -
    gamma) of the baseline's minus that of the constrained run's, training mode); the record's
    device. No rows if there are no records.

    >>> len(training_pairs("no-such-folder"))
    0
    """
    runs, device = _training(root), ["device.type", "device.name"]
    if runs.empty:
        return pd.DataFrame(columns=[*_CELL, "gain", "nearer", *device])
    runs = runs.rename(
        columns={f"metrics.{c}": c for c in ("top1_last", "ss_rate_train_modules", "gamma")}
    )
    runs = runs.reindex(
        columns=[*_CELL, "arm", "top1_last", "ss_rate_train_modules", "gamma", *device]
    )
    baseline = runs[runs["arm"] == "baseline"].drop(columns=["arm", "gamma", *device])
    pairs = runs[runs["arm"] == "constrained"].merge(baseline, on=_CELL, suffixes=("", "_baseline"))
    pairs["gain"] = (pairs["top1_last"] - pairs["top1_last_baseline"]).astype(float)
    without, with_it = (
        [
            off_target(modules, gamma)
            if isinstance(modules, dict) and gamma is not None
            else math.nan
            for modules, gamma in zip(pairs[column], pairs["gamma"])
        ]
        for column in ("ss_rate_train_modules_baseline", "ss_rate_train_modules")
    )
    pairs["nearer"] = np.subtract(without, with_it)
    return pairs[[*_CELL, "gain", "nearer", *device]]


def _on_pairs(
    judge: Callable[[_Limits, pd.DataFrame], tuple[str, str]],
) -> Callable[[_Limits, _Root], _Pair]:
    """A rule on `training_pairs`, applied to the paper's recipe and to the smaller ones."""

    def rule(limits: _Limits, root: _Root) -> _Pair:
        pairs = training_pairs(root)
        found = []
        for part in (pairs[pairs["recipe"] == "paper"], pairs[pairs["recipe"] != "paper"]):
            if part.empty:
                found.append(NOT_RUN)
                continue
            outcome, ours = judge(limits, part)
            if (
                outcome == "reproduced"
                and len(found) == 0
                and part["dataset"].nunique() < len(audit.DATASETS)
            ):
                outcome = "partly"  # at the paper's scale, all of its data sets are asked for
            found.append(Finding(outcome, ours, _count_pairs(part), _hardware(part)))
        return found[0], found[1]

    return rule


def _judge_helps(limits: _Limits, pairs: pd.DataFrame) -> tuple[str, str]:
    groups = [pairs[pairs["model"].isin(audit.MARKED)], pairs[pairs["family"] == "cnn"]]
    told = [
        f"{' and '.join(part['model'].unique())} {_points(part['gain'])}"
        for part in groups
        if len(part)
    ]
    marked, cnn = (part["gain"] for part in groups)
    if len(marked) < _FEWEST:
        return "undecided", "; ".join([_TOO_FEW, *told])
    interval = mean_interval(marked)
    gains = sign_flip_test(marked).p < 0.05 and interval.mean > 0
    cnn_gains = len(cnn) > 0 and sign_flip_test(cnn).p < 0.05 and cnn.mean() > 0
    if interval.high < limits["least"]:
        outcome = "partly" if gains else "not reproduced"
    elif not gains:
        outcome = "undecided"
    elif cnn_gains:
        outcome = "partly"
    else:
        outcome = "reproduced" if len(cnn) >= _FEWEST else "undecided"
    return outcome, "; ".join(told)


def _judge_average_gain(limits: _Limits, pairs: pd.DataFrame) -> tuple[str, str]:
    intervals = _intervals(pairs[pairs["model"].isin(audit.MARKED)], ["model"], "gain")
    told = "; ".join(f"{model} {_of(interval)}" for model, interval in intervals.items())
    if not intervals:
        return "undecided", _TOO_FEW
    good = [
        i.low > 0 and i.low <= limits["high"] and i.high >= limits["low"]
        for i in intervals.values()
    ]
    if all(good):
        return "reproduced", told
    if any(good):
        return "partly", told
    return (
        "not reproduced" if all(i.high < limits["low"] for i in intervals.values()) else "undecided"
    ), told


def _judge_up_to_six(limits: _Limits, pairs: pd.DataFrame) -> tuple[str, str]:
    intervals = _intervals(
        pairs[pairs["family"].isin(["mlp", "attention"])], ["model", "dataset", "recipe"], "gain"
    )
    if not intervals:
        return "undecided", _TOO_FEW
    (model, dataset, _), largest = max(intervals.items(), key=lambda item: item[1].mean)
    told = f"at most {_of(largest)}: {model}, {audit.DATASETS.get(dataset, dataset)}"
    if any(i.low > 0 and i.high >= limits["most"] for i in intervals.values()):
        return "reproduced", told
    return (
        "undecided"
        if any(i.high >= limits["most"] for i in intervals.values())
        else "not reproduced"
    ), told


def _judge_toward(limits: _Limits, pairs: pd.DataFrame) -> tuple[str, str]:
    intervals = _intervals(pairs, ["model", "dataset", "recipe"], "nearer")
    if not intervals:
        return "undecided", _TOO_FEW
    toward, away = (
        sum(i.low > 0 for i in intervals.values()),
        sum(i.high < 0 for i in intervals.values()),
    )
    mean = np.mean([i.mean for i in intervals.values()])
    told = (
        f"{toward} of {len(intervals)} networks come nearer, {away} go away; {mean:+.3f} on average"
    )
    if toward >= limits["share"] * len(intervals):
        return "reproduced", told
    if toward > away:
        return "partly", told
    far = all(i.high < limits["least"] for i in intervals.values())
    return ("not reproduced" if toward == 0 and far else "undecided"), told


def _invariance(limits: _Limits, root: _Root) -> _Pair:
    runs = records.read_all("invariance", root)
    if runs.empty:
        return NOT_RUN, NOT_RUN
    # full-size networks have a size, those of a training recipe have an arm
    runs = runs.reindex(
        columns=[*runs.columns.union(["config.size", "config.arm", "config.recipe"], sort=False)]
    )
    runs = runs.assign(
        model=[models.find(name).name for name in runs["config.model"]],
        sigma=runs["metrics.sigma"].map(lambda ways: ways.get("released", math.nan)).astype(float),
        delta=runs["metrics.delta"].map(lambda ways: ways.get("released", math.nan)).astype(float),
    )
    printed = audit.mean_gains()["points"]
    large = invariance_grid.full_scale(runs)
    large = large[large["config.images"].isin(list(audit.DATASETS))]
    pretrained = large[large["config.weights"].str.startswith("pretrained")]
    untrained = large[large["config.weights"] == "untrained"]
    trained = pretrained["model"].nunique() >= limits["models"]
    full = _correlated(limits, pretrained if trained else untrained, printed)
    if full.ours and not trained:
        full = replace(full, ours=f"untrained: {full.ours}")

    pairs = training_pairs(root)
    own = runs[
        (runs["config.weights"] == "trained")
        & (runs["config.arm"] == "baseline")
        & (runs["config.recipe"] != "quick")
    ]
    return full, _correlated(limits, own, pairs.groupby("model")["gain"].mean())


def _correlated(limits: _Limits, runs: pd.DataFrame, gain: pd.Series) -> Finding:
    runs = runs[runs["model"].isin(gain.index)]
    if runs.empty:
        return NOT_RUN
    table = (
        runs.groupby(["model", "config.images"])[["sigma", "delta"]]
        .mean()
        .groupby("model")
        .mean()
        .dropna()
    )
    n = f"{len(table)} networks, {_count(runs['seed'].nunique(), 'seed')}"
    if len(table) < limits["models"]:
        return Finding("undecided", "too few networks yet", n, _hardware(runs))
    tests = {
        symbol: spearman_exact(table[column], gain[table.index])
        for symbol, column in (("σ", "sigma"), ("Δ", "delta"))
    }
    told = ", ".join(
        f"ρ({symbol}, gain) {test.estimate:+.2f} (p = {test.p:.2f})"
        for symbol, test in tests.items()
    )
    sure = [test.p < 0.05 for test in tests.values()]
    negative = [test.estimate < 0 for test in tests.values()]
    if all(negative) and any(sure):
        return Finding("reproduced" if all(sure) else "partly", told, n, _hardware(runs))
    return Finding("not reproduced", told, n, _hardware(runs))


def _boxes(limits: _Limits, root: _Root) -> _Pair:
    runs = records.read_all("box-covering", root)
    if runs.empty:
        return NOT_RUN, None
    table = measures_grid.cover_table(runs)
    table = table[table["of"] == "network"]
    if table.empty:
        return NOT_RUN, None
    covering = (table["rate: lower"] + table["rate: upper"]) / 2
    best, told = 0, []
    for formula in ("printed", "released"):
        off = table[f"{formula}: worst"].median()
        rank = float(scipy_stats.spearmanr(table[f"rate: {formula}"], covering).statistic)
        best = max(best, int(off <= limits["factor"]) + int(rank >= limits["rank"]))
        told.append(f"{formula} {off:.1f}× off, ranks {rank:+.2f}")
    outcome = ("not reproduced", "partly", "reproduced")[best]
    n = f"{len(table)} layers, {table['model'].nunique()} networks"
    return Finding(outcome, "; ".join(told), n, _hardware(runs)), None


def _intervals(pairs: pd.DataFrame, by: list[str], column: str) -> dict[Any, Interval]:
    """Mean and interval of each group of at least three pairs."""
    groups = pairs.dropna(subset=[column]).groupby(by if len(by) > 1 else by[0], sort=False)[column]
    return {key: mean_interval(part) for key, part in groups if len(part) >= 3}


def _points(gain: pd.Series) -> str:
    return f"{gain.mean():+.2f} points, one pair" if len(gain) == 1 else _of(mean_interval(gain))


def _of(interval: Interval) -> str:
    """Mean and half the width of the 95 % interval."""
    return f"{interval.mean:+.2f} ± {(interval.high - interval.low) / 2:.2f} points"


def _count_runs(runs: pd.DataFrame) -> str:
    return f"{_count(len(runs), 'run')}, {_count(runs['model'].nunique(), 'model')}"


def _count_pairs(pairs: pd.DataFrame) -> str:
    recipes = " and ".join(sorted(pairs["recipe"].unique()))
    return f"{_count(len(pairs), 'pair')}, {recipes}"


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _hardware(runs: pd.DataFrame) -> str:
    """What the runs ran on, by name, without the makers' decoration."""
    if "device.name" not in runs or runs.empty:
        return ""
    return machines(runs[["device.type", "device.name"]].itertuples(index=False))


def machines(devices: Iterable[tuple[str, str]]) -> str:
    """Types and names of devices, as records have them, for a reader: each once, without the
    makers' decoration.

    >>> machines([("cpu", "Intel(R) Xeon(R) Processor"), ("cuda", "NVIDIA H100")])
    'CPU (Intel Xeon); NVIDIA H100'
    """
    found = set()
    for kind, name in devices:
        for decoration in ("(R)", "(TM)", "Processor", "CPU"):
            name = name.replace(decoration, "")
        plain = " ".join(name.split())
        found.add(plain if kind == "cuda" else f"CPU ({plain})")
    return "; ".join(sorted(found))


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
