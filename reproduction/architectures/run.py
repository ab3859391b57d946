"""A design and a seed in, a record out: an untrained network's layers, measured as Table 2's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from reproduction import grid, records
from reproduction.architectures.modules import modules_of
from reproduction.grid import Asked, Job, Measurement, default_device
from reproduction.images import ImageSet, load_images
from reproduction.inputs import identity
from reproduction.paths import RESULTS
from reproduction.ss_rate.layer import layer_metrics
from sslib.boxes import scale_free_rate
from sslib.features import feature_matrices

EXPERIMENT = "architectures"
IMAGES, N_IMAGES, SIZE = "imagenet-sample", 128, 224
#: At most so many images pass through a network at once: it keeps memory below 3 GB.
BATCH = 16

# timm's networks refuse a size, an input or a name in ways of their own.
_REFUSALS = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
# Six digits say all that a float32 network can; records stay small.
_DIGITS = 6


def config_of(name: str, *, images: str = IMAGES, n_images: int = N_IMAGES) -> dict[str, Any]:
    """What names a run, apart from the seed of the weights."""
    return {
        "model": name,
        "weights": "untrained",
        "images": images,
        "n_images": n_images,
        "draw": 0,
        "size": SIZE,
        "mode": "eval",
    }


def untrained(name: str, seed: int, *, options: Mapping[str, Any] | None = None) -> nn.Module:
    """timm's network of that name with random weights, as timm initialises them, in eval mode.

    The global random state is left as found.
    """
    import timm

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return timm.create_model(name, **(options or {})).eval()


def measure(network: nn.Module, images: ImageSet, *, device: str | None = None) -> dict[str, Any]:
    """The metrics of one network: its modules, and a list per metric in their order.

    Per module, those of ``layer_metrics`` and the scale-free rate.

    Inputs are normalised as timm's configuration of the network says.

    Raises:
        ValueError: the modules cannot be tapped, or what they give is not finite.
    """
    cfg = network.pretrained_cfg
    mean, std = cfg["mean"], cfg["std"]
    level, names = modules_of(network, images.normalised(mean, std)[:2])
    batches = images.batches(mean, std, size=BATCH)
    features = feature_matrices(network, batches, names, device=device)
    layers: dict[str, list[float]] = {}
    for name, F in features.items():
        F = F.cpu()
        if not F.isfinite().all():
            raise ValueError(f"{name}: the activations are not finite")
        metrics = layer_metrics(F) | {"scale_free_rate": scale_free_rate(F, axis="mean")}
        for metric, value in metrics.items():
            layers.setdefault(metric, []).append(value if metric == "D" else _rounded(value))
    return {
        "level": level,
        "modules": names,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "initialisation": initialisation(network),
        **layers,
    }


def initialisation(network: nn.Module) -> str:
    """How the branches of the blocks start: "zero", "small" or "plain".

    "zero" where some gain is 0, "small" where some is a constant below 0.5 (layer scale).

    >>> layer = nn.LayerNorm(4)
    >>> initialisation(layer)
    'plain'
    >>> nn.init.zeros_(layer.weight).sum().item(), initialisation(layer)
    (0.0, 'zero')
    """
    gains = [p for name, p in network.named_parameters() if _is_gain(name, p)]
    constants = [
        float(p.detach().flatten()[0])
        for p in gains
        if p.numel() and bool((p == p.flatten()[0]).all())
    ]
    if any(value == 0 for value in constants):
        return "zero"
    return "small" if any(0 < abs(value) < 0.5 for value in constants) else "plain"


def _is_gain(name: str, parameter: nn.Parameter) -> bool:
    """Gains of normalisations and layer scales: a factor per channel, nothing that is added."""
    last = name.rpartition(".")[2]
    long_sides = sum(side > 1 for side in parameter.shape)
    added = ("bias", "beta", "token", "pos", "temperature")
    return long_sides <= 1 and not any(
        word in name if word == "token" else word in last for word in added
    )


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def jobs(
    names: Sequence[str],
    seeds: Iterable[int],
    *,
    images: str = IMAGES,
    n_images: int = N_IMAGES,
    device: str | None = None,
) -> Iterator[Job]:
    """A job per design and seed; all designs get a seed before the next seed begins.

    A design that cannot be measured has a record too: its metrics are the reason alone, under
    "skipped".

    Args:
        names: timm's.
        seeds: of the random weights.
        images, n_images: as for ``images.load_images``; they are loaded when the first is needed.
        device: None means ``grid.default_device``.
    """

    device = device or default_device()

    @cache
    def pictures() -> ImageSet:
        return load_images(images, n_images, seed=0, size=SIZE)

    def measurement(lacking: tuple[Asked, ...]) -> Iterator[Measurement]:
        ((config, seed),) = lacking
        shown = pictures()
        try:
            metrics = measure(untrained(config["model"], seed), shown, device=device)
        except torch.cuda.OutOfMemoryError:
            raise  # the machine's refusal, not the network's
        except _REFUSALS as error:
            reason = (str(error).strip().splitlines() or ["no reason given"])[0]
            metrics = {"skipped": f"{type(error).__name__}: {reason}"[:300]}
        yield Measurement(config, seed, metrics, shown.data)

    named = identity(images, {"n": n_images})
    for seed in seeds:
        for name in names:
            config = config_of(name, images=images, n_images=n_images) | named
            yield Job(EXPERIMENT, ((config, seed),), measurement)


def run_architectures(
    names: Sequence[str],
    seeds: Iterable[int],
    *,
    images: str = IMAGES,
    n_images: int = N_IMAGES,
    device: str | None = None,
    root: Path = RESULTS,
) -> Iterator[Path]:
    """Work through `jobs`, a record each; what is done is skipped.

    Args:
        names, seeds, images, n_images, device: as for `jobs`.
        root: folder of the records.

    Returns:
        The paths of new records.

    Raises:
        ValueError, FileNotFoundError: for images that are not there.
    """
    device = device or default_device()
    asked = jobs(names, seeds, images=images, n_images=n_images, device=device)
    return grid.run(asked, root, device=device)


def skipped(paths: Iterable[Path]) -> dict[str, str]:
    """Why which designs could not be measured, from records: name to reason."""
    cells = [records.read(path) for path in paths]
    return {
        cell["config"]["model"]: cell["metrics"]["skipped"]
        for cell in cells
        if "skipped" in cell["metrics"]
    }
