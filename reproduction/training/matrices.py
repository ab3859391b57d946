"""Matrices of trained networks, kept beside the records."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reproduction import records
from reproduction.paths import RESULTS
from reproduction.training.recipes import PROBE
from sslib.features import feature_matrices
from sslib.grams import Gram, activation_grams


def read_matrices(path: str | os.PathLike[str]) -> dict[str, Gram]:
    """The Gram matrices that a training run leaves in an .npz file: module -> Gram.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: naming the file if it holds no Gram matrices, or not all that belongs to one.
    """
    path = Path(path)
    with np.load(path) as arrays:
        names = [name.removeprefix("gram/") for name in arrays.files if name.startswith("gram/")]
        missing = [
            key
            for name in names
            for key in (f"features/{name}", f"nonzero/{name}")
            if key not in arrays
        ]
        if not names or missing:
            raise ValueError(
                f"{path.name}: expected gram/, features/ and nonzero/ of each module, "
                f"got {', '.join(arrays.files) or 'nothing'}"
            )
        grams = {}
        for name in names:
            products = arrays[f"gram/{name}"]
            if (
                products.ndim != 2
                or products.shape[0] != products.shape[1]
                or not np.isfinite(products).all()
            ):
                raise ValueError(
                    f"{path.name}: expected finite (B, B) products for {name!r}, got "
                    f"{products.shape}"
                )
            products = torch.from_numpy(products.astype(np.float64))
            grams[name] = Gram(
                products, int(arrays[f"features/{name}"]), int(arrays[f"nonzero/{name}"])
            )
    return grams


def keep(path: Path, network: nn.Module, images: Tensor, modules: list[str], seed: int) -> None:
    """Write a trained network's matrices, whole or not at all: Gram matrices of all modules, and F
    of the first, at most 128 of its channels.

    Args:
        path: .npz.
        network: in any mode.
        images: (N, 3, H, W), as the network takes them; F is of the first 512.
        modules: their names.
        seed: of the draw of channels.
    """
    grams = activation_grams(network, images, modules)
    first = modules[0]
    F = feature_matrices(network, images[: PROBE[-1]], first)[first]
    channels = torch.randperm(len(F), generator=torch.Generator().manual_seed(seed))[:128]
    arrays: dict[str, Any] = {f"F/{first}": F[channels.to(F.device)].cpu().numpy()}
    for name, gram in grams.items():
        arrays[f"gram/{name}"] = gram.products.cpu().numpy()
        arrays[f"features/{name}"], arrays[f"nonzero/{name}"] = gram.features, gram.nonzero
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp.npz")
    np.savez(temporary, **arrays)
    temporary.replace(path)


def trained_runs(
    folder: str | os.PathLike[str], root: Path = RESULTS
) -> Iterable[tuple[Path, dict[str, Any]]]:
    """The .npz files that training has kept in a folder, each with the record of its training, in
    order of their names.

    Args:
        folder: holds ``<name>.npz`` for each record ``<name>.json``, which lies beside it or in
            ``<root>/constraint``. Files without a record are passed over, with a warning.

    Raises:
        ValueError: there are no .npz files.
    """
    files = sorted(Path(folder).glob("*.npz"))
    if not files:
        raise ValueError(
            f"folder: expected .npz files of trained networks, found none in {str(folder)!r}"
        )
    for path in files:
        places = path.with_suffix(".json"), Path(root) / "constraint" / f"{path.stem}.json"
        found = next((place for place in places if place.exists()), None)
        if found is None:
            warnings.warn(
                f"{path.name} passed over: no record {path.stem}.json of its training", stacklevel=2
            )
        else:
            yield path, records.read(found)
