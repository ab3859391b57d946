"""Image folders and files: every one is read right or refused by name."""

from __future__ import annotations

import os
import random
import string
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from reproduction.image_files import NotReadable, read_image
from reproduction.image_folders import SPLITS, image_folder
from reproduction.images import load_images
from reproduction.paths import ROOT

BOOK = ROOT / "book"


def put(root, *names, value=100):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 7), (value, value, value)).save(path, "PNG")


@pytest.mark.parametrize("name", [*SPLITS, "TRAIN", "Validation"])
def test_a_split_is_never_a_class(tmp_path, name):
    put(tmp_path, f"{name}/cat/1.png", "dog/1.png")
    with pytest.raises(ValueError, match=rf"mixes splits \('{name}'\) with folders 'dog'"):
        image_folder(tmp_path, "train")


@pytest.mark.parametrize(
    ("train", "test"), [("train", "test"), ("Training", "VAL"), ("train", "valid")]
)
def test_labels_are_numbered_by_the_training_split(tmp_path, train, test):
    """A test set without the first class shifted every label."""
    put(tmp_path, *(f"{train}/{name}/{k}.png" for name in "abc" for k in range(2)))
    put(tmp_path, f"{test}/b/1.png", f"{test}/c/1.png")
    found = image_folder(tmp_path, "test")
    assert found.labels == (1, 2) and found.classes == ("a", "b", "c")
    images = load_images(f"imagefolder:{tmp_path}", None, size=8, crop_pct=1, split="test")
    assert images.labels.tolist() == [1, 2] and images.classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("names", "split", "message"),
    [
        (("test/a/1.png",), "test", "no folder for training"),
        (("train/a/1.png", "test/z/1.png"), "test", "'z'.*whose classes give the numbers"),
        (("train/a/1.png",), "test", "holds no folder test or val"),
        (("a/1.png",), "test", "is not divided"),
        (("a/1.png", "2.png"), "train", "both images .* and folders"),
        (("a/b/1.png",), "train", "is a class, .* and holds folders"),
        (("train/train/1.png",), "train", "names a split and no class"),
        (("train/a/1.png", "Training/a/1.png"), "train", "are the same split or folder"),
        (("train/a/1.png", "loose.png"), "train", "mixes splits .* with images"),
    ],
)
def test_other_layouts_are_refused_with_what_was_seen(tmp_path, names, split, message):
    put(tmp_path, *names)
    with pytest.raises(ValueError, match=message):
        image_folder(tmp_path, split)


def test_what_is_skipped_is_named(tmp_path):
    put(tmp_path, "a/1.png", "b/1.png")
    left = ["a/.DS_Store", "a/Thumbs.db", "a/._1.png", "a/1.png~", ".hidden/x.png", "notes.txt"]
    for name in [*left, "__MACOSX/a/1.png"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"no image")
    found = image_folder(tmp_path, "train")
    assert len(found.files) == 2
    expected = {".hidden", "notes.txt", "__MACOSX"} | {name for name in left if name[0] == "a"}
    assert set(found.skipped) == expected
    with pytest.warns(UserWarning, match=r"skipped what is no image by its name \(7\)"):
        load_images(f"imagefolder:{tmp_path}", None, size=8, crop_pct=1)


def test_links_in_a_circle_and_a_class_twice_are_refused(tmp_path):
    put(tmp_path, "a/1.png")
    os.symlink(tmp_path / "a", tmp_path / "b", target_is_directory=True)
    with pytest.raises(ValueError, match="'a', 'b' are the same class"):
        image_folder(tmp_path, "train")
    (tmp_path / "b").unlink()
    os.symlink("loop", tmp_path / "loop")
    put(tmp_path, "c/1.png")
    with pytest.raises(ValueError, match="loop cannot be read: Too many levels"):
        image_folder(tmp_path, "train")


def test_eight_bit_rgb_is_what_pillow_reads(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    for suffix in ("png", "jpg", "bmp", "webp"):
        path = tmp_path / f"x.{suffix}"
        Image.fromarray(pixels).save(path)
        with Image.open(path) as image:
            expected = np.asarray(image.convert("RGB"))
        assert (np.asarray(read_image(path)) == expected).all()


@pytest.mark.parametrize("side", [12_000, 40_000])
def test_an_image_that_is_small_on_disk_and_huge_in_memory_is_refused(tmp_path, side):
    """12,000 by 12,000 is what Pillow only warns of."""
    path = tmp_path / "x.png"
    Image.new("1", (1, 1)).save(path)
    whole = bytearray(path.read_bytes())
    whole[16:24] = side.to_bytes(4, "big") * 2  # the size that its header gives
    whole[29:33] = zlib.crc32(bytes(whole[12:29])).to_bytes(4, "big")
    path.write_bytes(bytes(whole))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(NotReadable, match=r"x\.png .*(144000000|12000 x 12000|1600000000)"):
            read_image(path)


def test_a_thin_image_is_refused_before_it_is_scaled(tmp_path):
    Image.new("L", (60_000, 1)).save(tmp_path / "thin.png")
    with pytest.raises(ValueError, match=r"thin\.png has 60000 x 1 pixels, 256 x 15360000 when"):
        load_images(f"imagefolder:{tmp_path}", None)


def test_a_png_with_a_wrong_checksum_is_refused(tmp_path):
    put(tmp_path, "x.png")
    content = bytearray((tmp_path / "x.png").read_bytes())
    content[-13] ^= 1  # the last byte of the pixels' checksum, before the 12 bytes of the end
    (tmp_path / "x.png").write_bytes(bytes(content))
    with pytest.raises(NotReadable, match=r"x\.png"):
        read_image(tmp_path / "x.png")


def test_what_is_no_regular_file_is_refused(tmp_path):
    """Opening a named pipe would wait for ever: a writer keeps a failure of this test short."""
    os.mkfifo(tmp_path / "x.png")
    held = os.open(tmp_path / "x.png", os.O_RDWR | os.O_NONBLOCK)
    try:
        with pytest.raises(NotReadable, match="no regular file"):
            read_image(tmp_path / "x.png")
    finally:
        os.close(held)


def test_refused_files_are_counted_and_three_are_named(tmp_path):
    put(tmp_path, *(f"{k}.png" for k in range(6)))
    for k in range(5):
        (tmp_path / f"{k}.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match="5 of the 6 images drawn") as caught:
        load_images(f"imagefolder:{tmp_path}", None, size=8)
    assert str(caught.value).count("no format that Pillow knows") == 3
    assert str(caught.value).endswith("and 2 more")


def test_messages_give_the_resolved_path(tmp_path, monkeypatch):
    """A path counts from the working folder, and a message says which that was."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real" / "a").mkdir(parents=True)
    (tmp_path / "real" / "a" / "1.png").write_bytes(b"no image")
    os.symlink("real", tmp_path / "link", target_is_directory=True)
    for name in ("link", "../" + tmp_path.name + "/link"):
        with pytest.raises(ValueError, match="cannot be read") as caught:
            load_images(f"imagefolder:{name}", None, size=8)
        assert str(caught.value).startswith(str(tmp_path.resolve() / "real" / "a" / "1.png"))
    with pytest.raises(FileNotFoundError) as caught:
        load_images("imagefolder:missing", None)
    assert f"looked for {str(tmp_path / 'missing')!r}" in str(caught.value)
    monkeypatch.setenv("SSLIB_DATA", "missing")
    with pytest.raises(ValueError, match="SSLIB_DATA") as caught:
        load_images("imagenet-sample", None)
    assert str(tmp_path / "missing") in str(caught.value)


def test_five_hundred_damaged_files_are_read_or_refused_by_name(tmp_path):
    """Cut, changed and lengthened at random places, every suffix, under odd names."""
    draw = random.Random(0)
    pixels = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
    read = refused = 0
    for k in range(500):
        suffix = draw.choice(["png", "jpg", "bmp", "webp", "tif", "gif", "ppm"])
        name = "".join(draw.choice(string.ascii_letters + " äé\u4e2d'&<") for _ in range(6))
        path = tmp_path / f"{k}{name}.{suffix}"
        Image.fromarray(pixels).save(path)
        content = bytearray(path.read_bytes())
        for _ in range(draw.randrange(1, 6)):
            way, at = draw.randrange(3), draw.randrange(len(content))
            if way == 0:
                content[at] = draw.randrange(256)
            elif way == 1 and len(content) > 20:
                del content[at:]
                content = content or bytearray(b"\0")
            else:
                content[at:at] = bytes(draw.randrange(256) for _ in range(draw.randrange(9)))
        path.write_bytes(bytes(content))
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a warning would be a word too little
            try:
                image = read_image(path)
            except NotReadable as error:
                assert str(k) in str(error)
                refused += 1
            else:
                assert image.mode == "RGB" and min(image.size) > 0
                read += 1
    assert read > 20 and refused > 200


def test_four_hundred_random_trees_are_read_or_refused(tmp_path):
    """Folders, images and leftovers in any place: labels always name their folder."""
    draw, read = random.Random(1), 0
    names = ["a", "b", "Train", "test", "val", "__MACOSX", ".git", "c d", "ü"]
    for k in range(400):
        root = tmp_path / str(k)
        root.mkdir()
        for _ in range(draw.randrange(1, 7)):
            parts = [draw.choice(names) for _ in range(draw.randrange(3))]
            try:
                put(root, "/".join([*parts, draw.choice(["1.png", "2.PNG", ".x.png", "n.txt"])]))
            except (NotADirectoryError, FileExistsError):
                continue
        for split in ("train", "test"):
            try:
                found = image_folder(root, split)
            except (ValueError, FileNotFoundError) as error:
                assert str(root) in str(error)
                continue
            read += 1
            for file, label in zip(found.files, found.labels, strict=True):
                folder = file.parent.name
                assert found.classes[label] in (folder, root.name) or folder.casefold() in SPLITS
                assert not file.name.startswith(".")
    assert read > 50


def test_the_table_of_kinds_is_right_row_by_row(monkeypatch):
    monkeypatch.syspath_prepend(str(BOOK))
    import image_kinds

    found = image_kinds.table()
    assert len(found) > 130
    wrong = found[~found["outcome"].isin(["right", "refused"])]
    assert wrong.empty, wrong.to_string()
    assert (found.loc[found["outcome"] == "refused", "why"] != "").all()
    page = image_kinds.page()
    assert page.count("\n| ") == len(found) + 1 and "| PNG | RGB | 16 | read |" in page
