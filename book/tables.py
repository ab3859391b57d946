"""Sphinx extension: a table that code prints is numbered as a table, though its caption makes it a
figure to myst-nb; figures and tables of the appendix, whose pages have no number, are A.1, A.2, ...
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform

#: What marks such a figure; the build sets it.
CLASS = "code-table"

APPENDIX: Any = "A"


class code_table(nodes.figure):
    """A table with caption; named as docutils names its nodes."""


class NumberAsTable(SphinxTransform):
    default_priority = 210

    def apply(self, **options: Any) -> None:
        for figure in list(self.document.findall(nodes.figure)):
            if CLASS in figure["classes"]:
                table = code_table("", *figure.children, **figure.attributes)
                figure.replace_self(table)
                self.document.ids.update(dict.fromkeys(table["ids"], table))


def letter(app: Any, env: BuildEnvironment) -> list[str]:
    """Put a letter before the numbers that stand alone, which would be read as the paper's."""
    for kinds in env.toc_fignumbers.values():
        for numbers in kinds.values():
            for name, number in numbers.items():
                if len(number) == 1:
                    numbers[name] = (APPENDIX, *number)
    return []


def setup(app: Any) -> dict[str, bool]:
    as_figure = (
        lambda writer, node: writer.visit_figure(node),
        lambda writer, node: writer.depart_figure(node),
    )
    app.add_enumerable_node(code_table, "table", html=as_figure)
    app.add_transform(NumberAsTable)
    app.connect("env-get-updated", letter, priority=900)  # when Sphinx has given its numbers
    return {"parallel_read_safe": True}
