"""What a difference between print and release changes, in words; "not run" where it is not known.

A function per effect: the numbers of ``effects`` or ``live`` in, a sentence out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reproduction.paper.tables import DATASETS
from reproduction.words import percent

Values = Mapping[str, Any]

NOT_RUN = "not run"

SYMBOLS = {"sigma": "σ", "delta": "Δ"}


def factor(rows: Sequence[tuple[str, float, float]]) -> str:
    """What one factor does to SS_rate, by model.

    >>> factor([("PVT", -0.0001, 0.002)])
    'SS_rate of PVT +0.000 ± 0.002'
    """
    # a change that rounds to 0 has no sign of its own
    told = [f"{model} {round(change, 3) + 0.0:+.3f} ± {std:.3f}" for model, change, std in rows]
    return "SS_rate of " + ", ".join(told) if told else NOT_RUN


def ways(values: Values | None) -> str:
    """Two ways to measure σ or Δ.

    >>> ways(None)
    'not run'
    """
    if values is None:
        return NOT_RUN
    return (
        f"{SYMBOLS[values['metric']]} {values['one']:.2f} against {values['other']:.2f} on average "
        f"over {values['networks']} networks; their ranks correlate {values['rank']:+.2f}"
    )


# --- SS_rate --------------------------------------------------------------------------------------


def density(v: Values) -> str:
    """Counting i = j, and the float32 comparison."""
    return (
        f"with i = j counted, p(TV) = {v['at TV']:.4f} for D = {v['D']} and N_θ has no value "
        "there; the float32 comparison matters only where distances are tiny: SS_rate "
        f"{v['released']:.5f} instead of {v['exact']:.5f} in a reference case"
    )


def box_number(v: Values | None) -> str:
    """The two box numbers."""
    if v is None:
        return NOT_RUN
    return (
        f"the largest of all: SS_rate of {v['networks']} untrained networks is "
        f"{v['released']:.2f} by the released and {v['printed']:.2f} by the printed formula on "
        f"average; they lie {v['released off']:.2f} and {v['printed off']:.2f} from Table 2"
    )


def thresholds(v: Values) -> str:
    """Another number of thresholds."""
    told = ", ".join(
        f"at most {change:.4f} in SS_rate with {T} thresholds" for T, change in v.items()
    )
    return f"{told} instead of 256 (six reference inputs)"


def integral(v: Values) -> str:
    """The rule of the sum and the factor."""
    return (
        f"sum instead of trapezoid: at most {v['largest']:.4f} in SS_rate (six reference inputs); "
        f"2/D instead of 2/log D: a factor of {v['factor']:.0f} at D = {v['D']}"
    )


def surrogate(v: Values) -> str:
    """The factors of the surrogate gradient."""
    return (
        "none on the value; fac scales the gradient and k turns it: cosine between the gradients "
        f"at k = 1 and 10 {v['low']:.2f} to {v['high']:.2f} (six reference inputs)"
    )


def precision(v: Values) -> str:
    """Half and single precision."""
    return (
        f"released float32 gradient against ours in float64: {percent(v['error'])} of its norm in "
        "the "
        f"worst of six reference cases ({v['worst']}), at most {percent(v['others'], 1)} in the "
        "others; "
        f"whole network in bfloat16: {factor(v['bfloat16'])}"
    )


def batch(v: Mapping[str, Any]) -> str:
    """Fewer and more images."""
    few, many = factor(v["16"]), factor(v["256"])
    return f"with 16 images instead of 64: {few}; with 256: {many}"


def class_token(rows: Sequence[tuple[str, float, float]]) -> str:
    """The class token."""
    return f"left out: {factor(rows)}"


def training_mode(rows: Sequence[tuple[str, float, float]]) -> str:
    """The network's mode."""
    return f"training instead of evaluation mode: {factor(rows)}"


def other_images(rows: Sequence[tuple[str, float, float]]) -> str:
    """Other images."""
    return f"another draw of images: {factor(rows)}"


def channels(rows: Sequence[tuple[str, float, float]]) -> str:
    """Fewer channels."""
    return f"128 channels instead of all: {factor(rows)}"


def normalisation(rows: Sequence[tuple[str, float, float]]) -> str:
    """How pixels are scaled."""
    return (
        "not measurable here for Mixer's checkpoint; pixels 0 to 1 instead of ImageNet's scaling, "
        f"untrained: {factor(rows)}"
    )


def layers_drawn(v: Values | None) -> str:
    """Other lists of layers."""
    if v is None:
        return NOT_RUN
    return (
        "mean SS_rate over the released list instead of Table 1's, untrained: at most "
        f"{v['change']:+.3f} ({v['model']})"
    )


def variants(v: Values | None) -> str:
    """The two sizes of PVT."""
    if v is None:
        return NOT_RUN
    told = ", ".join(f"{rate:.3f} for {name}" for name, rate in v.items())
    return f"SS_rate of untrained PVT: {told}"


# --- the constraint -------------------------------------------------------------------------------


def damping(v: Values | None) -> str:
    """How often the damped penalty vanishes."""
    if v is None:
        return NOT_RUN
    share = "; in released arms of ours: not run"
    if v["epochs"] is not None:
        share = (
            "; in our released arms the mean penalty is above 0 in "
            f"{percent(v['epochs'])} of the epochs after the first"
        )
    return (
        f"of the modules that are drawn from, {_shares(v['close'], percent)} lie within 5 % of "
        "their "
        f"network's mean over layers, untrained: for the others the penalty vanishes{share}"
    )


def alpha(v: Values) -> str:
    """The released weights against the printed order."""
    return (
        f"halved, the released α are {v['low']:.4f} to {v['high']:.0f} times 10⁻⁴; "
        f"{v['highest']} of {v['of']} commands have {v['high']:.0f} times"
    )


def gamma(v: Values) -> str:
    """The released targets against the printed rule."""
    return (
        f"the commands' γ lie {v['mean']:.2f} from the baseline's SS_rate in Table 3 on average, "
        f"{v['largest']:.2f} at most ({v['of']} commands)"
    )


def learning_rate(v: Values) -> str:
    """Where the arms have other rates, and what another rate does."""
    named = "; ".join(f"{model} on {DATASETS[dataset]}" for model, dataset in v["cells"])
    control, told = v["control"], NOT_RUN
    if control is not None:
        told = (
            f"{control['mean']:+.2f} points for another rate without the constraint "
            f"(n = {control['n']}, {control['low']:+.2f} to {control['high']:+.2f})"
        )
    return (
        f"in {len(v['cells'])} of the {v['of']} comparisons with commands for both arms the rates "
        f"differ: {named}; what that does to accuracy: {told}"
    )


def unequal_arms(v: Values) -> str:
    """Arms that differ in more than the constraint."""
    told = ", ".join(
        f"{model} on {DATASETS[dataset]} ({gain:+.2f})" for model, dataset, gain in v["cells"]
    )
    return (
        f"{v['rates']} comparisons with another learning rate, {v['augmentation']} with other "
        f"augmentation; their gains in Table 3: {told}"
    )


def best_epoch(v: Values | None) -> str:
    """Best test epoch against last epoch."""
    if v is None:
        return NOT_RUN
    return (
        f"best test epoch minus last epoch: {v['mean']:+.2f} ± {v['std']:.2f} points, "
        f"{v['largest']:.2f} at most ({v['runs']} runs of ours)"
    )


# --- invariance -----------------------------------------------------------------------------------


def features(values: Values | None) -> str:
    """F against activations, σ or Δ."""
    return f"released estimator on F and on activations: {ways(values)}"


def exponent(v: Values) -> str:
    """The two estimators of the exponent."""
    told = "; ".join(
        f"{fit['printed']:.2f} printed, {fit['released']:.2f} released ({kind})"
        for kind, fit in v["fits"].items()
    )
    return (
        f"exponents of two reference spectra: {told}; printed and released on activations: "
        f"{ways(v['ways'])}"
    )


def skipped_layers(v: Values | None) -> str:
    """Layers of too few eigenvalues."""
    if v is None:
        return NOT_RUN
    return (
        f"layers left out in {v['networks']} of {v['of']} networks of ours; the randomised solver "
        "is not compared"
    )


def sparsity(v: Values | None) -> str:
    """What is called sparsity."""
    if v is None:
        return NOT_RUN
    return f"the two add up to 1; the share that is not zero is {_shares(v, '{:.2f}'.format)}"


def _shares(v: Values, write: Callable[[float], str]) -> str:
    """A share in the median network, and its range over networks."""
    median, low, high = (write(v[name]) for name in ("median", "low", "high"))
    return f"{median} in the median of {v['networks']} networks ({low} to {high})"


def dimension_known(v: Values) -> str:
    """Both estimators on sets of known dimension."""
    told = "; ".join(
        f"{name} {fit['true']:.2f}: {fit['printed']:.2f} and {fit['released']:.2f}"
        for name, fit in v["sets"].items()
    )
    return f"true value: printed and released, {v['n']} points: {told}"


def dimension_scale(v: Values) -> str:
    """Both estimators on one set at two sizes."""
    told = ", ".join(f"{name} {one:.2f} and {ten:.2f}" for name, (one, ten) in v.items())
    return f"a square, and the same ten times as large: {told}"


def dropped_dimensions(v: Values | None) -> str:
    """Layers whose dimension is too small."""
    if v is None:
        return NOT_RUN
    return f"layers dropped in {v['networks']} of {v['of']} networks of ours"
