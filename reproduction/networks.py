"""The networks of Table 1 as experiments use them: their modules, features and weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from torch import Tensor, nn

from reproduction.grid import default_device
from reproduction.table_1 import Architecture
from sslib.features import feature_matrices
from sslib.taps import resolve_modules


def modules_of(architecture: Architecture, network: nn.Module) -> dict[str, list[str]]:
    """The module names of a model "as printed" (Table 1) and "as released" (what the training
    script draws from).
    """
    return {
        "printed": list(architecture.modules),
        "released": resolve_modules(network, architecture.released_modules),
    }


def features_of(
    architecture: Architecture,
    network: nn.Module,
    images: Tensor | Iterable[Tensor],
    *,
    modules: Sequence[str] | None = None,
    training: bool = False,
    device: str | None = None,
) -> dict[str, Tensor]:
    """F of a network's modules in one pass over the images; on the CPU wherever the network ran.

    Args:
        architecture: what the network is.
        network: with any weights.
        images: as for ``feature_matrices``.
        modules: their names; None means every one printed or released.
        training: whether the network runs in training mode.
        device: where it runs; None means ``default_device()``.

    Raises:
        ValueError: as ``feature_matrices`` does.
    """
    groups = modules_of(architecture, network).values()
    names = modules or list(dict.fromkeys(name for group in groups for name in group))
    # "auto" tells PVT's stages (B, C, H, W) from their blocks (B, N, C); at 224 pixels no map is
    # ambiguous
    features = feature_matrices(
        network, images, names, training=training, device=device or default_device()
    )
    return {module: F.cpu() for module, F in features.items()}


def weights_label(architecture: Architecture, weights: str) -> str:
    """What a configuration calls the weights; known without loading them, so that finished cells
    cost nothing.
    """
    if weights == "untrained":
        return weights
    if weights == "pretrained":
        import timm

        tag = architecture.weights or timm.get_pretrained_cfg(architecture.timm_name).tag
        return f"pretrained:{tag}"
    return f"checkpoint:{Path(weights).name}"
