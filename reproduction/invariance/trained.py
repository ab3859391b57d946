"""Tables 4 and 5 for the networks of Table 3, before and after training."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from reproduction import grid
from reproduction.grid import Asked, Job, Measurement, default_device
from reproduction.inputs import identity
from reproduction.invariance.cells import INVARIANCE, MODELS, RELEASED_UMAP
from reproduction.invariance.run import measurements
from reproduction.paths import RESULTS
from reproduction.table_1 import find
from reproduction.training.matrices import read_matrices, trained_runs
from reproduction.training.pictures import Pictures, load_pictures, normalise
from reproduction.training.recipes import GRAM_IMAGES, RECIPES, Run, network_of
from sslib.grams import grams_and_features


def recipe_config(
    model: str, images: str, recipe: str, *, arm: str = "untrained", n_images: int = GRAM_IMAGES
) -> dict[str, Any]:
    """What names a cell of a network of Table 3, apart from its seed.

    Args:
        model: a name of `MODELS` or a timm name.
        images: of the training; the cell's are training images, cropped as for evaluation.
        recipe, arm: as in the record of its training; arm "untrained" is before it.
        n_images: how many.
    """
    return {
        "model": find(MODELS.get(model, model)).timm_name,
        "weights": "untrained" if arm == "untrained" else "trained",
        "images": images,
        "n_images": n_images,
        "recipe": recipe,
        "arm": arm,
        "umap": dict(RELEASED_UMAP),
    }


def before_jobs(
    names: Iterable[str],
    seeds: Iterable[int],
    images: Sequence[str],
    recipe: str,
    *,
    device: str | None = None,
) -> Iterator[Job]:
    """The networks that a recipe trains, as they are before training.

    Args:
        names: of `MODELS`, or timm's.
        seeds: of the weights.
        images: as for ``load_pictures``.
        recipe: a name of `RECIPES`.
        device: where the networks run; None means ``default_device()``.

    Raises:
        ValueError: an unknown model or recipe, and as ``load_pictures`` does.
    """
    if recipe not in RECIPES:
        raise ValueError(f"recipe: expected one of {', '.join(RECIPES)}, got {recipe!r}")
    names, seeds = list(names), list(seeds)
    for source in images:
        pictures = load_pictures(source, RECIPES[recipe])
        named = identity(source, *RECIPES[recipe].draws)
        measure = partial(_before, pictures=pictures, device=device or default_device())
        for seed in seeds:
            for name in names:
                config = recipe_config(name, source, recipe, n_images=len(pictures.probe))
                config |= named
                yield Job(INVARIANCE, ((config, seed),), measure)


def _before(asked: tuple[Asked, ...], *, pictures: Pictures, device: str) -> Iterator[Measurement]:
    ((config, seed),) = asked
    run = Run(config["model"], RECIPES[config["recipe"]], seed)
    network, modules = network_of(run, pictures.classes)
    batch = normalise(pictures.probe, find(config["model"]))
    grams, features = grams_and_features(network, batch, modules, device=device)
    data = pictures.data | {"n": len(pictures.probe)}
    yield from measurements(asked, grams, features, data)


def trained_jobs(folder: str | os.PathLike[str], root: Path = RESULTS) -> Iterator[Job]:
    """The networks whose matrices training has kept, beside the records of their training.

    Only the two ways that look at activations can be computed.

    Args:
        folder, root: as for ``trained_runs``.

    Raises:
        ValueError: there are no .npz files, and as ``read_matrices`` does.
    """
    for path, run in trained_runs(folder, root):
        asked = run["config"]
        config = recipe_config(asked["model"], asked["dataset"], asked["recipe"], arm=asked["arm"])
        if "content" in asked:
            config["content"] = asked["content"]
        measure = partial(_trained, path=path, data=run["data"])
        yield Job(INVARIANCE, ((config, run["seed"]),), measure)


def _trained(asked: tuple[Asked, ...], *, path: Path, data: Any) -> Iterator[Measurement]:
    grams = read_matrices(path)
    B = len(next(iter(grams.values())).products)
    if B != GRAM_IMAGES:
        raise ValueError(f"{path.name}: expected matrices of {GRAM_IMAGES} images, got {B}")
    yield from measurements(asked, grams, None, data)


def run_before_training(
    names: Iterable[str],
    seeds: Iterable[int],
    images: Sequence[str],
    recipe: str,
    *,
    device: str | None = None,
    root: Path = RESULTS,
) -> Iterator[Path]:
    """Run ``before_jobs``: a record per network, images and seed; skips what is done."""
    device = device or default_device()
    return grid.run(before_jobs(names, seeds, images, recipe, device=device), root, device=device)


def run_trained(folder: str | os.PathLike[str], *, root: Path = RESULTS) -> Iterator[Path]:
    """Run ``trained_jobs``: a record per trained network; skips what is done."""
    return grid.run(trained_jobs(folder, root), root)
