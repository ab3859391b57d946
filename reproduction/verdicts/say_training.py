"""Findings about training runs in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproduction.paper.tables import DATASETS

Values = Mapping[str, Any]

TOO_FEW = "too few runs yet"


def helps(values: Values) -> str:
    """The gain of the marked models and of the convolutional ones."""
    groups = [
        f"{' and '.join(group['models'])} {_gain(group['mean'], group['half'])}"
        for group in (values["marked"], values["cnn"])
        if group
    ]
    return "; ".join([TOO_FEW] * values["too few"] + groups)


def average_gain(values: Values) -> str:
    """The gain of each marked model."""
    return "; ".join(f"{model} {_gain(*gain)}" for model, gain in values["models"].items())


def up_to_six(values: Values) -> str:
    """The largest gain, and whose it is."""
    dataset = DATASETS.get(values["dataset"], values["dataset"])
    gain = _gain(values["mean"], values["half"])
    return f"at most {gain}: {values['model']}, {dataset}"


def toward(values: Values) -> str:
    """How many networks come nearer to γ."""
    told = f"{values['nearer']} of {values['of']} networks come nearer, {values['away']} go away"
    return f"{told}; {values['mean']:+.3f} on average"


def _gain(mean: float, half: float | None) -> str:
    """Mean and half the width of its 95 % interval, or a single pair."""
    return f"{mean:+.2f} points, one pair" if half is None else f"{mean:+.2f} ± {half:.2f} points"
