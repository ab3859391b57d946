"""Cells of Appendix A: true covers beside N_theta."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reproduction import grid
from reproduction.covering.known import KNOWN_GRAPHS, graphs
from reproduction.grid import Asked, Job, Measurement
from reproduction.invariance.known import KNOWN_SETS, known_points
from reproduction.paths import RESULTS
from reproduction.sensitivity.measures import adjacency_at
from sslib import checks
from sslib.boxes import FORMULAS, area, box_curve, reference_line
from sslib.checks import Values
from sslib.covering import (
    COVERS,
    box_counts,
    box_dimension,
    box_sizes,
    covering_numbers,
    hop_distances,
)
from sslib.distances import pair_distances

#: Per network or point set: both N_theta against bounds on the covering number.
COVERING = "box-covering"

#: Per graph: boxes against box size, and the dimension.
GRAPHS = "box-covering-graphs"

# Thresholds at which covering numbers are bounded: as for SS_rate, but fewer, as each takes a
# search.
_COVER_THRESHOLDS = 33

# Ways to cover a graph by balls around a node.
_BALLS = ("growing", "greedy")


def rate_of_boxes(boxes: Values, D: int, *, formula: str = "released") -> float:
    """SS_rate of any box numbers, such as true covering numbers, by ``area`` (Eq. 3).

    `boxes` are (T,) numbers from D to 1, at thresholds uniform in log(1 + theta).

    >>> rate_of_boxes([4, 2, 1], 4), round(rate_of_boxes([4, 4, 1], 4), 4)
    (0.0, 0.3333)
    """
    checks.choice("formula", formula, FORMULAS)
    N = torch.from_numpy(checks.array("boxes", boxes, "(T,)", smallest=2))
    if not ((N >= 1 - 1e-9) & (N <= D * (1 + 1e-9))).all():
        got = f"{N.min():.4g} to {N.max():.4g} in shape {tuple(N.shape)}"
        raise checks.error("boxes", f"(T,) numbers from 1 to D = {D}", got)
    return float(area(N, reference_line(N, D), D, formula))


def cover_curves(F: Tensor) -> dict[str, Any]:
    """Both N_theta of F and the bounds on its covering number, at 33 thresholds from TZ to TV.

    Args:
        F: (D, B) feature matrix.

    Returns:
        "D", "theta"; "released", "printed", "lower", "upper", lists of boxes; "rates", SS_rate of
        each of the four by the same sum (``rate_of_boxes``).
    """
    curves = {
        formula: box_curve(F, formula=formula, thresholds=_COVER_THRESHOLDS) for formula in FORMULAS
    }
    theta = curves["released"].theta.cpu().numpy()
    cover = covering_numbers(pair_distances(F), theta)
    boxes = {formula: curve.boxes.cpu().numpy() for formula, curve in curves.items()}
    boxes |= {"lower": cover.lower, "upper": cover.upper}
    rates = {name: rate_of_boxes(values, len(F)) for name, values in boxes.items()}
    return {"D": len(F), "theta": theta, **boxes, "rates": rates}


def adjacency_covers(
    F: Tensor, *, densities: Iterable[float] = (0.02, 0.05, 0.1)
) -> list[dict[str, Any]]:
    """Boxes of A_epsilon by greedy colouring, at some densities.

    Returns:
        Rows of "density", "nodes" and "diameter" of the largest component, which is what is
        covered, and what ``covers`` gives.
    """
    rows = []
    for density in densities:
        A = adjacency_at(pair_distances(F), density)
        hops = hop_distances(A, component="largest")
        found = covers(hops, box_sizes(hops), methods=["colouring"])["colouring"]
        rows.append({"density": density, "nodes": len(hops), "diameter": int(hops.max())} | found)
    return rows


def network_metrics(features: Mapping[str, Tensor], middle: str) -> dict[str, Any]:
    """The metrics of a network's ``COVERING`` record: ``cover_curves`` of each layer, and
    ``adjacency_covers`` of the one called `middle`.
    """
    return {
        "layers": {module: cover_curves(F) for module, F in features.items()},
        "graph": {"module": middle, "covers": adjacency_covers(features[middle])},
    }


def graph_metrics(name: str) -> dict[str, Any]:
    """The metrics of a ``GRAPHS`` record: nodes, longest distance, and per way to cover, sizes,
    boxes and the fit.
    """
    hops = hop_distances(graphs()[name])
    sizes = box_sizes(hops)
    return {
        "nodes": len(hops),
        "diameter": int(hops.max()),
        "dimension": KNOWN_GRAPHS[name],
        "covers": covers(hops, sizes),
    }


def jobs(*, n: int = 512) -> list[Job]:
    """Sets of known dimension (``COVERING``) and graphs (``GRAPHS``); no images.

    Args:
        n: points of each set.
    """
    sets = tuple(({"points": name, "n": n}, 0) for name in KNOWN_SETS)
    known = tuple(({"graph": name}, 0) for name in KNOWN_GRAPHS)
    return [Job(COVERING, sets, _of_sets, "cpu"), Job(GRAPHS, known, _of_graphs, "cpu")]


def _of_sets(cells: tuple[Asked, ...]) -> Iterator[Measurement]:
    for asked, seed in cells:
        F = torch.from_numpy(known_points(asked["points"], asked["n"]))
        yield Measurement(asked, seed, {"layers": {asked["points"]: cover_curves(F)}})


def _of_graphs(cells: tuple[Asked, ...]) -> Iterator[Measurement]:
    for asked, seed in cells:
        yield Measurement(asked, seed, graph_metrics(asked["graph"]))


def run_covers(*, n: int = 512, root: Path = RESULTS) -> Iterator[Path]:
    """Write the missing records of ``jobs``, and yield their paths."""
    return grid.run(jobs(n=n), root)


def at_scale(settings: Mapping[str, Any]) -> list[Job]:
    """The cells that a notebook measures before it reads: none at "quick"."""
    return [] if settings["scale"] == "quick" else jobs()


def covers(
    hops: np.ndarray, sizes: list[int], *, methods: Iterable[str] = COVERS, passes: int = 10
) -> dict[str, Any]:
    """Boxes against sizes by each method, and what ``box_dimension`` makes of them, as plain
    numbers.

    Args:
        hops: (n, n) distances in edges.
        sizes: of boxes.
        methods: some of ``sslib.covering.COVERS``.
        passes: tries per size.
    """
    found = {}
    for method in methods:
        # balls hold no more at even sizes than at the odd ones below
        used = [size for size in sizes if size % 2] if method in _BALLS else sizes
        boxes = box_counts(hops, used, method=method, passes=passes)
        fit = box_dimension(used, boxes)
        found[method] = {
            "sizes": used,
            "boxes": boxes,
            "dimension": float(fit),
            "slope": fit.slope,
            "error": fit.error,
            "window": list(fit.window),
            "n": fit.n,
            "power_residual": fit.power_residual,
            "exponential_residual": fit.exponential_residual,
            "reason": fit.reason,
        }
    return found
