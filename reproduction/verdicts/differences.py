"""Printed against released, point by point: the list in data/paper/differences.yml and what each
point changes.

An effect is computed when it is asked for: from records, from the reference outputs of the released
code (data/golden), or on the spot. It is a sentence with numbers, or "not run" where the records
are missing.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml

from reproduction import models, records
from reproduction.invariance.read import full_scale as of_tables_4_and_5
from reproduction.invariance.rulers import KNOWN_SETS, known_points
from reproduction.paper.audit import gains, movement
from reproduction.paper.tables import DATASETS, released_commands
from reproduction.paths import PAPER, RESULTS, ROOT
from reproduction.ss_rate.cells import FACTOR_EXPERIMENT, SS_RATE
from reproduction.ss_rate.read import factor_table, full_scale, table_2
from reproduction.training.pairs import paired
from reproduction.training.read import read_runs
from sslib.boxes import box_curve
from sslib.dimension import correlation_dimension
from sslib.powerlaw import powerlaw_exponent
from sslib.rate import ss_rate

GOLDEN = ROOT / "data" / "golden"

_Root = str | os.PathLike[str]

NOT_RUN = "not run"


def differences(root: _Root = RESULTS) -> pd.DataFrame:
    """Every difference between print and release, a row each: part, step, printed, released,
    effect, ours.

    root: the folder of records. "effect" has numbers where it can be measured here; else it says
    why not.

    >>> differences("no-such-folder").columns.tolist()
    ['part', 'step', 'printed', 'released', 'effect', 'ours']
    """
    rows = []
    for part in yaml.safe_load((PAPER / "differences.yml").read_text(encoding="utf-8")):
        for row in part["rows"]:
            effect = row["effect"]
            rows.append(
                {
                    "part": part["part"],
                    **row,
                    "effect": EFFECTS[effect](root) if effect in EFFECTS else effect,
                }
            )
    return pd.DataFrame(rows)[["part", "step", "printed", "released", "effect", "ours"]]


@cache
def _golden(name: str) -> tuple[Any, dict[str, np.ndarray]]:
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8")), dict(arrays)


def _cases() -> Iterable[tuple[dict[str, Any], torch.Tensor, torch.Tensor]]:
    cases, arrays = _golden("ss_rate_released")
    for case in cases:
        yield case, *(torch.from_numpy(arrays[f"{case['case']}_{name}"]) for name in ("F", "grad"))


def _density(root: _Root) -> str:
    tiny, F, _ = next(entry for entry in _cases() if entry[0]["kind"] == "tiny")
    D = 384
    return (
        f"with i = j counted, p(TV) = {D / (D - 1):.4f} for D = {D} and N_θ has no value there; the float32 comparison matters only where "
        f"distances are tiny: SS_rate {tiny['ss_rate']:.5f} instead of {float(ss_rate(F)):.5f} in a reference case"
    )


def _box_number(root: _Root) -> str:
    table = table_2(full_scale(records.read_all(SS_RATE, root)))
    released, printed, theirs = (
        table[f"untrained: {column}"] for column in ("ours, released", "ours, printed", "paper")
    )
    if released.isna().all():
        return NOT_RUN
    return (
        f"the largest of all: SS_rate of {released.notna().sum()} untrained networks is {released.mean():.2f} by the released and {printed.mean():.2f} by "
        f"the printed formula on average; they lie {(released - theirs).abs().mean():.2f} and {(printed - theirs).abs().mean():.2f} from Table 2"
    )


def _thresholds(root: _Root) -> str:
    change = {
        T: max(abs(float(ss_rate(F, thresholds=T) - ss_rate(F))) for _, F, _ in _cases())
        for T in (64, 4096)
    }
    return (
        ", ".join(
            f"at most {value:.4f} in SS_rate with {T} thresholds" for T, value in change.items()
        )
        + " instead of 256 (six reference inputs)"
    )


def _integral(root: _Root) -> str:
    change = []
    for _, F, _ in _cases():
        curve = box_curve(F)
        line = curve.reference / math.log(len(F))
        residual = (curve.boxes.log() / math.log(len(F)) - line).abs()
        change.append(
            abs(float(2 * torch.trapezoid(residual) / (len(residual) - 1)) - float(curve.ss_rate))
        )
    D = 384
    return (
        f"sum instead of trapezoid: at most {max(change):.4f} in SS_rate (six reference inputs); 2/D instead of 2/log D: a factor of "
        f"{D / math.log(D):.0f} at D = {D}"
    )


def _surrogate(root: _Root) -> str:
    cosines = []
    for _, F, _ in _cases():
        one, ten = (_gradient(F, k).flatten() for k in (1.0, 10.0))
        cosines.append(float(torch.cosine_similarity(one, ten, dim=0)))
    return (
        "none on the value; fac scales the gradient and k turns it: cosine between the gradients at k = 1 and 10 "
        f"{min(cosines):.2f} to {max(cosines):.2f} (six reference inputs)"
    )


def _gradient(F: torch.Tensor, smoothing: float) -> torch.Tensor:
    x = F.clone().requires_grad_()
    return torch.autograd.grad(ss_rate(x, smoothing=smoothing), x)[0]


def _precision(root: _Root) -> str:
    errors = {}
    for case, F, grad in _cases():
        x = F.double().requires_grad_()
        (own,) = torch.autograd.grad(0.5 * (ss_rate(x) - case["target"]) ** 2, x)
        errors[case["kind"]] = float((own - grad).norm() / grad.norm())
    worst = max(errors, key=errors.__getitem__)
    others = max(value for kind, value in errors.items() if kind != worst)
    half = _factor(root, "precision", "bfloat16")
    return (
        f"released float32 gradient against ours in float64: {errors[worst]:.0%} of its norm in the worst of six reference cases ({worst}), at most "
        f"{others:.1%} in the others; whole network in bfloat16: {half}"
    )


def _factor(root: _Root, factor: str, value: str) -> str:
    """What one factor does to SS_rate, by model, from the records of the factor study."""
    table = factor_table(records.read_all(FACTOR_EXPERIMENT, root))
    told = []
    for model in table.columns.levels[0] if len(table) else []:
        if (factor, value) in table.index and not math.isnan(
            change := table.loc[(factor, value), (model, "change")]
        ):
            told.append(
                f"{model} {round(change, 3) + 0.0:+.3f} ± {table.loc[(factor, value), (model, 'std of change')]:.3f}"
            )
    return "SS_rate of " + ", ".join(told) if told else NOT_RUN


def _damping(root: _Root) -> str:
    runs = full_scale(records.read_all(SS_RATE, root))
    if runs.empty:
        return NOT_RUN
    close = []
    for run in runs.to_dict("records"):
        rates = np.array(
            [
                run["metrics.layers"][module]["released"]
                for module in run["metrics.modules"]["released"]
            ]
        )
        close.append((abs(rates / rates.mean() - 1) < 0.05).mean())
    training = _training(root)
    training = training[training["arm"] == "released"]
    share = "; in released arms of ours: not run"
    if len(training):
        penalties = [
            value > 0 for history in training["history"] for value in history["penalty"][1:]
        ]
        share = f"; in our released arms the mean penalty is above 0 in {np.mean(penalties):.0%} of the epochs after the first"
    return f"of the modules that are drawn from, {np.mean(close):.0%} lie within 5 % of the mean over layers in untrained networks: for the others the penalty vanishes{share}"


def _alpha(root: _Root) -> str:
    alpha = released_commands()["alpha"].dropna()
    low, high = alpha.min() / 2 / 1e-4, alpha.max() / 2 / 1e-4
    return f"halved, the released α are {low:.4f} to {high:.0f} times 10⁻⁴; {(alpha == 5e-2).sum()} of {len(alpha)} commands have {high:.0f} times"


def _gamma(root: _Root) -> str:
    table = movement().dropna(subset=["gamma: released"])
    gap = (table["gamma: released"] - table["gamma: own"]).abs()
    return f"the commands' γ lie {gap.mean():.2f} from the baseline's SS_rate in Table 3 on average, {gap.max():.2f} at most ({len(gap)} commands)"


def _commands() -> pd.DataFrame:
    """Released commands with one learning rate per arm: those of the baseline as a set, beside the
    constrained one.
    """
    commands = released_commands()
    arms = {arm: part for arm, part in commands.groupby("arm")}
    base = arms["baseline"].groupby(["model", "dataset"])["learning_rate"].agg(set)
    return arms["constrained"].set_index(["model", "dataset"]).assign(baseline=base)


def _learning_rate(root: _Root) -> str:
    table = _commands().dropna(subset=["baseline"])
    differ = [
        index for index, row in table.iterrows() if row["learning_rate"] not in row["baseline"]
    ]
    named = "; ".join(f"{model} on {DATASETS[dataset]}" for model, dataset in differ)
    return f"in {len(differ)} of the {len(table)} comparisons with commands for both arms the rates differ: {named}; what that does to accuracy: {_lr_control(root)}"


def _lr_control(root: _Root) -> str:
    runs = _training(root)
    others = [arm for arm in runs["arm"].unique() if arm.startswith("baseline@")]
    if not others:
        return NOT_RUN
    change = pd.concat([paired(runs, arm) for arm in others])["difference"]
    return f"{change.mean():+.2f} points for another rate without the constraint (n = {len(change)}, {change.min():+.2f} to {change.max():+.2f})"


def _layers_drawn(root: _Root) -> str:
    runs = full_scale(records.read_all(SS_RATE, root))
    if runs.empty:
        return NOT_RUN
    change = [
        r["released"] - p["released"]
        for r, p in zip(runs["metrics.mean_released_modules"], runs["metrics.mean_printed_modules"])
    ]
    by_model = (
        pd.Series(change).groupby([models.find(name).name for name in runs["config.model"]]).mean()
    )
    largest = by_model.abs().idxmax()
    return f"mean SS_rate over the released list instead of Table 1's, untrained: at most {by_model[largest]:+.3f} ({largest})"


def _variants(root: _Root) -> str:
    runs = full_scale(records.read_all(SS_RATE, root))
    if runs.empty:
        return NOT_RUN
    rate = (
        runs["metrics.mean_printed_modules"]
        .map(lambda mean: mean["released"])
        .groupby(runs["config.model"])
        .mean()
    )
    if not {"pvt_v2_b1", "pvt_v2_b3"} <= set(rate.index):
        return NOT_RUN
    return f"SS_rate of untrained PVT: {rate['pvt_v2_b1']:.3f} for pvt_v2_b1, {rate['pvt_v2_b3']:.3f} for pvt_v2_b3"


def _training(root: _Root) -> pd.DataFrame:
    runs = read_runs(root)
    return runs[runs["recipe"] != "quick"]


def _best_epoch(root: _Root) -> str:
    runs = _training(root)
    if runs.empty:
        return NOT_RUN
    gap = (runs["top1_best"] - runs["top1_last"]).astype(float)
    return f"best test epoch minus last epoch: {gap.mean():+.2f} ± {gap.std():.2f} points, {gap.max():.2f} at most ({len(gap)} runs of ours)"


def _unequal_arms(root: _Root) -> str:
    table = _commands()
    with_both = table.dropna(subset=["baseline"])
    rates = sum(row["learning_rate"] not in row["baseline"] for _, row in with_both.iterrows())
    noted = table["note"].fillna("").str.startswith("without").sum()
    gain = gains()["gain"]
    names = [
        i
        for i, row in with_both.iterrows()
        if row["learning_rate"] not in row["baseline"] or str(row["note"]).startswith("without")
    ]
    told = ", ".join(
        f"{model} on {DATASETS[dataset]} ({gain[model, dataset]:+.2f})" for model, dataset in names
    )
    return f"{rates} comparisons with another learning rate, {noted} with other augmentation; their gains in Table 3: {told}"


def _untrained(root: _Root) -> pd.DataFrame:
    """The records of Tables 4 and 5's untrained networks: neither noise nor small networks."""
    runs = of_tables_4_and_5(records.read_all("invariance", root))
    return runs[runs["config.weights"] == "untrained"] if len(runs) else runs


def _ways(root: _Root, metric: str, one: str, other: str) -> str:
    runs = _untrained(root)
    if runs.empty:
        return NOT_RUN
    values = pd.DataFrame(
        {
            way: runs[f"metrics.{metric}"].map(lambda cell, w=way: cell.get(w, math.nan))
            for way in (one, other)
        }
    ).astype(float)
    values = values.groupby(runs["config.model"]).mean().dropna()
    if len(values) < 3:
        return NOT_RUN
    rank = values.corr("spearman").iloc[0, 1]
    symbol = {"sigma": "σ", "delta": "Δ"}[metric]
    return f"{symbol} {values[one].mean():.2f} against {values[other].mean():.2f} on average over {len(values)} networks; their ranks correlate {rank:+.2f}"


def _features_of_sigma(root: _Root) -> str:
    return "released estimator on F and on activations: " + _ways(
        root, "sigma", "released, F", "released"
    )


def _features_of_delta(root: _Root) -> str:
    return "released estimator on F and on activations: " + _ways(
        root, "delta", "released, F", "released"
    )


def _exponent(root: _Root) -> str:
    cases, arrays = _golden("invariance_released")
    told = []
    for case in cases["powerlaw_exponent"]:
        fits = {
            estimator: float(powerlaw_exponent(arrays[case["case"]], estimator=estimator))
            for estimator in ("printed", "released")
        }
        told.append(
            f"{fits['printed']:.2f} printed, {fits['released']:.2f} released ({case['kind']})"
        )
    return (
        "exponents of two reference spectra: "
        + "; ".join(told)
        + "; printed and released on activations: "
        + _ways(root, "sigma", "printed, activations", "released")
    )


def _skipped_layers(root: _Root) -> str:
    runs = _untrained(root)
    if runs.empty:
        return NOT_RUN
    left = [
        any(text.startswith("released:") and "50" in text for text in skipped)
        for skipped in runs["metrics.skipped"]
    ]
    return f"layers left out in {sum(left)} of {len(left)} of our records; the randomised solver is not compared"


def _sparsity(root: _Root) -> str:
    runs = _untrained(root)
    if runs.empty:
        return NOT_RUN
    share = [layer["nonzero_share"] for run in runs["metrics.layers"] for layer in run.values()]
    return f"the two add up to 1; the share that is not zero is {np.mean(share):.2f} on average over our layers, {min(share):.2f} to {max(share):.2f}"


def _dimension_known(root: _Root) -> str:
    told = []
    for name in ("line", "cantor", "ball"):
        points = known_points(name, 400)
        fits = (float(correlation_dimension(points, estimator=e)) for e in ("printed", "released"))
        told.append(f"{name} {KNOWN_SETS[name]:.2f}: " + " and ".join(f"{fit:.2f}" for fit in fits))
    return "true value: printed and released, 400 points: " + "; ".join(told)


def _dimension_scale(root: _Root) -> str:
    square = known_points("square", 400)
    told = []
    for estimator in ("printed", "released"):
        fits = [
            float(correlation_dimension(unit * square, estimator=estimator)) for unit in (1, 10)
        ]
        told.append(f"{estimator} {fits[0]:.2f} and {fits[1]:.2f}")
    return "a square, and the same ten times as large: " + ", ".join(told)


def _dropped_dimensions(root: _Root) -> str:
    runs = _untrained(root)
    if runs.empty:
        return NOT_RUN
    layers = [
        layer["dimensions"].get("released", 0)
        for run in runs["metrics.layers"]
        for layer in run.values()
    ]
    return f"{sum(layer is None for layer in layers)} of {len(layers)} layers of ours dropped"


#: What `effect` in differences.yml names.
EFFECTS: Mapping[str, Callable[[_Root], str]] = {
    "density": _density,
    "box_number": _box_number,
    "thresholds": _thresholds,
    "integral": _integral,
    "surrogate": _surrogate,
    "precision": _precision,
    "damping": _damping,
    "alpha": _alpha,
    "gamma": _gamma,
    "learning_rate": _learning_rate,
    "layers_drawn": _layers_drawn,
    "batch": lambda root: (
        f"with 16 images instead of 64: {_factor(root, 'B', '16 images')}; with 256: {_factor(root, 'B', '256 images')}"
    ),
    "class_token": lambda root: f"left out: {_factor(root, 'class token', 'left out')}",
    "training_mode": lambda root: (
        f"training instead of evaluation mode: {_factor(root, 'mode', 'training')}"
    ),
    "variants": _variants,
    "best_epoch": _best_epoch,
    "unequal_arms": _unequal_arms,
    "other_images": lambda root: (
        f"another draw of images: {_factor(root, 'which images', 'another draw')}"
    ),
    "channels": lambda root: (
        f"128 channels instead of all: {_factor(root, 'channels', '128 drawn at random')}"
    ),
    "features_of_sigma": _features_of_sigma,
    "exponent": _exponent,
    "skipped_layers": _skipped_layers,
    "sparsity": _sparsity,
    "features_of_delta": _features_of_delta,
    "dimension_known": _dimension_known,
    "dimension_scale": _dimension_scale,
    "dropped_dimensions": _dropped_dimensions,
    "normalisation": lambda root: (
        f"not measurable here for Mixer's checkpoint; pixels 0 to 1 instead of ImageNet's scaling, untrained: {_factor(root, 'normalisation', 'none: pixels 0 to 1')}"
    ),
}
