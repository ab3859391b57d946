"""Images of a training run, on the device, and their augmentation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from reproduction.image_sources import Drawn, data_of
from reproduction.images import load_images
from reproduction.table_1 import Architecture
from reproduction.training.recipes import GRAM_IMAGES, Recipe


@dataclass(frozen=True, eq=False)
class Pictures:
    """The data of a run, as uint8, on the device it is trained on.

    Attributes:
        name: of the data set.
        train, heldout, test: pairs of pixels (N, 3, side, side) and labels (N,). `train` is stored
            for random crops; `heldout`, a tenth of the training images, and `test` are cropped as
            for evaluation.
        probe: (640, 3, size, size) training images as for evaluation; the first 512 are the probe.
        classes: how many.
        fingerprint: of the training and test images.
        drawn: which these are.
    """

    name: str
    train: tuple[Tensor, Tensor] = field(repr=False)
    heldout: tuple[Tensor, Tensor] = field(repr=False)
    test: tuple[Tensor, Tensor] = field(repr=False)
    probe: Tensor = field(repr=False)
    classes: int
    fingerprint: str
    drawn: tuple[Drawn, ...] = ()

    @property
    def data(self) -> dict[str, Any]:
        """What a record says of them, see `data_of`."""
        return data_of(self.name, len(self.train[0]), self.fingerprint, self.drawn)


def load_pictures(dataset: str, recipe: Recipe, *, device: str = "cpu") -> Pictures:
    """The images of `dataset` for a recipe: a fixed draw, the last tenth of the training images
    held out.

    Raises as ``reproduction.images.load_images`` does for a data set that is unknown or not there.

    >>> from reproduction.training.recipes import RECIPES
    >>> pictures = load_pictures("digits", RECIPES["quick"])
    >>> len(pictures.train[0]), len(pictures.heldout[0]), len(pictures.test[0]), pictures.classes
    (1294, 143, 360, 10)
    """
    stored = load_images(dataset, recipe.train_images, size=recipe.stored, crop_pct=1)
    evaluated = stored
    if (recipe.size, recipe.crop_pct) != (recipe.stored, 1):
        evaluated = load_images(
            dataset, recipe.train_images, size=recipe.size, crop_pct=recipe.crop_pct
        )
    test = load_images(
        dataset, recipe.test_images, size=recipe.size, crop_pct=recipe.crop_pct, split="test"
    )
    cut = len(stored) - len(stored) // 10

    def on_device(pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return pixels.to(device), labels.to(device)

    return Pictures(
        dataset,
        on_device(stored.pixels[:cut], stored.labels[:cut]),
        on_device(evaluated.pixels[cut:], evaluated.labels[cut:]),
        on_device(test.pixels, test.labels),
        evaluated.pixels[:cut][:GRAM_IMAGES].to(device),
        len(stored.classes),
        f"{stored.fingerprint}-{test.fingerprint}",
        tuple(one.drawn for one in (stored, test) if one.drawn),
    )


def normalise(pixels: Tensor, architecture: Architecture) -> Tensor:
    """uint8 (N, 3, H, W) as float32 in the units the architecture expects."""
    mean, std = (
        torch.tensor(v, device=pixels.device).view(3, 1, 1)
        for v in (architecture.mean, architecture.std)
    )
    return pixels.float().div_(255).sub_(mean).div_(std)


def augment(pixels: Tensor, recipe: Recipe, architecture: Architecture) -> Tensor:
    """A batch of training images (N, 3, size, size), normalised: random crop and flip in one
    resampling, RandAugment.

    Args:
        pixels: (N, 3, H, W) uint8. A crop has between `recipe.crop` and all of the area and sides
            in a ratio of 3:4 to 4:3, as torchvision's RandomResizedCrop; a crop that would not fit
            is cut to the picture. Draws from torch's global generator, on the CPU.
    """
    N, _, H, W = pixels.shape
    area = torch.empty(N).uniform_(recipe.crop, 1)
    ratio = torch.empty(N).uniform_(math.log(3 / 4), math.log(4 / 3)).exp()
    width, height = (
        (area * ratio).sqrt().clamp(max=1),
        (area / ratio).sqrt().clamp(max=1),
    )  # of the picture's sides
    x, y = (
        (torch.rand(N) * 2 - 1) * (1 - side) for side in (width, height)
    )  # the centre, in -1 to 1
    flip = torch.randint(2, (N,)) * 2 - 1
    zero = torch.zeros(N)
    affine = (
        torch.stack([width * flip, zero, x, zero, height, y], 1).view(N, 2, 3).to(pixels.device)
    )
    grid = functional.affine_grid(affine, [N, 3, recipe.size, recipe.size], align_corners=False)
    images = functional.grid_sample(
        pixels.float(), grid, padding_mode="reflection", align_corners=False
    )
    if recipe.randaugment:
        from torchvision.transforms import v2

        operations = v2.RandAugment(2, recipe.randaugment)
        images = torch.cat([operations(part) for part in images.round_().to(torch.uint8).split(16)])
    return normalise(images, architecture)
