"""What the paper's own tables do for each claim: outcomes and numbers, no record needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scipy import stats as scipy_stats

from reproduction.paper import audit
from reproduction.paper.tables import DATASETS, MARKED, load_table
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
    """Whether the marked models lie below all others in Tables 4 and 5; and the rank correlations
    of both with the gain.
    """
    summary = audit.invariance_summary()
    apart = summary["separated"] & (summary["p of ranks"] < 0.05)
    sure = (summary["rho"] < 0) & (summary["p"] < 0.05)
    verdict = HOLDS if apart.all() else IN_PART if apart.any() or sure.any() else FAILS
    return Print(verdict, summary.to_dict("list"))


def toward(limits: Limits) -> Print:
    """In how many cells of Table 3 SS_rate comes nearer to γ, by each reading of γ."""
    summary = audit.movement_summary()[["cells", "nearer", "away"]].astype(int)
    if (summary["nearer"] >= limits["share"] * summary["cells"]).all():
        verdict = HOLDS
    else:
        verdict = IN_PART if (summary["nearer"] > summary["away"]).any() else FAILS
    return Print(verdict, summary.to_dict("index"))


def self_similar_gain(limits: Limits) -> Print:
    """Whether the marked models are the most self-similar ones of Table 2, column by column.

    The verdict is that of untrained networks: what is inherent in an architecture is there before
    training.
    """
    values = audit.self_similarity_summary().to_dict("index")
    own = values["untrained"]
    follows = own["rho"] < 0 and own["p of rho"] < 0.05
    if own["separated"] and follows:
        return Print(HOLDS, values)
    return Print(IN_PART if own["p"] < 0.05 or follows else FAILS, values)


def negligible(limits: Limits) -> Print:
    """How many gains of convolutional networks are equivalent to 0 within the margin, by Welch's 90
    % interval.
    """
    cnn = audit.gains().query("family == 'cnn'")
    error = (cnn["high"] - cnn["low"]) / 2 / scipy_stats.t.ppf(0.975, cnn["df"])
    inside = cnn["gain"].abs() + scipy_stats.t.ppf(0.95, cnn["df"]) * error < limits["margin"]
    largest = cnn["gain"].abs().idxmax()
    values = {"inside": int(inside.sum()), "of": len(cnn), "margin": limits["margin"]}
    values |= {"model": largest[0], "dataset": largest[1], "largest": cnn["gain"][largest]}
    return Print(HOLDS if inside.all() else IN_PART if inside.any() else FAILS, values)


def slight_drop(limits: Limits) -> Print:
    """VGG's gains, and how many of them are losses beyond their uncertainty."""
    gain = audit.comparisons().loc["VGG"]
    below, sure = int((gain["gain"] < 0).sum()), int((gain["decided"] == "loss").sum())
    values = {"gains": dict(gain["gain"]), "below": below, "sure": sure, "of": len(gain)}
    slight = gain["gain"].min() > -limits["slight"]
    if below == sure == len(gain) and slight:
        return Print(HOLDS, values)
    return Print(IN_PART if sure and slight else FAILS, values)


def unresponsive(limits: Limits) -> Print:
    """How far PoolFormer's SS_rate moves in Table 3, among the other models."""
    moved = audit.movement()["change"].abs().groupby("model", sort=False).mean()
    own = moved["PoolFormer"]
    values = {"own": own, "rank": int((moved > own).sum()) + 1, "of": len(moved)}
    values |= {"marked": moved[list(MARKED)].mean()}
    return Print(HOLDS if own < limits["margin"] else FAILS, values)


def table_3_rates(limits: Limits) -> Print:
    """The span of Table 3's SS_rates; Table 2's trained ones are of networks on other images."""
    rates, off = load_table(3)["ss_rate_mean"], audit.trained_rates()
    values = {"low": rates.min(), "high": rates.max(), "off": off.mean()}
    return Print(values=values | {"largest": off.max(), "model": off.idxmax()})


def table_4_or_5(limits: Limits) -> Print:
    """The span of Table 4 or 5, which nothing else in print can be held against."""
    cells = load_table(int(limits["table"]))[list(DATASETS)]
    return Print(values={"low": cells.min(axis=None), "high": cells.max(axis=None)})


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
    "self-similar-gain": self_similar_gain,
    "shallow": nothing,
    "negligible": negligible,
    "vgg-drop": slight_drop,
    "poolformer-response": unresponsive,
    "table3-rates": table_3_rates,
    "table4": table_4_or_5,
    "table5": table_4_or_5,
}
