"""Checkpoints with seeded damage: the state that was written, or a message that names the file."""

from __future__ import annotations

import copy
import random

import pytest
import torch
from test_checkpoints import RUN

from reproduction.training.checkpoint import load, save
from reproduction.training.loop import train
from reproduction.training.pictures import load_pictures

N = 300  # damaged checkpoints in all, three in four of them in their bytes
HOSTILE = [None, True, -1, 10**400, "x", [], {}, [[]], {"": None}, float("nan"), b"", (1, 2)]


@pytest.fixture(scope="module")
def pictures():
    return load_pictures("digits", RUN.recipe)


@pytest.fixture(scope="module")
def state(pictures, tmp_path_factory):
    """What a run has written after its last epoch, its network cut down to a few weights."""
    path = tmp_path_factory.mktemp("whole") / "a.pt"
    train(RUN, pictures, checkpoint=path)
    found = load(path, RUN, pictures.fingerprint, "cpu")
    return found | {"network": dict(list(found["network"].items())[:3]), "optimizer": {"state": {}}}


def same(one, other):
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return repr(one) == repr(other)


@pytest.mark.parametrize("part", range(2))
def test_damaged_files_are_refused_or_whole(part, state, pictures, tmp_path):
    """Bytes: cut off, changed, put in."""
    path, refused = tmp_path / "a.pt", 0
    save(path, state)
    content = path.read_bytes()
    for k in range(part, N * 3 // 4, 2):
        draw = random.Random(k)
        cut = draw.randrange(len(content))
        changed = bytearray(content)
        changed[cut : cut + draw.randint(1, 50)] = draw.randbytes(draw.choice([0, 1, 50]))
        written = draw.choice([content[:cut], bytes(changed), draw.randbytes(cut % 500)])
        path.write_bytes(content[:cut] if written == content else written)
        try:
            found = load(path, RUN, pictures.fingerprint, "cpu")
        except ValueError as error:
            assert str(path) in str(error) and "--anew" in str(error)
            refused += 1
        else:
            assert same(found, state), k
    assert refused > N / 5


def test_damaged_states_are_refused(state, pictures, tmp_path):
    """Values: gone, or others in their place; `train` trains no step from such a file."""
    path = tmp_path / "a.pt"
    for k in range(N // 4):
        draw, changed = random.Random(k), copy.deepcopy(state)
        place, key = changed, draw.choice(sorted(changed))
        while isinstance(place[key], dict) and place[key] and draw.random() < 0.7:
            place = place[key]
            key = draw.choice(list(place))
        if draw.random() < 0.3:
            del place[key]
        else:
            place[key] = draw.choice(HOSTILE)
        save(path, changed)
        with pytest.raises(ValueError, match=r"a\.pt .*--anew"):
            train(RUN, pictures, checkpoint=path)
