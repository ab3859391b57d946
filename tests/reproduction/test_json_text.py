"""The layout of records: short, exact, the same when it is written again."""

from __future__ import annotations

import json
import random

import pytest

from reproduction import json_text
from reproduction.paths import RESULTS

RECORDS = sorted(RESULTS.glob("*/*.json"))


def made_up(rng, depth=0):
    kind = rng.choice(["float", "int", "text", "none", "list", "dict"][: 4 if depth > 3 else 6])
    if kind == "float":
        return rng.choice([rng.gauss(0, 1), 10 ** rng.uniform(-300, 300), -0.0, 5e-324, 0.1])
    if kind == "int":
        return rng.randint(-(10**20), 10**20)
    if kind == "text":
        return "".join(rng.choice('ab ",:[]{}\\\n\té<\u2028') for _ in range(rng.randint(0, 30)))
    if kind == "none":
        return rng.choice([None, True, False])
    entries = [made_up(rng, depth + 1) for _ in range(rng.randint(0, 12))]
    if kind == "list":
        return entries
    return {f'key"{rng.random()}': entry for entry in entries}


@pytest.mark.parametrize("seed", range(100))
def test_whatever_is_written_is_read_back_to_the_last_bit(seed):
    value = {"value": made_up(random.Random(seed))}
    shown = json_text.text(value)
    assert json.dumps(json.loads(shown)) == json.dumps(value), "order, type and digits included"
    assert json_text.text(json.loads(shown)) == shown
    assert len(shown.splitlines()) <= len(json.dumps(value, indent=1).splitlines()) + shown.count(
        "\u2028"
    )


def test_a_long_list_is_wrapped_and_a_short_one_stays_on_its_line():
    value = {"curve": [k / 7 for k in range(300)], "pairs": [[0.1, 0.2]] * 50, "short": [1, 2]}
    lines = json_text.text(value).split("\n")
    assert max(map(len, lines)) <= 100 and len(lines) < 90
    assert ' "short": [1, 2]' in lines
    assert sum(len(line) > 80 for line in lines) > 60, "lines are filled"


@pytest.mark.parametrize("path", RECORDS[::10], ids=lambda path: path.name)
def test_committed_records_have_the_layout(path):
    found = path.read_text(encoding="utf-8")
    assert found == json_text.text(json.loads(found)) + "\n", (
        "python -m reproduction.json_text data/results"
    )


def test_a_file_that_is_no_json_is_named_and_left(tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    with pytest.raises(ValueError, match=r"bad\.json"):
        json_text.rewrite(bad)
    assert bad.read_text() == "{"
