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
# # Does N_θ stand in for box covering?

# %% tags=["parameters", "hide-input"]
scale = "quick"  # "quick", "gpu" or "paper": sets what is None below; studies come from records
# images of the live run: "photographs", "imagenet-sample", "imagenette", "cifar10" or
# "imagefolder:PATH"
images = None
n_images = None  # B, the number of images of the live run
seed = 0  # of the random weights and of the draw of images in the live run

# %% tags=["hide-input"]
from IPython.display import Markdown

import sslib
from reproduction import records
from reproduction.covering import draw, read, run, say
from reproduction.grid import complete
from reproduction.sensitivity.live import middle_layers
from reproduction.settings import start
from reproduction.verdicts.say_chapters import opening
from sslib.covering import covering_numbers

settings = start("box_covering", globals())
complete(run.at_scale(settings))
runs = records.read_all("box-covering")

# %% tags=["hide-input", "answer", "records:box-covering"]
Markdown(opening("box_covering"))

# %% [markdown]
# The paper calls $N_\theta$ a modified box-covering algorithm (Appendix A). The number of boxes is computed from the share of
# near pairs; nothing is actually covered. This chapter covers the points with boxes and compares the two numbers, first for the
# channels of nine networks and for point sets of known dimension, then for graphs.
#
# In code, $N_\theta$ of one layer and bounds on the true number of boxes of the same size:

# %% tags=["live"]
F = middle_layers(settings, ["resnet34"])["resnet34"]  # (D, B), untrained
curve = sslib.box_curve(F, thresholds=5)
cover = covering_numbers(sslib.pair_distances(F), curve.theta)
for theta, n, low, high in zip(
        curve.theta, curve.boxes, cover.lower, cover.upper, strict=True):
    print(f"theta {theta:.2f}: N {n:5.1f}, true {low} to {high} boxes")

# %% [markdown]
# ## The true number of boxes, between two bounds
#
# A box of size θ holds channels that are pairwise no further apart than θ (Eq. 7). The smallest number of boxes that cover
# hundreds of channels is too hard to compute, but it can be bounded:
#
# - **from above** by an actual cover: boxes by complete linkage, or by greedy colouring with ten passes from the order of that
#   tree and ten from a random order;
# - **from below** by a packing: channels that are pairwise further apart than θ cannot share a box.
#
# `sslib.covering.covering_numbers` gives both for all θ. Where the two bounds meet, the number is known exactly; elsewhere their
# ratio limits the error.

# %% mystnb={"figure": {"caption": "**The released formula lies above the true number of boxes for most \u03b8, the printed one far above.** Dark band: between packing and cover. Left: three untrained layers; right: 512 points of known sets.", "name": "fig-covers"}, "image": {"alt": "Six panels of log N against log(1 + \u03b8): a narrow band of the true covering number, the released curve above it, the printed curve far above both."}} tags=["hide-input", "records:box-covering"]
draw.plot_covers(read.curves(runs));

# %% [markdown]
# ## Nine networks
#
# {numref}`tab-covers` compares $N_\theta$ with these bounds, over all layers of Table 1 and 33 thresholds from TZ to TV. An
# $N_\theta$ outside the bounds is at least as far from the true number as from the nearer bound.

# %% mystnb={"figure": {"caption": "**The bounds are far closer to each other than either N_\u03b8 is to them.** Bounds: largest ratio of upper to lower. Off by: largest factor between N_\u03b8 and the nearer bound. Right: mean SS_rate by each number of boxes.", "name": "tab-covers"}} tags=["hide-input", "nbval-check-output", "records:box-covering"]
covers = read.covers(runs)
read.network_table(covers)

# %% mystnb={"figure": {"caption": "**The released formula orders layers as true boxes do in part, the printed one not at all.** Spearman's correlation over all layers with 95 % interval, its range with one network left out, and the median inside networks.", "name": "tab-covers-order"}} tags=["hide-input", "nbval-check-output", "records:box-covering"]
correlations = read.correlations(covers)
read.correlation_table(correlations)

# %% [markdown]
# Within a layer, over θ, every rank correlation is near 1, because all curves fall from D to 1. Such a correlation is
# uninformative.
#
# ## Point sets of known dimension
#
# {numref}`tab-point-sets` has the same for 512 independent points of sets whose dimension is known. The number of boxes of such
# a set falls as a power of θ whose exponent is the dimension.

# %% mystnb={"figure": {"caption": "**Covers underestimate the dimension; the printed formula puts it near 0.** Minus the slope of log N against log \u03b8 where 5 to 51 boxes are needed, 512 points; right: largest factor by which N_\u03b8 is off.", "name": "tab-point-sets"}} tags=["hide-input", "nbval-check-output", "records:box-covering"]
slopes = read.slopes(runs)
read.point_table(slopes, covers)

# %% tags=["hide-input"]
accuracy = read.accuracy(covers, slopes)
Markdown(say.accuracy(accuracy))

# %% [markdown]
# ## Boxes on graphs
#
# Appendix A starts from box covering of a graph, where distance is the number of edges (hops), and names three ways to
# count boxes: burning, cluster growing, and a greedy algorithm. `sslib.covering.box_counts` has them as the literature
# does, and a fourth, which as a rule needs the fewest boxes:
#
# - **colouring**: greedy colouring of the nodes that may not share a box {cite:p}`song2007how`, colours gone over again
#   {cite:p}`culberson1996exploring`;
# - **burning**: compact-box burning {cite:p}`song2007how`, each box filled with nodes drawn afresh until none fits;
# - **growing**: balls around random nodes that are in no box yet {cite:p}`kim2007fractality`;
# - **greedy**: the ball that covers most uncovered nodes, as in maximum-excluded-mass burning {cite:p}`song2007how`.
#
# A box of size ℓ holds nodes less than ℓ hops apart. The graphs have a known box dimension,
# $\log(u+v)/\log u$ for a (u, v)-flower, or none: a random graph and a (1, 3)-flower are small worlds.
#
# `box_dimension` fits N − 1 against ℓ where both are at least 5, so that one hop or one box more changes them by at most a
# fifth. It claims a power law only over at least two octaves, and only if an exponential fits less well. The tests include a
# (3, 4)-flower and a ring, which were tried only after this rule had been fixed.

# %% mystnb={"figure": {"caption": "**All four algorithms come close where a graph has a box dimension, and claim none where it has none.** Known and found dimension, with the standard error of the fit.", "name": "tab-graphs"}} tags=["hide-input", "nbval-check-output", "records:box-covering-graphs"]
dimensions = read.dimensions(records.read_all("box-covering-graphs"))
read.graph_table(dimensions)

# %% mystnb={"figure": {"caption": "**On fractals the number of boxes falls in steps along a straight line; on small worlds it bends down.** Boxes against box size; line: the fit to greedy colouring, where a power law is claimed.", "name": "fig-graph-boxes"}, "image": {"alt": "Seven log-log panels of the number of boxes against box size for flowers, a Song-Havlin-Makse tree, a lattice and a random graph."}} tags=["hide-input", "records:box-covering-graphs"]
draw.plot_graph_boxes(read.graph_covers(dimensions));

# %% [markdown]
# ## Boxes on A_ε
#
# Could $G_M$ be covered as a graph? {numref}`tab-graph-covers` shows greedy colouring of the largest component of $A_\epsilon$,
# for the middle layer of each network, at values of ε that join a given share of pairs.

# %% mystnb={"figure": {"caption": "**No power law is found: the diameters are too small.** A_\u03b5 of nine middle layers at three shares of joined pairs: nodes of the largest component, its diameter in hops, and power laws claimed.", "name": "tab-graph-covers"}} tags=["hide-input", "nbval-check-output", "records:box-covering"]
read.component_table(runs)

# %% [markdown]
# ## In short

# %% tags=["hide-input"]
Markdown(say.answer(accuracy, correlations, read.colouring(dimensions)))

# %% [markdown]
# ## What would change our mind
#
# - **A formula within a factor of two.** If $N_\theta$ stayed within a factor of 2 of the true bounds at every θ, in most
#   networks, and ordered their layers as covers do (Kendall's τ of 0.9), claim 12 would be reproduced.
# - **Trained layers.** All layers here are untrained. [Two networks with ImageNet weights](trained_networks.ipynb) do no
#   better; the paper's nine: not run.
# - **Another meaning of "simulates".** If the paper only claims that both numbers fall from D to 1, every formula does.
#
# The command: `python -m reproduction measures`.
