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
    root = existing_folder(value)
    if root is None:
        raise ValueError(
            f"SSLIB_DATA={value!r} is not a folder ({looked_for(value)}); unset it or point it at "
            "your image folders"
        )
    return root


def existing_folder(path: str) -> Path | None:
    """An existing folder's resolved path; None for anything else, an empty path included.

    >>> existing_folder(".").is_absolute(), existing_folder("no such folder")
    (True, None)
    """
    try:
        folder = Path(path).expanduser().resolve()
        return folder if path and folder.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # links in a circle, no such user, a null byte
        return None


def looked_for(path: str) -> str:
    """Where a path leads, for the message that nothing is there."""
    try:
        return f"looked for {str(Path(path).expanduser().absolute())!r}"
    except RuntimeError as error:  # no such user
        return f"looked for nothing: {error}"
