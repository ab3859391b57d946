"""The constraint: value and gradient against Eq. 6 by hand, wherever it should work."""

from __future__ import annotations

import copy
import io
import math

import pytest
import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

import sslib.constraint
from sslib.constraint import SelfSimilarityConstraint
from sslib.rate import ss_rate


class Blocks(nn.Module):
    """Convolution to tokens, some blocks with an in-place end, a classifier."""

    def __init__(self, depth: int = 3, reentrant: bool | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 12, 4, 4)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(12), nn.Linear(12, 12), nn.ReLU(inplace=True))
            for _ in range(depth)
        )
        self.head = nn.Linear(12, 5)
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).mT
        for block in self.blocks:
            x = (
                block(x)
                if self.reentrant is None
                else checkpoint(block, x, use_reentrant=self.reentrant)
            )
        return self.head(x.mean(1))


SETTINGS = {"target": 0.9, "weight": 10.0}


def images(seed: int = 0, n: int = 10, size: int = 16) -> Tensor:
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(seed))


def tapped(model: nn.Module, x: Tensor, module: str) -> Tensor:
    """The output of one module in a forward pass, whole."""
    outputs = []
    # A copy: an in-place layer that follows would overwrite it.
    handle = model.get_submodule(module).register_forward_hook(
        lambda *args: outputs.append(args[-1].clone())
    )
    try:
        model(x)
    finally:
        handle.remove()
    return outputs[0]


def by_hand(model, x, module, axes=(1,), *, target, weight, samples=64, **rate):
    """Eq. 6 and its gradient. The model must not be tapped."""
    output = tapped(model, x, module)[:samples].float()
    F = (output.mean(axes) if axes else output).T
    value = weight * (ss_rate(F, **rate) - target) ** 2
    return value.detach(), torch.autograd.grad(value, list(model.parameters()), allow_unused=True)


def same_gradients(model: nn.Module, expected, tolerance: float = 1e-6) -> None:
    """The gradients that lie in `model` are the expected ones, which are not nothing."""
    parameters = list(model.parameters())
    got, want = (
        torch.cat(
            [
                (torch.zeros_like(p) if g is None else g).flatten()
                for p, g in zip(parameters, given, strict=True)
            ]
        )
        for given in ([p.grad for p in parameters], expected)
    )
    assert want.norm() > 0
    assert (got - want).norm() <= tolerance * want.norm()


def architecture(family: str):
    """A small one of timm's, the modules to tap, and the axes of ReduceMean."""
    import timm
    from timm.layers import GroupNorm1
    from timm.models.metaformer import (
        MetaFormer,
    )  # its token mixer is PoolFormer's unless told otherwise
    from timm.models.mlp_mixer import MlpMixer

    torch.manual_seed(0)
    if family == "cnn":
        model = timm.create_model(
            "resnet18", layers=(1, 1, 1, 1), channels=(12, 16, 20, 24), num_classes=5
        )
        # What follows bn1 is an activation in place.
        return model, ["bn1", "layer*"], (2, 3)
    if family == "vit":
        sizes = {"img_size": 16, "patch_size": 4, "embed_dim": 24, "depth": 3, "num_heads": 2}
        return timm.create_model("vit_tiny_patch16_224", num_classes=5, **sizes), "blocks.*", (1,)
    if family == "mixer":
        return MlpMixer(5, img_size=16, patch_size=4, num_blocks=3, embed_dim=24), "blocks.*", (1,)
    sizes = {"depths": (1, 1, 1, 1), "dims": (12, 16, 20, 24)}
    return MetaFormer(num_classes=5, norm_layers=GroupNorm1, **sizes), "stages.*", (2, 3)


# --- value and gradient
# -------------------------------------------------------------------------------------


@pytest.mark.parametrize("formula", ["released", "printed"])
@pytest.mark.parametrize("family", ["cnn", "vit", "mixer", "poolformer"])
def test_value_and_gradient_are_those_of_eq_6_by_hand(family, formula):
    model, modules, axes = architecture(family)
    model.train()
    reference = copy.deepcopy(model)
    settings = {"target": 0.8, "weight": 3.0, "samples": 7, "formula": formula, "thresholds": 64}
    layout = "BCHW" if axes == (2, 3) else "auto"
    constraint = SelfSimilarityConstraint(model, modules, **settings, layout=layout)
    seen = set()
    for step in range(40):
        x = images(step, size=32 if family == "cnn" else 16)
        model.zero_grad()
        model(x)
        penalty = constraint()
        penalty.backward()
        value, gradients = by_hand(reference, x, constraint.last.module, axes, **settings)
        assert penalty.shape == () and value > 0
        torch.testing.assert_close(penalty.detach(), value)
        assert constraint.last.penalty == penalty and not constraint.last.penalty.requires_grad
        same_gradients(model, gradients)
        seen.add(constraint.last.module)
        if seen == set(constraint.names):
            return
    pytest.fail(f"{set(constraint.names) - seen} never drawn")


def test_the_penalty_adds_to_the_task_loss_and_options_reach_ss_rate():
    model, reference = Blocks(), Blocks()
    rate = {"thresholds": 17, "smoothing": 2.0, "gradient_factor": 5.0}
    constraint = SelfSimilarityConstraint(model, "blocks.1", **SETTINGS, **rate)
    x = images()
    (model(x).square().sum() + constraint()).backward()
    _, gradients = by_hand(reference, x, "blocks.1", **SETTINGS, **rate)
    task = torch.autograd.grad(reference(x).square().sum(), list(reference.parameters()))
    same_gradients(model, [t if g is None else t + g for t, g in zip(task, gradients, strict=True)])


def test_released_penalty_is_halved_and_damped_by_hand():
    model, reference = Blocks(), Blocks()
    weight, target, a, every = 4.0, 0.9, 0.3, 2
    constraint = SelfSimilarityConstraint(
        model, "blocks.*", target=target, weight=weight, penalty="released", damping=a, every=every
    )
    old, factors = None, []
    for epoch in range(4):
        rates = []
        for step in range(6):
            # Larger images give another SS_rate: some of them too far from the mean.
            x = images(10 * epoch + step) * (1 + step)
            model.zero_grad()
            model(x)
            penalty = constraint()
            penalty.backward()
            now = constraint.last.ss_rate.item()
            z = 0.0 if old is None else 1 - min(abs(now - old) / old, a) / a
            value, gradients = by_hand(
                reference, x, constraint.last.module, target=target, weight=weight * z / 2
            )
            torch.testing.assert_close(penalty.detach(), value, rtol=1e-4, atol=0)
            if z:
                same_gradients(model, gradients, 1e-4)
            else:
                assert all(p.grad is None or not p.grad.any() for p in model.parameters())
            rates.append(now)
            factors.append(z)
        constraint.end_epoch()
        if epoch % every == 0:
            old = sum(rates) / len(rates)
    assert not any(factors[:6])
    assert 0 in factors[6:] and any(0 < z < 1 for z in factors[6:])


def test_target_may_follow_progress():
    model, reference = Blocks(), Blocks()
    constraint = SelfSimilarityConstraint(
        model, "blocks.0", target=lambda t: 0.2 + 0.5 * t, weight=2.0
    )
    for progress in (None, 0.5, 1.0):
        if progress is not None:
            constraint.set_progress(progress)
        model(images())
        value, _ = by_hand(
            reference, images(), "blocks.0", target=0.2 + 0.5 * (progress or 0), weight=2.0
        )
        torch.testing.assert_close(constraint().detach(), value)


# --- the draw
# -----------------------------------------------------------------------------------------------


def draws(constraint, model, n):
    names = []
    for _ in range(n):
        model(torch.ones(1, 2))
        constraint()
        names.append(constraint.last.module)
    return names


def test_modules_are_drawn_uniformly_by_a_generator_of_its_own():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4), nn.Linear(4, 3))
    before = torch.get_rng_state()
    first, again, other = (
        draws(SelfSimilarityConstraint(model, "*", target=0.3, seed=seed), model, 300)
        for seed in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert first == again != other
    # Three standard deviations of a binomial count are 24.5.
    assert all(75 <= first.count(name) <= 125 for name in ("0", "1", "2"))
    pairs = [first[i : i + 2] for i in range(299)]
    assert all([a, b] in pairs for a in "012" for b in "012")


# --- undefined SS_rate
# --------------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", ["printed", "released"])
@pytest.mark.parametrize("kind", ["equal rows", "overflow"])
def test_undefined_ss_rate_adds_nothing_and_can_be_seen(kind, penalty):
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    constraint = SelfSimilarityConstraint(model, "0", **SETTINGS, penalty=penalty, every=1)
    x = torch.rand(6, 4, generator=torch.Generator().manual_seed(0)) + 1
    if penalty == "released":  # so that z is at work
        model(x)
        constraint()
        constraint.end_epoch()
    with torch.no_grad():
        if kind == "equal rows":
            model[0].weight.zero_()
            model[0].bias.fill_(1)
        else:
            model[0].weight.fill_(6e4)
    with torch.autocast("cpu", dtype=torch.float16, enabled=kind == "overflow"):
        model(x)
        value = constraint()
    value.backward()
    assert value.item() == 0 and value.requires_grad
    assert math.isnan(constraint.last.ss_rate) and constraint.last.penalty == 0
    assert not model[0].weight.grad.any() and not model[0].bias.grad.any()
    old = constraint._reference
    constraint.end_epoch()
    assert constraint._reference == old  # an undefined one is no part of S_old


# --- surroundings
# -------------------------------------------------------------------------------------------


def test_under_autocast_and_a_scaler():
    model, reference = Blocks(), Blocks()
    constraint = SelfSimilarityConstraint(model, "blocks.*", **SETTINGS)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for step in range(3):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            model(images(step))
            penalty = constraint()
            value, gradients = by_hand(reference, images(step), constraint.last.module, **SETTINGS)
        assert penalty.dtype == torch.float32
        torch.testing.assert_close(penalty.detach(), value)
        scaler.scale(penalty).backward()
        scaler.unscale_(optimizer)
        # bfloat16 rounds the scaled gradient as the unscaled one: the scale is a power of two.
        same_gradients(model, gradients, 1e-5)
        scaler.step(optimizer)
        scaler.update()


def test_gradient_accumulation():
    model, reference = Blocks(), Blocks()
    constraint = SelfSimilarityConstraint(model, "blocks.*", **SETTINGS)
    total = [torch.zeros_like(p) for p in model.parameters()]
    for step in range(4):
        model(images(step))
        assert len(constraint._taps) == 1  # of the modules, only the one drawn
        (constraint() / 4).backward()
        _, gradients = by_hand(reference, images(step), constraint.last.module, **SETTINGS)
        total = [t if g is None else t + g / 4 for t, g in zip(total, gradients, strict=True)]
        assert not constraint._taps  # nothing holds the graph of this batch
    same_gradients(model, total)


@pytest.mark.parametrize(
    ("modules", "axes"), [("blocks.*", (1,)), ("blocks.*.0", (1,)), ("stem", (2, 3)), ("head", ())]
)
def test_with_checkpoints_that_are_not_reentrant(modules, axes):
    model, reference = Blocks(reentrant=False), Blocks()
    constraint = SelfSimilarityConstraint(model, modules, **SETTINGS)

    def expected(x):
        module = constraint.last.module
        return [
            torch.zeros_like(p) if g is None else g
            for p, g in zip(
                model.parameters(), by_hand(reference, x, module, axes, **SETTINGS)[1], strict=True
            )
        ]

    for step in range(6):
        model.zero_grad()
        model(images(step))
        constraint().backward()
        same_gradients(model, expected(images(step)))
    # Backward late: the next forward pass lies in between, and the checkpoints run again after it.
    for step in range(6):
        model.zero_grad()
        model(images(step))
        first = constraint()
        total = expected(images(step))
        model(images(50 + step))
        first.backward()
        constraint().backward()
        same_gradients(
            model, [a + b for a, b in zip(total, expected(images(50 + step)), strict=True)]
        )


def test_with_timm_s_checkpoints():
    model, modules, axes = architecture("vit")
    reference = copy.deepcopy(model)
    model.set_grad_checkpointing()
    constraint = SelfSimilarityConstraint(model, modules, **SETTINGS)
    for step in range(4):
        model.zero_grad()
        model(images(step))
        constraint().backward()
        same_gradients(
            model, by_hand(reference, images(step), constraint.last.module, axes, **SETTINGS)[1]
        )


def test_reentrant_checkpoints_are_an_error():
    model = Blocks(reentrant=True)
    _constraint = SelfSimilarityConstraint(model, "blocks.*", **SETTINGS)
    with pytest.raises(ValueError, match=r"'blocks\.0' ran without gradient.*use_reentrant=False"):
        model(images())


@pytest.fixture
def compilations():
    """A backend for torch.compile that counts how often it is called."""
    from torch._dynamo.backends.debugging import aot_eager

    def backend(graph, inputs):
        backend.count += 1
        return aot_eager(graph, inputs)

    backend.count = 0
    torch._dynamo.reset()
    yield backend
    torch._dynamo.reset()


def test_compiled_once_for_all_modules(compilations):
    model, reference = Blocks(), Blocks()
    compiled = torch.compile(model, backend=compilations, fullgraph=True)
    constraint = SelfSimilarityConstraint(compiled, "blocks.*", **SETTINGS)
    seen = set()
    for step in range(12):
        model.zero_grad()
        compiled(images(step))
        penalty = constraint()
        penalty.backward()
        value, gradients = by_hand(reference, images(step), constraint.last.module, **SETTINGS)
        torch.testing.assert_close(penalty.detach(), value)
        same_gradients(model, gradients)
        seen.add(constraint.last.module)
    assert seen == set(constraint.names)
    assert compilations.count == 1
    constraint.remove()
    for _ in range(2):
        compiled(images())
    assert compilations.count == 2 and not constraint._taps
    with pytest.raises(RuntimeError, match="was removed"):
        constraint()


def test_a_compiled_training_step(compilations):
    model, reference = Blocks(), Blocks()
    constraint = SelfSimilarityConstraint(model, "blocks.*", **SETTINGS)

    @torch.compile(backend=compilations)
    def loss(x):
        return 0 * model(x).sum() + constraint()

    for step in range(4):
        model.zero_grad()
        loss(images(step)).backward()
        same_gradients(
            model, by_hand(reference, images(step), constraint.last.module, **SETTINGS)[1]
        )
    assert compilations.count == 2  # what is before and after the call, which runs eagerly


def test_hooks_that_come_after_compilation_are_an_error(compilations):
    model = Blocks()
    compiled = torch.compile(model, backend=compilations)
    compiled(images())
    constraint = SelfSimilarityConstraint(model, "blocks.*", **SETTINGS)
    compiled(images())
    with pytest.raises(
        RuntimeError, match=r"before the first compiled call, or call torch\._dynamo\.reset"
    ):
        constraint()
    torch._dynamo.reset()
    compiled(images())
    assert constraint() > 0


def ddp_worker(rank: int, store: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    reference = Blocks()
    model = DistributedDataParallel(Blocks())
    constraint = SelfSimilarityConstraint(model, "blocks.*", **SETTINGS)
    released = SelfSimilarityConstraint(model, "blocks.*", **SETTINGS, penalty="released")
    rates = []
    for step in range(5):
        x = images(100 * rank + step)
        model.zero_grad()
        loss = model(x).square().sum()
        (loss + constraint() + released()).backward()
        task = torch.autograd.grad(reference(x).square().sum(), list(reference.parameters()))
        _, gradients = by_hand(reference, x, constraint.last.module, **SETTINGS)
        expected = [t.clone() if g is None else t + g for t, g in zip(task, gradients, strict=True)]
        for gradient in expected:
            dist.all_reduce(gradient)
            gradient /= 2
        same_gradients(model, expected, 1e-5)
        rates.append(released.last.ss_rate)
        gathered = [None, None]
        dist.all_gather_object(gathered, (constraint.last.module, float(constraint.last.ss_rate)))
        assert gathered[0][0] == gathered[1][0] and gathered[0][1] != gathered[1][1]
    mean = torch.stack(rates).mean()
    dist.all_reduce(mean)
    released.end_epoch()
    assert released._reference == pytest.approx(mean.item() / 2, rel=1e-6)
    dist.destroy_process_group()


def test_two_processes_draw_the_same_module_and_average_the_gradient(tmp_path):
    torch.multiprocessing.spawn(ddp_worker, (str(tmp_path / "store"),), nprocs=2)


@pytest.mark.parametrize("which", ["model", "constraint"])
def test_eval_mode_costs_nothing(which, monkeypatch):
    model = Blocks()
    constraint = SelfSimilarityConstraint(model, "blocks.*", **SETTINGS)
    state = constraint._generator.get_state()
    monkeypatch.setattr(
        sslib.constraint, "reduce_mean", lambda *_, **__: pytest.fail("tapped in eval mode")
    )
    (model if which == "model" else constraint).eval()
    for _ in range(3):
        model(images())
        assert not constraint._taps
        penalty = constraint()
        assert penalty.shape == () and penalty == 0 and not penalty.requires_grad
    assert constraint.last is None and torch.equal(constraint._generator.get_state(), state)


def test_no_value_is_read_on_the_way(monkeypatch):
    # Tensors on the meta device have none. ss_rate is held to the same by its own tests.
    monkeypatch.setattr(sslib.constraint, "ss_rate", lambda F, **_: F.square().mean())
    with torch.device("meta"):
        model = Blocks()
        x = torch.empty(8, 3, 16, 16)
    for penalty in ("printed", "released"):
        constraint = SelfSimilarityConstraint(model, "blocks.*", **SETTINGS, penalty=penalty)
        constraint._reference = 0.5
        for _ in range(3):
            model(x)
            constraint().backward()
            assert constraint.last.ss_rate.is_meta and constraint.last.penalty.is_meta
        constraint.remove()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_no_call_waits_for_the_gpu():
    model = Blocks().cuda()
    constraint = SelfSimilarityConstraint(model, "blocks.*", **SETTINGS, penalty="released")
    x = images().cuda()

    def step():
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(x).float().sum() + constraint()
        loss.backward()

    step()
    constraint.end_epoch()
    step()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(4):
            step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert constraint.last.ss_rate.is_cuda


# --- the model is left alone
# --------------------------------------------------------------------------------


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_remove_and_with_leave_the_model_clean():
    model = Blocks()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with SelfSimilarityConstraint(model, "blocks.*", **SETTINGS) as constraint:
        assert hooks(model) == 1 + len(constraint.names)
        model(images())
        constraint()
        model(images())
    assert hooks(model) == 0 and not constraint._taps
    constraint.remove()
    assert list(model.state_dict()) == list(before)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    model(images())
    with pytest.raises(RuntimeError, match="was removed"):
        constraint()
    with pytest.raises(KeyError), SelfSimilarityConstraint(model, "blocks.*", **SETTINGS):
        raise KeyError
    assert hooks(model) == 0


def test_the_model_is_no_submodule():
    model = Blocks()
    constraint = SelfSimilarityConstraint(model, "blocks.*", **SETTINGS)
    assert (
        list(constraint.parameters())
        == list(constraint.buffers())
        == list(constraint.children())
        == []
    )
    constraint.eval()
    assert model.training
    assert list(constraint.state_dict()) == ["_extra_state"]


def test_copies_of_the_model_are_not_tapped():
    model = Blocks()
    constraint = SelfSimilarityConstraint(model, "blocks.*", **SETTINGS)
    average = copy.deepcopy(model)
    with torch.no_grad():
        average.stem.weight.mul_(2)
    model(images())
    average(images(1))
    penalty = constraint()
    value, _ = by_hand(Blocks(), images(), constraint.last.module, **SETTINGS)
    torch.testing.assert_close(penalty.detach(), value)
    average(images(1))
    with pytest.raises(RuntimeError, match="no forward pass"):
        constraint()


# --- one forward pass, one call
# -----------------------------------------------------------------------------


def test_a_call_needs_a_forward_pass_of_its_own():
    model = Blocks()
    constraint = SelfSimilarityConstraint(model, "blocks.*", **SETTINGS)
    with pytest.raises(RuntimeError, match="no forward pass"):
        constraint()
    model(images())
    constraint()
    with pytest.raises(RuntimeError, match="no forward pass"):
        constraint()
    # What a step left before a validation is gone after it.
    model(images())
    model.eval()
    model(images())
    model.train()
    with pytest.raises(RuntimeError, match="one in eval mode came after it"):
        constraint()


def test_the_newest_forward_pass_counts():
    model = Blocks()
    constraint = SelfSimilarityConstraint(model, "blocks.*", **SETTINGS)
    model(images(0))
    model(images(1))
    penalty = constraint()
    torch.testing.assert_close(
        penalty.detach(), by_hand(Blocks(), images(1), constraint.last.module, **SETTINGS)[0]
    )


def test_a_forward_pass_without_gradient_gives_a_penalty_without():
    model = Blocks()
    constraint = SelfSimilarityConstraint(model, "blocks.*", **SETTINGS)
    with torch.no_grad():
        model(images())
    penalty = constraint()
    assert penalty > 0 and not penalty.requires_grad


@pytest.mark.parametrize("how", ["deleted", "made again", "raised over", "a local of a function"])
def test_the_hooks_go_with_their_constraint(how):
    model = Blocks()

    def scope():
        return SelfSimilarityConstraint(model, "blocks.*", **SETTINGS).weight

    if how == "a local of a function":
        scope()
        left = 0
    else:
        for _ in range(5):
            constraint = SelfSimilarityConstraint(model, "blocks.*", **SETTINGS)
        left = 1 + len(constraint.names)
        if how == "raised over":
            with pytest.raises(ValueError, match="target"):
                constraint = SelfSimilarityConstraint(model, "blocks.*", target=2.0)
        if how != "made again":
            del constraint
            left = 0
    assert hooks(model) == left
    copied = copy.deepcopy(model)
    model(images())
    assert copied(images()).shape == model(images()).shape


@pytest.mark.parametrize("how", ["frozen", "no_grad", "detached"])
def test_a_module_that_no_gradient_reaches_is_warned_of(how):
    model = Blocks()
    if how == "frozen":
        model.stem.requires_grad_(False)
        model.blocks.requires_grad_(False)
    if how == "detached":
        model.blocks[0].register_forward_hook(lambda *arguments: arguments[-1].detach())
    if how == "no_grad":
        model.blocks[0].forward = torch.no_grad()(model.blocks[0].forward)
        model.blocks[0].register_forward_hook(lambda *arguments: arguments[-1] * 1)
    constraint = SelfSimilarityConstraint(model, "blocks.0", **SETTINGS)
    model(images())
    with pytest.warns(UserWarning, match=r"module 'blocks\.0': no gradient reaches it"):
        constraint()


def test_a_default_device_that_is_not_the_cpu():
    model = Blocks()
    torch.set_default_device("meta")
    try:
        constraint = SelfSimilarityConstraint(model, "blocks.*", **SETTINGS)
    finally:
        torch.set_default_device(None)
    model(images())
    assert constraint() > 0


@pytest.mark.parametrize("kind", ["Conv1d", "flattened", "wide"])
def test_the_channels_are_found_as_for_feature_matrices(kind):
    torch.manual_seed(0)
    first = nn.Conv1d(3, 8, 3) if kind == "Conv1d" else nn.Conv2d(3, 8, 3)
    model = nn.Sequential(first, nn.Flatten(2) if kind == "flattened" else nn.Identity())
    x = torch.rand(10, 3, 20) if kind == "Conv1d" else torch.rand(10, 3, 10, 20)
    module = "1" if kind == "flattened" else "0"
    constraint = SelfSimilarityConstraint(model, module, target=0.3, weight=1.0)
    model(x)
    constraint()
    expected = ss_rate(first(x).flatten(2).mean(2).T)
    torch.testing.assert_close(constraint.last.ss_rate, expected.detach())


class Twice(Blocks):
    def forward(self, x):
        return super().forward(x) + self.head(self.blocks[0](self.stem(x).flatten(2).mT)).mean(1)


class Skips(Blocks):
    def forward(self, x):
        return self.head(self.stem(x).mean((2, 3)))


class Windows(Blocks):
    def forward(self, x):
        self.blocks[0](self.stem(x).flatten(2).mT.reshape(-1, 4, 12))
        return x


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        (Twice, ValueError, r"'blocks\.0' was called twice"),
        (Skips, RuntimeError, r"'blocks\.0' was not called"),
        (
            Windows,
            ValueError,
            r"module 'blocks\.0': expected .*one row per image, got a batch of 40 for 10 images",
        ),
    ],
)
def test_modules_that_do_not_fit(kind, error, message):
    model = kind()
    constraint = SelfSimilarityConstraint(model, "blocks.0", **SETTINGS)
    with pytest.raises(error, match=message):
        model(images())
        constraint()


# --- resuming
# -----------------------------------------------------------------------------------------------


def train(model, constraint, steps):
    """Some steps that change the weights, six to an epoch."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    log = []
    for step in steps:
        constraint.set_progress(step / 18)
        optimizer.zero_grad()
        loss = model(images(step)).square().sum()
        (loss + constraint()).backward()
        optimizer.step()
        log.append(
            (constraint.last.module, float(constraint.last.ss_rate), float(constraint.last.penalty))
        )
        if step % 6 == 5:
            constraint.end_epoch()
    return log


def test_training_resumes_exactly():
    def make(seed):
        model, settings = (
            Blocks(),
            {"penalty": "released", "damping": 0.9, "every": 1, "seed": seed},
        )
        return model, SelfSimilarityConstraint(
            model, "blocks.*", target=lambda t: 0.3 + 0.4 * t, **settings
        )

    undisturbed = train(*make(3), range(18))
    model, constraint = make(3)
    start = train(model, constraint, range(9))  # the middle of an epoch
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "constraint": constraint.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    model, constraint = make(99)
    model.load_state_dict(saved["model"])
    constraint.load_state_dict(saved["constraint"])
    assert constraint.gamma == pytest.approx(0.3 + 0.4 * 8 / 18)
    assert start + train(model, constraint, range(9, 18)) == undisturbed
    assert any(penalty > 0 for _, _, penalty in undisturbed)


def test_a_state_of_other_modules_is_refused():
    state = SelfSimilarityConstraint(Blocks(), "blocks.*", **SETTINGS).state_dict()
    with pytest.raises(
        ValueError, match=r"state: expected .* blocks\.0, got .* blocks\.0, blocks\.1, blocks\.2$"
    ):
        SelfSimilarityConstraint(Blocks(), "blocks.0", **SETTINGS).load_state_dict(state)


# --- bad arguments
# ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("modules", "block.*", r"modules: 'block\.\*' matches no module"),
        ("modules", [], "modules: expected"),
        ("target", 1.1, r"target: expected a number in \[0, 1\], got 1\.1"),
        ("target", -0.1, "target: expected"),
        ("target", math.nan, "target: expected"),
        ("target", "0.3", "target: expected"),
        ("target", None, "target: expected"),
        (
            "target",
            lambda t: 2 + t,
            r"target at progress 0\.0: expected a number in \[0, 1\], got 2\.0",
        ),
        ("weight", -1e-4, "weight: expected a finite number of at least 0"),
        ("weight", math.inf, "weight: expected"),
        ("weight", math.nan, "weight: expected"),
        ("weight", "1", "weight: expected"),
        ("penalty", "squared", "penalty: expected one of printed, released, got 'squared'"),
        ("formula", "other", "formula: expected one of .*, got 'other'"),
        ("thresholds", 1, "thresholds: expected an integer of at least 2, got 1"),
        ("smoothing", 0.0, r"smoothing: expected a finite number above 0, got 0\.0"),
        ("gradient_factor", math.inf, "gradient_factor: expected a finite number, got inf"),
        ("samples", 0, "samples: expected an integer of at least 1, got 0"),
        ("samples", 2.5, "samples: expected"),
        ("layout", "NCHW", "layout: expected one of"),
        ("seed", -1, "seed: expected"),
        ("seed", None, "seed: expected"),
        ("damping", 0.0, "damping: expected a finite number above 0"),
        ("every", 0, "every: expected"),
        ("model", "resnet", "model: expected"),
    ],
)
def test_bad_arguments_fail_at_once(argument, value, message):
    model = Blocks()
    arguments = {"model": model, "modules": "blocks.*", **SETTINGS, argument: value}
    with pytest.raises(ValueError, match=message):
        SelfSimilarityConstraint(**arguments)
    assert hooks(model) == 0


@pytest.mark.parametrize("progress", [-0.01, 1.01, math.nan, "half"])
def test_bad_progress_is_refused(progress):
    constraint = SelfSimilarityConstraint(Blocks(), "blocks.*", target=lambda t: t)
    with pytest.raises(ValueError, match="progress: expected a number in"):
        constraint.set_progress(progress)
    assert constraint.gamma == 0


def test_a_target_that_leaves_0_to_1_later_is_refused_then():
    constraint = SelfSimilarityConstraint(Blocks(), "blocks.*", target=lambda t: 2 * t)
    constraint.set_progress(0.5)
    with pytest.raises(
        ValueError, match=r"target at progress 0\.75: expected a number .*, got 1\.5"
    ):
        constraint.set_progress(0.75)
    assert constraint.gamma == 1
