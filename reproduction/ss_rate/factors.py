"""One factor at a time, for the two networks furthest from Table 2."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from reproduction import models, records
from reproduction.grid import default_device, written
from reproduction.images import load_images
from reproduction.models import Architecture
from reproduction.networks import features_of, modules_of
from reproduction.paths import RESULTS
from reproduction.ss_rate.run import layer_metrics
from sslib.boxes import FORMULAS

#: One factor at a time, for the two models that lie furthest from Table 2: what each value changes.
FACTORS: tuple[tuple[str, str], ...] = (
    ("none", "baseline: 64 ImageNet images"),
    ("B", "16 images"),
    ("B", "256 images"),
    ("which images", "another draw"),
    ("which images", "photographs"),
    ("channels", "128 drawn at random"),
    ("mode", "training"),
    ("normalisation", "mean 0.5, std 0.5"),
    ("normalisation", "none: pixels 0 to 1"),
    ("modules", "as released"),
    ("class token", "left out"),
    ("class token", "alone"),
    ("initialisation", "PyTorch defaults"),
    ("initialisation", "timm: jax"),
    ("initialisation", "layer scale 1"),
    ("precision", "bfloat16"),
)

FACTOR_EXPERIMENT = "ss-rate-factors"

_ONLY = {"class token": "vit_", "timm: jax": "vit_", "layer scale 1": "resmlp_"}


def factor_config(model: str, factor: str, value: str) -> dict[str, Any] | None:
    """What names a cell of the factor study, or None where the factor means nothing for the model."""
    timm_name = models.find(model).timm_name
    if (factor, value) not in FACTORS:
        raise ValueError(f"factor {factor!r} with value {value!r} is not in FACTORS")
    if not timm_name.startswith(_ONLY.get(factor, _ONLY.get(value, ""))):
        return None
    return {"model": timm_name, "factor": factor, "value": value, "images": "imagenet-sample"}


def factor_record(
    config: Mapping[str, Any], seed: int, *, device: str | None = None
) -> dict[str, Any]:
    """Run one cell of the factor study: the baseline's 64 images and settings, with one of them
    changed.

    Raises FileNotFoundError where the images are not there.
    """
    start, device = time.perf_counter(), device or default_device()
    architecture, factor, value = models.find(config["model"]), config["factor"], config["value"]
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
    mean = {
        formula: sum(layer[formula] for layer in layers.values()) / len(layers)
        for formula in FORMULAS
    }
    data = {"name": images.name, "n": len(images), "fingerprint": images.fingerprint}
    metrics, seconds = {"mean": mean, "layers": layers}, time.perf_counter() - start
    return records.new_record(
        FACTOR_EXPERIMENT, config, seed, metrics, data=data, device=device, seconds=seconds
    )


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
        for images in batch.split(64):
            found = network.forward_intermediates(
                images, output_fmt="NLC", return_prefix_tokens=True, intermediates_only=True
            )
            for module, (patches, prefix) in zip(modules, found, strict=True):
                parts[module].append((prefix if alone else patches).mean(1))
    return {module: torch.cat(rows).T.contiguous() for module, rows in parts.items()}


def run_factors(
    names: Iterable[str],
    seeds: int,
    *,
    baseline_seeds: int,
    device: str | None = None,
    root: Path = RESULTS,
) -> Iterable[Path]:
    """Work through the factor study, baseline first, skipping what is done; yields the paths of new
    records.
    """
    for factor, value in FACTORS:
        for seed in range(baseline_seeds if factor == "none" else seeds):
            for name in names:
                config = factor_config(name, factor, value)
                if config and not records.exists(FACTOR_EXPERIMENT, config, seed, root):
                    yield from written(factor_record(config, seed, device=device), root)


def factor_table(runs: pd.DataFrame) -> pd.DataFrame:
    """The factor study: per factor and model, SS_rate's mean and spread over seeds, and the paired
    difference it makes.

    runs: ``records.read_all("ss-rate-factors")``. The difference is to the baseline of the same
    seed (mean and standard deviation over seeds), released formula; columns are grouped by model.
    Models without a baseline are left out.
    """
    if runs.empty:
        return pd.DataFrame()
    value = runs["metrics.mean"].map(lambda mean: mean["released"]).astype(float)
    cells = runs.assign(ss_rate=value).set_index(
        ["config.model", "config.factor", "config.value", "seed"]
    )["ss_rate"]
    cells = cells.sort_index()
    blocks = {}
    for timm_name in dict.fromkeys(runs["config.model"]):
        if (timm_name, *FACTORS[0]) not in cells.index:
            continue
        baseline = cells.loc[timm_name, *FACTORS[0]]
        rows = {}
        for factor, setting in FACTORS:
            if (timm_name, factor, setting) in cells.index:
                part = cells.loc[timm_name, factor, setting]
                change = part - baseline.reindex(part.index)
                rows[factor, setting] = {
                    "seeds": len(part),
                    "SS_rate": part.mean(),
                    "std": part.std(),
                    "change": change.mean(),
                    "std of change": change.std(),
                }
        blocks[models.find(timm_name).name] = pd.DataFrame.from_dict(rows, orient="index")
    return pd.concat(blocks, axis=1) if blocks else pd.DataFrame()
