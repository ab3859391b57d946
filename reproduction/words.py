"""Numbers as sentences have them, one way everywhere."""

from __future__ import annotations


def percent(share: float, digits: int = 0) -> str:
    """A share in per cent.

    >>> percent(0.333), percent(0.0151, 1)
    ('33 %', '1.5 %')
    """
    return f"{100 * share:.{digits}f} %"


def count(n: int, what: str) -> str:
    """So many of something that forms its plural with s; none in words.

    >>> count(0, "run"), count(1, "run"), count(2, "run")
    ('no runs', '1 run', '2 runs')
    """
    return f"{n or 'no'} {what}{'s' * (n != 1)}"
