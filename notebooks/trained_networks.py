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
# # Two networks with ImageNet weights

# %% tags=["parameters", "hide-input"]
scale = "quick"  # this notebook reads records and does the same at every scale

# %% tags=["hide-input"]
from reproduction.settings import start

settings = start("trained_networks", globals())

from IPython.display import Markdown

from reproduction.trained import draw, read, read_beside, say

layers, twins = read.layers(), read.twins()
rates, parts, norms = read.rates(layers), read.scale(twins), read_beside.norms(layers)

# %% tags=["hide-input", "nbval-check-output"]
Markdown(say.answer(rates, parts, norms))

# %% [markdown]
# Two networks with ImageNet weights stand beside the same networks with random weights: ViT-Tiny,
# a smaller sister of Table 2's ViTs, and EfficientNet-Lite0, a convolutional network. The
# questions, and which outcome gives which answer, were written down before the first run, in
# `data/results/plan-trained.yml`. Two questions were added after first results had been seen, and
# say so.
#
# ## SS_rate before and after training

# %% mystnb={"figure": {"caption": "**In both networks the released SS_rate is higher after training; the printed one is not.** Grey: random weights, mean and range over seeds and draws; colour: ImageNet weights. Scale-free: distances over their mean.", "name": "fig-trained-profiles"}, "image": {"alt": "Six panels, two networks by three measures, of SS_rate against depth: a coloured line for trained and a grey band for untrained networks."}} tags=["hide-input", "records:trained-layers"]
measures = {"released": "released", "printed": "printed", "released, mean": "scale-free"}
draw.profiles(layers, measures);

# %% mystnb={"figure": {"caption": "**The released SS_rate lies above the untrained range in both networks.** Means over modules and draws. Low, high: where a sixth untrained network would lie in 95 of 100 cases.", "name": "tab-trained-rates"}} tags=["hide-input", "nbval-check-output", "records:trained-layers"]
interval = ["untrained", "low", "high", "trained", "outcome"]
read.shown(rates, ["network", "measure"], interval)

# %% mystnb={"figure": {"caption": "**ViT-Tiny rises as much as ViT (base), EfficientNet-Lite0 as much as ResNet50; the printed ResNet34 and VGG fall.** Released SS_rate: ours as measured, their relatives as printed in Table 2.", "name": "tab-trained-table-2"}} tags=["hide-input", "nbval-check-output", "records:trained-layers", "paper"]
read.shown(
    read_beside.beside_table_2(rates), ["like", "network", "by"], ["untrained", "trained", "change"]
)

# %% [markdown]
# ## Scale, or the shape of the distances?
#
# SS_rate takes log(1 + θ), so it changes when all features are multiplied by one number. Each
# trained layer was therefore measured at the mean pair distance of its untrained twin as well, and
# each untrained one at that of the trained. The scale does not explain everything; the rest is the
# shape of the distances' distribution, since nothing else of F enters.

# %% mystnb={"figure": {"caption": "**The scale of the features does not explain the rise.** The change of SS_rate split into what scale alone changes and what is left, the shape of the distances; diamond: the whole change.", "name": "fig-trained-parts"}, "image": {"alt": "Four pairs of horizontal bars, one pair per network and formula, for the parts of scale and shape, with a diamond at the whole change."}} tags=["hide-input", "records:trained-twins"]
draw.parts(parts);

# %% mystnb={"figure": {"caption": "**No interval of the scale's share lies above one half.** Share of the change that scale makes, with its 95 % interval over the seeds; a negative share works against the change.", "name": "tab-trained-scale"}} tags=["hide-input", "nbval-check-output", "records:trained-twins"]
shares = ["change", "scale", "shape", "share", "low", "high", "outcome"]
read.shown(parts, ["network", "formula"], shares)

# %% [markdown]
# ## Which part of the shape changes?
#
# First the scale-free variants of SS_rate, on three axes; then null models, which keep some of the
# structure and not the rest. *One direction alone* keeps each channel's place along the widest
# direction. *Correlations alone* gives every channel mean 0 and variance 1; what is left of the
# rate after that is the part of means and variances.

# %% mystnb={"figure": {"caption": "**Without a unit, ViT-Tiny's released SS_rate rises on all three axes; EfficientNet-Lite0's rises on one and falls on another.** Columns as in {numref}`tab-trained-rates`.", "name": "tab-trained-shape"}} tags=["hide-input", "nbval-check-output", "records:trained-layers"]
shape = read.shape(layers)
read.shown(shape, ["network", "measure"], interval)

# %% tags=["hide-input", "nbval-check-output"]
Markdown(say.shape(shape))

# %% mystnb={"figure": {"caption": "**Correlations alone change little; means and variances of channels change much, and all three dimensions grow.** Null models and dimensions before and after training; scale-free rates (axis mean, released).", "name": "tab-trained-structure"}} tags=["hide-input", "nbval-check-output", "records:trained-layers"]
structure = read.structure(layers)
read.shown(structure, ["network", "measure"], interval)

# %% tags=["hide-input", "nbval-check-output"]
Markdown(say.structure(structure))

# %% [markdown]
# ## A few remote channels?
#
# Without the channels that lie furthest from all others, how much of the change is left? (Asked
# when the first layers had been seen.)

# %% mystnb={"figure": {"caption": "**In ViT-Tiny the remotest 5 % of channels make half of the change; as many drawn at random change nothing.** Change of the released SS_rate, mean over modules, 128 images.", "name": "tab-trained-remote"}} tags=["hide-input", "nbval-check-output", "records:trained-remote", "records:trained-layers"]
remote = read_beside.remote_outcomes(read_beside.remote(), rates)
read.shown(remote, ["network"], ["whole", "without remote", "without random", "outcome"])

# %% tags=["hide-input", "nbval-check-output"]
Markdown(say.remote(remote))

# %% [markdown]
# ## On the way, and batch norm
#
# The weights between the two ends are (1 − t) · initial + t · trained. Nobody trains along this
# line; it shows whether SS_rate tells how far a network is on its way. In batch norm either the
# running statistics are interpolated like the weights, or those of the images are used.

# %% mystnb={"figure": {"caption": "**ViT-Tiny's SS_rate rises before anything is recognised; EfficientNet-Lite0's falls and rises again.** Between untrained and trained weights, 64 images, a line per seed. Solid: released; dashed: printed.", "name": "fig-trained-path"}, "image": {"alt": "Two rows of panels against t, the share of trained weights: SS_rate above, top-1 accuracy below, a column per network and way to treat batch norm's statistics."}} tags=["hide-input", "records:trained-path"]
path = read.path()
draw.path(path);

# %% tags=["hide-input", "nbval-check-output"]
Markdown(say.path(read.path_outcomes(path)))

# %% mystnb={"figure": {"caption": "**With each batch's statistics, EfficientNet-Lite0's released SS_rate no longer rises, and its printed one no longer falls.** Batches of 64, 512 images; running: the outcome with initial statistics 0 and 1.", "name": "tab-trained-norms"}} tags=["hide-input", "nbval-check-output", "records:trained-batch-norm", "records:trained-layers"]
statistics = [*interval, "trained in batches", "running"]
read.shown(norms, ["network", "measure"], statistics)

# %% tags=["hide-input", "nbval-check-output"]
Markdown(say.norms(norms))

# %% [markdown]
# ## Shallow and deep layers
#
# On Figure 2 the paper says that features close to the input are highly sensitive to pretraining
# and deep ones less.

# %% mystnb={"figure": {"caption": "**Deep layers change more, the reverse of what the paper says.** Spearman's correlation of the change with depth: SS_rate, and 1 \u2212 CKA by two estimators. Neighbouring modules are not independent, so p describes one network.", "name": "tab-trained-depth"}} tags=["hide-input", "nbval-check-output", "records:trained-layers", "records:trained-twins", "records:trained-similarity"]
alike = read_beside.alike()
ranks = read.depth_ranks(read.depth(layers, twins, alike))
read.shown(ranks, ["network", "measure"], ["rho", "p", "modules", "outcome"])

# %% tags=["hide-input", "nbval-check-output"]
Markdown(say.depth(ranks))

# %% tags=["hide-input", "nbval-check-output", "records:trained-similarity"]
Markdown(say.alike(alike))

# %% [markdown]
# ## Figure 2 after training

# %% mystnb={"figure": {"caption": "**After training, a few channels of ViT-Tiny lie far out along one line and the rest close together.** Channels of the first module in one plane: grey triangles untrained, coloured squares trained.", "name": "fig-trained-channels"}, "image": {"alt": "Two panels of points in the plane, grey triangles for untrained and coloured squares for trained channels."}} tags=["hide-input", "records:trained-channels"]
channels = read_beside.channels()
draw.pictures(channels);

# %% tags=["hide-input", "nbval-check-output"]
Markdown(say.channels(channels))

# %% [markdown]
# ## Tables 4 and 5 after training

# %% mystnb={"figure": {"caption": "**Trained networks are less invariant by most of these numbers.** \u03c3 and \u0394 as in Tables 4 and 5, 640 images at 224 pixels; smaller is more invariant. Lowest, highest: of the untrained seeds.", "name": "tab-trained-invariance"}} tags=["hide-input", "nbval-check-output", "records:trained-invariance"]
invariance = read_beside.invariance()
own = invariance[invariance["way"].isin(["printed", "released"])]
columns = ["untrained", "lowest", "highest", "seeds", "trained", "outcome"]
read.shown(own, ["metric", "way", "images", "network"], columns)

# %% tags=["hide-input", "nbval-check-output"]
Markdown(say.invariance(invariance))

# %% [markdown]
# ## True covers of trained layers

# %% mystnb={"figure": {"caption": "**Training brings neither formula to a factor of 2 with a correlation of 0.9.** Off: largest factor between N_\u03b8 and the nearer bound, median layer; rho: rank correlation with SS_rate by covering.", "name": "tab-trained-covers"}} tags=["hide-input", "nbval-check-output", "records:trained-covers"]
covers = read_beside.cover_outcomes(read_beside.covers())
read.shown(covers, ["network", "state", "formula"], ["off", "rho", "layers", "outcome"])

# %% tags=["hide-input", "nbval-check-output"]
Markdown(say.covers(covers))

# %% [markdown]
# ## Are the weights what they are taken for?

# %% mystnb={"figure": {"caption": "**The convolutional weights fit the first of two names.** Accuracy on 1,000 ImageNet training images, one per class, cropped as each network expects; on validation images it would be lower.", "name": "tab-trained-weights"}} tags=["hide-input", "nbval-check-output", "records:weights-check"]
check = read.check()
read.shown(check, ["network", "timm name"], ["top1", "top5", "images"])

# %% tags=["hide-input", "nbval-check-output"]
Markdown(say.weights(check))

# %% [markdown]
# Records name weights by a hash of their values, so the same weights from another file have the
# same name. To measure them again, or others, put `<timm name>.safetensors` into a folder, or let
# timm download its own:
#
# ```bash
# python -m reproduction.trained --weights FOLDER
# python -m reproduction.trained --weights pretrained
# ```
#
# Whether timm's own weights of `tf_efficientnet_lite0` equal the ones measured here was not tried.
