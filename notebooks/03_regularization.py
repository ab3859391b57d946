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
# # Table 3: training with the constraint
#
# The paper's main claim: adding $\alpha\,(\text{SS\_rate} - \gamma)^2$ to the loss (Eq. 6) makes ResMLP, MLP-Mixer and ViT
# better, and leaves convolutional networks as they are. Three questions follow, and this chapter takes them one by one.
# **Does the constraint act** on SS_rate at all? **Does it help?** And **would the protocol show a gain without it?**
#
# A pair of runs shares everything but the penalty: initial weights, order of the images, augmentation. Arms:
#
# - *baseline*: the task's loss alone.
# - *constrained*: Eq. 6 as printed, with $\alpha = 10^{-4}$ ("of the order of $10^{-4}$"), or another $\alpha$ where it says so.
#   $\gamma$ is the SS_rate that the same seed's baseline ends with.
# - *released*: the form, $\alpha$ and $\gamma$ of the authors' scripts (half of it, damped, zero in the first epoch), for the network and
#   the data set; at 224
#   pixels their learning rate too, so that this arm then differs from the baseline in more than the penalty.
# - *placebo*: the constrained arm, but the gradient that enters the network has its channels and images shuffled: the same
#   numbers, so for the same F the same norm there, with no word left about which channels are near each other. It is no fair control,
#   as its section below says, and is no longer run.
# - *wrong*: a penalty of the same form and size, with its target on the other side of where the network ends by itself. It is arm W of
#   the plan below.
# - *yoked*: a shuffled gradient, by a permutation of each seed's own, with the norm over all parameters that the penalty has
#   in the same step of the run that it controls. Run once, at the quick scale.
#
# The paper's $\gamma$ is a constant of the model, its level "after standard training". New runs take one $\gamma$ for a network and a data
# set, the mean over five baselines of seeds that no pair has; `--gamma` has other readings, Table 2's value among them.

# %% tags=["parameters", "hide-input"]
# "quick", "gpu" or "paper": sets what is None below; beyond "quick", missing runs are made first
scale = "quick"
recipe = None  # "quick" (digits, seconds a run), "cpu" (minutes), "short", "paper" (224 px, a GPU)
dataset = None  # "digits", "cifar10", "imagenette" or "imagefolder:PATH"
n_seeds = None  # pairs per network

# %% tags=["hide-input"]
from IPython.display import Markdown

from reproduction.grid import complete
from reproduction.settings import start
from reproduction.training import draw, pairs, read, run, say
from reproduction.training.confirm import every_plan
from reproduction.training.draw_plans import plot_plan
from reproduction.training.read_plans import paper_table, plan_table
from reproduction.training.say_first import three_lines
from reproduction.training.say_plans import outcome, outcomes

settings = start("03_regularization", globals())
complete(run.at_scale(settings));

# %% tags=["hide-input"]
every, plan, plans = read.read_runs(), read.plan(), every_plan()
runs, found = every.query("recipe == 'cpu' and dataset == 'cifar10'"), plans.pop("small-confirm")
differences = pairs.paired(runs, "constrained")
judged = pairs.judged(differences, "constrained", plan)
every_dose, choices = pairs.dose_response(runs), pairs.choices(runs)
rates = pairs.learning_rates(runs)
alone = pairs.rate_alone(runs, rates)
Markdown(three_lines(found, every_dose, pairs.groups(judged), alone, choices))

# %% [markdown]
# ## What was run
#
# The paper trains nine networks at 224 pixels for 200 epochs, ten times each, on three data sets.

# %% tags=["hide-input"]
Markdown(say.what_was_run(every, runs, found.progress))

# %% mystnb={"figure": {"caption": "**Table 3 on CIFAR-10 beside our small networks**: top-1 in per cent, mean \u00b1 standard deviation over seeds (how many), last epoch; SS_rate from baseline to constrained. What to see: the small networks stand far below the paper's, so only differences within a row of ours mean anything.", "name": "tab-training"}} tags=["hide-input", "nbval-check-output", "records:constraint"]
table = read.table_3(runs, "cpu", "cifar10")
read.accuracy_table(table)

# %% [markdown]
# **Small networks, small images, few epochs** cannot confirm or refute a number of the paper's. What {numref}`tab-training`
# can show is the direction and the size of what the constraint does.

# %% tags=["hide-input"]
Markdown(say.baselines(table))

# %% [markdown]
# ## Does it help?
#
# Differences within pairs, in points of top-1 accuracy on the test images. The seeds were not all chosen at once, and a test or an
# interval holds for a number of pairs that no result has a say in. So of each network one batch of seeds is judged, fixed before any
# of its runs was seen: the planned one where there is one, else the first, seeds 0 to 5. All batches are in {numref}`tab-batches`.

# %% mystnb={"figure": {"caption": "**Constrained minus baseline, a dot per pair** of the same seed, pale where the pair is not judged; bars: mean and 95 % interval of those that are. Colour is the family. What to see: whether the intervals leave zero, and how far the dots of one network scatter although a pair shares weights, images and their order.", "name": "fig-paired"}, "image": {"alt": "For each network, dots for the difference in top-1 accuracy between the constrained and the baseline run of each seed, with mean and interval of the judged batch, around a line at zero."}} tags=["hide-input", "records:constraint"]
draw.plot_differences(differences, judged);

# %% mystnb={"figure": {"caption": "**Constrained minus baseline**, points of top-1, of the batch of seeds that is judged: mean and 95 % interval over pairs; exact p of a sign-flip test, and after Holm's correction for the number of networks. \u201cWould be seen\u201d: the smallest mean difference that a t-test of as many pairs with this scatter finds four times in five, at 0.05 over the number of networks; \u2013 where there are too few pairs for any p below that. \u201cAll pairs\u201d weighs every pair alike. \u201cAll seeds\u201d describes: mean and number of all pairs, for which no test holds. What to see: the intervals, and beside them how small a difference these runs could have shown.", "name": "tab-effects"}} tags=["hide-input", "nbval-check-output", "records:constraint"]
read.effects_table(judged, differences)

# %% [markdown]
# Which seeds were added, and why: after the first six of ResNet34 had shown a gain that the paper does
# not claim, six more were run; and because those, too, had been asked for by a result, a third batch was written down with its
# arms and its test before any of it had been seen (`data/results/README.md`). So were a second batch of ViT-S for the released form,
# whose first three seeds looked better than their baselines, and a third for the constrained arm, which did so in the second.

# %% mystnb={"figure": {"caption": "**Batches of seeds**: arm minus baseline, and minus the placebo of the same seeds where it was run, points of top-1; mean with p of the sign-flip test and the number of pairs; p of an added batch, and of a first one that a plan followed, describes. What to see: what the first seeds show, beside what the batches planned beforehand make of it.", "name": "tab-batches"}} tags=["hide-input", "nbval-check-output", "records:constraint"]
batches = pairs.batches(runs, plan)
read.batches_table(batches)

# %% tags=["hide-input"]
helps = say.helps(pairs.groups(judged), pairs.outcomes(batches, plan))
Markdown(helps)

# %% [markdown]
# ### The authors' own form: a plan, to its end
#
# The released form on ViT-S was the one result that leaned towards the paper, and three of its nine pairs had been exploratory. So
# a plan (`small-confirm` in `data/results/plan.yml`) fixed networks, arms, seeds, tests and margins before its first run; every
# record carries the hash of its text. Arms: B, the baseline; R, the released form ($\alpha$ = 0.05, $\gamma$ = 0.3, damped); W, the
# wrong target: as far from where the network ends by itself, on the other side. The recipe is the one above, but top-1 is
# measured on all 10,000 test images, at the last epoch. Seeds from 100; no earlier pair counts. One $\alpha$ and one $\gamma$ for all networks,
# those of most released commands; MLP-Mixer's own command for CIFAR-10 has $\alpha = 5\cdot10^{-7}$ and $\gamma = 0.2$, and a plan of its own
# (`small-mixer`, below).

# %% tags=["hide-input"]
Markdown(outcome(found))

# %% mystnb={"figure": {"caption": "**The plan small-confirm, hypothesis by hypothesis**. Share of the distance to \u03b3 that R closes; differences in points of top-1; p of exact sign flips, of H1 and H2 by Holm's rule, of H3 the larger of two one-sided t tests. A network in which the constraint closes too little of the distance to \u03b3 is not tested. What to see: where the constraint acts, and there the intervals of R \u2212 B and R \u2212 W.", "name": "tab-plan"}} tags=["hide-input", "nbval-check-output", "records:small-confirm"]
plan_table(found)

# %% mystnb={"figure": {"caption": "**What the plan's runs show**. Above: the share of the distance to \u03b3 that R closes, mean and 95 % interval over pairs; grey line: the quarter that was asked for. Below: a dot per pair, with mean and 95 % interval. What to see: whether the intervals below leave zero in the networks whose interval above reaches the line.", "name": "fig-plan"}, "image": {"alt": "Above, a diamond and bar per network for the share of the distance closed; below, dots, diamond and bar per comparison of arms for the difference in top-1."}} tags=["hide-input", "records:small-confirm"]
plot_plan(found);

# %% mystnb={"figure": {"caption": "**R \u2212 B beside the paper's gain on CIFAR-10** (Table 3, with its standard error), points of top-1. \u201cNot reproduced\u201d only where our interval ends below the paper's gain less 1.96 of its errors. What to see: the signs: one network gains more than the paper prints, another loses.", "name": "tab-plan-paper"}} tags=["hide-input", "nbval-check-output", "paper", "records:small-confirm"]
paper_table(found)

# %% [markdown]
# The other plans in the same file. Those on Imagenette wait for a GPU; `bash benchmarks/gpu.sh` runs them.

# %% tags=["hide-input", "records:small-mixer", "records:imagenette-controls", "records:imagenette-vit", "records:imagenette-vit-base"]
Markdown(outcomes(plans.values()))

# %% [markdown]
# ### How much two runs differ for no reason
#
# Training amplifies the smallest disturbance. The placebo at the same $\alpha = 10^{-4}$ shows how far two runs of one seed
# drift apart when what is added to the gradient means nothing.

# %% tags=["hide-input"]
shams = pairs.effects(pairs.paired(runs, "placebo"))
contrast = pairs.paired(runs, "constrained", against="placebo")
placebo = say.placebo(shams, pairs.effects(pairs.judged(contrast, "constrained", plan)))
Markdown(placebo)

# %% [markdown]
# ## Does the constraint act?
#
# SS_rate over training as the penalty sees it (training mode, augmented images, 64 of them, mean over the modules).
# $\gamma$ is where that mean ends in the baseline. So the mean cannot tell whether the penalty pulls; single modules can, which lie on
# both sides of $\gamma$: {numref}`tab-doses` has their mean distance from it.

# %% tags=["hide-input"]
Markdown(say.own_gammas(runs))

# %% mystnb={"figure": {"caption": "**SS_rate and test accuracy over training**, mean over seeds, band: one standard deviation. What to see: whether the constrained curve can be told from the baseline's.", "name": "fig-training"}, "image": {"alt": "A row of two panels per network: SS_rate on the left, test accuracy on the right, against epochs, for the baseline and the constrained arm."}} tags=["hide-input", "records:constraint"]
draw.plot_histories(read.histories(runs[runs["arm"].isin(["baseline", "constrained"])]));

# %% [markdown]
# How hard does the penalty pull? Once an epoch, the norm of its gradient over that of the task's, over all parameters.

# %% mystnb={"figure": {"caption": "**Gradient of the penalty over gradient of the task** at the start of each epoch, per network and arm, all with a penalty. Logarithmic axis; the dashed line is 1, where the penalty would pull as hard as the task. What to see: how far below 1 the paper's \u03b1 stays in every network, and which dose it takes to reach it.", "name": "fig-gradient"}, "image": {"alt": "Lines of the gradient ratio over epochs on a logarithmic axis, far below one for the paper's alpha and above one for the largest."}} tags=["hide-input", "records:constraint"]
histories = read.penalised(runs)
draw.plot_gradient_ratios(histories);

# %% [markdown]
# ### Dose and placebo
#
# If $10^{-4}$ is too little to act, what does more do? Every run is compared with the baseline of its seed.
#
# The placebo has the dose's gradient norm at F and carries nothing about self-similarity. **It is no fair control**: deeper in the
# network its gradient need not be as large, it vanishes where SS_rate comes to $\gamma$, every run has the same shuffle, and no
# placebo has the released form's $\alpha$. The arms *wrong* and *yoked* replace it.

# %% tags=["hide-input"]
Markdown(say.placebo_sizes(every_dose))

# %% mystnb={"figure": {"caption": "**Doses of \u03b1, with the released form and the placebo**: n pairs; mean \u03b3; SS_rate at the end, mean over modules, and the modules' mean distance from \u03b3, in brackets that of the baselines of the same seeds from the same \u03b3; difference in top-1 to the baseline of the same seed in points, mean \u00b1 standard deviation over all seeds, whatever their batch, described and not tested; mean ratio of the penalty's gradient to the task's. What to see: whether a dose brings the modules nearer to \u03b3 than they come without it, and what it costs.", "name": "tab-doses"}} tags=["hide-input", "nbval-check-output", "records:constraint"]
doses = pairs.raised(every_dose)
read.doses_table(doses)

# %% mystnb={"figure": {"caption": "**Dose and response**: what \u03b1 does to the modules' mean distance from \u03b3 (left; below 0 they end nearer than without the constraint) and to accuracy (right, \u00b1 one standard deviation), differences within pairs, means over seeds; full diamonds: the released form, half of whose \u03b1 counts, and that damped; open squares: the placebo. What to see: whether the distance shrinks, from which dose on, and what that costs.", "name": "fig-dose"}, "image": {"alt": "Two panels against alpha on a logarithmic axis: how much farther from their target the modules end than in the baseline, and the difference in accuracy, with the released form as diamonds and the placebo as open squares."}} tags=["hide-input", "records:constraint"]
draw.plot_doses(doses);

# %% tags=["hide-input"]
acts = say.acts(every_dose, doses, histories)
Markdown(acts)

# %% [markdown]
# A penalty that pulls as hard as the task costs accuracy, and a shuffled one costs more. Doses on ResNet34: not run. A target far from where
# the network ends by itself is another matter: [the constraint in your own loop](08_your_own_model.ipynb) moves two layers to one.
#
# ## Would the protocol show a gain without it?
#
# Two things in the released protocol can make a difference between arms without any constraint.
#
# **The learning rate.** For ViT (base) on CIFAR-10 and Imagenette, the released commands train the baseline at
# $5\cdot10^{-4}$ and the constrained network at $1\cdot10^{-4}$; for ResMLP on CIFAR-100 the rates differ as well. To split a gain, both
# arms are needed at both rates.

# %% mystnb={"figure": {"caption": "**Both arms at two learning rates**: mean top-1 in per cent and number of runs; the last column is the difference within pairs of the same seed and rate, in points. What to see: what the rate alone changes, beside what the constraint does within a rate.", "name": "tab-rates"}} tags=["hide-input", "nbval-check-output", "records:constraint"]
read.rates_table(rates)

# %% tags=["hide-input"]
by_rate = say.rates(alone)
Markdown(by_rate)

# %% [markdown]
# **The choice of the epoch.** The log of the released code reports the best test accuracy over all epochs: a maximum over
# noisy values that was chosen by looking at the test set. Beside it: the last epoch, and the epoch that is best on
# held-out training images.

# %% mystnb={"figure": {"caption": "**What the choice of the epoch makes**, points of top-1. Left: what it adds to the last epoch's accuracy, mean over both arms. Right: the mean difference between the arms, constrained minus baseline, by each rule. What to see: what the choice adds to an arm, and that the difference between the arms depends on it.", "name": "tab-epochs"}} tags=["hide-input", "nbval-check-output", "records:constraint"]
read.choices_table(choices)

# %% tags=["hide-input"]
by_choice = say.choices(choices)
Markdown(by_choice)

# %% [markdown]
# ## Three answers

# %% tags=["hide-input"]
Markdown(say.answers(acts, helps, placebo, by_rate, by_choice, len(runs), found))

# %% [markdown]
# ## Live
#
# The machinery at work, on scikit-learn's digits at quick scale: pairs are trained while this page is built, each
# towards the $\gamma$ of its own baseline.

# %% tags=["hide-input"]
with run.trained(settings) as folder:
    now = read.read_runs(folder, recipe=settings["recipe"], dataset=settings["dataset"])

# %% tags=["hide-input", "nbval-check-output"]
print(say.live(now))

# %% mystnb={"figure": {"caption": "**Pairs trained while this page was built**, on scikit-learn's digits unless the parameters say otherwise: top-1 in per cent and SS_rate at the end, mean over seeds. What to see: that it runs; a few epochs and one pair per network decide nothing.", "name": "tab-live-training"}} tags=["hide-input", "live"]
read.live_table(now)

# %% [markdown]
# To run the grid: `python -m reproduction train --recipe short --dataset imagenette --seeds 0 1 2 --minutes 60`, on any machine, as often
# and in as many processes as you like; `--list` says what is done.
