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
# # Invariance from layer to layer

# %% tags=["parameters", "hide-input"]
scale = "quick"  # sets what is None; "gpu" and "paper" first measure the cells that have no record
images = None  # "photographs", "imagenet-sample", "imagenette", "cifar10" or "imagefolder:PATH"
n_images = None  # B of the live fit
model = "ResNet34"  # of the live fit, a name of Table 1
seed = 0  # of the random weights and of the draw of images
weights = "untrained"  # or "pretrained", or a folder of <timm name>.safetensors

# %% tags=["hide-input"]
from IPython.display import Markdown

import sslib
from reproduction import records
from reproduction.grid import complete
from reproduction.invariance import draw, live, read, read_trained, run, say
from reproduction.settings import start
from reproduction.verdicts.claims import measured
from reproduction.verdicts.say_chapters import opening
from sslib.dimension import RELEASED_UMAP, umap_points
from sslib.powerlaw import spectrum

# %% tags=["hide-input"]
settings = start("invariance", globals())
complete(run.at_scale(settings))
runs = records.read_all("invariance")
sigma, delta = read.invariance_table(runs, 4), read.invariance_table(runs, 5)

# %% tags=["hide-input", "answer", "records:invariance", "records:constraint"]
Markdown(opening("invariance"))

# %% [markdown]
# The paper's Tables 4 and 5 ask whether the layers of one network are alike in a second sense. Two numbers are computed for
# each layer, and a network counts as **invariant** if they change little along its depth.
#
# - **Power-law exponent** (Appendix B): the eigenvalues of the layer's covariance are fitted by a power law
#   $P(\lambda) \propto \lambda^{-\hat\gamma}$. Table 4 prints σ, the standard deviation of the layers' exponents (Eq. 14).
# - **Correlation dimension** (Appendix C): images are points in the space of the layer's features, reduced by UMAP.
#   The dimension is the slope of $\log T(r)$ against $\log r$, where $T(r)$ is the share of pairs closer than $r$
#   {cite}`grassberger1983measuring`. Table 5 prints $\Delta = (\max - \min)/\mathrm{mean}$ over the layers (Eq. 19).
#
# For both numbers, the paper's text and its authors' code differ. We measure both:
#
# | | printed | released |
# |---|---|---|
# | input | $F$, averaged over space | every activation, flattened |
# | covariance | $F^\top F/(B-1)$, not centred | centred; above 1,000 features only the $B/2$ largest eigenvalues |
# | exponent | all eigenvalues, $\lambda_{\min}$ the smallest | the tail above the $\lambda_{\min}$ with the smallest KS distance |
# | UMAP | parameters not given (we: the released ones) | 30 components, 20 neighbours, min_dist 0.05, seed 42 |
# | $T(r)$ | all pairs | each point's 29 nearest neighbours, images scaled to unit length |
# | slope | region not given (we: found from the data) | middle half of 40 fixed radii from 0.001 to 3.2 |
#
# [An appendix](invariance_estimators.ipynb) tests these estimators on spectra and point sets whose exponents and dimensions
# are known.
#
# ## Both numbers of one network
#
# The printed estimators, on F of an untrained network and a few images:

# %%
F = live.walk(settings).features  # module -> (D, B)
spectra = {module: spectrum(f) for module, f in F.items()}
points = {module: umap_points(f.T, **RELEASED_UMAP)
          for module, f in F.items()}
exponents = sslib.scale_invariance(spectra)
dimensions = sslib.geometric_invariance(points)
print(f"σ = {exponents.sigma:.2f}, Δ = {dimensions.delta:.2f}")

# %% [markdown]
# ## Table 4: the exponents
#
# The networks have random weights and are in evaluation mode. They see 640 shuffled training images; the modules are those of
# Table 1. The released code differs from Table 1 in two networks (it adds the last block of each stage of PVT and every block
# of PoolFormer), and it resizes images bilinearly where we resize bicubically.

# %% mystnb={"figure": {"caption": "**For most networks both estimators give far less than the paper prints.** \u03c3 beside Table 4, random weights: mean \u00b1 standard deviation over n seeds. Ranks by paper, printed and released; 1 is the most invariant. CIFAR-100: not run.", "name": "tab-sigma"}} tags=["hide-input", "nbval-check-output", "records:invariance"]
read.beside_paper(sigma)

# %% tags=["hide-input"]
Markdown(say.distance(read.distance(sigma)))

# %% mystnb={"figure": {"caption": "**Most of our \u03c3 lie far below the paper's, and in another order.** Random weights, logarithmic axes; networks in the order of their printed values. Circles: the paper; triangles: ours, with one standard deviation over seeds.", "name": "fig-sigma"}, "image": {"alt": "Four panels, a row per estimator and a column per data set: for each network the printed sigma as a circle and the measured one as a triangle, joined by a line, on a logarithmic axis."}} tags=["hide-input", "records:invariance"]
draw.plot_against_paper(sigma, read.FAMILIES, read.ESTIMATORS);

# %% [markdown]
# An untrained ResMLP is almost the identity. Its branches are multiplied by 0.0001 at first, so all twelve blocks pass on nearly
# the same activations, and their spectra agree whatever they are. **σ says how much the layers differ, not whether
# any of them follows a power law.** {numref}`fig-exponents` shows the exponents themselves, beside those that each
# estimator reports for noise.

# %% mystnb={"figure": {"caption": "**Printed exponents lie close together, near those of noise; the released exponents of noise are enormous.** Exponents of every layer, random weights, means over seeds. Grey: range for Gaussian noise of the same shapes.", "name": "fig-exponents"}, "image": {"alt": "Line plots, a row per estimator and a column per data set, the released ones on a logarithmic axis: exponent against depth for each network, with a grey band for noise."}} tags=["hide-input", "records:invariance"]
profiles = read.layer_table(read.with_weights(runs))
about = {"null": "null_exponent", "log": True}
draw.plot_invariance_layers(profiles, "exponent", "exponent", read.ESTIMATORS, **about);

# %% tags=["hide-input"]
Markdown(say.exponents(read.exponents(runs)))

# %% [markdown]
# ## Table 5: the dimensions
#
# The networks and images are the same; the features are reduced by UMAP with the released parameters.

# %% mystnb={"figure": {"caption": "**Most of our \u0394 are smaller than the paper's, and their order is another.** Random weights: mean \u00b1 standard deviation over n seeds. Ranks by paper, printed and released; 1 is the most invariant. CIFAR-100: not run.", "name": "tab-delta"}} tags=["hide-input", "nbval-check-output", "records:invariance"]
read.beside_paper(delta)

# %% mystnb={"figure": {"caption": "**Most of our \u0394 lie below the paper's, and in another order.** Random weights, logarithmic axes; networks in the order of their printed values. Circles: the paper; triangles: ours, with one standard deviation over seeds.", "name": "fig-delta"}, "image": {"alt": "Four panels, a row per estimator and a column per data set: for each network the printed Delta as a circle and the measured one as a triangle, joined by a line, on a logarithmic axis."}} tags=["hide-input", "records:invariance"]
draw.plot_against_paper(delta, read.FAMILIES, read.ESTIMATORS);

# %% mystnb={"figure": {"caption": "**All dimensions lie close together, whatever the network, and move up and down from layer to layer.** Correlation dimension of every layer, random weights, means over seeds.", "name": "fig-dimensions"}, "image": {"alt": "Line plots, a row per estimator and a column per data set: correlation dimension against depth for each network."}} tags=["hide-input", "records:invariance"]
draw.plot_invariance_layers(profiles, "dimension", "dimension", read.ESTIMATORS);

# %% tags=["hide-input"]
Markdown(say.dimensions(read.dimensions(profiles)))

# %% [markdown]
# Part of Δ is UMAP's own noise: [the appendix](invariance_estimators.ipynb) repeats the reduction of one layer with several
# seeds, and replaces every layer by Gaussian noise.
#
# ## Do they rank the networks as the paper does?
#
# The paper's argument rests on the ranking rather than on the values.

# %% mystnb={"figure": {"caption": "**Our \u03c3 does not rank the networks as the paper does: \u03c1 takes both signs.** Spearman's \u03c1 between our \u03c3 and the printed one over n networks, with its exact two-sided p.", "name": "tab-sigma-order"}} tags=["hide-input", "nbval-check-output", "records:invariance"]
of_sigma = read.rank_correlations(sigma)
read.order_table(of_sigma)

# %% tags=["hide-input"]
Markdown(say.order_of_untrained(of_sigma))

# %% mystnb={"figure": {"caption": "**Our \u0394 does not rank the networks as the paper does: \u03c1 takes both signs.** Spearman's \u03c1 between our \u0394 and the printed one over n networks, with its exact two-sided p.", "name": "tab-delta-order"}} tags=["hide-input", "nbval-check-output", "records:invariance"]
of_delta = read.rank_correlations(delta)
read.order_table(of_delta)

# %% tags=["hide-input"]
Markdown(say.order(of_delta))

# %% tags=["hide-input"]
Markdown(say.gain(measured("invariance")))

# %% [markdown]
# ## After training
#
# {numref}`tab-sigma-trained` and {numref}`tab-delta-trained` are about the small networks of
# [the training chapter](training.ipynb). Only products of activations were kept of them, so here the printed estimator is
# applied to activations. The paper's networks with the pretrained weights that the released scripts load: **not run**. Two
# relatives with ImageNet weights are in [an appendix](trained_networks.ipynb).

# %% mystnb={"figure": {"caption": "**Training makes \u03c3 smaller in some networks and larger in others.** The small networks of the training chapter, before and after, without and with the constraint: mean \u00b1 standard deviation over seeds.", "name": "tab-sigma-trained"}} tags=["hide-input", "nbval-check-output", "records:invariance"]
trained = {number: read_trained.trained_table(runs, number) for number in (4, 5)}
read_trained.states_table(trained[4])

# %% mystnb={"figure": {"caption": "**Seeds scatter by as much as training or the constraint changes \u0394.** The small networks of the training chapter, before and after, without and with the constraint: mean \u00b1 standard deviation over seeds.", "name": "tab-delta-trained"}} tags=["hide-input", "nbval-check-output", "records:invariance"]
read_trained.states_table(trained[5])

# %% tags=["hide-input"]
changes = {number: read_trained.trained_changes(table) for number, table in trained.items()}
Markdown(say.changes(changes[4], "σ"))

# %% tags=["hide-input"]
Markdown(say.changes(changes[5], "Δ"))

# %% [markdown]
# ## What would change our mind
#
# - **The paper's networks with pretrained weights.** Our networks are untrained, and that alone keeps claims 20 and 21 from a
#   verdict. If at least half of the trained networks' σ and Δ came within a factor of 1.25 of the printed values and the ranks
#   agreed, we would call the tables reproduced.
# - **Invariance that separates.** If the four marked networks had smaller σ and smaller Δ than all others after training,
#   claim 11 would hold.
# - **UMAP's settings.** The paper does not give them. If the authors used others than their released code does, Table 5
#   has to be measured again.
#
# The command: `python -m reproduction invariance --weights pretrained`.
