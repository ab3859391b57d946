"""What the page on SS_rate computes while the book is built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from reproduction import models
from reproduction.images import load_images
from reproduction.invariance.known import KNOWN_SETS, known_points
from reproduction.models import features_of
from reproduction.paper.tables import FORMULAS
from reproduction.sensitivity.cells import ONE_PER_FAMILY, layer_name, middle
from reproduction.sensitivity.nulls import null_features
from reproduction.sensitivity.run import one_factor
from reproduction.table_1 import find
from sslib.rate import ss_rate


def middle_layers(
    settings: Mapping[str, Any], names: Iterable[str] = ONE_PER_FAMILY
) -> dict[str, Tensor]:
    """F of the middle layer of some untrained networks, by timm's name.

    Args:
        settings: "images", "n_images" and "seed", which is of the weights and of the draw of
            images.
        names: of the networks; one per family unless others are asked for.
    """
    seed, features = settings["seed"], {}
    pictures = load_images(settings["images"], settings["n_images"], seed=seed).normalised()
    for name in names:
        architecture, module = find(name), middle(name)
        network = models.untrained(name, seed)
        features |= {name: features_of(architecture, network, pictures, modules=[module])[module]}
    return features


def changed_rates(F: Tensor) -> pd.DataFrame:
    """SS_rate by both formulas of F rotated, shifted, reordered and multiplied: a row per change.

    >>> rates = changed_rates(torch.tensor([[0.0, 1.0], [1.0, 1.0], [3.0, 0.0]]))
    >>> bool(abs(rates.loc["rotated"] - rates.loc["as it is"]).max() < 1e-6)
    True
    """
    F, generator = F.double(), torch.Generator().manual_seed(0)
    images = F.shape[1]
    turn = torch.linalg.qr(torch.randn(images, images, generator=generator, dtype=F.dtype)).Q
    changed = {
        "as it is": F,
        "rotated": F @ turn,
        "shifted by one vector": F + 5 * turn[0],
        "channels in another order": F.flip(0),
    } | {f"multiplied by {c:g}": c * F for c in (0.01, 0.1, 10, 100)}
    rates = {
        name: {f: float(ss_rate(X, formula=f)) for f in FORMULAS} for name, X in changed.items()
    }
    return pd.DataFrame.from_dict(rates, orient="index")


def fractal_rates(n: int = 512, clouds: int = 10) -> pd.DataFrame:
    """Released SS_rate of point sets of known dimension, and of Gaussian clouds like them.

    Args:
        n: points of each set.
        clouds: how many, of as many points and coordinates and the same mean distance.

    Returns:
        A row per set: "dimension", "rate", "low" and "high", the smallest and largest of clouds.
    """
    rows = {}
    for name, dimension in KNOWN_SETS.items():
        F = torch.from_numpy(known_points(name, n))
        noise = [float(ss_rate(null_features(F, "gaussian", seed=k))) for k in range(clouds)]
        rows[name] = {
            "dimension": dimension,
            "rate": float(ss_rate(F)),
            "low": min(noise),
            "high": max(noise),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def factor_rates(features: Mapping[str, Tensor], draws: int) -> pd.DataFrame:
    """Released SS_rate of each layer as one thing changes, mean over draws.

    Args:
        features: timm's name -> F of its middle layer.
        draws: of channels and images.

    Returns:
        A row per factor and value, a column per layer.
    """
    rates = {
        layer_name(name): pd.DataFrame(one_factor(F, draws=draws, resamples=20))
        .groupby(["factor", "value"], sort=False)["released"]
        .mean()
        for name, F in features.items()
    }
    return pd.concat(rates, axis=1, sort=False)  # their values are words and numbers: unsorted
