"""What a page of Table 2 computes when it is built: a few images, one draw of weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from reproduction import models
from reproduction.images import ImageSet
from reproduction.models import features_of
from reproduction.paper.tables import FORMULAS
from reproduction.table_1 import find
from sslib.boxes import box_curve
from sslib.distances import adjacency, pair_distances
from sslib.rate import ss_rate

#: Model -> module -> F.
Features = Mapping[str, Mapping[str, Tensor]]


def features(
    names: Iterable[str], images: ImageSet, seed: int, *, weights: str = "untrained"
) -> dict[str, dict[str, Tensor]]:
    """F of the modules of Table 1, by the paper's name of the model.

    Args:
        names: models of Table 1.
        images: as from ``load_images``.
        seed: of the random weights.
        weights: as for ``models.load``.
    """
    found = {}
    for architecture in map(find, names):
        network = models.load(architecture, weights, seed)
        batch = images.normalised(architecture.mean, architecture.std)
        modules = architecture.modules
        found[architecture.name] = features_of(architecture, network, batch, modules=modules)
    return found


def middle_layers(features: Features, titles: Mapping[str, str]) -> dict[str, Tensor]:
    """F of the module at the middle of some models' depth, by title: its model and the module.

    Args:
        features: of `features`.
        titles: model -> what to call it.
    """
    chosen = {model: list(features[model])[len(features[model]) // 2] for model in titles}
    return {
        f"{titles[model]} {module}": features[model][module] for model, module in chosen.items()
    }


def layer_rates(features: Features) -> pd.DataFrame:
    """SS_rate of every layer by both formulas.

    Returns:
        Columns model, family, module, depth (0 to 1), formula, ss_rate, as ``read.depth_profiles``.
    """
    rows = [
        (model, find(model).family, module, k / max(1, len(layers) - 1), formula, F)
        for model, layers in features.items()
        for k, (module, F) in enumerate(layers.items())
        for formula in FORMULAS
    ]
    columns = ["model", "family", "module", "depth", "formula", "F"]
    table = pd.DataFrame(rows, columns=columns)
    rates = [float(ss_rate(F, formula=formula)) for *_, formula, F in rows]
    return table.drop(columns="F").assign(ss_rate=rates)


def box_curves(layers: Mapping[str, Tensor], *, thresholds: int = 256) -> pd.DataFrame:
    """The curve behind SS_rate by both formulas: a row per layer, formula and threshold.

    >>> curves = box_curves({"a": torch.tensor([[0.0], [1.0], [3.0], [7.0]])}, thresholds=3)
    >>> curves.groupby("formula")["ss_rate"].first().round(4).to_dict()
    {'printed': 0.5155, 'released': 0.2294}

    Args:
        layers: title -> F.
        thresholds: T.

    Returns:
        Columns layer, formula, theta, density, boxes, reference (all as of ``BoxCurve``), ss_rate.
    """
    parts = []
    for title, F in layers.items():
        for formula in FORMULAS:
            curve = box_curve(F, formula=formula, thresholds=thresholds)
            names = ("theta", "density", "boxes", "reference")
            columns = {name: getattr(curve, name).double().numpy() for name in names}
            about = {"layer": title, "formula": formula}
            parts.append(pd.DataFrame(about | columns | {"ss_rate": float(curve.ss_rate)}))
    return pd.concat(parts, ignore_index=True)


def distances(layers: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """C of each layer (Eq. 8)."""
    return {title: pair_distances(F) for title, F in layers.items()}


def networks(layers: Mapping[str, Tensor], shares: Sequence[int]) -> dict[str, dict[str, Tensor]]:
    """A_epsilon of each layer (Eq. 1), with epsilon such that it joins a share of all pairs.

    >>> F = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    >>> int(networks({"a": F}, [50])["a"]["50 % of pairs"].sum()) / 2
    3.0

    Args:
        layers: title -> F.
        shares: in per cent.
    """
    graphs = {}
    for title, F in layers.items():
        pairs = pair_distances(F)[tuple(torch.triu_indices(len(F), len(F), 1))]
        pairs = pairs * math.sqrt(F.shape[1])  # Eq. 1 has no 1/sqrt(B)
        epsilon = {share: pairs.quantile(share / 100).item() for share in shares}
        graphs[title] = {f"{s} % of pairs": adjacency(F, e) for s, e in epsilon.items()}
    return graphs


def channel_table(C: ArrayLike) -> pd.DataFrame:
    """A small matrix of pair distances with its channels named."""
    matrix = np.asarray(C)
    names = [f"channel {k}" for k in range(1, len(matrix) + 1)]
    return pd.DataFrame(matrix, names, names)


def by_hand(curves: pd.DataFrame) -> pd.DataFrame:
    """From pairs to boxes at a few thresholds.

    Args:
        curves: of `box_curves`, one layer; columns formula, theta, density, boxes,
            reference.
    """
    log_boxes = np.log(curves["boxes"])
    columns = {
        "θ": curves["theta"].round().astype(int),
        "p(θ)": curves["density"],
        "N": curves["boxes"],
        "log N": log_boxes,
        "line (Eq. 4)": curves["reference"],
        "log N − line": log_boxes - curves["reference"],
    }
    return pd.DataFrame(columns).set_axis(curves["formula"]).rename_axis(None).round(4)


def rates_by_hand(curves: pd.DataFrame) -> pd.DataFrame:
    """SS_rate by formula, as ``box_curve`` has it and from the rows of its table (Eq. 3).

    Args:
        curves: as for `by_hand`, with the column ss_rate.
    """
    rows = {}
    for formula, curve in curves.groupby("formula", sort=False):
        area = (np.log(curve["boxes"]) - curve["reference"]).abs().to_numpy()
        share = np.ones(len(area))
        if formula == "printed":  # the trapezoid rule: the two ends have half the weight
            share[[0, -1]] = 0.5
        log_D = math.log(curve["boxes"].iloc[0])
        rate = 2 * (share * area).sum() / share.sum() / log_D
        rows[formula] = {"SS_rate": curve["ss_rate"].iloc[0], "by hand": rate}
    return pd.DataFrame.from_dict(rows, orient="index")


def averages(profile: pd.DataFrame) -> pd.DataFrame:
    """SS_rate averaged over the modules of each model, a column per formula, to two digits."""
    table = profile.pivot_table(index="model", columns="formula", values="ss_rate", sort=False)
    return table.rename_axis(None).rename_axis(columns=None).round(2)


def formula_gap(profile: pd.DataFrame) -> float:
    """By how much the smallest printed average lies above the largest released one."""
    means = profile.groupby(["model", "formula"])["ss_rate"].mean().unstack()
    return float(means["printed"].min() - means["released"].max())
