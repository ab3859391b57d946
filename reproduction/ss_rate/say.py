"""What the pages on Table 2 and the feature network say, where it turns on the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from reproduction.ss_rate.read import Comparison, Directions, FactorOutcome

if TYPE_CHECKING:
    from reproduction.ss_rate.figure_2 import Maps

NOT_RUN = "**not run**"

#: Mean distance from Table 2 up to which a formula may be the one behind it.
NEAR = 0.06


# ---- Table 2 ----


def table_2(untrained: Comparison, trained: Comparison) -> str:
    """Three paragraphs below Table 2: the values, the formulas, the trained networks."""
    return "\n\n".join([values(untrained), formulas(untrained), trained_networks(trained)])


def values(outcome: Comparison) -> str:
    """How many printed values are met by random weights."""
    if not outcome.run:
        return f"Table 2 with random weights: {NOT_RUN}."
    text = (
        f"Over {outcome.seeds} seeds ({outcome.records} records in all), "
        f"**{outcome.reproduced} of {outcome.run} values are reproduced** with random weights by "
        "the released formula: two one-sided t tests over seeds (at 5 %) show them to lie within "
        f"0.03 of the printed value. {outcome.differs or 'None'} "
        f"{'differ' if outcome.differs > 1 else 'differs'}, and {outcome.open} are left open "
        f"because of their scatter. The means of {outcome.close} networks lie within 0.03 of "
        "print. A constant guess, the mean of the other printed values, would bring "
        f"{outcome.constant_close} that close, and is off by {outcome.constant:.3f} on average."
    )
    if outcome.run < outcome.models:
        text += f" Not run: {outcome.models - outcome.run}."
    if not outcome.widest:
        return text
    return (
        f"{text} Some networks scatter widely over seeds, most of all {outcome.widest} (standard "
        f"deviation {outcome.widest_std:.3f}); there, one seed says little."
    )


def formulas(outcome: Comparison) -> str:
    """Which formula comes nearer to the printed values."""
    if not outcome.run:
        return f"The two formulas against Table 2: {NOT_RUN}."
    text = (
        f"The values by the released formula lie {outcome.released:.3f} from the printed table on "
        f"average, those by the printed formula {outcome.printed:.3f}."
    )
    if outcome.released <= NEAR < outcome.printed:
        return (
            f"{text} **The formula in the paper's text can hardly be the one behind its Table 2.**"
        )
    return f"{text} This does not show which of the two is behind Table 2."


def trained_networks(outcome: Comparison) -> str:
    """Trained networks: what was printed, and what became of it."""
    text = f"For trained networks Table 2 prints {outcome.low:.2f} to {outcome.high:.2f}; ours are "
    if not outcome.run:
        return (
            f"{text}{NOT_RUN}: the pretrained weights were not downloaded. "
            "`python -m reproduction ss-rate --weights pretrained` downloads them and fills the "
            "last column; `--weights FOLDER` takes checkpoints of your own."
        )
    return (
        f"{text}on average {outcome.released:.3f} away by the released formula. Of "
        f"{outcome.run} networks that were run, **{outcome.reproduced} are reproduced**, "
        f"{outcome.differs} differ and {outcome.open} are left open."
    )


# ---- The factor study ----


def factors(outcomes: Sequence[FactorOutcome]) -> str:
    """A paragraph per model on what moves its SS_rate, and what follows from all."""
    if not outcomes:
        return f"One setting changed at a time: {NOT_RUN}."
    return "\n\n".join([*map(factor, outcomes), explanation(outcomes)])


def factor(outcome: FactorOutcome) -> str:
    """The strongest settings of one model, and the one nearest to the paper."""
    text = (
        f"**{outcome.model}** has {outcome.baseline:.3f} ± {outcome.std:.3f} over "
        f"{outcome.seeds} seeds; the paper prints {outcome.paper:.2f}."
    )
    if not outcome.strongest:
        return f"{text} Changed settings: {NOT_RUN}."
    strongest = ", ".join(f"{s.factor}: {s.value} ({s.change:+.3f})" for s in outcome.strongest)
    nearest = outcome.nearest
    return (
        f"{text} The settings that change it most are *{strongest}*. The setting that comes "
        f"nearest to the paper is *{nearest.factor}: {nearest.value}*, with {nearest.ss_rate:.3f}."
    )


def explanation(outcomes: Sequence[FactorOutcome]) -> str:
    """Whether the changed settings explain the distance from the paper."""
    text = (
        f"Each changed setting was run over at least {min(o.fewest_seeds for o in outcomes)} "
        "seeds. No single explanation emerges. The paper names neither the images nor the "
        "initialisation of its Table 2"
    )
    within, settings = (
        sum(getattr(o, name) for o in outcomes) for name in ("within_seeds", "settings")
    )
    if within > settings / 2:
        models = {1: "this network", 2: "these two networks"}.get(len(outcomes), "these networks")
        text += f", and seeds alone move SS_rate of {models}"
        return f"{text} by about as much as most settings do."
    return f"{text}; most settings move SS_rate by more than seeds alone do."


# ---- Figure 2 ----


def directions(outcome: Directions | None, *, weights: str = "untrained") -> str:
    """Whether the paper's two groups of networks differ in their directions, and from noise."""
    if outcome is None:
        return f"The directions of Figure 2's networks: {NOT_RUN}."
    text = (
        f"Over {outcome.seeds} seeds, the networks that the text calls low-dimensional spread over "
        f"{_range(outcome.low)} directions, those that it calls isotropic over "
        f"{_range(outcome.isotropic)}. "
    )
    if outcome.gap > 0:
        text += (
            f"The order is the paper's, but only {outcome.gap:.1f} separate {outcome.closest} from "
            "the nearest network of the other group. "
        )
    else:
        text += "The two groups overlap. "
    low, high = outcome.noise
    if outcome.below_noise == outcome.networks:
        text += "But **none of the clouds is isotropic**: "
    else:
        few = f"{outcome.below_noise} of {outcome.networks}"
        text += f"Of the clouds, {few} have less than half the directions of noise: "
    text += f"noise of the same shapes has {low:.0f} to {high:.0f} directions."
    if weights == "untrained":
        text += (
            f" Trained networks are {NOT_RUN} here: their weights were not downloaded "
            "(`-p weights pretrained` does that)."
        )
    return text


def panel_notes(maps: Maps) -> dict[str, str]:
    """Below each panel of Figure 2: the range over seeds of stress and participation ratio."""
    notes = {}
    for title, drawn in maps.items():
        lines = [f"stress {_digits([one.stress for one in drawn], 2)}"]
        states = drawn[0].participation
        for state in states:
            ratio = _digits([one.participation[state] for one in drawn], 1)
            lines.append(f"{ratio} directions" + f" ({state})" * (len(states) > 1))
        notes[title] = "\n".join(lines)
    return notes


def layer_notes(maps: Maps) -> dict[str, str]:
    """Below a layer's picture: its participation ratio, of how much, and its stress."""
    notes = {}
    for title, (first, *_) in maps.items():
        (ratio,) = first.participation.values()
        notes[title] = f"participation ratio {ratio:.1f} of {first.most}\nstress {first.stress:.2f}"
    return notes


# ---- Computed when a page is built ----


def images(description: str, what: str = "Images") -> str:
    """Which images were used."""
    return f"{what}: {description}"


def by_hand(rates: pd.DataFrame) -> str:
    """SS_rate beside the same by hand, a line per formula."""
    return "\n".join(
        f"{formula}: SS_rate = {row['SS_rate']:.4f}, by hand {row['by hand']:.4f}"
        for formula, row in rates.iterrows()
    )


def two_formulas(curves: pd.DataFrame) -> str:
    """SS_rate of each layer by both formulas."""
    rates = curves.groupby(["layer", "formula"], sort=False)["ss_rate"].first().unstack(sort=False)
    return " ".join(
        f"For {layer}, SS_rate is **{row['released']:.3f}** by the released formula and "
        f"**{row['printed']:.3f}** by the printed one."
        for layer, row in rates.iterrows()
    )


def which_formula(gap: float, n_images: int) -> str:
    """What follows from the gap between the two formulas."""
    lies = f"{gap:.2f} above" if gap >= 0 else f"{-gap:.2f} below"
    text = f"The smaller printed average lies {lies} the larger released one"
    if gap > 0:
        text += ", so **every SS_rate has to be given with its formula**"
    return (
        f"{text}. These numbers come from {n_images} images and one draw of random weights; they "
        "do not support a verdict on the paper's tables."
    )


def live(description: str, n_images: int) -> str:
    """Where the averages come from that were computed when the page was built."""
    return (
        "These averages were computed when this page was built, from "
        f"{description[0].lower()}{description[1:]} One seed and {n_images} images **support no "
        "verdict**; they show that the code behind the records runs here."
    )


def _range(pair: tuple[float, float]) -> str:
    return f"{pair[0]:.1f} to {pair[1]:.1f}"


def _digits(values: Sequence[float], digits: int) -> str:
    low, high = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
    return low if low == high else f"{low} to {high}"
