"""Trained networks in words: a table in, a sentence out, where its wording turns on the outcome."""

from __future__ import annotations

from typing import Any

import pandas as pd

from reproduction.trained.read import ABOVE, BELOW, FORMULAS, WITHIN
from reproduction.words import percent

_VERBS = {ABOVE: "rises", BELOW: "falls", WITHIN: "does not change beyond chance"}
_SIGMA_DELTA = {"sigma": "σ", "delta": "Δ"}
_NOT_RUN = "Not run."


def listed(words: list[str]) -> str:
    """Words as a list in a sentence.

    >>> listed(["one"]), listed(["one", "two"]), listed(["one", "two", "three"])
    ('one', 'one and two', 'one, two and three')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _number(n: int) -> str:
    return {1: "One network", 2: "Two networks"}.get(n, f"{n} networks")


def rise(rates: pd.DataFrame) -> str:
    """The plan's answer to "does training raise SS_rate": one of four words.

    >>> two = pd.DataFrame({"measure": ["released", "printed"], "outcome": ["above", "below"]})
    >>> rise(two)
    'depends'
    """
    outcomes = set(rates.loc[rates["measure"].isin(FORMULAS), "outcome"])
    if not outcomes:
        return "not run"
    if outcomes == {WITHIN}:
        return WITHIN
    if len(outcomes) > 1:
        return "depends"
    return {ABOVE: "rises", BELOW: "falls"}[outcomes.pop()]


def answer(rates: pd.DataFrame, scale: pd.DataFrame, norms: pd.DataFrame) -> str:
    """The chapter in three lines: what the paper says, what we find, how sure that is."""
    paper = (
        "**The paper says:** SS_rate rises with training in the majority of models "
        "(Table 2, seven of nine)."
    )
    if rise(rates) == "not run":
        return f"{paper}\n\n**We find:** nothing was run.\n\n**How sure:** not at all."
    seeds, draws = int(rates["seeds"].min()), int(rates["draws"].min())
    networks = rates["network"].nunique()
    return "\n\n".join(
        (
            paper,
            f"**We find:** {_by_formula(rates)}{_depends(norms)} {_scale(scale, rates)}",
            f"**How sure:** {_number(networks)}, one training each, against {seeds} random "
            f"initialisations and {draws} draws of 512 images. Neither is a network of Table 2, so "
            "its second column stays untested; another training could come out otherwise.",
        )
    )


def _depends(norms: pd.DataFrame) -> str:
    """Which of the answers would be others with other statistics of batch norm, if any."""
    if norms.empty or not norms["depends"].any():
        return ""
    told = []
    for network, rows in norms[norms["depends"]].groupby("network", sort=False):
        each = [
            f"the {r.measure} SS_rate {_VERBS[r.outcome]} ({r.untrained:.2f} → {r.trained:.2f})"
            for r in rows.itertuples()
        ]
        told.append(
            f" {network}'s answer depends on its untrained batch norm: with the statistics of each "
            f"batch in place of the initial 0 and 1, {listed(each)}."
        )
    return "".join(told)


def _power(row: Any) -> str:
    """Of a change that was not found: how large it would have had to be."""
    if row.outcome != WITHIN:
        return ""
    return f"; 80 % power for a change of {row.detectable:.2f}"


def _by_formula(rates: pd.DataFrame) -> str:
    """A sentence per formula: which way SS_rate goes in which network, with the numbers."""
    sentences = []
    for formula in FORMULAS:
        part = rates[rates["measure"] == formula]
        told = []
        for verb, rows in part.groupby(part["outcome"].map(_VERBS), sort=False):
            each = [
                f"{r.network} ({r.untrained:.2f} → {r.trained:.2f}{_power(r)})"
                for r in rows.itertuples()
            ]
            told.append(f"{verb} in {listed(each)}")
        sentences.append(f"by the {formula} formula SS_rate {', and '.join(told)}")
    text = "; ".join(sentences)
    return f"{text[0].upper()}{text[1:]}."


def _scale(scale: pd.DataFrame, rates: pd.DataFrame) -> str:
    """Which part of the changes beyond chance is one of scale."""
    part = rates.loc[rates["outcome"] != WITHIN, ["network", "measure", "outcome"]].merge(
        scale, left_on=["network", "measure"], right_on=["network", "formula"]
    )
    if part.empty:
        return "There is no change to split into scale and shape."
    told = []
    for outcome, rows in part.groupby("outcome_y", sort=False):
        each = [f"{r.network}, {r.formula}" for r in rows.itertuples()]
        against = (rows["high"] < 0).all()
        reason = {
            "mostly shape": "the shape of the distances, not their scale, makes the change",
            "mostly scale": "the scale of the features makes most of the change",
            "both": "scale and shape both contribute, or cannot be separated",
        }[outcome]
        if outcome == "mostly shape" and against:
            reason += " (the scale alone would have changed it the other way)"
        told.append(f"{reason} ({'; '.join(each)})" if len(part) > len(rows) else reason)
    text = "; ".join(told)
    return f"{text[0].upper()}{text[1:]}."


def first_page(rates: pd.DataFrame, norms: pd.DataFrame) -> str:
    """What the first page says about trained networks, with n."""
    if rise(rates) == "not run":
        return "Trained networks: not run."
    seeds, n = int(rates["seeds"].min()), rates["network"].nunique()
    told = []
    for formula in FORMULAS:
        part = rates[rates["measure"] == formula]
        up, down = ((part["outcome"] == side).sum() for side in (ABOVE, BELOW))
        lowers = f" (and lowers it in {down})" if down else ""
        each = [f"{r.network} {r.untrained:.2f} → {r.trained:.2f}" for r in part.itertuples()]
        told.append(f"in {up} of {n} by the {formula} formula{lowers}: {', '.join(each)}")
    return (
        f"{_number(n)} with ImageNet weights, each against {seeds} random initialisations "
        f"(n = {n}): training raises SS_rate {'; '.join(told)}. Neither is a network of "
        f"Table 2.{_depends(norms)}"
    )


def weights(check: pd.DataFrame) -> str:
    """Are the weights what they are taken for? Their accuracy, and timm's name that fits them."""
    if check.empty:
        return _NOT_RUN
    best = check.groupby("network", sort=False).first()
    told = [
        f"{name} {percent(row.top1, 1)} top-1 and {percent(row.top5, 1)} top-5"
        for name, row in best.iterrows()
    ]
    worse = check[check.duplicated("network")]
    text = (
        f"On {int(best['images'].max()):,} training images, one per class, the weights "
        f"reach {listed(told)}."
    )
    for row in worse.itertuples():
        top = best.loc[row.network]
        text += (
            f" Under timm's name {row._2} the same weights of {row.network} reach "
            f"{percent(row.top1, 1)} only: they "
            f"belong to {top['timm name']}, with TensorFlow's padding and epsilon."
        )
    return text


def shape(shape: pd.DataFrame) -> str:
    """Does the shape of the distances change on every axis? The plan's answer per network."""
    if shape.empty:
        return _NOT_RUN
    told = []
    for network, rows in shape[shape["measure"].str.startswith("released")].groupby(
        "network", sort=False
    ):
        outcomes = set(rows["outcome"])
        if outcomes == {WITHIN}:
            verb = "does not change beyond chance on any axis"
        elif len(outcomes) == 1:
            verb = f"{_VERBS[outcomes.pop()]} on all three axes"
        else:
            each = [f"{_VERBS[r.outcome]} on {r.measure.split(', ')[1]}" for r in rows.itertuples()]
            verb = f"depends on the axis: it {listed(each)}"
        told.append(f"in {network} it {verb}".replace("it depends on the axis: it", "it"))
    return f"Freed of scale, the released SS_rate goes as follows: {'; '.join(told)}."


def structure(structure: pd.DataFrame) -> str:
    """Correlations, or the spread of means and variances? The plan's answer per network."""
    if structure.empty:
        return _NOT_RUN
    told = []
    for network, rows in structure.groupby("network", sort=False):
        of = rows.set_index("measure")
        alone, rest = of.loc["standardised"], of.loc["less standardised"]
        parts = []
        if rest["outcome"] != WITHIN:
            parts.append(f"channels' means and variances ({rest['change']:+.2f})")
        if alone["outcome"] != WITHIN:
            parts.append(f"their correlations ({alone['change']:+.2f})")
        spread = of.loc["participation_ratio"]
        told.append(
            f"In {network} the shape changes through "
            + (listed(parts) if parts else "neither, beyond chance")
            + f"; on average over modules, the channels spread over {spread['untrained']:.1f} "
            f"directions before and {spread['trained']:.1f} after training."
        )
    return " ".join(told)


def remote(outcomes: pd.DataFrame) -> str:
    """Are a few remote channels behind the change? The plan's answer per network."""
    if outcomes.empty:
        return _NOT_RUN
    verbs = {
        "a few channels": "the remotest 5 % of channels make half of the change or more",
        "many": "many channels make the change",
        "undecided": "leaving channels out at random changes as much, so this stays undecided",
        WITHIN: "there is no change to explain",
    }
    told = [
        f"in {row.network} {verbs[row.outcome]} (all channels {row.whole:+.2f}, without the "
        "remotest 5 % "
        f"{row._3:+.2f}, without 5 % at random {row._4:+.2f})"
        for row in outcomes.itertuples()
    ]
    text = "; ".join(told)
    return f"{text[0].upper()}{text[1:]}."


def norms(table: pd.DataFrame) -> str:
    """Does the change depend on how untrained batch norm is treated? One sentence per network."""
    if table.empty:
        return _NOT_RUN
    told = []
    for network, rows in table.groupby("network", sort=False):
        each = [
            f"the {r.measure} SS_rate {_VERBS[r.outcome]} ({r.untrained:.2f} → {r.trained:.2f}; "
            f"with running statistics it {_VERBS[r.running]})"
            for r in rows.itertuples()
        ]
        head = "depends on" if rows["depends"].any() else "does not depend on"
        told.append(
            f"In {network} the answer {head} the statistics of untrained batch norm. With those of "
            f"each batch {listed(each)}."
        )
    return " ".join(told)


def path(outcomes: pd.DataFrame) -> str:
    """Does SS_rate go straight between the two ends? The plan's answer per network and variant."""
    if outcomes.empty:
        return _NOT_RUN
    verbs = {
        "monotone": "changes in one direction all the way",
        "within the range": "goes to and fro, but not far outside its two ends",
        "leaves the range": "leaves the range between its two ends",
    }
    told = []
    for row in outcomes.itertuples():
        variant = {"none": "", "interpolated": " (statistics interpolated)"}.get(
            row.statistics, " (statistics of the images)"
        )
        told.append(f"in {row.network}{variant} SS_rate {verbs[row.outcome]}")
    return f"Between untrained and trained weights, {'; '.join(told)}."


def depth(ranks: pd.DataFrame) -> str:
    """Are shallow features changed more, as the paper says on Figure 2?"""
    if ranks.empty:
        return _NOT_RUN
    verbs = {
        "as the paper says": "shallow modules change more",
        "the other way": "deep modules change more",
        "undecided": "neither end changes more, as far as can be told",
    }
    told = [
        f"By {row.measure}, in {row.network} {verbs[row.outcome]} (ρ = {row.rho:+.2f}, p "
        f"{_p(row.p)})."
        for row in ranks.itertuples()
    ]
    return " ".join([*told, "Each network is one case, whatever its p."])


def alike(table: pd.DataFrame) -> str:
    """What CKA with the trained network is to be held against (``read_beside.alike``)."""
    if table.empty:
        return _NOT_RUN
    told = []
    for network, part in table.groupby("network", sort=False):
        ends = part.groupby("module", sort=False)[["trained", "another seed", "bias"]].mean()
        first, last = ends.iloc[0], ends.iloc[-1]
        told.append(
            f"In {network}, unbiased CKA with the trained network falls from "
            f"{first['trained']:.2f} in the first module to {last['trained']:.2f} in the last; "
            "between two random networks of different seeds it falls from "
            f"{first['another seed']:.2f} to {last['another seed']:.2f}."
        )
    return f"{' '.join(told)} The usual estimator is at most {table['bias'].max():.2f} larger here."


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"


def invariance(table: pd.DataFrame, ways: tuple[str, ...] = ("printed", "released")) -> str:
    """Which way σ and Δ go with training, and in how many cells beyond the range of the seeds."""
    if table.empty:
        return _NOT_RUN
    told = []
    for metric, symbol in _SIGMA_DELTA.items():
        part = table[(table["metric"] == metric) & table["way"].isin(ways)]
        part = part[part["change"].notna()]
        down, up = (part["change"] < 0).sum(), (part["change"] > 0).sum()
        told.append(f"{symbol} falls in {down} and rises in {up} of {len(part)} cells")
    seeds = int(table["seeds"].min())
    tail = (
        f"against {seeds} random initialisations"
        if seeds >= 3
        else (
            f"against {seeds} random initialisation{'s' if seeds > 1 else ''}, too few for "
            "more than the numbers"
        )
    )
    return f"With training, {listed(told)} (network, data set and way), {tail}."


def channels(found: dict[str, dict[str, Any]]) -> str:
    """Figure 2's claim on two networks: which spreads over fewer directions?"""
    if len(found) < 2:
        return _NOT_RUN
    told = []
    for state in ("untrained", "trained"):
        spread = {name: of["participation"][state] for name, of in found.items()}
        vit, cnn = spread["ViT-Tiny"], spread["EfficientNet-Lite0"]
        relation = "fewer directions than" if vit < cnn else "no fewer directions than"
        told.append(
            f"{state}, ViT-Tiny spreads over {relation} EfficientNet-Lite0 ({vit:.1f}, {cnn:.1f})"
        )
    text = "; ".join(told)
    return (
        f"{text[0].upper()}{text[1:]}. Two networks cannot decide the paper's claim, and the "
        f"convolutional one has only {found['EfficientNet-Lite0']['channels']} channels there."
    )


def covers(outcomes: pd.DataFrame) -> str:
    """Is N_theta nearer to true covers after training? Factors in the median layer, per formula."""
    if outcomes.empty:
        return _NOT_RUN
    told = []
    for (network, formula), part in outcomes.groupby(["network", "formula"], sort=False):
        off = part.set_index("state")["off"]
        if {"trained", "untrained"} <= set(off.index):
            told.append(f"{network}, {formula}: {off['untrained']:.1f} → {off['trained']:.1f}")
    passed = outcomes[(outcomes["state"] == "trained") & (outcomes["outcome"] == "stands in")]
    verdict = (
        "It stands in for covering in no trained network by either formula"
        if passed.empty
        else "It stands in for covering in "
        + listed([f"{row.network} ({row.formula})" for row in passed.itertuples()])
    )
    return (
        f"{verdict}. N_θ is off the bounds by a factor of ({'; '.join(told)}), untrained → trained."
    )
