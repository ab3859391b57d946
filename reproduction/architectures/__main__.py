"""Measure the designs of data/architectures.csv.

``python -m reproduction.architectures --seeds 0 1 2`` is what the plan asks for.

Writes a JSON per design and seed under data/results/architectures (or --results), skips what is
there, and can be stopped and called again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from reproduction.architectures.designs import designs
from reproduction.architectures.run import IMAGES, N_IMAGES, run_architectures, skipped
from reproduction.grid import GO_ON_LATER, Elsewhere
from reproduction.paths import RESULTS


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m reproduction.architectures", description=__doc__
    )
    parser.add_argument(
        "--models",
        nargs="+",
        metavar="NAME",
        help="timm's names; all designs of the file unless given",
    )
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[0, 1, 2], help="of the random weights"
    )
    parser.add_argument("--images", default=IMAGES, help="as for reproduction.images.load_images")
    parser.add_argument("--n-images", type=int, default=N_IMAGES)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    names = arguments.models or [design["name"] for design in designs()]
    paths = []
    try:
        for path in run_architectures(
            names,
            arguments.seeds,
            images=arguments.images,
            n_images=arguments.n_images,
            root=arguments.results,
        ):
            print(path.name, flush=True)
            paths.append(path)
    except Elsewhere as error:
        parser.exit(GO_ON_LATER, f"{error}\n")
    for name, reason in skipped(paths).items():
        print(f"skipped {name}: {reason}")


if __name__ == "__main__":
    main()
