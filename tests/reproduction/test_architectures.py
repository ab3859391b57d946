"""The room "a hundred architectures": the rule for modules, the file of designs, a record."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from reproduction.architectures import modules, run
from reproduction.architectures.designs import REACH, designs
from sslib import records


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
    paths = list(run.run(["test_vit", "no_such_design"], [0], **arguments))
    assert len(paths) == 2
    assert list(run.run(["test_vit", "no_such_design"], [0], **arguments)) == []
    assert list(run.skipped(paths)) == ["no_such_design"]


def test_layers_are_lists_in_the_order_of_the_modules(tmp_path: Path) -> None:
    (path,) = run.run(["resnet10t"], [0], images="photographs", n_images=4, root=tmp_path)
    metrics = records.read(path)["metrics"]
    assert metrics["level"] == "blocks"
    assert metrics["modules"] == ["layer1.0", "layer2.0", "layer3.0", "layer4.0"]
    assert metrics["D"] == [64, 128, 256, 512]
    assert {
        len(metrics[name]) for name in ("released", "scale_free_rate", "participation_ratio")
    } == {4}
