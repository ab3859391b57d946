"""What measurements say about a claim: an outcome and numbers. The words are in ``say``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd

#: The numbers in a claim's rule, as data/paper/claims.yml has them.
Limits = Mapping[str, float]

#: Types and names of machines, as records have them.
Devices = tuple[tuple[str, str], ...]

#: Gives the records of an experiment, by its name.
Reader = Callable[[str], pd.DataFrame]

DEVICE = ["device.type", "device.name"]


@dataclass(frozen=True)
class Finding:
    """What a rule makes of its evidence.

    Attributes:
        outcome: "reproduced", "partly", "signs differ", "not reproduced", "undecided" or "not run".
        values: the numbers that a sentence about it is made of; empty if there are too few runs.
        n: how many of what are behind it, {"run": 12, "model": 3}; or names, {"recipe": ("cpu",)}.
        devices: what they ran on.
        gated: the outcome that the rule came to, where that is not given (see ``power.gated``).
    """

    outcome: str = "not run"
    values: Mapping[str, Any] = field(default_factory=dict)
    n: Mapping[str, int | tuple[str, ...]] = field(default_factory=dict)
    devices: Devices = ()
    gated: str = ""


NOT_RUN = Finding()


class Evidence(NamedTuple):
    """The tables that a rule looks at, in its order, and the machines they were measured on."""

    tables: tuple[pd.DataFrame, ...]
    devices: Devices = ()


def devices(runs: pd.DataFrame) -> Devices:
    """What the runs ran on, each machine once."""
    if runs.empty or not set(DEVICE) <= set(runs):
        return ()
    return tuple(runs[DEVICE].drop_duplicates().itertuples(index=False, name=None))
