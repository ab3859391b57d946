"""Tables 4 and 5 in words: one sentence or paragraph per subject, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from reproduction import plain
from reproduction.invariance.cells import N_IMAGES
from reproduction.invariance.read import ESTIMATORS, Distance, Exponents, chance_span
from reproduction.invariance.read_rulers import Recovery
from reproduction.paper.tables import DATASETS
from reproduction.words import percent

if TYPE_CHECKING:
    from reproduction.invariance.live import Agreement, Pixels, Repeats


def same_spectrum(found: Agreement) -> str:
    """Whether the two products of Eq. 10's matrix agree in their largest eigenvalues."""
    agree = (
        "agree to a millionth"
        if found.worst < 1e-6
        else f"differ by up to {percent(found.worst, 1)}"
    )
    return (
        f"In {found.module} above, with D = {found.D} and B = {found.B}, the {found.n} largest "
        f"eigenvalues of both {agree}."
    )


def distance(found: Distance | None) -> str:
    """How far the measured σ are from the printed ones."""
    if found is None:
        return "Untrained networks: **not run**."
    neither = "**Neither estimator gives the printed numbers from random weights.** "
    return (
        f"{neither * found.neither}Half of the {found.cells} cells measured (network and data set) "
        f"differ from the paper by a factor of {found.factors['released']:.1f} or more (released) "
        f"and {found.factors['printed']:.1f} or more (printed). The paper prints "
        f"{found.printed[0]:.3f} to {found.printed[1]:.3f} for these cells; our released values "
        f"run from {found.released[0]:.6f} to {found.released[1]:.3f}. The smallest would make "
        f"{found.smallest} the most scale-invariant network of all."
    )


def order(correlations: pd.DataFrame) -> str:
    """Which of ``read.rank_correlations`` are below p = 0.05, and how many chance alone gives."""
    tests = correlations.dropna(subset="rho")
    if tests.empty:
        return "Rank correlations: **not run**."
    sure = tests[tests["p"] < 0.05]
    if sure.empty:
        return f"None of the {len(tests)} correlations has p < 0.05."
    found = ", ".join(
        f"{way} on {DATASETS.get(images, images)} (ρ = {row.rho:+.2f})"
        for (images, way), row in sure.iterrows()
    )
    reverse = " A negative ρ is the reverse of the paper's order."
    return (
        f"{len(sure)} of {len(tests)} correlations {'has' if len(sure) == 1 else 'have'} p < 0.05: "
        f"{found}. With {len(tests)} tests, chance alone would give {0.05 * len(tests):.1f} on "
        f"average.{reverse * bool((sure['rho'] < 0).any())}"
    )


def order_of_untrained(correlations: pd.DataFrame) -> str:
    """``order``, and what random weights leave open."""
    return (
        f"{order(correlations)} Networks with random weights need not rank as trained ones do, and "
        "the paper does not say which of the two its Table 4 shows."
    )


def gain(claim: Mapping[str, str]) -> str:
    """Whether invariance goes with the gain of Table 3: a row of the claims' scorecard in words.

    Args:
        claim: "ours", what was found, and "n", on how many networks; "ours" is empty where nothing
            was run.
    """
    ours = claim["ours"]
    found = f"{ours[:1].upper()}{ours[1:]}, {claim['n']}" if ours else "Untrained: **not run**"
    return (
        "Do invariant networks gain more in Table 3, as the paper says? Then the released σ and Δ "
        "(means over both data sets) would correlate negatively with the printed gain. "
        f"{found}. Random weights, and a Δ within UMAP's own scatter, decide little; the "
        "pretrained networks are **not run**."
    )


def exponents(found: Exponents | None) -> str:
    """What the fits behind σ are worth."""
    if found is None:
        return "Untrained networks: **not run**."
    lines = [
        f"**{way}**, medians over layers: exponent {row['exponent']:.2f} with a standard error of "
        f"{row['exponent_error']:.2f}, from {row['n_tail']:.0f} eigenvalues, KS distance "
        f"{row['ks_distance']:.2f}; exponent of noise of the same shapes: "
        f"{row['null_exponent']:.2f}."
        for way, row in found.medians.loc[list(ESTIMATORS)].iterrows()
    ]
    low, high = found.nonzero_share
    return "\n\n".join(
        [
            *lines,
            f"In {found.within} of {found.measurements} measurements (network, data set and seed) "
            "the released σ is no larger than the median standard error of its layers' exponents, "
            "so differences of that size may be errors of the fits.",
            f"If every layer were noise, the released σ would be {found.null_sigma:.0f} (median).",
            "Non-zero activations, which the released code counts as sparsity, make up "
            f"{percent(low)} to {percent(high)} of a layer.",
        ]
    )


def pixels(found: Pixels) -> str:
    """The power law of pictures themselves, without a network."""
    return (
        f"Images themselves follow a power law: the pixels of the {found.pictures} pictures used "
        f"here, without any network, have a released exponent of {found.exponent:.2f} ± "
        f"{found.standard_error:.2f} (KS {found.ks_distance:.2f}, {found.n_tail} eigenvalues). A "
        "power law in an untrained layer may be no more than that of its input."
    )


def changes(found: pd.DataFrame, symbol: str) -> str:
    """``read_trained.trained_changes`` in words, a paragraph per way.

    Args:
        symbol: of what is measured, σ or Δ.
    """
    lines = [
        f"**{way}**: training without the constraint makes {symbol} smaller in "
        f"{row['by training'] or 'none'} of {row['networks']} networks. With the constraint it is "
        f"smaller than without in {row['by the constraint'] or 'none'} of them; in "
        f"{row['beyond scatter'] or 'none'} the two differ by more than one standard deviation "
        "over seeds."
        for way, row in found.iterrows()
    ]
    return "\n\n".join(lines) or "Trained networks: **not run**."


def exponents_known(scatter: pd.DataFrame) -> str:
    """Whether known exponents are recovered: ``read_rulers.exponent_scatter`` in words."""
    if scatter.empty:
        return "Spectra of known exponent: **not run**."
    within, ratio = scatter["within"], scatter["ratio"]
    return (
        f"**On true power laws both work**: at least {percent(within['printed'])} (printed) and "
        f"{percent(within['released'])} (released) of the draws lie within three standard errors. "
        "The "
        f"released estimates scatter {ratio['released']:.1f} times as much as their standard error "
        f"says (printed: {ratio['printed']:.1f}), because that error does not account for the "
        "start of the tail, which was chosen to fit."
    )


def exponents_other(examples: pd.DataFrame) -> str:
    """What the estimators make of spectra that are no power law: ``rulers.exponent_examples``."""
    if examples.empty:
        return "Spectra that are no power law: **not run**."
    fits = examples.set_index(["spectrum", "estimator"])
    tail = fits.loc["bulk and tail 2.5"]
    return (
        "**Every spectrum gets an exponent**, most with a small standard error. The printed "
        "estimator takes the smallest eigenvalue for the start of the tail, so the bulk decides: "
        f"{tail.loc['printed', 'exponent']:.2f} where the tail has 2.5 (the released one finds "
        f"{tail.loc['released', 'exponent']:.2f} ± {tail.loc['released', 'standard_error']:.2f}). "
        "The released one fits only "
        f"{fits.loc[('low rank', 'released'), 'n_tail']:.0f} eigenvalues where the spectrum is of "
        "low rank, and finds an exponent of "
        f"{fits.loc[('noise', 'released'), 'exponent']:.1f} in noise. Only the KS distance shows "
        "that such fits are poor, and σ ignores it."
    )


def repeats(found: pd.DataFrame, few: Repeats) -> str:
    """What UMAP's random numbers alone make of Δ: ``read_umap.repeats`` in words.

    Args:
        few: the same of one layer on few images.
    """
    lines = [
        f"**{way}**: Δ of one layer over {row['seeds']} seeds of UMAP is {row['low']:.2f} to "
        f"{row['high']:.2f} ({row['layers']} layers of {row['networks']}, {N_IMAGES} images; "
        f"{few.delta[way]:.2f} on {few.pictures} images, live, {few.seeds} seeds). Over the twelve "
        f"blocks of the untrained ResMLP it is {row['resmlp']:.2f}. UMAP's random numbers alone "
        f"thus give a Δ as large as {percent(row['printed'])} of the values of Table 5 "
        f"({row['paper_low']:.2f} to {row['paper_high']:.2f}), and as {percent(row['ours'])} of "
        "ours."
        for way, row in found.iterrows()
    ]
    return "\n\n".join(lines) or "Repeats under several seeds of UMAP: not run."


def dimensions(found: pd.DataFrame) -> str:
    """How the layers' dimensions spread beside their errors: ``read.dimensions`` in words."""
    if found.empty:
        return "Untrained networks: **not run**."
    lines = [
        f"**{way}**: dimensions from {row['low']:.2f} to {row['high']:.2f}, median "
        f"{row['median']:.2f} with a standard error of {row['error']:.2f}. From its smallest to "
        f"its largest layer a network spans {row['span']:.1f} such errors (median)."
        for way, row in found.loc[list(ESTIMATORS)].iterrows()
    ]
    chance = (
        "By chance alone, four measurements of the same number span "
        f"{chance_span(4):.1f} of their standard errors, and twelve span {chance_span(12):.1f}: "
        "much of Δ is the error of the fits."
    )
    return "\n\n".join([*lines, chance])


def dimensions_known(found: Recovery) -> str:
    """Whether known dimensions are recovered: ``read_rulers.dimension_errors`` in words."""
    unit = "the unit does not matter"
    if found.moved >= 1e-6:
        unit = f"the unit changes it by {found.moved:.0e} at most"
    return (
        "**The printed estimator measures dimension.** Its largest error is "
        f"{percent(found.chosen, 1)} on the sets used to choose the rule and "
        f"{percent(found.held_out, 1)} on those held out (the 5-ball, where edges make every such "
        f"estimate too low in high dimensions); {unit}.\n\n"
        f"**The released one does not**: {found.off} of its {found.values} values are off by more "
        "than a tenth or do not exist. Its radii are fixed, so the unit decides which part of the "
        "curve it sees. It uses only 29 neighbours, so T(r) stops growing where a point has more "
        "than that, and the slope falls to 0."
    )


def cost(runs: pd.DataFrame) -> str:
    """What the costs of a correlation dimension were measured on.

    Args:
        runs: ``records.read_all("benchmark-correlation-dimension")``; the last one counts.
    """
    if runs.empty:
        return "Time and memory: **not run**."
    last = runs.iloc[-1]
    threads = last["config.threads"]
    return (
        f"Measured on {last['config.N']:,} points in {last['config.dimensions']} dimensions, on "
        f"one machine, with {threads} thread{'s' if threads > 1 else ''} of an "
        f"{plain.text(last['device.name'])}."
    )
