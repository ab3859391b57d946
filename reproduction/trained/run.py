"""The layers of trained networks beside untrained ones: a configuration in, records out."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reproduction import models, records
from reproduction.covering.run import cover_curves
from reproduction.grid import default_device, written
from reproduction.images import ImageSet, load_images
from reproduction.sensitivity.measures import linear_cka, participation_ratio
from reproduction.sensitivity.nulls import null_features
from reproduction.sensitivity.run import layer_measures
from reproduction.ss_rate.run import _union, layer_metrics
from reproduction.table_1 import Architecture
from reproduction.trained import CHANNELS, CHECK, COVERS, LAYERS, PATH, TWINS
from reproduction.trained.weights import OTHER_NAME, Weights, trained
from sslib.boxes import FORMULAS, scale_free_rate
from sslib.distances import pair_distances
from sslib.features import feature_matrices
from sslib.graph import mds
from sslib.rate import ss_rate

_CROP = {"vit_tiny_patch16_224": 0.9}  # of the check; else the usual 0.875
SEEDS, DRAWS, N_IMAGES = range(5), (0, 1, 2), 512
PATH_SEEDS, PATH_IMAGES, STEPS = range(3), 64, 11
#: Null models that exist in every layer: whitened channels are all equally far apart.
NULLS = ("gaussian", "shuffled", "one direction", "standardised")


def config(arch: Architecture, weights: str, images: ImageSet, draw: int) -> dict[str, Any]:
    """What names a record: network, weights and images by content, and how pixels are scaled."""
    return {
        "model": arch.timm_name,
        "weights": weights,
        "images": images.name,
        "fingerprint": images.fingerprint,
        "n_images": len(images),
        "draw": draw,
        "size": images.pixels.shape[-1],
        "mean": round(arch.mean[0], 4),
        "std": round(arch.std[0], 4),
    }


def features_and_logits(
    arch: Architecture,
    network: nn.Module,
    images: ImageSet,
    *,
    training: bool = False,
    device: str | None = None,
) -> tuple[dict[str, Tensor], Tensor]:
    """F of each module of a network, and its (classes, B) logits, from one pass over the images.

    Args:
        training: batch norm uses the statistics of each batch of 64 images.
    """
    import timm

    head = str(timm.get_pretrained_cfg(arch.timm_name).classifier)
    batches = images.batches(arch.mean, arch.std, size=64)
    features = feature_matrices(
        network,
        batches,
        [*arch.modules, head],
        training=training,
        device=device or default_device(),
    )
    features = {module: F.cpu() for module, F in features.items()}
    return features, features.pop(head)


def accuracy(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """Top-1 and top-5 accuracy, shares from 0 to 1. logits: (classes, B); labels: (B,).

    >>> accuracy(torch.eye(6)[:, :2], torch.tensor([0, 5]))["top1"]
    0.5
    """
    ranked = logits.topk(5, dim=0).indices == labels
    return {f"top{k}": float(ranked[:k].any(0).double().mean()) for k in (1, 5)}


def layer(F: Tensor, *, seed: int = 0) -> dict[str, Any]:
    """``layer_measures`` of one layer, and the SS_rates of its null models with the scale-free one.

    Args:
        F: (D, B), not all channels equal.
        seed: of the null models' random numbers.
    """
    nulls = {}
    for kind in NULLS:
        null = null_features(F, kind, seed=seed)
        rates = {formula: float(ss_rate(null, formula=formula)) for formula in FORMULAS}
        nulls[kind] = rates | {
            f"{formula}, mean": scale_free_rate(null, formula=formula) for formula in FORMULAS
        }
    return layer_measures(F) | {"nulls": nulls}


def exchange(U: Tensor, T: Tensor) -> dict[str, Any]:
    """SS_rate of two layers at their own and at each other's scale, by both formulas.

    Args:
        U: (D, B), untrained. T: the same, trained.

    Returns:
        "ratio", the mean distance of U over that of T; per formula "untrained", "trained",
        "trained at untrained scale" (T times the ratio), "untrained at trained scale" (U over it).

    >>> U = torch.tensor([[0.0], [1.0], [3.0]])
    >>> found = exchange(U, 2 * U)
    >>> rates = found["released"]
    >>> found["ratio"], rates["untrained"] == rates["trained at untrained scale"]
    (0.5, True)
    """
    mean_u, mean_t = (float(pair_distances(F).double().mean()) for F in (U, T))
    ratio = mean_u / mean_t
    matrices = {
        "untrained": U,
        "trained": T,
        "trained at untrained scale": T * ratio,
        "untrained at trained scale": U / ratio,
    }
    rates = {
        formula: {name: float(ss_rate(F, formula=formula)) for name, F in matrices.items()}
        for formula in FORMULAS
    }
    return {"ratio": ratio} | rates


def channel_picture(U: Tensor, T: Tensor, *, channels: int = 128, seed: int = 0) -> dict[str, Any]:
    """Figure 2's panel: the same channels of a layer, untrained and trained, in one plane.

    Args:
        U: (D, B), untrained. T: the same, trained.
        channels: as many at most, drawn by `seed`.

    Returns:
        Per state "positions" (channels, 2) and "participation"; "stress" of the picture.
    """
    keep = torch.randperm(len(U), generator=torch.Generator().manual_seed(seed))[:channels]
    place, stress = mds(pair_distances(torch.cat([U[keep], T[keep]])))
    parts = {"untrained": place[: len(keep)], "trained": place[len(keep) :]}
    return {
        "channels": len(keep),
        "stress": stress,
        "positions": parts,
        "participation": {
            "untrained": participation_ratio(U[keep]),
            "trained": participation_ratio(T[keep]),
        },
    }


def between(start: nn.Module, end: nn.Module, t: float) -> nn.Module:
    """A network with weights and buffers between two others': (1 - t) of the first, t of the last.

    >>> a, b = nn.Linear(1, 1), nn.Linear(1, 1)
    >>> torch.equal(between(a, b, 1.0).weight, b.weight)
    True
    """
    network, first, last = copy.deepcopy(start), start.state_dict(), end.state_dict()
    network.load_state_dict(
        {
            key: (1 - t) * first[key] + t * last[key]
            if last[key].is_floating_point()
            else last[key]
            for key in last
        }
    )
    return network


def run_check(model: str, weights: str | Path, *, device: str | None, root: Path) -> Iterable[Path]:
    """Top-1 and top-5 of the trained weights on the 1,000 images, one of each class."""
    found = trained(model, weights)
    images = load_images("imagenet-sample", None, crop_pct=_CROP.get(model, 0.875))
    # Also without TensorFlow's padding and epsilon: which of timm's names is that of the weights?
    for name in dict.fromkeys((model, OTHER_NAME.get(model, model))):
        asked = config(found.architecture, found.label, images, 0) | {"model": name}
        asked["crop"] = _CROP.get(model, 0.875)
        if records.exists(CHECK, asked, 0, root):
            continue
        start, network = time.perf_counter(), found.network
        if name != model:
            import timm

            network = timm.create_model(name).eval()
            network.load_state_dict(found.network.state_dict())
        logits = features_and_logits(found.architecture, network, images, device=device)[1]
        metrics = accuracy(logits, images.labels) | {"sha256": _hashes(found)}
        yield from write(CHECK, asked, 0, metrics, images, device, start, root)


def run_layers(
    model: str, weights: str | Path, *, device: str | None, root: Path
) -> Iterable[Path]:
    """Layers of the trained network and of five untrained ones, on three draws of images.

    Every image passes through a network once. Besides `LAYERS`: `TWINS` of each pair; `CHANNELS`
    and `COVERS` of the first untrained network and draw only.
    """
    found = trained(model, weights)
    arch, first = found.architecture, found.architecture.modules[0]
    sets = {draw: load_images("imagenet-sample", N_IMAGES, seed=draw) for draw in DRAWS}
    pictures, places = _union([*sets.values()])
    wanted = {
        (seed, draw, experiment): asked
        for seed in (None, *SEEDS)
        for draw in DRAWS
        for experiment, asked in _wanted(found, sets[draw], seed, draw).items()
        if not records.exists(experiment, asked, seed or 0, root)
    }
    kept: dict[int, dict[str, Tensor]] = {}
    for seed in (None, *SEEDS) if wanted else ():
        if seed is not None and not any(key[0] == seed for key in wanted):
            continue
        start = time.perf_counter()
        network = found.network if seed is None else models.untrained(arch, seed)
        features, logits = features_and_logits(arch, network, pictures, device=device)
        share = (time.perf_counter() - start) / len(DRAWS)
        for (draw, images), place in zip(sets.items(), places, strict=True):
            F = {module: matrix[:, place] for module, matrix in features.items()}
            T = kept.setdefault(draw, F)
            right = accuracy(logits[:, place], images.labels)
            measures = {
                LAYERS: partial(layers, F, right, seed=draw),
                COVERS: partial(covers, F),
                TWINS: partial(twins, F, T),
                CHANNELS: partial(channel_picture, F[first], T[first]),
            }
            for experiment, measure in measures.items():
                if asked := wanted.get((seed, draw, experiment)):
                    start = time.perf_counter() - share
                    yield from write(
                        experiment, asked, seed or 0, measure(), images, device, start, root
                    )


def _wanted(
    found: Weights, images: ImageSet, seed: int | None, draw: int
) -> dict[str, dict[str, Any]]:
    """Experiment -> configuration, of one network (seed None: the trained one) and draw."""
    own = config(found.architecture, found.label if seed is None else "untrained", images, draw)
    pair = own | {"weights": found.label}
    wanted = {LAYERS: own}
    if draw == 0 and seed in (None, 0):
        wanted[COVERS] = own
    if seed is not None:
        wanted[TWINS] = pair
    if draw == 0 == seed:
        wanted[CHANNELS] = pair
    return wanted


def layers(
    features: Mapping[str, Tensor], right: Mapping[str, float], *, seed: int
) -> dict[str, Any]:
    """`layer` of each module, and the network's accuracy beside them."""
    return {"layers": {module: layer(F, seed=seed) for module, F in features.items()}, **right}


def covers(features: Mapping[str, Tensor]) -> dict[str, Any]:
    """``cover_curves`` of each module."""
    return {"layers": {module: cover_curves(F) for module, F in features.items()}}


def twins(U: Mapping[str, Tensor], T: Mapping[str, Tensor]) -> dict[str, Any]:
    """`exchange` and linear CKA of each module, untrained (U) and trained (T)."""
    return {"layers": {m: exchange(U[m], T[m]) | {"cka": linear_cka(U[m], T[m])} for m in T}}


def has_batch_norm(network: nn.Module) -> bool:
    """Whether any of a network's modules normalises by the statistics of a batch.

    >>> has_batch_norm(nn.Sequential(nn.BatchNorm2d(3))), has_batch_norm(nn.LayerNorm(3))
    (True, False)
    """
    return any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in network.modules())


def run_path(model: str, weights: str | Path, *, device: str | None, root: Path) -> Iterable[Path]:
    """Layers at weights between untrained and trained ones, t = 0, 0.1 … 1; a record per seed.

    Running statistics of batch norm are interpolated like the weights; in a second variant the
    statistics are those of the images themselves.
    """
    found = trained(model, weights)
    arch, images = found.architecture, load_images("imagenet-sample", PATH_IMAGES, seed=0)
    norms = has_batch_norm(found.network)
    for statistics in ("interpolated", "of the images") if norms else ("none",):
        for seed in PATH_SEEDS:
            asked = config(arch, found.label, images, 0)
            asked |= {"statistics": statistics, "steps": STEPS}
            if records.exists(PATH, asked, seed, root):
                continue
            start, points = time.perf_counter(), []
            untrained = models.untrained(arch, seed)
            for t in torch.linspace(0, 1, STEPS, dtype=torch.float64).tolist():
                features, logits = features_and_logits(
                    arch,
                    between(untrained, found.network, t),
                    images,
                    training=statistics == "of the images",
                    device=device,
                )
                layers = {module: layer_of_path(F) for module, F in features.items()}
                points.append({"t": t, "layers": layers, **accuracy(logits, images.labels)})
            yield from write(PATH, asked, seed, {"points": points}, images, device, start, root)


def layer_of_path(F: Tensor) -> dict[str, float]:
    """``layer_metrics`` and the scale-free rate; NaN where a layer is not finite."""
    if not F.isfinite().all():
        return {"released": math.nan, "printed": math.nan}
    return layer_metrics(F) | {"released, mean": scale_free_rate(F)}


def _hashes(found: Weights) -> dict[str, str | None]:
    return {"state": found.content, "file": found.file}


def write(
    experiment: str,
    asked: Mapping[str, Any],
    seed: int,
    metrics: Mapping[str, Any],
    images: ImageSet,
    device: str | None,
    start: float,
    root: Path,
) -> Iterable[Path]:
    """Write a record unless another process was first; yields its path. start: ``perf_counter``."""
    seconds = round(time.perf_counter() - start, 2)
    record = records.new_record(
        experiment,
        asked,
        seed,
        metrics,
        data=images.data,
        device=device or default_device(),
        seconds=seconds,
    )
    return written(record, root)
