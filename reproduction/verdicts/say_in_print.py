"""What the paper's own tables say of its claims, in words: a fact, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from reproduction.paper.tables import DATASETS

Values = Mapping[str, Any]


class Printed(NamedTuple):
    """The printed fact in a few words, what follows in a sentence, and the printed value itself
    where it is in a table ("" where the text has it).
    """

    fact: str
    why: str
    paper: str = ""


def in_range(values: Values) -> Printed:
    """Where Eq. 3 ends."""
    largest, D = values["largest"], values["D"]
    why = f"with the printed factor 2/D no value exceeds log D / D: {largest:.3f} for D = {D}"
    return Printed("Eq. 3 ends at log D / D", why)


def rates(values: Values) -> Printed:
    """The span of a column of Table 2."""
    span = f"{values['low']:.2f} to {values['high']:.2f}"
    return Printed("", "nothing else in print to hold them against", span)


def rises(values: Values) -> Printed:
    """How many models of Table 2 rise, and which fall."""
    falling = " and ".join(values["falling"])
    why = f"a majority, but no “universal” rise: {falling} fall" if falling else "all of them"
    return Printed(f"{values['rising']} of {values['of']} rise", why)


def helps(values: Values) -> Printed:
    """Which comparisons of Table 3 are gains."""
    others = "; ".join(f"{model} on {DATASETS[dataset]}" for model, dataset in values["others"])
    losses = f"{values['losses']} a loss" if values["losses"] else "none a loss"
    why = (
        f"of {values['marked']} comparisons of marked models {values['gains']} are gains and "
        f"{losses}; of {values['cnn']} of CNNs {values['cnn gains']} are gains; unmarked, but a "
        f"gain: {others or 'none'}"
    )
    fact = f"{values['gains']} of {values['marked']}{', and others' if others else ''}"
    return Printed(fact, why)


def average_gain(values: Values) -> Printed:
    """The span of the mean gains, in points and relative."""
    points, relative = values["points"], values["relative"]
    fact = f"{points[0]:.2f}–{points[1]:.2f} points"
    why = f"Table 3 gives {fact}, or {relative[0]:.2f}–{relative[1]:.2f} % of the baseline"
    return Printed(fact, why)


def up_to_six(values: Values) -> Printed:
    """The largest gain."""
    fact = f"{values['largest']:.2f} points"
    return Printed(fact, f"{fact} at most: {values['model']}, {DATASETS[values['dataset']]}")


def invariance(values: Values) -> Printed:
    """The rank correlations with the gain."""
    rho, p = ([f"{value:.2f}" for value in values[name]] for name in ("rho", "p"))
    why = (
        f"rank correlation with the gain {' and '.join(rho)} (p = {' and '.join(p)}); PoolFormer "
        "stands among the best in both tables"
    )
    return Printed(f"ρ = {', '.join(rho)} (p ≥ {min(values['p']):.2f})", why)


def toward(values: Values) -> Printed:
    """How many cells come nearer to γ, by each reading of it."""
    told = {
        reading: f"{row['nearer']} of {row['cells']} comparisons come nearer, {row['away']} go away"
        for reading, row in values.items()
    }
    why = (
        f"with Table 2's trained value for γ {told['table 2']} (by more than rounding); with the "
        f"released commands' {told['released']}; with the baseline's own value none can come nearer"
    )
    best = values["table 2"]
    return Printed(f"{best['nearer']} of {best['cells']} come nearer", why)


def _nothing(why: str) -> Callable[[Values], Printed]:
    return lambda values: Printed("", why)


PRINTED: Mapping[str, Callable[[Values], Printed]] = {
    "range": in_range,
    "cheap": _nothing("no time or memory is printed"),
    "table2-untrained": rates,
    "table2-trained": rates,
    "rises": rises,
    "low-dimensional": _nothing("a picture without a measure"),
    "poolformer": _nothing("a picture without a measure"),
    "helps": helps,
    "average-gain": average_gain,
    "up-to-six": up_to_six,
    "invariance": invariance,
    "boxes": _nothing("N_θ is compared with no covering"),
    "toward-target": toward,
}
