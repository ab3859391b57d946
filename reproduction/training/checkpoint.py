"""The file that keeps the state of a run between steps: read whole and of this run, or refused."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from reproduction.record_metrics import count, misfit, number, text
from reproduction.training.recipes import Run

_STATE = {
    "run": text,
    "images": text,
    "network": {},
    "optimizer": {},
    "epoch": count,
    "seconds": number,
    "history": {"+": [number]},
    "doses": [[number]],
    "before": {"*": {"+": number}},
    "by_module": {"*": number},
    "processes": [{}],
}

#: Bytes of SHA-256, with which a file ends: torch reads a changed byte as another weight.
_DIGEST = 32


def load(path: Path, run: Run, images: str, device: str) -> dict[str, Any]:
    """The state in a checkpoint of `run`.

    Args:
        path: of the file.
        run: what it is to be the state of.
        images: fingerprint of the pictures that it is trained on.
        device: where the state is wanted.

    Raises:
        ValueError: naming the file if it is damaged, of another run, of other images, or lacks
            something.
    """
    begin = f"delete {path}, or pass --anew, to begin this run anew"
    try:
        content = path.read_bytes()
        if hashlib.sha256(content[:-_DIGEST]).digest() != content[-_DIGEST:]:
            raise ValueError("its content is not what was written")
        stored = io.BytesIO(content[:-_DIGEST])
        state = torch.load(stored, map_location=device, weights_only=True)
    except Exception as error:  # a damaged file makes torch raise half a dozen kinds
        raise ValueError(
            f"checkpoint {path} cannot be read ({type(error).__name__}); {begin}"
        ) from error
    if not isinstance(state, dict):
        raise ValueError(f"checkpoint {path} holds no state of a run; {begin}")
    for key, shape in _STATE.items():
        if why := misfit(state.get(key), shape, key):
            raise ValueError(f"checkpoint {path} has no usable {key!r} ({why}); {begin}")
    if state["run"] != repr(run):
        raise ValueError(f"checkpoint {path} is of {state['run']}, expected {run!r}; {begin}")
    if state["images"] != images:
        raise ValueError(
            f"checkpoint {path} is of other images ({state['images']}) than those here ({images}); "
            f"put them back, or {begin}"
        )
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


def take_up(
    path: Path, run: Run, images: str, device: str, load_state: Callable[[dict[str, Any]], None]
) -> None:
    """Give the state in a checkpoint to what goes on from it.

    Args:
        path, run, images, device: as for `load`.
        load_state: takes the state; where it raises, it may have taken half of it.

    Raises:
        ValueError: as `load` does, or naming the file if `load_state` cannot take its state.
    """
    state = load(path, run, images, device)
    try:
        load_state(state)
    except (ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"checkpoint {path} does not fit this run; delete it, or pass --anew, to begin this "
            "run anew"
        ) from error


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp")
    stored = io.BytesIO()
    torch.save(state, stored)
    content = stored.getbuffer()
    with open(temporary, "wb") as file:
        file.write(content)
        file.write(hashlib.sha256(content).digest())
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
