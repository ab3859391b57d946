"""What the printed tables come to, in sentences: a table of ``audit`` in, Markdown out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from reproduction.paper.tables import DATASETS

NOTHING = "Nothing printed to compare."


def helps(comparisons: pd.DataFrame) -> str:
    """Which models gain from the constraint, and whether they are those that the text says."""
    if comparisons.empty:
        return NOTHING
    up, down = (comparisons["decided"] == word for word in ("gain", "loss"))
    marked, cnn = comparisons["marked"], comparisons["family"] == "cnn"
    unmarked = comparisons[~marked & up]
    losers = " and ".join(dict.fromkeys(_models(comparisons[cnn & down])))
    return (
        f"Of the {marked.sum()} comparisons of marked models, "
        f"**{_are((marked & up).sum(), 'gain')} and "
        f"{_are((marked & down).sum(), 'loss')}**{_cells(comparisons[marked & down])}. Among "
        f"the others, {_are(len(unmarked), 'gain')} that the text does not mark"
        f"{_cells(unmarked, ' ({})')} and {_are((~marked & down).sum(), 'loss')}"
        f"{_cells(comparisons[~marked & down])}. Of the {cnn.sum()} comparisons of convolutional "
        f"networks {_are((cnn & up).sum(), 'gain')} and {_are((cnn & down).sum(), 'loss')}"
        f"{f' ({losers})' if losers else ''}, as the text says. "
        f"{_exclusively(unmarked, comparisons[cnn & up])}"
    )


def _exclusively(unmarked: pd.DataFrame, cnn: pd.DataFrame) -> str:
    """Whether only the marked models gain."""
    if unmarked.empty:
        return "**“Exclusively” holds.**"
    where = " and ".join(f"{model} on {_name(dataset)}" for model, dataset in unmarked.index)
    rest = "no convolutional network gains" if cnn.empty else "convolutional networks gain, too"
    return f"**“Exclusively” is contradicted by {where}; {rest}.**"


def average_gain(comparisons: pd.DataFrame) -> str:
    """The mean gains of the marked models, and the largest single gain."""
    marked = comparisons[comparisons["marked"]]
    if marked.empty:
        return NOTHING
    means = marked.groupby("model")[["gain", "relative"]].mean()
    points, relative = means["gain"], means["relative"]
    model, dataset = comparisons["gain"].idxmax()
    return (
        f"The mean gains of the four marked models run from **{points.min():.2f} to "
        f"{points.max():.2f} points**, or from {relative.min():.2f} to {relative.max():.2f} % of "
        "the baseline. Neither range is 1.2–5.3. The mean over all four is "
        f"{points.mean():.2f} points. The largest single gain, {comparisons['gain'].max():.2f} "
        f"points ({model} on {_name(dataset)}), rounds to the abstract's 6 %, if that means "
        f"points; relative to the baseline it is {comparisons['relative'].max():.1f} %."
    )


def best_of(errors: Mapping[str, float]) -> str:
    """What the choice of the best epoch, and of the test images, does to the gains.

    Args:
        errors: ``audit.sampling_errors()``.
    """
    told = ", ".join(f"{error:.1f} points ({_name(dataset)})" for dataset, error in errors.items())
    return (
        "The bias cancels in the gains as long as both arms fluctuate equally from epoch to epoch. "
        "**The large gains survive all of this.** The scatter over runs also ignores that all runs "
        "share one test set. Another set of as many images would move a single accuracy by "
        f"{told or 'an amount that was not computed'} (one standard error). Differences of a "
        "few tenths of a point may therefore hold for this test set only."
    )


def invariance(summary: pd.DataFrame) -> str:
    """Whether the models of better invariance are those that gain.

    Args:
        summary: ``audit.invariance_summary()``.
    """
    if summary.empty:
        return NOTHING
    told = " and ".join(
        f"ρ = {row.rho:.2f} (exact p = {row.p:.2f}) for Table {row.Index}"
        for row in summary.itertuples()
    )
    before = " and ".join(
        f"{_and(row.before)} in Table {row.Index}" for row in summary.itertuples() if row.before
    )
    return (
        "The signs of the averages are as claimed, but with seven models neither correlation is "
        f"significant: {told}. “Precisely” does not hold: {before} rank before the last of the "
        "marked models. The two tables do show that VGG and PVT, which do not gain, rank behind at "
        "least four others in both."
    )


def self_similarity(summary: pd.DataFrame) -> str:
    """Whether the networks that gain are the self-similar ones.

    Args:
        summary: ``audit.self_similarity_summary()``.
    """
    if summary.empty:
        return NOTHING
    own, trained = summary.loc["untrained"], summary.loc["pretrained"]
    if own["separated"]:
        told = (
            "**The abstract’s claim holds in print for untrained networks**: the four marked "
            f"models have the four smallest SS_rates (exact one-sided p = {own['p']:.3f})"
        )
    else:
        told = (
            "**The marked models are not the most self-similar ones, even untrained** "
            f"(rank sum, exact one-sided p = {own['p']:.3f})"
        )
    after = "also separated" if trained["separated"] else "not separated"
    return (
        f"{told}, and the rank correlation of SS_rate and gain is {own['rho']:+.2f} "
        f"(p = {own['p of rho']:.3f}). After training they are {after}, and the correlation is "
        f"{trained['rho']:+.2f} (p = {trained['p of rho']:.2f})."
    )


def averages(table: pd.DataFrame, twice: Iterable[tuple[int, str, float, list[str]]]) -> str:
    """Whether the averages of Tables 4 and 5 follow from their rows, and values printed twice.

    Args:
        table, twice: ``audit.readded_averages()`` and ``audit.duplicates()``.
    """
    odd = table[table["off"].abs() > 0.5]
    first = "All averages follow from their rows"
    if len(odd):
        first += (
            f", except for the last digit of {len(odd)} in Table {odd.index[0][0]} "
            f"({_and(model for _, model in odd.index)}), rounded up instead of down: of no "
            "consequence"
        )
    told = "; ".join(
        f"{model} has {value:.4f} for {_and(map(_name, where))} in Table {number}"
        for number, model, value, where in twice
    )
    if not told:
        return f"{first}. No value is printed twice in a row."
    return (
        f"{first}. One pair of equal values stands out: {told}. Four equal digits may be chance or "
        "a copying error; the paper alone cannot settle it."
    )


def movement(summary: pd.DataFrame) -> str:
    """Whether SS_rate comes nearer to its target, by each reading of the target.

    Args:
        summary: ``audit.movement_summary()``.
    """
    if summary.empty:
        return NOTHING
    most = (summary["nearer"] > summary["cells"] / 2).any()
    rule = "By one reading most SS_rates do come" if most else "By no reading do most SS_rates come"
    table_2, released = summary.loc["table 2"], summary.loc["released"]
    return (
        "Only movements of more than 0.01 are counted, since rounding can produce smaller ones. "
        f"**{rule} nearer to the target.** With Table 2's value as the target, "
        f"{table_2['nearer']:.0f} of {table_2['cells']:.0f} cells come nearer and "
        f"{table_2['away']:.0f} move away; with that of the released command, "
        f"{released['nearer']:.0f} of {released['cells']:.0f} and {released['away']:.0f}. In the "
        "paper's favour: where SS_rate comes nearer to Table 2's value, accuracy tends to gain "
        f"more (ρ = {table_2['rho']:+.2f}, p = {table_2['p']:.3f}; this p is too small, as the "
        "three cells of a model are not independent). The released training script draws one layer "
        "a step, damps the penalty most of the time, and has other values of γ than the text. "
        "These rows therefore need not show what its constraint did."
    )


def changes(table: pd.DataFrame, gap: pd.Series) -> str:
    """Whether training raises SS_rate in Table 2.

    Args:
        table, gap: ``audit.table_2_changes()`` and ``audit.trained_rates()``.
    """
    change = table["change"]
    if change.empty:
        return NOTHING
    falls = _and(change.index[change < 0])
    most, every = (change > 0).mean() > 0.5, (change > 0).all()
    return (
        f"In {(change > 0).sum()} of {len(change)} models of Table 2 it does, by up to "
        f"{change.max():+.2f}; {falls or 'none'} fall"
        f"{f', by at most {abs(change.min()):.2f}' if falls else ''}. So the “majority” of one "
        f"sentence {'holds' if most else 'does not hold'}, and the “universal” of another "
        f"{'does, too' if every else 'does not'}. The baselines of Table 3 are trained networks "
        f"too, on other data: their SS_rates differ from Table 2's by {gap.mean():.2f} on average "
        f"and by {gap.max():.2f} at most ({gap.idxmax()}). After training, SS_rate depends on the "
        "data set and the schedule, not on the architecture alone."
    )


def reach(smallest: float) -> str:
    """Where SS_rate ends with the printed factor. smallest: of the values in Table 2."""
    return (
        "The text gives SS_rate the range 0 to 1. With the printed factor 2/D its maximum is "
        f"log(D)/D, far below every value of Table 2 (at least {smallest:.2f}). With 2/log D the "
        "maximum is 1. The factor must be a misprint; Table 2 was not computed with it."
    )


def _cells(comparisons: pd.DataFrame, form: str = ": {}") -> str:
    told = ", ".join(
        f"{model} on {_name(dataset)} {gain:+.2f}"
        for (model, dataset), gain in comparisons["gain"].items()
    )
    return form.format(told) if told else ""


def _are(n: int, what: str) -> str:
    plural = {"gain": "gains", "loss": "losses"}
    return f"{n or 'none'} is a {what}" if n < 2 else f"{n} are {plural[what]}"


def _models(comparisons: pd.DataFrame) -> Iterable[str]:
    return (str(model) for model in comparisons.index.get_level_values("model"))


def _name(dataset: str) -> str:
    return DATASETS.get(dataset, dataset)


def _and(names: Iterable[str]) -> str:
    return " and ".join(names)
