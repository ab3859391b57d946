"""What is computed while a page is built: sets of known dimension, and the reference inputs of the
released code (data/golden).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from reproduction.invariance.known import KNOWN_SETS, SET_NAMES, known_points
from reproduction.paths import ROOT
from reproduction.sensitivity.nulls import null_features
from reproduction.verdicts import effects
from sslib.boxes import box_curve
from sslib.dimension import correlation_dimension
from sslib.powerlaw import powerlaw_exponent
from sslib.rate import ss_rate

#: Outputs of the released code; its README says how they were made.
GOLDEN = ROOT / "data" / "golden"

#: Channels of ViT (small), for factors that depend on their number.
CHANNELS = 384

ESTIMATORS = ("printed", "released")

Values = Mapping[str, Any]


def against_noise(sets: Iterable[tuple[str, int, int]], *, clouds: int = 10) -> pd.DataFrame:
    """SS_rate of sets that are known to be self-similar, and of Gaussian clouds in the same space.

    Args:
        sets: name, number of points and seed of each.
        clouds: how many a set is held against, each with its number of points, its coordinates and
            its mean distance.

    Returns:
        A row per set, by its name for a reader: own, and low and high of the clouds.
    """
    rows = {}
    for name, n, seed in sets:
        points = torch.from_numpy(known_points(name, n, seed=seed))
        noise = (null_features(points, "gaussian", seed=k) for k in range(clouds))
        rates = [float(ss_rate(cloud)) for cloud in noise]
        own = float(ss_rate(points))
        rows[SET_NAMES[name]] = {"own": own, "low": min(rates), "high": max(rates)}
    return pd.DataFrame.from_dict(rows, orient="index")


# --- reference inputs of SS_rate ------------------------------------------------------------------


def density(root: Path) -> Values:
    """The density at TV with i = j counted, and the float32 comparison where distances are tiny."""
    tiny, F, _ = next(entry for entry in _cases() if entry[0]["kind"] == "tiny")
    at_tv = CHANNELS / (CHANNELS - 1)
    return {"D": CHANNELS, "at TV": at_tv, "released": tiny["ss_rate"], "exact": float(ss_rate(F))}


def thresholds(root: Path) -> Values:
    """The largest change of SS_rate with fewer and with more thresholds, by their number."""
    return {
        str(T): max(abs(float(ss_rate(F, thresholds=T) - ss_rate(F))) for _, F, _ in _cases())
        for T in (64, 4096)
    }


def integral(root: Path) -> Values:
    """What the rule of the sum and the printed factor change."""
    change = []
    for _, F, _ in _cases():
        curve = box_curve(F)
        log_D = math.log(len(F))
        residual = (curve.boxes.log() / log_D - curve.reference / log_D).abs()
        trapezoid = float(2 * torch.trapezoid(residual) / (len(residual) - 1))
        change.append(abs(trapezoid - float(curve.ss_rate)))
    factor = CHANNELS / math.log(CHANNELS)
    return {"largest": max(change), "D": CHANNELS, "factor": factor}


def surrogate(root: Path) -> Values:
    """The cosine between the gradients at k = 1 and k = 10, smallest and largest."""
    cosines = []
    for _, F, _ in _cases():
        one, ten = (_gradient(F, smoothing).flatten() for smoothing in (1.0, 10.0))
        cosines.append(float(torch.cosine_similarity(one, ten, dim=0)))
    return {"low": min(cosines), "high": max(cosines)}


def _gradient(F: Tensor, smoothing: float) -> Tensor:
    x = F.clone().requires_grad_()
    return torch.autograd.grad(ss_rate(x, smoothing=smoothing), x)[0]


def precision(root: Path) -> Values:
    """The released float32 gradient against ours in float64, and a whole network in bfloat16."""
    errors = {}
    for case, F, grad in _cases():
        x = F.double().requires_grad_()
        (own,) = torch.autograd.grad(0.5 * (ss_rate(x) - case["target"]) ** 2, x)
        errors[case["kind"]] = float((own - grad).norm() / grad.norm())
    worst = max(errors, key=errors.__getitem__)
    return {
        "worst": worst,
        "error": errors[worst],
        "others": max(error for kind, error in errors.items() if kind != worst),
        "bfloat16": effects.factor(root, "precision", "bfloat16"),
    }


def _cases() -> Iterator[tuple[dict[str, Any], Tensor, Tensor]]:
    """Each reference case with its F and the released gradient."""
    cases, arrays = _golden("ss_rate_released")
    for case in cases:
        F, grad = (torch.from_numpy(arrays[f"{case['case']}_{name}"]) for name in ("F", "grad"))
        yield case, F, grad


@cache
def _golden(name: str) -> tuple[Any, dict[str, np.ndarray]]:
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8")), dict(arrays)


# --- exponents and dimensions ---------------------------------------------------------------------


def exponent(root: Path) -> Values:
    """Exponents of two reference spectra by both estimators; σ by both, from records."""
    cases, arrays = _golden("invariance_released")
    fits = {
        case["kind"]: {
            estimator: float(powerlaw_exponent(arrays[case["case"]], estimator=estimator))
            for estimator in ESTIMATORS
        }
        for case in cases["powerlaw_exponent"]
    }
    return {"fits": fits, "ways": effects.ways(root, "sigma", "printed, activations", "released")}


def dimension_known(root: Path, *, n: int = 400) -> Values:
    """Both estimates of sets of known dimension, the true one beside them."""
    sets = {
        name: {"true": KNOWN_SETS[name], **_dimensions(known_points(name, n))}
        for name in ("line", "cantor", "ball")
    }
    return {"n": n, "sets": sets}


def dimension_scale(root: Path, *, n: int = 400) -> Values:
    """Both estimates of a square, and of the same ten times as large."""
    square = known_points("square", n)
    one, ten = (_dimensions(unit * square) for unit in (1, 10))
    return {estimator: (one[estimator], ten[estimator]) for estimator in ESTIMATORS}


def _dimensions(points: np.ndarray) -> dict[str, float]:
    return {e: float(correlation_dimension(points, estimator=e)) for e in ESTIMATORS}
