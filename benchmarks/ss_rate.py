"""Time and peak memory of SS_rate's forward and backward pass, against plain transcriptions and
against the floor.

    python benchmarks/ss_rate.py [--device cuda] [--repeats 15] [--record]

"plain" is Algorithm 2 as one would first vectorise it: differences of all pairs of rows, then a
tensor of thresholds x pairs, differentiated by autograd. "pdist" is the same with torch.pdist for
the distances, the better of the two. "floor" is what no exact method can do without: two D x D x B
products and one pass over D^2 numbers. All are timed in turn within one run and compared by their
medians; memory is how far the process rises above its inputs. --record keeps the run as
data/results/benchmark-ss-rate/*.json, which the book's page on speed reads.
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
from sslib.rate import ss_rate

SIZES = [(D, B) for D in (384, 768, 2048) for B in (64, 512)]
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
    C = F @ F.T
    W @ F
    return C.mul_(2.0)


def work(name, D, B, device):
    g = torch.Generator().manual_seed(0)
    F = torch.randn(D, B, generator=g).to(device).requires_grad_()
    if name == "floor":
        W, rows = torch.randn(D, D, generator=g).to(device), F.detach()
        return lambda: floor(rows, W)
    if name in ("plain", "pdist"):
        return lambda: torch.autograd.grad(plain(F, pdist=name == "pdist"), F)
    return lambda: torch.autograd.grad(ss_rate(F, check=False), F)


def seconds(call, device):
    start = time.perf_counter()
    call()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


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
    names = ["ours", "floor", "pdist", "plain"]
    if D * (D - 1) / 2 * B * 4 > 2e9:
        names.remove("plain")  # three such tensors and three of T x pairs: more than 20 GB
    calls = {name: work(name, D, B, device) for name in names}
    times = {name: [] for name in names}
    for turn in range(repeats + 2):  # two rounds to warm up
        for name, call in calls.items():
            if name in ("pdist", "plain") and turn >= 5:
                continue
            elapsed = seconds(call, device)
            if turn >= 2:
                times[name].append(elapsed)
    row = {}
    for name in names:
        row[f"{name}_ms"] = 1e3 * statistics.median(times[name])
        if name != "floor":
            row[f"{name}_MB"] = peak_bytes(name, D, B, device) / 1e6
    return row


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--peak", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        name, D, B = arguments.peak
        return print_own_peak(name, int(D), int(B))
    machine = describe_device(arguments.device)["name"]  # part of what names a record
    print(
        "   D   B  ours ms  x floor  plain/ours  pdist/ours  ours MB  plain/ours MB  pdist/ours MB"
    )
    for D, B in SIZES:
        start = time.perf_counter()
        row = measure(D, B, arguments.device, arguments.repeats)

        def over(name, unit, row=row):
            return (
                f"{row[f'{name}_{unit}'] / row[f'ours_{unit}']:.0f}"
                if f"{name}_{unit}" in row
                else "-"
            )

        print(
            f"{D:4d} {B:3d} {row['ours_ms']:8.2f} {row['ours_ms'] / row['floor_ms']:8.2f} "
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
                "benchmark-ss-rate",
                config,
                0,
                row,
                device=arguments.device,
                seconds=time.perf_counter() - start,
            )
            print("      ", records.write(record).name)


if __name__ == "__main__":
    main()
