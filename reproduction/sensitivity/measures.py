"""Measures beside SS_rate: ranks and dimensions, CKA, statistics of A_epsilon."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from sslib import checks
from sslib.checks import wide_matrix
from sslib.distances import pair_distances

#: What each measure of a feature matrix does not change with: "scale" (of F as a whole), "shift"
#: (one vector added to every channel), "rotation" (of the space of the images), "order" (of
#: channels and of images), "mixing" (an orthogonal mixture of channels), "offset" (a constant of
#: its own added to each channel).
PROPERTIES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "ss_rate": frozenset({"shift", "rotation", "order"}),
        "scale_free_rate": frozenset({"scale", "shift", "rotation", "order"}),
        "participation_ratio": frozenset({"scale", "shift", "rotation", "order"}),
        "effective_rank": frozenset({"scale", "shift", "rotation", "order"}),
        "two_nn": frozenset({"scale", "shift", "rotation", "order"}),
        "linear_cka": frozenset({"scale", "order", "mixing", "offset"}),
    }
)


def participation_ratio(F: Tensor) -> float:
    """How many directions the D channels of G_M spread over: (sum λ)^2 / sum λ^2.

    The eigenvalues λ are those of the covariance of the channels, taken as D points in B dimensions
    around their mean. 1 is a line; min(D - 1, B) a cloud as wide in every direction. NaN where all
    channels of F (D, B) are equal, but for rounding.

    >>> round(participation_ratio(torch.tensor([[0.0, 0.0], [1.0, 1.0], [3.0, 3.0]])), 6)
    1.0
    """
    C = pair_distances(F).cpu().double()
    if not C.max() > 2 * checks.precision(F) * torch.as_tensor(F).abs().max():
        return math.nan
    squared = (C / checks.unit(C)).square()
    # the Gram matrix of the centred channels, from their distances (classical scaling)
    row = squared.mean(1)
    gram = (row[:, None] + row - squared - row.mean()) / 2
    return float(gram.trace() ** 2 / gram.square().sum())


def effective_rank(F: Tensor) -> float:
    """How many directions the D channels spread over: exp of the entropy of their singular values'
    shares.

    The singular values are those of the channels as D points around their mean (Roy and Vetterli
    2007); 1 is a line, min(D - 1, B) a cloud as wide in every direction. Weak directions count for
    more than in ``participation_ratio``. NaN where all channels are equal.

    >>> round(effective_rank(torch.tensor([[0.0, 0.0], [1.0, 1.0], [3.0, 3.0]])), 6)
    1.0

    Args:
        F: (D, B) feature matrix.

    Raises:
        ValueError: F is no finite matrix with D >= 2.
    """
    F = wide_matrix("F", F)
    values = torch.linalg.svdvals(F - F.mean(0)).numpy()
    if not values.any():
        return math.nan
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def two_nn(F: Tensor, *, discard: float = 0.1) -> float:
    """Intrinsic dimension of the channels as D points, from each one's two nearest neighbours
    (Facco et al. 2017).

    The ratio m of the second to the first distance has log P(m > x) = -d log x; d is the
    least-squares slope through the origin over all but the largest ratios. A channel equal to
    another has no ratio and is left out.

    >>> round(two_nn(torch.rand(2000, 2, generator=torch.Generator().manual_seed(0))), 1)
    2.0

    Args:
        F: (D, B) feature matrix.
        discard: the share of largest ratios left out, from 0 up to 1.

    Returns:
        d; NaN where fewer than 10 ratios are left.

    Raises:
        ValueError: F or discard is not as said above.
    """
    if not 0 <= discard < 1:
        raise ValueError(f"discard is {discard!r}; expected a share from 0 up to 1")
    C = pair_distances(F).cpu().double().fill_diagonal_(math.inf)
    nearest = C.topk(2, largest=False).values.numpy()
    nearest = nearest[nearest[:, 0] > 0]
    log_ratio = np.sort(np.log(nearest[:, 1] / nearest[:, 0]))
    n = len(log_ratio)
    kept = int(n * (1 - discard))
    if kept < 10:
        return math.nan
    x, y = log_ratio[:kept], -np.log1p(-np.arange(1, kept + 1) / (n + 1))
    return float(x @ y / (x @ x)) if x.any() else math.nan


def linear_cka(F: Tensor, G: Tensor, *, unbiased: bool = False) -> float:
    """Linear centred kernel alignment of two layers' responses to the same images (Kornblith et al.
    2019).

    >>> F = torch.randn(5, 20, generator=torch.Generator().manual_seed(0))
    >>> round(linear_cka(F, 3 * F.flip(0) + 1), 6)
    1.0

    Args:
        F, G: (D, B) and (D', B).
        unbiased: as for ``cka_of_grams``.

    Returns:
        1 where one is an orthogonal mixture of the other's channels, whatever their scale; NaN
        where a layer's channels are all constant.

    Raises:
        ValueError: they are no matrices with the same B >= 2.
    """
    F, G = torch.as_tensor(F), torch.as_tensor(G)
    if F.ndim != 2 or G.ndim != 2 or F.shape[1] != G.shape[1] or F.shape[1] < 2:
        raise ValueError(
            f"F and G have shapes {tuple(F.shape)} and {tuple(G.shape)}; expected (D, B) with the "
            "same B >= 2"
        )
    F, G = (X.double() for X in (F - F.mean(1, keepdim=True), G - G.mean(1, keepdim=True)))
    return cka_of_grams(F.T @ F, G.T @ G, unbiased=unbiased)


def cka_of_grams(K: Tensor | ArrayLike, L: Tensor | ArrayLike, *, unbiased: bool = False) -> float:
    """``linear_cka`` from the Gram matrices of the images: (B, B) products of any features, such as
    whole activations.

    >>> F = torch.randn(5, 20, generator=torch.Generator().manual_seed(0))
    >>> round(cka_of_grams(F.T @ F, 4 * F.T @ F), 6)
    1.0

    Args:
        K, L: symmetric, of the same images, centred or not.
        unbiased: with the estimator of HSIC by Song et al. (2012), which leaves out what an image
            has in common with itself. It is 0 on average for unrelated features, and may be
            negative; the usual one is ``read_cka.cka_of_noise`` there, near 1 for many features and
            few images.

    Raises:
        ValueError: they are not both (B, B) with the same B >= 2, or B >= 4 if unbiased.
    """
    K, L = (torch.as_tensor(M).detach().cpu().double() for M in (K, L))
    least = 4 if unbiased else 2
    if K.ndim != 2 or K.shape[0] != K.shape[1] or K.shape != L.shape or len(K) < least:
        raise ValueError(
            f"K and L have shapes {tuple(K.shape)} and {tuple(L.shape)}; expected (B, B) with the "
            f"same B >= {least}"
        )
    # centred either way: what all images have in common must not drown the rest in rounding
    K, L = (M - M.mean(0) - M.mean(1, keepdim=True) + M.mean() for M in (K, L))
    if not unbiased:
        return float((K * L).sum() / (K.norm() * L.norm()))
    K, L = (M - torch.diag(M.diagonal()) for M in (K, L))
    own = _hsic(K, K) * _hsic(L, L)
    return _hsic(K, L) / math.sqrt(own) if own > 0 else math.nan


def _hsic(K: Tensor, L: Tensor) -> float:
    """HSIC_1 of Song et al. (2012), Eq. 5, times B (B - 3). K, L: (B, B), zeros on the diagonal."""
    B, k, j = len(K), K.sum(0), L.sum(0)
    common = k.sum() * j.sum() / ((B - 1) * (B - 2)) - 2 * (k @ j) / (B - 2)
    return float((K * L).sum() + common)


def adjacency_at(C: Tensor, density: float) -> np.ndarray:
    """A of Eq. 1 at the epsilon that joins a share `density` of all pairs, as ties allow.

    C are (D, D) distances, D >= 3; 0 < density < 1. The result is bool, False on the diagonal.

    >>> adjacency_at(pair_distances(torch.tensor([[0.0], [1.0], [3.0]])), 0.4).astype(int).tolist()
    [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    """
    distances = checks.distances("C", C, smallest=3, finite=True)
    if not 0 < density < 1:
        raise checks.error("density", "a share between 0 and 1", repr(density))
    pairs = np.sort(distances[np.triu_indices(len(distances), 1)])
    count = round(density * len(pairs))
    A = distances <= pairs[count - 1] if count else np.zeros(distances.shape, dtype=bool)
    np.fill_diagonal(A, False)
    return A


def graph_statistics(
    C: Tensor, density: float, *, draws: int = 5, seed: int = 0
) -> dict[str, float]:
    """A_epsilon at the epsilon that joins a share `density` of all pairs, beside random graphs with
    as many edges.

    >>> C = pair_distances(torch.rand(60, 2, generator=torch.Generator().manual_seed(0)))
    >>> found = graph_statistics(C, 0.2)
    >>> round(found["density"], 2), found["sigma"] > 1
    (0.2, True)

    Args:
        C: (D, D) distances with D >= 3, as from ``pair_distances``; the share is met as closely as
            ties allow.
        density: from 0 to 1, both excluded.
        draws: random graphs (Erdős and Rényi's, of D nodes and the same number of edges) to average
            over.
        seed: of these.

    Returns:
        "density" as met; "degree", mean, and "degree_cv", standard deviation over mean;
        "clustering", the mean over nodes of the share of joined neighbours; "largest", the share of
        nodes in the largest component; "path", the mean number of edges between two of its nodes;
        "random_clustering" and "random_path", the same of the random graphs; "sigma", (clustering /
        random_clustering) / (path / random_path), above 1 in a small world (Humphries and Gurney
        2008). NaN where undefined.

    Raises:
        ValueError: an argument is not as said above.
    """
    A = adjacency_at(C, density)
    i, j = np.triu_indices(len(A), 1)
    joined, degree = A[i, j], A.sum(1)
    clustering, largest, path = _clustering_and_path(A)
    rng, random = np.random.default_rng(seed), []
    for _ in range(draws):
        R = np.zeros(A.shape, dtype=bool)
        drawn = rng.choice(len(i), int(joined.sum()), replace=False)
        R[i[drawn], j[drawn]] = True
        random.append(_clustering_and_path(R | R.T))
    random_clustering, _, random_path = np.mean(random, axis=0) if random else (math.nan,) * 3
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = np.float64(clustering) / random_clustering / (path / random_path)
    return {
        "density": float(joined.mean()),
        "degree": float(degree.mean()),
        "degree_cv": float(degree.std() / degree.mean()) if degree.any() else math.nan,
        "clustering": clustering,
        "largest": largest,
        "path": path,
        "random_clustering": float(random_clustering),
        "random_path": float(random_path),
        "sigma": float(sigma) if np.isfinite(sigma) else math.nan,
    }


def _clustering_and_path(A: np.ndarray) -> tuple[float, float, float]:
    """Mean local clustering, share of nodes in the largest component, mean path within it."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components, shortest_path

    edges = A.astype(np.float32)
    closed = ((edges @ edges) * edges).sum(1, dtype=np.float64)
    degree = A.sum(1)
    clustering = float(np.mean(closed / np.maximum(degree * (degree - 1), 1)))
    labels = connected_components(csr_array(A))[1]
    inside = labels == np.bincount(labels).argmax()
    size = int(inside.sum())
    if size < 2:
        return clustering, size / len(A), math.nan
    hops = shortest_path(csr_array(A[np.ix_(inside, inside)]), unweighted=True)
    return clustering, size / len(A), float(hops.sum() / (size * (size - 1)))
