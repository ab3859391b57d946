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
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sslib import models, records, stats, training
from sslib.experiments import default_device
from sslib.paper import load_table
from sslib.paths import RESULTS
from sslib.training import RECIPES, Penalty, Pictures, Run

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
_WAIT = 2.0  # seconds between looks at cells that other processes hold


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
                        pictures[key] = training.load_pictures(
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
    metrics = training.train(
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


@contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Whether this process holds the cell now. The lock is the kernel's: it ends with the process."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.with_name(f".{path.stem}.lock")
    with open(name, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
        # Whoever opened it before this line gets the lock of a removed file, and then finds the
        # record.
        if path.exists():
            name.unlink(missing_ok=True)


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


# --- reading ---


def read_runs(root: Path = RESULTS) -> pd.DataFrame:
    """All records of the grid, one row each: recipe, dataset, model (timm's name), family, arm,
    seed, alpha, gamma, the accuracies "top1_last", "top1_best", "top1_heldout" in per cent,
    "ss_rate_train", "ss_rate_probe" (512 images, eval mode), "history", "modules" (SS_rate of each
    at the end, as the penalty sees it), "device". Empty, with these columns, if there is none.
    Warns where runs of one recipe were trained under different settings: a recipe that was changed
    under its old name.
    """
    columns = [
        "recipe",
        "dataset",
        "model",
        "family",
        "arm",
        "seed",
        "alpha",
        "gamma",
        "top1_last",
        "top1_best",
        "top1_heldout",
        "ss_rate_train",
        "ss_rate_probe",
        "modules",
        "history",
        "device",
        "epochs",
        "images_per_second",
        "path",
    ]
    rows, first, told = [], {}, set()
    for _, run in records.read_all(EXPERIMENT, root).iterrows():
        arm, settings = Arm.parse(run["config.arm"]), run["metrics.settings"]
        own = {key: value for key, value in settings.items() if key not in ("penalty", "lr")}
        name, seen = first.setdefault(run["config.recipe"], (Path(run["path"]).name, own))
        if own != seen and run["config.recipe"] not in told:
            told.add(run["config.recipe"])
            changed = ", ".join(
                sorted(key for key in own.keys() | seen.keys() if own.get(key) != seen.get(key))
            )
            warnings.warn(
                f"runs of recipe {run['config.recipe']!r} differ in {changed}: {Path(run['path']).name} and {name}",
                stacklevel=2,
            )
        rows.append(
            {
                "recipe": run["config.recipe"],
                "dataset": run["config.dataset"],
                "model": run["config.model"],
                "family": models.find(run["config.model"]).family,
                "arm": str(arm),
                "seed": run["seed"],
                "alpha": settings["penalty"]["alpha"] if settings["penalty"] else 0.0,
                "gamma": run["metrics.gamma"],
                **{
                    key: run[f"metrics.{key}"]
                    for key in ("top1_last", "top1_best", "top1_heldout", "ss_rate_train")
                },
                "ss_rate_probe": float(
                    np.mean(list(run["metrics.ss_rate_probe"][str(training.PROBE[-1])].values()))
                ),
                "modules": run["metrics.ss_rate_train_modules"],
                "history": run["metrics.history"],
                "device": run["device.name"],
                "epochs": settings["epochs"],
                "images_per_second": run["metrics.images_per_second"],
                "path": run["path"],
            }
        )
    return pd.DataFrame(rows, columns=columns)


def table_3(runs: pd.DataFrame, recipe: str, dataset: str) -> pd.DataFrame:
    """Table 3 beside the records of one recipe and data set: a row per model of the paper, printed
    values first.

    Columns: "paper: baseline" and "paper: constrained" (top-1, NaN for a data set the paper does
    not have), and per arm "<arm>: mean", "<arm>: std", "<arm>: n" of the last epoch's test top-1 in
    per cent, "<arm>: SS_rate" (training mode). n is 0 where nothing was run.
    """
    part = runs[(runs["recipe"] == recipe) & (runs["dataset"] == dataset)]
    printed = load_table(3)
    rows = []
    for name in dict.fromkeys(printed["model"]):
        row: dict[str, Any] = {"model": name}
        theirs = printed[(printed["model"] == name) & (printed["dataset"] == dataset)].set_index(
            "arm"
        )["top1_mean"]
        for arm in ("baseline", "constrained"):
            row[f"paper: {arm}"] = theirs.get(arm, math.nan)
        for arm in ("baseline", "constrained"):
            own = part[(part["model"] == models.find(name).timm_name) & (part["arm"] == arm)]
            row |= {
                f"{arm}: mean": own["top1_last"].mean(),
                f"{arm}: std": own["top1_last"].std(),
                f"{arm}: n": len(own),
                f"{arm}: SS_rate": own["ss_rate_train"].mean(),
            }
        rows.append(row)
    return pd.DataFrame(rows).set_index("model")


def paired(
    runs: pd.DataFrame, arm: str, *, against: str = "baseline", metric: str = "top1_last"
) -> pd.DataFrame:
    """Differences arm - against of the same recipe, data set, model and seed: one row each, in
    column "difference".
    """
    keys = ["recipe", "dataset", "model", "family", "seed"]
    one, other = (runs[runs["arm"] == name].set_index(keys)[metric] for name in (arm, against))
    difference = (one - other.reindex(one.index)).dropna().astype(float)
    return difference.rename("difference").reset_index()


def effects(differences: pd.DataFrame, by: str = "model") -> pd.DataFrame:
    """Per group of `paired` differences: n, mean, 95 % interval (t), p of the sign-flip test, the
    same after Holm, and the smallest mean difference that this n would have shown four times in
    five (by a t-test at 0.05 over the number of groups; NaN where n is too small for any p below
    that). The last row pools all pairs; Holm is over the others.
    """
    groups = {str(name): rows["difference"] for name, rows in differences.groupby(by, sort=False)}
    rows = {}
    for name, values in {**groups, "all": differences["difference"]}.items():
        row: dict[str, float] = {"n": len(values), "mean": values.mean(), "std": values.std()}
        if len(values) > 1:
            interval = stats.mean_interval(values)
            row |= {
                "low": interval.low,
                "high": interval.high,
                "p": stats.sign_flip_test(values)[1],
            }
            tests = 1 if name == "all" else len(groups)
            if (
                tests * 2 / 2 ** len(values) <= 0.05
            ):  # else no difference of any size could have p < 0.05
                row["smallest effect"] = stats.smallest_effect(
                    values.std(), len(values), alpha=0.05 / tests
                )
        rows[name] = row
    table = pd.DataFrame.from_dict(
        rows, orient="index", columns=["n", "mean", "std", "low", "high", "p", "smallest effect"]
    )
    tested = [name for name in groups if not math.isnan(table.loc[name, "p"])]
    table["p, Holm"] = pd.Series(
        stats.holm(list(table.loc[tested, "p"])), index=tested, dtype=float
    )
    return table


def histories(runs: pd.DataFrame) -> pd.DataFrame:
    """What was kept of every epoch, tidy: model, family, arm, alpha, seed, gamma, epoch (from 1),
    and a column per quantity of the runs' "history": "test", "heldout" (top-1, %), "ss_rate_train",
    "gradient_ratio", ...
    """
    keys = ["model", "family", "arm", "alpha", "seed", "gamma"]
    parts = [
        pd.DataFrame(run["history"]).assign(
            epoch=lambda part: range(1, len(part) + 1), **{key: run[key] for key in keys}
        )
        for _, run in runs.iterrows()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*keys, "epoch"])


def off_target(modules: Mapping[str, float], gamma: float) -> float:
    """How far the modules' SS_rates lie from gamma: the mean of abs(SS_rate - gamma).

    >>> round(off_target({"a": 0.1, "b": 0.3}, 0.2), 2)
    0.1
    """
    return float(np.mean([abs(rate - gamma) for rate in modules.values()]))


def closing_in(runs: pd.DataFrame, arm: str) -> pd.DataFrame:
    """Whether an arm ends nearer to its gamma than the baseline of the same seed: a row per pair.

    Columns: recipe, dataset, model, family, seed; "without" and "with", ``off_target`` of the
    baseline's and of the arm's modules from the arm's gamma; "nearer", their difference. The mean
    over modules of SS_rate itself would say nothing: the baseline's is gamma.
    """
    keys = ["recipe", "dataset", "model", "family", "seed"]
    own = runs[(runs["arm"] == arm) & runs["gamma"].notna()]
    pairs = own.merge(runs[runs["arm"] == "baseline"], on=keys, suffixes=("", " without"))
    found = pairs[keys].assign(
        **{
            name: [
                off_target(modules, gamma) for modules, gamma in zip(pairs[column], pairs["gamma"])
            ]
            for name, column in (("without", "modules without"), ("with", "modules"))
        }
    )
    return found.assign(nearer=found["without"] - found["with"])


def dose_response(runs: pd.DataFrame) -> pd.DataFrame:
    """What the size of alpha does, for the printed penalty and its placebo: a row per model, arm
    kind and alpha, indexed so.

    Columns: n pairs; "SS_rate" at the end, as the penalty sees it; "with", "without" and "nearer"
    of ``closing_in``, means over pairs; "top-1" difference to the baseline of the same seed in
    points with "low" and "high" of its 95 % interval; "gradient" (mean ratio over training).
    """
    columns = ["n", "SS_rate", "with", "without", "nearer", "top-1", "low", "high", "gradient"]
    rows = {}
    for (model, text), part in runs.groupby(["model", "arm"], sort=False):
        arm = Arm.parse(text)
        if arm.kind not in ("constrained", "placebo") or arm.lr is not None:
            continue
        own = runs[runs["model"] == model]
        gains, distances = paired(own, text)["difference"], closing_in(own, text)
        interval = (
            stats.mean_interval(gains)
            if len(gains)
            else stats.Interval(math.nan, math.nan, math.nan, 0)
        )
        rows[model, arm.kind, ALPHA if arm.alpha is None else arm.alpha] = {
            "n": len(gains),
            "SS_rate": part["ss_rate_train"].mean(),
            **distances[["with", "without", "nearer"]].mean(),
            "top-1": interval.mean,
            "low": interval.low,
            "high": interval.high,
            "gradient": histories(part)["gradient_ratio"].mean(),
        }
    index = (
        pd.MultiIndex.from_tuples(list(rows), names=["model", "penalty", "alpha"]) if rows else None
    )
    return pd.DataFrame(list(rows.values()), index=index, columns=columns).sort_index(
        level="alpha", sort_remaining=False
    )


def choices(runs: pd.DataFrame, arms: Sequence[str] = ("baseline", "constrained")) -> pd.DataFrame:
    """What the choice of the epoch makes, per model: test top-1 at the best test epoch, and at the
    epoch that is best on held-out images, both minus the last epoch's, in points, averaged over
    seeds and `arms`; and the mean difference between the arms by each rule.
    """
    part, rules = (
        runs[runs["arm"].isin(arms)],
        {"last": "top1_last", "held-out": "top1_heldout", "best test": "top1_best"},
    )
    rows = {}
    for model, own in part.groupby("model", sort=False):
        row = {
            f"{rule} - last": (own[column] - own["top1_last"]).mean()
            for rule, column in rules.items()
            if rule != "last"
        }
        for rule, column in rules.items():
            row[f"gain, {rule}"] = paired(own, arms[1], against=arms[0], metric=column)[
                "difference"
            ].mean()
        rows[model] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def learning_rates(runs: pd.DataFrame) -> pd.DataFrame:
    """Both arms at more than one learning rate: a row per model and rate (before scaling with the
    batch), mean top-1 per arm, n, and the gain of the constraint within the rate. Models that were
    run at one rate only are left out.
    """
    rows = {}
    for (model, text), part in runs.groupby(["model", "arm"], sort=False):
        arm = Arm.parse(text)
        if arm.kind in ("baseline", "constrained") and arm.alpha is None:
            rate = arm.lr or RECIPES[part["recipe"].iloc[0]].lr
            row = rows.setdefault((model, rate), {})
            row |= {arm.kind: part["top1_last"].mean(), f"{arm.kind}: n": len(part)}
            if arm.kind == "constrained":
                base = str(Arm("baseline", lr=arm.lr))
                row["gain"] = paired(runs[runs["model"] == model], text, against=base)[
                    "difference"
                ].mean()
    several = {model for model, _ in rows if sum(other == model for other, _ in rows) > 1}
    kept = {key: row for key, row in rows.items() if key[0] in several}
    columns = ["baseline", "baseline: n", "constrained", "constrained: n", "gain"]
    index = (
        pd.MultiIndex.from_tuples(list(kept), names=["model", "learning rate"]) if kept else None
    )
    return pd.DataFrame(list(kept.values()), index=index, columns=columns)
