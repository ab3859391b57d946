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
# Before anything is run again, one can ask whether the paper's own tables say what its text says. This chapter uses the
# printed numbers alone, Tables 2 to 5 as transcribed in `data/paper/`, and arithmetic. Nothing of ours enters. Where the
# printed formulas and the authors' code part ways is in [printed against released](../book/differences.md); slips of print
# are among [the errata](../book/errata.md).
#
# Table 3 gives means and standard deviations over ten runs per arm. That is enough for Welch's test of every comparison and
# for its 95 % interval. Where many are looked at together, p-values are corrected by Holm's method. One comparison, in code:

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
# The text: the constraint improves ResMLP, MLP-Mixer and the two ViTs (an arrow in Table 3), and these exclusively; on
# convolutional networks it makes no difference.

# %% mystnb={"figure": {"caption": "**Three of the four marked models gain clearly; MLP-Mixer loses on Imagenette, and PoolFormer, unmarked, moves as far.** Top-1 gains of Table 3 with 95 % intervals, n = 10. Filled: significant after Holm's correction.", "name": "fig-gains"}, "image": {"alt": "Three panels, one per data set: gain in points with interval for nine models. ViT (base) gains 3 to 6 points, ResMLP and ViT (small) 0.5 to 2; MLP-Mixer loses 0.8 on Imagenette; PoolFormer loses 1.4 and 2.8 on CIFAR and gains 1.9 on Imagenette; the others are near zero."}} tags=["hide-input", "paper"]
gains = read.gains()
draw.plot_gains(gains);

# %% tags=["hide-input"]
Markdown(say.helps(gains))

# %% [markdown]
# ## How much, on average
#
# The text: 1.2 to 5.3 % on average for the models that gain. The abstract: up to 6 %.

# %% mystnb={"figure": {"caption": "**One marked model gains far more than the other three.** Mean gain over the three data sets of Table 3, in points of top-1 accuracy and in per cent of the baseline. \u2191: marked in Table 3.", "name": "tab-mean-gains"}} tags=["hide-input", "nbval-check-output", "paper"]
read.mean_gains()

# %% tags=["hide-input"]
Markdown(say.average_gain(gains))

# %% [markdown]
# ## What the standard deviations mean
#
# The released training code logs the best test accuracy over all epochs; whether Table 3 prints it is not said. If it does,
# each run's number is the largest of many, and the largest of k values that differ by chance scatters less than one of
# them. Then the printed standard deviation has to be divided by the spread in {numref}`tab-best-of` to give that of a single
# epoch. The intervals above are then too narrow to say which of two networks is better. The last columns repeat
# Holm's test with the wider spread.

# %% mystnb={"figure": {"caption": "**If each run reports its best epoch of k, the gains outlast the losses as k grows.** Excess accuracy and scatter of runs, in standard deviations of one epoch; then Holm's test of the 27 comparisons.", "name": "tab-best-of"}} tags=["hide-input", "nbval-check-output", "paper"]
read.best_of()

# %% tags=["hide-input"]
Markdown(say.best_of(audit.sampling_errors()))

# %% [markdown]
# ## Whether invariance explains it
#
# The text: the models that improve are "precisely those" of better invariance, that is, of small values in Tables 4 and 5.
# Then the rank correlation between value and gain should be near −1.

# %% mystnb={"figure": {"caption": "**PoolFormer, which loses most, stands among the most invariant in both tables.** Tables 4 and 5 against the gains of Table 3; filled: marked. If invariance explained the gain, points would fall from left to right.", "name": "fig-invariance-gain"}, "image": {"alt": "Two scatter plots of seven models, printed average against mean gain. MLP-Mixer, PoolFormer and ViT lie on the left with gains from -0.7 to 1.5; VGG, ResNet and PVT on the right near zero; ResMLP lies in the middle of Table 4 and on the left of Table 5."}} tags=["hide-input", "paper"]
draw.plot_invariance_gain(read.invariance_against_gain());

# %% mystnb={"figure": {"caption": "**No p is below 0.05, and the signs do not agree everywhere.** Spearman's \u03c1 between printed invariance and gain over seven models with its exact p, by data set and for the averages.", "name": "tab-invariance-rank"}} tags=["hide-input", "nbval-check-output", "paper"]
read.rank_correlations()

# %% tags=["hide-input"]
Markdown(say.invariance(audit.invariance_summary()))

# %% [markdown]
# ## Whether self-similar networks gain
#
# The abstract: the constraint improves self-similar networks. A small SS_rate means self-similar; what is inherent in an
# architecture is there before training, so Table 2's first column is the one to look at.

# %% mystnb={"figure": {"caption": "**The four marked models are the most self-similar before training, and are not after it.** Table 2 beside the mean gains of Table 3, sorted by the untrained SS_rate. \u2191: marked.", "name": "tab-self-similarity-gain"}} tags=["hide-input", "nbval-check-output", "paper"]
read.self_similarity()

# %% tags=["hide-input"]
Markdown(say.self_similarity(audit.self_similarity_summary()))

# %% [markdown]
# ## The averages, added again; values that occur twice

# %% mystnb={"figure": {"caption": "**Two averages are off by more than half of their last digit.** Tables 4 and 5: as printed, as the mean of the three printed values, and the difference in units of the last printed digit.", "name": "tab-averages"}} tags=["hide-input", "nbval-check-output", "paper"]
read.averages()

# %% tags=["hide-input"]
Markdown(say.averages(audit.readded_averages(), audit.duplicates()))

# %% [markdown]
# ## Where SS_rate went
#
# The constraint is to draw SS_rate to a target γ. By the text, γ is the level that the model's feature networks have after
# ordinary training, without the constraint. That may be the baseline's own value, from which every movement leads
# away; or the trained value of Table 2. The released commands have a third one, 0.2 or 0.3.

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
#   the best epoch was chosen and how the arms scatter together.
# - **The training behind Table 2.** Its trained SS_rates differ from those of Table 3's baselines. A table of both for the same
#   networks and data would show whether self-similar networks gain after training as well.
# - **γ as it was used.** Which target each run of Table 3 had is not printed; one that most cells approach would settle
#   whether the constraint moved SS_rate.
