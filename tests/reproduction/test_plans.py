"""Plans of training: their text is fixed by its hash, and their records decide how they go on."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime

import pytest
import yaml

from reproduction import records
from reproduction.__main__ import main
from reproduction.paths import RESULTS, ROOT
from reproduction.training import plans
from reproduction.training.due import due, pairs_for
from reproduction.training.plans import inherent, load, names, rehearsal
from reproduction.training.run import run_plan

LOOK = {"level": 0.05, "power": 0.8}


def fake(plan, model, arm, seed, root, *, rate=0.18, top1=50.0):
    """A record of a run that was not trained."""
    cell = plan.cell(model, arm, seed)
    metrics = {"ss_rate_train": rate, "ss_rate_train_modules": {"a": rate}, "top1_last": top1}
    metrics["gamma"] = 0.3 if arm != "B" else None
    record = records.new_record(cell.experiment, cell.config, seed, metrics, seconds=1.0)
    records.write(record, root)


def fill(plan, root, n, *, start=0, closer=0.05, gain=0.0):
    """The first n pairs of every network: R ends `closer` to gamma than B."""
    for seed in range(plan.first_seed + start, plan.first_seed + n):
        for model in plan.networks:
            fake(plan, model, "B", seed, root)
            fake(plan, model, "R", seed, root, rate=0.18 + closer, top1=50.0 + gain)


@pytest.fixture
def plan():
    return load("small-confirm")


def seeds(cells, model, arm):
    return [cell.seed for cell in cells if (cell.model, cell.arm) == (model, arm)]


@pytest.mark.parametrize("name", names())
def test_every_plan_is_complete_and_asks_for_runs(name, tmp_path):
    plan = load(name)
    cells = due(plan, tmp_path)
    assert cells and {cell.model for cell in cells} == set(plan.networks)
    assert all(cell.run(tmp_path).recipe == cell.protocol for cell in cells)


def test_unknown_and_incomplete_plans_are_named(tmp_path):
    with pytest.raises(ValueError, match="plan: expected one of small-confirm, .*got 'none'"):
        load("none")
    path = tmp_path / "plan.yml"
    path.write_text(yaml.safe_dump({"plans": {"mine": {"recipe": {"name": "cpu"}}}}))
    with pytest.raises(ValueError, match="plan 'mine' is not complete: 'networks'"):
        load("mine", path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plans: [", "expected YAML, and it is damaged, line 1"),
        ("", "expected plans under the key 'plans'"),
        ("plan: {}", "expected plans under the key 'plans'"),
        ("plans: 3", "expected plans under the key 'plans', got 3"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, text, message):
    path = tmp_path / "plan.yml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        load("small-confirm", path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_change_of_a_plan_changes_its_hash(tmp_path, plan):
    text = yaml.safe_load(plans.PLANS.read_text())
    text["plans"]["small-confirm"]["networks"]["ResNet34"]["margin"] = 0.6
    path = tmp_path / "plan.yml"
    path.write_text(yaml.safe_dump(text))
    changed = load("small-confirm", path)
    assert changed.fingerprint != plan.fingerprint
    cell, other = (p.cell("ResNet34", "B", 100) for p in (plan, changed))
    assert cell.path(tmp_path) != other.path(tmp_path)


@pytest.mark.parametrize("name", names())
def test_no_plan_was_changed_once_a_run_of_it_exists(name):
    plan = load(name)
    runs = records.read_all(name)
    assert runs.empty or set(runs["config.plan"]) == {plan.fingerprint}


@pytest.mark.parametrize("name", names())
def test_the_plan_was_committed_before_its_runs(name):
    """The oldest commit whose plan has the hash of the records is older than every record."""
    runs = records.read_all(name)
    if runs.empty:
        pytest.skip("not run")
    shown = subprocess.run(
        ["git", "log", "--reverse", "--format=%H %ct", "--", "data/results/plan.yml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if shown.returncode or not shown.stdout:
        pytest.skip("no history here")
    for line in shown.stdout.splitlines():
        commit, seconds = line.split()
        command = ["git", "show", f"{commit}:data/results/plan.yml"]
        text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        found = yaml.safe_load(text).get("plans", {}).get(name)
        if found and {plans._hash(found)} == set(runs["config.plan"]):
            committed = datetime.fromtimestamp(int(seconds), UTC)
            assert all(datetime.fromisoformat(date) >= committed for date in runs["date"])
            return
    pytest.fail("no commit has the plan of the records")


def test_pairs_come_before_the_next_seed(plan, tmp_path):
    cells = due(plan, tmp_path)
    assert [cell.seed for cell in cells] == sorted(cell.seed for cell in cells)
    assert [(cell.model, cell.arm) for cell in cells[:4]] == [
        ("ViT (small)", "B"),
        ("ViT (small)", "R"),
        ("ResNet34", "B"),
        ("ResNet34", "R"),
    ]
    assert max(cell.seed for cell in cells) == 103


def test_a_network_stops_where_nothing_is_delivered(plan, tmp_path):
    fill(plan, tmp_path, 4, closer=0.001)
    cells = due(plan, tmp_path)
    assert all(cell.done(tmp_path) for cell in cells)
    assert list(run_plan(plan, root=tmp_path)) == []


def test_after_the_look_the_wrong_target_joins_and_pairs_may_be_added(plan, tmp_path):
    fill(plan, tmp_path, 4)
    assert max(cell.seed for cell in due(plan, tmp_path)) == 105
    assert not seeds(due(plan, tmp_path), "ViT (small)", "W")
    fill(plan, tmp_path, 6, start=4, gain=-4.0)
    cells = due(plan, tmp_path)
    assert seeds(cells, "ViT (small)", "W") == seeds(cells, "ViT (small)", "B")
    assert len(seeds(cells, "ViT (small)", "R")) == 68  # two pairs far apart: the most
    assert len(seeds(cells, "MLP-Mixer", "R")) == 12
    wrong = plan.cell("ViT (small)", "W", 100).run(tmp_path).penalty
    assert inherent(plan, "ViT (small)", tmp_path) == pytest.approx(0.18)
    assert (wrong.gamma, wrong.form) == (pytest.approx(0.06), "released")


def test_small_scatter_never_lowers_the_number_of_pairs(plan, tmp_path):
    fill(plan, tmp_path, 6)
    assert len(seeds(due(plan, tmp_path), "ResNet34", "B")) == 34


def test_a_wrong_target_waits_for_its_baselines(plan, tmp_path):
    with pytest.raises(FileNotFoundError):
        plan.cell("ViT (small)", "W", 100).run(tmp_path)


def test_the_look_is_blind_to_signs():
    values = [1.2, -0.4, 0.9, 1.3, -0.2, 1.0]
    for asked in ({"difference": 0.51}, {"margin": 0.5}):
        n = pairs_for(values, LOOK, **asked)
        assert n == pairs_for([-value for value in values], LOOK, **asked)
        assert n == pairs_for([abs(value) for value in values], LOOK, **asked)
        assert pairs_for([3 * value for value in values], LOOK, **asked) > n
    with pytest.raises(ValueError, match="difference, margin"):
        pairs_for(values, LOOK)


def test_the_number_of_pairs_has_the_power_it_promises():
    """Scatter 1, difference 0.51: z tests at 0.025 two-sided find it four times in five."""
    import numpy as np

    n = pairs_for([(1 + 0.51**2) ** 0.5], LOOK, difference=0.51)
    draws = np.random.default_rng(0).normal(0.51, 1, (20_000, n))
    found = (draws.mean(1) * n**0.5 > 2.2414).mean()
    assert found == pytest.approx(0.8, abs=0.015)


def test_a_rehearsal_trains_and_keeps_its_records_apart(tmp_path):
    plan = rehearsal(load("imagenette-vit"))
    path = next(run_plan(plan, root=tmp_path, device="cpu"))
    record = records.read(path)
    assert path.parent.name == "rehearsal-imagenette-vit" and record["config"]["arm"] == "B"
    history = record["metrics"]["history"]["test"]
    assert all(value != value for value in history[:-1])  # looked at after the last epoch only
    assert record["metrics"]["top1_last"] == history[-1] == record["metrics"]["top1_best"]
    assert not (RESULTS / path.parent.name).exists()


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """The command on tmp_path, which is to end with exit 2; what it says."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["x", "train", "--results", str(tmp_path), *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 2
        return capsys.readouterr().err

    return call


def test_the_command_refuses_what_a_plan_does_not_leave_open(tmp_path, refused):
    """One clear line, before anything is trained."""
    assert "plan: expected one of small-confirm" in refused("--plan", "none")
    for option in (("recipe", "cpu"), ("dataset", "digits"), ("gamma", "own")):
        message = refused("--plan", "small-confirm", f"--{option[0]}", option[1])
        assert f"--{option[0]}: not allowed with argument --plan" in message
    for option in (("seeds", "3"), ("arms", "baseline"), ("models", "VGG")):
        message = refused("--plan", "small-confirm", f"--{option[0]}", option[1])
        assert "models, arms, seeds: the plan asks for no such run, or not yet" in message
    assert "--rehearse: expected together with --plan" in refused("--rehearse")
    assert not list(tmp_path.rglob("*.json"))


def test_the_command_refuses_records_of_another_text(tmp_path, refused):
    cell = load("imagenette-vit").cell("ViT (small)", "B", 100)
    config = cell.config | {"plan": "0123456789ab"}
    metrics = {"ss_rate_train": 0.2, "ss_rate_train_modules": {"a": 0.2}, "gamma": None}
    metrics["top1_last"] = 50.0
    records.write(records.new_record(cell.experiment, config, 100, metrics, seconds=1.0), tmp_path)
    message = refused("--plan", "imagenette-vit", "--device", "cpu")
    assert "0123456789ab" in message and "a new name" in message
