"""Recipes, penalties and runs: what a training run is asked to do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from reproduction.table_1 import find

if TYPE_CHECKING:
    from torch import nn

#: Images of the fixed probe, in eval mode; F of the first 64 of them is what the penalty's batch
#: size would give.
PROBE = (64, 512)

#: Images whose activations' Gram matrices are kept for Tables 4 and 5.
GRAM_IMAGES = 640

#: Batches at the end of an epoch on which SS_rate of every module is taken, as the penalty sees it.
WATCHED = 8


@dataclass(frozen=True)
class Recipe:
    """How networks are trained: data as `RECIPES`, no code.

    Attributes:
        size: side of the images that the network sees, in pixels.
        epochs, batch: passes over the training images, images per step (a last, smaller batch is
            left out).
        lr: peak learning rate of AdamW for 512 images a step; it is scaled with the batch.
        weight_decay, warmup_epochs, warmup_lr, min_lr: of AdamW and of the cosine schedule. Like
            `lr`, `warmup_lr` and `min_lr` are those the schedule really has, not scaled.
        by_epoch: the learning rate changes after epochs, as released (epochs 0 and 1 then both have
            `warmup_lr`), not after steps.
        crop: smallest share of a picture's area that a random crop has.
        randaugment: magnitude of two random operations, 0 for none; drawn for sixteen images at a
            time.
        mixup, cutmix, smoothing, erasing: as timm takes them.
        stored: side of the training images in memory, before the random crop.
        train_images, test_images: how many are drawn (seed 0), None for all.
        test_last: the test images are looked at after the last epoch only.
        small: the networks of ``models.small`` instead of Table 1's own.
        processes: that train one network, started by torchrun; each has an equal part of a batch.
        gathered: the constraint's F is of the images of all of them, not of each one's own.
    """

    size: int
    epochs: int
    batch: int = 256
    lr: float = 5e-4
    weight_decay: float = 0.05
    warmup_epochs: int = 5
    warmup_lr: float = 1e-6
    min_lr: float = 1e-5
    by_epoch: bool = False
    crop: float = 0.08
    randaugment: int = 9
    mixup: float = 0.8
    cutmix: float = 1.0
    smoothing: float = 0.1
    erasing: float = 0.25
    stored: int = 256
    crop_pct: float = 0.875
    train_images: int | None = None
    test_images: int | None = None
    test_last: bool = False
    small: bool = False
    processes: int = 1
    gathered: bool = False

    @property
    def draws(self) -> tuple[dict[str, Any], ...]:
        """What is drawn of a data set, as arguments of ``image_sources.drawn``."""
        return ({"n": self.train_images}, {"n": self.test_images, "split": "test"})


_LIGHT: dict[str, Any] = {
    "randaugment": 0,
    "mixup": 0.0,
    "cutmix": 0.0,
    "erasing": 0.0,
    "stored": 32,
    "crop_pct": 1.0,
    "crop": 0.7,
    "batch": 64,
    "lr": 8e-3,
    "min_lr": 1e-6,
    "small": True,
}

#: "paper": the released settings on one GPU. What differs: a tenth of the training images is held
#: out, no repeated augmentation (the release has it on several GPUs only), batch norm and the
#: constraint see one batch of 256 and its first 64 images (there four of 64 and a draw on each
#: GPU), crops are cut bilinearly out of a centre square, RandAugment is torchvision's and drawn for
#: sixteen images at a time, the arithmetic on a GPU is bfloat16. "paper-4": on four GPUs, where
#: batch norm and the constraint see what they saw there, but for the draw, which is one for all;
#: "paper-4-gathered": the constraint sees 64 images of each. "short": "paper" in fewer epochs.
#: "cpu": minutes on two cores. "quick": seconds.
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "paper": Recipe(224, 200, by_epoch=True),
        "paper-4": Recipe(224, 200, by_epoch=True, processes=4),
        "paper-4-gathered": Recipe(224, 200, by_epoch=True, processes=4, gathered=True),
        "short": Recipe(224, 10, warmup_epochs=2),
        "cpu": Recipe(32, 10, warmup_epochs=1, train_images=8000, test_images=2000, **_LIGHT),
        "quick": Recipe(32, 6, warmup_epochs=1, **_LIGHT),
    }
)


@dataclass(frozen=True)
class Penalty:
    """The term that is added to the loss: alpha, gamma and which of the two forms (see
    `SelfSimilarityConstraint`).

    yoked: nothing is added but a gradient that says nothing about which channels are near: that of
        SS_rate, its channels and images shuffled at F by a permutation of the seed's own, and
        brought, over all parameters, to the norm that the penalty's had in the same step of another
        run, see `loop.train`. Alpha, gamma and form are that run's.
    """

    alpha: float
    gamma: float
    form: str = "printed"
    yoked: bool = False


@dataclass(frozen=True)
class Run:
    """All that makes one run: what is trained, how, and with which penalty (None: the baseline).

    keep_doses: note how large the penalty's gradient is in every step, as a yoked run needs it.
    """

    model: str
    recipe: Recipe
    seed: int
    penalty: Penalty | None = None
    lr: float | None = None
    keep_doses: bool = False

    def __post_init__(self) -> None:
        find(self.model)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed: expected an integer of at least 0, got {self.seed!r}")
        if self.lr is not None and not (0 < self.lr < math.inf):
            raise ValueError(f"lr: expected a positive number, got {self.lr!r}")
        if self.penalty and not 0 <= self.penalty.gamma <= 1:
            raise ValueError(f"gamma: expected a target in [0, 1], got {self.penalty.gamma!r}")
        if self.penalty and not 0 <= self.penalty.alpha < math.inf:
            raise ValueError(f"alpha: expected a number of at least 0, got {self.penalty.alpha!r}")


def network_of(run: Run, classes: int) -> tuple[nn.Module, list[str]]:
    """The network with its random weights, and those modules of Table 1 that it has.

    >>> network, modules = network_of(Run("ResMLP", RECIPES["quick"], 0), 10)
    >>> modules[-1], sum(p.numel() for p in network.parameters()) < 10**6
    ('blocks.5', True)
    """
    from reproduction import models  # here, so that recipes can be read without torch

    architecture = find(run.model)
    make = models.small if run.recipe.small else models.untrained
    network = make(architecture, run.seed, num_classes=classes)
    own = {name for name, _ in network.named_modules()}
    return network, [name for name in architecture.modules if name in own]
