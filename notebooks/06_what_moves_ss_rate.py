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
#
# Before SS_rate of two networks, layers or training states is compared, one has to know what else it depends on. This
# page measures that: first what follows from the definition alone, then what the recorded layers say, then one change at
# a time. It ends with what can be compared ({numref}`tab-comparable`).

# %% tags=["parameters", "hide-input"]
scale = "quick"  # "quick", "gpu" or "paper": sets what is None below; the studies are read from records at every scale
images = None  # for the live run: "photographs", "imagenet-sample", "imagenette", "cifar10" or "imagefolder:PATH"
n_images = None  # B, the number of images of the live run
seed = 0  # of the random weights and of the draw of images in the live run

# %% tags=["hide-input"]
from reproduction.invariance.rulers import KNOWN_SETS, SET_NAMES, known_points
from reproduction.networks import features_of
from reproduction.sensitivity.draw import plot_factors, plot_graph_profile, plot_layers
from reproduction.sensitivity.read import cka_table, comparable, explained_table, graph_table, layer_table, null_table, one_factor_table, ranking
from reproduction.sensitivity.run import ONE_PER_FAMILY, middle, one_factor
from reproduction.settings import check_parameters
from reproduction.ss_rate.read import full_scale
from reproduction.stats import rank_correlation
from reproduction.style import FAMILY_LABELS, use_style
from sslib.noise import NULLS, null_features

scales = {
    "quick": {"images": "photographs", "n_images": 16, "draws": 2},
    "gpu": {"images": "photographs", "n_images": 512, "draws": 10},
    "paper": {"images": "imagenet-sample", "n_images": 512, "draws": 10},
}
settings = check_parameters(globals(), {"images": str, "n_images": range(16, 100_001), "seed": range(2**31)}, scales)

import pandas as pd
import torch
from IPython.display import Markdown

import sslib
from reproduction import images as data, models, records

use_style()
# %config InlineBackend.figure_formats = ["svg"]

# %% [markdown]
# ## What follows from the definition
#
# SS_rate is computed from the number of channels D and from the sorted distances of pairs of channels. Nothing else of
# the features enters. Therefore it cannot tell apart features that differ
#
# - in **which** pair has which distance: a fractal and any cloud with the same histogram of distances have the same SS_rate;
# - by a rotation of the space of images, a shift that is the same for all channels, or the order of channels and images.
#
# It does change with the **unit** of the features, as Eq. 5 takes $\log(1+\theta)$: when features are multiplied by $c$,
# the axis goes from linear in θ ($c \to 0$) to logarithmic ($c \to \infty$). {numref}`tab-changed` shows both, live.

# %% mystnb={"figure": {"caption": "**SS_rate of one layer, its features changed**, by both formulas, live: the middle layer of an untrained ResNet34. What to see: rotating, shifting and reordering change nothing; multiplying does.", "name": "tab-changed"}} tags=["hide-input", "nbval-check-output"]
pictures = data.load_images(settings["images"], settings["n_images"], seed=settings["seed"])
live = {}
for name in ONE_PER_FAMILY:
    network, module = models.untrained(name, settings["seed"]), middle(name)
    live[name] = features_of(models.find(name), network, pictures.normalised(), modules=[module])[module]
F, g = live["resnet34"].double(), torch.Generator().manual_seed(0)
turn = torch.linalg.qr(torch.randn(F.shape[1], F.shape[1], generator=g, dtype=F.dtype)).Q
changed = {"as it is": F, "rotated": F @ turn, "shifted by one vector": F + 5 * turn[0], "channels in another order": F.flip(0)}
changed |= {f"multiplied by {c:g}": c * F for c in (0.01, 0.1, 10, 100)}
pd.DataFrame({f: {k: f"{float(sslib.ss_rate(X, formula=f)):.3f}" for k, X in changed.items()} for f in ("released", "printed")})

# %% tags=["hide-input"]
Markdown(f"The layer is {middle('resnet34')}, with {F.shape[0]} channels; it saw {F.shape[1]} images.")

# %% [markdown]
# ## How much the histogram's scale and shape explain
#
# All layers of the records of [Table 2](02_ss_rate_averages.ipynb): a regression of SS_rate on three numbers of the distances'
# histogram, its scale (logarithm of the mean), its coefficient of variation and its skewness; then on their squares and
# products, or on D and the range $\log(1+TV) - \log(1+TZ)$, as well.

# %% mystnb={"figure": {"caption": "**How much of SS_rate's variance over layers is explained**: R\u00b2 with a 95 % interval from resampling whole networks; unseen: R\u00b2 for a network that the fit has not seen, below 0 if the mean would be better. What to see: scale and shape explain much of the released SS_rate, but the fits carry over poorly to unseen networks.", "name": "tab-explained"}} tags=["hide-input", "nbval-check-output"]
layers = layer_table(full_scale(records.read_all("ss-rate")))
fits = {formula: explained_table(layers, formula) for formula in ("released", "printed")}
shown = {}
for formula, fit in fits.items():
    shown[formula, "R²"] = fit.apply(lambda row: f"{row['r2']:.2f} [{row['low']:.2f}, {row['high']:.2f}]", axis=1)
    shown[formula, "unseen"] = fit["unseen"].map("{:.2f}".format)
shorter = {"shape: variation, skewness": "shape", "and their squares and products": "and squares, products", "scale, shape, D and range": "scale, shape, D, range"}
pd.DataFrame(shown).rename(index=shorter)

# %% tags=["hide-input"]
best, shape, size = (fits["released"].loc[step] for step in ("and their squares and products", "scale and shape", "scale"))
Markdown(
    f"These are {len(layers):,} layers of {layers['model'].nunique()} networks, over all seeds and draws. Scale and shape of the "
    f"histogram explain {shape['r2']:.0%} of the released SS_rate's variance "
    f"[{shape['low']:.0%}, {shape['high']:.0%}], scale alone {size['r2']:.0%}; with squares and products it is {best['r2']:.0%}, and "
    f"a standard deviation of {best['left']:.3f} is left of {layers['released'].std():.3f}. For the printed formula these are "
    f"{fits['printed'].loc['scale and shape', 'r2']:.0%} and {fits['printed'].loc['and their squares and products', 'r2']:.0%}. The intervals "
    "are wide and the fits carry over poorly to an unseen network: so few networks say little. What is left is the finer shape "
    "of the same histogram and the number of channels, as nothing else enters SS_rate."
)

# %% mystnb={"figure": {"caption": "**SS_rate (released) of every recorded layer against what describes the histogram of its distances.** Random weights, 512 ImageNet images; a point per layer, seed and draw; colour is the family. What to see: SS_rate rises with the skewness of the distances, and families lie apart in their scale and variation.", "name": "fig-histogram"}, "image": {"alt": "Four scatter plots of SS_rate against the distances' mean on a log axis, coefficient of variation, skewness, and number of channels, coloured by family."}} tags=["hide-input"]
labels = {"distance_mean": "mean distance", "cv": "variation of distances", "distance_skewness": "skewness of distances", "D": "channels D"}
plot_layers(layers, "released", labels, log=["distance_mean", "D"]);

# %% [markdown]
# ## One factor at a time
#
# One layer per family, at the middle of the network, 512 ImageNet images. Features are multiplied by a number; channels or
# images are drawn at random, ten times (the line is the mean, the band its 95 % interval).

# %% mystnb={"figure": {"caption": "**SS_rate of one layer per family as one thing changes**, by both formulas. Top: features multiplied by a number. Middle: fewer channels. Bottom: fewer images. What to see: the released SS_rate falls and rises again as the scale grows, at another place in each layer, so that scale alone reorders them; few channels make it uncertain; the number of images hardly matters above some dozens.", "name": "fig-one-factor"}, "image": {"alt": "Six panels, a column per formula: SS_rate against feature scale, number of channels and number of images, for ViT (small), ResNet34 and MLP-Mixer."}} tags=["hide-input"]
factors = one_factor_table(records.read_all("ss-rate-one-factor"))
plot_factors(factors, {"scale": "features multiplied by", "D": "channels D", "B": "images B"});

# %% mystnb={"figure": {"caption": "**SS_rate (released) of one layer per family under other settings**, and in brackets the change from the default: 256 thresholds, float32, eval mode. Precision is that of F. Bootstrap: 95 % interval over resampled images, instead of the change. Dash: the network has no batch normalisation, so that training mode changes nothing. What to see: neither precision nor the number of thresholds moves it by more than the choice of images, unless thresholds are very few.", "name": "tab-settings"}} tags=["hide-input", "nbval-check-output"]
few = factors[factors["factor"].isin(["thresholds", "precision", "mode", "images"])]
few = few.assign(cell=few.apply(lambda row: f"{row['released']:.3f} ({row['released, change']:+.3f})", axis=1))
few.loc[few["factor"] == "images", "cell"] = few.apply(
    lambda row: f"{row['released']:.3f} [{row['released, low']:.3f}, {row['released, high']:.3f}]", axis=1
)
named = few.assign(value=few["factor"] + ": " + few["value"].astype(str), model=few["model"] + " " + few["module"])
shown = named.pivot_table(index="value", columns="model", values="cell", aggfunc="first", sort=False).fillna("–")
shown.replace("-0.000", "+0.000", regex=True).rename_axis(None).rename_axis(columns=None)

# %% [markdown]
# What a whole network in bfloat16 does is among the [factors of Table 2](02_ss_rate_averages.ipynb).
#
# ## Null models
#
# What SS_rate is of features without structure, of the same shape and the same mean distance: Gaussian noise; each image's
# values shuffled among the channels; all channels on one line; each channel standardised over the images, which leaves
# only correlations; whitened, all directions equally wide.

# %% mystnb={"figure": {"caption": "**SS_rate (released) of the features and of their null models**, mean over the layers of Table 1, random weights, 512 ImageNet images, one seed. Where whitening makes all distances equal, SS_rate does not exist: the mean is over as many layers as the brackets say, and a dash stands for none. What to see: noise stands in the middle of the networks, with nearly the same SS_rate in every shape.", "name": "tab-nulls"}} tags=["hide-input", "nbval-check-output"]
grid = records.read_all("ss-rate-measures")
nulls = null_table(grid)
order = [arch.name for arch in models.TABLE_1.values() if arch.name in set(nulls["model"])]
by_model = nulls.groupby("model")[["features", *NULLS]]
shown = by_model.mean().map("{:.2f}".format).replace("nan", "–")
some = by_model.count().lt(by_model.size(), axis=0) & (shown != "–")
shown = shown.mask(some, shown + " (" + by_model.count().astype(str).add(" of ").add(by_model.size().astype(str), axis=0) + ")")
shown.loc[order].rename(columns={"gaussian": "noise", "one direction": "line"}).rename_axis(None)

# %% tags=["hide-input"]
lower = {kind: (nulls["features"] < nulls[kind]).mean() for kind in ("gaussian", "shuffled", "one direction")}
gap = (nulls["features"] - nulls["gaussian"]).abs()
Markdown(
    f"The paper reads a small SS_rate as strong self-similarity. By that reading Gaussian noise is self-similar too: its "
    f"SS_rate is {nulls['gaussian'].min():.2f} to {nulls['gaussian'].max():.2f}, and of the {len(nulls)} layers "
    f"{lower['gaussian']:.0%} lie below the noise of their own shape, the others above; on average they differ by "
    f"{gap.mean():.2f}. {lower['one direction']:.0%} lie below the same channels put on one line."
)

# %% [markdown]
# And where the self-similarity is known? {numref}`tab-fractals` has point sets beside Gaussian clouds of as many points in the same
# space, with the same mean distance.

# %% mystnb={"figure": {"caption": "**SS_rate (released) of point sets of known dimension, and of noise like them**: 512 points each; noise, the smallest and largest of ten Gaussian clouds with the same coordinates and mean distance. Self-similar: the Cantor set and the Sierpi\u0144ski triangle by construction, the two attractors at small scales. What to see: no set lies below all of its clouds, self-similar or not.", "name": "tab-fractals"}} tags=["hide-input", "nbval-check-output"]
rows = {}
for name, dimension in KNOWN_SETS.items():
    F = torch.from_numpy(known_points(name, 512))
    clouds = [float(sslib.ss_rate(null_features(F, "gaussian", seed=k))) for k in range(10)]
    rows[SET_NAMES[name]] = [f"{dimension:.2f}", f"{float(sslib.ss_rate(F)):.2f}", f"{min(clouds):.2f} to {max(clouds):.2f}"]
pd.DataFrame.from_dict(rows, orient="index", columns=["dimension", "SS_rate", "noise like it"])

# %% [markdown]
# ## Beside measures that are known
#
# The same layers by other measures: how many directions the channels spread over (participation ratio, effective rank),
# their intrinsic dimension from two nearest neighbours (TwoNN), and how similar a layer's response is to the layer before
# (linear CKA).

# %% mystnb={"figure": {"caption": "**Spearman's rank correlation of SS_rate with other measures** over the layers of the nine networks, seed 0, with a 95 % interval from resampling networks. Scale-free: the released formula on an axis of distances over their mean. What to see: most intervals hold zero.", "name": "tab-known"}} tags=["hide-input", "nbval-check-output"]
known = {
    "participation_ratio": "participation ratio", "effective_rank": "effective rank", "two_nn": "TwoNN dimension",
    "cka": "CKA with layer before", "distance_mean": "mean distance",
}
beside = layer_table(grid)
others = {"released": "released", "printed": "printed", "released, mean": "scale-free"}
pd.DataFrame({
    label: {name: str(rank_correlation(beside, column, other, "model")) for column, name in known.items()}
    for other, label in others.items()
})

# %% mystnb={"figure": {"caption": "**SS_rate (released) against known measures of the same layers.** Random weights, seed 0, 512 ImageNet images; a point per layer. What to see: no panel shows one curve for all families; SS_rate is not one of these measures in disguise.", "name": "fig-known"}, "image": {"alt": "Four scatter plots of SS_rate against participation ratio, effective rank, TwoNN dimension, and CKA with the layer before."}} tags=["hide-input"]
shown = {column: label for column, label in known.items() if column != "distance_mean"}
plot_layers(beside, "released", shown, log=["participation_ratio", "effective_rank"]);

# %% tags=["hide-input"]
rhos = {name: rank_correlation(beside, column, "released", "model") for column, name in known.items()}
clear = [f"{name} ({rho})" for name, rho in rhos.items() if rho.interval[0] * rho.interval[1] > 0]
Markdown(
    f"Over {len(beside)} layers, for the released SS_rate the interval excludes zero for {len(clear)} of {len(rhos)} measures"
    + (f": {', '.join(clear)}. " if clear else ". ")
    + "The participation ratio and the TwoNN dimension say how many directions and dimensions the cloud of channels has; "
    f"SS_rate's rank correlation with them is {rhos['participation ratio']} and {rhos['TwoNN dimension']}."
)

# %% [markdown]
# ### Before and after training
#
# Linear CKA of each layer's whole activations before and after training, over the same 640 training images: small versions
# of three networks, trained on CIFAR-10 with the short recipe for CPUs of [Table 3](03_regularization.ipynb). For the
# networks of Table 2, at full size and trained on ImageNet: **not run**.

# %% mystnb={"figure": {"caption": "**Linear CKA of layers before and after training**, without the constraint (baseline) and with it: mean \u00b1 standard deviation over seeds of the mean over layers; in brackets the first and the last layer. What to see: the first layer stays closer to what it was than the last one, with and without the constraint alike.", "name": "tab-cka"}} tags=["hide-input", "nbval-check-output"]
trained = cka_table(records.read_all("cka-training"))
trained = trained[(trained["recipe"] == "cpu") & trained["arm"].isin(["baseline", "constrained"])]
seeds = trained.groupby(["model", "arm", "seed"], sort=False)["cka"].agg(["mean", "first", "last"]).groupby(["model", "arm"], sort=False)
said = seeds.mean().assign(std=seeds["mean"].std(), size=seeds.size())
said["CKA"] = said.apply(lambda row: f"{row['mean']:.3f} ± {row['std']:.3f} ({row['first']:.2f}, {row['last']:.2f})", axis=1)
said["CKA"].unstack("arm").assign(seeds=said["size"].unstack("arm").min(axis=1)).rename_axis(None).rename_axis(columns=None)

# %% [markdown]
# ## A variant without a unit
#
# `sslib.measures.scale_free_rate` replaces $\log(1+\theta)$ by an axis on which the unit does not matter:
# $\log(1+\theta/m)$ with $m$ the mean distance, $\log\theta$, or θ itself. The default of `sslib` stays the paper's.
# {numref}`tab-scale-free` shows what becomes of the order of the nine networks.

# %% mystnb={"figure": {"caption": "**SS_rate without a unit**: mean over the layers of a network, on the released axis log(1 + \u03b8) and on three axes without a unit; in brackets the rank, 1 for the smallest SS_rate, the paper's \"most self-similar\". Random weights, seed 0. Dash: not defined. What to see: the order of the networks changes with the axis.", "name": "tab-scale-free"}} tags=["hide-input", "nbval-check-output"]
columns = {"released": "released", "log(1 + θ/m)": "released, mean", "log θ": "released, log", "θ": "released, linear"}
ranked = ranking(beside, columns).loc[order]
pd.DataFrame({
    heading: ranked.apply(lambda row: "–" if pd.isna(row[heading]) else f"{row[heading]:.3f} ({row[f'rank, {heading}']:.0f})", axis=1)
    for heading in columns
}).rename_axis(None)

# %% tags=["hide-input"]
places = ranked.reset_index()
agreement = {heading: rank_correlation(places, "released", heading, "model") for heading in columns if heading != "released"}
undefined = ranked.index[ranked["log θ"].isna()]
moved = (ranked["rank, log(1 + θ/m)"] - ranked["rank, released"]).abs()
Markdown(
    f"With the mean distance as the unit, the order of the {len(ranked)} networks has a rank correlation with the default's of "
    f"**{agreement['log(1 + θ/m)']}** (Spearman, 95 % interval over networks; one seed); {moved.idxmax()} moves most, by "
    f"{moved.max():.0f} places. With θ itself it is {agreement['θ']}. log θ is undefined for {', '.join(undefined) or 'none'}, where some "
    "channels are equal (after a ReLU, dead ones). So few networks leave wide intervals, but a table of raw values should not be "
    "read as an order of geometries."
)

# %% [markdown]
# ## Degrees and small worlds
#
# The paper names small-world properties of G_M as future work. A_ε (Eq. 1) of each network's middle layer, 256 of its
# channels, at the ε that joins a given share of the pairs; beside it Gaussian noise of the same shape. σ compares clustering
# and path length with random graphs of as many edges; above 1 is called a small world.

# %% mystnb={"figure": {"caption": "**A_\u03b5 of nine networks as \u03b5 grows.** Solid: features of the middle layer; dashed: Gaussian noise of the same shape. What to see: \u03c3 is above 1 everywhere, but so it is for the noise. Convolutional networks stand apart: their degrees are more unequal than those of noise, and most channels stay outside the largest component until many pairs are joined.", "name": "fig-small-world"}, "image": {"alt": "Four panels against the share of joined pairs: variation of degrees, clustering, share of nodes in the largest component, small-world sigma; features solid, noise dashed."}} tags=["hide-input"]
graph = graph_table(grid)
plot_graph_profile(graph, {"degree_cv": "variation of degrees", "clustering": "clustering", "largest": "largest component", "sigma": "small-world σ"});

# %% mystnb={"figure": {"caption": "**Statistics of A_\u03b5**, at three shares of pairs joined, mean over the networks of a family and over all networks for noise. Variation: standard deviation of the degrees over their mean; largest: share of nodes in the largest component; path: mean path length in it; \u03c3: small-worldness. What to see: \u03c3 is above 1 in every row, noise included.", "name": "tab-small-world"}} tags=["hide-input", "nbval-check-output"]
asked = graph[graph["asked"].isin([0.02, 0.1, 0.5])]
groups = asked["family"].map(FAMILY_LABELS).where(asked["of"] == "features", "noise")
columns = {"degree_cv": "variation", "clustering": "clustering", "largest": "largest", "path": "path", "sigma": "σ"}
shown = asked.groupby([asked["asked"].map("{:.0%} of pairs".format), groups], sort=False)[list(columns)].mean().rename(columns=columns)
rows = [(f"{share}% of pairs", group) for share in (2, 10, 50) for group in (*FAMILY_LABELS.values(), "noise")]
shown.loc[rows].map("{:.2f}".format).rename_axis([None, None])

# %% tags=["hide-input"]
pairs = graph.pivot_table(index=["model", "asked"], columns="of", values="sigma").dropna()
Markdown(
    f"σ is above 1 in {(pairs['features'] > 1).mean():.0%} of the {len(pairs)} graphs of features, and in "
    f"{(pairs['gaussian'] > 1).mean():.0%} of those of noise: **joining near points gives a small world of any cloud of "
    f"points**, so σ alone says nothing about a network. Features have the larger σ in {(pairs['features'] > pairs['gaussian']).mean():.0%}."
)

# %% [markdown]
# ## Live
#
# The same study, smaller and on this build's images, to show that the code which made the records runs here.

# %% mystnb={"figure": {"caption": "**SS_rate (released) of three layers as one thing changes**, live, on this build's images. What to see: the same as in the records, scale moves it and the number of thresholds and precision hardly do.", "name": "tab-live-factors"}} tags=["hide-input", "nbval-check-output"]
rows = {}
for name, X in live.items():
    found = pd.DataFrame(one_factor(X, draws=settings["draws"], resamples=20)).groupby(["factor", "value"], sort=False)
    means = found["released"].mean()
    rows[f"{models.find(name).name} {middle(name)}"] = means.loc[["scale", "thresholds", "precision"]].map("{:.2f}".format)
shown = pd.DataFrame(rows)
shown.index = [f"{factor}: {value:g}" if factor == "scale" else f"{factor}: {value}" for factor, value in shown.index]
shown

# %% [markdown]
# ## What a raw SS_rate can be compared across
#
# The yardstick is how far SS_rate of the same layer moves when other images are drawn: half its 95 % bootstrap interval. A
# change that moves SS_rate by no more than that, in all layers measured, can be ignored; one that moves it further must be
# the same on both sides of a comparison. For fewer images or channels the mean over ten draws is held against it; one draw
# spreads more.

# %% mystnb={"figure": {"caption": "**What a raw SS_rate can be compared across.** Shift: the largest shift of SS_rate (released) over the layers and values tried, with a 95 % interval; ratio: the largest shift over the layer's spread over images; n: layers measured. What to see: scale, another seed and fewer channels move SS_rate far more than other images do.", "name": "tab-comparable"}} tags=["hide-input", "nbval-check-output"]
verdict = comparable(factors, layers)
shorter = {
    "another draw of 512 of the images": "another draw of the images",
    "64 to 256 images, mean of draws": "64 to 256 images",
    "64 or 1024 thresholds instead of 256": "64 or 1024 thresholds",
    "training instead of eval mode": "training mode",
    "another seed of the random weights": "another seed of the weights",
    "a sixth to a half of the channels, mean of draws": "⅙ to ½ of the channels",
    "features three times larger or smaller": "features × 3 or ÷ 3",
    "features ten times larger or smaller": "features × 10 or ÷ 10",
}
pd.DataFrame({
    "shift": verdict.apply(lambda row: f"{row['moves by']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]", axis=1),
    "ratio": verdict["times the spread"].map("{:.1f}".format),
    "n": verdict["layers"],
    "comparable": verdict["comparable"].map({True: "yes", False: "no"}),
}).rename(index=shorter)

# %% tags=["hide-input"]
gap = (layers["printed"] - layers["released"]).quantile([0.5, 0.025, 0.975]).tolist()
yes, no = ("; ".join(verdict.index[verdict["comparable"] == answer]) for answer in (True, False))
scale_row = verdict.loc["features three times larger or smaller"]
Markdown(
    "> **What a raw SS_rate can and cannot be compared across**\n>\n"
    f"> - **Can**: {yes or 'nothing that was tried'}.\n"
    f"> - **Cannot**: {no}; nor the two formulas: the printed one is larger by {gap[0]:.2f} in the median layer, "
    f"{gap[1]:.2f} to {gap[2]:.2f} in 95 % of them.\n"
    f"> - Features three times as large or small already move it by {abs(scale_row['moves by']):.3f} "
    f"[{min(abs(scale_row['low']), abs(scale_row['high'])):.3f}, {max(abs(scale_row['low']), abs(scale_row['high'])):.3f}], "
    f"up to {scale_row['times the spread']:.0f} times the spread over images. The mean distance of the recorded layers runs from "
    f"{layers['distance_mean'].min():.2g} to {layers['distance_mean'].max():.2g}, so a difference in SS_rate between two networks, or "
    "before and after training, may be one of unit. `scale_free_rate` on both sides tells.\n"
    f"> - A value below that of Gaussian noise of the same shape ({nulls['gaussian'].min():.2f} to {nulls['gaussian'].max():.2f} here) "
    f"is no proof of self-similarity, nor one above it of its absence: {lower['gaussian']:.0%} of layers are below."
)
