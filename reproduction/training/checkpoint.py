"""The file that keeps the state of a run between steps: read whole and of this run, or refused."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from reproduction.training.recipes import Run

_KINDS: Mapping[str, type] = {
    "run": str,
    "network": Mapping,
    "optimizer": Mapping,
    "epoch": int,
    "seconds": float,
    "history": Mapping,
    "doses": list,
    "before": Mapping,
    "by_module": Mapping,
    "processes": list,
}


def load(path: Path, run: Run, device: str) -> dict[str, Any]:
    """The state in a checkpoint of `run`.

    Raises:
        ValueError: naming the file if it is damaged, of another run, or lacks something.
    """
    begin = f"delete {path} to begin this run anew"
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a damaged file makes torch raise half a dozen kinds
        raise ValueError(
            f"checkpoint {path} cannot be read ({type(error).__name__}); {begin}"
        ) from error
    if not isinstance(state, dict):
        raise ValueError(f"checkpoint {path} holds no state of a run; {begin}")
    for key, kind in _KINDS.items():
        if not isinstance(state.get(key), kind):
            raise ValueError(f"checkpoint {path} has no usable {key!r}; {begin}")
    if state["run"] != repr(run):
        raise ValueError(f"checkpoint {path} is of {state['run']}, expected {run!r}; {begin}")
    each = [own.get("begun") for own in state["processes"] if isinstance(own, dict)]
    within = [own for own in each if isinstance(own, dict) and own.get("losses")]
    if len(each) != run.recipe.processes or len(within) not in (0, len(each)):
        raise ValueError(f"checkpoint {path} has no usable 'processes'; {begin}")
    epoch, lengths = state["epoch"], {len(values) for values in state["history"].values()}
    least, most = (0, run.recipe.epochs - 1) if within else (1, run.recipe.epochs)
    if not least <= epoch <= most or lengths != {epoch}:
        raise ValueError(
            f"checkpoint {path} says epoch {epoch} of {run.recipe.epochs}, with a history of "
            f"{', '.join(map(str, sorted(lengths)))}; {begin}"
        )
    return state


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)
