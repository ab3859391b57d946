"""Speed and memory: the tables follow the records, and the sentences the tables."""

import pandas as pd
import pytest

from reproduction import records
from reproduction.benchmarks import draw, read, say


@pytest.fixture
def runs():
    """Two sizes on one machine; plain did not fit into memory at the larger one."""
    return pd.DataFrame(
        {
            "date": "2026-01-01",
            "config.device": "cpu",
            "config.D": [768, 384],
            "config.B": [512, 64],
            "device.name": "CPU",
            "device.threads": [1, 1],
            "versions.torch": "2.0",
            "metrics.ours_ms": [10.0, 2.0],
            "metrics.ours_MB": [20.0, 4.0],
            "metrics.floor_ms": [5.0, 0.5],
            "metrics.plain_ms": [None, 200.0],
            "metrics.plain_MB": [None, 40.0],
            "metrics.pdist_ms": [500.0, 20.0],
            "metrics.pdist_MB": [100.0, 8.0],
        }
    )


def test_speed_is_sorted_by_size_and_counts_in_multiples_of_ours(runs):
    table = read.speed(runs)
    assert list(table.index) == ["384 × 64", "768 × 512"]
    assert list(table.loc["384 × 64"]) == ["2.0", "4", "4.0×", "100×", "10×", "10×", "2×"]
    assert list(table["plain", "time"]) == ["100×", "-"]
    assert read.speed(pd.DataFrame()).empty


def test_of_two_machines_the_latest_counts(runs):
    later = runs.assign(date="2026-02-01") * 1
    later["metrics.ours_ms"] = [7.0, 1.0]
    table = read.speed(pd.concat([later, runs], ignore_index=True))
    assert list(table["ours", "ms"]) == ["1.0", "7.0"]


def test_scaling_is_by_size_in_seconds(runs):
    table = read.scaling(runs)
    assert list(table.index) == [384, 768] and list(table["ours_s"]) == [0.002, 0.01]
    assert table["plain_s"].isna().tolist() == [False, True]
    figure = draw.plot_scaling(table)
    drawn = {line.get_label(): list(line.get_xdata()) for line in figure.axes[0].lines}
    assert drawn == {"sslib": [384, 768], "floor": [384, 768], "pdist": [384, 768], "plain": [384]}
    table.index = [1024, 65536]
    assert say.scaling(table) == (
        "Measured on CPU (1 thread): at D = 65,536, SS_rate and its gradient take 0.01 s, 2.0 "
        "times the floor, and 20 MB; the matrix of distances alone would be 17,180 MB. From D = "
        "1,024 on, the time is at most 4.0 times the floor."
    )
    assert read.scaling(pd.DataFrame()).empty and "**not run**" in say.scaling(pd.DataFrame())


def test_one_size_is_told_with_its_machine(runs):
    outcome = read.speed_at(runs, 384, 64)
    assert (outcome.plain_over_ours, outcome.ours_over_floor) == (100, 4)
    assert say.speed(outcome) == (
        "Measured on one machine: CPU, 1 thread, torch 2.0. For D = 384 and B = 64, `sslib` is "
        "100 times as fast as plain and takes 4.0 times the floor."
    )
    assert "2 threads" in say.speed(outcome._replace(threads=2))
    assert read.speed_at(runs, 5, 5) is None is read.speed_at(pd.DataFrame())
    assert say.speed(None) == "Time and memory of SS_rate: **not run**."


def test_the_cost_of_a_step_is_the_largest_of_all_machines():
    runs = pd.DataFrame(
        {
            "config.device": ["cpu", "cuda"],
            "config.batch": [64, 128],
            "device.name": ["CPU", "GPU"],
            "device.threads": [2, None],
            "metrics.step_ms": [8000.0, 500.0],
            "metrics.ours_ms": [10.0, 5.0],
            "metrics.plain_ms": [40.0, 30.0],
            "metrics.ours_share": [0.001, 0.01],
            "metrics.pdist_share": [0.002, 0.02],
            "metrics.plain_share": [0.004, 0.06],
            "metrics.added_share": [-0.001, 0.011],
        }
    )
    table = read.step(runs)
    assert list(table.index) == ["CPU", "CUDA"]
    assert list(table.loc["CUDA"]) == [128, "0.50", "1.00", "2.00", "6.00", "+1.10"]
    assert read.cost(runs) == (0.01, 4.0, ("CPU (2 threads)", "GPU"), True)
    machines = "4.0 times as much. Measured on 2 machines: CPU (2 threads), GPU."
    assert say.cost(read.cost(runs)).endswith(machines)
    one = "Measured on 1 machine: CPU (2 threads); **on a GPU: not run**."
    assert say.cost(read.cost(runs[:1])).endswith(one)
    assert read.step(pd.DataFrame()).empty and read.cost(pd.DataFrame()) is None
    assert say.cost(None) == "The constraint in a training step: **not run**."


def test_the_committed_benchmarks_are_read():
    assert len(read.speed(records.read_all(read.SPEED))) >= 6
    assert read.speed_at(records.read_all(read.SPEED)).plain_over_ours > 1
    assert len(read.scaling(records.read_all(read.SCALING))) >= 4
    assert 0 < read.cost(records.read_all(read.STEP)).share < 0.1
