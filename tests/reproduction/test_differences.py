"""Printed against released: every row complete, every effect computed or explained."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml

from reproduction.paths import PAPER, RESULTS
from reproduction.verdicts import differences

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
    """A single word is the name of a function; words are a reason."""
    assert row["effect"] in differences.EFFECTS or len(row["effect"].split()) > 3
    assert set(differences.EFFECTS) <= {row["effect"] for row in ROWS}


def test_without_records_nothing_fails_and_nothing_is_made_up(tmp_path):
    table = differences.differences(tmp_path)
    assert len(table) == len(ROWS)
    numbers = {"box_number", "layers_drawn", "variants", "sparsity", "best_epoch"}
    assert {differences.EFFECTS[name](tmp_path) for name in numbers} == {"not run"}


def test_numbers_follow_the_records(tmp_path):
    shutil.copytree(RESULTS / "ss-rate", tmp_path / "ss-rate")
    before = differences.EFFECTS["box_number"](tmp_path)
    for path in (tmp_path / "ss-rate").glob("*.json"):
        record = json.loads(path.read_text())
        record["metrics"]["mean_printed_modules"]["printed"] = 0.5
        path.write_text(json.dumps(record))
    after = differences.EFFECTS["box_number"](tmp_path)
    assert before != after and "0.50 by the printed formula" in after


def test_arms_that_differ_in_more_than_the_constraint():
    """ViT (base) on two sets and ResMLP on CIFAR-100 by learning rate, PoolFormer on Imagenette by
    augmentation.
    """
    told = differences.EFFECTS["unequal_arms"](RESULTS)
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
    assert "0.0025 to 250 times" in differences.EFFECTS["alpha"](RESULTS)


@pytest.mark.parametrize("effect", ["exponent", "sigma_features", "sparsity"])
def test_noise_and_small_networks_are_no_networks_of_table_4(effect, tmp_path):
    """Records of noise, or of small networks, in the same folder leave the effects as they are."""
    name = {
        "sigma_features": "_features_of_sigma",
        "exponent": "_exponent",
        "sparsity": "_sparsity",
    }[effect]
    (tmp_path / "invariance").mkdir()
    for path in (RESULTS / "invariance").glob("*.json"):
        config = json.loads(path.read_text(encoding="utf-8"))["config"]
        if config["weights"] == "untrained" and config.get("size") == 224:
            shutil.copy(path, tmp_path / "invariance")
    alone = getattr(differences, name)(tmp_path)
    assert alone == getattr(differences, name)(RESULTS) != "not run"
