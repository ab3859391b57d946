"""The grid of Table 3: killed, called again and shared, it ends with every record once, whole and
right.
"""

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from filled import filled
from repeat import at_threads_of

from reproduction import records
from reproduction.grid import Elsewhere, claim
from reproduction.paths import RESULTS, data_root
from reproduction.training import cells as training_cells
from reproduction.training import plans
from reproduction.training.arms import EXPERIMENT, LEVEL_SEEDS
from reproduction.training.cells import Cell, grid
from reproduction.training.due import due
from reproduction.training.loop import _Loop, train
from reproduction.training.pairs import dose_response, paired
from reproduction.training.pictures import load_pictures
from reproduction.training.read import read_runs, table_3
from reproduction.training.recipes import RECIPES, Run
from reproduction.training.run import at_scale, pairs, progress, run_grid, run_plan, trained

TINY = replace(RECIPES["quick"], epochs=3, train_images=150, test_images=50)
ARMS = ("baseline", "constrained:alpha=1", "yoked:of=constrained,alpha=1")
CELLS = [Cell("quick", "digits", "resnet34", arm, seed) for seed in (0, 1) for arm in ARMS]
TIMED = {"seconds", "images_per_second"}


@pytest.fixture(autouse=True)
def small_recipe(monkeypatch):
    monkeypatch.setattr(training_cells, "RECIPES", {**RECIPES, "quick": TINY})


def work(root, done=None):
    """In a process of its own: go through the grid; tell which cells it did."""
    torch.set_num_threads(1)
    training_cells.RECIPES = {**RECIPES, "quick": TINY}
    for path in run_grid(CELLS, root=root, device="cpu"):
        if done is not None:
            done.put(path.name)


@pytest.fixture(scope="module")
def forks():
    """Processes that start at once, from a server that has the imports behind it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["reproduction.training.run", "timm", "torchvision", "sklearn.datasets"]
    )
    return context


def metrics(root, experiment=EXPERIMENT):
    found = {}
    for path in sorted((root / experiment).glob("*.json")):
        whole = records.read(path)["metrics"]
        whole["history"] = {
            key: values for key, values in whole["history"].items() if key not in TIMED
        }
        found[path.name] = json.dumps(
            {key: value for key, value in whole.items() if key not in TIMED}
        )
    return found


@pytest.fixture(scope="module")
def undisturbed(forks, tmp_path_factory):
    root = tmp_path_factory.mktemp("undisturbed")
    process = forks.Process(target=work, args=(root,))
    process.start()
    process.join(300)
    assert process.exitcode == 0
    assert len(metrics(root)) == len(CELLS)
    return root


def unfinished(folder):
    """What belongs to no whole record: a kill between a record and its checkpoint's end leaves the
    latter behind, which nothing reads.
    """
    hidden = [path.name for path in folder.glob(".*") if not path.name.endswith(".tmp")]
    whole = {path.stem for path in folder.glob("*.json")}
    return [name for name in hidden if name[1:].partition(".")[0] not in whole]


def test_killed_at_twenty_moments(forks, undisturbed, tmp_path):
    moments = random.Random(0)
    kills = 0
    while kills < 20:
        process = forks.Process(target=work, args=(tmp_path,))
        process.start()
        process.join(moments.uniform(0.2, 1.5))
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.join()
        if len(metrics(tmp_path)) == len(
            CELLS
        ):  # all done before twenty kills: lose a record, go on
            next((tmp_path / EXPERIMENT).glob("constrained*.json")).unlink()
    assert kills == 20
    process = forks.Process(target=work, args=(tmp_path,))
    process.start()
    process.join(300)
    assert process.exitcode == 0
    assert metrics(tmp_path) == metrics(undisturbed)
    assert not unfinished(tmp_path / EXPERIMENT)


def share(root, done):
    """In a process of its own: `work`, and again as long as another process holds something."""
    while True:
        try:
            return work(root, done)
        except Elsewhere:
            time.sleep(0.1)


def test_two_processes_never_do_a_cell_twice(forks, undisturbed, tmp_path):
    done = forks.Queue()
    pair = [forks.Process(target=share, args=(tmp_path, done)) for _ in range(2)]
    for process in pair:
        process.start()
    names = [done.get(timeout=300) for _ in CELLS]
    for process in pair:
        process.join(300)
    assert done.empty() and sorted(names) == sorted(set(names))
    assert metrics(tmp_path) == metrics(undisturbed)


# --- a plan ---


def small_plan():
    """Three pairs of a plan, at the size of the grid above."""
    whole = plans.rehearsal(plans.load("imagenette-vit"))
    networks = {"ResNet34": plans.Network("ResNet34", ("B", "R"), pairs=3)}
    return replace(whole, recipe=replace(TINY, test_last=True), networks=networks)


def work_on_plan(root):
    """In a process of its own: run what the plan lacks."""
    torch.set_num_threads(1)
    for _ in run_plan(small_plan(), root=root, device="cpu"):
        pass


@pytest.fixture(scope="module")
def undisturbed_plan(forks, tmp_path_factory):
    root = tmp_path_factory.mktemp("undisturbed-plan")
    process = forks.Process(target=work_on_plan, args=(root,))
    process.start()
    process.join(300)
    assert process.exitcode == 0
    return root


def seeds_done(plan, root):
    """By arm, the seeds that have a whole record."""
    cells = [cell for cell in due(plan, root) if cell.done(root)]
    return {arm: {cell.seed for cell in cells if cell.arm == arm} for arm in ("B", "R")}


def test_a_plan_killed_at_twenty_moments(forks, undisturbed_plan, tmp_path):
    """Nothing is lost, nothing doubled, and at every moment the arms have the same seeds, but for
    the pair that is being run.
    """
    plan, moments, kills = small_plan(), random.Random(1), 0
    kept = {}  # the files of finished runs, which no kill and no later run may touch
    while kills < 20:
        process = forks.Process(target=work_on_plan, args=(tmp_path,))
        process.start()
        process.join(moments.uniform(0.2, 1.5))
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.join()
        done = seeds_done(plan, tmp_path)
        assert done["R"] <= done["B"] and len(done["B"] - done["R"]) <= 1
        now = {path.name: path.read_bytes() for path in (tmp_path / plan.name).glob("[!.]*.json")}
        assert kept.items() <= now.items()
        kept = now
        if len(done["R"]) == 3:  # all done before twenty kills: lose a pair, go on
            for path in (tmp_path / plan.name).glob("*-seed102-*.json"):
                del kept[path.name]
                path.unlink()
    process = forks.Process(target=work_on_plan, args=(tmp_path,))
    process.start()
    process.join(300)
    assert process.exitcode == 0
    assert metrics(tmp_path, plan.name) == metrics(undisturbed_plan, plan.name)
    assert len(metrics(tmp_path, plan.name)) == 6
    assert not unfinished(tmp_path / plan.name)


def test_gamma_is_where_the_baseline_ended(undisturbed):
    for cell in CELLS:
        baseline = replace(cell, arm="baseline")
        if cell != baseline:
            own = records.read(cell.path(undisturbed))["metrics"]
            ended = records.read(baseline.path(undisturbed))["metrics"]
            assert own["gamma"] == ended["ss_rate_train"]
            assert own["settings"]["penalty"]["alpha"] == 1


def test_a_record_has_the_seconds_of_its_epochs(undisturbed):
    for cell in CELLS:
        record = records.read(cell.path(undisturbed))
        seconds = record["metrics"]["history"]["seconds"]
        assert len(seconds) == TINY.epochs and record["seconds"] == round(sum(seconds), 2)


def test_minutes_and_progress(undisturbed, tmp_path):
    assert list(run_grid(CELLS, root=tmp_path, minutes=1e-9, device="cpu")) == []
    assert set(progress(CELLS, tmp_path)["state"]) == {"not run"}
    assert set(progress(CELLS, undisturbed)["state"]) == {"done"}
    with claim(CELLS[0].path(tmp_path)):
        assert progress(CELLS, tmp_path)["state"].tolist()[:2] == ["running", "not run"]
        # What another process does, and what waits for that, is left: nobody sits and waits.
        with pytest.raises(Elsewhere, match="baseline.*, constr.*, yoked.*; the same command"):
            list(run_grid(CELLS[:3], root=tmp_path, device="cpu"))
    with pytest.raises(ValueError, match="minutes: expected a number above 0"):
        list(run_grid(CELLS, root=tmp_path, minutes=0))


def test_a_constrained_arm_without_its_baseline(tmp_path):
    """The command that the error names is one that makes what is missing."""
    command = (
        "python -m reproduction train --recipe quick --dataset digits --models resnet34 "
        f"--arms baseline --seeds 0 --results {tmp_path}$"
    )
    message = f"needs runs that are not there: baseline of resnet34, seeds 0. .* {command}"
    with pytest.raises(FileNotFoundError, match=message):
        list(run_grid(CELLS[1:2], root=tmp_path, device="cpu"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": "long"}, "recipe: expected one of paper, paper-4, paper-4-gathered"),
        ({"model": "resnet43"}, "is no model of Table 1"),
        (
            {"arm": "constraint"},
            "arm: expected one of baseline, constrained, released, wrong, yoked",
        ),
        ({"arm": "constrained:alpha=-1"}, "alpha must be at least 0"),
        ({"arm": "baseline:alpha=1"}, "belongs to constrained and its controls only"),
        ({"arm": "released:gamma=0.2"}, "gamma belongs to constrained and its controls only"),
        ({"arm": "constrained:gamma=2"}, r"gamma: expected a number in \[0, 1\] or one of own"),
        ({"arm": "constrained:beta=2"}, "expected options of, alpha or gamma, got 'beta'"),
        ({"arm": "constrained:of=released"}, "of must be released or constrained and belongs"),
        ({"arm": "wrong:of=constrained"}, "a wrong target needs a gamma away from where"),
        ({"arm": "yoked"}, "the release has no command"),
        ({"arm": "constrained:gamma=model", "seed": 1004}, "seed: 1000 to 1004 are those of the"),
        ({"arm": "constrained:alpha=x"}, "'x' is no number"),
        ({"arm": "baseline@0"}, "the learning rate must be above 0"),
        ({"arm": "released", "model": "vgg11"}, "the release has no command"),
        ({"seed": 0.5}, "seed: expected an integer"),
    ],
)
def test_bad_cells(change, message):
    with pytest.raises(ValueError, match=message):
        Cell(
            **(
                {
                    "recipe": "quick",
                    "dataset": "digits",
                    "model": "resnet34",
                    "arm": "baseline",
                    "seed": 0,
                }
                | change
            )
        )


def test_a_cell_names_its_baseline():
    cell = Cell("quick", "digits", "ViT (small)", "constrained:alpha=1@1e-4", 0)
    (baseline,) = cell.needs
    assert baseline.arm == "baseline@0.0001" and baseline.needs == () and baseline.seed == 0


def test_released_arms_take_the_scripts_numbers(tmp_path):
    run = Cell("paper", "imagenette", "resmlp_12_224", "released", 0).run(tmp_path)
    assert (run.lr, run.penalty.alpha, run.penalty.gamma, run.penalty.form) == (
        5e-3,
        5e-2,
        0.2,
        "released",
    )
    assert Cell("cpu", "cifar10", "resmlp_12_224", "released", 0).run(tmp_path).lr is None
    wrong = Cell("paper", "imagenette", "resmlp_12_224", "wrong", 0)
    assert {(cell.arm, cell.seed) for cell in wrong.needs} == {
        ("baseline@0.005", seed) for seed in LEVEL_SEEDS
    }


# --- gamma, and the controls ---


def ended(root, cell, rate, **more):
    """A record of a baseline that ended with that SS_rate."""
    metrics = filled(cell.experiment, {"ss_rate_train": rate, **more})
    records.write(
        records.new_record(cell.experiment, cell.config, cell.seed, metrics, seconds=1.0), root
    )


def test_gamma_of_a_model_is_the_mean_of_five_baselines_of_no_pair(tmp_path):
    arm = {"recipe": "quick", "dataset": "digits", "names": ["vgg11"], "seeds": [0, 1]}
    *levels, first, one, _, two = grid(arms=["baseline", "constrained"], **arm)
    assert [cell.seed for cell in levels] == list(LEVEL_SEEDS) and len(levels) == 5
    assert first.seed == 0 and one.arm == two.arm == "constrained:gamma=model"
    assert one.config != Cell("quick", "digits", "vgg11", "constrained", 0).config
    for cell in levels[:3]:
        ended(tmp_path, cell, 0.1)
    message = "needs runs that are not there: baseline of vgg11, seeds 1003 1004. Make them with: "
    with pytest.raises(FileNotFoundError, match=message):
        one.run(tmp_path)
    for cell in levels[3:]:
        ended(tmp_path, cell, 0.3)
    assert one.run(tmp_path).penalty.gamma == pytest.approx(0.18)
    assert two.run(tmp_path).penalty.gamma == one.run(tmp_path).penalty.gamma
    without = grid(arms=["constrained"], **arm)
    assert [cell.seed for cell in without] == [0, 1]  # the error names the command instead


def test_the_placebo_is_known_by_its_records_only(tmp_path):
    cells = grid("cpu", "cifar10", ["resmlp_12_224"], ["placebo:alpha=1"], [0, 1, 2])
    assert set(progress(cells)["state"]) == {"done"} and not list(run_grid(cells, device="cpu"))
    with pytest.raises(ValueError, match="the placebo is no longer run.*; expected yoked"):
        list(run_grid(cells, root=tmp_path, device="cpu"))


def test_every_committed_run_of_the_grid_has_a_cell_of_its_name():
    paths = sorted((RESULTS / EXPERIMENT).glob("*.json"))
    for path in paths:
        record = records.read(path)
        cell = Cell(**record["config"], seed=record["seed"])
        assert cell.path(RESULTS) == path and cell.done(RESULTS)
    assert len(paths) > 100


def test_what_is_missing_is_named_in_one_command(tmp_path):
    cells = grid("quick", "digits", ["vgg11"], ["constrained"], [0])
    seeds = " ".join(map(str, LEVEL_SEEDS))
    with pytest.raises(FileNotFoundError) as error:
        list(run_grid(cells, root=tmp_path, device="cpu"))
    assert str(error.value) == (
        "constrained:gamma=model of vgg11, seed 0, needs runs that are not there: baseline of "
        f"vgg11, seeds {seeds}. Make them with: python -m reproduction train --recipe quick "
        f"--dataset digits --models vgg11 --arms baseline --seeds {seeds} --results {tmp_path}"
    )


@pytest.mark.parametrize(("gamma", "expected"), [("table2", 0.18), ("0.25", 0.25), ("own", 0.4)])
def test_other_readings_of_gamma(gamma, expected, tmp_path):
    base, cell = grid("quick", "digits", ["vgg11"], ["baseline", "constrained"], [0], gamma)
    ended(tmp_path, base, 0.4)
    assert cell.run(tmp_path).penalty.gamma == expected
    named = grid("quick", "digits", ["vgg11"], [f"constrained:gamma={gamma}"], [0], "model")
    assert named == [cell]


def test_a_gamma_that_is_none():
    with pytest.raises(ValueError, match="gamma: expected a number in .* got 'mine'"):
        grid("quick", "digits", ["vgg11"], ["baseline"], [0], "mine")


def test_the_wrong_target_is_as_far_on_the_other_side(tmp_path):
    cell = Cell("cpu", "cifar10", "vit_small_patch16_224", "wrong", 0)
    for baseline in cell.needs:
        ended(tmp_path, baseline, 0.18)
    right = replace(cell, arm="released").run(tmp_path).penalty
    wrong = cell.run(tmp_path).penalty
    assert wrong.gamma == pytest.approx(2 * 0.18 - right.gamma)
    assert (wrong.alpha, wrong.form) == (right.alpha, right.form) == (0.05, "released")
    printed = replace(cell, arm="wrong:of=constrained,alpha=1,gamma=0.3").run(tmp_path).penalty
    assert printed.gamma == pytest.approx(0.06) and printed.form == "printed"


def test_a_yoked_run_takes_the_doses_of_its_partner(tmp_path):
    cell = Cell("cpu", "cifar10", "vit_small_patch16_224", "yoked", 0)
    assert cell.needs == (replace(cell, arm="released"),)
    with pytest.raises(FileNotFoundError, match="--arms released --seeds 0"):
        list(run_grid([cell], root=tmp_path, device="cpu"))
    own = replace(cell, arm="yoked:of=constrained")
    with pytest.raises(FileNotFoundError, match="--arms constrained:gamma=own --seeds 0"):
        list(run_grid([own], root=tmp_path, device="cpu"))
    ended(tmp_path, *cell.needs, 0.2, doses=[[0.5, -0.25]])
    assert cell.doses(tmp_path) == [[0.5, -0.25]] and cell.run(tmp_path).penalty.yoked
    assert replace(cell, arm="released").doses(tmp_path) is None
    older = replace(cell, seed=1)
    ended(tmp_path, *older.needs, 0.2)
    with pytest.raises(ValueError, match="was made before the sizes of steps were kept"):
        list(run_grid([replace(older, arm="baseline"), older], root=tmp_path, device="cpu"))
    assert not replace(older, arm="baseline").done(tmp_path)  # said before anything is trained


def test_a_control_is_trained_beside_what_it_controls(tmp_path):
    """From the command's grid to the tables: each control in a row of its own."""
    arms = ["baseline", "constrained:alpha=1,gamma=0.8", "yoked:of=constrained,alpha=1,gamma=0.8"]
    cells = grid("quick", "digits", ["resmlp_12_224"], arms, [0])
    assert len(list(run_grid(cells, root=tmp_path, device="cpu", matrices=False))) == 3
    yoked = records.read(cells[2].path(tmp_path))["metrics"]
    assert yoked["settings"]["penalty"]["yoked"] and yoked["gamma"] == 0.8
    assert "doses" not in yoked and set(yoked["history"]["penalty"]) == {0.0}
    doses = dose_response(read_runs(tmp_path))
    assert [key[1] for key in doses.index] == [
        "constrained:gamma=0.8",
        "yoked:of=constrained,gamma=0.8",
    ]


def test_the_command(tmp_path):
    command = [
        sys.executable,
        "-m",
        "reproduction",
        "train",
        "--recipe",
        "quick",
        "--dataset",
        "digits",
        "--models",
        "resnet34",
        "--results",
        str(tmp_path),
    ]
    listed = subprocess.run([*command, "--list"], capture_output=True, text=True, check=True).stdout
    assert listed.count("not run") == 2 + len(LEVEL_SEEDS)
    own = subprocess.run(
        [*command, "--list", "--gamma", "own"], capture_output=True, text=True, check=True
    )
    assert own.stdout.count("not run") == 2
    wrong = subprocess.run([*command, "--arms", "nonsense"], capture_output=True, text=True)
    assert wrong.returncode == 2 and wrong.stderr.startswith("arm: expected one of")
    missing = subprocess.run(
        [*command, "--dataset", "imagenet-sample"],
        capture_output=True,
        text=True,
        env={**os.environ, "SSLIB_DATA": ""},
    )
    assert missing.returncode == 2 and "imagenet-sample is no download" in missing.stderr


# --- what a notebook runs ---


def test_quick_pairs_are_trained_at_once_and_do_not_stay():
    settings = {"scale": "quick", "recipe": "quick", "dataset": "digits", "n_seeds": 1}
    settings["names"] = ["resnet34"]
    assert at_scale(settings) == []
    with trained(settings) as folder:
        runs = read_runs(folder)
    assert runs["arm"].tolist() == ["baseline", "constrained"] and not folder.exists()


def test_pairs_of_a_larger_scale_are_among_all_records():
    settings = {"scale": "paper", "recipe": "paper", "dataset": "imagenette", "n_seeds": 3}
    settings["names"] = None
    cells = [cell for job in at_scale(settings) for cell in job.cells]
    assert len(cells) == len(pairs(settings)) == 9 * (len(LEVEL_SEEDS) + 2 * 3)
    assert sorted({seed for _, seed in cells}) == [0, 1, 2, *LEVEL_SEEDS]
    with trained(settings) as folder:
        assert folder == RESULTS


# --- reading what was run ---


def test_doses_are_compared_with_the_baseline_of_their_seed(undisturbed):
    doses = dose_response(read_runs(undisturbed))
    row = doses.loc["ResNet34", "constrained", 1.0]
    gains = paired(read_runs(undisturbed), "constrained:alpha=1")["difference"]
    assert row["n"] == 2 and row["top-1"] == pytest.approx(gains.mean())
    assert row["nearer"] == pytest.approx(row["without"] - row["with"]) and row["without"] > 0


def test_reading_records(undisturbed, tmp_path):
    runs = read_runs(undisturbed)
    assert len(runs) == len(CELLS) and set(runs["arm"]) == set(ARMS)
    assert set(runs["alpha"]) == {0.0, 1.0} and runs["ss_rate_probe"].between(0, 1).all()
    empty = read_runs(tmp_path)
    assert empty.empty and list(empty.columns) == list(runs.columns)
    assert table_3(empty, "cpu", "cifar10")["baseline: n"].eq(0).all()


def test_a_recipe_that_was_changed_under_its_name_is_told(undisturbed, tmp_path):
    for source in (undisturbed / EXPERIMENT).glob("*.json"):
        record = json.loads(source.read_text(encoding="utf-8"))
        if "seed1" in source.name and "baseline" in source.name:
            record["metrics"]["settings"]["epochs"] += 1
        (tmp_path / EXPERIMENT).mkdir(exist_ok=True)
        (tmp_path / EXPERIMENT / source.name).write_text(json.dumps(record), encoding="utf-8")
    with pytest.warns(
        UserWarning,
        match="runs of recipe 'quick' differ in epochs: baseline.*seed1.* and baseline.*seed0",
    ):
        read_runs(tmp_path)


@pytest.mark.skipif(
    data_root() is None or not (data_root() / "cifar10").is_dir(),
    reason="no CIFAR-10 in SSLIB_DATA",
)
def test_a_committed_cell_again(tmp_path):
    """The first epoch of a committed run, from its configuration: other machines may differ in the
    last digits.
    """
    record = records.read(Cell("cpu", "cifar10", "resnet34", "baseline", 0).path(RESULTS))
    committed, recipe = record["metrics"], RECIPES["cpu"]
    with at_threads_of(record):
        loop = _Loop(Run("resnet34", recipe, 0), load_pictures("cifar10", recipe), "cpu")
        loop.run_epoch()
        loop.close()
    assert loop.before["64"] == pytest.approx(committed["ss_rate_probe_before"]["64"], abs=2e-3)
    assert loop.history["train_loss"][0] == pytest.approx(
        committed["history"]["train_loss"][0], rel=0.02
    )
    assert loop.history["test"][0] == pytest.approx(committed["history"]["test"][0], abs=5)


@pytest.mark.parametrize(
    "arm",
    ["baseline", "constrained:gamma=model", "wrong:of=constrained,alpha=0.01,gamma=0.3"]
    + ["yoked:of=constrained,alpha=0.01,gamma=0.3"],
)
def test_a_committed_quick_cell_again(arm, monkeypatch):
    """A whole committed run, from its configuration: other machines may differ, and what differs
    first grows in training.
    """
    monkeypatch.setattr(training_cells, "RECIPES", RECIPES)
    cell = Cell("quick", "digits", "resnet34", arm, 0)
    committed = records.read(cell.path(RESULTS))
    run = cell.run(RESULTS)
    pictures = load_pictures("digits", run.recipe)
    with at_threads_of(committed):
        again = train(run, pictures, doses=cell.doses(RESULTS))
    assert set(again["history"]["threads"]) == {committed["device"]["threads"]}
    assert committed["data"]["fingerprint"] == pictures.fingerprint
    before, first = committed["metrics"], committed["metrics"]["history"]
    assert again["ss_rate_probe_before"]["64"] == pytest.approx(
        before["ss_rate_probe_before"]["64"], abs=2e-3
    )
    assert again["history"]["train_loss"][0] == pytest.approx(first["train_loss"][0], rel=0.02)
    assert again["history"]["ss_rate_train"][0] == pytest.approx(
        first["ss_rate_train"][0], abs=0.02
    )
    assert (
        again["top1_last"] == pytest.approx(before["top1_last"], abs=8)
        and again["gamma"] == before["gamma"]
    )
    assert again["ss_rate_train"] == pytest.approx(before["ss_rate_train"], abs=0.05)
