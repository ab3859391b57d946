"""The book as a reader meets it: built from nothing, opened from the disk in a browser without a network."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sslib.paths import ROOT

PHONE = {"width": 390, "height": 844}
LOCAL = ("file:", "data:", "blob:", "about:")


@dataclass
class Visit:
    """What a browser saw on one page."""

    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    equations: int = 0
    broken_equations: list[str] = field(default_factory=list)
    images: list[tuple[str, str]] = field(default_factory=list)  # source, alternative text
    width: int = 0


@pytest.fixture(scope="module")
def html(tmp_path_factory) -> Path:
    """The built book. Built anew every time: an older one would hide that it no longer builds."""
    output = tmp_path_factory.mktemp("book")
    command = [sys.executable, str(ROOT / "book/build.py"), "--output", str(output)]
    built = subprocess.run(command, cwd=output, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert built.returncode == 0, built.stdout
    return output / "_build/html"


def pages(html: Path) -> list[Path]:
    return [page for page in sorted(html.rglob("*.html")) if "_static" not in page.relative_to(html).parts]


@pytest.fixture(scope="module")
def visits(html) -> dict[str, Visit]:
    """Every page, opened on a phone's width."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        found = map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))
        executable = str(own) if own.exists() else next(filter(None, found), None)
        if executable is None:
            pytest.skip(
                "no Chromium: install the package chromium, or run `python -m playwright install chromium`"
            )
        # --no-sandbox: a container's root may not make one. The others keep Chromium itself off the network.
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
        browser = playwright.chromium.launch(executable_path=executable, args=flags)
        seen = {str(page.relative_to(html)): visit(browser, page) for page in pages(html)}
        browser.close()
    return seen


def visit(browser, path: Path) -> Visit:
    seen = Visit()
    page = browser.new_page(viewport=PHONE)
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("requestfailed", lambda request: seen.problems.append(f"not loaded: {request.url}"))
    page.on("pageerror", lambda error: seen.problems.append(str(error)))
    page.on(
        "console", lambda message: seen.problems.append(message.text) if message.type == "error" else None
    )
    page.route(lambda url: not url.startswith(LOCAL), lambda route: route.abort())
    page.goto(path.as_uri(), wait_until="load")
    page.wait_for_url(
        lambda url: not url.endswith("/html/index.html")
    )  # the first page, where index.html leads
    if page.locator(".math").count():
        page.evaluate("MathJax.startup.promise")
    seen.equations = page.locator(".math").count()
    seen.broken_equations = page.evaluate(
        """[...document.querySelectorAll('.math')].filter(math => !math.querySelector('mjx-container')
            || math.querySelector('mjx-merror, [data-mml-node="merror"]')).map(math => math.textContent)"""
    )
    seen.images = [
        tuple(image) for image in page.evaluate("[...document.images].map(image => [image.src, image.alt])")
    ]
    seen.width = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    return seen


def test_the_book_has_its_pages(html):
    made = {str(page.relative_to(html)) for page in pages(html)}
    assert {
        "index.html",
        "book/index.html",
        "book/method.html",
        "book/api.html",
        "book/references.html",
    } <= made
    assert {f"notebooks/{notebook.stem}.html" for notebook in (ROOT / "notebooks").glob("*.ipynb")} <= made


def test_no_page_shows_a_path_of_the_machine_that_built_it(html):
    """Warnings and progress bars bring them into the outputs of notebooks."""
    marks = {str(ROOT), str(html.parent.parent), sys.prefix, str(Path.home())} - {"/"}
    shown = {
        page.name: mark for page in pages(html) for mark in marks if mark in page.read_text(encoding="utf-8")
    }
    assert not shown


def test_no_request_leaves_the_machine(visits):
    outside = {
        name: [url for url in seen.requests if not url.startswith(LOCAL)] for name, seen in visits.items()
    }
    assert not {name: urls for name, urls in outside.items() if urls}
    assert all(seen.requests for seen in visits.values()), "nothing was recorded"


def test_no_page_reports_an_error(visits):
    assert not {name: seen.problems for name, seen in visits.items() if seen.problems}


def test_all_equations_are_rendered(visits):
    assert not {name: seen.broken_equations for name, seen in visits.items() if seen.broken_equations}
    assert visits["book/method.html"].equations > 50


def test_all_images_have_a_text_in_their_place(visits):
    """Without one of its own, an image gets its file name."""
    bad = {
        name: [source for source, text in seen.images if not text.strip() or "_images/" in text]
        for name, seen in visits.items()
    }
    assert not {name: sources for name, sources in bad.items() if sources}
    assert any("_images/" in source for seen in visits.values() for source, _ in seen.images), (
        "no figure in the book"
    )


def test_no_page_is_wider_than_a_phone(visits):
    assert not {name: seen.width for name, seen in visits.items() if seen.width > PHONE["width"]}
