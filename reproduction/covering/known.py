"""Graphs whose box dimension is known."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np


def flower(u: int, v: int, generations: int) -> np.ndarray:
    """Adjacency matrix (n, n) of a (u, v)-flower: each edge becomes two paths, of u and of v edges,
    every generation.

    It starts from one edge. For u, v >= 2 it is a fractal, d_B = log(u + v) / log(min(u, v)); with
    u = 1 it is a small world without one (Rozenfeld, Havlin and ben-Avraham 2007).

    >>> flower(2, 2, 1).sum(), flower(2, 2, 3).shape
    (np.int64(8), (44, 44))

    Raises:
        ValueError: not u, v >= 1, u + v >= 3 and generations >= 1.
    """
    if min(u, v, generations) < 1 or u + v < 3:
        raise ValueError(
            f"u, v, generations are {u, v, generations}; expected whole numbers of at least 1, "
            "u + v >= 3"
        )
    edges, nodes = np.array([[0, 1]]), 2
    for _ in range(generations):
        pieces = []
        for length in (u, v):
            inner = nodes + np.arange(len(edges) * (length - 1)).reshape(len(edges), length - 1)
            nodes += inner.size
            path = np.column_stack([edges[:, :1], inner, edges[:, 1:]])
            pieces += [path[:, k : k + 2] for k in range(length)]
        edges = np.concatenate(pieces)
    return _from_edges(edges, nodes)


def song_havlin_makse(
    offspring: int, generations: int, *, kept: float = 0.0, seed: int = 0
) -> np.ndarray:
    """Adjacency matrix (n, n) of a Song-Havlin-Makse tree, grown from one edge.

    In every generation each end of each edge gets `offspring` new nodes, and the edge then joins
    two of these instead; with probability `kept` it stays. kept = 0 gives a fractal, d_B = log(2 *
    offspring + 1) / log 3; kept = 1 a small world without one (Song, Havlin and Makse 2006).

    >>> song_havlin_makse(2, 3).shape
    (126, 126)

    Raises:
        ValueError: not offspring, generations >= 1 and 0 <= kept <= 1.
    """
    if min(offspring, generations) < 1 or not 0 <= kept <= 1:
        raise ValueError(
            f"offspring, generations, kept are {offspring, generations, kept}; expected whole "
            "numbers of at least 1 and a probability"
        )
    rng = np.random.default_rng(seed)
    edges, nodes = np.array([[0, 1]]), 2
    for _ in range(generations):
        new = nodes + np.arange(2 * len(edges) * offspring).reshape(len(edges), 2, offspring)
        nodes += new.size
        leaves = np.column_stack([np.repeat(edges.ravel(), offspring), new.ravel()])
        stays = rng.random(len(edges)) < kept
        edges = np.concatenate([np.where(stays[:, None], edges, new[:, :, 0]), leaves])
    return _from_edges(edges, nodes)


def _from_edges(edges: np.ndarray, nodes: int) -> np.ndarray:
    A = np.zeros((nodes, nodes), dtype=bool)
    A[edges[:, 0], edges[:, 1]] = True
    return A | A.T


#: Graphs that boxes are counted on: name -> box dimension, NaN where there is none.
KNOWN_GRAPHS: Mapping[str, float] = {
    "(2, 2)-flower": 2.0,
    "(2, 3)-flower": math.log(5) / math.log(2),
    "(3, 3)-flower": math.log(6) / math.log(3),
    "Song-Havlin-Makse": math.log(5) / math.log(3),
    "square lattice": 2.0,
    "Erdős-Rényi": math.nan,
    "(1, 3)-flower": math.nan,
}


def graphs() -> dict[str, np.ndarray]:
    """Adjacency matrices of ``KNOWN_GRAPHS``, connected.

    >>> {name: len(A) for name, A in graphs().items()}["(3, 3)-flower"]
    1038
    """
    import networkx as nx

    random = nx.gnm_random_graph(1000, 2500, seed=0)
    return {
        "(2, 2)-flower": flower(2, 2, 6),
        "(2, 3)-flower": flower(2, 3, 5),
        "(3, 3)-flower": flower(3, 3, 4),
        "Song-Havlin-Makse": song_havlin_makse(2, 4),
        "square lattice": nx.to_numpy_array(nx.grid_2d_graph(40, 40)) > 0,
        "Erdős-Rényi": nx.to_numpy_array(
            random.subgraph(max(nx.connected_components(random), key=len))
        )
        > 0,
        "(1, 3)-flower": flower(1, 3, 5),
    }
