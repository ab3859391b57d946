"""Cells of what moves SS_rate: configuration in, record out."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reproduction import models, records
from reproduction.covering.run import COVERING, adjacency_covers, cover_curves
from reproduction.grid import _written, default_device
from reproduction.images import ImageSet, load_images
from reproduction.networks import features_of
from reproduction.paths import RESULTS
from reproduction.sensitivity.measures import (
    cka_of_grams,
    effective_rank,
    graph_statistics,
    linear_cka,
    two_nn,
)
from reproduction.ss_rate.layer import layer_metrics
from reproduction.training.matrices import read_matrices, trained_runs
from reproduction.training.pictures import load_pictures, normalise
from reproduction.training.recipes import RECIPES, Run, network_of
from sslib.boxes import AXES, FORMULAS, scale_free_rate
from sslib.distances import pair_distances
from sslib.grams import activation_grams
from sslib.noise import NULLS, null_features
from sslib.rate import ss_rate

#: Per network: SS_rate of its layers beside other measures, null models, and the statistics of
#: A_epsilon.
MEASURES = "ss-rate-measures"

#: Per network of one family: one factor at a time.
ONE_FACTOR = "ss-rate-one-factor"

#: Per trained network: how similar each layer's activations are to those before training.
TRAINED = "cka-training"

#: One network per family, for one factor at a time; its layer is the one in the middle of Table
#: 1's.
ONE_PER_FAMILY = ("vit_small_patch16_224", "resnet34", "mixer_b16_224")

#: Shares of all pairs that A_epsilon joins.
DENSITIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)

#: Scales that features are multiplied with.
SCALES = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)


def config(
    model: str, images: str = "imagenet-sample", n_images: int = 512, draw: int = 0
) -> dict[str, Any]:
    """What names a network's records, apart from the seed of its weights.

    >>> config("ResNet34")["model"]
    'resnet34'
    """
    return {
        "model": models.find(model).timm_name,
        "weights": "untrained",
        "images": images,
        "n_images": n_images,
        "draw": draw,
        "size": 224,
    }


def middle(model: str) -> str:
    """The name of the module in the middle of a model's modules of Table 1.

    >>> middle("ResNet34")
    'layer3'
    """
    modules = models.find(model).modules
    return modules[len(modules) // 2]


def layer_measures(F: Tensor) -> dict[str, float]:
    """``layer_metrics`` of one layer, and SS_rate's scale-free variants, effective rank and TwoNN
    dimension beside it.

    F: (D, B), not all channels equal. Keys of the variants: "<formula>, <axis>" with the axes of
    ``scale_free_rate``.
    """
    variants = {
        f"{formula}, {axis}": scale_free_rate(F, axis=axis, formula=formula)
        for formula in FORMULAS
        for axis in AXES
    }
    return layer_metrics(F) | variants | {"effective_rank": effective_rank(F), "two_nn": two_nn(F)}


def null_rates(F: Tensor, *, seed: int = 0) -> dict[str, dict[str, float]]:
    """SS_rate of every null model of F, by both formulas; NaN where all distances are equal but for
    rounding.

    >>> rates = null_rates(torch.randn(8, 20, generator=torch.Generator().manual_seed(0)))
    >>> list(rates), math.isnan(rates["whitened"]["released"])
    (['gaussian', 'shuffled', 'one direction', 'standardised', 'whitened'], True)
    """
    rates = {}
    for kind in NULLS:
        null = null_features(F, kind, seed=seed)
        exists = not math.isnan(scale_free_rate(null, axis="linear"))
        rates[kind] = {f: float(ss_rate(null, formula=f)) if exists else math.nan for f in FORMULAS}
    return rates


def graph_profile(F: Tensor, *, nodes: int = 256, seed: int = 0) -> list[dict[str, Any]]:
    """``graph_statistics`` of A_epsilon at each of ``DENSITIES``, for F and for Gaussian features
    of its shape.

    At most `nodes` random channels are taken, so that networks of different width can be compared:
    sigma grows with the number of nodes.
    """
    F, rows = F[torch.randperm(len(F), generator=torch.Generator().manual_seed(seed))[:nodes]], []
    for name, X in (("features", F), ("gaussian", null_features(F, "gaussian", seed=seed))):
        C = pair_distances(X)
        rows += [
            {"of": name, "asked": d} | graph_statistics(C, d, draws=3, seed=seed) for d in DENSITIES
        ]
    return rows


def measures_metrics(model: str, features: Mapping[str, Tensor]) -> dict[str, Any]:
    """The metrics of a ``MEASURES`` record: per module of Table 1, and A_epsilon of the one in the
    middle.

    features: module -> (D, B); others than Table 1's are ignored. "cka" is that of each module with
    the one before it (None for the first), "nulls" as ``null_rates``.
    """
    layers, before = {}, None
    for module in models.find(model).modules:
        F = features[module]
        cka = None if before is None else linear_cka(before, F)
        layers[module] = layer_measures(F) | {"cka": cka, "nulls": null_rates(F)}
        before = F
    return {
        "layers": layers,
        "graph": {"module": middle(model), "statistics": graph_profile(features[middle(model)])},
    }


def one_factor(
    F: Tensor, *, draws: int = 10, resamples: int = 200, seed: int = 0
) -> list[dict[str, Any]]:
    """SS_rate of F with one thing changed at a time: rows of factor, value, draw, and SS_rate by
    both formulas.

    - "scale": F times each of ``SCALES``.
    - "D", "B": so many channels or images, drawn at random `draws` times, in powers of 2 up to all.
    - "thresholds": T from 16 to 1024.
    - "precision": F rounded to float16 and bfloat16, and all computed in float64.
    - "images": `resamples` bootstrap samples of the images, all as large as B.
    """
    D, B = F.shape
    generator = torch.Generator().manual_seed(seed)
    rows: list[dict[str, Any]] = []

    def add(factor: str, value: Any, X: Tensor, draw: int = 0, **options: Any) -> None:
        rates = {f: float(ss_rate(X, formula=f, **options)) for f in FORMULAS}
        rows.append({"factor": factor, "value": value, "draw": draw} | rates)

    for scale in SCALES:
        add("scale", scale, F * scale)
    for factor, total in (("D", D), ("B", B)):
        for size in [2**k for k in range(4, 11) if 2**k < total] + [total]:
            for draw in range(draws if size < total else 1):
                keep = torch.randperm(total, generator=generator)[:size]
                add(factor, size, F[keep] if factor == "D" else F[:, keep], draw)
    for thresholds in (16, 64, 256, 1024):
        add("thresholds", thresholds, F, thresholds=thresholds)
    for name, dtype in (
        ("float16", torch.float16),
        ("bfloat16", torch.bfloat16),
        ("float64", torch.float64),
    ):
        add("precision", name, F.to(dtype))
    for draw in range(resamples):
        add("images", "bootstrap", F[:, torch.randint(B, (B,), generator=generator)], draw)
    return rows


def one_factor_metrics(
    model: str, seed: int, images: ImageSet, F: Tensor, *, device: str | None = None
) -> dict[str, Any]:
    """The metrics of a ``ONE_FACTOR`` record: ``one_factor`` of the middle module, and the training
    mode.

    F: of that module. Training mode takes another pass of the images, batch norm with the
    statistics of each batch of 64; where no layer behaves otherwise in it, there is no row of it.
    """
    architecture, module = models.find(model), middle(model)
    rows, network = one_factor(F), models.untrained(model, seed)
    if any(isinstance(part, torch.nn.modules.batchnorm._BatchNorm) for part in network.modules()):
        batches = images.batches(architecture.mean, architecture.std)
        changed = features_of(
            architecture, network, batches, modules=[module], training=True, device=device
        )
        rates = {f: float(ss_rate(changed[module], formula=f)) for f in FORMULAS}
        rows.append({"factor": "mode", "value": "training", "draw": 0} | rates)
    return {"module": module, "D": len(F), "rows": rows}


def run_measures(
    names: Iterable[str],
    seeds: Iterable[int],
    *,
    images: str = "imagenet-sample",
    n_images: int = 512,
    device: str | None = None,
    root: Path = RESULTS,
) -> Iterable[Path]:
    """Write the records of networks that are missing, and yield their paths.

    Raises ValueError or FileNotFoundError for an unknown model, or images that are not there.
    """
    device, shown = device or default_device(), None
    for seed in seeds:
        for name in names:
            asked = config(name, images, n_images)
            wanted = [
                MEASURES,
                COVERING,
                *([ONE_FACTOR] if asked["model"] in ONE_PER_FAMILY else []),
            ]
            wanted = [
                experiment
                for experiment in wanted
                if not records.exists(experiment, asked, seed, root)
            ]
            if not wanted:
                continue
            shown = shown or load_images(images, n_images)
            start = time.perf_counter()
            architecture = models.find(name)
            network = models.untrained(architecture, seed)
            batches = shown.batches(architecture.mean, architecture.std)
            features = features_of(
                architecture, network, batches, modules=architecture.modules, device=device
            )
            yield from write_network(
                asked, seed, shown, features, wanted, device=device, start=start, root=root
            )


def write_network(
    asked: Mapping[str, Any],
    seed: int,
    images: ImageSet,
    features: Mapping[str, Tensor],
    experiments: Iterable[str],
    *,
    device: str = "cpu",
    start: float,
    root: Path = RESULTS,
) -> Iterable[Path]:
    """Reduce a network's features to the asked records and write them; yields the paths. start: a
    ``perf_counter``.
    """
    model = asked["model"]
    for experiment in experiments:
        if experiment == MEASURES:
            metrics = measures_metrics(model, features)
        elif experiment == COVERING:
            metrics = {
                "layers": {m: cover_curves(features[m]) for m in models.find(model).modules},
                "graph": {
                    "module": middle(model),
                    "covers": adjacency_covers(features[middle(model)]),
                },
            }
        else:
            metrics = one_factor_metrics(
                model, seed, images, features[middle(model)], device=device
            )
        data = {"name": images.name, "n": len(images), "fingerprint": images.fingerprint}
        yield from _written(experiment, asked, seed, metrics, data, device, start, root)


def run_cka(
    folder: str | os.PathLike[str], *, device: str | None = None, root: Path = RESULTS
) -> Iterable[Path]:
    """CKA of every layer before and after training, of networks whose matrices training has kept;
    skips what is done.

    folder: as for ``invariance_grid.run_trained``. The network before training is made anew from
    the record's seed.

    Raises ValueError if there are no .npz files, FileNotFoundError if the images are not there.
    """
    shown, device = {}, device or default_device()
    for path, run in trained_runs(folder, root):
        start, asked = time.perf_counter(), run["config"]
        if records.exists(TRAINED, asked, run["seed"], root):
            continue
        recipe = RECIPES[asked["recipe"]]
        key = asked["dataset"], asked["recipe"]
        if key not in shown:
            shown[key] = load_pictures(asked["dataset"], recipe)
        pictures = shown[key]
        network, modules = network_of(Run(asked["model"], recipe, run["seed"]), pictures.classes)
        before = activation_grams(
            network, normalise(pictures.probe, models.find(asked["model"])), modules, device=device
        )
        after = read_matrices(path)
        cka = {name: cka_of_grams(before[name].products, after[name].products) for name in modules}
        yield from _written(
            TRAINED, asked, run["seed"], {"cka": cka}, run["data"], device, start, root
        )
