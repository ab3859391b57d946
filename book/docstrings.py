"""Sphinx extension: show lines "argument: what it is" of a docstring as a list of arguments.

Google's "Args:" is read by napoleon; a docstring that names its arguments without that heading is
read here.
"""

from __future__ import annotations

import inspect
from typing import Any


def list_arguments(
    app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    if what not in ("function", "method", "class"):
        return
    arguments = inspect.signature(thing).parameters
    within = False
    for number, line in enumerate(lines):
        argument, colon, rest = line.partition(": ")
        if colon and argument in arguments:
            lines[number], within = f":param {argument}: {rest}", True
        elif not line:
            within = False
        elif within:  # the entry goes on: reStructuredText wants that indented
            lines[number] = f"    {line.lstrip()}"


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", list_arguments)
    return {"parallel_read_safe": True}
