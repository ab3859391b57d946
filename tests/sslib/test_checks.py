"""Errors: one sentence for all, with the argument's name, what was expected and what came."""

import math
import sys

import numpy as np
import pytest
import torch
from torch import nn

from sslib import checks, self_similarity
from sslib.dimension import RELEASED_UMAP, umap_points
from sslib.graph import mds

BAD = {
    "no matrix": lambda: checks.matrix("x", torch.zeros(3)),
    "integers": lambda: checks.matrix("x", torch.zeros(3, 2, dtype=torch.int32)),
    "NaN": lambda: checks.matrix("x", torch.tensor([[0.0], [math.nan]])),
    "wide": lambda: checks.wide_matrix("x", torch.zeros(1, 2)),
    "rank": lambda: checks.array("x", [1.0, 2.0], "(N, d)"),
    "rows": lambda: checks.array("x", [[1.0, 2.0]], "(N, d)", smallest=3),
    "words": lambda: checks.array("x", ["a"], "(n,)"),
    "infinite": lambda: checks.array("x", [1, math.inf], "(n,)"),
    "asymmetric": lambda: checks.distances("x", [[0, 1], [2, 0]]),
    "unreachable": lambda: checks.distances("x", [[0, math.inf], [math.inf, 0]], finite=True),
    "text": lambda: checks.number("x", "1"),
    "low": lambda: checks.number("x", -1, least=0),
    "zero": lambda: checks.number("x", 0, above=0),
    "share": lambda: checks.share("x", 1.5),
    "truth": lambda: checks.integer("x", True, 0),
    "part": lambda: checks.integer("x", 2.5, 0),
    "word": lambda: checks.choice("x", "other", ("this", "that")),
    "unhashable": lambda: checks.choice("x", ["this"], ("this", "that")),
    "layers": lambda: checks.layer_fits("x", {}, lambda name, values: (0, ""), "σ", "one"),
}


@pytest.mark.parametrize("call", BAD.values(), ids=BAD)
def test_every_refusal_is_the_same_sentence(call):
    with pytest.raises(ValueError, match=r"^x: expected .+, got .+$"):
        call()


def test_what_is_allowed_comes_back():
    F = torch.tensor([[0.0], [1.0]])
    assert checks.matrix("F", F) is F
    assert checks.matrix("F", F * math.inf, values=False).isnan().any()
    assert checks.wide_matrix("F", [[0, 1], [2, 3]]).dtype == torch.float64
    assert checks.array("x", torch.ones(2, dtype=torch.bfloat16), "(n,)").dtype == np.float64
    assert checks.distances("C", [[0, math.inf], [math.inf, 0]]).shape == (2, 2)
    assert checks.integer("n", np.int64(3), 1) == 3 and checks.number("x", np.float32(0.5)) == 0.5


@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("sklearn.manifold", lambda: mds(1 - torch.eye(3))),
        ("umap", lambda: umap_points(np.eye(40), **RELEASED_UMAP)),
        ("pandas", lambda: self_similarity(nn.Sequential(nn.ReLU()), torch.rand(4, 3), "0")),
    ],
)
def test_a_missing_package_is_named_with_what_brings_it(module, call, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    package = module.split(".")[0]
    with pytest.raises(ImportError, match=rf'{package} .*pip install "sslib\[reproduction\]"'):
        call()
