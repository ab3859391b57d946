"""Trained networks beside untrained ones: ``python -m reproduction.trained --weights FOLDER``.

FOLDER holds ``<timm name>.safetensors``; "pretrained" stands for timm's own download. Writes one
JSON per cell, skips the cells that are there, and can be stopped and called again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from reproduction import machine
from reproduction.grid import GO_ON_LATER, claim
from reproduction.paths import RESULTS
from reproduction.trained.invariance import run_invariance
from reproduction.trained.norms import run_norms
from reproduction.trained.remote import run_remote
from reproduction.trained.run import run_check, run_layers, run_path
from reproduction.trained.similarity import run_similarity
from reproduction.trained.weights import NETWORKS

#: What the command makes, by name, in the order of running.
PARTS: dict[str, Callable[..., Iterable[Path]]] = {
    "check": run_check,
    "layers": run_layers,
    "path": run_path,
    "remote": run_remote,
    "norms": run_norms,
    "similarity": run_similarity,
    "invariance": run_invariance,
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m reproduction.trained",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", default=[*PARTS], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--weights", required=True, help='"pretrained", or a folder')
    parser.add_argument("--models", nargs="+", default=[*NETWORKS], choices=NETWORKS)
    parser.add_argument("--device", help="where the networks run; default: cuda where there is one")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the records")
    asked = parser.parse_args(arguments)
    if unknown := [part for part in asked.parts if part not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}; expected {', '.join(PARTS)}")
    machine.provenance()  # now, before the checkout can move on
    left: list[str] = []
    try:
        for part in asked.parts:
            for model in asked.models:
                # The cells of a part share one pass over the network, and so one lock.
                with claim(asked.results / f"{part}-{model}.json") as ours:
                    if not ours:
                        left.append(f"{part} of {model}")
                        continue
                    for path in PARTS[part](
                        model, asked.weights, device=asked.device, root=asked.results
                    ):
                        print(path, flush=True)
    except (ValueError, FileNotFoundError, RuntimeError) as error:
        parser.exit(2, f"{error}\n")
    if left:
        parser.exit(GO_ON_LATER, f"left to other processes: {', '.join(left)}\n")


if __name__ == "__main__":
    main()
