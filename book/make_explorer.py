"""Work out what the explorer page draws: SSLIB_DATA=... python book/make_explorer.py [--runs
FOLDER]

The nine networks of Table 1 with random weights see 512 ImageNet images (some ten minutes on two
cores), and the networks that were trained here see 512 of their own training images. At most 128
channels of a layer are kept.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reproduction import explorer, machine, models, records
from reproduction.covering.draw import plot_boxes
from reproduction.files import replace
from reproduction.images import load_images
from reproduction.models import features_of
from reproduction.ss_rate.cells import SS_RATE
from reproduction.style import use_style
from reproduction.table_1 import TABLE_1, find
from reproduction.training.pictures import load_pictures, normalise
from reproduction.training.recipes import RECIPES, Run, network_of

SEED, CHANNELS, IMAGES, N_IMAGES = 0, 128, "imagenet-sample", 512
STATES = {"baseline": "trained", "constrained": "trained with the constraint"}


def some(F: Tensor) -> Tensor:
    """At most CHANNELS rows of F, drawn at random, in their order."""
    return F[
        torch.randperm(len(F), generator=torch.Generator().manual_seed(SEED))[:CHANNELS]
        .sort()
        .values
    ]


def untrained() -> Iterator[tuple[dict[str, Any], Tensor]]:
    """Four modules of every network of Table 1."""
    images = load_images(IMAGES, N_IMAGES, seed=SEED)
    runs = records.read_all(SS_RATE)
    for architecture in TABLE_1.values():
        last = len(architecture.modules) - 1
        chosen = [architecture.modules[round(k * last / 3)] for k in range(4)]
        batch = images.normalised(architecture.mean, architecture.std)
        network = models.untrained(architecture, SEED)
        features = features_of(architecture, network, batch, modules=chosen)
        whole = runs[
            (runs["config.model"] == architecture.timm_name)
            & (runs["config.draw"] == SEED)
            & (runs["seed"] == SEED)
            & (runs["config.weights"] == "untrained")
        ]
        for module, F in features.items():
            measured = whole.iloc[0]["metrics.layers"][module]
            about = {
                "model": architecture.name,
                "family": architecture.family,
                "state": "untrained",
                "module": module,
            }
            about |= {"images": "ImageNet", "channels": measured["D"]}
            about["ss_rate_of_all"] = {
                formula: measured[formula] for formula in ("released", "printed")
            }
            yield about, some(F)


def trained(folder: Path, seed: int) -> Iterator[tuple[dict[str, Any], Tensor]]:
    """The first module of networks that were trained, from the .npz beside each record, and before
    training.
    """
    before = set()
    for file in sorted(folder.glob("*.json")):
        run = records.read(file)
        config = run["config"]
        if (
            run["seed"] != seed
            or config["recipe"] != "cpu"
            or config["arm"] not in STATES
            or not file.with_suffix(".npz").exists()
        ):
            continue
        architecture, dataset = find(config["model"]), config["dataset"]
        with np.load(file.with_suffix(".npz")) as arrays:
            (key,) = [name for name in arrays.files if name.startswith("F/")]
            F = torch.from_numpy(arrays[key])
        module = key.removeprefix("F/")
        about = {
            "model": f"{architecture.name}, small, {dataset}",
            "family": architecture.family,
            "module": module,
        }
        about |= {"images": dataset, "channels": len(F), "record": file.name}
        if about["model"] not in before:
            before.add(about["model"])
            pictures = load_pictures(dataset, RECIPES["cpu"])
            network, _ = network_of(Run(config["model"], RECIPES["cpu"], seed), pictures.classes)
            batch = normalise(pictures.probe[: F.shape[1]], architecture)
            first = features_of(architecture, network, batch, modules=[module], device="cpu")[
                module
            ]
            channels = torch.randperm(len(first), generator=torch.Generator().manual_seed(seed))[
                :CHANNELS
            ]
            yield about | {"state": "untrained"}, first[channels]
        yield about | {"state": STATES[config["arm"]]}, F


def still(layer: dict[str, Any], path: Path) -> None:
    """The picture that stands on the page where scripts do not run."""
    use_style()
    steps = (40, 70, 110)
    theta = [
        (1 + layer["TZ"]) * ((1 + layer["TV"]) / (1 + layer["TZ"])) ** (step / 255) - 1
        for step in steps
    ]
    boxes = {
        f"θ = {t:.2f}": explorer.boxes(layer, step) for t, step in zip(theta, steps, strict=True)
    }
    counts = layer["curves"] | {
        bound: explorer.unpack(layer[bound]) for bound in ("lower", "upper")
    }
    figure = plot_boxes(layer["places"], boxes, counts, steps)
    picture = StringIO()
    figure.savefig(picture, format="svg", metadata={"Date": None, "Creator": None})
    replace(path, picture.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--runs", type=Path, help="folder of training records with an .npz beside each"
    )
    asked = parser.parse_args()
    machine.provenance()
    start, layers = time.perf_counter(), []
    sources = [untrained()] + ([trained(asked.runs, SEED)] if asked.runs else [])
    for source in sources:
        for about, F in source:
            layers.append(about | explorer.layer(F))
            print(about["model"], about["state"], about["module"], flush=True)
    images = load_images(IMAGES, N_IMAGES, seed=SEED)
    config = {
        "images": IMAGES,
        "n_images": N_IMAGES,
        "draw": SEED,
        "channels": CHANNELS,
        "weights": "untrained",
    }
    config |= {"trained": sorted({layer["record"] for layer in layers if "record" in layer})}
    seconds = round(time.perf_counter() - start, 1)
    record = records.new_record(
        "explorer", config, SEED, {"layers": layers}, data=images.data, seconds=seconds
    )
    explorer.write(record)
    still(layers[0], explorer.DATA.with_name("still.svg"))
    print(
        json.dumps({key: record[key] for key in ("commit", "dirty", "seconds")}),
        explorer.DATA.stat().st_size,
        "bytes",
    )


if __name__ == "__main__":
    main()
