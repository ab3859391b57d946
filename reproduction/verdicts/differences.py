"""Printed against released, point by point: the list in data/paper/differences.yml and what each
point changes.

An effect is measured when it is asked for: from records (``effects``), from the released code's
reference outputs or on the spot (``live``). Its sentence is in ``say_effects``: numbers, or "not
run" where the records are missing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml

from reproduction.paths import PAPER, RESULTS
from reproduction.verdicts import effects, live
from reproduction.verdicts import say_effects as say

COLUMNS = ["part", "step", "printed", "released", "effect", "ours"]


class Effect(NamedTuple):
    """What a difference changes: measured from the folder of records, then said."""

    measure: Callable[[Path], Any]
    say: Callable[[Any], str]


#: What `effect` in differences.yml names.
EFFECTS: Mapping[str, Effect] = {
    "density": Effect(live.density, say.density),
    "box_number": Effect(effects.box_number, say.box_number),
    "thresholds": Effect(live.thresholds, say.thresholds),
    "integral": Effect(live.integral, say.integral),
    "surrogate": Effect(live.surrogate, say.surrogate),
    "precision": Effect(live.precision, say.precision),
    "damping": Effect(effects.damping, say.damping),
    "alpha": Effect(effects.alpha, say.alpha),
    "gamma": Effect(effects.gamma, say.gamma),
    "learning_rate": Effect(effects.learning_rate, say.learning_rate),
    "layers_drawn": Effect(effects.layers_drawn, say.layers_drawn),
    "batch": Effect(effects.batch, say.batch),
    "class_token": Effect(effects.class_token, say.class_token),
    "training_mode": Effect(effects.training_mode, say.training_mode),
    "variants": Effect(effects.variants, say.variants),
    "best_epoch": Effect(effects.best_epoch, say.best_epoch),
    "unequal_arms": Effect(effects.unequal_arms, say.unequal_arms),
    "other_images": Effect(effects.other_images, say.other_images),
    "channels": Effect(effects.channels, say.channels),
    "features_of_sigma": Effect(effects.features_of_sigma, say.features),
    "exponent": Effect(live.exponent, say.exponent),
    "skipped_layers": Effect(effects.skipped_layers, say.skipped_layers),
    "sparsity": Effect(effects.sparsity, say.sparsity),
    "features_of_delta": Effect(effects.features_of_delta, say.features),
    "dimension_known": Effect(live.dimension_known, say.dimension_known),
    "dimension_scale": Effect(live.dimension_scale, say.dimension_scale),
    "dropped_dimensions": Effect(effects.dropped_dimensions, say.dropped_dimensions),
    "normalisation": Effect(effects.normalisation, say.normalisation),
}


def differences(root: str | os.PathLike[str] = RESULTS) -> pd.DataFrame:
    """Every difference between print and release, a row each.

    >>> differences("no-such-folder").columns.tolist()
    ['part', 'step', 'printed', 'released', 'effect', 'ours']

    Args:
        root: the folder of records.

    Returns:
        Columns part, step, printed, released, effect, ours. "effect" has numbers where it can be
        measured here; else it says why not.
    """
    parts = yaml.safe_load((PAPER / "differences.yml").read_text(encoding="utf-8"))
    rows = [
        {"part": part["part"], **row, "effect": effect(row["effect"], root)}
        for part in parts
        for row in part["rows"]
    ]
    return pd.DataFrame(rows)[COLUMNS]


def effect(name: str, root: str | os.PathLike[str] = RESULTS) -> str:
    """The sentence on an effect of `EFFECTS`; anything else is a reason, and stays as it is.

    >>> effect("variants", "no-such-folder"), effect("none on the value")
    ('not run', 'none on the value')
    """
    if name not in EFFECTS:
        return name
    found = EFFECTS[name]
    return found.say(found.measure(Path(root)))
