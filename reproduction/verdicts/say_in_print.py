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
        f"{losses}; of {values['cnn']} comparisons of CNNs {values['cnn gains'] or 'none'} "
        f"{'is a gain' if values['cnn gains'] < 2 else 'are gains'}; unmarked, but a gain: "
        f"{others or 'none'}"
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
    """Whether the marked models stand apart, and the rank correlations with the gain."""
    ranks, rho, p = (
        " and ".join(f"{value:.2f}" for value in values[name])
        for name in ("p of ranks", "rho", "p")
    )
    stray = " and ".join(sorted({model for models in values["before"] for model in models}))
    why = (
        f"{stray} stand before marked models (rank sums of Tables 4 and 5: p = {ranks}, "
        "one-sided); "
        f"rank correlation with the gain {rho} (p = {p})"
    )
    apart = sum(values["separated"])
    return Printed(f"apart in {apart} of {len(values['separated'])} tables", why)


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


def self_similar_gain(values: Values) -> Printed:
    """Whether the marked models are the most self-similar, before and after training."""
    own, trained = values["untrained"], values["pretrained"]
    place = "are" if own["separated"] else "are not"
    after = "apart" if trained["separated"] else "not apart"
    why = (
        f"untrained, the four marked models {place} the four of smallest SS_rate in Table 2 "
        f"(exact one-sided p = {own['p']:.3f}), rank correlation with the gain {own['rho']:+.2f} "
        f"(p = {own['p of rho']:.3f}); trained, they are {after}, {trained['rho']:+.2f} "
        f"(p = {trained['p of rho']:.2f})"
    )
    fact = f"untrained: the four lowest, ρ = {own['rho']:.2f}"
    return Printed(fact if own["separated"] else f"untrained: ρ = {own['rho']:.2f}", why)


def negligible(values: Values) -> Printed:
    """How many gains of convolutional networks are small for sure."""
    fact = f"{values['inside']} of {values['of']} within ± {values['margin']:g}"
    why = (
        f"{values['inside']} of {values['of']} gains of convolutional networks are equivalent to 0 "
        f"within {values['margin']:g} points; the largest is {values['largest']:+.2f} "
        f"({values['model']}, {DATASETS[values['dataset']]})"
    )
    return Printed(fact, why)


def slight_drop(values: Values) -> Printed:
    """VGG's losses."""
    told = ", ".join(f"{gain:+.2f} on {DATASETS[name]}" for name, gain in values["gains"].items())
    why = f"{told}; {values['sure']} of {values['of']} after Holm's correction"
    return Printed(f"{values['below']} of {values['of']} lower, {values['sure']} surely", why)


def unresponsive(values: Values) -> Printed:
    """How far PoolFormer's SS_rate moves."""
    place = "most of all" if values["rank"] == 1 else f"rank {values['rank']} of {values['of']}"
    why = (
        f"PoolFormer's SS_rate moves by {values['own']:.3f} on average over the data sets, "
        f"{place}; that of the marked models by {values['marked']:.3f}"
    )
    return Printed(f"SS_rate moves {place}", why)


def table_3_rates(values: Values) -> Printed:
    """The span of Table 3's SS_rates, and their distance from Table 2's."""
    why = (
        f"Table 2's trained values, of ImageNet, lie {values['off']:.2f} from the baselines' means "
        f"on average, {values['largest']:.2f} at most ({values['model']})"
    )
    return Printed("", why, f"{values['low']:.2f} to {values['high']:.2f}")


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
    "self-similar-gain": self_similar_gain,
    "shallow": _nothing("Figure 2 shows shallow layers only"),
    "negligible": negligible,
    "vgg-drop": slight_drop,
    "poolformer-response": unresponsive,
    "table3-rates": table_3_rates,
    "table4": rates,
    "table5": rates,
}
