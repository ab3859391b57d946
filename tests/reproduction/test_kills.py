"""Killed at any moment, a command loses and doubles nothing, and goes on to the same digits."""

from __future__ import annotations

import pytest
from kills import WORK, contents, killed


@pytest.mark.parametrize("name", WORK)
def test_a_killed_command_goes_on(name, tmp_path):
    told = killed(name, tmp_path, kills=4, seed=1)
    assert told["kills"] == 4 and told["records"] >= 4


def test_the_check_sees_what_is_damaged(tmp_path):
    (tmp_path / "ss-rate").mkdir()
    (tmp_path / "ss-rate" / "a.json").write_text("{")
    with pytest.raises(ValueError, match=r"a\.json"):
        contents(tmp_path)
