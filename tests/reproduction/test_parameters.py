"""The parameter check of the notebooks' first cell."""

from __future__ import annotations

import pytest
import yaml

from reproduction import settings
from reproduction.paths import ROOT
from reproduction.settings import check_parameters, scales_of

SCALES = {"quick": {"n_images": 128, "layers": 3}, "paper": {"n_images": 512, "layers": 12}}
ALLOWED = {
    "images": str,
    "n_images": range(2, 4097),
    "weight": float,
    "formula": ("released", "printed"),
}
DEFAULTS = {
    "scale": "quick",
    "images": "photographs",
    "n_images": None,
    "weight": 1e-4,
    "formula": "released",
}


def injected(**parameters) -> dict:
    """The globals of a notebook in which papermill has just set these parameters."""
    cell = "# Parameters\n" + "".join(f"{name} = {value!r}\n" for name, value in parameters.items())
    return DEFAULTS | {"In": ["", "scale = 'quick'", cell]} | parameters


def test_values_come_back_completed_from_the_scale():
    assert check_parameters(DEFAULTS, ALLOWED, SCALES) == DEFAULTS | {"n_images": 128, "layers": 3}
    assert check_parameters(injected(scale="paper"), ALLOWED, SCALES)["n_images"] == 512
    explicit = check_parameters(injected(scale="paper", n_images=64), ALLOWED, SCALES)
    assert (explicit["n_images"], explicit["layers"]) == (64, 12)


def test_a_misspelt_name_is_refused_and_the_near_one_named():
    with pytest.raises(ValueError, match="unknown parameter 'n_image', did you mean 'n_images'"):
        check_parameters(injected(n_image=64), ALLOWED, SCALES)
    with pytest.raises(
        ValueError, match=r"unknown parameter 'zzz' \(this notebook takes: scale, images"
    ):
        check_parameters(injected(zzz=1), ALLOWED, SCALES)


def test_names_of_the_notebook_itself_are_no_parameters():
    """Running the first cell again, after the others, must not complain about their variables."""
    later = injected(scale="paper") | {"C": [1.0], "model_name": "resnet34"}
    assert check_parameters(later, ALLOWED, SCALES)["scale"] == "paper"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("scale", "quik", "'quick' or 'paper'"),
        ("scale", None, "'quick' or 'paper'"),
        ("images", 3, "a string"),
        ("images", None, "a string"),
        ("n_images", 1, "an integer from 2 to 4096"),
        ("n_images", 64.0, "an integer from 2 to 4096"),
        ("n_images", True, "an integer from 2 to 4096"),
        ("weight", "1e-4", "a number"),
        ("weight", True, "a number"),
        ("formula", "both", "'released' or 'printed'"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused(name, value, expected):
    with pytest.raises(
        ValueError, match=f"parameter {name}=.* is not allowed: expected {expected}"
    ):
        check_parameters(injected(**{name: value}), ALLOWED, SCALES)


def test_a_whole_number_is_a_number():
    assert check_parameters(injected(weight=1), ALLOWED, SCALES)["weight"] == 1


def test_without_scales_there_is_no_scale():
    assert check_parameters({"seed": 3}, {"seed": int}) == {"seed": 3}
    with pytest.raises(ValueError, match="unknown parameter 'scale'"):
        check_parameters(injected(scale="quick") | {"seed": 3}, {"seed": int})


def test_a_parameter_that_the_notebook_forgot_to_set():
    with pytest.raises(ValueError, match="parameter 'seed' is not set in the parameters cell"):
        check_parameters(DEFAULTS, ALLOWED | {"seed": int}, SCALES)


def test_every_notebook_has_a_section_of_scales_that_fits_its_own_parameters():
    names = {path.stem for path in (ROOT / "notebooks").glob("*.py")}
    assert names == set(yaml.safe_load(settings.SCALES.read_text(encoding="utf-8")))
    for name in names:
        allowed, scales = scales_of(name)
        for values in scales.values():
            set_by_scale = {key: values[key] for key in allowed if values.get(key) is not None}
            check_parameters(set_by_scale, {key: allowed[key] for key in set_by_scale})


def test_a_notebook_without_a_section_is_an_error():
    with pytest.raises(ValueError, match="99_nothing"):
        scales_of("99_nothing")
