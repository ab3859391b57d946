"""Plans of training: data of ``data/results/plan.yml``, and the runs that they ask for.

A plan says everything before its first run: networks, arms, seeds, tests, when to stop. Each of its
records carries the hash of its text; a plan that was changed after a run no longer owns that run.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy import stats as scipy_stats

from reproduction import records
from reproduction.grid import default_device
from reproduction.grid import run as run_jobs
from reproduction.paths import RESULTS
from reproduction.stats import mean_interval
from reproduction.table_1 import find
from reproduction.training.pairs import off_target
from reproduction.training.recipes import RECIPES, Penalty, Recipe, Run
from reproduction.training.run import Trainable, job

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
        ValueError: there is none of that name, or its text lacks something.
    """
    plans = yaml.safe_load(path.read_text(encoding="utf-8"))["plans"]
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
        for network in networks.values():
            for arm in network.arms:
                _penalty(plan, arm)
        return plan
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: plan {name!r} is not complete: {error}") from error


def names(path: Path = PLANS) -> list[str]:
    """The names of all plans, in the order of the file."""
    return list(yaml.safe_load(path.read_text(encoding="utf-8"))["plans"])


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
    def protocol(self) -> Recipe:
        epochs = self.plan.networks[self.model].epochs
        return replace(self.plan.recipe, epochs=epochs) if epochs else self.plan.recipe

    def run(self, root: Path) -> Run:
        penalty, settings = _penalty(self.plan, self.arm), self.plan.arms[self.arm] or {}
        if penalty and _mirrored(self.plan, self.arm):
            mirror = 2 * inherent(self.plan, self.model, root) - penalty.gamma
            penalty = replace(penalty, gamma=min(1.0, max(0.0, mirror)))
        return Run(self.model, self.protocol, self.seed, penalty, settings.get("lr"))


def _penalty(plan: Plan, arm: str) -> Penalty | None:
    """The penalty of an arm, towards the target that its text names."""
    settings = plan.arms[arm] or {}
    if "form" not in settings:
        return None
    return Penalty(settings["alpha"], settings["gamma"], form=settings["form"])


def _mirrored(plan: Plan, arm: str) -> bool:
    return bool((plan.arms[arm] or {}).get("mirrored"))


def inherent(plan: Plan, model: str, root: Path = RESULTS) -> float:
    """The SS_rate that a network comes to without the constraint: mean over the first six seeds.

    Raises:
        FileNotFoundError: one of those baselines has not been trained.
    """
    baseline = plan.networks[model].arms[0]
    cells = [plan.cell(model, baseline, plan.first_seed + k) for k in range(MIRRORED)]
    return float(np.mean([_metrics(cell, root)["ss_rate_train"] for cell in cells]))


# --- what is to be run ---


def due(plan: Plan, root: Path = RESULTS) -> list[PlanCell]:
    """The runs that the plan asks for, as far as its records tell: in order, those done included.

    Seed by seed, network by network, arm by arm, so that a stop leaves pairs. How many seeds there
    are of a network is known step by step: first the pairs after which it may be stopped, then
    those before the look at the scatter, then the rest.
    """
    most = {model: _pairs_now(plan, model, root) for model in plan.networks}
    cells = []
    for k in range(max(most.values())):
        for model, network in plan.networks.items():
            for arm in network.arms if k < most[model] else ():
                if not _mirrored(plan, arm) or _reached(plan, model, MIRRORED, root):
                    cells.append(plan.cell(model, arm, plan.first_seed + k))
    return cells


def _pairs_now(plan: Plan, model: str, root: Path) -> int:
    network = plan.networks[model]
    after, look = plan.text["delivery"].get("after"), plan.text.get("look", {}).get("after")
    if after and not _reached(plan, model, after, root):
        return min(after, network.pairs)
    if after and not delivered_early(plan, model, root):
        return after
    if any(_mirrored(plan, arm) for arm in network.arms):
        look = max(look or 0, MIRRORED)
    if look and not _reached(plan, model, look, root):
        return min(look, network.pairs)
    return pairs_wanted(plan, model, root)


def _reached(plan: Plan, model: str, n: int, root: Path) -> bool:
    """Whether the first n pairs of baseline and constrained arm are there."""
    return len(_first_pairs(plan, model, n, root)) == n


def _first_pairs(
    plan: Plan, model: str, n: int, root: Path
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    baseline, constrained = plan.networks[model].arms[:2]
    pairs = []
    for seed in range(plan.first_seed, plan.first_seed + n):
        cells = [plan.cell(model, arm, seed) for arm in (baseline, constrained)]
        if all(cell.done(root) for cell in cells):
            pairs.append((_metrics(cells[0], root), _metrics(cells[1], root)))
    return pairs


def _metrics(cell: PlanCell, root: Path) -> dict[str, Any]:
    return records.read(cell.path(root))["metrics"]


def share_closed(baseline: Mapping[str, Any], constrained: Mapping[str, Any]) -> float:
    """The share of the baseline's distance to gamma by which the constrained arm ends nearer.

    Args:
        baseline, constrained: metrics of the two runs of a seed.
    """
    gamma = constrained["gamma"]
    without = off_target(baseline["ss_rate_train_modules"], gamma)
    return 1 - off_target(constrained["ss_rate_train_modules"], gamma) / without


def delivered_early(plan: Plan, model: str, root: Path = RESULTS) -> bool:
    """The decision after the first pairs: False where they tell that the constraint does not act.

    That is, where the upper end of the 95 % interval of the share closed lies below the plan's.
    """
    rule = plan.text["delivery"]
    pairs = _first_pairs(plan, model, rule["after"], root)
    shares = [share_closed(*pair) for pair in pairs]
    return not mean_interval(shares).high < rule["share"]


def pairs_wanted(plan: Plan, model: str, root: Path = RESULTS) -> int:
    """How many pairs, after the look at the scatter: blind to the sign of every difference."""
    network, look = plan.networks[model], plan.text.get("look")
    if not look or not network.most:
        return network.pairs
    pairs = _first_pairs(plan, model, look["after"], root)
    differences = [one["top1_last"] - other["top1_last"] for other, one in pairs]
    wanted = pairs_for(differences, look, difference=network.difference, margin=network.margin)
    return min(max(wanted, network.pairs), network.most)


def pairs_for(
    differences: Iterable[float],
    look: Mapping[str, float],
    *,
    difference: float | None = None,
    margin: float | None = None,
) -> int:
    """The number of pairs that finds `difference`, or holds a difference of 0 within `margin`.

    >>> look = {"level": 0.05, "power": 0.8}
    >>> pairs_for([1.0, -1.0, 1.0, -1.0], look, margin=0.5)
    35
    >>> pairs_for([1.0, -1.0], look, margin=0.5) == pairs_for([1.0, 1.0], look, margin=0.5)
    True

    Args:
        differences: of the pairs seen; only their sizes count.
        look: level and power. A difference is found at half the level, two-sided (Holm's first
            step of two); a margin is held by two one-sided tests at the level.
        difference, margin: in points, one of the two.
    """
    scatter, size = float(np.mean(np.square(list(differences)))), difference or margin
    if size is None:
        raise ValueError("difference, margin: expected one of the two")
    z = scipy_stats.norm.ppf
    if difference:
        scatter = max(0.0, scatter - difference**2)
        factor = z(1 - look["level"] / 4) + z(look["power"])
    else:
        factor = z(1 - look["level"]) + z((1 + look["power"]) / 2)
    return math.ceil(factor**2 * scatter / size**2)


def run_plan(
    plan: Plan, *, device: str | None = None, root: Path = RESULTS, minutes: float = math.inf
) -> Iterator[Path]:
    """Run what the plan still lacks; yields the paths of new records.

    Arguments and errors as of ``training.run.run_grid``; several processes may share the work.
    """
    if not minutes > 0:
        raise ValueError(f"minutes: expected a number above 0, got {minutes!r}")
    device, deadline = device or default_device(), time.time() + 60 * minutes
    while time.time() < deadline:
        cells = due(plan, root)
        if all(cell.done(root) for cell in cells):
            return
        work = job(cells, root=root, device=device, deadline=deadline, matrices=False)
        yield from run_jobs([work], root, device=device)
