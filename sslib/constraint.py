"""Eq. 6 in anybody's training loop: the penalty that holds a model's SS_rate near gamma.

The paper prints alpha * (SS_rate - gamma)^2; the released code halves it and damps it by a factor
z. Both are here, as `penalty`; which box number SS_rate uses is a choice of its own, as `formula`.
"""

from __future__ import annotations

import math
import warnings
import weakref
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.utils.hooks import RemovableHandle

from sslib import checks
from sslib.features import reduce_mean
from sslib.layouts import LAYOUTS, evidence
from sslib.rate import ss_rate
from sslib.taps import activations, in_backward, resolve_modules, take_off, tap, unwrapped

PENALTIES = ("printed", "released")
_STATE = ("drawn", "progress", "epoch", "reference")  # plain values in the state_dict


class Draw(NamedTuple):
    """What one call of the constraint did: 0-d tensors where the model ran, without gradient."""

    module: str  #: name of the module drawn
    ss_rate: Tensor  #: its SS_rate on this batch; NaN where it is undefined, and nothing was added
    penalty: Tensor  #: what was returned, `weight` and damping included


class SelfSimilarityConstraint(nn.Module):
    """The constraint of Eq. 6: a penalty on the SS_rate of one module, drawn anew for every batch.

    Call it after each forward pass in training mode; it returns the 0-d tensor to add to the task
    loss::

        "printed"   weight * (SS_rate - gamma)^2
        "released"  weight * z / 2 * (SS_rate - gamma)^2,  z = 1 - min(|S - S_old| / S_old, a) / a

    In z, S is this call's SS_rate and S_old the mean of those drawn in an earlier epoch, both
    without gradient; z = 0 until the first `end_epoch`. F is the module's output on the first
    images of the batch, averaged over space. It keeps its gradient, so the penalty trains the
    layers up to the module.

    - The module is drawn one step ahead; the hooks of the others do nothing. A compiled model
      reduces the outputs of all, and the call chooses: the program is the same in every step.
    - A forward pass is used once: a new one drops what an earlier one left. Several calls and
      backward passes before one optimizer step (gradient accumulation) are fine.
    - The first forward pass of a compiled model must come after the constraint: torch ignores later
      hooks. With checkpoints inside, it runs eagerly, unless torch's option
      ``torch._dynamo.config.skip_fwd_side_effects_in_bwd_under_checkpoint`` is True.
    - In eval mode, of the model or of the constraint, nothing is tapped or drawn, and the call
      returns zero. Where SS_rate is undefined (all distances equal, overflow under AMP), penalty
      and gradient are 0. No call waits for a GPU; only `end_epoch` and `state_dict` do.
    - `remove`, the end of a ``with`` block, or that of the constraint (``del``, a notebook's cell
      run again) takes the hooks off. Until then the model cannot be pickled (its state_dict can).
      Copies of it are not tapped. `parameters()` is empty: the model is no submodule.

    >>> _ = torch.manual_seed(0)
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 2))
    >>> constraint = SelfSimilarityConstraint(model, ["0", "2"], target=0.3, weight=0.1)
    >>> images, labels = torch.rand(16, 4), torch.zeros(16, dtype=torch.long)
    >>> loss = nn.functional.cross_entropy(model(images), labels) + constraint()
    >>> loss.backward()
    >>> constraint.last.module in ("0", "2"), 0 <= float(constraint.last.ss_rate) <= 1
    (True, True)
    >>> constraint.remove()

    Args:
        model: what is trained; one in DistributedDataParallel or from torch.compile is looked into.
        modules: names or patterns such as "blocks.*", see `sslib.taps.resolve_modules`. Each must
            run once in every forward pass, with one row per image.
        target: gamma, in [0, 1], or a function from progress to gamma, see `set_progress`.
        weight: alpha, 0 or above. The released one counts half.
        penalty: "printed" (Eq. 6) or "released".
        formula, thresholds, smoothing, gradient_factor: as for `sslib.ss_rate`.
        samples: how many images of a batch F has at most: B of SS_rate; the authors' GPUs saw 64.
        layout: how outputs are averaged, see `sslib.features.reduce_mean`; not "NBD".
        seed: of the constraint's own generator, the same in processes that train together.
        damping, every: a, above 0; S_old is set after epochs 0, every, 2 * every, ... ("released").

    Raises:
        ValueError: an argument, or in a forward pass the output of a module, is not as said above;
            a module ran without gradient within a forward pass that has one (checkpointing).
        RuntimeError: called without a forward pass of its own, or after `remove`.
    """

    def __init__(
        self,
        model: nn.Module,
        modules: str | Iterable[str],
        *,
        target: float | Callable[[float], float],
        weight: float = 1e-4,
        penalty: str = "printed",
        formula: str = "released",
        samples: int = 64,
        layout: str = "auto",
        thresholds: int = 256,
        smoothing: float = 1.0,
        gradient_factor: float | None = None,
        seed: int = 0,
        damping: float = 0.05,
        every: int = 5,
    ) -> None:
        super().__init__()
        model = unwrapped(model)
        self.names = tuple(resolve_modules(model, modules))  #: the tapped modules
        self._known = {name: evidence(model, name) for name in self.names}
        self._target, self.weight = target, checks.number("weight", weight, least=0)
        self.penalty = checks.choice("penalty", penalty, PENALTIES)
        self.samples = checks.integer("samples", samples, 1)
        self.layout = checks.choice("layout", layout, [n for n in LAYOUTS if n != "NBD"])
        self.damping = checks.number("damping", damping, above=0)
        self.every = checks.integer("every", every, 1)
        self._options: dict[str, Any] = {"formula": formula, "thresholds": thresholds}
        self._options |= {"smoothing": smoothing, "gradient_factor": gradient_factor}
        ss_rate(torch.zeros(2, 1, device="cpu"), **self._options, check=False)  # bad ones fail now
        self.last: Draw | None = None  #: what the latest call in training mode did
        self.set_progress(0.0)
        self._generator = torch.Generator().manual_seed(checks.integer("seed", seed, 0))
        self._drawn = self._draw()
        self._epoch = 0
        self._reference: float | None = None  # S_old
        self._rates: list[Tensor | float] = []  # the S of this epoch, for the next S_old
        self._model = (model,)  # in a tuple, which keeps it from being registered as a submodule
        self._taps: dict[str, Tensor] = {}
        self._began = self._evaluated = False  # by a pass in training, or then in eval mode?
        self._recording = True  # does that pass record gradients?
        self._batch: int | None = None  # its number of images, where that is known
        self._handles = self._attach(model)
        weakref.finalize(self, take_off, self._handles)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(self) -> Tensor:
        """The penalty for the forward pass just made, 0-d; the module for the next one is drawn."""
        model = self._model[0]
        name, reduced, began = self._drawn, self._taps.get(self._drawn), self._began
        self._taps.clear()
        self._began = False
        if not (self.training and model.training):
            return torch.zeros((), device=self._device())
        if not self._handles:
            raise RuntimeError("the constraint was removed from its model; make a new one")
        if reduced is None and not began:
            hint = "one in eval mode came after it; " * self._evaluated
            call = f"{hint}call the model, then at once the constraint"
            raise RuntimeError(f"no forward pass of the model in training mode before it; {call}")
        if reduced is None:
            raise RuntimeError(
                f"module {name!r} was not called in the forward pass; expected modules that run in "
                "every one. If the model is compiled: make the constraint before the first "
                "compiled call, or call torch._dynamo.reset() after making it"
            )
        if self._recording and not reduced.requires_grad:
            why = "(frozen, or detached), so the penalty trains nothing"
            warnings.warn(f"module {name!r}: no gradient reaches it {why}", stacklevel=3)
        rate = ss_rate(self._features(reduced), **self._options, check=False)
        # An undefined SS_rate counts as gamma: nothing to add, and no gradient.
        deviation = (rate - self.gamma).nan_to_num(0.0)
        penalty = self.weight * self._damped(rate.detach()) * deviation.square()
        self.last = Draw(name, rate.detach(), penalty.detach())
        self._drawn = self._draw()
        return penalty

    def set_progress(self, progress: float) -> None:
        """Tell how far training is, from 0 to 1: gamma becomes ``target(progress)``, if a function.

        >>> model = nn.Sequential(nn.Linear(4, 8))
        >>> constraint = SelfSimilarityConstraint(model, "0", target=lambda t: 0.4 - 0.1 * t)
        >>> constraint.set_progress(0.5)
        >>> constraint.extra_repr()
        "1 module, gamma=0.35, weight=0.0001, penalty='printed', formula='released'"
        """
        checks.share("progress", progress)
        if callable(self._target):
            self.gamma = checks.share(f"target at progress {progress}", self._target(progress))
        else:
            self.gamma = checks.share("target", self._target)
        self._progress = float(progress)

    def end_epoch(self) -> None:
        """Tell that an epoch is over: "released" may set S_old, the mean of the defined S in it.

        Call it in each process of torch.distributed: the mean is over all of them.
        """
        if self.penalty == "released" and self._epoch % self.every == 0:
            rates = [rate for rate in map(float, self._rates) if not math.isnan(rate)]
            total, count = math.fsum(rates), len(rates)
            if dist.is_available() and dist.is_initialized():
                sums = torch.tensor([total, count], dtype=torch.float64, device=self._device())
                dist.all_reduce(sums)
                total, count = sums.tolist()
            if count:
                self._reference = total / count
        self._rates.clear()
        self._epoch += 1

    def remove(self) -> None:
        """Take the hooks off the model, which is then as before. A second time does nothing."""
        take_off(self._handles)
        self._taps.clear()

    def __enter__(self) -> SelfSimilarityConstraint:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def get_extra_state(self) -> dict[str, Any]:
        """What `state_dict` holds: plain numbers and one tensor, the generator's state."""
        return {
            "modules": list(self.names),
            "generator": self._generator.get_state(),
            "rates": [float(rate) for rate in self._rates],
            **{key: getattr(self, f"_{key}") for key in _STATE},
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """What `load_state_dict` does. Raises ValueError if the state is that of other modules."""
        if tuple(state["modules"]) != self.names:
            expected = f"a state of the modules {', '.join(self.names)}"
            raise checks.error("state", expected, f"one of {', '.join(state['modules'])}")
        self._generator.set_state(state["generator"].cpu())
        for key in _STATE:
            setattr(self, f"_{key}", state[key])
        self.set_progress(self._progress)
        self._rates = list(state["rates"])

    def extra_repr(self) -> str:
        count = f"{len(self.names)} module{'s' * (len(self.names) > 1)}"
        numbers = f"gamma={self.gamma:g}, weight={self.weight:g}, penalty={self.penalty!r}"
        return f"{count}, {numbers}, formula={self._options['formula']!r}"

    def _features(self, reduced: Tensor) -> Tensor:
        """F (D, B) from the averaged output (B, D); a control may look at something else."""
        return reduced.T

    def _device(self) -> torch.device | None:
        return next((parameter.device for parameter in self._model[0].parameters()), None)

    def _draw(self) -> str:
        number = torch.randint(len(self.names), (), generator=self._generator, device="cpu")
        return self.names[int(number)]

    def _damped(self, rate: Tensor) -> float | Tensor:
        """The factor of the released penalty: z / 2."""
        if self.penalty == "printed":
            return 1.0
        self._rates.append(rate)
        if not self._reference:
            return 0.0
        change = (rate - self._reference).abs() / (self._reference * self.damping)
        return (1 - change.nan_to_num(1.0).clamp(max=1)) / 2

    def _attach(self, model: nn.Module) -> list[RemovableHandle]:
        # The hooks do not keep the constraint alive: they go when it goes.
        living, of = weakref.ref(self), weakref.ref(model)

        def begin(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            me = living()
            if me is not None and module is of() and not in_backward():
                me._taps.clear()
                me._began, me._evaluated = module.training, not module.training
                me._recording = torch.is_grad_enabled()
                me._batch = len(inputs[0]) if inputs and isinstance(inputs[0], Tensor) else None

        def keep(name: str, output: Any) -> None:
            me = living()
            if me and me.training and me._model[0].training and not in_backward():
                me._keep(name, output)

        return [*tap(model, self.names, keep), model.register_forward_pre_hook(begin)]

    def _keep(self, name: str, output: Any) -> None:
        """Keep the mean over space of the module's output, if the module is the one drawn."""
        if not torch.compiler.is_compiling():
            if self._recording and not torch.is_grad_enabled():
                lost = "ran without gradient in a forward pass that has one"
                hint = "with checkpointing, pass use_reentrant=False"
                raise ValueError(f"modules: {name!r} {lost}; {hint}")
            if name != self._drawn:
                return
        if name in self._taps:
            hint = "was called twice before the constraint was; expected modules that run once"
            raise ValueError(f"modules: {name!r} {hint} in a forward pass of the model")
        output = activations(output, name, self._batch)[: self.samples]
        # Reduced at once: an in-place layer that follows may overwrite the output.
        self._taps[name] = reduce_mean(output, self.layout, module=name, known=self._known[name])
