"""What a folder of images means: its splits, its classes, its files, and what is skipped."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from reproduction.image_files import SUFFIXES, shown
from reproduction.words import some

#: What a folder's name, in any case, says that it is; such a folder is never a class.
SPLITS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "val": "val",
    "valid": "val",
    "validation": "val",
}

#: Folders, in small letters, that operating systems and programs leave behind.
LEFTOVERS = (
    "__macosx",
    "__pycache__",
    "@eadir",
    "$recycle.bin",
    "lost+found",
    "system volume information",
)


@dataclass(frozen=True)
class ImageFolder:
    """The images of one split of a folder.

    Attributes:
        files: every image, by class, then by name.
        labels: the class of each, an index into `classes`.
        classes: the sorted names of the training split's class folders; the folder's own name where
            its images are in no classes.
        skipped: what is no image by its name, as paths inside the folder.
    """

    files: tuple[Path, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]
    skipped: tuple[str, ...]


def image_folder(folder: Path, split: str) -> ImageFolder:
    """The images of `folder` that belong to a split, "train" or "test".

    One of four layouts; anything else is refused:

    - ``<class>/<file>``: all of it is "train";
    - ``<file>``: the same, in one class;
    - ``<split>/<class>/<file>`` or ``<split>/<file>``, with the names of `SPLITS`. "test" is the
      folder test, or val where there is none. A folder for training has to be there: its classes,
      by sorted name, are numbered for every split.

    Classes hold no folders. Links are followed. Skipped, and listed in the result: names that begin
    with a dot or end with ~, `LEFTOVERS`, and files without one of `SUFFIXES`. Class names are
    compared in Unicode's composed form, because some systems store them decomposed.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("Train/cat/1.png", "Train/ant/1.png", "val/cat/2.png", "notes.txt"):
    ...         Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
    ...         Path(folder, name).touch()
    ...     images = image_folder(Path(folder), "test")
    >>> images.classes, images.labels, images.skipped
    (('ant', 'cat'), (1,), ('notes.txt',))

    Raises:
        FileNotFoundError: there are no images.
        ValueError: there is no such split, the layout is another, or a folder cannot be listed; the
            message says what was seen.
    """
    top = _listing(folder)
    parts = _splits(top)
    if parts:
        chosen = _listing(_wanted(top, parts, split))
        training = chosen if split == "train" else _listing(parts["train"])
    elif split == "train":
        chosen = training = top
    else:
        raise ValueError(
            f"split={split!r}: {shown(folder)} is not divided; all of it is split='train'"
        )
    numbers = {name: number for number, name in enumerate(_classes(training))}
    own = _classes(chosen)
    if unknown := [name for name in own if name not in numbers]:
        raise ValueError(
            f"{shown(chosen.path)} holds {_some(unknown)}, which {shown(training.path)}, whose "
            f"classes give the numbers, does not ({_some(numbers)})"
        )
    listings = {
        name: chosen if place == chosen.path else _class_listing(place, chosen is training)
        for name, place in own.items()
    }
    files = [
        (listing.path / image, name)
        for name, listing in listings.items()
        for image in listing.images
    ]
    if not files:
        raise FileNotFoundError(
            f"{shown(chosen.path)} holds no images as <class>/<file>{_saw(chosen)}"
        )
    read = {listing.path: listing for listing in (top, chosen, *listings.values())}
    return ImageFolder(
        tuple(file for file, _ in files),
        tuple(numbers[name] for _, name in files),
        tuple(name or shown(folder.name) for name in numbers),
        tuple(
            str((listing.path / name).relative_to(folder))
            for listing in read.values()
            for name in listing.others
        ),
    )


@dataclass(frozen=True)
class _Listing:
    """The names in one folder, sorted: folders, images, and what is skipped."""

    path: Path
    folders: tuple[str, ...]
    images: tuple[str, ...]
    others: tuple[str, ...]


def _listing(folder: Path) -> _Listing:
    folders, images, others = [], [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.endswith("~"):
                    others.append(entry.name)
                elif entry.is_dir():
                    leftover = entry.name.casefold() in LEFTOVERS
                    (others if leftover else folders).append(entry.name)
                elif Path(entry.name).suffix.lower() in SUFFIXES:
                    images.append(entry.name)
                else:
                    others.append(entry.name)
    except OSError as error:  # no permission, links in a circle
        raise ValueError(
            f"{shown(error.filename or folder)} cannot be read: {error.strerror}"
        ) from error
    return _Listing(folder, *(tuple(sorted(names)) for names in (folders, images, others)))


def _splits(top: _Listing) -> dict[str, Path]:
    """Split -> its folder; empty for an undivided folder."""
    named = [name for name in top.folders if name.casefold() in SPLITS]
    if not named:
        return {}
    classes = [name for name in top.folders if name not in named]
    if classes or top.images:
        seen = [
            f"{what} {_some(names)}"
            for what, names in (("folders", classes), ("images", top.images))
            if names
        ]
        raise ValueError(
            f"{shown(top.path)} mixes splits ({_some(named)}) with {' and '.join(seen)}; no class "
            f"can be called {', '.join(SPLITS)}"
        )
    parts: dict[str, Path] = {}
    for name in named:
        part = SPLITS[name.casefold()]
        for other, place in parts.items():
            if other == part or os.path.samefile(place, top.path / name):
                raise ValueError(
                    f"{shown(top.path)}: {_some([place.name, name])} are the same split or folder"
                )
        parts[part] = top.path / name
    return parts


def _wanted(top: _Listing, parts: dict[str, Path], split: str) -> Path:
    if "train" not in parts:
        raise ValueError(
            f"{shown(top.path)} holds {_some(top.folders)} and no folder for training, whose "
            "classes give the numbers; add it, or name one of the folders themselves"
        )
    wanted = ["train"] if split == "train" else ["test", "val"]
    for part in wanted:
        if part in parts:
            return parts[part]
    raise ValueError(
        f"split={split!r}: {shown(top.path)} holds no folder {' or '.join(wanted)}, "
        f"only {_some(top.folders)}"
    )


def _classes(listing: _Listing) -> dict[str, Path]:
    """Class -> its folder, by sorted name; the one class "" where the images are in no folders."""
    if listing.folders and listing.images:
        raise ValueError(
            f"{shown(listing.path)} holds both images ({_some(listing.images)}) and folders "
            f"({_some(listing.folders)}); the labels would be guesswork"
        )
    if not listing.folders:
        return {"": listing.path}
    if splits := [name for name in listing.folders if name.casefold() in SPLITS]:
        raise ValueError(f"{shown(listing.path)}: {_some(splits)} names a split and no class")
    classes: dict[str, Path] = {}
    places: dict[tuple[int, int], str] = {}
    for folder in listing.folders:
        name = normalize("NFC", folder)
        status = (listing.path / folder).stat()
        place = status.st_dev, status.st_ino
        if name in classes or place in places:
            other = classes[name].name if name in classes else places[place]
            raise ValueError(f"{shown(listing.path)}: {_some([other, folder])} are the same class")
        classes[name], places[place] = listing.path / folder, folder
    return dict(sorted(classes.items()))


def _class_listing(folder: Path, needed: bool) -> _Listing:
    """What one class holds: no folders and, where it is needed, at least one image."""
    listing = _listing(folder)
    if listing.folders:
        raise ValueError(
            f"{shown(folder)} is a class, as <class>/<file>, and holds folders: "
            f"{_some(listing.folders)}"
        )
    if needed and not listing.images:
        raise FileNotFoundError(f"{shown(folder)} is a class and holds no images{_saw(listing)}")
    return listing


def _saw(listing: _Listing) -> str:
    seen = [*listing.folders, *listing.others]
    return f": it holds {_some(seen)}" if seen else ": it is empty"


def _some(names: Iterable[str]) -> str:
    """The first names of a list, and how many more there are."""
    return some(repr(name or "images in no class") for name in names)


def skipped_line(folder: Path, skipped: tuple[str, ...]) -> str:
    """What was skipped, for a warning: how many, and the first three.

    >>> skipped_line(Path("/data"), ("a/.DS_Store", "notes.txt"))
    "/data: skipped what is no image by its name (2): 'a/.DS_Store', 'notes.txt'"
    """
    return (
        f"{shown(folder)}: skipped what is no image by its name ({len(skipped)}): {_some(skipped)}"
    )
