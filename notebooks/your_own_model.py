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
# # Your own model
#
# SS_rate needs a PyTorch model, images, and the names of the layers to look at. This chapter uses four models from four
# sources: a Mixer from timm, a ResNet from torchvision, a transformer from Hugging Face, and a few layers put together by
# hand. All have random weights, so that nothing is downloaded. The chapter then deals with choosing layers and the number of
# images, reading the result, and holding SS_rate at a target in a training loop of your own.
#
# To get this page as a report on your own network, run:
# `papermill notebooks/your_own_model.ipynb report.ipynb --cwd notebooks -p model PATH.py:FUNCTION -p modules "blocks.*"`.
# The function takes no argument and returns the model; `timm:NAME` and `torchvision:NAME` work as well, with random weights.
# `modules` are names or patterns separated by commas; `images` and `size` set what the model sees.

# %% tags=["parameters", "hide-input"]
scale = "quick"  # "quick", "gpu" or "paper": sets what is None below
model = None  # "timm:NAME", "torchvision:NAME" or "PATH.py:FUNCTION"
modules = None  # names or patterns of its modules, with commas between them
size = None  # height and width of its images
images = None  # "photographs", "imagenet-sample", "imagenette", "cifar10" or "imagefolder:PATH"
n_images = None  # B, the number of images
epochs = None  # of the small training runs at the end
seed = 0  # of the random weights, the draw of images and the noise

# %% tags=["hide-input"]
import pandas as pd
import timm
import torch
from IPython.display import Markdown
from torch import nn
from transformers import ViTConfig, ViTModel

import sslib
from reproduction.images import load_images
from reproduction.own_model import draw, live, read, refusals, say
from reproduction.settings import start
from reproduction.verdicts.say_chapters import opening

settings = start("your_own_model", globals())

# %% tags=["hide-input", "answer", "records:benchmark-constraint"]
Markdown(opening("your_own_model"))

# %% [markdown]
# ## One call
#
# `sslib.self_similarity` runs the model once over the images, without gradients, and returns a row per layer. The model
# comes back as it was.

# %% mystnb={"figure": {"caption": "**One call gives a row per layer; read SS_rate against null, the value of noise.** What `sslib.self_similarity` returns for the model of this run, by default a ResNet18 with random weights.", "name": "tab-one-call"}} tags=["live"]
pictures = load_images(settings["images"], settings["n_images"], seed=seed,
                       size=settings["size"])
own_batch = pictures.normalised()
network = live.load_model(settings["model"], seed=seed)
names = settings["modules"].split(",")
by_layer = sslib.self_similarity(network, own_batch, names)
by_layer.rename_axis(None).round(3)

# %% tags=["hide-input"]
Markdown(say.images(pictures.description))

# %% [markdown]
# `D` and `B` are the numbers of channels and images, `TZ` and `TV` the smallest and the largest distance between two
# channels. `null` is the SS_rate of Gaussian noise with the same D, B and mean pair distance, and `null_std` its
# standard deviation over twenty draws (itself known to about a sixth). `z` is the difference between SS_rate and `null` in
# units of `null_std`; it is negative where the layer is nearer to the straight line than unrelated channels are.
#
# The same call works for models from any source. A Hugging Face model is built from its configuration; of layers that
# return a tuple, the first tensor is used.

# %%
few = load_images(settings["images"], settings["n_images"], seed=seed)
batch = few.normalised()
torch.manual_seed(seed)
mixer = timm.create_model("mixer_s32_224")
torch.manual_seed(seed)
vit = ViTModel(ViTConfig(hidden_size=192, num_hidden_layers=6,
                         num_attention_heads=3, intermediate_size=768))
tables = {
    settings["model"]: by_layer,
    "timm Mixer-S/32": sslib.self_similarity(mixer, batch, "blocks.*"),
    "Hugging Face ViT": sslib.self_similarity(vit, batch, "layers.*"),
}

# %%
torch.manual_seed(seed)
stack = nn.Sequential(nn.Conv2d(3, 32, 7, stride=4), nn.ReLU(),
                      nn.Conv2d(32, 64, 3, stride=2), nn.ReLU(),
                      nn.Conv2d(64, 128, 3, stride=2), nn.ReLU())
tables["nn.Sequential"] = sslib.self_similarity(stack, batch, "*")

# %% mystnb={"figure": {"caption": "**Noise has an SS_rate of its own, and it is not the same for all four models.** SS_rate and the null value of Gaussian noise, averaged over the layers, random weights.", "name": "tab-four-models"}} tags=["hide-input", "nbval-check-output", "live"]
read.averages(tables)

# %% mystnb={"figure": {"caption": "**Inside the grey band, SS_rate does not differ from that of noise.** Four models along their layers, random weights. Grey: noise of the same shape and scale, mean and two standard deviations.", "name": "fig-your-own"}, "image": {"alt": "Four panels in two rows, one per model, each with the SS_rate of its layers as a line over the grey band of noise."}} tags=["hide-input", "live"]
draw.plot_self_similarity(tables);

# %% tags=["hide-input"]
Markdown(say.against_noise(read.against_noise(tables)))

# %% [markdown]
# ## Choosing layers
#
# Any module can be measured by its name in `model.named_modules()`, or several by a pattern; a `*` stands for one part of
# a name between dots. Some advice:
#
# - **Take outputs of blocks.** The paper uses whole blocks or stages, where a residual sum has just been made. The parts
#   of a block (a normalisation, an attention) are on another scale.
# - **Take modules that run once per pass**, with one row per image. Others, such as shared layers or attention in windows, are
#   refused with a message.
# - **Know the channels' axis.** It is inferred from the type of the module, the widths of the model's convolutions and norms,
#   the number of images and the sides of the input. If two layouts remain possible, a message asks for `layout=`, one for all
#   modules or one for each: {numref}`tab-refused`.
# - **Avoid dead layers.** If all distances are equal, as in a layer that always returns zero, there is no SS_rate: the result is
#   NaN, with a warning.
# - **Decide whether to measure before or after a ReLU.** It sets about half of the values to zero, which changes the distances:

# %% tags=["hide-input", "nbval-check-output"]
print(say.relus(tables["nn.Sequential"]))

# %% [markdown]
# ## What is refused, and why
#
# If the axes of F are confused, the result is still a number, and nothing about it looks wrong. An output that could be read in
# two ways is therefore refused. The examples of {numref}`tab-refused` have six images each and `layout="auto"`.

# %% mystnb={"figure": {"caption": "**Every output whose channels are ambiguous is refused.** Answers of `sslib.feature_matrices` to models that are easily misread; each says what is missing. The last rows are read, correctly.", "name": "tab-refused"}} tags=["hide-input", "nbval-check-output", "live"]
pd.set_option("display.max_colwidth", None)  # whole sentences
read.refused(refusals.refusals())

# %% [markdown]
# Estimators make assumptions as well: a power law, a scaling region, distances that differ. Where a layer, a spectrum or a graph
# violates them, a formula may still give a number, such as an exponent of $10^{15}$ from eigenvalues that differ only by
# rounding. `sslib` raises an error instead, or returns NaN with the reason:

# %% mystnb={"figure": {"caption": "**Input that an estimator cannot handle gives no number.** The answers to dead, tied, scattered and overflown input say what is wrong with it. The last rows look similar but have a valid result.", "name": "tab-degenerate"}} tags=["hide-input", "nbval-check-output", "live"]
read.refused(refusals.degenerate())

# %% [markdown]
# `layout=` takes "BCHW", "BHWC", "BND", "BDN", "NBD", "BD", "BCDHW" and "BDHWC", with B for the images and C or D for the
# channels. `tokens=` selects all tokens, the class token or the patches. `call=` says which call of a module counts, and
# `forward=` how a batch is passed to a model that takes more than one argument.

# %% [markdown]
# ## How many images, how many channels
#
# B is the length of the vectors whose distances are taken; a few images may not represent the others. D sets how many pairs
# are counted: 64 channels have 2,016 pairs, and the extremes TZ and TV, which set the scale, come
# from one pair each. Compare only values that were measured with the same B, or check as in {numref}`tab-how-many` how much B
# matters for your layer. Drawing the same number of channels, as the paper does for its Figure 2, makes layers of different D
# comparable, at the price of noise.

# %% mystnb={"figure": {"caption": "**Few channels give a wide range of SS_rates.** One layer of this run's model: the first images, or channels drawn twenty times (smallest to largest value).", "name": "tab-how-many"}} tags=["hide-input", "nbval-check-output", "live"]
layer = by_layer.index[5 * len(by_layer) // 8]
F = sslib.feature_matrices(network, own_batch, layer)[layer]
read.how_many(live.how_many(F, seed=seed))

# %% [markdown]
# ## How to read the number
#
# - **0 is a perfect power law between N and 1 + θ, 1 the furthest from one.** The value says how the distances of all pairs are
#   distributed, and nothing about which channels are close to each other.
# - **Compare it with its null value first.** If |z| is below 2, SS_rate does not distinguish the layer from noise. If it is
#   larger, the distances are not those of noise; that does not make them those of a fractal:
#   [what moves SS_rate](what_moves_ss_rate.ipynb).
# - **It depends on the scale of the features**, because θ enters as log(1 + θ): see {numref}`tab-scale`.

# %% mystnb={"figure": {"caption": "**A change of unit alone moves SS_rate by as much as most networks of Table 2 differ.** The same features, multiplied by a factor.", "name": "tab-scale"}} tags=["hide-input", "nbval-check-output", "live"]
read.scaled(live.scaled(F))

# %% [markdown]
# - **Say which formula.** The default is the released code's; `formula="printed"` is the one in the paper's text.
# - **Repeat over seeds.** Random weights alone move SS_rate, here of the last layer of the `nn.Sequential` above. The
#   [chapter on Table 2](nine_models) does the same for nine networks:

# %% tags=["hide-input", "nbval-check-output"]
print(say.seeds(live.over_seeds(stack, batch, "5", range(5))))

# %% [markdown]
# ## The constraint in your own loop
#
# It takes three lines: create the constraint, add it to the loss, remove it. Each training step draws one of the layers and pulls
# its SS_rate towards the target (Eq. 6). The example uses scikit-learn's 8 × 8 digits, and a weight far above the paper's
# $10^{-4}$ so that a few steps show an effect.

# %%
train = load_images("digits", 1280, seed=seed, size=16)
test = load_images("digits", None, size=16, split="test")
inputs, labels = train.normalised(), train.labels
batches = [*zip(inputs.split(64), labels.split(64), strict=True)]
convnet = nn.Sequential(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
                        nn.Conv2d(32, 64, 3), nn.ReLU(),
                        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                        nn.Linear(64, 10))


# %%
model = live.reseeded(convnet, seed)  # a copy with this seed's weights
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
constraint = sslib.SelfSimilarityConstraint(  # 1: once
    model, ["0", "3"], target=0.1, weight=0.1)
for x, y in settings["epochs"] * batches:
    loss = nn.functional.cross_entropy(model(x), y)
    loss = loss + constraint()  # 2: in every step
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
constraint.remove()  # 3: at the end


# %% mystnb={"figure": {"caption": "**The constraint pulls SS_rate towards its target, here 0.1.** SS_rate of the two convolutions and top-1 accuracy on the test digits, without and with it; one seed.", "name": "tab-own-loop"}} tags=["hide-input", "live"]
without = live.fit(live.reseeded(convnet, seed), batches, settings["epochs"])
both = {"without": without, "with constraint": model}
outcome = live.trained_models(both, ["0", "3"], train, test)
read.trained_models(outcome)

# %% tags=["hide-input"]
Markdown(say.constraint(read.effect(outcome, 0.1), settings["epochs"], len(train)))

# %% [markdown]
# ## What would change our mind
#
# - **A trained network of yours whose SS_rate is far below noise**, at the same scale: its distances would be nearer to a power
#   law than those of noise. Send it; it would be worth a page here.
# - **A constraint that helps you.** Make two runs per seed, with and without it, at the same learning rate, and judge them at the
#   last epoch; [the training chapter](training.ipynb) shows how small a gain so many pairs can detect.
# - **A step that costs more.** The cost was measured on one machine; [speed and memory](speed_and_memory.ipynb) has the
#   command to measure yours.
