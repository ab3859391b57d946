"""What the page on your own model says, where it turns on the outcome."""

from __future__ import annotations

import pandas as pd

from reproduction.own_model.read import AgainstNoise, Effect
from reproduction.ss_rate.say import images as images


def against_noise(outcome: AgainstNoise) -> str:
    """How many layers differ from noise, and what a value of noise is."""
    counts = "; ".join(
        f"{name} {within}, {below}, {above}"
        for name, (within, below, above) in outcome.models.items()
    )
    return (
        "Layers of each model within two standard deviations of noise, below and above: "
        f"{counts}. **Noise itself has an SS_rate of "
        f"{outcome.low:.2f} to {outcome.high:.2f}** here. A value in that range is no sign of "
        "structure, and whether a value is small can only be judged beside its own null value."
    )


def relus(table: pd.DataFrame) -> str:
    """SS_rate before and after each ReLU, a line per convolution.

    Args:
        table: of ``sslib.self_similarity``: a convolution, its ReLU, the next convolution, ...
    """
    rates = table["SS_rate"]
    return "\n".join(
        f"convolution {name}: {before:.2f}, after its ReLU: {after:.2f}"
        for name, before, after in zip(rates.index[::2], rates[::2], rates[1::2], strict=True)
    )


def seeds(rates: pd.DataFrame) -> str:
    """The range of SS_rate over seeds, a line per formula.

    Args:
        rates: a row per seed, a column per formula.
    """
    numbers = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    n = numbers[len(rates)] if len(rates) < len(numbers) else f"{len(rates)}"
    return "\n".join(
        f"{formula:8}: SS_rate = {column.min():.2f} to {column.max():.2f} over {n} seeds"
        for formula, column in rates.items()
    )


def constraint(outcome: Effect, epochs: int, n_images: int) -> str:
    """Whether the constraint brought the layers nearer to the target, and what it says."""
    nearer = "nearer to" if outcome.distance < outcome.distance_without else "no nearer to"
    return (
        f"With the constraint, the two layers end {nearer} the target {outcome.target:g}: "
        f"{outcome.distance:.2f} away from it on average, against {outcome.distance_without:.2f} "
        f"without. The accuracy differs by {outcome.accuracy:+.0f} points, but one seed and "
        f"{epochs} epochs on {n_images} small images cannot show whether the constraint helps."
    )
