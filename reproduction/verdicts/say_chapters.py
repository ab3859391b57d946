"""The box at the head of a chapter: what the paper says, what we find, how sure that is.

All three lines are made of the findings behind the verdicts, so that a chapter cannot say anything
else than the first page does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from reproduction.paths import RESULTS
from reproduction.verdicts import say
from reproduction.verdicts.claims import FULL, RELEASED, SMALL, findings_of, load_claims, verdict
from reproduction.verdicts.claims import IN_SMALL as SMALLER
from reproduction.verdicts.finding import Finding
from reproduction.verdicts.in_print import PRINT
from reproduction.verdicts.say_answer import FORMS as WHOSE
from reproduction.verdicts.say_answer import IN_SMALL, VERDICT
from reproduction.verdicts.say_in_print import PRINTED
from reproduction.words import percent

Values = Mapping[str, Any]
Forms = Mapping[str, Finding]

#: What a chapter is about, by the keys of data/paper/claims.yml.
CHAPTERS: Mapping[str, tuple[str, ...]] = {
    "method": ("range", "cheap"),
    "feature_networks": ("low-dimensional", "poolformer"),
    "nine_models": ("table2-untrained", "table2-trained"),
    "training": ("helps", "toward-target"),
    "invariance": ("table4", "table5", "invariance"),
    "what_moves_ss_rate": ("range",),
    "box_covering": ("boxes",),
    "paper_numbers": ("helps", "average-gain", "invariance", "self-similar-gain"),
    "your_own_model": ("cheap",),
}

#: The chapter whose findings need no run: arithmetic on the paper's own tables.
IN_PRINT = "paper_numbers"


def opening(chapter: str, root: str | os.PathLike[str] = RESULTS) -> str:
    """The three lines of a chapter, as Markdown.

    >>> print(opening("box_covering", "no-such-folder").split("\\n\\n")[1])
    **We find.** Nothing was run.

    Args:
        chapter: one of `CHAPTERS`.
        root: the folder of records; only those that the chapter's claims need are read.

    Raises:
        KeyError: there is no such chapter.
    """
    keys = CHAPTERS[chapter]
    claims = {claim.key: claim for claim in load_claims() if claim.key in keys}
    says = " ".join(claims[key].claim for key in keys)
    if chapter == IN_PRINT:
        found, sure = _in_print(keys)
    else:
        judged = findings_of(keys, root)
        found = " ".join(filter(None, (FOUND[key](judged[key]) for key in keys)))
        sure = " ".join(_sure(f"Claim {claims[key].number}", judged[key]) for key in keys)
    lines = {"The paper says": says, "We find": found or "Nothing was run.", "How sure": sure}
    return "\n\n".join(f"**{head}.** {text}" for head, text in lines.items())


def _sure(name: str, forms: Forms) -> str:
    """The verdict on one claim in each form that was run, and how much is behind it."""
    told = [VERDICT[verdict(forms[FULL])] + _behind(forms[FULL])]
    small = {
        form: f"{IN_SMALL[SMALLER[finding.outcome]]}{_behind(finding)}"
        for form, finding in forms.items()
        if form != FULL and finding.outcome != "not run"
    }
    if list(small) == [SMALL]:
        told.append(f"small runs {small[SMALL]}")
    elif small:
        each = (f"{WHOSE[form]} {words}" for form, words in small.items())
        told.append("small runs " + ", those ".join(each))
    return f"{name}: {'; '.join(told)}."


def _behind(finding: Finding) -> str:
    """How many of what are behind a finding, in brackets."""
    counted = {what: n for what, n in finding.n.items() if isinstance(n, int)}
    return f" ({say.counts(Finding(n=counted))})" if counted else ""


def _in_print(keys: tuple[str, ...]) -> tuple[str, str]:
    """What the printed tables say of claims, and that it rests on them alone."""
    limits = {claim.key: claim for claim in load_claims()}
    told = []
    for key in keys:
        printed = PRINT[key](limits[key].limits)
        why = PRINTED[key](printed.values).why
        told.append(f"Claim {limits[key].number} *{printed.verdict}*: {why}.")
    sure = "It is arithmetic on printed means and standard deviations; no run of ours enters."
    return " ".join(told), sure


# --- a sentence per claim: findings by form in, "" where nothing was run -------------------------


def _range(forms: Forms) -> str:
    values = forms[FULL].values
    if not values:
        return ""
    told = (
        f"Once the factor in Eq. 3 is corrected, SS_rate lies between {values['low']:.2f} and "
        f"{values['high']:.2f} in every layer measured."
    )
    if not values["sets"]:
        return told
    sets = _of(values["below"], len(values["sets"]), "self-similar point set")
    verb = "have" if values["below"] > 1 else "has"
    return f"{told} {sets[0].upper()}{sets[1:]} {verb} a smaller SS_rate than noise like it."


def _cheap(forms: Forms) -> str:
    values = forms[FULL].values
    if not values:
        return ""
    plain, ours = (percent(values[way][1], 1) for way in ("plain", "ours"))
    return (
        f"The penalty adds {plain} to the time of a training step if Algorithm 2 is implemented "
        f"directly, and {ours} in sslib. Its gradient is that of a smooth surrogate, because the "
        "exact one is zero."
    )


def _low_dimensional(forms: Forms) -> str:
    told = []
    for state, found in forms[FULL].values.items():
        if found:
            low, even = (f"{a:.1f} to {b:.1f}" for a, b in (found["low"], found["even"]))
            told.append(
                f"{state.capitalize()}, the channels of the first group spread over {low} "
                f"directions, those of the second over {even}."
            )
        else:
            told.append(f"{state.capitalize()} networks: not run.")
    return " ".join(told)


def _poolformer(forms: Forms) -> str:
    values = forms[FULL].values
    if not values:
        return ""
    return (
        f"PoolFormer spreads over {values['before']:.1f} directions before training and over "
        f"{values['after']:.1f} after it."
    )


def _table_2(forms: Forms) -> str:
    finding = forms[FULL]
    values = finding.values
    if not values:
        return ""
    met, of = values["counts"]["reproduced"], sum(values["counts"].values())
    equal = f"{met or 'none'} of {of} {'is' if met == 1 else 'are'}"
    told = (
        f"By the released formula our values differ from the printed ones by {values['off']:.3f} "
        f"on average (a constant guess: by {values['constant off']:.3f}); {equal} shown to be "
        "equal within the margin."
    )
    if values["order"]:
        rho, p = values["order"]["rho"]
        told += f" Their rank correlation is {rho:+.2f} (p = {p:.3f})."
    return told


def _trained(forms: Forms) -> str:
    return _table_2(forms) or "Trained networks: not run."


def _helps(forms: Forms) -> str:
    told = []
    for form, words in (
        (FULL, ""),
        (RELEASED, "with the authors' own form"),
        (SMALL, "as printed"),
    ):
        values = forms[form].values if form in forms else {}
        if not values:
            continue
        cells = [*_changes(values["marked"]), *_changes(values["cnn"])]
        if cells:
            where = f"In small networks, {words}" if words else "At the paper's settings"
            told.append(f"{where}, the change in top-1 accuracy is {', '.join(cells)}.")
        aside = _changes(values["aside"])
        if aside:
            told.append(f"With another α and γ than its own script has: {', '.join(aside)}.")
    return " ".join(told)


def _changes(group: Mapping[str, Any] | None) -> list[str]:
    """The mean change of each model of a group, with half of its interval."""
    return [
        f"{mean:+.2f} ± {half:.2f} points ({model})"
        for model, (mean, half, _) in (group["each"] if group else {}).items()
        if half is not None
    ]


def _toward(forms: Forms) -> str:
    told = []
    for form, words in ((FULL, ""), (RELEASED, "in its authors' own form"), (SMALL, "as printed")):
        values = forms[form].values if form in forms else {}
        if values:
            where = f"The constraint {words}".strip()
            told.append(
                f"{where} closes {percent(values['least'])} or more of the distance to γ in "
                f"{_of(values['closed'], values['of'], 'network')}."
            )
    return " ".join(told)


def _table_4_or_5(symbol: str) -> Callable[[Forms], str]:
    def told(forms: Forms) -> str:
        values = forms[FULL].values
        if not values:
            return ""
        state = "In untrained networks" if values["untrained"] else "In trained networks"
        text = (
            f"{state}, {symbol} differs from the printed values by a factor of {values['off']:.1f} "
        )
        text += "(median)"
        if "rho" in values:
            text += f"; the rank correlation is {values['rho']:+.2f} (p = {values['p']:.2f})"
        return f"{text}."

    return told


def _invariance(forms: Forms) -> str:
    values = forms[FULL].values
    if not values or "tests" not in values:
        return ""
    symbols = {"sigma": "σ", "delta": "Δ"}
    apart = " and ".join(symbols[name] for name in values["apart"]) or "neither σ nor Δ"
    verb = "separate" if len(values["apart"]) == 2 else "separates"
    return f"In these, {apart} {verb} the networks that improve from the others."


def _boxes(forms: Forms) -> str:
    values = forms[FULL].values
    if not values:
        return ""
    told = " ".join(
        f"By the {formula} formula, N_θ differs from the number of boxes that a covering needs by "
        f"a factor of {found['off']:.1f} at the worst threshold and {found['typical']:.1f} at the "
        "median one."
        for formula, found in sorted(values.items(), reverse=True)
    )
    orders = " and ".join(
        f"{found['rank'][0]:+.2f} ({formula})"
        for formula, found in sorted(values.items(), reverse=True)
    )
    return (
        f"{told} Where the coverings "
        "determine the order of a network's layers, the order by N_θ agrees with it with an "
        f"average Kendall's τ of {orders}."
    )


FOUND: Mapping[str, Callable[[Forms], str]] = {
    "range": _range,
    "cheap": _cheap,
    "low-dimensional": _low_dimensional,
    "poolformer": _poolformer,
    "table2-untrained": _table_2,
    "table2-trained": _trained,
    "helps": _helps,
    "toward-target": _toward,
    "table4": _table_4_or_5("σ"),
    "table5": _table_4_or_5("Δ"),
    "invariance": _invariance,
    "boxes": _boxes,
}


def _of(n: int, of: int, what: str) -> str:
    """So many of so many, with words for none and for the only one.

    >>> _of(0, 2, "set"), _of(1, 1, "network"), _of(2, 4, "network")
    ('none of 2 sets', 'the only network', '2 of 4 networks')
    """
    if n == of == 1:
        return f"the only {what}"
    return f"{n or 'none'} of {of} {what}{'s' * (of != 1)}"
