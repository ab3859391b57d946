"""The arms of Table 3: what sets a run apart from its baseline."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

#: The folder of the records of training.
EXPERIMENT = "constraint"

#: baseline: the task alone. constrained: Eq. 6 as printed, gamma = what the same seed's baseline
#: ends with. released: the penalty, alpha, gamma and learning rate of the authors' scripts.
#: placebo: see `recipes.Penalty`.
ARMS = ("baseline", "constrained", "released", "placebo")

#: alpha of Eq. 6 where an arm names none: "of the order of 1e-4".
ALPHA = 1e-4

#: Learning rate, alpha and gamma of the released commands with a constraint, by network and data
#: set.
RELEASED = {
    ("vit_small_patch16_224", "cifar10"): (5e-4, 5e-2, 0.3),
    ("vit_small_patch16_224", "imagenette"): (5e-3, 5e-2, 0.3),
    ("vit_base_patch16_224", "cifar10"): (1e-4, 5e-2, 0.3),
    ("vit_base_patch16_224", "imagenette"): (1e-4, 5e-2, 0.3),
    ("poolformer_s12", "cifar10"): (5e-4, 1e-4, 0.3),
    ("poolformer_s12", "imagenette"): (5e-4, 1e-4, 0.3),
    ("resmlp_12_224", "cifar10"): (7e-3, 5e-2, 0.3),
    ("resmlp_12_224", "imagenette"): (5e-3, 5e-2, 0.2),
    ("mixer_b16_224", "cifar10"): (5e-4, 5e-7, 0.2),
    ("mixer_b16_224", "imagenette"): (5e-3, 1e-2, 0.3),
}

_ARM = re.compile(r"(?P<kind>[a-z]+)(:alpha=(?P<alpha>[^@]+))?(@(?P<lr>.+))?")


@dataclass(frozen=True)
class Arm:
    """One arm: its kind, alpha where it is not the kind's own, and a learning rate where it is not
    the recipe's.
    """

    kind: str
    alpha: float | None = None
    lr: float | None = None

    @classmethod
    def parse(cls, text: str) -> Arm:
        """The arm that a text such as "constrained:alpha=0.01@1e-4" names.

        >>> Arm.parse("constrained:alpha=1e-2"), str(Arm.parse("baseline@0.0001"))
        (Arm(kind='constrained', alpha=0.01, lr=None), 'baseline@0.0001')

        Raises:
            ValueError: a kind that is not in `ARMS`, a negative alpha, a learning rate that is not
                positive, and an alpha for the baseline, which has no penalty, or for "released",
                whose alpha is the scripts'.
        """
        match = _ARM.fullmatch(text) if isinstance(text, str) else None
        if not match or match["kind"] not in ARMS:
            raise ValueError(
                f"arm: expected one of {', '.join(ARMS)}, with :alpha=NUMBER or @LEARNING_RATE "
                f"after it, got {text!r}"
            )
        kind, alpha, lr = match["kind"], _number(text, match["alpha"]), _number(text, match["lr"])
        if alpha is not None and (alpha < 0 or kind in ("baseline", "released")):
            raise ValueError(
                f"arm: {text!r}: alpha must be at least 0 and belongs to constrained and placebo "
                "only"
            )
        if lr is not None and lr <= 0:
            raise ValueError(f"arm: {text!r}: the learning rate must be above 0")
        return cls(kind, None if alpha == ALPHA else alpha, lr)

    def __str__(self) -> str:
        alpha = "" if self.alpha is None else f":alpha={self.alpha:g}"
        return f"{self.kind}{alpha}" + ("" if self.lr is None else f"@{self.lr:g}")


def _number(text: str, part: str | None) -> float | None:
    if part is None:
        return None
    try:
        value = float(part)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"arm: {text!r}: {part!r} is no number")
    return value
