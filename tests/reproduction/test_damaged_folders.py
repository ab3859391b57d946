"""Folders of images with seeded damage: read as they are, or refused by a message that names it."""

from __future__ import annotations

import os
import random
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reproduction.image_sources import drawn
from reproduction.images import load_images

N, WHOLE = 400, 40  # damaged folders in all, and whole ones


@pytest.fixture(scope="module")
def kinds(tmp_path_factory) -> dict[str, bytes]:
    """Name's ending -> a small picture of that kind, all of one grey."""
    folder = tmp_path_factory.mktemp("kinds")
    found = {}
    for suffix, mode, value in (
        (".png", "RGB", (90, 90, 90)),
        (".PNG", "L", 90),
        (".png", "I;16", 90 * 257),
        (".png", "RGBA", (90, 90, 90, 255)),
        (".png", "P", 0),
        (".jpg", "RGB", (90, 90, 90)),
        (".jpeg", "L", 90),
        (".bmp", "RGB", (90, 90, 90)),
        (".gif", "L", 90),
        (".webp", "RGB", (90, 90, 90)),
        (".tif", "RGB", (90, 90, 90)),
    ):
        image = Image.new(mode, (9, 7), value)
        if mode == "P":
            image.putpalette([90, 90, 90] * 256)
        path = folder / f"{len(found)}{suffix}"
        image.save(path)
        found[path.name] = path.read_bytes()
    return found


def layout(folder: Path, kinds: dict[str, bytes], draw: random.Random) -> None:
    """A folder of one of the layouts that are read, of pictures of all kinds."""
    parts = draw.choice([["."], ["train", "test"], ["Training", "val"], ["train", "valid", "test"]])
    flat = draw.random() < 0.2
    for part in parts:
        for name in ["."] if flat else ["ant", "bee", "c d"]:
            place = folder / part / name
            place.mkdir(parents=True, exist_ok=True)
            for picture in draw.sample(sorted(kinds), 3):
                (place / picture).write_bytes(kinds[picture])


def contents(folder: Path) -> list[tuple[Path, int, bytes]]:
    """What tells two folders apart."""
    found = []
    for path in sorted(folder.rglob("*")):
        regular = path.is_file() and not path.is_symlink()
        found.append((path, path.lstat().st_mode, path.read_bytes() if regular else b""))
    return found


def damage(folder: Path, draw: random.Random) -> None:
    """One thing wrong with a folder, or odd about it."""
    before = contents(folder)
    while contents(folder) == before:
        change(folder, draw)


def change(folder: Path, draw: random.Random) -> None:
    """What `damage` tries: it may come to nothing, as a file moved to where it was."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    folders = sorted(path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())
    file = draw.choice(files)
    place = draw.choice([folder, *folders])
    content = file.read_bytes()
    cut = draw.randrange(len(content)) if content else 0
    names = ("train", "TEST", "Validation", ".hidden", "__MACOSX", "two\nlines", "ünïcode", "x.png")
    name = draw.choice([name for name in names if not (place / name).exists()])
    match draw.randrange(13):
        case 0 | 1:
            rest = bytes([draw.randrange(256)]) + content[cut + 1 :]
            file.write_bytes(content[:cut] + draw.choice([b"", rest]))
        case 2:
            file.write_bytes(draw.randbytes(draw.randrange(200)))
        case 3:
            file.unlink()
            os.mkfifo(file)
        case 4:
            file.unlink()
            file.symlink_to(draw.choice([file, folder, folder / "gone.png"]))
        case 5:
            (place / name).mkdir()
        case 6:
            (place / name).symlink_to(draw.choice([folder, place]), target_is_directory=True)
        case 7:
            (place / draw.choice(["Thumbs.db", ".DS_Store", "a.txt", "1.png~", "p.svg"])).touch()
        case 8 if folders:
            shutil.rmtree(draw.choice(folders))
        case 9 if folders:
            moved = draw.choice(folders)
            moved.rename(moved.with_name(name if not moved.with_name(name).exists() else "other"))
        case 10:
            file.rename(file.with_suffix(draw.choice([".jpg", ".tiff", ".txt", ".PNG"])))
        case 11:  # says that it has a million pixels to a side
            (place / "wide.png").write_bytes(wide())
        case _:
            file.rename(place / file.name)


def wide() -> bytes:
    import struct
    import zlib

    head = struct.pack(">IIBBBBB", 10**6, 10**6, 8, 2, 0, 0, 0)
    body = b"IHDR" + head
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize("part", range(4))
def test_damaged_folders_are_read_or_refused(part, kinds, tmp_path):
    read = refused = 0
    for k in range(part, N + WHOLE, 4):
        draw, folder = random.Random(k), tmp_path / f"folder {k}"
        layout(folder, kinds, draw)
        for _ in range(draw.randint(1, 2) if k < N else 0):
            if any(path.is_file() for path in folder.rglob("*")):
                damage(folder, draw)
        for split in ("train", "test"):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    images = load_images(f"imagefolder:{folder}", None, size=4, split=split)
                except (ValueError, FileNotFoundError) as error:
                    assert str(folder) in str(error) or "is not divided" in str(error), error
                    assert len(str(error).splitlines()) == 1
                    refused += 1
                    continue
            read += 1
            assert images.drawn == drawn(f"imagefolder:{folder}", None, split=split)
            # all are the one grey, but those in which a byte was changed
            off = np.abs(images.pixels.numpy().astype(int) - 90).max((1, 2, 3)) > 3
            assert off.sum() <= 2
            assert 0 <= images.labels.min() and images.labels.max() < len(images.classes)
            # Pillow warns, too, of a tag that it leaves aside; the picture is right
            named = [one for one in caught if "are no images" in str(one.message)]
            assert bool(images.skipped) == bool(named), [str(one.message) for one in caught]
    assert read + refused == (N + WHOLE) // 2 and read > N / 10 and refused > N / 20
