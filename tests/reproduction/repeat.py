"""What a repeat of a committed record is measured with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch


def same_images(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the "data" of two records are alike; older ones do not say what was drawn."""
    return {**one, "drawn": None} == {**other, "drawn": None}


@contextmanager
def at_threads_of(record: Mapping[str, Any]) -> Iterator[None]:
    """The number of CPU threads of a record, as sums on another one have other last digits."""
    before = torch.get_num_threads()
    torch.set_num_threads(record["device"]["threads"])
    try:
        yield
    finally:
        torch.set_num_threads(before)
