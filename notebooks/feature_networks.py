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

# %% tags=["parameters", "hide-input"]
scale = "quick"  # "quick", "gpu" or "paper": sets what is None below
images = None  # "photographs", "imagenet-sample", "imagenette", "cifar10" or "imagefolder:PATH"
n_images = None  # B, the number of images
n_figure_2 = None  # images for Figure 2, seven networks
n_seeds = None  # of the random weights, for the spread of Figure 2's numbers
seed = 0  # of the random weights and of the draw of images
weights = "untrained"  # in Figure 2 also "pretrained", or a folder of <timm name>.safetensors

# %% tags=["hide-input"]
import torch
from IPython.display import Markdown

import sslib
from reproduction import records
from reproduction.images import load_images
from reproduction.settings import start
from reproduction.ss_rate import draw, live, read, say
from reproduction.ss_rate.figure_2 import figure_2, layer_maps, noise_directions
from reproduction.verdicts.say_chapters import opening

settings = start("feature_networks", globals())
pictures = load_images(settings["images"], settings["n_images"], seed=settings["seed"])
features = live.features(["ResNet34", "ViT (small)"], pictures, settings["seed"])

# %% tags=["hide-input", "answer", "records:ss-rate"]
Markdown(opening("feature_networks"))

# %% [markdown]
# What does a layer's feature network look like, and what does SS_rate measure on it? This chapter starts with four channels,
# where every number can be checked by hand. It goes on to one layer of a convolutional network (ResNet34) and one of a vision
# transformer (ViT-S), both with random weights, on real photographs, and ends with the paper's Figure 2.
#
# In code, the steps from a layer to its network and its SS_rate are one line each:

# %%
F = features["ResNet34"]["layer1"]  # (D, B): 64 channels, B images
C = sslib.pair_distances(F)  # (D, D), Eq. 8
epsilon = C.median().item() * F.shape[1] ** 0.5  # C is per image
A = sslib.adjacency(F, epsilon)  # Eq. 1: half of all pairs are linked
curve = sslib.box_curve(F)  # N against theta
rate = sslib.ss_rate(F)  # Eq. 3
links = int(A.sum()) // 2
print(f"{len(C)} channels, {links} links, SS_rate {rate.item():.2f}")

# %% [markdown]
# ## Four channels by hand
#
# A layer with $D = 4$ channels has seen $B = 2$ images. Each channel gives both images the same value: 0, 1, 3 and 7.

# %% mystnb={"figure": {"caption": "**SS_rate is computed from these six numbers alone.** Distances between four channels: the matrix is symmetric, and what counts lies above its diagonal.", "name": "tab-four-distances"}} tags=["nbval-check-output", "live"]
four = torch.tensor([[0.0, 0.0], [1.0, 1.0], [3.0, 3.0], [7.0, 7.0]])
live.channel_table(sslib.pair_distances(four))

# %% [markdown]
# $C_{ij} = \lVert F_i - F_j \rVert_2 / \sqrt{B}$ (Eq. 8): channels 1 and 2 differ by 1 on each of the two images, so
# their distance is $\sqrt{1 + 1} / \sqrt{2} = 1$. The six pairs have the distances 1, 2, 3, 4, 6 and 7. The smallest
# is $TZ = 1$, the largest $TV = 7$. Three thresholds equally spaced in $\log(1 + \theta)$ are
# $\theta = 1, 3, 7$, because the logarithms of $2, 4, 8$ are equally spaced.
#
# {numref}`tab-by-hand` has the share $p(\theta)$ of pairs below each threshold. The printed
# formula also counts a pair that lies exactly on the threshold, as $\theta = 3$ shows. At the upper end, both leave out
# the largest distance.

# %% mystnb={"figure": {"caption": "**Both formulas begin with as many boxes as channels; the printed one then stays further above the line.** At three thresholds \u03b8: the share p of pairs below, N, log N, the line, and the difference.", "name": "tab-by-hand"}} tags=["nbval-check-output", "live"]
by_hand = live.box_curves({"four channels": four}, thresholds=3)
live.by_hand(by_hand)

# %% [markdown]
# SS_rate is twice the mean absolute value of the last column, divided by $\log D$ (Eq. 3). The
# released code takes a plain mean over the three thresholds; for the printed integral we use the trapezoid rule, which
# gives the two ends half the weight.

# %% tags=["nbval-check-output"]
print(say.by_hand(live.rates_by_hand(by_hand)))

# %% [markdown]
# ## A layer of two real networks
#
# Now the same for real layers. ResNet34's `layer1` has 64 channels, ViT-S's `blocks.0` has 384. Algorithm 1 runs
# the images through the network and averages each channel over all positions in the image (ReduceMean).

# %% tags=["hide-input"]
layers = {
    "ResNet34 layer1": features["ResNet34"]["layer1"],
    "ViT-S blocks.0": features["ViT (small)"]["blocks.0"],
}
Markdown(say.images(pictures.description))

# %% mystnb={"figure": {"caption": "**A few channels lie far from all others and set the upper end TV of the thresholds.** Pair distances C of one layer each, channels sorted by their mean distance to the others.", "name": "fig-distances"}, "image": {"alt": "Two square heat maps of pair distances between channels, dark for near and bright for far, brighter towards the lower right corner."}} tags=["hide-input", "live"]
draw.plot_distances(live.distances(layers));

# %% [markdown]
# ### The network at several thresholds
#
# Which nodes of $G_M$ are joined depends on a threshold $\epsilon$ (Eq. 1). Here $\epsilon$ is set so that 1 %, 5 %
# and 20 % of all pairs are joined.

# %% mystnb={"figure": {"caption": "**The network grows outwards from a dense core; no separate groups join one after the other.** A row per layer: channels placed by multidimensional scaling, lines join pairs closer than \u03b5, open circles have no neighbour.", "name": "fig-adjacency"}, "image": {"alt": "Six network drawings in two rows, for ResNet34 and ViT-S, with more and more links between the channels from left to right."}} tags=["hide-input", "live"]
maps = layer_maps(layers, {"ResNet34 layer1": "cnn", "ViT-S blocks.0": "attention"})
draw.plot_adjacency(maps, live.networks(layers, (1, 5, 20)));

# %% [markdown]
# ### The picture of all channels
#
# Without the lines, the same positions make up the paper's Figure 2. Two numbers say how far such a picture can be trusted. The
# **participation ratio** is the effective number of directions over which the channels spread. **Stress** is the error
# of drawing them in a plane, 0 if there is none.

# %% mystnb={"figure": {"caption": "**A round cloud does not prove that there is no structure: it may spread over more directions than a plane has.** G_M by metric multidimensional scaling of C, with participation ratio and stress below.", "name": "fig-positions"}, "image": {"alt": "Two scatter plots of channels, one for ResNet34 and one for ViT-S, with participation ratio and stress written below."}} tags=["hide-input", "live"]
draw.plot_positions(maps, say.layer_notes(maps));

# %% [markdown]
# ### From distances to SS_rate, under both formulas
#
# The density of pairs is turned into a number of boxes, and the logarithm of that number is compared with a straight line.
# SS_rate is the shaded area. Both formulas get the same distances.

# %% mystnb={"figure": {"caption": "**On the same distances, the released number of boxes stays near the line and the printed one stays at D.** log N against log(1 + \u03b8). Dashed: the line of Eq. 4; shaded: what SS_rate measures.", "name": "fig-box-curves"}, "image": {"alt": "Four panels: for each of two layers the curve of log N under the released and under the printed formula, with the straight reference line and the area between shaded."}} tags=["hide-input", "live"]
curves = live.box_curves(layers)
draw.plot_box_curves(curves);

# %% tags=["hide-input"]
Markdown(say.two_formulas(curves))

# %% [markdown]
# ### Layer by layer
#
# The paper averages SS_rate over the modules of its Table 1: four stages of ResNet34, twelve blocks of ViT-S.

# %% mystnb={"figure": {"caption": "**The printed formula gives both networks a far larger SS_rate than the released one.** Averages over the networks' modules, random weights.", "name": "tab-two-averages"}} tags=["hide-input", "nbval-check-output", "live"]
profile = live.layer_rates(features)
live.averages(profile)

# %% mystnb={"figure": {"caption": "**The choice of formula matters more than the choice of network, and a single module can lie far from the average.** SS_rate along the depth of two networks.", "name": "fig-profile"}, "image": {"alt": "Four panels, a row per family and a column per formula: SS_rate of ViT-S's twelve blocks and of ResNet34's four stages against depth."}} tags=["hide-input", "live"]
draw.plot_profiles(profile);

# %% tags=["hide-input"]
Markdown(say.which_formula(live.formula_gap(profile), len(pictures)))

# %% [markdown]
# ## Figure 2: seven architectures
#
# The paper's Figure 2 draws the channels of an early layer of seven networks, each before and after training. Panel by
# panel, untrained:
#
# | network | in the paper's panel | ours ({numref}`fig-figure-2`) |
# |---|---|---|
# | ViT, ResMLP, MLP-Mixer | a low-dimensional cloud with a direction | drawn below, untrained |
# | PoolFormer | low-dimensional before training, uniform after it | untrained only |
# | ResNet, VGG, PVT | a round, uniform cloud | drawn below, untrained |
#
# Ours is drawn as in the released code: at most 128 channels of the first module of Table 1, scaled jointly, from fewer
# images at the scale "quick". "PVT (Fig. 2)" is the smaller PVT that the released code draws; it is not in the paper's
# Table 1. A picture in the plane cannot show how many directions a cloud spreads over. The participation ratio and the stress
# are therefore given below each panel.

# %% mystnb={"figure": {"caption": "**Convolutional networks spread over the most directions, but a few directions dominate all seven clouds.** First module of Table 1, untrained. Blue: attention; orange: convolution; green: MLP. Below: ranges of stress and participation ratio over seeds.", "name": "fig-figure-2"}, "image": {"alt": "Seven scatter plots of channels, for ViT-S, ResNet34, ResMLP, PoolFormer, VGG11, PVT and MLP-Mixer, each with the range of its participation ratio and stress below."}} tags=["hide-input", "live"]
subset = load_images(settings["images"], settings["n_figure_2"], seed=settings["seed"])
panels = figure_2(subset, settings["seed"], settings["n_seeds"], weights=settings["weights"])
draw.plot_positions(panels, say.panel_notes(panels));

# %% tags=["hide-input"]
Markdown(say.images(subset.description, "Images of this picture"))

# %% [markdown]
# {numref}`tab-directions` has the participation ratio at full size, from the committed records: 512 ImageNet images, all
# channels.

# %% mystnb={"figure": {"caption": "**Every network spreads over far fewer directions than noise, whether or not the paper calls it isotropic.** Participation ratio of the first module, mean \u00b1 standard deviation over seeds, beside Gaussian noise of the same shape.", "name": "tab-directions"}} tags=["hide-input", "nbval-check-output", "records:ss-rate", "live"]
directions = read.directions(records.read_all("ss-rate"), noise_directions)
read.directions_text(directions)

# %% tags=["hide-input"]
Markdown(say.directions(read.groups_apart(directions), weights=settings["weights"]))

# %% [markdown]
# ## What would change our mind
#
# - **Trained networks.** Half of Figure 2 shows networks after training, and claim 7 is about PoolFormer after training. The
#   paper's networks with pretrained weights: not run. Two relatives are in [an appendix](trained_networks.ipynb).
# - **More networks per group.** Six networks cannot show that two groups differ: with the names shuffled at random, the rule for
#   claim 6 would often be met. [A hundred architectures](architectures.ipynb) are measured in an appendix.
# - **Another measure of dimension.** The paper gives none. A number that separated its two groups among many designs would
#   be evidence for its reading of the picture.
