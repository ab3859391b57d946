"""Strings that come from a record or a parameter, as text that is neither HTML nor Markdown."""

from __future__ import annotations

import re


def text(value: object) -> str:
    """`value` on one line, whatever could be markup as an entity: safe in HTML and in Markdown.

    >>> text("<b>4 | 5</b>")
    '&#60;b&#62;4 &#124; 5&#60;/b&#62;'
    """
    line = " ".join(str(value).split())
    return re.sub(r"[&<>\"'`*_\[\]{}|$\\~!#]", lambda sign: f"&#{ord(sign[0])};", line)


def code(value: object) -> str:
    """`value` as a Markdown code span that nothing in it can end, nor the table's cell around it.

    >>> code("a`|<b>")
    '`a<b>`'
    """
    return "`" + re.sub(r"[`|\s]+", "", str(value)) + "`"
