"""What looks on while a network trains: SS_rate of its modules, and the placebo."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sslib.constraint import SelfSimilarityConstraint
from sslib.features import reduce_mean
from sslib.rate import ss_rate


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
