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
# # Table 4: statistical scale invariance
#
# Appendix B fits a power law $P(\lambda) \propto \lambda^{-\gamma}$ to the eigenvalues of each layer's covariance
# matrix and calls a network scale invariant if $\gamma$ changes little from layer to layer: the smaller $\sigma$, the
# standard deviation of the layers' exponents (Eq. 14), the more invariant. Table 4 ranks seven networks by it.
#
# The paper's text and the released code take two different roads to $\gamma$:
#
# | | printed (Eq. 10–13) | released |
# |---|---|---|
# | looks at | $F$, averaged over space by ReduceMean | every activation, flattened |
# | covariance | $F^\top F/(B-1)$, not centred | centred; above 1000 features only the $B/2$ largest eigenvalues |
# | fit | all eigenvalues, $\lambda_{\min}$ the smallest | the tail above the $\lambda_{\min}$ with the smallest KS distance |
#
# Is either of them a ruler? First the fits themselves, then the table, then spectra whose exponent is known.

# %% tags=["parameters", "hide-input"]
scale = "quick"  # sets what is None; "gpu" and "paper" first measure the cells that have no record
images = None  # "photographs", "imagenet-sample", "imagenette", "cifar10" or "imagefolder:PATH"
n_images = None  # B, images of the live fits; the released estimator wants more than 100
model = "ResNet34"  # of the live fits, a name of Table 1
draws = None  # spectra per known exponent
seed = 0  # of the random weights, the draw of images and the known spectra
weights = "untrained"  # or "pretrained", or a folder of <timm name>.safetensors

# %% tags=["hide-input"]
from IPython.display import Markdown

from reproduction import records
from reproduction.grid import complete
from reproduction.invariance import draw, live, read, read_rulers, read_trained, rulers, run, say
from reproduction.settings import start
from reproduction.verdicts.claims import measured

settings = start("scale_invariance", globals())
complete(run.at_scale(settings))
runs = records.read_all("invariance")

# %% [markdown]
# ## The fits, layer by layer
#
# One network on a few images, live. Everything that the released estimator needs of a layer, up to three million
# activations per image, is in the $B \times B$ matrix of their scalar products (`sslib.grams.activation_grams`).

# %% mystnb={"figure": {"caption": "**Eigenvalues of each layer and the power law fitted to them**, live, random weights. Dots: the share of eigenvalues that are at least \u03bb; a power law would be a straight line. Orange: the fit, over the n eigenvalues that it uses; \u03b3 with its standard error, and the KS distance. What to see: the printed estimator draws one line through a curve that bends everywhere; the released one picks a stretch that is straight enough.", "name": "fig-spectra"}, "image": {"alt": "A row of panels per layer and a column per estimator: shares of eigenvalues against their size on log-log axes, with the fitted lines, exponents and KS distances."}} tags=["hide-input", "live"]
layers = live.walk(settings)
draw.plot_spectra(live.spectra(layers));

# %% [markdown]
# Eq. 10 writes the $B \times B$ matrix $F^\top F$ where its text speaks of feature dimensions, of which there are $D$. It
# does not matter, because the $D \times D$ and the $B \times B$ matrix have the same non-zero eigenvalues.

# %% tags=["hide-input", "nbval-check-output"]
Markdown(say.same_spectrum(live.agreement(layers)))

# %% [markdown]
# ## Printed and measured
#
# Random weights, eval mode, 640 shuffled training images, the modules of Table 1. The released code differs from Table 1
# in two networks (of PVT also the last block of each stage, of PoolFormer every block) and resizes bilinearly where we
# resize bicubically. {numref}`tab-sigma` has the numbers, {numref}`fig-sigma` the order.

# %% mystnb={"figure": {"caption": "**\u03c3 beside the paper's Table 4**, random weights: mean \u00b1 standard deviation over seeds of the weights (n of them; no \u00b1 where there is one). Ranks: the paper's / printed / released; 1 is the smallest, the most invariant, among the networks that were run. CIFAR-100: not run. What to see: for most networks both estimators give far less than the paper prints.", "name": "tab-sigma"}} tags=["hide-input", "nbval-check-output", "records:invariance"]
table = read.invariance_table(runs, 4)
read.beside_paper(table)

# %% tags=["hide-input"]
Markdown(say.distance(read.distance(table)))

# %% [markdown]
# An untrained ResMLP is an almost perfect identity: its branches start multiplied by 0.0001, so all twelve blocks pass on
# nearly the same activations, and their spectra agree whatever the spectra look like. **σ says how much the layers
# differ, not whether any of them is a power law.**

# %% mystnb={"figure": {"caption": "**\u03c3, ours and the paper's**, random weights, on logarithmic axes. Networks stand in the order of their printed values; bars are one standard deviation over seeds, where there are several. What to see: most of ours lie far left of the paper's. Where ours follow the paper's order, the triangles move to the right from bottom to top, as the circles do.", "name": "fig-sigma"}, "image": {"alt": "Four panels, a row per estimator and a column per data set: for each network the printed sigma as a circle and the measured one as a triangle, joined by a line, on a logarithmic axis."}} tags=["hide-input", "records:invariance"]
draw.plot_against_paper(table, read.FAMILIES, read.ESTIMATORS);

# %% [markdown]
# Is it the formula or what it looks at? {numref}`tab-sigma-swapped` has both swapped: the printed formula on all
# activations, the released one on F.

# %% mystnb={"figure": {"caption": "**\u03c3 with what the formulas look at swapped**, otherwise as in the table before: the printed formula on all activations, the released one on F. Ranks: the paper's / printed formula / released formula. What to see: this does not lead to the paper's values or order either.", "name": "tab-sigma-swapped"}} tags=["hide-input", "nbval-check-output", "records:invariance"]
read.swapped(table)

# %% [markdown]
# ## The same order?
#
# The claim rests on the ranking rather than on the numbers. {numref}`tab-sigma-order` holds our order against the paper's;
# p is exact, from all orders of n networks.

# %% mystnb={"figure": {"caption": "**Rank correlation of our \u03c3 with the printed one** over n networks: Spearman's \u03c1, and the exact two-sided p. What to see: \u03c1 is positive in some rows and negative in others.", "name": "tab-sigma-order"}} tags=["hide-input", "nbval-check-output", "records:invariance"]
correlations = read.rank_correlations(table)
read.order_table(correlations)

# %% tags=["hide-input"]
Markdown(say.order_of_untrained(correlations))

# %% tags=["hide-input"]
Markdown(say.gain(measured("invariance")))

# %% [markdown]
# ## Along the depth, and against noise
#
# {numref}`fig-exponents` has the exponents themselves. The grey band is where the exponents of Gaussian noise of the same
# shapes lie: what each estimator reports if a layer has no structure at all.

# %% mystnb={"figure": {"caption": "**Exponents of every layer**, random weights, means over seeds. Grey: from the smallest to the largest exponent of Gaussian noise of these shapes. What to see: printed exponents lie close to each other, at the lower end of those of noise or just below; released exponents of noise are enormous, because a spectrum whose eigenvalues are nearly equal looks like a very steep power law.", "name": "fig-exponents"}, "image": {"alt": "Line plots, a row per estimator and a column per data set, the released ones on a logarithmic axis: exponent against depth for each network, with a grey band for noise."}} tags=["hide-input", "records:invariance"]
profiles = read.layer_table(read.with_weights(runs))
about = {"null": "null_exponent", "log": True}
draw.plot_invariance_layers(profiles, "exponent", "exponent γ", read.ESTIMATORS, **about);

# %% tags=["hide-input"]
Markdown(say.exponents(read.exponents(runs), live.pixels(layers)))

# %% [markdown]
# ## Trained networks
#
# The networks that were trained for Table 3 at a small scale ({numref}`tab-sigma-trained`). Of the trained ones only the
# activations' products were kept, so the printed estimator is shown on activations.

# %% mystnb={"figure": {"caption": "**\u03c3 before and after training**, of the small networks of Table 3: mean \u00b1 standard deviation over the seeds that were trained (no \u00b1 where there is one). Constrained: trained with the paper's constraint. Each block of rows names network, data set and training recipe. What to see: training makes \u03c3 smaller in some networks and larger in others.", "name": "tab-sigma-trained"}} tags=["hide-input", "nbval-check-output", "records:invariance"]
trained = read_trained.trained_table(runs, 4)
read_trained.states_table(trained)

# %% tags=["hide-input"]
Markdown(say.changes(read_trained.trained_changes(trained), "σ"))

# %% [markdown]
# The pretrained weights that the released scripts can load were not downloaded: **not run**.
#
# ## Does the ruler work?
#
# Spectra of 300 eigenvalues drawn from a power law of known exponent: does each estimator find it, and does its standard
# error say how far off it may be? {numref}`tab-exponents-known` counts the draws that lie within three of their own
# standard errors.

# %% mystnb={"figure": {"caption": "**Known exponents, recovered.** Found: mean \u00b1 standard deviation over the spectra drawn, 300 eigenvalues each; error: the mean of the standard errors that the estimator states; within: the share of draws within three of their own standard errors of the truth. What to see: both find the exponent; the released estimates scatter more than their standard error says.", "name": "tab-exponents-known"}} tags=["hide-input", "nbval-check-output", "live"]
found = rulers.exponent_recovery(draws=settings["draws"], seed=settings["seed"])
read_rulers.exponents_known(found)

# %% tags=["hide-input"]
Markdown(say.exponents_known(read_rulers.exponent_scatter(found)))

# %% [markdown]
# And on spectra that are no power law, or only above some value?

# %% mystnb={"figure": {"caption": "**Spectra that are no power law**, and one that is a power law with exponent 2.5 above a bulk that is none; 300 eigenvalues each. \u03b3 with its standard error; n: the eigenvalues that the fit uses; KS: its distance from the data. What to see: every spectrum gets an exponent, and the two estimators give different ones.", "name": "tab-exponents-other"}} tags=["hide-input", "nbval-check-output", "live"]
examples = rulers.exponent_examples(seed=settings["seed"])
read_rulers.exponents_other(examples)

# %% tags=["hide-input"]
Markdown(say.exponents_other(examples))
