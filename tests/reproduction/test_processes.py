"""One network in two processes, on CPUs (gloo): what they share, what the record says, a stop."""

from __future__ import annotations

import io
import itertools
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from reproduction import records, stop
from reproduction.paths import ROOT
from reproduction.training import cells as training_cells
from reproduction.training import processes
from reproduction.training.cells import Cell
from reproduction.training.recipes import RECIPES, Penalty, Run
from reproduction.training.run import run_grid
from reproduction.training.watch import constraint_of

TINY = replace(RECIPES["quick"], epochs=2, train_images=300, test_images=50, processes=2)
TWO = {"local": TINY, "gathered": replace(TINY, gathered=True)}


def cells():
    training_cells.RECIPES = {**RECIPES, **TWO}
    arms = ("baseline", "constrained:alpha=1,gamma=0.4")
    return [Cell(recipe, "digits", "resmlp_12_224", arm, 0) for recipe in TWO for arm in arms]


def gradient(kind: str) -> torch.Tensor:
    """Of the constraint alone, all parameters of a network in one row; each process has half of a
    batch of 24 images.
    """
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 3))
    images = torch.rand(24, 5)
    run = Run("resnet34", TWO[kind], 0, Penalty(1.0, 0.9))
    with constraint_of(run, model, ["0"]) as constraint:
        parallel = processes.parallel(model)
        outputs = parallel(processes.share(images))
        (constraint() + 0 * outputs.sum()).backward()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def work(rank: int, port: int, folder: Path) -> None:
    """In a process of its own."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    torch.set_num_threads(1)
    device = processes.join("cpu")
    torch.save({kind: gradient(kind) for kind in TWO}, folder / f"gradient-{rank}.pt")
    list(run_grid(cells(), root=folder / "whole", device=device, matrices=False))
    # SIGTERM comes to the second process alone, in its fourth look.
    looks = itertools.count(1)
    came, stop.came = stop.came, lambda: next(looks) == 4 and rank == 1
    try:
        list(run_grid(cells(), root=folder / "stopped", device=device, matrices=False))
    except stop.Terminated:
        (folder / f"stopped-{rank}").touch()
    stop.came = came
    list(run_grid(cells(), root=folder / "stopped", device=device, matrices=False))


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("processes")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    pair = [context.Process(target=work, args=(rank, port, folder)) for rank in range(2)]
    for process in pair:
        process.start()
    for process in pair:
        process.join(600)
    assert [process.exitcode for process in pair] == [0, 0]
    return folder


def test_gathered_is_the_whole_batch_and_local_is_not(done):
    one, two = (torch.load(done / f"gradient-{rank}.pt") for rank in range(2))
    alone = gradient("local")  # in a single process, which has the whole batch
    for kind in TWO:
        torch.testing.assert_close(one[kind], two[kind])
    torch.testing.assert_close(one["gathered"], alone)
    assert not torch.allclose(one["local"], alone, rtol=1e-2)


def test_the_record_says_how_many(done):
    found = [records.read(path) for path in (done / "whole" / "constraint").glob("*.json")]
    assert len(found) == 4
    losses = {}
    for record in found:
        recipe, kind = record["config"]["recipe"], record["config"]["arm"].partition(":")[0]
        settings = record["metrics"]["settings"]
        assert (settings["processes"], settings["gathered"]) == (2, recipe == "gathered")
        losses[recipe, kind] = record["metrics"]["history"]["train_loss"]
    assert losses["local", "baseline"] == losses["gathered", "baseline"]
    assert losses["local", "constrained"] != losses["gathered", "constrained"]


def test_both_stop_where_sigterm_comes_to_one_and_go_on_as_if_it_had_not(done):
    assert (done / "stopped-0").exists() and (done / "stopped-1").exists()

    def measured(root):
        return {
            path.name: {
                key: value
                for key, value in records.read(path)["metrics"]["history"].items()
                if key != "seconds"
            }
            for path in (root / "constraint").glob("*.json")
        }

    assert len(measured(done / "whole")) == 4
    assert repr(measured(done / "stopped")) == repr(measured(done / "whole"))
    assert not list((done / "stopped").rglob(".*.pt"))


def test_a_recipe_for_several_says_how_to_start_them(tmp_path):
    message = r"recipe: .* is for 4 processes \(torchrun --nproc-per-node\), got 1"
    with pytest.raises(ValueError, match=message):
        list(run_grid([Cell("paper-4", "digits", "vgg11", "baseline", 0)], root=tmp_path))
    with pytest.raises(ValueError, match="arm: 'yoked': expected a recipe of one process"):
        Cell("paper-4", "cifar10", "vit_small_patch16_224", "yoked", 0)


def torchrun(folder: Path) -> subprocess.Popen[str]:
    """In a session of its own, as a scheduler's jobs are."""
    two = str(Path(__file__).with_name("two.py"))
    return subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        + [two, "train", "--recipe", "quick", "--dataset", "digits", "--models", "resmlp_12_224"]
        + ["--arms", "baseline", "--device", "cpu", "--results", str(folder)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a process can catch")
def test_torchrun_passes_sigterm_on_and_the_same_command_goes_on(tmp_path):
    process = torchrun(tmp_path)
    while not (kept := list(tmp_path.rglob("*.checkpoint.pt"))) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate()
    assert "the same command goes on from here" in said, said
    assert process.returncode and not list(tmp_path.rglob("*.json"))
    reached = torch.load(io.BytesIO(kept[0].read_bytes()), weights_only=True)

    process = torchrun(tmp_path)
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert said.count("new record(s)") == 1
    (path,) = tmp_path.rglob("*.json")
    record = records.read(path)
    assert record["metrics"]["settings"]["processes"] == 2
    took, before = record["metrics"]["history"]["seconds"], reached["history"]["seconds"]
    assert 0 < len(before) < len(took) and took[: len(before)] == before
    assert not list(tmp_path.rglob("*.checkpoint.pt"))
