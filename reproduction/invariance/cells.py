"""The cells of Tables 4 and 5: networks, images, ways to an exponent or a dimension, UMAP."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

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
