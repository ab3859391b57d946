"""What a reader meets: short captions that begin with the finding, lines that fit, few bars, few
long sentences, chapters that open with an answer and end with what would change it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import jupytext
import pytest
import yaml

from reproduction.paths import ROOT
from reproduction.verdicts.say_chapters import CHAPTERS

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

#: Words in a caption, columns of code that a page shows, words in a sentence.
CAPTION, COLUMNS, SENTENCE = 40, 79, 35

#: Figures of speech of ours that no reader knows.
PRIVATE = r"\b(roads?|rulers?|yardsticks?|told apart|for no reason)\b"


def cells(path) -> list:
    return jupytext.read(path).cells


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def caption(cell) -> str:
    return cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", "")


def numbered() -> list[str]:
    """The chapters' pages."""
    contents = yaml.safe_load((ROOT / "book/_toc.yml").read_text(encoding="utf-8"))
    parts = (part for part in contents["parts"] if part.get("numbered"))
    return [chapter["file"] for part in parts for chapter in part["chapters"]]


def prose() -> Iterator[tuple[str, str]]:
    """Page and paragraph or item of each text, without code, tables, equations and directives."""
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "book").glob("*.md")}
    for path in NOTEBOOKS:
        markdown = [cell.source for cell in cells(path) if cell.cell_type == "markdown"]
        pages[path.stem] = "\n\n".join([*markdown, *filter(None, map(caption, cells(path)))])
    for name, text in pages.items():
        if name.startswith("api_"):
            continue
        text = re.sub(r"^---\n.*?\n---\n", "", text, flags=re.DOTALL)
        text = re.sub(r"^(`{3,}|\$\$).*?^\1", "", text, flags=re.DOTALL | re.MULTILINE)
        for block in re.split(r"\n\s*\n|\n(?=[-:] )", text):
            if not re.match(r"\s*([|#:(]{1,3}|<|!\[)", block) or block.startswith(": "):
                yield name, " ".join(block.split())


def sentences(text: str) -> list[str]:
    plain = re.sub(r"\$[^$]*\$|`[^`]*`|\([^)]*\)", "X", text)
    return [
        one for one in re.split(r"(?<=[.!?])\**\s+(?=[A-Z*“\"\[{])|:\s+(?=[A-Z])", plain) if one
    ]


@every_notebook
def test_captions_are_short_and_begin_with_the_finding(path):
    found = list(filter(None, map(caption, cells(path))))
    assert not [text for text in found if len(text.replace("**", "").split()) > CAPTION]
    assert not [text for text in found if not re.match(r"\*\*[^*]+[.?]\*\*", text)]
    assert not [text for text in found if "What to see" in text]


@every_notebook
def test_code_that_a_page_shows_fits(path):
    shown = [c for c in cells(path) if c.cell_type == "code" and "hide-input" not in tags(c)]
    lines = [line for cell in shown for line in cell.source.splitlines()]
    assert not [line for line in lines if len(line) > COLUMNS]


def test_there_are_nine_chapters():
    pages = numbered()
    assert len(pages) == 9
    assert [page.split("/")[1] for page in pages] == [*CHAPTERS]


@pytest.mark.parametrize("chapter", [name for name in CHAPTERS if name != "method"])
def test_a_chapter_opens_with_an_answer_and_ends_with_what_would_change_it(chapter):
    own = cells(ROOT / f"notebooks/{chapter}.py")
    shown = [cell for cell in own if cell.cell_type == "markdown" or "answer" in tags(cell)]
    assert shown[0].source.startswith("# ") and "answer" in tags(shown[1])
    assert f'opening("{chapter}")' in shown[1].source
    assert "## What would change our mind" in shown[-1].source
    steps = [c.source for c in own if c.cell_type == "code" and "hide-input" not in tags(c)]
    assert any(5 <= len(step.splitlines()) <= 10 for step in steps), "no visible step"


def test_the_method_does_so_too():
    text = (ROOT / "book/method.md").read_text(encoding="utf-8")
    assert text.index("_generated/opening.md") < text.index("## From a layer")
    assert text.rpartition("\n## ")[2].startswith("What would change our mind")


def test_pages_show_few_bars():
    """A bar for each figure and table, and one for the set-up of a page."""
    shown = sum(bool(caption(cell)) for path in NOTEBOOKS for cell in cells(path))
    assert shown + len(NOTEBOOKS) <= 130


def test_sentences_are_short():
    every = ((name, one) for name, text in prose() for one in sentences(text))
    long = [(name, one) for name, one in every if len(one.split()) > SENTENCE]
    assert not long


def test_no_figure_of_speech_of_ours():
    found = [(name, m[0]) for name, text in prose() for m in re.finditer(PRIVATE, text)]
    assert not found
