"""What the grids of workflow/grids ask for: cells, each with the command that makes its record.

``python -m reproduction.grids GRID.yaml`` prints them as JSON, for workflow/Snakefile. Nothing here
imports torch, so that a list of hundreds is there in a second or two.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from reproduction import records
from reproduction.invariance.cells import INVARIANCE, N_IMAGES, invariance_config
from reproduction.invariance.cells import MODELS as INVARIANCE_MODELS
from reproduction.paths import RESULTS
from reproduction.ss_rate.cells import IMAGES, SS_RATE, ss_rate_config
from reproduction.ss_rate.cells import N_IMAGES as SS_RATE_IMAGES
from reproduction.table_1 import TABLE_1, find, weights_label
from reproduction.training import plans
from reproduction.training.cells import Trainable, grid
from reproduction.training.due import due
from reproduction.training.recipes import Recipe


@dataclass(frozen=True)
class Listed:
    """A cell of a grid.

    Attributes:
        table: the rule of the workflow that makes it.
        record: its record's path in the folder of results.
        command: what follows ``python -m reproduction``, without --results.
        needs: records that have to be there before.
        gpus: how many it takes.
        processes: how many train it together, see ``training.processes``.
        images: what names the images that it takes.
        weights: the file with those of its network, where they are in one.
        recipe: how it is trained.
    """

    table: str
    record: str
    command: tuple[str, ...]
    needs: tuple[str, ...] = ()
    gpus: int = 0
    processes: int = 1
    images: tuple[Any, ...] = ()
    weights: Path | None = None
    recipe: Recipe | None = None


def load(path: Path, root: Path = RESULTS) -> list[Listed]:
    """The cells that a grid asks for, and those that these need, each once.

    The file has a list under each of the names of `TABLES`; the items are options of the command
    that makes the table, or the name of a plan under table_3.

    Args:
        path: the grid, YAML.
        root: folder of the records, which say how far a plan has come.

    Raises:
        ValueError: naming the file, the table and the option, if one is not as expected.
    """
    try:
        text = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: expected a grid in YAML: {error}") from error
    if not isinstance(text, dict) or not text or not text.keys() <= TABLES.keys():
        raise ValueError(f"{path}: expected a list under one or more of {', '.join(TABLES)}")
    cells: dict[str, Listed] = {}
    for table, entries in text.items():
        for options in entries if isinstance(entries, list) else [entries]:
            try:
                found = TABLES[table](root, **options)
                cells |= {cell.record: cell for cell in found}
            except (TypeError, ValueError) as error:
                said = str(error).partition("() ")[2] or error
                raise ValueError(f"{path}, {table}, {options}: {said}") from error
    return list(cells.values())


def table_2(
    root: Path,
    *,
    models: Iterable[str] = tuple(TABLE_1),
    seeds: Iterable[int] = (0,),
    draws: Iterable[int] = (0,),
    images: str = IMAGES,
    n_images: int = SS_RATE_IMAGES,
    weights: str = "untrained",
) -> Iterator[Listed]:
    """Cells of Table 2: a network, a seed of its weights, a draw of images."""
    seeds = seeds if weights == "untrained" else [0]
    for seed, name, draw in product(seeds, models, draws):
        label = weights_label(find(name), weights)
        config = ss_rate_config(name, images, n_images, draw, weights=label)
        own = {"models": find(name).timm_name, "seeds": seed, "draws": draw}
        own |= {"images": images, "n-images": n_images, "weights": weights}
        record, shown = _record(SS_RATE, config, seed), (images, n_images, draw)
        file = _file(name, weights)
        yield Listed("table_2", record, _command("ss-rate", own), images=shown, weights=file)


def table_3(root: Path, *, plan: str | None = None, **options: Any) -> list[Listed]:
    """Cells of Table 3, as for ``training.cells.grid``, or what a plan asks for next; what they
    need comes first.
    """
    if plan is None:
        asked = dict(options)
        names = asked.pop("models", [*TABLE_1])
        asked = {"arms": ["baseline", "constrained"], "seeds": [0]} | asked
        cells: list[Trainable] = [*grid(names=names, **asked)]
    elif options:
        raise ValueError(f"{min(options)}: a plan says it")
    else:
        cells = [*due(plans.load(plan), root)]
    needed: dict[str, Listed] = {}
    for cell in cells:
        _add(cell, needed)
    return [*needed.values()]


def _add(cell: Trainable, to: dict[str, Listed]) -> None:
    for need in cell.needs:
        _add(need, to)
    record, *needs = (_record(one.experiment, one.config, one.seed) for one in (cell, *cell.needs))
    recipe = cell.protocol
    shown = (cell.dataset, recipe.stored, recipe.size, recipe.train_images, recipe.test_images)
    to[record] = Listed(
        "table_3",
        record,
        _command("train", cell.asked),
        tuple(needs),
        gpus=0 if recipe.small else recipe.processes,
        processes=recipe.processes,
        images=shown,
        recipe=recipe,
    )


def tables_4_and_5(
    root: Path,
    *,
    models: Iterable[str] = tuple(INVARIANCE_MODELS),
    seeds: Iterable[int] = (0,),
    images: Iterable[str] = ("cifar10", "imagenette"),
    n_images: int = N_IMAGES,
    weights: str = "untrained",
    noise: bool = False,
) -> Iterator[Listed]:
    """Cells of Tables 4 and 5: a network, a seed of its weights, a set of images; or noise."""
    seeds = seeds if weights == "untrained" else [0]
    config = partial(invariance_config, n_images=n_images)
    for seed, name, source in product(seeds, models, ["noise"] if noise else images):
        own = {"models": name, "seeds": seed, "n-images": n_images}
        if noise:
            label, command = "noise", (*_command("invariance", own), "--noise")
        else:
            label = weights_label(find(INVARIANCE_MODELS.get(name, name)), weights)
            command = _command("invariance", own | {"images": source, "weights": weights})
        record = _record(INVARIANCE, config(name, source, weights=label), seed)
        shown, file = (source, n_images), _file(INVARIANCE_MODELS.get(name, name), weights)
        yield Listed("tables_4_and_5", record, command, images=shown, weights=file)


#: Name of a table in a grid, and of its rule in the workflow -> what gives its cells.
TABLES: Mapping[str, Callable[..., Iterable[Listed]]] = {
    "table_2": table_2,
    "table_3": table_3,
    "tables_4_and_5": tables_4_and_5,
}


def _file(name: str, weights: str) -> Path | None:
    folder = Path(weights)
    return folder / f"{find(name).timm_name}.safetensors" if folder.is_dir() else None


def _record(experiment: str, config: Mapping[str, Any], seed: int) -> str:
    return records.record_path(experiment, config, seed, "").as_posix()


def _command(name: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    words = [(f"--{option}", str(value)) for option, value in options.items()]
    return name, *(word for pair in words for word in pair)


def changes(cells: Iterable[Listed], root: Path = RESULTS) -> list[str]:
    """What has changed under the name of a cell since its record was made: a line for each.

    That is the recipe; the file of the weights, by its date; and the images, where records of one
    grid have had different ones under one name: the latest record counts. A record is never made
    again for that: who wants it so deletes it.
    """
    found: dict[tuple[Any, ...], list[tuple[str, str, str]]] = {}
    lines = []
    for cell in cells:
        path = root / cell.record
        if not path.exists():
            continue
        record = records.read(path)
        if cell.recipe:
            then, now = record["metrics"]["settings"], asdict(cell.recipe)
            for name in [name for name in now if name in then and then[name] != now[name]]:
                lines.append(f"{cell.record}: {name} was {then[name]}, it is {now[name]} by now")
        date, file = datetime.fromisoformat(record["date"]), cell.weights
        if file and file.exists() and file.stat().st_mtime > date.timestamp():
            lines.append(f"{cell.record}: {file} is newer")
        if record["data"]:
            made = (record["date"], cell.record, record["data"]["fingerprint"])
            found.setdefault(cell.images, []).append(made)
    for shown, every in found.items():
        *_, last = max(every)
        lines += [
            f"{name}: its images ({shown[0]}) have the fingerprint {own}, the latest's {last}"
            for _, name, own in every
            if own != last
        ]
    return lines


def main() -> None:
    """Print the cells of a grid as JSON, or what has changed under their names."""
    parser = argparse.ArgumentParser(prog="python -m reproduction.grids", description=main.__doc__)
    parser.add_argument("grid", type=Path, help="a file as those of workflow/grids")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the records")
    parser.add_argument("--changes", action="store_true", help="since the records were made")
    asked = parser.parse_args()
    try:
        cells = load(asked.grid, asked.results)
        if asked.changes:
            print(*changes(cells, asked.results), sep="\n")
            return
    except ValueError as error:
        parser.exit(2, f"{error}\n")
    shown = ("table", "record", "command", "needs", "gpus", "processes")
    print(json.dumps([{name: getattr(cell, name) for name in shown} for cell in cells]))


if __name__ == "__main__":
    main()
