"""Messages that name what is wrong, and not what stands next to it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from sslib import (
    SelfSimilarityConstraint,
    adjacency,
    correlation_dimension,
    feature_matrices,
    pair_distances,
    powerlaw_exponent,
    self_similarity,
    ss_rate,
)
from sslib.boxes import DegenerateDistances, scale_free_rate
from sslib.covering import box_counts, covering_numbers, hop_distances
from sslib.dimension import umap_points
from sslib.features import reduce_mean
from sslib.grams import activation_grams, gram_distances, gram_update
from sslib.graph import mds
from sslib.noise import gaussian_features
from sslib.powerlaw import gram_spectrum, null_exponent, spectrum


def linear(weight):
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
    nn.init.constant_(model[0].bias, 0)
    with torch.no_grad():
        model[0].weight.copy_(weight * torch.linspace(-1, 1, 32).view(8, 4))
    return model


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (5e37, r"module '0': F: expected numbers of up to 8\.5e\+37, as torch.float32 holds no"),
        (3e38, "module '0': F: expected finite numbers, got NaN or Inf in shape"),
    ],
)
def test_overflow_is_no_equality_of_distances(weight, message, recwarn):
    images = torch.rand(9, 4, generator=torch.Generator().manual_seed(0)) + 0.3
    with pytest.raises(ValueError, match=message):
        self_similarity(linear(weight), images, "0")
    assert not [w for w in recwarn if issubclass(w.category, DegenerateDistances)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("weight", [1e30, 1e20, 1e-30])
def test_features_far_from_one_have_an_ss_rate(weight, dtype):
    images = torch.rand(9, 4, generator=torch.Generator().manual_seed(0)).to(dtype)
    table = self_similarity(linear(weight).to(dtype), images, "0", draws=2)
    assert 0 < table.loc["0", "SS_rate"] < 1 and table.loc["0", "null"] > 0


def convolutions():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Sequential(nn.Conv2d(8, 4, 3)))


IMAGES = torch.rand(6, 3, 9, 9, generator=torch.Generator().manual_seed(0))
SCRIPTED = {
    "scripted": lambda: torch.jit.script(convolutions()),
    "traced": lambda: torch.jit.trace(convolutions(), IMAGES),
    "scripted inside": lambda: nn.Sequential(torch.jit.script(convolutions())),
    "traced inside": lambda: nn.Sequential(torch.jit.trace(convolutions(), IMAGES)),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning", "ignore:.*torch.jit")
@pytest.mark.parametrize("name", SCRIPTED)
@pytest.mark.parametrize(
    "call",
    [
        lambda model: feature_matrices(model, IMAGES, "0"),
        lambda model: activation_grams(model, IMAGES, "0"),
        lambda model: self_similarity(model, IMAGES, "0"),
        lambda model: SelfSimilarityConstraint(model, "0", target=0.3),
    ],
    ids=["feature_matrices", "activation_grams", "self_similarity", "constraint"],
)
def test_a_scripted_model_is_named_everywhere(name, call):
    model = SCRIPTED[name]()
    with pytest.raises(ValueError, match="modules: '0' is part of a scripted or traced module"):
        call(model)
    assert all(not module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    "images",
    [
        torch.nested.nested_tensor([torch.rand(3, 9, 9), torch.rand(3, 7, 7)]),
        IMAGES.to_sparse(),
        [torch.nested.nested_tensor([torch.rand(3, 9, 9)])],
        [(IMAGES.to_sparse(), torch.zeros(6))],
    ],
    ids=["nested", "sparse", "batches of nested", "batches of sparse"],
)
def test_images_that_are_no_block_are_named(images):
    for call in (feature_matrices, self_similarity):
        with pytest.raises(ValueError, match="images: expected dense .*Tensor that is nested or"):
            call(convolutions(), images, "0")


def passes():
    """What comes between the forward pass in training and the constraint."""

    def validate(model, constraint):
        model.eval()
        model(IMAGES)
        model.train()

    def validate_in_inference_mode(model, constraint):
        with torch.inference_mode():
            validate(model, constraint)

    def validate_twice(model, constraint):
        validate(model, constraint)
        validate(model, constraint)

    return {f.__name__: f for f in (validate, validate_in_inference_mode, validate_twice)}


@pytest.mark.parametrize("between", passes())
def test_an_evaluation_in_between_is_named(between):
    model = convolutions()
    with SelfSimilarityConstraint(model, "0", target=0.3) as constraint:
        model(IMAGES)
        passes()[between](model, constraint)
        with pytest.raises(RuntimeError, match="one in eval mode came after it") as error:
            constraint()
        assert "compile" not in str(error.value)
        model(IMAGES)
        assert constraint().isfinite()


F = torch.randn(40, 9, generator=torch.Generator().manual_seed(1))
ELSEWHERE = {
    "ss_rate": lambda: ss_rate(F),
    "gradient": lambda: torch.autograd.grad(ss_rate(G := F.clone().requires_grad_()), G)[0].sum(),
    "pair_distances": lambda: pair_distances(F).sum(),
    "adjacency": lambda: adjacency(F, 3.0).sum(),
    "scale_free_rate": lambda: scale_free_rate(F),
    "reduce_mean": lambda: reduce_mean(IMAGES).sum(),
    "gaussian_features": lambda: gaussian_features(5, 6, 1.0).sum(),
    "printed dimension": lambda: correlation_dimension(F),
    "released dimension": lambda: correlation_dimension(F, estimator="released"),
    "exponent": lambda: powerlaw_exponent(F.flatten().abs()),
    "null_exponent": lambda: null_exponent(100, 20),
    "spectrum": lambda: spectrum(F).sum(),
    "gram of a tensor": lambda: gram_distances(gram_update(None, F)).sum(),
    "gram of an array": lambda: gram_spectrum(gram_update(None, F.numpy())).sum(),
    "mds": lambda: mds(pair_distances(F))[1],
    "covering_numbers": lambda: covering_numbers(pair_distances(F), [1.0]).upper[0],
    "box_counts": lambda: box_counts(hop_distances(adjacency(F, 9.0)), [2])[0],
    "umap_points": lambda: umap_points(
        F, n_components=2, n_neighbors=5, min_dist=0.1, seed=0
    ).sum(),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_default_device_elsewhere_changes_no_number(name):
    if name == "umap_points":
        pytest.importorskip("umap")
    expected = float(ELSEWHERE[name]())
    torch.set_default_device("meta")  # where nothing can be computed
    try:
        found = float(ELSEWHERE[name]())
    finally:
        torch.set_default_device(None)
    assert found == expected and np.isfinite(found)
