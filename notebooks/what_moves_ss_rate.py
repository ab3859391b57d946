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
# # What moves SS_rate
#
# Before SS_rate of two networks, layers or training states is compared, one has to know what else it depends on. This
# page measures that: first what follows from the definition alone, then what the recorded layers say, then one change at
# a time. It ends with what can be compared ({numref}`tab-comparable`).

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
from reproduction.grid import complete
from reproduction.sensitivity import draw, live, read, read_cka, read_factors, read_graphs, run, say
from reproduction.settings import start
from reproduction.ss_rate.read import full_scale

settings = start("what_moves_ss_rate", globals())
complete(run.at_scale(settings));

# %% [markdown]
# ## What follows from the definition
#
# SS_rate is computed from the number of channels D and from the sorted distances of pairs of channels. Nothing else of
# the features enters. Therefore it cannot tell apart features that differ
#
# - in **which** pair has which distance: a fractal and any cloud with the same histogram of distances have the same SS_rate;
# - by a rotation of the space of images, a shift that is the same for all channels, or the order of channels and images.
#
# It does change with the **unit** of the features, as Eq. 5 takes $\log(1+\theta)$: when features are multiplied by $c$,
# the axis goes from linear in θ ($c \to 0$) to logarithmic ($c \to \infty$). {numref}`tab-changed` shows both, live.

# %% mystnb={"figure": {"caption": "**SS_rate of one layer, its features changed**, by both formulas, live: the middle layer of an untrained ResNet34. What to see: rotating, shifting and reordering change nothing; multiplying does.", "name": "tab-changed"}} tags=["hide-input", "nbval-check-output", "live"]
features = live.middle_layers(settings)
read.change_table(live.changed_rates(features["resnet34"]))

# %% tags=["hide-input"]
Markdown(say.layer("resnet34", features["resnet34"].shape))

# %% [markdown]
# ## How much the histogram's scale and shape explain
#
# All layers of the records of [Table 2](nine_models.ipynb): a regression of SS_rate on three numbers of the distances'
# histogram, its scale (logarithm of the mean), its coefficient of variation and its skewness; then on their squares and
# products, or on $\log D$ and the range $\log(1+TV) - \log(1+TZ)$, as well.

# %% mystnb={"figure": {"caption": "**How much of SS_rate's variance over layers is explained**: R\u00b2 with a 95 % interval from resampling whole networks; unseen: R\u00b2 for a network that the fit has not seen, below 0 if the mean would be better. What to see: scale and shape explain much of the released SS_rate, but the fits carry over poorly to unseen networks.", "name": "tab-explained"}} tags=["hide-input", "nbval-check-output", "records:ss-rate"]
layers = read.layers(full_scale(records.read_all("ss-rate")))
fits = read.fits(layers)
read.explained_table(fits)

# %% tags=["hide-input"]
Markdown(say.explained(layers, fits))

# %% mystnb={"figure": {"caption": "**SS_rate (released) of every recorded layer against what describes the histogram of its distances.** Random weights, 512 ImageNet images; a point per layer, seed and draw; colour is the family. What to see: SS_rate rises with the skewness of the distances, and families lie apart in their scale and variation.", "name": "fig-histogram"}, "image": {"alt": "Four scatter plots of SS_rate against the distances' mean on a log axis, coefficient of variation, skewness, and number of channels, coloured by family."}} tags=["hide-input", "records:ss-rate"]
draw.plot_layers(layers, draw.HISTOGRAM);

# %% [markdown]
# ## One factor at a time
#
# One layer per family, at the middle of the network, 512 ImageNet images. Features are multiplied by a number; channels or
# images are drawn at random, ten times (the line is the mean, the band its 95 % interval).

# %% mystnb={"figure": {"caption": "**SS_rate of one layer per family as one thing changes**, by both formulas. Top: features multiplied by a number. Middle: fewer channels. Bottom: fewer images. What to see: the released SS_rate falls and rises again as the scale grows, at another place in each layer, so that scale alone reorders them; few channels make it uncertain; the number of images hardly matters above some dozens.", "name": "fig-one-factor"}, "image": {"alt": "Six panels, a column per formula: SS_rate against feature scale, number of channels and number of images, for ViT (small), ResNet34 and MLP-Mixer."}} tags=["hide-input", "records:ss-rate-one-factor"]
factors = read_factors.factors(records.read_all("ss-rate-one-factor"))
draw.plot_factors(factors);

# %% mystnb={"figure": {"caption": "**SS_rate (released) of one layer per family under other settings**, and in brackets the change from the default: 256 thresholds, float32, eval mode. Precision is that of F. Bootstrap: 95 % interval over resampled images, instead of the change. Dash: the network has no batch normalisation, so that training mode changes nothing. What to see: neither precision nor the number of thresholds moves it by more than the choice of images, unless thresholds are very few.", "name": "tab-settings"}} tags=["hide-input", "nbval-check-output", "records:ss-rate-one-factor"]
read_factors.setting_table(factors)

# %% [markdown]
# What a whole network in bfloat16 does is among the [factors of Table 2](nine_models.ipynb).
#
# ## Null models
#
# What SS_rate is of features without structure, of the same shape and the same mean distance: Gaussian noise; each image's
# values shuffled among the channels; all channels on one line; each channel standardised over the images, which leaves
# only correlations; whitened, all directions equally wide.

# %% mystnb={"figure": {"caption": "**SS_rate (released) of the features and of their null models**, mean over the layers of Table 1, random weights, 512 ImageNet images, one seed. Where whitening makes all distances equal, SS_rate does not exist: the mean is over as many layers as the brackets say, and a dash stands for none. What to see: noise stands in the middle of the networks, with nearly the same SS_rate in every shape.", "name": "tab-nulls"}} tags=["hide-input", "nbval-check-output", "records:ss-rate-measures"]
measures = records.read_all("ss-rate-measures")
nulls = read.nulls(measures)
read.null_table(nulls)

# %% tags=["hide-input"]
Markdown(say.noise(read.against_noise(nulls)))

# %% [markdown]
# And where the self-similarity is known? {numref}`tab-fractals` has point sets beside Gaussian clouds of as many points in the same
# space, with the same mean distance.

# %% mystnb={"figure": {"caption": "**SS_rate (released) of point sets of known dimension, and of noise like them**: 512 points each; noise, the smallest and largest of ten Gaussian clouds with the same coordinates and mean distance. Self-similar: the Cantor set and the Sierpi\u0144ski triangle by construction, the two attractors at small scales. What to see: no set lies below all of its clouds, self-similar or not.", "name": "tab-fractals"}} tags=["hide-input", "nbval-check-output", "live"]
read.fractal_table(live.fractal_rates())

# %% [markdown]
# ## Beside measures that are known
#
# The same layers by other measures: how many directions the channels spread over (participation ratio, effective rank),
# their intrinsic dimension from two nearest neighbours (TwoNN), and how similar a layer's response is to the layer before
# (linear CKA, by the usual estimator).

# %% mystnb={"figure": {"caption": "**Spearman's rank correlation of SS_rate with other measures** over the layers of the nine networks, seed 0, with a 95 % interval from resampling networks; then the median inside a network, and in brackets how many networks share the sign. Scale-free: the released formula on an axis of distances over their mean. What to see: most intervals hold zero.", "name": "tab-known"}} tags=["hide-input", "nbval-check-output", "records:ss-rate-measures"]
beside = read.layers(measures)
correlations = read.correlations(beside)
read.correlation_table(correlations)

# %% mystnb={"figure": {"caption": "**SS_rate (released) against known measures of the same layers.** Random weights, seed 0, 512 ImageNet images; a point per layer. What to see: no panel shows one curve for all families; SS_rate is not one of these measures in disguise.", "name": "fig-known"}, "image": {"alt": "Four scatter plots of SS_rate against participation ratio, effective rank, TwoNN dimension, and CKA with the layer before."}} tags=["hide-input", "records:ss-rate-measures"]
draw.plot_layers(beside, draw.KNOWN);

# %% tags=["hide-input"]
Markdown(say.beside(correlations, beside))

# %% [markdown]
# ### Before and after training
#
# Linear CKA of each layer's whole activations before and after training, over the same 640 training images: small versions
# of three networks, trained on CIFAR-10 with the short recipe for CPUs of [Table 3](training.ipynb). For the
# networks of Table 2, at full size and trained on ImageNet: **not run**.

# %% mystnb={"figure": {"caption": "**Linear CKA of layers before and after training**, without the constraint (baseline) and with it: mean \u00b1 standard deviation over seeds of the mean over layers; in brackets the first and the last layer. Two seeds: two untrained networks with other random weights, three such pairs, by the usual and by the unbiased estimator; noise: what the usual one is of noise with as many activations and images. What to see: the first layer stays closer to what it was than the last one, with and without the constraint alike; and unrelated networks are more alike than a network before and after training.", "name": "tab-cka"}} tags=["hide-input", "nbval-check-output", "records:cka-training", "records:cka-unrelated"]
similarity = read_cka.similarity(records.read_all("cka-training"))
unrelated = read_cka.unrelated(records.read_all("cka-unrelated"))
read_cka.cka_table(similarity, unrelated)

# %% tags=["hide-input"]
Markdown(say.similarity(read_cka.reference(similarity, unrelated)))

# %% [markdown]
# ## A variant without a unit
#
# `sslib.boxes.scale_free_rate` replaces $\log(1+\theta)$ by an axis on which the unit does not matter:
# $\log(1+\theta/m)$ with $m$ the mean distance, $\log\theta$, or θ itself. The default of `sslib` stays the paper's.
# {numref}`tab-scale-free` shows what becomes of the order of the nine networks.

# %% mystnb={"figure": {"caption": "**SS_rate without a unit**: mean over the layers of a network, on the released axis log(1 + \u03b8) and on three axes without a unit; in brackets the rank, 1 for the smallest SS_rate, the paper's \"most self-similar\". Random weights, seed 0. Dash: not defined. What to see: the order of the networks changes with the axis.", "name": "tab-scale-free"}} tags=["hide-input", "nbval-check-output", "records:ss-rate-measures"]
ranking = read.ranking(beside)
read.axis_table(ranking)

# %% tags=["hide-input"]
Markdown(say.order(read.order(ranking)))

# %% [markdown]
# ## Degrees and small worlds
#
# The paper names small-world properties of G_M as future work. A_ε (Eq. 1) of each network's middle layer, 256 of its
# channels, at the ε that joins a given share of the pairs; beside it Gaussian noise of the same shape. σ compares clustering
# and path length with random graphs of as many edges; above 1 is called a small world.

# %% mystnb={"figure": {"caption": "**A_\u03b5 of nine networks as \u03b5 grows.** Solid: features of the middle layer; dashed: Gaussian noise of the same shape. What to see: \u03c3 is above 1 everywhere, but so it is for the noise. Convolutional networks stand apart: their degrees are more unequal than those of noise, and most channels stay outside the largest component until many pairs are joined.", "name": "fig-small-world"}, "image": {"alt": "Four panels against the share of joined pairs: variation of degrees, clustering, share of nodes in the largest component, small-world sigma; features solid, noise dashed."}} tags=["hide-input", "records:ss-rate-measures"]
graphs = read_graphs.graphs(measures)
draw.plot_graph_profile(graphs);

# %% mystnb={"figure": {"caption": "**Statistics of A_\u03b5**, at three shares of pairs joined, mean over the networks of a family and over all networks for noise. Variation: standard deviation of the degrees over their mean; largest: share of nodes in the largest component; path: mean path length in it; \u03c3: small-worldness. What to see: \u03c3 is above 1 in every row, noise included.", "name": "tab-small-world"}} tags=["hide-input", "nbval-check-output", "records:ss-rate-measures"]
read_graphs.small_world_table(graphs)

# %% tags=["hide-input"]
Markdown(say.small_worlds(read_graphs.small_worlds(graphs)))

# %% [markdown]
# ## Live
#
# The same study, smaller and on this build's images, to show that the code which made the records runs here.

# %% mystnb={"figure": {"caption": "**SS_rate (released) of three layers as one thing changes**, live, on this build's images. What to see: the same as in the records, scale moves it and the number of thresholds and precision hardly do.", "name": "tab-live-factors"}} tags=["hide-input", "nbval-check-output", "live"]
read_factors.live_table(live.factor_rates(features, settings["draws"]))

# %% [markdown]
# ## What a raw SS_rate can be compared across
#
# The yardstick is how far SS_rate of the same layer moves when other images are drawn: half its 95 % bootstrap interval. A
# change that moves SS_rate by no more than that, in all layers measured, can be ignored; one that moves it further must be
# the same on both sides of a comparison. For fewer images or channels the mean over ten draws is held against it; one draw
# spreads more.

# %% mystnb={"figure": {"caption": "**What a raw SS_rate can be compared across.** Shift: the largest shift of SS_rate (released) over the layers and values tried, with a 95 % interval; ratio: the largest shift over the layer's spread over images; n: layers measured. What to see: scale, another seed and fewer channels move SS_rate far more than other images do.", "name": "tab-comparable"}} tags=["hide-input", "nbval-check-output", "records:ss-rate-one-factor", "records:ss-rate"]
comparable = read_factors.comparable(factors, layers)
read_factors.comparison_table(comparable)

# %% tags=["hide-input"]
found = read_factors.comparability(comparable, layers)
Markdown(say.comparability(found, read.against_noise(nulls)))
