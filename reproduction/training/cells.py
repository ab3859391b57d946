"""What a run of training is to the loop that makes records: a name, and what is to be trained.

`Cell` is one of the grid of Table 3; those of the plans are in ``plans``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

from reproduction import records
from reproduction.image_sources import label
from reproduction.inputs import identity
from reproduction.paper.tables import load_table
from reproduction.paths import RESULTS
from reproduction.table_1 import find
from reproduction.training.arms import ALPHA, EXPERIMENT, LEVEL_SEEDS, PLACEBO, RELEASED, Arm
from reproduction.training.arms import gamma as arm_gamma
from reproduction.training.recipes import RECIPES, Penalty, Recipe, Run


class Trainable:
    """What ``run.jobs`` can train: `Cell`, and the cells of the plans."""

    experiment: str
    dataset: str
    model: str
    arm: str
    seed: int

    @property
    def config(self) -> dict[str, Any]:
        """What names its record, beside the seed."""
        raise NotImplementedError

    @property
    def protocol(self) -> Recipe:
        """How it is trained."""
        raise NotImplementedError

    @property
    def needs(self) -> tuple[Trainable, ...]:
        """The cells whose records say what its penalty is."""
        return ()

    @property
    def asked(self) -> Mapping[str, str]:
        """The options of `python -m reproduction train` that make it: values by name."""
        raise NotImplementedError

    def check(self, root: Path, others: Sequence[Trainable]) -> None:
        """Check that it can be trained.

        Args:
            root: folder of the records.
            others: what is trained in the same call.

        Raises:
            FileNotFoundError: a cell that it needs has no record and is not among the others.
            ValueError: it is of an arm that is no longer run, or a record that it needs lacks
                what it takes from it.
        """
        needed = [cell for cell in self.needs if cell not in others]
        check_done(needed, root, who=f"{self.arm} of {self.model}, seed {self.seed},")

    def run(self, root: Path) -> Run:
        """What is to be trained.

        Raises:
            FileNotFoundError: a record that it needs is not there.
        """
        raise NotImplementedError

    def doses(self, root: Path) -> list[list[float]] | None:
        """For a yoked run: how large each of its steps is, by epoch; see ``loop.train``."""
        return None

    def path(self, root: Path) -> Path:
        return records.record_path(self.experiment, self.config, self.seed, root)

    def done(self, root: Path) -> bool:
        return records.exists(self.experiment, self.config, self.seed, root)

    def ready(self, root: Path) -> bool:
        """Whether all that it needs is there."""
        return all(cell.done(root) for cell in self.needs)


def check_done(cells: Iterable[Trainable], root: Path, *, who: str) -> None:
    """Check that all cells have a record.

    Args:
        cells: what is needed.
        root: folder of the records.
        who: needs them, for the error.

    Raises:
        FileNotFoundError: some have none; it says which, and the command that makes them.
    """
    seeds: dict[str, list[str]] = {}
    options: dict[str, dict[str, None]] = {}
    for cell in cells:
        if not cell.done(root):
            seeds.setdefault(f"{cell.arm} of {cell.model}", []).append(str(cell.seed))
            for name, value in cell.asked.items():
                options.setdefault(name, {})[value] = None
    if not seeds:
        return
    if root != RESULTS:
        options["results"] = {str(root): None}
    runs = "; ".join(f"{name}, seeds {' '.join(own)}" for name, own in seeds.items())
    command = " ".join(f"--{name} {' '.join(map(quote, own))}" for name, own in options.items())
    raise FileNotFoundError(
        f"{who} needs runs that are not there: {runs}. Make them with: python -m reproduction "
        f"train {command}"
    )


def level(cells: Sequence[Trainable], root: Path, *, who: str) -> float:
    """The SS_rate that networks come to without the constraint: the mean over baselines.

    Args:
        cells: the baselines.
        root: folder of their records.
        who: needs it, for the error.

    Raises:
        FileNotFoundError: one of them has not been trained.
    """
    check_done(cells, root, who=who)
    return float(
        np.mean([records.read(cell.path(root))["metrics"]["ss_rate_train"] for cell in cells])
    )


def wrong_target(level: float, gamma: float) -> float:
    """The target as far from where a network ends by itself as gamma, on the other side; cut to
    [0, 1].

    >>> round(wrong_target(0.18, 0.3), 2), wrong_target(0.1, 0.3)
    (0.06, 0.0)
    """
    return min(1.0, max(0.0, 2 * level - gamma))


@dataclass(frozen=True)
class Cell(Trainable):
    """One run of the grid. Arguments are checked when it is made; model may be a name of Table 1 or
    timm's.
    """

    recipe: str
    dataset: str
    model: str
    arm: str
    seed: int
    content: str = field(default="", repr=False)  # of a folder of images

    def __post_init__(self) -> None:
        if self.recipe not in RECIPES:
            raise ValueError(f"recipe: expected one of {', '.join(RECIPES)}, got {self.recipe!r}")
        object.__setattr__(self, "model", find(self.model).timm_name)
        arm = self.parsed
        object.__setattr__(self, "arm", str(arm))
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed: expected an integer of at least 0, got {self.seed!r}")
        if not self.content:
            named = identity(self.dataset, *self.protocol.draws)
            object.__setattr__(self, "content", named.get("content", ""))
        if arm.released and (self.model, self._released_set) not in RELEASED:
            raise ValueError(
                f"arm: the release has no command with a constraint for {self.model} on "
                f"{self.dataset}"
            )
        if arm.kind == "yoked" and self.protocol.processes > 1:
            raise ValueError(f"arm: {self.arm!r}: expected a recipe of one process")
        if arm.kind == "wrong" and arm.targets and arm.gamma in (None, "own", "model"):
            raise ValueError(
                f"arm: {self.arm!r}: a wrong target needs a gamma away from where the network ends "
                "by itself: gamma=table2 or a number"
            )
        if arm.kind != "baseline" and self.seed in LEVEL_SEEDS:
            raise ValueError(
                f"seed: {LEVEL_SEEDS[0]} to {LEVEL_SEEDS[-1]} are those of the baselines that "
                f"gamma is the mean of; expected another one, got {self.seed}"
            )

    experiment = EXPERIMENT

    @property
    def parsed(self) -> Arm:
        """What its arm is."""
        return Arm.parse(self.arm)

    @property
    def protocol(self) -> Recipe:
        return RECIPES[self.recipe]

    @property
    def config(self) -> dict[str, Any]:
        own = {"content": self.content} if self.content else {}
        return {
            "recipe": self.recipe,
            "dataset": label(self.dataset),
            "model": self.model,
            "arm": self.arm,
            **own,
        }

    @property
    def _released_set(self) -> str:
        return "cifar10" if self.dataset == "digits" else self.dataset

    @property
    def asked(self) -> dict[str, str]:
        return {
            "recipe": self.recipe,
            "dataset": self.dataset,
            "models": self.model,
            "arms": self.parsed.in_full,
            "seeds": str(self.seed),
        }

    @property
    def partner(self) -> Cell | None:
        """The cell that this one is a control of."""
        partner = self.parsed.partner
        return replace(self, arm=str(partner)) if partner else None

    @property
    def levels(self) -> tuple[Cell, ...]:
        """The baselines that say where the network ends by itself."""
        lr = self._lr if self._lr != self.protocol.lr else None
        arm = str(Arm("baseline", lr=lr))
        return tuple(replace(self, arm=arm, seed=seed) for seed in LEVEL_SEEDS)

    @property
    def needs(self) -> tuple[Cell, ...]:
        arm = self.parsed
        if arm.kind == "wrong" or (arm.kind == "constrained" and arm.gamma == "model"):
            return self.levels
        if arm.kind == "constrained" and arm.gamma in (None, "own"):
            return (replace(self, arm=str(Arm("baseline", lr=arm.lr))),)
        return (self.partner,) if self.partner else ()

    @property
    def _lr(self) -> float | None:
        arm = self.parsed
        # The scripts' learning rates are for the full-size networks.
        if arm.released and not self.protocol.small:
            return arm.lr or RELEASED[self.model, self._released_set][0]
        return arm.lr

    def check(self, root: Path, others: Sequence[Trainable]) -> None:
        if self.parsed.kind == PLACEBO:
            raise ValueError(
                f"arm: {self.arm} of {self.model}, seed {self.seed}: the placebo is no longer run, "
                "as its steps are not as large as the constraint's; expected yoked"
            )
        super().check(root, others)
        if self.partner and self.partner.done(root):
            self.doses(root)

    def run(self, root: Path) -> Run:
        # Nothing is yoked to runs in several processes, each of which knows only its own gradient.
        alone = self.protocol.processes == 1
        acts = alone and self.parsed.kind in ("constrained", "released")
        penalty = self._penalty(root)
        return Run(self.model, self.protocol, self.seed, penalty, self._lr, keep_doses=acts)

    def doses(self, root: Path) -> list[list[float]] | None:
        if self.partner is None or self.parsed.kind != "yoked":
            return None
        path = self.partner.path(root)
        doses = records.read(path)["metrics"].get("doses")
        if doses is None:
            raise ValueError(
                f"{self.arm} of {self.model}, seed {self.seed}: {path.name} was made before the "
                "sizes of steps were kept; expected a seed that has no such record"
            )
        return doses

    def _penalty(self, root: Path) -> Penalty | None:
        arm, who = self.parsed, f"{self.arm} of {self.model}, seed {self.seed},"
        if self.partner and (penalty := self.partner._penalty(root)):
            if arm.kind == "yoked":
                return replace(penalty, yoked=True)
            own = level(self.levels, root, who=who)
            return replace(penalty, gamma=wrong_target(own, penalty.gamma))
        if arm.kind == "released":
            _, alpha, gamma = RELEASED[self.model, self._released_set]
            return Penalty(alpha, gamma, form="released")
        if arm.kind == "baseline":
            return None
        alpha = ALPHA if arm.alpha is None else arm.alpha
        if arm.gamma == "table2":
            printed = load_table(2).set_index("model")["pretrained"]
            return Penalty(alpha, float(printed[find(self.model).name]))
        if isinstance(arm.gamma, float):
            return Penalty(alpha, arm.gamma)
        return Penalty(alpha, level(self.needs, root, who=who))


def grid(
    recipe: str,
    dataset: str,
    names: Iterable[str],
    arms: Sequence[str],
    seeds: Iterable[int],
    gamma: str = "model",
) -> list[Cell]:
    """The cells in order of priority: seed by seed, network by network, arms in the order given.

    Where a baseline is among the arms, those that gamma is the mean of come first.

    >>> cells = grid("quick", "digits", ["VGG"], ["baseline", "constrained"], [0], "table2")
    >>> [f"{cell.model} {cell.arm} {cell.seed}" for cell in cells]
    ['vgg11 baseline 0', 'vgg11 constrained:gamma=table2 0']
    >>> cells = grid("quick", "digits", ["VGG"], ["baseline", "constrained"], [0])
    >>> [cell.seed for cell in cells]
    [1000, 1001, 1002, 1003, 1004, 0, 0]

    Args:
        recipe, dataset: as of `Cell`.
        names: of networks.
        arms: as `Arm.parse` takes them.
        seeds: not those of ``arms.LEVEL_SEEDS``, but for baselines.
        gamma: of those arms that are free to choose it and do not say: "own", "model", "table2"
            (see ``arms.GAMMAS``) or a number.

    Raises:
        ValueError: as `Cell` does; nothing has run then.
    """
    target, parsed = arm_gamma(gamma), [Arm.parse(text) for text in arms]
    aimed = [
        replace(arm, gamma=target) if arm.targets and arm.gamma is None else arm for arm in parsed
    ]
    content = ""
    if recipe in RECIPES:  # else the first cell refuses it
        content = identity(dataset, *RECIPES[recipe].draws).get("content", "")
    cells = [
        Cell(recipe, dataset, model, str(arm), seed, content)
        for seed, model, arm in product(seeds, names, aimed)
    ]
    first = []
    if any(arm.kind == "baseline" for arm in parsed):
        needed = (need for cell in cells for need in cell.needs)
        first = [need for need in needed if need.seed in LEVEL_SEEDS]
    return [*dict.fromkeys([*first, *cells])]
