"""Which axis the channels are on, what goes into a model and what comes out of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset
from transformers import BertConfig, BertModel
from transformers.feature_extraction_utils import BatchFeature

from sslib.features import feature_matrices, reduce_mean
from sslib.report import self_similarity


class Lambda(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, *x):
        return self.function(*x)


def image(*shape: int) -> torch.Tensor:
    return torch.rand(6, *shape, generator=torch.Generator().manual_seed(0))


class Mixer(nn.Module):
    """Tokens (B, N, D), mixed on the transposed (B, D, N)."""

    def __init__(self, n: int = 9, d: int = 8) -> None:
        super().__init__()
        self.norm, self.tokens, self.channels = nn.LayerNorm(d), nn.Linear(n, n), nn.Linear(d, d)

    def forward(self, x):
        return self.channels(self.tokens(self.norm(x).mT).mT)


def sequence_first() -> nn.Module:
    return nn.TransformerEncoder(
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=False), 2, enable_nested_tensor=False
    )


#: name: (model, module, images, the axes that are averaged over)
RIGHT = {
    "Conv1d": (lambda: nn.Sequential(nn.Conv1d(3, 8, 3)), "0", (3, 20), (2,)),
    "Conv1d as long as wide": (lambda: nn.Sequential(nn.Conv1d(3, 8, 3)), "0", (3, 10), (2,)),
    "norm and activation": (
        lambda: nn.Sequential(nn.Conv1d(3, 8, 3), nn.BatchNorm1d(8), nn.GELU()),
        "2",
        (3, 20),
        (2,),
    ),
    "flattened map": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(2)),
        "1",
        (3, 9, 9),
        (2,),
    ),
    "token mixer": (Mixer, "tokens", (9, 8), (2,)),
    "channel mixer": (Mixer, "channels", (9, 8), (1,)),
    "rows of a linear layer": (lambda: nn.Sequential(nn.Linear(5, 7)), "0", (9, 5), (1,)),
    "Conv3d": (lambda: nn.Sequential(nn.Conv3d(3, 4, 2)), "0", (3, 5, 6, 7), (2, 3, 4)),
    "as high as it has channels": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()),
        "1",
        (3, 10, 18),
        (2, 3),
    ),
    "as wide as high, wide images": (
        lambda: nn.Sequential(nn.Conv2d(3, 5, 3, stride=(1, 2)), nn.ReLU()),
        "1",
        (3, 10, 17),
        (2, 3),
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_the_axis_is_the_right_one(name):
    build, module, shape, axes = RIGHT[name]
    torch.manual_seed(0)
    model, x = build().eval(), image(*shape)
    kept = []
    handle = model.get_submodule(module).register_forward_hook(lambda *a: kept.append(a[-1]))
    with torch.no_grad():
        model(x)
    handle.remove()
    found = feature_matrices(model, x, module)[module]
    torch.testing.assert_close(found, kept[0].mean(axes).T)


def test_images_on_the_second_axis():
    torch.manual_seed(0)
    model = sequence_first().eval()
    x = torch.rand(5, 6, 8)  # 5 tokens of 6 images
    run = {"forward": lambda model, batch: model(batch.transpose(0, 1))}
    by_batch = x.transpose(0, 1).contiguous()
    with torch.no_grad():
        expected = model.layers[0](x).mean(0).T
    for layout in ("auto", "NBD", {"layers.0": "NBD"}, {"layers.*": "NBD"}):
        F = feature_matrices(model, by_batch, "layers.0", layout=layout, batch_size=4, **run)
        torch.testing.assert_close(F["layers.0"], expected)
    with pytest.raises(ValueError, match="cannot tell BND from BDN from NBD"):
        feature_matrices(model, by_batch[:5], "layers.0", **run)


#: name: (output of a module without weights, images)
REFUSED = {
    "no width known": (lambda x: x.flatten(2), (3, 4, 4)),
    "cube": (lambda x: x.expand(-1, 4, -1, -1), (1, 4, 4)),
    "no side equal": (lambda x: x[:, :, :3], (5, 4, 4)),
    "images on the second axis": (lambda x: x.flatten(2).transpose(0, 1), (3, 4, 4)),
    "windows": (lambda x: x.reshape(12, -1, 8), (3, 4, 4)),
    "nested": (lambda x: torch.nested.nested_tensor(list(x)), (3, 4, 4)),
    "sparse": (lambda x: x.flatten(1).to_sparse(), (3, 4, 4)),
    "six axes": (lambda x: x[:, None, None], (3, 4, 4)),
    "one row for all images": (lambda x: x.mean(0, keepdim=True), (3, 4, 4)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_told_is_refused(name):
    function, shape = REFUSED[name]
    with pytest.raises(ValueError, match="module '0'"):
        feature_matrices(nn.Sequential(Lambda(function)), image(*shape), "0")


@pytest.mark.parametrize(
    ("layout", "axes"), [("BDN", 2), ("BND", 1), ("BCDHW", (2, 3, 4)), ("BDHWC", (1, 2, 3))]
)
def test_a_named_layout_is_taken(layout, axes):
    x = torch.rand(2, 3, 4, 5, 6)[(..., 0, 0)[: 3 if len(layout) == 3 else 0] or ...]
    torch.testing.assert_close(reduce_mean(x, layout), x.mean(axes))


def test_tokens_and_pooling():
    x = torch.rand(4, 5, 6)
    torch.testing.assert_close(reduce_mean(x, tokens="class"), x[:, 0])
    torch.testing.assert_close(reduce_mean(x, tokens="patch"), x[:, 1:].mean(1))
    torch.testing.assert_close(reduce_mean(x, "BDN", tokens="class"), x[:, :, 0])
    torch.testing.assert_close(reduce_mean(x, pool="max"), x.amax(1))
    for bad in ({"tokens": "cls"}, {"pool": "median"}, {"layout": "BD", "tokens": "class"}):
        with pytest.raises(ValueError, match="tokens|pool|axes"):
            reduce_mean(x, **bad)
    with pytest.raises(ValueError, match="2 or more tokens"):
        reduce_mean(x[:, 0], tokens="class")


# --- what goes in, what comes out


@pytest.fixture(scope="module")
def bert() -> nn.Module:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    return BertModel(BertConfig(vocab_size=50, intermediate_size=32, **sizes)).eval()


def test_a_text_transformer_takes_ids_and_mappings(bert):
    ids = torch.randint(0, 50, (10, 7))
    mask = torch.ones_like(ids)
    layers = "encoder.layer.*"
    plain = feature_matrices(bert, ids, layers, batch_size=4)
    assert [tuple(F.shape) for F in plain.values()] == [(16, 10)] * 2
    entries = {"input_ids": ids, "attention_mask": mask, "labels": torch.zeros(10)}
    halves = [{k: v[i : i + 5] for k, v in entries.items()} for i in (0, 5)]
    for given in (entries, BatchFeature(entries), halves, [(half, 0) for half in halves]):
        for name, F in feature_matrices(bert, given, layers, batch_size=4).items():
            torch.testing.assert_close(F, plain[name])
    # The encoder as a whole returns a ModelOutput, of which the first tensor counts.
    assert feature_matrices(bert, entries, "encoder")["encoder"].shape == (16, 10)


def test_a_data_set_a_limit_and_a_forward_of_one_s_own():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    x, labels = torch.rand(10, 8), torch.arange(10)
    whole = feature_matrices(model, x, "1")["1"]
    data = TensorDataset(x, labels)
    torch.testing.assert_close(feature_matrices(model, data, "1", batch_size=3)["1"], whole)
    some = feature_matrices(model, data, "1", batch_size=3, max_batches=2)["1"]
    torch.testing.assert_close(some, whole[:, :6])
    two = nn.ModuleDict({"a": nn.Bilinear(8, 8, 5)})
    F = feature_matrices(two, [[x, 2 * x]], "a", forward=lambda model, batch: model["a"](*batch))
    assert F["a"].shape == (5, 10)


@pytest.mark.parametrize(
    "wrap", [lambda x: {"out": x}, lambda x: BatchFeature({"h": x, "z": 1}), lambda x: [None, x]]
)
def test_outputs_in_mappings(wrap):
    x = torch.rand(6, 4)
    F = feature_matrices(nn.Sequential(Lambda(wrap)), x, "0")["0"]
    torch.testing.assert_close(F, x.T)


def test_aliases_and_modules_that_are_called_several_times():
    torch.manual_seed(0)
    shared = nn.Linear(4, 4)
    model = nn.Sequential(shared, nn.ReLU(), shared)
    x = torch.rand(6, 4)
    with torch.no_grad():
        first, last = shared(x).T, model(x).T
    for name in ("0", "2"):
        for call, expected in ((0, first), (1, last)):
            torch.testing.assert_close(feature_matrices(model, x, name, call=call)[name], expected)
        with pytest.raises(ValueError, match="called more than once.*call=0"):
            feature_matrices(model, x, name)
        with pytest.raises(ValueError, match=f"{name!r} was called 2 times"):
            feature_matrices(model, x, name, call=2)


def test_a_forward_ends_after_the_last_module_that_is_needed():
    runs = []

    def count(x):
        runs.append(len(x))
        return x

    model = nn.Sequential(nn.Linear(4, 4), Lambda(count))
    feature_matrices(model, torch.rand(9, 4), "0", batch_size=3)
    assert runs == [3]  # the first batch runs whole: a module might be called again


def test_features_on_disk(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    x = image(3, 9, 9)
    whole = feature_matrices(model, x, "*")
    for _ in range(2):  # a second time writes the files anew
        found = feature_matrices(model, x, "*", batch_size=4, out=tmp_path / "F")
    for name, F in found.items():
        torch.testing.assert_close(F, whole[name])
        raw = np.fromfile(tmp_path / "F" / f"{name}.bin", dtype=np.float32).reshape(-1, 8)
        np.testing.assert_allclose(raw.T, whole[name], rtol=1e-6)


@pytest.mark.parametrize("how", ["scripted", "traced", "part"])
def test_scripted_modules_are_named(how):
    inner = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    x = image(3, 9, 9)
    made = torch.jit.trace(inner, x) if how == "traced" else torch.jit.script(inner)
    model = nn.Sequential(made, nn.ReLU()) if how == "part" else made
    name = "0" if how != "part" else "0.1"
    with pytest.raises(ValueError, match=f"modules: {name!r} is part of a scripted or traced"):
        feature_matrices(model, x, name)
    if how == "part":  # what lies beside it can be tapped
        expected = feature_matrices(inner, x, "1")["1"]
        torch.testing.assert_close(feature_matrices(model, x, "1")["1"], expected)


def test_a_default_device_elsewhere_changes_nothing():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(8, 16)), torch.rand(12, 8)
    expected = self_similarity(model, x, "0", draws=2)
    torch.set_default_device("meta")
    try:
        found = self_similarity(model, x, "0", draws=2)
    finally:
        torch.set_default_device(None)
    np.testing.assert_allclose(found.astype(float), expected.astype(float), rtol=1e-6)
