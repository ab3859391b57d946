"""Time and peak memory of the correlation dimension of 5,000 points in 30 dimensions, against the
full distance matrix.

    python benchmarks/correlation_dimension.py [--points 5000] [--repeats 5] [--record]

"ours" is sslib's all-pairs estimator: a histogram of the logarithms of all distances, filled block
by block. "matrix" is what one would write first: all N x N distances at once, T(r) counted at the
same number of radii over the same range, and a line fitted where T lies between the same limits.
"released" is sslib's copy of the released estimator, which looks at 29 neighbours only. All are
timed in turn and compared by their medians; memory is how far the process rises above its input.
--record keeps the run as data/results/benchmark-correlation-dimension/*.json, which the book shows.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.distance import cdist

from reproduction import records
from reproduction.machine import describe_device
from sslib.dimension import correlation_dimension

DIMENSIONS = 30
NAMES = ("ours", "matrix", "released")


def points(n):
    """A five-dimensional ball, turned into 30 dimensions, with a little noise: what UMAP's output
    is like.
    """
    rng = np.random.default_rng(0)
    ball = rng.standard_normal((n, 5))
    ball *= rng.random((n, 1)) ** 0.2 / np.linalg.norm(ball, axis=1, keepdims=True)
    return ball @ np.linalg.qr(rng.standard_normal((DIMENSIONS, 5)))[
        0
    ].T + 0.001 * rng.standard_normal((n, DIMENSIONS))


def matrix(x):
    """Slope of log T(r) between T = 0.5/(N-1) and 2 %, from the N x N matrix."""
    n = len(x)
    distances = cdist(x, x)
    pairs = np.sort(distances[np.triu_indices(n, 1)])
    radii = np.exp(np.arange(np.log(pairs[pairs > 0][0]), np.log(pairs[-1]), np.log(2) / 64))
    T = np.searchsorted(pairs, radii, side="right") / len(pairs)
    fitted = (T >= 0.5 / (n - 1)) & (T <= 0.02)
    return np.polyfit(np.log(radii[fitted]), np.log(T[fitted]), 1)[0]


def work(name, n):
    x = points(n)
    if name == "matrix":
        return lambda: matrix(x)
    return lambda: float(
        correlation_dimension(x, estimator="printed" if name == "ours" else "released")
    )


def peak_bytes(name, n):
    """The high-water mark of a fresh process."""
    command = [sys.executable, __file__, "--peak", name, "--points", str(n)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def print_own_peak(name, n):
    """In a process of its own: how far the resident set rises above what it is before the first
    large call.
    """
    work(name, 300)()  # libraries loaded
    call = work(name, n)
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


def measure(n, repeats):
    calls = {name: work(name, n) for name in NAMES}
    row = {f"{name}_dimension": float(call()) for name, call in calls.items()}  # also warms up
    times = {name: [] for name in NAMES}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    for name in NAMES:
        row[f"{name}_s"] = statistics.median(times[name])
        row[f"{name}_MB"] = peak_bytes(name, n) / 1e6
    return row


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--peak", choices=NAMES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        return print_own_peak(arguments.peak, arguments.points)
    start = time.perf_counter()
    row = measure(arguments.points, arguments.repeats)
    for name in NAMES:
        print(
            f"{name:>9}: {row[f'{name}_s']:7.3f} s {row[f'{name}_MB']:7.0f} MB  "
            f"dimension {row[f'{name}_dimension']:.3f}"
        )
    if arguments.record:
        config = {
            "N": arguments.points,
            "dimensions": DIMENSIONS,
            "threads": torch.get_num_threads(),
        }
        config["machine"] = describe_device("cpu")["name"]
        seconds = time.perf_counter() - start
        print(
            records.write(
                records.new_record(
                    "benchmark-correlation-dimension", config, 0, row, seconds=seconds
                )
            ).name
        )


if __name__ == "__main__":
    main()
