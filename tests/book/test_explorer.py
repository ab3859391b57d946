"""The explorer's data: every curve is box_curve's, every pair and box joins at the step that the
distances say.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from reproduction import explorer, records
from sslib.boxes import FORMULAS, box_curve
from sslib.covering import covering_numbers
from sslib.distances import pair_distances


def features(D: int, B: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(D, 3, generator=generator) @ torch.randn(3, B, generator=generator)


def curve_from_pairs(layer: dict, formula: str, more: int = 0) -> np.ndarray:
    """N_theta by the formulas as printed and released, from nothing but the steps of the pairs (and
    `more` pairs).
    """
    D, steps = layer["D"], explorer.unpack(layer["pairs"])
    below = np.array([np.sum((steps > 0) & (steps <= s)) for s in range(256)])
    p = np.minimum(below + more, math.comb(D, 2) - 1) / math.comb(D, 2)
    if formula == "printed":
        return 1 + (D - 1) * np.log(D + (1 - D) * p) / math.log(D)
    return D - (D - 1) * np.log(1 + (D - 1) * p) / math.log(D)


def rate_of(layer: dict, formula: str) -> float:
    """SS_rate from the curve as stored."""
    D, curve = layer["D"], np.array(layer["curves"][formula])
    gap = np.abs(np.log(curve) / math.log(D) - np.linspace(1, 0, 256))
    return 2 * gap.mean() if formula == "released" else 2 * np.trapezoid(gap, dx=1 / 255)


@pytest.mark.parametrize("D", [5, 64, 130])
@pytest.mark.parametrize("formula", FORMULAS)
def test_a_curve_is_the_one_of_box_curve(D, formula):
    F = features(D, 40)
    layer, curve = explorer.layer(F), box_curve(F, formula=formula)
    assert np.allclose(layer["curves"][formula], curve.boxes, atol=1e-4)
    assert np.allclose(curve_from_pairs(layer, formula), curve.boxes, atol=1e-3)
    assert layer["ss_rate"][formula] == pytest.approx(float(curve.ss_rate), abs=1e-6)
    assert rate_of(layer, formula) == pytest.approx(float(curve.ss_rate), abs=1e-3)


def test_boxes_are_groups_whose_channels_lie_within_theta():
    F = features(40, 25)
    layer, C = explorer.layer(F), pair_distances(F).numpy()
    theta = box_curve(F).theta.numpy()
    upper, lower = explorer.unpack(layer["upper"]), explorer.unpack(layer["lower"])
    for s in (0, 60, 120, 200, 255):
        boxes = explorer.boxes(layer, s)
        assert sorted(sum(boxes, [])) == list(range(40))
        assert all(C[np.ix_(box, box)].max() <= theta[s] * (1 + 1e-6) for box in boxes)
        assert (
            lower[s] <= upper[s] <= len(boxes) == 40 - sum(step <= s for *_, step in layer["tree"])
        )
    assert len(boxes) == 1
    expected = covering_numbers(torch.as_tensor(C), theta)
    assert np.abs(upper - expected.upper).max() <= 1


@pytest.mark.parametrize("D", [2, 257])
def test_too_few_and_too_many_channels_are_refused(D):
    with pytest.raises(
        ValueError, match=rf"F has shape \({D}, 4\); expected \(D, B\) with D from 3 to 256"
    ):
        explorer.layer(features(D, 4))


@pytest.mark.filterwarnings("ignore::sslib.boxes.DegenerateDistances")
def test_a_layer_without_distances_is_refused():
    with pytest.raises(ValueError, match="one distance only"):
        explorer.layer(torch.eye(4))


def test_the_script_holds_the_record(tmp_path):
    record = records.new_record(
        "explorer", {"model": "vgg11"}, 0, {"layers": [explorer.layer(features(6, 4))]}, seconds=1
    )
    explorer.write(record, tmp_path / "data.js")
    assert explorer.read(tmp_path / "data.js") == record
    (tmp_path / "other.js").write_text("{}")
    with pytest.raises(ValueError, match=r"other.js is not a script written by"):
        explorer.read(tmp_path / "other.js")


@pytest.fixture(scope="module")
def committed() -> dict:
    return explorer.read()


def test_the_committed_data_are_small_and_say_where_they_come_from(committed):
    assert explorer.DATA.stat().st_size <= 2_000_000
    assert len(committed["commit"]) == 40 and committed["dirty"] is False
    assert (
        committed["data"]["fingerprint"]
        and committed["date"]
        and committed["config"]["n_images"] == 512
    )
    names = [
        (layer["model"], layer["state"], layer["module"])
        for layer in committed["metrics"]["layers"]
    ]
    assert len(set(names)) == len(names) > 20


def test_every_committed_curve_follows_from_the_pairs_stored_beside_it(committed):
    for layer in committed["metrics"]["layers"]:
        name, D = (layer["model"], layer["module"]), layer["D"]
        assert (
            np.abs(curve_from_pairs(layer, "released") - layer["curves"]["released"]).max() <= 1e-3
        ), name
        # The printed formula also counts a pair that lies on theta, and one pair more can be 0.3
        # boxes near N = 1.
        one_more = curve_from_pairs(layer, "printed", more=1)
        assert (
            np.array(layer["curves"]["printed"]) <= curve_from_pairs(layer, "printed") + 1e-3
        ).all(), name
        assert (np.array(layer["curves"]["printed"]) >= one_more - 1e-3).all(), name
        assert len(layer["places"]) == D
        for formula in FORMULAS:
            assert rate_of(layer, formula) == pytest.approx(layer["ss_rate"][formula], abs=1e-3), (
                name
            )


def test_every_committed_layer_is_a_cover_between_the_bounds(committed):
    for layer in committed["metrics"]["layers"]:
        steps = np.array([step for *_, step in layer["tree"]])
        boxes = np.array([layer["D"] - (steps <= s).sum() for s in range(256)])
        assert (explorer.unpack(layer["lower"]) <= boxes).all()
        assert len(layer["places"]) == layer["D"] == len(steps) + 1 and boxes[-1] == 1
