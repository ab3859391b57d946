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
# # How good are the estimators of σ and Δ?
#
# Details behind [the chapter on invariance](invariance.ipynb): the fits themselves, exponents and dimensions that are
# known, the estimators with their inputs swapped, and what UMAP adds.

# %% tags=["parameters", "hide-input"]
scale = "quick"  # sets what is None; the chapter on invariance measures missing cells
images = None  # "photographs", "imagenet-sample", "imagenette", "cifar10" or "imagefolder:PATH"
n_images = None  # B, images of the live fits; the released estimator wants more than 100
n_points = None  # points of each known set
model = "ResNet34"  # of the live fits, a name of Table 1
draws = None  # spectra per known exponent
seed = 0  # of the random weights, the draw of images, the known spectra and sets
weights = "untrained"  # or "pretrained", or a folder of <timm name>.safetensors

# %% tags=["hide-input"]
from IPython.display import Markdown

from reproduction import records
from reproduction.invariance import draw, live, read, read_rulers, read_umap, rulers, say
from reproduction.settings import start

settings = start("invariance_estimators", globals())
runs, others = records.read_all("invariance"), records.read_all("invariance-umap")
layers = live.walk(settings)

# %% [markdown]
# ## Exponents
#
# One network on a few images, live. Everything that the released estimator needs of a layer, up to three million
# activations per image, is in the $B \times B$ matrix of their scalar products (`sslib.grams.activation_grams`).

# %% mystnb={"figure": {"caption": "**The printed estimator draws one line through a curve that bends; the released one picks a straight stretch.** Live, random weights. Dots: share of eigenvalues that are at least \u03bb; orange: the fit, with its KS distance.", "name": "fig-spectra"}, "image": {"alt": "A row of panels per layer and a column per estimator: shares of eigenvalues against their size on log-log axes, with the fitted lines, exponents and KS distances."}} tags=["hide-input", "live"]
draw.plot_spectra(live.spectra(layers));

# %% [markdown]
# Eq. 10 writes the $B \times B$ matrix $F^\top F$ where its text speaks of feature dimensions, of which there are $D$. It
# does not matter: the $D \times D$ and the $B \times B$ matrix have the same non-zero eigenvalues.

# %% tags=["hide-input", "nbval-check-output"]
Markdown(say.same_spectrum(live.agreement(layers)))

# %% tags=["hide-input"]
Markdown(say.pixels(live.pixels(layers)))

# %% [markdown]
# ### Known exponents
#
# Spectra of 300 eigenvalues are drawn from a power law of known exponent. Does each estimator find it, and does its
# standard error say how far off it may be?

# %% mystnb={"figure": {"caption": "**Both estimators find a known exponent; the released one scatters more than its standard error says.** 300 eigenvalues each: mean \u00b1 standard deviation, mean stated error, and share of draws within three errors.", "name": "tab-exponents-known"}} tags=["hide-input", "nbval-check-output", "live"]
known = rulers.exponent_recovery(draws=settings["draws"], seed=settings["seed"])
read_rulers.exponents_known(known)

# %% tags=["hide-input"]
Markdown(say.exponents_known(read_rulers.exponent_scatter(known)))

# %% [markdown]
# ### Spectra that are no power law

# %% mystnb={"figure": {"caption": "**Every spectrum gets an exponent, power law or not, and the estimators disagree.** 300 eigenvalues each; one spectrum is a power law above a bulk only. n: the eigenvalues used; KS: distance of the fit.", "name": "tab-exponents-other"}} tags=["hide-input", "nbval-check-output", "live"]
examples = rulers.exponent_examples(seed=settings["seed"])
read_rulers.exponents_other(examples)

# %% tags=["hide-input"]
Markdown(say.exponents_other(examples))

# %% [markdown]
# ### Formula or input?
#
# The printed formula on all activations, the released one on F.

# %% mystnb={"figure": {"caption": "**Swapping what the formulas look at does not lead to the paper's values or order either.** \u03c3 by the printed formula on all activations and by the released one on F; ranks as in {numref}`tab-sigma`.", "name": "tab-sigma-swapped"}} tags=["hide-input", "nbval-check-output", "records:invariance"]
read.swapped(read.invariance_table(runs, 4))

# %% [markdown]
# ## Dimensions
#
# The same network and images, through UMAP with the released parameters.

# %% mystnb={"figure": {"caption": "**T(r) bends everywhere, so the slope depends on where one looks.** Live, random weights, after UMAP. Shaded: the region of the fit; the number is its slope, the dimension, with its standard error.", "name": "fig-integrals"}, "image": {"alt": "A row of panels per layer and a column per estimator: the correlation integral on log-log axes with the fitted line, its region shaded, and the dimension."}} tags=["hide-input", "live"]
draw.plot_correlation_integrals(live.integrals(layers));

# %% [markdown]
# ### Known dimensions
#
# Point sets of known dimension, each in three units: a dimension must not depend on whether lengths are in metres or in
# centimetres. The rule that finds the printed estimator's scaling region was chosen on half of the sets; the other half,
# "held out" in {numref}`tab-dimensions-known`, had no say.

# %% mystnb={"figure": {"caption": "**The printed estimator comes close to every known dimension in every unit; the released one depends on the unit.** All lengths \u00d7 1, divided and multiplied by 100. Held out: sets without a say in choosing the scaling region.", "name": "tab-dimensions-known"}} tags=["hide-input", "nbval-check-output", "live"]
sets = rulers.dimension_recovery(n=settings["n_points"], seed=settings["seed"])
read_rulers.dimensions_known(sets)

# %% tags=["hide-input"]
Markdown(say.dimensions_known(read_rulers.dimension_errors(sets)))

# %% [markdown]
# ### Formula or input?

# %% mystnb={"figure": {"caption": "**Swapping what the formulas look at does not lead to the paper's values or order either.** \u0394 by the printed formula on all activations and by the released one on F; ranks as in {numref}`tab-delta`.", "name": "tab-delta-swapped"}} tags=["hide-input", "nbval-check-output", "records:invariance"]
read.swapped(read.invariance_table(runs, 5))

# %% [markdown]
# ## What UMAP adds
#
# UMAP draws random numbers. How large is Δ over repeats of one and the same layer, reduced under several of UMAP's seeds
# with nothing else changed? From the records, for layers on 640 images; live, for one layer on few; and, for
# comparison, of an untrained ResMLP, whose twelve blocks pass on nearly the same activations.

# %% tags=["hide-input"]
Markdown(say.repeats(read_umap.repeats(runs, others), live.repeats(layers)))

# %% [markdown]
# ### Noise in place of the layers
#
# Δ is a range, and a range grows with the number of values: of values that only scatter around one dimension, twelve
# have on average 1.6 times the range of four. So networks of four or five layers and of twelve cannot be ranked by Δ
# before that is taken off.

# %% mystnb={"figure": {"caption": "**Noise, in which only the shape changes between layers, has a \u0394 as large as the untrained networks' or larger.** Gaussian noise of each network's layer shapes, same UMAP and fits; mean over records.", "name": "tab-delta-noise"}} tags=["hide-input", "nbval-check-output", "records:invariance"]
read_umap.noise_table(runs)

# %% [markdown]
# ### Other settings
#
# The paper gives none of UMAP's parameters.

# %% mystnb={"figure": {"caption": "**Another seed of UMAP moves \u0394 by as much as another parameter does.** One parameter changed at a time, both estimators. As released: 30 components, 20 neighbours, min_dist 0.05, seed 42.", "name": "tab-delta-umap"}} tags=["hide-input", "nbval-check-output", "records:invariance", "records:invariance-umap"]
read_umap.umap_table(runs, others)

# %% [markdown]
# ## Time and memory
#
# The printed estimator looks at all pairs of points but never holds the matrix of their distances.

# %% mystnb={"figure": {"caption": "**In blocks, the correlation dimension needs less memory and time than from a full matrix.** Wall-clock time, memory beyond what was in use, and the dimension found.", "name": "tab-dimension-cost"}} tags=["hide-input", "nbval-check-output", "records:benchmark-correlation-dimension"]
bench = records.read_all("benchmark-correlation-dimension")
read_rulers.cost_table(bench)

# %% tags=["hide-input", "nbval-check-output"]
Markdown(say.cost(bench))
