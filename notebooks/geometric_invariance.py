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
# # Table 5: geometric invariance
#
# Appendix C takes the images as points in the space of a layer's features, reduces that space by UMAP, and measures the
# correlation dimension of the points: the slope of $\log T(r)$ against $\log r$, where $T(r)$ is the share of pairs
# closer than $r$ {cite}`grassberger1983measuring`. A network is called geometrically invariant if the dimension
# changes little from layer to layer: the smaller $\Delta = (\max - \min)/\mathrm{mean}$ (Eq. 19), the more invariant.
#
# | | printed (Eq. 15–18) | released |
# |---|---|---|
# | looks at | $F$, averaged over space by ReduceMean | every activation, flattened, each image scaled to unit length |
# | UMAP | parameters not given; here those of the released code | 30 components, 20 neighbours, min_dist 0.05, seed 42 |
# | $T(r)$ | all pairs | each point's 29 nearest neighbours |
# | slope | scaling region not given; here read off the data | middle half of 40 fixed radii from 0.001 to 3.2 |
#
# Is either of them a ruler? First the fits, then the table, then point sets whose dimension is known.

# %% tags=["parameters", "hide-input"]
scale = "quick"  # sets what is None; "gpu" and "paper" first measure the cells that have no record
images = None  # "photographs", "imagenet-sample", "imagenette", "cifar10" or "imagefolder:PATH"
n_images = None  # points of the live fits
n_points = None  # points of each known set
model = "ResNet34"  # of the live fits, a name of Table 1
seed = 0  # of the random weights, the draw of images and the known sets
weights = "untrained"  # or "pretrained", or a folder of <timm name>.safetensors

# %% tags=["hide-input"]
from IPython.display import Markdown

from reproduction import records
from reproduction.grid import complete
from reproduction.invariance import draw, live, read, read_rulers, read_trained, read_umap, say
from reproduction.invariance.rulers import dimension_recovery
from reproduction.invariance.run import at_scale
from reproduction.settings import start
from reproduction.verdicts.claims import measured

settings = start("geometric_invariance", globals())
complete(at_scale(settings))
runs, others = records.read_all("invariance"), records.read_all("invariance-umap")

# %% [markdown]
# ## The fits, layer by layer
#
# One network on a few images, live, through UMAP with the released parameters.

# %% mystnb={"figure": {"caption": "**T(r) of each layer and the line fitted to it**, live, random weights. Shaded: the region of the fit; the number is its slope, the dimension, with its standard error. What to see: UMAP has spread the points so that hardly any two are close, so T(r) bends everywhere, and the slope depends on where one looks.", "name": "fig-integrals"}, "image": {"alt": "A row of panels per layer and a column per estimator: the correlation integral on log-log axes with the fitted line, its region shaded, and the dimension."}} tags=["hide-input", "live"]
layers = live.walk(settings)
draw.plot_correlation_integrals(live.integrals(layers));

# %% [markdown]
# ## Printed and measured
#
# Random weights, eval mode, 640 shuffled training images, the modules of Table 1, UMAP as released. The released code
# differs from Table 1 in two networks (of PVT also the last block of each stage, of PoolFormer every block) and resizes
# bilinearly where we resize bicubically. {numref}`tab-delta` has the numbers, {numref}`fig-delta` the order.

# %% mystnb={"figure": {"caption": "**\u0394 beside the paper's Table 5**, random weights: mean \u00b1 standard deviation over seeds of the weights (n of them; no \u00b1 where there is one). Ranks: the paper's / printed / released; 1 is the smallest, the most invariant, among the networks that were run. CIFAR-100: not run. What to see: most of our values are smaller than the paper's, and the order is another.", "name": "tab-delta"}} tags=["hide-input", "nbval-check-output", "records:invariance"]
table = read.invariance_table(runs, 5)
read.beside_paper(table)

# %% mystnb={"figure": {"caption": "**\u0394, ours and the paper's**, random weights, on logarithmic axes. Networks stand in the order of their printed values; bars are one standard deviation over seeds, where there are several. What to see: most of ours lie left of the paper's. Where ours follow the paper's order, the triangles move to the right from bottom to top, as the circles do.", "name": "fig-delta"}, "image": {"alt": "Four panels, a row per estimator and a column per data set: for each network the printed Delta as a circle and the measured one as a triangle, joined by a line, on a logarithmic axis."}} tags=["hide-input", "records:invariance"]
draw.plot_against_paper(table, read.FAMILIES, read.ESTIMATORS);

# %% [markdown]
# Is it the formula or what it looks at? {numref}`tab-delta-swapped` has both swapped: the printed formula on all
# activations, the released one on F.

# %% mystnb={"figure": {"caption": "**\u0394 with what the formulas look at swapped**, otherwise as in the table before: the printed formula on all activations, the released one on F. Ranks: the paper's / printed formula / released formula. What to see: this does not lead to the paper's values or order either.", "name": "tab-delta-swapped"}} tags=["hide-input", "nbval-check-output", "records:invariance"]
read.swapped(table)

# %% [markdown]
# ## The same order?
#
# {numref}`tab-delta-order` holds our order of the networks against the paper's; p is exact, from all orders of n networks.

# %% mystnb={"figure": {"caption": "**Rank correlation of our \u0394 with the printed one** over n networks: Spearman's \u03c1, and the exact two-sided p. What to see: \u03c1 is positive in some rows and negative in others.", "name": "tab-delta-order"}} tags=["hide-input", "nbval-check-output", "records:invariance"]
correlations = read.rank_correlations(table)
read.order_table(correlations)

# %% tags=["hide-input"]
Markdown(say.order(correlations))

# %% tags=["hide-input"]
Markdown(say.gain(measured("invariance")))

# %% [markdown]
# ## How large is Δ if nothing changes?
#
# UMAP draws random numbers. So what is Δ over repeats of one and the same layer, reduced under several of UMAP's seeds
# and nothing else changed? From the records, for layers on 640 images; live, for one layer on few. And Δ of an untrained ResMLP,
# whose twelve blocks all pass on nearly the same activations (their branches start multiplied by 0.0001).

# %% tags=["hide-input"]
Markdown(say.repeats(read_umap.repeats(runs, others), live.repeats(layers)))

# %% [markdown]
# ## Noise
#
# The null value: every layer replaced by Gaussian noise of its shape, put through the same UMAP and the same fits.

# %% mystnb={"figure": {"caption": "**\u0394 of Gaussian noise**, of the shapes of each network's layers, by both estimators and both features; mean over the records of each network. What to see: noise, in which nothing changes from layer to layer but the shape, has a \u0394 of the size of the untrained networks' or a larger one.", "name": "tab-delta-noise"}} tags=["hide-input", "nbval-check-output", "records:invariance"]
read_umap.noise_table(runs)

# %% [markdown]
# ## Along the depth

# %% mystnb={"figure": {"caption": "**Correlation dimension of every layer**, random weights, means over seeds. What to see: all dimensions lie close together whatever the network, and move up and down from layer to layer.", "name": "fig-dimensions"}, "image": {"alt": "Line plots, a row per estimator and a column per data set: correlation dimension against depth for each network."}} tags=["hide-input", "records:invariance"]
profiles = read.layer_table(read.with_weights(runs))
draw.plot_invariance_layers(profiles, "dimension", "dimension", read.ESTIMATORS);

# %% tags=["hide-input"]
Markdown(say.dimensions(read.dimensions(profiles)))

# %% [markdown]
# ## UMAP's parameters
#
# The paper gives none. {numref}`tab-delta-umap` has Δ of a network when one of them is changed at a time.

# %% mystnb={"figure": {"caption": "**\u0394 of a network under other parameters of UMAP**, one changed at a time, by both estimators. As released: 30 components, 20 neighbours, min_dist 0.05, seed 42. What to see: another seed moves \u0394 by as much as another parameter does.", "name": "tab-delta-umap"}} tags=["hide-input", "nbval-check-output", "records:invariance", "records:invariance-umap"]
read_umap.umap_table(runs, others)

# %% [markdown]
# ## Trained networks
#
# The networks that were trained for Table 3 at a small scale ({numref}`tab-delta-trained`). Of the trained ones only the
# activations' products were kept, so the printed estimator is shown on activations.

# %% mystnb={"figure": {"caption": "**\u0394 before and after training**, of the small networks of Table 3: mean \u00b1 standard deviation over the seeds that were trained (no \u00b1 where there is one). Constrained: trained with the paper's constraint. Each block of rows names network, data set and training recipe. What to see: the \u00b1 are as large as most differences between the rows of a block.", "name": "tab-delta-trained"}} tags=["hide-input", "nbval-check-output", "records:invariance"]
trained = read_trained.trained_table(runs, 5)
read_trained.states_table(trained)

# %% tags=["hide-input"]
Markdown(say.changes(read_trained.trained_changes(trained), "Δ"))

# %% [markdown]
# The pretrained weights that the released scripts can load were not downloaded: **not run**.
#
# ## Does the ruler work?
#
# Point sets of known dimension, each in three units: a dimension must not depend on whether lengths are in metres
# or in centimetres. The rule that finds the printed estimator's scaling region was chosen on half of the sets; the
# other half, "held out" in {numref}`tab-dimensions-known`, had no say.

# %% mystnb={"figure": {"caption": "**Known dimensions, recovered in three units**: the points as they are (\u00d7 1), and all lengths divided and multiplied by 100. Held out: the rule for the scaling region was chosen without this set. None: the estimator gives no dimension. What to see: the printed estimator comes close to every dimension, in every unit; what the released one finds depends on the unit.", "name": "tab-dimensions-known"}} tags=["hide-input", "nbval-check-output", "live"]
found = dimension_recovery(n=settings["n_points"], seed=settings["seed"])
read_rulers.dimensions_known(found)

# %% tags=["hide-input"]
Markdown(say.dimensions_known(read_rulers.dimension_errors(found)))

# %% [markdown]
# ## Time and memory
#
# The printed estimator looks at all pairs of points, but never holds the matrix of their distances.
# {numref}`tab-dimension-cost` compares it with one that does, and with the released one.

# %% mystnb={"figure": {"caption": "**Cost of a correlation dimension** of points in as many dimensions as UMAP's output has: wall-clock time, memory beyond what is in use before, and the dimension found. What to see: blocks give the same dimension as the full matrix, with less memory and in less time.", "name": "tab-dimension-cost"}} tags=["hide-input", "nbval-check-output", "records:benchmark-correlation-dimension"]
bench = records.read_all("benchmark-correlation-dimension")
read_rulers.cost_table(bench)

# %% tags=["hide-input", "nbval-check-output"]
Markdown(say.cost(bench))
