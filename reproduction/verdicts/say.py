"""Findings in words: what was measured, on how many of what, and what the paper's tables say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reproduction.verdicts import say_networks
from reproduction.verdicts.finding import Finding
from reproduction.verdicts.say_training import TOO_FEW, average_gain, helps, toward, up_to_six

Values = Mapping[str, Any]


def measured(key: str, finding: Finding) -> str:
    """The measured value of a claim with its spread; "" if nothing was run.

    >>> measured("poolformer", Finding("partly", {"before": 1.25, "after": 4.0}))
    '1.2 directions untrained, 4.0 trained'
    """
    if finding.outcome == "not run":
        return ""
    return MEASURED[key](finding.values) if finding.values else TOO_FEW


def counts(finding: Finding) -> str:
    """How much is behind a finding.

    >>> counts(Finding("partly", n={"run": 1, "model": 3, "recipe": ("cpu", "short")}))
    '1 run, 3 models, cpu and short'
    """
    return ", ".join(
        f"{n} {what}{'s' * (n != 1)}" if isinstance(n, int) else " and ".join(n)
        for what, n in finding.n.items()
    )


# --- what was measured ----------------------------------------------------------------------------


def in_range(values: Values) -> str:
    """How many known sets lie below noise, each with its own; smallest and largest SS_rate."""
    layers = f"layers {values['low']:.2f} to {values['high']:.2f}, with the equations corrected"
    if not values["sets"]:
        return f"no set of known self-similarity was measured; {layers}"
    sets = ", ".join(
        f"{name} {own:.2f} (noise {low:.2f}–{high:.2f})"
        for name, (own, low, high) in sorted(values["sets"].items())
    )
    return f"{values['below']} of {len(values['sets'])} sets lie below noise: {sets}; {layers}"


def cheap(values: Values) -> str:
    """The share of a training step, plainly written and as here; on how many machines."""
    plain, ours = (_percent(*values[way]) for way in ("plain", "ours"))
    where = "one machine" if values["machines"] == 1 else f"{values['machines']} machines"
    return f"{plain} of a training step if implemented directly, {ours} in sslib, on {where}"


def table_2(values: Values) -> str:
    """How many values are met and whether the order is, beside a constant prediction."""
    told = ", ".join(f"{n} {word}" for word, n in values["counts"].items())
    order = values["order"]
    if order:
        told += "; order: ρ {:+.2f} (p = {:.3f})".format(*order["rho"])
        told += ", r {:+.2f} (p = {:.3f})".format(*order["r"])
    return (
        f"{told}; off by {values['off']:.3f} on average (the mean of the other printed values: "
        f"{values['constant']} reproduced, off by {values['constant off']:.3f})"
    )


def rises(values: Values) -> str:
    """How many networks rise, fall and are undecided; each of our own beside Table 2."""
    up, down, of = values["up"], values["down"], values["of"]
    told = f"{up} of {of} models rise, {down} fall"
    if "models" not in values:
        return f"{told}, {of - up - down} undecided"
    told += f", {values['run'] - up - down} undecided, {of - values['run']} not run"
    each = (
        f"{model} {mean:+.2f} ± {half:.2f} (paper {printed:+.2f}, {_p(p)})"
        for model, (mean, half, printed, p) in values["models"].items()
    )
    return "; ".join([told, f"{values['met']} as in Table 2, {values['off']} otherwise", *each])


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def low_dimensional(values: Values) -> str:
    """Directions of the two groups by state, what was not run last."""
    told = [
        f"{state}: {found['low'][0]:.1f}–{found['low'][1]:.1f} directions against "
        f"{found['even'][0]:.1f}–{found['even'][1]:.1f}"
        for state, found in values.items()
        if found
    ]
    return "; ".join([*told, *(f"{state}: not run" for state in values if not values[state])])


def poolformer(values: Values) -> str:
    """Directions before and after training."""
    return f"{values['before']:.1f} directions untrained, {values['after']:.1f} trained"


def invariance(values: Values) -> str:
    """Rank correlations of σ and Δ with the gain; which of them sets the marked models apart."""
    told = "too few networks yet"
    if "tests" in values:
        symbols = {"sigma": "σ", "delta": "Δ"}
        below = " and ".join(symbols[name] for name in values["apart"])
        told = ", ".join(
            f"ρ({symbols[name]}, gain) {rho:+.2f} (p = {p:.2f})"
            for name, (rho, p) in values["tests"].items()
        )
        told += f"; all marked models below all others in {below or 'neither'}"
    return f"untrained: {told}" if values["untrained"] else told


def boxes(values: Values) -> str:
    """By formula, how far N_θ is off at worst and typically, and how its ranks agree."""
    return "; ".join(
        f"{formula}: off by {found['off']:.1f}× at the worst θ, {found['typical']:.1f}× at the "
        "median θ; τ with the covers, inside a network, {:+.2f} ({:+.2f} to {:+.2f}".format(
            *found["rank"]
        )
        + f", {found['ranked']} networks)"
        for formula, found in values.items()
    )


def _percent(low: float, high: float) -> str:
    one, other = (f"{100 * share:.1f}" for share in (low, high))
    return f"{one} %" if one == other else f"{one} to {other} %"


MEASURED: Mapping[str, Callable[[Values], str]] = {
    "range": in_range,
    "cheap": cheap,
    "table2-untrained": table_2,
    "table2-trained": table_2,
    "rises": rises,
    "low-dimensional": low_dimensional,
    "poolformer": poolformer,
    "helps": helps,
    "average-gain": average_gain,
    "up-to-six": up_to_six,
    "invariance": invariance,
    "boxes": boxes,
    "toward-target": toward,
    "self-similar-gain": say_networks.self_similar_gain,
    "shallow": say_networks.shallow,
    "negligible": say_networks.negligible,
    "vgg-drop": say_networks.slight_drop,
    "poolformer-response": say_networks.unresponsive,
    "table3-rates": say_networks.table_3_rates,
    "table4": say_networks.table_4_or_5,
    "table5": say_networks.table_4_or_5,
}
