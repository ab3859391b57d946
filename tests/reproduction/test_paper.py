"""The printed tables against what the paper says about them, and the verdict at its limits."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

from reproduction.paper.tables import load_table, mean_of_others, verdict

NINE = ["ViT (small)", "ViT (base)", "PoolFormer", "PVT", "ResNet34", "ResNet50", "VGG", "ResMLP"]
NINE += ["MLP-Mixer"]


def test_tables_have_the_columns_and_rows_of_the_paper():
    columns = {
        1: ["model", "timm_name_in_released_code", "modules_as_printed", "family"],
        2: ["model", "untrained", "pretrained"],
        3: ["model", "dataset", "arm", "top1_mean", "top1_std", "ss_rate_mean", "ss_rate_std"],
        4: ["model", "cifar10", "cifar100", "imagenette", "average"],
        5: ["model", "cifar10", "cifar100", "imagenette", "average"],
    }
    for number, expected in columns.items():
        table = load_table(number)
        assert list(table.columns) == expected
        assert not table.isna().any(axis=None)
    assert list(load_table(1).model) == list(load_table(2).model) == NINE
    assert len(load_table(3)) == 9 * 3 * 2 and set(load_table(3).model) == set(NINE)


def test_values_spot_checked_against_the_print():
    assert load_table(2).set_index("model").loc["PoolFormer"].tolist() == [0.34, 0.43]
    row = (
        load_table(3)
        .set_index(["model", "dataset", "arm"])
        .loc["ViT (base)", "imagenette", "constrained"]
    )
    assert row.tolist() == [82.93, 0.24, 0.39, 0.01]
    assert load_table(4).set_index("model").at["VGG", "average"] == 0.7149
    assert load_table(5).set_index("model").at["MLP-Mixer", "cifar100"] == 0.1390


@pytest.mark.parametrize("number", [4, 5])
def test_printed_averages_follow_from_the_columns(number):
    table = load_table(number)
    mean = table[["cifar10", "cifar100", "imagenette"]].mean(axis=1)
    # Two averages of Table 5 are rounded up rather than to the nearest digit, hence 1e-4 and not
    # 0.5e-4.
    assert (mean - table.average).abs().max() < 1e-4
    assert table.average.is_monotonic_increasing  # both tables are rankings


def test_gains_of_table_3_by_arithmetic():
    top1 = load_table(3).pivot_table(index=["model", "dataset"], columns="arm", values="top1_mean")
    gain = (top1.constrained - top1.baseline).groupby("model").mean().round(2)
    assert gain[["MLP-Mixer", "ResMLP", "ViT (small)", "ViT (base)"]].tolist() == [
        0.56,
        1.45,
        1.49,
        4.57,
    ]


@pytest.mark.parametrize("number", [0, 6, -1, 2.0, "2", True, None])
def test_other_tables_are_refused(number):
    with pytest.raises(ValueError, match="number must be"):
        load_table(number)


@pytest.mark.parametrize(
    ("ours", "std", "expected"),
    [
        (0.13, None, "reproduced"),
        (0.16, None, "reproduced"),
        (0.10, None, "reproduced"),
        (0.1601, None, "differs"),
        (0.66, None, "differs"),
        (0.13, 0.03, "reproduced"),  # 0.13 ± 0.029 at 90 %
        (0.13, 0.032, "open"),  # a wide spread makes nothing reproduced
        (0.158, 0.001, "reproduced"),
        (0.16, 0.001, "open"),
        (0.19, 0.02, "differs"),  # 0.165 to 0.215
        (0.19, 0.03, "open"),
        (0.13, math.nan, "open"),  # one seed of several has a spread that is not known
    ],
)
def test_verdict_at_its_limits(ours, std, expected):
    assert verdict(ours, 0.13, std=std, seeds=5) == expected


def test_limits_hold_in_decimal():
    assert 0.27 - 0.24 > 0.03 and verdict(0.27, 0.24) == "reproduced"


def test_a_value_on_the_margin_passes_in_five_per_cent():
    random, said = np.random.default_rng(0), []
    for _ in range(2000):
        runs = 0.16 + 0.02 * random.standard_normal(5)
        said.append(verdict(runs.mean(), 0.13, std=runs.std(ddof=1), seeds=5))
    assert 0.03 < said.count("reproduced") / len(said) < 0.07


def test_a_guess_from_the_other_values_meets_few():
    """Mean of the other eight: what stands beside the score of Table 2."""
    column = load_table(2)["untrained"]
    guess = mean_of_others(column)
    assert guess[0] == pytest.approx((column.sum() - column[0]) / 8)
    met = [verdict(*pair) for pair in zip(guess, column, strict=True)]
    assert met.count("reproduced") == 2


def test_verdict_without_a_measurement_or_at_quick_scale():
    assert verdict(0.13, 0.13, scale="quick") == "no verdict (quick scale)"
    assert verdict(0.9, 0.13, scale="quick") == "no verdict (quick scale)"
    for missing in (None, math.nan, np.float64("nan"), pd.NA):
        assert verdict(missing, 0.13) == verdict(missing, 0.13, scale="quick") == "not run"
    for scale in ("gpu", "paper", "full"):
        assert verdict(0.13, 0.13, scale=scale) == "reproduced"


def test_verdict_takes_numbers_of_every_kind():
    assert (
        verdict(torch.tensor(0.14), np.float32(0.13), std=torch.tensor(0.0), seeds=3)
        == "reproduced"
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"ours": -0.1}, "ours"),
        ({"ours": math.inf}, "ours"),
        ({"ours": "many"}, "ours"),
        ({"theirs": None}, "theirs"),
        ({"theirs": math.nan}, "theirs"),
        ({"theirs": 87.35}, "theirs"),
        ({"theirs": -0.1}, "theirs"),
        ({"std": -0.01}, "std"),
        ({"std": math.inf}, "std"),
        ({"scale": "Quick"}, "scale"),
    ],
)
def test_verdict_refuses_what_makes_no_sense(arguments, named):
    with pytest.raises(ValueError, match=named):
        verdict(**{"ours": 0.13, "theirs": 0.13} | arguments)
