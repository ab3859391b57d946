"""Tables 4 and 5 in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from reproduction.paper.tables import DATASETS


def shown_table(
    table: pd.DataFrame,
    ways: Sequence[str] = ("printed", "released"),
    sets: Sequence[str] = ("cifar10", "imagenette"),
) -> pd.DataFrame:
    """Data sets of `invariance_table` as a reader sees them: a row per data set and model, text,
    four decimals.

    Columns: "paper", a column per way (mean ± std over seeds, "not run" where there is nothing),
    "ranks" (the paper's, then one per way; 1 is the smallest) and "n", the number of seeds.
    """
    part = table[table["images"].isin(sets)].assign(images=lambda t: t["images"].map(DATASETS))
    cells = {way: part[part["way"] == way].set_index(["images", "model"]) for way in ways}
    first = cells[ways[0]]
    shown = {"paper": first["paper"].map("{:.4f}".format)}
    for way, group in cells.items():
        shown[way] = [mean_and_std(row.ours, row.std) for row in group.itertuples()]
    ranks = zip(first["paper rank"], *(group["rank"] for group in cells.values()))
    shown["ranks"] = [
        " / ".join("–" if math.isnan(rank) else f"{rank:g}" for rank in row) for row in ranks
    ]
    shown["n"] = first["seeds"].map(str)
    return pd.DataFrame(shown).rename_axis([None, None])


def mean_and_std(mean: float, std: float) -> str:
    """Both with four decimals, as the paper prints σ and Δ; a std that is NaN, as of one seed, is
    left out.

    >>> [mean_and_std(0.0384, 0.00042), mean_and_std(0.2, float("nan")), mean_and_std(6e-06, 2e-06)]
    ['0.0384 ± 0.0004', '0.2000', '< 0.0001']
    """
    if math.isnan(mean):
        return "not run"
    shown = [
        f"{value:.4f}" if value >= 5e-5 else "< 0.0001"
        for value in (mean, std)
        if not math.isnan(value)
    ]
    return shown[0] if mean < 5e-5 else " ± ".join(shown)


def order_told(order: pd.DataFrame) -> str:
    """What `rank_correlations` amount to, in words: which are below p = 0.05, and how many chance
    alone would give.
    """
    sure = order[order["p"] < 0.05]
    if sure.empty:
        return f"None of the {len(order)} correlations has p < 0.05."
    found = ", ".join(
        f"{way} on {images} (ρ = {row.rho:+.2f})" for (images, way), row in sure.iterrows()
    )
    told = (
        f"{len(sure)} of {len(order)} correlations {'has' if len(sure) == 1 else 'have'} p < 0.05: {found}. With {len(order)} tests, chance "
        f"alone would give {0.05 * len(order):.1f} on average."
    )
    return told + (
        " A negative ρ is the reverse of the paper's order." if (sure["rho"] < 0).any() else ""
    )


def shown_trained(table: pd.DataFrame) -> pd.DataFrame:
    """`trained_table` of one or two ways as a reader sees it: a row per network and state, a column
    per way, and seeds; text.
    """
    states = {"untrained": "untrained", "baseline": "trained", "constrained": "constrained"}
    cells = table.assign(
        network=[f"{row.model}, {row.images}, {row.recipe}" for row in table.itertuples()],
        state=table["arm"].replace(states),
        shown=[mean_and_std(row.ours, row.std) for row in table.itertuples()],
    )
    order = [*states.values(), *sorted(set(cells["state"]) - set(states.values()))]
    shown = cells.pivot_table(
        index=["network", "state", "seeds"], columns="way", values="shown", aggfunc="first"
    ).reset_index("seeds")
    shown = shown.reindex(order, level="state").fillna("not run")
    ways = [way for way in shown.columns if way != "seeds"]
    return shown[[*ways, "seeds"]].rename_axis([None, None]).rename_axis(columns=None)


def changes_told(changes: pd.DataFrame, symbol: str) -> str:
    """`trained_changes` in words, a paragraph per way, as Markdown; symbol: of what is measured."""
    told = [
        f"**{way}**: training without the constraint makes {symbol} smaller in {row['by training']} of {row['networks']} networks. With the constraint "
        f"it is smaller than without in {row['by the constraint']}; in {row['beyond scatter']} the two differ by more than one standard deviation over seeds."
        for way, row in changes.iterrows()
    ]
    return "\n\n".join(told) or "Trained networks: **not run**."
