"""Table 1 as data: the paper's nine models by timm's name, their modules and layouts."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Architecture:
    """One model of Table 1, and what has to be known to measure it.

    Attributes:
        name: as in the paper's tables.
        timm_name: timm's name of the architecture.
        family: "attention", "cnn" or "mlp", the groups of Table 3.
        modules: the modules that Table 1 prints, by name.
        released_modules: the modules that the released training code draws from, as names or
            patterns.
        layout: ReduceMean's layout for the outputs of `modules`.
        released_layout: the same for `released_modules`.
        weights: timm's tag of the pretrained weights that the released scripts load, or None.
        mean, std: per channel, what images in 0..1 are normalised with. Both the paper's and the
            released transform use ImageNet's for every model, also where the weights were trained
            with others.

    >>> find("PVT").modules
    ('stages.0', 'stages.1', 'stages.2', 'stages.3')
    """

    name: str
    timm_name: str
    family: str
    modules: tuple[str, ...]
    released_modules: tuple[str, ...]
    layout: str
    released_layout: str
    weights: str | None = None
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


def _numbered(prefix: str, numbers: Iterable[int]) -> tuple[str, ...]:
    return tuple(f"{prefix}{number}" for number in numbers)


_BLOCKS = _numbered("blocks.", range(12))

_STAGES = _numbered("stages.", range(4))

_LAYERS = _numbered("layer", range(1, 5))

_EVERY_BLOCK = ("stages.*.blocks.*",)

# PVT's stages give (B, C, H, W), the blocks in them (B, N, C): hence two layouts.
_ARCHITECTURES = (
    Architecture(
        "ViT (small)",
        "vit_small_patch16_224",
        "attention",
        _BLOCKS,
        ("blocks.*",),
        "BND",
        "BND",
        "dino",
    ),
    Architecture(
        "ViT (base)", "vit_base_patch16_224", "attention", _BLOCKS, ("blocks.*",), "BND", "BND"
    ),
    Architecture(
        "PoolFormer",
        "poolformer_s12",
        "attention",
        _STAGES,
        _EVERY_BLOCK,
        "BCHW",
        "BCHW",
        "sail_in1k",
    ),
    Architecture("PVT", "pvt_v2_b3", "attention", _STAGES, _EVERY_BLOCK, "BCHW", "BND", "in1k"),
    Architecture("ResNet34", "resnet34", "cnn", _LAYERS, ("layer*.*",), "BCHW", "BCHW", "a1_in1k"),
    Architecture("ResNet50", "resnet50", "cnn", _LAYERS, ("layer*.*",), "BCHW", "BCHW"),
    Architecture(
        "VGG",
        "vgg11",
        "cnn",
        _numbered("features.", (1, 4, 9, 14, 19)),
        ("features.*",),
        "BCHW",
        "BCHW",
        "tv_in1k",
    ),
    Architecture(
        "ResMLP", "resmlp_12_224", "mlp", _BLOCKS, ("stem", "blocks.*"), "BND", "BND", "fb_in1k"
    ),
    Architecture(
        "MLP-Mixer", "mixer_b16_224", "mlp", _BLOCKS, ("blocks.*",), "BND", "BND", "miil_in21k"
    ),
)

#: The nine models of Table 1 by timm's name, in the paper's order.
TABLE_1: dict[str, Architecture] = {arch.timm_name: arch for arch in _ARCHITECTURES}

#: The smaller PVT that the released code draws in Fig. 2; it is in no table.
_FIGURE_2 = Architecture(
    "PVT (Fig. 2)", "pvt_v2_b1", "attention", _STAGES, _EVERY_BLOCK, "BCHW", "BND"
)


def find(name: str | Architecture) -> Architecture:
    """The architecture called `name`, by the paper's name or timm's, in upper or lower case.

    Knows Table 1 and "pvt_v2_b1", the PVT of Fig. 2. An `Architecture` is returned as it is.

    >>> find("ViT (small)").timm_name, find("pvt_v2_b1").name
    ('vit_small_patch16_224', 'PVT (Fig. 2)')

    Raises:
        ValueError: any other name, with the close ones.
    """
    if isinstance(name, Architecture):
        return name
    known = {
        key.casefold(): arch
        for arch in (*_ARCHITECTURES, _FIGURE_2)
        for key in (arch.name, arch.timm_name)
    }
    key = name.casefold() if isinstance(name, str) else ""
    if key not in known:
        close = difflib.get_close_matches(key, known, n=3) or TABLE_1
        raise ValueError(
            f"name: {name!r} is no model of Table 1; expected for example {', '.join(close)}"
        )
    return known[key]


def weights_label(architecture: Architecture, weights: str) -> str:
    """What a configuration calls the weights, a file's by its content; known without loading them,
    so that finished cells cost nothing.

    Raises ValueError if there is no such file.
    """
    if weights == "untrained":
        return weights
    if weights == "pretrained":
        import timm

        tag = architecture.weights or timm.get_pretrained_cfg(architecture.timm_name).tag
        return f"pretrained:{tag}"
    path = Path(weights) / f"{architecture.timm_name}.safetensors"
    if not path.is_file():
        raise ValueError(f"weights: there is no file {str(path)!r}")
    with open(path, "rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    return f"checkpoint:{Path(weights).resolve().name}@{content}"
