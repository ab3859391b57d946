"""Sphinx extension: a table that code prints is numbered as a table, though its caption makes it a
figure to myst-nb.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.transforms import SphinxTransform

#: What marks such a figure; the build sets it.
CLASS = "code-table"


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


def setup(app: Any) -> dict[str, bool]:
    as_figure = (
        lambda writer, node: writer.visit_figure(node),
        lambda writer, node: writer.depart_figure(node),
    )
    app.add_enumerable_node(code_table, "table", html=as_figure)
    app.add_transform(NumberAsTable)
    return {"parallel_read_safe": True}
