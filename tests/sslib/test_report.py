"""self_similarity: the parts it is made of agree with it, the null is one, faults are named."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest
import torch
from torch import nn

import sslib
from sslib.boxes import DegenerateDistances
from sslib.report import self_similarity


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 24, 3),
        nn.ReLU(),
        nn.Conv2d(24, 40, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.LazyLinear(10),
    )


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(32, 3, 12, 12, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("formula", ["released", "printed"])
def test_each_row_is_what_the_parts_give(network, images, formula):
    network(images)  # shapes of the lazy layer
    table = self_similarity(network, images, ["2", "0", "5"], formula=formula, batch_size=8)
    features = sslib.feature_matrices(network, images, ["2", "0", "5"])
    assert list(table.index) == ["2", "0", "5"] and table.index.name == "module"
    for name, F in features.items():
        curve = sslib.box_curve(F, formula=formula)
        row = table.loc[name]
        assert (row["D"], row["B"]) == tuple(F.shape)
        assert row["SS_rate"] == pytest.approx(float(curve.ss_rate), abs=1e-4)
        assert row["TZ"] == pytest.approx(float(curve.theta_min), rel=1e-4)
        assert row["TV"] == pytest.approx(float(curve.theta_max), rel=1e-4)
        assert row["z"] == pytest.approx((row["SS_rate"] - row["null"]) / row["null_std"])
    assert table[["D", "B"]].dtypes.eq("int64").all()


class Noise(nn.Module):
    """A layer whose features are its input: what is fed is what is measured."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Identity()

    def forward(self, x):
        return self.layer(x)


@pytest.mark.parametrize("scale", [0.03, 1.0, 40.0])
def test_noise_of_any_scale_is_its_own_null(scale):
    zs = []
    for seed in range(12):
        F = scale * torch.randn(200, 64, generator=torch.Generator().manual_seed(100 + seed))
        row = self_similarity(Noise(), F, "layer", draws=12).loc["layer"]
        assert (row["D"], row["B"]) == (64, 200)
        zs.append(row["z"])
    assert max(map(abs, zs)) < 5 and abs(sum(zs) / len(zs)) < 1.2


def test_structure_is_far_from_the_null():
    generator = torch.Generator().manual_seed(0)
    groups = 5 * torch.randn(200, 4, generator=generator).repeat_interleave(
        16, dim=1
    )  # four tight groups of channels
    row = self_similarity(
        Noise(), groups + 0.1 * torch.randn(200, 64, generator=generator), "layer"
    ).loc["layer"]
    assert abs(row["z"]) > 5


def test_the_noise_depends_on_its_seed_alone(network, images):
    state = torch.random.get_rng_state()
    first, again, other = (
        self_similarity(network[:3], images, "0", seed=seed) for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(first, again)
    assert first.loc["0", "null"] != other.loc["0", "null"]
    assert first.loc["0", "SS_rate"] == other.loc["0", "SS_rate"]
    assert torch.equal(state, torch.random.get_rng_state())


def test_it_prints_nothing_and_leaves_the_model_as_it_was(network, images, capfd):
    network[:3].train()
    self_similarity(network[:3], images, "*")
    assert capfd.readouterr() == ("", "")
    assert network[0].training and not network[0]._forward_hooks


def test_a_dead_layer_is_named_and_nan(network, images):
    nn.init.zeros_(network[0].weight)
    nn.init.zeros_(network[0].bias)
    with pytest.warns(DegenerateDistances, match="module '0'.* D = 24 rows"):
        table = self_similarity(network[:3], images, ["0"])
    assert table.loc["0", ["SS_rate", "null", "null_std", "z"]].isna().all()
    assert table.loc["0", ["TZ", "TV"]].tolist() == [0, 0]


def test_a_healthy_layer_warns_of_nothing(network, images):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        self_similarity(network[:3], images, ["0", "2"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"draws": 1}, "draws: expected an integer of at least 2, got 1"),
        ({"seed": -1}, "seed: expected an integer of at least 0, got -1"),
        ({"modules": "layer9"}, "modules: 'layer9' matches no module"),
        ({"formula": "print"}, "^formula: expected one of .*, got 'print'"),
    ],
)
def test_bad_arguments_are_named(network, images, change, message):
    with pytest.raises(ValueError, match=message):
        self_similarity(**{"model": network[:3], "images": images, "modules": "0"} | change)


def test_a_module_whose_values_are_not_finite_is_named(network, images):
    images[3] = torch.nan
    with pytest.raises(
        ValueError, match="module '0': F: expected finite numbers, got NaN or Inf in shape"
    ):
        self_similarity(network[:3], images, ["0"])
