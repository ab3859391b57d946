"""Tables 4 and 5 for the networks of Table 3, before and after training, from records."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from reproduction.invariance.read import METRICS, mean_and_std, of_way
from reproduction.paper.tables import DATASETS
from reproduction.table_1 import find
from reproduction.training.read import one_gamma

#: The ways that look at activations: of trained networks only these were kept.
TRAINED_WAYS = ("released", "printed, activations")

#: Arm of a record -> the state of its network, in a reader's words.
STATES = {"untrained": "untrained", "baseline": "trained", "constrained": "constrained"}


def trained_table(
    runs: pd.DataFrame, number: int, ways: Sequence[str] = TRAINED_WAYS
) -> pd.DataFrame:
    """σ or Δ of the networks of Table 3 before and after training, tidy.

    Args:
        runs: ``records.read_all("invariance")``. Only networks with a trained record are in, and of
            the arm "untrained" the seeds that were trained.
        number: of the paper's table, 4 or 5.
        ways: names of `WAYS`.

    Returns:
        Columns: model, images, recipe, way, arm, ours (mean over seeds), std, seeds.
    """
    columns = ["model", "images", "recipe", "way", "arm", "ours", "std", "seeds"]
    if runs.empty or "config.recipe" not in runs:
        return pd.DataFrame(columns=columns)
    rows = []
    cell = ["config.model", "config.images", "config.recipe"]
    runs = one_gamma(runs.dropna(subset="config.recipe"), cell, "config.arm")
    for (model, images, recipe), part in runs.groupby(cell):
        trained = part.loc[part["config.weights"] == "trained", "seed"]
        part = part[part["seed"].isin(trained)]
        for way in ways:
            values = of_way(part, METRICS[number], way).dropna().groupby(part["config.arm"])
            arms = values.agg(["mean", "std", "count"])
            rows += [(find(model).name, images, recipe, way, *arm) for arm in arms.itertuples()]
    return pd.DataFrame(rows, columns=columns)


def states_table(table: pd.DataFrame) -> pd.DataFrame:
    """`trained_table` as a reader sees it: a row per network and state, a column per way, and
    seeds; text.
    """
    cells = table.assign(
        network=[
            f"{row.model}, {DATASETS.get(row.images, row.images)}, {row.recipe}"
            for row in table.itertuples()
        ],
        state=table["arm"].replace(STATES),
        shown=[mean_and_std(row.ours, row.std) for row in table.itertuples()],
    )
    order = [*STATES.values(), *sorted(set(cells["state"]) - set(STATES.values()))]
    shown = cells.pivot_table(
        index=["network", "state", "seeds"], columns="way", values="shown", aggfunc="first"
    ).reset_index("seeds")
    shown = shown.reindex(order, level="state").fillna("not run")
    ways = [way for way in shown.columns if way != "seeds"]
    return shown[[*ways, "seeds"]].rename_axis([None, None]).rename_axis(columns=None)


def trained_changes(table: pd.DataFrame) -> pd.DataFrame:
    """What training does, and the constraint, per way of `trained_table`: in how many networks the
    value falls.

    Returns:
        Columns: networks (with all of untrained, baseline and constrained), "by training", "by the
        constraint", and "beyond scatter": in how many the constrained mean is further from the
        baseline's than the larger of their standard deviations over seeds.
    """
    arms, network = ["untrained", "baseline", "constrained"], ["model", "images", "recipe"]
    rows = {}
    for way, part in table.groupby("way"):
        wide = part.set_index([*network, "arm"])[["ours", "std"]].unstack("arm")
        if not set(arms) <= set(wide["ours"]):
            continue
        wide = wide.dropna(subset=[("ours", arm) for arm in arms])
        means, change = wide["ours"], wide["ours"]["constrained"] - wide["ours"]["baseline"]
        scatter = wide["std"][["baseline", "constrained"]].max(axis=1)
        rows[way] = {
            "networks": len(wide),
            "by training": int((means["baseline"] < means["untrained"]).sum()),
            "by the constraint": int((change < 0).sum()),
            "beyond scatter": int((change.abs() > scatter).sum()),
        }
    columns = ["networks", "by training", "by the constraint", "beyond scatter"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)
