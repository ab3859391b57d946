"""The room "a hundred architectures": the rule for modules, the file of designs, records, tables,
sentences.
"""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from scipy import optimize
from torch import nn

from reproduction import records
from reproduction.architectures import browse, draw, fit, modules, read, run, say
from reproduction.architectures.designs import REACH, designs
from reproduction.paths import RESULTS, ROOT


def block(width: int = 4) -> nn.Module:
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))


def test_blocks_come_before_stages() -> None:
    network = nn.Sequential(nn.Sequential(block(), block()), nn.Sequential(block()))
    assert modules.modules_of(network, torch.rand(2, 4)) == ("blocks", ["0.0", "0.1", "1.0"])


def test_stages_where_a_block_cannot_be_read() -> None:
    class Folded(nn.Module):
        """Cuts each image in two before its blocks, as networks with windows do."""

        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList([block(2), block(2)])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for inner in self.blocks:
                x = inner(x.reshape(-1, 2)).reshape(x.shape)
            return x

    assert modules.modules_of(nn.Sequential(Folded(), Folded()), torch.rand(2, 4)) == (
        "stages",
        ["0", "1"],
    )


def test_feature_info_is_the_last_resort() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    network.feature_info = [{"module": "0"}, {"module": "2"}, {"module": "no such"}]
    assert modules.modules_of(network, torch.rand(2, 4)) == ("feature_info", ["0", "2"])
    del network.feature_info
    with pytest.raises(ValueError, match="feature_info: 0 modules"):
        modules.modules_of(network, torch.rand(2, 4))


def test_file_of_designs() -> None:
    listed = designs()
    assert len(listed) >= 100
    assert {design["family"] for design in listed} == set(REACH)
    assert len([design for design in listed if design["paper"]]) == 9
    assert all(
        design["lineage"] and design["normalisation"] and design["stem"] for design in listed
    )


def test_record_and_skipped(tmp_path: Path) -> None:
    arguments = {"images": "photographs", "n_images": 4, "root": tmp_path}
    paths = list(run.run_architectures(["test_vit", "no_such_design"], [0], **arguments))
    assert len(paths) == 2
    assert list(run.run_architectures(["test_vit", "no_such_design"], [0], **arguments)) == []
    assert list(run.skipped(paths)) == ["no_such_design"]


def test_layers_are_lists_in_the_order_of_the_modules(tmp_path: Path) -> None:
    (path,) = run.run_architectures(
        ["resnet10t"], [0], images="photographs", n_images=4, root=tmp_path
    )
    metrics = records.read(path)["metrics"]
    assert metrics["level"] == "blocks"
    assert metrics["modules"] == ["layer1.0", "layer2.0", "layer3.0", "layer4.0"]
    assert metrics["D"] == [64, 128, 256, 512]
    assert {
        len(metrics[name]) for name in ("released", "scale_free_rate", "participation_ratio")
    } == {4}


# --------------------------------------------------------------------------------------------------
# Records to tables


def record(name: str, seed: int, *, released=(0.1, 0.3), directions=(2.0, 8.0)) -> dict:
    """A row of ``read_all`` as far as the tables look at it."""
    layers = len(released)
    lists = dict.fromkeys(fit.LAYER_METRICS, [0.5] * layers)
    lists |= {
        "D": [64] * layers,
        "released": list(released),
        "participation_ratio": list(directions),
    }
    metrics = {"modules": [f"blocks.{k}" for k in range(layers)], "parameters": 2_000_000} | lists
    metrics["initialisation"] = "plain"
    return {"config.model": name, "seed": seed} | {
        f"metrics.{key}": value for key, value in metrics.items()
    }


def many(effect: float = 0.0, noise: float = 0.05, n: int = 90) -> pd.DataFrame:
    """A table of made-up designs in which global ones differ by `effect` in SS_rate and in the log
    of directions.
    """
    rng = np.random.default_rng(0)
    families = list(REACH)
    lineage = rng.integers(0, 30, n)
    family = np.array([families[k % len(families)] for k in lineage])
    reach = np.array([REACH[name] for name in family])
    shift = effect * (reach == "global")
    by_lineage = rng.normal(0, noise, 30)[lineage]
    return pd.DataFrame(
        {
            "family": family,
            "reach": reach,
            "lineage": lineage.astype(str),
            "normalisation": rng.choice(["batch", "layer", "none"], n),
            "stem": rng.choice(["16x16 stride 16", "3x3 stride 2", "7x7 stride 2"], n),
            "paper": ["paper's" if k < 20 else "" for k in range(n)],
            "source": "A paper <2020>",
            "millions": rng.uniform(1, 40, n),
            "depth": rng.integers(4, 40, n).astype(float),
            "width": rng.uniform(64, 512, n),
            "initialisation": rng.choice(["plain", "zero"], n),
            "ss_rate": 0.3 + shift + by_lineage + rng.normal(0, noise, n),
            "printed": rng.uniform(0, 1, n),
            "scale_free": rng.uniform(0, 1, n),
            "directions": np.exp(2 + shift + rng.normal(0, noise, n)),
            "log_distance": rng.normal(0, 1, n),
            "cv": rng.uniform(0, 1, n),
            "skewness": rng.normal(0, 1, n),
            "seeds": 3,
            "seed_variance": 1e-4,
        },
        index=pd.Index([f"design_{k}" for k in range(n)], name="name"),
    )


def test_a_design_is_a_mean_over_modules_then_seeds() -> None:
    listed = [{"name": "resnet18", "family": "convolution", "lineage": "ResNet", "paper": ""}]
    runs = [
        record("resnet18", 0),
        record("resnet18", 1, released=(0.3, 0.5), directions=(8.0, 1.0)),
    ]
    row = read.table(pd.DataFrame(runs), listed).loc["resnet18"]
    assert row["ss_rate"] == pytest.approx(0.3)
    assert row["directions"] == pytest.approx(4)  # the geometric mean of the first modules' 2 and 8
    assert (row["reach"], row["seeds"], row["millions"]) == ("local", 2, 2)
    assert row["seed_variance"] == pytest.approx(0.02)


def test_layers_without_ss_rate_and_designs_without_layers_are_left_out() -> None:
    listed = [
        {"name": name, "family": "hybrid", "lineage": "X", "paper": ""} for name in ("a", "b", "c")
    ]
    skipped = {"config.model": "c", "seed": 0, "metrics.skipped": "ValueError: refused"}
    runs = pd.DataFrame(
        [
            record("a", 0, released=(0.1, 0.3, np.nan), directions=(1.0, 1.0, 1.0)),
            record("b", 0, released=(0.1, np.nan)),
            skipped,
        ]
    )
    table = read.table(runs, listed)
    assert list(table.index) == ["a"] and table.loc["a", "ss_rate"] == pytest.approx(0.2)
    assert read.left_out(runs) == {
        "b": "fewer than two layers with an SS_rate",
        "c": "ValueError: refused",
    }
    said = say.coverage(table, read.left_out(runs))
    assert "1 with 1 seed" in said and "c (ValueError: refused)" in said


def test_where_distances_vanish_is_said() -> None:
    rows = [record("a", 0), record("b", 0)]
    rows[1]["metrics.distance_mean"] = [1e-14, 0.5]
    assert read.vanishing(pd.DataFrame(rows)) == {"b": 1}
    assert "1 layer of b" in say.vanishing({"b": 1}) and "no layer" in say.vanishing({})


def test_usual_scale_leaves_the_extreme_out() -> None:
    table = many()
    table.loc[table.index[:3], "log_distance"] = [-12.0, 17.0, 9.0]
    usual = read.usual_scale(table)
    assert len(usual) == 88
    assert "2 designs have" in say.afterwards(read.shares(usual), 88, 2)


# --------------------------------------------------------------------------------------------------
# Statistics


def reml(y: np.ndarray, X: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Random-intercept REML by its definition: coefficients and standard errors."""
    same = groups[:, None] == groups[None, :]

    def parts(log_ratio: float):
        inverse = np.linalg.inv(np.eye(len(y)) + np.exp(log_ratio) * same)
        information = X.T @ inverse @ X
        beta = np.linalg.solve(information, X.T @ inverse @ y)
        residual = y - X @ beta
        scale = residual @ inverse @ residual / (len(y) - X.shape[1])
        return inverse, information, beta, scale

    def loss(log_ratio: float) -> float:
        inverse, information, _, scale = parts(log_ratio)
        free = len(y) - X.shape[1]
        return (
            free * np.log(scale) - np.linalg.slogdet(inverse)[1] + np.linalg.slogdet(information)[1]
        )

    best = optimize.minimize_scalar(
        loss, bounds=(-8, 8), method="bounded", options={"xatol": 1e-9}
    ).x
    _, information, beta, scale = parts(best)
    return beta, np.sqrt(scale * np.linalg.inv(information).diagonal())


def test_mixed_model_agrees_with_reml_by_definition() -> None:
    table = many(effect=-0.1)
    X = pd.DataFrame(
        {"global": (table["reach"] == "global").astype(float), "size": np.log10(table["millions"])}
    )
    effect = fit.mixed(table["ss_rate"], X, table["lineage"])
    design = np.column_stack([np.ones(len(X)), X])
    beta, error = reml(table["ss_rate"].to_numpy(), design, table["lineage"].to_numpy())
    assert effect.model == "mixed"
    assert effect.estimate == pytest.approx(beta[1], rel=1e-4)
    half = fit.stats.t.ppf(0.975, table["lineage"].nunique() - 2) * error[1]
    assert effect.high - effect.estimate == pytest.approx(half, rel=2e-3)


def test_without_lineage_variance_least_squares_stands_in() -> None:
    rng = np.random.default_rng(1)
    lineage = pd.Series(np.tile(np.arange(20), 5).astype(str))
    X = pd.DataFrame({"x": rng.integers(0, 2, 100).astype(float), "size": rng.normal(size=100)})
    residual = rng.normal(size=100)
    y = X["x"] + residual - pd.Series(residual).groupby(lineage).transform("mean")
    effect = fit.mixed(y, X, lineage)
    assert effect.model == "clustered" and effect.low < 1 < effect.high


@pytest.mark.parametrize(
    ("effect", "noise", "expected"),
    [(-0.3, 0.03, "yes"), (0.3, 0.03, "reversed"), (0, 0.003, "none"), (0, 0.5, "open")],
)
def test_every_answer_can_come_out(effect: float, noise: float, expected: str) -> None:
    contrasts = read.contrasts(many(effect, noise))
    for question in ("a-directions", "a-rate", "d"):
        row = say.decided(contrasts, question)
        assert row["answer"] == expected
        assert say._HEADS[question][expected] in say.contrast(row)
    assert (contrasts["answer"] != "").sum() == 3
    assert len(say.contrast_table(contrasts)) == len(contrasts)


def test_shapley_shares_add_up_and_find_the_factor() -> None:
    table = many()
    table["ss_rate"] = np.log10(table["width"]) + 0.01 * table["ss_rate"]
    shares = read.shares(table)
    factors = shares.drop(index="all")
    assert factors["share"].sum() == pytest.approx(shares.loc["all", "share"])
    assert factors.index[0] == "width" and factors.loc["width", "answer"] == "a good part"
    assert "A good part: width" in say.parts(shares)
    assert (factors["low"] <= factors["high"]).all()


def test_shapley_agrees_with_orders_written_out() -> None:
    rng = np.random.default_rng(0)
    factors = {name: pd.DataFrame({name: rng.normal(size=40)}) for name in "abc"}
    y = factors["a"]["a"] + factors["b"]["b"] / 2 + pd.Series(rng.normal(size=40))

    def r2(names) -> float:
        X = np.column_stack([np.ones(40), *(factors[name] for name in names)])
        residual = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
        return 1 - np.var(residual) / np.var(y)

    orders = list(itertools.permutations("abc"))
    expected = np.mean(
        [r2(order[: order.index("a") + 1]) - r2(order[: order.index("a")]) for order in orders]
    )
    shares = fit.shapley(y, factors, pd.Series(np.arange(40).astype(str)), draws=20)
    assert shares.loc["a", "share"] == pytest.approx(expected)


def test_seeds_share_is_within_over_all() -> None:
    table = many().assign(seeds=2, seed_variance=0.02)
    table["ss_rate"] = np.tile([0.0, 1.0], 45)
    between = table["ss_rate"].var() - 0.01
    assert read.seed_share(table) == pytest.approx(0.02 / (0.02 + between))
    assert "not known" in say.seeds(read.seed_share(table.assign(seeds=1)))


@pytest.mark.parametrize(("shift", "expected"), [(0.0, "like"), (1.0, "unlike")])
def test_the_nine_can_be_like_any_nine_or_not(shift: float, expected: str) -> None:
    table = many()
    table["ss_rate"] += shift * ((table["paper"] != "") & (table["reach"] == "global"))
    nine = read.nine(table)
    assert nine["answer"] == expected
    assert ("not a typical nine" in say.the_nine(nine)) == (expected == "unlike")
    assert len(say.standing_table(read.standing(table))) == (table["paper"] != "").sum()


def test_the_other_rates_stand_beside_the_released_one() -> None:
    table = many()
    rates = read.by_rate(table)
    assert list(rates.index) == ["ss_rate", "printed", "scale_free"]
    assert rates.loc["ss_rate", "nine"] == read.nine(table)["estimate"]
    assert rates.loc["printed", "r2"] == read.shares(table, "printed").loc["all", "share"]
    assert list(say.rate_table(rates).index) == [
        "SS_rate, released",
        "SS_rate, printed",
        "scale-free rate",
    ]


# --------------------------------------------------------------------------------------------------
# What a page shows


def test_every_design_is_a_mark() -> None:
    table = many()
    figure = draw.plot_designs(table)
    axis = figure.axes[0]
    assert sum(len(marks.get_offsets()) for marks in axis.collections) == len(table)
    assert len(axis.texts) == (table["paper"] != "").sum()
    assert len(draw.plot_shares(read.shares(table)).axes[0].patches) == 7


def test_searchable_table_needs_nothing_from_elsewhere() -> None:
    html = browse.searchable(many())
    assert html.count('<th scope="row">') == 90
    assert "A paper &lt;2020&gt;" in html
    assert "http" not in html and "src=" not in html


def test_plan_and_rules_agree() -> None:
    plan = yaml.safe_load((RESULTS / "plan.yml").read_text(encoding="utf-8"))[
        "hundred-architectures"
    ]
    assert str(read.SMALL_RATE) in plan["small"] and str(read.SMALL_RATIO) in plan["small"]
    groups = plan["families"]
    assert {family: "global" for family in groups["global"]} | {
        family: "local" for family in groups["local"]
    } == {family: reach for family, reach in REACH.items() if reach != "hybrid"}


@pytest.mark.parametrize("name", ["read", "fit", "draw", "say", "browse", "designs"])
def test_tables_and_figures_need_no_network(name: str) -> None:
    tree = ast.parse(
        (ROOT / "reproduction" / "architectures" / f"{name}.py").read_text(encoding="utf-8")
    )
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {
        name
        for name in imported
        if name.split(".")[0] in ("torch", "timm") or name.endswith(".run")
    }
