"""Findings of ``rules_networks`` in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproduction.paper.tables import DATASETS

Values = Mapping[str, Any]


def self_similar_gain(values: Values) -> str:
    """Whether the gaining networks are the self-similar ones, and how rates go with gains."""
    before = values["before"]
    if values["separated"]:
        told = f"untrained, the marked models have the smallest SS_rates (p = {values['p']:.3f})"
    else:
        told = (
            f"untrained, {before} other network{'s' * (before != 1)} lie{'s' * (before == 1)} "
            f"below the last marked one (rank sum p = {values['p']:.3f})"
        )
    return f"{told}; ρ(SS_rate, printed gain) {values['rho']:+.2f} (p = {values['p of rho']:.3f})"


def shallow(values: Values) -> str:
    """In how many networks the first half of the modules changes more than the second."""
    up, down, of = values["up"], values["down"], values["of"]
    return (
        f"shallow modules change more in {up} of {of} networks, less in {down}; "
        f"{values['mean']:+.3f} on average"
    )


def negligible(values: Values) -> str:
    """The gain of each convolutional network, beside the margin."""
    cells = _cells(values["cells"], "{:+.2f} ± {:.2f}")
    return f"{cells} points (90 % interval), margin {values['margin']:g}"


def unresponsive(values: Values) -> str:
    """The change of PoolFormer's SS_rate on each data set, beside the margin."""
    named = {DATASETS.get(name, name): change for name, change in values["cells"].items()}
    cells = _cells(named, "{:+.3f} ± {:.3f}")
    return f"SS_rate {cells} (90 % interval), margin {values['margin']:g}"


def _cells(cells: Mapping[str, tuple[float, float]], form: str) -> str:
    return ", ".join(f"{name} {form.format(*cell)}" for name, cell in cells.items())


def slight_drop(values: Values) -> str:
    """VGG's gain beside the printed one."""
    return (
        f"{values['mean']:+.2f} ± {values['half']:.2f} points, "
        f"{values['printed']:+.2f} in print on the same data"
    )


def table_3_rates(values: Values) -> str:
    """How many values of SS_rate are Table 3's."""
    return (
        f"{values['inside']} of {values['of']} values as printed, {values['outside']} not, "
        f"{values['of'] - values['inside'] - values['outside']} undecided"
    )


def table_4_or_5(values: Values) -> str:
    """How near the values come, and how their ranks agree."""
    told = f"{values['close']} of {values['of']} values near, a factor {values['off']:.1f} off"
    if "rho" in values:
        told += f" in the median; ranks {values['rho']:+.2f} (p = {values['p']:.2f})"
    return f"untrained: {told}" if values["untrained"] else told
