"""Damaged records among whole ones: tables, figures and the scorecard are made of what is left."""

from __future__ import annotations

import random
import shutil
import warnings
from collections.abc import Callable

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from test_damaged_records import damaged_file, whole

from reproduction import records
from reproduction.paths import RESULTS

N = 40  # damaged records for each of the pages


def covers(runs: pd.DataFrame) -> None:
    from reproduction.covering import draw, read

    found, slopes = read.covers(runs), read.slopes(runs)
    read.accuracy(found, slopes)
    read.correlation_table(read.correlations(found))
    if curves := read.curves(runs):
        draw.plot_covers(curves)
    read.network_table(found)
    read.point_table(slopes, found)
    read.component_table(runs)


def graphs(runs: pd.DataFrame) -> None:
    from reproduction.covering import draw, read

    found = read.dimensions(runs)
    read.colouring(found)
    if len(found):
        read.graph_table(found)
        draw.plot_graph_boxes(read.graph_covers(found))


def small_worlds(runs: pd.DataFrame) -> None:
    from reproduction.sensitivity import read_graphs

    found = read_graphs.graphs(runs)
    read_graphs.small_worlds(found)
    read_graphs.small_world_table(found)


def factors(runs: pd.DataFrame) -> None:
    from reproduction.sensitivity import read, read_factors

    found = read_factors.factors(runs)
    read_factors.setting_table(found)
    layers = read.layers(records.read_all("ss-rate-measures"))
    comparable = read_factors.comparable(found, records.layers(records.read_all("ss-rate")))
    read_factors.comparison_table(comparable)
    read_factors.comparability(comparable, layers)


def designs(runs: pd.DataFrame) -> None:
    from reproduction.architectures import designs, read

    found = read.table(runs, designs.designs())
    read.left_out(runs)
    read.vanishing(runs)
    read.seed_share(found)
    read.standing(found)
    read.factors(found)


PAGES: dict[str, Callable[[pd.DataFrame], None]] = {
    "box-covering": covers,
    "box-covering-graphs": graphs,
    "ss-rate-measures": small_worlds,
    "ss-rate-one-factor": factors,
    "architectures": designs,
}


@pytest.mark.parametrize("experiment", PAGES)
@pytest.mark.parametrize("others", [0, 3])
def test_pages_of_damaged_records(experiment, others, tmp_path):
    """Alone, and beside whole ones of its kind."""
    draw, kept = random.Random(f"{experiment} {others}"), sorted((RESULTS / experiment).iterdir())
    survived = 0
    for k in range(N // 2):
        root = tmp_path / str(k)
        (root / experiment).mkdir(parents=True)
        for path in draw.sample(kept, others):
            shutil.copy(path, root / experiment)
        damaged_file(experiment, whole(experiment, draw.choice(kept)), draw, root)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            runs = records.read_all(experiment, root)
            survived += len(runs)
            PAGES[experiment](runs)
        plt.close("all")
    assert survived >= N / 4 * others
