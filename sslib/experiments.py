"""The cells of each table: configuration in, record out. Notebooks read the records; a command
makes them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from sslib import models, records
from sslib.data import ImageSet, load_images
from sslib.features import feature_matrices, resolve_modules
from sslib.graph import mds, participation_ratio
from sslib.models import Architecture
from sslib.paper import load_table, verdict
from sslib.paths import RESULTS
from sslib.rate import FORMULAS, box_curve, pair_distances

#: Table 2 and everything that is regressed on its layers.
SS_RATE = "ss-rate"


def layer_metrics(F: Tensor) -> dict[str, float]:
    """What a record keeps of one layer: SS_rate by both formulas, and the distances behind it.

    F: (D, B). Returns D; the SS_rates "released" and "printed"; TZ and TV; mean, standard deviation
    and skewness of the distances of pairs i < j; and the participation ratio. Raises ValueError as
    ``box_curve`` does.

    >>> metrics = layer_metrics(torch.tensor([[0.0], [1.0], [3.0], [7.0]]))
    >>> metrics["D"], metrics["TZ"], metrics["TV"], round(metrics["distance_mean"], 4)
    (4, 1.0, 7.0, 3.8333)
    """
    D = len(F)
    curves = {formula: box_curve(F, formula=formula) for formula in FORMULAS}
    pairs = pair_distances(F).double()[torch.ones(D, D, dtype=torch.bool).triu(1)]
    mean, std = pairs.mean(), pairs.std(correction=0)
    return {
        "D": D,
        **{formula: float(curve.ss_rate) for formula, curve in curves.items()},
        "TZ": float(curves["released"].theta_min),
        "TV": float(curves["released"].theta_max),
        "distance_mean": float(mean),
        "distance_std": float(std),
        "distance_skewness": float(((pairs - mean) ** 3).mean() / std**3),
        "participation_ratio": participation_ratio(F),
    }


def modules_of(architecture: Architecture, network: nn.Module) -> dict[str, list[str]]:
    """The module names of a model "as printed" (Table 1) and "as released" (what the training
    script draws from).
    """
    return {
        "printed": list(architecture.modules),
        "released": resolve_modules(network, architecture.released_modules),
    }


def default_device() -> str:
    """The device an experiment runs on unless told otherwise: "cuda" where there is one, else
    "cpu".

    >>> default_device() in ("cuda", "cpu")
    True
    """
    return "cuda" if torch.cuda.is_available() else "cpu"


def features_of(
    architecture: Architecture,
    network: nn.Module,
    images: Tensor | Iterable[Tensor],
    *,
    modules: Sequence[str] | None = None,
    training: bool = False,
    device: str | None = None,
) -> dict[str, Tensor]:
    """F of the named modules, or of every one printed or released, in one pass; on the CPU wherever
    the model ran.

    images: as for ``feature_matrices``. device: None means ``default_device()``.
    """
    groups = modules_of(architecture, network).values()
    names = modules or list(dict.fromkeys(name for group in groups for name in group))
    # "auto" tells PVT's stages (B, C, H, W) from their blocks (B, N, C); at 224 pixels no map is
    # ambiguous
    features = feature_matrices(
        network, images, names, training=training, device=device or default_device()
    )
    return {module: F.cpu() for module, F in features.items()}


def ss_rate_config(
    model: str, images: str, n_images: int, draw: int, *, weights: str = "untrained"
) -> dict[str, Any]:
    """What names a cell of Table 2, apart from the seed of the weights.

    model: a timm name; images: a name of ``load_images``; draw: the seed it draws n_images with;
    weights: "untrained", "pretrained:<timm's tag>" or "checkpoint:<folder's name>".
    """
    return {
        "model": models.find(model).timm_name,
        "weights": weights,
        "images": images,
        "n_images": n_images,
        "draw": draw,
        "size": 224,
        "mode": "eval",
    }


def ss_rate_record(
    config: Mapping[str, Any],
    seed: int,
    features: Mapping[str, Tensor],
    network: nn.Module,
    images: ImageSet,
    *,
    device: str = "cpu",
    seconds: float,
) -> dict[str, Any]:
    """The record of one model on one draw of images: ``layer_metrics`` of every module, and the
    means over both sets.

    seconds: what the features took; the time of the metrics is added.
    """
    start = time.perf_counter()
    layers = {module: layer_metrics(F) for module, F in features.items()}
    groups = modules_of(models.find(config["model"]), network)
    means = {
        f"mean_{group}_modules": {
            formula: sum(layers[m][formula] for m in names) / len(names) for formula in FORMULAS
        }
        for group, names in groups.items()
    }
    data = {"name": images.name, "n": len(images), "fingerprint": images.fingerprint}
    metrics = means | {"modules": groups, "layers": layers}
    seconds = round(seconds + time.perf_counter() - start, 2)
    return records.new_record(
        SS_RATE, config, seed, metrics, data=data, device=device, seconds=seconds
    )


def run_ss_rate(
    names: Iterable[str],
    seeds: Iterable[int],
    draws: Sequence[int],
    *,
    weights: str = "untrained",
    images: str = "imagenet-sample",
    n_images: int = 512,
    device: str | None = None,
    root: Path = RESULTS,
) -> Iterable[Path]:
    """Measure models on several draws of images, write a record each, yield their paths; skips what
    is done.

    Every image passes through a model once, however many draws it is in. weights: as for
    ``models.load``.

    Raises ValueError, FileNotFoundError or RuntimeError for an unknown model, images or weights
    that are not there.
    """
    device = device or default_device()
    sets = {draw: load_images(images, n_images, seed=draw) for draw in draws}
    for seed in seeds:
        for name in names:
            architecture = models.find(name)
            label = weights_label(architecture, weights)
            configs = {
                d: ss_rate_config(architecture.timm_name, images, n_images, d, weights=label)
                for d in draws
            }
            todo = {d: c for d, c in configs.items() if not records.exists(SS_RATE, c, seed, root)}
            if not todo:
                continue
            network = models.load(architecture, weights, seed)
            start = time.perf_counter()
            drawn_from, places = _union([sets[draw] for draw in todo])
            batches = drawn_from.batches(architecture.mean, architecture.std)
            features = features_of(architecture, network, batches, device=device)
            share = (time.perf_counter() - start) / len(todo)
            for (draw, config), place in zip(todo.items(), places):
                drawn = {module: F[:, place] for module, F in features.items()}
                record = ss_rate_record(
                    config, seed, drawn, network, sets[draw], device=device, seconds=share
                )
                yield from written(record, root)


def written(record: dict[str, Any], root: Path) -> Iterable[Path]:
    """The record's path, or nothing where another process was first: its record says the same."""
    try:
        yield records.write(record, root)
    except FileExistsError:
        return


def weights_label(architecture: Architecture, weights: str) -> str:
    """What a configuration calls the weights; known without loading them, so that finished cells
    cost nothing.
    """
    if weights == "untrained":
        return weights
    if weights == "pretrained":
        import timm

        return f"pretrained:{architecture.weights or timm.get_pretrained_cfg(architecture.timm_name).tag}"
    return f"checkpoint:{Path(weights).name}"


def _union(sets: Sequence[ImageSet]) -> tuple[ImageSet, list[Tensor]]:
    """All different images of several sets, without what names or labels them, and where each set's
    stand among them.
    """
    index: dict[bytes, int] = {}
    places, pixels = [], []
    for images in sets:
        place = []
        for picture in images.pixels:
            key = picture.numpy().tobytes()
            if key not in index:
                index[key] = len(pixels)
                pixels.append(picture)
            place.append(index[key])
        places.append(torch.tensor(place))
    return ImageSet(
        "", torch.stack(pixels), torch.zeros(len(pixels), dtype=torch.int64), "", ""
    ), places


def full_scale(runs: pd.DataFrame) -> pd.DataFrame:
    """The records among `runs` that may be held against Table 2: 512 ImageNet images, 224 px, eval
    mode.
    """
    if runs.empty:
        return runs
    asked = {"images": "imagenet-sample", "n_images": 512, "size": 224, "mode": "eval"}
    keep = pd.Series(True, index=runs.index)
    for key, value in asked.items():
        keep &= runs[f"config.{key}"] == value
    return runs[keep]


def table_2(runs: pd.DataFrame, *, scale: str = "full") -> pd.DataFrame:
    """Table 2 beside the records: a row per model of the paper, printed values first.

    runs: ``records.read_all("ss-rate")``; only what ``full_scale`` keeps counts. Ours is the mean
    over the modules of Table 1, averaged over the draws of images, then over the seeds of the
    weights; the standard deviation is over seeds. The verdict is that of ``paper.verdict`` on the
    released formula, "not run" where there is no record.
    """
    rows, runs = [], full_scale(runs)
    for printed in load_table(2).itertuples():
        row: dict[str, Any] = {"model": printed.model}
        for state in ("untrained", "pretrained"):
            theirs = getattr(printed, state)
            part = _cells(runs, models.find(printed.model).timm_name, state)
            row[f"{state}: paper"] = theirs
            for formula in ("printed", "released"):
                values = (
                    part[formula].groupby(part["seed"]).mean()
                    if len(part)
                    else pd.Series(dtype=float)
                )
                row[f"{state}: ours, {formula}"] = values.mean()
                row[f"{state}: std, {formula}"] = values.std()
            row[f"{state}: seeds"] = part["seed"].nunique()
            row[f"{state}: records"] = len(part)
            ours, std = row[f"{state}: ours, released"], row[f"{state}: std, released"]
            row[f"{state}: verdict"] = verdict(ours, theirs, std=std, scale=scale)
        rows.append(row)
    return pd.DataFrame(rows).set_index("model")


def _cells(runs: pd.DataFrame, timm_name: str, state: str) -> pd.DataFrame:
    """The records of one model in one state, with a column per formula; none if there are none."""
    if "config.model" not in runs:
        return pd.DataFrame(columns=["seed", *FORMULAS])
    part = runs[
        (runs["config.model"] == timm_name)
        & ((runs["config.weights"] == "untrained") == (state == "untrained"))
    ]
    means = part["metrics.mean_printed_modules"]
    return part.assign(
        **{
            formula: means.map(lambda cell, f=formula: cell[f]).astype(float)
            for formula in FORMULAS
        }
    )


def depth_profiles(runs: pd.DataFrame, *, modules: str = "printed") -> pd.DataFrame:
    """SS_rate of every layer of every record, tidy: model, family, seed, draw, module, depth (0 to
    1), formula, ss_rate.
    """
    rows = []
    for _, run in runs.iterrows():
        architecture = models.find(run["config.model"])
        names = run["metrics.modules"][modules]
        for k, module in enumerate(names):
            for formula in FORMULAS:
                rows.append(
                    {
                        "model": architecture.name,
                        "family": architecture.family,
                        "seed": run["seed"],
                        "draw": run["config.draw"],
                        "module": module,
                        "depth": k / (len(names) - 1),
                        "formula": formula,
                        "ss_rate": run["metrics.layers"][module][formula],
                    }
                )
    return pd.DataFrame(rows)


#: The seven networks of Fig. 2, by family.
FIGURE_2 = (
    "vit_small_patch16_224",
    "poolformer_s12",
    "pvt_v2_b1",
    "resnet34",
    "vgg11",
    "resmlp_12_224",
    "mixer_b16_224",
)


@dataclass(frozen=True)
class ChannelMap:
    """One panel of Fig. 2: the channels of a layer in the plane, per training state.

    Attributes:
        positions: training state -> (channels, 2), from one joint scaling of all states.
        stress: of that picture (see ``graph.mds``).
        participation: training state -> ``graph.participation_ratio`` of the drawn channels' F.
    """

    positions: dict[str, np.ndarray]
    stress: float
    participation: dict[str, float]


def channel_map(
    model: str, images: ImageSet, seed: int, *, weights: str = "untrained", channels: int = 128
) -> ChannelMap:
    """Place the channels of a model's first module of Table 1 in the plane, as the released code
    does for Fig. 2.

    The same at most `channels` channels are drawn (by `seed`) for every state and placed together
    by one metric MDS. Both states see the same images, where the released script takes another
    batch for each.

    model: a name of Table 1. weights: "untrained" alone, or what ``models.load`` takes, for
    "trained" beside it.

    Raises as ``models.load`` does.
    """
    architecture = models.find(model)
    module = architecture.modules[0]
    batch = images.normalised(architecture.mean, architecture.std)
    networks = {"untrained": models.untrained(architecture, seed)}
    if weights != "untrained":
        networks["trained"] = models.load(architecture, weights, seed)
    drawn = {}
    for state, network in networks.items():
        F = features_of(architecture, network, batch, modules=[module])[module]
        keep = torch.randperm(len(F), generator=torch.Generator().manual_seed(seed))[:channels]
        drawn[state] = F[keep]
    place, stress = mds(pair_distances(torch.cat(list(drawn.values()))))
    parts = np.split(place, np.cumsum([len(F) for F in drawn.values()])[:-1])
    return ChannelMap(
        dict(zip(drawn, parts)),
        stress,
        {state: participation_ratio(F) for state, F in drawn.items()},
    )


#: One factor at a time, for the two models that lie furthest from Table 2: what each value changes.
FACTORS: tuple[tuple[str, str], ...] = (
    ("none", "baseline: 64 ImageNet images"),
    ("B", "16 images"),
    ("B", "256 images"),
    ("which images", "another draw"),
    ("which images", "photographs"),
    ("channels", "128 drawn at random"),
    ("mode", "training"),
    ("normalisation", "mean 0.5, std 0.5"),
    ("normalisation", "none: pixels 0 to 1"),
    ("modules", "as released"),
    ("class token", "left out"),
    ("class token", "alone"),
    ("initialisation", "PyTorch defaults"),
    ("initialisation", "timm: jax"),
    ("initialisation", "layer scale 1"),
    ("precision", "bfloat16"),
)
FACTOR_EXPERIMENT = "ss-rate-factors"
_ONLY = {"class token": "vit_", "timm: jax": "vit_", "layer scale 1": "resmlp_"}


def factor_config(model: str, factor: str, value: str) -> dict[str, Any] | None:
    """What names a cell of the factor study, or None where the factor means nothing for the model."""
    timm_name = models.find(model).timm_name
    if (factor, value) not in FACTORS:
        raise ValueError(f"factor {factor!r} with value {value!r} is not in FACTORS")
    if not timm_name.startswith(_ONLY.get(factor, _ONLY.get(value, ""))):
        return None
    return {"model": timm_name, "factor": factor, "value": value, "images": "imagenet-sample"}


def factor_record(
    config: Mapping[str, Any], seed: int, *, device: str | None = None
) -> dict[str, Any]:
    """Run one cell of the factor study: the baseline's 64 images and settings, with one of them
    changed.

    Raises FileNotFoundError where the images are not there.
    """
    start, device = time.perf_counter(), device or default_device()
    architecture, factor, value = models.find(config["model"]), config["factor"], config["value"]
    n_images = {"16 images": 16, "256 images": 256}.get(value, 64)
    name = "photographs" if value == "photographs" else config["images"]
    images = load_images(name, n_images, seed=1 if value == "another draw" else 0)
    network = _initialised(architecture, seed, value)
    scaling = {
        "mean 0.5, std 0.5": ((0.5,) * 3, (0.5,) * 3),
        "none: pixels 0 to 1": ((0.0,) * 3, (1.0,) * 3),
    }
    batch = images.normalised(*scaling.get(value, (architecture.mean, architecture.std)))
    groups = modules_of(architecture, network)
    if value == "bfloat16":
        network, batch = network.bfloat16(), batch.bfloat16()
    if factor == "class token":
        features = _tokens(network, batch, groups["printed"], alone=value == "alone")
    else:
        features = features_of(
            architecture, network, batch, training=value == "training", device=device
        )
    if factor == "channels":
        g = torch.Generator().manual_seed(seed)
        features = {m: F[torch.randperm(len(F), generator=g)[:128]] for m, F in features.items()}
    names = groups["released" if factor == "modules" else "printed"]
    layers = {m: layer_metrics(features[m]) for m in names}
    mean = {
        formula: sum(layer[formula] for layer in layers.values()) / len(layers)
        for formula in FORMULAS
    }
    data = {"name": images.name, "n": len(images), "fingerprint": images.fingerprint}
    metrics, seconds = {"mean": mean, "layers": layers}, time.perf_counter() - start
    return records.new_record(
        FACTOR_EXPERIMENT, config, seed, metrics, data=data, device=device, seconds=seconds
    )


def _initialised(architecture: Architecture, seed: int, scheme: str) -> nn.Module:
    """The untrained network under timm's own initialisation or another one."""
    if scheme == "timm: jax":
        return models.untrained(architecture, seed, options={"weight_init": "jax"})
    network = models.untrained(architecture, seed)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(seed)
        for module in network.modules():
            if scheme == "PyTorch defaults" and hasattr(module, "reset_parameters"):
                module.reset_parameters()
            if scheme == "layer scale 1" and hasattr(module, "ls1"):
                module.ls1.fill_(1.0)
                module.ls2.fill_(1.0)
    return network


def _tokens(
    network: nn.Module, batch: Tensor, modules: Sequence[str], *, alone: bool
) -> dict[str, Tensor]:
    """F of a ViT's blocks from the class token alone, or from all other tokens."""
    parts: dict[str, list[Tensor]] = {
        module: [] for module in modules
    }  # on the CPU: no hook taps single tokens
    with torch.no_grad():
        for images in batch.split(64):
            found = network.forward_intermediates(
                images, output_fmt="NLC", return_prefix_tokens=True, intermediates_only=True
            )
            for module, (patches, prefix) in zip(modules, found, strict=True):
                parts[module].append((prefix if alone else patches).mean(1))
    return {module: torch.cat(rows).T.contiguous() for module, rows in parts.items()}


def run_factors(
    names: Iterable[str],
    seeds: int,
    *,
    baseline_seeds: int,
    device: str | None = None,
    root: Path = RESULTS,
) -> Iterable[Path]:
    """Work through the factor study, baseline first, skipping what is done; yields the paths of new
    records.
    """
    for factor, value in FACTORS:
        for seed in range(baseline_seeds if factor == "none" else seeds):
            for name in names:
                config = factor_config(name, factor, value)
                if config and not records.exists(FACTOR_EXPERIMENT, config, seed, root):
                    yield from written(factor_record(config, seed, device=device), root)


def factor_table(runs: pd.DataFrame) -> pd.DataFrame:
    """The factor study: per factor and model, SS_rate's mean and spread over seeds, and the paired
    difference it makes.

    runs: ``records.read_all("ss-rate-factors")``. The difference is to the baseline of the same
    seed (mean and standard deviation over seeds), released formula; columns are grouped by model.
    Models without a baseline are left out.
    """
    if runs.empty:
        return pd.DataFrame()
    value = runs["metrics.mean"].map(lambda mean: mean["released"]).astype(float)
    cells = runs.assign(ss_rate=value).set_index(
        ["config.model", "config.factor", "config.value", "seed"]
    )["ss_rate"]
    cells = cells.sort_index()
    blocks = {}
    for timm_name in dict.fromkeys(runs["config.model"]):
        if (timm_name, *FACTORS[0]) not in cells.index:
            continue
        baseline = cells.loc[timm_name, *FACTORS[0]]
        rows = {}
        for factor, setting in FACTORS:
            if (timm_name, factor, setting) in cells.index:
                part = cells.loc[timm_name, factor, setting]
                change = part - baseline.reindex(part.index)
                rows[factor, setting] = {
                    "seeds": len(part),
                    "SS_rate": part.mean(),
                    "std": part.std(),
                    "change": change.mean(),
                    "std of change": change.std(),
                }
        blocks[models.find(timm_name).name] = pd.DataFrame.from_dict(rows, orient="index")
    return pd.concat(blocks, axis=1) if blocks else pd.DataFrame()
