"""The paper element by element: nothing left out, nothing typed that has to be read."""

from __future__ import annotations

import importlib
from functools import reduce
from itertools import product

import pytest

from reproduction.invariance.read import invariance_table
from reproduction.paper.read_elements import OURS, elements
from reproduction.paper.tables import DATASETS, load_table
from reproduction.paths import ROOT

#: What the paper has besides its tables: counted in its text.
LISTED = {
    "figures and algorithms": ["Figure 1", "Figure 2", "Algorithm 1", "Algorithm 2"],
    "equations": [f"Eq. {number}" for number in range(1, 20)],
    "appendices and future work": [
        "Appendix A",
        "Appendix B",
        "Appendix C",
        "Future work: a target that changes in training",
        "Future work: small worlds",
    ],
}


@pytest.fixture(scope="module")
def table():
    return elements()


def test_every_figure_equation_algorithm_and_appendix_is_there(table):
    for part, names in LISTED.items():
        assert table.loc[table["part"] == part, "element"].tolist() == names


def test_every_cell_of_every_table_is_there(table):
    cells = {1: ["modules"], 2: ["untrained", "pretrained"]}
    arms, quantities = ("baseline", "constrained"), ("top-1", "SS_rate")
    cells[3] = [", ".join(key) for key in product(DATASETS.values(), arms, quantities)]
    cells[4] = cells[5] = [*DATASETS.values(), "average"]
    for number, columns in cells.items():
        models = load_table(number)["model"].unique()
        own = table[table["part"] == f"Table {number}"]
        assert set(zip(own["element"], own["column"], strict=True)) == set(product(models, columns))
        assert len(own) == len(models) * len(columns)
    parts = {*LISTED, *(f"Table {number}" for number in cells)}
    assert set(table["part"]) == parts


def test_every_row_says_what_is_printed_what_is_ours_and_where(table):
    assert (table[["printed", "ours"]] != "").all(axis=None)
    assert table["where"].map(len).min() >= 1
    pages = {page for where in table["where"] for page in where}
    for page in pages:
        assert (ROOT / f"{page}.{'md' if page.startswith('book') else 'ipynb'}").is_file(), page


def test_printed_cells_are_the_papers(table):
    cells = table.set_index(["part", "element", "column"])["printed"]
    assert cells["Table 3", "ViT (base)", "Imagenette, constrained, top-1"] == "82.93 ± 0.24"
    assert cells["Table 3", "ViT (base)", "Imagenette, constrained, SS_rate"] == "0.39 ± 0.01"
    assert cells["Table 4", "PVT", "CIFAR-100"] == "0.4506"
    assert cells["Table 5", "MLP-Mixer", "CIFAR-100"] == "0.1390"
    assert cells["Table 2", "ResMLP", "pretrained"] == "0.40"


def test_ours_is_read_from_records(table, tmp_path):
    nothing = elements(tmp_path)
    measured = nothing["part"].str.startswith("Table ") & (nothing["part"] != "Table 1")
    assert set(nothing.loc[measured, "ours"]) == {"not run"}
    assert set(nothing.loc[nothing["element"].str.startswith("App"), "ours"]) == {"not run"}
    assert set(nothing["small"]) == {""}
    cells = table.set_index(["part", "element", "column"])["ours"]
    assert cells["Table 2", "ViT (small)", "untrained"].startswith("0.1")
    assert "±" in cells["Table 4", "VGG", "CIFAR-10"]
    assert cells["Table 4", "VGG", "CIFAR-100"] == "not run"
    # an average over all data sets needs them all
    assert cells["Table 4", "VGG", "average"] == "not run"


def test_an_average_is_given_once_all_data_sets_are_there(monkeypatch):
    monkeypatch.setattr("reproduction.paper.read_elements.invariance_table", three_sets)
    cells = elements().set_index(["part", "element", "column"])["ours"]
    assert cells["Table 5", "PVT", "average"] == "0.2000"


def three_sets(runs, number):
    return invariance_table(runs, number).assign(ours=0.2, std=0.1)


def test_code_that_is_named_exists(table):
    for name in table.loc[table["code"] != "", "code"]:
        module, *rest = name.split(".")
        found = importlib.import_module(module)
        if len(rest) == 2:
            found, rest = importlib.import_module(f"{module}.{rest[0]}"), rest[1:]
        assert callable(reduce(getattr, rest, found)), name


def test_readers_that_are_named_are_used(table):
    text = (ROOT / "data/paper/elements.yml").read_text(encoding="utf-8")
    assert all(f"ours: {name}\n" in text for name in OURS)
    assert not set(table["ours"]) & set(OURS)
