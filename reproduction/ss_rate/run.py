"""Cells of Table 2: a configuration in, a record out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reproduction import grid, models
from reproduction.grid import Asked, Job, Measurement, default_device
from reproduction.images import ImageSet, load_images
from reproduction.inputs import identity
from reproduction.models import features_of, modules_of
from reproduction.paths import RESULTS
from reproduction.ss_rate import factors
from reproduction.ss_rate.cells import (
    DRAWS,
    IMAGES,
    MODELS,
    N_IMAGES,
    SEEDS,
    SS_RATE,
    ss_rate_config,
)
from reproduction.ss_rate.layer import layer_metrics, mean_rates
from reproduction.table_1 import find, weights_label


def jobs(
    names: Iterable[str],
    seeds: Iterable[int],
    draws: Sequence[int],
    *,
    weights: str = "untrained",
    images: str = IMAGES,
    n_images: int = N_IMAGES,
    device: str | None = None,
) -> Iterator[Job]:
    """A job per model and seed of its weights, with a cell per draw of images.

    Every image passes through a model once, however many draws it is in.

    Args:
        names: models of Table 1.
        seeds: of the random weights; other weights are measured once, as seed 0.
        draws: seeds of the draw of images.
        weights: as for ``models.load``.
        images: a name of ``load_images``; read only when the first cell is measured.
        n_images: how many each draw takes.
        device: where the networks run; None means ``default_device()``.

    Raises:
        ValueError: no such model.
    """
    device = device or default_device()
    seeds = seeds if weights == "untrained" else [0]  # of random weights: there are none to draw
    drawn = cache(lambda draw: load_images(images, n_images, seed=draw))
    named = {draw: identity(images, {"n": n_images, "seed": draw}) for draw in draws}
    labels = [(find(name).timm_name, weights_label(find(name), weights)) for name in names]
    for seed in seeds:
        for name, label in labels:
            cells = tuple(
                (ss_rate_config(name, images, n_images, draw, weights=label) | named[draw], seed)
                for draw in draws
            )

            def measure(lacking: tuple[Asked, ...]) -> Iterable[Measurement]:
                sets = [drawn(config["draw"]) for config, _ in lacking]
                return measurements(lacking, sets, weights, device=device)

            yield Job(SS_RATE, cells, measure)


def measurements(
    cells: Sequence[Asked], sets: Sequence[ImageSet], weights: str, *, device: str
) -> Iterator[Measurement]:
    """One model on several draws of images: ``layer_metrics`` of every module, and the means over
    the modules printed and released.

    Args:
        cells: configurations and seeds that differ in their draw alone.
        sets: the images of each.
        weights: as for ``models.load``.
        device: where the network runs.
    """
    (config, seed), *_ = cells
    architecture = find(config["model"])
    network = models.load(architecture, weights, seed)
    groups = modules_of(architecture, network)
    images, places = _union(sets)
    batches = images.batches(architecture.mean, architecture.std)
    features = features_of(architecture, network, batches, device=device)
    for (config, seed), drawn, place in zip(cells, sets, places, strict=True):
        layers = {module: layer_metrics(F[:, place]) for module, F in features.items()}
        means = {f"mean_{group}_modules": mean_rates(layers, groups[group]) for group in groups}
        metrics = means | {"modules": groups, "layers": layers}
        yield Measurement(config, seed, metrics, drawn.data)


def run_ss_rate(
    names: Iterable[str],
    seeds: Iterable[int],
    draws: Sequence[int],
    *,
    weights: str = "untrained",
    images: str = IMAGES,
    n_images: int = N_IMAGES,
    device: str | None = None,
    root: Path = RESULTS,
) -> Iterator[Path]:
    """Work through `jobs`, writing a record per cell; what is done is skipped.

    Args:
        names, seeds, draws, weights, images, n_images, device: as for `jobs`.
        root: folder of the records.

    Returns:
        The paths of new records.

    Raises:
        ValueError, FileNotFoundError, RuntimeError: for an unknown model, images or weights that
            are not there.
    """
    device = device or default_device()
    options = {"weights": weights, "images": images, "n_images": n_images, "device": device}
    return grid.run(jobs(names, seeds, draws, **options), root, device=device)


def at_scale(settings: Mapping[str, Any]) -> list[Job]:
    """What a page on Table 2 needs measured at its scale: nothing at "quick", or on other images.

    Args:
        settings: of the notebook: "scale", "images", "weights".
    """
    if settings["scale"] == "quick" or settings["images"] != IMAGES:
        return []
    weights = settings["weights"]
    if weights != "untrained":  # trained weights are the same under every seed
        return list(jobs(MODELS, [0], range(DRAWS), weights=weights))
    first = jobs(MODELS, [0], range(DRAWS))
    return [*first, *jobs(MODELS, range(1, SEEDS), [0]), *factors.jobs()]


def _union(sets: Sequence[ImageSet]) -> tuple[ImageSet, list[Tensor]]:
    """All different images of several sets, without what names or labels them, and where each set's
    stand among them.
    """
    index: dict[bytes, int] = {}
    places, pixels = [], []
    for images in sets:
        place = []
        for picture in images.pixels:
            key = picture.numpy().tobytes()
            if key not in index:
                index[key] = len(pixels)
                pixels.append(picture)
            place.append(index[key])
        places.append(torch.tensor(place))
    labels = torch.zeros(len(pixels), dtype=torch.int64)
    return ImageSet("", torch.stack(pixels), labels, "", ""), places
