"""The box at the head of each chapter says what the first page says, in plain sentences."""

from __future__ import annotations

import re

import pytest

from reproduction.verdicts import say_chapters
from reproduction.verdicts.claims import FULL, RELEASED, RULES, SMALL, findings_of
from reproduction.verdicts.finding import Finding
from reproduction.verdicts.say_chapters import CHAPTERS, FOUND, opening

HEADS = ["**The paper says.**", "**We find.**", "**How sure.**"]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_three_lines_from_the_records(chapter):
    lines = opening(chapter).split("\n\n")
    assert [re.match(r"\*\*.+?\*\*", line)[0] for line in lines] == HEADS
    assert not re.search(r"\b(None(?! of)|nan)\b| 0 of |\s\s|\.\.", "\n".join(lines))


@pytest.mark.parametrize("chapter", [name for name in CHAPTERS if name != say_chapters.IN_PRINT])
def test_without_records_nothing_is_said_to_be_found(chapter, tmp_path):
    _, found, sure = opening(chapter, tmp_path).split("\n\n")
    assert set(found.removeprefix("**We find.** ").split(". ")) <= {
        "Nothing was run.",
        "Trained networks: not run.",
    }
    assert sure.count("*not run*") == len(CHAPTERS[chapter])


def test_each_claim_has_a_sentence_and_its_verdict():
    keys = {key for name, own in CHAPTERS.items() if name != say_chapters.IN_PRINT for key in own}
    assert set(FOUND) == keys <= set(RULES)
    sure = opening("nine_models").split("\n\n")[2]
    assert "Claim 3: *" in sure and "Claim 4: *" in sure


def toward(closed, of):
    return Finding("partly", {"closed": closed, "of": of, "least": 0.25, "shares": {}})


@pytest.mark.parametrize(
    ("closed", "of", "words"),
    [
        (0, 3, "in none of 3 networks."),
        (1, 1, "in the only network."),
        (1, 2, "in 1 of 2 networks."),
    ],
)
def test_none_and_one_have_words_of_their_own(closed, of, words):
    assert FOUND["toward-target"]({FULL: Finding(), SMALL: toward(closed, of)}).endswith(words)


def test_small_runs_stand_beside_the_verdict():
    forms = {
        FULL: Finding(),
        SMALL: Finding("not reproduced", n={"pair": 1, "recipe": ("cpu",)}),
        RELEASED: Finding("signs differ", n={"pair": 20}),
    }
    assert say_chapters._sure("Claim 8", forms) == (
        "Claim 8: *not run* at the paper's settings; small runs of the printed form *disagree* "
        "(1 pair), those of its authors' own form have *signs that differ* (20 pairs)."
    )


def test_the_words_are_those_of_the_findings(tmp_path):
    assert findings_of(["boxes"], tmp_path)["boxes"][FULL].outcome == "not run"
