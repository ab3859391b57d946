"""The page that holds every element of the paper, as MyST text."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import pandas as pd

from reproduction.paper import read_elements, read_sentences
from reproduction.paper.tables import DATASETS
from reproduction.paths import RESULTS
from reproduction.verdicts.claims import load_claims

LISTED = ("figures and algorithms", "appendices and future work")

#: Of each table of the paper: what it holds, and the heads of its columns here.
HEADS = {
    1: ("models and their modules", ("model", "printed", "ours")),
    2: (
        "mean SS_rate before and after training on ImageNet",
        ("model", "untrained, printed", "untrained, ours", "trained, printed", "trained, ours"),
    ),
    3: (
        "top-1 accuracy in per cent and SS_rate, without and with the constraint",
        ("cell", "baseline, printed", "S²-Con, printed", "ours", "in small"),
    ),
    4: (
        "standard deviation σ of the power-law exponents",
        ("model", *DATASETS.values(), "average"),
    ),
    5: ("relative span Δ of the correlation dimensions", ("model", *DATASETS.values(), "average")),
}


def elements(pages: Collection[str], root: Path = RESULTS) -> str:
    """Every element: printed, ours or "not run", where in the book, the command.

    Args:
        pages: of the book; others are not linked.
        root: the folder of records.
    """
    table = read_elements.elements(root)
    figures, rest = (_listed(table[table["part"] == part], pages) for part in LISTED)
    lines = ["## Figures and algorithms", "", *figures]
    for number in HEADS:
        lines += _table(number, table[table["part"] == f"Table {number}"], pages)
    lines += [
        "## Equations",
        "",
        "As printed; where the book corrects one, the chapter says so.",
        "",
    ]
    for row in table[table["part"] == "equations"].itertuples():
        lines += [f"**{row.element}**: `{row.code}`, {_links(row.where, pages)}", ""]
        lines += ["$$", row.printed, "$$", ""]
    return "\n".join([*lines, "## Appendices and future work", "", *rest])


def sentences() -> str:
    """Every sentence that numbers could contradict, with the claims that judge it, or why none."""
    numbers = {claim.key: claim.number for claim in load_claims()}
    rows = []
    for row in read_sentences.sentences().itertuples():
        links = ", ".join(f"[{numbers[key]}](#claim-{numbers[key]})" for key in row.claims)
        judged = f"claim {links}" if links else f"no claim: {row.reason}"
        quote = row.quote.replace("*", "\\*")
        rows.append((f"“{quote}”", row.section, row.says, judged))
    return "\n".join(_block("sentences", ("words", "section", "it says", "judged by"), rows))


def _listed(part: pd.DataFrame, pages: Collection[str]) -> list[str]:
    rows = [
        (
            row.element,
            row.printed,
            row.ours + (f" (`{row.code}`)" if row.code else ""),
            _links(row.where, pages),
            f"`{row.command}`" if row.command else "–",
        )
        for row in part.itertuples()
    ]
    return _block("elements", ("element", "printed", "ours", "where", "command"), rows)


def _table(number: int, part: pd.DataFrame, pages: Collection[str]) -> list[str]:
    what, heads = HEADS[number]
    first = part.iloc[0]
    lines = [f"## Table {number}: {what}", "", f"In the book: {_links(first['where'], pages)}."]
    if first["command"]:
        command = first["command"].removesuffix(" cifar10")
        command += " cifar10` (`cifar100`, `imagenette`)" if number == 3 else "`"
        lines += [f"Ours is made by `{command}."]
    rows = {1: _modules, 2: _states, 3: _cells}.get(number, _columns)(part)
    return [*lines, "", *_block(f"table-{number}", heads, rows)]


def _modules(part: pd.DataFrame) -> Iterable[tuple[str, ...]]:
    return [(row.element, f"`{row.printed}`", row.ours) for row in part.itertuples()]


def _states(part: pd.DataFrame) -> Iterable[tuple[str, ...]]:
    for model, own in part.groupby("element", sort=False):
        yield (str(model), *own[["printed", "ours"]].to_numpy().ravel())


def _cells(part: pd.DataFrame) -> Iterable[tuple[str, ...]]:
    split = part["column"].str.split(", ", expand=True)
    part = part.assign(dataset=split[0], arm=split[1], what=split[2])
    for (model, dataset), own in part.groupby(["element", "dataset"], sort=False):
        cell = own.set_index(["arm", "what"])
        arms = list(dict.fromkeys(own["arm"]))
        printed = [_pair(cell["printed"], arm) for arm in arms]
        ours = [" → ".join(dict.fromkeys(_pair(cell[key], arm) for arm in arms)) for key in _OWN]
        yield f"{model}, {dataset}", *printed, *ours


_OWN = ("ours", "small")


def _pair(values: pd.Series, arm: str) -> str:
    """Accuracy and SS_rate of one arm; a word that stands for both once."""
    top1, rate = values[arm, "top-1"], values[arm, "SS_rate"]
    return (top1 or "–") if rate in (top1, "") else f"{top1}; SS_rate {rate}"


def _columns(part: pd.DataFrame) -> Iterable[tuple[str, ...]]:
    for model, own in part.groupby("element", sort=False):
        cells = zip(own["printed"], own["ours"], strict=True)
        yield (str(model), *(f"{printed}; ours {ours}" for printed, ours in cells))


def _block(kind: str, heads: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    heads = tuple(heads)
    lines = [f":::{{div}} wide stacked {kind}", "", _row(heads), "|-" * len(heads) + "|"]
    return [*lines, *map(_row, rows), "", ":::", ""]


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _links(where: Iterable[str], pages: Collection[str]) -> str:
    """Links to the pages that the book has, by their titles, from a page in book/."""
    links = []
    for page in where:
        folder, name = page.split("/")
        target = f"{name}.md" if folder == "book" else f"../notebooks/{name}.ipynb"
        links += [f"[]({target})"] if page in pages else []
    return ", ".join(links) or "none yet"
