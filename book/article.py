"""Print a reproduction report of at most four pages: python book/article.py. Its text is
article.template; its numbers come from the records, by the readers and sentences of the book.
"""

from __future__ import annotations

import argparse
import html
import importlib.util
import re
import shutil
from pathlib import Path

import first_screen
import fragments
import pandas as pd
import scorecard
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pdf import print_page
from provenance import Build

from reproduction import records
from reproduction.invariance import read as read_invariance
from reproduction.invariance import say as say_invariance
from reproduction.paper.read_elements import elements
from reproduction.paths import ROOT
from reproduction.ss_rate import read as read_ss_rate
from reproduction.ss_rate import say as say_ss_rate
from reproduction.training import pairs
from reproduction.training import read as read_training
from reproduction.training.confirm import every_plan
from reproduction.training.read_plans import plan_table
from reproduction.training.say_first import three_lines
from reproduction.verdicts import claims
from reproduction.verdicts.say_answer import SILENT

TEMPLATE, PAGES = Path(__file__).with_name("article.template"), 4
EQUATIONS = ("Eq. 8", "Eq. 9", "Eq. 4", "Eq. 3", "Eq. 6")
STYLE = """
mjx-container [stroke] { stroke: none; } /* of no width: some viewers draw it */
body { font: 12.2px/1.36 "DejaVu Serif", Georgia, serif; margin: 0; color: #111; }
h1 { font-size: 21px; margin: 0 0 6px; } h2 { font-size: 15.5px; margin: 12px 0 3px; }
h3 { font-size: 12.8px; margin: 8px 0 2px; } h2, h3 { break-after: avoid; }
p, ul { margin: 3px 0 5px; text-align: justify; hyphens: auto; } ul { padding-left: 16px; }
table { border-collapse: collapse; font-size: 10.2px; line-height: 1.25; width: 100%; }
table { margin: 4px 0; }
td, th { padding: 1px 5px; text-align: left; vertical-align: top; border-bottom: 1px solid #ddd; }
tr, figure { break-inside: avoid; } thead th { border-bottom: 1px solid #111; }
.equations { display: flex; flex-wrap: wrap; gap: 2px 26px; font-size: 11px; }
figure { float: right; width: 255px; margin: 0 0 4px 14px; } figure svg { width: 100%; }
figcaption, .small { font-size: 9.6px; line-height: 1.25; }
.x-area { fill: #0072B2; fill-opacity: 0.2; } .x-curve { fill: none; stroke-width: 2.4; }
.x-curve.x-released { stroke: #0072B2; }
.x-curve.x-printed { stroke: #B34A00; stroke-dasharray: 7 3; }
.x-line { stroke: #111; stroke-dasharray: 2 4; } .x-axes { fill: none; stroke: #666; }
"""


def parts() -> dict[str, str]:
    """What the template's places in double braces are filled with: Markdown, or HTML."""
    build, table = Build.now(), claims.scorecard()
    ours = read_ss_rate.full_scale(records.read_all("ss-rate"))
    table_2 = read_ss_rate.table_2(ours)
    states = (read_ss_rate.comparison(table_2, state) for state in ("untrained", "pretrained"))
    plan = every_plan()["small-confirm"]
    counts = fragments.known_records()
    return {
        "arxiv": _arxiv(),
        "date": build.date,
        "commit": build.commit,
        "counts": _counts(table),
        "claims": _claims(table),
        "equations": _equations(),
        "picture": first_screen.picture(),
        "table_2": _table(read_ss_rate.table_2_text(table_2)),
        "table_2_says": say_ss_rate.table_2(*states),
        "training": _training(),
        "plan": _table(plan_table(plan)),
        "invariance": _invariance(),
        "beyond": scorecard.beyond(()),
        "in_print": _in_print(table),
        "records": "; ".join(f"{name}: {what}" for name, what in counts.items()),
    }


def page(filled: dict[str, str], script: str = "") -> str:
    """The report as HTML.

    Args:
        filled: as from `parts`.
        script: address of MathJax.

    Raises:
        KeyError: the template has a place that `filled` lacks.
    """
    text = TEMPLATE.read_text(encoding="utf-8")
    text = re.sub(r"\{\{(\w+)\}\}", lambda place: filled[place[1]], text)
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    reader.use(dollarmath_plugin, renderer=_formula)
    title = text.partition("\n")[0].removeprefix("# ")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<script src="{script}" defer></script>'
        f"<body>{reader.render(text)}</body></html>"
    )


def _formula(tex: str, options: dict[str, bool]) -> str:
    left, right = (r"\[", r"\]") if options.get("display_mode") else (r"\(", r"\)")
    return f'<span class="math">{left}{html.escape(tex)}{right}</span>'


def _equations() -> str:
    """The equations as printed, with their numbers."""
    table = elements().query("part == 'equations'").set_index("element")["printed"]
    shown = []
    for name in EQUATIONS:
        tex = table[name].replace("&", "").replace(r"\\", " ")
        number = name.removeprefix("Eq. ")
        shown.append(f'<span class="math">\\({html.escape(tex)}\\) ({number})</span>')
    return f'<div class="equations">{"".join(shown)}</div>'


def _claims(table: pd.DataFrame) -> str:
    rows = []
    for number, row in table.iterrows():
        small = [row[form] for form in ("in small", "released") if row[form] not in SILENT]
        cells = {
            "": number,
            "claim": row["claim"],
            "in the paper": row["where"],
            "verdict": row["verdict"],
            "in small": "; ".join(small) or "–",
            "in print": row["in print"],
            "ours": row["ours"] or "–",
        }
        rows.append(cells)
    return _table(pd.DataFrame(rows).set_index(""))


def _counts(table: pd.DataFrame) -> str:
    given = (f"{n} {word}" for word, n in claims.counts(table).items())
    return f"Of {len(table)} claims: {', '.join(given)}."


def _training() -> str:
    every, plan = read_training.read_runs(), read_training.plan()
    runs = every.query("recipe == 'cpu' and dataset == 'cifar10'")
    judged = pairs.judged(pairs.paired(runs, "constrained"), "constrained", plan)
    alone = pairs.rate_alone(runs, pairs.learning_rates(runs))
    doses, choices = pairs.dose_response(runs), pairs.choices(runs)
    found = every_plan()["small-confirm"]
    return three_lines(found, doses, pairs.groups(judged), alone, choices)


def _invariance() -> str:
    runs, said = records.read_all("invariance"), []
    for number in (4, 5):
        table = read_invariance.invariance_table(runs, number)
        said.append(f"Table {number}. {say_invariance.distance(read_invariance.distance(table))}")
    return "\n\n".join([*said, say_invariance.gain(claims.measured("invariance"))])


def _in_print(table: pd.DataFrame) -> str:
    """The claims that the paper's own numbers contradict, and why."""
    wrong = table[table["in print"] == "does not hold"]
    return "\n".join(
        f"- Claim {n}, {row['claim']}: {row['in print: why']}." for n, row in wrong.iterrows()
    )


def _table(table: pd.DataFrame) -> str:
    """A table as HTML without blank lines, so that Markdown leaves it alone."""
    return re.sub(r"\n\s*", "", table.to_html(border=0, na_rep="–", escape=True))


def _arxiv() -> str:
    """The paper's number, from the citation."""
    return re.findall(r"\d{4}\.\d{5}", (ROOT / "CITATION.cff").read_text(encoding="utf-8"))[0]


def pages_of(path: Path) -> int:
    """How many pages a PDF by Chromium has."""
    return len(re.findall(rb"/Type\s*/Page\b", path.read_bytes()))


def make(output: Path) -> Path:
    """Write output/_build/article.html and print it; return the PDF."""
    folder = output / "_build"
    folder.mkdir(parents=True, exist_ok=True)
    package = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent
    shutil.copy(package / "static/mathjax/tex-svg-full.js", folder / "mathjax.js")
    source, target = folder / "article.html", folder / "article.pdf"
    source.write_text(page(parts(), "mathjax.js"), encoding="utf-8")
    print_page(source, target, style=STYLE, scale=0.95)
    if (n := pages_of(target)) > PAGES:
        raise SystemExit(f"{target} has {n} pages; at most {PAGES} were asked for")
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--output", type=Path, default=ROOT, help="folder in which _build/article.pdf is made"
    )
    print(f"The report is printed:\n  {make(parser.parse_args().output.resolve())}")


if __name__ == "__main__":
    main()
