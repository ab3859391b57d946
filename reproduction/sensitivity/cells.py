"""The cells of what moves SS_rate: which records there are, of which networks and layers."""

from __future__ import annotations

from typing import Any

from reproduction.table_1 import find

#: Per network: SS_rate of its layers beside other measures, null models, and the statistics of
#: A_epsilon.
MEASURES = "ss-rate-measures"

#: Per network of one family: one factor at a time.
ONE_FACTOR = "ss-rate-one-factor"

#: Per trained network: how similar each layer's activations are to those before training.
TRAINED = "cka-training"

#: Per two untrained networks of those: the same between them, the reference.
UNRELATED = "cka-unrelated"

#: One network per family, for one factor at a time; its layer is the one in the middle of Table
#: 1's.
ONE_PER_FAMILY = ("vit_small_patch16_224", "resnet34", "mixer_b16_224")

#: Shares of all pairs that A_epsilon joins.
DENSITIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)

#: Scales that features are multiplied with.
SCALES = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)


def config(
    model: str, images: str = "imagenet-sample", n_images: int = 512, draw: int = 0
) -> dict[str, Any]:
    """What names a network's records, apart from the seed of its weights.

    >>> config("ResNet34")["model"]
    'resnet34'

    Args:
        model: by the paper's name or timm's.
        images, n_images, draw: as for ``images.load_images``.

    Raises:
        ValueError: the model is none of Table 1's.
    """
    return {
        "model": find(model).timm_name,
        "weights": "untrained",
        "images": images,
        "n_images": n_images,
        "draw": draw,
        "size": 224,
    }


def middle(model: str) -> str:
    """The name of the module in the middle of a model's modules of Table 1.

    >>> middle("ResNet34")
    'layer3'
    """
    modules = find(model).modules
    return modules[len(modules) // 2]


def layer_name(model: str) -> str:
    """The middle layer of a model as a table names it.

    >>> layer_name("resnet34")
    'ResNet34 layer3'
    """
    return f"{find(model).name} {middle(model)}"
