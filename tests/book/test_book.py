"""The book as a reader meets it: built from nothing, opened from the disk in a browser without a
network.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import axe_playwright_python
import nbformat
import pytest

from reproduction import explorer
from reproduction.paper.read_elements import elements
from reproduction.paths import ROOT

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
LOCAL = ("file:", "data:", "blob:", "about:")
#: What a page may weigh without what all pages share (the theme, and MathJax, which sets the
#: equations).
HEAVIEST = 3_000_000
#: axe-core's rules that are held to. Code is left out of it: thousands of coloured words take
#: minutes, and the colours are those of a theme made for contrast (accessible-pygments).
RULES = [
    "color-contrast",
    "image-alt",
    "svg-img-alt",
    "label",
    "select-name",
    "button-name",
    "link-name",
    "link-in-text-block",
]
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
ASK_AXE = """rules => axe.run({exclude: [['.highlight'], ['dt.sig']]}, {
    runOnly: {type: 'rule', values: rules},
    resultTypes: ['violations'],
}).then(found => found.violations.flatMap(rule => rule.nodes.map(node =>
    `${rule.id}: ${node.target[0]}: ${[...node.any, ...node.all, ...node.none][0]?.message}`)))"""


@dataclass
class Visit:
    """What a browser saw on one page."""

    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    equations: int = 0
    broken_equations: list[str] = field(default_factory=list)
    images: list[tuple[str, str]] = field(default_factory=list)  # source, alternative text
    widths: dict[int, int] = field(default_factory=dict)  # of the window -> of the page in it
    barriers: dict[str, list[str]] = field(
        default_factory=dict
    )  # colour mode -> what axe-core found


@pytest.fixture(scope="module")
def html(tmp_path_factory) -> Path:
    """The built book. Built anew every time: an older one would hide that it no longer builds."""
    output = tmp_path_factory.mktemp("book")
    command = [sys.executable, str(ROOT / "book/build.py"), "--output", str(output)]
    built = subprocess.run(
        command, cwd=output, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert built.returncode == 0, built.stdout
    return output / "_build/html"


def pages(html: Path) -> list[Path]:
    return [
        page
        for page in sorted(html.rglob("*.html"))
        if "_static" not in page.relative_to(html).parts
    ]


@pytest.fixture(scope="module")
def browser() -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        found = map(
            shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
        )
        executable = str(own) if own.exists() else next(filter(None, found), None)
        if executable is None:
            pytest.skip(
                "no Chromium: install the package chromium, "
                "or run `python -m playwright install chromium`"
            )
        # --no-sandbox: a container's root may not make one. The others keep Chromium itself off the
        # network.
        flags = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--no-first-run",
        ]
        browser = playwright.chromium.launch(executable_path=executable, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def visits(html, browser) -> dict[str, Visit]:
    """Every page, opened once: on a phone's width, then wider, in both colour modes.

    Of the pages of source code and of records, which one template makes, the largest stand for all.
    """
    made = pages(html)
    left_out: set[Path] = set()
    for folder in ("_modules", "records"):
        many = [page for page in made if folder in page.parts]
        left_out |= set(sorted(many, key=lambda page: page.stat().st_size)[:-3])
    return {
        str(page.relative_to(html)): visit(browser, page) for page in made if page not in left_out
    }


def watched(browser, seen: Visit):
    """A new tab that writes down what is asked for and what goes wrong, and reaches nothing
    outside.
    """

    def failed(request):
        if "ERR_ABORTED" not in (request.failure or ""):  # which is what a reload cuts short
            seen.problems.append(f"not loaded: {request.url}")

    page = browser.new_page(viewport=PHONE)
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("requestfailed", failed)
    page.on("pageerror", lambda error: seen.problems.append(str(error)))
    page.on(
        "console",
        lambda message: seen.problems.append(message.text) if message.type == "error" else None,
    )
    page.route(lambda url: not url.startswith(LOCAL), lambda route: route.abort())
    return page


def visit(browser, path: Path) -> Visit:
    seen = Visit()
    page = watched(browser, seen)
    page.goto(path.as_uri(), wait_until="load")
    page.wait_for_url(
        lambda url: not url.endswith("/html/index.html")
    )  # the first page, where index.html leads
    if page.locator(".math").count():
        page.evaluate("MathJax.startup.promise")
    seen.equations = page.locator(".math").count()
    seen.broken_equations = page.evaluate(
        """[...document.querySelectorAll('.math')].filter(math =>
            !math.querySelector('mjx-container')
            || math.querySelector('mjx-merror, [data-mml-node="merror"]')
        ).map(math => math.textContent)"""
    )
    seen.images = [
        tuple(image)
        for image in page.evaluate("[...document.images].map(image => [image.src, image.alt])")
    ]
    seen.widths[PHONE["width"]] = page.evaluate("document.documentElement.scrollWidth")
    if "_modules" not in path.parts:  # source code: nothing but what is left out
        page.add_script_tag(path=AXE)
        page.add_style_tag(
            content="*, ::before, ::after { transition: none !important; }"
        )  # colours at once
        for mode in ("light", "dark"):
            page.evaluate(
                "mode => Object.assign(document.documentElement.dataset, {mode, theme: mode})", mode
            )
            seen.barriers[mode] = page.evaluate(ASK_AXE, RULES)
    page.set_viewport_size(DESK)
    seen.widths[DESK["width"]] = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    return seen


def test_the_book_has_its_pages(html):
    made = {str(page.relative_to(html)) for page in pages(html)}
    assert {
        "index.html",
        "book/index.html",
        "book/method.html",
        "book/glossary.html",
        "book/api.html",
        "book/elements.html",
        "book/references.html",
    } <= made
    assert {
        f"notebooks/{notebook.stem}.html" for notebook in (ROOT / "notebooks").glob("*.ipynb")
    } <= made


def test_no_page_shows_a_path_of_the_machine_that_built_it(html):
    """Warnings and progress bars bring them into the outputs of notebooks."""
    marks = {str(ROOT), str(html.parent.parent), sys.prefix, str(Path.home())} - {"/"}
    shown = {
        page.name: mark
        for page in pages(html)
        for mark in marks
        if mark in page.read_text(encoding="utf-8")
    }
    assert not shown


def test_the_page_of_elements_leads_to_the_chapters(html):
    page = html / "book/elements.html"
    text = page.read_text(encoding="utf-8")
    for where in {page for pages in elements()["where"] for page in pages}:
        folder, name = where.split("/")
        assert (html / f"{where}.html").is_file(), where
        assert f'href="{"" if folder == "book" else "../notebooks/"}{name}.html"' in text, where
    assert 'href="elements.html"' in (html / "book/index.html").read_text(encoding="utf-8")


def test_every_notebook_can_be_downloaded_from_its_page(html):
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        page = html / "notebooks" / f"{notebook.stem}.html"
        links = re.findall(r'href="([^"]+\.ipynb)"', page.read_text(encoding="utf-8"))
        targets = [(page.parent / unquote(link)).resolve() for link in links if "://" not in link]
        assert targets, page.name
        for target in targets:
            cells = nbformat.read(target, as_version=4).cells
            own = nbformat.read(notebook, as_version=4).cells
            captions = [cell for cell in own if cell.metadata.get("mystnb", {}).get("figure")]
            assert len(cells) >= len(own) + len(captions)
            texts = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
            assert not re.findall(r"\{[a-z:]+\}`", texts)


def test_no_request_leaves_the_machine(visits):
    outside = {
        name: [url for url in seen.requests if not url.startswith(LOCAL)]
        for name, seen in visits.items()
    }
    assert not {name: urls for name, urls in outside.items() if urls}
    assert all(seen.requests for seen in visits.values()), "nothing was recorded"


def test_no_page_reports_an_error(visits):
    assert not {name: seen.problems for name, seen in visits.items() if seen.problems}


def test_all_equations_are_rendered(visits):
    assert not {
        name: seen.broken_equations for name, seen in visits.items() if seen.broken_equations
    }
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


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_no_page_has_a_barrier(visits, mode):
    """Contrast, and names for whatever can be operated (axe-core)."""
    assert not {
        name: seen.barriers[mode][:5] for name, seen in visits.items() if seen.barriers.get(mode)
    }


def test_axe_sees_what_is_wrong(browser):
    page = browser.new_page()
    page.set_content(
        '<p style="color: #aaa; background: #fff">faint</p><img src="data:,"><select></select>'
    )
    page.add_script_tag(path=AXE)
    found = page.evaluate(ASK_AXE, RULES)
    page.close()
    assert {text.partition(":")[0] for text in found} == {
        "color-contrast",
        "image-alt",
        "select-name",
    }


def test_no_page_is_wider_than_its_window(visits):
    """On a phone as on a desk; wide tables scroll in a box of their own."""
    wide = {
        name: seen.widths
        for name, seen in visits.items()
        if any(w > window for window, w in seen.widths.items())
    }
    assert not wide


def test_no_page_is_heavy(visits, html):
    # Pages of records are of a template of their own, without what all others share.
    of_theme = [seen for name, seen in visits.items() if "records" not in Path(name).parts]
    shared = set.intersection(*(set(seen.requests) for seen in of_theme))
    assert len(shared) > 5, shared
    for name, seen in visits.items():
        own = {
            Path(unquote(urlsplit(url).path))
            for url in set(seen.requests) - shared
            if url.startswith("file:")
        }
        weight = sum(
            file.stat().st_size for file in own if file.is_file() and "mathjax" not in file.parts
        )
        assert weight <= HEAVIEST, (name, weight, sorted(own))


def test_search_finds_from_the_disk(browser, html):
    seen = Visit()
    page = watched(browser, seen)
    page.goto((html / "search.html").as_uri() + "?q=straight-through")
    page.wait_for_selector("#search-results li a", timeout=20_000)
    links = page.eval_on_selector_all(
        "#search-results li a", "links => links.map(link => link.href)"
    )
    page.close()
    assert any("book/method.html" in link for link in links)
    assert all(Path(unquote(urlsplit(link).path)).is_file() for link in links)
    assert not [url for url in seen.requests if not url.startswith(LOCAL)]


@pytest.fixture
def explorer_page(browser, html) -> Iterator:
    seen = Visit()
    page = watched(browser, seen)
    page.set_viewport_size(DESK)
    page.goto((html / "book/method.html").as_uri())
    page.wait_for_selector("#layer-explorer:not([hidden]) [data-layer=a] [data-x=curves] path")
    yield page
    assert not seen.problems
    page.close()


def shown(page, name: str, layer: str = "a") -> float:
    """A number of a layer's table; "theta" and "epsilon" stand together in its head."""
    if name in ("theta", "epsilon"):
        head = page.text_content(f"[data-layer={layer}] [data-x=where]")
        return float(re.findall(r"[\d.]+", head)[name == "epsilon"])
    text = page.text_content(f"[data-layer={layer}] [data-x={name}]")
    return float(re.findall(r"[\d.]+", text)[0])


def choose(page, layer: dict, where: str = "a") -> None:
    for control in ("model", "state", "module"):
        page.select_option(f"[data-layer={where}] [data-x={control}]", layer[control])


def test_the_explorer_shows_the_numbers_of_its_data(explorer_page):
    layers = explorer.read()["metrics"]["layers"]
    for layer in (layers[0], layers[5], layers[-1]):
        choose(explorer_page, layer)
        for step in (0, 90, 255):
            explorer_page.evaluate(
                "step => { const s = document.querySelector('[data-x=theta]'); "
                "s.value = step; s.dispatchEvent(new Event('input')); }",
                step,
            )
            theta = (1 + layer["TZ"]) * ((1 + layer["TV"]) / (1 + layer["TZ"])) ** (step / 255) - 1
            assert shown(explorer_page, "theta") == pytest.approx(theta, rel=6e-3, abs=1e-6)
            assert shown(explorer_page, "epsilon") == pytest.approx(
                theta * layer["B"] ** 0.5, rel=6e-3, abs=1e-6
            )
            assert shown(explorer_page, "n-drawn") == len(explorer.boxes(layer, step))
            for formula in ("released", "printed"):
                assert shown(explorer_page, f"n-{formula}") == pytest.approx(
                    layer["curves"][formula][step], abs=0.051
                )
                assert shown(explorer_page, f"rate-{formula}") == pytest.approx(
                    layer["ss_rate"][formula], abs=6e-4
                )


def test_dragging_in_the_picture_moves_theta_and_joins_boxes(explorer_page):
    curves = explorer_page.locator("[data-layer=a] [data-x=curves]")
    curves.scroll_into_view_if_needed()
    box, places, boxes = curves.bounding_box(), [], []
    explorer_page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.4 * box["height"])
    explorer_page.mouse.down()
    for share in (0.2, 0.5, 0.8):
        explorer_page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.4 * box["height"])
        places.append(shown(explorer_page, "theta"))
        boxes.append(shown(explorer_page, "n-drawn"))
    explorer_page.mouse.up()
    assert places == sorted(set(places)) and boxes == sorted(set(boxes), reverse=True)
    slider = explorer_page.locator("[data-x=theta]")
    slider.focus()
    before = shown(explorer_page, "theta")
    for _ in range(20):
        explorer_page.keyboard.press("ArrowLeft")
    assert shown(explorer_page, "theta") < before
    head = explorer_page.text_content("[data-layer=a] [data-x=where]")
    assert head == f"at {slider.get_attribute('aria-valuetext')}"


def test_two_layers_stand_side_by_side_and_the_address_keeps_them(explorer_page):
    layers = explorer.read()["metrics"]["layers"]
    model = next(layer["model"] for layer in layers if layer["state"] == "trained")
    pair = {layer["state"]: layer for layer in layers if layer["model"] == model}
    choose(explorer_page, pair["untrained"])
    assert not explorer_page.locator("[data-layer=b]").is_visible()
    explorer_page.locator("[data-x=compare]").focus()
    explorer_page.keyboard.press("Space")
    assert explorer_page.input_value("[data-layer=b] [data-x=state]") == "trained"
    explorer_page.check("[value=printed]")
    explorer_page.locator("[data-x=theta]").press("End")
    explorer_page.locator("[data-x=theta]").press("ArrowLeft")
    explorer_page.wait_for_url(lambda url: "step=254" in url)
    explorer_page.wait_for_load_state("networkidle")  # a reload cuts off what is on its way
    explorer_page.reload()
    for name, state in {"a": "untrained", "b": "trained"}.items():
        rate = pair[state]["ss_rate"]["printed"]
        assert shown(explorer_page, "rate-printed", name) == pytest.approx(rate, abs=6e-4)
        curve = pair[state]["curves"]["printed"]
        assert shown(explorer_page, "n-printed", name) == pytest.approx(curve[254], abs=0.051)
    assert explorer_page.is_checked("[value=printed]") and explorer_page.is_checked(
        "[data-x=compare]"
    )


def test_links_of_the_explorer_lead_to_layers_that_it_has(explorer_page):
    for link in explorer_page.locator(".x-pairs a").all():
        link.click()
        explorer_page.wait_for_function(
            "href => location.hash === href", arg=link.get_attribute("href")
        )
        href = link.get_attribute("href").replace("+", " ").removeprefix("#")
        chosen = [
            "~".join(
                explorer_page.input_value(f"[data-layer={name}] [data-x={control}]")
                for control in ("model", "state", "module")
            )
            for name in "ab"
        ]
        assert href == "&".join(f"{name}={layer}" for name, layer in zip("ab", chosen, strict=True))


@pytest.mark.parametrize("address", ["", "#a=VGG~untrained~features.1&b=PVT~untrained~stages.1"])
def test_the_explorer_fits_a_small_screen_with_its_table(explorer_page, address):
    explorer_page.set_viewport_size({"width": 1280, "height": 800})
    explorer_page.evaluate("address => { location.hash = address; }", address)
    root = explorer_page.locator("#layer-explorer")
    if address:
        explorer_page.locator("[data-layer=b]").wait_for()
    root.evaluate("root => root.scrollIntoView()")
    table = explorer_page.locator(".x-table:visible").last.bounding_box()
    assert root.bounding_box()["y"] >= 0 and table["y"] + table["height"] <= 800


def test_a_far_channel_leaves_the_others_their_room(explorer_page):
    """Nine in ten reach over two fifths of the picture, however far the others lie."""
    layers = explorer.read()["metrics"]["layers"]
    far = 0
    for layer in layers[::4]:
        choose(explorer_page, layer)
        places, size, hollow = explorer_page.evaluate("""() => {
            const svg = document.querySelector("[data-layer=a] [data-x=points]");
            const nodes = [...svg.querySelectorAll("circle")];
            return [nodes.map(n => [n.cx.baseVal.value, n.cy.baseVal.value]),
                Math.max(svg.viewBox.baseVal.width, svg.viewBox.baseVal.height),
                svg.querySelectorAll(".x-far").length]; }""")
        assert len(places) == layer["D"]
        middle = [sorted(x)[len(x) // 2] for x in zip(*places, strict=True)]
        distances = sorted(
            max(abs(x - m) for x, m in zip(place, middle, strict=True)) for place in places
        )
        assert distances[round(0.9 * (len(places) - 1))] > 0.2 * size, layer["model"]
        far += hollow
    assert far


def test_without_scripts_the_explorer_shows_a_still_picture(browser, html):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((html / "book/method.html").as_uri())
    assert (
        page.locator(".explorer-still img").is_visible()
        and not page.locator("#layer-explorer").is_visible()
    )
    context.close()
