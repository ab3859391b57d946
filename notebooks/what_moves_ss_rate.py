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

# %% tags=["parameters", "hide-input"]
scale = "quick"  # "quick", "gpu" or "paper": sets what is None below; studies come from records
# images of the live run: "photographs", "imagenet-sample", "imagenette", "cifar10" or
# "imagefolder:PATH"
images = None
n_images = None  # B, the number of images of the live run
seed = 0  # of the random weights and of the draw of images in the live run

# %% tags=["hide-input"]
import torch
from IPython.display import Markdown

import sslib
from reproduction import records
from reproduction.grid import complete
from reproduction.sensitivity import draw, live, read, read_factors, run, say
from reproduction.settings import start
from reproduction.ss_rate.read import full_scale
from reproduction.verdicts.say_chapters import opening

settings = start("what_moves_ss_rate", globals())
complete(run.at_scale(settings))

# %% tags=["hide-input"]
features = live.middle_layers(settings)
layers = read.layers(full_scale(records.read_all("ss-rate")))

# %% tags=["hide-input", "answer", "records:box-covering", "records:ss-rate"]
Markdown(opening("what_moves_ss_rate"))

# %% [markdown]
# Before SS_rate of two networks, layers or training states is compared, one has to know what else it depends on. This
# chapter takes first what follows from the definition, then one change at a time, then noise and sets whose
# self-similarity is known. It ends with a list of what can be compared ({numref}`tab-comparable`).
#
# ## What follows from the definition
#
# SS_rate is computed from the number of channels D and from the sorted distances of pairs of channels. Nothing else of
# the features enters. Therefore it cannot distinguish features that differ
#
# - in **which** pair has which distance: a fractal and any cloud with the same histogram of distances have the same SS_rate;
# - by a rotation of the space of images, a shift that is the same for all channels, or the order of channels and images.
#
# It does change with the **unit** of the features, because Eq. 5 takes $\log(1+\theta)$. When features are multiplied by $c$,
# the axis goes from linear in θ ($c \to 0$) to logarithmic ($c \to \infty$). The middle layer of an untrained ResNet34:

# %% tags=["live"]
F = features["resnet34"]  # (D, B)
torch.manual_seed(seed)
rotation, _ = torch.linalg.qr(torch.randn(F.shape[1], F.shape[1]))
for name, changed in {"as it is": F, "rotated": F @ rotation,
                      "shifted": F + 1, "times 10": 10 * F}.items():
    print(f"{name:>9}: {sslib.ss_rate(changed).item():.3f}")

# %% mystnb={"figure": {"caption": "**Rotating, shifting and reordering features change nothing; multiplying them does.** SS_rate of the middle layer of an untrained ResNet34, by both formulas, live.", "name": "tab-changed"}} tags=["hide-input", "nbval-check-output", "live"]
read.change_table(live.changed_rates(features["resnet34"]))

# %% tags=["hide-input"]
Markdown(say.layer("resnet34", features["resnet34"].shape))

# %% [markdown]
# How much of SS_rate's variance over layers the scale and the shape of the distances explain, and how SS_rate goes with
# measures that are known, is in [an appendix](ss_rate_studies.ipynb).
#
# ## One factor at a time
#
# One layer per family, at the middle of the network, 512 ImageNet images. Features are multiplied by a number; channels or
# images are drawn at random, ten times (line: mean; band: its 95 % interval).

# %% mystnb={"figure": {"caption": "**Scale alone reorders the layers; few channels make SS_rate uncertain; beyond some dozens of images it hardly changes.** One layer per family, both formulas: features multiplied, channels drawn, images drawn (mean, 95 % interval).", "name": "fig-one-factor"}, "image": {"alt": "Six panels, a column per formula: SS_rate against feature scale, number of channels and number of images, for ViT (small), ResNet34 and MLP-Mixer."}} tags=["hide-input", "records:ss-rate-one-factor"]
factors = read_factors.factors(records.read_all("ss-rate-one-factor"))
draw.plot_factors(factors);

# %% mystnb={"figure": {"caption": "**Precision and thresholds move SS_rate by less than the choice of images, unless thresholds are very few.** Released formula; in brackets the change from the default; bootstrap: 95 % interval over images. \u2013: no batch normalisation.", "name": "tab-settings"}} tags=["hide-input", "nbval-check-output", "records:ss-rate-one-factor"]
read_factors.setting_table(factors)

# %% [markdown]
# ## Noise
#
# Features without structure have an SS_rate, too. The null models have the same shape and mean distance as the layer:
# Gaussian noise; each image's values shuffled among the channels; all channels on one line; each channel standardised over the
# images, which leaves only correlations; and whitened features, with all directions equally wide.

# %% mystnb={"figure": {"caption": "**Noise stands in the middle of the networks, with nearly the same SS_rate in every shape.** Released formula, mean over modules, 512 ImageNet images. \u2013: all distances equal; in brackets, how many layers are in the mean.", "name": "tab-nulls"}} tags=["hide-input", "nbval-check-output", "records:ss-rate-measures"]
measures = records.read_all("ss-rate-measures")
nulls = read.nulls(measures)
read.null_table(nulls)

# %% tags=["hide-input"]
Markdown(say.noise(read.against_noise(nulls)))

# %% [markdown]
# ## Sets of known self-similarity
#
# Point sets beside Gaussian clouds of as many points in the same space, with the same mean distance. The Cantor set and
# the Sierpiński triangle are self-similar by construction, the two attractors at small scales.

# %% mystnb={"figure": {"caption": "**No point set lies below all of its noise clouds, self-similar or not.** SS_rate (released) of 512 points of known dimension, live, and the range over ten Gaussian clouds with the same mean distance.", "name": "tab-fractals"}} tags=["hide-input", "nbval-check-output", "live"]
read.fractal_table(live.fractal_rates())

# %% [markdown]
# ## What a raw SS_rate can be compared across
#
# The measure is how far SS_rate of the same layer moves when other images are drawn: half its 95 % bootstrap interval. A
# change that moves SS_rate by no more than that, in all layers measured, can be ignored. One that moves it further must be
# the same on both sides of a comparison. For fewer images or channels the mean over ten draws is compared; a single draw
# scatters more.

# %% mystnb={"figure": {"caption": "**Scale, another seed and fewer channels move SS_rate far more than other images do.** Largest shift over the layers and values tried, with 95 % interval; its ratio to the spread over images; n layers.", "name": "tab-comparable"}} tags=["hide-input", "nbval-check-output", "records:ss-rate-one-factor", "records:ss-rate"]
comparable = read_factors.comparable(factors, layers)
read_factors.comparison_table(comparable)

# %% tags=["hide-input"]
comparability = read_factors.comparability(comparable, layers)
Markdown(say.comparability(comparability, read.against_noise(nulls)))

# %% [markdown]
# ## What would change our mind
#
# - **A set that is self-similar and comes out low.** If the Cantor set and the Sierpiński triangle had smaller SS_rates than
#   all clouds like them, the second half of claim 1 would hold.
# - **A unit in which scale does not matter.** [Three such axes](ss_rate_studies.ipynb) exist, and they order the networks
#   differently. If one of them were the authors' choice, this chapter would have to be written again for it.
# - **Trained networks.** All layers of this chapter are untrained. After training scale and shape can play other parts; in
#   [two networks](trained_networks.ipynb) scale explains less than half of the change.
#
# The command: `python -m reproduction measures`.
