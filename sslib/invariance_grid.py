"""The cells of Tables 4 and 5: the invariances of seven networks. Configuration in, record out.

What the two estimators look at differs as much as how they compute (`WAYS`): the paper's equations
take F, after ReduceMean; the released code takes the flattened activations of every image. Both
formulas are applied to both.
"""

from __future__ import annotations

import dataclasses
import math
import os
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from sslib import models, records
from sslib.audit import DATASETS
from sslib.data import load_images
from sslib.experiments import default_device, weights_label, written
from sslib.features import grams_and_features
from sslib.invariance import (
    ESTIMATORS,
    KNOWN_SETS,
    OTHER_SPECTRA,
    RELEASED_UMAP,
    RULE_CHOSEN_ON,
    CorrelationDimension,
    Gram,
    PowerLaw,
    correlation_dimension,
    fluctuation,
    geometric_invariance,
    gram_distances,
    gram_spectrum,
    known_points,
    known_spectrum,
    noise_gram,
    null_exponent,
    powerlaw_exponent,
    scale_invariance,
    spectrum,
    umap_points,
)
from sslib.paper import load_table
from sslib.paths import RESULTS
from sslib.stats import spearman_exact
from sslib.training import GRAM_IMAGES, RECIPES, Run, load_pictures, network_of, normalise

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

    >>> from sslib.invariance import gram_update
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


# ---------------------------------------------------------------------------------------------------------
# The networks of Table 3


def recipe_config(
    model: str, images: str, recipe: str, *, arm: str = "untrained", n_images: int = GRAM_IMAGES
) -> dict[str, Any]:
    """What names a cell of a network of Table 3, apart from its seed: before training (arm
    "untrained") or after it.

    recipe, arm: as in the record of its training. The images are training images, cropped as for
    evaluation.
    """
    return {
        "model": models.find(MODELS.get(model, model)).timm_name,
        "weights": "untrained" if arm == "untrained" else "trained",
        "images": images,
        "n_images": n_images,
        "recipe": recipe,
        "arm": arm,
        "umap": dict(RELEASED_UMAP),
    }


def run_before_training(
    names: Iterable[str],
    seeds: Iterable[int],
    images: Sequence[str],
    recipe: str,
    *,
    device: str | None = None,
    root: Path = RESULTS,
) -> Iterable[Path]:
    """Measure the networks that a recipe trains, as they are before training; skips what is done.

    Raises ValueError for an unknown model or recipe, and as ``load_pictures`` does.
    """
    if recipe not in RECIPES:
        raise ValueError(f"recipe: expected one of {', '.join(RECIPES)}, got {recipe!r}")
    device = device or default_device()
    for source in images:
        pictures = load_pictures(source, RECIPES[recipe])
        data = {"name": source, "n": len(pictures.probe), "fingerprint": pictures.fingerprint}
        for seed in seeds:
            for name in names:
                config = recipe_config(name, source, recipe, n_images=len(pictures.probe))
                if records.exists(INVARIANCE, config, seed, root):
                    continue
                start = time.perf_counter()
                network, modules = network_of(
                    Run(config["model"], RECIPES[recipe], seed), pictures.classes
                )
                batch = normalise(pictures.probe, models.find(config["model"]))
                grams, F = grams_and_features(network, batch, modules, device=device)
                walk = time.perf_counter() - start
                yield from written(
                    _record(config, seed, grams, F, data=data, device=device, seconds=walk), root
                )


def read_matrices(path: str | os.PathLike[str]) -> dict[str, Gram]:
    """The Gram matrices that a training run leaves in an .npz file: module -> Gram.

    Raises FileNotFoundError, and ValueError naming the file if it holds no Gram matrices, or not
    all that belongs to one.
    """
    path = Path(path)
    with np.load(path) as arrays:
        names = [name.removeprefix("gram/") for name in arrays.files if name.startswith("gram/")]
        missing = [
            key
            for name in names
            for key in (f"features/{name}", f"nonzero/{name}")
            if key not in arrays
        ]
        if not names or missing:
            raise ValueError(
                f"{path.name}: expected gram/, features/ and nonzero/ of each module, "
                f"got {', '.join(arrays.files) or 'nothing'}"
            )
        grams = {}
        for name in names:
            products = arrays[f"gram/{name}"]
            if (
                products.ndim != 2
                or products.shape[0] != products.shape[1]
                or not np.isfinite(products).all()
            ):
                raise ValueError(
                    f"{path.name}: expected finite (B, B) products for {name!r}, got {products.shape}"
                )
            products = torch.from_numpy(products.astype(np.float64))
            grams[name] = Gram(
                products, int(arrays[f"features/{name}"]), int(arrays[f"nonzero/{name}"])
            )
    return grams


def trained_runs(
    folder: str | os.PathLike[str], root: Path = RESULTS
) -> Iterable[tuple[Path, dict[str, Any]]]:
    """The .npz files that training has kept in a folder, each with the record of its training, in
    order of their names.

    folder: holds ``<name>.npz`` for each record ``<name>.json``, which lies beside it or in
    ``<root>/constraint``. Files without a record are passed over, with a warning.

    Raises ValueError if there are no .npz files.
    """
    files = sorted(Path(folder).glob("*.npz"))
    if not files:
        raise ValueError(
            f"folder: expected .npz files of trained networks, found none in {str(folder)!r}"
        )
    for path in files:
        places = path.with_suffix(".json"), Path(root) / "constraint" / f"{path.stem}.json"
        found = next((place for place in places if place.exists()), None)
        if found is None:
            warnings.warn(
                f"{path.name} passed over: no record {path.stem}.json of its training", stacklevel=2
            )
        else:
            yield path, records.read(found)


def run_trained(folder: str | os.PathLike[str], *, root: Path = RESULTS) -> Iterable[Path]:
    """Turn the matrices of trained networks into records, beside the records of their training;
    skips what is done.

    folder: as for ``trained_runs``. Only the two ways that look at activations can be computed.

    Raises ValueError if there are no .npz files, and as ``read_matrices`` does.
    """
    for path, run in trained_runs(folder, root):
        asked = run["config"]
        config = recipe_config(asked["model"], asked["dataset"], asked["recipe"], arm=asked["arm"])
        if records.exists(INVARIANCE, config, run["seed"], root):
            continue
        start = time.perf_counter()
        grams = read_matrices(path)
        B = len(next(iter(grams.values())).products)
        if B != GRAM_IMAGES:
            raise ValueError(f"{path.name}: expected matrices of {GRAM_IMAGES} images, got {B}")
        yield from written(
            _record(
                config,
                run["seed"],
                grams,
                None,
                data=run["data"],
                seconds=time.perf_counter() - start,
            ),
            root,
        )


# ---------------------------------------------------------------------------------------------------------
# Tables

#: Number of the paper's table -> the metric it prints.
METRICS: Mapping[int, str] = MappingProxyType({4: "sigma", 5: "delta"})


def full_scale(runs: pd.DataFrame) -> pd.DataFrame:
    """The records among `runs` that may be held against Tables 4 and 5: 640 images at 224 px."""
    asked = {"config.n_images": N_IMAGES, "config.draw": DRAW, "config.size": 224}
    if runs.empty or not set(asked) <= set(runs):
        return runs.iloc[:0]
    return runs[(runs[list(asked)] == pd.Series(asked)).all(axis=1)]


def invariance_table(
    runs: pd.DataFrame, number: int, *, weights: str = "untrained"
) -> pd.DataFrame:
    """Table 4 (σ) or 5 (Δ) beside the records, tidy: model, images, way, paper, ours, std, seeds,
    rank, paper rank.

    runs: ``records.read_all("invariance")``; only what ``full_scale`` keeps counts. A row per
    printed cell and way, printed ones first; ours is the mean over seeds, std their sample standard
    deviation, both NaN where nothing was run (seeds is then 0), as for CIFAR-100. Rank 1 is the
    smallest, the most invariant, among the models that were run.
    """
    if number not in METRICS:
        raise ValueError(f"number: expected one of {tuple(METRICS)}, got {number!r}")
    runs = full_scale(runs)
    if not runs.empty:
        runs = runs[runs["config.weights"] == weights]
    rows = []
    printed = load_table(number)
    for images in ("cifar10", "cifar100", "imagenette"):
        for way in WAYS:
            for model, paper in zip(printed["model"], printed[images]):
                values = _values(runs, METRICS[number], way, MODELS[model], images)
                rows.append(
                    {
                        "model": model,
                        "images": images,
                        "way": way,
                        "paper": paper,
                        "ours": values.mean(),
                        "std": values.std(),
                        "seeds": int(values.notna().sum()),
                    }
                )
    table = pd.DataFrame(rows)
    cells = table.groupby(["images", "way"], sort=False)
    ran = table.assign(
        paper=table["paper"].where(table["ours"].notna() | cells["ours"].transform("count").eq(0))
    )
    ranked = ran.groupby(["images", "way"], sort=False)
    return table.assign(**{"rank": cells["ours"].rank(), "paper rank": ranked["paper"].rank()})


def _values(runs: pd.DataFrame, metric: str, way: str, model: str, images: str) -> pd.Series:
    """One value per seed."""
    if runs.empty:
        return pd.Series(dtype=float)
    part = runs[(runs["config.model"] == model) & (runs["config.images"] == images)]
    values = part[f"metrics.{metric}"].map(lambda by_way: by_way.get(way, math.nan)).astype(float)
    return values.groupby(part["seed"]).mean()


def shown_table(
    table: pd.DataFrame,
    ways: Sequence[str] = ("printed", "released"),
    sets: Sequence[str] = ("cifar10", "imagenette"),
) -> pd.DataFrame:
    """Data sets of `invariance_table` as a reader sees them: a row per data set and model, text,
    four decimals.

    Columns: "paper", a column per way (mean ± std over seeds, "not run" where there is nothing),
    "ranks" (the paper's, then one per way; 1 is the smallest) and "n", the number of seeds.
    """
    part = table[table["images"].isin(sets)].assign(images=lambda t: t["images"].map(DATASETS))
    cells = {way: part[part["way"] == way].set_index(["images", "model"]) for way in ways}
    first = cells[ways[0]]
    shown = {"paper": first["paper"].map("{:.4f}".format)}
    for way, group in cells.items():
        shown[way] = [mean_and_std(row.ours, row.std) for row in group.itertuples()]
    ranks = zip(first["paper rank"], *(group["rank"] for group in cells.values()))
    shown["ranks"] = [
        " / ".join("–" if math.isnan(rank) else f"{rank:g}" for rank in row) for row in ranks
    ]
    shown["n"] = first["seeds"].map(str)
    return pd.DataFrame(shown).rename_axis([None, None])


def mean_and_std(mean: float, std: float) -> str:
    """Both with four decimals, as the paper prints σ and Δ; a std that is NaN, as of one seed, is
    left out.

    >>> [mean_and_std(0.0384, 0.00042), mean_and_std(0.2, float("nan")), mean_and_std(6e-06, 2e-06)]
    ['0.0384 ± 0.0004', '0.2000', '< 0.0001']
    """
    if math.isnan(mean):
        return "not run"
    shown = [
        f"{value:.4f}" if value >= 5e-5 else "< 0.0001"
        for value in (mean, std)
        if not math.isnan(value)
    ]
    return shown[0] if mean < 5e-5 else " ± ".join(shown)


def rank_correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Spearman's rho of the models' order, ours against the printed one, per data set and way, with
    exact two-sided p.

    table: of ``invariance_table``. Models that were not run are left out; n says how many are in.
    Cells with fewer than 3 have NaN.
    """
    rows = []
    for (images, way), part in table.groupby(["images", "way"], sort=False):
        part = part.dropna(subset="ours")
        rho, p = (
            spearman_exact(part["ours"], part["paper"]) if len(part) > 2 else (math.nan, math.nan)
        )
        rows.append({"images": images, "way": way, "rho": rho, "p": p, "n": len(part)})
    return pd.DataFrame(rows).set_index(["images", "way"])


def order_told(order: pd.DataFrame) -> str:
    """What `rank_correlations` amount to, in words: which are below p = 0.05, and how many chance
    alone would give.
    """
    sure = order[order["p"] < 0.05]
    if sure.empty:
        return f"None of the {len(order)} correlations has p < 0.05."
    found = ", ".join(
        f"{way} on {images} (ρ = {row.rho:+.2f})" for (images, way), row in sure.iterrows()
    )
    told = (
        f"{len(sure)} of {len(order)} correlations {'has' if len(sure) == 1 else 'have'} p < 0.05: {found}. With {len(order)} tests, chance "
        f"alone would give {0.05 * len(order):.1f} on average."
    )
    return told + (
        " A negative ρ is the reverse of the paper's order." if (sure["rho"] < 0).any() else ""
    )


def layer_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Every layer of every record by every way, tidy.

    Columns: model (the paper's name), family, weights, images, seed, module, depth (0 to 1), way,
    nonzero_share, and of the fits exponent, exponent_error, n_tail, ks_distance, null_exponent,
    dimension, dimension_error; NaN where the layer was left out.
    """
    names = {timm_name: name for name, timm_name in MODELS.items()}
    rows = []
    for _, run in runs.iterrows():
        layers = run["metrics.layers"]
        architecture = models.find(run["config.model"])
        for k, (module, layer) in enumerate(layers.items()):
            for way in layer["exponents"]:
                exponent, dimension = layer["exponents"][way] or {}, layer["dimensions"][way] or {}
                rows.append(
                    {
                        "model": names.get(architecture.timm_name, architecture.name),
                        "family": architecture.family,
                        "weights": run["config.weights"],
                        "images": run["config.images"],
                        "seed": run["seed"],
                        "module": module,
                        "depth": k / max(len(layers) - 1, 1),
                        "way": way,
                        "nonzero_share": layer["nonzero_share"],
                        "exponent": exponent.get("exponent", math.nan),
                        "exponent_error": exponent.get("standard_error", math.nan),
                        "n_tail": exponent.get("n_tail", math.nan),
                        "ks_distance": exponent.get("ks_distance", math.nan),
                        "null_exponent": layer["null_exponents"][way],
                        "dimension": dimension.get("dimension", math.nan),
                        "dimension_error": dimension.get("standard_error", math.nan),
                    }
                )
    return pd.DataFrame(rows)


def sensitivity_table(runs: pd.DataFrame, others: pd.DataFrame, way: str) -> pd.DataFrame:
    """Δ of each network under other UMAP settings: a row per setting, the released one first, a
    column per network.

    runs, others: ``records.read_all`` of `INVARIANCE` and `INVARIANCE_UMAP`; a network is in if it
    has records of both with random weights of one seed. NaN where a setting was not run.
    """
    columns: dict[str, dict[str, float]] = {}
    labels = {timm_name: name for name, timm_name in MODELS.items()}
    if not others.empty:
        runs = pd.concat([full_scale(runs), full_scale(others)])
        for (model, images, weights, seed), part in runs.groupby(
            ["config.model", "config.images", "config.weights", "seed"]
        ):
            if weights == "untrained" and (part["experiment"] == INVARIANCE_UMAP).any():
                columns[f"{labels[model]}, {images}, seed {seed}"] = {
                    _setting(umap): delta[way]
                    for umap, delta in zip(part["config.umap"], part["metrics.delta"])
                }
    order = [_setting(umap) for umap in (RELEASED_UMAP, *UMAP_SETTINGS)]
    return pd.DataFrame(columns, index=order, dtype=float)


def umap_seed_spread(runs: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Δ of one and the same layer over UMAP's seeds alone, all else as released: a row per network,
    layer and way.

    runs, others: as for ``sensitivity_table``. Columns: model (timm's name), images, seed (of the
    weights), module, way, seeds (how many of UMAP's), delta. Only layers with at least two seeds
    are in.
    """
    rows = []
    for _, run in pd.concat([full_scale(runs), full_scale(others)]).iterrows():
        if run["config.weights"] == "untrained" and set(_changed(run["config.umap"])) <= {"seed"}:
            cell = {
                "model": run["config.model"],
                "images": run["config.images"],
                "seed": run["seed"],
            }
            rows += [
                {
                    **cell,
                    "module": module,
                    "way": way,
                    "dimension": (fit or {}).get("dimension", math.nan),
                }
                for module, layer in run["metrics.layers"].items()
                for way, fit in layer["dimensions"].items()
            ]
    keys = ["model", "images", "seed", "module", "way"]
    found = pd.DataFrame(rows, columns=[*keys, "dimension"]).dropna()
    groups = found.groupby(keys, sort=False)["dimension"]
    spread = groups.agg(
        seeds="count",
        delta=lambda values: fluctuation(values.tolist()) if len(values) > 1 else math.nan,
    )
    return spread.dropna().reset_index()


def _changed(umap: Mapping[str, float]) -> dict[str, float]:
    """What differs from the released settings of UMAP."""
    return {key: value for key, value in umap.items() if value != RELEASED_UMAP[key]}


def _setting(umap: Mapping[str, float]) -> str:
    return ", ".join(f"{key} = {value:g}" for key, value in _changed(umap).items()) or "as released"


def trained_table(runs: pd.DataFrame, number: int) -> pd.DataFrame:
    """σ or Δ of the networks of Table 3 before and after training, tidy: model, images, recipe,
    way, arm, ours, std, seeds.

    runs: ``records.read_all("invariance")``. Only networks with a trained record are in, and of the
    arm "untrained" the seeds that were trained.
    """
    columns = ["model", "images", "recipe", "way", "arm", "ours", "std", "seeds"]
    if runs.empty or "config.recipe" not in runs:
        return pd.DataFrame(columns=columns)
    rows = []
    runs = runs[runs["config.recipe"].notna()]
    for (model, images, recipe), part in runs.groupby(
        ["config.model", "config.images", "config.recipe"]
    ):
        trained = part[part["config.weights"] == "trained"]
        part = part[part["seed"].isin(trained["seed"])]
        for arm, way in ((arm, way) for way in WAYS for arm in part["config.arm"].unique()):
            values = part.loc[part["config.arm"] == arm, f"metrics.{METRICS[number]}"]
            values = (
                values.map(lambda by_way, way=way: by_way.get(way, math.nan)).astype(float).dropna()
            )
            if len(values):
                name = models.find(model).name
                rows.append(
                    dict(
                        zip(
                            columns,
                            (
                                name,
                                images,
                                recipe,
                                way,
                                arm,
                                values.mean(),
                                values.std(),
                                len(values),
                            ),
                        )
                    )
                )
    return pd.DataFrame(rows, columns=columns)


def shown_trained(table: pd.DataFrame) -> pd.DataFrame:
    """`trained_table` of one or two ways as a reader sees it: a row per network and state, a column
    per way, and seeds; text.
    """
    states = {"untrained": "untrained", "baseline": "trained", "constrained": "constrained"}
    cells = table.assign(
        network=[f"{row.model}, {row.images}, {row.recipe}" for row in table.itertuples()],
        state=table["arm"].replace(states),
        shown=[mean_and_std(row.ours, row.std) for row in table.itertuples()],
    )
    order = [*states.values(), *sorted(set(cells["state"]) - set(states.values()))]
    shown = cells.pivot_table(
        index=["network", "state", "seeds"], columns="way", values="shown", aggfunc="first"
    ).reset_index("seeds")
    shown = shown.reindex(order, level="state").fillna("not run")
    ways = [way for way in shown.columns if way != "seeds"]
    return shown[[*ways, "seeds"]].rename_axis([None, None]).rename_axis(columns=None)


def trained_changes(table: pd.DataFrame) -> pd.DataFrame:
    """What training does, and the constraint, per way of `trained_table`: in how many networks the
    value falls.

    Columns: networks (with all of untrained, baseline and constrained), "by training", "by the
    constraint", "beyond scatter": in how many the constrained mean is further from the baseline's
    than the larger of their standard deviations over seeds.
    """
    rows = {}
    for way, part in table.groupby("way"):
        means, stds = (
            part.pivot_table(
                index=["model", "images", "recipe"], columns="arm", values=v, dropna=False
            )
            for v in ("ours", "std")
        )
        if {"untrained", "baseline", "constrained"} <= set(means):
            means = means.dropna(subset=["untrained", "baseline", "constrained"])
            stds = stds.reindex(index=means.index, columns=["baseline", "constrained"])
            change = means["constrained"] - means["baseline"]
            rows[way] = {
                "networks": len(means),
                "by training": int((means["baseline"] < means["untrained"]).sum()),
                "by the constraint": int((change < 0).sum()),
                "beyond scatter": int((change.abs() > stds.max(axis=1)).sum()),
            }
    return pd.DataFrame.from_dict(
        rows,
        orient="index",
        columns=["networks", "by training", "by the constraint", "beyond scatter"],
    )


def changes_told(changes: pd.DataFrame, symbol: str) -> str:
    """`trained_changes` in words, a paragraph per way, as Markdown; symbol: of what is measured."""
    told = [
        f"**{way}**: training without the constraint makes {symbol} smaller in {row['by training']} of {row['networks']} networks. With the constraint "
        f"it is smaller than without in {row['by the constraint']}; in {row['beyond scatter']} the two differ by more than one standard deviation over seeds."
        for way, row in changes.iterrows()
    ]
    return "\n\n".join(told) or "Trained networks: **not run**."


# ---------------------------------------------------------------------------------------------------------
# Does the ruler work?


def exponent_recovery(
    exponents: Sequence[float] = (1.5, 2.0, 2.5, 3.0, 3.5),
    *,
    n: int = 300,
    draws: int = 100,
    seed: int = 0,
) -> pd.DataFrame:
    """Pure power laws of known exponent, given to both estimators: a row per exponent and
    estimator.

    Columns: exponent, estimator, mean and std of the estimates over the draws, standard_error
    (their mean), within: how many of the draws lie within three of their own standard errors of the
    truth.

    >>> exponent_recovery([2.5], n=100, draws=3)["within"].tolist()
    [3, 3]
    """
    rows = []
    for j, exponent in enumerate(exponents):
        spectra = [
            known_spectrum(f"tail {exponent}", n, seed=seed + draws * j + k) for k in range(draws)
        ]
        for estimator in ESTIMATORS:
            fits = [powerlaw_exponent(values, estimator=estimator) for values in spectra]
            found, errors = (
                np.array([getattr(f, name) for f in fits])
                for name in ("exponent", "standard_error")
            )
            rows.append(
                {
                    "exponent": exponent,
                    "estimator": estimator,
                    "mean": found.mean(),
                    "std": found.std(ddof=1),
                    "standard_error": errors.mean(),
                    "within": int((np.abs(found - exponent) <= 3 * errors).sum()),
                }
            )
    return pd.DataFrame(rows)


def exponent_examples(*, n: int = 300, seed: int = 0) -> pd.DataFrame:
    """What both estimators say of spectra that are no power law: exponent, standard_error, n_tail,
    ks_distance of each.
    """
    rows = []
    for name in OTHER_SPECTRA:
        for estimator in ESTIMATORS:
            fit = powerlaw_exponent(known_spectrum(name, n, seed=seed), estimator=estimator)
            rows.append({"spectrum": name, **dataclasses.asdict(fit)})
    return pd.DataFrame(rows)


def dimension_recovery(
    *, n: int = 2000, scales: Sequence[float] = (0.01, 1.0, 100.0), seed: int = 0
) -> pd.DataFrame:
    """Point sets of known dimension in three units, given to both estimators: a row per set,
    estimator and unit.

    Columns: set, true, held_out (the set had no say in the rule for the scaling region), estimator,
    scale, dimension, standard_error; NaN where there is no dimension.

    >>> found = dimension_recovery(n=300, scales=[1.0])
    >>> found.loc[found["estimator"] == "printed", "dimension"].round(0).tolist()[:2]
    [1.0, 2.0]
    """
    rows = []
    for name, true in KNOWN_SETS.items():
        points = known_points(name, n, seed=seed)
        for estimator in ESTIMATORS:
            for scale in scales:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # NaN says it
                    fit = correlation_dimension(scale * points, estimator=estimator)
                rows.append(
                    {
                        "set": name,
                        "true": true,
                        "held_out": name not in RULE_CHOSEN_ON,
                        "estimator": estimator,
                        "scale": scale,
                        "dimension": fit.dimension,
                        "standard_error": fit.standard_error,
                    }
                )
    return pd.DataFrame(rows)


def umap_repeats(
    gram: Gram, seeds: Sequence[int], *, umap: Mapping[str, float] = RELEASED_UMAP
) -> pd.DataFrame:
    """One layer's dimension under several seeds of UMAP: a row per seed, a column per estimator.

    Nothing differs between the rows but UMAP's random numbers, so Δ of a column is what UMAP alone
    gives.
    """
    distances = gram_distances(gram)
    rows = {}
    for seed in seeds:
        points = umap_points(distances, metric="precomputed", **{**umap, "seed": seed})
        rows[seed] = {
            estimator: float(correlation_dimension(points, estimator=estimator))
            for estimator in ESTIMATORS
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("seed")
