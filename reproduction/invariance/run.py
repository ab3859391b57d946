"""The cells of Tables 4 and 5: the invariances of seven networks. Configuration in, record out.

What the two estimators look at differs as much as how they compute (`WAYS`): the paper's equations
take F, after ReduceMean; the released code takes the flattened activations of every image. Both
formulas are applied to both.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reproduction import grid, models
from reproduction.grid import Asked, Job, Measurement, default_device
from reproduction.images import ImageSet, load_images
from reproduction.inputs import identity
from reproduction.invariance.cells import (
    DRAW,
    INVARIANCE,
    MODELS,
    N_IMAGES,
    RELEASED_UMAP,
    UMAP_SETTINGS,
    WAYS,
    experiment_of,
    invariance_config,
)
from reproduction.paths import RESULTS
from reproduction.table_1 import Architecture, find, weights_label
from sslib.dimension import CorrelationDimension, geometric_invariance, umap_points
from sslib.grams import Gram, gram_distances, grams_and_features
from sslib.noise import noise_matrix
from sslib.powerlaw import PowerLaw, gram_spectrum, null_exponent, scale_invariance, spectrum


def invariance_metrics(
    grams: Mapping[str, Gram],
    features: Mapping[str, Tensor] | None = None,
    *,
    umap: Mapping[str, float] = RELEASED_UMAP,
) -> dict[str, Any]:
    """σ and Δ of one network by every way of `WAYS`, and the fits of each layer behind them.

    Activations go to UMAP as their unit-length distances, as released; F goes as it is, B points of
    D features.

    >>> from sslib.grams import gram_update
    >>> x = torch.randn(60, 200, generator=torch.Generator().manual_seed(0))
    >>> grams = {"a": gram_update(None, x), "b": gram_update(None, x.relu())}
    >>> metrics = invariance_metrics(grams)
    >>> list(metrics["sigma"]), metrics["layers"]["a"]["activations"]
    (['released', 'printed, activations'], 200)

    Args:
        grams: module -> Gram matrix of its flattened activations, B images.
        features: module -> F, (D, B), or None: then the two ways that look at F are left out.
        umap: the arguments of ``umap_points`` without a default.

    Returns:
        A dict for a record. "layers": module -> "D" (if F is given), "activations" per image,
        "nonzero_share", "exponents" and "dimensions" (way -> the fit's fields, None where a layer
        is left out), "null_exponents" (way -> exponent of Gaussian features of that shape);
        "sigma", "sigma_null" and "delta": way -> value; "skipped": the warnings that name what was
        left out, and why.

    Raises:
        ValueError: as ``scale_invariance``, ``umap_points`` and ``geometric_invariance`` do.
    """
    layers, points = _points(grams, features, umap)
    metrics: dict[str, Any] = {
        "layers": layers,
        "sigma": {},
        "sigma_null": {},
        "delta": {},
        "skipped": [],
    }
    for way, (estimator, seen) in WAYS.items():
        if not points[seen]:
            continue
        spectra = _spectra(grams, features if seen == "F" else None, estimator)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            scale = scale_invariance(spectra, estimator=estimator)
            geometry = geometric_invariance(points[seen], estimator=estimator)
        metrics["sigma"][way], metrics["delta"][way] = scale.sigma, geometry.delta
        metrics["skipped"] += [f"{way}: {warning.message}" for warning in caught]
        null = []
        for k, (module, layer) in enumerate(layers.items()):
            D, B = layer["D" if seen == "F" else "activations"], len(grams[module].products)
            null.append(_null(D, B, estimator, seed=k))
            layer["null_exponents"][way] = null[-1]
            layer["exponents"][way] = _fields(scale.layers.get(module))
            layer["dimensions"][way] = _fields(geometry.layers.get(module))
        enough = np.isfinite(null).sum() > 1
        metrics["sigma_null"][way] = float(np.nanstd(null)) if enough else math.nan
    return metrics


def _points(
    grams: Mapping[str, Gram], features: Mapping[str, Tensor] | None, umap: Mapping[str, float]
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, np.ndarray]]]:
    """Module -> what is known of a layer before any fit; "activations" and "F" -> module -> points
    after UMAP.
    """
    layers: dict[str, dict[str, Any]] = {}
    points: dict[str, dict[str, np.ndarray]] = {"activations": {}, "F": {}}
    for module, gram in grams.items():
        distances = gram_distances(gram)
        points["activations"][module] = _reduced(distances, metric="precomputed", **umap)
        size = {}
        if features is not None:
            points["F"][module] = _reduced(features[module].T, **umap)
            size = {"D": len(features[module])}
        size |= {"activations": gram.features, "nonzero_share": gram.nonzero_share}
        layers[module] = size | {"exponents": {}, "null_exponents": {}, "dimensions": {}}
    return layers, points


def _reduced(data: Any, **umap: Any) -> np.ndarray:
    """Points after UMAP; of a dead layer, whose samples are all equal, one place for all."""
    x = np.asarray(data)
    if not np.ptp(x, axis=0).any():
        return np.zeros((len(x), umap["n_components"]), np.float32)
    return umap_points(data, **umap)


def _spectra(
    grams: Mapping[str, Gram], features: Mapping[str, Tensor] | None, estimator: str
) -> dict[str, np.ndarray]:
    """Eigenvalues of each layer's F, or of its activations where `features` is None."""
    if features is None:
        return {m: gram_spectrum(gram, estimator=estimator) for m, gram in grams.items()}
    return {m: spectrum(features[m], estimator=estimator) for m in grams}


def _null(D: int, B: int, estimator: str, seed: int) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NaN, where a layer is too narrow for an exponent
        return float(null_exponent(D, B, estimator=estimator, seed=seed))


def _fields(fit: PowerLaw | CorrelationDimension | None) -> dict[str, Any] | None:
    """A fit's numbers, without the curve; None for a layer that was left out."""
    if fit is None:
        return None
    left_out = ("estimator", "radii", "integral")
    return {f.name: getattr(fit, f.name) for f in dataclasses.fields(fit) if f.name not in left_out}


def jobs(
    names: Iterable[str],
    seeds: Iterable[int],
    images: Sequence[str] = ("cifar10", "imagenette"),
    *,
    weights: str = "untrained",
    settings: Sequence[Mapping[str, float]] = (RELEASED_UMAP,),
    n_images: int = N_IMAGES,
    size: int = 224,
    memory: int = 2**31,
    device: str | None = None,
) -> Iterator[Job]:
    """Networks measured on images: a cell per UMAP setting, all of one walk over the network.

    Args:
        names: of `MODELS`, or timm's.
        seeds: of the weights.
        images: as for ``load_images``, which loads each set once, and none if nothing is lacking.
        weights: as for ``models.load``.
        settings: of UMAP.
        n_images, size: how many images, and their side in pixels.
        memory: as for ``activation_grams``.
        device: where the networks run; None means ``default_device()``.

    Raises:
        ValueError, FileNotFoundError, RuntimeError: for an unknown model, images or weights that
            are not there.
    """
    device = device or default_device()
    seeds = seeds if weights == "untrained" else [0]  # of random weights: there are none to draw
    names = list(names)
    pictures = cache(partial(load_images, n=n_images, seed=DRAW, size=size))
    named = {source: identity(source, {"n": n_images, "seed": DRAW}) for source in images}
    for seed in seeds:
        for name in names:
            architecture = find(MODELS.get(name, name))
            label = weights_label(architecture, weights)
            asked = {"weights": label, "n_images": n_images, "size": size}
            for source in images:
                walk = partial(
                    _walk,
                    architecture=architecture,
                    weights=weights,
                    pictures=partial(pictures, source),
                    device=device,
                    memory=memory,
                )
                configs = [
                    invariance_config(name, source, umap=u, **asked) | named[source]
                    for u in settings
                ]
                for experiment in dict.fromkeys(map(experiment_of, configs)):
                    cells = [(c, seed) for c in configs if experiment_of(c) == experiment]
                    yield Job(experiment, tuple(cells), walk)


def _walk(
    asked: tuple[Asked, ...],
    *,
    architecture: Architecture,
    weights: str,
    pictures: Callable[[], ImageSet],
    device: str,
    memory: int,
) -> Iterator[Measurement]:
    """One network on its pictures, under every UMAP that is asked for."""
    found = pictures()
    network = models.load(architecture, weights, asked[0][1])
    batch = found.normalised(architecture.mean, architecture.std)
    grams, features = grams_and_features(
        network, batch, architecture.modules, device=device, memory=memory
    )
    del batch
    yield from measurements(asked, grams, features, found.data)


def measurements(
    asked: tuple[Asked, ...],
    grams: Mapping[str, Gram],
    features: Mapping[str, Tensor] | None,
    data: Mapping[str, Any] | None = None,
) -> Iterator[Measurement]:
    """One network's matrices under every UMAP that is asked for."""
    if features is not None:
        features = {module: F.cpu() for module, F in features.items()}
    for config, seed in asked:
        metrics = invariance_metrics(grams, features, umap=config["umap"])
        yield Measurement(config, seed, metrics, data)


def noise_jobs(
    names: Iterable[str],
    seeds: Iterable[int],
    *,
    n_images: int = N_IMAGES,
    device: str | None = None,
) -> Iterator[Job]:
    """The null value of σ and Δ: every layer replaced by Gaussian noise of its shape.

    Args:
        names: of `MODELS`, or timm's.
        seeds: of the noise.
        n_images: B.
        device: where a network is asked for its shapes; None means ``default_device()``.
    """
    names = list(names)
    for seed in seeds:
        for name in names:
            config = invariance_config(name, "noise", weights="noise", n_images=n_images)
            measure = partial(_noise, device=device or default_device())
            yield Job(INVARIANCE, ((config, seed),), measure)


def _noise(asked: tuple[Asked, ...], *, device: str) -> Iterator[Measurement]:
    """Noise of the shapes of one network's layers."""
    ((config, seed),) = asked
    architecture, B = find(config["model"]), config["n_images"]
    probe = torch.zeros(3, 3, config["size"], config["size"])
    network = models.untrained(architecture, 0)
    shapes, narrow = grams_and_features(network, probe, architecture.modules, device=device)
    draws = np.random.SeedSequence([seed, 1]).generate_state(2 * len(shapes)).tolist()
    grams = {m: noise_gram(gram.features, B, seed=draws.pop()) for m, gram in shapes.items()}
    features = {}
    for module, F in narrow.items():
        generator = torch.Generator().manual_seed(draws.pop())
        features[module] = torch.randn(len(F), B, generator=generator)
    yield from measurements(asked, grams, features)


def at_scale(settings: Mapping[str, Any]) -> list[Job]:
    """The cells behind Tables 4 and 5, their other UMAPs and their noise, at a notebook's scale.

    >>> at_scale({"network_seeds": 0})
    []

    Args:
        settings: network_seeds: seeds of the weights per network and data set; 0 means that the
            tables are read from the records that are there.
    """
    seeds = range(settings["network_seeds"])
    if not seeds:
        return []
    return [
        *jobs(MODELS, seeds),
        *jobs(["ResNet"], [0], ["cifar10"], settings=UMAP_SETTINGS),
        *noise_jobs(["ResNet", "VGG", "ResMLP"], [0]),
    ]


def run_invariance(
    names: Iterable[str],
    seeds: Iterable[int],
    images: Sequence[str] = ("cifar10", "imagenette"),
    *,
    weights: str = "untrained",
    settings: Sequence[Mapping[str, float]] = (RELEASED_UMAP,),
    n_images: int = N_IMAGES,
    size: int = 224,
    memory: int = 2**31,
    device: str | None = None,
    root: Path = RESULTS,
) -> Iterator[Path]:
    """Run ``jobs``: a record per network, images and UMAP setting; skips what is done."""
    device = device or default_device()
    cells = jobs(
        names,
        seeds,
        images,
        weights=weights,
        settings=settings,
        n_images=n_images,
        size=size,
        memory=memory,
        device=device,
    )
    return grid.run(cells, root, device=device)


def run_noise(
    names: Iterable[str],
    seeds: Iterable[int],
    *,
    n_images: int = N_IMAGES,
    device: str | None = None,
    root: Path = RESULTS,
) -> Iterator[Path]:
    """Run ``noise_jobs``: a record per network and seed; skips what is done."""
    device = device or default_device()
    cells = noise_jobs(names, seeds, n_images=n_images, device=device)
    return grid.run(cells, root, device=device)


def noise_gram(D: int, B: int, *, seed: int = 0) -> Gram:
    """The Gram matrix of Gaussian noise: B samples of D features each, without ever holding them.

    What a layer of that size, D >= 1 and B >= 3, would give if it knew nothing of the images.

    >>> gram = noise_gram(3_000_000, 64)
    >>> bool(abs(gram.products[0, 0] / 3_000_000 - 1) < 0.01), gram.features
    (True, 3000000)
    """
    F = torch.from_numpy(noise_matrix(D, B, seed))
    return Gram(F.T @ F, D, D * B)
