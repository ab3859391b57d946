"""What names a cell of Table 2 and of the factor study: experiments, models, configurations."""

from __future__ import annotations

from typing import Any

from reproduction.table_1 import TABLE_1, find

#: Table 2 and everything that is regressed on its layers.
SS_RATE = "ss-rate"

#: Table 1, and the PVT of Figure 2.
MODELS = (*TABLE_1, "pvt_v2_b1")

#: The images that Table 2 is held against, and how many of them a draw takes.
IMAGES, N_IMAGES = "imagenet-sample", 512

#: Weights of a model that Table 2 is measured under, and draws of images under the first of them.
SEEDS, DRAWS = 5, 3

#: The seven networks of Fig. 2, by family.
FIGURE_2 = (
    "vit_small_patch16_224",
    "poolformer_s12",
    "pvt_v2_b1",
    "resnet34",
    "vgg11",
    "resmlp_12_224",
    "mixer_b16_224",
)

FACTOR_EXPERIMENT = "ss-rate-factors"

#: The two models that lie furthest from Table 2, which the factor study is about.
FACTOR_MODELS = ("vit_small_patch16_224", "resmlp_12_224")

#: Weights behind each setting of the factor study, and behind its baseline.
FACTOR_SEEDS, BASELINE_SEEDS = 5, 12

#: One factor at a time: what is changed, and to what.
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

_ONLY = {"class token": "vit_", "timm: jax": "vit_", "layer scale 1": "resmlp_"}


def ss_rate_config(
    model: str, images: str, n_images: int, draw: int, *, weights: str = "untrained"
) -> dict[str, Any]:
    """What names a cell of Table 2, apart from the seed of the weights.

    >>> ss_rate_config("ResNet34", "imagenet-sample", 512, 0)["model"]
    'resnet34'

    Args:
        model: a name of Table 1.
        images: a name of ``load_images``.
        n_images: how many of them.
        draw: the seed they are drawn with.
        weights: "untrained", "pretrained:<timm's tag>" or "checkpoint:<folder's name>".

    Raises:
        ValueError: no such model.
    """
    return {
        "model": find(model).timm_name,
        "weights": weights,
        "images": images,
        "n_images": n_images,
        "draw": draw,
        "size": 224,
        "mode": "eval",
    }


def factor_config(model: str, factor: str, value: str) -> dict[str, Any] | None:
    """What names a cell of the factor study; None where the factor means nothing for the model.

    >>> factor_config("ResMLP", "class token", "alone") is None
    True

    Raises:
        ValueError: no such model, or no such factor and value in `FACTORS`.
    """
    timm_name = find(model).timm_name
    if (factor, value) not in FACTORS:
        raise ValueError(f"factor {factor!r} with value {value!r} is not in FACTORS")
    if not timm_name.startswith(_ONLY.get(factor, _ONLY.get(value, ""))):
        return None
    return {"model": timm_name, "factor": factor, "value": value, "images": IMAGES}
