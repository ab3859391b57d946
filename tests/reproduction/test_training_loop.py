"""One training run: what it measures is what happened, it repeats bit by bit, and the constraint
disturbs nothing else.
"""

import itertools
import math
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from reproduction import stop
from reproduction.paths import RESULTS
from reproduction.table_1 import find
from reproduction.training import loop as loop_module
from reproduction.training.checkpoint import load
from reproduction.training.loop import _Loop, train
from reproduction.training.pairs import dose_response
from reproduction.training.pictures import augment, load_pictures, normalise
from reproduction.training.read import read_runs
from reproduction.training.recipes import RECIPES, Penalty, Run, network_of
from reproduction.training.watch import _Shuffled, constraint_of, dose, gradient_norm, yoked
from sslib import ss_rate
from sslib.constraint import SelfSimilarityConstraint
from sslib.features import feature_matrices

TINY = replace(RECIPES["quick"], epochs=2, train_images=200, test_images=100)
TIMED = ("seconds", "images_per_second")


@pytest.fixture(scope="module")
def pictures():
    return load_pictures("digits", TINY)


def untimed(metrics):
    history = {key: values for key, values in metrics["history"].items() if key not in TIMED}
    return {key: value for key, value in metrics.items() if key not in TIMED} | {"history": history}


@pytest.fixture(scope="module")
def baseline(pictures):
    return train(Run("resnet34", TINY, 0), pictures)


def same(one, other):
    """Equal to the last bit, NaN included."""
    return repr(untimed(one)) == repr(untimed(other))


def test_a_run_repeats_bit_by_bit(baseline, pictures):
    assert same(train(Run("resnet34", TINY, 0), pictures), baseline)
    other = train(Run("resnet34", TINY, 1), pictures)
    assert other["history"]["train_loss"] != baseline["history"]["train_loss"]


def test_the_global_generators_are_left_as_found(pictures):
    import random

    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    expected = torch.rand(1), np.random.rand(), random.random()
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    train(Run("resnet34", replace(TINY, epochs=1), 0), pictures)
    assert (torch.rand(1), np.random.rand(), random.random()) == expected


def test_alpha_zero_is_the_baseline(baseline, pictures):
    """The constraint draws from its own generator only, so all else stays in step within a pair;
    nor does it change anything that the sizes of its steps are kept.
    """
    run = train(Run("resnet34", TINY, 0, Penalty(0.0, 0.3), keep_doses=True), pictures)
    for key in ("test", "heldout", "train_loss", "ss_rate_train"):
        assert run["history"][key] == baseline["history"][key]
    assert run["ss_rate_probe"] == baseline["ss_rate_probe"] and run["history"][
        "gradient_ratio"
    ] == [0.0, 0.0]


def test_the_penalty_acts(pictures):
    """A heavy weight on a distant target moves a ViT's SS_rate toward it; as large a gradient in
    another direction does not. In each step the two have the same norm over all parameters.
    """
    run = Run("vit_small_patch16_224", replace(TINY, epochs=4), 0)
    none = train(run, pictures)
    real = train(replace(run, penalty=Penalty(1.0, 0.8), keep_doses=True), pictures)
    norms = []

    def noted(*arguments):
        term = yoked(*arguments)
        norms.append(float(gradient_norm(term, arguments[-1])))
        return term

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop_module, "yoked", noted)
        control = replace(run, penalty=Penalty(1.0, 0.8, yoked=True))
        sham = train(control, pictures, doses=real["doses"])
    assert real["ss_rate_train"] > max(none["ss_rate_train"], sham["ss_rate_train"]) + 0.05
    assert real["history"]["gradient_ratio"][0] > 0.1 and real["gamma"] == 0.8
    steps = [one for epoch in real["doses"] for one in epoch]
    assert norms == pytest.approx([abs(one) for one in steps], rel=1e-5) and min(norms) > 0
    assert max(steps) < 0  # SS_rate stayed below 0.8
    assert sham["history"]["penalty"] == [0.0] * 4 and "doses" not in sham
    with pytest.raises(ValueError, match="doses: expected 4 epochs of 2 steps, got 3 of 2"):
        train(control, pictures, doses=real["doses"][:3])


def test_what_was_wrong_with_the_placebo():
    """At alpha = 1 on ResMLP its gradient over all parameters was a tenth of the constraint's, in
    the records; that of a yoked step is as large, at the same weights.
    """
    runs = read_runs(RESULTS, recipe="cpu", dataset="cifar10")
    recorded = dose_response(runs)["gradient"]
    share = recorded["ResMLP", "placebo", 1.0] / recorded["ResMLP", "constrained", 1.0]
    assert 0.05 < share < 0.15
    torch.manual_seed(0)
    network, modules = network_of(Run("resmlp_12_224", TINY, 0), 10)
    weights = list(network.train().parameters())
    images = torch.randn(64, 3, 32, 32)
    with SelfSimilarityConstraint(network, modules, target=0.3, weight=1.0) as constraint:
        network(images)
        size = dose(constraint(), constraint, weights)
    norms = []
    for permutation in (0, 1):
        with _Shuffled(network, modules, target=0.0, weight=1.0) as constraint:
            constraint.permutation = permutation
            network(images)
            term = yoked(constraint(), float(size), weights)
            norms.append(float(gradient_norm(term, weights)))
    assert norms == pytest.approx([abs(float(size))] * 2, rel=1e-5)


def test_each_seed_has_a_permutation_of_its_own():
    gradients = []
    for seed in (0, 1, 1):
        run = Run("resmlp_12_224", TINY, seed, Penalty(1.0, 0.3, yoked=True))
        torch.manual_seed(0)
        network, modules = network_of(replace(run, seed=0), 10)
        with constraint_of(run, network.train(), modules[:1]) as constraint:
            network(torch.randn(16, 3, 32, 32))
            weight = network.get_parameter("stem.proj.weight")
            gradients.append(torch.autograd.grad(constraint(), weight)[0])
    assert torch.equal(gradients[1], gradients[2])
    assert not torch.allclose(gradients[0], gradients[1])


def test_the_released_penalty_is_off_in_its_first_epoch(baseline, pictures):
    released = train(Run("resnet34", TINY, 0, Penalty(30.0, 0.8, form="released")), pictures)
    assert (
        released["history"]["penalty"][0] == 0.0 and released["history"]["gradient_ratio"][0] == 0.0
    )
    assert released["history"]["train_loss"][0] == baseline["history"]["train_loss"][0]


def test_a_shuffled_gradient_has_the_same_numbers_in_another_place():
    torch.manual_seed(0)
    network, modules = network_of(Run("resnet34", TINY, 0), 10)
    network.train()
    images = torch.randn(8, 3, 32, 32)
    taps, gradients = {}, []
    network.get_submodule(modules[0]).register_forward_hook(
        lambda _, __, output: taps.update(out=output)
    )
    for kind in (SelfSimilarityConstraint, _Shuffled):
        with kind(network, modules[0], target=0.9, weight=1.0) as constraint:
            network(images)
            gradients.append(torch.autograd.grad(constraint(), taps["out"])[0].mean((2, 3)).T)
    real, shuffled = gradients
    assert float(shuffled.norm()) == pytest.approx(float(real.norm()), rel=1e-5) and real.norm() > 0
    assert torch.allclose(
        shuffled.sum(0), torch.zeros(8), atol=1e-6 * float(real.abs().max()) * len(real)
    )
    assert torch.equal(shuffled.flatten().sort().values, real.flatten().sort().values)
    assert (
        torch.nn.functional.cosine_similarity(real.flatten(), shuffled.flatten(), dim=0).abs() < 0.5
    )


def test_a_stopped_run_goes_on_as_if_nothing_had_happened(pictures, tmp_path):
    run = Run("vit_small_patch16_224", TINY, 0, Penalty(1e-2, 0.4, form="released"))
    whole = train(run, pictures)
    checkpoint = tmp_path / "state.pt"
    calls = []
    original = _Loop.run_epoch

    def stop_after_one(loop):
        if calls:
            raise KeyboardInterrupt
        calls.append(original(loop))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Loop, "run_epoch", stop_after_one)
        with pytest.raises(KeyboardInterrupt):
            train(run, pictures, checkpoint=checkpoint)
    assert same(train(run, pictures, checkpoint=checkpoint), whole)
    by_epoch = replace(TINY, by_epoch=True, warmup_epochs=1, epochs=3)
    run = replace(run, recipe=by_epoch)
    loop = _Loop(run, pictures, "cpu")
    rates = []
    for _ in range(3):
        loop.run_epoch()
        rates.append(loop.history["lr"][-1])
        fresh = _Loop(run, pictures, "cpu")
        fresh.load(loop.state())
        assert fresh.optimizer.param_groups[0]["lr"] == loop.optimizer.param_groups[0]["lr"]
        fresh.close()
    loop.close()
    assert rates[0] == rates[1] == by_epoch.warmup_lr  # as released: step 0 is set after epoch 0


def terminated_at(look, patch):
    """SIGTERM has come by that look, counted from 1."""
    looks = itertools.count(1)
    patch.setattr(stop, "came", lambda: next(looks) == look)


@pytest.mark.parametrize("by_epoch", [False, True])
def test_sigterm_costs_no_step(pictures, tmp_path, by_epoch):
    """Saved at the end of the step, or of the look at the test images, that it comes in; every
    generator that a step draws from goes on from there.
    """
    mixed = replace(TINY, mixup=0.8, cutmix=1.0, erasing=0.25, randaugment=9, by_epoch=by_epoch)
    recipe = replace(mixed, batch=32, epochs=2)
    penalty = Penalty(1e-2, 0.4, form="released")
    run = Run("vit_small_patch16_224", recipe, 0, penalty, keep_doses=True)
    whole, path, reached = train(run, pictures), tmp_path / "state.pt", []
    for look in (1, 1, 4, 2, 1, 2, 9):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(stop.Terminated):
            terminated_at(look, patch)
            train(run, pictures, checkpoint=path)
        state = load(path, run, pictures.fingerprint, "cpu")
        begun = state["processes"][0]["begun"]
        reached.append((state["epoch"], len(begun["losses"]) if begun else 0))
    # Five steps an epoch, then the looks at two sets of images, then one between epochs.
    assert reached == [(0, 1), (0, 2), (0, 5), (0, 5), (0, 5), (0, 5), (1, 5)]
    assert same(train(run, pictures, checkpoint=path), whole)


def test_a_step_is_not_cut_in_two(pictures, tmp_path):
    """The signal itself, in the midst of a step and before the first."""
    run, path, calls = Run("resnet34", TINY, 0), tmp_path / "state.pt", []
    whole, augmented = train(run, pictures), _Loop._augmented

    def with_signal(self, *arguments):
        calls.append(signal.raise_signal(signal.SIGTERM))
        return augmented(self, *arguments)

    handler = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(stop.Terminated):
            stop.listen()
            patch.setattr(_Loop, "_augmented", with_signal)
            train(run, pictures, checkpoint=path)
        with pytest.raises(stop.Terminated):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, handler)
        stop._Signal.came = False
    assert (
        len(calls) == 1
        and len(load(path, run, pictures.fingerprint, "cpu")["processes"][0]["begun"]["losses"])
        == 1
    )
    assert same(train(run, pictures, checkpoint=path), whole)


def test_the_deadline_stops_before_the_next_epoch(pictures, tmp_path):
    assert (
        train(Run("resnet34", TINY, 0), pictures, checkpoint=tmp_path / "a.pt", deadline=0.0)
        is None
    )


def test_what_is_measured_of_the_trained_network(pictures, tmp_path):
    """The probe and the accuracy, worked out again from the state that the checkpoint holds."""
    checkpoint, kept = tmp_path / "a.pt", tmp_path / "a.npz"
    run = Run("mixer_b16_224", TINY, 0)
    metrics = train(run, pictures, checkpoint=checkpoint, matrices=kept)
    network, modules = network_of(run, 10)
    network.load_state_dict(load(checkpoint, run, pictures.fingerprint, "cpu")["network"])
    architecture = find(run.model)
    network.eval()
    with torch.no_grad():
        guess = network(normalise(pictures.test[0], architecture)).argmax(1)
    assert metrics["top1_last"] == pytest.approx(
        100 * (guess == pictures.test[1]).float().mean().item()
    )
    assert metrics["top1_best"] == max(metrics["history"]["test"])
    best = int(np.argmax(metrics["history"]["heldout"]))
    assert metrics["top1_heldout"] == metrics["history"]["test"][best]
    images = normalise(pictures.probe, architecture)
    F = feature_matrices(network, images, modules)
    assert metrics["modules"] == modules == list(metrics["ss_rate_train_modules"])
    for name in modules:
        assert metrics["ss_rate_probe"]["64"][name] == pytest.approx(
            ss_rate(F[name][:, :64]).item(), abs=1e-4
        )
    arrays = np.load(kept)
    outputs = {}
    network.get_submodule(modules[0]).register_forward_hook(
        lambda _, __, output: outputs.update(out=output)
    )
    with torch.no_grad():
        network(images)
    flat = outputs["out"].flatten(1).double()
    assert np.allclose(arrays[f"gram/{modules[0]}"], (flat @ flat.T).numpy(), rtol=1e-4)
    assert arrays[f"features/{modules[0]}"] == flat.shape[1]
    assert arrays[f"F/{modules[0]}"].shape == (128, len(images))


def test_augmentation_keeps_what_it_should():
    """Without a crop and a flip, resampling returns the picture; crops stay inside it."""
    architecture = find("resnet34")
    gradient = (
        torch.arange(32, dtype=torch.uint8)
        .mul(8)
        .view(1, 1, 1, 32)
        .expand(64, 3, 32, 32)
        .contiguous()
    )
    whole = replace(TINY, crop=1.0)
    torch.manual_seed(0)
    out = augment(gradient, whole, architecture)
    assert out.shape == (64, 3, 32, 32)
    plain = normalise(gradient, architecture)
    low, high = (
        plain.amin((0, 2, 3), keepdim=True) - 1e-4,
        plain.amax((0, 2, 3), keepdim=True) + 1e-4,
    )
    assert ((out >= low) & (out <= high)).all()
    rising = (out[:, 0, 16, 31] > out[:, 0, 16, 0]).float().mean()
    assert 0.3 < rising < 0.7  # half of them are flipped
    strong = augment(gradient, replace(TINY, randaugment=9), architecture)
    assert strong.isfinite().all() and not torch.equal(strong, out)


def test_full_size_recipes_fit_their_pictures():
    """One step of the 224-pixel recipe on few pictures: RandAugment, Mixup, CutMix and erasing
    included.
    """
    recipe = replace(
        RECIPES["short"], epochs=1, warmup_epochs=0, batch=4, train_images=12, test_images=4
    )
    pictures = load_pictures("digits", recipe)
    assert pictures.train[0].shape[-1] == 256 and pictures.test[0].shape[-1] == 224
    metrics = train(Run("poolformer_s12", recipe, 0, Penalty(1e-4, 0.3)), pictures)
    assert math.isfinite(metrics["history"]["train_loss"][0]) and metrics["modules"] == [
        f"stages.{k}" for k in range(4)
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "resnet43"}, "is no model of Table 1"),
        ({"seed": -1}, "seed: expected an integer of at least 0"),
        ({"lr": 0.0}, "lr: expected a positive number"),
        ({"penalty": Penalty(-1e-4, 0.3)}, "alpha: expected a number of at least 0"),
        ({"penalty": Penalty(1e-4, 1.5)}, r"gamma: expected a target in \[0, 1\]"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Run(**({"model": "resnet34", "recipe": TINY, "seed": 0} | arguments))


def test_too_few_pictures(pictures):
    with pytest.raises(
        ValueError, match="expected at least a batch of 512 training images, got 180"
    ):
        train(Run("resnet34", replace(TINY, batch=512), 0), pictures)
