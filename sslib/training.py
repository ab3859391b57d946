"""One training run: a recipe, a network, the constraint of Eq. 6 in its loop, and what is measured
on the way.

Nothing here knows of records or grids. A run is a function of its `Run`, its `Pictures` and the
number of CPU threads: every random number of an epoch comes from (seed, epoch), so two arms of one
seed see the same weights, images, order and augmentation, and a run that was stopped goes on from
its last epoch as if nothing had happened.
"""

from __future__ import annotations

import math
import os
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from sslib import models
from sslib.constraint import SelfSimilarityConstraint
from sslib.data import load_images
from sslib.features import activation_grams, feature_matrices, reduce_mean
from sslib.models import Architecture
from sslib.rate import ss_rate

#: Images of the fixed probe, in eval mode; F of the first 64 of them is what the penalty's batch
#: size would give.
PROBE = (64, 512)
#: Images whose activations' Gram matrices are kept for Tables 4 and 5.
GRAM_IMAGES = 640
#: Batches at the end of an epoch on which SS_rate of every module is taken, as the penalty sees it.
WATCHED = 8


@dataclass(frozen=True)
class Recipe:
    """How networks are trained: data as `RECIPES`, no code.

    Attributes:
        size: side of the images that the network sees, in pixels.
        epochs, batch: passes over the training images, images per step (a last, smaller batch is
            left out).
        lr: peak learning rate of AdamW for 512 images a step; it is scaled with the batch.
        weight_decay, warmup_epochs, warmup_lr, min_lr: of AdamW and of the cosine schedule. Like
            `lr`, `warmup_lr` and `min_lr` are those the schedule really has, not scaled.
        by_epoch: the learning rate changes after epochs, as released (epochs 0 and 1 then both have
            `warmup_lr`), not after steps.
        crop: smallest share of a picture's area that a random crop has.
        randaugment: magnitude of two random operations, 0 for none; drawn for sixteen images at a
            time.
        mixup, cutmix, smoothing, erasing: as timm takes them.
        stored: side of the training images in memory, before the random crop.
        train_images, test_images: how many are drawn (seed 0), None for all.
        small: the networks of ``models.small`` instead of Table 1's own.
    """

    size: int
    epochs: int
    batch: int = 256
    lr: float = 5e-4
    weight_decay: float = 0.05
    warmup_epochs: int = 5
    warmup_lr: float = 1e-6
    min_lr: float = 1e-5
    by_epoch: bool = False
    crop: float = 0.08
    randaugment: int = 9
    mixup: float = 0.8
    cutmix: float = 1.0
    smoothing: float = 0.1
    erasing: float = 0.25
    stored: int = 256
    crop_pct: float = 0.875
    train_images: int | None = None
    test_images: int | None = None
    small: bool = False


_LIGHT = {
    "randaugment": 0,
    "mixup": 0.0,
    "cutmix": 0.0,
    "erasing": 0.0,
    "stored": 32,
    "crop_pct": 1.0,
    "crop": 0.7,
    "batch": 64,
    "lr": 8e-3,
    "min_lr": 1e-6,
    "small": True,
}
#: "paper": the released settings on one GPU. What differs: a tenth of the training images is held
#: out, no repeated augmentation (the release has it on several GPUs only), batch norm and the
#: constraint see one batch of 256 and its first 64 images (there four of 64 and a draw on each
#: GPU), crops are cut bilinearly out of a centre square, RandAugment is torchvision's and drawn for
#: sixteen images at a time, the arithmetic on a GPU is bfloat16. "short": the same in fewer epochs.
#: "cpu": minutes on two cores. "quick": seconds.
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "paper": Recipe(224, 200, by_epoch=True),
        "short": Recipe(224, 10, warmup_epochs=2),
        "cpu": Recipe(32, 10, warmup_epochs=1, train_images=8000, test_images=2000, **_LIGHT),
        "quick": Recipe(32, 6, warmup_epochs=1, **_LIGHT),
    }
)


@dataclass(frozen=True)
class Penalty:
    """The term that is added to the loss: alpha, gamma and which of the two forms (see
    `SelfSimilarityConstraint`).

    placebo: the gradient that the term sends into the network has its channels and images shuffled:
        the same numbers, so for the same F the same norm there and the same zero sum over channels,
        but no word about which channels are near. Over all parameters the two norms may differ.
    """

    alpha: float
    gamma: float
    form: str = "printed"
    placebo: bool = False


@dataclass(frozen=True)
class Run:
    """All that makes one run: what is trained, how, and with which penalty (None: the baseline)."""

    model: str
    recipe: Recipe
    seed: int
    penalty: Penalty | None = None
    lr: float | None = None

    def __post_init__(self) -> None:
        models.find(self.model)
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed: expected an integer of at least 0, got {self.seed!r}")
        if self.lr is not None and not (0 < self.lr < math.inf):
            raise ValueError(f"lr: expected a positive number, got {self.lr!r}")
        if self.penalty and not 0 <= self.penalty.gamma <= 1:
            raise ValueError(f"gamma: expected a target in [0, 1], got {self.penalty.gamma!r}")
        if self.penalty and not 0 <= self.penalty.alpha < math.inf:
            raise ValueError(f"alpha: expected a number of at least 0, got {self.penalty.alpha!r}")


@dataclass(frozen=True, eq=False)
class Pictures:
    """The data of a run, as uint8, on the device it is trained on.

    Attributes:
        name: of the data set.
        train, heldout, test: pairs of pixels (N, 3, side, side) and labels (N,). `train` is stored
            for random crops; `heldout`, a tenth of the training images, and `test` are cropped as
            for evaluation.
        probe: (640, 3, size, size) training images as for evaluation; the first 512 are the probe.
        classes: how many.
        fingerprint: of the training and test images.
    """

    name: str
    train: tuple[Tensor, Tensor] = field(repr=False)
    heldout: tuple[Tensor, Tensor] = field(repr=False)
    test: tuple[Tensor, Tensor] = field(repr=False)
    probe: Tensor = field(repr=False)
    classes: int
    fingerprint: str


def load_pictures(dataset: str, recipe: Recipe, *, device: str = "cpu") -> Pictures:
    """The images of `dataset` for a recipe: a fixed draw, the last tenth of the training images
    held out.

    Raises as ``sslib.data.load_images`` does for a data set that is unknown or not there.

    >>> pictures = load_pictures("digits", RECIPES["quick"])
    >>> len(pictures.train[0]), len(pictures.heldout[0]), len(pictures.test[0]), pictures.classes
    (1294, 143, 360, 10)
    """
    stored = load_images(dataset, recipe.train_images, size=recipe.stored, crop_pct=1)
    evaluated = stored
    if (recipe.size, recipe.crop_pct) != (recipe.stored, 1):
        evaluated = load_images(
            dataset, recipe.train_images, size=recipe.size, crop_pct=recipe.crop_pct
        )
    test = load_images(
        dataset, recipe.test_images, size=recipe.size, crop_pct=recipe.crop_pct, split="test"
    )
    cut = len(stored) - len(stored) // 10

    def on_device(pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return pixels.to(device), labels.to(device)

    return Pictures(
        dataset,
        on_device(stored.pixels[:cut], stored.labels[:cut]),
        on_device(evaluated.pixels[cut:], evaluated.labels[cut:]),
        on_device(test.pixels, test.labels),
        evaluated.pixels[:cut][:GRAM_IMAGES].to(device),
        int(stored.labels.max()) + 1,
        f"{stored.fingerprint}-{test.fingerprint}",
    )


def network_of(run: Run, classes: int) -> tuple[nn.Module, list[str]]:
    """The network with its random weights, and those modules of Table 1 that it has.

    >>> network, modules = network_of(Run("ResMLP", RECIPES["quick"], 0), 10)
    >>> modules[-1], sum(p.numel() for p in network.parameters()) < 10**6
    ('blocks.5', True)
    """
    architecture = models.find(run.model)
    make = models.small if run.recipe.small else models.untrained
    network = make(architecture, run.seed, num_classes=classes)
    own = {name for name, _ in network.named_modules()}
    return network, [name for name in architecture.modules if name in own]


def train(
    run: Run,
    pictures: Pictures,
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    deadline: float = math.inf,
    matrices: Path | None = None,
) -> dict[str, Any] | None:
    """Train one network and return what was measured; None if `deadline` came first.

    checkpoint: file that keeps the state after every epoch, and is gone on from if it is there. The
    caller deletes it. deadline: a ``time.time()``; looked at after every epoch. matrices: .npz file
    for what Tables 4 and 5 and Figure 2 need of the trained network (tens of MB).

    Returns the metrics of a record. Accuracies are percentages: "top1_last" (last epoch, test set),
    "top1_best" (largest over the test epochs), "top1_heldout" (test accuracy of the epoch that is
    best on the held-out images). "history" has a list per quantity, one entry an epoch. SS_rates
    are by the released formula.

    Raises ValueError if there are fewer training images than a batch.
    """
    if len(pictures.train[0]) < run.recipe.batch:
        raise ValueError(
            f"pictures: expected at least a batch of {run.recipe.batch} training images, "
            f"got {len(pictures.train[0])}"
        )
    with _own_random_numbers():
        loop = _Loop(run, pictures, device)
        if checkpoint and checkpoint.exists():
            loop.load(torch.load(checkpoint, map_location=device, weights_only=True))
        try:
            while loop.epoch < run.recipe.epochs:
                if time.time() > deadline:
                    return None
                loop.run_epoch()
                if checkpoint:
                    _replace(checkpoint, loop.state())
            return loop.results(matrices)
        finally:
            loop.close()


class _Loop:
    """The state of one run between epochs."""

    def __init__(self, run: Run, pictures: Pictures, device: str) -> None:
        from timm.data import Mixup
        from timm.data.random_erasing import RandomErasing
        from timm.optim import create_optimizer_v2
        from timm.scheduler import create_scheduler_v2

        recipe = run.recipe
        self.run, self.pictures, self.device, self.epoch, self.seconds = (
            run,
            pictures,
            device,
            0,
            0.0,
        )
        self.architecture = models.find(run.model)
        network, self.modules = network_of(run, pictures.classes)
        # Convolutions are faster with channels last; to tokens the format means nothing.
        self.network = network.to(device, memory_format=torch.channels_last)
        self.lr = (run.lr or recipe.lr) * recipe.batch / 512
        self.optimizer = create_optimizer_v2(
            self.network, "adamw", lr=self.lr, weight_decay=recipe.weight_decay
        )
        self.steps = len(pictures.train[0]) // recipe.batch
        self.scheduler, _ = create_scheduler_v2(
            self.optimizer,
            "cosine",
            num_epochs=recipe.epochs,
            warmup_epochs=recipe.warmup_epochs,
            warmup_lr=recipe.warmup_lr,
            min_lr=recipe.min_lr,
            step_on_epochs=recipe.by_epoch,
            updates_per_epoch=self.steps,
        )
        mixed = 1.0 if recipe.mixup or recipe.cutmix else 0.0
        self.mix = Mixup(
            recipe.mixup,
            recipe.cutmix,
            prob=mixed,
            label_smoothing=recipe.smoothing,
            num_classes=pictures.classes,
        )
        self.erase = (
            RandomErasing(recipe.erasing, mode="pixel", device=device) if recipe.erasing else None
        )
        self.constraint: SelfSimilarityConstraint | None = None
        if run.penalty:
            kind = _Placebo if run.penalty.placebo else SelfSimilarityConstraint
            self.constraint = kind(
                self.network,
                self.modules,
                target=run.penalty.gamma,
                weight=run.penalty.alpha,
                penalty=run.penalty.form,
                seed=run.seed,
            )
        self.watch = _Watch(self.network, self.modules)
        self.history: dict[str, list[float]] = {
            key: []
            for key in (
                "test",
                "heldout",
                "train_loss",
                "lr",
                "ss_rate_train",
                "penalty",
                "gradient_ratio",
                "seconds",
            )
        }
        self.before = self._probe()
        self.by_module: dict[str, float] = {}

    def close(self) -> None:
        self.watch.remove()
        if self.constraint:
            self.constraint.remove()

    def state(self) -> dict[str, Any]:
        return {
            "run": repr(self.run),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "constraint": self.constraint.get_extra_state() if self.constraint else None,
            "epoch": self.epoch,
            "seconds": self.seconds,
            "history": self.history,
            "before": self.before,
            "by_module": self.by_module,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        if state["run"] != repr(self.run):
            raise ValueError(
                f"checkpoint: it is of {state['run']}, expected {self.run!r}; delete it to begin anew"
            )
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.constraint:
            self.constraint.set_extra_state(state["constraint"])
        self.epoch, self.seconds, self.before = state["epoch"], state["seconds"], state["before"]
        self.history, self.by_module = state["history"], state["by_module"]
        if self.run.recipe.by_epoch and self.epoch:
            self.scheduler.step(self.epoch - 1)
        elif self.epoch:
            self.scheduler.step_update(self.epoch * self.steps)

    def run_epoch(self) -> None:
        """Train for one epoch and look at what came out."""
        recipe, (pixels, labels) = self.run.recipe, self.pictures.train
        _seed(self.run.seed, self.epoch)
        order = torch.randperm(len(labels)).to(self.device)
        self.network.train()
        losses, penalties, watched, ratio, start = [], [], [], math.nan, time.perf_counter()
        bar = tqdm(
            range(self.steps),
            desc=f"epoch {self.epoch + 1}/{recipe.epochs}",
            disable=None,
            leave=False,
        )
        for step in bar:
            batch = order[step * recipe.batch : (step + 1) * recipe.batch]
            images = augment(pixels[batch], recipe, self.architecture)
            if self.erase:
                images = self.erase(images)
            images, targets = self.mix(images, labels[batch])
            images = images.contiguous(memory_format=torch.channels_last)
            self.watch.on = step >= self.steps - WATCHED
            with self._autocast():
                loss = torch.sum(
                    -targets * functional.log_softmax(self.network(images).float(), -1), -1
                ).mean()
            total = loss
            if self.constraint:
                self.constraint.set_progress((self.epoch + step / self.steps) / recipe.epochs)
                penalty = self.constraint()
                penalties.append(penalty.detach())
                total = loss + penalty
                if step == 0:
                    ratio = self._gradient_ratio(loss, penalty)
            losses.append(loss.detach())
            self.optimizer.zero_grad()
            total.backward()
            self.optimizer.step()
            if not recipe.by_epoch:
                self.scheduler.step_update(self.epoch * self.steps + step + 1)
            if self.watch.on:
                watched.append(self.watch.rates())
        lr = self.optimizer.param_groups[0]["lr"]
        if recipe.by_epoch:
            self.scheduler.step(self.epoch)
        if self.constraint:
            self.constraint.end_epoch()
        train_loss = torch.stack(losses).mean().item()
        if not math.isfinite(train_loss):
            raise RuntimeError(
                f"the loss became {train_loss} in epoch {self.epoch + 1}; use a smaller learning rate or alpha"
            )
        took = time.perf_counter() - start
        self.by_module = {
            name: float(np.mean([rates[name] for rates in watched])) for name in self.modules
        }
        entry = {
            "test": self._top1(*self.pictures.test),
            "heldout": self._top1(*self.pictures.heldout),
            "train_loss": train_loss,
            "lr": lr,
            "ss_rate_train": float(np.mean(list(self.by_module.values()))),
            "penalty": torch.stack(penalties).mean().item() if penalties else 0.0,
            "gradient_ratio": ratio,
            "seconds": took,
        }
        for key, value in entry.items():
            self.history[key].append(value)
        self.seconds += took
        self.epoch += 1

    def results(self, matrices: Path | None) -> dict[str, Any]:
        """What a record keeps of the finished run."""
        test, heldout = self.history["test"], self.history["heldout"]
        if matrices:
            self._keep(matrices)
        return {
            "top1_last": test[-1],
            "top1_best": max(test),
            "top1_heldout": test[int(np.argmax(heldout))],
            "best_epoch": int(np.argmax(test)),
            "heldout_epoch": int(np.argmax(heldout)),
            "ss_rate_train": self.history["ss_rate_train"][-1],
            "ss_rate_train_modules": self.by_module,
            "ss_rate_probe": self._probe(),
            "ss_rate_probe_before": self.before,
            "gamma": self.run.penalty.gamma if self.run.penalty else None,
            "history": self.history,
            "images_per_second": self.steps * self.run.recipe.batch * self.epoch / self.seconds,
            "settings": {
                "lr": self.lr,
                "penalty": asdict(self.run.penalty) if self.run.penalty else None,
                **asdict(self.run.recipe),
            },
            "parameters": sum(p.numel() for p in self.network.parameters()),
            "modules": self.modules,
        }

    def _autocast(self) -> torch.autocast:
        """bfloat16 on a GPU; the small networks that a CPU is given are faster without."""
        kind = torch.device(self.device).type
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=kind == "cuda")

    def _gradient_ratio(self, loss: Tensor, penalty: Tensor) -> float:
        """Norm of the penalty's gradient over that of the task's, over all parameters."""
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        norms = []
        for term in (penalty, loss):
            gradients = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
            norms.append(sum(g.float().square().sum() for g in gradients if g is not None) ** 0.5)
        return float(norms[0] / norms[1])

    @torch.no_grad()
    def _top1(self, pixels: Tensor, labels: Tensor) -> float:
        self.network.eval()
        correct = 0
        for images, truth in zip(pixels.split(512), labels.split(512)):
            with self._autocast():
                correct += (
                    self.network(normalise(images, self.architecture)).argmax(1) == truth
                ).sum()
        return 100 * int(correct) / len(labels)

    def _probe(self) -> dict[str, dict[str, float]]:
        """SS_rate in eval mode and full precision on the probe's first 64 and 512 images."""
        images = normalise(self.pictures.probe[: PROBE[-1]], self.architecture)
        F = feature_matrices(self.network, images, self.modules)
        return {
            str(n): {name: float(ss_rate(matrix[:, :n], check=False)) for name, matrix in F.items()}
            for n in PROBE
        }

    def _keep(self, path: Path) -> None:
        images = normalise(self.pictures.probe, self.architecture)
        grams = activation_grams(self.network, images, self.modules)
        first = self.modules[0]
        F = feature_matrices(self.network, images[: PROBE[-1]], first)[first]
        channels = torch.randperm(len(F), generator=torch.Generator().manual_seed(self.run.seed))[
            :128
        ]
        arrays: dict[str, Any] = {f"F/{first}": F[channels.to(F.device)].cpu().numpy()}
        for name, gram in grams.items():
            arrays[f"gram/{name}"] = gram.products.cpu().numpy()
            arrays[f"features/{name}"], arrays[f"nonzero/{name}"] = gram.features, gram.nonzero
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp.npz")
        np.savez(temporary, **arrays)
        temporary.replace(path)


class _Placebo(SelfSimilarityConstraint):
    """The constraint with its gradient's rows and columns shuffled on the way into the network."""

    def _features(self, reduced: Tensor) -> Tensor:
        F = super()._features(reduced)

        def shuffle(gradient: Tensor) -> Tensor:
            # One shuffle per shape, so that the constraint's own draws, and a resumed run, stay as
            # they are.
            generator = torch.Generator().manual_seed(0)
            rows, columns = (
                torch.randperm(n, generator=generator).to(gradient.device) for n in gradient.shape
            )
            return gradient[rows][:, columns]

        F = F.clone()
        F.register_hook(shuffle)
        return F


class _Watch:
    """SS_rate of all modules on a training batch, without gradient, as the penalty sees them."""

    def __init__(self, network: nn.Module, modules: list[str], samples: int = 64) -> None:
        self.on, self.samples, self.taps = False, samples, {}
        self.handles = [
            network.get_submodule(name).register_forward_hook(
                lambda _, __, output, name=name: self._keep(name, output)
            )
            for name in modules
        ]

    def _keep(self, name: str, output: Tensor) -> None:
        if self.on:
            self.taps[name] = reduce_mean(output[: self.samples].detach(), module=name)

    def rates(self) -> dict[str, float]:
        rates = {
            name: float(ss_rate(reduced.T, check=False)) for name, reduced in self.taps.items()
        }
        self.taps.clear()
        self.on = False
        return rates

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()


def normalise(pixels: Tensor, architecture: Architecture) -> Tensor:
    """uint8 (N, 3, H, W) as float32 in the units the architecture expects."""
    mean, std = (
        torch.tensor(v, device=pixels.device).view(3, 1, 1)
        for v in (architecture.mean, architecture.std)
    )
    return pixels.float().div_(255).sub_(mean).div_(std)


def augment(pixels: Tensor, recipe: Recipe, architecture: Architecture) -> Tensor:
    """A batch of training images (N, 3, size, size), normalised: random crop and flip in one
    resampling, RandAugment.

    pixels: (N, 3, H, W) uint8. A crop has between `recipe.crop` and all of the area and sides in a
    ratio of 3:4 to 4:3, as torchvision's RandomResizedCrop; a crop that would not fit is cut to the
    picture. Draws from torch's global generator, on the CPU.
    """
    N, _, H, W = pixels.shape
    area = torch.empty(N).uniform_(recipe.crop, 1)
    ratio = torch.empty(N).uniform_(math.log(3 / 4), math.log(4 / 3)).exp()
    width, height = (
        (area * ratio).sqrt().clamp(max=1),
        (area / ratio).sqrt().clamp(max=1),
    )  # of the picture's sides
    x, y = (
        (torch.rand(N) * 2 - 1) * (1 - side) for side in (width, height)
    )  # the centre, in -1 to 1
    flip = torch.randint(2, (N,)) * 2 - 1
    zero = torch.zeros(N)
    affine = (
        torch.stack([width * flip, zero, x, zero, height, y], 1).view(N, 2, 3).to(pixels.device)
    )
    grid = functional.affine_grid(affine, [N, 3, recipe.size, recipe.size], align_corners=False)
    images = functional.grid_sample(
        pixels.float(), grid, padding_mode="reflection", align_corners=False
    )
    if recipe.randaugment:
        from torchvision.transforms import v2

        operations = v2.RandAugment(2, recipe.randaugment)
        images = torch.cat([operations(part) for part in images.round_().to(torch.uint8).split(16)])
    return normalise(images, architecture)


def _seed(seed: int, epoch: int) -> None:
    """Set all three generators that torch, timm's Mixup and timm's RandomErasing draw from."""
    state = np.random.SeedSequence([seed, epoch]).generate_state(3)
    torch.manual_seed(int(state[0]))
    np.random.seed(int(state[1]))
    random.seed(int(state[2]))


@contextmanager
def _own_random_numbers() -> Iterator[None]:
    """Leave the caller's generators as they were found."""
    state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(state)
            np.random.set_state(numpy_state)


def _replace(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)
