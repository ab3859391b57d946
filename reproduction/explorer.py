"""What the explorer page draws of a layer, worked out beforehand: its curves, its pairs and its
boxes per threshold.

A step is a position 0 .. 255 among the 256 thresholds theta of ``box_curve``. All that moves on the
page is kept as the step at which it happens, so that the browser only counts and compares.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reproduction.files import replace
from reproduction.paths import ROOT
from sslib.boxes import FORMULAS, box_curve
from sslib.covering import covering_numbers
from sslib.distances import pair_distances
from sslib.graph import mds

#: The file that the page loads: a record as JavaScript, since a page opened from a disk may load no
#: JSON.
DATA = ROOT / "book" / "_static" / "explorer" / "data.js"

_HEAD, _TAIL = "window.sslibExplorer = ", ";\n"


def layer(F: Tensor, *, seed: int = 42) -> dict[str, Any]:
    """One layer as the page needs it; JSON values.

    >>> kept = layer(torch.tensor([[0.0], [1.0], [3.0], [7.0]]))
    >>> kept["D"], kept["TV"], len(kept["tree"]), round(kept["ss_rate"]["released"], 3)
    (4, 7.0, 3, 0.19)

    Args:
        F: (D, B) feature matrix with D from 3 to 256 and not all distances equal.
        seed: of the positions, see ``graph.mds``.

    Returns:
        A dict with these keys.

        - "D", "B"; "TZ", "TV" in the unit of F; "ss_rate": formula -> Eq. 3.
        - "curves": formula -> N_theta at the 256 thresholds, to 4 decimals.
        - "pairs": the step from which the pair i < j is closer than theta, 0 for never, row by row,
          one byte each.
        - "tree": the D - 1 mergers of complete linkage, as [one node, another, step]: at a step,
          the groups that are merged so far are boxes in which no two channels are further apart
          than theta.
        - "lower", "upper": bounds on the least number of such boxes (``covering_numbers``) per
          step, one byte each.
        - "places": [x, y] per channel, the plane picture of C, in thousandths of its half width;
          "stress" of it.

        Bytes are in base64; a count of 256 is written as 255.

    Raises:
        ValueError: F is not as said above.
    """
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    D, B = F.shape
    if not 3 <= D <= 256:
        raise ValueError(f"F has shape {tuple(F.shape)}; expected (D, B) with D from 3 to 256")
    curves = {formula: box_curve(F, formula=formula) for formula in FORMULAS}
    released = curves["released"]
    if released.ss_rate.isnan():
        raise ValueError(f"F of shape {tuple(F.shape)} has one distance only; expected several")
    C = pair_distances(F)
    theta = released.theta.to(C.dtype)
    pairs = C[tuple(torch.triu_indices(D, D, 1))]
    # The first threshold above the pair; the largest pairs lie below none.
    steps = torch.searchsorted(theta, pairs, right=True) % len(theta)
    merged = linkage(squareform(C.double().numpy(), checks=False), "complete")
    cover = covering_numbers(C, theta.double())
    place, stress = mds(C, seed=seed)
    place = place - (place.max(0) + place.min(0)) / 2
    return {
        "D": D,
        "B": B,
        "TZ": float(released.theta_min),
        "TV": float(released.theta_max),
        "ss_rate": {formula: float(curve.ss_rate) for formula, curve in curves.items()},
        "curves": {
            formula: [round(n, 4) for n in curve.boxes.tolist()]
            for formula, curve in curves.items()
        },
        "pairs": _pack(steps),
        "tree": _tree(merged, theta.double().numpy()),
        "lower": _pack(cover.lower.clip(max=255)),
        "upper": _pack(cover.upper.clip(max=255)),
        "places": np.round(1000 * place / np.abs(place).max()).astype(int).tolist(),
        "stress": stress,
    }


def boxes(layer: Mapping[str, Any], step: int) -> list[list[int]]:
    """The boxes of a layer at a step: groups of channels, each channel in one.

    >>> boxes(layer(torch.tensor([[0.0], [1.0], [3.0], [7.0]])), 200)
    [[0, 1, 2], [3]]
    """
    group = list(range(layer["D"]))
    for a, b, when in layer["tree"]:
        if when <= step:
            old, new = group[b], group[a]
            group = [new if g == old else g for g in group]
    return [[i for i, g in enumerate(group) if g == one] for one in dict.fromkeys(group)]


def unpack(text: str) -> np.ndarray:
    """The bytes of a field of `layer`: (n,) uint8.

    >>> unpack("AAH/").tolist()
    [0, 1, 255]
    """
    return np.frombuffer(base64.b64decode(text), np.uint8)


def write(record: Mapping[str, Any], path: Path = DATA) -> None:
    """Write a record as the script that the page loads.

    Args:
        record: as from ``records.new_record``; its metrics are the layers.
        path: of the script.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps(record, separators=(",", ":"), allow_nan=False)
    replace(path, _HEAD + content + _TAIL)


def read(path: Path = DATA) -> dict[str, Any]:
    """The record in the script that the page loads.

    Raises:
        ValueError: the script is not one that `write` wrote.
    """
    text = path.read_text(encoding="utf-8")
    if not text.startswith(_HEAD) or not text.endswith(_TAIL):
        raise ValueError(f"{path} is not a script written by reproduction.explorer.write")
    record: dict[str, Any] = json.loads(text[len(_HEAD) : -len(_TAIL)])
    return record


def _pack(values: Tensor | np.ndarray) -> str:
    return base64.b64encode(np.asarray(values).astype(np.uint8).tobytes()).decode()


def _tree(merged: np.ndarray, theta: np.ndarray) -> list[list[int]]:
    """Mergers between channels (one of each group) and the first step whose theta is at least the
    group's width.
    """
    D = len(merged) + 1
    one = list(range(D))  # a channel of every group, by SciPy's number of the group
    rows = []
    for a, b, width, _ in merged:
        # float32 thresholds end a rounding below TV: the last merger counts at the last step
        step = min(int(np.searchsorted(theta, width)), len(theta) - 1)
        rows.append([one[int(a)], one[int(b)], step])
        one.append(one[int(a)])
    return rows
