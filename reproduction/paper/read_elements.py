"""The paper element by element: every figure, table cell, equation, algorithm, appendix and item of
future work, what is printed, what is ours or "not run", where it is in the book, and the command.

Cells come from the printed tables, ours from the readers of the rooms, the rest from
data/paper/elements.yml.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import yaml

from reproduction import records
from reproduction.invariance.read import METRICS, invariance_table, mean_and_std
from reproduction.invariance.read import full_scale as of_tables_4_and_5
from reproduction.paper.tables import DATASETS, load_table
from reproduction.paths import PAPER, RESULTS
from reproduction.sensitivity.read_graphs import graphs, small_worlds
from reproduction.ss_rate.cells import FIGURE_2
from reproduction.ss_rate.read import full_scale, table_2
from reproduction.table_1 import find
from reproduction.training.read import read_runs, table_3
from reproduction.words import percent

NOT_RUN = "not run"

COLUMNS = ("part", "element", "column", "printed", "ours", "small", "code", "where", "command")

#: Table of the paper -> page that shows it, and command that makes our values.
TABLES: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        1: ("notebooks/nine_models", ""),
        2: ("notebooks/nine_models", "python -m reproduction ss-rate --seeds 0 1 2 3 4"),
        3: ("notebooks/training", "python -m reproduction train --recipe paper --dataset"),
        4: ("notebooks/invariance", "python -m reproduction invariance --seeds 0 1 2"),
        5: ("notebooks/invariance", "python -m reproduction invariance --seeds 0 1 2"),
    }
)


def elements(root: str | os.PathLike[str] = RESULTS) -> pd.DataFrame:
    """Every element of the paper, a row each; of a table, a row per printed cell.

    >>> table = elements("no-such-folder")
    >>> len(table), table.query("part == 'Table 2'")["ours"].unique().tolist()
    (219, ['not run'])

    Args:
        root: the folder of records; what is missing there is "not run".

    Returns:
        Columns part (as "Table 3" or "equations"), element (a model, or as in print), column (of a
        table, else ""), printed, ours, small (what small runs found, "" where there are none), code
        (a name of sslib or ""), where (pages of the book), command.
    """
    # records are read once, whatever asks for them
    read_all = cache(partial(records.read_all, root=Path(root)))
    rows = [*_listed(read_all), *_table_1(), *_table_2(read_all)]
    rows += [*_table_3(Path(root)), *_tables_4_and_5(read_all)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).fillna("")


def _listed(read_all: Callable[[str], pd.DataFrame]) -> Iterator[dict[str, Any]]:
    text = (PAPER / "elements.yml").read_text(encoding="utf-8")
    for part, entries in yaml.safe_load(text).items():
        for entry in entries:
            row = {"ours": "in code", "command": ""} | entry
            if row["ours"] in OURS:
                row["ours"] = OURS[row["ours"]](read_all)
            yield row | {"part": part, "where": tuple(row["where"])}


def _cell(number: int, element: str, column: str, printed: str, ours: str) -> dict[str, Any]:
    page, command = TABLES[number]
    row = {"part": f"Table {number}", "element": element, "column": column, "printed": printed}
    return row | {"ours": ours, "where": (page,), "command": command}


def _table_1() -> Iterator[dict[str, Any]]:
    for row in load_table(1).itertuples():
        network = find(row.model)
        first, last = network.modules[0], network.modules[-1]
        ours = f"{network.timm_name}: {len(network.modules)} modules, {first} to {last}"
        yield _cell(1, row.model, "modules", row.modules_as_printed, ours)


def _table_2(read_all: Callable[[str], pd.DataFrame]) -> Iterator[dict[str, Any]]:
    ours = table_2(full_scale(read_all("ss-rate")))
    for state in ("untrained", "pretrained"):
        names = [f"{state}: {name}" for name in ("paper", "ours, released", "std, released")]
        for model, paper, mean, std in ours[names].itertuples(name=None):
            yield _cell(2, model, state, f"{paper:.2f}", _spread(mean, std, 3))


def _table_3(root: Path) -> Iterator[dict[str, Any]]:
    runs, printed = read_runs(root), load_table(3)
    for dataset, name in DATASETS.items():
        full, small = (table_3(runs, recipe, dataset) for recipe in ("paper", "cpu"))
        for row in printed[printed["dataset"] == dataset].itertuples():
            top1 = f"{row.top1_mean:.2f} ± {row.top1_std:.2f}"
            rate = f"{row.ss_rate_mean:.2f} ± {row.ss_rate_std:.2f}"
            own, little = (_of_arm(table.loc[row.model], row.arm) for table in (full, small))
            column = f"{name}, {row.arm}"
            for what, theirs, key in (("top-1", top1, "mean"), ("SS_rate", rate, "SS_rate")):
                cell = _cell(3, row.model, f"{column}, {what}", theirs, own[key])
                small_text = "" if little[key] == NOT_RUN else little[key]
                command = f"{cell['command']} {dataset}"
                yield cell | {"small": small_text, "command": command}


def _of_arm(row: pd.Series, arm: str) -> dict[str, str]:
    n = f" (n = {row[f'{arm}: n']:.0f})"
    top1 = _spread(row[f"{arm}: mean"], row[f"{arm}: std"], 2)
    rate = _spread(row[f"{arm}: SS_rate"], math.nan, 2)
    return {"mean": top1 if top1 == NOT_RUN else top1 + n, "SS_rate": rate}


def _tables_4_and_5(read_all: Callable[[str], pd.DataFrame]) -> Iterator[dict[str, Any]]:
    runs = read_all("invariance")
    for number in METRICS:
        table = invariance_table(runs, number)
        ours = table[table["way"] == "released"].set_index(["model", "images"])
        for row in load_table(number).itertuples():
            for dataset, name in DATASETS.items():
                own = ours.loc[row.model, dataset]
                text = mean_and_std(own["ours"], own["std"])
                yield _cell(number, row.model, name, f"{getattr(row, dataset):.4f}", text)
            average = ours.loc[row.model]["ours"].mean(skipna=False)
            text = mean_and_std(average, math.nan)
            yield _cell(number, row.model, "average", f"{row.average:.4f}", text)


def _spread(mean: float, std: float, digits: int) -> str:
    """Mean ± standard deviation; a single run has none."""
    if math.isnan(mean):
        return NOT_RUN
    text = f"{mean:.{digits}f}"
    return text if math.isnan(std) else f"{text} ± {std:.{digits}f}"


# --- what is not in a table -------------------------------------------------------------------


def _figure_2(read_all: Callable[[str], pd.DataFrame]) -> str:
    runs = full_scale(read_all("ss-rate"))
    if runs.empty:
        return NOT_RUN
    runs = runs[runs["config.model"].isin(list(FIGURE_2))]
    untrained = runs["config.weights"] == "untrained"
    counts = (runs[part]["config.model"].nunique() for part in (untrained, ~untrained))
    told = (f"{n} of {len(FIGURE_2)} networks" if n else NOT_RUN for n in counts)
    return "untrained: {}; trained: {}".format(*told)


def _networks(read_all: Callable[[str], pd.DataFrame], experiment: str) -> str:
    runs = read_all(experiment)
    if experiment == "invariance":
        runs = of_tables_4_and_5(runs)
    if runs.empty or "config.model" not in runs:
        return NOT_RUN
    untrained = runs["config.weights"] == "untrained" if "config.weights" in runs else slice(None)
    n = runs[untrained]["config.model"].dropna().nunique()
    return f"{n} untrained networks; trained at full size: not run"


def _small_worlds(read_all: Callable[[str], pd.DataFrame]) -> str:
    runs = read_all("ss-rate-measures")
    found = None if runs.empty else small_worlds(graphs(runs))
    if found is None:
        return NOT_RUN
    return (
        f"small-worldness above 1 in {percent(found.features)} of {found.n} graphs of untrained "
        "networks, in "
        f"{percent(found.noise)} of noise"
    )


#: What `ours` in elements.yml may name.
OURS: Mapping[str, Callable[[Callable[[str], pd.DataFrame]], str]] = MappingProxyType(
    {
        "figure_2": _figure_2,
        "appendix_a": partial(_networks, experiment="box-covering"),
        "appendix_b": partial(_networks, experiment="invariance"),
        "appendix_c": partial(_networks, experiment="invariance"),
        "small_worlds": _small_worlds,
    }
)
