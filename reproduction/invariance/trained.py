"""Tables 4 and 5 for networks before and after training."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from reproduction import models, records
from reproduction.grid import default_device, written
from reproduction.invariance.run import INVARIANCE, MODELS, _record
from reproduction.paths import RESULTS
from reproduction.training.matrices import read_matrices, trained_runs
from reproduction.training.pictures import load_pictures, normalise
from reproduction.training.recipes import GRAM_IMAGES, RECIPES, Run, network_of
from sslib.dimension import RELEASED_UMAP
from sslib.grams import grams_and_features


def recipe_config(
    model: str, images: str, recipe: str, *, arm: str = "untrained", n_images: int = GRAM_IMAGES
) -> dict[str, Any]:
    """What names a cell of a network of Table 3, apart from its seed: before training (arm
    "untrained") or after it.

    recipe, arm: as in the record of its training. The images are training images, cropped as for
    evaluation.
    """
    return {
        "model": models.find(MODELS.get(model, model)).timm_name,
        "weights": "untrained" if arm == "untrained" else "trained",
        "images": images,
        "n_images": n_images,
        "recipe": recipe,
        "arm": arm,
        "umap": dict(RELEASED_UMAP),
    }


def run_before_training(
    names: Iterable[str],
    seeds: Iterable[int],
    images: Sequence[str],
    recipe: str,
    *,
    device: str | None = None,
    root: Path = RESULTS,
) -> Iterable[Path]:
    """Measure the networks that a recipe trains, as they are before training; skips what is done.

    Raises ValueError for an unknown model or recipe, and as ``load_pictures`` does.
    """
    if recipe not in RECIPES:
        raise ValueError(f"recipe: expected one of {', '.join(RECIPES)}, got {recipe!r}")
    device = device or default_device()
    for source in images:
        pictures = load_pictures(source, RECIPES[recipe])
        data = {"name": source, "n": len(pictures.probe), "fingerprint": pictures.fingerprint}
        for seed in seeds:
            for name in names:
                config = recipe_config(name, source, recipe, n_images=len(pictures.probe))
                if records.exists(INVARIANCE, config, seed, root):
                    continue
                start = time.perf_counter()
                network, modules = network_of(
                    Run(config["model"], RECIPES[recipe], seed), pictures.classes
                )
                batch = normalise(pictures.probe, models.find(config["model"]))
                grams, F = grams_and_features(network, batch, modules, device=device)
                walk = time.perf_counter() - start
                yield from written(
                    _record(config, seed, grams, F, data=data, device=device, seconds=walk), root
                )


def run_trained(folder: str | os.PathLike[str], *, root: Path = RESULTS) -> Iterable[Path]:
    """Turn the matrices of trained networks into records, beside the records of their training;
    skips what is done.

    folder: as for ``trained_runs``. Only the two ways that look at activations can be computed.

    Raises ValueError if there are no .npz files, and as ``read_matrices`` does.
    """
    for path, run in trained_runs(folder, root):
        asked = run["config"]
        config = recipe_config(asked["model"], asked["dataset"], asked["recipe"], arm=asked["arm"])
        if records.exists(INVARIANCE, config, run["seed"], root):
            continue
        start = time.perf_counter()
        grams = read_matrices(path)
        B = len(next(iter(grams.values())).products)
        if B != GRAM_IMAGES:
            raise ValueError(f"{path.name}: expected matrices of {GRAM_IMAGES} images, got {B}")
        yield from written(
            _record(
                config,
                run["seed"],
                grams,
                None,
                data=run["data"],
                seconds=time.perf_counter() - start,
            ),
            root,
        )
