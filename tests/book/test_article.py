"""The report: its numbers are the records', it is short, and its equations are set."""

from __future__ import annotations

import importlib
import re
import shutil
import sys

import pytest

from reproduction.paths import ROOT
from reproduction.verdicts import claims

HEADINGS = [
    "Scope of reproducibility",
    "Methodology",
    "Results",
    "What was easy",
    "What was difficult",
    "Communication with the authors",
]


@pytest.fixture(scope="module")
def article():
    sys.path.insert(0, str(ROOT / "book"))
    yield importlib.import_module("article")
    sys.path.remove(str(ROOT / "book"))


@pytest.fixture(scope="module")
def parts(article):
    return article.parts()


def test_no_number_of_the_report_is_typed(article):
    text = article.TEMPLATE.read_text(encoding="utf-8")
    free = re.sub(r"\{\{\w+\}\}|\$[^$]*\$|Tables? \d( and \d)?|CIFAR-10", "", text)
    assert not re.findall(r".*\d.*", free)
    assert not re.search(r"\b(two|three|four|five|ten|half|per cent)\b", free)


def test_the_report_has_its_parts_and_every_claim(article, parts):
    text = article.page(parts)
    assert re.findall(r"<h2>(.+)</h2>", text) == HEADINGS
    table = claims.scorecard()
    for number, row in table.iterrows():
        own = re.search(rf"<th>{number}</th>(.*?)</tr>", text)[1]
        assert f"<td>{row['verdict']}</td>" in own and f"<td>{row['in print']}</td>" in own
    for raw in ("{{", "**", "](", "{numref}", "{cite", ":::", "nan"):
        assert raw not in text, raw
    assert text.count('class="math"') > len(article.EQUATIONS)


def test_a_place_that_nothing_fills_is_an_error(article, parts):
    with pytest.raises(KeyError, match="claims"):
        article.page({name: text for name, text in parts.items() if name != "claims"})


def has_browser() -> bool:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return any(map(shutil.which, names))


@pytest.mark.skipif(not has_browser(), reason="no Chromium")
def test_the_report_is_at_most_four_pages(article, parts, tmp_path, monkeypatch):
    monkeypatch.setattr(article, "parts", lambda: parts)
    made = article.make(tmp_path)
    assert 2 <= article.pages_of(made) <= article.PAGES == 4
    monkeypatch.setattr(article, "PAGES", 1)
    with pytest.raises(SystemExit, match="at most 1"):
        article.make(tmp_path)


@pytest.mark.skipif(not has_browser(), reason="no Chromium")
def test_a_broken_equation_stops_the_print(article, parts, tmp_path, monkeypatch):
    broken = parts | {"equations": r'<span class="math">\(\frac{1\)</span>'}
    monkeypatch.setattr(article, "parts", lambda: broken)
    with pytest.raises(SystemExit, match="equations that cannot be set"):
        article.make(tmp_path)
