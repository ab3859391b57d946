"""The cells of Tables 4 and 5: the invariances of seven networks. Configuration in, record out.

What the two estimators look at differs as much as how they compute (`WAYS`): the paper's equations
take F, after ReduceMean; the released code takes the flattened activations of every image. Both
formulas are applied to both.
"""

from __future__ import annotations

import dataclasses
import math
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from reproduction import models, records
from reproduction.grid import default_device, written
from reproduction.images import load_images
from reproduction.networks import weights_label
from reproduction.paths import RESULTS
from sslib.dimension import RELEASED_UMAP, CorrelationDimension, geometric_invariance, umap_points
from sslib.grams import Gram, gram_distances, grams_and_features
from sslib.noise import noise_gram
from sslib.powerlaw import PowerLaw, gram_spectrum, null_exponent, scale_invariance, spectrum

#: Tables 4 and 5; and the same networks under other settings of UMAP.
INVARIANCE, INVARIANCE_UMAP = "invariance", "invariance-umap"

#: Name of a way -> (estimator, what it looks at). The first two are the paper's text and the
#: released code; the others, which mix them, tell whether the formula or the features make the
#: difference.
WAYS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "printed": ("printed", "F"),
        "released": ("released", "activations"),
        "printed, activations": ("printed", "activations"),
        "released, F": ("released", "F"),
    }
)

#: The models of Tables 4 and 5, whose names leave open which is meant: those that the released
#: scripts load.
MODELS: Mapping[str, str] = MappingProxyType(
    {
        "MLP-Mixer": "mixer_b16_224",
        "ViT": "vit_small_patch16_224",
        "PoolFormer": "poolformer_s12",
        "ResNet": "resnet34",
        "ResMLP": "resmlp_12_224",
        "PVT": "pvt_v2_b3",
        "VGG": "vgg11",
    }
)

#: UMAP's settings that Δ is tried with, one change at a time from `RELEASED_UMAP`.
UMAP_SETTINGS: tuple[Mapping[str, float], ...] = tuple(
    MappingProxyType({**RELEASED_UMAP, key: value})
    for key, values in (
        ("n_components", (2, 10, 50)),
        ("n_neighbors", (10, 50)),
        ("min_dist", (0.01, 0.1, 0.5)),
        ("seed", (0, 1, 2)),
    )
    for value in values
)

#: Images, as many as the released scripts take, and the seed of the draw (theirs too, in another
#: generator).
N_IMAGES, DRAW = 640, 42


def invariance_metrics(
    grams: Mapping[str, Gram],
    features: Mapping[str, Tensor] | None = None,
    *,
    umap: Mapping[str, float] = RELEASED_UMAP,
) -> dict[str, Any]:
    """σ and Δ of one network by every way of `WAYS`, and the fits of each layer behind them.

    grams: module -> Gram matrix of its flattened activations, B images. features: module -> F, (D,
    B), or None: then the two ways that look at F are left out. umap: the arguments of
    ``umap_points`` without a default.

    Activations go to UMAP as their unit-length distances, as released; F goes as it is, B points of
    D features.

    Returns a dict for a record: "layers": module -> "D" (if F is given), "activations" per image,
    "nonzero_share", "exponents" and "dimensions" (way -> the fit's fields, None where a layer is
    left out), "null_exponents" (way -> exponent of Gaussian features of that shape); "sigma",
    "sigma_null" and "delta": way -> value; "skipped": the warnings that name what was left out, and
    why.

    Raises ValueError as ``scale_invariance``, ``umap_points`` and ``geometric_invariance`` do.

    >>> from sslib.grams import gram_update
    >>> x = torch.randn(60, 200, generator=torch.Generator().manual_seed(0))
    >>> metrics = invariance_metrics({"a": gram_update(None, x), "b": gram_update(None, x.relu())})
    >>> list(metrics["sigma"]), metrics["layers"]["a"]["activations"], round(metrics["layers"]["b"]["nonzero_share"], 1)
    (['released', 'printed, activations'], 200, 0.5)
    """
    layers: dict[str, dict[str, Any]] = {}
    points: dict[str, dict[str, ArrayLike]] = {"activations": {}, "F": {}}
    for module, gram in grams.items():
        layers[module] = {"activations": gram.features, "nonzero_share": gram.nonzero_share}
        points["activations"][module] = umap_points(
            gram_distances(gram), metric="precomputed", **umap
        )
        if features is not None:
            layers[module] = {"D": len(features[module])} | layers[module]
            points["F"][module] = umap_points(features[module].T, **umap)
    for layer in layers.values():
        layer |= {"exponents": {}, "null_exponents": {}, "dimensions": {}}

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
        spectra = {
            module: gram_spectrum(grams[module], estimator=estimator)
            if seen == "activations"
            else spectrum(features[module], estimator=estimator)
            for module in grams
        }
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            scale = scale_invariance(spectra, estimator=estimator)
            geometry = geometric_invariance(points[seen], estimator=estimator)
        metrics["sigma"][way], metrics["delta"][way] = scale.sigma, geometry.delta
        metrics["skipped"] += [f"{way}: {warning.message}" for warning in caught]
        null = []
        for k, (module, layer) in enumerate(layers.items()):
            shape = (
                (grams[module].features if seen == "activations" else layer["D"]),
                len(grams[module].products),
            )
            null.append(_null(*shape, estimator, seed=k))
            layer["null_exponents"][way] = null[-1]
            layer["exponents"][way] = _fields(scale.layers.get(module))
            layer["dimensions"][way] = _fields(geometry.layers.get(module))
        metrics["sigma_null"][way] = (
            float(np.nanstd(null)) if np.isfinite(null).sum() > 1 else math.nan
        )
    return metrics


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


def invariance_config(
    model: str,
    images: str,
    *,
    weights: str = "untrained",
    n_images: int = N_IMAGES,
    draw: int = DRAW,
    size: int = 224,
    umap: Mapping[str, float] = RELEASED_UMAP,
) -> dict[str, Any]:
    """What names a cell of Tables 4 and 5, apart from the seed of the weights.

    model: a name of `MODELS` or a timm name. images: a name of ``load_images``. weights: as in a
    record of Table 2, or "noise". The modules are those of Table 1; of PVT the released code also
    takes the last block of each stage, and of PoolFormer all blocks instead of the stages.
    """
    return {
        "model": models.find(MODELS.get(model, model)).timm_name,
        "weights": weights,
        "images": images,
        "n_images": n_images,
        "draw": draw,
        "size": size,
        "umap": dict(umap),
    }


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
) -> Iterable[Path]:
    """Measure networks, write a record per UMAP setting, yield the paths; skips what is done.

    All settings share one walk over the network. weights: as for ``models.load``. memory: as for
    ``activation_grams``.

    Raises ValueError, FileNotFoundError or RuntimeError for an unknown model, images or weights
    that are not there.
    """
    device = device or default_device()
    sets: dict[str, Any] = {}
    for seed in seeds:
        for name in names:
            architecture = models.find(MODELS.get(name, name))
            label = weights_label(architecture, weights)
            for source in images:
                configs = [
                    invariance_config(
                        name, source, weights=label, n_images=n_images, size=size, umap=umap
                    )
                    for umap in settings
                ]
                todo = [
                    config
                    for config in configs
                    if not records.exists(_experiment(config), config, seed, root)
                ]
                if not todo:
                    continue
                start = time.perf_counter()
                if source not in sets:
                    sets[source] = load_images(source, n_images, seed=DRAW, size=size)
                pictures = sets[source]
                network = models.load(architecture, weights, seed)
                batch = pictures.normalised(architecture.mean, architecture.std)
                grams, F = grams_and_features(
                    network, batch, architecture.modules, device=device, memory=memory
                )
                del batch
                data = {
                    "name": pictures.name,
                    "n": len(pictures),
                    "fingerprint": pictures.fingerprint,
                }
                walk = time.perf_counter() - start
                for config in todo:
                    yield from written(
                        _record(config, seed, grams, F, data=data, device=device, seconds=walk),
                        root,
                    )


def _record(
    config: Mapping[str, Any],
    seed: int,
    grams: Mapping[str, Gram],
    features: Mapping[str, Tensor] | None,
    *,
    data: Mapping[str, Any] | None = None,
    device: str = "cpu",
    seconds: float,
) -> dict[str, Any]:
    """The record of one cell; seconds: what its matrices took, to which the time of the measures is
    added.
    """
    start = time.perf_counter()
    if features is not None:
        features = {module: F.cpu() for module, F in features.items()}
    metrics = invariance_metrics(grams, features, umap=config["umap"])
    seconds = round(seconds + time.perf_counter() - start, 2)
    return records.new_record(
        _experiment(config), config, seed, metrics, data=data, device=device, seconds=seconds
    )


def _experiment(config: Mapping[str, Any]) -> str:
    return INVARIANCE if config["umap"] == dict(RELEASED_UMAP) else INVARIANCE_UMAP


def run_noise(
    names: Iterable[str], seeds: Iterable[int], *, n_images: int = N_IMAGES, root: Path = RESULTS
) -> Iterable[Path]:
    """The null value of σ and Δ: every layer replaced by Gaussian noise of its shape; a record per
    model and seed.

    Skips what is done. seeds: of the noise.
    """
    for seed in seeds:
        for name in names:
            config = invariance_config(name, "noise", weights="noise", n_images=n_images)
            if records.exists(INVARIANCE, config, seed, root):
                continue
            start = time.perf_counter()
            architecture = models.find(config["model"])
            probe = torch.zeros(3, 3, config["size"], config["size"])
            shapes, narrow = grams_and_features(
                models.untrained(architecture, 0), probe, architecture.modules
            )
            draws = np.random.SeedSequence([seed, 1]).generate_state(2 * len(shapes)).tolist()
            grams = {
                m: noise_gram(gram.features, n_images, seed=draws.pop())
                for m, gram in shapes.items()
            }
            F = {
                m: torch.randn(
                    len(matrix), n_images, generator=torch.Generator().manual_seed(draws.pop())
                )
                for m, matrix in narrow.items()
            }
            yield from written(
                _record(config, seed, grams, F, seconds=time.perf_counter() - start), root
            )
