"""The whole measurement in one call: SS_rate of layers, each beside noise of its shape."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from sslib import checks
from sslib.boxes import FORMULAS, curve_of, warn_degenerate
from sslib.distances import Distances
from sslib.features import feature_matrices
from sslib.inputs import Images
from sslib.noise import gaussian_features
from sslib.rate import ss_rate
from sslib.taps import Forward

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["D", "B", "SS_rate", "TZ", "TV", "null", "null_std", "z"]


def self_similarity(
    model: nn.Module,
    images: Images,
    modules: str | Iterable[str],
    *,
    formula: str = "released",
    layout: str | Mapping[str, str] = "auto",
    batch_size: int = 64,
    device: str | torch.device | None = None,
    tokens: str = "all",
    pool: str = "mean",
    forward: Forward | None = None,
    call: int | None = None,
    max_batches: int | None = None,
    draws: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """SS_rate of every tapped module (Alg. 1 and 2) beside its null value, one row per module.

    The null value is SS_rate of Gaussian noise with the module's D, B and mean pair distance, since
    SS_rate depends on scale. An SS_rate within about two z of it says nothing about the layer; one
    far from it, on either side, says that its distances are not those of noise.

    >>> _ = torch.manual_seed(0)
    >>> model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 32, 3))
    >>> table = self_similarity(model, torch.rand(20, 3, 16, 16), ["0", "2"])
    >>> list(table.columns)
    ['D', 'B', 'SS_rate', 'TZ', 'TV', 'null', 'null_std', 'z']
    >>> table.loc["2", ["D", "B"]].astype(int).tolist(), bool(table["SS_rate"].between(0, 1).all())
    ([32, 20], True)

    Args:
        model, images, modules, layout, batch_size, device: as for ``sslib.feature_matrices``.
        tokens, pool, forward, call, max_batches: the same.
        formula: "released" or "printed", see ``sslib.ss_rate``.
        draws: of the noise, 2 or more; z is known to about 1 in sqrt(2 draws).
        seed: of the first draw of the noise, 0 or above; the global random state is not touched.

    Returns:
        A DataFrame indexed by module, in the order of `modules`: D and B, channels and images;
        SS_rate, 0 to 1; TZ and TV, smallest and largest pair distance in the unit of the module's
        output; null and null_std, mean and standard deviation of the noise's SS_rate; z = (SS_rate
        - null) / null_std. Where all distances of a module are equal, SS_rate, null, null_std and z
        are NaN, with a `DegenerateDistances` warning that names it.

    Raises:
        ValueError: an argument is not as said above; a module's F has D < 2 or is not finite.
        ImportError: pandas is not installed.
    """
    pd = checks.extra("pandas")
    checks.choice("formula", formula, FORMULAS)
    checks.integer("draws", draws, 2)
    checks.integer("seed", seed, 0)
    options: dict[str, Any] = {"layout": layout, "batch_size": batch_size, "device": device}
    options |= {"tokens": tokens, "pool": pool, "forward": forward, "call": call}
    features = feature_matrices(model, images, modules, max_batches=max_batches, **options)
    rows = {}
    for name, F in features.items():
        C = Distances(checks.matrix(f"module {name!r}: F", F))
        curve = curve_of(C, formula, 256)
        (D, B), rate = F.shape, float(curve.ss_rate)
        null = torch.full((draws,), math.nan, device="cpu")
        if math.isnan(rate):
            warn_degenerate(D, f"module {name!r}: ")
        else:
            sums = (c.masked_fill(c.isinf(), 0).sum(dtype=torch.float64) for c in C)
            apart = sum(map(float, sums)) / C.numel()
            noise = (gaussian_features(D, B, apart, seed=seed + k) for k in range(draws))
            null = torch.stack([ss_rate(one.to(F), formula=formula) for one in noise])
        mean, std = float(null.double().mean()), float(null.double().std())
        z = (rate - mean) / std if std > 0 else math.nan
        rows[name] = D, B, rate, float(curve.theta_min), float(curve.theta_max), mean, std, z
    return pd.DataFrame.from_dict(rows, orient="index", columns=COLUMNS).rename_axis("module")
