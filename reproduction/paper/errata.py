"""Slips of the paper (data/paper/errata.yml), with their numbers worked out from its tables."""

from __future__ import annotations

import pandas as pd
import yaml

from reproduction.paper import audit
from reproduction.paper.tables import MARKED, released_commands
from reproduction.paths import PAPER

COLUMNS = ("where", "printed", "should_be", "why", "found")


def table() -> pd.DataFrame:
    """Every erratum, a row each, numbers filled in: where, printed, should_be, why, found.

    >>> table().loc[5, "should_be"]
    '0.56 to 4.57 points (0.80 to 6.36 % of the baseline)'
    """
    values = numbers()
    entries = yaml.safe_load((PAPER / "errata.yml").read_text(encoding="utf-8"))
    rows = [[entry[key].format(**values) for key in COLUMNS] for entry in entries]
    return pd.DataFrame(rows, columns=COLUMNS)


def numbers() -> dict[str, object]:
    """What the braces in errata.yml stand for.

    >>> numbers()["falling"], numbers()["rising"]
    ('ResNet34 and VGG', 7)
    """
    gains, change = audit.gains(), audit.table_2_changes()
    means = audit.mean_gains().loc[list(MARKED)]
    marked, moved = change["untrained"][list(MARKED)], audit.movement()["change"]
    commands = released_commands().dropna(subset=["alpha"])
    alpha, printed = commands["alpha"], commands[commands["alpha"] == 1e-4]
    mixer, pool = (gains.loc[(model, "imagenette")] for model in ("MLP-Mixer", "PoolFormer"))
    averages, trained = audit.readded_averages()["mean"], change["pretrained"]
    return {
        "largest": audit.largest_ss_rate_as_printed(384),
        "smallest_table2": audit.smallest_ss_rate_in_print(),
        "alpha_low": f"{alpha.min():g}",
        "alpha_high": f"{alpha.max():g}",
        "alpha_n": len(alpha),
        "alpha_large": int((alpha == alpha.max()).sum()),
        "alpha_printed": len(printed),
        "alpha_models": " and ".join(printed["model"].unique()),
        "points_low": means["points"].min(),
        "points_high": means["points"].max(),
        "relative_low": means["relative"].min(),
        "relative_high": means["relative"].max(),
        "largest_gain": gains["gain"].max(),
        "largest_relative": gains["relative"].max(),
        "mixer_from": mixer["baseline"],
        "mixer_to": mixer["constrained"],
        "poolformer_gain": pool["gain"],
        "poolformer_low": pool["low"],
        "poolformer_high": pool["high"],
        "rising": int((change["change"] > 0).sum()),
        "n_models": len(change),
        "falling": " and ".join(change.index[change["change"] < 0]),
        "rho4": audit.invariance_correlation(4).estimate,
        "rho5": audit.invariance_correlation(5).estimate,
        "vgg_untrained": change.loc["VGG", "untrained"],
        "marked_low": marked.min(),
        "marked_high": marked.max(),
        "cells": len(moved),
        "higher": int((moved > 0).sum()),
        "lower": int((moved < 0).sum()),
        "vgg_trained": trained["VGG"],
        "vgg_rank": int(trained.rank()["VGG"]),
        "vit_trained": trained["ViT (small)"],
        "resnet5": averages[5, "ResNet"],
        "pvt5": averages[5, "PVT"],
    }
