"""CKA of networks that have nothing in common but the images: the reference for what training
leaves.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from reproduction import grid
from reproduction.grid import Asked, Job, Measurement, default_device
from reproduction.paths import RESULTS
from reproduction.sensitivity.cells import UNRELATED
from reproduction.sensitivity.measures import cka_of_grams
from reproduction.table_1 import find
from reproduction.training.pictures import load_pictures, normalise
from reproduction.training.recipes import RECIPES, Run, network_of
from sslib.grams import activation_grams


def jobs(
    names: Iterable[str],
    seeds: Iterable[int],
    *,
    dataset: str = "cifar10",
    recipe: str = "cpu",
    device: str | None = None,
) -> Iterator[Job]:
    """Each network with random weights beside itself with those of the next seed, before training:
    CKA of every layer's whole activations, over the images that ``run.cka_jobs`` takes.

    Args:
        names: by the paper's names or timm's.
        seeds: the first of each two; with 0, 2, 4 no network is in two pairs.
        dataset, recipe: as for training.
    """
    for name in names:
        asked = {"model": find(name).timm_name, "dataset": dataset, "recipe": recipe}
        cells = tuple((asked, seed) for seed in seeds)
        yield Job(UNRELATED, cells, partial(_measure, device or default_device()))


def _measure(device: str, cells: tuple[Asked, ...]) -> Iterator[Measurement]:
    for asked, seed in cells:
        recipe = RECIPES[asked["recipe"]]
        pictures = load_pictures(asked["dataset"], recipe)
        probe, grams = normalise(pictures.probe, find(asked["model"])), []
        for one in (seed, seed + 1):
            network, modules = network_of(Run(asked["model"], recipe, one), pictures.classes)
            grams.append(activation_grams(network, probe, modules, device=device))
        layers = {
            module: {
                "features": gram.features,
                "images": len(gram.products),
                "biased": cka_of_grams(gram.products, grams[1][module].products),
                "unbiased": cka_of_grams(gram.products, grams[1][module].products, unbiased=True),
            }
            for module, gram in grams[0].items()
        }
        data = pictures.data | {"n": len(probe)}
        yield Measurement(asked, seed, {"layers": layers}, data)


def run_unrelated(
    names: Iterable[str],
    seeds: Iterable[int] = (0, 2, 4),
    *,
    device: str | None = None,
    root: str | os.PathLike[str] = RESULTS,
) -> Iterator[Path]:
    """Write the missing records of ``jobs``, and yield their paths."""
    device = device or default_device()
    return grid.run(jobs(names, seeds, device=device), Path(root), device=device)
