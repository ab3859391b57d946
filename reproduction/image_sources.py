"""Where images come from, and which of them are drawn: told by their content, undecoded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from http.client import HTTPException
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from reproduction import plain
from reproduction.image_files import read_image, shown
from reproduction.image_folders import image_folder
from reproduction.paths import data_root, existing_folder, looked_for

NAMES = ("photographs", "digits", "cifar10", "cifar100", "imagenette", "imagenet-sample")

SPLITS = ("train", "test")

_IMAGENETTE_FILES = {"train": 9469, "test": 3925}

_CROP = 224  # of the photographs, whatever the size asked for


@dataclass(frozen=True)
class Drawn:
    """Which images of a set were drawn, told by their content and before they are decoded.

    Attributes:
        split, seed, n: as for ``images.load_images``.
        of: how many images the split holds.
        content: 16 hexadecimal digits of SHA-256 over each image's label and stored bytes, in the
            order of the draw; where images are in no files of their own, over their pixels.
    """

    split: str
    seed: int
    n: int
    of: int
    content: str


@dataclass(frozen=True)
class Source:
    """A split of a set: its labels, and how each image is opened."""

    labels: Sequence[int]
    open: Callable[[int], Image.Image]
    about: str
    classes: tuple[str, ...]
    centre: bool = True  # whether the images still need the centre crop
    root: Path = Path()  # of the files, where there are some
    files: Sequence[Path] = ()
    skipped: tuple[str, ...] = ()

    def digest(self, index: int) -> str:
        """SHA-256 of what decides an image: its file, or its pixels where it has none.

        Raises ValueError for what is no regular file or cannot be read.
        """
        if not self.files:
            return hashlib.sha256(self.open(index).tobytes()).hexdigest()
        try:
            if not self.files[index].is_file():  # a pipe would never end
                raise ValueError(f"{self.name_of(index)} is no regular file")
            with open(self.files[index], "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ValueError(f"{self.name_of(index)} cannot be read: {error.strerror}") from error

    def name_of(self, index: int) -> str:
        return shown(self.files[index]) if self.files else f"image {index}"


def _source(name: str, split: str, download: bool) -> Source:
    if not isinstance(name, str) or not (name in NAMES or name.startswith("imagefolder:")):
        raise ValueError(
            f"name must be one of {', '.join(NAMES)} or imagefolder:PATH, got {name!r}"
        )
    if name == "photographs":
        return _photographs(split)
    if name == "digits":
        return _digits(split)
    if name.startswith("imagefolder:"):
        folder = existing_folder(name.removeprefix("imagefolder:"))
        if folder is None:
            raise FileNotFoundError(
                f"name={name!r}: PATH in imagefolder:PATH must be an existing folder; "
                f"{looked_for(name.removeprefix('imagefolder:'))}"
            )
        return _folder(shown(folder.name), folder, split)
    root = data_root()
    if root and (root / name).is_dir():
        return _folder(name, root / name, split)
    if name == "imagenet-sample":
        looked = f"; {shown(root / name)} is not there" if root else ""
        raise FileNotFoundError(
            f"{name} is no download: set SSLIB_DATA to a folder with {name}/<wnid>/*.jpg{looked}"
        )
    return _download(name, split, root or Path.home() / ".cache" / "sslib", download)


def _photographs(split: str) -> Source:
    from sklearn.datasets import load_sample_images

    if split != "train":
        raise ValueError(f"photographs has the split 'train' only, got split={split!r}")
    pictures = [
        Image.fromarray(picture) for picture in load_sample_images().images
    ]  # china.jpg, flower.jpg
    columns, rows = (
        np.linspace(0, d - _CROP, 16).round().astype(int).tolist() for d in pictures[0].size
    )

    def crop(index: int) -> Image.Image:
        # Reversed bits, dealt out to row and column: the first 4**m positions form a 2**m x 2**m
        # grid.
        bits = f"{index // 2:08b}"[::-1]
        top, left = rows[int(bits[0::2], 2)], columns[int(bits[1::2], 2)]
        return pictures[index % 2].crop((left, top, left + _CROP, top + _CROP))

    about = (
        f"overlapping {_CROP}-pixel crops of two photographs, "
        "scikit-learn's china.jpg and flower.jpg"
    )
    return Source([0, 1] * 256, crop, about, ("china", "flower"), centre=False)


def _digits(split: str) -> Source:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    vectors, labels = load_digits(return_X_y=True)
    parts = train_test_split(np.arange(len(labels)), test_size=0.2, stratify=labels, random_state=0)
    chosen = parts[0 if split == "train" else 1]
    grey = (
        (vectors[chosen].reshape(-1, 8, 8) * (255 / 16)).round().astype(np.uint8)
    )  # stored as 0 to 16
    about = f"images of scikit-learn's digits ({split})"
    return Source(
        labels[chosen],
        lambda i: Image.fromarray(grey[i]).convert("RGB"),
        about,
        tuple("0123456789"),
        centre=False,
    )


def _folder(name: str, folder: Path, split: str) -> Source:
    images = image_folder(folder, split)
    return Source(
        images.labels,
        lambda i: read_image(images.files[i]),
        f"images of {plain.text(name)} ({split}), from image files",
        images.classes,
        root=folder,
        files=images.files,
        skipped=images.skipped,
    )


def _download(name: str, split: str, root: Path, download: bool) -> Source:
    from torchvision import datasets

    try:
        if name == "imagenette":
            part = {"train": "train", "test": "val"}[split]
            datasets.Imagenette(root, part, size="320px", download=download)
            source = _folder(name, root / "imagenette2-320", split)
            if (
                len(source.labels) != _IMAGENETTE_FILES[split]
            ):  # torchvision takes half an archive for all
                raise RuntimeError(f"{root / 'imagenette2-320'} is incomplete: delete that folder")
            return source
        kind = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
        arrays = kind(root, train=split == "train", download=download)
    except (OSError, RuntimeError, HTTPException) as error:
        raise FileNotFoundError(
            f"{name} is not in {root} and torchvision could not download it ({error}); "
            "run once with a network, or set SSLIB_DATA to a folder with "
            f"{name}/train/<class>/*.jpg and {name}/test/..."
        ) from error
    about = f"images of {name} ({split}), torchvision's copy"
    return Source(
        arrays.targets, lambda i: Image.fromarray(arrays.data[i]), about, tuple(arrays.classes)
    )


def drawn(
    name: str, n: int | None = 512, *, seed: int = 0, split: str = "train", download: bool = True
) -> Drawn:
    """Which images ``images.load_images`` takes, without decoding: as cheap as reading their files.

    >>> drawn("digits", 4, seed=1).of, len(drawn("digits", 4).content)
    (1437, 16)

    Args:
        name, n, seed, split: as for ``images.load_images``.
        download: whether a set that is not here may be downloaded.

    Raises:
        ValueError, FileNotFoundError: as for ``images.load_images``.
    """
    source, order = draw(name, n, seed, split, download=download)
    return Drawn(split, int(seed), len(order), len(source.labels), content_of(source, order))


def data_of(name: str, n: int, fingerprint: str, drawn: Iterable[Drawn]) -> dict[str, Any]:
    """What a record says of images: name, how many, the pixels' fingerprint, what was drawn."""
    of = [asdict(one) for one in drawn]
    return {"name": label(name), "n": n, "fingerprint": fingerprint, "drawn": of}


def label(name: str) -> str:
    """What records and pages call a set: a folder by its own name, without the path to it.

    >>> label("cifar10"), label("imagefolder:pictures/birds/")
    ('cifar10', 'imagefolder:birds')
    """
    if not name.startswith("imagefolder:"):
        return name
    folder = existing_folder(name.removeprefix("imagefolder:"))
    return f"imagefolder:{shown((folder or Path(name.removeprefix('imagefolder:'))).name)}"


def whole(argument: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ValueError(f"{argument} must be a whole number of at least {least}, got {value!r}")


def draw(
    name: str, n: int | None, seed: int, split: str, *, download: bool = True
) -> tuple[Source, list[int]]:
    """A split of a set, and the places of the images drawn from it."""
    whole("n", 1 if n is None else n, 1)
    whole("seed", seed, 0)
    if split not in SPLITS:
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    source = _source(name, split, download)
    total = len(source.labels)
    count = total if n is None else n
    if count > total:
        raise ValueError(f"n={n}, but {name} ({split}) holds {total} images; n=None takes them all")
    fixed = name == "photographs"
    order = np.arange(total) if fixed else np.random.default_rng(seed).permutation(total)
    return source, order[:count].tolist()


def content_of(source: Source, order: Sequence[int]) -> str:
    """``Drawn.content`` of the images at some places of a source."""
    with ThreadPoolExecutor() as pool:
        stored = pool.map(source.digest, order)
        lines = [f"{source.labels[i]} {one}\n" for i, one in zip(order, stored, strict=True)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]
