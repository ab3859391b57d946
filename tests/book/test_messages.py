"""The page on warnings and errors names everything that can be raised, short of a ValueError."""

import ast
import re

import pytest

from reproduction.paths import ROOT

PAGE = (ROOT / "book/warnings.md").read_text(encoding="utf-8")
# The messages are the terms of its lists.
TERMS = "\n".join(line for line in PAGE.splitlines() if line.startswith("*"))
KINDS = {"RuntimeError", "FileNotFoundError", "FileExistsError", "ImportError"}


def messages():
    """(file and line, the fixed parts of the message) of every warning and of every error of those
    kinds.
    """
    paths = [path for name in ("sslib", "reproduction") for path in (ROOT / name).rglob("*.py")]
    for path in sorted(paths):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = ast.unparse(node.func)
                if name == "warnings.warn" or name in KINDS:
                    yield f"{path.name}:{node.lineno}", fixed_parts(node.args[0])


def fixed_parts(message):
    if isinstance(message, ast.JoinedStr):
        return [part.value for part in message.values if isinstance(part, ast.Constant)]
    return [message.value] if isinstance(message, ast.Constant) else []


def test_there_are_messages():
    assert len(list(messages())) > 20


@pytest.mark.parametrize(
    ("place", "parts"), list(messages()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_page_names_it(place, parts):
    """Some run of a few words of the message stands, in italics, as a term on the page."""
    shown = re.sub("[:;,.]", "", " ".join(re.findall(r"\*([^*]+)\*", TERMS)))
    words = [re.sub("[:;,.]", "", part).split() for part in parts]
    runs = {
        " ".join(part[k : k + 3])
        for part in words
        for k in range(max(1, len(part) - 2))
        if len(part) > 1
    }
    assert any(run in shown for run in runs), f"{place}: {parts}"
