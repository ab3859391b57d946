"""What cannot be read or measured, and what is answered: the page's tables are made by this."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

import sslib
from sslib.covering import BoxDimension, box_counts, box_dimension, box_sizes, hop_distances
from sslib.powerlaw import spectrum


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


def _channels(seed: int = 0) -> Tensor:
    return torch.rand(40, 30, generator=torch.Generator().manual_seed(seed))


def _points(n: int = 300, d: int = 2) -> np.ndarray:
    return np.random.default_rng(0).random((n, d))


def _path(n: int, alone: int = 0, component: str = "all") -> BoxDimension:
    A = np.zeros((n + alone, n + alone))
    A[:n, :n] = np.eye(n, k=1) + np.eye(n, k=-1)
    hops = hop_distances(A, component=component)
    sizes = box_sizes(hops)
    return box_dimension(sizes, box_counts(hops, sizes, passes=2))


#: Input that an estimator has no number for, by what it is of; then some that looks like it.
DEGENERATE: Mapping[tuple[str, str], Callable[[], Any]] = {
    ("SS_rate", "dead channels"): lambda: sslib.ss_rate(torch.zeros(40, 30)),
    ("SS_rate", "channels that differ in the last digit"): lambda: sslib.ss_rate(
        1e4 + 1e-4 * _channels()
    ),
    ("SS_rate", "channels all equally far apart"): lambda: sslib.ss_rate(0.37 * torch.eye(40)),
    ("SS_rate", "float32 near its end"): lambda: sslib.ss_rate(3e38 * _channels()),
    ("SS_rate", "half precision past its end"): lambda: sslib.ss_rate((1e6 * _channels()).half()),
    ("exponent", "eigenvalues equal but for rounding"): lambda: sslib.powerlaw_exponent(
        1 + 1e-15 * np.arange(40)
    ),
    ("exponent", "channels in four directions"): lambda: sslib.powerlaw_exponent(
        spectrum(_points(40, 4) @ _points(4, 30))
    ),
    ("exponent", "features of 1e160"): lambda: spectrum(1e160 * _points(40, 30)),
    ("dimension", "every point twice"): lambda: sslib.correlation_dimension(
        np.repeat(_points(), 2, axis=0)
    ),
    ("dimension", "points that differ in the last digit"): lambda: sslib.correlation_dimension(
        (1e4 + 1e-4 * _points()).astype(np.float32)
    ),
    ("dimension", "points all equally far apart"): lambda: sslib.correlation_dimension(np.eye(80)),
    ("box dimension", "a path and twenty nodes alone"): lambda: _path(300, 20),
    ("box dimension", "a path too short for a slope"): lambda: _path(9),
    ("SS_rate", "channels of 1e30, in float32"): lambda: sslib.ss_rate(1e30 * _channels()),
    ("dimension", "points on a line through space"): lambda: sslib.correlation_dimension(
        _points(500, 1) @ np.ones((1, 3))
    ),
    ("dimension", "distances of 1e155"): lambda: sslib.correlation_dimension(1e155 * _points()),
    ("box dimension", "the path alone, as the largest component"): lambda: _path(
        300, 20, "largest"
    ),
}


def degenerate(cases: Mapping[tuple[str, str], Callable[[], Any]] = DEGENERATE) -> pd.DataFrame:
    """What estimators answer to input outside their model.

    >>> degenerate()["refused"].sum()
    np.int64(13)

    Returns:
        A row per case: refused, and the answer: the error's words, NaN and its reason, or a number.
    """
    rows = {}
    for case, call in cases.items():
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                found = call()
            except ValueError as error:
                rows[case] = True, str(error)
                continue
        number = float(found)
        reason = getattr(found, "reason", "") or "; ".join(str(one.message) for one in said)
        none = reason if "NaN" in reason else f"NaN: {reason}"
        rows[case] = math.isnan(number), none if math.isnan(number) else f"{number:.2f}"
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["refused", "answer"])
    table.index = [f"{of}: {what}" for of, what in rows]
    return table
