"""What a record keeps of one layer: SS_rate by both formulas, and the distances behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from reproduction.paper.tables import FORMULAS
from reproduction.sensitivity.measures import participation_ratio
from sslib.boxes import box_curve
from sslib.distances import pair_distances


def layer_metrics(F: Tensor) -> dict[str, float]:
    """SS_rate of a layer by both formulas, and what its distances are like.

    >>> metrics = layer_metrics(torch.tensor([[0.0], [1.0], [3.0], [7.0]]))
    >>> metrics["D"], metrics["TZ"], metrics["TV"], round(metrics["distance_mean"], 4)
    (4, 1.0, 7.0, 3.8333)

    Args:
        F: (D, B) feature matrix.

    Returns:
        D; the SS_rates "released" and "printed"; TZ and TV; mean, standard deviation and skewness
        of the distances of pairs i < j; and the participation ratio.

    Raises:
        ValueError: as ``box_curve`` does.
    """
    D = len(F)
    curves = {formula: box_curve(F, formula=formula) for formula in FORMULAS}
    pairs = pair_distances(F).double()[torch.ones(D, D, dtype=torch.bool).triu(1)]
    mean, std = pairs.mean(), pairs.std(correction=0)
    return {
        "D": D,
        **{formula: float(curve.ss_rate) for formula, curve in curves.items()},
        "TZ": float(curves["released"].theta_min),
        "TV": float(curves["released"].theta_max),
        "distance_mean": float(mean),
        "distance_std": float(std),
        "distance_skewness": float(((pairs - mean) ** 3).mean() / std**3),
        "participation_ratio": participation_ratio(F),
    }


def mean_rates(
    layers: Mapping[str, Mapping[str, float]], modules: Iterable[str]
) -> dict[str, float]:
    """SS_rate by both formulas, averaged over some of the layers.

    >>> layers = {"a": {"released": 0.1, "printed": 0.6}, "b": {"released": 0.3, "printed": 0.8}}
    >>> {formula: round(rate, 2) for formula, rate in mean_rates(layers, "ab").items()}
    {'released': 0.2, 'printed': 0.7}
    """
    chosen = [layers[module] for module in modules]
    return {f: sum(layer[f] for layer in chosen) / len(chosen) for f in FORMULAS}
