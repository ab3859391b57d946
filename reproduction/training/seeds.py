"""Random numbers of a training run: of its own, and the same for every run of a seed and epoch."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_epoch(seed: int, epoch: int) -> None:
    """Set all three generators that torch, timm's Mixup and timm's RandomErasing draw from."""
    state = np.random.SeedSequence([seed, epoch]).generate_state(3)
    torch.manual_seed(int(state[0]))
    np.random.seed(int(state[1]))
    random.seed(int(state[2]))


@contextmanager
def own_random_numbers() -> Iterator[None]:
    """Leave the caller's generators as they were found."""
    state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(state)
            np.random.set_state(numpy_state)
