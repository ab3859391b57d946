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
# Figure 2 and Table 2 show nine networks, and the paper reads them as families: attention and MLPs, which mix over the
# whole image, have channels that lie along few directions and a small SS_rate; convolution and pooling, which mix over a
# neighbourhood, do not. Nine networks that differ in everything else too cannot carry that. This page measures the
# designs of [timm](https://github.com/huggingface/pytorch-image-models) at large, untrained, by one rule for all, with
# the questions and the rules for their answers written down before the first one was measured
# (`data/results/plan.yml`, `hundred-architectures`).

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

# %% mystnb={"figure": {"caption": "**Families overlap, in directions and in SS_rate.** A mark per design: means over three seeds of random weights, 128 ImageNet images; larger, outlined marks: the paper's nine. What to see: designs that mix globally stand among the others from left to right; all five global MLPs lie low, but so do many convolutional designs.", "name": "fig-hundred"}, "image": {"alt": "Scatter plot of over a hundred designs: participation ratio of the first module against mean SS_rate, six families by colour and marker, the paper's nine networks named at the right."}} tags=["hide-input", "records:architectures"]
draw.plot_designs(table);

# %% [markdown]
# ## Does it go with global mixing?
#
# {numref}`tab-hundred-contrasts` sets the designs that mix globally (attention over all tokens, MLPs over all tokens)
# against those that mix locally (convolution, windows, pooling). Hybrids, which do both by turns, are left out of it. The
# unit is the design: its value is a mean over modules and seeds. Designs of one lineage (ResNet and what was made of it,
# say) resemble each other, so lineage is a random effect, and the number of parameters is held equal. In the last
# question the distances' mean, variation and skewness are held equal too: what is left is not a matter of scale or shape.

# %% mystnb={"figure": {"caption": "**Global less local designs.** The first three rows answer the plan's questions (a) and (d); the others are described beside them and decide nothing. Answer: none, no difference worth the name; lower, higher or open. Model: mixed, with lineage as a random intercept; clustered, least squares with errors clustered by lineage, where the mixed model finds no variance of lineages; resampled, least squares with whole lineages resampled. What to see: no difference in directions; in SS_rate an interval that just reaches 0 (and leaves it out where lineages are resampled), and about a quarter of the estimate left once the distances are held equal.", "name": "tab-hundred-contrasts"}} tags=["hide-input", "nbval-check-output", "records:architectures"]
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

# %% mystnb={"figure": {"caption": "**No factor is certain to make a tenth of SS_rate's variance, and width and depth are certain not to.** Bars: Shapley shares of R\u00b2, random weights; lines: middle 95 % of 1,000 resamples of whole lineages; dashed: 10 %. What to see: the interval of scale is by far the widest, as a few designs with extreme distances weigh heavily in it.", "name": "fig-hundred-shares"}, "image": {"alt": "Seven horizontal bars with intervals: the share of the variance of SS_rate that width, depth, scale, normalisation, initialisation, stem and family account for."}} tags=["hide-input", "records:architectures"]
draw.plot_shares(shares);

# %% tags=["hide-input"]
Markdown(say.seeds(read.seed_share(table)))

# %% tags=["hide-input"]
usual = read.usual_scale(table)
Markdown(say.afterwards(read.shares(usual), len(usual), len(table) - len(usual)))

# %% [markdown]
# ## Where the paper's nine stand

# %% mystnb={"figure": {"caption": "**The paper's nine among all designs**: mean SS_rate (released formula, random weights) and its percentile. What to see: four of the five global networks are among the lowest sixth of all designs, PoolFormer among the highest, and ViT (small) stands with the convolutional ones in the middle.", "name": "tab-hundred-nine"}} tags=["hide-input", "nbval-check-output", "records:architectures"]
say.standing_table(read.standing(table))

# %% mystnb={"figure": {"caption": "**What SS_rate is made of and where the nine stand, by three ways to measure it.** Left: what seven factors account for, the largest share and its interval. Right: global less local among the paper's nine, and between what 95 % of nine designs drawn at random lie. The first row answers the plan's questions (b) and (c); the others are described beside it. What to see: scale has the largest share by both formulas; by the scale-free rate the seven factors account for least, and the difference among the nine changes its sign.", "name": "tab-hundred-rates"}} tags=["hide-input", "nbval-check-output", "records:architectures"]
say.rate_table(read.by_rate(table))

# %% [markdown]
# ## Every design
#
# Type a family, a lineage, a normalisation or a part of a name; rows that do not have it disappear.

# %% mystnb={"figure": {"caption": "**All measured designs**, means over modules and seeds, sorted by SS_rate. What to see: designs of one lineage are often far apart, and designs of different families side by side.", "name": "tab-hundred-designs"}} tags=["hide-input", "records:architectures"]
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
