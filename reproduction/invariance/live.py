"""What the pages on invariance compute while they run: one network on a few pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from reproduction import models
from reproduction.images import load_images
from reproduction.invariance.rulers import umap_repeats
from reproduction.table_1 import find
from sslib.checks import ESTIMATORS
from sslib.dimension import (
    RELEASED_UMAP,
    CorrelationDimension,
    correlation_dimension,
    fluctuation,
    umap_points,
)
from sslib.grams import Gram, gram_distances, gram_update, grams_and_features
from sslib.powerlaw import PowerLaw, gram_spectrum, powerlaw_exponent, scale_invariance, spectrum


@dataclass(frozen=True)
class Walk:
    """One network's layers on B pictures.

    Attributes:
        grams: module -> Gram matrix of its flattened activations.
        features: module -> F, (D, B).
        batch: the pictures, normalised, (B, 3, H, W).
    """

    grams: Mapping[str, Gram]
    features: Mapping[str, Tensor]
    batch: Tensor

    @property
    def modules(self) -> list[str]:
        """Four of the modules, or all if there are fewer, from the first towards the last."""
        names = list(self.features)
        return names[:: max(1, len(names) // 4)][:4]


def walk(settings: Mapping[str, Any]) -> Walk:
    """The network and pictures that a notebook's settings name.

    Args:
        settings: model (a name of Table 1), weights (as for ``models.load``), images and n_images
            (as for ``load_images``), seed (of the weights and of the draw).
    """
    architecture = find(settings["model"])
    network = models.load(architecture, settings["weights"], settings["seed"])
    pictures = load_images(settings["images"], settings["n_images"], seed=settings["seed"])
    batch = pictures.normalised(architecture.mean, architecture.std)
    return Walk(*grams_and_features(network, batch, architecture.modules), batch)


def spectra(layers: Walk) -> dict[str, dict[str, tuple[np.ndarray, PowerLaw]]]:
    """Module -> estimator -> (eigenvalues, power law fitted to them), each on what it looks at."""
    both = {
        "printed": {m: spectrum(F) for m, F in layers.features.items()},
        "released": {
            m: gram_spectrum(gram, estimator="released") for m, gram in layers.grams.items()
        },
    }
    fits = {way: scale_invariance(values, estimator=way).layers for way, values in both.items()}
    return {m: {way: (both[way][m], fits[way][m]) for way in both} for m in layers.modules}


class Agreement(NamedTuple):
    """The largest eigenvalues of F Fᵀ (D × D) and Fᵀ F (B × B) beside each other."""

    module: str
    D: int
    B: int
    n: int  # how many are compared: half of those that both have
    worst: float  # largest relative difference


def agreement(layers: Walk) -> Agreement:
    """Whether both products of the first module's F have the same eigenvalues."""
    module = layers.modules[0]
    F = layers.features[module].double()
    wide, tall = (np.linalg.eigvalsh(product)[::-1] for product in (F @ F.T, F.T @ F))
    n = min(len(wide), len(tall)) // 2
    worst = np.abs(wide[:n] / tall[:n] - 1).max()
    return Agreement(module, len(wide), len(tall), n, float(worst))


class Pixels(NamedTuple):
    """The released power law of pictures themselves, without a network."""

    pictures: int
    exponent: float
    standard_error: float
    ks_distance: float
    n_tail: int


def pixels(layers: Walk) -> Pixels:
    """The released power law of the pictures that a network was walked with."""
    gram = gram_update(None, layers.batch.flatten(1))
    fit = powerlaw_exponent(gram_spectrum(gram, estimator="released"), estimator="released")
    numbers = fit.exponent, fit.standard_error, fit.ks_distance, fit.n_tail
    return Pixels(len(layers.batch), *numbers)


def integrals(layers: Walk) -> dict[str, dict[str, CorrelationDimension]]:
    """Module -> estimator -> fit of the correlation integral, each on what it looks at."""
    fits = {}
    for module in layers.modules:
        distances = gram_distances(layers.grams[module])
        points = {
            "printed": umap_points(layers.features[module].T, **RELEASED_UMAP),
            "released": umap_points(distances, metric="precomputed", **RELEASED_UMAP),
        }
        fits[module] = {way: correlation_dimension(x, estimator=way) for way, x in points.items()}
    return fits


class Repeats(NamedTuple):
    """Δ of one layer over seeds of UMAP."""

    delta: dict[str, float]  # per estimator
    pictures: int
    seeds: int


def repeats(layers: Walk, seeds: int = 8) -> Repeats:
    """Δ of the first module over several seeds of UMAP, nothing else changed."""
    found = umap_repeats(layers.grams[layers.modules[0]], range(seeds))
    delta = {way: fluctuation(found[way]) for way in ESTIMATORS}
    return Repeats(delta, len(layers.batch), seeds)
