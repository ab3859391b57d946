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
# # The printed tables, audited
#
# Before anything is run again, the paper's own tables can be asked: do they say what the text says? This page uses the
# printed numbers alone, Tables 2 to 5 as transcribed in `data/paper/`, and arithmetic. Nothing of ours enters.
#
# Table 3 gives means and standard deviations over ten runs per arm. That is enough for Welch's test of every comparison
# and for its 95 % interval. Where many are looked at together, p-values are corrected by Holm's method.

# %% tags=["parameters", "hide-input"]
scale = "quick"  # this notebook reads the printed tables and does the same at every scale

# %% tags=["hide-input"]
from IPython.display import Markdown

from reproduction.paper import audit, draw, read, say
from reproduction.settings import start

settings = start("paper_numbers", globals())

# %% [markdown]
# ## Who gains
#
# The text: the constraint improves ResMLP, MLP-Mixer and the two ViTs (an arrow in Table 3), and these exclusively; on
# convolutional networks it makes no difference.

# %% mystnb={"figure": {"caption": "**What the constraint adds to top-1 accuracy, by Table 3.** Bars: 95 % intervals from the printed standard deviations, n = 10. Filled: told apart from 0 after Holm's correction over all 27. What to see: large gains for three of the four marked models, a loss of MLP-Mixer on Imagenette, and PoolFormer, which is not marked, moving as far as they do, in both directions.", "name": "fig-gains"}, "image": {"alt": "Three panels, one per data set: gain in points with interval for nine models. ViT (base) gains 3 to 6 points, ResMLP and ViT (small) 0.5 to 2; MLP-Mixer loses 0.8 on Imagenette; PoolFormer loses 1.4 and 2.8 on CIFAR and gains 1.9 on Imagenette; the others are near zero."}} tags=["hide-input", "paper"]
gains = read.gains()
draw.plot_gains(gains);

# %% tags=["hide-input"]
Markdown(say.helps(gains))

# %% [markdown]
# ## How much, on average
#
# The text: 1.2 to 5.3 % on average for the models that gain. The abstract: up to 6 %.

# %% mystnb={"figure": {"caption": "**Mean gain of each model over the three data sets of Table 3**, in points of top-1 accuracy and in per cent of the baseline; \u2191: marked in Table 3. What to see: one marked model gains far more than the other three.", "name": "tab-mean-gains"}} tags=["hide-input", "nbval-check-output", "paper"]
read.mean_gains()

# %% tags=["hide-input"]
Markdown(say.average_gain(gains))

# %% [markdown]
# ## What the standard deviations mean
#
# The released training code logs the best test accuracy over all epochs; whether Table 3 prints it is not said. If it does,
# each run's number is the largest of many, and the largest of k values that differ by chance scatters less than one of
# them. The printed standard deviation then has to be divided by the spread in {numref}`tab-best-of` to give that of a single
# epoch, and the intervals above are too narrow for the question "which of two networks is better". The last columns repeat
# Holm's test with the wider spread.

# %% mystnb={"figure": {"caption": "**If each run reports its best epoch of k**: how much too high the accuracy is and how much runs scatter, in units of s, the standard deviation that one epoch would have; then what Holm\u2019s test says of the 27 comparisons. What to see: the gains outlast the losses as k grows.", "name": "tab-best-of"}} tags=["hide-input", "nbval-check-output", "paper"]
read.best_of()

# %% tags=["hide-input"]
Markdown(say.best_of(audit.sampling_errors()))

# %% [markdown]
# ## Whether invariance explains it
#
# The text: the models that improve are "precisely those" of better invariance, that is, of small values in Tables 4 and 5.
# Then the rank correlation between value and gain should be near −1.

# %% mystnb={"figure": {"caption": "**Tables 4 and 5 against the gains of Table 3.** Filled: marked models. If invariance explained the gain, the points would fall from left to right and the filled ones lie left of all others. What to see: PoolFormer, which loses most, stands among the most invariant in both.", "name": "fig-invariance-gain"}, "image": {"alt": "Two scatter plots of seven models, printed average against mean gain. MLP-Mixer, PoolFormer and ViT lie on the left with gains from -0.7 to 1.5; VGG, ResNet and PVT on the right near zero; ResMLP lies in the middle of Table 4 and on the left of Table 5."}} tags=["hide-input", "paper"]
draw.plot_invariance_gain(read.invariance_against_gain());

# %% mystnb={"figure": {"caption": "**Rank correlation of printed invariance and gain**, seven models: Spearman\u2019s \u03c1 and its exact p, by data set and for the averages. What to see: no p is below 0.05, and the signs do not agree everywhere.", "name": "tab-invariance-rank"}} tags=["hide-input", "nbval-check-output", "paper"]
read.rank_correlations()

# %% tags=["hide-input"]
Markdown(say.invariance(audit.invariance_summary()))

# %% [markdown]
# ## Whether self-similar networks gain
#
# The abstract: the constraint improves self-similar networks. A small SS_rate means self-similar; what is inherent in an
# architecture is there before training, so Table 2's first column is the one to look at.

# %% mystnb={"figure": {"caption": "**The four marked models are the most self-similar ones before training**, and are not after it. Table 2 beside the mean gains of Table 3, sorted by the untrained SS_rate; \u2191: marked. What to see: the arrows stand in the first four rows.", "name": "tab-self-similarity-gain"}} tags=["hide-input", "nbval-check-output", "paper"]
read.self_similarity()

# %% tags=["hide-input"]
Markdown(say.self_similarity(audit.self_similarity_summary()))

# %% [markdown]
# ## The averages, added again; values that occur twice

# %% mystnb={"figure": {"caption": "**The averages of Tables 4 and 5**: as printed, as the mean of the three printed values, and the difference in units of the last printed digit. What to see: rounding explains half a unit; two rows are off by more.", "name": "tab-averages"}} tags=["hide-input", "nbval-check-output", "paper"]
read.averages()

# %% tags=["hide-input"]
Markdown(say.averages(audit.readded_averages(), audit.duplicates()))

# %% [markdown]
# ## Where SS_rate went
#
# The constraint is to draw SS_rate to a target γ. By the text, γ is the level that the model's feature networks have after
# ordinary training, without the constraint. That may be the baseline's own value, from which every movement leads
# away; or the trained value of Table 2. The released commands have a third one, 0.2 or 0.3.

# %% mystnb={"figure": {"caption": "**SS_rate in Table 3, from baseline to constrained.** Ring: baseline, arrowhead: with the constraint; tick: trained value of Table 2; cross: \u03b3 of the released command, where there is one. What to see: many arrows point away from the cross, and the convolutional networks hardly move.", "name": "fig-movement"}, "image": {"alt": "27 rows, an arrow each from the baseline's SS_rate to the constrained one. ResMLP moves up on all data sets; ViT and MLP-Mixer move up and down; PoolFormer moves up on CIFAR and down on Imagenette; convolutional networks stay."}} tags=["hide-input", "paper"]
draw.plot_movement(read.ss_rates());

# %% mystnb={"figure": {"caption": "**Does SS_rate come nearer to \u03b3?** The cells of Table 3 under three readings of \u03b3: how many come nearer or go away by more than 0.01, the mean step towards \u03b3, and Spearman\u2019s \u03c1 of that step with the gain, with its p. What to see: under no reading do most cells come nearer.", "name": "tab-movement"}} tags=["hide-input", "nbval-check-output", "paper"]
read.movement()

# %% tags=["hide-input"]
Markdown(say.movement(audit.movement_summary()))

# %% [markdown]
# ## Does training raise SS_rate

# %% mystnb={"figure": {"caption": "**SS_rate in Table 2 before and after training**, as printed, and the change. What to see: nearly all rise, two convolutional networks fall a little.", "name": "tab-table-2-change"}} tags=["hide-input", "nbval-check-output", "paper"]
read.changes()

# %% tags=["hide-input"]
Markdown(say.changes(audit.table_2_changes(), audit.trained_rates()))

# %% [markdown]
# ## The range that Eq. 3 can reach

# %% mystnb={"figure": {"caption": "**The largest SS_rate by Eq. 3 as printed**, for three numbers D of channels. What to see: it is far below 1.", "name": "tab-reach"}} tags=["hide-input", "nbval-check-output", "paper"]
read.reach()

# %% tags=["hide-input"]
Markdown(say.reach(audit.smallest_ss_rate_in_print()))
