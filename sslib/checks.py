"""One grammar of errors: the name of the argument, what came, what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import ArrayLike

ESTIMATORS = ("printed", "released")

#: Which changes of the data leave an estimate as it is. (The exponent's cut at 1e-10 is absolute,
#: so its scale invariance ends where scaling moves an eigenvalue across the cut.)
PROPERTIES: Mapping[tuple[str, str], frozenset[str]] = MappingProxyType(
    {
        ("powerlaw_exponent", "printed"): frozenset({"scale", "order"}),
        ("powerlaw_exponent", "released"): frozenset({"scale", "order"}),
        ("correlation_dimension", "printed"): frozenset({"scale", "order", "rotation", "shift"}),
        ("correlation_dimension", "released"): frozenset({"order", "rotation", "shift"}),
    }
)


def _array(
    name: str, value: ArrayLike | torch.Tensor, ndim: int, shape: str, smallest: int = 0
) -> np.ndarray:
    """Finite float64 array of the given rank, first axis at least ``smallest``."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = value.double().numpy() if value.dtype.is_floating_point else value.numpy()
    array = np.asarray(value)
    if array.ndim != ndim or array.dtype.kind not in "fiu" or 0 in array.shape:
        raise ValueError(
            f"{name}: expected real numbers of shape {shape}, got {array.shape} {array.dtype}"
        )
    if len(array) < smallest:
        raise ValueError(
            f"{name}: expected {shape} with at least {smallest} rows, got shape {array.shape}"
        )
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name}: {np.sum(~np.isfinite(array))} of {array.size} values are NaN or infinite"
        )
    return array.astype(np.float64)


def _check_estimator(estimator: str) -> None:
    if estimator not in ESTIMATORS:
        raise ValueError(f"estimator: expected one of {ESTIMATORS}, got {estimator!r}")


def _layers(name: str, layers: Mapping) -> Mapping:
    if not isinstance(layers, Mapping) or not layers:
        raise ValueError(
            f"{name}: expected a non-empty mapping of layer names, got {type(layers).__name__}"
        )
    return layers
