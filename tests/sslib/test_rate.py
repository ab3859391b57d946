"""SS_rate against a naive reference, the released code's outputs, finite differences, and its own
properties.
"""

import json
import math
from pathlib import Path

import naive
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

import sslib.boxes
import sslib.distances
from sslib.boxes import (
    FORMULAS,
    DegenerateDistances,
    area,
    area_slope,
    box_curve,
    box_number,
    density,
    reference_line,
    scale_free_rate,
    thresholds,
)
from sslib.distances import adjacency, pair_distances
from sslib.rate import ss_rate

GOLDEN = Path(__file__).parents[2] / "data" / "golden" / "ss_rate_released"


def on_an_accelerator_if(monkeypatch, on_host):
    """Let the method believe what `on_host` says of a device."""
    for module in (sslib.distances, sslib.boxes):
        monkeypatch.setattr(module, "on_host", on_host)


def features(kind: str, D: int = 14, B: int = 6) -> torch.Tensor:
    g = torch.Generator().manual_seed(7)
    F = torch.randn(D, B, generator=g, dtype=torch.float64)
    if kind == "clustered":
        F = 5 * F[torch.arange(D) % 3] + 1e-3 * F
    elif kind == "heavy-tailed":
        F = F.sign() * F.abs() ** 5
    elif kind == "duplicates":
        F[D // 2 :] = F[: D - D // 2]
        F[0] = F[1]
    elif kind == "relu":
        F = F.relu() * (torch.arange(D) % 4 > 0)[:, None]
    elif kind == "tiny":
        F = 1e-3 * F
    elif kind == "far from zero":
        F = F + 1e4
    return F


KINDS = ("gaussian", "clustered", "heavy-tailed", "duplicates", "relu", "tiny", "far from zero")


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("kind", KINDS)
def test_value_and_gradient_equal_the_naive_reference(kind, formula):
    F = features(kind).requires_grad_()
    rate = ss_rate(F, formula=formula, thresholds=64)
    (grad,) = torch.autograd.grad(rate, F)
    expected = naive.ss_rate(F.tolist(), formula, 64)
    expected_grad = torch.tensor(naive.gradient(F.tolist(), formula, 64), dtype=torch.float64)
    tolerance = (
        1e-7 if kind == "far from zero" else 1e-9
    )  # the data itself keeps only 12 digits there
    assert rate.item() == pytest.approx(expected, abs=tolerance)
    assert (grad - expected_grad).norm() <= tolerance * expected_grad.norm()
    assert expected_grad.norm() > 0


@pytest.mark.parametrize("formula", FORMULAS)
def test_smoothing_and_gradient_factor_reach_the_gradient(formula):
    F = features("gaussian").requires_grad_()
    (grad,) = torch.autograd.grad(
        ss_rate(F, formula=formula, smoothing=3.0, gradient_factor=2.5), F
    )
    expected = torch.tensor(
        naive.gradient(F.tolist(), formula, k=3.0, fac=2.5), dtype=torch.float64
    )
    assert torch.allclose(grad, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("formula", FORMULAS)
def test_gradient_is_that_of_the_surrogate_by_finite_differences(formula):
    F = features("gaussian", D=6, B=4).requires_grad_()
    g, theta, _ = naive.slopes(F.tolist(), formula, 32)
    g, theta = torch.tensor(g), torch.tensor(theta)
    i, j = torch.triu_indices(6, 6, 1)

    def surrogate(F):  # the same counts, smoothed; slopes and thresholds held where they are
        C = (F[i] - F[j]).square().sum(1).sqrt() / 2
        return (g * 6 * torch.sigmoid(theta[:, None] - C).mean(1)).sum()

    torch.autograd.gradcheck(surrogate, F)
    (expected,) = torch.autograd.grad(surrogate(F), F)
    (grad,) = torch.autograd.grad(ss_rate(F, formula=formula, thresholds=32), F)
    assert torch.allclose(grad, expected, rtol=1e-9)


@pytest.mark.parametrize(
    "case", json.loads(GOLDEN.with_suffix(".json").read_text()), ids=lambda c: c["kind"]
)
def test_released_code_gave_these_numbers(case):
    """Outputs of the authors' released function (commit daffa83), float32; see
    data/golden/README.md.
    """
    arrays = np.load(GOLDEN.with_suffix(".npz"))
    F = torch.from_numpy(arrays[f"{case['case']}_F"]).requires_grad_()
    curve = box_curve(F.detach())
    assert curve.theta_min.item() == pytest.approx(case["TZ"], abs=1e-5)
    assert curve.theta_max.item() == pytest.approx(case["TV"], abs=1e-5)
    rate = ss_rate(F)
    loss = 0.5 * (rate - case["target"]) ** 2
    loss.backward()
    tiny = (
        case["kind"] == "tiny"
    )  # the released comparison is sigmoid(theta - C) > 0.5, which rounds
    assert rate.item() == pytest.approx(case["ss_rate"], abs=3e-4 if tiny else 1e-4)
    if not tiny:
        expected = torch.from_numpy(arrays[f"{case['case']}_grad"])
        # at TZ the released residual is 0 up to rounding, whose sign decides a share of the
        # gradient of case 0
        tolerance = 0.05 if case["kind"] == "gaussian" else 1e-4
        assert (F.grad - expected).norm() <= tolerance * expected.norm()


def test_four_channels_worked_by_hand():
    """Points 0, 1, 3, 7 on a line: distances 1, 2, 3, 4, 6, 7, so TZ = 1, TV = 7 and theta = 1, 3,
    7 for T = 3.
    """
    F = torch.tensor([[0.0], [1.0], [3.0], [7.0]], dtype=torch.float64)
    released = box_curve(F, thresholds=3)
    assert released.theta.tolist() == pytest.approx([1, 3, 7])
    assert released.density.tolist() == pytest.approx([0, 2 / 6, 5 / 6])
    log4 = math.log(4)
    N = [4, 4 - 3 * math.log(2) / log4, 4 - 3 * math.log(3.5) / log4]
    assert released.boxes.tolist() == pytest.approx(N)
    line = [1, 0.5, 0]
    by_hand = 2 / 3 * sum(abs(q - math.log(n) / log4) for q, n in zip(line, N, strict=True))
    assert released.ss_rate.item() == pytest.approx(by_hand)

    printed = box_curve(F, formula="printed", thresholds=3)
    assert printed.density.tolist() == pytest.approx(
        [0, 3 / 6, 5 / 6]
    )  # C <= 3 counts the distance 3 itself
    N = [4, 1 + 3 * math.log(2.5) / log4, 1 + 3 * math.log(1.5) / log4]
    assert printed.boxes.tolist() == pytest.approx(N)
    r = [abs(math.log(n) / log4 - q) for q, n in zip(line, N, strict=True)]
    assert printed.ss_rate.item() == pytest.approx(2 / 2 * (r[0] / 2 + r[1] + r[2] / 2))


@pytest.mark.parametrize("formula", FORMULAS)
def test_box_curve_and_ss_rate_agree(formula):
    F = features("clustered", D=40, B=9)
    curve = box_curve(F, formula=formula)
    assert curve.ss_rate == ss_rate(F, formula=formula)
    assert (
        curve.theta.shape
        == curve.density.shape
        == curve.boxes.shape
        == curve.reference.shape
        == (256,)
    )
    assert (curve.boxes.diff() <= 0).all() and curve.boxes[0] == 40 and curve.boxes[-1] >= 1
    assert curve.reference[0] == pytest.approx(math.log(40)) and curve.reference[-1] == 0
    assert (curve.theta.diff() > 0).all()


@pytest.mark.parametrize("formula", FORMULAS)
def test_float32_table_follows_the_direct_sum(formula):
    for scale in (0.01, 1.0, 100.0):
        F = (
            scale * torch.randn(90, 30, generator=torch.Generator().manual_seed(1))
        ).requires_grad_()
        wide = F.detach().double().requires_grad_()
        (grad,) = torch.autograd.grad(ss_rate(F, formula=formula), F)
        (expected,) = torch.autograd.grad(ss_rate(wide, formula=formula), wide)
        assert (grad - expected).norm() <= 2e-5 * expected.norm()


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("kind", KINDS[:-1])
def test_accelerator_branch_agrees(kind, formula, monkeypatch):
    """What runs where values cannot be read without waiting, run here: float64 products, a table of
    fixed length.
    """
    F = features(kind, D=40, B=9).float().requires_grad_()
    here = ss_rate(F, formula=formula)
    (grad_here,) = torch.autograd.grad(here, F)
    on_an_accelerator_if(monkeypatch, lambda device: False)
    there = ss_rate(F, formula=formula, check=False)
    (grad_there,) = torch.autograd.grad(there, F)
    assert there.dtype == here.dtype == torch.float32
    assert there.item() == pytest.approx(here.item(), abs=2e-4)
    assert (grad_there - grad_here).norm() <= 2e-3 * grad_here.norm()
    if kind in ("duplicates", "relu"):
        assert ((pair_distances(F) == 0).sum() > 40).item()


@pytest.mark.parametrize("host", [True, False])
def test_equal_and_dead_channels_have_distance_exactly_zero(host, monkeypatch):
    on_an_accelerator_if(monkeypatch, lambda device: host)
    F = torch.randn(600, 64, generator=torch.Generator().manual_seed(3)) + 100
    F[300:] = F[:300]
    F[[5, 305, 9, 309]] = 0
    C = pair_distances(F)
    assert (C.diagonal(300) == 0).all() and (C.diagonal() == 0).all() and C[5, 9] == 0
    assert torch.equal(C, C.T)


def test_close_channels_keep_their_digits():
    base = 1000 * torch.randn(1, 64, generator=torch.Generator().manual_seed(3))
    F = base + 1e-2 * torch.randn(600, 64, generator=torch.Generator().manual_seed(4))
    F[0] -= base[0]  # an outlier, so that subtracting the mean row alone does not help
    exact = torch.cdist(F.double(), F.double(), compute_mode="donot_use_mm_for_euclid_dist") / 8
    assert ((pair_distances(F) - exact).abs() <= 1e-4 * exact).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    F = features("gaussian", D=50, B=20).to(dtype).requires_grad_()
    rate = ss_rate(F)
    wide = F.detach().float().requires_grad_()
    expected = ss_rate(wide)
    assert rate.dtype == torch.float32 and rate == expected
    rate.backward()
    expected.backward()
    assert F.grad.dtype == dtype
    assert torch.equal(F.grad, wide.grad.to(dtype))


def test_autocast_changes_nothing():
    F = features("gaussian", D=50, B=20).float().requires_grad_()
    (expected,) = torch.autograd.grad(ss_rate(F), F)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rate = ss_rate(F)
        (grad,) = torch.autograd.grad(rate, F)
    assert rate == ss_rate(F) and torch.equal(grad, expected)


def test_inside_torch_compile():
    @torch.compile(backend="aot_eager")
    def loss(F):
        return (ss_rate(2 * F, check=False) - 0.3) ** 2

    F = features("gaussian", D=50, B=20).float().requires_grad_()
    (grad,) = torch.autograd.grad(loss(F), F)
    (expected,) = torch.autograd.grad((ss_rate(2 * F) - 0.3) ** 2, F)
    assert torch.allclose(grad, expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("formula", FORMULAS)
def test_what_rounding_leaves_at_the_lower_end_has_no_gradient(formula):
    """D = 28, 204, 220, 385: there, the printed log N at TZ is not log D to the last digit."""
    for D in (14, 28, 204, 220, 385):
        p = torch.linspace(0, 0.9, 16, dtype=torch.float64)
        boxes, line = box_number(p, D, formula), reference_line(p, D)
        slope = area_slope(p, boxes, line, D, formula)
        assert slope[0] == 0 and (slope[1:] != 0).all()


# Size: blocks of distances instead of all, counts without a sort.


class Outputs(TorchDispatchMode):
    """The largest tensor made, and how many close pairs are looked at again."""

    def __init__(self):
        super().__init__()
        self.largest = self.close = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        output = function(*args, **(kwargs or {}))
        if isinstance(output, torch.Tensor):
            self.largest = max(self.largest, output.numel())
            self.close += len(output) if function.overloadpacket.__name__ == "nonzero" else 0
        return output


@pytest.mark.parametrize("host", [True, False])
def test_of_many_pairs_no_two_blocks_are_held_together(host, monkeypatch):
    on_an_accelerator_if(monkeypatch, lambda device: host)
    monkeypatch.setattr(sslib.distances, "_KEPT", 2**18)
    F = torch.randn(1500, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    with Outputs() as outputs:
        if host:  # elsewhere the gradient's table has a length of its own
            torch.autograd.grad(ss_rate(F, check=False), F)
        box_curve(F.detach())
    assert outputs.largest <= 256 * 1500  # all pairs are 1,124,250


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("kind", KINDS)
def test_blocks_that_are_made_again_change_nothing(kind, formula, monkeypatch):
    F = features(kind, D=700, B=9).float().requires_grad_()
    rates, grads = [], []
    for kept in (2**24, 0):
        monkeypatch.setattr(sslib.distances, "_KEPT", kept)
        assert bool(sslib.distances.Distances(F).kept) == bool(kept)
        rates.append(ss_rate(F, formula=formula))
        grads.append(torch.autograd.grad(rates[-1], F)[0])
    assert rates[0] == rates[1] and torch.equal(*grads)


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("T", [2, 3, 256, 3000])
def test_counts_are_those_of_sorted_distances(T, dtype, formula):
    g = torch.Generator().manual_seed(0)
    normal = torch.rand(20000, generator=g, dtype=torch.float64)
    samples = {
        "uniform": normal,
        "from zero": (normal - 0.3).relu(),
        "ties": (20 * normal).round(),
        "tiny": 1e-9 * normal,
        "of all scales": torch.exp(60 * normal - 30),
        "a few steps of rounding": 1000 + 3e-4 * normal,
        "two values": 1 + (normal > 0.5).double(),
        "equal": torch.ones_like(normal),
        "below the normal numbers": 1e-42 * normal,
        "close to overflow": 3e38 * normal,
        "all but one together": torch.cat([1e-3 * normal, normal.new_tensor([1e6])]),
        "all but one far off": torch.cat([1e6 + normal, normal.new_tensor([1e-6])]),
    }
    for name, values in samples.items():
        values = values.to(dtype)
        order = np.sort(values.numpy())
        theta = thresholds(values.min().double(), values.max().double(), T)
        side = "right" if formula == "printed" else "left"
        count = np.searchsorted(order, theta.to(dtype).numpy(), side)
        count[0], count[-1] = 0, np.searchsorted(order, order[-1])
        expected = torch.from_numpy(count / len(values))
        assert torch.equal(density(values, theta, formula), expected), name


@pytest.mark.parametrize("live", ["zero", "constant", "copies of one", "copies of all", "in pairs"])
def test_pairs_of_equal_channels_are_not_looked_at_again(live):
    F = torch.randn(600, 40, generator=torch.Generator().manual_seed(0)) + 3
    kept = F.clone()
    F[60:] = {
        "zero": torch.zeros(40),
        "constant": torch.full((40,), 7.5),
        "copies of one": kept[0],
        "copies of all": kept[:60].repeat(9, 1),
        "in pairs": kept[60:330].repeat_interleave(2, 0),
    }[live]
    with Outputs() as outputs:
        C = pair_distances(F)
    assert outputs.close == 0
    same = (F[:, None, :3] == F[None, :, :3]).all(2)
    assert torch.equal(C == 0, same)


# What the separate NumPy implementation of earlier versions gave on these points, whose linear
# thresholds meet distances exactly.
SCALE_FREE = {
    ("mean", "released"): 0.06771768310858502,
    ("mean", "printed"): 0.5770997384338731,
    ("log", "released"): 0.3032770248923521,
    ("log", "printed"): 0.7219003233441,
    ("linear", "released"): 0.16177525714202073,
    ("linear", "printed"): 0.47433337013512145,
}


@pytest.mark.parametrize(("axis", "formula"), SCALE_FREE)
def test_scale_free_rates_are_those_of_an_independent_implementation(axis, formula):
    F = torch.tensor([[0.0], [1.0], [3.0], [7.0], [12.0], [20.0]], dtype=torch.float64)
    expected = pytest.approx(SCALE_FREE[axis, formula], abs=1e-12)
    assert scale_free_rate(F, axis=axis, formula=formula) == expected


@pytest.mark.parametrize("formula", FORMULAS)
def test_ss_rate_is_made_of_the_functions_of_its_equations(formula):
    F = features("clustered", D=30, B=9)
    curve, C = box_curve(F, formula=formula), pair_distances(F)
    i, j = torch.triu_indices(30, 30, 1)
    pairs = C[i, j].sort().values
    theta = thresholds(pairs[0], pairs[-1], 256)
    p = density(pairs, theta, formula)
    boxes, line = box_number(p, 30, formula), reference_line(theta, 30)
    assert torch.equal(curve.theta, theta) and torch.equal(curve.density, p)
    assert torch.equal(curve.boxes, boxes) and torch.equal(curve.reference, line)
    assert curve.ss_rate == area(boxes, line, 30, formula) == ss_rate(F, formula=formula)


def test_arguments_are_left_alone():
    F = features("duplicates")
    before = F.clone()
    for formula in FORMULAS:
        ss_rate(F.requires_grad_(), formula=formula).backward()
        box_curve(F.detach(), formula=formula)
    assert torch.equal(F.detach(), before)


# Properties: what SS_rate ignores, and what it does not.

matrices = st.tuples(st.integers(3, 24), st.integers(1, 12), st.integers(0, 10**6)).map(
    lambda t: torch.randn(
        t[0], t[1], generator=torch.Generator().manual_seed(t[2]), dtype=torch.float64
    )
)
either = st.sampled_from(FORMULAS)


def flip(F: torch.Tensor) -> float:
    """The most that SS_rate can change when rounding carries one pair over one threshold: its share
    of one step.
    """
    D = len(F)
    return 2 / 255 * (D - 1) ** 2 / math.comb(D, 2) / math.log(D) ** 2


@settings(max_examples=60, deadline=None)
@given(matrices, either, st.randoms(use_true_random=False))
def test_unchanged_by_order_rotation_and_shift(F, formula, random):
    D, B = F.shape
    rate = ss_rate(F, formula=formula).item()
    g = torch.Generator().manual_seed(random.randrange(2**31))
    rotation, _ = torch.linalg.qr(torch.randn(B, B, generator=g, dtype=F.dtype))
    images = {
        "channels permuted": F[torch.randperm(D, generator=g)],
        "samples permuted": F[:, torch.randperm(B, generator=g)],
        "sample axis rotated": F @ rotation,
        "one vector added to all channels": F + 10 * torch.randn(1, B, generator=g, dtype=F.dtype),
    }
    for name, image in images.items():
        assert ss_rate(image, formula=formula).item() == pytest.approx(rate, abs=1e-9 + flip(F)), (
            name
        )


@settings(max_examples=60, deadline=None)
@given(matrices, either, st.floats(-3, 3))
def test_lies_between_0_and_1_at_any_scale(F, formula, exponent):
    assert 0 <= ss_rate(10**exponent * F, formula=formula).item() <= 1


def test_changes_with_scale():
    F = torch.randn(384, 64, generator=torch.Generator().manual_seed(0))
    rates = [ss_rate(scale * F).item() for scale in (0.1, 1, 10)]
    assert max(rates) - min(rates) > 0.05


# Bad input: each kind has its sentence.


@pytest.mark.parametrize(
    "function", [ss_rate, box_curve, pair_distances, lambda F: adjacency(F, 1.0)]
)
@pytest.mark.parametrize(
    "F, message",
    [
        (torch.zeros(1, 4), r"F: expected .*D >= 2.*, got shape \(1, 4\)"),
        (torch.zeros(4, 0), r"F: expected .*B >= 1.*, got shape \(4, 0\)"),
        (torch.zeros(4), r"F: expected .*, got shape \(4,\)"),
        (torch.zeros(2, 3, 4), r"F: expected .*, got shape \(2, 3, 4\)"),
        (torch.zeros(4, 4, dtype=torch.int64), r"floating-point.* shape \(4, 4\) of torch.int64"),
        (torch.tensor([[0.0], [math.nan]]), r"F: expected finite .*NaN or Inf in shape \(2, 1\)"),
        (torch.tensor([[0.0], [math.inf]]), r"F: expected finite .*NaN or Inf in shape \(2, 1\)"),
    ],
)
def test_bad_features_are_named(function, F, message):
    with pytest.raises(ValueError, match=message):
        function(F)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"formula": "Printed"}, "formula: expected one of released, printed, got 'Printed'"),
        ({"thresholds": 1}, "thresholds: expected an integer of at least 2, got 1"),
        ({"thresholds": 10.0}, r"thresholds: expected an integer of at least 2, got 10\.0"),
        ({"smoothing": 0}, "smoothing: expected a finite number above 0, got 0"),
        ({"smoothing": math.inf}, "smoothing: expected a finite number above 0, got inf"),
        ({"gradient_factor": math.nan}, "gradient_factor: expected a finite number, got nan"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ss_rate(torch.randn(4, 4), **options)


@pytest.mark.parametrize("epsilon", [-1, math.nan])
def test_bad_epsilon_is_named(epsilon):
    with pytest.raises(
        ValueError, match=f"epsilon: expected a number of at least 0, got {epsilon}"
    ):
        adjacency(torch.randn(4, 4), epsilon)


@pytest.mark.parametrize(
    "F", [torch.ones(5, 3), torch.tensor([[0.0, 1.0], [2.0, 3.0]])], ids=["equal rows", "D = 2"]
)
def test_equal_distances_warn_and_read_nan_with_zero_gradient(F):
    F = F.clone().requires_grad_()
    with pytest.warns(DegenerateDistances, match="0/0"):
        rate = ss_rate(F)
    assert rate.isnan()
    rate.backward()
    assert torch.equal(F.grad, torch.zeros_like(F))
    with pytest.warns(DegenerateDistances):
        assert box_curve(F.detach()).ss_rate.isnan()


@pytest.mark.parametrize("host", [True, False])
@pytest.mark.parametrize("bad", [math.nan, math.inf, 3e38])
def test_unchecked_overflow_gives_nan_and_zero_gradient(bad, host, monkeypatch, recwarn):
    """A diverging step under mixed precision must not crash the loop: the scaler sees NaN and skips
    it.
    """
    on_an_accelerator_if(monkeypatch, lambda device: host)
    F = torch.randn(40, 8)
    F[3, 3] = bad
    F.requires_grad_()
    rate = ss_rate(F, check=False)
    rate.backward()
    if math.isfinite(bad):  # the products are of numbers near 1, or in float64
        assert 0 <= rate.item() <= 1 and F.grad.isfinite().all()
    else:
        assert rate.isnan()
        assert torch.equal(F.grad, torch.zeros_like(F))
    assert not recwarn.list


@pytest.mark.parametrize("formula", FORMULAS)
def test_unchecked_no_value_is_read_where_that_would_wait(formula, monkeypatch):
    """Every operation of the accelerator's branch, forward and backward: none hands a value to the
    host or takes one.
    """

    class Log(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            called.add(function.overloadpacket.__name__)
            return function(*args, **(kwargs or {}))

    called: set[str] = set()
    on_an_accelerator_if(monkeypatch, lambda device: False)
    F = torch.randn(600, 8, requires_grad=True)  # several blocks, and a table for the gradient
    with Log():
        torch.autograd.grad(ss_rate(F, formula=formula, check=False), F)
    assert "addmm" in called and "index_select" in called
    waits = {
        "_local_scalar_dense",
        "nonzero",
        "masked_select",
        "is_nonzero",
        "equal",
        "lift_fresh",
        "index",
        "index_put_",
    }
    assert called & waits == set()


def test_numpy_is_accepted():
    F = features("gaussian").numpy()
    assert ss_rate(F) == ss_rate(torch.from_numpy(F))


# Eq. 1


def test_adjacency_uses_the_plain_norm():
    F = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    assert adjacency(F, 5.0).tolist() == [
        [False, False, True],
        [False, False, True],
        [True, True, False],
    ]
    assert (
        not adjacency(torch.ones(3, 2), 1e-9).diagonal().any()
        and adjacency(torch.ones(3, 2), 1e-9).sum() == 6
    )
