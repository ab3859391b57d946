"""How much a few remote channels make of SS_rate: a configuration in, a record out."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reproduction import models, records
from reproduction.images import load_images
from reproduction.trained import REMOTE
from reproduction.trained.run import SEEDS, config, features_and_logits, write
from reproduction.trained.weights import trained
from sslib.boxes import FORMULAS, scale_free_rate
from sslib.distances import pair_distances
from sslib.rate import ss_rate

#: Shares of a layer's channels that are left out.
SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.25)
N_IMAGES = 128


def without_remote(F: Tensor, *, draws: int = 5, seed: int = 0) -> list[dict[str, Any]]:
    """SS_rate of a layer without the channels that lie furthest from the others.

    Args:
        F: (D, B), D >= 8.
        draws: as many times, the same number of channels is left out at random instead.
        seed: of these.

    Returns:
        Rows of "share" asked for, "left_out" (channels, rounded up), "which" ("remote" or
        "random"), and SS_rate by both formulas and scale-free (axis mean, released); of random ones
        the mean.

    >>> F = torch.cat([torch.rand(20, 9), torch.full((1, 9), 50.0)])
    >>> rows = without_remote(F)
    >>> [row["left_out"] for row in rows if row["which"] == "remote"]
    [0, 1, 1, 2, 3, 6]
    """
    D, generator, rows = len(F), torch.Generator().manual_seed(seed), []
    nearest_first = pair_distances(F).sum(1).argsort()
    for share in SHARES:
        left_out = math.ceil(share * D)
        kept = {"remote": [nearest_first[: D - left_out]]}
        if left_out:
            kept["random"] = [
                torch.randperm(D, generator=generator)[: D - left_out] for _ in range(draws)
            ]
        for which, choices in kept.items():
            found = [_rates(F[keep]) for keep in choices]
            mean = {name: sum(rates[name] for rates in found) / len(found) for name in found[0]}
            rows.append({"share": share, "left_out": left_out, "which": which} | mean)
    return rows


def _rates(F: Tensor) -> dict[str, float]:
    rates = {formula: float(ss_rate(F, formula=formula)) for formula in FORMULAS}
    return rates | {"released, mean": scale_free_rate(F)}


def run_remote(
    model: str, weights: str | Path, *, device: str | None, root: Path
) -> Iterable[Path]:
    """`without_remote` of each layer, trained and with five random weights, on 128 images."""
    found = trained(model, weights)
    arch, images = found.architecture, load_images("imagenet-sample", N_IMAGES, seed=0)
    for seed in (None, *SEEDS):
        asked = config(arch, found.label if seed is None else "untrained", images, 0)
        if records.exists(REMOTE, asked, seed or 0, root):
            continue
        start = time.perf_counter()
        network = found.network if seed is None else models.untrained(arch, seed)
        features, _ = features_and_logits(arch, network, images, device=device)
        metrics = {"layers": {module: without_remote(F) for module, F in features.items()}}
        yield from write(REMOTE, asked, seed or 0, metrics, images, device, start, root)
