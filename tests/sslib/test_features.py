"""Algorithm 1: layouts, names, and the model coming back as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from sslib.features import feature_matrices, reduce_mean
from sslib.grams import activation_grams, grams_and_features
from sslib.layouts import LAYOUTS
from sslib.taps import resolve_modules


class Small(nn.Module):
    """Convolution, batch norm and dropout over a map, then two blocks over tokens, then a
    classifier.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True)
        )
        self.drop = nn.Dropout(0.5)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(6, 6), nn.GELU()) for _ in range(2))
        self.head = nn.Linear(6, 5)
        self.spare = nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.drop(self.stem(x)).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(1))


@pytest.fixture
def model() -> Small:
    torch.manual_seed(0)
    return Small().eval()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(10, 3, 8, 8, generator=torch.Generator().manual_seed(1))


class Returns(nn.Module):
    """A module whose output is `function(x)`."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def tap(function, images, layout="auto"):
    return feature_matrices(nn.Sequential(Returns(function)), images, "0", layout=layout)["0"]


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


# --- ReduceMean
# ---------------------------------------------------------------------------------------------


def test_reduce_mean_is_the_mean_over_the_named_axes():
    values = np.random.default_rng(0).normal(size=(2, 5, 3, 3))
    output = torch.from_numpy(values)
    np.testing.assert_allclose(reduce_mean(output, "BCHW"), values.sum((2, 3)) / 9)
    np.testing.assert_allclose(reduce_mean(output, "auto"), values.sum((2, 3)) / 9)
    np.testing.assert_allclose(reduce_mean(output, "BHWC"), values.sum((1, 2)) / 15)
    channels_last = output.permute(0, 2, 3, 1)
    np.testing.assert_allclose(reduce_mean(channels_last, "auto"), values.sum((2, 3)) / 9)
    tokens = output.flatten(2).transpose(1, 2)
    for layout in ("auto", "BND"):
        np.testing.assert_allclose(reduce_mean(tokens, layout), values.sum((2, 3)) / 9)
    for layout in ("auto", "BD"):
        np.testing.assert_array_equal(reduce_mean(tokens[:, 0], layout), values[:, :, 0, 0])


def test_reduce_mean_takes_the_first_tensor_of_a_tuple_or_list():
    output = torch.rand(2, 4, 3)
    for wrapped in ((output, torch.zeros(1)), [None, output]):
        torch.testing.assert_close(reduce_mean(wrapped), output.mean(1))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_reduce_mean_works_in_float32_or_float64(given, expected):
    # The sum is beyond float16, and the mean between two of its numbers.
    output = torch.full((1, 2, 40, 40), 1024.0, dtype=given)
    output[:, :, 0, 0] = 1023
    mean = reduce_mean(output)
    assert mean.dtype == expected
    torch.testing.assert_close(mean, output.double().mean((2, 3)).to(expected), rtol=1e-6, atol=0)
    assert reduce_mean(output[:, :, 0, 0]).dtype == expected


@pytest.mark.parametrize("layout", ["BCHW", "BHWC", "BND", "BD"])
def test_reduce_mean_is_differentiable(layout):
    output = torch.rand((2, 3, 4, 5)[: len(layout)], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: reduce_mean(x, layout), output)


@pytest.mark.parametrize(
    ("layout", "shape"), [("BD", (4, 6)), ("BND", (4, 1, 6)), ("BCHW", (4, 6, 1, 1))]
)
def test_an_in_place_layer_that_follows_changes_nothing(layout, shape):
    output = -torch.ones(shape)
    reduced = reduce_mean(output, layout)
    output.relu_()
    assert (reduced == -1).all()


@pytest.mark.parametrize(
    ("output", "layout", "message"),
    [
        (torch.rand(2, 5, 5, 5), "auto", r"'here'.*\(2, 5, 5, 5\).*layout="),
        (torch.rand(2, 5, 3, 4), "auto", r"'here'.*\(2, 5, 3, 4\).*layout="),
        (torch.rand(2, 3, 2, 4, 4), "auto", r"'here'.*\(2, 3, 2, 4, 4\)"),
        (torch.rand(2), "auto", r"'here'.*\(2,\)"),
        (torch.rand(2, 3, 4), "BCHW", r"'here'.*4 axes.*BCHW.*\(2, 3, 4\)"),
        (torch.rand(2, 3, 4, 4), "BND", r"'here'.*3 axes.*BND.*\(2, 3, 4, 4\)"),
        (torch.rand(2, 0, 4), "auto", r"'here'.*non-empty.*\(2, 0, 4\)"),
        (torch.ones(2, 3, dtype=torch.int64), "auto", r"'here'.*floating-point.*int64"),
        (torch.ones(2, 3, dtype=torch.complex64), "auto", r"'here'.*floating-point.*complex64"),
        ({"x": 3}, "auto", r"'here'.*got NoneType"),
        ((None, 3), "auto", r"'here'.*expected a tensor"),
        (torch.rand(2, 3), "NCHW", r"layout: expected one of auto, BCHW, .*, BDHWC, got 'NCHW'"),
    ],
)
def test_reduce_mean_refuses(output, layout, message):
    with pytest.raises(ValueError, match=message):
        reduce_mean(output, layout, module="here")


# --- names
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        ("stem", ["stem"]),
        ("blocks.*", ["blocks.0", "blocks.1"]),
        ("blocks.*.0", ["blocks.0.0", "blocks.1.0"]),
        ("blocks.[1-9]", ["blocks.1"]),
        ("*", ["stem", "drop", "blocks", "head", "spare"]),
        (["blocks.1", "blocks.?", "stem", "blocks.1"], ["blocks.1", "blocks.0", "stem"]),
        (("head",), ["head"]),
        ((name for name in ("head", "stem")), ["head", "stem"]),
    ],
)
def test_resolve_modules(model, modules, expected):
    assert resolve_modules(model, modules) == expected


def test_a_name_is_no_pattern_where_a_module_bears_it():
    model = nn.Sequential()
    model.add_module("a[1]", nn.ReLU())
    model.add_module("a1", nn.ReLU())
    assert resolve_modules(model, "a[1]") == ["a[1]"]


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ("block.0", r"modules: 'block.0' matches no module of Small; close names: blocks"),
        (
            ["stem", "zzz.*"],
            r"'zzz.\*' matches no module .*; its children: stem, drop, blocks, head, spare",
        ),
        ("", r"'' matches no module"),
        ([], r"modules: expected .*non-empty.*got \[\]"),
        ([1], r"modules: expected .*got \[1\]"),
        (None, r"modules: expected .*got None"),
    ],
)
def test_resolve_modules_refuses(model, modules, message):
    with pytest.raises(ValueError, match=message):
        resolve_modules(model, modules)
    with pytest.raises(ValueError, match="model: expected a torch.nn.Module, got str"):
        resolve_modules("resnet34", "layer1")


# --- F
# ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 3, 10, 64])
def test_the_feature_matrix_is_the_mean_of_the_output_transposed(model, images, batch_size):
    sizes: list[int] = []
    handle = model.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    found = feature_matrices(
        model, images, ["head", "blocks.*", "stem.0", "stem"], batch_size=batch_size
    )
    handle.remove()
    assert max(sizes) == min(batch_size, 10) and sum(sizes) == 10
    with torch.no_grad():
        convolved = model.stem[0](images)
        mapped = model.stem[1](convolved).relu()
        tokens = mapped.reshape(10, 6, 64).permute(0, 2, 1)
        first = model.blocks[0](tokens)
        second = model.blocks[1](first)
        expected = {
            "head": model(images).T,
            "blocks.0": first.sum(1).T / 64,
            "blocks.1": second.sum(1).T / 64,
            # The ReLU works in place: its input must have been read before.
            "stem.0": convolved.sum((2, 3)).T / 64,
            "stem": mapped.sum((2, 3)).T / 64,
        }
    assert list(found) == list(expected)
    for name, matrix in found.items():
        assert (
            matrix.shape == expected[name].shape
            and matrix.is_contiguous()
            and not matrix.requires_grad
        )
        torch.testing.assert_close(matrix, expected[name], msg=name)


def test_images_may_be_batches_with_or_without_labels(model, images):
    whole = feature_matrices(model, images, "stem")["stem"]
    labels = torch.arange(10)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(images, labels), batch_size=4
    )
    for batches in (
        loader,
        [images[:7], (images[7:], labels[7:])],
        (part for part in images.split(2)),
    ):
        torch.testing.assert_close(feature_matrices(model, batches, "stem")["stem"], whole)


def test_float64_stays_and_half_is_averaged_in_float32(model, images):
    assert feature_matrices(model.double(), images.double(), "stem")["stem"].dtype == torch.float64
    half = feature_matrices(model.bfloat16(), images.bfloat16(), "stem")["stem"]
    assert half.dtype == torch.float32
    assert not torch.equal(
        half, half.bfloat16().float()
    )  # it was not rounded to half precision at the end


def test_an_explicit_layout_reads_an_ambiguous_map(images):
    cube = torch.rand(10, 4, 4, 4)
    torch.testing.assert_close(tap(lambda x: cube, images, "BCHW"), cube.mean((2, 3)).T)
    torch.testing.assert_close(tap(lambda x: cube, images, "BHWC"), cube.mean((1, 2)).T)


def test_a_model_without_parameters_or_of_one_shared_weight_works(images):
    torch.testing.assert_close(tap(lambda x: x, images), images.mean((2, 3)).T)
    tied = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    tied[1].weight = tied[0].weight
    assert feature_matrices(tied, images[:, 0], ["0", "1"])["1"].shape == (8, 10)


# --- the model comes back
# -----------------------------------------------------------------------------------


def state(model: nn.Module) -> tuple:
    return (
        {name: (value.clone(), value.device) for name, value in model.state_dict().items()},
        [module.training for module in model.modules()],
        [parameter.requires_grad for parameter in model.parameters()],
        [buffer.data_ptr() for buffer in model.buffers()],
    )


def assert_same_state(model: nn.Module, before: tuple) -> None:
    values, *rest = state(model)
    for name, (value, device) in before[0].items():
        assert torch.equal(values[name][0], value) and values[name][1] == device, name
    assert tuple(rest) == before[1:]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_the_model_comes_back_as_it_was(model, images, training, fails):
    model.train()
    model.stem[1].eval()
    model.blocks[0].eval()
    model.head.weight.requires_grad_(False)
    model(images).sum().backward()
    gradient = model.stem[0].weight.grad
    value = gradient.clone()
    seen: list[bool] = []
    model.stem.register_forward_hook(lambda module, *_: seen.append(module.training))
    before = state(model)
    modules = ["stem", "spare" if fails else "head"]
    if fails:
        with pytest.raises(ValueError, match="'spare' was never called"):
            feature_matrices(model, images, modules, training=training)
    else:
        feature_matrices(model, images, modules, training=training)
    assert set(seen) == {training}
    assert_same_state(model, before)
    assert hooks(model) == 1  # the test's own
    assert model.stem[0].weight.grad is gradient and torch.equal(gradient, value)


def test_training_mode_uses_the_statistics_of_the_batch_and_restores_them(model, images):
    before = state(model)
    found = feature_matrices(model, images, "stem.1", training=True)["stem.1"]
    assert_same_state(model, before)
    # In training mode batch norm centres each channel over batch and map; in eval mode it does not
    # here.
    torch.testing.assert_close(found.mean(1), torch.zeros(6), atol=1e-6, rtol=0)
    assert feature_matrices(model, images, "stem.1")["stem.1"].mean(1).abs().max() > 0.01


def test_a_replaced_buffer_comes_back_too(images):
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, x):
            self.seen = self.seen + len(x)
            return x

    model = nn.Sequential(Counts())
    buffer = model[0].seen
    feature_matrices(model, images, "0")
    assert model[0].seen is buffer and buffer == 0


def test_a_graph_in_progress_survives(model, images):
    loss = model(images).sum()
    feature_matrices(model, images, "stem")
    loss.backward()
    assert model.stem[0].weight.grad is not None


def test_an_error_inside_the_forward_leaves_no_hook(model, images):
    def broken(*_):
        raise ArithmeticError("inside")

    model.train()
    handle = model.blocks[1].register_forward_pre_hook(broken)
    before = state(model)
    with pytest.raises(ArithmeticError, match="inside"):
        feature_matrices(model, images, ["stem", "blocks.*"], training=True)
    handle.remove()
    assert hooks(model) == 0
    assert_same_state(model, before)


def test_an_error_in_a_later_batch_leaves_the_model_whole(model, images):
    before = state(model)
    with pytest.raises(ValueError, match="images: .*int64"):
        feature_matrices(model, [images, images.long()], "stem", training=True)
    assert hooks(model) == 0
    assert_same_state(model, before)


def test_the_global_random_state_is_left_alone_in_eval_mode(model, images):
    before = torch.get_rng_state()
    feature_matrices(model, images, "head", device="cpu")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="moving a model needs a second device")
@pytest.mark.parametrize("fails", [False, True])
def test_a_model_run_elsewhere_comes_home(model, images, fails):
    before = state(model)
    if fails:
        with pytest.raises(ValueError, match="never called"):
            feature_matrices(model, images, "spare", device="cuda", training=True)
    else:
        found = feature_matrices(model, images, "stem", device="cuda", training=True)["stem"]
        assert found.device.type == "cuda"
        here = feature_matrices(model, images, "stem", training=True)["stem"]
        torch.testing.assert_close(
            found.cpu(), here, atol=1e-3, rtol=1e-2
        )  # convolutions may run in TF32
    assert_same_state(model, before)
    # A model that lives on the GPU takes images from the CPU.
    assert feature_matrices(model.cuda(), images, "stem")["stem"].device.type == "cuda"


# --- Gram matrices of flattened activations
# -----------------------------------------------------------------

TAPPED = ["head", "blocks.*", "stem.0", "stem"]


def flattened(model: Small, images: torch.Tensor) -> dict[str, np.ndarray]:
    """The activations of TAPPED by hand, (B, features) in float64."""
    with torch.no_grad():
        convolved = model.stem[0](images)
        mapped = model.stem[1](convolved).relu()
        first = model.blocks[0](mapped.flatten(2).transpose(1, 2))
        outputs = {
            "head": model(images),
            "blocks.0": first,
            "blocks.1": model.blocks[1](first),
            "stem.0": convolved,
            "stem": mapped,
        }
    return {
        name: output.reshape(len(images), -1).double().numpy() for name, output in outputs.items()
    }


# One activation of 10 images is 40 bytes: from one pass for all to one activation per pass.
@pytest.mark.parametrize("memory", [2**31, 40 * 500, 40 * 7 + 13])
@pytest.mark.parametrize("batch_size", [3, 64])
def test_a_gram_matrix_is_the_products_of_the_flattened_outputs(model, images, memory, batch_size):
    found = activation_grams(model, images, TAPPED, memory=memory, batch_size=batch_size)
    expected = flattened(model, images)
    assert list(found) == list(expected)
    for name, gram in found.items():
        x = expected[name]
        assert gram.features == x.shape[1] and gram.nonzero == np.count_nonzero(x), name
        assert gram.products.dtype == torch.float64
        np.testing.assert_allclose(gram.products, x @ x.T, rtol=1e-5, atol=1e-6, err_msg=name)
        assert torch.equal(gram.products, gram.products.T)
    assert 0.2 < found["stem"].nonzero_share < 0.8 < found["head"].nonzero_share


@pytest.mark.parametrize("memory", [2**31, 40 * 100])
def test_both_come_from_the_same_forwards(model, images, memory):
    sizes: list[int] = []
    model.stem.register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    grams, F = grams_and_features(model, images, TAPPED, memory=memory, batch_size=4)
    passes = sizes.count(4) // 2
    alone = activation_grams(model, images, TAPPED, memory=memory, batch_size=4)
    assert sizes.count(4) // 2 == 2 * passes
    expected = feature_matrices(model, images, TAPPED)
    assert list(grams) == list(F) == list(expected)
    for name in grams:
        assert torch.equal(grams[name].products, alone[name].products)
        torch.testing.assert_close(F[name], expected[name])
    with pytest.raises(ValueError, match="layout: expected one of"):
        grams_and_features(model, images, TAPPED, layout="NCHW")


def test_no_more_than_the_memory_is_kept_and_forwards_end_early(model, images, monkeypatch):
    import sslib.grams as grams

    kept, heads = [], []
    update = grams.gram_update
    monkeypatch.setattr(
        grams, "gram_update", lambda gram, block: kept.append(block.nbytes) or update(gram, block)
    )
    model.head.register_forward_hook(lambda *_: heads.append(1))
    activation_grams(model, images, ["blocks.0", "stem"], memory=40 * 100, batch_size=10)
    assert len(kept) == 9  # 768 activations by 100s, one pass of two pieces
    assert max(kept) == 40 * 100 and sum(kept) == 40 * 768
    assert len(heads) == 1  # the first forward, which learns the sizes


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_gram_matrix_is_exact_for_what_the_model_gives(model, images, dtype):
    with torch.no_grad():
        x = model.to(dtype).stem(images.to(dtype)).double().flatten(1)
    gram = activation_grams(model, images.to(dtype), "stem", memory=10_000)["stem"]
    torch.testing.assert_close(gram.products, x @ x.T, rtol=1e-12, atol=0)


def test_any_output_with_a_row_per_image_has_a_gram_matrix(images):
    for function in (lambda x: (x[:, :, :3, :4].transpose(1, 3), 1), lambda x: x.sum((1, 2, 3))):
        x = function(images)
        x = (x[0] if isinstance(x, tuple) else x).reshape(10, -1).double()
        gram = activation_grams(nn.Sequential(Returns(function)), images, "0", batch_size=4)["0"]
        torch.testing.assert_close(gram.products, x @ x.T)


@pytest.mark.parametrize("fails", [False, True])
def test_grams_leave_the_model_as_it_was(model, images, fails):
    model.train()
    model.blocks[0].eval()
    seen: list[bool] = []
    model.stem.register_forward_hook(lambda module, *_: seen.append(module.training))
    before, random = state(model), torch.get_rng_state()
    if fails:
        with pytest.raises(ValueError, match="'spare' was never called"):
            activation_grams(model, images, ["stem", "spare"])
    else:
        activation_grams(model, images, "stem", memory=4000)
    assert set(seen) == {False}
    assert_same_state(model, before)
    assert hooks(model) == 1  # the test's own
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"images": torch.rand(2, 3, 8, 8)},
            r"images: expected .*at least 3 images, got shape \(2, 3, 8, 8\)",
        ),
        ({"images": [torch.rand(4, 3, 8, 8)]}, r"images: expected a float tensor .*of list"),
        ({"images": torch.ones(4, 3, 8, 8).long()}, r"images: .*int64"),
        ({"memory": 0}, r"memory: expected an integer of at least 1, got 0"),
        ({"memory": 2.0**31}, r"memory: expected an integer"),
        (
            {"memory": 39},
            r"memory: expected at least 40 bytes, one activation of 10 images, got 39",
        ),
        ({"batch_size": 0}, r"batch_size: expected an integer of at least 1, got 0"),
        ({"modules": "blocks"}, r"modules: 'blocks' was never called"),
        ({"modules": "trunk"}, r"modules: 'trunk' matches no module"),
        ({"device": "gpu7"}, r"device: expected a torch device"),
    ],
)
def test_grams_refuse(model, images, arguments, message):
    with pytest.raises(ValueError, match=message):
        activation_grams(**{"model": model, "images": images, "modules": "stem"} | arguments)


def test_grams_name_the_module_at_fault(model, images):
    model.head.bias.data[0] = float("nan")
    with pytest.raises(ValueError, match=r"module 'head': .*NaN.*\(10, 5\)"):
        activation_grams(model, images, ["stem", "head"])
    with pytest.raises(ValueError, match=r"module '0': expected a tensor.*got str"):
        activation_grams(nn.Sequential(Returns(lambda x: "no tensor")), images, "0")
    windows = nn.Sequential(Returns(lambda x: x.reshape(-1, 3, 4, 4)), nn.Flatten())
    with pytest.raises(
        ValueError, match="module '0': expected .*one row per image, got a batch of 4 for 1 images"
    ):
        activation_grams(windows, images, "0")
    shrinking = nn.Sequential(Returns(lambda x: x[:, :, : 9 - len(x)]))
    with pytest.raises(ValueError, match=r"module '0': expected 192 activations .*\(4, 3, 5, 8\)"):
        activation_grams(shrinking, images, "0", batch_size=4)


# --- bad input
# ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.ones(4, 3, 8, 8, dtype=torch.uint8), r"images: .*\(4, 3, 8, 8\) of torch.uint8"),
        (torch.rand(0, 3, 8, 8), r"images: expected non-empty.*\(0, 3, 8, 8\)"),
        (torch.rand(4), r"images: .*2 or more axes.*\(4,\)"),
        ([], r"images: .*empty"),
        ([[]], r"images: expected dense float tensors.*got list"),
        (
            [torch.rand(4, 3, 8, 8), torch.rand(0, 3, 8, 8)],
            r"images: expected non-empty.*\(0, 3, 8, 8\)",
        ),
        (np.zeros((2, 3, 8, 8)), r"images: expected dense float tensors.*got ndarray"),
        ([{"pixels": None}], r"images: expected batches that hold .*tensor, got one of pixels"),
        ("photographs", r"images: .*got str"),
        (None, r"images: .*got NoneType"),
    ],
)
def test_bad_images(model, given, message):
    with pytest.raises(ValueError, match=message):
        feature_matrices(model, given, "stem")


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True, None])
def test_bad_batch_size(model, images, batch_size):
    with pytest.raises(
        ValueError, match=f"batch_size: expected an integer of at least 1, got {batch_size}"
    ):
        feature_matrices(model, images, "stem", batch_size=batch_size)


def test_bad_layout_is_told_before_the_model_runs(model):
    with pytest.raises(
        ValueError, match=f"layout: expected one of {', '.join(LAYOUTS)}, got 'NHWC'"
    ):
        feature_matrices(model, None, "stem", layout="NHWC")


@pytest.mark.parametrize("device", ["gpu7", 1.5])
def test_bad_device(model, images, device):
    with pytest.raises(ValueError, match="device: expected a torch device"):
        feature_matrices(model, images, "stem", device=device)


def test_a_model_on_several_devices_is_not_moved(images):
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1, device="meta"))
    with pytest.raises(
        ValueError, match="device: expected None for a model spread over several devices"
    ):
        feature_matrices(model, images, "0", device="cpu")


def test_modules_that_cannot_be_tapped(model, images):
    with pytest.raises(ValueError, match="modules: 'blocks' was never called"):
        feature_matrices(model, images, "blocks")
    twice = nn.Sequential(nn.ReLU())
    twice.append(twice[0])
    with pytest.raises(ValueError, match="modules: '0' is called more than once"):
        feature_matrices(twice, images, "0")
    with pytest.raises(ValueError, match=r"module '0'.*\(10, 3, 3, 8, 8\)"):
        tap(lambda x: x[:, None].expand(-1, 3, -1, -1, -1), images)
    windows = nn.Sequential(Returns(lambda x: x.reshape(40, 3, 4, 4)), nn.Flatten())
    with pytest.raises(
        ValueError,
        match="module '0': expected .*one row per image, got a batch of 40 for 10 images",
    ):
        feature_matrices(windows, images, "0")


def test_a_compiled_model_gives_features_or_an_error(model, images):
    compiled = torch.compile(model, backend="eager")
    with torch.no_grad():
        compiled(images)
    # Hooks set after compilation need not run; torch decides, and either answer must be a sound
    # one.
    try:
        found = feature_matrices(compiled, images, "_orig_mod.stem")["_orig_mod.stem"]
    except ValueError as error:
        assert "'_orig_mod.stem' was never called" in str(error) and "compiled" in str(error)
    else:
        torch.testing.assert_close(found, feature_matrices(model, images, "stem")["stem"])
