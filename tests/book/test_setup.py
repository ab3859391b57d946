"""The project's frame: what is committed, what is pinned, what the two commands and CI do."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from reproduction.paths import ROOT

# Written in two parts, so that this file does not name them either.
HOSTS = [
    f"{name}.{end}" for name, end in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))
]
HOSTS += [
    f"{name}.{end}"
    for name, end in (("npmjs", "com"), ("anaconda", "org"), ("download.pytorch", "org"))
]
MACHINE_PATH = re.compile(
    r"(?<![\w.$~}])/(?:home|root|Users|work|workspace|mnt|tmp|opt|private)/[A-Za-z0-9_.-]+"
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def committed() -> dict[str, str]:
    """Name and text of every text file that is, or would be, committed."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so what is committed is unknown")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    texts = {}
    for name in filter(None, names):
        content = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b"\0"
        if b"\0" not in content:
            texts[name] = content.decode("utf-8")
    return texts


def locked(lock: str = "requirements.lock") -> dict[str, list[str]]:
    """Name -> the locked versions, one or more by platform."""
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", read(lock), flags=re.MULTILINE):
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


CLUSTER = "workflow/requirements.lock"


def required(lock: str = "requirements.lock") -> list[Requirement]:
    """What a lock has to hold: the extra "cluster" has one of its own."""
    extras = dict(PROJECT["optional-dependencies"])
    cluster = extras.pop("cluster")
    others = [*PROJECT["dependencies"], *(one for extra in extras.values() for one in extra)]
    return [Requirement(line) for line in (cluster if lock == CLUSTER else others)]


def test_no_file_names_a_registry_or_a_path_of_one_machine():
    texts = committed()
    assert {"README.md", "pyproject.toml", "requirements.lock"} <= set(texts)
    assert not {name: host for name, text in texts.items() for host in HOSTS if host in text}
    found = {name: MACHINE_PATH.findall(text) for name, text in texts.items()}
    assert not {name: paths for name, paths in found.items() if paths}


def test_machine_paths_are_recognised():
    assert MACHINE_PATH.search("see " + "/".join(["", "home", "someone", "file"]))
    assert not MACHINE_PATH.search("$folder" + "/".join(["", "tmp", "file"]))


@pytest.mark.parametrize("lock", ["requirements.lock", CLUSTER])
def test_everything_in_the_lock_has_a_hash(lock):
    entries = re.split(r"\n(?=[A-Za-z0-9])", read(lock))
    assert len(entries) > (50 if lock == CLUSTER else 100)
    assert not [entry.partition("\n")[0] for entry in entries if "--hash=sha256:" not in entry]
    assert "://" not in read(lock)


@pytest.mark.parametrize("lock", ["requirements.lock", CLUSTER])
def test_the_lock_covers_pyproject(lock):
    versions = locked(lock)
    for requirement in required(lock):
        found = versions.get(canonicalize_name(requirement.name), [])
        assert found, f"{requirement.name} is not in {lock}: run `make lock`"
        assert all(requirement.specifier.contains(version) for version in found), (
            f"{requirement}: locked is {found}"
        )


def test_what_is_locked_for_the_workflow_is_its_extra():
    lines = [line for line in read("workflow/requirements.in").splitlines() if line[0] != "#"]
    assert lines == PROJECT["optional-dependencies"]["cluster"]


def test_jupyter_book_stays_at_version_1():
    (book,) = [requirement for requirement in required() if requirement.name == "jupyter-book"]
    assert re.fullmatch(r"==1\.\S+", str(book.specifier))
    assert locked()["jupyter-book"] == [str(book.specifier).removeprefix("==")]


@pytest.mark.parametrize(("name", "version"), [("torch", "2.11.0"), ("torchvision", "0.26.0")])
def test_an_image_with_an_older_torch_will_do(name, version):
    (requirement,) = [requirement for requirement in required() if requirement.name == name]
    assert requirement.specifier.contains(version)


def test_the_readme_opens_with_both_commands():
    """After the script to try and the answer, before anything else."""
    headings = re.split(r"^## ", read("README.md"), flags=re.MULTILINE)
    assert "make book" in headings[3] and "make test" in headings[3]


def test_make_alone_lists_the_targets():
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"help", "book", "test", "clean"} <= set(re.findall(r"make (\w+)", shown))


def test_conda_installs_the_lock():
    environment = yaml.safe_load(read("environment.yml"))
    (pip,) = [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)]
    assert "-r requirements.lock" in pip


def test_continuous_integration_runs_the_two_commands():
    workflow = yaml.safe_load(read(".github/workflows/ci.yml"))
    (job,) = workflow["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert {"make book", "make test"} <= {step.get("run") for step in job["steps"]}
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    assert re.search(r"^make test$", script.read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_the_paper_is_cited():
    citation = yaml.safe_load(read("CITATION.cff"))
    paper = citation["preferred-citation"]
    assert paper["title"] == "Self-similarity Analysis in Deep Neural Networks"
    assert paper["authors"][0]["family-names"] == "Ding" and len(paper["authors"]) == 7
    assert {"type": "other", "value": "arXiv:2507.17785"}.items() <= paper["identifiers"][0].items()
    assert citation["version"] == PROJECT["version"]
