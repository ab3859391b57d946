"""The arms of Table 3: what sets a run apart from its baseline."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

#: The folder of the records of training.
EXPERIMENT = "constraint"

#: baseline: the task alone. constrained: Eq. 6 as printed. released: the penalty, alpha, gamma and
#: learning rate of the authors' scripts. wrong, yoked: controls of one of these two. wrong: the
#: same penalty with its target as far from where the network ends by itself, on the other side.
#: yoked: in each step a shuffled gradient that is as large, over all parameters, as the penalty's
#: was in that step of the other run.
ARMS = ("baseline", "constrained", "released", "wrong", "yoked")

#: Of earlier records, and no longer run: the constrained arm with its gradient at F shuffled.
PLACEBO = "placebo"

#: alpha of Eq. 6 where an arm names none: "of the order of 1e-4".
ALPHA = 1e-4

#: Where gamma of the constrained arm may come from, if it is no number. own: the baseline of the
#: same seed, as in all records whose arm names none. model: the mean over the baselines of
#: `LEVEL_SEEDS`. table2: the paper's value after training.
GAMMAS = ("own", "model", "table2")

#: Seeds of the baselines that gamma is the mean of; no pair has one of them.
LEVEL_SEEDS = range(1000, 1005)

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

_ARM = re.compile(r"(?P<kind>[a-z]+)(:(?P<options>[^@]+))?(@(?P<lr>.+))?")


@dataclass(frozen=True)
class Arm:
    """One arm.

    Attributes:
        kind: one of `ARMS`, or `PLACEBO`.
        of: what "wrong" and "yoked" are controls of: "released", unless it says "constrained".
        alpha: where it is not the kind's own.
        gamma: a number or one of `GAMMAS`; None where the arm does not say, which in a record
            means "own".
        lr: a learning rate where it is not the recipe's.
    """

    kind: str
    of: str | None = None
    alpha: float | None = None
    gamma: float | str | None = None
    lr: float | None = None

    @classmethod
    def parse(cls, text: str) -> Arm:
        """The arm that a text such as "constrained:alpha=0.01,gamma=table2@1e-4" names.

        >>> arm = Arm.parse("constrained:alpha=1e-2")
        >>> arm.alpha, str(arm), str(Arm.parse("baseline@0.0001"))
        (0.01, 'constrained:alpha=0.01', 'baseline@0.0001')
        >>> Arm.parse("yoked:of=constrained,gamma=model").partner
        Arm(kind='constrained', of=None, alpha=None, gamma='model', lr=None)

        Raises:
            ValueError: a kind or an option that there is not, a number out of range, options for
                the baseline, which has no penalty, and alpha or gamma for the released form, whose
                both are the scripts'.
        """
        match = _ARM.fullmatch(text) if isinstance(text, str) else None
        if not match or match["kind"] not in (*ARMS, PLACEBO):
            raise ValueError(
                f"arm: expected one of {', '.join(ARMS)}, with :OPTION=VALUE or @LEARNING_RATE "
                f"after it, got {text!r}"
            )
        options = dict(part.partition("=")[::2] for part in (match["options"] or "").split(","))
        unknown = options.keys() - {"", "of", "alpha", "gamma"}
        if unknown:
            raise ValueError(
                f"arm: {text!r}: expected options of, alpha or gamma, got {min(unknown)!r}"
            )
        arm = cls(
            match["kind"],
            options.get("of"),
            _number(text, options.get("alpha")),
            gamma(options["gamma"]) if "gamma" in options else None,
            _number(text, match["lr"]),
        )
        arm._check(text)
        if arm.of == "released":
            arm = replace(arm, of=None)
        return replace(arm, alpha=None) if arm.alpha == ALPHA else arm

    def _check(self, text: str) -> None:
        controls = self.kind in ("wrong", "yoked")
        if self.of is not None and not (controls and self.of in ("released", "constrained")):
            raise ValueError(
                f"arm: {text!r}: of must be released or constrained and belongs to wrong and yoked "
                "only"
            )
        printed = self.kind in ("constrained", PLACEBO) or self.of == "constrained"
        if self.alpha is not None and (self.alpha < 0 or not printed):
            raise ValueError(
                f"arm: {text!r}: alpha must be at least 0 and belongs to constrained and its "
                "controls only"
            )
        if self.gamma is not None and not printed:
            raise ValueError(f"arm: {text!r}: gamma belongs to constrained and its controls only")
        if self.lr is not None and self.lr <= 0:
            raise ValueError(f"arm: {text!r}: the learning rate must be above 0")

    @property
    def released(self) -> bool:
        """Whether its penalty is the authors', or it is a control of one that is."""
        return self.kind == "released" or (self.partner is not None and self.partner.released)

    @property
    def partner(self) -> Arm | None:
        """The arm that a control is a control of."""
        if self.kind not in ("wrong", "yoked"):
            return None
        return replace(self, kind=self.of or "released", of=None)

    @property
    def targets(self) -> bool:
        """Whether its gamma is to be chosen: that of the constrained arm, and of its controls."""
        return self.kind == "constrained" or self.of == "constrained"

    @property
    def in_full(self) -> str:
        """The text for a command line, gamma always named: there, other than in a record, no gamma
        does not mean "own".
        """
        return self._text(self.gamma or "own") if self.targets else str(self)

    def __str__(self) -> str:
        return self._text(None if self.gamma == "own" else self.gamma)

    def _text(self, gamma: float | str | None) -> str:
        said = {"of": self.of, "alpha": self.alpha, "gamma": gamma}
        options = ",".join(
            f"{key}={value if isinstance(value, str) else f'{value:g}'}"
            for key, value in said.items()
            if value is not None
        )
        lr = "" if self.lr is None else f"@{self.lr:g}"
        return self.kind + (f":{options}" if options else "") + lr


def gamma(text: str) -> float | str:
    """What gamma of the constrained arm is to be: one of `GAMMAS`, or the number that the text is.

    Raises:
        ValueError: it is neither.
    """
    if text in GAMMAS:
        return text
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise ValueError(
            f"gamma: expected a number in [0, 1] or one of {', '.join(GAMMAS)}, got {text!r}"
        )
    return value


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
