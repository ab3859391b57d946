"""The paper's printed tables, and the verdict "ours against theirs"."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import SupportsFloat

import pandas as pd

from reproduction.paths import PAPER
from reproduction.stats_means import INSIDE, OPEN, OUTSIDE, Mean, beside_margin

#: Runs behind each mean and standard deviation of Table 3, by the paper's text.
RUNS = 10

#: The models with an arrow in Table 3.
MARKED = ("ResMLP", "MLP-Mixer", "ViT (small)", "ViT (base)")

DATASETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenette": "Imagenette"}

#: Images in the test set of each data set.
TEST_IMAGES = {"cifar10": 10_000, "cifar100": 10_000, "imagenette": 3925}

#: The network behind a row of Tables 4 and 5 that names a family only, by the released code.
SIZES = {"ViT": "ViT (small)", "ResNet": "ResNet34"}


def released_commands() -> pd.DataFrame:
    """The training commands of the authors' published scripts: learning rate, alpha and gamma by
    model, data set, arm.
    """
    return pd.read_csv(PAPER / "released_commands.csv")


#: The two definitions of SS_rate: what the authors' code runs, and what the paper prints.
FORMULAS = ("released", "printed")

SCALES = ("quick", "gpu", "paper", "full")

#: By how much a mean SS_rate may differ from a printed one and count as the same.
MARGIN = 0.03

# In binary, 0.27 - 0.24 is a little more than 0.03.
_ROUNDING = 1e-9


def load_table(number: int) -> pd.DataFrame:
    """Table `number` (1 to 5) of the paper as printed.

    One row per model (Table 3: per model, data set and arm) in the paper's order, columns as in
    ``data/paper/table<number>.csv``. SS_rate and the invariances of Tables 4 and 5 have no unit,
    top-1 accuracies are percentages. Raises ValueError for any other number, FileNotFoundError
    outside a checkout, as the tables are no part of the installed package.

    >>> load_table(2).head(2)
             model  untrained  pretrained
    0  ViT (small)       0.13        0.66
    1   ViT (base)       0.13        0.46
    """
    if type(number) is not int or not 1 <= number <= 5:
        raise ValueError(
            f"number must be 1, 2, 3, 4 or 5, as the paper has five tables, got {number!r}"
        )
    file = PAPER / f"table{number}.csv"
    if not file.is_file():
        raise FileNotFoundError(
            f"{file} is not there: "
            "the paper's tables lie in the checkout of the repository, not in the wheel"
        )
    return _read(file).copy()


@cache
def _read(file: Path) -> pd.DataFrame:
    return pd.read_csv(file)


def verdict(
    ours: SupportsFloat | None,
    theirs: SupportsFloat,
    *,
    std: SupportsFloat | None = None,
    seeds: int = 1,
    margin: float = MARGIN,
    scale: str = "full",
) -> str:
    """What a measured SS_rate says about the printed one, for the SS_rate columns of Tables 2 and
    3: a test of equivalence.

    - "reproduced": the mean lies within `margin` of the printed value, by two one-sided t tests at
      5 % over seeds;
    - "differs": its 95 % interval lies wholly beyond the margin;
    - "open": otherwise. A wide spread over seeds makes a value open, never reproduced.

    `theirs` is taken as printed: it is rounded to two digits and has no ±, and no allowance is made
    for either. "no verdict (quick scale)" is all that `scale` "quick" gives, and "not run" where
    `ours` is None or NaN.

    >>> verdict(0.14, 0.13, std=0.01, seeds=5), verdict(0.215, 0.13, std=0.05, seeds=5)
    ('reproduced', 'open')
    >>> verdict(0.148, 0.13, scale="quick"), verdict(None, 0.13)
    ('no verdict (quick scale)', 'not run')

    Args:
        ours: mean over seeds.
        theirs: the printed value.
        std: of ours over seeds; NaN where there is one seed of several that could be, which leaves
            the value open; None where there is one network only, as with published weights, which
            counts as it is.
        seeds: how many are behind `ours`.
        margin: in units of SS_rate.

    Raises:
        ValueError: `theirs` outside 0..1, `ours` or `std` negative or infinite, and an unknown
            `scale`.
    """
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
    printed = _number("theirs", theirs)
    if printed is None or printed > 1:
        raise ValueError(f"theirs must be a printed SS_rate between 0 and 1, got {theirs!r}")
    measured, spread = _number("ours", ours), _number("std", std)
    if measured is None:
        return "not run"
    if scale == "quick":
        return "no verdict (quick scale)"
    if std is None:
        off = Mean(measured - printed, 0.0, math.inf)
    elif spread is None or seeds < 2:
        return "open"
    else:
        off = Mean(measured - printed, spread / math.sqrt(seeds), seeds - 1)
    where = beside_margin(off, margin + _ROUNDING)
    return {INSIDE: "reproduced", OUTSIDE: "differs", OPEN: "open"}[where]


def mean_of_others(column: pd.Series) -> pd.Series:
    """The mean of all other values of a column: what one would expect of a network about which
    nothing is known. Predictions that are no nearer to print are worth nothing.

    >>> mean_of_others(pd.Series([0.1, 0.2, 0.3])).round(2).tolist()
    [0.25, 0.2, 0.15]
    """
    return (column.sum() - column) / (len(column) - 1)


def _number(name: str, value: SupportsFloat | None) -> float | None:
    if value is None or value is pd.NA:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a number, got {value!r}") from error
    if number < 0 or math.isinf(number):
        raise ValueError(f"{name} must be finite and at least 0, got {value!r}")
    return None if math.isnan(number) else number
