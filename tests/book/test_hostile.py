"""A string of a record that is HTML or Markdown stands on a page as the text it is."""

from __future__ import annotations

import html
import importlib
import json
import re
import sys
import warnings

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from PIL import Image

from reproduction import plain
from reproduction.architectures import read as architectures
from reproduction.architectures import say as say_architectures
from reproduction.architectures.browse import searchable
from reproduction.architectures.designs import designs
from reproduction.benchmarks import read as benchmarks
from reproduction.benchmarks import say as say_benchmarks
from reproduction.image_sources import label
from reproduction.images import load_images
from reproduction.invariance import say as say_invariance
from reproduction.paths import RESULTS, ROOT
from reproduction.record_shape import check_contents
from reproduction.records import read_all, record_path
from reproduction.ss_rate import say as say_ss_rate

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


def with_markup(record, markup):
    """Every string of a record that `read` takes any other for, changed to one with markup."""
    for place, key in [*strings(record)]:
        if place is record and key == "experiment":  # names the folder
            continue
        own, place[key] = place[key], markup
        try:
            check_contents(record)
        except ValueError:
            place[key] = own
    return record


def strings(value):
    """Where the strings in a value stand: the dict or list, and the key."""
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(entry, str):
            yield value, key
        elif isinstance(entry, dict | list):
            yield from strings(entry)


@pytest.fixture(scope="module", params=HOSTILE, ids=["html", "link", "fence"])
def marked(request, tmp_path_factory):
    """Records with markup in every string that may be another, under names of their own."""
    folder = tmp_path_factory.mktemp("marked")
    for experiment in sorted(path for path in RESULTS.iterdir() if path.is_dir()):
        few = None if experiment.name.startswith("benchmark") else 2
        for path in [*sorted(experiment.glob("*.json"))[:few], *skipped(experiment)]:
            record = with_markup(json.loads(path.read_text(encoding="utf-8")), request.param)
            named = record_path(record["experiment"], record["config"], record["seed"], folder)
            named.parent.mkdir(exist_ok=True)
            named.write_text(json.dumps(record))
    return folder


def skipped(experiment):
    """The first record that says why there are no numbers, a free text."""
    files = sorted(experiment.glob("*.json")) if experiment.name == "architectures" else []
    return [path for path in files if '"skipped"' in path.read_text(encoding="utf-8")][:1]


def test_strings_that_are_named_by_a_list_are_no_free_text(marked):
    """A model, an arm, a graph: no record can have markup there, nor in a key."""
    found = pd.concat([read_all(path.name, marked) for path in marked.iterdir()])
    assert len(found) > 40
    for column in ("config.model", "config.arm", "config.graph", "config.points", "date"):
        assert not found[column].dropna().str.contains(r"[<|\]]").any(), column
    with pytest.raises(ValueError, match=r"metrics.layers has the key '<b>'"):
        check_contents(
            {"experiment": "demo", "config": {}, "seed": 0, "metrics": {"layers": {"<b>": 1}}}
            | {"device": {"type": "", "name": "", "threads": 1}, "data": None}
            | {"date": "2026-01-01", "seconds": 1}
        )


def test_pages_of_records_with_markup_everywhere(marked):
    fragments, elements, scorecard = map(
        importlib.import_module, ("fragments", "elements", "scorecard")
    )
    provenance = importlib.import_module("provenance")
    pages = {"notebooks/nine_models": "3", "book/status": ""}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = {
            "status": fragments.status(provenance.Build("abc", "d", "m"), [], "quick", marked),
            "left out": "\n".join(fragments.left_out(marked)),
            "elements": elements.elements(pages, marked),
            "scorecard": scorecard.scorecard(pages, marked),
            "verdicts": scorecard.verdicts(pages, marked),
        }
    assert not [name for name, page in made.items() if not harmless(page)]


def test_sentences_of_records_with_markup_everywhere(marked):
    runs = read_all("architectures", marked)
    table = architectures.table(runs, designs())
    speed = benchmarks.speed_at(read_all("benchmark-ss-rate", marked))
    cost = benchmarks.cost(read_all("benchmark-constraint", marked))
    correlation = read_all("benchmark-correlation-dimension", marked)
    reasons = architectures.left_out(runs)
    assert len(reasons) == 1 and speed and cost
    made = (
        say_architectures.coverage(table, reasons),
        say_architectures.vanishing(dict.fromkeys(reasons, 2)),
        say_benchmarks.speed(speed),
        say_benchmarks.cost(cost),
        say_invariance.cost(correlation),
    )
    assert not [sentence for sentence in made if not harmless(sentence)]
    assert searchable(table).count("<script>") == 1  # its own


def test_tables_of_records_with_markup_everywhere(marked):
    """As a notebook shows them."""
    for experiment in sorted(path.name for path in marked.iterdir()):
        shown = read_all(experiment, marked).astype(str)._repr_html_()
        assert not re.search(r"<(script|img)", shown.split("</style>")[-1]), experiment


@pytest.mark.parametrize("text", HOSTILE)
def test_a_folder_of_images_is_named_without_markup_and_without_its_path(text, tmp_path):
    folder = tmp_path / text.replace("/", "")
    for k in range(2):
        (folder / "a").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / "a" / f"{k}.png")
    images = load_images(f"imagefolder:{folder}", None, size=4)
    said = say_ss_rate.images(images.description), say_ss_rate.live(images.description, 2)
    for sentence in (*said, json.dumps(images.data), label(f"imagefolder:{folder}")):
        assert str(tmp_path) not in sentence
    assert all(map(harmless, said))


def test_the_check_sees_what_runs():
    assert not any(map(harmless, HOSTILE))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_string_is_shown_as_it_is(text):
    shown = MarkdownIt().renderInline(f"*{plain.text(text)}*")
    assert shown.startswith("<em>") and shown.endswith("</em>")
    assert html.unescape(shown[4:-5]) == " ".join(text.split())


def test_pages_and_lines_with_hostile_records(root):
    fragments, provenance = map(importlib.import_module, ("fragments", "provenance"))
    build = provenance.Build(str(root), "2026-01-01", "<script>")
    known = fragments.known_records(root)
    assert len(known) > 20
    for experiment in known:
        assert harmless(provenance.line("chapter", [f"records:{experiment}", "live"], build, known))
    assert harmless(fragments.status(provenance.Build("abc", "d", "m"), [], "quick", root))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_machine_beside_a_verdict(text):
    scorecard = importlib.import_module("scorecard")
    for shown in (scorecard._told("0.5", "n = 3", text), scorecard._measured("0", "3", text, "")):
        assert harmless(f"| a |\n|-|\n| {shown} |\n") and harmless(shown)
