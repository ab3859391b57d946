"""Cells of Table 2: a configuration in, a record out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reproduction import models, records
from reproduction.grid import default_device, written
from reproduction.images import ImageSet, load_images
from reproduction.networks import features_of, modules_of, weights_label
from reproduction.paths import RESULTS
from sslib.boxes import FORMULAS, box_curve
from sslib.distances import pair_distances
from sslib.graph import participation_ratio

#: Table 2 and everything that is regressed on its layers.
SS_RATE = "ss-rate"


def layer_metrics(F: Tensor) -> dict[str, float]:
    """What a record keeps of one layer: SS_rate by both formulas, and the distances behind it.

    F: (D, B). Returns D; the SS_rates "released" and "printed"; TZ and TV; mean, standard deviation
    and skewness of the distances of pairs i < j; and the participation ratio. Raises ValueError as
    ``box_curve`` does.

    >>> metrics = layer_metrics(torch.tensor([[0.0], [1.0], [3.0], [7.0]]))
    >>> metrics["D"], metrics["TZ"], metrics["TV"], round(metrics["distance_mean"], 4)
    (4, 1.0, 7.0, 3.8333)
    """
    D = len(F)
    curves = {formula: box_curve(F, formula=formula) for formula in FORMULAS}
    pairs = pair_distances(F).double()[torch.ones(D, D, dtype=torch.bool).triu(1)]
    mean, std = pairs.mean(), pairs.std(correction=0)
    return {
        "D": D,
        **{formula: float(curve.ss_rate) for formula, curve in curves.items()},
        "TZ": float(curves["released"].theta_min),
        "TV": float(curves["released"].theta_max),
        "distance_mean": float(mean),
        "distance_std": float(std),
        "distance_skewness": float(((pairs - mean) ** 3).mean() / std**3),
        "participation_ratio": participation_ratio(F),
    }


def ss_rate_config(
    model: str, images: str, n_images: int, draw: int, *, weights: str = "untrained"
) -> dict[str, Any]:
    """What names a cell of Table 2, apart from the seed of the weights.

    model: a timm name; images: a name of ``load_images``; draw: the seed it draws n_images with;
    weights: "untrained", "pretrained:<timm's tag>" or "checkpoint:<folder's name>".
    """
    return {
        "model": models.find(model).timm_name,
        "weights": weights,
        "images": images,
        "n_images": n_images,
        "draw": draw,
        "size": 224,
        "mode": "eval",
    }


def ss_rate_record(
    config: Mapping[str, Any],
    seed: int,
    features: Mapping[str, Tensor],
    network: nn.Module,
    images: ImageSet,
    *,
    device: str = "cpu",
    seconds: float,
) -> dict[str, Any]:
    """The record of one model on one draw of images: ``layer_metrics`` of every module, and the
    means over both sets.

    seconds: what the features took; the time of the metrics is added.
    """
    start = time.perf_counter()
    layers = {module: layer_metrics(F) for module, F in features.items()}
    groups = modules_of(models.find(config["model"]), network)
    means = {
        f"mean_{group}_modules": {
            formula: sum(layers[m][formula] for m in names) / len(names) for formula in FORMULAS
        }
        for group, names in groups.items()
    }
    data = {"name": images.name, "n": len(images), "fingerprint": images.fingerprint}
    metrics = means | {"modules": groups, "layers": layers}
    seconds = round(seconds + time.perf_counter() - start, 2)
    return records.new_record(
        SS_RATE, config, seed, metrics, data=data, device=device, seconds=seconds
    )


def run_ss_rate(
    names: Iterable[str],
    seeds: Iterable[int],
    draws: Sequence[int],
    *,
    weights: str = "untrained",
    images: str = "imagenet-sample",
    n_images: int = 512,
    device: str | None = None,
    root: Path = RESULTS,
) -> Iterable[Path]:
    """Measure models on several draws of images, write a record each, yield their paths; skips what
    is done.

    Every image passes through a model once, however many draws it is in. weights: as for
    ``models.load``.

    Raises ValueError, FileNotFoundError or RuntimeError for an unknown model, images or weights
    that are not there.
    """
    device = device or default_device()
    sets = {draw: load_images(images, n_images, seed=draw) for draw in draws}
    for seed in seeds:
        for name in names:
            architecture = models.find(name)
            label = weights_label(architecture, weights)
            configs = {
                d: ss_rate_config(architecture.timm_name, images, n_images, d, weights=label)
                for d in draws
            }
            todo = {d: c for d, c in configs.items() if not records.exists(SS_RATE, c, seed, root)}
            if not todo:
                continue
            network = models.load(architecture, weights, seed)
            start = time.perf_counter()
            drawn_from, places = _union([sets[draw] for draw in todo])
            batches = drawn_from.batches(architecture.mean, architecture.std)
            features = features_of(architecture, network, batches, device=device)
            share = (time.perf_counter() - start) / len(todo)
            for (draw, config), place in zip(todo.items(), places):
                drawn = {module: F[:, place] for module, F in features.items()}
                record = ss_rate_record(
                    config, seed, drawn, network, sets[draw], device=device, seconds=share
                )
                yield from written(record, root)


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
    return ImageSet(
        "", torch.stack(pixels), torch.zeros(len(pixels), dtype=torch.int64), "", ""
    ), places
