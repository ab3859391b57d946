"""Time and peak memory of SS_rate's forward and backward pass, against plain transcriptions and
against the floor.

    python benchmarks/ss_rate.py [--device cuda] [--repeats 15] [--scaling [D ...]] [--record]

"plain" is Algorithm 2 as one would first vectorise it: differences of all pairs of rows, then a
tensor of thresholds x pairs, differentiated by autograd. "pdist" is the same with torch.pdist for
the distances, the better of the two. "floor" is what no exact method can do without: two D x D x B
products and one pass over D^2 numbers. "product" is one of them, beside it sslib's pair_distances
and torch.pdist. All are timed in turn within one run and compared by their medians; memory is how
far the process rises above its inputs. --scaling takes B = 64 and D from 512 to 65,536, or the D
given. --record keeps the run as data/results/benchmark-ss-rate/*.json or, of --scaling,
data/results/benchmark-scaling/*.json, which the book's page on speed reads.
"""

from __future__ import annotations

import argparse
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from reproduction import records
from reproduction.machine import describe_device
from sslib import pair_distances, ss_rate

SIZES = [(D, B) for D in (384, 768, 2048) for B in (64, 512)] + [(8192, 256)]
SCALING = [2**k for k in range(9, 17)]  # D, with B = 64
T = 256


def plain(F, pdist=False):
    """Released formula: counts by the straight-through trick, gradient by autograd, T x pairs in
    memory.
    """
    D, B = F.shape
    if pdist:
        C = torch.pdist(F) / math.sqrt(B)
    else:
        i, j = torch.triu_indices(D, D, 1, device=F.device)
        C = (F[i] - F[j]).norm(dim=1) / math.sqrt(B)
    TZ, TV = C.detach().min(), C.detach().max()
    s = torch.linspace(0, 1, T, device=F.device)
    theta = (1 + TZ) * ((1 + TV) / (1 + TZ)) ** s - 1
    soft = torch.sigmoid(theta[:, None] - C)
    hard = (soft > 0.5).to(C.dtype).mean(1)
    p = hard + D * (soft.mean(1) - soft.mean(1).detach())
    N = D - (D - 1) * torch.log(1 + (D - 1) * p) / math.log(D)
    return 2 / T * ((1 - s) - N.log() / math.log(D)).abs().sum()


def floor(F, W):
    """Two products and a pass, as many rows of D x D numbers at a time as W has."""
    for rows in torch.split(F, len(W)):
        C = rows @ F.T
        W @ F
        C.mul_(2.0)


def work(name, D, B, device):
    g = torch.Generator().manual_seed(0)
    F = torch.randn(D, B, generator=g).to(device).requires_grad_()
    if name == "floor":
        height = D if D <= 8192 else 1024
        W, rows = torch.randn(height, D, generator=g).to(device), F.detach()
        return lambda: floor(rows, W)
    if name == "product":
        return lambda: F.detach() @ F.detach().T
    if name == "distances":
        return lambda: pair_distances(F.detach())
    if name == "pdist_alone":
        return lambda: torch.pdist(F.detach())
    if name in ("plain", "pdist"):
        return lambda: torch.autograd.grad(plain(F, pdist=name == "pdist"), F)
    return lambda: torch.autograd.grad(ss_rate(F, check=False), F)


def seconds(call, device):
    """Of the wall clock; of one CPU thread its own time, to which other programs add nothing."""
    alone = device == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if alone else time.perf_counter
    start = clock()
    call()
    if device == "cuda":
        torch.cuda.synchronize()
    return clock() - start


def peak_bytes(name, D, B, device):
    """Peak memory above the inputs: torch's own count on a GPU, the high-water mark of a fresh
    process on a CPU.
    """
    if device == "cuda":
        call = work(name, D, B, device)
        call()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return torch.cuda.max_memory_allocated() - before
    out = subprocess.run(
        [sys.executable, __file__, "--peak", name, str(D), str(B)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(out.stdout)


def print_own_peak(name, D, B):
    """In a process of its own: how far the resident set rises above what it is before the first
    large call.
    """
    work(name, 64, 16, "cpu")()  # libraries loaded, thread pools started
    call = work(name, D, B, "cpu")
    before = high_water()
    call()
    print(high_water() - before)


def high_water():
    """Bytes. Linux: of this program alone (getrusage would carry over the parent's)."""
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure(D, B, device, repeats):
    pairs = D * (D - 1) / 2
    names = ["ours", "floor"]
    names += ["product", "distances", "pdist_alone"] * (D <= 16384)  # hold D x D numbers
    names += ["pdist"] * (T * pairs * 4 <= 2.5e9)  # three such tensors: 8 GB
    names += ["plain"] * (T * pairs * 4 <= 2.5e9 and B * pairs * 4 <= 2e9)  # as many of each
    calls = {name: work(name, D, B, device) for name in names}
    times = {name: [] for name in names}
    warm = 2 if D <= 8192 else 0
    for turn in range(repeats + warm):
        for name, call in calls.items():
            rounds = 3 if D <= 1024 else 1  # of what takes a second and more
            if name in ("pdist", "plain") and not warm <= turn < warm + rounds:
                continue
            elapsed = seconds(call, device)
            if turn >= warm:
                times[name].append(elapsed)
    row = {}
    for name in names:
        row[f"{name}_ms"] = 1e3 * statistics.median(times[name])
        if name in ("ours", "pdist", "plain"):
            row[f"{name}_MB"] = peak_bytes(name, D, B, device) / 1e6
    return row


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--scaling", type=int, nargs="*")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--peak", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        name, D, B = arguments.peak
        return print_own_peak(name, int(D), int(B))
    machine = describe_device(arguments.device)["name"]  # part of what names a record
    print(
        "    D   B  ours ms  x floor  plain/ours  pdist/ours  ours MB  plain/ours MB  pdist/ours MB"
    )
    scaling = arguments.scaling is not None
    sizes = [(D, 64) for D in arguments.scaling or SCALING] if scaling else SIZES
    for D, B in sizes:
        start = time.perf_counter()
        repeats = arguments.repeats if D <= 4096 else 3 if D <= 16384 else 1
        row = measure(D, B, arguments.device, repeats)

        def over(name, unit, row=row):
            return (
                f"{row[f'{name}_{unit}'] / row[f'ours_{unit}']:.0f}"
                if f"{name}_{unit}" in row
                else "-"
            )

        print(
            f"{D:5d} {B:3d} {row['ours_ms']:8.2f} {row['ours_ms'] / row['floor_ms']:8.2f} "
            f"{over('plain', 'ms'):>11} {over('pdist', 'ms'):>11} {row['ours_MB']:8.1f} "
            f"{over('plain', 'MB'):>14} {over('pdist', 'MB'):>14}",
            flush=True,
        )
        if arguments.record:
            config = {
                "D": D,
                "B": B,
                "thresholds": T,
                "device": arguments.device,
                "machine": machine,
            }
            record = records.new_record(
                "benchmark-scaling" if scaling else "benchmark-ss-rate",
                config,
                0,
                row,
                device=arguments.device,
                seconds=time.perf_counter() - start,
            )
            print("      ", records.write(record).name)


if __name__ == "__main__":
    main()
