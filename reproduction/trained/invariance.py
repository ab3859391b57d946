"""Tables 4 and 5 of trained networks beside untrained ones: a configuration in, a record out."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from reproduction import models, records
from reproduction.grid import default_device
from reproduction.images import load_images
from reproduction.invariance.run import DRAW, N_IMAGES, invariance_metrics
from reproduction.trained import INVARIANCE
from reproduction.trained.run import config, write
from reproduction.trained.weights import trained
from sslib.dimension import RELEASED_UMAP
from sslib.grams import grams_and_features

IMAGES = ("cifar10", "imagenette")
SEEDS = range(3)


def run_invariance(
    model: str, weights: str | Path, *, device: str | None, root: Path
) -> Iterable[Path]:
    """σ and Δ of the trained network and of three untrained ones, as in Tables 4 and 5."""
    found, device = trained(model, weights), device or default_device()
    sets = {name: load_images(name, N_IMAGES, seed=DRAW) for name in IMAGES}
    for seed in (None, *SEEDS):
        label = found.label if seed is None else "untrained"
        for images in sets.values():
            asked = config(found.architecture, label, images, DRAW) | {"umap": dict(RELEASED_UMAP)}
            if records.exists(INVARIANCE, asked, seed or 0, root):
                continue
            start = time.perf_counter()
            arch = found.architecture
            network = found.network if seed is None else models.untrained(arch, seed)
            batch = images.normalised(arch.mean, arch.std)
            grams, features = grams_and_features(network, batch, arch.modules, device=device)
            del batch
            metrics = invariance_metrics(grams, {m: F.cpu() for m, F in features.items()})
            yield from write(INVARIANCE, asked, seed or 0, metrics, images, device, start, root)
