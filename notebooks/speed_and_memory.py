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
# # Speed and memory
#
# A constraint that is computed in every training step has to be cheap. Written down plainly, Algorithm 2 needs a
# tensor of thresholds times pairs: 256 × 294,528 numbers for a layer of 768 channels. `sslib` needs neither that nor
# an approximation:
#
# - **Distances** come from one matrix product, computed once per pair; the few pairs that lie too close for the
#   product's digits are recomputed from their differences, so equal channels have distance exactly 0.
# - **Counts** are exact, and few distances are sorted for them: for most, the bin that a distance falls into, one of
#   8,192 of equal width, already says between which thresholds it lies. On a GPU all are sorted.
# - **The gradient** needs no tensor of thresholds times pairs either. Algorithm 2's surrogate makes dSS/dC a
#   function of C alone, a sum of 256 bell curves; it is tabulated once per call, read for every pair, and a second
#   matrix product carries it to F.
# - **Memory** grows with $D \times B$: distances are made in blocks of rows, counted, dropped, and made again for the
#   gradient. Up to 5,800 channels they are kept instead, which costs 64 MB at most and saves two products.
#
# So two matrix products of $D \times D \times B$ are the floor, and the question is how much comes on top.

# %% tags=["parameters", "hide-input"]
scale = "quick"  # this notebook reads records and does the same at every scale

# %% tags=["hide-input"]
from IPython.display import Markdown

from reproduction import records
from reproduction.benchmarks import draw, read, say
from reproduction.settings import start

settings = start("speed_and_memory", globals())
runs, steps = records.read_all(read.SPEED), records.read_all(read.STEP)
scaling = read.scaling(records.read_all(read.SCALING))

# %% [markdown]
# {numref}`tab-speed` holds `sslib` against two rivals and a floor. "Plain" is Algorithm 2 as one would first vectorise it (differences of all pairs, thresholds × pairs, autograd);
# "pdist" the same with PyTorch's own pair distances, the stronger rival. "Floor" is the two matrix products and one
# pass over $D^2$ numbers. Forward and backward pass together; medians of one run in which all are timed in turn; peak
# memory above the inputs. Milliseconds are those of one machine, which is named below the table; whether the ratios carry over to
# others has not been measured.

# %% tags=["hide-input", "nbval-check-output", "records:benchmark-ss-rate"] mystnb={"figure": {"caption": "**Both rivals take tens to hundreds of times as much time and memory.** SS_rate with its gradient on one machine: ours in milliseconds and megabytes and over the floor, the rivals as multiples of ours. -: does not fit.", "name": "tab-speed"}}
read.speed(runs)

# %% tags=["hide-input", "nbval-check-output"]
Markdown(say.speed(read.speed_at(runs)))

# %% [markdown]
# For small B the floor is out of reach: counting the pairs and reading the gradient's table cost a time that grows
# with $D^2$ alone, while the products shrink with B. Where one thread did the work, times are those of the processor,
# so that other programs on the machine add nothing.
#
# ## More channels
#
# {numref}`fig-scaling` goes from 512 channels up, with 64 images. The rivals hold tensors of thresholds times pairs and
# stop where 2.5 GB do not hold one; above 8,192 channels the floor is made in blocks of rows as well.

# %% tags=["hide-input", "records:benchmark-scaling"] mystnb={"image": {"alt": "Time and memory of SS_rate from 512 to 65,536 channels on logarithmic axes."}, "figure": {"caption": "**Time grows with D\u00b2, memory with D.** SS_rate with its gradient at B = 64: sslib, the floor of two products and a pass, and two rivals while they fit. Dotted: the matrix of distances alone.", "name": "fig-scaling"}}
draw.plot_scaling(scaling);

# %% tags=["hide-input", "nbval-check-output"]
Markdown(say.scaling(scaling))

# %% [markdown]
# ## In a training step
#
# {numref}`tab-step` has what the constraint adds to a step of ViT-S/16 at 224 pixels (forward, backward, AdamW), from the
# hooks to the gradient of the tapped output. It is measured on a stand-in, so that the step's own noise does not drown
# it. "In the step" compares whole steps with and without the constraint, noise included.

# %% tags=["hide-input", "nbval-check-output", "records:benchmark-constraint"] mystnb={"figure": {"caption": "**The constraint adds little to a training step, least in sslib.** ViT-S/16: time of a step without it and, by device and batch size, the constraint's cost in per cent for sslib and two rivals.", "name": "tab-step"}}
read.step(steps)

# %% tags=["hide-input"]
Markdown(say.cost(read.cost(steps)))

# %% [markdown]
# To measure another machine: `python benchmarks/ss_rate.py` and `python benchmarks/constraint.py`, with `--device cuda` on a
# GPU, and `--record` to keep the result for this page.
