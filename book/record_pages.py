"""Every record as a page, and a list of them per experiment: where the line under a figure leads.

The pages are plain HTML beside the book: there are more than a thousand, and Sphinx would take
longer over them than over the book.
"""

from __future__ import annotations

import html
import json
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from reproduction import records
from reproduction.paths import RESULTS

FOLDER = "records"

STYLE = """:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; }
pre, code { font: 13px/1.45 ui-monospace, monospace; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; }
table { border-collapse: collapse; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 2px 12px 2px 0; overflow-wrap: anywhere; }
@media (max-width: 600px) { thead { display: none; } tr, th, td { display: block; }
  tr { padding: 6px 0; } td, th { padding: 0; } }
"""

#: Experiment -> the command for one of its records, filled from its configuration and seed.
AGAIN = {
    "ss-rate": "reproduction ss-rate --models {model} --draws {draw} --seeds {seed}",
    "architectures": "reproduction.architectures --models {model} --seeds {seed}",
    "invariance": "reproduction invariance --models {model} --images {images} --seeds {seed}",
    "constraint": "reproduction train --recipe {recipe} --dataset {dataset} --models {model} "
    "--arms {arm} --gamma own --seeds {seed}",
}

#: Arms that are no longer run.
ENDED = "placebo"


def address(experiment: str) -> str:
    """Where the list of an experiment's records is, from a page one folder deep.

    >>> address("ss-rate")
    '../records/ss-rate/index.html'
    """
    return f"../{FOLDER}/{quote(experiment)}/index.html"


def commands(root: Path = RESULTS) -> dict[str, str]:
    """Experiment -> what makes its records, as the README beside them has it."""
    found: dict[str, str] = {}
    readme = root / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    last = ""
    for names, made in re.findall(r"^\| (`[\w-]+`(?:, `[\w-]+`)*) \| ([^|]+) \|", text, re.M):
        last = last if made.strip() == "the same" else made.strip()
        found |= dict.fromkeys(re.findall(r"`([\w-]+)`", names), last)
    return found


def again(record: Mapping[str, Any]) -> str:
    """The command that makes this record again, "" where its experiment has none for one record.

    >>> config = {"model": "resnet34", "draw": 2, "weights": "untrained"}
    >>> again({"experiment": "ss-rate", "config": config, "seed": 0})
    'python -m reproduction ss-rate --models resnet34 --draws 2 --seeds 0 --results FOLDER'
    """
    experiment, config = record["experiment"], record["config"]
    kept = "recipe" in config  # of trained networks, from the matrices that training keeps
    if experiment not in AGAIN or config.get("weights", "untrained") != "untrained":
        return ""
    if str(config.get("arm", "")).startswith(ENDED) or (experiment == "invariance" and kept):
        return ""
    values = {key: shlex.quote(str(value)) for key, value in config.items()}
    command = AGAIN[experiment].format(**values | {"seed": record["seed"]})
    return f"python -m {command} --results FOLDER"


def write(book: Path, root: Path = RESULTS) -> int:
    """Write the pages of all records that can be read; return how many."""
    made, count = commands(root), 0
    target = book / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    (target / "record.css").write_text(STYLE, encoding="utf-8")
    for experiment in sorted({path.parent.name for path in root.glob("*/*.json")}):
        folder = target / experiment
        folder.mkdir(exist_ok=True)
        rows = []
        for path in sorted((root / experiment).glob("*.json")):
            try:
                record = records.read(path)
            except (OSError, ValueError):
                continue  # the page on the build names it
            (folder / f"{path.stem}.html").write_text(
                _record(path.stem, record, made.get(experiment, "")), encoding="utf-8"
            )
            link = f'<a href="{quote(path.stem)}.html">{html.escape(path.stem)}</a>'
            rows.append((link, *map(_text, (record["seed"], record["date"][:10], _where(record)))))
        count += len(rows)
        (folder / "index.html").write_text(
            _list(experiment, rows, made.get(experiment, "")), encoding="utf-8"
        )
    return count


def _list(experiment: str, rows: list[tuple[str, ...]], command: str) -> str:
    many = "1 record" if len(rows) == 1 else f"{len(rows)} records"
    body = [f"<h1>Records: {html.escape(experiment)}</h1>", _made_by("Made by", command)]
    body += [f"<p>{many}, each a file in <code>data/results/{html.escape(experiment)}</code>.</p>"]
    body += [_table(("record", "seed", "date", "machine"), rows)]
    return _page(f"Records: {experiment}", body)


def _record(name: str, record: Mapping[str, Any], command: str) -> str:
    facts = {
        "experiment": record["experiment"],
        **{f"config: {key}": value for key, value in record["config"].items()},
        "seed": record["seed"],
        "images": record.get("data"),
        "machine": _where(record),
        "seconds": record["seconds"],
        "commit": f"{record['commit']}{' (files differed)' if record['dirty'] else ''}",
        "date": record["date"],
        "versions": record["versions"],
    }
    rows = [(f"{html.escape(key)}", _text(value)) for key, value in facts.items()]
    own = again(record)
    made = (
        _made_by("Made again by", f"`{own}`") if own else _made_by("Its kind is made by", command)
    )
    metrics = html.escape(json.dumps(record["metrics"], indent=1, ensure_ascii=False))
    body = [
        f"<h1>{html.escape(name)}</h1>",
        '<p><a href="index.html">All of this experiment</a></p>',
    ]
    body += [made, _table(("field", "value"), rows)]
    body += ["<h2>Metrics</h2>", f'<pre tabindex="0">{metrics}</pre>']
    return _page(name, body)


def _made_by(words: str, command: str) -> str:
    if not command:
        return ""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(command, quote=False))
    return f"<p>{words}: {text}</p>"


def _where(record: Mapping[str, Any]) -> str:
    device = record["device"]
    return f"{device['type']}, {device['name']}"


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(f"{key} {one}" for key, one in value.items())
    return html.escape("–" if value is None else str(value))


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _page(title: str, body: Iterable[str]) -> str:
    lines = ["<!doctype html>", '<html lang="en">', '<meta charset="utf-8">']
    lines += ['<meta name="viewport" content="width=device-width, initial-scale=1">']
    lines += [
        f"<title>{html.escape(title)}</title>",
        '<link rel="stylesheet" href="../record.css">',
    ]
    lines += ['<p><a href="../../book/index.html">The book</a></p>', *body]
    return "\n".join([*lines, "</html>", ""])
