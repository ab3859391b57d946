"""Covers: records are recomputed from their configuration, tables follow the records, sentences the
tables.
"""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from reproduction import records
from reproduction.covering import live, read, run, say
from reproduction.covering.known import KNOWN_GRAPHS, flower
from reproduction.covering.run import COVERING, GRAPHS, cover_curves, graph_metrics, run_covers
from reproduction.invariance.known import KNOWN_SETS, known_points
from reproduction.paths import RESULTS
from reproduction.sensitivity.cells import middle
from reproduction.table_1 import TABLE_1
from sslib import box_curve, pair_distances
from sslib.covering import box_dimension, covering_numbers

NOT_RUN = "This study was **not run**."


@pytest.fixture(scope="module")
def F():
    g = torch.Generator().manual_seed(0)
    return torch.randn(40, 6, generator=g) @ torch.randn(6, 50, generator=g)


def test_cover_curves_lie_at_the_thresholds_of_ss_rate(F):
    found = cover_curves(F)
    curve = box_curve(F, thresholds=33)
    assert found["released"] == pytest.approx(curve.boxes.numpy()) and found[
        "theta"
    ] == pytest.approx(curve.theta.numpy())
    cover = covering_numbers(pair_distances(F), found["theta"])
    assert (found["lower"] == cover.lower).all() and (found["upper"] == cover.upper).all()
    assert found["rates"]["released"] == pytest.approx(float(curve.ss_rate))


def test_covers_measure_the_distance_to_the_nearer_bound():
    curve = {
        "D": 8,
        "theta": [1.0, 2.0, 3.0],
        "lower": [8, 2, 1],
        "upper": [8, 4, 1],
        "released": [8.0, 8.0, 1.0],
        "printed": [8.0, 1.0, 1.0],
        "rates": {"released": 0.1, "printed": 0.2, "lower": 0.3, "upper": 0.4},
    }
    runs = pd.DataFrame(
        [{"config.points": "cantor", "seed": 0, "metrics.layers": {"cantor": curve}}]
    )
    row = read.covers(runs).iloc[0]
    assert row["bracket"] == 2 and row["released: worst"] == 2 and row["printed: worst"] == 2
    assert row["rate: upper"] == 0.4 and row["of"] == "points"


def test_records_of_point_sets_and_graphs_are_recomputed():
    run = records.read(records.record_path(COVERING, {"points": "cantor", "n": 512}, 0))
    again = cover_curves(torch.from_numpy(known_points("cantor", 512)))
    committed = run["metrics"]["layers"]["cantor"]
    assert (
        committed["lower"] == again["lower"].tolist()
        and committed["upper"] == again["upper"].tolist()
    )
    assert committed["released"] == pytest.approx(again["released"].tolist())
    run = records.read(records.record_path(GRAPHS, {"graph": "(1, 3)-flower"}, 0))
    again = graph_metrics("(1, 3)-flower")
    for method, found in run["metrics"]["covers"].items():
        assert found["boxes"] == again["covers"][method]["boxes"].tolist(), method


def test_committed_records_cover_the_grid():
    runs = records.read_all(COVERING)
    assert set(runs["config.model"].dropna()) == set(TABLE_1)
    assert set(runs["config.points"].dropna()) == set(KNOWN_SETS)
    assert set(records.read_all(GRAPHS)["config.graph"]) == set(KNOWN_GRAPHS)


def test_recorded_dimensions_of_graphs_are_within_a_tenth_and_none_is_claimed_without_one():
    table = read.dimensions(records.read_all(GRAPHS))
    colouring = table[table["method"] == "colouring"].set_index("graph")
    for graph, known in KNOWN_GRAPHS.items():
        fit = box_dimension(colouring.loc[graph, "sizes"], colouring.loc[graph, "boxes"])
        if math.isnan(known):
            assert not fit.power_law, graph
        else:
            assert float(fit) == pytest.approx(known, rel=0.1), graph
        assert fit.slope == pytest.approx(colouring.loc[graph, "slope"], nan_ok=True)


def test_what_is_done_is_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "KNOWN_SETS", {"cantor": KNOWN_SETS["cantor"]})
    monkeypatch.setattr(run, "KNOWN_GRAPHS", {"(1, 3)-flower": math.nan})
    first = [path.parent.name for path in run_covers(n=40, root=tmp_path)]
    assert first == [COVERING, GRAPHS] and list(run_covers(n=40, root=tmp_path)) == []
    (sets,) = read.covers(records.read_all(COVERING, tmp_path)).to_dict("records")
    assert (sets["of"], sets["model"], sets["D"]) == ("points", "cantor", 40)


def test_sets_and_graphs_are_measured_at_every_scale_but_quick():
    assert run.at_scale({"scale": "quick"}) == []
    jobs = run.at_scale({"scale": "gpu"})
    assert [len(job.cells) for job in jobs] == [len(KNOWN_SETS), len(KNOWN_GRAPHS)]
    assert not [job for job in jobs if job.lacking(RESULTS)]


def curve(D=8, **changed):
    thetas = {"theta": [1.0, 2.0, 3.0], "lower": [8, 2, 1], "upper": [8, 4, 1]}
    boxes = {"released": [8.0, 8.0, 1.0], "printed": [8.0, 1.0, 1.0]}
    rates = {"released": 0.1, "printed": 0.2, "lower": 0.3, "upper": 0.4}
    return {"D": D, **thetas, **boxes, "rates": rates} | changed


@pytest.fixture
def runs():
    """Three networks of a layer each, and a set of dimension log 2 / log 3 whose boxes fall as
    1/θ.
    """
    rows = []
    for k, model in enumerate(("vgg11", "resnet34", "vit_small_patch16_224")):
        rates = {"released": 0.1 * k, "printed": -0.1 * k, "lower": 0.2 * k, "upper": 0.3 * k}
        module = middle(model)
        parts = [
            {"density": share, "nodes": 10 * k, "diameter": k, "reason": "" if k else "too few"}
            for share in (0.02, 0.1)
        ]
        rows.append(
            {
                "config.model": model,
                "metrics.layers": {module: curve(rates=rates)},
                "metrics.graph": {"module": module, "covers": parts},
            }
        )
    theta = np.geomspace(1, 100, 20)
    boxes = dict.fromkeys(("lower", "upper", "released"), (200 / theta).tolist())
    cantor = curve(200, theta=theta.tolist(), **boxes, printed=(200 - theta / 1e3).tolist())
    rows.append({"config.points": "cantor", "config.n": 200, "metrics.layers": {"cantor": cantor}})
    return pd.DataFrame(rows).assign(seed=0)


def test_the_table_of_networks_has_the_largest_ratio_and_the_mean_rate(runs):
    table = read.network_table(read.covers(runs))
    assert list(table.index) == ["ViT (small)", "ResNet34", "VGG"]
    vit = table.loc["ViT (small)"]
    assert vit["bounds", "ratio"] == "2.0" and vit["N_θ off by"].tolist() == ["2.0", "2.0"]
    assert vit["SS_rate"].tolist() == ["0.20", "-0.20", "0.40", "0.60"]


def test_layers_are_ordered_by_each_number_of_boxes(runs):
    found = read.correlations(read.covers(runs))
    assert found.loc["lower", "released"].rho == pytest.approx(1)
    assert found.loc["upper", "printed"].rho == pytest.approx(-1)
    table = read.correlation_table(found)
    assert list(table.index) == ["with the lower bound", "with the upper bound"]
    assert table["printed", "over layers"].str.startswith("-1.00 [").all()
    # a layer per network here: no order inside any
    assert table["printed", "inside a network"].tolist() == ["–"] * 2


def test_curves_alternate_between_networks_and_sets(runs):
    assert list(read.curves(runs)) == ["ViT (small) blocks.6", "Cantor set"]
    assert read.curves(runs[:0]) == {}


def test_slopes_of_point_sets_are_dimensions(runs):
    slopes = read.slopes(runs)
    cantor = slopes.loc["cantor"]
    assert cantor["dimension"] == pytest.approx(math.log(2) / math.log(3))
    assert cantor[["lower", "upper", "released"]].to_numpy() == pytest.approx(1)
    assert cantor["printed"] == pytest.approx(0, abs=1e-3) and cantor["thresholds"] > 2
    table = read.point_table(slopes, read.covers(runs))
    assert table.loc["Cantor set", "dimension"].tolist() == ["0.63", "1.00", "1.00", "1.00", "0.00"]
    assert table.loc["Cantor set", "N_θ off by"].tolist() == ["1", "100"]
    assert read.slopes(runs[:0]).empty


def test_accuracy_is_over_layers_and_the_error_over_sets(runs):
    covers, slopes = read.covers(runs), read.slopes(runs)
    found = read.accuracy(covers, slopes)
    error = 1 - math.log(2) / math.log(3)
    assert (found.layers, found.bracket, found.bracket_of_sets) == (3, 2, 1)
    assert found.cover == pytest.approx(error)
    assert found.released == pytest.approx((2, 2, 2, 2, found.released.typical, error))
    assert 1 <= found.released.typical <= found.released.median
    assert found.printed.dimension == pytest.approx(1 - error, abs=1e-3)
    said = say.accuracy(found)
    assert "at most 2.00 times the lower in all layers, and 1.0 times in the point sets" in said
    assert "2.0 at the worst; in the worst layer by 2.0" in said
    assert (
        "with an error of 0.37 on average, the released N_θ of 0.37, the printed one of 0.63"
        in said
    )
    assert say.accuracy(read.accuracy(covers[:0], slopes)) == NOT_RUN
    assert say.accuracy(read.accuracy(covers, slopes[:0])) == NOT_RUN


@pytest.fixture
def dimensions():
    def fit(slope, reason=""):
        window = {"sizes": [2, 4], "boxes": [9, 3], "window": [2, 4]}
        return {"slope": slope, "error": 0.1 * slope, "reason": reason} | window

    rows = [
        ("Erdős-Rényi", math.nan, {"colouring": fit(3.0, "too few"), "burning": fit(3.0)}),
        ("(2, 2)-flower", 2.0, {"colouring": fit(1.9), "burning": fit(2.2)}),
        ("square lattice", 2.0, {"colouring": fit(2.2), "burning": fit(2.0)}),
    ]
    return read.dimensions(
        pd.DataFrame(
            [
                {
                    "config.graph": graph,
                    "metrics.dimension": known,
                    "metrics.nodes": 10,
                    "metrics.diameter": 3,
                    "metrics.covers": covers,
                }
                for graph, known, covers in rows
            ]
        )
    )


def test_the_table_of_graphs_claims_none_without_a_power_law(dimensions):
    table = read.graph_table(dimensions)
    assert list(table.index) == ["(2, 2)-flower", "square lattice", "Erdős-Rényi"]
    assert table.loc["(2, 2)-flower"].tolist() == [10, "2.00", "1.90 ± 0.19", "2.20 ± 0.22"]
    assert table.loc["Erdős-Rényi"].tolist() == [10, "none", "none", "3.00 ± 0.30"]
    assert read.graph_covers(dimensions)["square lattice"]["burning"]["boxes"] == [9, 3]
    assert read.colouring(dimensions) == (2, pytest.approx(0.1), pytest.approx((0.19, 0.22)), 0)
    claimed = dimensions.assign(reason="")
    assert read.colouring(claimed).claimed == 1
    assert read.colouring(read.dimensions(pd.DataFrame())) is None


def test_the_table_of_components_counts_claims(runs):
    table = read.component_table(runs)
    assert list(table.index) == ["2 % of pairs", "10 % of pairs"]
    assert table.loc["2 % of pairs"].to_dict() == {
        "networks": 3,
        "nodes": 10,
        "diameter": 2,
        "power laws": 2,
    }


def test_the_answer_has_three_parts_or_was_not_run(runs, dimensions):
    covers = read.covers(runs)
    accuracy, rhos = read.accuracy(covers, read.slopes(runs)), read.correlations(covers)
    said = say.answer(accuracy, rhos, read.colouring(dimensions))
    assert said.count("\n> - **") == 3
    assert "within a factor of 2.00 in all 3 layers" in said
    assert "off by a factor of 2.0 to 2.0 at its worst θ (median network: 2.0;" in said
    assert f"by true boxes is {rhos.loc['lower', 'released']} (lower bound)" in said
    assert "d_B of 2 graphs with a known dimension comes out within 10 %" in said
    assert said.endswith("Power laws claimed on graphs that have none: 0.")
    assert say.answer(accuracy, rhos, None) == NOT_RUN
    assert say.answer(None, rhos, read.colouring(dimensions)) == NOT_RUN


def test_the_live_tables_show_what_was_computed(monkeypatch):
    monkeypatch.setattr(live, "graphs", lambda: {"(1, 3)-flower": flower(1, 3, 3)})
    dimensions = read.live_graph_table(live.graph_dimensions(passes=1))
    assert dimensions.loc["(1, 3)-flower", ["known", "found"]].tolist() == ["none", "none"]
    assert dimensions.loc["(1, 3)-flower", "reason"]
    known = pd.DataFrame({"known": [2.0], "slope": [1.94], "reason": [""]}, index=["lattice"])
    assert read.live_graph_table(known).loc["lattice"].tolist() == ["2.0", "1.9", ""]
    g = torch.Generator().manual_seed(0)
    features = {"resnet34": torch.randn(12, 9, generator=g)}
    monkeypatch.setattr(live, "middle_layers", lambda settings, names: features)
    covers = live.layer_covers({})
    rates = cover_curves(features["resnet34"])["rates"]
    assert covers.loc["ResNet34 layer3", "released"] == rates["released"]
    table = read.live_cover_table(covers)
    assert table.loc["ResNet34 layer3", ("SS_rate", "released")] == f"{rates['released']:.2f}"
    assert list(table) == [("bounds", "ratio")] + [
        ("SS_rate", name) for name in ("released", "lower", "upper")
    ]
