"""Where things lie: every path of the project comes from here."""

from __future__ import annotations

import os
from pathlib import Path

#: The checkout (the folder that holds ``sslib/``, ``notebooks/`` and ``data/``).
ROOT = Path(__file__).resolve().parent.parent

#: Whether the packages lie in a checkout: installed elsewhere, they have no data beside them.
CHECKOUT = (ROOT / "pyproject.toml").is_file()
#: The paper's printed tables, as CSV.
PAPER = ROOT / "data" / "paper"

#: Committed measurements, one JSON each.
RESULTS = ROOT / "data" / "results"


def data_root() -> Path | None:
    """The folder of optional real images that ``SSLIB_DATA`` names, or None.

    Raises:
        ValueError: the variable is set but names no folder.
    """
    value = os.environ.get("SSLIB_DATA")
    if not value:
        return None
    root = Path(value).expanduser()
    if not root.is_dir():
        raise ValueError(
            f"SSLIB_DATA={value!r} is not a folder; unset it or point it at your image folders"
        )
    return root
