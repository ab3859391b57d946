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
# # Live: the machinery runs
#
# The chapters show records, which were made once and take hours. This page runs the same code while the book is built, on
# few images and in few steps, so that a reader can see that it works. Its numbers decide nothing.

# %% tags=["parameters", "hide-input"]
scale = "quick"  # "quick", "gpu" or "paper": sets what is None below
images = None  # "photographs", "imagenet-sample", "imagenette", "cifar10", "imagefolder:PATH"
n_images = None  # B, the number of images
recipe = None  # of training: "quick" (digits, seconds a run), "cpu" (minutes), "short", "paper"
dataset = None  # of training: "digits", "cifar10", "imagenette" or "imagefolder:PATH"
n_seeds = None  # pairs per network
seed = 0  # of the random weights and of the draw of images

# %% tags=["hide-input"]
from IPython.display import Markdown

from reproduction.covering import live as covers
from reproduction.covering import read as read_covers
from reproduction.images import load_images
from reproduction.sensitivity import live as changes
from reproduction.sensitivity import read_factors
from reproduction.settings import start
from reproduction.ss_rate import live, say
from reproduction.table_1 import TABLE_1
from reproduction.training import read, run
from reproduction.training import say as say_training

# %% tags=["hide-input"]
settings = start("live", globals())
pictures = load_images(settings["images"], settings["n_images"], seed=settings["seed"])

# %% [markdown]
# ## SS_rate of nine untrained networks
#
# Compare [Table 2](nine_models.ipynb).

# %% mystnb={"figure": {"caption": "**The same gap between the formulas as in the records, computed when this page was built.** SS_rate averaged over the modules of Table 1; one seed and few images.", "name": "tab-live"}} tags=["hide-input", "nbval-check-output", "live"]
features = live.features(TABLE_1, pictures, settings["seed"])
live.averages(live.layer_rates(features))

# %% tags=["hide-input"]
Markdown(say.live(pictures.description, len(pictures)))

# %% [markdown]
# ## One factor at a time
#
# Compare [what moves SS_rate](what_moves_ss_rate.ipynb).

# %% mystnb={"figure": {"caption": "**As in the records, scale moves SS_rate; thresholds and precision hardly do.** Three layers, live, on this build's images.", "name": "tab-live-factors"}} tags=["hide-input", "nbval-check-output", "live"]
read_factors.live_table(changes.factor_rates(changes.middle_layers(settings), settings["draws"]))

# %% [markdown]
# ## Training with and without the constraint
#
# Compare [the training chapter](training.ipynb). Each pair is trained towards the γ of its own baseline.

# %% tags=["hide-input", "nbval-check-output", "records:constraint"]
with run.trained(settings | {"scale": "quick"}) as folder:
    now = read.read_runs(folder, recipe=settings["recipe"], dataset=settings["dataset"])
print(say_training.live(now))

# %% mystnb={"figure": {"caption": "**The training code runs: pairs trained live, while this page was built.** Top-1 in per cent and SS_rate at the end, by default on scikit-learn's digits. One pair per network decides nothing.", "name": "tab-live-training"}} tags=["hide-input", "live"]
read.live_table(now)

# %% [markdown]
# ## Covers
#
# Compare [box covering](box_covering.ipynb): fewer tries per box size, and layers on this build's images.

# %% mystnb={"figure": {"caption": "**The same box dimensions as in the records, live.** Colouring with fewer tries per box size. None: no power law is claimed, for the reason given.", "name": "tab-live-graphs"}} tags=["hide-input", "nbval-check-output", "live"]
read_covers.live_graph_table(covers.graph_dimensions())

# %% mystnb={"figure": {"caption": "**By true boxes SS_rate is larger, live as in the records.** Two layers on this build's images, random weights: largest ratio of the bounds, SS_rate by the released N_\u03b8 and with each bound.", "name": "tab-live-covers"}} tags=["hide-input", "nbval-check-output", "live"]
read_covers.live_cover_table(covers.layer_covers(settings))
