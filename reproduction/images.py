"""Images in one place: photographs, digits, CIFAR-10 and -100, Imagenette, any image folder."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from reproduction.image_files import MAX_PIXELS, NotReadable
from reproduction.image_folders import skipped_line
from reproduction.image_sources import Drawn, content_of, data_of, draw, whole

IMAGENET_MEAN = (0.485, 0.456, 0.406)

IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """N images of one size, and where they come from.

    Attributes:
        name: the name given to `load_images`.
        pixels: (N, 3, H, W) uint8, 0 to 255.
        labels: (N,) int64, class indices from 0: places in `classes`.
        fingerprint: 16 hexadecimal digits of SHA-256 over the shape and bytes of `pixels`.
        description: one sentence for captions.
        classes: the names of all classes, the same for every split; of photographs, the pictures.
        skipped: what was left out of a folder because it is no image by its name.
        drawn: which images these are, as a `Drawn`.
    """

    name: str
    pixels: Tensor
    labels: Tensor
    fingerprint: str
    description: str
    classes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    drawn: Drawn | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def data(self) -> dict[str, Any]:
        """What a record says of them, see `data_of`.

        >>> sorted(load_images("digits", 4, size=8).data)
        ['drawn', 'fingerprint', 'n', 'name']
        """
        return data_of(self.name, len(self), self.fingerprint, [self.drawn] if self.drawn else [])

    def normalised(
        self, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD
    ) -> Tensor:
        """The pixels as a network expects them: scaled to 0..1, less `mean`, over `std` (each per
        channel).

        Shape (N, 3, H, W), float32. Raises ValueError unless both are three finite numbers, `std`
        above 0.

        >>> load_images("digits", 4, size=32).normalised().shape
        torch.Size([4, 3, 32, 32])
        """
        return _normalised(self.pixels, mean, std)

    def batches(
        self,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        *,
        size: int = 64,
    ) -> Iterator[Tensor]:
        """``normalised``, at most `size` images at a time: all of them as float32 take four times
        the room.

        >>> [len(batch) for batch in load_images("digits", 5, size=32).batches(size=2)]
        [2, 2, 1]
        """
        for pixels in self.pixels.split(size):
            yield _normalised(pixels, mean, std)


def _normalised(pixels: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    shift, scale = (
        torch.tensor(values, dtype=torch.float32).reshape(-1, 1, 1) for values in (mean, std)
    )
    if len(shift) != 3 or not shift.isfinite().all():
        raise ValueError(f"mean must be three finite numbers, got {mean!r}")
    if len(scale) != 3 or not scale.isfinite().all() or scale.min() <= 0:
        raise ValueError(f"std must be three finite numbers above 0, got {std!r}")
    return pixels.float().div_(255).sub_(shift).div_(scale)


def load_images(
    name: str,
    n: int | None = 512,
    *,
    seed: int = 0,
    size: int = 224,
    split: str = "train",
    crop_pct: float = 0.875,
) -> ImageSet:
    """`n` images of the set `name`, as `size` x `size` RGB pixels, the same on every call.

    - "photographs": 512 overlapping crops of scikit-learn's two sample photographs; no download;
      train only.
    - "digits": scikit-learn's 8 x 8 digits, a fixed stratified 80/20 train/test split; no download.
    - "cifar10", "cifar100": the folder of that name in SSLIB_DATA, else downloaded by torchvision.
    - "imagenette": the same; torchvision's copy is the 320-pixel one, its val split is "test" here.
    - "imagenet-sample": the folder of that name in SSLIB_DATA; cannot be downloaded.
    - "imagefolder:PATH": any folder of class folders, or of images alone (label 0); PATH counts
      from the working folder (papermill's --cwd).

    Folders are laid out ``<class>/<file>`` (train only), or ``train/<class>/<file>`` beside
    ``test`` or ``val``; labels count the training split's classes by sorted name. What a folder may
    hold, and what is skipped with a warning: ``image_folders.image_folder``. Which files are read,
    and how deeper than 8 bits or transparent ones are: ``image_files.read_image``. Downloads go to
    SSLIB_DATA, by default ~/.cache/sslib.

    Which images: the first `n` of ``numpy.random.default_rng(seed).permutation(total)`` over the
    sorted files: drawn without replacement, a smaller `n` being the start of a larger one.
    ``n=None`` takes all, in that order. Only what is drawn is decoded. "photographs" has one fixed
    order, whatever the seed: the two pictures alternate, and the crops fill a 16 x 16 grid of
    positions from coarse to fine.

    Which pixels: the shorter side is scaled to ``round(size / crop_pct)`` (bicubic) and the centre
    cropped; the default, 224 of 256, is the released evaluation's. `crop_pct` is in (0, 1], and 1
    keeps the whole shorter side. Digits and the photographs' crops are scaled to `size` directly.

    >>> images = load_images("photographs", 8)
    >>> images.pixels.shape, images.labels.tolist()
    (torch.Size([8, 3, 224, 224]), [0, 1, 0, 1, 0, 1, 0, 1])

    Raises:
        ValueError: an unknown name or split, `n`, `seed` or `size` out of range, more images
            than there are, a folder of another layout, drawn files that cannot be read as images.
        FileNotFoundError: a set that is neither here nor could be downloaded.
    """
    # Imported here, and others below, so that importing this module costs little.
    from torchvision.transforms.v2 import InterpolationMode, functional

    whole("size", size, 1)
    if isinstance(crop_pct, bool) or not isinstance(crop_pct, Real) or not 0 < crop_pct <= 1:
        raise ValueError(f"crop_pct must be a number above 0 and at most 1, got {crop_pct!r}")
    source, order = draw(name, n, seed, split)
    count = len(order)
    short = round(size / crop_pct)
    pixels = np.empty((count, 3, size, size), np.uint8)

    def fill(k: int) -> str | None:
        try:
            image = source.open(order[k])
        except NotReadable as error:
            return str(error)
        if source.centre:
            longer = round(short * max(image.size) / min(image.size))
            if short * longer > MAX_PIXELS:
                return (
                    f"{source.name_of(order[k])} has {image.width} x {image.height} pixels, "
                    f"{short} x {longer} when scaled; at most {MAX_PIXELS:,} are allowed"
                )
            image = functional.center_crop(
                functional.resize(image, [short], InterpolationMode.BICUBIC), size
            )
        else:
            image = image.resize((size, size), Image.Resampling.BICUBIC)
        pixels[k] = np.asarray(image).transpose(2, 0, 1)
        return None

    # Pillow decodes and scales without holding the interpreter's lock, and each image has its own
    # place.
    with ThreadPoolExecutor() as pool:
        refused = [why for why in pool.map(fill, range(count)) if why]
    if refused:
        raise ValueError(_refusal(refused, count))
    if source.skipped:
        told = skipped_line(source.root, source.skipped)
        warnings.warn(f"some files are no images: {told}", stacklevel=2)

    drawn = "" if name == "photographs" else f", drawn with seed {seed}"
    fitted = f"shorter side {short}, centre crop " if source.centre else ""
    digest = hashlib.sha256(f"{pixels.shape}".encode())
    digest.update(pixels)
    content = content_of(source, order)
    return ImageSet(
        name=name,
        pixels=torch.from_numpy(pixels),
        labels=torch.tensor([source.labels[i] for i in order], dtype=torch.int64),
        fingerprint=digest.hexdigest()[:16],
        description=f"{count} {source.about}{drawn}; {fitted}{size} x {size} pixels.",
        classes=source.classes,
        skipped=source.skipped,
        drawn=Drawn(split, int(seed), count, len(source.labels), content),
    )


def _refusal(refused: Sequence[str], count: int) -> str:
    if len(refused) == 1:
        return f"{refused[0]}; restore or remove it"
    more = f"; and {len(refused) - 3} more" if len(refused) > 3 else ""
    return (
        f"{len(refused)} of the {count} images drawn cannot be used; restore or remove them: "
        f"{'; '.join(refused[:3])}{more}"
    )
