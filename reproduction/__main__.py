"""Make records: ``python -m reproduction ss-rate`` (Table 2), ``factors`` and ``measures`` (what moves
SS_rate, box covering), ``train`` (Table 3) and ``invariance`` (Tables 4, 5).

All write one JSON per cell under data/results (or --results), skip the cells that are there, and
can be stopped and called again; several processes may share a folder.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections.abc import Iterable
from pathlib import Path

from reproduction import machine, models
from reproduction.covering.run import run_covers
from reproduction.invariance.run import MODELS, N_IMAGES, UMAP_SETTINGS, run_invariance, run_noise
from reproduction.invariance.trained import run_before_training, run_trained
from reproduction.paths import CHECKOUT, RESULTS
from reproduction.sensitivity.run import run_cka, run_measures
from reproduction.ss_rate.factors import run_factors
from reproduction.ss_rate.run import run_ss_rate
from reproduction.training.recipes import RECIPES
from reproduction.training.run import grid, progress, run_grid
from sslib.dimension import RELEASED_UMAP


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m reproduction",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    table = commands.add_parser("ss-rate", help="Table 2: SS_rate of nine networks")
    table.set_defaults(make=_ss_rate)
    table.add_argument(
        "--weights",
        default="untrained",
        help="untrained, pretrained, or a folder of <model>.safetensors",
    )
    table.add_argument(
        "--models", nargs="+", default=[*models.TABLE_1, "pvt_v2_b1"], metavar="NAME"
    )
    table.add_argument("--seeds", nargs="+", type=int, default=[0], help="of the random weights")
    table.add_argument(
        "--draws", nargs="+", type=int, default=[0], help="seeds of the draw of images"
    )
    table.add_argument(
        "--images", default="imagenet-sample", help="as for reproduction.images.load_images"
    )
    table.add_argument("--n-images", type=int, default=512)
    factors = commands.add_parser(
        "factors", help="what moves SS_rate of the two models furthest from Table 2"
    )
    factors.set_defaults(make=_factors)
    factors.add_argument(
        "--models", nargs="+", default=["vit_small_patch16_224", "resmlp_12_224"], metavar="NAME"
    )
    factors.add_argument("--seeds", type=int, default=5, help="how many, for each factor")
    factors.add_argument("--baseline-seeds", type=int, default=12)
    invariance = commands.add_parser(
        "invariance", help="Tables 4 and 5: invariances of seven networks"
    )
    invariance.set_defaults(make=_invariance)
    invariance.add_argument("--models", nargs="+", default=[*MODELS], metavar="NAME")
    invariance.add_argument(
        "--seeds", nargs="+", type=int, default=[0], help="of the random weights"
    )
    invariance.add_argument(
        "--images",
        nargs="+",
        default=["cifar10", "imagenette"],
        help="as for reproduction.images.load_images",
    )
    invariance.add_argument("--n-images", type=int, default=N_IMAGES)
    invariance.add_argument(
        "--weights",
        default="untrained",
        help="untrained, pretrained, or a folder of <model>.safetensors",
    )
    invariance.add_argument(
        "--umap-settings",
        action="store_true",
        help="the other UMAP settings instead of the released one",
    )
    invariance.add_argument(
        "--memory", type=float, default=2, metavar="GIB", help="activations kept at once"
    )
    instead = invariance.add_mutually_exclusive_group()
    instead.add_argument(
        "--noise", action="store_true", help="the null values: noise in place of every layer"
    )
    instead.add_argument("--recipe", help="the networks of this training recipe, before training")
    instead.add_argument(
        "--trained", type=Path, metavar="FOLDER", help="of matrices that training has kept, .npz"
    )
    run = commands.add_parser("train", help="Table 3: training with and without the constraint")
    run.set_defaults(make=_run)
    run.add_argument("--recipe", default="cpu", choices=RECIPES, help="how networks are trained")
    run.add_argument("--dataset", default="cifar10", help="as for reproduction.images.load_images")
    run.add_argument("--models", nargs="+", default=[*models.TABLE_1], metavar="NAME")
    run.add_argument(
        "--arms",
        nargs="+",
        default=["baseline", "constrained"],
        metavar="ARM",
        help="baseline, constrained, released or placebo; also constrained:alpha=1, baseline@1e-4",
    )
    run.add_argument("--seeds", nargs="+", type=int, default=[0])
    run.add_argument(
        "--minutes", type=float, default=math.inf, help="stop after this time; call again to go on"
    )
    run.add_argument(
        "--list", action="store_true", help="show what is done and what is not, and stop"
    )
    measures = commands.add_parser("measures", help="what moves SS_rate, and true covering numbers")
    measures.set_defaults(make=_measures)
    measures.add_argument("--models", nargs="+", default=[*models.TABLE_1], metavar="NAME")
    measures.add_argument("--seeds", nargs="+", type=int, default=[0], help="of the random weights")
    measures.add_argument(
        "--images", default="imagenet-sample", help="as for reproduction.images.load_images"
    )
    measures.add_argument("--n-images", type=int, default=512)
    measures.add_argument(
        "--trained",
        type=Path,
        metavar="FOLDER",
        help="only CKA, of matrices that training has kept, .npz",
    )
    measures.add_argument(
        "--no-covers",
        action="store_true",
        help="leave out the point sets and graphs, which need no images",
    )
    for command in (table, factors, invariance, run, measures):
        command.add_argument(
            "--device", help="where the networks run; default: cuda where there is one"
        )
        command.add_argument("--results", type=Path, default=RESULTS, help="folder of the records")
    asked = parser.parse_args()

    if asked.results == RESULTS and not CHECKOUT:
        parser.exit(2, "no checkout of the repository is around the package: pass --results\n")
    machine.provenance()  # now, before the checkout can move on
    count = 0
    try:
        written = asked.make(asked)
        if written is None:  # asked for a look
            return
        print(f"Records go to {asked.results}; one can take minutes.", file=sys.stderr, flush=True)
        for path in written:
            print(path, flush=True)
            count += 1
    except (ValueError, FileNotFoundError, RuntimeError) as error:
        parser.exit(2, f"{error}\n")
    except KeyboardInterrupt:
        parser.exit(
            130, f"Stopped after {count} new record(s); the same command goes on from here.\n"
        )
    print(f"{count} new record(s)")


def _ss_rate(asked: argparse.Namespace) -> Iterable[Path]:
    return run_ss_rate(
        asked.models,
        asked.seeds,
        asked.draws,
        weights=asked.weights,
        images=asked.images,
        n_images=asked.n_images,
        device=asked.device,
        root=asked.results,
    )


def _factors(asked: argparse.Namespace) -> Iterable[Path]:
    return run_factors(
        asked.models,
        asked.seeds,
        baseline_seeds=asked.baseline_seeds,
        device=asked.device,
        root=asked.results,
    )


def _invariance(asked: argparse.Namespace) -> Iterable[Path]:
    if asked.trained:
        return run_trained(asked.trained, root=asked.results)
    if asked.noise:
        return run_noise(asked.models, asked.seeds, n_images=asked.n_images, root=asked.results)
    if asked.recipe:
        return run_before_training(
            asked.models,
            asked.seeds,
            asked.images,
            asked.recipe,
            device=asked.device,
            root=asked.results,
        )
    return run_invariance(
        asked.models,
        asked.seeds,
        asked.images,
        weights=asked.weights,
        n_images=asked.n_images,
        settings=UMAP_SETTINGS if asked.umap_settings else [RELEASED_UMAP],
        memory=int(asked.memory * 2**30),
        device=asked.device,
        root=asked.results,
    )


def _run(asked: argparse.Namespace) -> Iterable[Path] | None:
    cells = grid(asked.recipe, asked.dataset, asked.models, asked.arms, asked.seeds)
    if asked.list:
        print(progress(cells, asked.results).to_string(index=False))
        return None
    return run_grid(cells, device=asked.device, root=asked.results, minutes=asked.minutes)


def _measures(asked: argparse.Namespace) -> Iterable[Path]:
    if asked.trained:
        return run_cka(asked.trained, device=asked.device, root=asked.results)
    networks = run_measures(
        asked.models,
        asked.seeds,
        images=asked.images,
        n_images=asked.n_images,
        device=asked.device,
        root=asked.results,
    )
    return (
        networks if asked.no_covers else itertools.chain(run_covers(root=asked.results), networks)
    )


if __name__ == "__main__":
    main()
