"""The cells of Tables 4 and 5: networks, images, ways to an exponent or a dimension, UMAP."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from reproduction.table_1 import find

#: UMAP as the authors' command line has it by default, as ``sslib.dimension.RELEASED_UMAP``.
RELEASED_UMAP: Mapping[str, float] = MappingProxyType(
    {"n_components": 30, "n_neighbors": 20, "min_dist": 0.05, "seed": 42}
)

#: Tables 4 and 5; and the same networks under other settings of UMAP.
INVARIANCE, INVARIANCE_UMAP = "invariance", "invariance-umap"

#: Name of a way -> (estimator, what it looks at). The first two are the paper's text and the
#: released code; the others, which mix them, tell whether the formula or the features make the
#: difference.
WAYS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "printed": ("printed", "F"),
        "released": ("released", "activations"),
        "printed, activations": ("printed", "activations"),
        "released, F": ("released", "F"),
    }
)

#: The models of Tables 4 and 5, whose names leave open which is meant: those that the released
#: scripts load.
MODELS: Mapping[str, str] = MappingProxyType(
    {
        "MLP-Mixer": "mixer_b16_224",
        "ViT": "vit_small_patch16_224",
        "PoolFormer": "poolformer_s12",
        "ResNet": "resnet34",
        "ResMLP": "resmlp_12_224",
        "PVT": "pvt_v2_b3",
        "VGG": "vgg11",
    }
)

#: UMAP's settings that Δ is tried with, one change at a time from `RELEASED_UMAP`.
UMAP_SETTINGS: tuple[Mapping[str, float], ...] = tuple(
    MappingProxyType({**RELEASED_UMAP, key: value})
    for key, values in (
        ("n_components", (2, 10, 50)),
        ("n_neighbors", (10, 50)),
        ("min_dist", (0.01, 0.1, 0.5)),
        ("seed", (0, 1, 2)),
    )
    for value in values
)

#: Images, as many as the released scripts take, and the seed of the draw (theirs too, in another
#: generator).
N_IMAGES, DRAW = 640, 42


def invariance_config(
    model: str,
    images: str,
    *,
    weights: str = "untrained",
    n_images: int = N_IMAGES,
    draw: int = DRAW,
    size: int = 224,
    umap: Mapping[str, float] = RELEASED_UMAP,
) -> dict[str, Any]:
    """What names a cell of Tables 4 and 5, apart from the seed of the weights.

    The modules are those of Table 1; of PVT the released code also takes the last block of each
    stage, and of PoolFormer all blocks instead of the stages.

    Args:
        model: a name of `MODELS` or a timm name.
        images: a name of ``load_images``.
        weights: as in a record of Table 2, or "noise".
        n_images, draw, size: how many images, the seed of their draw, and their side in pixels.
        umap: the arguments of ``umap_points`` without a default.
    """
    return {
        "model": find(MODELS.get(model, model)).timm_name,
        "weights": weights,
        "images": images,
        "n_images": n_images,
        "draw": draw,
        "size": size,
        "umap": dict(umap),
    }


def experiment_of(config: Mapping[str, Any]) -> str:
    """The experiment that a cell belongs to: UMAP as released, or another UMAP."""
    return INVARIANCE if config["umap"] == dict(RELEASED_UMAP) else INVARIANCE_UMAP
