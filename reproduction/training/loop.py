"""One training run: a recipe, a network, the constraint of Eq. 6 in its loop, and what is measured
on the way.

Nothing here knows of records or grids. A run is a function of its `Run`, its `Pictures` and the
number of CPU threads: every random number of an epoch comes from (seed, epoch), so two arms of one
seed see the same weights, images, order and augmentation, and a run that was stopped goes on as if
nothing had happened: from its last epoch, and after SIGTERM from its last step.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from reproduction import stop
from reproduction.table_1 import find
from reproduction.training import generators, processes
from reproduction.training.checkpoint import save, take_up
from reproduction.training.matrices import keep
from reproduction.training.pictures import Pictures, augment, normalise
from reproduction.training.recipes import PROBE, WATCHED, Run, network_of
from reproduction.training.watch import Steps, _Watch, constraint_of, dose, gradient_ratio, yoked
from sslib.constraint import SelfSimilarityConstraint
from sslib.features import feature_matrices
from sslib.rate import ss_rate


def train(
    run: Run,
    pictures: Pictures,
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    deadline: float = math.inf,
    doses: Sequence[Sequence[float]] | None = None,
    matrices: Path | None = None,
    anew: bool = False,
) -> dict[str, Any] | None:
    """Train one network and return what was measured; None if `deadline` came first.

    Args:
        run: what is trained, how, and with which penalty.
        pictures: its data, on `device`.
        device: where it is trained.
        checkpoint: file that keeps the state after every epoch, and after the step in which SIGTERM
            comes (see ``reproduction.stop``); it is gone on from if it is there. The caller deletes
            it.
        deadline: a ``time.time()``; looked at after every epoch.
        doses: for a yoked penalty, "doses" of the run that it is yoked to.
        anew: begin from the beginning, with a warning, where the checkpoint cannot be gone on from.
        matrices: .npz file for what Tables 4 and 5 and Figure 2 need of the trained network (tens
            of MB).

    Returns:
        The metrics of a record. Accuracies are percentages: "top1_last" (last epoch, test set),
        "top1_best" (largest over the test epochs), "top1_heldout" (test accuracy of the epoch that
        is best on the held-out images). "history" has a list per quantity, one entry an epoch, the
        number of CPU threads among them: a run may go on with another.
        "doses", where they are to be kept, has a list per epoch: the norm, over all parameters, of
        the penalty's gradient in each step, below 0 where SS_rate is below gamma. SS_rates are by
        the released formula.

    Raises:
        ValueError: there are fewer training images than a batch, not as many doses as steps, or
            a checkpoint that cannot be gone on from.
        RuntimeError: the loss is no longer finite.
    """
    if len(pictures.train[0]) < run.recipe.batch:
        raise ValueError(
            f"pictures: expected at least a batch of {run.recipe.batch} training images, "
            f"got {len(pictures.train[0])}"
        )
    with generators.own():
        loop = _Loop(run, pictures, device, doses)
        if checkpoint and checkpoint.exists():
            try:
                take_up(checkpoint, run, pictures.fingerprint, device, loop.load)
            except ValueError as error:
                loop.close()
                if not anew:
                    raise
                warnings.warn(f"begun anew, as {error}", stacklevel=2)
                loop = _Loop(run, pictures, device, doses)
        try:
            while loop.epoch < run.recipe.epochs:
                if processes.any_of(time.time() > deadline, device):
                    return None
                with stop.held():
                    try:
                        loop.run_epoch()
                    except stop.Terminated:  # between two steps
                        loop.save(checkpoint)
                        raise
                    loop.save(checkpoint)
                    processes.look(device)
            return loop.results(matrices)
        finally:
            loop.close()


_HISTORY = (
    "test",
    "heldout",
    "train_loss",
    "lr",
    "ss_rate_train",
    "penalty",
    "gradient_ratio",
    "seconds",
    "threads",
)


class _Loop:
    """The state of one run between steps."""

    def __init__(
        self,
        run: Run,
        pictures: Pictures,
        device: str,
        doses: Sequence[Sequence[float]] | None = None,
    ) -> None:
        from timm.data import Mixup
        from timm.data.random_erasing import RandomErasing
        from timm.optim import create_optimizer_v2
        from timm.scheduler import create_scheduler_v2

        recipe = run.recipe
        self.run, self.pictures, self.device = run, pictures, device
        self.epoch, self.seconds = 0, 0.0
        self.architecture = find(run.model)
        network, self.modules = network_of(run, pictures.classes)
        # Convolutions are faster with channels last; to tokens the format means nothing.
        self.network = network.to(device, memory_format=torch.channels_last)
        self.parallel = processes.parallel(self.network)
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
            self.constraint = constraint_of(run, self.network, self.modules)
        self.yoke, self.doses = doses or [], []
        expected = [self.steps] * recipe.epochs if run.penalty and run.penalty.yoked else []
        if [len(epoch) for epoch in self.yoke] != expected:
            raise ValueError(
                f"doses: expected {len(expected)} epochs of {self.steps} steps, got "
                f"{len(self.yoke)} of {', '.join(sorted({str(len(own)) for own in self.yoke}))}"
            )
        self.watch = _Watch(self.network, self.modules)
        self.history: dict[str, list[float]] = {key: [] for key in _HISTORY}
        self.before = self._probe()
        self.by_module: dict[str, float] = {}
        self.begun: Steps | None = None  # of an epoch that is not over
        self.random: dict[str, Any] | None = None  # generators, where such an epoch goes on

    def close(self) -> None:
        self.watch.remove()
        if self.constraint:
            self.constraint.remove()

    def save(self, checkpoint: Path | None) -> None:
        if checkpoint:
            state = self.state()  # of all processes
            if processes.rank() == 0:
                save(checkpoint, state)

    def state(self) -> dict[str, Any]:
        return {
            "run": repr(self.run),
            "images": self.pictures.fingerprint,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "processes": processes.gather(self._own_state()),
            "epoch": self.epoch,
            "seconds": self.seconds,
            "history": self.history,
            "doses": self.doses,
            "before": self.before,
            "by_module": self.by_module,
        }

    def _own_state(self) -> dict[str, Any]:
        """What each of several processes has for itself."""
        begun = self.begun and {**vars(self.begun), "random": generators.state(self.device)}
        constraint = self.constraint.get_extra_state() if self.constraint else None
        return {"begun": begun, "constraint": constraint}

    def load(self, state: Mapping[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        own = state["processes"][processes.rank()]
        if self.constraint:
            self.constraint.set_extra_state(own["constraint"])
        self.epoch, self.seconds, self.before = state["epoch"], state["seconds"], state["before"]
        self.history, self.by_module = state["history"], state["by_module"]
        self.doses = state["doses"]
        if begun := own["begun"]:
            self.random = begun["random"]
            self.begun = Steps(**{key: begun[key] for key in begun if key != "random"})
        steps = self.epoch * self.steps + (len(self.begun.losses) if self.begun else 0)
        if self.run.recipe.by_epoch and self.epoch:
            self.scheduler.step(self.epoch - 1)
        elif steps:
            self.scheduler.step_update(steps)

    def run_epoch(self) -> None:
        """Train for an epoch, or what is left of one, and look at what came out."""
        steps = self._train_epoch()
        train_loss = torch.stack(steps.losses).mean().item()
        if not math.isfinite(train_loss):
            raise RuntimeError(
                f"the loss became {train_loss} in epoch {self.epoch + 1}; use a smaller learning "
                "rate or alpha"
            )
        look = self.epoch + 1 == self.run.recipe.epochs or not self.run.recipe.test_last
        test = self._top1(*self.pictures.test) if look else math.nan
        heldout = self._top1(*self.pictures.heldout)
        lr = self.optimizer.param_groups[0]["lr"]
        if self.run.recipe.by_epoch:
            self.scheduler.step(self.epoch)
        if self.constraint:
            self.constraint.end_epoch()
        means = [float(np.mean([rates[name] for rates in steps.rates])) for name in self.modules]
        penalty = torch.stack(steps.penalties).mean().item() if steps.penalties else 0.0
        train_loss, penalty, ratio, *means = processes.mean(
            [train_loss, penalty, steps.gradient_ratio, *means], self.device
        )
        self.by_module = dict(zip(self.modules, means, strict=True))
        entry = {
            "test": test,
            "heldout": heldout,
            "train_loss": train_loss,
            "lr": lr,
            "ss_rate_train": float(np.mean(list(self.by_module.values()))),
            "penalty": penalty,
            "gradient_ratio": ratio,
            "seconds": steps.seconds,
            "threads": torch.get_num_threads(),
        }
        for key in _HISTORY:
            self.history[key].append(entry[key])
        if self.run.keep_doses and steps.doses:
            # Six digits: an entry for every step makes up most of the record.
            self.doses.append([float(f"{one:.6g}") for one in torch.stack(steps.doses).tolist()])
        self.seconds += steps.seconds
        self.epoch += 1
        self.begun = None

    def _train_epoch(self) -> Steps:
        recipe, (pixels, labels) = self.run.recipe, self.pictures.train
        generators.seed_epoch(self.run.seed, self.epoch)
        order = torch.randperm(len(labels)).to(self.device)
        if processes.rank():
            generators.seed_epoch(self.run.seed, self.epoch, processes.rank())
        self.network.train()
        if self.random:
            generators.set_state(self.random, self.device)
            self.random = None
        steps = self.begun = self.begun or Steps()
        start = time.perf_counter() - steps.seconds
        weights = [p for p in self.network.parameters() if p.requires_grad]
        description = f"epoch {self.epoch + 1}/{recipe.epochs}"
        rest = range(len(steps.losses), self.steps)
        for step in tqdm(rest, desc=description, disable=None, leave=False):
            batch = order[step * recipe.batch : (step + 1) * recipe.batch]
            batch = processes.share(batch)
            images, targets = self._augmented(pixels[batch], labels[batch])
            self.watch.on = step >= self.steps - WATCHED
            with self._autocast():
                logits = self.parallel(images)
                loss = torch.sum(-targets * functional.log_softmax(logits.float(), -1), -1).mean()
            total = loss
            if self.constraint:
                self.constraint.set_progress((self.epoch + step / self.steps) / recipe.epochs)
                penalty = self.constraint()
                if self.yoke:
                    size = self.yoke[self.epoch][step]
                    penalty = yoked(penalty, size, weights)
                elif self.run.keep_doses:
                    steps.doses.append(dose(penalty, self.constraint, weights))
                steps.penalties.append(penalty.detach())
                total = loss + penalty
                if step == 0:
                    steps.gradient_ratio = gradient_ratio(penalty, loss, weights)
            steps.losses.append(loss.detach())
            self.optimizer.zero_grad()
            total.backward()
            self.optimizer.step()
            if not recipe.by_epoch:
                self.scheduler.step_update(self.epoch * self.steps + step + 1)
            if self.watch.on:
                steps.rates.append(self.watch.rates())
            steps.seconds = time.perf_counter() - start
            processes.look(self.device)
        steps.losses[-1].item()  # waits for a GPU
        steps.seconds = time.perf_counter() - start
        return steps

    def _augmented(self, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """A batch as the network gets it, and its soft targets."""
        images = augment(pixels, self.run.recipe, self.architecture)
        if self.erase:
            images = self.erase(images)
        images, targets = self.mix(images, labels)
        return images.contiguous(memory_format=torch.channels_last), targets

    def results(self, matrices: Path | None) -> dict[str, Any]:
        """What a record keeps of the finished run."""
        test, heldout = self.history["test"], self.history["heldout"]
        if matrices:
            images = normalise(self.pictures.probe, self.architecture)
            keep(matrices, self.network, images, self.modules, self.run.seed)
        return {
            "top1_last": test[-1],
            "top1_best": float(np.nanmax(test)),
            "top1_heldout": test[int(np.argmax(heldout))],
            "best_epoch": int(np.nanargmax(test)),
            "heldout_epoch": int(np.argmax(heldout)),
            "ss_rate_train": self.history["ss_rate_train"][-1],
            "ss_rate_train_modules": self.by_module,
            "ss_rate_probe": self._probe(),
            "ss_rate_probe_before": self.before,
            "gamma": self.run.penalty.gamma if self.run.penalty else None,
            "history": self.history,
            **({"doses": self.doses} if self.doses else {}),
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

    @torch.no_grad()
    def _top1(self, pixels: Tensor, labels: Tensor) -> float:
        self.network.eval()
        correct = 0
        for images, truth in zip(pixels.split(512), labels.split(512), strict=True):
            with self._autocast():
                guess = self.network(normalise(images, self.architecture)).argmax(1)
                correct += (guess == truth).sum()
            processes.look(self.device)
        return 100 * int(correct) / len(labels)

    def _probe(self) -> dict[str, dict[str, float]]:
        """SS_rate in eval mode and full precision on the probe's first 64 and 512 images."""
        images = normalise(self.pictures.probe[: PROBE[-1]], self.architecture)
        F = feature_matrices(self.network, images, self.modules)
        return {
            str(n): {name: float(ss_rate(matrix[:, :n], check=False)) for name, matrix in F.items()}
            for n in PROBE
        }
