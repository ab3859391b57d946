"""sslib as others get it: typed, built as a wheel, used outside the checkout; each kind of error
explained in the book.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from reproduction.paths import ROOT


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess:
    environment = {
        key: value for key, value in os.environ.items() if key != "PYTHONPATH"
    } | variables
    return subprocess.run(
        [*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True
    )


def test_types_are_consistent(tmp_path):
    done = run(sys.executable, "-m", "mypy", "--cache-dir", tmp_path, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_user_of_sslib_is_type_checked(tmp_path):
    (tmp_path / "user.py").write_text(
        "import torch, sslib\n"
        "model = torch.nn.Sequential(torch.nn.Linear(4, 8))\n"
        "F: dict[str, torch.Tensor] = sslib.feature_matrices(model, torch.rand(3, 4), '0')\n"
        "wrong: int = sslib.ss_rate(F['0'])\n"
        "sslib.SelfSimilarityConstraint(model, '0', target='high')\n"
    )
    # The path stands for an installed package with py.typed.
    done = run(
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--ignore-missing-imports",
        "--follow-imports",
        "silent",
        "--cache-dir",
        tmp_path / "cache",
        "user.py",
        cwd=tmp_path,
        MYPYPATH=str(ROOT),
    )
    found = re.findall(r"user.py:(\d+): error: .*\[(.*)\]", done.stdout)
    assert found == [("4", "assignment"), ("5", "arg-type")], done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with nothing in it but what the wheel brings."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # a copy: building leaves traces
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    for package in ("sslib", "reproduction"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, source / package, ignore=ignored)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        folder,
        source,
    ]
    built = run(*command, cwd=folder)
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("sslib-*.whl")
    target = folder / "site"
    done = run(
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "-q",
        "--target",
        target,
        wheel,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    names = zipfile.ZipFile(wheel).namelist()
    assert "sslib/py.typed" in names and not [
        name for name in names if name.startswith(("tests", "book", "data"))
    ]
    return target


def test_the_wheel_works_outside_the_checkout(installed):
    line = (
        "import torch, sslib; assert 'site' in sslib.__file__, sslib.__file__;"
        "print(round(float(sslib.ss_rate(torch.tensor([[0.0], [1.0], [3.0]]))), 4))"
    )
    done = run(sys.executable, "-c", line, cwd=installed.parent, PYTHONPATH=str(installed))
    assert (done.returncode, done.stdout.strip()) == (0, "0.2973"), done.stderr


def test_what_needs_the_checkout_says_so(installed):
    line = "from reproduction.paper.tables import load_table; load_table(2)"
    done = run(sys.executable, "-c", line, cwd=installed.parent, PYTHONPATH=str(installed))
    message = done.stderr.strip().splitlines()[-1]
    assert done.returncode and "FileNotFoundError" in message and "checkout" in message, done.stderr


def test_the_method_brings_its_own_packages_only(installed):
    """torch, numpy, scipy, tqdm; the others where a function needs them."""
    line = (
        "import sys, sslib, importlib, pkgutil;"
        "parts = [part.name for part in pkgutil.iter_modules(sslib.__path__)];"
        "[importlib.import_module(f'sslib.{part}') for part in parts];"
        "others = 'timm torchvision networkx pandas sklearn matplotlib seaborn umap statsmodels';"
        "print([name for name in others.split() if name in sys.modules])"
    )
    done = run(sys.executable, "-c", line, cwd=installed.parent, PYTHONPATH=str(installed))
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_each_kind_of_error_has_its_entry_in_the_book():
    page = (ROOT / "book/warnings.md").read_text(encoding="utf-8")
    kinds = set()
    for package in ("sslib", "reproduction"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                    kinds.add(ast.unparse(node.exc.func))
    kinds = {"ValueError" if kind.endswith("error") else kind for kind in kinds}  # checks.error
    assert {"ValueError", "FileNotFoundError", "ImportError"} <= kinds
    assert not {kind for kind in kinds if kind not in page}


def test_the_reference_has_every_name_of_the_package():
    import sslib

    page = (ROOT / "book/api.md").read_text(encoding="utf-8")
    paths = re.findall(r"~(sslib\.\w+)\.(\w+)", page)
    assert {name for _, name in paths} == set(sslib.__all__) | {"BoxCurve"}
    for module, name in paths:
        assert getattr(sys.modules[module], name).__module__ == module
