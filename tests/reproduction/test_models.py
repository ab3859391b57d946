"""Table 1's models: names, modules and layouts against timm itself, weights in and out of files."""

from __future__ import annotations

import csv
import random
import re
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from reproduction import paths
from reproduction.models import from_checkpoint, pretrained, untrained
from reproduction.table_1 import TABLE_1, find
from sslib.features import feature_matrices
from sslib.taps import resolve_modules

# Per model: D of each printed module, and how many modules the released code draws from.
EXPECTED = {
    "vit_small_patch16_224": ([384] * 12, 12),
    "vit_base_patch16_224": ([768] * 12, 12),
    "poolformer_s12": ([64, 128, 320, 512], 2 + 2 + 6 + 2),
    "pvt_v2_b3": ([64, 128, 320, 512], 3 + 4 + 18 + 3),
    "resnet34": ([64, 128, 256, 512], 3 + 4 + 6 + 3),
    "resnet50": ([256, 512, 1024, 2048], 3 + 4 + 6 + 3),
    "vgg11": ([64, 128, 256, 512, 512], 21),
    "resmlp_12_224": ([384] * 12, 13),
    "mixer_b16_224": ([768] * 12, 12),
}


def steps(model: torch.nn.Module, timm_name: str) -> tuple[list, list[tuple[str, torch.nn.Module]]]:
    """What comes before the printed modules, and the chain that holds them, read off the
    architecture.
    """
    if timm_name.startswith("resnet"):
        return (
            [model.conv1, model.bn1, model.act1, model.maxpool],
            [(f"layer{i}", getattr(model, f"layer{i}")) for i in (1, 2, 3, 4)],
        )
    if timm_name == "vgg11":
        return [], [(f"features.{i}", layer) for i, layer in enumerate(model.features)]
    if timm_name.startswith("vit"):

        def with_class_token(x):
            return torch.cat([model.cls_token.expand(len(x), -1, -1), x], 1) + model.pos_embed

        return [model.patch_embed, with_class_token], [
            (f"blocks.{i}", b) for i, b in enumerate(model.blocks)
        ]
    if timm_name in ("resmlp_12_224", "mixer_b16_224"):
        return [model.stem], [(f"blocks.{i}", b) for i, b in enumerate(model.blocks)]
    first = model.stem if timm_name == "poolformer_s12" else model.patch_embed
    return [first], [(f"stages.{i}", stage) for i, stage in enumerate(model.stages)]


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module", params=EXPECTED)
def built(request):
    """(architecture, model): one model at a time is in memory."""
    return find(request.param), untrained(request.param, seed=0, num_classes=10)


def test_printed_modules_are_averaged_over_space(built, images):
    arch, model = built
    found = feature_matrices(model, images, arch.modules, layout=arch.layout)
    before, chain = steps(model, arch.timm_name)
    expected = {}
    with torch.no_grad():
        x = images
        for step in before:
            x = step(x)
        for name, module in chain:
            x = module(x)
            values = x.numpy().astype(np.float64)
            # Tokens (B, N, D) in the models of plain blocks, maps (B, D, H, W) in the others.
            assert x.ndim == (3 if name.startswith("blocks") else 4)
            expected[name] = values.mean(1) if x.ndim == 3 else values.mean((2, 3))
    assert [len(matrix) for matrix in found.values()] == EXPECTED[arch.timm_name][0]
    for name, matrix in found.items():
        np.testing.assert_allclose(
            matrix.numpy(), expected[name].T, rtol=1e-3, atol=1e-5, err_msg=name
        )
        assert matrix.std() > 0


def test_layouts_of_printed_and_released_modules(built, images):
    arch, model = built
    drawn = resolve_modules(model, arch.released_modules)
    assert len(drawn) == EXPECTED[arch.timm_name][1]
    named = feature_matrices(model, images, drawn, layout=arch.released_layout)
    named |= feature_matrices(model, images, arch.modules, layout=arch.layout)
    # At 224 px nothing is ambiguous: told from the shapes, the layouts are the same.
    guessed = feature_matrices(model, images, list(named))
    for name, matrix in named.items():
        torch.testing.assert_close(guessed[name], matrix, msg=name)
    # A block keeps its stage's width, so no axis of space has been taken for the channels.
    widths = dict(zip(arch.modules, EXPECTED[arch.timm_name][0], strict=True))
    for name in drawn:
        for module, width in widths.items():
            if name.startswith(f"{module}."):
                assert len(named[name]) == width, name


def test_a_checkpoint_comes_back_whole(built, tmp_path):
    arch, model = built
    path = tmp_path / "weights.safetensors"
    saved = model.state_dict()
    save_file(saved, path)
    loaded = from_checkpoint(arch.name, path)
    path.unlink()  # the largest is half a gigabyte
    assert not any(module.training for module in loaded.modules())
    found = loaded.state_dict()
    assert found.keys() == saved.keys()
    assert all(torch.equal(found[key], saved[key]) for key in saved)


def test_table_1_agrees_with_the_transcribed_table():
    with open(paths.PAPER / "table1.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == [arch.name for arch in TABLE_1.values()]
    for row, (key, arch) in zip(rows, TABLE_1.items(), strict=True):
        assert key == arch.timm_name == row["timm_name_in_released_code"]
        assert arch.family == row["family"]
        prefix, numbers = re.fullmatch(r"([a-z.]+)(.+)", row["modules_as_printed"]).groups()
        if "-" in numbers:
            first, last = map(int, numbers.split("-"))
            numbers = range(first, last + 1)
        else:
            numbers = numbers.strip("{}").split(",")
        assert arch.modules == tuple(f"{prefix}{number}" for number in numbers)


def test_all_models_get_imagenets_mean_and_std():
    for arch in TABLE_1.values():
        assert (
            arch.mean == timm.data.IMAGENET_DEFAULT_MEAN
            and arch.std == timm.data.IMAGENET_DEFAULT_STD
        )


def test_the_layout_is_needed_where_channels_and_sides_are_as_many():
    arch = find("resnet34")
    model, images = untrained(arch, 0), torch.randn(1, 3, 256, 256)
    with pytest.raises(ValueError, match=r"module 'layer1'.*\(1, 64, 64, 64\).*layout="):
        feature_matrices(model, images, arch.modules)
    assert feature_matrices(model, images, arch.modules, layout=arch.layout)["layer1"].shape == (
        64,
        1,
    )


def test_the_pvt_of_figure_2(images):
    arch = find("pvt_v2_b1")
    assert arch.timm_name not in TABLE_1
    found = feature_matrices(untrained(arch, 0), images, arch.modules, layout=arch.layout)
    assert [len(matrix) for matrix in found.values()] == [64, 128, 320, 512]


@pytest.mark.parametrize(
    ("name", "timm_name"),
    [
        ("ViT (small)", "vit_small_patch16_224"),
        ("mixer_b16_224", "mixer_b16_224"),
        ("PvT", "pvt_v2_b3"),
        ("Vgg", "vgg11"),
        ("Resnet50", "resnet50"),
        ("PVT_V2_B1", "pvt_v2_b1"),
    ],
)
def test_find(name, timm_name):
    assert find(name).timm_name == timm_name
    assert find(find(name)) is find(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet", "name: 'resnet' is no model.*resnet"),
        ("zzz", "name: 'zzz' is no model.*vit_small_patch16_224"),
        (34, "name: 34 is no model"),
    ],
)
def test_find_refuses(name, message):
    for call in (
        find,
        lambda name: untrained(name, 0),
        pretrained,
        lambda name: from_checkpoint(name, "x"),
    ):
        with pytest.raises(ValueError, match=message):
            call(name)


def test_an_architecture_is_read_only():
    with pytest.raises(FrozenInstanceError):
        find("vgg11").layout = "BND"


# --- random weights
# -----------------------------------------------------------------------------------------


def test_untrained_is_set_by_the_seed_alone():
    torch.manual_seed(5)
    first = untrained("resnet34", 1).state_dict()
    torch.manual_seed(6)
    again, other = untrained("resnet34", 1).state_dict(), untrained("resnet34", 2).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])
    # The weights are those of a plain seeded timm call.
    torch.manual_seed(1)
    plain = timm.create_model("resnet34").state_dict()
    assert all(torch.equal(first[key], plain[key]) for key in first)


def test_untrained_leaves_the_global_random_state(monkeypatch):
    reseeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", reseeded.append)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    model = untrained("resnet34", 0)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]
    assert not reseeded
    assert not any(module.training for module in model.modules())
    assert model.num_classes == 1000


@pytest.mark.parametrize("bad", [-1, 1.5, True, None, "0"])
def test_untrained_refuses(bad):
    with pytest.raises(ValueError, match=f"seed: expected an integer of at least 0, got {bad!r}"):
        untrained("resnet34", bad)
    with pytest.raises(
        ValueError, match=f"num_classes: expected an integer of at least 0, got {bad!r}"
    ):
        untrained("resnet34", 0, num_classes=bad)


# --- pretrained weights
# -------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch) -> list:
    """What timm.create_model is asked for; it answers with a stand-in and never with a download."""
    calls = []

    def create_model(name, **options):
        calls.append((name, options))
        return torch.nn.Dropout()

    monkeypatch.setattr(timm, "create_model", create_model)
    return calls


@pytest.mark.parametrize(
    ("name", "weights", "expected"),
    [
        ("ViT (small)", None, "vit_small_patch16_224.dino"),
        ("ViT (base)", None, "vit_base_patch16_224"),
        ("ResNet50", "tv_in1k", "resnet50.tv_in1k"),
    ],
)
def test_pretrained_asks_timm_for_the_weights(asked, name, weights, expected):
    model = pretrained(name, weights=weights)
    assert asked == [(expected, {"pretrained": True})]
    assert not model.training


def test_every_recorded_tag_is_one_of_timms(asked):
    for arch in TABLE_1.values():
        pretrained(arch)
    assert [name for name, _ in asked if "." not in name] == ["vit_base_patch16_224", "resnet50"]


def test_pretrained_refuses_an_unknown_tag(asked):
    with pytest.raises(
        ValueError, match="weights: 'nope' is no tag of resnet34; expected one of a1_in1k, "
    ):
        pretrained("resnet34", weights="nope")
    with pytest.raises(ValueError, match="weights: 'nope' is no tag"):
        pretrained(replace(find("resnet34"), weights="nope"))
    assert asked == []


def test_a_failed_download_says_what_to_do(monkeypatch):
    def no_network(*_, **__):
        raise OSError("name resolution failed\nwith a second line")

    monkeypatch.setattr(timm, "create_model", no_network)
    with pytest.raises(RuntimeError) as caught:
        pretrained("VGG")
    assert str(caught.value) == (
        "The pretrained weights of vgg11.tv_in1k could not be loaded "
        "(OSError: name resolution failed): without a network, fetch timm's .safetensors "
        "file elsewhere and load it with from_checkpoint('vgg11', path), or put it "
        "as vgg11.safetensors into a folder and give that folder as weights."
    )
    assert isinstance(caught.value.__cause__, OSError)


# --- checkpoints
# --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return untrained("resnet34", 3, num_classes=4).state_dict()


@pytest.fixture
def write(tmp_path):
    """write(state) -> path; the file goes after the test, since pytest keeps its folders for a
    while.
    """
    path = tmp_path / "weights.safetensors"

    def save(state: dict[str, torch.Tensor]) -> str:
        save_file(state, path)
        return str(path)

    yield save
    path.unlink()


def test_the_head_follows_the_checkpoint(state, write):
    assert from_checkpoint("resnet34", write(state)).fc.out_features == 4
    headless = {key: value for key, value in state.items() if not key.startswith("fc.")}
    model = from_checkpoint("resnet34", write(headless))
    assert model.num_classes == 0 and torch.equal(model.conv1.weight, state["conv1.weight"])


def test_a_checkpoint_without_batch_norms_counters_loads(state, write):
    old = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    model = from_checkpoint("resnet34", write(old))
    assert model.bn1.num_batches_tracked == 0 and torch.equal(
        model.conv1.weight, state["conv1.weight"]
    )


def test_loading_leaves_the_global_random_state(state, write):
    before = torch.get_rng_state()
    from_checkpoint("resnet34", write(state))
    assert torch.equal(torch.get_rng_state(), before)


def test_keys_that_do_not_fit_are_named(state, write):
    bad = dict(state)
    del bad["bn1.weight"]
    bad["extra"] = torch.zeros(1)
    bad["conv1.weight"] = torch.zeros(64, 1, 7, 7)
    with pytest.raises(ValueError) as caught:
        from_checkpoint("resnet34", write(bad))
    assert "are not those of resnet34 (1 missing: bn1.weight; 1 unexpected: extra; " in str(
        caught.value
    )
    assert "1 of another shape: conv1.weight (64, 1, 7, 7) for (64, 3, 7, 7))" in str(caught.value)
    with pytest.raises(ValueError, match=r"path: .*resnet50 \(\d+ missing: .*, \.\.\."):
        from_checkpoint("resnet50", write(state))
    with pytest.raises(ValueError, match="2 unexpected: fc.bias, fc.weight"):
        from_checkpoint("resnet34", write({**state, "fc.weight": torch.tensor(1.0)}))


def test_files_that_cannot_be_read(tmp_path):
    pickled = tmp_path / "weights.pth"
    torch.save({}, pickled)
    with pytest.raises(
        ValueError, match=r"path: expected a \.safetensors file, got .*weights\.pth"
    ):
        from_checkpoint("resnet34", pickled)
    with pytest.raises(ValueError, match="path: there is no file .*none.safetensors"):
        from_checkpoint("resnet34", tmp_path / "none.safetensors")
    with pytest.raises(ValueError, match="path: there is no file"):
        (tmp_path / "folder.safetensors").mkdir()
        from_checkpoint("resnet34", tmp_path / "folder.safetensors")
    for content in (b"", b"not a checkpoint at all"):
        broken = tmp_path / "broken.safetensors"
        broken.write_bytes(content)
        with pytest.raises(
            ValueError, match="path: .*broken.safetensors' is not a readable safetensors"
        ):
            from_checkpoint("resnet34", broken)
