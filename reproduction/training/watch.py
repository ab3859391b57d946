"""What is measured in the steps of training, SS_rate of the modules and sizes of gradients, and the
control that shuffles the constraint's gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from reproduction.training.recipes import Run
from sslib.constraint import SelfSimilarityConstraint
from sslib.features import reduce_mean
from sslib.rate import ss_rate


@dataclass
class Steps:
    """What an epoch's steps leave: losses, penalties, SS_rates of the last batches by module, doses
    where they are kept, the penalty's gradient over the task's at the first step, and their time.
    """

    losses: list[Tensor] = field(default_factory=list)
    penalties: list[Tensor] = field(default_factory=list)
    rates: list[dict[str, float]] = field(default_factory=list)
    doses: list[Tensor] = field(default_factory=list)
    gradient_ratio: float = math.nan
    seconds: float = 0.0


class _Shuffled(SelfSimilarityConstraint):
    """The constraint with its gradient's channels and images shuffled on the way into the
    network. The placebo of earlier records had permutation 0 in every run.
    """

    permutation = 0  #: seed of the shuffle

    def _features(self, reduced: Tensor) -> Tensor:
        F = super()._features(reduced)

        def shuffle(gradient: Tensor) -> Tensor:
            # One shuffle per shape, so that the constraint's own draws, and a resumed run, stay as
            # they are.
            generator = torch.Generator().manual_seed(self.permutation)
            rows, columns = (
                torch.randperm(n, generator=generator).to(gradient.device) for n in gradient.shape
            )
            return gradient[rows][:, columns]

        F = F.clone()
        F.register_hook(shuffle)
        return F


class _Gathered(SelfSimilarityConstraint):
    """The constraint on the images of all processes that train the network, not each on its own."""

    def _features(self, reduced: Tensor) -> Tensor:
        from torch.distributed.nn import functional  # type: ignore[attr-defined]

        return super()._features(torch.cat(functional.all_gather(reduced.contiguous())))


def constraint_of(run: Run, network: nn.Module, modules: list[str]) -> SelfSimilarityConstraint:
    """The term that the penalty of a run adds. Of a yoked one only the direction counts: it is that
    of the gradient of SS_rate^2, which has one wherever SS_rate has.
    """
    penalty = run.penalty
    if penalty is None:
        raise ValueError("run: expected one with a penalty, got a baseline")
    if penalty.yoked:
        shuffled = _Shuffled(network, modules, target=0.0, weight=1.0, seed=run.seed)
        shuffled.permutation = run.seed
        return shuffled
    kind = _Gathered if run.recipe.gathered else SelfSimilarityConstraint
    return kind(
        network,
        modules,
        target=penalty.gamma,
        weight=penalty.alpha,
        penalty=penalty.form,
        seed=run.seed,
    )


def gradient_norm(term: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """Norm of a term's gradient over all parameters; its graph is kept."""
    gradients = torch.autograd.grad(term, list(parameters), retain_graph=True, allow_unused=True)
    return torch.stack([g.float().square().sum() for g in gradients if g is not None]).sum().sqrt()


def gradient_ratio(penalty: Tensor, loss: Tensor, parameters: Sequence[Tensor]) -> float:
    """Norm of the penalty's gradient over that of the task's, over all parameters."""
    return float(gradient_norm(penalty, parameters) / gradient_norm(loss, parameters))


def dose(
    penalty: Tensor, constraint: SelfSimilarityConstraint, parameters: Sequence[Tensor]
) -> Tensor:
    """How large the penalty's gradient is over all parameters, below 0 where SS_rate is below
    gamma.
    """
    deviation = (constraint.last.ss_rate - constraint.gamma).nan_to_num(0.0)
    return gradient_norm(penalty, parameters) * deviation.sign()


def yoked(term: Tensor, dose: float, parameters: Sequence[Tensor]) -> Tensor:
    """A term of value 0 whose gradient has the direction of the given one's and, over all
    parameters, the norm abs(dose); the opposite direction for a dose below 0.
    """
    norm = gradient_norm(term, parameters)
    return torch.where(norm > 0, dose / norm, 0.0) * (term - term.detach())


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
