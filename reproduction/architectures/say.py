"""Tables in, sentences out: the answers to the plan's questions, worded by how they came out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from reproduction import plain
from reproduction.words import percent

_HEADS = {
    "a-directions": {
        "yes": "Fewer directions: yes.",
        "reversed": "Fewer directions: the opposite.",
        "none": "Fewer directions: no relevant difference.",
        "open": "Fewer directions: undecided.",
    },
    "a-rate": {
        "yes": "A smaller SS_rate: yes.",
        "reversed": "A smaller SS_rate: the opposite.",
        "none": "A smaller SS_rate: no relevant difference.",
        "open": "A smaller SS_rate: undecided.",
    },
    "d": {
        "yes": "A family effect remains.",
        "reversed": "A family effect remains, in the opposite direction.",
        "none": "No family effect remains.",
        "open": "Whether a family effect remains is undecided.",
    },
}


def in_short(contrasts: pd.DataFrame, shares: pd.DataFrame, nine: Mapping[str, Any]) -> str:
    """Three lines, one per pair of questions: (a), (c) and (d), (b)."""
    lines = (
        f"{contrast(decided(contrasts, 'a-directions'))} {contrast(decided(contrasts, 'a-rate'))}",
        f"{the_nine(nine)} {contrast(decided(contrasts, 'd'))}",
        parts(shares),
    )
    return "\n".join(f"> - {line}" for line in lines)


def decided(contrasts: pd.DataFrame, question: str) -> dict[str, Any]:
    """The row of ``read.contrasts`` that answers the question."""
    rows = contrasts[(contrasts["question"] == question) & (contrasts["answer"] != "")]
    return rows.iloc[0].to_dict()


def contrast(row: Mapping[str, Any]) -> str:
    """The answer to (a) or (d), with its estimate, interval and how many designs it rests on.

    Args:
        row: a row of ``read.contrasts`` with an answer.
    """
    if row["outcome"] == "directions":
        numbers = (
            f"Designs that mix globally spread over {row['estimate']:.2f} times as many directions "
            "in their first module as local ones of their size "
            f"(95 % interval {row['low']:.2f} to {row['high']:.2f})"
        )
    else:
        subject = (
            "At equal mean, variation and skewness of the distances, SS_rate"
            if row["question"] == "d"
            else "Their SS_rate"
        )
        numbers = (
            f"{subject} differs by {signed(row['estimate'])} "
            f"(95 % interval {signed(row['low'])} to {signed(row['high'])})"
        )
    model = (
        "; by least squares with errors clustered by lineage, as the mixed model found no variance "
        "between lineages"
    )
    suffix = model if row["model"] == "clustered" else ""
    return f"**{_HEADS[row['question']][row['answer']]}** {numbers}{suffix}."


def the_nine(nine: Mapping[str, Any]) -> str:
    """The answer to (c).

    Args:
        nine: what ``read.nine`` gives.
    """
    head = (
        "The paper's nine are a typical nine."
        if nine["answer"] == "like"
        else "The paper's nine are not a typical nine."
    )
    return (
        f"**{head}** Their global networks differ from their local ones by "
        f"{signed(nine['estimate'])} in SS_rate; 95 % of draws of as many designs lie between "
        f"{signed(nine['low'])} and {signed(nine['high'])}."
    )


def parts(shares: pd.DataFrame) -> str:
    """The answer to (b).

    Args:
        shares: what ``read.shares`` gives.
    """
    factors, whole = shares.drop(index="all"), shares.loc["all"]
    groups = {
        verdict: [
            _share(name, row) for name, row in factors[factors["answer"] == verdict].iterrows()
        ]
        for verdict in ("a good part", "little", "open")
    }
    listed = "; ".join(
        f"{verdict}: {', '.join(names)}" for verdict, names in groups.items() if names
    )
    nothing = "" if groups["a good part"] else " For no factor is a large share certain."
    return (
        "**What SS_rate is made of.** Seven factors together account for "
        f"{percent(whole['share'])} of its variance between designs.{nothing} "
        f"{listed[0].upper()}{listed[1:]}."
    )


def _share(name: str, row: pd.Series) -> str:
    return f"{name} {percent(row['share'])} ({100 * row['low']:.0f} to {percent(row['high'])})"


def seeds(share: float) -> str:
    """How much of the variance is the draw of the weights.

    Args:
        share: what ``read.seed_share`` gives.
    """
    if pd.isna(share):
        return "How much the draw of the weights adds is not known: one seed was run."
    return (
        "The draw of the weights, one design with one seed against another, is "
        f"{percent(share)} of all variance."
    )


def afterwards(shares: pd.DataFrame, n: int, left_out: int) -> str:
    """What the shares are among designs of a usual scale; not in the plan.

    Args:
        shares: what ``read.shares`` gives for ``read.usual_scale``.
        n: designs in it.
        left_out: designs of the table that are not.
    """
    top = shares.drop(index="all").iloc[0]
    return (
        f"Looked at afterwards, outside the plan: {left_out} designs have mean distances more than "
        "four powers of ten away from 1, and they weigh heavily in the curve that is fitted to "
        f"scale. Among the other {n}, the seven factors account for "
        f"{percent(shares.loc['all', 'share'])}, and the largest share is that of "
        f"{_share(top.name, top)}."
    )


def vanishing(layers: Mapping[str, int]) -> str:
    """Where distances are too small for double precision.

    Args:
        layers: what ``read.vanishing`` gives.
    """
    if not layers:
        return "In no layer are the distances too small for double precision."
    where = ", ".join(f"{n} layer{'s' if n > 1 else ''} of {name}" for name, n in layers.items())
    return (
        f"In {where} the mean distance is below 10⁻¹², where 1 + θ is rounded even in double "
        "precision; SS_rate is not exact there."
    )


def coverage(designs: pd.DataFrame, left_out: Mapping[str, str]) -> str:
    """How many designs were measured with how many seeds, and which were not, and why."""
    counts = designs["seeds"].value_counts().sort_index(ascending=False)
    with_seeds = ", ".join(
        f"{n} with {seeds} seed{'s' if seeds > 1 else ''}" for seeds, n in counts.items()
    )
    without = "; ".join(f"{name} ({plain.text(reason)})" for name, reason in left_out.items())
    left = f" Left out: {without}." if without else " None was left out."
    lineages = designs["lineage"].nunique()
    return f"Measured: {len(designs)} designs of {lineages} lineages, {with_seeds}.{left}"


def signed(number: float) -> str:
    """A number with its sign, and a real minus.

    >>> signed(-0.0312), signed(0.2)
    ('−0.031', '+0.200')
    """
    return f"{number:+.3f}".replace("-", "−")


_OUTCOMES = {
    "directions": "directions (ratio)",
    "ss_rate": "SS_rate, released",
    "printed": "SS_rate, printed",
    "scale_free": "scale-free rate",
}


def contrast_table(contrasts: pd.DataFrame) -> pd.DataFrame:
    """All contrasts as text: the three that answer a question first, then those described beside
    them.

    Args:
        contrasts: what ``read.contrasts`` gives.
    """
    rows = []
    for row in contrasts.to_dict("records"):
        number = "{:.2f}".format if row["outcome"] == "directions" else signed
        alone = ", attention alone" if row["designs"] == "attention" else ""
        rows.append(
            {
                "global less local in": f"{_OUTCOMES[row['outcome']]}{alone}",
                "held equal": "size, distances" if row["question"] == "d" else "size",
                "difference": number(row["estimate"]),
                "95 % interval": f"{number(row['low'])} to {number(row['high'])}",
                "answer": _ANSWERS[row["answer"]],
                "model": row["model"],
                "designs": row["n"],
                "lineages": row["lineages"],
            }
        )
    return pd.DataFrame(rows).set_index("global less local in").rename_axis(None)


_ANSWERS = {"yes": "lower", "reversed": "higher", "none": "none", "open": "open", "": ""}


def standing_table(standing: pd.DataFrame) -> pd.DataFrame:
    """The paper's nine as text, smallest SS_rate first.

    Args:
        standing: what ``read.standing`` gives.
    """
    columns = {
        "mixing": standing["family"],
        "SS_rate": standing["SS_rate"].map("{:.3f}".format),
        "percentile of all": standing["percentile"].map("{:.0f}".format),
        "of its family": standing["in its family"].map("{:.0f}".format),
        "designs in it": standing["of"],
    }
    return pd.DataFrame(columns).set_axis(standing["name"], axis=0).rename_axis(None)


def rate_table(rates: pd.DataFrame) -> pd.DataFrame:
    """Questions (b) and (c) by each way to measure SS_rate, as text.

    Args:
        rates: what ``read.by_rate`` gives.
    """
    rows = {
        _OUTCOMES[rate]: {
            "seven factors": percent(row["r2"]),
            "largest": f"{row['factor']} {percent(row['share'])}",
            "interval of it": f"{100 * row['share_low']:.0f} to {percent(row['share_high'])}",
            "the nine": signed(row["nine"]),
            "any nine": f"{signed(row['nine_low'])} to {signed(row['nine_high'])}",
        }
        for rate, row in rates.to_dict("index").items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")
