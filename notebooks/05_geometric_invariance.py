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
# # Table 5: geometric invariance
#
# Appendix C takes the images as points in the space of a layer's features, reduces that space by UMAP, and measures the
# correlation dimension of the points: the slope of $\log T(r)$ against $\log r$, where $T(r)$ is the share of pairs
# closer than $r$ {cite}`grassberger1983measuring`. A network is called geometrically invariant if the dimension
# changes little from layer to layer: the smaller $\Delta = (\max - \min)/\mathrm{mean}$ (Eq. 19), the more invariant.
#
# | | printed (Eq. 15–18) | released |
# |---|---|---|
# | looks at | $F$, averaged over space by ReduceMean | every activation, flattened, each image scaled to unit length |
# | UMAP | parameters not given; here those of the released code | 30 components, 20 neighbours, min_dist 0.05, seed 42 |
# | $T(r)$ | all pairs | each point's 29 nearest neighbours |
# | slope | scaling region not given; here read off the data | middle half of 40 fixed radii from 0.001 to 3.2 |
#
# Is either of them a ruler? First the fits, then the table, then point sets whose dimension is known.

# %% tags=["parameters", "hide-input"]
scale = "quick"  # "quick", "gpu" or "paper": sets what is None below; the table is read from records at every scale
images = None  # of the live fits: "photographs", "imagenet-sample", "imagenette", "cifar10" or "imagefolder:PATH"
n_images = None  # points of the live fits
n_points = None  # points of each known set
model = "ResNet34"  # of the live fits, a name of Table 1
seed = 0  # of the random weights, the draw of images and the known sets
weights = "untrained"  # of the live fits: "untrained", "pretrained" (downloads), or a folder of <timm name>.safetensors

# %% tags=["hide-input"]
from reproduction.invariance.draw import plot_against_paper, plot_correlation_integrals, plot_invariance_layers
from reproduction.invariance.read import full_scale, invariance_table, layer_table, rank_correlations, sensitivity_table, trained_changes, trained_table, umap_seed_spread
from reproduction.invariance.rulers import KNOWN_SETS, SET_NAMES, dimension_recovery, umap_repeats
from reproduction.invariance.run import MODELS, N_IMAGES, WAYS
from reproduction.invariance.say import changes_told, order_told, shown_table, shown_trained
from reproduction.settings import check_parameters
from reproduction.style import use_style
from reproduction.verdicts.claims import by_key, scorecard
from sslib.checks import ESTIMATORS
from sslib.dimension import RELEASED_UMAP, correlation_dimension, fluctuation, umap_points
from sslib.grams import gram_distances, grams_and_features

scales = {
    "quick": {"images": "photographs", "n_images": 96, "n_points": 2000},
    "gpu": {"images": "photographs", "n_images": 512, "n_points": 5000},
    "paper": {"images": "imagenette", "n_images": 640, "n_points": 5000},
}
allowed = {"images": str, "n_images": range(40, 100_001), "model": str, "n_points": range(100, 100_001)}
settings = check_parameters(globals(), allowed | {"seed": range(2**31), "weights": str}, scales)

import numpy as np
import pandas as pd
from IPython.display import Markdown

from reproduction import images as data, models, records
from reproduction.paper.tables import DATASETS

use_style()
# %config InlineBackend.figure_formats = ["svg"]
runs = full_scale(records.read_all("invariance"))
families = {name: models.find(timm_name).family for name, timm_name in MODELS.items()}

# %% [markdown]
# ## The fits, layer by layer
#
# One network on a few images, live, through UMAP with the released parameters.

# %% tags=["hide-input"]
architecture = models.find(settings["model"])
network = models.load(architecture, settings["weights"], settings["seed"])
pictures = data.load_images(settings["images"], settings["n_images"], seed=settings["seed"])
batch = pictures.normalised(architecture.mean, architecture.std)
grams, F = grams_and_features(network, batch, architecture.modules)
umap = RELEASED_UMAP
points = {
    "printed": {m: umap_points(F[m].T, **umap) for m in F},
    "released": {m: umap_points(gram_distances(grams[m]), metric="precomputed", **umap) for m in F},
}
fits = {way: {m: correlation_dimension(x, estimator=way) for m, x in points[way].items()} for way in points}

# %% mystnb={"figure": {"caption": "**T(r) of each layer and the line fitted to it**, live, random weights. Shaded: the region of the fit; the number is its slope, the dimension, with its standard error. What to see: UMAP has spread the points so that hardly any two are close, so T(r) bends everywhere, and the slope depends on where one looks.", "name": "fig-integrals"}, "image": {"alt": "A row of panels per layer and a column per estimator: the correlation integral on log-log axes with the fitted line, its region shaded, and the dimension."}} tags=["hide-input"]
shown = list(F)[:: max(1, len(F) // 4)][:4]
plot_correlation_integrals({m: {way: fits[way][m] for way in fits} for m in shown});

# %% [markdown]
# ## Printed and measured
#
# Random weights, eval mode, 640 shuffled training images, the modules of Table 1, UMAP as released. The released code
# differs from Table 1 in two networks (of PVT also the last block of each stage, of PoolFormer every block) and resizes
# bilinearly where we resize bicubically. {numref}`tab-delta` has the numbers, {numref}`fig-delta` the order.

# %% mystnb={"figure": {"caption": "**\u0394 beside the paper's Table 5**, random weights: mean \u00b1 standard deviation over seeds of the weights (n of them; no \u00b1 where there is one). Ranks: the paper's / printed / released; 1 is the smallest, the most invariant, among the networks that were run. CIFAR-100: not run. What to see: most of our values are smaller than the paper's, and the order is another.", "name": "tab-delta"}} tags=["hide-input", "nbval-check-output"]
table = invariance_table(runs, 5)
shown_table(table)

# %% mystnb={"figure": {"caption": "**\u0394, ours and the paper's**, random weights, on logarithmic axes. Networks stand in the order of their printed values; bars are one standard deviation over seeds, where there are several. What to see: most of ours lie left of the paper's. Where ours follow the paper's order, the triangles move to the right from bottom to top, as the circles do.", "name": "fig-delta"}, "image": {"alt": "Four panels, a row per estimator and a column per data set: for each network the printed Delta as a circle and the measured one as a triangle, joined by a line, on a logarithmic axis."}} tags=["hide-input"]
plot_against_paper(table.replace({"images": DATASETS}), families, ["printed", "released"]);

# %% [markdown]
# Is it the formula or what it looks at? {numref}`tab-delta-swapped` has both swapped: the printed formula on all
# activations, the released one on F.

# %% mystnb={"figure": {"caption": "**\u0394 with what the formulas look at swapped**, otherwise as in the table before: the printed formula on all activations, the released one on F. Ranks: the paper's / printed formula / released formula. What to see: this does not lead to the paper's values or order either.", "name": "tab-delta-swapped"}} tags=["hide-input", "nbval-check-output"]
shown_table(table, ["printed, activations", "released, F"]).drop(columns="n")

# %% [markdown]
# ## The same order?
#
# {numref}`tab-delta-order` holds our order of the networks against the paper's; p is exact, from all orders of n networks.

# %% mystnb={"figure": {"caption": "**Rank correlation of our \u0394 with the printed one** over n networks: Spearman's \u03c1, and the exact two-sided p. What to see: \u03c1 is positive in some rows and negative in others.", "name": "tab-delta-order"}} tags=["hide-input", "nbval-check-output"]
order = rank_correlations(table).dropna(subset="rho").rename(index=DATASETS, level="images")
cells = order.assign(rho=order["rho"].map("{:+.2f}".format), p=order["p"].map("{:.3f}".format))
cells.rename(columns={"rho": "ρ"}).rename_axis([None, None])

# %% tags=["hide-input"]
Markdown(order_told(order))

# %% tags=["hide-input"]
claim = by_key(scorecard())["invariance"]
Markdown(
    f"Does invariance go with the gain of Table 3, as the paper says? Rank correlation of the released σ and Δ, means over both data sets, with the printed gain; "
    f"negative would be as claimed. {claim['ours'][:1].upper()}{claim['ours'][1:]}, {claim['n']}. Random weights, and a Δ within UMAP's own scatter, decide little; the pretrained "
    "networks are **not run**."
)

# %% [markdown]
# ## How large is Δ if nothing changes?
#
# UMAP draws random numbers. So what is Δ over repeats of one and the same layer, reduced under several of UMAP's seeds
# and nothing else changed? From the records, for layers on 640 images; live, for one layer on few. And Δ of an untrained ResMLP,
# whose twelve blocks all pass on nearly the same activations (their branches start multiplied by 0.0001).

# %% tags=["hide-input"]
others = records.read_all("invariance-umap")
repeated = umap_seed_spread(runs, others)
repeats = umap_repeats(grams[shown[0]], range(8))
few = {way: fluctuation(repeats[way]) for way in ESTIMATORS}
table_delta = table.dropna(subset="ours").set_index(["model", "way"])["ours"]
resmlp = table_delta[table_delta.index.get_level_values("model") == "ResMLP"].groupby("way").mean()
lines = []
for way in ESTIMATORS:
    part = repeated[repeated["way"] == way]
    if len(part) and way in resmlp:
        networks = " and ".join(dict.fromkeys(f"{models.find(row.model).name} on {DATASETS[row.images]}" for row in part.itertuples()))
        lines.append(
            f"**{way}**: Δ of one layer over {part['seeds'].min()} seeds of UMAP is {part['delta'].min():.2f} to {part['delta'].max():.2f} ({len(part)} layers of {networks}, "
            f"{N_IMAGES} images; {few[way]:.2f} on {len(pictures)} images, live, {len(repeats)} seeds). The untrained ResMLP's, over its twelve blocks, is {resmlp[way]:.2f}. "
            f"{(table['paper'] <= part['delta'].max()).mean():.0%} of the values of Table 5, {table['paper'].min():.2f} to {table['paper'].max():.2f}, "
            f"are no larger than the largest of these, which is nothing but UMAP's random numbers, and {(table[table['way'] == way]['ours'].dropna() <= part['delta'].max()).mean():.0%} of ours."
        )
Markdown("\n\n".join(lines) or "Repeats under several seeds of UMAP: not run.")

# %% [markdown]
# ## Noise
#
# The null value: every layer replaced by Gaussian noise of its shape, put through the same UMAP and the same fits.

# %% mystnb={"figure": {"caption": "**\u0394 of Gaussian noise**, of the shapes of each network's layers, by both estimators and both features; mean over the records of each network. What to see: noise, in which nothing changes from layer to layer but the shape, has a \u0394 of the size of the untrained networks' or a larger one.", "name": "tab-delta-noise"}} tags=["hide-input", "nbval-check-output"]
noise = runs[runs["config.weights"] == "noise"]
names = {timm_name: name for name, timm_name in MODELS.items()}
null = pd.DataFrame({way: noise["metrics.delta"].map(lambda delta, way=way: delta[way]) for way in WAYS}).astype(float)
by_model = null.groupby(noise["config.model"].map(names))
by_model.mean().map("{:.2f}".format).assign(records=by_model.size()).rename_axis(None)

# %% [markdown]
# ## Along the depth

# %% mystnb={"figure": {"caption": "**Correlation dimension of every layer**, random weights, means over seeds. What to see: all dimensions lie close together whatever the network, and move up and down from layer to layer.", "name": "fig-dimensions"}, "image": {"alt": "Line plots, a row per estimator and a column per data set: correlation dimension against depth for each network."}} tags=["hide-input"]
layers = layer_table(runs[runs["config.weights"] == "untrained"])
plot_invariance_layers(layers.replace({"images": DATASETS}), "dimension", "dimension", ["printed", "released"]);

# %% tags=["hide-input"]
spread = layers.groupby("way")[["dimension", "dimension_error"]].describe()
cells = layers.groupby(["way", "model", "images", "seed"])[["dimension", "dimension_error"]]
ranges = cells.agg({"dimension": np.ptp, "dimension_error": "median"}).dropna()
rng = np.random.default_rng(0)
chance = {n: np.ptp(rng.standard_normal((20_000, n)), axis=1).mean() for n in (4, 12)}
ratio = (ranges["dimension"] / ranges["dimension_error"]).groupby("way").median()
Markdown(
    "\n\n".join(
        f"**{way}**: dimensions from {spread.loc[way, ('dimension', 'min')]:.2f} to {spread.loc[way, ('dimension', 'max')]:.2f}, median "
        f"{spread.loc[way, ('dimension', '50%')]:.2f} with a standard error of {spread.loc[way, ('dimension_error', '50%')]:.2f}. From its "
        f"smallest to its largest layer a network spans {ratio[way]:.1f} such errors (median)."
        for way in ("printed", "released")
    )
    + f"\n\nBy chance alone, measurements of one and the same number span {chance[4]:.1f} of their standard errors if there are "
    f"four of them, and {chance[12]:.1f} if there are twelve: much of Δ is the error of the fits."
)

# %% [markdown]
# ## UMAP's parameters
#
# The paper gives none. {numref}`tab-delta-umap` has Δ of a network when one of them is changed at a time.

# %% mystnb={"figure": {"caption": "**\u0394 of a network under other parameters of UMAP**, one changed at a time, by both estimators. As released: 30 components, 20 neighbours, min_dist 0.05, seed 42. What to see: another seed moves \u0394 by as much as another parameter does.", "name": "tab-delta-umap"}} tags=["hide-input", "nbval-check-output"]
changed = pd.concat({way: sensitivity_table(runs, others, way) for way in ("printed", "released")}, axis=1)
changed = changed.swaplevel(axis=1).sort_index(axis=1, level=0, sort_remaining=False)
changed = changed.rename(columns=lambda name: name.replace("cifar10,", "CIFAR-10,").replace("imagenette,", "Imagenette,"))
changed.index = changed.index.str.replace("n_components", "components").str.replace("n_neighbors", "neighbours")
changed.map("{:.2f}".format).replace("nan", "not run")

# %% [markdown]
# ## Trained networks
#
# The networks that were trained for Table 3 at a small scale ({numref}`tab-delta-trained`). Of the trained ones only the
# activations' products were kept, so the printed estimator is shown on activations.

# %% mystnb={"figure": {"caption": "**\u0394 before and after training**, of the small networks of Table 3: mean \u00b1 standard deviation over the seeds that were trained (no \u00b1 where there is one). Constrained: trained with the paper's constraint. Each block of rows names network, data set and training recipe. What to see: the \u00b1 are as large as most differences between the rows of a block.", "name": "tab-delta-trained"}} tags=["hide-input", "nbval-check-output"]
trained = trained_table(records.read_all("invariance"), 5)
trained = trained[trained["way"].isin(["released", "printed, activations"])]
shown_trained(trained.replace({"images": DATASETS}))

# %% tags=["hide-input"]
Markdown(changes_told(trained_changes(trained), "Δ"))

# %% [markdown]
# The pretrained weights that the released scripts can load were not downloaded: **not run**.
#
# ## Does the ruler work?
#
# Point sets of known dimension, each in three units: a dimension must not depend on whether lengths are in metres
# or in centimetres. The rule that finds the printed estimator's scaling region was chosen on half of the sets; the
# other half, "held out" in {numref}`tab-dimensions-known`, had no say.

# %% mystnb={"figure": {"caption": "**Known dimensions, recovered in three units**: the points as they are (\u00d7 1), and all lengths divided and multiplied by 100. Held out: the rule for the scaling region was chosen without this set. None: the estimator gives no dimension. What to see: the printed estimator comes close to every dimension, in every unit; what the released one finds depends on the unit.", "name": "tab-dimensions-known"}} tags=["hide-input", "nbval-check-output"]
found = dimension_recovery(n=settings["n_points"], seed=settings["seed"])
cells = found.assign(dimension=found["dimension"].map("{:.2f}".format).replace("nan", "none"), scale=found["scale"].map("× {:g}".format))
wide = cells.pivot(index="set", columns=["estimator", "scale"], values="dimension").loc[list(KNOWN_SETS)]
about = found.groupby("set")[["true", "held_out"]].first().loc[wide.index]
wide.insert(0, ("", "true"), about["true"].map("{:.2f}".format))
wide.insert(1, ("", "held out"), about["held_out"].map({True: "yes", False: "no"}))
wide.rename(index=SET_NAMES).rename_axis(None).rename_axis(columns=[None, None])

# %% tags=["hide-input"]
at_one = found[found["scale"] == 1].assign(error=lambda f: (f["dimension"] / f["true"] - 1).abs())
by_half = at_one[at_one["estimator"] == "printed"].groupby("held_out")["error"].max()
lost = found[(found["estimator"] == "released")].assign(off=lambda f: ~((f["dimension"] / f["true"] - 1).abs() < 0.1))
moved = found[found["estimator"] == "printed"].groupby("set")["dimension"].agg(np.ptp).max()
Markdown(
    f"**The printed estimator measures dimension.** Its largest error is {by_half[False]:.1%} on the sets the rule was chosen on and "
    f"{by_half[True]:.1%} on those held out (the 5-ball, where edges make every such estimate too low in high dimensions), and "
    + ("units do not move it." if moved < 1e-6 else f"units move it by {moved:.0e} at most.")
    + f"\n\n**The released one does not**: {lost['off'].sum()} of its {len(lost)} values are off "
    "by more than a tenth or do not exist. Its radii are fixed, so the unit decides which part of the curve it sees; and since "
    "it knows 29 neighbours only, T(r) stops growing where a point has more than that, and the slope falls to 0."
)

# %% [markdown]
# ## Time and memory
#
# The printed estimator looks at all pairs of points, but never holds the matrix of their distances.
# {numref}`tab-dimension-cost` compares it with one that does, and with the released one.

# %% mystnb={"figure": {"caption": "**Cost of a correlation dimension** of points in as many dimensions as UMAP's output has: wall-clock time, memory beyond what is in use before, and the dimension found. What to see: blocks give the same dimension as the full matrix, with less memory and in less time.", "name": "tab-dimension-cost"}} tags=["hide-input", "nbval-check-output"]
bench = records.read_all("benchmark-correlation-dimension")
rows = {
    name: {
        "seconds": f"{bench[f'metrics.{key}_s'].iloc[-1]:.1f}",
        "MB": f"{bench[f'metrics.{key}_MB'].iloc[-1]:.0f}",
        "dimension": f"{bench[f'metrics.{key}_dimension'].iloc[-1]:.2f}",
    }
    for name, key in (("all pairs, in blocks", "ours"), ("all pairs, full matrix", "matrix"), ("released: 29 neighbours", "released"))
}
pd.DataFrame(rows).T

# %% tags=["hide-input", "nbval-check-output"]
threads = bench["config.threads"].iloc[-1]
Markdown(
    f"Measured on {bench['config.N'].iloc[-1]:,} points in {bench['config.dimensions'].iloc[-1]} dimensions, with "
    f"{threads} thread{'s' if threads > 1 else ''} of an {bench['device.name'].iloc[-1]}."
)
