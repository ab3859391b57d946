"""Trained networks: weights by content, known measurements, rules of the plan, words, records."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

from reproduction import models, records
from reproduction.images import load_images
from reproduction.paths import RESULTS, ROOT
from reproduction.trained import CHECK, LAYERS, NAMES, read, read_beside, remote, run, say
from reproduction.trained import weights as trained_weights
from reproduction.trained.weights import NETWORKS, content, trained
from sslib.boxes import scale_free_rate

TINY = "vit_tiny_patch16_224"


def features(seed: int, D: int = 24, B: int = 40) -> torch.Tensor:
    return torch.randn(D, B, generator=torch.Generator().manual_seed(seed))


# --- weights


@pytest.fixture(scope="module")
def tiny() -> torch.nn.Module:
    return models.untrained(NETWORKS[TINY], 7)


def test_weights_are_known_by_content_not_by_file(tiny, tmp_path):
    save_file(
        tiny.state_dict(), tmp_path / f"{TINY}.safetensors", metadata={"note": "another file"}
    )
    found = trained(TINY, tmp_path)
    assert found.content == content(tiny) and found.label == f"state:{content(tiny)[:16]}"
    assert found.file != content(tiny) and len(found.file) == 64
    with torch.no_grad():
        found.network.cls_token += 1e-6
    assert content(found.network) != found.content


def test_a_file_under_timms_other_name_is_found(tmp_path):
    name = "tf_efficientnet_lite0"
    network = models.untrained(NETWORKS[name], 1)
    save_file(network.state_dict(), tmp_path / f"{trained_weights.OTHER_NAME[name]}.safetensors")
    assert trained(name, tmp_path).content == content(network)


def test_unknown_networks_and_missing_files_are_named(tmp_path):
    with pytest.raises(ValueError, match="model: expected one of vit_tiny_patch16_224, .*'vgg11'"):
        trained("vgg11", tmp_path)
    with pytest.raises(ValueError, match=f"there is no file .*{TINY}.safetensors"):
        trained(TINY, tmp_path)


def command(arguments: list[str], folder: Path, *, hub: Path) -> subprocess.CompletedProcess:
    """The command in a process of its own, with a hub cache of its own and no network."""
    environment = os.environ | {
        "HF_HOME": str(hub),
        "HF_HUB_OFFLINE": "1",
        "SSLIB_DATA": str(folder),
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "reproduction.trained",
            *arguments,
            "--results",
            str(folder / "out"),
        ],
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def pictures(tmp_path) -> Path:
    """A folder of images in the place of the ImageNet sample: four classes, one picture each."""
    rng = np.random.default_rng(0)
    for name in "abcd":
        folder = tmp_path / "imagenet-sample" / name
        folder.mkdir(parents=True)
        pixels = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "0.png")
    return tmp_path


def test_pretrained_weights_are_read_from_the_hubs_cache(tiny, pictures):
    """End to end without a network: the cache is laid out as huggingface_hub leaves it."""
    repository = pictures / "hf" / "hub" / f"models--timm--{TINY}.augreg_in21k_ft_in1k"
    blob, commit = repository / "blobs" / ("0" * 64), "1" * 40
    snapshot = repository / "snapshots" / commit
    for folder in (blob.parent, snapshot, repository / "refs"):
        folder.mkdir(parents=True)
    save_file(tiny.state_dict(), blob)
    (snapshot / "model.safetensors").symlink_to(Path("..", "..", "blobs", blob.name))
    (repository / "refs" / "main").write_text(commit)
    arguments = ["check", "--weights", "pretrained", "--models", TINY]
    done = command(arguments, pictures, hub=pictures / "hf")
    assert done.returncode == 0, done.stderr
    (path,) = done.stdout.split()
    record = records.read(path)
    assert record["metrics"]["sha256"] == {"state": content(tiny), "file": None}
    assert record["data"]["n"] == 4


def test_without_network_or_cache_one_line_says_what_to_do(pictures):
    arguments = ["check", "--weights", "pretrained", "--models", TINY]
    done = command(arguments, pictures, hub=pictures / "empty")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(
        f"The pretrained weights of {TINY}.augreg_in21k_ft_in1k could not be loaded"
    )
    assert line.endswith(
        f"put it as {TINY}.safetensors into a folder and give that folder as weights."
    )


# --- measurements


def test_accuracy_counts_the_first_and_the_first_five():
    logits = torch.arange(10.0)[:, None].repeat(1, 4)  # ranks 9, 8, 7 ...
    assert run.accuracy(logits, torch.tensor([9, 5, 4, 9])) == {"top1": 0.5, "top5": 0.75}


def test_features_and_logits_are_those_of_one_forward(tiny):
    images = load_images("photographs", 3)
    arch = NETWORKS[TINY]
    F, logits = run.features_and_logits(arch, tiny, images, device="cpu")
    assert list(F) == list(arch.modules) and F["blocks.0"].shape == (192, 3)
    with torch.no_grad():
        expected = tiny(images.normalised(arch.mean, arch.std)).T
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)


def test_exchange_of_scales_is_undone_by_the_ratio():
    U, T = features(0), 5 * features(1)
    found = run.exchange(U, T)
    again = run.exchange(U * 3, T * 3)
    assert found["ratio"] == pytest.approx(again["ratio"])
    # At one scale only the shape differs, so a layer against its own multiple differs by nothing.
    same = run.exchange(U, 5 * U)["released"]
    assert same["untrained"] == pytest.approx(same["trained at untrained scale"], abs=1e-6)
    assert same["trained"] == pytest.approx(same["untrained at trained scale"], abs=1e-6)
    assert same["trained"] != pytest.approx(same["untrained"], abs=1e-3)


def test_the_path_between_two_networks_ends_at_both():
    a, b = (torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4)) for _ in "ab")
    b[1].running_mean += 2
    b[1].num_batches_tracked += 9
    for t, end in ((0.0, a), (1.0, b)):
        middle = run.between(a, b, t).state_dict()
        for key, value in end.state_dict().items():
            if not key.endswith("tracked"):
                torch.testing.assert_close(middle[key], value)
    half = run.between(a, b, 0.5)
    torch.testing.assert_close(half[1].running_mean, torch.ones(4))
    torch.testing.assert_close(half[0].weight, (a[0].weight + b[0].weight) / 2)


def test_the_channels_left_out_are_the_remote_ones():
    F = features(2)
    F[5] += 100
    rows = {(row["which"], row["share"]): row for row in remote.without_remote(F)}
    others = torch.cat([F[:5], F[6:]])
    assert rows["remote", 0.01]["left_out"] == 1
    expected = scale_free_rate(others)
    assert rows["remote", 0.01]["released, mean"] == pytest.approx(expected)
    assert ("random", 0.0) not in rows


def test_the_picture_shows_the_same_channels_in_both_states():
    F = features(3)
    found = run.channel_picture(F, F, channels=10)
    assert found["channels"] == 10 and len(found["positions"]["trained"]) == 10
    assert found["participation"]["untrained"] == found["participation"]["trained"]


# --- rules


def of_layers(trained: list[float], untrained: list[float]) -> pd.DataFrame:
    """As from ``read.layers``: one module, a draw per trained value, a seed per untrained one."""
    rows = [("trained", 0, draw, value) for draw, value in enumerate(trained)]
    rows += [
        ("untrained", seed, draw, value)
        for seed, value in enumerate(untrained)
        for draw in range(len(trained))
    ]
    table = pd.DataFrame(rows, columns=["state", "seed", "draw", "released"])
    return table.assign(network="ViT-Tiny", module="blocks.0", depth=0.0)


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ([0.9, 0.9, 0.9], read.ABOVE),
        ([0.1, 0.1, 0.1], read.BELOW),
        ([0.52, 0.52, 0.52], read.WITHIN),
        ([0.49, 1.0, 1.0], read.WITHIN),  # outside on average, but not on one side in every draw
    ],
)
def test_outside_asks_for_the_interval_and_every_draw(values, outcome):
    (row,) = read.outside(
        of_layers(values, [0.48, 0.5, 0.52, 0.49, 0.51]), ["released"]
    ).itertuples()
    assert row.outcome == outcome
    assert (row.low, row.high) == pytest.approx(
        read.prediction_interval([0.48, 0.5, 0.52, 0.49, 0.51])
    )


def test_the_prediction_interval_holds_one_more_value_in_95_of_100_cases():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(4000):
        *five, sixth = rng.normal(size=6)
        low, high = read.prediction_interval(five)
        inside += low <= sixth <= high
    assert inside / 4000 == pytest.approx(0.95, abs=0.012)


def test_a_detectable_difference_is_found_with_its_power():
    rng = np.random.default_rng(1)
    sample = rng.normal(size=5)
    shift = read.detectable((sample - sample.mean()) / sample.std(ddof=1))
    found = 0
    for _ in range(4000):
        *five, sixth = rng.normal(size=6)
        found += sixth + shift > read.prediction_interval(five)[1]
    assert found / 4000 == pytest.approx(0.8, abs=0.02)


def test_a_module_without_a_value_in_some_run_is_left_out_of_all():
    table = of_layers([0.9], [0.5, 0.6])
    other = table.assign(module="blocks.1", released=0.0)
    other.loc[0, "released"] = np.nan
    (row,) = read.outside(pd.concat([table, other]), ["released"]).itertuples()
    assert row.modules == 1 and row.trained == 0.9


def of_twins(scale: float, shape: float, seeds: int = 5) -> pd.DataFrame:
    noise = np.random.default_rng(0).normal(0, 1e-3, seeds)
    return pd.DataFrame(
        {
            "network": "ViT-Tiny",
            "seed": range(seeds),
            "draw": 0,
            "module": "blocks.0",
            "depth": 0.0,
            "formula": "released",
            "untrained": 0.2 + noise,
            "trained": 0.2 + scale + shape,
            "trained at untrained scale": 0.2 + shape,
            "untrained at trained scale": 0.2 + noise + scale,
        }
    )


@pytest.mark.parametrize(
    ("scale", "shape", "outcome"),
    [(0.3, 0.0, "mostly scale"), (0.0, 0.3, "mostly shape"), (-0.1, 0.4, "mostly shape")],
)
def test_scale_and_shape_are_told_apart(scale, shape, outcome):
    (row,) = read.scale(of_twins(scale, shape)).itertuples()
    assert row.outcome == outcome
    assert (row.scale, row.shape) == pytest.approx((scale, shape), abs=2e-3)
    assert row.share == pytest.approx(scale / (scale + shape), abs=0.02)


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ([0.2, 0.3, 0.5, 0.6], "monotone"),
        ([0.2, 0.4, 0.3, 0.6], "within the range"),
        ([0.2, 0.0, 0.5, 0.6], "leaves the range"),
        ([0.6, 0.5, 0.15, 0.2], "within the range"),
    ],
)
def test_paths_by_their_shape(values, outcome):
    rows = [
        {"network": "n", "statistics": "none", "seed": s, "t": t / 3, "released": v}
        for s in range(3)
        for t, v in enumerate(values)
    ]
    (row,) = read.path_outcomes(pd.DataFrame(rows)).itertuples()
    assert row.outcome == outcome


def test_a_path_that_leaves_its_range_by_more_than_a_quarter():
    rows = [
        {"network": "n", "statistics": "none", "seed": 0, "t": t / 2, "released": v}
        for t, v in enumerate((0.2, 0.9, 0.4))
    ]
    (row,) = read.path_outcomes(pd.DataFrame(rows)).itertuples()
    assert row.outcome == "leaves the range" and row.excess == pytest.approx(2.5)


def test_depth_is_ranked_both_ways():
    table = pd.DataFrame({"network": "n", "depth": np.arange(7.0)})
    table = table.assign(**{"SS_rate": -table["depth"], "1 - CKA": table["depth"]})
    ranks = read.depth_ranks(table).set_index("measure")
    assert ranks.loc["SS_rate", "outcome"] == "as the paper says"
    assert ranks.loc["1 - CKA", "outcome"] == "the other way"
    assert ranks["p"].max() < 0.002  # 2 of 7! pairings


def test_unbiased_cka_stands_beside_that_of_another_seed(committed_alike):
    """The usual estimator, measured again, is what the records of the twins have."""
    alike = committed_alike
    assert (alike["bias"] > 0).all() and alike["bias"].max() < 0.1
    means = alike.groupby(["network", "module"])[["trained", "another seed"]].mean()
    assert (means["trained"] < means["another seed"]).all()
    twins = read.twins().query("draw == 0 and formula == 'released'")
    keys = ["network", "seed", "module"]
    both = alike.merge(twins[[*keys, "cka"]], on=keys)
    assert len(both) == len(alike) == 5 * (12 + 7)
    assert both["cka"].to_numpy() == pytest.approx(both["trained"] + both["bias"], abs=1e-6)
    said = say.alike(alike)
    assert said.count("between two random networks") == 2 and "is at most 0.09 larger" in said
    assert say.alike(alike.iloc[:0]) == "Not run."


@pytest.fixture
def committed_alike():
    return read_beside.alike()


def test_depth_has_a_column_for_each_estimator(committed_alike):
    depth = read.depth(read.layers(), read.twins(), committed_alike)
    assert list(depth.columns[3:]) == ["SS_rate", "1 - CKA", "1 - CKA, unbiased"]
    assert (depth["1 - CKA, unbiased"] > depth["1 - CKA"]).all() and len(depth) == 19


# --- words


NO_SCALE = pd.DataFrame(columns=["network", "formula", "share", "high", "outcome"])


def of_rates(released: str, printed: str) -> pd.DataFrame:
    rows = []
    for network in NAMES.values():
        for measure, outcome in (("released", released), ("printed", printed)):
            row = {"network": network, "measure": measure, "outcome": outcome}
            row |= {"untrained": 0.2, "trained": 0.5, "low": 0.1, "high": 0.3, "detectable": 0.2}
            rows.append(row | {"seeds": 5, "draws": 3})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("released", "printed", "word", "phrase"),
    [
        (read.ABOVE, read.ABOVE, "rises", "in 2 of 2 by the printed formula:"),
        (read.BELOW, read.BELOW, "falls", "in 0 of 2 by the printed formula (and lowers it in 2):"),
        (
            read.ABOVE,
            read.BELOW,
            "depends",
            "in 2 of 2 by the released formula: ViT-Tiny 0.20 → 0.50",
        ),
        (read.WITHIN, read.WITHIN, read.WITHIN, "in 0 of 2 by the printed formula:"),
    ],
)
def test_the_first_page_turns_on_the_outcome(released, printed, word, phrase):
    rates = of_rates(released, printed)
    assert say.rise(rates) == word
    assert phrase in say.first_page(rates, pd.DataFrame())
    power = "80 % power for a change of 0.20" in say.answer(rates, NO_SCALE, pd.DataFrame())
    assert power == (read.WITHIN in (released, printed))
    assert "each against 5 random initialisations (n = 2)" in say.first_page(rates, pd.DataFrame())


def test_nothing_run_is_said_so(tmp_path):
    nothing = pd.DataFrame({"measure": [], "outcome": []})
    assert say.first_page(nothing, nothing) == "Trained networks: not run."
    assert "nothing was run" in say.answer(nothing, nothing, nothing)
    empty = pd.DataFrame()
    for sentence in (say.weights, say.shape, say.structure, say.remote, say.path, say.norms):
        assert sentence(empty) == "Not run."
    assert say.invariance(empty) == say.covers(empty) == say.channels({}) == "Not run."
    assert read.layers(tmp_path).empty and read_beside.remote(tmp_path).empty


def test_a_scale_that_works_against_the_change_is_said_so():
    scale = read.scale(of_twins(-0.1, 0.4))
    rates = of_rates(read.ABOVE, read.WITHIN)
    assert "the scale alone would have changed it the other way" in say.answer(
        rates, scale, pd.DataFrame()
    )
    assert "the other way" not in say.answer(rates, read.scale(of_twins(0.1, 0.4)), pd.DataFrame())


def test_an_answer_that_depends_on_batch_norm_is_said_so():
    row = {"network": "EfficientNet-Lite0", "measure": "released", "outcome": read.BELOW}
    row |= {"running": read.ABOVE, "untrained": 0.23, "trained": 0.18}
    depending = pd.DataFrame([row | {"depends": True}])
    rates = of_rates(read.ABOVE, read.ABOVE)
    phrase = "depends on its untrained batch norm: with the statistics of each batch"
    for told in (say.first_page, lambda *tables: say.answer(tables[0], NO_SCALE, tables[1])):
        assert phrase in told(rates, depending)
        assert phrase not in told(rates, depending.assign(depends=False))
        assert phrase not in told(rates, pd.DataFrame())
    assert "the answer depends on" in say.norms(depending)
    assert "falls (0.23 → 0.18; with running statistics it rises)" in say.norms(depending)


# --- records


@pytest.fixture(scope="module")
def committed() -> pd.DataFrame:
    return records.read_all(LAYERS)


def test_every_question_of_the_plan_has_its_rule():
    plan = yaml.safe_load((RESULTS / "plan-trained.yml").read_text(encoding="utf-8"))
    for question in plan["questions"] + plan["added_questions"]:
        assert set(question) == {"key", "asks", "measured", "rule", "chance"}


def test_records_look_at_the_images_of_table_2(committed):
    table_2 = records.read_all("ss-rate")
    table_2 = table_2[table_2["config.n_images"] == 512].groupby("config.draw")
    expected = table_2["data.fingerprint"].first()
    found = committed.groupby("config.draw")["data.fingerprint"].unique()
    assert {draw: [expected[draw]] for draw in found.index} == {d: [*f] for d, f in found.items()}


def test_measured_weights_are_those_that_were_checked(committed):
    check = records.read_all(CHECK)
    checked = set(check["config.model"] + check["config.weights"])
    trained_runs = committed[committed["config.weights"] != "untrained"]
    assert set(trained_runs["config.model"]) == set(NAMES)
    assert set(trained_runs["config.model"] + trained_runs["config.weights"]) <= checked


def test_networks_are_as_complete_as_the_plan_says(committed):
    runs = committed[committed["config.weights"] == "untrained"]
    for _, part in runs.groupby("config.model"):
        assert sorted(zip(part["seed"], part["config.draw"], strict=True)) == [
            (seed, draw) for seed in run.SEEDS for draw in run.DRAWS
        ]


def folder_of_weights() -> Path | None:
    """Where the weights lie, if they do: SSLIB_WEIGHTS, or weights/ beside the images."""
    places = [os.environ.get("SSLIB_WEIGHTS"), os.environ.get("SSLIB_DATA")]
    folders = [Path(places[0])] if places[0] else []
    folders += [Path(places[1]) / "weights"] if places[1] else []
    return next((f for f in folders if (f / f"{TINY}.safetensors").is_file()), None)


@pytest.mark.skipif(
    folder_of_weights() is None or not os.environ.get("SSLIB_DATA"),
    reason="needs the weights (SSLIB_WEIGHTS) and the 1,000 images (SSLIB_DATA)",
)
@pytest.mark.parametrize("model", NAMES)
def test_accuracy_of_the_weights_as_recorded(model, tmp_path):
    check = records.read_all(CHECK)
    (recorded,) = check[check["config.model"] == model].to_dict("records")
    path, *_ = run.run_check(model, folder_of_weights(), device="cpu", root=tmp_path)
    again = records.read(path)
    assert again["data"]["fingerprint"] == recorded["data.fingerprint"]
    assert again["metrics"]["sha256"]["state"] == recorded["metrics.sha256"]["state"]
    for top in ("top1", "top5"):  # a picture or two may change sides with the order of sums
        assert again["metrics"][top] == pytest.approx(recorded[f"metrics.{top}"], abs=0.0021)
