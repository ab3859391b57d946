"""Print the book as one PDF with Chromium: python book/pdf.py, after book/build.py."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from reproduction.paths import ROOT

FOOT = (
    '<div style="font-size: 8px; width: 100%; text-align: center">'
    '<span class="pageNumber"></span></div>'
)
#: Only what is read: no navigation, no buttons, no dark mode, and not the hundred pages of the
#: reference by module.
STYLE = """
.bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article, .prev-next-footer,
.headerlink, .copybtn, footer
{ display: none !important; }
.bd-main .bd-content .bd-article-container { max-width: none !important; }
span[id^="document-book/api_"] + section, #by-module { display: none !important; }
figure, tr, pre, div.math, .sd-card { break-inside: avoid; }
.toctree-wrapper > section, section:has(> h1) { break-before: page; }
h3 { font-size: 1.3rem !important; } h4 { font-size: 1.1rem !important; }
h2, h3, h4, figcaption { break-after: avoid; }
h2 { border-top: 0 !important; }
pre { white-space: pre-wrap; }
.pst-scrollable-table-container, .cell_output .output, div.math
{ overflow: visible !important; } /* a box that scrolls is never cut */
/* Chromium makes the whole book smaller until its widest table fits; tables may run over pages. */
:is(td, th) { white-space: normal !important; min-width: 0 !important; }
td code.literal, td code.literal .pre { white-space: pre-wrap !important; }
table.dataframe :is(td, th), code.literal { overflow-wrap: anywhere !important; }
table { break-inside: auto !important; } thead { break-after: avoid; }
details.hide > summary { display: none !important; }
"""

#: Pages of records are not printed: their files are named instead of linked.
FILES = """document.querySelectorAll('a[href*="records/"]').forEach(link =>
    link.replaceWith(`data/results/${link.textContent}`))"""

#: The equations that MathJax could not set.
BROKEN = """[...document.querySelectorAll('.math')].filter(math =>
    !math.querySelector('mjx-container')
    || math.querySelector('mjx-merror, [data-mml-node="merror"]')).map(math => math.textContent)"""


def one_page(output: Path) -> Path:
    """All chapters on one page, from the folder that book/build.py has left."""
    stage = output / "_build/stage"
    if not stage.is_dir():
        raise SystemExit(f"{stage} is not there: run `make book` first")
    command = [
        str(Path(sys.executable).with_name("jupyter-book")),
        "build",
        str(stage),
        "--path-output",
        str(output),
    ]
    command += [
        "--config",
        str(ROOT / "_config.yml"),
        "--toc",
        str(ROOT / "book/_toc.yml"),
        "--builder",
        "singlehtml",
        "--all",
        "-q",
    ]
    if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        raise SystemExit("The book could not be put on one page.")
    made = output / "_build/singlehtml"
    # Its links are written for a page at the root, which is where it is not put.
    return Path(shutil.copy(made / "book/index.html", made / "all.html"))


def print_page(page: Path, target: Path, *, style: str = STYLE, scale: float = 0.68) -> None:
    """The page as A4, with its equations.

    Raises:
        SystemExit: there is no browser, or an equation cannot be set.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        found = map(
            shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
        )
        executable = str(own) if own.exists() else next(filter(None, found), None)
        if executable is None:
            raise SystemExit(
                "no Chromium: install the package chromium, "
                "or run `python -m playwright install chromium`"
            )
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        tab = browser.new_page()
        tab.goto(page.as_uri(), timeout=120_000)
        tab.wait_for_function("window.MathJax?.startup?.promise", timeout=120_000)
        tab.evaluate("MathJax.startup.promise.then(() => true)")
        if broken := tab.evaluate(BROKEN):
            raise SystemExit(f"equations that cannot be set: {broken}")
        tab.evaluate(FILES)
        tab.add_style_tag(content=style)
        margin = {"top": "18mm", "bottom": "18mm", "left": "16mm", "right": "16mm"}
        tab.pdf(
            path=target,
            format="A4",
            scale=scale,
            margin=margin,
            print_background=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOT,
        )
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--output", type=Path, default=ROOT, help="folder in which book/build.py made _build/"
    )
    output = parser.parse_args().output.resolve()
    target = output / "_build/book.pdf"
    print_page(one_page(output), target)
    print(f"The book is printed:\n  {target}")


if __name__ == "__main__":
    main()
