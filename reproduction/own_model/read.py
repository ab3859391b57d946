"""Tables of the page on your own model, as it shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd


def averages(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """SS_rate and its null value averaged over the layers of each model.

    Args:
        tables: model -> DataFrame of ``sslib.self_similarity``.
    """
    means = {name: table[["SS_rate", "null"]].mean() for name, table in tables.items()}
    return pd.DataFrame(means).T.rename(columns={"null": "noise"}).round(2)


class AgainstNoise(NamedTuple):
    """How the layers of each model compare with noise.

    Attributes:
        models: by name, how many of its layers lie within two standard deviations of noise, below
            and above.
        low, high: the range of the null value.
    """

    models: Mapping[str, tuple[int, int, int]]
    low: float
    high: float


def against_noise(tables: Mapping[str, pd.DataFrame]) -> AgainstNoise:
    """The outcome per model: its layers are no independent cases.

    Args:
        tables: as for `averages`.
    """
    models = {}
    for name, table in tables.items():
        z = table["z"]
        models[name] = int((z.abs() < 2).sum()), int((z <= -2).sum()), int((z >= 2).sum())
    null = pd.concat(tables)["null"]
    return AgainstNoise(models, null.min(), null.max())


def how_many(table: pd.DataFrame) -> pd.DataFrame:
    """SS_rate with fewer images and with fewer channels.

    Args:
        table: of ``live.how_many``.
    """
    D, B = table["channels"].max(), table["images"].max()
    columns = {
        "images": [
            f"the first {b}" if d == D else f"all {B}"
            for d, b in zip(table["channels"], table["images"], strict=True)
        ],
        "SS_rate": [
            f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f}"
            for low, high in zip(table["low"], table["high"], strict=True)
        ],
    }
    return pd.DataFrame(
        columns, [f"all {d}" if d == D else f"{d} drawn" for d in table["channels"]]
    )


def refused(table: pd.DataFrame) -> pd.DataFrame:
    """What is refused, and what is not.

    Args:
        table: of ``refusals.refusals``.
    """
    shown = table.assign(refused=table["refused"].map({True: "yes", False: "no"}))
    return shown.sort_values("refused", ascending=False, kind="stable")


def scaled(rates: pd.Series) -> pd.DataFrame:
    """SS_rate of the same features in other units.

    Args:
        rates: by factor, of ``live.scaled``.
    """
    columns = {f"× {factor:g}": f"{rate:.2f}" for factor, rate in rates.items()}
    return pd.DataFrame(columns, ["SS_rate"])


def trained_models(table: pd.DataFrame) -> pd.DataFrame:
    """SS_rate of the layers and accuracy, with and without the constraint.

    Args:
        table: of ``live.trained_models``.
    """
    columns = {
        f"SS_rate, layer {name}": table[name].map("{:.2f}".format)
        for name in table.columns.drop("accuracy")
    }
    columns["test accuracy, %"] = table["accuracy"].map("{:.0f}".format)
    return pd.DataFrame(columns)


class Effect(NamedTuple):
    """What the constraint did: mean distance of the layers' SS_rate from the target with and
    without it, and the change of the accuracy in points.
    """

    target: float
    distance: float
    distance_without: float
    accuracy: float


def effect(table: pd.DataFrame, target: float) -> Effect:
    """The second row of a table against its first.

    Args:
        table: of ``live.trained_models``.
        target: of the constraint.
    """
    without, constrained = (
        (table.drop(columns="accuracy") - target).abs().mean(axis=1).iloc[row] for row in (0, 1)
    )
    accuracy = table["accuracy"].iloc[1] - table["accuracy"].iloc[0]
    return Effect(target, constrained, without, accuracy)
