"""One network in several processes, as torchrun starts them: which this is, what they agree on.

In a single process, which is the rule, all of it does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

from reproduction import stop
from reproduction.grid import Elsewhere, default_device


def join(device: str | None = None) -> str:
    """Join the processes that torchrun has started with this one, if it has; where to train.

    Args:
        device: "cuda" where there is one, else "cpu", unless given; of several processes each has
            a GPU of its own.
    """
    device = device or default_device()
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        return device
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if on_gpu else "gloo")
    return device


def count() -> int:
    """How many there are."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which this one is; 0 makes the records."""
    return dist.get_rank() if count() > 1 else 0


def parallel(network: nn.Module) -> nn.Module:
    """The network, its gradients averaged over all processes."""
    return nn.parallel.DistributedDataParallel(network) if count() > 1 else network


def share(batch: Tensor) -> Tensor:
    """This process's part of a batch."""
    return batch.tensor_split(count())[rank()] if count() > 1 else batch


def mean(values: Iterable[float], device: str) -> list[float]:
    """The mean of each value over all processes."""
    values = list(values)
    if count() == 1:
        return values
    sums = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(sums)
    return (sums / count()).tolist()


def any_of(said: bool, device: str) -> bool:
    """Whether one of them says so."""
    return said if count() == 1 else sum(mean([float(said)], device)) > 0


def look(device: str) -> None:
    """Between two steps: all of them stop if SIGTERM has come to one.

    Raises:
        Terminated: it has.
    """
    if any_of(stop.came(), device):
        raise stop.Terminated


def gather(own: Any) -> list[Any]:
    """What each of them has; for process 0, the others get Nones."""
    found: list[Any] = [None] * count()
    if count() == 1:
        return [own]
    dist.gather_object(own, found if rank() == 0 else None)
    return found


def announce(cell: Any) -> Any:
    """What process 0 does next, or None at the end; the others get it."""
    if count() == 1:
        return cell
    said = [cell]
    dist.broadcast_object_list(said, src=0)
    return said[0]


def led(paths: Iterator[Path]) -> Iterator[Path]:
    """Process 0's records; the others are told when there are no more."""
    try:
        yield from paths
    except Elsewhere:
        announce(None)
        raise
    announce(None)


def followed(train: Callable[[Any], object]) -> Iterator[Path]:
    """What the other processes do: train what process 0 trains, and make no records."""
    while (cell := announce(None)) is not None:
        train(cell)
    yield from ()
