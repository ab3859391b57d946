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
# # Table 4: statistical scale invariance
#
# Appendix B fits a power law $P(\lambda) \propto \lambda^{-\gamma}$ to the eigenvalues of each layer's covariance
# matrix and calls a network scale invariant if $\gamma$ changes little from layer to layer: the smaller $\sigma$, the
# standard deviation of the layers' exponents (Eq. 14), the more invariant. Table 4 ranks seven networks by it.
#
# The paper's text and the released code take two different roads to $\gamma$:
#
# | | printed (Eq. 10–13) | released |
# |---|---|---|
# | looks at | $F$, averaged over space by ReduceMean | every activation, flattened |
# | covariance | $F^\top F/(B-1)$, not centred | centred; above 1000 features only the $B/2$ largest eigenvalues |
# | fit | all eigenvalues, $\lambda_{\min}$ the smallest | the tail above the $\lambda_{\min}$ with the smallest KS distance |
#
# Is either of them a ruler? First the fits themselves, then the table, then spectra whose exponent is known.

# %% tags=["parameters", "hide-input"]
scale = "quick"  # "quick", "gpu" or "paper": sets what is None below; the table is read from records at every scale
images = None  # of the live fits: "photographs", "imagenet-sample", "imagenette", "cifar10" or "imagefolder:PATH"
n_images = None  # B, images of the live fits; the released estimator wants more than 100
model = "ResNet34"  # of the live fits, a name of Table 1
draws = None  # spectra per known exponent
seed = 0  # of the random weights, the draw of images and the known spectra
weights = "untrained"  # of the live fits: "untrained", "pretrained" (downloads), or a folder of <timm name>.safetensors

# %% tags=["hide-input"]
from reproduction.invariance.draw import plot_against_paper, plot_invariance_layers, plot_spectra
from reproduction.invariance.read import full_scale, invariance_table, layer_table, rank_correlations, trained_changes, trained_table
from reproduction.invariance.rulers import exponent_examples, exponent_recovery
from reproduction.invariance.run import MODELS, WAYS
from reproduction.invariance.say import changes_told, order_told, shown_table, shown_trained
from reproduction.settings import check_parameters
from reproduction.style import use_style
from reproduction.verdicts.claims import by_key, scorecard
from sslib.grams import gram_update, grams_and_features
from sslib.powerlaw import gram_spectrum, powerlaw_exponent, scale_invariance, spectrum

scales = {
    "quick": {"images": "photographs", "n_images": 112, "draws": 100},
    "gpu": {"images": "photographs", "n_images": 512, "draws": 100},
    "paper": {"images": "imagenette", "n_images": 640, "draws": 100},
}
allowed = {"images": str, "n_images": range(102, 100_001), "model": str, "draws": range(2, 10_001)}
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
# One network on a few images, live. Everything that the released estimator needs of a layer, up to three million
# activations per image, is in the $B \times B$ matrix of their scalar products (`sslib.features.activation_grams`).

# %% tags=["hide-input"]
architecture = models.find(settings["model"])
network = models.load(architecture, settings["weights"], settings["seed"])
pictures = data.load_images(settings["images"], settings["n_images"], seed=settings["seed"])
batch = pictures.normalised(architecture.mean, architecture.std)
grams, F = grams_and_features(network, batch, architecture.modules)
spectra = {
    "printed": {m: spectrum(F[m]) for m in F},
    "released": {m: gram_spectrum(grams[m], estimator="released") for m in grams},
}
fits = {way: scale_invariance(layers, estimator=way) for way, layers in spectra.items()}

# %% mystnb={"figure": {"caption": "**Eigenvalues of each layer and the power law fitted to them**, live, random weights. Dots: the share of eigenvalues that are at least \u03bb; a power law would be a straight line. Orange: the fit, over the n eigenvalues that it uses; \u03b3 with its standard error, and the KS distance. What to see: the printed estimator draws one line through a curve that bends everywhere; the released one picks a stretch that is straight enough.", "name": "fig-spectra"}, "image": {"alt": "A row of panels per layer and a column per estimator: shares of eigenvalues against their size on log-log axes, with the fitted lines, exponents and KS distances."}} tags=["hide-input"]
shown = list(F)[:: max(1, len(F) // 4)][:4]
plot_spectra({m: {way: (spectra[way][m], fits[way].layers[m]) for way in spectra} for m in shown});

# %% [markdown]
# Eq. 10 writes the $B \times B$ matrix $F^\top F$ where its text speaks of feature dimensions, of which there are $D$. It
# does not matter, because the $D \times D$ and the $B \times B$ matrix have the same non-zero eigenvalues.

# %% tags=["hide-input", "nbval-check-output"]
first = list(F)[0]
x = F[first].double()
wide, tall = (np.linalg.eigvalsh(product)[::-1] for product in (x @ x.T, x.T @ x))
n = min(len(wide), len(tall)) // 2
worst = np.abs(wide[:n] / tall[:n] - 1).max()
Markdown(
    f"In {first} above, with D = {len(wide)} and B = {len(tall)}, the {n} largest eigenvalues of both "
    + ("agree to a millionth." if worst < 1e-6 else f"differ by up to {worst:.1%}.")
)

# %% [markdown]
# ## Printed and measured
#
# Random weights, eval mode, 640 shuffled training images, the modules of Table 1. The released code differs from Table 1
# in two networks (of PVT also the last block of each stage, of PoolFormer every block) and resizes bilinearly where we
# resize bicubically. {numref}`tab-sigma` has the numbers, {numref}`fig-sigma` the order.

# %% mystnb={"figure": {"caption": "**\u03c3 beside the paper's Table 4**, random weights: mean \u00b1 standard deviation over seeds of the weights (n of them; no \u00b1 where there is one). Ranks: the paper's / printed / released; 1 is the smallest, the most invariant, among the networks that were run. CIFAR-100: not run. What to see: for most networks both estimators give far less than the paper prints.", "name": "tab-sigma"}} tags=["hide-input", "nbval-check-output"]
table = invariance_table(runs, 4)
shown_table(table)

# %% tags=["hide-input"]
done = table.dropna(subset="ours")
by_way = done.groupby("way")["ours"]
factor = done.assign(factor=np.exp(np.log(done["ours"] / done["paper"]).abs())).groupby("way")["factor"].median()
smallest = done.loc[done[done["way"] == "released"]["ours"].idxmin()]
Markdown(
    ("**Neither road leads to the printed numbers from random weights.** " if factor[["printed", "released"]].min() > 1.5 else "")
    + f"Half of the {len(done) // len(WAYS)} cells measured (network and data set) differ from the paper by a factor of "
    f"{factor['released']:.1f} or more (released) and {factor['printed']:.1f} or more (printed). For them the paper prints "
    f"{done['paper'].min():.3f} to {done['paper'].max():.3f}; ours, released, run from {by_way.min()['released']:.6f} to "
    f"{by_way.max()['released']:.3f}. By the smallest, {smallest['model']} would be the most scale invariant network of all."
)

# %% [markdown]
# An untrained ResMLP is an almost perfect identity: its branches start multiplied by 0.0001, so all twelve blocks pass on
# nearly the same activations, and their spectra agree whatever the spectra look like. **σ says how much the layers
# differ, not whether any of them is a power law.**

# %% mystnb={"figure": {"caption": "**\u03c3, ours and the paper's**, random weights, on logarithmic axes. Networks stand in the order of their printed values; bars are one standard deviation over seeds, where there are several. What to see: most of ours lie far left of the paper's. Where ours follow the paper's order, the triangles move to the right from bottom to top, as the circles do.", "name": "fig-sigma"}, "image": {"alt": "Four panels, a row per estimator and a column per data set: for each network the printed sigma as a circle and the measured one as a triangle, joined by a line, on a logarithmic axis."}} tags=["hide-input"]
plot_against_paper(table.replace({"images": DATASETS}), families, ["printed", "released"]);

# %% [markdown]
# Is it the formula or what it looks at? {numref}`tab-sigma-swapped` has both swapped: the printed formula on all
# activations, the released one on F.

# %% mystnb={"figure": {"caption": "**\u03c3 with what the formulas look at swapped**, otherwise as in the table before: the printed formula on all activations, the released one on F. Ranks: the paper's / printed formula / released formula. What to see: this does not lead to the paper's values or order either.", "name": "tab-sigma-swapped"}} tags=["hide-input", "nbval-check-output"]
shown_table(table, ["printed, activations", "released, F"]).drop(columns="n")

# %% [markdown]
# ## The same order?
#
# The claim rests on the ranking rather than on the numbers. {numref}`tab-sigma-order` holds our order against the paper's;
# p is exact, from all orders of n networks.

# %% mystnb={"figure": {"caption": "**Rank correlation of our \u03c3 with the printed one** over n networks: Spearman's \u03c1, and the exact two-sided p. What to see: \u03c1 is positive in some rows and negative in others.", "name": "tab-sigma-order"}} tags=["hide-input", "nbval-check-output"]
order = rank_correlations(table).dropna(subset="rho").rename(index=DATASETS, level="images")
shown = order.assign(rho=order["rho"].map("{:+.2f}".format), p=order["p"].map("{:.3f}".format))
shown.rename(columns={"rho": "ρ"}).rename_axis([None, None])

# %% tags=["hide-input"]
Markdown(
    order_told(order) + " Networks with random weights need not rank as trained ones do; which of the two Table 4 shows, the paper does not say."
)

# %% tags=["hide-input"]
claim = by_key(scorecard())["invariance"]
Markdown(
    f"Does invariance go with the gain of Table 3, as the paper says? Rank correlation of the released σ and Δ, means over both data sets, with the printed gain; "
    f"negative would be as claimed. {claim['ours'][:1].upper()}{claim['ours'][1:]}, {claim['n']}. Random weights, and a Δ within UMAP's own scatter, decide little; the pretrained "
    "networks are **not run**."
)

# %% [markdown]
# ## Along the depth, and against noise
#
# {numref}`fig-exponents` has the exponents themselves. The grey band is where the exponents of Gaussian noise of the same
# shapes lie: what each estimator reports if a layer has no structure at all.

# %% mystnb={"figure": {"caption": "**Exponents of every layer**, random weights, means over seeds. Grey: from the smallest to the largest exponent of Gaussian noise of these shapes. What to see: printed exponents lie close to each other, at the lower end of those of noise or just below; released exponents of noise are enormous, because a spectrum whose eigenvalues are nearly equal looks like a very steep power law.", "name": "fig-exponents"}, "image": {"alt": "Line plots, a row per estimator and a column per data set, the released ones on a logarithmic axis: exponent against depth for each network, with a grey band for noise."}} tags=["hide-input"]
layers = layer_table(runs[runs["config.weights"] == "untrained"])
plot_invariance_layers(
    layers.replace({"images": DATASETS}), "exponent", "exponent γ", ["printed", "released"], null="null_exponent", log=True
);

# %% tags=["hide-input"]
quality = layers.groupby("way")[["exponent", "exponent_error", "n_tail", "ks_distance", "null_exponent"]].median()
gram = gram_update(None, batch.flatten(1))
pixels = powerlaw_exponent(gram_spectrum(gram, estimator="released"), estimator="released")
cells = layers[layers["way"] == "released"].groupby(["model", "images", "seed"])[["exponent", "exponent_error"]]
errors = cells.agg({"exponent": lambda values: values.std(ddof=0), "exponent_error": "median"}).dropna()
within = (errors["exponent"] <= errors["exponent_error"]).sum()
spread = runs["metrics.sigma_null"].map(lambda null: null["released"]).astype(float)
Markdown(
    "\n\n".join(
        f"**{way}**, medians over layers: exponent {quality.loc[way, 'exponent']:.2f} with a standard error of "
        f"{quality.loc[way, 'exponent_error']:.2f}, from {quality.loc[way, 'n_tail']:.0f} eigenvalues, KS distance "
        f"{quality.loc[way, 'ks_distance']:.2f}; exponent of noise of the same shapes: {quality.loc[way, 'null_exponent']:.2f}."
        for way in ("printed", "released")
    )
    + f"\n\nIn {within} of {len(errors)} measurements (network, data set and seed) the released σ is no larger than the median "
    "standard error of its layers' exponents: differences of that size may be errors of the fits."
    + f"\n\nIf every layer were noise, the released σ would be {spread.median():.0f} (median). Images are no noise: the pixels of "
    f"the {len(pictures)} pictures above, without any network, have a released exponent of {pixels.exponent:.2f} ± "
    f"{pixels.standard_error:.2f} (KS {pixels.ks_distance:.2f}, {pixels.n_tail} eigenvalues). So a power law in an untrained "
    "layer may be no more than that of its input.\n\nNon-zero activations, which the released code counts as sparsity, make up "
    f"{layers['nonzero_share'].min():.0%} to {layers['nonzero_share'].max():.0%} of a layer."
)

# %% [markdown]
# ## Trained networks
#
# The networks that were trained for Table 3 at a small scale ({numref}`tab-sigma-trained`). Of the trained ones only the
# activations' products were kept, so the printed estimator is shown on activations.

# %% mystnb={"figure": {"caption": "**\u03c3 before and after training**, of the small networks of Table 3: mean \u00b1 standard deviation over the seeds that were trained (no \u00b1 where there is one). Constrained: trained with the paper's constraint. Each block of rows names network, data set and training recipe. What to see: training makes \u03c3 smaller in some networks and larger in others.", "name": "tab-sigma-trained"}} tags=["hide-input", "nbval-check-output"]
trained = trained_table(records.read_all("invariance"), 4)
trained = trained[trained["way"].isin(["released", "printed, activations"])]
shown_trained(trained.replace({"images": DATASETS}))

# %% tags=["hide-input"]
Markdown(changes_told(trained_changes(trained), "σ"))

# %% [markdown]
# The pretrained weights that the released scripts can load were not downloaded: **not run**.
#
# ## Does the ruler work?
#
# Spectra of 300 eigenvalues drawn from a power law of known exponent: does each estimator find it, and does its standard
# error say how far off it may be? {numref}`tab-exponents-known` counts the draws that lie within three of their own
# standard errors.

# %% mystnb={"figure": {"caption": "**Known exponents, recovered.** Found: mean \u00b1 standard deviation over the spectra drawn, 300 eigenvalues each; error: the mean of the standard errors that the estimator states; within: the share of draws within three of their own standard errors of the truth. What to see: both find the exponent; the released estimates scatter more than their standard error says.", "name": "tab-exponents-known"}} tags=["hide-input", "nbval-check-output"]
found = exponent_recovery(draws=settings["draws"], seed=settings["seed"])
cells = found.assign(
    found=[f"{row.mean:.2f} ± {row.std:.2f}" for row in found.itertuples()],
    error=found["standard_error"].map("{:.2f}".format),
    within=(found["within"] / settings["draws"]).map("{:.0%}".format),
)
shown = cells.pivot(index="exponent", columns="estimator", values=["found", "error", "within"]).swaplevel(axis=1)
shown = shown[[(name, column) for name in ("printed", "released") for column in ("found", "error", "within")]]
shown.rename(index="γ = {:.1f}".format).rename_axis(None).rename_axis(columns=[None, None])

# %% tags=["hide-input"]
ratio = (found["std"] / found["standard_error"]).groupby(found["estimator"]).mean()
share = found.groupby("estimator")["within"].min() / settings["draws"]
Markdown(
    f"**On true power laws both work**: at least {share['printed']:.0%} (printed) and {share['released']:.0%} (released) of the "
    f"draws lie within three standard errors. The released estimates scatter {ratio['released']:.1f} times as much as their "
    f"standard error says (printed: {ratio['printed']:.1f}), because it does not know that the start of the tail was chosen to fit."
)

# %% [markdown]
# And on spectra that are no power law, or only above some value?

# %% mystnb={"figure": {"caption": "**Spectra that are no power law**, and one that is a power law with exponent 2.5 above a bulk that is none; 300 eigenvalues each. \u03b3 with its standard error; n: the eigenvalues that the fit uses; KS: its distance from the data. What to see: every spectrum gets an exponent, and the two estimators give different ones.", "name": "tab-exponents-other"}} tags=["hide-input", "nbval-check-output"]
others = exponent_examples(seed=settings["seed"])
cells = others.assign(
    γ=[f"{row.exponent:.2f} ± {row.standard_error:.2f}" for row in others.itertuples()],
    n=others["n_tail"].map(str),
    KS=others["ks_distance"].map("{:.2f}".format),
)
shown = cells.pivot(index="spectrum", columns="estimator", values=["γ", "n", "KS"]).swaplevel(axis=1)
shown = shown.loc[others["spectrum"].unique(), [(name, column) for name in ("printed", "released") for column in ("γ", "n", "KS")]]
shown.rename_axis(None).rename_axis(columns=[None, None])

# %% tags=["hide-input"]
by = others.set_index(["spectrum", "estimator"])
tail = by.loc["bulk and tail 2.5"]
Markdown(
    "**Every spectrum gets an exponent**, most with a small standard error. The printed estimator takes the smallest eigenvalue "
    f"for the start of the tail, so the bulk decides: {tail.loc['printed', 'exponent']:.2f} where the tail has 2.5 (the "
    f"released one finds {tail.loc['released', 'exponent']:.2f} ± {tail.loc['released', 'standard_error']:.2f}). The released one "
    f"shrinks to {by.loc[('low rank', 'released'), 'n_tail']:.0f} eigenvalues where the spectrum is of low rank, and reads "
    f"{by.loc[('noise', 'released'), 'exponent']:.1f} off noise. Only the KS distance shows that such fits are poor, and σ does "
    "not look at it."
)
