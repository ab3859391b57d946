"""What the page on your own model computes when it is built."""

from __future__ import annotations

import copy
import runpy
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import timm
import torch
import torchvision
from torch import Tensor, nn

import sslib
from reproduction.images import ImageSet
from reproduction.paper.tables import FORMULAS


def load_model(spec: str, *, seed: int = 0) -> nn.Module:
    """The model that a notebook's parameter names, in eval mode.

    >>> type(load_model("timm:resnet10t")).__name__
    'ResNet'

    Args:
        spec: "timm:NAME" or "torchvision:NAME", with random weights, so that nothing is downloaded;
            or "PATH.py:FUNCTION", whose function takes nothing and returns a model, trained or not.
        seed: of the random weights.

    Raises:
        ValueError: there is no such model, file or function, or it returns no model.
    """
    source, _, name = spec.rpartition(":")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if source == "timm" and name in timm.list_models():
            model = timm.create_model(name)
        elif source == "torchvision" and name in torchvision.models.list_models():
            model = torchvision.models.get_model(name, weights=None)
        elif source.endswith(".py") and Path(source).is_file():
            model = runpy.run_path(source).get(name, lambda: None)()
        else:
            expected = "timm:NAME, torchvision:NAME or PATH.py:FUNCTION of what is there"
            raise ValueError(f"model: expected {expected}, got {spec!r}")
    if not isinstance(model, nn.Module):
        got = f"{name} of {source}, which gives {type(model).__name__}"
        raise ValueError(f"model: expected a function that returns a torch.nn.Module, got {got}")
    return model.eval()


def how_many(
    F: Tensor,
    images: Sequence[int] = (3, 6, 12, 24, 48),
    channels: Sequence[int] = (8, 32, 128),
    *,
    draws: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """SS_rate with the first few images alone, and with a few channels drawn at random.

    >>> F = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    >>> how_many(F, draws=2)[["channels", "images"]].values.tolist()
    [[20, 3], [20, 6], [8, 6]]

    Args:
        F: (D, B) feature matrix.
        images: how many of them, in turn; no more than B.
        channels: how many of them, in turn; no more than D.
        draws: of the channels.
        seed: of these draws.

    Returns:
        Columns channels, images, low, high: SS_rate's range over draws. The rows with all D
        channels come first.
    """
    D, B = F.shape
    rows = []
    for b in (b for b in images if b <= B):
        rate = float(sslib.ss_rate(F[:, :b]))
        rows.append([D, b, rate, rate])
    generator = torch.Generator().manual_seed(seed)
    for d in (d for d in channels if d < D):
        drawn = (F[torch.randperm(D, generator=generator)[:d]] for _ in range(draws))
        rates = [float(sslib.ss_rate(part)) for part in drawn]
        rows.append([d, B, min(rates), max(rates)])
    return pd.DataFrame(rows, columns=["channels", "images", "low", "high"])


def scaled(F: Tensor, factors: Sequence[float] = (0.01, 0.1, 1, 10, 100)) -> pd.Series:
    """SS_rate of the same features in other units, by the factor they are multiplied with."""
    return pd.Series({factor: float(sslib.ss_rate(factor * F)) for factor in factors})


def over_seeds(model: nn.Module, images: Tensor, module: str, seeds: Iterable[int]) -> pd.DataFrame:
    """SS_rate of one layer of a model whose weights are drawn anew, by both formulas.

    Args:
        model: of layers with ``reset_parameters``; stays as it is.
        images: (N, ...) for the model.
        module: name of the layer.
        seeds: of the weights.

    Returns:
        A row per seed, a column per formula.
    """
    rows = {}
    for seed in seeds:
        F = sslib.feature_matrices(reseeded(model, seed), images, module)[module]
        rows[seed] = {f: float(sslib.ss_rate(F, formula=f)) for f in FORMULAS}
    return pd.DataFrame.from_dict(rows, orient="index")


def reseeded(model: nn.Module, seed: int) -> nn.Module:
    """A copy of a model with the weights that building it under this seed would have given.

    >>> _ = torch.manual_seed(3)
    >>> built = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> torch.equal(reseeded(built, 3)[2].weight, built[2].weight)
    True
    """
    model = copy.deepcopy(model)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for module in model.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
    return model


def fit(
    model: nn.Module, batches: Sequence[tuple[Tensor, Tensor]], epochs: int, *, lr: float = 3e-3
) -> nn.Module:
    """The model after plain training: the page's loop without its three lines.

    Args:
        model: is trained in place.
        batches: of images and labels, in this order in every epoch.
        epochs: how many.
        lr: learning rate of Adam.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for images, labels in list(batches) * epochs:
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return model


def trained_models(
    models: Mapping[str, nn.Module], modules: Sequence[str], train: ImageSet, test: ImageSet
) -> pd.DataFrame:
    """SS_rate of some layers and top-1 accuracy of models that were trained.

    Args:
        models: name -> model.
        modules: names of the layers.
        train: SS_rate is taken on its first 64 images.
        test: for the accuracy.

    Returns:
        A row per model: a column per layer, and "accuracy" in per cent.
    """
    rows = {}
    for name, model in models.items():
        rates = sslib.self_similarity(model, train.normalised()[:64], modules)["SS_rate"]
        with torch.no_grad():
            right = model(test.normalised()).argmax(1) == test.labels
        rows[name] = {**rates, "accuracy": 100 * right.double().mean().item()}
    return pd.DataFrame.from_dict(rows, orient="index")
