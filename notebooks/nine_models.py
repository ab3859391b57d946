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
# # Table 2: SS_rate of nine models
#
# The paper's Table 2 gives one number per model and training state: SS_rate averaged over the modules of its Table 1.
# Here are our own measurements beside it, under both formulas. The evidence is a set of committed records: every model
# with random weights under several seeds, and some under several draws of the images, 512 from a sample of one thousand
# ImageNet training images (one per class; two draws share about half of theirs). At the end, the same code runs live on
# a few images, to show that it does.

# %% tags=["parameters", "hide-input"]
scale = "quick"  # "quick", "gpu" or "paper": sets what is None below
images = None  # live: "photographs", "imagenet-sample", "imagenette", "cifar10", "imagefolder:PATH"
n_images = None  # B, the number of images of the live run
seed = 0  # of the random weights and of the draw of images in the live run
weights = "untrained"  # or "pretrained" (downloads), or a folder of <timm name>.safetensors

# %% tags=["hide-input"]
from IPython.display import Markdown

from reproduction import records
from reproduction.grid import complete
from reproduction.images import load_images
from reproduction.settings import start
from reproduction.ss_rate import draw, live, read, run, say
from reproduction.table_1 import TABLE_1

settings = start("nine_models", globals())
complete(run.at_scale(settings))
runs = read.full_scale(records.read_all("ss-rate"))
table = read.table_2(runs)

# %% [markdown]
# ## Printed and measured
#
# In {numref}`tab-ss-rate`, "ours, released" and "ours, printed" are our measurements with the released code's formula and
# with the one in the paper's text. The verdict holds the released one against the paper's table.

# %% tags=["hide-input", "nbval-check-output", "records:ss-rate", "paper"] mystnb={"figure": {"caption": "**Table 2 beside our measurements**: SS_rate with random weights, mean \u00b1 standard deviation over seeds of the weights, and whether the paper's value is met; last column: trained networks. What to see: the released formula comes close to the printed values, the printed one to none.", "name": "tab-ss-rate"}}
read.table_2_text(table)

# %% tags=["hide-input"]
Markdown(say.table_2(read.comparison(table), read.comparison(table, "pretrained")))

# %% [markdown]
# ## Layer by layer
#
# An average hides the layers. The lines are means over seeds and draws, the bands one standard deviation.

# %% tags=["hide-input", "records:ss-rate"] mystnb={"figure": {"caption": "**SS_rate along the depth of the nine models**, random weights, 512 ImageNet images. Colour is the family, the line style tells models of one family apart. What to see: the two formulas put the same layers at very different heights, and under the released one PoolFormer stands above the other attention models.", "name": "fig-depth"}, "image": {"alt": "Six panels, a row per family and a column per formula: SS_rate against depth for the nine models, with bands over seeds."}}
draw.plot_profiles(read.depth_profiles(runs));

# %% [markdown]
# ## What moves SS_rate
#
# Two networks that lay far from the printed table on the first seed, ViT (small) and ResMLP, were run again on few images:
# over more seeds, then with one setting changed at a time. {numref}`tab-factors` has what SS_rate becomes, and how much
# that differs from the baseline **of the same seeds**. "bfloat16" is the whole network in that precision; "timm: jax" and
# "PyTorch defaults" are other ways to draw the initial weights, "layer scale 1" is ResMLP with its branches at full
# strength instead of 0.0001.

# %% tags=["hide-input", "nbval-check-output", "records:ss-rate-factors"] mystnb={"figure": {"caption": "**One setting changed at a time.** SS_rate (released formula, random weights), mean over seeds of the weights; change: against the baseline of the same seeds, mean \u00b1 standard deviation. The baseline, 64 ImageNet images, has more seeds than the changed settings, so the two means may differ where nothing changes. \u2013: does not apply. What to see: which images, how they are normalised and how the weights are drawn move SS_rate; the mode, the precision and the modules do not.", "name": "tab-factors"}}
study = read.factor_table(records.read_all("ss-rate-factors"))
read.factor_text(study)

# %% tags=["hide-input"]
Markdown(say.factors(read.factor_outcomes(study)))

# %% [markdown]
# ## One layer per family
#
# The curves behind the numbers: an attention model, a convolutional network and an MLP at the middle of their depth. All
# that enters SS_rate is the number of channels D and how their distances are distributed.

# %% tags=["hide-input", "live"] mystnb={"figure": {"caption": "**log N against log(1 + \u03b8) in the middle of three networks.** Dashed: the line of Eq. 4. Shaded: what SS_rate measures. What to see: the printed curve stays above the line almost to the end, so its area is large everywhere; the released one lies close to the line, above or below it depending on the network.", "name": "fig-families"}, "image": {"alt": "Six panels: for ViT-S, ResNet34 and MLP-Mixer the curve of log N under the released and the printed formula, with the straight reference line."}}
pictures = load_images(settings["images"], settings["n_images"], seed=settings["seed"])
features = live.features(TABLE_1, pictures, settings["seed"], weights=settings["weights"])
middle = {"ViT (small)": "ViT-S", "ResNet34": "ResNet34", "MLP-Mixer": "MLP-Mixer"}
draw.plot_box_curves(live.box_curves(live.middle_layers(features, middle)));

# %% [markdown]
# ## Live

# %% tags=["hide-input", "nbval-check-output", "live"] mystnb={"figure": {"caption": "**SS_rate computed when this page was built**, averaged over the modules of Table 1, by both formulas; one seed and few images. What to see: the order of magnitude of the table at the top, and the same gap between the formulas.", "name": "tab-live"}}
live.averages(live.layer_rates(features))

# %% tags=["hide-input"]
Markdown(say.live(pictures.description, len(pictures)))
