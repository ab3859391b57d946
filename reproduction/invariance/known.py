"""Point sets whose correlation dimension is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

#: Point sets of known correlation dimension (Hénon and Lorenz: measured, Grassberger and Procaccia
#: 1983).
KNOWN_SETS: Mapping[str, float] = MappingProxyType(
    {
        "line": 1.0,
        "square": 2.0,
        "ball": 5.0,
        "swiss_roll": 2.0,
        "cantor": math.log(2) / math.log(3),
        "sierpinski": math.log(3) / math.log(2),
        "henon": 1.22,
        "lorenz": 2.05,
    }
)

#: Their names for a reader.
SET_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "line": "line",
        "square": "square",
        "ball": "5-ball",
        "swiss_roll": "Swiss roll",
        "cantor": "Cantor set",
        "sierpinski": "Sierpiński triangle",
        "henon": "Hénon map",
        "lorenz": "Lorenz attractor",
    }
)

#: Those that the rule for the scaling region was chosen on; the others had no say in it.
RULE_CHOSEN_ON = ("line", "swiss_roll", "cantor", "henon")


def known_points(name: str, n: int = 2000, *, seed: int = 0) -> np.ndarray:
    """n independent points of a set whose correlation dimension ``KNOWN_SETS[name]`` is known.

    "ball" is the solid 5-dimensional ball. "henon" and "lorenz" are n orbits, each from its own
    start, at one late time, so that no two points are neighbours in time.

    >>> known_points("cantor", 4, seed=1).shape, round(KNOWN_SETS["cantor"], 4)
    ((4, 1), 0.6309)

    Args:
        name: a key of `KNOWN_SETS`.
        n: how many points.
        seed: of their draw.

    Returns:
        (n, 1 … 5).

    Raises:
        ValueError: another name, n < 1.
    """
    if name not in KNOWN_SETS:
        raise ValueError(f"name: expected one of {tuple(KNOWN_SETS)}, got {name!r}")
    if n < 1:
        raise ValueError(f"n: expected at least 1, got {n!r}")
    rng = np.random.default_rng(seed)
    points: np.ndarray
    match name:
        case "line":
            points = np.outer(rng.random(n), [1.0, 2.0, -1.0])
        case "square":
            points = rng.random((n, 2))
        case "ball":
            direction = rng.standard_normal((n, 5))
            inside = direction * rng.random((n, 1)) ** 0.2
            points = inside / np.linalg.norm(direction, axis=1, keepdims=True)
        case "swiss_roll":
            angle, height = 1.5 * np.pi * (1 + 2 * rng.random(n)), 21 * rng.random(n)
            points = np.column_stack([angle * np.cos(angle), height, angle * np.sin(angle)])
        case "cantor":  # ternary digits 0 and 2
            points = rng.integers(0, 2, (n, 33)) @ (2 * 3.0 ** -np.arange(1, 34))[:, None]
        case "sierpinski":  # a corner at each of 50 halvings
            corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(0.75)]])
            points = np.einsum(
                "nkd,k->nd", corners[rng.integers(0, 3, (n, 50))], 0.5 ** np.arange(1, 51)
            )
        case "henon":
            x, y = rng.uniform(-0.1, 0.1, (2, n))
            for _ in range(200):
                x, y = 1 - 1.4 * x * x + y, 0.3 * x
            points = np.column_stack([x, y])
        case "lorenz":
            points = _lorenz(rng.standard_normal((n, 3)) * 5 + np.array([0.0, 0.0, 25.0]))
    return points


def _lorenz(state: np.ndarray, steps: int = 2000, dt: float = 0.01) -> np.ndarray:
    """The Lorenz system (σ = 10, ρ = 28, β = 8/3) by the classical Runge–Kutta method."""

    def flow(s: np.ndarray) -> np.ndarray:
        x, y, z = s
        return np.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])

    s = state.T
    for _ in range(steps):
        k1 = flow(s)
        k2 = flow(s + dt / 2 * k1)
        k3 = flow(s + dt / 2 * k2)
        k4 = flow(s + dt * k3)
        s = s + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return s.T
