"""Damaged records among whole ones, through the whole scorecard: each claim has its verdict, the
page on the build its counts, and a claim that rests on nothing damaged keeps its numbers.
"""

from __future__ import annotations

import importlib
import random
import shutil
import sys
import warnings

import pytest
import test_damaged_checkpoints
import test_damaged_folders
import test_damaged_pages
import test_damaged_records
from test_damaged_records import damaged_file, whole

from reproduction import records
from reproduction.paths import RESULTS, ROOT
from reproduction.verdicts import claims, power

N, AT_ONCE = 24, 4  # damaged records, in all and of one scorecard

#: What the rules look at.
EXPERIMENTS = (
    "benchmark-constraint",
    "box-covering",
    "constraint",
    "invariance",
    "small-confirm",
    "ss-rate",
)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A gate of few draws, kept in this process only; a file that is the same is read once."""
    monkeypatch.setattr(power, "LOOKS", (4,))
    monkeypatch.setattr(power, "N_MORE", 2)
    monkeypatch.setattr(power, "_memory", {})
    monkeypatch.setattr(power, "CHECKOUT", False)
    read, known = records.read, {}

    def read_once(path):
        key = path, path.stat().st_mtime_ns, path.stat().st_size
        if key not in known:
            known[key] = read(path)
        return known[key]

    monkeypatch.setattr(records, "read", read_once)


@pytest.fixture(scope="module")
def fragments():
    sys.path.insert(0, str(ROOT / "book"))
    yield importlib.import_module("fragments")
    sys.path.remove(str(ROOT / "book"))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A copy of the records that the rules look at."""
    root = tmp_path_factory.mktemp("results")
    for experiment in EXPERIMENTS:
        shutil.copytree(RESULTS / experiment, root / experiment)
    return root


def rests_on(root) -> dict[int, set[str]]:
    """Claim's number -> the experiments that its rule reads."""
    found = {}
    for claim in claims.load_claims():
        asked = found[claim.number] = set()

        def read_all(experiment, asked=asked):
            asked.add(experiment)
            return records.read_all(experiment, root)

        claims._by_form(claim, read_all)
    return found


def test_damaged_records_and_the_whole_scorecard(kept, fragments):
    draw, build = random.Random(17), fragments.Build("abc", "2026-01-01", "m")
    as_committed, experiments = claims.scorecard(kept), rests_on(kept)
    assert set().union(*experiments.values()) == set(EXPERIMENTS)
    read = left = 0
    for _ in range(N // AT_ONCE):
        replaced, damaged = {}, []
        touched = draw.sample(EXPERIMENTS, AT_ONCE)
        for experiment in touched:
            path = draw.choice(sorted((kept / experiment).glob("*.json")))
            replaced[path] = path.read_bytes()
            record = whole(experiment, path)
            path.unlink()
            damaged.append(damaged_file(experiment, record, draw, kept))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = claims.scorecard(kept)
            page = fragments.status(build, [], "quick", kept)
        assert set(found["verdict"]) <= set(claims.VERDICTS)
        for number, rests in experiments.items():
            if rests.isdisjoint(touched):
                assert found.loc[number].equals(as_committed.loc[number]), (number, damaged)
        wrong = [why for one in touched for why in records.left_out(one, kept)]
        assert f"Files left out of all tables: {len(wrong)}." in page
        assert all(any(str(path) in why for path in damaged) for why in wrong)
        read, left = read + len(damaged) - len(wrong), left + len(wrong)
        for path in damaged:
            path.unlink()
        for path, content in replaced.items():
            path.write_bytes(content)
    assert read + left == N and min(read, left) > N / 10


def test_two_thousand_files_are_damaged():
    """Each of the tests counts its own."""
    tests = (test_damaged_records, test_damaged_checkpoints, test_damaged_folders)
    pages = test_damaged_pages.N * len(test_damaged_pages.PAGES)
    assert sum(test.N for test in tests) + pages + N >= 2000
