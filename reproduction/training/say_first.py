"""The three answers at the head of the chapter on Table 3, a line each."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from reproduction.training import say_plans
from reproduction.training.arms import ALPHA
from reproduction.training.confirm import Results
from reproduction.words import percent


def three_lines(
    found: Results,
    doses: pd.DataFrame,
    groups: Mapping[str, pd.DataFrame],
    rates: pd.DataFrame,
    choices: pd.DataFrame,
) -> str:
    """Whether the constraint acts, whether it helps, and what the protocol makes by itself.

    Args:
        found: the plan on the authors' own form.
        doses: of ``pairs.dose_response``.
        groups: of ``pairs.groups``, of the pairs of the printed form that are judged.
        rates: of ``pairs.rate_alone``.
        choices: of ``pairs.choices``.
    """
    lines = {
        "Does the constraint act?": [acts(doses), authors_form(found, say_plans.acted)],
        "Does it help?": [helps(groups), authors_form(found, say_plans.helped)],
        "Would the protocol show a gain without it?": [protocol(rates, choices)],
    }
    return "\n".join(f"- **{asked}** {' '.join(told)}" for asked, told in lines.items())


def acts(doses: pd.DataFrame) -> str:
    """What the printed form moves. doses: of ``pairs.dose_response``."""
    own = doses[
        (doses.index.get_level_values("penalty") == "constrained")
        & (doses.index.get_level_values("alpha") == ALPHA)
    ]
    if own.empty:
        return "The printed form (α = 0.0001): not run."
    nearer = own["nearer"]
    return (
        f"As printed (α = 0.0001), its gradient is at most {percent(own['gradient'].max(), 2)} of "
        f"the task's. Without it, the modules end at a distance of {own['without'].min():.3f} to "
        f"{own['without'].max():.3f} from γ; with it, the distance shrinks by {nearer.min():+.3f} "
        f"to {nearer.max():+.3f} ({_networks(len(own))})."
    )


def helps(groups: Mapping[str, pd.DataFrame]) -> str:
    """What the printed form gains. groups: of ``pairs.groups``."""
    rows = {name: effects.loc["all"] for name, effects in groups.items()}
    told = [
        f"{row['mean']:+.2f} points for {name} (95 % interval {row['low']:+.2f} to "
        f"{row['high']:+.2f}, {row['n']:.0f} pairs)"
        for name, row in rows.items()
        if row["n"] > 1
    ]
    return f"As printed: {'; '.join(told)}." if told else "As printed: not run."


def authors_form(found: Results, say: say_plans.Say) -> str:
    """What the plan on the authors' own form says of it; its progress while it is not finished."""
    if found.finished:
        return f"In the authors' own form: {say(found)}"
    done, due = (int(found.progress[name].sum()) for name in ("done", "due"))
    return f"In the authors' own form: the plan {found.plan.name} is at {done} of {due} runs."


def protocol(rates: pd.DataFrame, choices: pd.DataFrame) -> str:
    """What the learning rate and the choice of the epoch make, without any constraint."""
    told = [
        "the lower learning rate of the released commands alone changes the accuracy of "
        f"{model} by {row['alone']:+.2f} points"
        for model, row in rates.iterrows()
    ] or ["the learning rate alone: not run"]
    if choices.empty:
        told.append("the choice of the epoch: not run")
    else:
        added = choices["best test - last"].mean()
        told.append(f"reporting the best test epoch changes that of an arm by {added:+.2f} points")
    text = "; ".join(told)
    return f"{text[0].upper()}{text[1:]}."


def _networks(n: int) -> str:
    return "1 network" if n == 1 else f"{n} networks"
