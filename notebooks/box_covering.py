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
#
# The paper calls $N_\theta$ a modified box-covering algorithm (Appendix A): a number of boxes read off the share of near
# pairs, instead of one found by covering. This page covers for real, and compares. First the channels of nine networks and
# point sets of known dimension, then graphs.

# %% tags=["parameters", "hide-input"]
scale = "quick"  # "quick", "gpu" or "paper": sets what is None below; studies come from records
# images of the live run: "photographs", "imagenet-sample", "imagenette", "cifar10" or
# "imagefolder:PATH"
images = None
n_images = None  # B, the number of images of the live run
seed = 0  # of the random weights and of the draw of images in the live run

# %% tags=["hide-input"]
from IPython.display import Markdown

from reproduction import records
from reproduction.covering import draw, live, read, run, say
from reproduction.grid import complete
from reproduction.settings import start

settings = start("box_covering", globals())
complete(run.at_scale(settings));

# %% [markdown]
# ## The true number of boxes, between two bounds
#
# A box of size θ holds channels that are pairwise no further apart than θ (Eq. 7). The least number of boxes that cover
# all channels is too hard to compute for hundreds of them, but it can be bounded:
#
# - **from above** by a cover that exists: boxes by complete linkage, whose largest inner distance is their height in the
#   tree, or each channel in the tree's order into the first box that it fits;
# - **from below** by a packing: channels that are pairwise further apart than θ cannot share a box.
#
# `sslib.covering.covering_numbers` gives both for all θ. Where the two bounds meet, the number is known; their ratio says how
# much room is left elsewhere.

# %% mystnb={"figure": {"caption": "**Both N_\u03b8 and the true number of boxes.** Dark band: between packing and cover. Left: three layers of untrained networks, 512 ImageNet images; right: 512 points of a Cantor set, a line and a square. What to see: the band is narrow, the released formula lies above it for most \u03b8, and the printed one far above.", "name": "fig-covers"}, "image": {"alt": "Six panels of log N against log(1 + \u03b8): a narrow band of the true covering number, the released curve above it, the printed curve far above both."}} tags=["hide-input", "records:box-covering"]
runs = records.read_all("box-covering")
draw.plot_covers(read.curves(runs));

# %% [markdown]
# ## Nine networks
#
# {numref}`tab-covers` compares, over all layers of Table 1 and 33 thresholds from TZ to TV. An $N_\theta$ outside the bounds
# is at least as far from the true number as from the nearer bound.

# %% mystnb={"figure": {"caption": "**N_\u03b8 against the true number of boxes**, per network, random weights, 512 ImageNet images. Bounds: the largest ratio of the upper to the lower one. Off by: the largest ratio, up or down, of N_\u03b8 to the nearer bound. Right: SS_rate by the same sum with each number of boxes, mean over layers. What to see: the bounds are far closer to each other than either N_\u03b8 is to them.", "name": "tab-covers"}} tags=["hide-input", "nbval-check-output", "records:box-covering"]
covers = read.covers(runs)
read.network_table(covers)

# %% mystnb={"figure": {"caption": "**Does N_\u03b8 order layers as true boxes do?** Rank correlation of SS_rate by N_\u03b8 with SS_rate by the bounds (Spearman): over the layers of all networks, with a 95 % interval from resampling networks; its range when one network is left out; and inside a network, median over networks, in brackets how many share the sign. What to see: by the released formula it does in part, by the printed one not.", "name": "tab-covers-order"}} tags=["hide-input", "nbval-check-output", "records:box-covering"]
correlations = read.correlations(covers)
read.correlation_table(correlations)

# %% [markdown]
# Within a layer, over θ, every rank correlation is near 1, as all curves fall from D to 1; that says nothing.
#
# ## Point sets of known dimension
#
# The same for 512 independent points of sets whose dimension is known ({numref}`tab-point-sets`). The number of boxes of a
# set falls with a power of θ, its dimension.

# %% mystnb={"figure": {"caption": "**Dimension of point sets, by each number of boxes**: minus the slope of log N against log \u03b8, over the thresholds with 5 boxes to 51, a tenth of the points. Upper, lower: the bounds on the true number. Right: by what factor N_\u03b8 is off the bounds at most. What to see: by covers the dimension comes out low, most so the high one, and by the printed formula near 0.", "name": "tab-point-sets"}} tags=["hide-input", "nbval-check-output", "records:box-covering"]
slopes = read.slopes(runs)
read.point_table(slopes, covers)

# %% tags=["hide-input"]
accuracy = read.accuracy(covers, slopes)
Markdown(say.accuracy(accuracy))

# %% [markdown]
# ## Boxes on graphs
#
# Appendix A starts from box covering of a graph, where distance is the number of edges (hops). Three ways to cover, all in
# `sslib.covering.box_counts`: **colouring** (greedy, repeated), **burning** (compact boxes filled at random) and **growing**
# (balls around random centres). A box of size ℓ holds nodes less than ℓ hops apart. The graphs have a known box dimension,
# $\log(u+v)/\log u$ for a (u, v)-flower, or none: a random graph and a (1, 3)-flower are small worlds.
#
# `box_dimension` fits N − 1 against ℓ where both are at least 5, because one hop or one box more then is at most a fifth.
# It claims a power law over two octaves at least, if an exponential does not fit as well. The rule uses nothing but the
# whole numbers; a (3, 4)-flower and a ring, looked at after it was set, are among the tests.

# %% mystnb={"figure": {"caption": "**Box dimension of graphs**, known and found by three ways to cover, with the standard error of the fit. None: the graph has no box dimension, or no power law is claimed. What to see: all three come close where there is a dimension, and claim none where there is none.", "name": "tab-graphs"}} tags=["hide-input", "nbval-check-output", "records:box-covering-graphs"]
dimensions = read.dimensions(records.read_all("box-covering-graphs"))
read.graph_table(dimensions)

# %% mystnb={"figure": {"caption": "**Boxes against box size.** Line: the fit to greedy colouring, where a power law is claimed. What to see: on fractals N falls in steps along a straight line; on the random graph and the (1, 3)-flower it bends down, and no line is drawn.", "name": "fig-graph-boxes"}, "image": {"alt": "Seven log-log panels of the number of boxes against box size for flowers, a Song-Havlin-Makse tree, a lattice and a random graph."}} tags=["hide-input", "records:box-covering-graphs"]
draw.plot_graph_boxes(read.graph_covers(dimensions));

# %% [markdown]
# ## Boxes on A_ε
#
# Could G_M be covered as a graph? Greedy colouring of A_ε, of each network's middle layer, at the ε that joins a given share
# of pairs; what is covered is the largest component.

# %% mystnb={"figure": {"caption": "**Boxes on A_\u03b5 of the middle layers of nine networks**, at three shares of pairs joined: nodes of the largest component (median), its diameter in hops (largest), and how many networks' curves are claimed to be power laws. What to see: diameters are small, and with so few box sizes hardly a power law can be seen.", "name": "tab-graph-covers"}} tags=["hide-input", "nbval-check-output", "records:box-covering"]
read.component_table(runs)

# %% [markdown]
# ## Live
#
# The same code with fewer tries per box size, and on this build's images, to show that it runs here.

# %% mystnb={"figure": {"caption": "**Box dimension of the same graphs, live**, by colouring with fewer tries per box size. None: no power law is claimed, for the reason given. What to see: the same as in the records.", "name": "tab-live-graphs"}} tags=["hide-input", "nbval-check-output", "live"]
read.live_graph_table(live.graph_dimensions())

# %% mystnb={"figure": {"caption": "**Covers of two layers, live**, on this build's images, random weights. Bounds: the largest ratio of the upper to the lower one. SS_rate by the released N_\u03b8, and by true boxes with each bound. What to see: SS_rate by true boxes is larger.", "name": "tab-live-covers"}} tags=["hide-input", "nbval-check-output", "live"]
read.live_cover_table(live.layer_covers(settings))

# %% [markdown]
# ## In short

# %% tags=["hide-input"]
Markdown(say.answer(accuracy, correlations, read.colouring(dimensions)))
