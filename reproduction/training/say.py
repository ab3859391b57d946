"""What the chapter on Table 3 says of its tables."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from reproduction.training.arms import ALPHA
from reproduction.training.pairs import networks
from reproduction.training.read import above_chance
from reproduction.training.recipes import RECIPES
from reproduction.words import percent


def what_was_run(every: pd.DataFrame, runs: pd.DataFrame, progress: pd.DataFrame) -> str:
    """How the runs were trained, and whether any was at 224 pixels.

    Args:
        every: all runs there are but those of plans.
        runs: those of recipe "cpu" on CIFAR-10.
        progress: of the plan on the authors' own form, of `confirm.progress`.
    """
    full = every["recipe"].isin(["short", "paper"]).sum()
    text = "**Not run at 224 px**"
    if full:
        text = f"{full} run{'s are' if full > 1 else ' is'} among the records at 224 px"
    if runs.empty:
        return f"{text}. Small networks on small images: not run. CIFAR-100: not run."
    models, size = networks(runs), RECIPES["cpu"]
    epochs = ", ".join(str(number) for number in sorted(set(runs["epochs"])))
    return (
        f"{text}. What was run instead: {len(runs)} runs of small versions of {len(models)} of the "
        f"architectures ({', '.join(models)}) on {size.train_images:,} CIFAR-10 training images (a "
        "tenth of them held out; JPEG copies, drawn with seed 0) and "
        f"{size.test_images:,} test images at {size.size} px, {epochs} epochs, AdamW, on "
        f"{', '.join(sorted(set(runs['device'])))}.{_planned_runs(progress)} CIFAR-100: not run."
    )


def _planned_runs(progress: pd.DataFrame) -> str:
    done = progress[progress["done"] > 0]
    if done.empty:
        return ""
    return (
        f" Besides, {done['done'].sum()} runs of a plan on the authors' own form "
        f"({', '.join(dict.fromkeys(done['network']))}), trained alike and tested on all 10,000 "
        "test images; they have a section of their own."
    )


def baselines(table: pd.DataFrame) -> str:
    """How far the small baselines stand below the paper's. table: of `read.table_3`."""
    ran = table[table["baseline: n"] > 0]
    if ran.empty:
        return "The small baselines: not run."
    own, size = ran["baseline: mean"], RECIPES["cpu"]
    below = ran["paper: baseline"] - own
    return (
        f"The small baselines reach {own.min():.1f} to {own.max():.1f} % where chance is 10 %, and "
        f"stand {below.min():.0f} to {below.max():.0f} points below the paper's. They are trained "
        f"on {percent(size.train_images * 0.9 / 50000)} of the images for {size.epochs} epochs "
        "instead "
        "of 200."
    )


def effect(name: str, effects: pd.DataFrame) -> str:
    """By how much the constrained arm differs in a group of models, and what would have been seen.

    Args:
        name: what the group is called.
        effects: of `pairs.effects`, for the pairs of the group that are judged.
    """
    row = effects.loc["all"]
    models = ", ".join(effects.index.drop("all"))
    if row["n"] < 2:
        return f"For {name} ({models or 'none of them'}): too few pairs were run."
    seen = "so few pairs could not have shown a difference of any size"
    if pd.notna(row["smallest effect"]):
        seen = f"with 80 % power, {row['smallest effect']:.1f} points would have been detected"
    return (
        f"For {name} ({models}), the constrained arm differs by {row['mean']:+.2f} points over the "
        f"{row['n']:.0f} pairs that are judged (95 % interval {_interval(row)}, "
        f"p = {row['p']:.3f}); {seen}."
    )


def planned(contrasts: pd.DataFrame) -> str:
    """What a batch of seeds that was planned beforehand makes of the result that led to it.

    Args:
        contrasts: the rows of `pairs.outcomes` of one model and arm.
    """
    first = contrasts.iloc[0]
    differences = " and ".join(
        f"by {row['mean']:+.2f} points from the {row['against']} ({_interval(row)}, "
        f"p = {row['p']:.3f})"
        for _, row in contrasts.iterrows()
    )
    return (
        f"In the batch of {first['model']} planned beforehand, the arm “{first['arm']}” differs "
        f"{differences}: **the result that led to it is {first['outcome']}.**"
    )


def helps(groups: Mapping[str, pd.DataFrame], outcomes: pd.DataFrame) -> str:
    """Whether the constraint helps: a sentence per group of models and per planned batch.

    Args:
        groups: of `pairs.groups`, of the pairs that are judged.
        outcomes: of `pairs.outcomes`.
    """
    sentences = [effect(name, effects) for name, effects in groups.items()]
    batches = outcomes.groupby(["model", "arm"], sort=False)
    sentences += [planned(contrasts) for _, contrasts in batches]
    return " ".join(sentences) or "Pairs with and without the constraint: not run."


def placebo(shams: pd.DataFrame, contrast: pd.DataFrame) -> str:
    """How far placebo runs lie from their baselines, and the constrained arm from them.

    Args:
        shams: `pairs.effects` of placebo minus baseline.
        contrast: `pairs.effects` of constrained minus placebo, of the pairs that are judged.
    """
    sham, real = shams.loc["all"], contrast.loc["all"]
    if not sham["n"]:
        return "The placebo at this α: not run."
    text = (
        f"On {', '.join(shams.index.drop('all'))}, {sham['n']:.0f} placebo runs differ from their "
        f"baselines by {sham['mean']:+.2f} points on average (standard deviation "
        f"{sham['std']:.2f}, single differences up to {sham['largest']:.2f}). "
    )
    if real["n"] < 2:
        return text + "Constrained minus placebo, same seeds: too few pairs that may be judged."
    return text + (
        f"Constrained minus placebo, same seeds ({', '.join(contrast.index.drop('all'))}, "
        f"{real['n']:.0f} pairs that are judged): {real['mean']:+.2f} points (95 % interval "
        f"{_interval(real)}, p = {real['p']:.3f})."
    )


def placebo_sizes(doses: pd.DataFrame) -> str:
    """How large the placebo's gradient was beside that of the arm it stood for.

    Args:
        doses: of `pairs.dose_response`.
    """
    gradient = doses["gradient"].unstack("penalty").reindex(columns=["constrained", "placebo"])
    shares = (gradient["placebo"] / gradient["constrained"]).dropna()
    if shares.empty:
        return "The placebo beside the constrained arm: not run."
    sizes = ", ".join(
        f"{share:.2f} ({model}, α = {alpha:g})" for (model, alpha), share in shares.items()
    )
    return (
        "Over all parameters, the placebo's gradient as a share of the constrained arm's (each as "
        f"a ratio to the task's, mean over training): {sizes}."
    )


def own_gammas(runs: pd.DataFrame) -> str:
    """How much gamma differs from seed to seed where it is that of the seed's own baseline.

    Args:
        runs: as of `read.read_runs`.
    """
    gammas = runs[runs["arm"] == "constrained"].groupby("model", sort=False)["gamma"]
    spread = gammas.agg(lambda own: own.astype(float).std()).dropna()
    if spread.empty:
        return "γ of more than one seed: not run."
    sizes = ", ".join(f"{value:.3f} ({model})" for model, value in spread.items())
    return f"Over the seeds of the constrained arm, the standard deviation of γ is {sizes}."


def acts(doses: pd.DataFrame, raised: pd.DataFrame, histories: pd.DataFrame) -> str:
    """Whether the constraint acts: at the paper's alpha, and at the largest of each model.

    Args:
        doses: of `pairs.dose_response`.
        raised: those of its rows that `pairs.raised` keeps.
        histories: of `read.histories`, the runs with a penalty.
    """
    ratios = histories[histories["arm"] == "constrained"]["gradient_ratio"] if len(doses) else []
    if not len(ratios):
        return "The constraint at α = 0.0001: not run."
    usual = doses.xs((ALPHA, "constrained"), level=("alpha", "penalty"))
    ends = ", ".join(
        f"{model}'s modules end {row['with']:.3f} from γ instead of {row['without']:.3f}"
        for model, row in usual.iterrows()
    )
    sentences = [
        f"With α = 0.0001 the gradient of the penalty is {percent(ratios.median(), 2)} of the "
        "task's "
        f"(median over networks, seeds and epochs; at most {percent(ratios.max(), 2)}). {ends}."
    ]
    real = raised[raised.index.get_level_values("penalty") == "constrained"]
    for (model, _, alpha), row in real.groupby(level="model").tail(1).iterrows():
        sham = raised["top-1"].get((model, "placebo", alpha))
        sentences.append(largest_dose(model, alpha, row, sham))
    return " ".join(sentences)


def largest_dose(model: str, alpha: float, dose: pd.Series, placebo: float | None) -> str:
    """What a model's largest alpha does. dose: its row of `pairs.dose_response`; placebo: the
    difference in accuracy of the placebo of the same alpha, or None.
    """
    beside = "" if placebo is None else f" (placebo: {placebo:+.1f})"
    return (
        f"With α = {alpha:g}, the gradient of {model}'s penalty is {dose['gradient']:.2g} times "
        f"the task's; the modules end {dose['with']:.3f} from γ instead of {dose['without']:.3f}, "
        f"and accuracy changes by {dose['top-1']:+.1f} points{beside}."
    )


def rate(model: str, row: pd.Series) -> str:
    """What the lower learning rate changes by itself. row: of `pairs.rate_alone`."""
    sign = "gain" if row["crossed"] > 0 else "loss"
    return (
        f"For {model}, the lower rate alone changes the baseline by {row['alone']:+.2f} points "
        f"({row['alone: n']:.0f} pairs of the same seed). At the same rate, the constraint changes "
        f"accuracy by {row['higher']:+.2f} points (higher rate) and {row['lower']:+.2f} (lower). "
        "**Compared as in the scripts, constrained at the lower rate and baseline at the higher, "
        f"the arms differ by {row['crossed']:+.2f} points** ({row['crossed: n']:.0f} pairs): the "
        f"rate alone produces a {sign}."
    )


def rates(table: pd.DataFrame) -> str:
    """`rate` of every model. table: of `pairs.rate_alone`."""
    sentences = [rate(str(model), row) for model, row in table.iterrows()]
    return " ".join(sentences) or "The learning-rate control: not run."


def choices(table: pd.DataFrame) -> str:
    """What the choice of the epoch adds, and what it does to the gain.

    Args:
        table: of `pairs.choices`.
    """
    if table.empty:
        return "The choice of the epoch: not run."
    added = {rule: table[f"{rule} - last"].mean() for rule in ("best test", "held-out")}
    moved = {rule: (table[f"gain, {rule}"] - table["gain, last"]).abs().max() for rule in added}
    return (
        f"Reporting the best test epoch instead of the last changes accuracy by "
        f"{added['best test']:+.2f} points on average, and the epoch that is best on held-out "
        f"images by {added['held-out']:+.2f}. The difference between the arms moves by up to "
        f"{moved['best test']:.2f} points with the first choice and by up to "
        f"{moved['held-out']:.2f} with the second."
    )


def live(runs: pd.DataFrame) -> str:
    """What was trained while the page was built, in two lines of plain text."""
    if runs.empty:
        return "not run"
    epochs = ", ".join(str(number) for number in sorted(set(runs["epochs"])))
    return (
        f"{len(runs)} runs of {epochs} epochs, arms: {', '.join(sorted(set(runs['arm'])))}\n"
        f"all above chance: {above_chance(runs)}"
    )


def _interval(row: Mapping[str, float] | pd.Series) -> str:
    return f"{row['low']:+.2f} to {row['high']:+.2f}"
