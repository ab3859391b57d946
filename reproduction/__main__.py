"""Make records: a JSON per cell, in data/results unless --results says otherwise. What is there is
skipped, so a command can be stopped and called again; several processes may share a folder.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from reproduction import inputs, machine, records, stop
from reproduction.covering.run import run_covers
from reproduction.grid import GO_ON_LATER, Elsewhere
from reproduction.invariance.cells import MODELS, N_IMAGES, RELEASED_UMAP, UMAP_SETTINGS
from reproduction.invariance.run import run_invariance, run_noise
from reproduction.invariance.trained import run_before_training, run_trained
from reproduction.paths import CHECKOUT, RESULTS
from reproduction.sensitivity.run import run_cka, run_measures
from reproduction.sensitivity.unrelated import run_unrelated
from reproduction.ss_rate.factors import run_factors
from reproduction.ss_rate.run import run_ss_rate
from reproduction.table_1 import TABLE_1
from reproduction.training import plans, processes
from reproduction.training.arms import GAMMAS
from reproduction.training.cells import grid
from reproduction.training.due import due
from reproduction.training.recipes import RECIPES
from reproduction.training.run import progress, run_grid, run_plan

Add = Callable[..., object]
Made = Iterable[Path] | None
Make = Callable[[argparse.Namespace], Made]

WEIGHTS = "untrained, pretrained, or a folder of <model>.safetensors"
IMAGES = "as for reproduction.images.load_images"
KEPT = "of matrices that training has kept, .npz"


def ss_rate(add: Add) -> Make:
    """Table 2: SS_rate of nine networks."""
    add("--weights", default="untrained", help=WEIGHTS)
    add("--models", nargs="+", default=[*TABLE_1, "pvt_v2_b1"], metavar="NAME")
    add("--seeds", nargs="+", type=int, default=[0], help="of the random weights")
    add("--draws", nargs="+", type=int, default=[0], help="seeds of the draw of images")
    add("--images", default="imagenet-sample", help=IMAGES)
    add("--n-images", type=int, default=512)
    return lambda asked: run_ss_rate(
        asked.models,
        asked.seeds,
        asked.draws,
        weights=asked.weights,
        images=asked.images,
        n_images=asked.n_images,
        device=asked.device,
        root=asked.results,
    )


def factors(add: Add) -> Make:
    """What moves SS_rate of the two networks furthest from Table 2."""
    two = ["vit_small_patch16_224", "resmlp_12_224"]
    add("--models", nargs="+", default=two, metavar="NAME")
    add("--seeds", type=int, default=5, help="how many, for each factor")
    add("--baseline-seeds", type=int, default=12)
    return lambda asked: run_factors(
        asked.models,
        asked.seeds,
        baseline_seeds=asked.baseline_seeds,
        device=asked.device,
        root=asked.results,
    )


#: What `train` trains unless asked otherwise, or by a plan.
GRID: Mapping[str, Any] = {
    "recipe": "cpu",
    "dataset": "cifar10",
    "models": [*TABLE_1],
    "arms": ["baseline", "constrained"],
    "seeds": [0],
    "gamma": "model",
}


def train(add: Add) -> Make:
    """Table 3: training with and without the constraint."""
    arms = "baseline, constrained, released, wrong, yoked; also constrained:alpha=1, baseline@1e-4"
    add("--recipe", choices=RECIPES, help="how networks are trained (cpu)")
    add("--dataset", help=f"{IMAGES} (cifar10)")
    add("--models", nargs="+", metavar="NAME", help="all of Table 1 unless named")
    add("--arms", nargs="+", metavar="ARM", help=f"{arms} (baseline constrained)")
    add("--seeds", nargs="+", type=int, help="(0)")
    add("--gamma", metavar="GAMMA", help=f"of constrained: {', '.join(GAMMAS)}, a number (model)")
    add("--minutes", type=float, default=math.inf, help="stop then; call again to go on")
    add("--list", action="store_true", help="show what is done and what is not, and stop")
    add("--anew", action="store_true", help="begin a run anew where its checkpoint is damaged")
    add(
        "--plan", metavar="NAME", help="run a plan of data/results/plan.yml, or what is named of it"
    )
    add("--rehearse", action="store_true", help="the plan in seconds a run, to see that it works")

    def make(asked: argparse.Namespace) -> Made:
        given = {name: value for name in GRID if (value := getattr(asked, name)) is not None}
        how = {
            "device": asked.device,
            "root": asked.results,
            "minutes": asked.minutes,
            "anew": asked.anew,
        }
        if asked.plan:
            if said := given.keys() - {"models", "arms", "seeds"}:
                raise ValueError(f"--{min(said)}: not allowed with argument --plan, which says it")
            plan = plans.load(asked.plan)
            plan = plans.rehearsal(plan) if asked.rehearse else plan
            if asked.list:
                cells = plans.chosen(due(plan, asked.results), **given)
                print(progress(cells, asked.results).to_string(index=False))
                return None
            return run_plan(plan, **how, only=given)
        if asked.rehearse:
            raise ValueError("--rehearse: expected together with --plan")
        chosen = {**GRID, **given}
        cells = grid(*(chosen[name] for name in GRID))
        if asked.list:
            print(progress(cells, asked.results).to_string(index=False))
            return None
        return run_grid(cells, **how | {"device": processes.join(asked.device)})

    return make


def invariance(add: Add) -> Make:
    """Tables 4 and 5: invariances of seven networks."""
    add("--models", nargs="+", default=[*MODELS], metavar="NAME")
    add("--seeds", nargs="+", type=int, default=[0], help="of the random weights")
    add("--images", nargs="+", default=["cifar10", "imagenette"], help=IMAGES)
    add("--n-images", type=int, default=N_IMAGES)
    add("--weights", default="untrained", help=WEIGHTS)
    add("--umap-settings", action="store_true", help="other UMAP settings than the released one")
    add("--memory", type=float, default=2, metavar="GIB", help="activations kept at once")
    add("--noise", action="store_true", help="null values: noise in place of every layer")
    add("--recipe", help="the networks of this training recipe, before training")
    add("--trained", type=Path, metavar="FOLDER", help=KEPT)

    def make(asked: argparse.Namespace) -> Made:
        ways = [way for way in ("noise", "recipe", "trained") if getattr(asked, way)]
        if len(ways) > 1:
            raise ValueError(f"--{ways[1]}: not allowed with argument --{ways[0]}")
        root, device = asked.results, asked.device
        if asked.trained:
            return run_trained(asked.trained, root=root)
        if asked.noise:
            return run_noise(
                asked.models, asked.seeds, n_images=asked.n_images, device=device, root=root
            )
        if asked.recipe:
            return run_before_training(
                asked.models, asked.seeds, asked.images, asked.recipe, device=device, root=root
            )
        return run_invariance(
            asked.models,
            asked.seeds,
            asked.images,
            weights=asked.weights,
            n_images=asked.n_images,
            settings=UMAP_SETTINGS if asked.umap_settings else [RELEASED_UMAP],
            memory=int(asked.memory * 2**30),
            device=device,
            root=root,
        )

    return make


def measures(add: Add) -> Make:
    """What moves SS_rate, and true covering numbers."""
    add("--models", nargs="+", default=[*TABLE_1], metavar="NAME")
    add("--seeds", nargs="+", type=int, default=[0], help="of the random weights")
    add("--images", default="imagenet-sample", help=IMAGES)
    add("--n-images", type=int, default=512)
    add("--trained", type=Path, metavar="FOLDER", help=f"only CKA, {KEPT}")
    add("--unrelated", action="store_true", help="only the reference for CKA: untrained networks")
    add("--no-covers", action="store_true", help="no point sets and graphs, which need no images")

    def make(asked: argparse.Namespace) -> Made:
        if asked.unrelated:
            return run_unrelated(asked.models, device=asked.device, root=asked.results)
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
        if asked.no_covers:
            return networks
        return itertools.chain(run_covers(root=asked.results), networks)

    return make


def check(add: Add) -> Make:
    """Compare the images of records with those here; exit code 1 where some are others."""
    add("experiments", nargs="*", metavar="EXPERIMENT", help="folders of records; default: all")

    def make(asked: argparse.Namespace) -> Made:
        there = sorted(path.name for path in asked.results.iterdir() if path.is_dir())
        if unknown := sorted(set(asked.experiments) - set(there)):
            raise ValueError(f"{unknown[0]}: {asked.results} has only {', '.join(there)}")
        counts: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        for what, (state, why) in inputs.states(asked.experiments or there, asked.results):
            counts[state] += 1
            if state == inputs.CHANGED:
                print(f"{state}: {what}: {why}")
            elif why:
                reasons[why] += 1
        for why, count in reasons.items():
            print(f"{inputs.UNKNOWN}: {count} records: {why}")
        print(", ".join(f"{counts[s]} {s}" for s in (inputs.SAME, inputs.CHANGED, inputs.UNKNOWN)))
        if counts[inputs.CHANGED]:
            sys.exit(1)
        return None

    return make


#: Name of the command -> the function that adds its options and gives what makes the records.
COMMANDS = {
    "ss-rate": ss_rate,
    "factors": factors,
    "train": train,
    "invariance": invariance,
    "measures": measures,
    "check": check,
}


def main() -> None:
    """Run the command that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m reproduction", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        own = commands.add_parser(name, help=command.__doc__, description=command.__doc__)
        own.set_defaults(make=command(own.add_argument))
        own.add_argument(
            "--device", help="where the networks run; default: cuda where there is one"
        )
        own.add_argument("--results", type=Path, default=RESULTS, help="folder of the records")
    asked = parser.parse_args()
    if asked.results == RESULTS and not CHECKOUT:
        parser.exit(2, "no checkout of the repository is around the package: pass --results\n")

    machine.provenance()  # now, before the checkout can move on
    count = 0
    try:
        stop.listen()
        made = asked.make(asked)
        if made is None:  # asked for a look
            return
        records.check_folder(asked.results)
        leads = processes.rank() == 0  # of several, the one that makes the records
        if leads:
            where = f"Records go to {asked.results}; one can take minutes."
            print(where, file=sys.stderr, flush=True)
        for path in made:
            print(path, flush=True)
            count += 1
    except BrokenPipeError:  # nobody reads on, as after `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        parser.exit(0)
    except Elsewhere as error:
        parser.exit(GO_ON_LATER, f"{count} new record(s); {error}\n")
    except (ValueError, OSError, RuntimeError) as error:
        parser.exit(2, f"{error}\n")
    except KeyboardInterrupt as interrupt:
        parser.exit(
            GO_ON_LATER if isinstance(interrupt, stop.Terminated) else 130,
            f"Stopped after {count} new record(s); the same command goes on from here.\n",
        )
    if leads:
        print(f"{count} new record(s)")


if __name__ == "__main__":
    main()
