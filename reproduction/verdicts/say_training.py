"""Findings about training runs in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from reproduction.paper.tables import DATASETS
from reproduction.words import percent

Values = Mapping[str, Any]

TOO_FEW = "too few runs yet"


def helps(values: Values) -> str:
    """The gains of the marked models and of the convolutional ones, beside those in print."""
    groups = []
    if values["gain"] and values["lose"]:
        gain, lose = (" and ".join(values[side]) for side in ("gain", "lose"))
        groups.append(f"signs differ: {gain} gains, {lose} loses")
    groups += [text for name in ("marked", "cnn") for text in _gains(values[name])]
    if values["cnn"] is None:
        groups.append("no convolutional network is judged")
    aside = ", ".join(_gains(values["aside"]))
    if aside:
        groups.append(f"with another α and γ than its own script's, and so not judged: {aside}")
    return "; ".join([TOO_FEW] * values["too few"] + groups)


def _gains(group: Mapping[str, Any] | None) -> list[str]:
    """The gain of each model of a group, or of all where there are too few pairs."""
    if not group:
        return []
    if group["each"]:
        return [
            f"{model} {_gain(mean, half)} (paper {printed:+.2f})"
            for model, (mean, half, printed) in group["each"].items()
        ]
    gain = _gain(group["mean"], group["half"])
    printed = "" if group["printed"] is None else f" (paper {group['printed']:+.2f})"
    return [f"{' and '.join(group['models'])} {gain}{printed}"]


def average_gain(values: Values) -> str:
    """The gain of each marked model."""
    return "; ".join(f"{model} {_gain(*gain)}" for model, gain in values["models"].items())


def up_to_six(values: Values) -> str:
    """The largest gain, and whose it is."""
    dataset = DATASETS.get(values["dataset"], values["dataset"])
    gain = _gain(values["mean"], values["half"])
    return f"at most {gain}: {values['model']}, {dataset}"


def toward(values: Values) -> str:
    """The share of the distance to γ that each network closes, its pairs, and the share in eval
    mode.
    """
    shares = [
        f"{model} {percent(mean)} ± {percent(half)} ({n} pairs{_in_eval(own)})"
        for (model, *_), (mean, half, n, own) in values["shares"].items()
    ]
    return (
        f"{values['closed']} of {values['of']} networks close {percent(values['least'])} or more "
        "of the "
        f"gap to γ: {', '.join(shares)}"
    )


def _in_eval(share: float) -> str:
    return "" if math.isnan(share) else f"; {percent(share)} in eval mode"


def _gain(mean: float, half: float | None) -> str:
    """Mean and half the width of its 95 % interval, None where there are too few runs for one."""
    return f"{mean:+.2f} points" if half is None else f"{mean:+.2f} ± {half:.2f} points"
