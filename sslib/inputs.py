"""What goes into a model: tensors, token ids, mappings, data sets and batches of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sslib.checks import error

#: Images as a function takes them: one tensor (B, ...), a mapping of tensors, a data set, batches.
Images: TypeAlias = Tensor | Mapping[str, Any] | Dataset[Any] | Iterable[Any]


def batches(images: Images, batch_size: int) -> Iterable[Any]:
    """`images` as an iterable of batches."""
    if isinstance(images, Tensor):
        return torch.split(images_of(images), batch_size)
    if isinstance(images, Mapping):
        count = rows(images)
        return (_part(images, i, i + batch_size, count) for i in range(0, count, batch_size))
    if isinstance(images, Dataset):
        return DataLoader(images, batch_size)
    if isinstance(images, str | bytes) or not isinstance(images, Iterable):
        expected = "a float tensor, a mapping, a data set or an iterable of batches"
        raise error("images", expected, type(images).__name__)
    return images


def _part(images: Mapping[str, Any], start: int, end: int, count: int) -> dict[str, Any]:
    """Some rows of what has a row per image, and all the rest."""
    rowwise = {k for k, v in images.items() if isinstance(v, Tensor) and v.ndim and len(v) == count}
    return {key: value[start:end] if key in rowwise else value for key, value in images.items()}


def images_of(batch: Any) -> Any:
    """`batch`, or the first entry of one that is a tuple: a tensor (B, ...) or a mapping of them.

    Numbers are floating-point, or token ids: integers (B, N) of 32 or 64 bits.
    """
    if isinstance(batch, tuple | list) and batch:
        batch = batch[0]
    if isinstance(batch, Mapping) and rows(batch):
        return batch
    if not isinstance(batch, Tensor) or batch.is_nested or batch.layout != torch.strided:
        got = type(batch).__name__ + " that is nested or sparse" * isinstance(batch, Tensor)
        raise error("images", "dense float tensors (B, ...), or mappings", got)
    ids = batch.ndim == 2 and batch.dtype in (torch.int32, torch.int64)
    if batch.ndim < 2 or batch.numel() == 0 or not (batch.is_floating_point() or ids):
        expected = "non-empty floating-point tensors (B, ...) of 2 or more axes"
        got = f"shape {tuple(batch.shape)} of {batch.dtype}"
        raise error("images", f"{expected}, or token ids (B, N)", got)
    return batch


def rows(batch: Any) -> int:
    """How many images a batch holds: the length of its first tensor."""
    entries = batch.values() if isinstance(batch, Mapping) else [batch]
    for entry in entries:
        if isinstance(entry, Tensor) and entry.ndim and len(entry):
            return len(entry)
    keys = ", ".join(map(str, batch)) if isinstance(batch, Mapping) else type(batch).__name__
    raise error("images", "batches that hold a non-empty tensor", f"one of {keys or 'nothing'}")


def moved(batch: Any, place: torch.device | None) -> Any:
    """A batch, whatever it is made of, on a device."""
    if isinstance(batch, Tensor):
        return batch.to(place)
    if isinstance(batch, Mapping):
        return {key: moved(value, place) for key, value in batch.items()}
    several = type(batch) in (tuple, list)
    return type(batch)(moved(one, place) for one in batch) if several else batch
