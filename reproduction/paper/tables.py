"""The paper's printed tables, and the verdict "ours against theirs"."""

from __future__ import annotations

import math
from typing import SupportsFloat

import pandas as pd

from reproduction.paths import PAPER

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

REPRODUCED = 0.03

NEAR = 0.06

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
    return pd.read_csv(file)


def verdict(
    ours: SupportsFloat | None,
    theirs: SupportsFloat,
    *,
    std: SupportsFloat | None = None,
    scale: str = "full",
) -> str:
    """What a measured SS_rate says about the printed one, for the SS_rate columns of Tables 2 and
    3.

    With d = abs(ours - theirs), limits included:

    - "reproduced": d is at most 0.03 or two standard deviations over seeds, whichever is larger;
    - "near": d is at most 0.06;
    - "differs": otherwise.

    `theirs` is taken as printed: it is rounded to two digits, so up to 0.005 of d may be rounding,
    and no allowance is made for it. `std` is ours, over seeds; None or NaN (one seed) leaves 0.03
    alone. "no verdict (quick scale)" is all that `scale` "quick" gives, and "not run" where `ours`
    is None or NaN.

    >>> verdict(0.148, 0.13), verdict(0.215, 0.13), verdict(0.215, 0.13, std=0.05)
    ('reproduced', 'differs', 'reproduced')
    >>> verdict(0.148, 0.13, scale="quick"), verdict(None, 0.13)
    ('no verdict (quick scale)', 'not run')

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
    difference = abs(measured - printed) - _ROUNDING
    if difference <= max(REPRODUCED, 2 * (spread or 0)):
        return "reproduced"
    return "near" if difference <= NEAR else "differs"


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
