"""Numbers and lists as sentences have them, one way everywhere."""

from __future__ import annotations

from collections.abc import Iterable


def percent(share: float, digits: int = 0) -> str:
    """A share in per cent.

    >>> percent(0.333), percent(0.0151, 1), percent(-0.001)
    ('33 %', '1.5 %', '0 %')
    """
    return f"{round(100 * share, digits) + 0.0:.{digits}f} %"  # + 0.0: no sign before a zero


def some(names: Iterable[str]) -> str:
    """The first names of a list, and how many more there are.

    >>> some(["a", "b"]), some("abcde")
    ('a, b', 'a, b, c and 2 more')
    """
    names = [*names]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
