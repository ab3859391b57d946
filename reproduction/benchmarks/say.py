"""What the page on speed and memory says, where it turns on the outcome."""

from __future__ import annotations

import pandas as pd

from reproduction import plain
from reproduction.benchmarks.read import Cost, Speed
from reproduction.words import percent


def speed(outcome: Speed | None) -> str:
    """How sslib compares with the plain way and with the floor at one size."""
    if outcome is None:
        return "Time and memory of SS_rate: **not run**."
    threads = f"{outcome.threads} thread{'' if outcome.threads == 1 else 's'}"
    torch = plain.text(outcome.torch)
    return (
        f"Measured on one machine: {plain.text(outcome.device)}, {threads}, torch {torch}. For "
        f"D = {outcome.D} and B = {outcome.B}, `sslib` is "
        f"{outcome.plain_over_ours:.0f} times as fast as plain and takes "
        f"{outcome.ours_over_floor:.1f} times the floor."
    )


def scaling(table: pd.DataFrame) -> str:
    """How far up the number of channels goes, and at what cost."""
    if table.empty:
        return "Time and memory against the number of channels: **not run**."
    D, last = table.index[-1], table.iloc[-1]
    most = (table["ours_s"] / table["floor_s"])[table.index >= 1024].max()
    return (
        f"Measured on {', '.join(sorted(set(table['machine'])))}: at D = {D:,}, SS_rate and its "
        f"gradient take {last['ours_s']:.2g} s, "
        f"{last['ours_s'] / last['floor_s']:.1f} times the floor, and {last['ours_MB']:,.0f} MB; "
        f"the matrix of distances alone would be {4e-6 * D**2:,.0f} MB. From D = 1,024 on, the "
        f"time is at most {most:.1f} times the floor."
    )


def cost(outcome: Cost | None) -> str:
    """What the constraint costs in a training step."""
    if outcome is None:
        return "The constraint in a training step: **not run**."
    machines = ", ".join(map(plain.text, outcome.machines))
    return (
        f"The constraint costs {percent(outcome.share, 2)} of a step at most; written down plainly "
        "it "
        f"would cost at least {outcome.plain_over_ours:.1f} times as much. Measured on "
        f"{len(outcome.machines)} machine{'s' * (len(outcome.machines) > 1)}: "
        f"{machines}" + ("." if outcome.on_gpu else "; **on a GPU: not run**.")
    )
