"""What a run of training is to the loop that makes records: a name, and what is to be trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reproduction import records
from reproduction.training.recipes import Recipe, Run


class Trainable:
    """What ``run.job`` can train: ``run.Cell``, and the cells of the plans."""

    experiment: str
    dataset: str
    model: str
    arm: str
    seed: int

    @property
    def config(self) -> dict[str, Any]:
        """What names its record, beside the seed."""
        raise NotImplementedError

    @property
    def protocol(self) -> Recipe:
        """How it is trained."""
        raise NotImplementedError

    @property
    def baseline(self) -> Trainable | None:
        """The cell whose SS_rate is this one's gamma, if it needs one."""
        return None

    def run(self, root: Path) -> Run:
        """What is to be trained.

        Raises:
            FileNotFoundError: a record that it takes gamma from is not there.
        """
        raise NotImplementedError

    def path(self, root: Path) -> Path:
        return records.record_path(self.experiment, self.config, self.seed, root)

    def done(self, root: Path) -> bool:
        return records.exists(self.experiment, self.config, self.seed, root)

    def ready(self, root: Path) -> bool:
        """Whether there is what it needs of its baseline."""
        return self.baseline is None or self.baseline.done(root)
