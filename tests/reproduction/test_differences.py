"""Printed against released: every row complete, every effect computed or explained."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml

from reproduction.paths import PAPER, RESULTS
from reproduction.verdicts import differences, effects, live, say_effects

ROWS = [
    row
    for part in yaml.safe_load((PAPER / "differences.yml").read_text(encoding="utf-8"))
    for row in part["rows"]
]


def test_every_row_says_all_five_things():
    assert all(
        set(row) == {"step", "printed", "released", "effect", "ours"} and all(row.values())
        for row in ROWS
    )
    assert len({row["step"] for row in ROWS}) == len(ROWS) > 45


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["step"])
def test_an_effect_is_computed_or_has_a_reason(row):
    """A single word is the name of an effect; words are a reason."""
    assert row["effect"] in differences.EFFECTS or len(row["effect"].split()) > 3
    assert set(differences.EFFECTS) <= {row["effect"] for row in ROWS}


def test_without_records_nothing_fails_and_nothing_is_made_up(tmp_path):
    table = differences.differences(tmp_path)
    assert len(table) == len(ROWS)
    numbers = {"box_number", "layers_drawn", "variants", "sparsity", "best_epoch"}
    assert {differences.effect(name, tmp_path) for name in numbers} == {"not run"}


def test_numbers_follow_the_records(tmp_path):
    shutil.copytree(RESULTS / "ss-rate", tmp_path / "ss-rate")
    before = differences.effect("box_number", tmp_path)
    for path in (tmp_path / "ss-rate").glob("*.json"):
        record = json.loads(path.read_text())
        record["metrics"]["mean_printed_modules"]["printed"] = 0.5
        path.write_text(json.dumps(record))
    after = differences.effect("box_number", tmp_path)
    assert before != after and "0.50 by the printed formula" in after


def test_arms_that_differ_in_more_than_the_constraint():
    """ViT (base) on two sets and ResMLP on CIFAR-100 by learning rate, PoolFormer on Imagenette by
    augmentation.
    """
    told = differences.effect("unequal_arms", RESULTS)
    assert told.startswith("3 comparisons with another learning rate, 1 with other augmentation")
    assert all(
        name in told
        for name in (
            "ResMLP on CIFAR-100",
            "ViT (base) on CIFAR-10 ",
            "ViT (base) on Imagenette",
            "PoolFormer on Imagenette",
        )
    )


def test_released_weights_against_the_printed_order():
    assert "0.0025 to 250 times" in differences.effect("alpha", RESULTS)


@pytest.mark.parametrize("effect", ["exponent", "features_of_sigma", "sparsity", "skipped_layers"])
def test_noise_and_small_networks_are_no_networks_of_table_4(effect, tmp_path):
    """Records of noise, or of small networks, in the same folder leave the effects as they are."""
    (tmp_path / "invariance").mkdir()
    for path in (RESULTS / "invariance").glob("*.json"):
        config = json.loads(path.read_text(encoding="utf-8"))["config"]
        if config["weights"] == "untrained" and config.get("size") == 224:
            shutil.copy(path, tmp_path / "invariance")
    alone = differences.effect(effect, tmp_path)
    assert alone == differences.effect(effect, RESULTS) != "not run"


def test_a_layer_without_an_exponent_is_counted_once_a_network(tmp_path):
    shutil.copytree(RESULTS / "invariance", tmp_path / "invariance")
    assert effects.skipped_layers(tmp_path)["networks"] == 0
    full = [path for path in sorted((tmp_path / "invariance").glob("*.json")) if _full(path)]
    record = json.loads(full[0].read_text())
    for layer in record["metrics"]["layers"].values():
        layer["exponents"]["released"] = None
    full[0].write_text(json.dumps(record))
    assert effects.skipped_layers(tmp_path)["networks"] == 1
    assert differences.effect("skipped_layers", tmp_path).startswith("layers left out in 1 of ")


def _full(path) -> bool:
    config = json.loads(path.read_text(encoding="utf-8"))["config"]
    return config["weights"] == "untrained" and config.get("size") == 224


def test_arms_differ_in_augmentation_where_the_commands_say_so(monkeypatch):
    commands = effects.released_commands()
    monkeypatch.setattr(effects, "released_commands", lambda: commands.assign(augmentation=None))
    found = effects.unequal_arms(RESULTS)
    assert found["augmentation"] == 0 and found["rates"] == 3
    assert "PoolFormer" not in {model for model, *_ in found["cells"]}


def test_reference_inputs_lie_beside_the_data():
    assert live.GOLDEN.is_dir() and "tests" not in live.GOLDEN.parts
    assert live.integral(RESULTS)["factor"] == pytest.approx(384 / 5.950643)


ROWS_OF_FACTOR = [("PVT", 0.0124, 0.003), ("VGG", -0.0001, 0.001)]

NINE = {"median": 0.25, "low": 0.0, "high": 0.6, "networks": 9}

WAYS = {"metric": "sigma", "one": 0.5, "other": 0.75, "networks": 9, "rank": -0.25}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (say_effects.factor(ROWS_OF_FACTOR), "SS_rate of PVT +0.012 ± 0.003, VGG +0.000 ± 0.001"),
        (
            say_effects.batch({"16": ROWS_OF_FACTOR[:1], "256": []}),
            "with 16 images instead of 64: SS_rate of PVT +0.012 ± 0.003; with 256: not run",
        ),
        (
            say_effects.ways(WAYS),
            "σ 0.50 against 0.75 on average over 9 networks; their ranks correlate -0.25",
        ),
        (
            say_effects.damping({"close": NINE, "epochs": None}),
            "of the modules that are drawn from, 25 % in the median of 9 networks (0 % to 60 %) "
            "lie "
            "within 5 % of their network's mean over layers, untrained: for the others the penalty "
            "vanishes; in released arms of ours: not run",
        ),
        (
            say_effects.learning_rate(
                {
                    "cells": [("PVT", "cifar10")],
                    "of": 4,
                    "control": {"mean": -1.0, "n": 3, "low": -2, "high": 0.5},
                }
            ),
            "in 1 of the 4 comparisons with commands for both arms the rates differ: PVT on "
            "CIFAR-10; what that does to accuracy: -1.00 points for another rate without the "
            "constraint (n = 3, -2.00 to +0.50)",
        ),
        (
            say_effects.dimension_scale({"printed": (2.0, 2.0), "released": (1.9, 0.1)}),
            "a square, and the same ten times as large: printed 2.00 and 2.00, released 1.90 and "
            "0.10",
        ),
    ],
)
def test_effects_in_words(text, expected):
    assert text == expected


@pytest.mark.parametrize(
    "say",
    ["box_number", "layers_drawn", "variants", "damping", "best_epoch", "skipped_layers", "ways"]
    + ["sparsity", "dropped_dimensions"],
)
def test_without_numbers_an_effect_is_not_run(say):
    assert getattr(say_effects, say)(None) == "not run"


@pytest.mark.parametrize("name", ["class_token", "training_mode", "other_images", "channels"])
def test_without_rows_a_factor_is_not_run(name):
    assert getattr(say_effects, name)([]).endswith(": not run")
    assert getattr(say_effects, name)(ROWS_OF_FACTOR).endswith("VGG +0.000 ± 0.001")
