"""What the build adds to pages: lines of origin, scorecard, status."""

from __future__ import annotations

import importlib
import re
import sys
from types import SimpleNamespace

import nbformat
import pytest
import yaml

from reproduction import explorer
from reproduction.paper import read_sentences
from reproduction.paths import ROOT
from reproduction.verdicts import claims, say_answer
from reproduction.verdicts.claims import VERDICTS, load_claims
from reproduction.verdicts.say_answer import IN_PRINT, IN_SMALL, QUESTIONS, SILENT, VERDICT


@pytest.fixture(scope="module", autouse=True)
def book_modules():
    sys.path.insert(0, str(ROOT / "book"))
    yield
    sys.path.remove(str(ROOT / "book"))


@pytest.fixture(scope="module")
def provenance():
    return importlib.import_module("provenance")


@pytest.fixture(scope="module")
def fragments():
    return importlib.import_module("fragments")


@pytest.fixture(scope="module")
def scorecard():
    return importlib.import_module("scorecard")


def cell(source, *, outputs=(), tags=(), **metadata):
    return nbformat.v4.new_code_cell(
        source, outputs=list(outputs), metadata={"tags": list(tags), **metadata}
    )


TABLE = nbformat.v4.new_output(
    "display_data", data={"text/html": "<table></table>", "text/plain": "t"}
)
FIGURE = nbformat.v4.new_output("display_data", data={"image/svg+xml": "<svg/>", "text/plain": "f"})


BUILD = ("abc1234", "2026-01-01", "CPU (x), 2 threads")


def test_negative_numbers_have_a_minus_and_nothing_else_has():
    typeset = importlib.import_module("build").typeset
    assert typeset("-0.5 (-1.2 to +3) <td>-4</td>") == "−0.5 (−1.2 to +3) <td>−4</td>"
    assert typeset("1 ± 2 → 3") == "1 ±\N{NO-BREAK SPACE}2 →\N{NO-BREAK SPACE}3"
    same = "claim-8, 2026-11-27, 0-9, 1e-4, `-p seed`, [a](#b-1)"
    assert typeset(same) == same


def test_the_line_says_where_a_number_comes_from(provenance):
    build = provenance.Build(*BUILD)
    live = provenance.line("chapter", ["live"], build, {})
    assert (
        live
        == "chapter · commit abc1234 · 2026-01-01 · computed in this build on CPU (x), 2 threads"
    )
    known = {"ss-rate": "70, 2026-01-01, CPU"}
    from_records = provenance.line("chapter", ["records:ss-rate"], build, known)
    link = '<a href="../records/ss-rate/index.html">ss-rate</a>'
    assert from_records.endswith(f"records {link}: 70, 2026-01-01, CPU")
    assert "computed" not in from_records
    both = provenance.line("chapter", ["records:ss-rate", "live"], build, known)
    assert "ss-rate</a>: 70" in both and "computed in this build" in both
    assert "printed tables" in provenance.line("chapter", ["paper"], build, {})
    assert "earlier build" in provenance.line("chapter", ["live"], build, {}, ran=False)


def test_figures_and_tables_get_a_line_and_prose_none(provenance):
    captioned = {"mystnb": {"figure": {"caption": "**Title.**"}}}
    prose = nbformat.v4.new_output(
        "display_data", data={"text/markdown": "words", "text/plain": "w"}
    )
    printed = nbformat.v4.new_output("stream", name="stdout", text="a b\n1 2\n3 4\n5 6\n")
    short = nbformat.v4.new_output("stream", name="stdout", text="n = 3\n")
    notebook = nbformat.v4.new_notebook(
        cells=[
            cell("plot()", outputs=[FIGURE], **captioned),
            cell("table", outputs=[TABLE]),
            cell("Markdown()", outputs=[prose]),
            cell("print()", outputs=[printed]),
            cell("print()", outputs=[short]),
            cell("table", outputs=[TABLE], tags=["remove-output"]),
            cell("table", outputs=[TABLE], mystnb={"figure": {"caption": "**Numbers.**"}}),
        ]
    )
    provenance.stamp(notebook, "chapter", provenance.Build(*BUILD), {})
    caption = notebook.cells[0].metadata["mystnb"]["figure"]["caption"]
    assert caption.startswith('**Title.**\n\n<span class="provenance">chapter')
    assert len(notebook.cells[0].outputs) == 1
    assert [len(c.outputs) for c in notebook.cells[1:]] == [2, 1, 2, 1, 1, 1]
    assert "provenance" in notebook.cells[1].outputs[1].data["text/html"]
    table = notebook.cells[6].metadata["mystnb"]["figure"]
    assert table["classes"] == "code-table" and "provenance" in table["caption"], (
        "numbered as a table, not as a figure"
    )
    assert "classes" not in notebook.cells[0].metadata["mystnb"]["figure"]


@pytest.mark.parametrize(
    ("tags", "caption", "read", "complaint"),
    [
        (["records:ss-rate"], "", {"ss-rate"}, None),
        (["live"], "**Drawn live**.", set(), None),
        (["live", "records:ss-rate"], "", {"ss-rate"}, None),
        ([], "", set(), "no source is named"),
        (["paper"], "**Drawn live**.", set(), "the caption says live"),
        (["records:ss-rate"], "", set(), "records:ss-rate is named, but never read"),
        (["live"], "", {"constraint"}, "constraint is read, but no cell names it"),
    ],
)
def test_a_source_that_is_named_wrongly_stops_the_build(provenance, tags, caption, read, complaint):
    shown = cell("plot()", outputs=[FIGURE], tags=tags, mystnb={"figure": {"caption": caption}})
    found = provenance.complaints(nbformat.v4.new_notebook(cells=[shown, cell("x = 1")]), read)
    assert len(found) == (complaint is not None)
    assert all(complaint in one for one in found)


def test_reading_records_leaves_a_line_where_it_is_asked_for(provenance, tmp_path, monkeypatch):
    from reproduction import records

    log = tmp_path / "log"
    records.read_all("no-such-experiment")
    monkeypatch.setenv("SSLIB_READS", str(log))
    records.read_all("no-such-experiment")
    assert provenance.experiments_read(log) == {"no-such-experiment"}
    assert provenance.experiments_read(tmp_path / "missing") == set()


def test_a_notebook_that_changed_is_run_again(tmp_path):
    build = importlib.import_module("build")
    source, target = tmp_path / "a.ipynb", tmp_path / "run.ipynb"
    injected = cell('# Parameters\nscale = "quick"', tags=["injected-parameters"])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell("x = 1")]), source)
    assert not build.unchanged(source, target, "quick")
    nbformat.write(nbformat.v4.new_notebook(cells=[injected, cell("x = 1")]), target)
    assert build.unchanged(source, target, "quick")
    assert not build.unchanged(source, target, "gpu")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell("x = 2")]), source)
    assert not build.unchanged(source, target, "quick")


def test_committed_notebooks_keep_their_text_and_lose_their_pictures():
    commit = importlib.import_module("commit_notebooks")
    figure = nbformat.from_dict({**FIGURE, "metadata": {"image/svg+xml": {"isolated": True}}})
    notebook = nbformat.v4.new_notebook(cells=[cell("plot()", outputs=[figure, TABLE])])
    first, second = commit.without_pictures(notebook).cells[0].outputs
    assert first.data == {"text/plain": "f"} and first.metadata == {}
    assert second.data == TABLE.data


def test_committed_notebooks_are_free_of_lines():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert 'class=\\"provenance' not in path.read_text(encoding="utf-8")


def test_the_first_page_opens_with_three_answers_and_counts(scorecard):
    text = scorecard.answers()
    assert re.findall(r"^\*\*(.*\?)\*\*$", text, flags=re.MULTILINE) == list(QUESTIONS)
    counts = claims.scorecard()["verdict"].value_counts()
    assert all(f"**{n} {word}**" in text for word, n in counts.items())
    text = scorecard.scorecard({"notebooks/paper_numbers": "8", "book/verdicts": ""})
    rows = re.findall(r"^\| \d+ \|", text, flags=re.MULTILINE)
    assert len(rows) == len(load_claims())
    assert "[8](../notebooks/paper_numbers.ipynb)" in text and "training.ipynb" not in text, (
        "links only to pages that exist"
    )


def test_the_first_page_changes_with_the_records(scorecard, tmp_path):
    nothing = f"**{len(load_claims())} not run**"
    assert nothing in scorecard.answers(tmp_path) and nothing not in scorecard.answers()
    assert scorecard.scorecard({}, tmp_path) != scorecard.scorecard({})


@pytest.fixture(scope="module")
def measured():
    return claims.scorecard()


def asked_of(table):
    """The claims that the answer is about."""
    asked = [key for claims_asked in QUESTIONS.values() for key in claims_asked]
    assert set(asked) <= set(claims.by_key(table))
    return asked


@pytest.mark.parametrize("small", [*IN_SMALL, *SILENT])
@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_answer_says_what_the_table_says(scorecard, measured, verdict, small):
    """For all outcomes, and all of the authors' own form beside them."""
    asked = len(asked_of(measured))
    for released in (*IN_SMALL, *SILENT):
        table = measured.assign(**{"verdict": verdict, "in small": small, "released": released})
        text = scorecard.answer(table)
        assert f"**{len(table)} {verdict}**" in text
        words = [text.count(f": {VERDICT[word]}") for word in VERDICTS]
        assert words == [asked * (word == verdict) for word in VERDICTS]
        forms = [
            f"of the printed form {IN_SMALL.get(small)}",
            f"of its authors' own form {IN_SMALL.get(released)}",
        ]
        if released in SILENT:
            forms = [IN_SMALL.get(small)]
        elif small in SILENT:
            forms = forms[1:]
        phrase = "small runs " + ", those ".join(str(form) for form in forms)
        silent = small in SILENT and released in SILENT
        assert text.count("; small runs ") == (0 if silent else asked)
        assert silent or text.count(f"; {phrase}") == asked


@pytest.mark.parametrize("word", ["holds", "holds in part", "does not hold", "no numbers in print"])
def test_the_answer_says_what_is_in_print(scorecard, measured, word):
    text = scorecard.answer(measured.assign(**{"in print": word}))
    counts = [text.count(f"by the paper's own numbers it *{other}*") for other in IN_PRINT]
    assert counts == [len(asked_of(measured)) * (other == word) for other in IN_PRINT]


def test_the_answer_is_above_the_table_that_it_is_about(scorecard, measured):
    """Of the records as they are: each claim in the answer beside its row."""
    text = scorecard.answers()
    row = claims.by_key(measured)["helps"]
    above = text.split("improves MLPs and ViTs, not CNNs: ")[1].split(".\n")[0]
    assert above.startswith(VERDICT[row["verdict"]])
    assert IN_SMALL[row["in small"]] in above and IN_SMALL[row["released"]] in above
    table = scorecard.scorecard({})
    line = next(line for line in table.splitlines() if line.startswith("| 8 |"))
    for word in (row["verdict"], row["in small"], row["released"]):
        assert f'title="{word}"' in line


def italics(text):
    return set(re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text))


def test_no_word_of_the_first_page_is_missing_in_its_table(scorecard, measured):
    """Of the records as they are: "open" above and "disagrees" below cannot be."""
    rows, text = claims.by_key(measured), scorecard.answers()
    spoken = {**VERDICT, **IN_SMALL, **IN_PRINT}
    said = [line for line in text.splitlines() if line.startswith("- ") and italics(line)]
    for claims_asked in QUESTIONS.values():
        for key, what in claims_asked.items():
            line = next(line for line in said if line.startswith(f"- {what}: "))
            row = rows[key]
            words = (row[column] for column in ("verdict", "in small", "released", "in print"))
            given = set().union(*(italics(spoken.get(word, "")) for word in words))
            assert italics(line) == given, key
            said.remove(line)
    assert not said
    for column, form in (("in small", "in small runs"), ("released", "in its authors' own form")):
        counts = measured.loc[~measured[column].isin(SILENT), column].value_counts()
        told = re.search(rf"{form}: ([^;.]*)", text)[1]
        assert told == ", ".join(say_answer.count(n, word) for word, n in counts.items())


def test_the_first_page_has_no_verdict_of_its_own():
    """What is not made from the table: its words would stay when the table changes."""
    text = (ROOT / "book/index.md").read_text(encoding="utf-8")
    words = r"\b(reproduced|reproduces|partly|undecided|(dis)?agrees?|holds|is open|signs differ)\b"
    assert not re.search(words, text, flags=re.IGNORECASE)


def test_the_first_page_says_what_other_networks_show_with_n(scorecard, tmp_path):
    text = scorecard.beyond(["notebooks/trained_networks"])
    assert "(n = 2)" in text and "107 designs" in text and "95 % interval" in text
    assert "trained_networks.ipynb" in text and "architectures.ipynb" not in text
    empty = scorecard.beyond([], tmp_path)
    assert empty.count("Not run.") == 2


def test_every_claim_has_a_section_to_link_to(scorecard):
    text = scorecard.verdicts([])
    assert all(f"(claim-{number})=" in text for number in range(1, len(load_claims()) + 1))
    assert text.count("\nRule\n") == len(load_claims())


def test_the_page_of_elements_has_every_row_and_links_only_to_pages(tmp_path):
    page = importlib.import_module("elements")
    names = ["book/method", *(f"notebooks/{path.stem}" for path in NOTEBOOKS)]
    text = page.elements(names)
    assert "none yet" not in text and text.count("\n$$\n") == 2 * 19
    rows = [line for line in text.splitlines() if line.startswith("| ") and " | " in line]
    heads = [line for line in rows if line.startswith(("| element", "| model", "| cell"))]
    # two lists of 4 and 5, Tables 1 and 2 of nine rows, 27 comparisons, Tables 4 and 5 of seven
    assert len(heads) == 7 and len(rows) - len(heads) == 4 + 5 + 9 + 9 + 27 + 7 + 7
    widths = {line.count("|") for line in rows}
    assert widths <= {4, 6}
    assert "| VGG, CIFAR-100 | 60.48 ± 0.18; SS_rate 0.19 ± 0.01 |" in text
    for target in set(re.findall(r"\]\(([^)]+)\)", text)):
        assert (ROOT / "book" / target).exists(), target
    empty = page.elements([], tmp_path)
    assert "](" not in empty and "none yet" in empty and "0.178" not in empty


def test_every_sentence_links_to_its_claim_or_says_why_it_has_none():
    text = importlib.import_module("elements").sentences()
    rows = [line for line in text.splitlines() if line.startswith("| “")]
    assert len(rows) == len(read_sentences.sentences())
    assert all(("(#claim-" in row) != ("| no claim: " in row) for row in rows)
    linked = {int(number) for number in re.findall(r"\(#claim-(\d+)\)", text)}
    assert linked == {claim.number for claim in load_claims()}


NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_status_lists_notebooks_records_and_files(fragments, provenance):
    runs = [
        fragments.NotebookRun("chapter", 12.3, ("ss-rate",)),
        fragments.NotebookRun("paper_numbers", None, ()),
    ]
    text = fragments.status(provenance.Build("abc1234+", "2026-01-01", "CPU"), runs, "quick")
    assert "| 12 s | ss-rate |" in text and "| run in an earlier build | – |" in text
    assert "files differed" in text and "torch" in text
    assert all(f">{experiment}</a> |" in text for experiment in fragments.experiments())
    assert text.count("data/paper/") == len(
        [*(ROOT / "data/paper").glob("*.csv"), *(ROOT / "data/paper").glob("*.yml")]
    )


def test_pages_include_fragments_that_the_build_writes(fragments):
    build = importlib.import_module("build")
    source = (ROOT / "book/build.py").read_text(encoding="utf-8")
    asked = {
        name
        for page in (ROOT / "book").glob("*.md")
        for name in re.findall(r"_generated/(\w+)\.md", page.read_text())
    }
    assert (
        asked and all(f'"{name}":' in source for name in asked) and callable(build.write_fragments)
    )


def test_the_page_of_verdicts_says_what_the_rules_can_tell(scorecard, tmp_path):
    text = scorecard.abilities()
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 20 and all(len(row.split(" | ")) == 7 for row in rows)
    row = next(row for row in rows if row.startswith("| 12. "))
    assert "| reproduced 100 % |" in row and "not reproduced " in row
    row = next(row for row in rows if row.startswith("| 6. "))
    assert "**partly " in row  # a toss of a coin
    assert "- 8. " in text and "Table 3's gains; none: no network gains." in text
    assert "Of claims 4, 7 nothing was run." in text
    empty = scorecard.abilities(tmp_path)
    assert "the paper's own, as printed" in empty and "| in small" not in empty


def test_the_picture_of_the_first_page_is_of_a_record():
    """Both curves start at D boxes; the released one passes below the line, the printed above."""
    first_screen = importlib.import_module("first_screen")
    text = first_screen.picture()
    kept = explorer.read()["metrics"]["layers"]
    layer = next(one for one in kept if (one["model"], one["module"]) == first_screen.LAYER)
    for formula, rate in layer["ss_rate"].items():
        assert f">{formula}:" in text and f"SS_rate = {rate:.2f}<" in text
    left, top, right, bottom = first_screen.FRAME
    below = {}
    for formula in layer["curves"]:
        path = re.search(rf'x-curve x-{formula}" d="M([^"]+)"', text)[1]
        points = [tuple(map(float, point.split())) for point in path.split(" L")]
        assert points[0] == (left, top) and points[-1][0] == right
        lines = [top + (bottom - top) * (x - left) / (right - left) for x, _ in points]
        below[formula] = sum(y > line for (_, y), line in zip(points, lines, strict=True))
    assert below["printed"] == 0 < below["released"]


@pytest.mark.parametrize(("address", "on"), [("", False), ("https://github.com/a/b", True)])
def test_one_setting_switches_the_links_on(address, on):
    links = importlib.import_module("links")
    config = SimpleNamespace(html_theme_options={"repository_url": address})
    links.switch_on(None, config)
    options = config.html_theme_options
    assert all(options.get(name, False) is on for name in links.BUTTONS)
    assert ("colab_url" in options.get("launch_buttons", {})) is on
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert "links" in settings["sphinx"]["config"]["extensions"]
    assert not [name for name in links.BUTTONS if name in settings["html"]]


def test_a_notebook_that_is_half_run_is_not_shown_again(tmp_path, monkeypatch):
    """A build is killed while papermill writes; the next, with --reuse, finds the run before."""
    build = importlib.import_module("build")
    injected = nbformat.v4.new_code_cell(
        'scale = "quick"', metadata={"tags": ["injected-parameters"]}
    )
    own = nbformat.v4.new_code_cell("1 + 1")
    source, target, work = tmp_path / "a.ipynb", tmp_path / "run/a.ipynb", tmp_path / "work"
    target.parent.mkdir()
    work.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=[own]), source)

    def papermill(killed):
        def run(command, **options):
            nbformat.write(nbformat.v4.new_notebook(cells=[injected, own]), command[4])
            if killed:
                raise KeyboardInterrupt
            return SimpleNamespace(returncode=0, stdout="")

        monkeypatch.setattr(build.subprocess, "run", run)

    papermill(killed=True)
    with pytest.raises(KeyboardInterrupt):
        build.run_notebook(source, target, "quick", work)
    assert not build.unchanged(source, target, "quick") and not [*target.parent.iterdir()]
    papermill(killed=False)
    assert build.run_notebook(source, target, "quick", work) >= 0
    assert build.unchanged(source, target, "quick")
    whole = target.read_bytes()
    papermill(killed=True)
    with pytest.raises(KeyboardInterrupt):
        build.run_notebook(source, target, "quick", work)
    assert target.read_bytes() == whole
