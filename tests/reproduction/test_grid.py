"""The loop that all runners share: what is done is skipped, what is new is kept."""

from __future__ import annotations

from reproduction import records
from reproduction.grid import Job, Measurement, complete, run


def job(measured: list, seeds=(0, 1, 2)) -> Job:
    def measure(cells):
        for config, seed in cells:
            measured.append(seed)
            yield Measurement(config, seed, {"square": seed**2})

    return Job("demo", tuple(({"model": "vgg11"}, seed) for seed in seeds), measure)


def test_what_is_done_is_not_measured_again(tmp_path):
    measured: list[int] = []
    assert len(list(run([job(measured, (1,))], tmp_path))) == 1
    paths = list(run([job(measured)], tmp_path))
    assert measured == [1, 0, 2] and len(paths) == 2
    table = records.read_all("demo", tmp_path)
    assert table.set_index("seed")["metrics.square"].to_dict() == {0: 0, 1: 1, 2: 4}
    assert list(run([job(measured)], tmp_path)) == [] and len(measured) == 3


def test_a_stop_keeps_what_was_measured(tmp_path):
    measured: list[int] = []
    first = next(run([job(measured)], tmp_path))
    assert first.exists() and len(records.read_all("demo", tmp_path)) == 1


def test_a_notebook_sees_how_much_is_left(tmp_path, capsys):
    measured: list[int] = []
    assert complete([job(measured, (0,))], tmp_path, device="cpu") == 1
    assert complete([job(measured)], tmp_path, device="cpu") == 2
    assert "2/2" in capsys.readouterr().err
    assert complete([job(measured)], tmp_path, device="cpu") == 0
    assert capsys.readouterr().err == ""


def test_two_processes_write_a_cell_once(tmp_path):
    measured: list[int] = []
    mine = run([job(measured, (0,))], tmp_path)

    def measure(cells):
        next(run([job([], (0,))], tmp_path))  # another process is first
        yield from job(measured, (0,)).measure(cells)

    assert list(run([Job("demo", (({"model": "vgg11"}, 0),), measure)], tmp_path)) == []
    assert list(mine) == []
