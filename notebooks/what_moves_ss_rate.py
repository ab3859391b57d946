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
complete(run.at_scale(settings));

# %% tags=["hide-input"]
features = live.middle_layers(settings)
layers = read.layers(full_scale(records.read_all("ss-rate")))

# %% tags=["hide-input", "answer", "records:box-covering", "records:ss-rate"]
Markdown(opening("what_moves_ss_rate"))

# %% [markdown]
# Before comparing the SS_rates of two networks, layers or training states, one has to know what else SS_rate depends on. This
# chapter first derives what follows from the definition, then changes one factor at a time, and then turns to noise and to sets
# whose self-similarity is known. It ends with a list of what can be compared ({numref}`tab-comparable`).
#
# ## What follows from the definition
#
# SS_rate is computed from the number of channels D and from the sorted distances of pairs of channels. Nothing else of
# the features enters. Therefore it cannot distinguish features that differ
#
# - in **which** pair has which distance: a fractal and any cloud with the same histogram of distances have the same SS_rate;
# - by a rotation of the space of images, by adding the same vector to all channels, or in the order of channels and images.
#
# It does change with the **unit** of the features, because Eq. 5 takes $\log(1+\theta)$. When features are multiplied by $c$,
# the axis goes from linear in θ ($c \to 0$) to logarithmic ($c \to \infty$). In the middle layer of an untrained ResNet34:

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
# [An appendix](ss_rate_studies.ipynb) shows how much of SS_rate's variance over layers is explained by the scale and the shape
# of the distances, and how SS_rate correlates with other measures.
#
# ## One factor at a time
#
# {numref}`fig-one-factor` takes one layer per family, from the middle of the network, and 512 ImageNet images. Features are
# multiplied by a number; channels or images are drawn at random, ten times (line: mean; band: its 95 % interval).

# %% mystnb={"figure": {"caption": "**Scale alone reorders the layers; few channels make SS_rate uncertain; beyond some dozens of images it hardly changes.** One layer per family, both formulas: features multiplied, channels drawn, images drawn (mean, 95 % interval).", "name": "fig-one-factor"}, "image": {"alt": "Six panels, a column per formula: SS_rate against feature scale, number of channels and number of images, for ViT (small), ResNet34 and MLP-Mixer."}} tags=["hide-input", "records:ss-rate-one-factor"]
factors = read_factors.factors(records.read_all("ss-rate-one-factor"))
draw.plot_factors(factors);

# %% mystnb={"figure": {"caption": "**Precision and thresholds move SS_rate by less than the choice of images, unless thresholds are very few.** Released formula; in brackets the change from the default; bootstrap: 95 % interval over images. \u2013: no batch normalisation.", "name": "tab-settings"}} tags=["hide-input", "nbval-check-output", "records:ss-rate-one-factor"]
read_factors.setting_table(factors)

# %% [markdown]
# ## Noise
#
# Features without structure have an SS_rate, too. {numref}`tab-nulls` has five null models with the shape and the mean distance
# of the layer: Gaussian noise; each image's values shuffled among the channels; all channels on one line; each channel
# standardised over the images, which leaves only correlations; and whitened features, with equal variance in all directions.

# %% mystnb={"figure": {"caption": "**Noise lies in the middle of the networks' values, whatever its shape.** Released formula, mean over modules, 512 ImageNet images. \u2013: all distances equal; in brackets, how many layers are in the mean.", "name": "tab-nulls"}} tags=["hide-input", "nbval-check-output", "records:ss-rate-measures"]
measures = records.read_all("ss-rate-measures")
nulls = read.nulls(measures)
read.null_table(nulls)

# %% tags=["hide-input"]
Markdown(say.noise(read.against_noise(nulls)))

# %% [markdown]
# ## Sets of known self-similarity
#
# {numref}`tab-fractals` compares point sets with Gaussian clouds of as many points in the same space, with the same mean
# distance. The Cantor set and the Sierpiński triangle are self-similar by construction, the two attractors at small scales.

# %% mystnb={"figure": {"caption": "**No point set has a smaller SS_rate than all noise clouds like it, self-similar or not.** SS_rate (released) of 512 points of known dimension, live, and the range over ten Gaussian clouds with the same mean distance.", "name": "tab-fractals"}} tags=["hide-input", "nbval-check-output", "live"]
read.fractal_table(live.fractal_rates())

# %% [markdown]
# ## When two raw SS_rates can be compared
#
# The criterion is how far the SS_rate of a layer moves when other images are drawn: half its 95 % bootstrap interval. A
# change that moves SS_rate by no more than that, in all layers measured, can be ignored. A change that moves it further must
# be the same on both sides of a comparison. For fewer images or channels, the mean over ten draws is compared; a single draw
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
# - **A self-similar set with a small SS_rate.** If the Cantor set and the Sierpiński triangle had smaller SS_rates than
#   all clouds like them, claim 1 would be reproduced.
# - **A scale-free definition.** [Three such axes](ss_rate_studies.ipynb) exist, and they order the networks
#   differently. If the authors chose one of them, this chapter would have to be rewritten for it.
# - **Trained networks.** All layers in this chapter are untrained. After training, scale and shape may matter differently; in
#   [two networks](trained_networks.ipynb), scale explains less than half of the change.
#
# The command: `python -m reproduction measures`.
