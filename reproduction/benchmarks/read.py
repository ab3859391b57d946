"""Speed and memory of SS_rate and of the constraint, from records."""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd

#: Records of benchmarks/ss_rate.py, the same with --scaling, and benchmarks/constraint.py.
SPEED, SCALING, STEP = "benchmark-ss-rate", "benchmark-scaling", "benchmark-constraint"


def _latest(runs: pd.DataFrame) -> pd.DataFrame:
    """Of several machines that measured one size, the latest; rows by device and size."""
    size = ["config.device", "config.D", "config.B"]
    return runs.sort_values("date").drop_duplicates(size, keep="last").sort_values(size)


def speed(runs: pd.DataFrame) -> pd.DataFrame:
    """Time and memory of SS_rate with its gradient: ours, and the rivals' as multiples of ours.

    Args:
        runs: ``records.read_all(SPEED)``.

    Returns:
        By D × B, columns under "ours", "plain" and "pdist"; -: does not fit into memory.
    """
    if runs.empty:
        return pd.DataFrame()
    runs = _latest(runs)
    ours = {unit: runs[f"metrics.ours_{unit}"] for unit in ("ms", "MB")}
    columns = {
        ("ours", "ms"): ours["ms"].map("{:.1f}".format),
        ("ours", "MB"): ours["MB"].map("{:.0f}".format),
        ("ours", "over floor"): (ours["ms"] / runs["metrics.floor_ms"]).map("{:.1f}×".format),
    }
    for rival in ("plain", "pdist"):
        for unit, what in (("ms", "time"), ("MB", "memory")):
            ratio = runs.get(f"metrics.{rival}_{unit}", math.nan) / ours[unit]
            columns[rival, what] = ratio.map(lambda r: "-" if pd.isna(r) else f"{r:.0f}×")
    sizes = [f"{D} × {B}" for D, B in zip(runs["config.D"], runs["config.B"], strict=True)]
    return pd.DataFrame(columns).set_axis(sizes)


class Speed(NamedTuple):
    """One size: what it was measured on, and times as multiples of ours and of the floor."""

    D: int
    B: int
    device: str
    threads: int
    torch: str
    plain_over_ours: float
    ours_over_floor: float


def speed_at(runs: pd.DataFrame, D: int = 768, B: int = 512) -> Speed | None:
    """The outcome of the benchmark at one size; None where it was not run.

    Args:
        runs: ``records.read_all(SPEED)``.
        D: channels.
        B: images.
    """
    part = runs[(runs["config.D"] == D) & (runs["config.B"] == B)] if len(runs) else runs
    if part.empty:
        return None
    run = _latest(part).iloc[0]
    return Speed(
        D,
        B,
        device=run["device.name"],
        threads=int(run["device.threads"]),
        torch=run["versions.torch"],
        plain_over_ours=run["metrics.plain_ms"] / run["metrics.ours_ms"],
        ours_over_floor=run["metrics.ours_ms"] / run["metrics.floor_ms"],
    )


def scaling(runs: pd.DataFrame) -> pd.DataFrame:
    """Time and memory of SS_rate with its gradient against the number of channels.

    Args:
        runs: ``records.read_all(SCALING)``.

    Returns:
        By D: ours_s, floor_s, pdist_s and plain_s, seconds; ours_MB, pdist_MB and plain_MB,
        megabytes above the inputs, NaN: does not fit into memory; machine, with its threads.
    """
    if runs.empty:
        return pd.DataFrame()
    runs = _latest(runs).set_index("config.D").rename_axis("D")
    ways = ("ours", "floor", "pdist", "plain")
    table = {f"{name}_s": runs.get(f"metrics.{name}_ms", math.nan) / 1000 for name in ways}
    table |= {
        f"{name}_MB": runs.get(f"metrics.{name}_MB", math.nan)
        for name in ("ours", "pdist", "plain")
    }
    machines = map(_machine, runs["device.name"], runs["device.threads"])
    return pd.DataFrame(table).astype(float).assign(machine=list(machines))


def step(runs: pd.DataFrame) -> pd.DataFrame:
    """What the constraint adds to a training step, in per cent of the step without it.

    Args:
        runs: ``records.read_all(STEP)``.
    """
    if runs.empty:
        return pd.DataFrame()
    columns = {
        "batch": runs["config.batch"],
        "step, s": (runs["metrics.step_ms"] / 1000).map("{:.2f}".format),
    }
    for name in ("ours", "pdist", "plain"):
        columns[f"{name}, %"] = (100 * runs[f"metrics.{name}_share"]).map("{:.2f}".format)
    columns["in the step, %"] = (100 * runs["metrics.added_share"]).map("{:+.2f}".format)
    return pd.DataFrame(columns).set_axis(list(runs["config.device"].str.upper()))


class Cost(NamedTuple):
    """The constraint's cost: its largest share of a step, the smallest multiple that it costs
    written down plainly, the machines, and whether a GPU is among them.
    """

    share: float
    plain_over_ours: float
    machines: tuple[str, ...]
    on_gpu: bool


def _machine(name: str, threads: float | None) -> str:
    """A machine as a sentence names it, with its threads where a CPU did the work."""
    return name if pd.isna(threads) else f"{name} ({threads:.0f} thread{'s' * (threads != 1)})"


def cost(runs: pd.DataFrame) -> Cost | None:
    """The outcome of the benchmark of a training step; None where it was not run.

    Args:
        runs: ``records.read_all(STEP)``.
    """
    if runs.empty:
        return None
    return Cost(
        runs["metrics.ours_share"].max(),
        (runs["metrics.plain_ms"] / runs["metrics.ours_ms"]).min(),
        tuple(dict.fromkeys(map(_machine, runs["device.name"], runs["device.threads"]))),
        "cuda" in set(runs["config.device"]),
    )
