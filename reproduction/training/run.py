"""The cells of Table 3: a network, a data set, an arm and a seed; run, resumed, shared between
processes, and read.

Each finished cell is one record. What an unfinished one has reached lies beside it in a hidden
checkpoint; a hidden lock tells other processes that it is taken, and goes with the process that
holds it, however that ends.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from reproduction import models, records
from reproduction.grid import _WAIT, _lock, default_device
from reproduction.paths import RESULTS
from reproduction.training.loop import train
from reproduction.training.pictures import Pictures, load_pictures
from reproduction.training.recipes import RECIPES, Penalty, Run

EXPERIMENT = "constraint"

#: baseline: the task alone. constrained: Eq. 6 as printed, gamma = what the same seed's baseline
#: ends with. released: the penalty, alpha, gamma and learning rate of the authors' scripts.
#: placebo: see `Penalty`.
ARMS = ("baseline", "constrained", "released", "placebo")

#: alpha of Eq. 6 where an arm names none: "of the order of 1e-4".
ALPHA = 1e-4

#: Learning rate, alpha and gamma of the released commands with a constraint, by network and data
#: set.
RELEASED = {
    ("vit_small_patch16_224", "cifar10"): (5e-4, 5e-2, 0.3),
    ("vit_small_patch16_224", "imagenette"): (5e-3, 5e-2, 0.3),
    ("vit_base_patch16_224", "cifar10"): (1e-4, 5e-2, 0.3),
    ("vit_base_patch16_224", "imagenette"): (1e-4, 5e-2, 0.3),
    ("poolformer_s12", "cifar10"): (5e-4, 1e-4, 0.3),
    ("poolformer_s12", "imagenette"): (5e-4, 1e-4, 0.3),
    ("resmlp_12_224", "cifar10"): (7e-3, 5e-2, 0.3),
    ("resmlp_12_224", "imagenette"): (5e-3, 5e-2, 0.2),
    ("mixer_b16_224", "cifar10"): (5e-4, 5e-7, 0.2),
    ("mixer_b16_224", "imagenette"): (5e-3, 1e-2, 0.3),
}

_ARM = re.compile(r"(?P<kind>[a-z]+)(:alpha=(?P<alpha>[^@]+))?(@(?P<lr>.+))?")


@dataclass(frozen=True)
class Arm:
    """One arm: its kind, alpha where it is not the kind's own, and a learning rate where it is not
    the recipe's.
    """

    kind: str
    alpha: float | None = None
    lr: float | None = None

    @classmethod
    def parse(cls, text: str) -> Arm:
        """The arm that a text such as "constrained:alpha=0.01@1e-4" names.

        Raises ValueError for a kind that is not in `ARMS`, a negative alpha, a learning rate that
        is not positive, and an alpha for the baseline, which has no penalty, or for "released",
        whose alpha is the scripts'.

        >>> Arm.parse("constrained:alpha=1e-2"), str(Arm.parse("baseline@0.0001"))
        (Arm(kind='constrained', alpha=0.01, lr=None), 'baseline@0.0001')
        """
        match = _ARM.fullmatch(text) if isinstance(text, str) else None
        if not match or match["kind"] not in ARMS:
            raise ValueError(
                f"arm: expected one of {', '.join(ARMS)}, with :alpha=NUMBER or @LEARNING_RATE after it, got {text!r}"
            )
        kind, alpha, lr = match["kind"], _number(text, match["alpha"]), _number(text, match["lr"])
        if alpha is not None and (alpha < 0 or kind in ("baseline", "released")):
            raise ValueError(
                f"arm: {text!r}: alpha must be at least 0 and belongs to constrained and placebo only"
            )
        if lr is not None and lr <= 0:
            raise ValueError(f"arm: {text!r}: the learning rate must be above 0")
        return cls(kind, None if alpha == ALPHA else alpha, lr)

    def __str__(self) -> str:
        alpha = "" if self.alpha is None else f":alpha={self.alpha:g}"
        return f"{self.kind}{alpha}" + ("" if self.lr is None else f"@{self.lr:g}")


def _number(text: str, part: str | None) -> float | None:
    if part is None:
        return None
    try:
        value = float(part)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"arm: {text!r}: {part!r} is no number")
    return value


@dataclass(frozen=True)
class Cell:
    """One run of the grid. Arguments are checked when it is made; model may be a name of Table 1 or
    timm's.
    """

    recipe: str
    dataset: str
    model: str
    arm: str
    seed: int

    def __post_init__(self) -> None:
        if self.recipe not in RECIPES:
            raise ValueError(f"recipe: expected one of {', '.join(RECIPES)}, got {self.recipe!r}")
        object.__setattr__(self, "model", models.find(self.model).timm_name)
        arm = Arm.parse(self.arm)
        object.__setattr__(self, "arm", str(arm))
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed: expected an integer of at least 0, got {self.seed!r}")
        if arm.kind == "released" and (self.model, self._released_set) not in RELEASED:
            raise ValueError(
                f"arm: the release has no command with a constraint for {self.model} on {self.dataset}"
            )

    @property
    def config(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe,
            "dataset": self.dataset,
            "model": self.model,
            "arm": self.arm,
        }

    @property
    def _released_set(self) -> str:
        return "cifar10" if self.dataset == "digits" else self.dataset

    @property
    def baseline(self) -> Cell | None:
        """The cell whose SS_rate is this one's gamma, if it needs one."""
        arm = Arm.parse(self.arm)
        if arm.kind not in ("constrained", "placebo"):
            return None
        return replace(self, arm=str(Arm("baseline", lr=arm.lr)))

    def path(self, root: Path) -> Path:
        return records.record_path(EXPERIMENT, self.config, self.seed, root)

    def done(self, root: Path) -> bool:
        return records.exists(EXPERIMENT, self.config, self.seed, root)

    def run(self, root: Path) -> Run:
        """What is to be trained; reads gamma from the baseline's record.

        Raises FileNotFoundError where that is needed and not there.
        """
        arm, recipe = Arm.parse(self.arm), RECIPES[self.recipe]
        penalty, lr = None, arm.lr
        if self.baseline:
            gamma = records.read(self.baseline.path(root))["metrics"]["ss_rate_train"]
            alpha = ALPHA if arm.alpha is None else arm.alpha
            penalty = Penalty(alpha, gamma, placebo=arm.kind == "placebo")
        elif arm.kind == "released":
            released_lr, alpha, gamma = RELEASED[self.model, self._released_set]
            penalty = Penalty(alpha, gamma, form="released")
            # The scripts' learning rates are for the full-size networks.
            lr = lr or (None if recipe.small else released_lr)
        return Run(self.model, recipe, self.seed, penalty, lr)


def grid(
    recipe: str, dataset: str, names: Iterable[str], arms: Sequence[str], seeds: Iterable[int]
) -> list[Cell]:
    """The cells in order of priority: seed by seed, network by network, arms in the order given.

    Raises ValueError as `Cell` does; nothing has run then.

    >>> [f"{cell.model} {cell.arm} {cell.seed}" for cell in grid("quick", "digits", ["VGG"], ["baseline", "placebo"], [0])]
    ['vgg11 baseline 0', 'vgg11 placebo 0']
    """
    return [
        Cell(recipe, dataset, model, arm, seed) for seed, model, arm in product(seeds, names, arms)
    ]


def run_grid(
    cells: Sequence[Cell],
    *,
    device: str | None = None,
    root: Path = RESULTS,
    minutes: float = math.inf,
    matrices: bool = True,
) -> Iterator[Path]:
    """Work through the cells that have no record, in their order; yields the paths of new records.

    Stops when all are done or `minutes` are over, to the next end of an epoch; what was reached is
    gone on from at the next call. Several processes, on one machine or on machines that share the
    folder, never do a cell twice: one waits for a cell that another holds, and takes it over where
    that one died. That needs a folder whose file system has hard links and locks that reach as far
    as the processes do (flock); without, a cell may be trained twice.

    matrices: keep the trained network's matrices in an .npz beside the record, for Tables 4 and 5.

    Raises FileNotFoundError where images are missing, or a baseline that is not among the cells;
    ValueError for bad arguments; RuntimeError where a loss is no longer finite.
    """
    if not minutes > 0:
        raise ValueError(f"minutes: expected a number above 0, got {minutes!r}")
    deadline = time.time() + 60 * minutes
    device = device or default_device()
    todo = [cell for cell in cells if not cell.done(root)]
    for cell in todo:
        if cell.baseline and cell.baseline not in cells and not cell.baseline.done(root):
            raise FileNotFoundError(
                f"{cell.arm} of {cell.model}, seed {cell.seed}, takes gamma from the record of {cell.baseline.arm}, "
                "which is not there; run that arm as well"
            )
    pictures: dict[tuple[str, str], Pictures] = {}
    while todo and time.time() < deadline:
        waiting = []
        for cell in todo:
            if time.time() >= deadline:
                return
            if cell.baseline and not cell.baseline.done(root):
                waiting.append(cell)
                continue
            with _lock(cell.path(root)) as ours:
                if not ours:
                    waiting.append(cell)
                elif not cell.done(root):
                    key = cell.recipe, cell.dataset
                    if key not in pictures:
                        pictures[key] = load_pictures(
                            cell.dataset, RECIPES[cell.recipe], device=device
                        )
                    path = _run_cell(cell, pictures[key], device, root, deadline, matrices)
                    if path:
                        yield path
                    else:
                        waiting.append(cell)
        if len(waiting) == len(todo):
            time.sleep(min(_WAIT, max(0.0, deadline - time.time())))
        todo = waiting


def _run_cell(
    cell: Cell, pictures: Pictures, device: str, root: Path, deadline: float, matrices: bool
) -> Path | None:
    """Train one cell, from its checkpoint if there is one, and write its record; None if the time
    was over before.
    """
    path = cell.path(root)
    checkpoint = path.with_name(f".{path.stem}.checkpoint.pt")
    kept = path.with_suffix(".npz") if matrices else None
    metrics = train(
        cell.run(root),
        pictures,
        device=device,
        checkpoint=checkpoint,
        deadline=deadline,
        matrices=kept,
    )
    if metrics is None:
        return None
    data = {"name": pictures.name, "n": len(pictures.train[0]), "fingerprint": pictures.fingerprint}
    seconds = round(sum(metrics["history"]["seconds"]), 2)
    record = records.new_record(
        EXPERIMENT, cell.config, cell.seed, metrics, data=data, device=device, seconds=seconds
    )
    with suppress(FileExistsError):  # another machine, which the lock did not reach, was first
        records.write(record, root)
    checkpoint.unlink(missing_ok=True)
    return path


def progress(cells: Iterable[Cell], root: Path = RESULTS) -> pd.DataFrame:
    """What is done and what is not: a row per cell with its state, "done", "running", "begun" or
    "not run".
    """
    rows = []
    for cell in cells:
        path = cell.path(root)
        state = "done" if cell.done(root) else "not run"
        if state != "done" and path.with_name(f".{path.stem}.lock").exists():
            with _lock(path) as free:
                state = "begun" if free else "running"
        rows.append({**cell.config, "seed": cell.seed, "state": state})
    return pd.DataFrame(rows)
