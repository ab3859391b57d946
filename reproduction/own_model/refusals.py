"""Modules whose features cannot be read, and what is answered: the page's table is made by this."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn

import sslib


class Case(NamedTuple):
    """A model that is easily read in a wrong way.

    Attributes:
        what: it is, for a reader.
        model: builds it.
        module: the name of the one that is tapped.
        images: their shape, six of them.
    """

    what: str
    model: Callable[[], nn.Module]
    module: str
    images: tuple[int, ...]


class Output(nn.Module):
    """A module without weights whose output is a function of its input."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        """The function of `x`."""
        return self.function(x)


def _of(function: Callable[[Tensor], Any], *before: nn.Module) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(*before, Output(function))


def _shared() -> nn.Module:
    layer = nn.Linear(4, 4)
    return nn.Sequential(layer, nn.ReLU(), layer)


def _idle() -> nn.Module:
    model = nn.Sequential(Output(lambda x: x))
    model[0].add_module("spare", nn.ReLU())
    return model


#: What is refused first, then what is read.
CASES = (
    Case(
        "a map as wide, high and deep",
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()),
        "1",
        (3, 10, 10),
    ),
    Case("a map of no equal sides, of no known width", _of(lambda x: x[:, :, :3]), "0", (5, 4, 4)),
    Case("tokens of no known width", _of(lambda x: x.flatten(2).mT), "0", (5, 4, 4)),
    Case("tokens before images", _of(lambda x: x.flatten(2).movedim(2, 0)), "0", (5, 4, 4)),
    Case("attention in windows", _of(lambda x: x.reshape(24, 4, 5)), "0", (5, 4, 4)),
    Case("six axes", _of(lambda x: x[:, None, None]), "0", (5, 4, 4)),
    Case("a mean over the batch", _of(lambda x: x.mean(0, keepdim=True)), "0", (5, 4, 4)),
    Case("indices", _of(lambda x: x.argmax(1)), "0", (5, 4, 4)),
    Case("no tensor", _of(lambda x: "text"), "0", (5, 4, 4)),
    Case("sparse output", _of(lambda x: x.flatten(1).to_sparse()), "0", (5, 4, 4)),
    Case("a layer that is used twice", _shared, "0", (4,)),
    Case("a layer that never runs", _idle, "0.spare", (4,)),
    Case(
        "a traced model",
        lambda: torch.jit.trace(nn.Sequential(nn.ReLU()), torch.rand(6, 4)),
        "0",
        (4,),
    ),
    Case("a Conv1d", lambda: nn.Sequential(nn.Conv1d(3, 8, 3)), "0", (3, 20)),
    Case(
        "a map with its places in one axis",
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(2)),
        "1",
        (3, 9, 9),
    ),
    Case("a Conv3d", lambda: nn.Sequential(nn.Conv3d(3, 8, 2)), "0", (3, 4, 5, 6)),
    Case(
        "a map as high as it has channels",
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()),
        "1",
        (3, 10, 18),
    ),
)


def refusals(cases: tuple[Case, ...] = CASES) -> pd.DataFrame:
    """What ``sslib.feature_matrices`` answers to each case.

    >>> refusals(CASES[-2:-1])["refused"].tolist()
    [False]

    Returns:
        A row per case: refused, and the answer: the error's words, or F's shape.
    """
    rows = {}
    for what, build, module, shape in cases:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch's, that tracing will go
            torch.default_generator.manual_seed(0)
            model, images = build(), torch.rand(6, *shape)
        try:
            F = sslib.feature_matrices(model, images, module)[module]
            rows[what] = False, f"read: D = {F.shape[0]} channels, B = {F.shape[1]} images"
        except ValueError as error:
            rows[what] = True, str(error)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["refused", "answer"])
