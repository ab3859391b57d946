"""What the paper's own tables do for each claim: outcomes and numbers, no record needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reproduction.paper import audit
from reproduction.paper.tables import load_table
from reproduction.verdicts.finding import Limits

HOLDS, IN_PART, FAILS, NO_NUMBERS = (
    "holds",
    "holds in part",
    "does not hold",
    "no numbers in print",
)

#: What a claim's own tables can do for it.
IN_PRINT = (HOLDS, IN_PART, FAILS, NO_NUMBERS)


@dataclass(frozen=True)
class Print:
    """What the printed tables come to: one of `IN_PRINT`, and the numbers for a sentence."""

    verdict: str = NO_NUMBERS
    values: Mapping[str, Any] = field(default_factory=dict)


def in_range(limits: Limits) -> Print:
    """The range that Eq. 3 reaches with its printed factor."""
    D = 384
    largest = audit.largest_ss_rate_as_printed(D)
    return Print(HOLDS if largest >= 1 else FAILS, {"largest": largest, "D": D})


def untrained_rates(limits: Limits) -> Print:
    """Table 2's first column, which nothing else in print can be held against."""
    return _rates("untrained")


def trained_rates(limits: Limits) -> Print:
    """Table 2's second column, which nothing else in print can be held against."""
    return _rates("pretrained")


def _rates(state: str) -> Print:
    printed = load_table(2)[state]
    return Print(values={"low": printed.min(), "high": printed.max()})


def rises(limits: Limits) -> Print:
    """In how many models of Table 2 SS_rate rises."""
    change = audit.table_2_changes()["change"]
    rising = int((change > 0).sum())
    values = {"rising": rising, "of": len(change), "falling": tuple(change.index[change < 0])}
    return Print(HOLDS if rising > len(change) / 2 else FAILS, values)


def helps(limits: Limits) -> Print:
    """Which comparisons of Table 3 are gains."""
    table = audit.comparisons()
    up, down = (table["decided"] == word for word in ("gain", "loss"))
    marked, cnn = table["marked"], table["family"] == "cnn"
    values = {
        "marked": int(marked.sum()),
        "gains": int((marked & up).sum()),
        "losses": int((marked & down).sum()),
        "cnn": int(cnn.sum()),
        "cnn gains": int((cnn & up).sum()),
        "others": tuple(table[~marked & up].index),
    }
    if values["gains"] == values["marked"] and not values["others"]:
        return Print(HOLDS, values)
    return Print(IN_PART if values["gains"] > values["marked"] / 2 else FAILS, values)


def average_gain(limits: Limits) -> Print:
    """The mean gains of the marked models, in points and in per cent of the baseline."""
    comparisons = audit.comparisons()
    means = comparisons[comparisons["marked"]].groupby("model")[["gain", "relative"]].mean()
    spans = {name: (means[name].min(), means[name].max()) for name in means}
    printed = (limits["low"], limits["high"])
    held = any((round(low, 1), round(high, 1)) == printed for low, high in spans.values())
    return Print(HOLDS if held else FAILS, {"points": spans["gain"], "relative": spans["relative"]})


def up_to_six(limits: Limits) -> Print:
    """The largest gain of Table 3, and whose it is."""
    gain = audit.gains()["gain"]
    (model, dataset), largest = gain.idxmax(), gain.max()
    values = {"largest": largest, "model": model, "dataset": dataset}
    return Print(HOLDS if round(largest) == limits["most"] else FAILS, values)


def invariance(limits: Limits) -> Print:
    """The rank correlations of Tables 4 and 5 with the gain."""
    summary = audit.invariance_summary()
    sure = (summary["rho"] < 0) & (summary["p"] < 0.05)
    verdict = HOLDS if sure.all() else IN_PART if sure.any() else FAILS
    return Print(verdict, {"rho": tuple(summary["rho"]), "p": tuple(summary["p"])})


def toward(limits: Limits) -> Print:
    """In how many cells of Table 3 SS_rate comes nearer to γ, by each reading of γ."""
    summary = audit.movement_summary()[["cells", "nearer", "away"]].astype(int)
    if (summary["nearer"] >= limits["share"] * summary["cells"]).all():
        verdict = HOLDS
    else:
        verdict = IN_PART if (summary["nearer"] > summary["away"]).any() else FAILS
    return Print(verdict, summary.to_dict("index"))


def nothing(limits: Limits) -> Print:
    """No printed number bears on the claim."""
    return Print()


PRINT: Mapping[str, Callable[[Limits], Print]] = {
    "range": in_range,
    "cheap": nothing,
    "table2-untrained": untrained_rates,
    "table2-trained": trained_rates,
    "rises": rises,
    "low-dimensional": nothing,
    "poolformer": nothing,
    "helps": helps,
    "average-gain": average_gain,
    "up-to-six": up_to_six,
    "invariance": invariance,
    "boxes": nothing,
    "toward-target": toward,
}
