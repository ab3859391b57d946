"""Each record is a page that says how it is made again."""

from __future__ import annotations

import html
import importlib
import json
import re
import shlex
import sys

import pytest

from reproduction import records
from reproduction.paths import RESULTS, ROOT

PAIRS = sorted((RESULTS / "constraint").glob("*.json"))


@pytest.fixture(scope="module", autouse=True)
def record_pages():
    sys.path.insert(0, str(ROOT / "book"))
    yield importlib.import_module("record_pages")
    sys.path.remove(str(ROOT / "book"))


def test_every_experiment_says_what_makes_it(record_pages):
    made = record_pages.commands()
    experiments = {path.parent.name for path in RESULTS.glob("*/*.json")}
    assert not {name for name in experiments if not made.get(name)}
    assert made["box-covering"] == made["ss-rate-measures"] != "the same"


def test_all_records_are_pages_and_listed(record_pages, tmp_path):
    count = record_pages.write(tmp_path)
    paths = sorted(RESULTS.glob("*/*.json"))
    assert count == len(paths) > 1000
    for path in paths[:: len(paths) // 40]:
        page = tmp_path / "records" / path.parent.name / f"{path.stem}.html"
        text = html.unescape(page.read_text(encoding="utf-8"))
        record = records.read(path)
        assert record["commit"] in text and record["date"] in text
        shown = json.loads(re.search(r"<pre[^>]*>(.*)</pre>", text, re.DOTALL)[1])
        assert shown == json.loads(json.dumps(record["metrics"]))
        assert "python " in text
        listed = (page.parent / "index.html").read_text(encoding="utf-8")
        assert f'href="{page.name}"' in listed


def test_a_record_of_its_own_command_is_made_again_by_it(record_pages):
    from reproduction.training.cells import grid

    made = [(records.read(p), record_pages.again(records.read(p))) for p in PAIRS]
    assert sum(bool(command) for _, command in made) > 100
    for record, command in filter(lambda pair: pair[1], made):
        given = dict(re.findall(r"--(\w+) (\S+)", command))
        names = ([given["models"]], [given["arms"]], [int(given["seeds"])])
        *_, cell = grid(given["recipe"], given["dataset"], *names, given["gamma"])
        assert (cell.config, cell.seed) == (record["config"], record["seed"])


def test_what_is_no_longer_run_has_no_command(record_pages):
    for name in ("constraint/placebo-*", "invariance/*-trained-*"):
        assert not [p for p in RESULTS.glob(name) if record_pages.again(records.read(p))]


def test_strings_of_a_record_are_text(record_pages, tmp_path):
    record = records.new_record("x", {"model": "<script>"}, 0, {"a": "</pre><b>"}, seconds=1)
    records.write(record, tmp_path / "results")
    record_pages.write(tmp_path, tmp_path / "results")
    text = "".join(path.read_text("utf-8") for path in (tmp_path / "records/x").glob("*.html"))
    assert "<script>" not in text and "<b>" not in text and "&lt;script&gt;" in text


def test_a_command_that_is_copied_runs_nothing_else(record_pages):
    record = records.read(PAIRS[0])
    record["config"] |= {"dataset": "x; rm -rf y `z`", "seed": 7}
    command = shlex.split(record_pages.again(record))
    assert "x; rm -rf y `z`" in command and str(record["seed"]) in command
