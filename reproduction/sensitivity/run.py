"""Cells of what moves SS_rate: configuration in, record out."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reproduction import grid, models
from reproduction.covering import run as covering
from reproduction.grid import Asked, Job, Measurement, default_device
from reproduction.images import ImageSet, load_images
from reproduction.inputs import identity
from reproduction.models import features_of
from reproduction.paths import RESULTS
from reproduction.sensitivity.cells import (
    DENSITIES,
    MEASURES,
    ONE_FACTOR,
    ONE_PER_FAMILY,
    SCALES,
    TRAINED,
    config,
    middle,
)
from reproduction.sensitivity.measures import (
    cka_of_grams,
    effective_rank,
    graph_statistics,
    linear_cka,
    two_nn,
)
from reproduction.sensitivity.nulls import NULLS, null_features
from reproduction.ss_rate.layer import layer_metrics
from reproduction.table_1 import TABLE_1, find
from reproduction.training.matrices import read_matrices, trained_runs
from reproduction.training.pictures import Pictures, load_pictures, normalise
from reproduction.training.recipes import RECIPES, Run, network_of
from sslib.boxes import AXES, FORMULAS, scale_free_rate
from sslib.distances import pair_distances
from sslib.grams import activation_grams
from sslib.rate import ss_rate


def layer_measures(F: Tensor) -> dict[str, float]:
    """``layer_metrics`` of one layer, and SS_rate's scale-free variants, effective rank and TwoNN
    dimension beside it.

    Args:
        F: (D, B), not all channels equal.

    Returns:
        Numbers by name; of the variants "<formula>, <axis>" with the axes of ``scale_free_rate``.
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

    Args:
        F: (D, B).
        nodes: at most so many random channels are taken, so that networks of different width can be
            compared: sigma grows with the number of nodes.
        seed: of these channels, of the Gaussian features and of the random graphs.
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

    Args:
        model: by the paper's name or timm's.
        features: module -> (D, B); others than Table 1's are ignored.

    Returns:
        "layers", with "cka" and "cka_unbiased" of each module with the one before it (None for the
        first) and "nulls" as ``null_rates``; "graph", as ``graph_profile``.
    """
    layers, before = {}, None
    for module in find(model).modules:
        F = features[module]
        cka, unbiased = (
            None if before is None else linear_cka(before, F, unbiased=kind)
            for kind in (False, True)
        )
        own = {"cka": cka, "cka_unbiased": unbiased, "nulls": null_rates(F)}
        layers[module] = layer_measures(F) | own
        before = F
    return {
        "layers": layers,
        "graph": {"module": middle(model), "statistics": graph_profile(features[middle(model)])},
    }


def one_factor(
    F: Tensor, *, draws: int = 10, resamples: int = 200, seed: int = 0
) -> list[dict[str, Any]]:
    """SS_rate of F with one thing changed at a time.

    - "scale": F times each of ``SCALES``.
    - "D", "B": so many channels or images, drawn at random `draws` times, in powers of 2 up to all.
    - "thresholds": T from 16 to 1024.
    - "precision": F rounded to float16 and bfloat16, and all computed in float64.
    - "images": `resamples` bootstrap samples of the images, all as large as B.

    Returns:
        Rows of factor, value, draw, and SS_rate by both formulas.
    """
    D, B = F.shape
    generator = torch.Generator().manual_seed(seed)
    rows: list[dict[str, Any]] = []

    def add(factor: str, value: Any, X: Tensor, draw: int = 0, thresholds: int = 256) -> None:
        rates = {f: float(ss_rate(X, formula=f, thresholds=thresholds)) for f in FORMULAS}
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
    for name in ("float16", "bfloat16", "float64"):
        add("precision", name, F.to(getattr(torch, name)))
    for draw in range(resamples):
        add("images", "bootstrap", F[:, torch.randint(B, (B,), generator=generator)], draw)
    return rows


def one_factor_metrics(
    model: str, seed: int, images: ImageSet, F: Tensor, *, device: str | None = None
) -> dict[str, Any]:
    """The metrics of a ``ONE_FACTOR`` record: ``one_factor`` of the middle module, and the training
    mode.

    Training mode takes another pass of the images, batch norm with the statistics of each batch of
    64; where no layer behaves otherwise in it, there is no row of it.

    Args:
        model, seed: of the network.
        images: that F comes from.
        F: of the middle module.
    """
    architecture, module = find(model), middle(model)
    rows, network = one_factor(F), models.untrained(model, seed)
    if any(isinstance(part, torch.nn.modules.batchnorm._BatchNorm) for part in network.modules()):
        batches = images.batches(architecture.mean, architecture.std)
        changed = features_of(
            architecture, network, batches, modules=[module], training=True, device=device
        )
        rates = {f: float(ss_rate(changed[module], formula=f)) for f in FORMULAS}
        rows.append({"factor": "mode", "value": "training", "draw": 0} | rates)
    return {"module": module, "D": len(F), "rows": rows}


class Features:
    """Features of one untrained network after another, from the same images; the last are kept, as
    several records come from one pass.
    """

    def __init__(self, images: str, n_images: int, device: str) -> None:
        self.name, self.n_images, self.device = images, n_images, device
        self._kept: tuple[tuple[str, int], dict[str, Tensor]] | None = None

    @cached_property
    def images(self) -> ImageSet:
        """The images, loaded when a record first needs them."""
        return load_images(self.name, self.n_images)

    def of(self, model: str, seed: int) -> dict[str, Tensor]:
        """Module of Table 1 -> (D, B)."""
        if self._kept is None or self._kept[0] != (model, seed):
            architecture = find(model)
            features = features_of(
                architecture,
                models.untrained(architecture, seed),
                self.images.batches(architecture.mean, architecture.std),
                modules=architecture.modules,
                device=self.device,
            )
            self._kept = (model, seed), features
        return self._kept[1]


def _measures(features: Features, model: str, seed: int) -> dict[str, Any]:
    return measures_metrics(model, features.of(model, seed))


def _covering(features: Features, model: str, seed: int) -> dict[str, Any]:
    found = features.of(model, seed)
    layers = {module: found[module] for module in find(model).modules}
    return covering.network_metrics(layers, middle(model))


def _one_factor(features: Features, model: str, seed: int) -> dict[str, Any]:
    F = features.of(model, seed)[middle(model)]
    return one_factor_metrics(model, seed, features.images, F, device=features.device)


#: Experiment -> the metrics of a network's record.
_METRICS: Mapping[str, Callable[[Features, str, int], dict[str, Any]]] = {
    MEASURES: _measures,
    covering.COVERING: _covering,
    ONE_FACTOR: _one_factor,
}


def jobs(
    names: Iterable[str],
    seeds: Iterable[int],
    *,
    images: str = "imagenet-sample",
    n_images: int = 512,
    device: str | None = None,
) -> Iterator[Job]:
    """One job per network, seed and experiment; those of a network follow each other and share one
    pass of the images.

    Args:
        names, seeds: of the networks and of their random weights.
        images, n_images: as for ``images.load_images``.
        device: where the networks run.

    Raises:
        ValueError: a model is unknown; or, when a job is run, the images are.
        FileNotFoundError: when a job is run and the images are not there.
    """
    features = Features(images, n_images, device or default_device())
    named = identity(images, {"n": n_images})
    for seed in seeds:
        for name in names:
            asked = config(name, images, n_images) | named
            for experiment in _METRICS:
                if experiment != ONE_FACTOR or asked["model"] in ONE_PER_FAMILY:
                    measure = partial(_measured, features, _METRICS[experiment])
                    yield Job(experiment, ((asked, seed),), measure)


def _measured(
    features: Features,
    metrics: Callable[[Features, str, int], dict[str, Any]],
    cells: tuple[Asked, ...],
) -> Iterator[Measurement]:
    for asked, seed in cells:
        found = metrics(features, asked["model"], seed)
        yield Measurement(asked, seed, found, features.images.data)


def run_measures(
    names: Iterable[str],
    seeds: Iterable[int],
    *,
    images: str = "imagenet-sample",
    n_images: int = 512,
    device: str | None = None,
    root: Path = RESULTS,
) -> Iterator[Path]:
    """Write the records of networks that are missing, and yield their paths; arguments and errors
    as for ``jobs``.
    """
    device = device or default_device()
    todo = jobs(names, seeds, images=images, n_images=n_images, device=device)
    return grid.run(todo, root, device=device)


def at_scale(settings: Mapping[str, Any]) -> list[Job]:
    """The cells that a notebook measures before it reads: at "paper" the nine networks; else none,
    as the study takes the ImageNet sample.
    """
    return list(jobs(TABLE_1, [0])) if settings["scale"] == "paper" else []


def cka_jobs(
    folder: str | os.PathLike[str], *, device: str | None = None, root: Path = RESULTS
) -> Iterator[Job]:
    """CKA of every layer before and after training, a job per network whose matrices training has
    kept. The network before training is made anew from the record's seed.

    Args:
        folder: as for ``training.matrices.trained_runs``.
        device: where the networks run.
        root: folder of the records of training.

    Raises:
        ValueError: there are no .npz files.
        FileNotFoundError: when a job is run and the images are not there.
    """
    pictures = cache(lambda dataset, recipe: load_pictures(dataset, RECIPES[recipe]))
    for path, run in trained_runs(folder, root):
        measure = partial(_cka, path, run, pictures, device or default_device())
        yield Job(TRAINED, ((run["config"], run["seed"]),), measure)


def _cka(
    path: Path,
    run: Mapping[str, Any],
    load: Callable[[str, str], Pictures],
    device: str,
    cells: tuple[Asked, ...],
) -> Iterator[Measurement]:
    for asked, seed in cells:
        pictures = load(asked["dataset"], asked["recipe"])
        untrained = Run(asked["model"], RECIPES[asked["recipe"]], seed)
        network, modules = network_of(untrained, pictures.classes)
        probe = normalise(pictures.probe, find(asked["model"]))
        before = activation_grams(network, probe, modules, device=device)
        after = read_matrices(path)
        pairs = {name: (before[name].products, after[name].products) for name in modules}
        metrics = {
            "cka": {name: cka_of_grams(*pair) for name, pair in pairs.items()},
            "cka_unbiased": {
                name: cka_of_grams(*pair, unbiased=True) for name, pair in pairs.items()
            },
        }
        yield Measurement(asked, seed, metrics, run["data"])


def run_cka(
    folder: str | os.PathLike[str], *, device: str | None = None, root: Path = RESULTS
) -> Iterator[Path]:
    """Write the missing records of ``cka_jobs``, and yield their paths."""
    device = device or default_device()
    return grid.run(cka_jobs(folder, device=device, root=root), root, device=device)
