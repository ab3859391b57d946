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
# # The paper's own numbers

# %% tags=["parameters", "hide-input"]
scale = "quick"  # this notebook reads the printed tables and does the same at every scale

# %% tags=["hide-input"]
from IPython.display import Markdown

from reproduction.paper import audit, draw, read, say
from reproduction.paper.tables import load_table
from reproduction.settings import start
from reproduction.stats import welch
from reproduction.verdicts.say_chapters import opening

settings = start("paper_numbers", globals())

# %% tags=["hide-input", "answer"]
Markdown(opening("paper_numbers"))

# %% [markdown]
# Do the paper's own tables support its text? This chapter uses only the printed numbers, Tables 2 to 5 as transcribed in
# `data/paper/`, and arithmetic; no measurement of ours enters. The differences between the printed formulas and the authors'
# code are listed under [printed against released](../book/differences.md), misprints among [the errata](../book/errata.md).
#
# Table 3 gives means and standard deviations over ten runs per arm. That is enough for Welch's t test of every comparison and
# for its 95 % interval. Where many comparisons are tested together, Holm's method corrects the p-values. One comparison, in
# code:

# %%
cells = load_table(3).set_index(["model", "dataset", "arm"])
accuracy = cells[["top1_mean", "top1_std"]]
baseline = accuracy.loc["ViT (base)", "imagenette", "baseline"]
constrained = accuracy.loc["ViT (base)", "imagenette", "constrained"]
test = welch(*constrained, 10, *baseline, 10)  # ten runs each
print(f"gain {test.difference:.2f} points, p = {test.p:.1e}")

# %% [markdown]
# ## Who gains
#
# The text says that the constraint improves ResMLP, MLP-Mixer and the two ViTs (marked with an arrow in Table 3), and these
# exclusively, and that it makes no difference to convolutional networks.

# %% mystnb={"figure": {"caption": "**Three of the four marked models gain clearly; MLP-Mixer loses on Imagenette, and PoolFormer, unmarked, moves as far.** Top-1 gains of Table 3 with 95 % intervals, n = 10. Filled: significant after Holm's correction.", "name": "fig-gains"}, "image": {"alt": "Three panels, one per data set: gain in points with interval for nine models. ViT (base) gains 3 to 6 points, ResMLP and ViT (small) 0.5 to 2; MLP-Mixer loses 0.8 on Imagenette; PoolFormer loses 1.4 and 2.8 on CIFAR and gains 1.9 on Imagenette; the others are near zero."}} tags=["hide-input", "paper"]
gains = read.gains()
draw.plot_gains(gains);

# %% tags=["hide-input"]
Markdown(say.helps(gains))

# %% [markdown]
# ## How much, on average
#
# The text says that the models that gain do so by 1.2 to 5.3 % on average; the abstract says up to 6 %.

# %% mystnb={"figure": {"caption": "**One marked model gains far more than the other three.** Mean gain over the three data sets of Table 3, in points of top-1 accuracy and in per cent of the baseline. \u2191: marked in Table 3.", "name": "tab-mean-gains"}} tags=["hide-input", "nbval-check-output", "paper"]
read.mean_gains()

# %% tags=["hide-input"]
Markdown(say.average_gain(gains))

# %% [markdown]
# ## What the standard deviations mean
#
# The released training code logs the best test accuracy over all epochs; the paper does not say whether this is what Table 3
# prints. If it is, each run's number is the largest of many, and the largest of m values that differ by chance scatters less
# than a single one. The standard deviation of a single epoch is then the printed one divided by the spread in
# {numref}`tab-best-of`, and the intervals above are too narrow to say which of two networks is better. The last columns of the
# table repeat Holm's test with the larger standard deviation.

# %% mystnb={"figure": {"caption": "**If each run reports the best of m epochs, the gains outlast the losses as m grows.** Excess accuracy and scatter of runs, in standard deviations of one epoch; then Holm's test of the 27 comparisons.", "name": "tab-best-of"}} tags=["hide-input", "nbval-check-output", "paper"]
read.best_of()

# %% tags=["hide-input"]
Markdown(say.best_of(audit.sampling_errors()))

# %% [markdown]
# ## Does invariance explain it?
#
# The text says that the models that improve are "precisely those" of better invariance, that is, of small values in Tables 4
# and 5. If so, the rank correlation between value and gain should be near −1.

# %% mystnb={"figure": {"caption": "**PoolFormer, which loses most, stands among the most invariant in both tables.** Tables 4 and 5 against the gains of Table 3; filled: marked. If invariance explained the gain, points would fall from left to right.", "name": "fig-invariance-gain"}, "image": {"alt": "Two scatter plots of seven models, printed average against mean gain. MLP-Mixer, PoolFormer and ViT lie on the left with gains from -0.7 to 1.5; VGG, ResNet and PVT on the right near zero; ResMLP lies in the middle of Table 4 and on the left of Table 5."}} tags=["hide-input", "paper"]
draw.plot_invariance_gain(read.invariance_against_gain());

# %% mystnb={"figure": {"caption": "**No p is below 0.05, and the signs do not agree everywhere.** Spearman's \u03c1 between printed invariance and gain over seven models with its exact p, by data set and for the averages.", "name": "tab-invariance-rank"}} tags=["hide-input", "nbval-check-output", "paper"]
read.rank_correlations()

# %% tags=["hide-input"]
Markdown(say.invariance(audit.invariance_summary()))

# %% [markdown]
# ## Do self-similar networks gain?
#
# The abstract says that the constraint improves self-similar networks. A small SS_rate means self-similar. A property inherent
# in the architecture is there before training, so the first column of Table 2 is the one to look at.

# %% mystnb={"figure": {"caption": "**The four marked models are the most self-similar before training, and are not after it.** Table 2 beside the mean gains of Table 3, sorted by the untrained SS_rate. \u2191: marked.", "name": "tab-self-similarity-gain"}} tags=["hide-input", "nbval-check-output", "paper"]
read.self_similarity()

# %% tags=["hide-input"]
Markdown(say.self_similarity(audit.self_similarity_summary()))

# %% [markdown]
# ## Averages recomputed, and repeated values

# %% mystnb={"figure": {"caption": "**Two averages are off by more than half of their last digit.** Tables 4 and 5: as printed, as the mean of the three printed values, and the difference in units of the last printed digit.", "name": "tab-averages"}} tags=["hide-input", "nbval-check-output", "paper"]
read.averages()

# %% tags=["hide-input"]
Markdown(say.averages(audit.readded_averages(), audit.duplicates()))

# %% [markdown]
# ## Does SS_rate move towards its target?
#
# The constraint is meant to draw SS_rate towards a target γ. In the text, γ is the level that the model's feature networks have
# after ordinary training, without the constraint. That could mean the baseline's own value, from which every movement leads
# away, or the trained value of Table 2. The released commands have a third, 0.2 or 0.3.

# %% mystnb={"figure": {"caption": "**Many SS_rates move away from \u03b3, and those of convolutional networks hardly move.** Ring: baseline; arrowhead: constrained; tick: Table 2's trained value; cross: \u03b3 of the released command, where there is one.", "name": "fig-movement"}, "image": {"alt": "27 rows, an arrow each from the baseline's SS_rate to the constrained one. ResMLP moves up on all data sets; ViT and MLP-Mixer move up and down; PoolFormer moves up on CIFAR and down on Imagenette; convolutional networks stay."}} tags=["hide-input", "paper"]
draw.plot_movement(read.ss_rates());

# %% mystnb={"figure": {"caption": "**Under no reading of \u03b3 do most cells come nearer to it.** Cells of Table 3 that move by more than 0.01, their mean step towards \u03b3, and Spearman's \u03c1 of that step with the gain.", "name": "tab-movement"}} tags=["hide-input", "nbval-check-output", "paper"]
read.movement()

# %% tags=["hide-input"]
Markdown(say.movement(audit.movement_summary()))

# %% [markdown]
# ## Does training raise SS_rate

# %% mystnb={"figure": {"caption": "**Nearly all SS_rates of Table 2 rise in training; two convolutional networks fall a little.** Before and after, as printed, and the change.", "name": "tab-table-2-change"}} tags=["hide-input", "nbval-check-output", "paper"]
read.changes()

# %% tags=["hide-input"]
Markdown(say.changes(audit.table_2_changes(), audit.trained_rates()))

# %% [markdown]
# ## The range that Eq. 3 can reach

# %% mystnb={"figure": {"caption": "**By Eq. 3 as printed, SS_rate stays far below 1.** Its largest possible value for three numbers D of channels.", "name": "tab-reach"}} tags=["hide-input", "nbval-check-output", "paper"]
read.reach()

# %% tags=["hide-input"]
Markdown(say.reach(audit.smallest_ss_rate_in_print()))

# %% [markdown]
# ## What would change our mind
#
# - **The runs behind the tables.** Ten accuracies per cell, instead of a mean and a standard deviation, would show whether
#   the best epoch was chosen and whether the two arms of a seed vary together.
# - **The training behind Table 2.** Its trained SS_rates differ from those of Table 3's baselines. Both values for the same
#   networks and data would show whether the networks that gain are the self-similar ones after training, too.
# - **The targets that were used.** The paper does not print the γ of each run of Table 3. If most cells turned out to approach
#   theirs, the constraint would have moved SS_rate as claimed.
