"""Images: the same pixels on every call, every layout on disk, one clear sentence for whatever is
missing.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images
from torchvision import datasets
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

from reproduction import image_sources as data
from reproduction.images import IMAGENET_MEAN, IMAGENET_STD, load_images

REAL = os.environ.get("SSLIB_DATA")


@pytest.fixture(autouse=True)
def no_data(monkeypatch, tmp_path):
    """No test sees real images or the user's cache by accident."""
    monkeypatch.delenv("SSLIB_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("SSLIB_DATA", str(folder))
    return folder


def save(path: Path, value: int, size: tuple[int, int] = (40, 30)) -> None:
    """A picture of one grey value: what was read can be told from its pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)


def values(images: data.ImageSet) -> list[int]:
    return images.pixels[:, 0, 0, 0].tolist()


# --- embedded ---


def test_photographs_are_the_recorded_pixels():
    images = load_images("photographs")
    assert images.pixels.shape == (512, 3, 224, 224) and images.pixels.dtype == torch.uint8
    assert images.labels.dtype == torch.int64 and images.labels.tolist() == [0, 1] * 256
    # Measured with Pillow 13.0.0. If nothing but this differs, the JPEG decoder gave other pixels.
    assert images.fingerprint == "040ba1ad7e7f5103"
    assert images.description == (
        "512 overlapping 224-pixel crops of two photographs, "
        "scikit-learn's china.jpg and flower.jpg; 224 x 224 pixels."
    )


def test_photographs_are_crops_of_a_regular_grid():
    pictures = load_sample_images().images
    crops = load_images("photographs").pixels.permute(0, 2, 3, 1).numpy()
    rows = np.linspace(0, 427 - 224, 16).round().astype(int)
    columns = np.linspace(0, 640 - 224, 16).round().astype(int)

    def cut(picture: int, rows, columns) -> set[bytes]:
        return {
            pictures[picture][r : r + 224, c : c + 224].tobytes() for r in rows for c in columns
        }

    for picture in (0, 1):
        seen = {crop.tobytes() for crop in crops[picture::2]}
        assert len(seen) == 256 and seen == cut(picture, rows, columns)
        # the first four positions are a 2 x 2 grid
        assert {crop.tobytes() for crop in crops[picture:8:2]} == cut(
            picture, rows[[0, 8]], columns[[0, 8]]
        )


def test_photographs_of_any_number_begin_the_full_set():
    images, few = load_images("photographs"), load_images("photographs", 10, seed=5)
    assert torch.equal(few.pixels, images.pixels[:10]) and few.labels.tolist() == [0, 1] * 5
    assert len(load_images("photographs", None, size=8)) == 512
    small = load_images("photographs", 2, size=56)
    # scaled, not cropped further: the mean colour stays
    assert torch.allclose(
        small.pixels.float().mean((2, 3)), images.pixels[:2].float().mean((2, 3)), atol=1
    )


def test_digits_are_a_fixed_stratified_split():
    train, test = (load_images("digits", None, size=8, split=split) for split in ("train", "test"))
    assert (len(train), len(test)) == (1437, 360)
    assert test.fingerprint == "61acdc155614fa6a"  # measured with scikit-learn 1.9.1
    grey = (load_digits().images * (255 / 16)).round().astype(np.uint8)
    both = torch.cat([train.pixels, test.pixels])
    assert all(torch.equal(both[:, 0], both[:, channel]) for channel in (1, 2))
    assert sorted(map(bytes, both[:, 0].numpy())) == sorted(map(bytes, grey))
    shares = [torch.bincount(part.labels, minlength=10) / len(part) for part in (train, test)]
    assert (shares[0] - shares[1]).abs().max() < 0.005
    shown = {grey[i].tobytes(): label for i, label in enumerate(load_digits().target)}
    assert [shown[image.tobytes()] for image in test.pixels[:, 0].numpy()] == test.labels.tolist()


# --- which images ---


def test_draws_are_seeded_without_replacement_and_nested():
    images = load_images("digits", 300, seed=1, size=8)
    assert torch.equal(images.pixels, load_images("digits", 300, seed=1, size=8).pixels)
    assert torch.equal(images.pixels[:20], load_images("digits", 20, seed=1, size=8).pixels)
    everything = load_images("digits", None, seed=1, size=8)
    assert torch.equal(images.pixels, everything.pixels[:300])
    assert torch.equal(images.labels, everything.labels[:300])
    other = load_images("digits", None, seed=2, size=8)
    assert not torch.equal(other.pixels, everything.pixels)
    assert sorted(map(bytes, other.pixels.numpy())) == sorted(map(bytes, everything.pixels.numpy()))


def test_the_draw_is_the_documented_permutation(root):
    for i in range(20):
        save(root / "imagenet-sample" / f"n{i:02d}" / "a.png", 10 * i)
    images = load_images("imagenet-sample", 7, seed=3, size=4)
    expected = np.random.default_rng(3).permutation(20)[:7]
    assert (
        images.labels.tolist() == expected.tolist() and values(images) == (10 * expected).tolist()
    )


def test_the_fingerprint_follows_pixels_and_shape():
    images = load_images("digits", 8, size=16)
    assert images.fingerprint == load_images("digits", 8, size=16).fingerprint
    others = [
        load_images("digits", n, size=s, seed=k) for n, s, k in ((7, 16, 0), (8, 17, 0), (8, 16, 1))
    ]
    assert len({images.fingerprint, *(other.fingerprint for other in others)}) == 4
    plain = hashlib.sha256(b"(8, 3, 16, 16)" + images.pixels.numpy().tobytes()).hexdigest()
    assert images.fingerprint == plain[:16]


def test_only_what_is_drawn_is_decoded(root):
    save(root / "imagenet-sample" / "a" / "0.png", 1)
    save(root / "imagenet-sample" / "a" / "1.png", 2)
    first = int(np.random.default_rng(0).permutation(2)[0])
    (root / "imagenet-sample" / "a" / f"{1 - first}.png").write_bytes(b"damaged")
    assert values(load_images("imagenet-sample", 1, size=4)) == [first + 1]
    with pytest.raises(ValueError, match=f"{1 - first}.png cannot be read as an image"):
        load_images("imagenet-sample", 2, size=4)


# --- which pixels ---


@pytest.mark.parametrize(("size", "shorter"), [(224, 256), (32, 37), (160, 183)])
def test_files_are_scaled_and_cropped_as_in_the_paper(tmp_path, size, shorter):
    noise = np.random.default_rng(0).integers(0, 256, (300, 420, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    images = load_images(f"imagefolder:{tmp_path}", None, size=size)
    expected = transforms.resize(Image.fromarray(noise), shorter, InterpolationMode.BICUBIC)
    expected = transforms.center_crop(expected, size)
    assert np.array_equal(images.pixels[0].permute(1, 2, 0).numpy(), np.asarray(expected))
    assert f"shorter side {shorter}, centre crop {size} x {size} pixels." in images.description


def test_crop_pct_one_keeps_the_whole_shorter_side(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (32, 40, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    whole = load_images(f"imagefolder:{tmp_path}", None, size=32, crop_pct=1)
    assert np.array_equal(whole.pixels[0].permute(1, 2, 0).numpy(), noise[:, 4:36])


def test_grey_and_transparent_images_become_rgb(tmp_path):
    Image.new("L", (30, 40), 90).save(tmp_path / "a.png")
    Image.new("RGBA", (40, 30), (10, 20, 30, 255)).save(tmp_path / "b.PNG")
    images = load_images(f"imagefolder:{tmp_path}", None, size=8)
    assert sorted(images.pixels[:, :, 0, 0].tolist()) == [[10, 20, 30], [90, 90, 90]]


def test_normalised_is_what_a_network_expects():
    images = load_images("photographs", 4, size=16)
    out = images.normalised()
    mean, std = torch.tensor(IMAGENET_MEAN).view(3, 1, 1), torch.tensor(IMAGENET_STD).view(3, 1, 1)
    assert out.dtype == torch.float32 and torch.allclose(
        out, (images.pixels / 255 - mean) / std, atol=1e-6
    )
    assert torch.allclose(images.normalised((0, 0, 0), (1, 1, 1)) * 255, images.pixels.float())
    assert torch.equal(
        images.pixels, load_images("photographs", 4, size=16).pixels
    )  # not changed in place


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"mean": (0.5,)}, "mean"), ({"mean": (0, 0, float("nan"))}, "mean"), ({"std": (1, 1)}, "std"),
     ({"std": (1, 0, 1)}, "std"), ({"std": (1, 1, float("inf"))}, "std")],
)  # fmt: skip
def test_normalised_refuses(arguments, named):
    with pytest.raises(ValueError, match=f"{named} must be three finite numbers"):
        load_images("digits", 1, size=4).normalised(**arguments)


# --- layouts on disk ---


def fill(folder: Path, splits: tuple[str, ...], suffix: str) -> None:
    for s, split in enumerate(splits):
        for c, name in enumerate(
            ("cat", "Dog", "ant")
        ):  # sorted as find_classes does: Dog, ant, cat
            for i in range(2):
                save(folder / split / name / f"{i}{suffix}", 100 * s + 10 * c + i)


@pytest.mark.parametrize(
    ("name", "splits", "suffix"),
    [("cifar10", ("train", "test"), ".jpg"), ("cifar100", ("train", "test"), ".png"),
     ("imagenette", ("train", "val"), ".JPEG")],
)  # fmt: skip
def test_folders_with_splits(root, name, splits, suffix):
    fill(root / name, splits, suffix)
    for s, split in enumerate(("train", "test")):
        images = load_images(name, None, size=8, split=split)
        labels = [(2, 0, 1)[value % 100 // 10] for value in values(images)]  # of cat, Dog, ant
        assert sorted(values(images)) == [100 * s + 10 * c + i for c in range(3) for i in range(2)]
        assert images.labels.tolist() == labels
        assert (
            images.name == name
            and f"6 images of {name} ({split}), from image files" in images.description
        )


@pytest.mark.parametrize("inside", [".", "class"])
def test_the_order_of_files_is_not_the_file_systems(tmp_path, monkeypatch, inside):
    for i in range(12):
        save(tmp_path / inside / f"{i:02d}.png", i)
    list_folder, walk = Path.iterdir, os.walk
    for step in (1, -1):  # as listed by two different file systems
        monkeypatch.setattr(
            Path, "iterdir", lambda self, step=step: iter(sorted(list_folder(self))[::step])
        )

        def other_order(*a, step=step, **k):
            return ((top, folders, sorted(files)[::step]) for top, folders, files in walk(*a, **k))

        monkeypatch.setattr(os, "walk", other_order)
        images = load_images(f"imagefolder:{tmp_path}", 12, size=4)
        assert values(images) == np.random.default_rng(0).permutation(12).tolist()


def test_image_folders_of_all_kinds(tmp_path, monkeypatch):
    save(tmp_path / "flat" / "b.png", 2)
    save(tmp_path / "flat" / "a.jpg", 1)
    images = load_images(f"imagefolder:{tmp_path / 'flat'}", None, size=4)
    assert sorted(values(images)) == [1, 2] and images.labels.tolist() == [0, 0]
    assert images.classes == ("flat",)
    fill(tmp_path / "split", ("train", "test", "val"), ".png")
    assert (
        min(values(load_images(f"imagefolder:{tmp_path / 'split'}", None, size=4, split="test")))
        == 100
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(load_images("imagefolder:~/flat", None, size=4)) == 2


def test_splits_that_are_not_there(root, tmp_path):
    save(root / "imagenet-sample" / "n0" / "a.png", 1)
    with pytest.raises(ValueError, match="split='test': .*imagenet-sample is not divided"):
        load_images("imagenet-sample", 1, split="test")
    fill(root / "cifar10", ("train",), ".png")
    with pytest.raises(ValueError, match="split='test': .*cifar10 holds no folder test or val"):
        load_images("cifar10", 1, split="test")
    with pytest.raises(ValueError, match="photographs has the split 'train' only"):
        load_images("photographs", 1, split="test")


def test_folders_that_cannot_be_read(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "hollow" / "class").mkdir(parents=True)
    for folder in ("empty", "hollow"):
        with pytest.raises(FileNotFoundError, match=f"{folder}.* holds no images.*: it is empty"):
            load_images(f"imagefolder:{tmp_path / folder}")
    save(tmp_path / "mixed" / "a.png", 1)
    save(tmp_path / "mixed" / "class" / "a.png", 1)
    with pytest.raises(ValueError, match=r"mixed holds both images \(.a.png.\) and folders"):
        load_images(f"imagefolder:{tmp_path / 'mixed'}")


@pytest.mark.parametrize("damage", ["text", "truncated", "empty"])
def test_a_damaged_image_is_named(tmp_path, damage):
    path = tmp_path / "class" / "bad.jpg"
    path.parent.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(path)
    content = {"text": b"no image", "truncated": path.read_bytes()[:1000], "empty": b""}[damage]
    path.write_bytes(content)
    with pytest.raises(ValueError, match="bad.jpg cannot be read as an image"):
        load_images(f"imagefolder:{tmp_path}", 1)


# --- through torchvision, without a network ---


def offline(*arguments, **keywords):
    raise URLError("no network")


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "imagenette"])
@pytest.mark.parametrize("cached", [True, False])
def test_a_download_that_fails_says_what_to_do(name, cached, tmp_path, monkeypatch):
    where = tmp_path / "home" / ".cache" / "sslib"
    if cached:
        where = tmp_path
        monkeypatch.setenv("SSLIB_DATA", str(where))
    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", offline)
    monkeypatch.setattr("torchvision.datasets.imagenette.download_and_extract_archive", offline)
    with pytest.raises(FileNotFoundError) as caught:
        load_images(name)
    message = str(caught.value)
    assert f"{name} is not in {where} and torchvision could not download it" in message
    assert "no network" in message
    assert f"set SSLIB_DATA to a folder with {name}/train/<class>/*.jpg" in message


def test_cifar_as_torchvision_keeps_it(root, monkeypatch):
    """The real reader of torchvision on a data set of its format, five images long."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir()

    def put(name: str, content: dict) -> str:
        raw = pickle.dumps(content)
        (folder / name).write_bytes(raw)
        return hashlib.md5(raw).hexdigest()

    def batch(start: int, count: int) -> dict:
        first = np.arange(start, start + count, dtype=np.uint8)
        return {"data": np.repeat(first[:, None], 3072, 1), "labels": list(range(count))}

    monkeypatch.setattr(
        datasets.CIFAR10, "train_list", [["data_batch_1", put("data_batch_1", batch(50, 5))]]
    )
    monkeypatch.setattr(
        datasets.CIFAR10, "test_list", [["test_batch", put("test_batch", batch(90, 2))]]
    )
    meta = put("batches.meta", {"label_names": list("abcde")})
    monkeypatch.setattr(datasets.CIFAR10, "meta", datasets.CIFAR10.meta | {"md5": meta})
    train, test = (
        load_images("cifar10", None, size=32, split=split) for split in ("train", "test")
    )
    order = np.random.default_rng(0).permutation(5)
    assert values(train) == (50 + order).tolist() and train.labels.tolist() == order.tolist()
    assert sorted(values(test)) == [90, 91]
    assert train.description == (
        "5 images of cifar10 (train), torchvision's copy, drawn with seed 0; "
        "shorter side 37, centre crop 32 x 32 pixels."
    )


def test_imagenette_as_torchvision_unpacks_it(root, monkeypatch):
    wnid = "n01440764"

    def unpack(url, folder, md5):
        assert url.endswith("imagenette2-320.tgz")
        for i in range(3):
            save(Path(folder) / "imagenette2-320" / "train" / wnid / f"{i}.JPEG", i)
        save(Path(folder) / "imagenette2-320" / "val" / wnid / "0.JPEG", 9)

    monkeypatch.setattr("torchvision.datasets.imagenette.download_and_extract_archive", unpack)
    with pytest.raises(
        FileNotFoundError, match="imagenette2-320 is incomplete: delete that folder"
    ):
        load_images("imagenette", 1)
    monkeypatch.setattr(data, "_IMAGENETTE_FILES", {"train": 3, "test": 1})
    assert sorted(values(load_images("imagenette", None, size=8))) == [0, 1, 2]
    assert values(load_images("imagenette", None, size=8, split="test")) == [9]


def test_imagenet_sample_needs_the_folder(root):
    with pytest.raises(
        FileNotFoundError, match="set SSLIB_DATA to a folder with imagenet-sample/<wnid>"
    ):
        load_images("imagenet-sample")


# --- bad input ---


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"name": "mnist"},
            "name must be one of photographs, digits, .* or imagefolder:PATH, got 'mnist'",
        ),
        ({"name": None}, "name must be one of"),
        ({"name": "Photographs"}, "name must be one of"),
        ({"n": 0}, "n must be a whole number of at least 1"),
        ({"n": -1}, "n must be"),
        ({"n": 1.5}, "n must be"),
        ({"n": True}, "n must be"),
        ({"n": 513}, r"n=513, but photographs \(train\) holds 512 images"),
        (
            {"name": "digits", "n": 361, "split": "test"},
            r"n=361, but digits \(test\) holds 360 images",
        ),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"seed": 0.5}, "seed must be"),
        ({"size": 0}, "size must be a whole number of at least 1"),
        ({"crop_pct": 0}, "crop_pct must be a number above 0 and at most 1"),
        ({"crop_pct": 1.1}, "crop_pct must be a number above 0 and at most 1"),
        ({"size": "224"}, "size must be"),
        ({"split": "val"}, "split must be 'train' or 'test', got 'val'"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, said):
    with pytest.raises(ValueError, match=said):
        load_images(**{"name": "photographs", "n": 1} | arguments)


@pytest.mark.parametrize("path", ["", "no/such/folder"])
def test_an_image_folder_must_exist(path):
    with pytest.raises(
        FileNotFoundError, match="PATH in imagefolder:PATH must be an existing folder"
    ):
        load_images(f"imagefolder:{path}")


def test_a_wrong_sslib_data_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("SSLIB_DATA", str(tmp_path / "none"))
    with pytest.raises(ValueError, match="SSLIB_DATA"):
        load_images("cifar10")


# --- real images, where there are some ---


@pytest.mark.parametrize("name", ["imagenet-sample", "cifar10", "cifar100", "imagenette"])
def test_real_images(name, monkeypatch):
    if not REAL or not (Path(REAL) / name).is_dir():
        pytest.skip(f"SSLIB_DATA names no folder with {name}")
    monkeypatch.setenv("SSLIB_DATA", REAL)
    images = load_images(name, 16, seed=1)
    assert images.pixels.shape == (16, 3, 224, 224)
    assert len({image.tobytes() for image in images.pixels.numpy()}) == 16
    assert images.pixels.float().std() > 20  # pictures, not one colour
    assert images.fingerprint == load_images(name, 16, seed=1).fingerprint
    assert images.fingerprint != load_images(name, 16).fingerprint
