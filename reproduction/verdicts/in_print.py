"""What the paper's own tables do for each claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from reproduction.paper.audit import (
    decided,
    invariance_correlation,
    largest_ss_rate_as_printed,
    mean_gains,
    movement_summary,
    table_2_changes,
)
from reproduction.paper.audit import gains as paper_gains
from reproduction.paper.tables import DATASETS, MARKED, load_table


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
    largest = largest_ss_rate_as_printed(D)
    why = f"with the printed factor 2/D no value exceeds log D / D: {largest:.3f} for D = {D}"
    return _Printed("does not hold", "Eq. 3 ends at log D / D", why)


def _print_table_2(state: str) -> _Printed:
    values = load_table(2)[state]
    span = f"{values.min():.2f} to {values.max():.2f}"
    return _Printed("no numbers in print", "", "nothing else in print to hold them against", span)


def _print_rises() -> _Printed:
    change = table_2_changes()["change"]
    falling = " and ".join(change.index[change < 0])
    fact = f"{(change > 0).sum()} of {len(change)} rise"
    return _Printed("holds", fact, f"a majority, but no “universal” rise: {falling} fall")


def _print_helps() -> _Printed:
    table = paper_gains()
    table["decided"] = decided(table)
    marked, cnn = table[table["marked"]], table[table["family"] == "cnn"]
    gains, losses = ((marked["decided"] == word).sum() for word in ("gain", "loss"))
    others = table[~table["marked"] & (table["decided"] == "gain")].index
    odd = "; ".join(f"{model} on {DATASETS[dataset]}" for model, dataset in others)
    why = (
        f"of {len(marked)} comparisons of marked models {gains} are gains and {losses} a loss; of {len(cnn)} of CNNs "
        f"{(cnn['decided'] == 'gain').sum()} are gains; unmarked, but a gain: {odd}"
    )
    return _Printed("holds in part", f"{gains} of {len(marked)}, and others", why)


def _print_average_gain() -> _Printed:
    table = mean_gains().loc[list(MARKED)]
    points, relative = (
        (table[column].min(), table[column].max()) for column in ("points", "relative")
    )
    fact = f"{points[0]:.2f}–{points[1]:.2f} points"
    why = f"Table 3 gives {fact}, or {relative[0]:.2f}–{relative[1]:.2f} % of the baseline"
    return _Printed("does not hold", fact, why)


def _print_up_to_six() -> _Printed:
    gain = paper_gains()["gain"]
    model, dataset = gain.idxmax()
    return _Printed(
        "holds",
        f"{gain.max():.2f} points",
        f"{gain.max():.2f} points at most: {model}, {DATASETS[dataset]}",
    )


def _print_invariance() -> _Printed:
    tests = [invariance_correlation(number) for number in (4, 5)]
    rho, p = (" and ".join(f"{value:.2f}" for value in column) for column in zip(*tests))
    why = f"rank correlation with the gain {rho} (p = {p}); PoolFormer stands among the best in both tables"
    fact = (
        "ρ = "
        + ", ".join(f"{test.estimate:.2f}" for test in tests)
        + f" (p ≥ {min(test.p for test in tests):.2f})"
    )
    return _Printed("does not hold", fact, why)


def _print_toward() -> _Printed:
    table = movement_summary()
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
