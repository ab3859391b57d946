"""A model is borrowed: whatever it does in train(), eval() and forward, it comes back as it was."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import nn

from sslib.features import feature_matrices


class Merging(nn.Linear):
    """An adapter whose low rank is added to the weight in eval mode and taken off in training."""

    def __init__(self) -> None:
        super().__init__(6, 6)
        self.down, self.up = (nn.Parameter(torch.randn(6, 6)) for _ in range(2))
        self.merged = False

    def train(self, mode: bool = True) -> Merging:
        if mode == self.merged:
            self.weight.data += (1 if not mode else -1) * 0.1 * self.up @ self.down
            self.merged = not mode
        self.down.requires_grad_(mode)
        return super().train(mode)

    def forward(self, x):
        low = 0 if self.merged else x @ (0.1 * self.up @ self.down).T
        return super().forward(x) + low


class Folding(nn.Linear):
    """A layer that folds a parameter into another in eval mode, for good."""

    def __init__(self) -> None:
        super().__init__(6, 6)
        self.gain = nn.Parameter(torch.full((6,), 2.0))

    def train(self, mode: bool = True) -> Folding:
        if not mode and self.gain is not None:
            self.weight.data *= self.gain[:, None]
            self.gain = None
        return super().train(mode)


class Frozen(nn.BatchNorm1d):
    """A norm that never leaves eval mode."""

    def train(self, mode: bool = True) -> Frozen:
        return super().train(False)


class Caching(nn.Linear):
    """A layer that keeps what it saw, counts, and replaces a buffer."""

    def __init__(self) -> None:
        super().__init__(6, 6)
        self.calls = 0
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        self.seen = self.seen + len(x)
        self.last = super().forward(x)
        return self.last


KINDS = {"merging": Merging, "folding": Folding, "frozen": lambda: Frozen(6), "caching": Caching}


def state(model: nn.Module) -> tuple:
    values = {name: value.clone() for name, value in model.state_dict().items()}
    plain = [{k: v for k, v in vars(m).items() if k[0] != "_"} for m in model.modules()]
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    tensors = [(id(p), p.requires_grad, id(p.grad)) for p in model.parameters()]
    return values, plain, hooks, tensors, [id(buffer) for buffer in model.buffers()]


def assert_same(model: nn.Module, before: tuple) -> None:
    values, *rest = state(model)
    assert list(values) == list(before[0])
    for name, value in before[0].items():
        assert torch.equal(values[name], value), name
    assert rest == list(before[1:])


@pytest.mark.parametrize("end", ["well", "error", "interrupt", "thread"])
@pytest.mark.parametrize("modes", ["training", "mixed", "eval"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_with_side_effects_comes_back(kind, modes, end):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 6), KINDS[kind](), nn.Sequential(nn.BatchNorm1d(6)))
    x = torch.rand(5, 6)
    model(x).sum().backward()
    if modes == "eval":
        model.eval()
    if modes == "mixed":
        model[2].eval()
    before = state(model)
    if end in ("error", "interrupt"):
        fault = ArithmeticError if end == "error" else KeyboardInterrupt

        def broken(*_):
            raise fault("inside")

        handle = model[2].register_forward_pre_hook(broken)
        with pytest.raises(fault, match="inside"):
            feature_matrices(model, x, "*")
        handle.remove()
    elif end == "thread":
        thread = threading.Thread(target=feature_matrices, args=(model, x, "*"))
        thread.start()
        thread.join()
    else:
        assert feature_matrices(model, x, "*")["1"].shape == (6, 5)
    assert_same(model, before)
    if modes != "eval":
        model(x).sum().backward()


def test_a_model_in_the_right_mode_is_not_switched():
    calls = []

    class Loud(nn.Linear):
        def train(self, mode: bool = True) -> Loud:
            calls.append(mode)
            return super().train(mode)

    model = nn.Sequential(Loud(6, 6)).eval()
    calls.clear()
    feature_matrices(model, torch.rand(4, 6), "0")
    assert not calls
