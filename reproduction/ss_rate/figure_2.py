"""Figure 2: channels of a layer in the plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from reproduction import models
from reproduction.images import ImageSet
from reproduction.networks import features_of
from sslib.distances import pair_distances
from sslib.graph import mds, participation_ratio

#: The seven networks of Fig. 2, by family.
FIGURE_2 = (
    "vit_small_patch16_224",
    "poolformer_s12",
    "pvt_v2_b1",
    "resnet34",
    "vgg11",
    "resmlp_12_224",
    "mixer_b16_224",
)


@dataclass(frozen=True)
class ChannelMap:
    """One panel of Fig. 2: the channels of a layer in the plane, per training state.

    Attributes:
        positions: training state -> (channels, 2), from one joint scaling of all states.
        stress: of that picture (see ``graph.mds``).
        participation: training state -> ``graph.participation_ratio`` of the drawn channels' F.
    """

    positions: dict[str, np.ndarray]
    stress: float
    participation: dict[str, float]


def channel_map(
    model: str, images: ImageSet, seed: int, *, weights: str = "untrained", channels: int = 128
) -> ChannelMap:
    """Place the channels of a model's first module of Table 1 in the plane, as the released code
    does for Fig. 2.

    The same at most `channels` channels are drawn (by `seed`) for every state and placed together
    by one metric MDS. Both states see the same images, where the released script takes another
    batch for each.

    model: a name of Table 1. weights: "untrained" alone, or what ``models.load`` takes, for
    "trained" beside it.

    Raises as ``models.load`` does.
    """
    architecture = models.find(model)
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
    place, stress = mds(pair_distances(torch.cat(list(drawn.values()))))
    parts = np.split(place, np.cumsum([len(F) for F in drawn.values()])[:-1])
    return ChannelMap(
        dict(zip(drawn, parts)),
        stress,
        {state: participation_ratio(F) for state, F in drawn.items()},
    )
