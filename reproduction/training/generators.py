"""The random numbers of training: set for an epoch, kept within one, given back to the caller."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def seed_epoch(seed: int, epoch: int, process: int = 0) -> None:
    """Set the three generators that torch, timm's Mixup and timm's RandomErasing draw from.

    process: which of several that train one network; each draws its own.
    """
    entropy = [seed, epoch, process] if process else [seed, epoch]
    state = np.random.SeedSequence(entropy).generate_state(3)
    torch.manual_seed(int(state[0]))
    np.random.seed(int(state[1]))
    random.seed(int(state[2]))


def state(device: str) -> dict[str, Any]:
    """Where the three generators, and the GPU's, stand, as plain values and tensors."""
    state: Any = np.random.get_state()
    name, keys, *rest = state
    kinds = {"torch": torch.get_rng_state(), "numpy": (name, keys.tolist(), *rest)}
    if torch.device(device).type == "cuda":
        kinds["cuda"] = torch.cuda.get_rng_state(device)
    return {**kinds, "python": random.getstate()}


def set_state(state: Mapping[str, Any], device: str) -> None:
    """Set the generators to what `state` gave, on the same device."""
    torch.set_rng_state(state["torch"].cpu())
    if torch.device(device).type == "cuda":
        torch.cuda.set_rng_state(state["cuda"].cpu(), device)
    np.random.set_state(state["numpy"])
    random.setstate(state["python"])


@contextmanager
def own() -> Iterator[None]:
    """Leave the caller's generators as they were found."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
