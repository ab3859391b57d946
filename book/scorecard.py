"""The first page's answers, its table, and the page of verdicts, as MyST text."""

from __future__ import annotations

import html
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd

from reproduction import plain, records
from reproduction.architectures import read as architectures
from reproduction.architectures import say as say_architectures
from reproduction.architectures.designs import designs
from reproduction.paths import RESULTS, ROOT
from reproduction.trained import read as trained
from reproduction.trained import read_beside
from reproduction.trained import say as say_trained
from reproduction.verdicts import claims, power, say_answer, say_power, simulate
from reproduction.verdicts.say_answer import SILENT

#: What the plan of the hundred architectures asks of global mixing; the first page has the answers.
QUESTIONS = ("a-directions", "a-rate")

#: A sign beside each word, so that colour is not the only one.
SIGNS = {
    "reproduced": "✓",
    "partly": "◐",
    "not reproduced": "✗",
    "not testable here": "?",
    "not run": "○",
    "agrees": "✓",
    "agrees in part": "◐",
    "signs differ": "±",
    "disagrees": "✗",
    "undecided": "?",
    "holds": "✓",
    "holds in part": "◐",
    "does not hold": "✗",
    "no numbers in print": "–",
    "–": "–",
}

NOTE = (
    "✓ reproduced, or holds; ◐ in part; ± one network gains, another loses; ✗ not reproduced, or "
    "does not hold; ○ not run; ? not decided; – nothing to compare. A verdict counts the paper's "
    "own networks and image sizes "
    "only; what small networks found stands beside it (recipe cpu: a CIFAR-10 subset, 32 px, 10 "
    "epochs). {where}“Marked” are the models that Table 3 marks with an arrow: ResMLP, MLP-Mixer "
    "and both ViTs. In claims 8 to 10 and 13, ± is half a 95 % interval. [Every claim, its rule "
    "and its evidence](verdicts.md)."
)

ABILITIES = (
    f"Each rule, applied to {power.LOOKS[0]} to {power.LOOKS[-1]} made-up sets of measurements, as "
    "many and as scattered as the measured ones. “Paper”: the means are what the paper says; "
    "“none”: nothing of it holds; “half”: they are half-way between. Where nothing was run at the "
    "paper's settings but it prints how its own ten runs scatter, these are drawn. A rule is "
    f"wrong if it says *not reproduced* where the paper is right in more than {power.ERROR:.0%} of "
    "the draws, by more than draws scatter (two standard errors), or *reproduced* in as many where "
    "nothing holds; of a claim that is *partly* reproduced, *partly* counts like that, and of one "
    "whose *signs differ* this is wrong on both sides. What is wrong is in bold. What such a "
    "rule says is not given, and reads *undecided*. “Would decide”: how many runs bring the rule "
    f"to *reproduced* or *partly* in {power.ENOUGH:.0%} of the draws where the paper is right, and "
    "are not wrong; – where no more can be had. Draws are seeded, and go on while it is open "
    "whether the rule is wrong."
)


def scorecard(pages: Mapping[str, str], root: Path = RESULTS) -> str:
    """The landing page's table, a row per claim, and what other networks than the paper's show.

    Args:
        pages: of the book, with the numbers of the chapters; "" for a page that has none.
        root: the folder of records.
    """
    table = claims.scorecard(root)
    common = _commonest(table)
    lines = [":::{div} scorecard stacked", ""]
    heads = ("", "the paper claims", "verdict", "in print", "its own tables", "ours", "chapter")
    lines += [_row(heads).replace("|  |", "| |"), "|-" * 7 + "|"]
    for number, row in table.iterrows():
        cells = (
            str(number),
            row["claim"],
            _verdict(number, row),
            row["paper"],
            _badge(row["in print"], row["in print: fact"]) if row["in print: fact"] else "–",
            _ours(row, common),
            _chapters(row["evidence"], pages),
        )
        lines.append(_row(cells))
    where = f"Measured on {plain.text(common)} unless said otherwise. " if common else ""
    note = NOTE.format(where=where)
    return "\n".join([*lines, "", note, "", ":::", "", beyond(pages, root), ""])


def beyond(pages: Collection[str], root: Path = RESULTS) -> str:
    """What other networks than the paper's show: it decides no claim, and stands beside them."""
    layers, said = trained.layers(root), "Not run."
    if not layers.empty:
        said = say_trained.first_page(trained.rates(layers), read_beside.norms(layers, root))
    first = _titled("Trained networks, relatives of the paper's", "trained_networks", pages)
    runs = records.read_all("architectures", root)
    second = _titled("A hundred architectures, untrained", "architectures", pages)
    if runs.empty:
        return f"{first} {said}\n\n{second} Not run."
    table = architectures.table(runs, designs())
    if why := architectures.too_few(table):
        return f"{first} {said}\n\n{second} No answers: {why}."
    contrasts = architectures.contrasts(table)
    asked = [say_architectures.decided(contrasts, question) for question in QUESTIONS]
    answers = " ".join(say_architectures.contrast(row) for row in asked)
    return f"{first} {said}\n\n{second} {len(table)} designs. {answers}"


def _titled(title: str, notebook: str, pages: Collection[str]) -> str:
    linked = f"[{title}](../notebooks/{notebook}.ipynb)"
    return f"**{linked if f'notebooks/{notebook}' in pages else title}.**"


def _row(cells: Collection[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _verdict(number: object, row: pd.Series) -> str:
    verdict = f"[{_badge(row['verdict'])}](#claim-{number})"
    for name, told in _forms(row):
        verdict += f'<br><span class="in-small">{told}: {_badge(row[name])}</span>'
    return verdict


def _forms(row: pd.Series) -> list[tuple[str, str]]:
    """What has a result in small, and what it is called: the form in print, the released one."""
    if row["released"] in SILENT:
        return [] if row["in small"] in SILENT else [("in small", "small")]
    forms = [("in small", "small, printed form"), ("released", "small, released form")]
    return [(name, told) for name, told in forms if row[name] not in SILENT]


def _ours(row: pd.Series, common: str) -> str:
    """What was measured, at the paper's settings and in small; common: a machine that goes without
    saying.
    """
    ours = [_measured(row["ours"], row["n"], row["hardware"], common)] if row["ours"] else []
    for name, told in _forms(row):
        ours.append(f"<i>{told}:</i> {_measured(*_in_small(row, name), common)}")
    return "<br>".join(ours) or "–"


def _in_small(row: pd.Series, name: str = "in small") -> tuple[str, str, str]:
    return row[f"{name}: ours"], row[f"{name}: n"], row[f"{name}: hardware"]


def answers(root: Path = RESULTS) -> str:
    """The landing page's three answers, side by side."""
    return answer(claims.scorecard(root))


def answer(table: pd.DataFrame) -> str:
    """How many claims have which verdict, and what follows for three kinds of reader."""
    asked = say_answer.answers(claims.by_key(table))
    first, *others = asked
    parts = ["::::{grid} 1 1 3 3", ":gutter: 3", ":class-container: answers", ""]
    for question, lines in asked.items():
        parts += [":::{grid-item}", f"**{question}**", ""]
        parts += [_counts(table), ""] if question == first else []
        parts += [f"- {line}" for line in lines]
        if question == others[0]:
            parts.append("- Compare its values only at equal [feature scale](#scale-matters).")
        parts += [":::", ""]
    return "\n".join([*parts, "::::", ""])


def _counts(table: pd.DataFrame) -> str:
    """Of all claims, how many have which verdict, at the paper's settings and in small."""
    given = ", ".join(f"**{n} {word}**" for word, n in claims.counts(table).items())
    text = f"Of its {len(table)} claims, at its own settings: {given}"
    for name, form in (("in small", "in small runs"), ("released", "in its authors' own form")):
        small = table.loc[~table[name].isin(SILENT), name].value_counts()
        if len(small):
            text += f"; {form}: " + ", ".join(
                say_answer.count(n, word) for word, n in small.items()
            )
    against = (table["in print"] == "does not hold").sum()
    return f"{text}. By its own tables and equations alone, {against} do not hold."


def verdicts(pages: Collection[str], root: Path = RESULTS) -> str:
    """Every claim in full: what is claimed, the test, the rule, what is printed, what was
    measured.
    """
    table = claims.scorecard(root)
    first = _first_commit("data/paper/claims.yml")
    parts = [f"Date of the first rules: {claims.rules_written()}{first}.", ""]
    for claim in claims.load_claims():
        row = table.loc[claim.number]
        parts += [f"(claim-{claim.number})=", f"## Claim {claim.number}: {claim.short}", ""]
        parts += [f"{claim.claim} *({claim.where})*", ""]
        measured = _told(row["ours"], row["n"], row["hardware"])
        parts += [f"**{SIGNS[row['verdict']]} {row['verdict']}**{measured}", ""]
        if row["in small"] != "–":
            small = f"**{SIGNS[row['in small']]} {row['in small']}**{_told(*_in_small(row))}"
            parts += [f"In small: {small}", ""]
        if row["released"] not in SILENT:
            told = _told(*_in_small(row, "released"))
            word = f"**{SIGNS[row['released']]} {row['released']}**{told}"
            parts += [f"In small, the authors' own form of the constraint: {word}", ""]
        parts += [f"Its own tables: **{row['in print']}**: {row['in print: why']}.", ""]
        fields = {
            "Test": claim.test,
            "Rule": claim.rule,
            "Rule first written on": claim.written,
            "Outcome known then": claim.known,
            "Rule last changed on": f"{claim.changes[-1]['date']}, as told below"
            if claim.changes
            else "never",
            "Evidence": _links(claim.evidence, pages),
        }
        for name, text in fields.items():
            parts += [name, f": {' '.join(text.split())}", ""]
        for change in claim.changes:
            parts += [f"Rule until {change['date']}", f": {' '.join(change['was'].split())}", ""]
            parts += ["Why it was changed", f": {' '.join(change['why'].split())}", ""]
    return "\n".join([*parts, "(what-the-rules-can-tell)=", abilities(root)])


def abilities(root: Path = RESULTS) -> str:
    """How often each rule comes to each verdict if the paper is right, half right, or wrong."""
    found = claims.characteristics(root)
    texts, meanings = say_power.table(found), say_power.meanings(found)
    heads = ["claim", "runs", "n", *(f"if true: {truth}" for truth in simulate.TRUTHS)]
    lines = [f"| {' | '.join([*heads, 'would decide'])} |", "|-" * (len(heads) + 1) + "|"]
    rows = texts.to_dict("records")
    lines += [
        "| " + " | ".join(html.escape(str(row[c]), quote=False) for c in texts) + " |"
        for row in rows
    ]
    names = {f"{claim.number}. {claim.short}" for claim in claims.load_claims()}
    missing = sorted(int(name.partition(".")[0]) for name in names - set(texts["claim"]))
    left = f" Of claims {', '.join(map(str, missing))} nothing was run." if missing else ""
    return "\n".join(
        [
            "## What the rules can tell",
            "",
            ABILITIES + left,
            "",
            ":::{div} wide stacked abilities",
            "",
            *lines,
            "",
            ":::",
            "",
            "What “paper” and “none” mean:",
            "",
            *(f"- {name}: {meaning}." for name, meaning in meanings.items()),
            "",
        ]
    )


def _first_commit(path: str) -> str:
    """When a file was first committed, in words; "" outside a git checkout."""
    command = ["git", "log", "--diff-filter=A", "--format=%h on %cs", "--", path]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    found = done.stdout.strip().rpartition("\n")[2]  # the oldest
    return f"; first committed in {found}" if found else ""


def _badge(word: str, text: str = "") -> str:
    """A word, or a text that it stands for, with its sign and colour."""
    kind, shown = word.replace(" ", "-"), html.escape(text or word)
    return f'<span class="verdict v-{kind}" title="{word}">{SIGNS[word]} {shown}</span>'


def _measured(ours: str, n: str, hardware: str, common: str) -> str:
    where = "" if hardware in (common, "") else f", {plain.text(hardware)}"
    return f'{html.escape(ours)} <span class="n">{html.escape(n)}{where}</span>'


def _told(ours: str, n: str, hardware: str) -> str:
    where = "; ".join(part for part in (html.escape(n), plain.text(hardware)) if part)
    return f": {html.escape(ours)}. *{where}.*" if ours else "."


def _commonest(table: pd.DataFrame) -> str:
    used = pd.concat([table["hardware"], table["in small: hardware"]])
    used = used[used != ""]
    return "" if used.empty else used.value_counts().index[0]


def _links(evidence: Collection[str], pages: Collection[str]) -> str:
    """Links to those evidence pages that the book has, by their titles."""
    return ", ".join(f"[]({_target(page)})" for page in evidence if page in pages) or "none yet"


def _chapters(evidence: Collection[str], pages: Mapping[str, str]) -> str:
    """Links to those evidence pages that are chapters of the book, by their numbers."""
    numbers = {page: pages[page] for page in evidence if pages.get(page)}
    return " ".join(f"[{number}]({_target(page)})" for page, number in numbers.items())


def _target(page: str) -> str:
    """Where a page is, from a page in book/."""
    folder, name = page.split("/")
    return f"{name}.md" if folder == "book" else f"../notebooks/{name}.ipynb"
