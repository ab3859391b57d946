"""How alike the layers of trained and untrained networks are: a configuration in, records out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from reproduction import models, records
from reproduction.images import load_images
from reproduction.sensitivity.measures import linear_cka
from reproduction.trained import SIMILARITY
from reproduction.trained.run import N_IMAGES, SEEDS, config, features_and_logits, write
from reproduction.trained.weights import trained


def similarity(U: Mapping[str, Tensor], V: Mapping[str, Tensor]) -> dict[str, dict[str, float]]:
    """Linear CKA of each module in two networks, on the same images, biased and unbiased."""
    return {
        module: {
            "D": len(F),
            "biased": linear_cka(F, V[module]),
            "unbiased": linear_cka(F, V[module], unbiased=True),
        }
        for module, F in U.items()
    }


def run_similarity(
    model: str, weights: str | Path, *, device: str | None, root: Path
) -> Iterable[Path]:
    """Each untrained network with the trained one, and with that of the next seed; draw 0 alone.

    Two random networks have nothing in common but their architecture and the images: the reference
    for what training leaves.
    """
    found = trained(model, weights)
    arch, images = found.architecture, load_images("imagenet-sample", N_IMAGES, seed=0)
    asked = config(arch, "untrained", images, 0) | {"weights": found.label}
    if all(records.exists(SIMILARITY, asked, seed, root) for seed in SEEDS):
        return
    start = time.perf_counter()
    features: dict[int | None, Mapping[str, Tensor]] = {}
    for seed in (None, *SEEDS):
        network = found.network if seed is None else models.untrained(arch, seed)
        features[seed] = features_and_logits(arch, network, images, device=device)[0]
    for seed in SEEDS:
        other = (seed + 1) % len(SEEDS)
        metrics: dict[str, Any] = {
            "trained": similarity(features[seed], features[None]),
            "another seed": similarity(features[seed], features[other]),
        }
        if not records.exists(SIMILARITY, asked, seed, root):
            yield from write(SIMILARITY, asked, seed, metrics, images, device, start, root)
        start = time.perf_counter()
