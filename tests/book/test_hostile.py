"""A string of a record that is HTML or Markdown stands on a page as the text it is."""

from __future__ import annotations

import html
import importlib
import json
import re
import sys

import pytest
from markdown_it import MarkdownIt

from reproduction.paths import RESULTS, ROOT

HOSTILE = (
    '<script>alert("x")</script><img src=x onerror=alert(1)>',
    "</span></p>[a](javascript:alert(1)) ![b](http://x.test/c.png)",
    "a | b ` </code><script>x</script> {raw} $x$ **y**\n\n# z",
)


@pytest.fixture(scope="module", autouse=True)
def book_modules():
    sys.path.insert(0, str(ROOT / "book"))
    yield
    sys.path.remove(str(ROOT / "book"))


@pytest.fixture(scope="module", params=HOSTILE, ids=["html", "link", "fence"])
def root(request, tmp_path_factory):
    """Records of every experiment whose free strings are hostile: those that name no file."""
    folder = tmp_path_factory.mktemp("results")
    for experiment in sorted(path for path in RESULTS.iterdir() if path.is_dir()):
        for path in sorted(experiment.glob("*.json"))[:2]:
            record = json.loads(path.read_text(encoding="utf-8"))
            record["device"]["name"] = record["commit"] = request.param
            if record["data"]:
                record["data"]["name"] = record["data"]["fingerprint"] = request.param
            (folder / experiment.name).mkdir(exist_ok=True)
            (folder / experiment.name / path.name).write_text(json.dumps(record))
    return folder


def harmless(page):
    shown = MarkdownIt("commonmark").enable("table").render(page)
    tags = " ".join(re.findall(r"<[^>]*>", shown))
    return not re.search(r"<(script|img)|onerror|javascript:|x\.test", tags)


def test_the_check_sees_what_runs():
    assert not any(map(harmless, HOSTILE))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_string_is_shown_as_it_is(text):
    plain = importlib.import_module("plain")
    shown = MarkdownIt().renderInline(f"*{plain.text(text)}*")
    assert shown.startswith("<em>") and shown.endswith("</em>")
    assert html.unescape(shown[4:-5]) == " ".join(text.split())


def test_pages_and_lines_with_hostile_records(root, monkeypatch):
    fragments, provenance = map(importlib.import_module, ("fragments", "provenance"))
    monkeypatch.setattr(fragments.experiments, "__defaults__", (root,))
    monkeypatch.setattr(fragments._origin, "__defaults__", (root,))
    build = provenance.Build(str(root), "2026-01-01", "<script>")
    known = fragments.known_records(root)
    assert len(known) > 20
    for experiment in known:
        assert harmless(provenance.line("chapter", [f"records:{experiment}", "live"], build, known))
    assert harmless(fragments.status(provenance.Build("abc", "d", "m"), [], "quick"))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_machine_beside_a_verdict(text):
    scorecard = importlib.import_module("scorecard")
    for shown in (scorecard._told("0.5", "n = 3", text), scorecard._measured("0", "3", text, "")):
        assert harmless(f"| a |\n|-|\n| {shown} |\n") and harmless(shown)
