"""Plans of training: data of ``data/results/plan.yml``, and the runs that they ask for.

A plan says everything before its first run: networks, arms, seeds, tests, when to stop. Each of its
records carries the hash of its text; a plan that was changed after a run no longer owns that run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from reproduction.paths import RESULTS
from reproduction.table_1 import find
from reproduction.training.cells import Trainable, level, wrong_target
from reproduction.training.recipes import RECIPES, Penalty, Recipe, Run

PLANS = RESULTS / "plan.yml"

#: Seeds whose baselines set the level that the wrong target is mirrored at.
MIRRORED = 6


@dataclass(frozen=True)
class Network:
    """A network of a plan.

    Attributes:
        model: its name in Table 1.
        arms: those it is trained with; the first is the baseline.
        pairs: seeds of each arm; most: as many as the look at the scatter may ask for.
        epochs: where they are not the recipe's.
        difference, margin: in points, what the look at the scatter plans for: to find the one, or
            to exclude the other.
    """

    model: str
    arms: tuple[str, ...]
    pairs: int
    most: int = 0
    epochs: int | None = None
    difference: float | None = None
    margin: float | None = None


@dataclass(frozen=True)
class Plan:
    """A plan as its text has it.

    Attributes:
        name: also the folder of its records.
        text: the whole entry, for those who read it.
        fingerprint: hash of the text, in every record.
        recipe, dataset: how all its networks are trained, and on what.
        arms: settings by name, None for the baseline.
        networks: by the name in Table 1.
    """

    name: str
    text: Mapping[str, Any] = field(repr=False)
    fingerprint: str
    recipe: Recipe
    dataset: str
    arms: Mapping[str, Mapping[str, Any] | None]
    networks: Mapping[str, Network]

    @property
    def first_seed(self) -> int:
        return self.text["first seed"]

    def cell(self, model: str, arm: str, seed: int) -> PlanCell:
        return PlanCell(self, model, arm, seed)


def load(name: str, path: Path = PLANS) -> Plan:
    """The plan of that name.

    >>> plan = load("small-confirm")
    >>> plan.networks["ViT (small)"].arms, plan.first_seed
    (('B', 'R', 'W'), 100)

    Raises:
        ValueError: the file cannot be read, there is none of that name, or its text lacks
            something.
    """
    plans = _texts(path)
    if name not in plans:
        raise ValueError(f"plan: expected one of {', '.join(plans)}, got {name!r}")
    text = plans[name]
    try:
        changes = dict(text["recipe"])
        recipe = replace(RECIPES[changes.pop("name")], **changes)
        networks = {
            model: Network(find(model).name, **{**own, "arms": tuple(own["arms"])})
            for model, own in text["networks"].items()
        }
        plan = Plan(name, text, _hash(text), recipe, text["dataset"], text["arms"], networks)
        for needed in ("first seed", "delivery", "hypotheses"):
            text[needed]
        for network in networks.values():
            for arm in network.arms:
                _penalty(plan, arm)
        return plan
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: plan {name!r} is not complete: {error}") from error


def names(path: Path = PLANS) -> list[str]:
    """The names of all plans, in the order of the file."""
    return list(_texts(path))


def _texts(path: Path) -> Mapping[str, Mapping[str, Any]]:
    try:
        plans = yaml.safe_load(path.read_text(encoding="utf-8"))["plans"]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ValueError(f"{path}: expected YAML, and it is damaged{where}") from error
    except (KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected plans under the key 'plans'") from error
    if not isinstance(plans, dict):
        raise ValueError(f"{path}: expected plans under the key 'plans', got {plans!r}")
    return plans


def rehearsal(plan: Plan, recipe: str = "quick", dataset: str = "digits") -> Plan:
    """The plan with a recipe that takes seconds: to see it run, its records in a folder of their
    own.
    """
    networks = {model: replace(own, epochs=None) for model, own in plan.networks.items()}
    changed = replace(RECIPES[recipe], test_last=plan.recipe.test_last)
    return replace(
        plan, name=f"rehearsal-{plan.name}", recipe=changed, dataset=dataset, networks=networks
    )


def _hash(text: Mapping[str, Any]) -> str:
    canonical = json.dumps(text, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class PlanCell(Trainable):
    """One run of a plan; model is the name in Table 1, arm the plan's."""

    plan: Plan = field(repr=False)
    model: str
    arm: str
    seed: int

    @property
    def experiment(self) -> str:  # type: ignore[override]
        return self.plan.name

    @property
    def dataset(self) -> str:  # type: ignore[override]
        return self.plan.dataset

    @property
    def config(self) -> dict[str, Any]:
        return {
            "plan": self.plan.fingerprint,
            "dataset": self.plan.dataset,
            "model": find(self.model).timm_name,
            "arm": self.arm,
        }

    @property
    def asked(self) -> dict[str, str]:
        own = {"models": find(self.model).timm_name, "arms": self.arm, "seeds": str(self.seed)}
        return {"plan": self.plan.name, **own}

    @property
    def protocol(self) -> Recipe:
        epochs = self.plan.networks[self.model].epochs
        return replace(self.plan.recipe, epochs=epochs) if epochs else self.plan.recipe

    def run(self, root: Path) -> Run:
        penalty, settings = _penalty(self.plan, self.arm), self.plan.arms[self.arm] or {}
        if penalty and mirrored(self.plan, self.arm):
            own = inherent(self.plan, self.model, root)
            penalty = replace(penalty, gamma=wrong_target(own, penalty.gamma))
        return Run(self.model, self.protocol, self.seed, penalty, settings.get("lr"))


def chosen(
    cells: Iterable[PlanCell],
    *,
    models: Iterable[str] = (),
    arms: Iterable[str] = (),
    seeds: Iterable[int] = (),
) -> list[PlanCell]:
    """Those of a plan's runs that are of the networks, arms and seeds named; empty means all.

    >>> plan = load("small-confirm")
    >>> cells = [plan.cell("ResNet34", arm, seed) for arm in "BR" for seed in (100, 101)]
    >>> [(cell.arm, cell.seed) for cell in chosen(cells, arms=["B"], seeds=[101])]
    [('B', 101)]

    Raises:
        ValueError: a network is none of Table 1; none of the runs is of those named.
    """
    networks, arms, seeds = {find(name).name for name in models}, {*arms}, {*seeds}
    found = [
        cell
        for cell in cells
        if (not networks or find(cell.model).name in networks)
        and (not arms or cell.arm in arms)
        and (not seeds or cell.seed in seeds)
    ]
    if not found:
        raise ValueError("models, arms, seeds: the plan asks for no such run, or not yet")
    return found


def _penalty(plan: Plan, arm: str) -> Penalty | None:
    """The penalty of an arm, towards the target that its text names."""
    settings = plan.arms[arm] or {}
    if "form" not in settings:
        return None
    return Penalty(settings["alpha"], settings["gamma"], form=settings["form"])


def mirrored(plan: Plan, arm: str) -> bool:
    """Whether the arm's target lies on the other side of where the network ends by itself."""
    return bool((plan.arms[arm] or {}).get("mirrored"))


def inherent(plan: Plan, model: str, root: Path = RESULTS) -> float:
    """The SS_rate that a network comes to without the constraint: mean over the first six seeds.

    Raises:
        FileNotFoundError: one of those baselines has not been trained.
    """
    baseline = plan.networks[model].arms[0]
    cells = [plan.cell(model, baseline, plan.first_seed + k) for k in range(MIRRORED)]
    return level(cells, root, who=f"the wrong target of {model}")
