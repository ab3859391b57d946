"""Damaged and hostile records end in a table or in a message that names the file."""

from __future__ import annotations

import copy
import json
import random
import warnings

import pytest

from reproduction import records
from reproduction.paths import RESULTS
from reproduction.record_metrics import SHAPES
from reproduction.training.plans import names

N = 1080  # damaged records in all


def whole(experiment, path=None):
    """A committed record of an experiment, the first unless named, as it stands in its file."""
    path = path or min((RESULTS / experiment).glob("*.json"))
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_committed_record_has_its_shape():
    experiments = {path.parent.name for path in RESULTS.glob("*/*.json")}
    assert set(SHAPES) <= experiments and experiments - set(SHAPES) <= set(names())
    for experiment in experiments:
        assert records.left_out(experiment) == []


def deep(levels=100_000):
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda record: record["metrics"].clear(), "metrics.mean_printed_modules is missing"),
        (lambda record: record["config"].update(model="none"), "'none' is no model of Table 1"),
        (lambda record: record["device"].clear(), "device.type is missing"),
        (lambda record: record.update(date="yesterday"), "date: expected a date"),
        (lambda record: record.update(data={"name": "x"}), "data.n is missing"),
        (lambda record: record["metrics"].update(layers={}), "at least one entry, got none"),
        (lambda record: record["metrics"]["layers"].update(a=3), "layers.a: expected a dict"),
        (lambda record: record["metrics"]["layers"].update(a={"D": 10**400}), "is missing"),
        (lambda record: record.update(seconds=10**400), "that a float can hold"),
        (lambda record: record.update(seed=True), "seed: expected a whole number"),
    ],
)
def test_what_tables_cannot_read_is_left_out(tmp_path, change, said):
    record = whole("ss-rate")
    path = records.record_path("ss-rate", record["config"], record["seed"], tmp_path)
    path.parent.mkdir()
    change(record)
    path.write_text(json.dumps(record))
    (wrong,) = records.left_out("ss-rate", tmp_path)
    assert str(path) in wrong and said in wrong
    with pytest.warns(records.RecordWarning, match=path.name):
        assert records.read_all("ss-rate", tmp_path).empty


@pytest.mark.parametrize("content", ["", "3", "null", deep(), '{"schema": 1, "a": ' + deep() + "}"])
def test_foreign_files_are_left_out(tmp_path, content):
    path = tmp_path / "ss-rate" / "a.json"
    path.parent.mkdir()
    path.write_text(content)
    (wrong,) = records.left_out("ss-rate", tmp_path)
    assert str(path) in wrong


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "ss-rate" / "a.json"
    path.parent.mkdir()
    with open(path, "wb") as file:
        file.truncate(2**40)  # takes no room
    (wrong,) = records.left_out("ss-rate", tmp_path)
    assert str(path) in wrong and "bytes" in wrong


HOSTILE = [None, True, -1, 10**400, "x", "NaN", "<script>", [], {}, [[]], {"": None}, [{"a": 1}]]


def damaged(whole, draw):
    """The text of a record with one or two things wrong with it."""
    record = copy.deepcopy(whole)
    for _ in range(draw.randint(1, 2)):
        place = record["metrics"] if draw.random() < 0.8 and record.get("metrics") else record
        while True:
            keys = list(place) if isinstance(place, dict) else range(len(place))
            key = draw.choice(list(keys))
            inner = place[key]
            if not isinstance(inner, dict | list) or not inner or draw.random() < 0.1:
                break
            place = inner
        if draw.random() < 0.5:
            del place[key]
        else:
            place[key] = copy.deepcopy(draw.choice(HOSTILE))
        if not record:
            break
    text = json.dumps(record)
    if draw.random() < 0.1:
        cut = draw.randrange(len(text))
        text = text[:cut] + draw.choice(["", "}", "NaN", "\x00", "1e999"]) + text[cut + 5 :]
    return damaged(whole, draw) if text == json.dumps(whole) else text


def damaged_file(experiment, record, draw, root):
    """The path of a record that `damaged` has been at, in a folder of results."""
    text = damaged(record, draw)
    path = root / experiment / "a.json"
    try:  # under the name that it claims, so that its contents are looked at
        record = json.loads(text)
        named = records.record_path(experiment, record["config"], record["seed"], root)
        path = named if len(named.name) < 200 else path
    except (ValueError, KeyError, TypeError):
        pass
    path.write_text(text)
    return path


def readers():
    """Experiment -> what makes a table of its records."""
    from reproduction.architectures import designs
    from reproduction.architectures import read as architectures
    from reproduction.benchmarks import read as benchmarks
    from reproduction.covering import read as covering
    from reproduction.invariance import read as invariance
    from reproduction.sensitivity import read as sensitivity
    from reproduction.sensitivity import read_cka, read_factors
    from reproduction.ss_rate import read as ss_rate
    from reproduction.trained import read as trained
    from reproduction.trained import read_beside
    from reproduction.training import read as training

    def table(read):
        return lambda experiment, root: read(records.read_all(experiment, root))

    return {
        "architectures": table(lambda runs: architectures.table(runs, designs.designs())),
        "benchmark-constraint": table(benchmarks.cost),
        "benchmark-ss-rate": table(benchmarks.speed),
        "box-covering": table(covering.covers),
        "box-covering-graphs": table(covering.dimensions),
        "cka-training": table(read_cka.similarity),
        "cka-unrelated": table(read_cka.unrelated),
        "constraint": lambda _, root: training.read_runs(root),
        "invariance": table(lambda runs: invariance.invariance_table(runs, 4)),
        "ss-rate": table(ss_rate.table_2),
        "ss-rate-factors": table(ss_rate.factor_table),
        "ss-rate-measures": table(sensitivity.layers),
        "ss-rate-one-factor": table(read_factors.factors),
        "trained-layers": lambda _, root: trained.layers(root),
        "trained-batch-norm": lambda _, root: read_beside.norms(trained.layers(root), root),
        "trained-twins": lambda _, root: trained.twins(root),
        "trained-covers": lambda _, root: read_beside.covers(root),
        "trained-remote": lambda _, root: read_beside.remote(root),
        "trained-channels": lambda _, root: read_beside.channels(root),
        "trained-similarity": lambda _, root: read_beside.alike(root),
        "trained-invariance": lambda _, root: read_beside.invariance(root),
        "trained-path": lambda _, root: trained.path(root),
        "weights-check": lambda _, root: trained.check(root),
    }


def test_damaged_records_end_in_a_table_or_a_message(tmp_path):
    draw, tables = random.Random(17), readers()
    own = {experiment: whole(experiment) for experiment in SHAPES}
    read = left = tabled = 0
    for k in range(N):
        experiment = draw.choice(list(tables if k % 2 else own))
        root = tmp_path / str(k)
        (root / experiment).mkdir(parents=True)
        path = damaged_file(experiment, own[experiment], draw, root)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found, wrong = records.read_all(experiment, root), records.left_out(experiment, root)
            assert len(found) + len(wrong) == 1
            assert not wrong or str(path) in wrong[0]
            read, left = read + len(found), left + len(wrong)
            if experiment in tables and len(found):
                tables[experiment](experiment, root)
                tabled += 1
    assert read + left == N and min(read, tabled) > N / 10 and left > N / 2
