"""What the constraint costs in a training step: ViT-S/16 at 224 px, forward, backward and AdamW.

    python benchmarks/constraint.py [--device cuda] [--batch 64] [--repeats 5] [--record]

"ours" is the constraint alone, from the hooks to the gradient of the tapped output: it runs on a
stand-in for the model, twelve modules that hand on a real output of the sixth block. "plain" and
"pdist" are the same penalty on the two transcriptions of benchmarks/ss_rate.py, without the hooks.
"added" is how much longer the whole step takes with the constraint in it, where a GPU can hide some
of the work. All are timed in turn, within one run, and compared by their medians. On a GPU the step
runs under bfloat16 autocast. --record keeps the run as benchmark-constraint/*.json in data/results,
or in the folder that --results names.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from ss_rate import plain
from torch import nn

from reproduction import models, records
from reproduction.machine import describe_device
from reproduction.paths import RESULTS
from sslib.constraint import SelfSimilarityConstraint
from sslib.features import reduce_mean

MODEL = "vit_small_patch16_224"
SETTINGS = {"target": 0.3, "weight": 1e-4, "layout": "BND"}


class StandIn(nn.Module):
    """As many modules as the model has blocks, each with the same output."""

    def __init__(self, depth):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Identity() for _ in range(depth))

    def forward(self, output):
        for block in self.blocks:
            block(output)


def measure(batch, device, repeats):
    model = models.untrained(MODEL, 0).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    images = torch.randn(batch, 3, 224, 224, generator=torch.Generator().manual_seed(0)).to(device)
    labels = (torch.arange(batch) % 1000).to(device)

    def step(constraint=None):
        optimizer.zero_grad()
        with torch.autocast(device, dtype=torch.bfloat16, enabled=device == "cuda"):
            loss = nn.functional.cross_entropy(model(images), labels)
            if constraint is not None:
                loss = loss + constraint()
        loss.backward()
        optimizer.step()

    def step_with():
        with SelfSimilarityConstraint(model, "blocks.*", **SETTINGS) as constraint:
            step(constraint)

    outputs = []
    handle = model.blocks[5].register_forward_hook(
        lambda _, __, output: outputs.append(output.detach())
    )
    step()
    handle.remove()
    # A gradient is there already, as the task loss leaves one in the model: adding to it is part of
    # the cost.
    output = outputs[0].requires_grad_()
    output.grad = torch.zeros_like(output)
    stand_in = StandIn(len(model.blocks))
    constraint = SelfSimilarityConstraint(stand_in, "blocks.*", **SETTINGS)

    def ours():
        stand_in(output)
        constraint().backward()

    def transcription(pdist):
        F = reduce_mean(output[: constraint.samples]).T
        (SETTINGS["weight"] * (plain(F, pdist=pdist) - SETTINGS["target"]) ** 2).backward()

    calls = {
        "step": step,
        "step_with": step_with,
        "ours": ours,
        "plain": lambda: transcription(False),
        "pdist": lambda: transcription(True),
    }
    times = {name: [] for name in calls}
    for turn in range(repeats + 1):  # one round to warm up
        for name, call in calls.items():
            elapsed = seconds(call, device)
            if turn:
                times[name].append(elapsed)
    median = {name: statistics.median(values) for name, values in times.items()}
    row = {f"{name}_ms": 1e3 * value for name, value in median.items()}
    row |= {f"{name}_share": median[name] / median["step"] for name in ("ours", "plain", "pdist")}
    row["added_share"] = median["step_with"] / median["step"] - 1
    return row


def seconds(call, device):
    """Of one call; on a GPU of ten in a row, so that waiting for it counts once."""
    count = 10 if device == "cuda" else 1
    synchronise = torch.cuda.synchronize if device == "cuda" else lambda: None
    synchronise()
    start = time.perf_counter()
    for _ in range(count):
        call()
    synchronise()
    return (time.perf_counter() - start) / count


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of records")
    arguments = parser.parse_args()
    start = time.perf_counter()
    row = measure(arguments.batch, arguments.device, arguments.repeats)
    took = time.perf_counter() - start
    print(f"step {row['step_ms']:.1f} ms, with the constraint {row['added_share']:+.2%}")
    for name in ("ours", "pdist", "plain"):
        print(f"{name:5s} {row[f'{name}_ms']:9.2f} ms {row[f'{name}_share']:8.2%} of a step")
    if arguments.record:
        machine = describe_device(arguments.device)["name"]  # part of what names a record
        config = {
            "model": MODEL,
            "size": 224,
            "batch": arguments.batch,
            "device": arguments.device,
            "machine": machine,
        }
        record = records.new_record(
            "benchmark-constraint", config, 0, row, device=arguments.device, seconds=took
        )
        print(records.write(record, arguments.results).name)


if __name__ == "__main__":
    main()
