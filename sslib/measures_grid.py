"""Records of what moves SS_rate and of true covering numbers: per network, per point set, per
graph.

One pass of the images through a network gives two records, of its measures and of its covering
numbers; three networks, one per family, are also measured with one factor at a time changed.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from sslib import measures, models, records
from sslib.data import ImageSet, load_images
from sslib.experiments import default_device, features_of, layer_metrics, written
from sslib.features import activation_grams
from sslib.graph import (
    COVERS,
    box_counts,
    box_dimension,
    box_sizes,
    covering_numbers,
    flower,
    hop_distances,
    song_havlin_makse,
)
from sslib.invariance import KNOWN_SETS, known_points
from sslib.invariance_grid import read_matrices, trained_runs
from sslib.paths import RESULTS
from sslib.rate import FORMULAS, box_curve, pair_distances, ss_rate
from sslib.stats import mean_interval
from sslib.training import RECIPES, Run, load_pictures, network_of, normalise

#: Per network: SS_rate of its layers beside other measures, null models, and the statistics of
#: A_epsilon.
MEASURES = "ss-rate-measures"
#: Per network of one family: one factor at a time.
ONE_FACTOR = "ss-rate-one-factor"
#: Per network or point set: both N_theta against bounds on the covering number.
COVERING = "box-covering"
#: Per graph: boxes against box size, and the dimension.
GRAPHS = "box-covering-graphs"
#: Per trained network: how similar each layer's activations are to those before training.
TRAINED = "cka-training"

#: One network per family, for one factor at a time; its layer is the one in the middle of Table
#: 1's.
ONE_PER_FAMILY = ("vit_small_patch16_224", "resnet34", "mixer_b16_224")
#: Shares of all pairs that A_epsilon joins.
DENSITIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
#: Scales that features are multiplied with.
SCALES = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)

# Thresholds at which covering numbers are bounded: as for SS_rate, but fewer, as each takes a
# search.
_COVER_THRESHOLDS = 33


def config(
    model: str, images: str = "imagenet-sample", n_images: int = 512, draw: int = 0
) -> dict[str, Any]:
    """What names a network's records, apart from the seed of its weights.

    >>> config("ResNet34")["model"]
    'resnet34'
    """
    return {
        "model": models.find(model).timm_name,
        "weights": "untrained",
        "images": images,
        "n_images": n_images,
        "draw": draw,
        "size": 224,
    }


def middle(model: str) -> str:
    """The name of the module in the middle of a model's modules of Table 1.

    >>> middle("ResNet34")
    'layer3'
    """
    modules = models.find(model).modules
    return modules[len(modules) // 2]


def layer_measures(F: Tensor) -> dict[str, float]:
    """``layer_metrics`` of one layer, and SS_rate's scale-free variants, effective rank and TwoNN
    dimension beside it.

    F: (D, B), not all channels equal. Keys of the variants: "<formula>, <axis>" with the axes of
    ``scale_free_rate``.
    """
    variants = {
        f"{formula}, {axis}": measures.scale_free_rate(F, axis=axis, formula=formula)
        for formula in FORMULAS
        for axis in measures.AXES
    }
    return (
        layer_metrics(F)
        | variants
        | {"effective_rank": measures.effective_rank(F), "two_nn": measures.two_nn(F)}
    )


def null_rates(F: Tensor, *, seed: int = 0) -> dict[str, dict[str, float]]:
    """SS_rate of every null model of F, by both formulas; NaN where all distances are equal but for
    rounding.

    >>> rates = null_rates(torch.randn(8, 20, generator=torch.Generator().manual_seed(0)))
    >>> list(rates), math.isnan(rates["whitened"]["released"])
    (['gaussian', 'shuffled', 'one direction', 'standardised', 'whitened'], True)
    """
    rates = {}
    for kind in measures.NULLS:
        null = measures.null_features(F, kind, seed=seed)
        exists = not math.isnan(measures.scale_free_rate(null, axis="linear"))
        rates[kind] = {f: float(ss_rate(null, formula=f)) if exists else math.nan for f in FORMULAS}
    return rates


def graph_profile(F: Tensor, *, nodes: int = 256, seed: int = 0) -> list[dict[str, Any]]:
    """``graph_statistics`` of A_epsilon at each of ``DENSITIES``, for F and for Gaussian features
    of its shape.

    At most `nodes` random channels are taken, so that networks of different width can be compared:
    sigma grows with the number of nodes.
    """
    F, rows = F[torch.randperm(len(F), generator=torch.Generator().manual_seed(seed))[:nodes]], []
    for name, X in (
        ("features", F),
        ("gaussian", measures.null_features(F, "gaussian", seed=seed)),
    ):
        C = pair_distances(X)
        rows += [
            {"of": name, "asked": d} | measures.graph_statistics(C, d, draws=3, seed=seed)
            for d in DENSITIES
        ]
    return rows


def measures_metrics(model: str, features: Mapping[str, Tensor]) -> dict[str, Any]:
    """The metrics of a ``MEASURES`` record: per module of Table 1, and A_epsilon of the one in the
    middle.

    features: module -> (D, B); others than Table 1's are ignored. "cka" is that of each module with
    the one before it (None for the first), "nulls" as ``null_rates``.
    """
    layers, before = {}, None
    for module in models.find(model).modules:
        F = features[module]
        cka = None if before is None else measures.linear_cka(before, F)
        layers[module] = layer_measures(F) | {"cka": cka, "nulls": null_rates(F)}
        before = F
    return {
        "layers": layers,
        "graph": {"module": middle(model), "statistics": graph_profile(features[middle(model)])},
    }


def cover_curves(F: Tensor) -> dict[str, Any]:
    """Both N_theta of F and the bounds on its covering number, at 33 thresholds from TZ to TV.

    Keys: D, "theta"; "released", "printed", "lower", "upper", lists of boxes; "rates", SS_rate of
    each of the four by the same sum (``rate_of_boxes``).
    """
    curves = {
        formula: box_curve(F, formula=formula, thresholds=_COVER_THRESHOLDS) for formula in FORMULAS
    }
    theta = curves["released"].theta.cpu().numpy()
    cover = covering_numbers(pair_distances(F), theta)
    boxes = {formula: curve.boxes.cpu().numpy() for formula, curve in curves.items()}
    boxes |= {"lower": cover.lower, "upper": cover.upper}
    rates = {name: measures.rate_of_boxes(values, len(F)) for name, values in boxes.items()}
    return {"D": len(F), "theta": theta, **boxes, "rates": rates}


def adjacency_covers(
    F: Tensor, *, densities: Iterable[float] = (0.02, 0.05, 0.1)
) -> list[dict[str, Any]]:
    """Boxes of A_epsilon by greedy colouring, at some densities: rows of density, nodes, diameter
    and ``covers``.

    Nodes and diameter are those of the largest component, which is what is covered.
    """
    rows = []
    for density in densities:
        hops = hop_distances(measures.adjacency_at(pair_distances(F), density))
        within = np.isfinite(hops[np.isfinite(hops).sum(1).argmax()])
        hops = hops[np.ix_(within, within)]
        found = covers(hops, box_sizes(hops), methods=["colouring"])["colouring"]
        rows.append({"density": density, "nodes": len(hops), "diameter": int(hops.max())} | found)
    return rows


def one_factor(
    F: Tensor, *, draws: int = 10, resamples: int = 200, seed: int = 0
) -> list[dict[str, Any]]:
    """SS_rate of F with one thing changed at a time: rows of factor, value, draw, and SS_rate by
    both formulas.

    - "scale": F times each of ``SCALES``.
    - "D", "B": so many channels or images, drawn at random `draws` times, in powers of 2 up to all.
    - "thresholds": T from 16 to 1024.
    - "precision": F rounded to float16 and bfloat16, and all computed in float64.
    - "images": `resamples` bootstrap samples of the images, all as large as B.
    """
    D, B = F.shape
    generator = torch.Generator().manual_seed(seed)
    rows: list[dict[str, Any]] = []

    def add(factor: str, value: Any, X: Tensor, draw: int = 0, **options: Any) -> None:
        rates = {f: float(ss_rate(X, formula=f, **options)) for f in FORMULAS}
        rows.append({"factor": factor, "value": value, "draw": draw} | rates)

    for scale in SCALES:
        add("scale", scale, F * scale)
    for factor, total in (("D", D), ("B", B)):
        for size in [2**k for k in range(4, 11) if 2**k < total] + [total]:
            for draw in range(draws if size < total else 1):
                keep = torch.randperm(total, generator=generator)[:size]
                add(factor, size, F[keep] if factor == "D" else F[:, keep], draw)
    for thresholds in (16, 64, 256, 1024):
        add("thresholds", thresholds, F, thresholds=thresholds)
    for name, dtype in (
        ("float16", torch.float16),
        ("bfloat16", torch.bfloat16),
        ("float64", torch.float64),
    ):
        add("precision", name, F.to(dtype))
    for draw in range(resamples):
        add("images", "bootstrap", F[:, torch.randint(B, (B,), generator=generator)], draw)
    return rows


def one_factor_metrics(
    model: str, seed: int, images: ImageSet, F: Tensor, *, device: str | None = None
) -> dict[str, Any]:
    """The metrics of a ``ONE_FACTOR`` record: ``one_factor`` of the middle module, and the training
    mode.

    F: of that module. Training mode takes another pass of the images, batch norm with the
    statistics of each batch of 64; where no layer behaves otherwise in it, there is no row of it.
    """
    architecture, module = models.find(model), middle(model)
    rows, network = one_factor(F), models.untrained(model, seed)
    if any(isinstance(part, torch.nn.modules.batchnorm._BatchNorm) for part in network.modules()):
        batches = images.batches(architecture.mean, architecture.std)
        changed = features_of(
            architecture, network, batches, modules=[module], training=True, device=device
        )
        rates = {f: float(ss_rate(changed[module], formula=f)) for f in FORMULAS}
        rows.append({"factor": "mode", "value": "training", "draw": 0} | rates)
    return {"module": module, "D": len(F), "rows": rows}


def run_measures(
    names: Iterable[str],
    seeds: Iterable[int],
    *,
    images: str = "imagenet-sample",
    n_images: int = 512,
    device: str | None = None,
    root: Path = RESULTS,
) -> Iterable[Path]:
    """Write the records of networks that are missing, and yield their paths.

    Raises ValueError or FileNotFoundError for an unknown model, or images that are not there.
    """
    device, shown = device or default_device(), None
    for seed in seeds:
        for name in names:
            asked = config(name, images, n_images)
            wanted = [
                MEASURES,
                COVERING,
                *([ONE_FACTOR] if asked["model"] in ONE_PER_FAMILY else []),
            ]
            wanted = [
                experiment
                for experiment in wanted
                if not records.exists(experiment, asked, seed, root)
            ]
            if not wanted:
                continue
            shown = shown or load_images(images, n_images)
            start = time.perf_counter()
            architecture = models.find(name)
            network = models.untrained(architecture, seed)
            batches = shown.batches(architecture.mean, architecture.std)
            features = features_of(
                architecture, network, batches, modules=architecture.modules, device=device
            )
            yield from write_network(
                asked, seed, shown, features, wanted, device=device, start=start, root=root
            )


def write_network(
    asked: Mapping[str, Any],
    seed: int,
    images: ImageSet,
    features: Mapping[str, Tensor],
    experiments: Iterable[str],
    *,
    device: str = "cpu",
    start: float,
    root: Path = RESULTS,
) -> Iterable[Path]:
    """Reduce a network's features to the asked records and write them; yields the paths. start: a
    ``perf_counter``.
    """
    model = asked["model"]
    for experiment in experiments:
        if experiment == MEASURES:
            metrics = measures_metrics(model, features)
        elif experiment == COVERING:
            metrics = {
                "layers": {m: cover_curves(features[m]) for m in models.find(model).modules},
                "graph": {
                    "module": middle(model),
                    "covers": adjacency_covers(features[middle(model)]),
                },
            }
        else:
            metrics = one_factor_metrics(
                model, seed, images, features[middle(model)], device=device
            )
        data = {"name": images.name, "n": len(images), "fingerprint": images.fingerprint}
        yield from _written(experiment, asked, seed, metrics, data, device, start, root)


def run_covers(*, n: int = 512, root: Path = RESULTS) -> Iterable[Path]:
    """Write the missing records of sets of known dimension (``COVERING``) and of graphs
    (``GRAPHS``); no images.

    n: points of each set.
    """
    for name in KNOWN_SETS:
        asked, start = {"points": name, "n": n}, time.perf_counter()
        if not records.exists(COVERING, asked, 0, root):
            F = torch.from_numpy(known_points(name, n))
            yield from _written(
                COVERING, asked, 0, {"layers": {name: cover_curves(F)}}, None, "cpu", start, root
            )
    for name in graphs():
        asked, start = {"graph": name}, time.perf_counter()
        if not records.exists(GRAPHS, asked, 0, root):
            yield from _written(GRAPHS, asked, 0, graph_metrics(name), None, "cpu", start, root)


def run_cka(
    folder: str | os.PathLike[str], *, device: str | None = None, root: Path = RESULTS
) -> Iterable[Path]:
    """CKA of every layer before and after training, of networks whose matrices training has kept;
    skips what is done.

    folder: as for ``invariance_grid.run_trained``. The network before training is made anew from
    the record's seed.

    Raises ValueError if there are no .npz files, FileNotFoundError if the images are not there.
    """
    shown, device = {}, device or default_device()
    for path, run in trained_runs(folder, root):
        start, asked = time.perf_counter(), run["config"]
        if records.exists(TRAINED, asked, run["seed"], root):
            continue
        recipe = RECIPES[asked["recipe"]]
        key = asked["dataset"], asked["recipe"]
        if key not in shown:
            shown[key] = load_pictures(asked["dataset"], recipe)
        pictures = shown[key]
        network, modules = network_of(Run(asked["model"], recipe, run["seed"]), pictures.classes)
        before = activation_grams(
            network, normalise(pictures.probe, models.find(asked["model"])), modules, device=device
        )
        after = read_matrices(path)
        cka = {
            name: measures.cka_of_grams(before[name].products, after[name].products)
            for name in modules
        }
        yield from _written(
            TRAINED, asked, run["seed"], {"cka": cka}, run["data"], device, start, root
        )


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


def covers(
    hops: np.ndarray, sizes: list[int], *, methods: Iterable[str] = COVERS, passes: int = 10
) -> dict[str, Any]:
    """Boxes against sizes by each method, and what ``box_dimension`` makes of them, as plain
    numbers.
    """
    found = {}
    for method in methods:
        # balls hold no more at even sizes than at the odd ones below
        used = [size for size in sizes if size % 2] if method == "growing" else sizes
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


def _written(
    experiment: str,
    asked: Any,
    seed: int,
    metrics: Any,
    data: Any,
    device: Any,
    start: float,
    root: Path,
) -> Iterable[Path]:
    """`experiments.written` for a record whose time began at `start`."""
    seconds = round(time.perf_counter() - start, 2)
    return written(
        records.new_record(
            experiment, asked, seed, metrics, data=data, device=device, seconds=seconds
        ),
        root,
    )


def layer_table(runs: pd.DataFrame) -> pd.DataFrame:
    """The layers of ``MEASURES`` or of ``experiments.SS_RATE`` records, a row each, with the
    moments of the distances.

    Columns: model, family, seed, draw, module, all numbers of the record's layer, and "log_scale"
    (log of the mean distance), "cv" (standard deviation over mean), "log_D", "log_range" (log of
    the ratio of 1 + TV to 1 + TZ).
    """
    rows = []
    for run in runs.to_dict("records"):
        architecture = models.find(run["config.model"])
        for module, layer in run["metrics.layers"].items():
            numbers = {key: value for key, value in layer.items() if isinstance(value, int | float)}
            rows.append(
                {
                    "model": architecture.name,
                    "family": architecture.family,
                    "seed": run["seed"],
                    "draw": run["config.draw"],
                    "module": module,
                    **numbers,
                }
            )
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    return table.assign(
        log_scale=np.log(table["distance_mean"]),
        cv=table["distance_std"] / table["distance_mean"],
        log_D=np.log(table["D"]),
        log_range=np.log1p(table["TV"]) - np.log1p(table["TZ"]),
    )


#: What SS_rate is regressed on, step by step: the scale and the shape of the distances' histogram,
#: then more.
STEPS: Mapping[str, tuple[str, ...]] = {
    "scale": ("log_scale",),
    "shape: variation, skewness": ("cv", "distance_skewness"),
    "scale and shape": ("log_scale", "cv", "distance_skewness"),
    "and their squares and products": ("log_scale", "cv", "distance_skewness"),
    "scale, shape, D and range": ("log_scale", "cv", "distance_skewness", "log_D", "log_range"),
}


def explained_table(layers: pd.DataFrame, formula: str, *, resamples: int = 1000) -> pd.DataFrame:
    """``measures.explained`` of SS_rate for each of ``STEPS``, a row each: r2, low, high, unseen,
    left.

    layers: ``layer_table``; networks are the groups. "unseen" is r2 for networks left out, "left"
    the residual.
    """
    rows = {}
    for step, columns in STEPS.items():
        used, by = layers, list(columns)
        if "squares" in step:
            for i, a in enumerate(columns):
                for b in columns[i:]:
                    used = used.assign(**{f"{a} * {b}": used[a] * used[b]})
                    by.append(f"{a} * {b}")
        fit = measures.explained(used, formula, by, "model", resamples=resamples)
        low, high = fit.interval
        rows[step] = {
            "r2": fit.r2,
            "low": low,
            "high": high,
            "unseen": fit.r2_left_out,
            "left": fit.residual,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def cover_table(runs: pd.DataFrame) -> pd.DataFrame:
    """``COVERING`` records, a row per layer or point set, with how far each N_theta lies outside
    the bounds.

    Columns: of ("network" or "points"), model, family, seed, module, D; "bracket", the largest
    ratio of upper to lower bound; per formula "<formula>: worst", the largest ratio, up or down, of
    N_theta to the nearer bound over all theta, and "<formula>: rank", Spearman's correlation of
    N_theta with the geometric mean of the bounds over theta; "rate: <name>" for the four SS_rates.
    """
    from scipy.stats import spearmanr

    rows = []
    for run in runs.to_dict("records"):
        known = run.get("config.points")
        of_points = isinstance(known, str)
        architecture = None if of_points else models.find(run["config.model"])
        for module, curve in run["metrics.layers"].items():
            lower, upper = np.array(curve["lower"]), np.array(curve["upper"])
            row = {
                "of": "points" if of_points else "network",
                "model": known if of_points else architecture.name,
                "family": "" if of_points else architecture.family,
                "seed": run["seed"],
                "module": module,
                "D": curve["D"],
                "bracket": float((upper / lower).max()),
            }
            for formula in FORMULAS:
                boxes = np.array(curve[formula])
                row[f"{formula}: worst"] = float(np.maximum(boxes / upper, lower / boxes).max())
                row[f"{formula}: rank"] = float(spearmanr(boxes, np.sqrt(lower * upper)).statistic)
            rows.append(row | {f"rate: {name}": rate for name, rate in curve["rates"].items()})
    return pd.DataFrame(rows)


def one_factor_table(runs: pd.DataFrame) -> pd.DataFrame:
    """``ONE_FACTOR`` records: a row per model, factor and value.

    Columns: model, family, module, factor, value, draws; per formula its mean over draws,
    "<formula>, low" and "<formula>, high" (for the factor "images" the 2.5 and 97.5 % quantiles,
    else the 95 % interval of the mean, NaN for one draw), and "<formula>, change" of the mean from
    the unchanged layer.
    """
    rows = []
    for run in runs.to_dict("records"):
        architecture = models.find(run["config.model"])
        found = pd.DataFrame(run["metrics.rows"])
        plain = found[(found["factor"] == "scale") & (found["value"] == 1)].iloc[0]
        for (factor, value), part in found.groupby(["factor", "value"], sort=False):
            row = {
                "model": architecture.name,
                "family": architecture.family,
                "module": run["metrics.module"],
                "factor": factor,
                "value": value,
                "draws": len(part),
            }
            for formula in FORMULAS:
                rates = part[formula].astype(float)
                mean = rates.mean()
                if factor == "images":
                    low, high = rates.quantile(0.025), rates.quantile(0.975)
                elif len(part) > 1:
                    low, high = mean_interval(rates)[1:3]
                else:
                    low = high = math.nan
                row |= {
                    formula: mean,
                    f"{formula}, low": low,
                    f"{formula}, high": high,
                    f"{formula}, change": mean - float(plain[formula]),
                }
            rows.append(row)
    return pd.DataFrame(rows)


#: What a reader may want to compare SS_rate across: the rows of a factor that stand for it.
COMPARED: Mapping[str, tuple[str, tuple]] = {
    "another draw of 512 of the images": ("draw", ("other",)),
    "64 to 256 images, mean of draws": ("B", (64, 128, 256)),
    "half precision of F": ("precision", ("float16", "bfloat16")),
    "64 or 1024 thresholds instead of 256": ("thresholds", (64, 1024)),
    "training instead of eval mode": ("mode", ("training",)),
    "another seed of the random weights": ("seed", ("other",)),
    "a sixth to a half of the channels, mean of draws": ("D", ("half", "quarter")),
    "features three times larger or smaller": ("scale", (0.3, 3.0)),
    "features ten times larger or smaller": ("scale", (0.1, 10.0)),
}


def comparable(
    table: pd.DataFrame, layers: pd.DataFrame | None = None, *, formula: str = "released"
) -> pd.DataFrame:
    """What a raw SS_rate can be compared across: how far each change moves it, against the spread
    over images.

    table: ``one_factor_table``; layers: ``layer_table`` of several seeds and draws of images, for a
    row of each. The yardstick of a layer is half the width of its bootstrap interval over images.
    Per change of ``COMPARED``: "moves by", the largest shift over layers and values, of the mean
    over draws; "low" and "high", its 95 % interval, from the draws of the change itself, or the
    yardstick where it is a single number; "times the spread", the largest ratio of a shift to its
    layer's yardstick; "comparable", whether that is at most 1; "layers", how many were measured.
    """
    boot = table[table["factor"] == "images"].set_index("model")
    yardstick = (boot[f"{formula}, high"] - boot[f"{formula}, low"]) / 2
    if layers is not None:
        table = pd.concat([table, _other_seeds(layers, boot["module"], formula)], ignore_index=True)
    rows = {}
    for change, (factor, values) in COMPARED.items():
        part = table[table["factor"] == factor]
        if factor == "D":
            full = part.groupby("model")["value"].transform("max")
            share = {"half": 2, "quarter": 4}
            # the drawn sizes are powers of 2: the nearest below the share asked for
            wanted = [(full / share[v]).map(lambda x: 2 ** int(math.log2(x))) for v in values]
            part = part[np.logical_or.reduce([part["value"] == w for w in wanted])]
        else:
            part = part[part["value"].isin(values)]
        if part.empty:
            continue
        part = part.assign(
            ratio=(part[f"{formula}, change"].abs() / part["model"].map(yardstick)),
            half=((part[f"{formula}, high"] - part[f"{formula}, low"]) / 2).fillna(
                part["model"].map(yardstick)
            ),
        )
        worst = part.loc[part[f"{formula}, change"].abs().idxmax()]
        moved = worst[f"{formula}, change"]
        rows[change] = {
            "moves by": moved,
            "low": moved - worst["half"],
            "high": moved + worst["half"],
            "times the spread": part["ratio"].max(),
            "comparable": bool(part["ratio"].max() <= 1),
            "layers": part["model"].nunique(),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _other_seeds(layers: pd.DataFrame, modules: pd.Series, formula: str) -> pd.DataFrame:
    """Rows of ``one_factor_table`` for other seeds and draws than 0 of the same layers, one per
    seed or draw.
    """
    rows = []
    for model, module in modules.items():
        part = layers[(layers["model"] == model) & (layers["module"] == module)]
        plain = part[(part["seed"] == 0) & (part["draw"] == 0)][formula].iloc[0]
        for factor, other in (("seed", "draw"), ("draw", "seed")):
            rates = part[(part[other] == 0) & (part[factor] != 0)][formula]
            rows += [
                {
                    "model": model,
                    "factor": factor,
                    "value": "other",
                    formula: rate,
                    f"{formula}, change": rate - plain,
                    f"{formula}, low": math.nan,
                    f"{formula}, high": math.nan,
                }
                for rate in rates
            ]
    return pd.DataFrame(rows)


def null_table(runs: pd.DataFrame, *, formula: str = "released") -> pd.DataFrame:
    """``MEASURES`` records: SS_rate of the layers and of their null models, a row per layer.

    Columns: model, family, module, "features", and one per null model.
    """
    rows = []
    for run in runs.to_dict("records"):
        architecture = models.find(run["config.model"])
        for module, layer in run["metrics.layers"].items():
            nulls = {kind: rates[formula] for kind, rates in layer["nulls"].items()}
            rows.append(
                {
                    "model": architecture.name,
                    "family": architecture.family,
                    "module": module,
                    "features": layer[formula],
                }
                | nulls
            )
    return pd.DataFrame(rows)


def ranking(table: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Networks by SS_rate, mean over modules: one column per measure, and per measure its rank from
    1, the smallest.

    table: ``layer_table``; columns: heading -> column of it. A layer for which a measure is NaN
    makes its network's mean NaN, and no rank.
    """
    means = table.groupby("model", sort=False)[list(columns.values())].agg(
        lambda values: values.mean(skipna=False)
    )
    means.columns = list(columns)
    return pd.concat([means, means.rank().add_prefix("rank, ")], axis=1)


def graph_table(runs: pd.DataFrame) -> pd.DataFrame:
    """``MEASURES`` records: statistics of A_epsilon of each network's middle module, a row per
    density and kind.

    Columns: model, family, module, "of" ("features", or "gaussian" of the same shape), and the keys
    of ``graph_statistics``.
    """
    rows = []
    for run in runs.to_dict("records"):
        architecture, graph = models.find(run["config.model"]), run["metrics.graph"]
        for row in graph["statistics"]:
            rows.append(
                {
                    "model": architecture.name,
                    "family": architecture.family,
                    "module": graph["module"],
                    **row,
                }
            )
    return pd.DataFrame(rows)


def cka_table(runs: pd.DataFrame) -> pd.DataFrame:
    """``TRAINED`` records, a row per module of every run: model, family, dataset, recipe, arm,
    seed, module, depth, cka.

    depth: 0 for the first module, 1 for the last.
    """
    rows = []
    for run in runs.to_dict("records"):
        architecture, layers = models.find(run["config.model"]), run["metrics.cka"]
        rows += [
            {
                "model": architecture.name,
                "family": architecture.family,
                "dataset": run["config.dataset"],
                "recipe": run["config.recipe"],
                "arm": run["config.arm"],
                "seed": run["seed"],
                "module": module,
                "depth": k / (len(layers) - 1),
                "cka": cka,
            }
            for k, (module, cka) in enumerate(layers.items())
        ]
    return pd.DataFrame(rows)


def dimension_table(runs: pd.DataFrame) -> pd.DataFrame:
    """``GRAPHS`` records: a row per graph and way to cover, with the known dimension and what was
    found.
    """
    rows = []
    for run in runs.to_dict("records"):
        for method, found in run["metrics.covers"].items():
            rows.append(
                {
                    "graph": run["config.graph"],
                    "nodes": run["metrics.nodes"],
                    "diameter": run["metrics.diameter"],
                    "known": run["metrics.dimension"],
                    "method": method,
                    **found,
                }
            )
    order = list(KNOWN_GRAPHS)
    table = pd.DataFrame(rows)
    return (
        table.sort_values("graph", key=lambda names: names.map(order.index), kind="stable")
        if rows
        else table
    )


def point_slopes(runs: pd.DataFrame) -> pd.DataFrame:
    """The dimension that each number of boxes gives a point set, beside the known one: ``COVERING``
    records of points.

    Minus the least-squares slope of log N against log theta, over the thresholds at which the true
    number of boxes (geometric mean of the bounds) is from 5 to a tenth of the points; NaN with
    fewer than 3 of them. Columns: "dimension", "thresholds", "lower", "upper", "released",
    "printed".
    """
    rows = {}
    for run in runs[runs["config.points"].notna()].to_dict("records"):
        name, n = run["config.points"], run["config.n"]
        curve = {
            key: np.array(value)
            for key, value in run["metrics.layers"][name].items()
            if isinstance(value, list)
        }
        true = np.sqrt(curve["lower"] * curve["upper"])
        used = (true >= 5) & (true <= n / 10) & (curve["theta"] > 0)
        row = {"dimension": KNOWN_SETS[name], "thresholds": int(used.sum())}
        for key in ("lower", "upper", *FORMULAS):
            x, y = np.log(curve["theta"][used]), np.log(curve[key][used])
            row[key] = -np.polyfit(x, y, 1)[0] if used.sum() >= 3 else math.nan
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index").reindex(
        [name for name in KNOWN_SETS if name in rows]
    )
