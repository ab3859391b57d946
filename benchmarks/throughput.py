"""Images a second in training, beside those of a batch that lies ready on the device.

    python benchmarks/throughput.py --device cuda --recipe paper --dataset imagenette [--record]

"training" is what two epochs of a recipe come to, from the stored pictures to the step of AdamW:
crops, RandAugment, mixing, the network; tests of accuracy are not counted. "resident" is the same
network and step on one augmented batch, again and again: what the device does if it never waits.
--record keeps the run as benchmark-throughput/*.json in data/results, or in the folder that
--results names.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn import functional

from reproduction import records
from reproduction.machine import describe_device
from reproduction.paths import RESULTS
from reproduction.table_1 import find
from reproduction.training.loop import train
from reproduction.training.pictures import augment, load_pictures
from reproduction.training.recipes import RECIPES, Run, network_of


def measure(model, recipe, dataset, device, steps):
    pictures = load_pictures(dataset, recipe, device=device)
    run = Run(model, replace(recipe, epochs=2, test_last=True), 0)
    rates = {"training": train(run, pictures, device=device)["images_per_second"]}
    rates["resident"] = recipe.batch / resident(run, pictures, device, steps)
    return rates, pictures.data


def resident(run, pictures, device, steps):
    """Seconds a step: the median of `steps`, after two that warm up."""
    network, _ = network_of(run, pictures.classes)
    network = network.to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5)
    pixels, labels = (part[: run.recipe.batch] for part in pictures.train)
    images = augment(pixels, run.recipe, find(run.model))
    images = images.contiguous(memory_format=torch.channels_last)
    taken = []
    for _ in range(steps + 2):
        start = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
            loss = functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[2:])


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--model", default="ViT (small)")
    parser.add_argument("--recipe", default="quick", choices=RECIPES)
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of records")
    asked = parser.parse_args()
    start, recipe = time.perf_counter(), RECIPES[asked.recipe]
    rates, data = measure(asked.model, recipe, asked.dataset, asked.device, asked.steps)
    took = time.perf_counter() - start
    for name, rate in rates.items():
        print(f"{name:9s} {rate:9.0f} images/s")
    print(f"training reaches {rates['training'] / rates['resident']:.0%} of resident")
    if asked.record:
        config = {
            "model": find(asked.model).timm_name,
            "recipe": asked.recipe,
            "dataset": asked.dataset,
            "device": asked.device,
            "machine": describe_device(asked.device)["name"],  # part of what names a record
        }
        metrics = {f"{name}_images_per_second": rate for name, rate in rates.items()}
        record = records.new_record(
            "benchmark-throughput", config, 0, metrics, data=data, device=asked.device, seconds=took
        )
        print(records.write(record, asked.results).name)


if __name__ == "__main__":
    main()
