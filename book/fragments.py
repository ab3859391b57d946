"""The parts of pages that code writes when the book is built, as MyST text: scorecard, verdicts,
status.
"""

from __future__ import annotations

import hashlib
import html
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml
from provenance import Build

from reproduction import machine, records
from reproduction.paper.audit import gains as paper_gains
from reproduction.paper.audit import (
    invariance_correlation,
    largest_ss_rate_as_printed,
    mean_gains,
    readded_averages,
    table_2_changes,
)
from reproduction.paper.tables import MARKED, released_commands
from reproduction.paths import PAPER, RESULTS, ROOT
from reproduction.verdicts.claims import VERDICTS, by_key, load_claims, rules_written
from reproduction.verdicts.claims import scorecard as verdicts_scorecard
from reproduction.verdicts.differences import differences as point_by_point

#: A sign beside each word, so that colour is not the only one.
SIGNS = {
    "reproduced": "✓", "partly": "◐", "not reproduced": "✗", "not testable here": "?", "not run": "○",
    "agrees": "✓", "agrees in part": "◐", "disagrees": "✗", "undecided": "?",
    "holds": "✓", "holds in part": "◐", "does not hold": "✗", "no numbers in print": "–", "–": "–",
}  # fmt: skip


@dataclass(frozen=True)
class NotebookRun:
    """One notebook of this build: seconds, or None where it was taken as committed; experiments it
    read.
    """

    name: str
    seconds: float | None
    experiments: tuple[str, ...]


def scorecard(pages: Sequence[str], root: Path = RESULTS) -> str:
    """The landing page's answer: counts by verdict, two sentences, and the table, a row per claim."""
    table = verdicts_scorecard(root)
    lines = [answer(table), "", ":::{div} scorecard", ""]
    lines += [
        "| | the paper claims | verdict | in print | its own tables | ours | chapter |",
        "|-" * 7 + "|",
    ]
    common = _commonest(table)
    for number, row in table.iterrows():
        ours = [_measured(row["ours"], row["n"], row["hardware"], common)] if row["ours"] else []
        if row["in small"] not in ("–", "not run"):
            small = (row[f"in small: {part}"] for part in ("ours", "n", "hardware"))
            ours.append(f"<i>small:</i> {_measured(*small, common)}")
        verdict = f"[{_badge(row['verdict'])}](#claim-{number})"
        if row["in small"] not in ("–", "not run"):
            verdict += f"<br>small: {_badge(row['in small'])}"
        printed = _badge(row["in print"], row["in print: fact"]) if row["in print: fact"] else "–"
        links = _links(row["evidence"], pages)
        cells = [
            str(number),
            row["claim"],
            verdict,
            row["paper"],
            printed,
            "<br>".join(ours) or "–",
            links,
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    where = f"Measured on {html.escape(common)} unless said otherwise. " if common else ""
    note = (
        "✓ reproduced, or holds; ◐ in part; ✗ not reproduced, or does not hold; ○ not run; ? not decided; – nothing to compare. A verdict counts the "
        f"paper's own networks and image sizes only; what small networks found stands beside it (recipe cpu: a CIFAR-10 subset, 32 px, 10 epochs). {where}“Marked” are the models that Table 3 marks "
        "with an arrow: ResMLP, MLP-Mixer and both ViTs. ±: in claim 3 one standard deviation over seeds, in claims 8 to 10 half a 95 % interval. "
        "[Every claim, its rule and its evidence](verdicts.md)."
    )
    return "\n".join([*lines, "", note, "", ":::", ""])


def answer(table: pd.DataFrame) -> str:
    """The first lines of the landing page: the question, how many claims have which verdict, what
    follows for a reader.
    """
    counts = table["verdict"].value_counts()
    told = [f"**{counts[word]} {word}**" for word in VERDICTS if word in counts]
    against = (table["in print"] == "does not hold").sum()
    small = table.loc[~table["in small"].isin(["–", "not run"]), "in small"].value_counts()
    tried = (
        "; tried in small runs: " + ", ".join(f"{n} {word}" for word, n in small.items())
        if len(small)
        else ""
    )
    return (
        "**Can I believe *Self-similarity Analysis in Deep Neural Networks* {cite:p}`ding2025selfsimilarity`, and can I use its method?** "
        "SS_rate says how far a layer's channels are from self-similar, 0 to 1; the constraint holds it at a target in training. "
        f"The paper makes {len(table)} claims that can be tested. At its own settings: {', '.join(told)}{tried}. By its own tables and "
        f"equations alone, {against} do not hold.\n\n{_believe(table)} {_use(table)}"
    )


def _believe(table: pd.DataFrame) -> str:
    row = by_key(table)
    values, gain, why = row["table2-untrained"], row["helps"], row["invariance"]
    measured = {
        "reproduced": "Its measurements of untrained networks, yes",
        "partly": "Its measurements of untrained networks, mostly",
    }
    first = measured.get(values["verdict"], "Its measurements have not been confirmed here")
    second = {
        "reproduced": "that its constraint improves accuracy, yes",
        "partly": "that its constraint improves accuracy, in part",
        "not reproduced": "that its constraint improves accuracy, no",
    }.get(gain["verdict"], "that its constraint improves accuracy is open")
    if gain["verdict"] in ("not run", "not testable here") and gain["in small"] not in (
        "–",
        "not run",
    ):
        second += f" (in small runs: {gain['in small: ours'].replace(';', ',')})"
    third = (
        ""
        if why["in print"] != "does not hold"
        else "; its explanation of who gains is not borne out by its own tables"
    )
    return f"**Believe:** {first[0].lower()}{first[1:]}; {second}{third}."


def _use(table: pd.DataFrame) -> str:
    row = by_key(table)
    cheap = {
        "reproduced": "yes, it is cheap and has a usable gradient",
        "partly": "yes, with a careful implementation",
    }
    first = cheap.get(row["cheap"]["verdict"], "its cost has not been confirmed here")
    moves = row["toward-target"]
    word = (
        moves["verdict"]
        if moves["verdict"] in ("reproduced", "partly", "not reproduced")
        else moves["in small"]
    )
    second = {
        "reproduced": "the constraint does move it to its target", "agrees": "in small runs the constraint moves it to its target",
        "partly": "the constraint moves it to its target in part", "agrees in part": "in small runs the constraint moves it toward its target in some networks",
        "not reproduced": "the constraint does not move it", "disagrees": "in small runs the constraint, as the paper sets it, does not move it",
    }.get(word, "whether the constraint moves it is open")  # fmt: skip
    boxes = ", and it does not count boxes" if row["boxes"]["verdict"] == "not reproduced" else ""
    return f"**Use:** SS_rate, as a measure: {first}, but compare values only at equal [feature scale](#scale-matters){boxes}; {second}."


def verdicts(pages: Sequence[str], root: Path = RESULTS) -> str:
    """Every claim in full: what is claimed, the test, the rule, what is printed, what was measured."""
    table = verdicts_scorecard(root)
    parts = [f"Date of the rules: {rules_written()}{_first_commit('data/paper/claims.yml')}.", ""]
    for claim in load_claims():
        row = table.loc[claim.number]
        parts += [
            f"(claim-{claim.number})=",
            f"## Claim {claim.number}: {claim.short}",
            "",
            f"{claim.claim} *({claim.where})*",
            "",
        ]
        parts += [
            f"**{SIGNS[row['verdict']]} {row['verdict']}**"
            + _told(row["ours"], row["n"], row["hardware"]),
            "",
        ]
        if row["in small"] != "–":
            small = (row[f"in small: {part}"] for part in ("ours", "n", "hardware"))
            parts += [
                f"In small: **{SIGNS[row['in small']]} {row['in small']}**" + _told(*small),
                "",
            ]
        parts += [f"Its own tables: **{row['in print']}**: {row['in print: why']}.", ""]
        evidence = _links(claim.evidence, pages, full=True)
        fields = {
            "Test": claim.test,
            "Rule": claim.rule,
            "Outcome known when the rule was written": claim.known,
            "Evidence": evidence,
        }
        for name, text in fields.items():
            parts += [name, f": {' '.join(text.split())}", ""]
    return "\n".join(parts)


def _first_commit(path: str) -> str:
    """When a file was first committed, in words; "" outside a git checkout."""
    command = ["git", "log", "--diff-filter=A", "--format=%h on %cs", "--", path]
    try:
        found = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split("\n")[0]
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"; first committed in {found}" if found else ""


def status(build: Build, runs: Collection[NotebookRun], params: str, pages: Sequence[str]) -> str:
    """What this build was made of: commit, machine, versions, notebooks and their times, records,
    printed tables.
    """
    lines = [
        f"Built on {build.date} from commit `{build.commit}` on {build.machine}, notebooks at the settings of `{params}`.",
        "",
    ]
    if build.commit.endswith("+"):
        lines += ["The plus sign says that files differed from that commit.", ""]
    versions = machine.provenance()["versions"]
    lines += [
        "Versions: "
        + ", ".join(f"{name} {version}" for name, version in versions.items() if version)
        + ".",
        "",
    ]
    lines += ["## Notebooks", "", "| notebook | run time | records it read |", "|-|-|-|"]
    for run in sorted(runs, key=lambda run: run.name):
        time = "as committed" if run.seconds is None else f"{run.seconds:.0f} s"
        lines.append(
            f"| [{run.name}](../notebooks/{run.name}.ipynb) | {time} | {', '.join(run.experiments) or '–'} |"
        )
    lines += ["", "## Records", "", ":::{div} wide", ""]
    lines += [
        "| experiment | records | made | commits | machines | image sets (fingerprint) |",
        "|-|-|-|-|-|-|",
    ]
    for experiment in experiments():
        lines.append("| " + " | ".join([experiment, *_origin(experiment)]) + " |")
    lines += [
        "",
        ":::",
        "",
        "## Printed tables and rules",
        "",
        "| file | SHA-256, first 16 digits |",
        "|-|-|",
    ]
    for path in sorted(PAPER.glob("*.*")):
        if path.suffix in (".csv", ".yml"):
            lines.append(
                f"| `data/paper/{path.name}` | `{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}` |"
            )
    return "\n".join([*lines, ""])


def experiments(root: Path = RESULTS) -> list[str]:
    """The experiments that have records."""
    return sorted({path.parent.name for path in root.glob("*/*.json")})


def known_records(root: Path = RESULTS) -> dict[str, str]:
    """Experiment -> how many records, when and on what they were made, for the line under a figure."""
    return {e: "{0}, {1}, {3}".format(*_origin(e, root)) for e in experiments(root)}


def _origin(experiment: str, root: Path = RESULTS) -> tuple[str, str, str, str, str]:
    """How many records, dates, commits, machines and image sets, each as text."""
    runs = records.read_all(experiment, root)
    dates = sorted({date[:10] for date in runs["date"]})
    made = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    commits = ", ".join(f"`{commit[:7]}`" for commit in dict.fromkeys(runs["commit"].dropna()))
    images = "–"
    if "data.name" in runs:
        sets = (
            runs[["data.name", "data.fingerprint"]]
            .dropna()
            .drop_duplicates()
            .groupby("data.name")["data.fingerprint"]
        )
        images = "; ".join(
            f"{name} ({', '.join(f'`{p}`' for p in list(prints)[:3])}{', …' * (len(prints) > 3)})"
            for name, prints in sets
        )
    where = machine.names(
        runs[["device.type", "device.name"]].drop_duplicates().itertuples(index=False)
    )
    return str(len(runs)), made, commits, where, images or "–"


def _badge(word: str, text: str = "") -> str:
    """A word, or a text that it stands for, with its sign and colour."""
    return f'<span class="verdict v-{word.replace(" ", "-")}" title="{word}">{SIGNS[word]} {html.escape(text or word)}</span>'


def _measured(ours: str, n: str, hardware: str, common: str) -> str:
    where = "" if hardware in (common, "") else f", {hardware}"
    return f'{html.escape(ours)} <span class="n">{html.escape(n + where)}</span>'


def _told(ours: str, n: str, hardware: str) -> str:
    return f": {ours}. *{'; '.join(part for part in (n, hardware) if part)}.*" if ours else "."


def _commonest(table: pd.DataFrame) -> str:
    used = pd.concat([table["hardware"], table["in small: hardware"]])
    used = used[used != ""]
    return "" if used.empty else used.value_counts().index[0]


def _links(evidence: Collection[str], pages: Sequence[str], *, full: bool = False) -> str:
    """Links to those evidence pages that the book has, from a page in book/."""
    links = []
    for page in evidence:
        if page in pages:
            folder, name = page.split("/")
            target = f"{name}.md" if folder == "book" else f"../notebooks/{name}.ipynb"
            number = name.partition("_")[0]
            if full:
                links.append(f"[]({target})")  # the page's title
            elif number.isdigit():  # by the number that the chapter has in the book
                links.append(f"[{pages.index(page) + 1}]({target})")
    return ", ".join(links) or "none yet" if full else " ".join(links)


def differences(root: Path = RESULTS) -> str:
    """Print against release: a table per part, a row per difference."""
    lines = []
    for part, rows in point_by_point(root).groupby("part", sort=False):
        lines += [f"## {part}", "", ":::{div} wide stacked differences", ""]
        lines += ["| step | printed | released | effect | here |", "|-|-|-|-|-|"]
        for row in rows.itertuples():
            cells = (row.step, row.printed, row.released, row.effect, row.ours)
            lines.append(
                "| "
                + " | ".join(cell.replace("|", "\\|").replace("_", "\\_") for cell in cells)
                + " |"
            )
        lines += ["", ":::", ""]
    return "\n".join(lines)


def errata() -> str:
    """The errata as a table, numbers filled in from the printed tables."""
    numbers = _errata_numbers()
    lines = [
        ":::{div} wide stacked errata",
        "",
        "| where | printed | should be | why | found |",
        "|-|-|-|-|-|",
    ]
    for row in yaml.safe_load((PAPER / "errata.yml").read_text(encoding="utf-8")):
        cells = (
            row[key].format(**numbers) for key in ("where", "printed", "should_be", "why", "found")
        )
        lines.append(
            "| " + " | ".join(cell.replace("|", "\\|").replace("_", "\\_") for cell in cells) + " |"
        )
    return "\n".join([*lines, "", ":::", ""])


def _errata_numbers() -> dict[str, object]:
    gains, means, change = (paper_gains(), mean_gains().loc[list(MARKED)], table_2_changes())
    alpha = released_commands()["alpha"].dropna()
    pool, averages = gains.loc[("PoolFormer", "imagenette")], readded_averages()["mean"]
    trained = change["pretrained"]
    return {
        "largest": largest_ss_rate_as_printed(384),
        "smallest_table2": change[["untrained", "pretrained"]].min(axis=None),
        "alpha_low": f"{alpha.min():g}", "alpha_high": f"{alpha.max():g}", "alpha_n": len(alpha), "alpha_large": (alpha == alpha.max()).sum(),
        "points_low": means["points"].min(), "points_high": means["points"].max(),
        "relative_low": means["relative"].min(), "relative_high": means["relative"].max(),
        "largest_gain": gains["gain"].max(), "largest_relative": gains["relative"].max(),
        "mixer_from": gains.loc[("MLP-Mixer", "imagenette"), "baseline"], "mixer_to": gains.loc[("MLP-Mixer", "imagenette"), "constrained"],
        "poolformer_gain": pool["gain"], "poolformer_low": pool["low"], "poolformer_high": pool["high"],
        "rising": (change["change"] > 0).sum(), "n_models": len(change), "falling": " and ".join(change.index[change["change"] < 0]),
        "rho4": invariance_correlation(4).estimate, "rho5": invariance_correlation(5).estimate,
        "vgg_trained": trained["VGG"], "vgg_rank": int(trained.rank()["VGG"]), "vit_trained": trained["ViT (small)"],
        "resnet5": averages[5, "ResNet"], "pvt5": averages[5, "PVT"],
    }  # fmt: skip
