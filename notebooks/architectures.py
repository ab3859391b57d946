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
# # A hundred architectures
#
# Figure 2 and Table 2 show nine networks, and the paper reads them as two families. Attention and MLPs mix over the whole
# image; it says that their channels lie along few directions and that their SS_rate is small. Convolution and pooling mix
# over a neighbourhood, and have neither. Nine networks that also differ in everything else cannot show that. This page
# measures many designs of [timm](https://github.com/huggingface/pytorch-image-models), untrained, by one rule for all. The
# questions and the rules for their answers were written down before the first one was measured (`data/results/plan.yml`,
# `hundred-architectures`).

# %% tags=["parameters", "hide-input"]
scale = "quick"  # this notebook reads records and does the same at every scale

# %% tags=["hide-input"]
from IPython.display import HTML, Markdown

from reproduction.architectures import browse, draw, read, say
from reproduction.architectures.designs import designs
from reproduction.records import read_all
from reproduction.settings import start

settings = start("architectures", globals())

# %% tags=["hide-input"]
runs = read_all("architectures")
table = read.table(runs, designs())
contrasts, shares, nine = read.contrasts(table), read.shares(table), read.nine(table)

# %% tags=["hide-input"]
Markdown(say.in_short(contrasts, shares, nine))

# %% mystnb={"figure": {"caption": "**Families overlap, in directions and in SS_rate.** A mark per design: means over three seeds of random weights, 128 ImageNet images. Larger, outlined marks: the paper's nine.", "name": "fig-hundred"}, "image": {"alt": "Scatter plot of over a hundred designs: participation ratio of the first module against mean SS_rate, six families by colour and marker, the paper's nine networks named at the right."}} tags=["hide-input", "records:architectures"]
draw.plot_designs(table);

# %% [markdown]
# ## Does it go with global mixing?
#
# {numref}`tab-hundred-contrasts` compares the designs that mix globally (attention over all tokens, MLPs over all tokens)
# with those that mix locally (convolution, windows, pooling). Hybrids, which do both by turns, are left out of it. The
# unit is the design: its value is a mean over modules and seeds. Designs of one lineage (ResNet and its descendants, say)
# resemble each other, so lineage is a random effect, and the number of parameters is held equal. In the last
# question the distances' mean, variation and skewness are held equal too, so that neither scale nor shape is left.
#
# The column "model" names how a row was computed. *Mixed*: lineage as a random intercept. *Clustered*: least squares with
# errors clustered by lineage, where the mixed model finds no variance of lineages. *Resampled*: least squares with whole
# lineages resampled.

# %% mystnb={"figure": {"caption": "**Global and local designs do not differ in directions; in SS_rate the interval just reaches 0.** The first three rows answer the plan's questions (a) and (d); the others stand beside them and decide nothing.", "name": "tab-hundred-contrasts"}} tags=["hide-input", "nbval-check-output", "records:architectures"]
say.contrast_table(contrasts)

# %% [markdown]
# A difference in SS_rate counts from 0.028, a quarter of the distance between the paper's global and local networks in
# Table 2 (untrained); a ratio of directions from 1.25 either way.
#
# ## What SS_rate is made of
#
# {numref}`fig-hundred-shares` divides the variance of SS_rate between designs among seven factors: each one's gain in R²,
# averaged over all orders in which the seven can enter. Scale is the mean distance between channels, which an untrained
# network inherits from its initialisation and its normalisation.

# %% mystnb={"figure": {"caption": "**No factor is certain to make a tenth of SS_rate's variance; width and depth are certain not to.** Shapley shares of R\u00b2; lines: middle 95 % of 1,000 resamples of whole lineages; dashed: 10 %.", "name": "fig-hundred-shares"}, "image": {"alt": "Seven horizontal bars with intervals: the share of the variance of SS_rate that width, depth, scale, normalisation, initialisation, stem and family account for."}} tags=["hide-input", "records:architectures"]
draw.plot_shares(shares);

# %% tags=["hide-input"]
Markdown(say.seeds(read.seed_share(table)))

# %% tags=["hide-input"]
usual = read.usual_scale(table)
Markdown(say.afterwards(read.shares(usual), len(usual), len(table) - len(usual)))

# %% [markdown]
# ## Where the paper's nine stand

# %% mystnb={"figure": {"caption": "**Four of the five global networks are among the lowest sixth of all designs, PoolFormer among the highest.** Mean SS_rate of the paper's nine (released formula, random weights) and its percentile.", "name": "tab-hundred-nine"}} tags=["hide-input", "nbval-check-output", "records:architectures"]
say.standing_table(read.standing(table))

# %% mystnb={"figure": {"caption": "**Scale has the largest share by both formulas; by the scale-free rate the difference among the nine changes its sign.** Right: global less local among the nine, and the range of 95 % of random nines.", "name": "tab-hundred-rates"}} tags=["hide-input", "nbval-check-output", "records:architectures"]
say.rate_table(read.by_rate(table))

# %% [markdown]
# ## Every design
#
# Type a family, a lineage, a normalisation or a part of a name; rows that do not have it disappear.

# %% mystnb={"figure": {"caption": "**Designs of one lineage are often far apart, and designs of different families side by side.** All measured designs, means over modules and seeds, sorted by SS_rate.", "name": "tab-hundred-designs"}} tags=["hide-input", "records:architectures"]
HTML(browse.searchable(table.sort_values("ss_rate")))

# %% [markdown]
# ## How it was measured
#
# 128 ImageNet training images, one draw, 224 pixels, normalised as timm's configuration of each network says; random
# weights as timm initialises them; eval mode. One entry per design, at its smallest usual size, and the paper's nine at
# the paper's sizes. Modules by one rule: the innermost numbered blocks; where these cannot be tapped, the outermost ones;
# else what timm names as features. Table 2's chapter takes the modules of Table 1 and 512 images instead, so its numbers
# for the nine differ from those here.
#
# To add a design, add a line to `data/architectures.csv` and run `python -m reproduction.architectures`: it measures what
# has no record yet.

# %% tags=["hide-input"]
Markdown(say.coverage(table, read.left_out(runs)))

# %% tags=["hide-input"]
Markdown(say.vanishing(read.vanishing(runs)))
