# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Feature networks
#
# What does a layer's feature network look like, and what does SS_rate measure on it? First on four channels, where
# every number can be checked by hand; then on one layer of a convolutional network (ResNet34) and of a vision
# transformer (ViT-S), both with random weights, on real photographs.

# %% tags=["parameters", "hide-input"]
scale = "quick"  # "quick", "gpu" or "paper": sets what is None below
images = None  # "photographs", "imagenet-sample", "imagenette", "cifar10" or "imagefolder:PATH"
n_images = None  # B, the number of images
n_figure_2 = None  # images for Figure 2, seven networks
n_seeds = None  # of the random weights, for the spread of Figure 2's numbers
seed = 0  # of the random weights and of the draw of images
weights = "untrained"  # Figure 2: "untrained" alone, or beside "pretrained" or a folder of <timm name>.safetensors

# %% tags=["hide-input"]
from reproduction.networks import features_of
from reproduction.settings import check_parameters
from reproduction.ss_rate.draw import plot_adjacency, plot_box_curves, plot_distances, plot_positions, plot_profiles
from reproduction.ss_rate.figure_2 import FIGURE_2, channel_map
from reproduction.ss_rate.read import full_scale
from reproduction.style import use_style
from sslib.graph import mds, participation_ratio

scales = {
    "quick": {"images": "photographs", "n_images": 48, "n_figure_2": 16, "n_seeds": 2},
    "gpu": {"images": "photographs", "n_images": 512, "n_figure_2": 512, "n_seeds": 5},
    "paper": {"images": "imagenet-sample", "n_images": 512, "n_figure_2": 512, "n_seeds": 5},
}
allowed = {"images": str, "n_images": range(2, 100_001), "n_figure_2": range(2, 100_001), "n_seeds": range(1, 101)}
allowed |= {"seed": range(2**31), "weights": str}
settings = check_parameters(globals(), allowed, scales)

import math

import pandas as pd
import torch
from IPython.display import Markdown

import sslib
from reproduction import images as data, models, records

use_style()
# %config InlineBackend.figure_formats = ["svg"]
pd.options.display.precision = 4

# %% [markdown]
# ## Four channels by hand
#
# A layer with $D = 4$ channels has seen $B = 2$ images. Every channel answers both images alike, with 0, 1, 3 and 7.

# %% mystnb={"figure": {"caption": "**Distances between four channels.** What to see: the matrix is symmetric, so six numbers above its diagonal hold all that SS_rate is made of.", "name": "tab-four-distances"}} tags=["nbval-check-output"]
F = torch.tensor([[0.0, 0.0], [1.0, 1.0], [3.0, 3.0], [7.0, 7.0]])
C = sslib.pair_distances(F)
channels = [f"channel {i}" for i in (1, 2, 3, 4)]
pd.DataFrame(C.numpy(), channels, channels)

# %% [markdown]
# $C_{ij} = \lVert F_i - F_j \rVert_2 / \sqrt{B}$ (Eq. 8): channels 1 and 2 differ by 1 on each of the two images, so
# their distance is $\sqrt{1 + 1} / \sqrt{2} = 1$. Six pairs have the distances 1, 2, 3, 4, 6 and 7. The smallest
# is $TZ = 1$, the largest $TV = 7$. With three thresholds, equally spaced in $\log(1 + \theta)$, that makes
# $\theta = 1, 3, 7$, because $2, 4, 8$ are equally spaced in the logarithm.
#
# At each threshold the pairs are counted that lie below it; {numref}`tab-by-hand` has their share $p(\theta)$. The printed
# formula also counts a pair that lies exactly on the threshold, as $\theta = 3$ shows. At the upper end, both leave out
# the largest pair.

# %% mystnb={"figure": {"caption": "**From pairs to boxes, by hand.** At three thresholds \u03b8: the share p of pairs below, the number N of boxes, its logarithm, the line that a power law would follow, and the difference. What to see: N begins at the number of channels under both formulas; the printed one then stays further above the line.", "name": "tab-by-hand"}} tags=["nbval-check-output"]
parts = {}
for formula in ("released", "printed"):
    curve = sslib.box_curve(F, formula=formula, thresholds=3)
    parts[formula] = pd.DataFrame({
        "θ": curve.theta.round().int(),
        "p(θ)": curve.density,
        "N": curve.boxes,
        "log N": curve.boxes.log(),
        "line (Eq. 4)": curve.reference,
        "log N − line": curve.boxes.log() - curve.reference,
    })
pd.concat(parts).droplevel(1)

# %% [markdown]
# SS_rate is the mean size of the last column, in units of $\log D$ and doubled (Eq. 3). The
# released code takes a plain mean over the three thresholds, the printed integral the trapezoid rule, which
# gives the two ends half the weight.

# %% tags=["nbval-check-output"]
share = {"released": [1 / 3, 1 / 3, 1 / 3], "printed": [1 / 4, 1 / 2, 1 / 4]}
for formula, part in parts.items():
    by_hand = 2 * (share[formula] * part["log N − line"].abs()).sum() / math.log(4)
    value = sslib.ss_rate(F, formula=formula, thresholds=3)
    print(f"{formula}: SS_rate = {value:.4f}, by hand {by_hand:.4f}")

# %% [markdown]
# ## A layer of two real networks
#
# Now the same for real layers. ResNet34's `layer1` has 64 channels, ViT-S's `blocks.0` has 384. Algorithm 1 runs
# the images through the network and averages each channel over the picture (ReduceMean).

# %% tags=["hide-input"]
pictures = data.load_images(settings["images"], settings["n_images"], seed=settings["seed"])
chosen = {"ResNet34 layer1": ("resnet34", "layer1"), "ViT-S blocks.0": ("vit_small_patch16_224", "blocks.0")}
features = {}
for timm_name in ("resnet34", "vit_small_patch16_224"):
    architecture = models.find(timm_name)
    network = models.untrained(architecture, settings["seed"])
    features[timm_name] = features_of(
        architecture, network, pictures.normalised(), modules=architecture.modules
    )
layers = {title: features[timm_name][module] for title, (timm_name, module) in chosen.items()}
distances = {title: sslib.pair_distances(F) for title, F in layers.items()}
Markdown(f"Images: {pictures.description}")

# %% mystnb={"figure": {"caption": "**Pair distances C of one layer each**, channels sorted by their mean distance to the others. What to see: a few channels, at the right and at the bottom, lie far from all others; they set the upper end TV of the thresholds.", "name": "fig-distances"}, "image": {"alt": "Two square heat maps of pair distances between channels, dark for near and bright for far, brighter towards the lower right corner."}} tags=["hide-input"]
plot_distances(distances);

# %% [markdown]
# ### The network at several thresholds
#
# $G_M$ has no lines of its own; a threshold $\epsilon$ draws them (Eq. 1). Here $\epsilon$ is set so that 1 %, 5 %
# and 20 % of all pairs are joined.

# %% mystnb={"figure": {"caption": "**The feature network at three thresholds**, a row per layer. Channels are placed by multidimensional scaling, so that distances in the picture resemble C; lines join the pairs closer than \u03b5, open circles have no neighbour. What to see: the network grows from a dense core outwards; it does not break into separate groups that join one after the other.", "name": "fig-adjacency"}, "image": {"alt": "Six network drawings in two rows, for ResNet34 and ViT-S, with more and more links between the channels from left to right."}} tags=["hide-input"]
places = {title: mds(C) for title, C in distances.items()}
panels = {}
for title, F in layers.items():
    pairs = distances[title][torch.triu(torch.ones(len(F), len(F)), 1) > 0] * math.sqrt(F.shape[1])
    epsilons = {f"{share} % of pairs": pairs.quantile(share / 100).item() for share in (1, 5, 20)}
    panels[title] = {name: sslib.adjacency(F, epsilon) for name, epsilon in epsilons.items()}
plot_adjacency({title: place for title, (place, _) in places.items()}, panels);

# %% [markdown]
# ### The picture of all channels
#
# Without lines, the same positions are the paper's Figure 2. Two numbers say how far the picture can be trusted. The
# **participation ratio** counts the directions that the cloud of channels really spreads over. **Stress** is the error
# of the plane drawing, from 0 (none).

# %% mystnb={"figure": {"caption": "**G_M in the plane**, metric multidimensional scaling of C. What to see: a cloud that spreads over a few directions only can be elongated like this; one that spreads over many looks round whatever its structure, because the plane has no room for it (high stress).", "name": "fig-positions"}, "image": {"alt": "Two scatter plots of channels, one for ResNet34 and one for ViT-S, with participation ratio and stress written below."}} tags=["hide-input"]
families = {title: models.find(timm_name).family for title, (timm_name, _) in chosen.items()}
notes = {
    title: f"participation ratio {participation_ratio(F):.1f} of {min(len(F) - 1, F.shape[1])}, "
    f"stress {places[title][1]:.2f}"
    for title, F in layers.items()
}
clouds = {title: {"untrained": place} for title, (place, _) in places.items()}
plot_positions(clouds, families, {title: note.replace(", ", "\n") for title, note in notes.items()});

# %% [markdown]
# ### From distances to SS_rate, under both formulas
#
# The density of pairs turns into a number of boxes, and its logarithm is held against a straight line. SS_rate is the
# shaded area. The two formulas see the same distances.

# %% mystnb={"figure": {"caption": "**log N against log(1 + \u03b8)** for both formulas. Dashed: the reference line of Eq. 4, which a perfect power law would follow. Shaded: the area that SS_rate measures. What to see: on the same distances, the released number of boxes falls at once and stays near the line, the printed one stays at D until almost all pairs are closer than \u03b8.", "name": "fig-box-curves"}, "image": {"alt": "Four panels: for each of two layers the curve of log N under the released and under the printed formula, with the straight reference line and the area between shaded."}} tags=["hide-input"]
curves = {
    title: {formula: sslib.box_curve(F, formula=formula) for formula in ("released", "printed")}
    for title, F in layers.items()
}
plot_box_curves(curves);

# %% tags=["hide-input"]
lines = []
for title, pair in curves.items():
    released, printed = (f"**{float(pair[formula].ss_rate):.3f}**" for formula in ("released", "printed"))
    lines.append(f"For {title}, SS_rate is {released} by the released formula and {printed} by the printed one.")
Markdown(" ".join(lines))

# %% [markdown]
# ### Layer by layer
#
# The paper averages SS_rate over the modules of its Table 1: four stages of ResNet34, twelve blocks of ViT-S.

# %% mystnb={"figure": {"caption": "**SS_rate of two networks by both formulas**, averaged over their modules, random weights. What to see: the printed formula gives both networks a far larger value than the released one.", "name": "tab-two-averages"}} tags=["hide-input", "nbval-check-output"]
per_module = []
for timm_name, matrices in features.items():
    architecture = models.find(timm_name)
    for k, (module, F) in enumerate(matrices.items()):
        for formula in ("released", "printed"):
            rate = float(sslib.ss_rate(F, formula=formula))
            depth = k / (len(matrices) - 1)
            per_module.append([architecture.name, architecture.family, module, depth, formula, rate])
profile = pd.DataFrame(per_module, columns=["model", "family", "module", "depth", "formula", "ss_rate"])
averages = profile.pivot_table(index="model", columns="formula", values="ss_rate", sort=False)
averages.rename_axis(None).rename_axis(columns=None).round(2)

# %% mystnb={"figure": {"caption": "**SS_rate along the depth** of the two networks. What to see: how much a single module's value differs from the average that a table shows, and that the formula matters more than the network.", "name": "fig-profile"}, "image": {"alt": "Four panels, a row per family and a column per formula: SS_rate of ViT-S's twelve blocks and of ResNet34's four stages against depth."}} tags=["hide-input"]
plot_profiles(profile);

# %% tags=["hide-input"]
apart = averages["printed"].min() - averages["released"].max()
Markdown(
    f"The smaller printed average lies {apart:.2f} above the larger released one: **which formula is meant has to be said with every "
    f"SS_rate**. These numbers come from {len(pictures)} images and one draw of random weights, so no verdict on the paper's tables "
    "follows from them."
)

# %% [markdown]
# ## Figure 2: seven architectures
#
# The paper's Figure 2 draws the channels of an early layer of seven networks. It sees low-dimensional, directed clouds in
# ViT, ResMLP and MLP-Mixer, and in PoolFormer before training; and round, uniform ones in ResNet, VGG and PVT. Here is
# that picture for freshly initialised networks, at the first module of Table 1 each, drawn as the released code does (at
# most 128 channels, one joint scaling for all training states) on fewer images when the scale is quick. "PVT (Fig. 2)" is
# the smaller PVT that the released code draws; it is not in the paper's Table 1. A picture in the plane cannot show how
# many directions a cloud spreads over, so the participation ratio and the stress stand below.

# %% mystnb={"figure": {"caption": "**G_M of seven untrained networks, first module of Table 1.** Colour is the family: blue attention, orange convolution, green MLP. Below each picture: stress and participation ratio, smallest and largest value over a few seeds of the weights. What to see: the convolutional networks spread over the most directions, but every one of the seven clouds has a few that dominate.", "name": "fig-figure-2"}, "image": {"alt": "Seven scatter plots of channels, for ViT-S, ResNet34, ResMLP, PoolFormer, VGG11, PVT and MLP-Mixer, each with the range of its participation ratio and stress below."}} tags=["hide-input"]
subset = data.load_images(settings["images"], settings["n_figure_2"], seed=settings["seed"])
maps = {
    models.find(timm_name).name: [
        channel_map(timm_name, subset, settings["seed"] + k, weights=settings["weights"])
        for k in range(settings["n_seeds"])
    ]
    for timm_name in FIGURE_2
}
families = {name: models.find(name).family for name in maps}


def span(values, digits):
    low, high = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
    return low if low == high else f"{low} to {high}"


below = {}
for name, drawn in maps.items():
    lines = [f"stress {span([one.stress for one in drawn], 2)}"]
    for state in drawn[0].participation:
        ratios = [one.participation[state] for one in drawn]
        lines.append(f"{span(ratios, 1)} directions" + f" ({state})" * (len(drawn[0].participation) > 1))
    below[name] = "\n".join(lines)
plot_positions({name: drawn[0].positions for name, drawn in maps.items()}, families, below);

# %% tags=["hide-input"]
Markdown(f"Images of this picture: {subset.description}")

# %% [markdown]
# {numref}`tab-directions` has the same number at full size, from the committed records: 512 ImageNet images, all channels.

# %% mystnb={"figure": {"caption": "**How many directions the channels spread over**: participation ratio of the first module of Table 1, mean \u00b1 standard deviation over seeds of the random weights, and that of Gaussian noise of the same shape, which has no preferred direction. D is the number of channels. What to see: every network, isotropic or not by the paper, spreads over far fewer directions than noise.", "name": "tab-directions"}} tags=["hide-input", "nbval-check-output"]
runs = full_scale(records.read_all("ss-rate"))
low = ["ViT (small)", "PoolFormer", "ResMLP", "MLP-Mixer"]  # what the paper's text calls low-dimensional
rows = []
for name in maps:
    architecture = models.find(name)
    part = runs[runs["config.model"] == architecture.timm_name]
    layers = part["metrics.layers"].map(lambda layers, m=architecture.modules[0]: layers[m])
    ratio = layers.map(lambda layer: layer["participation_ratio"]).groupby(part["seed"]).mean()  # over draws of images
    D = layers.iloc[0]["D"]
    noise = participation_ratio(torch.randn(D, 512, generator=torch.Generator().manual_seed(0)))
    says = "low-dimensional" if name in low else "isotropic"
    rows.append([name, says, D, len(ratio), ratio.mean(), ratio.std(), noise])
columns = ["network", "the paper says", "D", "seeds", "directions", "std", "noise"]
directions = pd.DataFrame(rows, columns=columns).set_index("network").rename_axis(None)
shown = directions[["the paper says", "D"]].copy()
shown["directions"] = [f"{row.directions:.2f} ± {row.std:.2f}" for row in directions[["directions", "std"]].itertuples()]
shown["noise"] = directions["noise"].map("{:.0f}".format)
shown

# %% tags=["hide-input"]
groups = directions.groupby("the paper says")["directions"].agg(["min", "max"])
apart = groups.loc["low-dimensional", "max"] < groups.loc["isotropic", "min"]
gap = groups.loc["isotropic", "min"] - groups.loc["low-dimensional", "max"]
closest = directions.loc[directions["the paper says"] == "isotropic", "directions"].idxmin()
trained = "" if settings["weights"] != "untrained" else (
    " Trained networks are **not run** here: their weights were not downloaded (`-p weights pretrained` does it)."
)
Markdown(
    f"Over {directions['seeds'].min()} seeds, the networks that the text calls low-dimensional spread over {groups.loc['low-dimensional', 'min']:.1f} to "
    f"{groups.loc['low-dimensional', 'max']:.1f} directions, those that it calls isotropic over "
    f"{groups.loc['isotropic', 'min']:.1f} to {groups.loc['isotropic', 'max']:.1f}. "
    + (f"The order is the paper's, {closest} and the nearest of the others lying {gap:.1f} apart. " if apart else "The two groups overlap. ")
    + f"But **none of the clouds is isotropic**: noise of the same shapes has {directions['noise'].min():.0f} to "
    f"{directions['noise'].max():.0f} directions.{trained}"
)
