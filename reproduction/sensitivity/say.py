"""What the page on SS_rate says of its tables: each function words an outcome decided elsewhere."""

from __future__ import annotations

import pandas as pd

from reproduction.sensitivity.cells import middle
from reproduction.sensitivity.read import NoiseComparison, Order, clear
from reproduction.sensitivity.read_cka import Reference
from reproduction.sensitivity.read_factors import Comparability
from reproduction.sensitivity.read_graphs import SmallWorlds
from reproduction.words import percent

_NOT_RUN = "This study was **not run**."


def layer(model: str, shape: tuple[int, int]) -> str:
    """Which layer a live table shows: its name, and the shape (D, B) of its features.

    >>> layer("resnet34", (256, 16))
    'The layer is layer3, with 256 channels; it saw 16 images.'
    """
    channels, images = shape
    return f"The layer is {middle(model)}, with {channels} channels; it saw {images} images."


def explained(layers: pd.DataFrame, fits: pd.DataFrame) -> str:
    """How much of SS_rate the scale and the shape of the histogram explain (``read.fits``)."""
    if layers.empty:
        return _NOT_RUN
    released, printed = fits.loc["released"], fits.loc["printed"]
    scale, shape, best = (
        released.loc[step] for step in ("scale", "scale and shape", "and squares, products")
    )
    return (
        f"These are {len(layers):,} layers of {layers['model'].nunique()} networks, over all seeds "
        f"and draws. Scale and shape of the histogram explain {percent(shape['r2'])} of the "
        "released "
        f"SS_rate's variance [{percent(shape['low'])}, {percent(shape['high'])}], scale alone "
        f"{percent(scale['r2'])}; with squares and products it is {percent(best['r2'])}, and a "
        "standard "
        f"deviation of {best['left']:.3f} is left of {layers['released'].std():.3f}. For the "
        f"printed formula these are {percent(printed.loc['scale and shape', 'r2'])} and "
        f"{percent(printed.loc['and squares, products', 'r2'])}. The intervals are wide and the "
        "fits "
        "carry over poorly to an unseen network: so few networks say little. What is left is the "
        "finer shape of the same histogram and the number of channels, as nothing else enters "
        "SS_rate."
    )


def noise(comparison: NoiseComparison | None) -> str:
    """How SS_rate of layers stands to that of noise (``read.against_noise``)."""
    if comparison is None:
        return _NOT_RUN
    return (
        "The paper reads a small SS_rate as strong self-similarity. By that reading Gaussian noise "
        f"is self-similar too: its SS_rate is {comparison.low:.2f} to {comparison.high:.2f}. "
        "Layers of one network resemble each other, so the network is the unit here. On average "
        f"{percent(comparison.below)} of a network's layers have a smaller SS_rate than noise of "
        f"their own shape, and in {comparison.most} of {comparison.networks} networks more than "
        f"half do ({comparison.n} layers in all). The mean difference is {comparison.gap:.2f}. "
        f"{percent(comparison.below_line)} lie below the same channels put on one line."
    )


def beside(correlations: pd.DataFrame, layers: pd.DataFrame) -> str:
    """Which known measures the released SS_rate goes with (``read.correlations``), and what the
    bias of CKA comes to in these ``read.layers``.
    """
    if correlations.empty:
        return _NOT_RUN
    rhos = correlations["released"]
    names = clear(rhos)
    directions, dimension = rhos["participation ratio"], rhos["TwoNN dimension"]
    those = f": {', '.join(f'{name} ({rhos[name]})' for name in names)}. " if names else ". "
    return (
        f"Over {max(rho.n for rho in rhos)} layers of {max(rho.groups for rho in rhos)} networks, "
        "which are what is resampled, for the released SS_rate the interval excludes "
        f"zero for {len(names)} of {len(rhos)} measures{those}The participation ratio and the "
        "TwoNN dimension say how many directions and dimensions the cloud of channels has; "
        f"SS_rate's rank correlation with them is {directions} and {dimension}. Inside a network "
        f"it is {directions.within:.2f} and {dimension.within:.2f} (median over networks). CKA is "
        f"the usual, biased one: {layers['cka'].min():.2f} to {layers['cka'].max():.2f} here, and "
        f"{layers['cka_noise'].min():.2f} to {layers['cka_noise'].max():.2f} of noise with as many "
        "channels and images."
    )


def similarity(found: Reference | None) -> str:
    """What CKA before and after training is to be held against (``read_cka.reference``)."""
    if found is None:
        return _NOT_RUN
    return (
        "A CKA says little without what unrelated layers have. **Two networks with random weights "
        f"of different seeds, neither trained, have {_range(found.unrelated)}** on the same "
        f"images, the same network before and after training {_range(found.trained)} (means over "
        f"layers, over {found.models} networks): in {found.closer} of {found.models}, other random "
        "weights change the layers less than training does. The usual estimator is biased: noise "
        f"with as many activations and images has {_range(found.noise)}. Without the bias the "
        f"unrelated networks have {_range(found.unbiased)}; for the trained ones, whose "
        "activations the records do not keep, that is **not run**."
    )


def _range(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.2f} to {ends[1]:.2f}"


def order(found: Order | None) -> str:
    """What becomes of the order of networks without a unit (``read.order``)."""
    if found is None:
        return _NOT_RUN
    return (
        f"With the mean distance as the unit, the order of the {found.n} networks has a rank "
        f"correlation with the default's of **{found.mean}** (Spearman, 95 % interval over "
        f"networks; one seed); {found.mover} moves most, by {found.places:.0f} places. With θ "
        f"itself it is {found.linear}. log θ is undefined for "
        f"{', '.join(found.undefined) or 'none'}, where some channels are equal (after a ReLU, "
        "dead ones). So few networks leave wide intervals, but a table of raw values should not be "
        "read as an order of geometries."
    )


def small_worlds(found: SmallWorlds | None) -> str:
    """How often sigma says "small world", as from ``read_graphs.small_worlds``."""
    if found is None:
        return _NOT_RUN
    return (
        f"Small-worldness is above 1 in {percent(found.features)} of the {found.n} graphs of "
        f"features, and in {percent(found.noise)} of those of noise: **joining near points makes "
        "any cloud of points a small world**. By itself it says nothing about a network. It is "
        f"larger for the features than for the noise in {percent(found.larger)}."
    )


def comparability(found: Comparability | None, comparison: NoiseComparison | None) -> str:
    """What a raw SS_rate can be compared across, and what not.

    Args:
        found: as from ``read_factors.comparability``.
        comparison: as from ``read.against_noise``.
    """
    if found is None or comparison is None:
        return _NOT_RUN
    gap, gap_low, gap_high = found.formulas
    shift, low, high = found.scale
    return (
        "> **When two raw SS_rates can be compared**\n>\n"
        f"> - **They can** if they differ in: {'; '.join(found.yes) or 'nothing that was tried'}.\n"
        f"> - **They cannot** if they differ in: {'; '.join(found.no)}; the formula. The printed "
        f"formula gives values larger by {gap:.2f} in the median layer of the median network, "
        f"{gap_low:.2f} to {gap_high:.2f} over networks.\n"
        f"> - Features three times as large or small already move SS_rate by {shift:.3f} "
        f"[{low:.3f}, {high:.3f}], up to {found.times:.0f} times the spread over images. The mean "
        f"distance of the recorded layers runs from {found.unit[0]:.2g} to {found.unit[1]:.2g}. A "
        "difference between two networks, or before and after training, may therefore be one of "
        "scale; `scale_free_rate` of both shows whether it is.\n"
        "> - A value below that of Gaussian noise of the same shape "
        f"({comparison.low:.2f} to {comparison.high:.2f} here) is no proof of self-similarity, nor "
        f"is one above it a disproof: {percent(comparison.below)} of a network's layers are below, "
        "on average."
    )
