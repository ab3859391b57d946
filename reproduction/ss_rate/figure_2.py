"""Figure 2: channels of a layer in the plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from reproduction import models
from reproduction.images import ImageSet
from reproduction.models import features_of
from reproduction.sensitivity.measures import participation_ratio
from reproduction.ss_rate.cells import FIGURE_2, N_IMAGES
from reproduction.table_1 import find
from sslib.distances import pair_distances
from sslib.graph import mds


@dataclass(frozen=True)
class ChannelMap:
    """One panel of Fig. 2: the channels of a layer in the plane, per training state.

    Attributes:
        family: of the network.
        positions: training state -> (channels, 2), from one joint scaling of all states.
        stress: of that picture (see ``graph.mds``).
        participation: training state -> ``graph.participation_ratio`` of the drawn channels' F.
        most: the largest participation ratio that so many channels and images allow.
    """

    family: str
    positions: dict[str, np.ndarray]
    stress: float
    participation: dict[str, float]
    most: int


#: Panel's title -> its map under one seed or several, of which the first is drawn.
Maps = Mapping[str, tuple[ChannelMap, ...]]


def place(family: str, states: Mapping[str, Tensor]) -> ChannelMap:
    """Place channels in the plane, those of all training states together, by one metric MDS.

    >>> F = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    >>> placed = place("cnn", {"untrained": F})
    >>> placed.positions["untrained"].shape, placed.most
    ((6, 2), 4)

    Args:
        family: of the network.
        states: training state -> F, all on the same images.
    """
    together, stress = mds(pair_distances(torch.cat(list(states.values()))))
    parts = np.split(together, np.cumsum([len(F) for F in states.values()])[:-1])
    return ChannelMap(
        family,
        dict(zip(states, parts, strict=True)),
        stress,
        {state: participation_ratio(F) for state, F in states.items()},
        most=min(min(len(F) - 1, F.shape[1]) for F in states.values()),
    )


def layer_maps(layers: Mapping[str, Tensor], families: Mapping[str, str]) -> Maps:
    """All channels of some untrained layers in the plane.

    Args:
        layers: title -> F.
        families: title -> family of the network.
    """
    return {title: (place(families[title], {"untrained": F}),) for title, F in layers.items()}


def channel_map(
    model: str, images: ImageSet, seed: int, *, weights: str = "untrained", channels: int = 128
) -> ChannelMap:
    """Place the channels of a model's first module of Table 1 in the plane, as the released code
    does for Fig. 2.

    The same channels are drawn for every state. Both states see the same images, where the released
    script takes another batch for each.

    Args:
        model: a name of Table 1.
        images: as from ``load_images``.
        seed: of the random weights and of the draw of channels.
        weights: "untrained" alone, or what ``models.load`` takes, for "trained" beside it.
        channels: how many are drawn at most.

    Raises:
        ValueError, RuntimeError: as ``models.load`` does.
    """
    architecture = find(model)
    module = architecture.modules[0]
    batch = images.normalised(architecture.mean, architecture.std)
    networks = {"untrained": models.untrained(architecture, seed)}
    if weights != "untrained":
        networks["trained"] = models.load(architecture, weights, seed)
    drawn = {}
    for state, network in networks.items():
        F = features_of(architecture, network, batch, modules=[module])[module]
        keep = torch.randperm(len(F), generator=torch.Generator().manual_seed(seed))[:channels]
        drawn[state] = F[keep]
    return place(architecture.family, drawn)


def figure_2(images: ImageSet, seed: int, n_seeds: int, *, weights: str = "untrained") -> Maps:
    """The seven networks of Figure 2, each under several seeds.

    Args:
        images: as from ``load_images``.
        seed: the first.
        n_seeds: how many.
        weights: as for `channel_map`.
    """
    seeds = range(seed, seed + n_seeds)
    return {
        find(name).name: tuple(channel_map(name, images, s, weights=weights) for s in seeds)
        for name in FIGURE_2
    }


@cache
def noise_directions(D: int, B: int = N_IMAGES) -> float:
    """Participation ratio of Gaussian noise of D channels and B images, one draw.

    >>> round(noise_directions(64))
    56
    """
    return participation_ratio(torch.randn(D, B, generator=torch.Generator().manual_seed(0)))
