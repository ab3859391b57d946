"""The two networks, and trained weights named by their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from reproduction import models
from reproduction.table_1 import Architecture

#: The two networks by timm's name. Each expects images normalised as here.
NETWORKS: dict[str, Architecture] = {
    "vit_tiny_patch16_224": Architecture(
        "ViT-Tiny",
        "vit_tiny_patch16_224",
        "attention",
        tuple(f"blocks.{k}" for k in range(12)),
        ("blocks.*",),
        "BND",
        "BND",
        "augreg_in21k_ft_in1k",
        (0.5,) * 3,
        (0.5,) * 3,
    ),
    "tf_efficientnet_lite0": Architecture(
        "EfficientNet-Lite0",
        "tf_efficientnet_lite0",
        "cnn",
        tuple(f"blocks.{k}" for k in range(7)),
        ("blocks.*.*",),
        "BCHW",
        "BCHW",
        "in1k",
        (127 / 255,) * 3,
        (128 / 255,) * 3,
    ),
}
# timm also has the network without TensorFlow's padding and epsilon; a file may bear that name.
OTHER_NAME = {"tf_efficientnet_lite0": "efficientnet_lite0"}


@dataclass(frozen=True)
class Weights:
    """A trained network and what names it.

    Attributes:
        architecture: of `NETWORKS`.
        network: with the weights, in eval mode.
        content: SHA-256 of the state, the same however it was stored.
        file: SHA-256 of the file; None where timm loaded it.
    """

    architecture: Architecture
    network: nn.Module
    content: str
    file: str | None

    @property
    def label(self) -> str:
        """What a configuration calls the weights."""
        return f"state:{self.content[:16]}"


def content(network: nn.Module) -> str:
    """SHA-256 over names, shapes and values of a network's state, whatever file it came from.

    Batch norm's counter is left out, as no output depends on it and some files lack it.

    >>> content(nn.Linear(2, 2)) == content(nn.Linear(2, 2))
    False
    """
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        if not name.endswith("num_batches_tracked"):
            value = value.detach().cpu().contiguous()
            digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
            digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def trained(model: str | Architecture, weights: str | Path) -> Weights:
    """A network with trained weights.

    Args:
        model: a name of `NETWORKS`, or an architecture of one's own.
        weights: "pretrained", or a folder that holds ``<timm name>.safetensors``.

    Raises:
        ValueError: the model is unknown, or the file is missing or does not fit.
        RuntimeError: timm cannot get the weights.
    """
    if isinstance(model, str) and model not in NETWORKS:
        raise ValueError(f"model: expected one of {', '.join(NETWORKS)}, got {model!r}")
    arch = NETWORKS[model] if isinstance(model, str) else model
    if weights == "pretrained":
        network, file = models.pretrained(arch), None
    else:
        names = (arch.timm_name, OTHER_NAME.get(arch.timm_name, arch.timm_name))
        paths = [Path(weights) / f"{name}.safetensors" for name in names]
        path = next((path for path in paths if path.is_file()), paths[0])
        network = models.from_checkpoint(arch, path)
        file = hashlib.sha256(path.read_bytes()).hexdigest()
    return Weights(arch, network, content(network), file)
