"""The cells of Tables 4 and 5: recomputed by hand from noise pictures."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from filled import filled
from PIL import Image
from scipy.spatial.distance import cdist
from torch import nn

from reproduction import models, records
from reproduction.images import load_images
from reproduction.invariance import cells
from reproduction.invariance import run as invariance_run
from reproduction.invariance.cells import MODELS, UMAP_SETTINGS, WAYS
from reproduction.invariance.read_trained import trained_table
from reproduction.invariance.run import at_scale, invariance_metrics, run_invariance, run_noise
from reproduction.invariance.trained import run_before_training, run_trained
from reproduction.paper.tables import load_table
from reproduction.table_1 import find
from reproduction.training.matrices import read_matrices
from reproduction.training.recipes import GRAM_IMAGES
from sslib.dimension import RELEASED_UMAP, correlation_dimension
from sslib.grams import Gram
from sslib.powerlaw import powerlaw_exponent

UMAP = {"n_components": 2, "n_neighbors": 5, "min_dist": 0.1, "seed": 3}
N = 56  # more than the 50 eigenvalues that the released estimator asks for
ARCHITECTURE = find("resnet34")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    noise = np.random.default_rng(0).integers(0, 256, (N, 12, 16, 3), dtype=np.uint8)
    for k, pixels in enumerate(noise):
        Image.fromarray(pixels).save(folder / f"{k:02}.png")
    return f"imagefolder:{folder}"


@pytest.fixture(scope="module")
def run(pictures, tmp_path_factory):
    """ResNet34 on 32-pixel noise, under two settings of UMAP."""
    root = tmp_path_factory.mktemp("records")
    settings = [UMAP, UMAP | {"n_neighbors": 8}]
    arguments = {"settings": settings, "n_images": N, "size": 32, "root": root}
    return root, list(run_invariance(["ResNet"], [1], [pictures], **arguments)), arguments


@pytest.fixture(scope="module")
def outputs(pictures):
    """Flattened activations (N, features) and F (D, N) of every module, by hand, in float64."""
    images = load_images(pictures, N, seed=42, size=32)
    network = models.untrained("resnet34", 1)
    kept: dict[str, torch.Tensor] = {}
    for name in ARCHITECTURE.modules:
        network.get_submodule(name).register_forward_hook(
            lambda _, __, output, name=name: kept.update({name: output.detach().double().clone()})
        )
    with torch.no_grad():
        network(images.normalised())
    return {name: (x.flatten(1).numpy(), x.mean((2, 3)).T.numpy()) for name, x in kept.items()}


def umap(x, **options):
    from umap import UMAP as Reference

    return Reference(
        n_components=2, n_neighbors=5, min_dist=0.1, random_state=3, n_jobs=1, **options
    ).fit_transform(x)


def test_a_record_holds_what_its_configuration_gives(run, outputs, pictures):
    root, paths, _ = run
    record = next(r for r in map(records.read, paths) if r["config"]["umap"] == UMAP)
    assert (
        record["seed"] == 1
        and record["config"]["draw"] == 42
        and record["config"]["model"] == "resnet34"
    )
    assert record["data"]["fingerprint"] == load_images(pictures, N, seed=42, size=32).fingerprint
    layers, metrics = record["metrics"]["layers"], record["metrics"]
    assert list(layers) == list(ARCHITECTURE.modules)
    for name, (x, F) in outputs.items():
        layer = layers[name]
        assert (layer["D"], layer["activations"]) == (len(F), x.shape[1])
        assert layer["nonzero_share"] == pytest.approx(np.count_nonzero(x) / x.size, abs=1e-4)
        # Eq. 10-13 on F.
        eigenvalues = np.sort(np.linalg.eigvalsh(F @ F.T / (N - 1)))[::-1][: min(F.shape)]
        fit = powerlaw_exponent(eigenvalues)
        assert layer["exponents"]["printed"]["exponent"] == pytest.approx(fit.exponent, abs=0.02)
        assert layer["exponents"]["printed"]["n"] == pytest.approx(fit.n, abs=2)
        # The uncentred spectrum of the activations.
        fit = powerlaw_exponent(np.linalg.eigvalsh(x @ x.T / (N - 1)))
        assert layer["exponents"]["printed, activations"]["exponent"] == pytest.approx(
            fit.exponent, abs=1e-3
        )
        # The released estimators: the centred spectrum, above 1000 features half as long as there
        # are images.
        if x.shape[1] > 1000:
            assert layer["exponents"]["released"] is None  # 28 eigenvalues
        else:
            fit = powerlaw_exponent(
                np.linalg.svd(x - x.mean(0), compute_uv=False)[:-1] ** 2, estimator="released"
            )
            assert layer["exponents"]["released"]["exponent"] == pytest.approx(
                fit.exponent, rel=1e-3
            )
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        distances = cdist(unit, unit)
        for way, points in (
            ("released", umap(distances, metric="precomputed")),
            ("printed", umap(F.T.astype(np.float32))),
        ):
            fit = correlation_dimension(points, estimator=way)
            assert layer["dimensions"][way]["dimension"] == pytest.approx(fit.dimension, rel=0.3)
    sigma = np.std([layer["exponents"]["printed"]["exponent"] for layer in layers.values()])
    assert metrics["sigma"]["printed"] == pytest.approx(sigma)
    for way in ("printed", "released"):
        dimensions = np.array([layer["dimensions"][way]["dimension"] for layer in layers.values()])
        assert metrics["delta"][way] == pytest.approx(np.ptp(dimensions) / dimensions.mean())
    assert math.isnan(metrics["sigma"]["released"])
    assert (
        sum("released: layer" in line and "28 eigenvalues" in line for line in metrics["skipped"])
        == 3
    )


def test_what_is_done_is_not_done_again_and_settings_share_the_walk(run, pictures, monkeypatch):
    root, paths, arguments = run
    assert len(paths) == 2
    before = {path: path.read_bytes() for path in paths}
    calls = []
    walk = invariance_run.grams_and_features
    monkeypatch.setattr(
        invariance_run, "grams_and_features", lambda *a, **k: calls.append(1) or walk(*a, **k)
    )
    assert list(run_invariance(["ResNet"], [1], [pictures], **arguments)) == []
    assert not calls
    more = arguments | {
        "settings": [*arguments["settings"], UMAP | {"seed": 4}, UMAP | {"min_dist": 0.5}]
    }
    assert len(list(run_invariance(["resnet34"], [1], [pictures], **more))) == 2
    assert len(calls) == 1
    assert {path: path.read_bytes() for path in paths} == before


def test_a_layer_without_an_exponent_or_a_dimension_is_named_and_left_out():
    x = torch.randn(N, 300, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    dead = Gram(torch.zeros(N, N, dtype=torch.float64), 300, 0)
    metrics = invariance_metrics({"a": Gram(x @ x.T, 300, x.numel()), "dead": dead}, umap=UMAP)
    assert metrics["layers"]["dead"]["exponents"] == {
        "released": None,
        "printed, activations": None,
    }
    assert metrics["layers"]["a"]["exponents"]["printed, activations"]["n"] == N
    assert math.isnan(metrics["sigma"]["printed, activations"])
    assert any("layer 'dead' left out of σ" in line for line in metrics["skipped"])
    assert records.new_record("invariance", {}, 0, metrics, seconds=1.0)["metrics"]["layers"]


def test_noise_has_the_exponents_of_noise(tmp_path, monkeypatch):
    class Tiny(nn.Module):
        def __init__(self):
            super().__init__()
            for name in ARCHITECTURE.modules:
                setattr(self, name, nn.Conv2d(3, 3, 3, padding=1))

        def forward(self, x):
            for name in ARCHITECTURE.modules:
                x = getattr(self, name)(x)
            return x

    monkeypatch.setattr(invariance_run.models, "untrained", lambda *_: Tiny())
    paths = list(run_noise(["ResNet"], [0, 1], n_images=120, root=tmp_path))
    assert list(run_noise(["ResNet"], [0, 1], n_images=120, root=tmp_path)) == []
    first, second = (records.read(path)["metrics"] for path in paths)
    for layer in first["layers"].values():
        assert layer["activations"] == 3 * 224 * 224 and layer["nonzero_share"] == 1
        own = layer["exponents"]["printed, activations"]["exponent"]
        assert (
            own == pytest.approx(layer["null_exponents"]["printed, activations"], rel=0.3)
            and own > 10
        )
    values = [
        layer["exponents"]["printed, activations"]["exponent"]
        for m in (first, second)
        for layer in m["layers"].values()
    ]
    assert len(set(values)) == len(values)  # every layer is a draw of its own


SHOWN = {"name": "digits", "n": 1437, "fingerprint": "0a"}


@pytest.fixture
def trained(tmp_path):
    """A record of a training, and its network's matrices in a folder of their own."""
    config = {"model": "resnet34", "dataset": "digits", "recipe": "quick", "arm": "baseline"}
    metrics = filled("constraint", {"top1_last": 50.0})
    record = records.new_record("constraint", config, 5, metrics, data=SHOWN, seconds=1.0)
    path = records.write(record, tmp_path / "results")
    rng = np.random.default_rng(0)
    arrays = {}
    for name in ("layer1", "layer2"):
        x = np.maximum(
            rng.standard_normal((GRAM_IMAGES, 900)) @ np.diag(np.arange(1, 901) ** -0.5), 0
        )
        arrays |= {
            f"gram/{name}": x @ x.T,
            f"features/{name}": 900,
            f"nonzero/{name}": np.count_nonzero(x),
        }
    folder = tmp_path / "matrices"
    folder.mkdir()
    np.savez(folder / f"{path.stem}.npz", **arrays)
    return tmp_path / "results", folder / f"{path.stem}.npz"


def test_matrices_of_a_trained_network_become_a_record(trained):
    root, path = trained
    (written,) = run_trained(path.parent, root=root)
    assert list(run_trained(path.parent, root=root)) == []
    record = records.read(written)
    asked = {
        "model": "resnet34",
        "weights": "trained",
        "images": "digits",
        "recipe": "quick",
        "arm": "baseline",
    }
    assert record["config"] == asked | {"n_images": GRAM_IMAGES, "umap": dict(RELEASED_UMAP)}
    assert record["seed"] == 5 and record["data"] == SHOWN
    metrics = record["metrics"]
    assert list(metrics["sigma"]) == ["released", "printed, activations"]
    assert 0.4 < metrics["layers"]["layer2"]["nonzero_share"] < 0.6
    expected = powerlaw_exponent(
        np.linalg.eigvalsh(np.load(path)["gram/layer1"]) / (GRAM_IMAGES - 1)
    ).exponent
    assert metrics["layers"]["layer1"]["exponents"]["printed, activations"][
        "exponent"
    ] == pytest.approx(expected)


def test_matrices_without_a_record_or_in_pieces_are_named(trained, tmp_path):
    root, path = trained
    lonely = path.with_name("lonely.npz")
    path.rename(lonely)
    with pytest.warns(UserWarning, match="lonely.npz passed over: no record lonely.json"):
        assert list(run_trained(path.parent, root=root)) == []
    np.savez(lonely, **{"gram/layer1": np.eye(4), "features/layer1": 4})
    with pytest.raises(
        ValueError, match="lonely.npz: expected gram/, features/ and nonzero/ .*got gram/layer1"
    ):
        read_matrices(lonely)
    for products in (np.ones((3, 4)), np.full((4, 4), np.nan)):
        np.savez(lonely, **{"gram/a": products, "features/a": 4, "nonzero/a": 16})
        with pytest.raises(
            ValueError, match=r"lonely.npz: expected finite \(B, B\) products for 'a'"
        ):
            read_matrices(lonely)
    np.savez(path, **{"gram/a": np.eye(4), "features/a": 4, "nonzero/a": 16})
    lonely.unlink()
    with pytest.raises(ValueError, match="expected matrices of 640 images, got 4"):
        list(run_trained(path.parent, root=root))
    with pytest.raises(ValueError, match="expected .npz files of trained networks, found none"):
        list(run_trained(tmp_path, root=root))


def test_networks_before_training_are_measured_as_training_finds_them(trained):
    root, path = trained
    (written,) = run_before_training(["ResNet"], [5], ["digits"], "quick", root=root)
    assert list(run_before_training(["ResNet"], [5], ["digits"], "quick", root=root)) == []
    record = records.read(written)
    assert record["config"]["arm"] == record["config"]["weights"] == "untrained"
    assert list(record["metrics"]["sigma"]) == list(WAYS)
    assert list(record["metrics"]["layers"]) == list(ARCHITECTURE.modules)
    list(run_trained(path.parent, root=root))
    table = trained_table(records.read_all("invariance", root), 4).set_index(["way", "arm"])
    assert (
        set(table.loc["released"].index) == {"untrained", "baseline"}
        and (table["seeds"] == 1).all()
    )
    assert table.loc[("released", "untrained"), "ours"] == pytest.approx(
        record["metrics"]["sigma"]["released"]
    )
    with pytest.raises(ValueError, match="recipe: expected one of .*got 'gpu'"):
        list(run_before_training(["ResNet"], [0], ["digits"], "gpu", root=root))


def test_the_models_are_those_of_the_tables():
    assert list(MODELS) == load_table(4)["model"].tolist()
    assert set(MODELS) == set(load_table(5)["model"])
    assert all(find(name).timm_name == name for name in MODELS.values())


def test_an_unknown_model_or_data_set_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no model of Table 1"):
        list(run_invariance(["resnet18"], [0], root=tmp_path))
    with pytest.raises(ValueError, match="name must be one of"):
        list(run_invariance(["ResNet"], [0], ["mnist"], root=tmp_path))


def test_the_settings_of_umap_are_those_of_the_estimator():
    assert dict(cells.RELEASED_UMAP) == dict(RELEASED_UMAP)


def test_the_records_of_the_chapters_are_those_of_a_scale():
    assert at_scale({"network_seeds": 0}) == []
    jobs = at_scale({"network_seeds": 3})
    assert sum(len(job.cells) for job in jobs) == 7 * 2 * 3 + len(UMAP_SETTINGS) + 3
    assert not any(job.lacking(records.RESULTS) for job in jobs)
    more = at_scale({"network_seeds": 4})
    assert sum(len(job.lacking(records.RESULTS)) for job in more) == 7 * 2


# --- the command


def test_a_command_that_is_stopped_says_what_it_has_done(monkeypatch, tmp_path, capsys):
    from reproduction import __main__ as command

    def stopped(*_, **__):
        yield "a record"
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run_noise", stopped)
    monkeypatch.setattr(
        "sys.argv", ["reproduction", "invariance", "--noise", "--results", str(tmp_path)]
    )
    with pytest.raises(SystemExit) as end:
        command.main()
    out, err = capsys.readouterr()
    assert end.value.code == 130 and out == "a record\n"
    assert str(tmp_path) in err and "Stopped after 1 new record(s); the same command goes on" in err


@pytest.mark.parametrize(
    ("options", "function", "expected"),
    [
        (
            [],
            "run_invariance",
            {
                "settings": [RELEASED_UMAP],
                "memory": 2 * 2**30,
                "n_images": 640,
                "weights": "untrained",
            },
        ),
        (
            ["--umap-settings", "--memory", "0.5"],
            "run_invariance",
            {"settings": UMAP_SETTINGS, "memory": 2**29},
        ),
        (["--noise", "--n-images", "99"], "run_noise", {"n_images": 99}),
        (["--recipe", "cpu"], "run_before_training", {}),
        (["--trained", "kept"], "run_trained", {}),
    ],
)
def test_the_command_runs_what_its_options_ask_for(
    options, function, expected, monkeypatch, tmp_path, capsys
):
    from reproduction import __main__ as command

    calls = []
    monkeypatch.setattr(command, function, lambda *a, **k: calls.append((a, k)) or ["a record"])
    monkeypatch.setattr(
        "sys.argv", ["reproduction", "invariance", *options, "--results", str(tmp_path)]
    )
    command.main()
    ((arguments, keywords),) = calls
    assert keywords["root"] == tmp_path and {name: keywords[name] for name in expected} == expected
    if function != "run_trained":
        assert arguments[:2] == ([*MODELS], [0])
    assert capsys.readouterr().out == "a record\n1 new record(s)\n"


def test_the_command_refuses_two_kinds_of_networks_at_once(monkeypatch, capsys):
    from reproduction import __main__ as command

    monkeypatch.setattr("sys.argv", ["reproduction", "invariance", "--noise", "--recipe", "cpu"])
    with pytest.raises(SystemExit):
        command.main()
    assert "not allowed with argument" in capsys.readouterr().err
