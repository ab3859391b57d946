"""Batch norm in training mode, by the statistics of each batch: a configuration in, records out."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from reproduction import models, records
from reproduction.images import load_images
from reproduction.trained import NORMS
from reproduction.trained.run import (
    N_IMAGES,
    SEEDS,
    accuracy,
    config,
    features_and_logits,
    has_batch_norm,
    layer_of_path,
    write,
)
from reproduction.trained.weights import trained


def run_norms(model: str, weights: str | Path, *, device: str | None, root: Path) -> Iterable[Path]:
    """Layers of a network with batch norm in training mode, batches of 64; draw 0 alone.

    Trained, and with five random weights; nothing for a network without batch norm.
    """
    found = trained(model, weights)
    if not has_batch_norm(found.network):
        return
    arch, images = found.architecture, load_images("imagenet-sample", N_IMAGES, seed=0)
    for seed in (None, *SEEDS):
        asked = config(arch, found.label if seed is None else "untrained", images, 0)
        asked["statistics"] = "of each batch of 64"
        if records.exists(NORMS, asked, seed or 0, root):
            continue
        start = time.perf_counter()
        network = found.network if seed is None else models.untrained(arch, seed)
        features, logits = features_and_logits(arch, network, images, training=True, device=device)
        layers = {module: layer_of_path(F) for module, F in features.items()}
        metrics = {"layers": layers, **accuracy(logits, images.labels)}
        yield from write(NORMS, asked, seed or 0, metrics, images, device, start, root)
