"""One factor at a time, for the two networks furthest from Table 2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reproduction import grid, models
from reproduction.grid import Asked, Job, Measurement, default_device
from reproduction.images import load_images
from reproduction.models import features_of, modules_of
from reproduction.paths import RESULTS
from reproduction.ss_rate.cells import (
    BASELINE_SEEDS,
    FACTOR_EXPERIMENT,
    FACTOR_MODELS,
    FACTOR_SEEDS,
    FACTORS,
    factor_config,
)
from reproduction.ss_rate.layer import layer_metrics, mean_rates
from reproduction.table_1 import Architecture, find


def jobs(
    names: Iterable[str] = FACTOR_MODELS,
    seeds: int = FACTOR_SEEDS,
    *,
    baseline_seeds: int = BASELINE_SEEDS,
    device: str | None = None,
) -> Iterator[Job]:
    """A job per cell of the factor study, baseline first.

    Args:
        names: models of Table 1.
        seeds: how many, of the weights under each changed setting.
        baseline_seeds: how many under the baseline.
        device: where the networks run; None means ``default_device()``.
    """
    device, names = device or default_device(), list(names)

    def measure(lacking: tuple[Asked, ...]) -> Iterator[Measurement]:
        for config, seed in lacking:
            yield measurement(config, seed, device=device)

    for factor, value in FACTORS:
        for seed in range(baseline_seeds if factor == "none" else seeds):
            for name in names:
                if config := factor_config(name, factor, value):
                    yield Job(FACTOR_EXPERIMENT, ((config, seed),), measure)


def run_factors(
    names: Iterable[str],
    seeds: int,
    *,
    baseline_seeds: int,
    device: str | None = None,
    root: Path = RESULTS,
) -> Iterator[Path]:
    """Work through `jobs`, writing a record per cell; what is done is skipped.

    Args:
        names, seeds, baseline_seeds, device: as for `jobs`.
        root: folder of the records.

    Returns:
        The paths of new records.
    """
    device = device or default_device()
    cells = jobs(names, seeds, baseline_seeds=baseline_seeds, device=device)
    return grid.run(cells, root, device=device)


def measurement(config: Mapping[str, Any], seed: int, *, device: str) -> Measurement:
    """One cell of the factor study: the baseline's 64 images and settings, with one of them
    changed.

    Args:
        config: of ``factor_config``.
        seed: of the random weights.
        device: where the network runs.

    Raises:
        FileNotFoundError: the images are not there.
    """
    architecture, factor, value = find(config["model"]), config["factor"], config["value"]
    n_images = {"16 images": 16, "256 images": 256}.get(value, 64)
    name = "photographs" if value == "photographs" else config["images"]
    images = load_images(name, n_images, seed=1 if value == "another draw" else 0)
    network = _initialised(architecture, seed, value)
    scaling = {
        "mean 0.5, std 0.5": ((0.5,) * 3, (0.5,) * 3),
        "none: pixels 0 to 1": ((0.0,) * 3, (1.0,) * 3),
    }
    batch = images.normalised(*scaling.get(value, (architecture.mean, architecture.std)))
    groups = modules_of(architecture, network)
    if value == "bfloat16":
        network, batch = network.bfloat16(), batch.bfloat16()
    if factor == "class token":
        features = _tokens(network, batch, groups["printed"], alone=value == "alone")
    else:
        features = features_of(
            architecture, network, batch, training=value == "training", device=device
        )
    if factor == "channels":
        g = torch.Generator().manual_seed(seed)
        features = {m: F[torch.randperm(len(F), generator=g)[:128]] for m, F in features.items()}
    names = groups["released" if factor == "modules" else "printed"]
    layers = {m: layer_metrics(features[m]) for m in names}
    metrics = {"mean": mean_rates(layers, names), "layers": layers}
    return Measurement(config, seed, metrics, images.data)


def _initialised(architecture: Architecture, seed: int, scheme: str) -> nn.Module:
    """The untrained network under timm's own initialisation or another one."""
    if scheme == "timm: jax":
        return models.untrained(architecture, seed, options={"weight_init": "jax"})
    network = models.untrained(architecture, seed)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(seed)
        for module in network.modules():
            if scheme == "PyTorch defaults" and hasattr(module, "reset_parameters"):
                module.reset_parameters()
            if scheme == "layer scale 1" and hasattr(module, "ls1"):
                module.ls1.fill_(1.0)
                module.ls2.fill_(1.0)
    return network


def _tokens(
    network: nn.Module, batch: Tensor, modules: Sequence[str], *, alone: bool
) -> dict[str, Tensor]:
    """F of a ViT's blocks from the class token alone, or from all other tokens."""
    parts: dict[str, list[Tensor]] = {
        module: [] for module in modules
    }  # on the CPU: no hook taps single tokens
    with torch.no_grad():
        for images in torch.split(batch, 64):
            found = network.forward_intermediates(
                images, output_fmt="NLC", return_prefix_tokens=True, intermediates_only=True
            )
            for module, (patches, prefix) in zip(modules, found, strict=True):
                parts[module].append((prefix if alone else patches).mean(1))
    return {module: torch.cat(rows).T.contiguous() for module, rows in parts.items()}
