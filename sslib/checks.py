"""One grammar of errors: the argument, what was expected of it, what came and in which shape."""

from __future__ import annotations

import importlib
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

#: Numbers in any form that a function takes: an array, nested lists, a tensor on any device.
Values: TypeAlias = ArrayLike | Tensor
#: Numbers as an estimator works with them.
Array: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]
#: Numbers of each layer.
Layers: TypeAlias = Mapping[str, Values]

#: The two definitions of the exponent and of the correlation dimension.
ESTIMATORS = ("printed", "released")

_T = TypeVar("_T")


def error(name: str, expected: str, got: object) -> ValueError:
    """The sentence that every refused argument gets.

    >>> str(error("F", "a matrix (D, B)", "shape (3,)"))
    'F: expected a matrix (D, B), got shape (3,)'
    """
    return ValueError(f"{name}: expected {expected}, got {got}")


def matrix(name: str, value: Tensor, *, values: bool = True) -> Tensor:
    """A floating-point matrix (D, B) with D >= 2; its values are looked at only if `values`."""
    # as_tensor would move a tensor to torch's default device
    tensor = value if isinstance(value, Tensor) else torch.as_tensor(value)
    if tensor.is_nested or tensor.layout != torch.strided:
        raise error(name, "a dense matrix (D, B)", "a nested or sparse tensor")
    shape = tuple(tensor.shape)
    if len(shape) != 2 or shape[0] < 2 or shape[1] < 1 or not tensor.is_floating_point():
        expected = "a floating-point matrix (D, B) with D >= 2 channels and B >= 1 samples"
        raise error(name, expected, f"shape {shape} of {tensor.dtype}")
    if values and not torch.isfinite(tensor).all():
        raise error(name, "finite numbers", f"NaN or Inf in shape {shape}")
    most = min(torch.finfo(torch.promote_types(tensor.dtype, torch.float32)).max / 4, 1e300)
    if values and (largest := float(tensor.detach().abs().max())) > most:
        expected = f"numbers of up to {most:.2g}, as {tensor.dtype} holds no larger distances"
        raise error(name, expected, f"{largest:.2g} in shape {shape}")
    return tensor


def unit(values: Any) -> float:
    """A power of two near the largest number, 1 where all squares are in range without it."""
    largest = float(abs(values).max())
    if not 0 < largest < math.inf or 1e-9 < largest < 1e9:
        return 1.0
    return 2.0 ** (math.frexp(largest)[1] - 1)


def wide_matrix(name: str, value: Tensor) -> Tensor:
    """The same in float64, on the CPU and without gradient."""
    return matrix(name, torch.as_tensor(value, device="cpu").detach().double())


def _dense(name: str, value: Any) -> NDArray[Any]:
    """Numbers as numpy has them, of a tensor or a sparse matrix as well."""
    if isinstance(value, Tensor):
        if value.is_nested or value.is_quantized:
            raise error(name, "one block of numbers", "a nested or quantized tensor")
        value = value.detach().cpu()
        value = value if value.layout == torch.strided else value.to_dense()
        value = value.double() if value.dtype.is_floating_point else value
    return np.asarray(value.toarray() if hasattr(value, "toarray") else value)


def array(name: str, value: Values, shape: str, *, smallest: int = 1) -> Array:
    """Finite real numbers of a shape such as "(N, d)", with at least `smallest` rows."""
    numbers = _dense(name, value)
    got = f"shape {numbers.shape} of {numbers.dtype}"
    axes = len(re.findall(r"\w+", shape))
    if numbers.ndim != axes or numbers.dtype.kind not in "fiu" or 0 in numbers.shape:
        raise error(name, f"real numbers of shape {shape}", got)
    if len(numbers) < smallest:
        raise error(name, f"{shape} with at least {smallest} rows", got)
    numbers = numbers.astype(np.float64)
    lost = int(np.sum(~(np.abs(numbers) < 1e300)))
    if lost:
        these = f"{lost} of {numbers.size} NaN, infinite or beyond 1e300"
        raise error(name, "finite numbers", f"{these} in {got}")
    return numbers


def precision(value: Values) -> float:
    """The rounding error of numbers of the type of `value`, as a share of them."""
    dtype = str(getattr(value, "dtype", "")).removeprefix("torch.")
    kind = getattr(torch, dtype, torch.float64)
    return torch.finfo(kind if kind.is_floating_point else torch.float64).eps


def distances(name: str, value: Any, *, smallest: int = 2, finite: bool = False) -> Array:
    """A symmetric (n, n) matrix of numbers of at least 0, with 0 on the diagonal."""
    C = _dense(name, value).astype(np.float64)
    square = C.ndim == 2 and C.shape[0] == C.shape[1] >= smallest
    even = square and np.allclose(C, C.T, atol=1e-8 * C[C < math.inf].max(initial=0))
    if not even or C.diagonal().any() or not (C >= 0).all():
        expected = f"a symmetric (n, n) matrix, n >= {smallest}, of at least 0, 0 on the diagonal"
        raise error(name, expected, f"shape {C.shape}{' with NaN' * bool(np.isnan(C).any())}")
    if finite and not np.isfinite(C).all():
        raise error(name, "finite distances", f"Inf in shape {C.shape}")
    return C


def number(name: str, value: float, *, least: float = -math.inf, above: float = -math.inf) -> float:
    """A finite number of at least `least`, and above `above`."""
    if isinstance(value, Real) and math.isfinite(value) and value >= least and value > above:
        return float(value)
    limit = f" of at least {least:g}" if math.isfinite(least) else ""
    limit += f" above {above:g}" if math.isfinite(above) else ""
    raise error(name, f"a finite number{limit}", repr(value))


def share(name: str, value: float) -> float:
    """A number in [0, 1]."""
    if not isinstance(value, Real) or not 0 <= value <= 1:
        raise error(name, "a number in [0, 1]", repr(value))
    return float(value)


def integer(name: str, value: int, least: int) -> int:
    """A whole number of at least `least`; True is none."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise error(name, f"an integer of at least {least}", repr(value))
    return int(value)


def choice(name: str, value: str, options: Sequence[str]) -> str:
    """One of a few words."""
    if value not in options:
        raise error(name, f"one of {', '.join(options)}", repr(value))
    return value


def layer_fits(
    name: str, layers: Layers, fit: Callable[[str, Values], tuple[_T, str]], of: str, what: str
) -> tuple[dict[str, _T], tuple[str, ...]]:
    """The fits of layers that have one, and the layers left out, which warnings name."""
    if not isinstance(layers, Mapping) or not layers:
        raise error(name, "a non-empty mapping of layer names", type(layers).__name__)
    fits: dict[str, _T] = {}
    for layer, values in layers.items():
        found, reason = fit(f"{name}[{layer!r}]", values)
        if reason:
            warnings.warn(f"layer {layer!r} left out of {of}: {reason}", stacklevel=3)
        else:
            fits[layer] = found
    if len(fits) < 2:
        warnings.warn(f"{of} is NaN: {len(fits)} of {len(layers)} layers have {what}", stacklevel=3)
    return fits, tuple(layer for layer in layers if layer not in fits)


def extra(module: str) -> Any:
    """A module of a package that few functions need: imported where one of them is called.

    >>> extra("no_such_package.module")
    Traceback (most recent call last):
    ImportError: no_such_package is not there; pip install "sslib[reproduction]" brings it
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        absent = f"{module.partition('.')[0]} is not there"
        raise ImportError(f'{absent}; pip install "sslib[reproduction]" brings it') from missing
