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
# - **Counts** are exact: the distances are sorted once, and each threshold is looked up among them.
# - **The gradient** needs no tensor of thresholds times pairs either. Algorithm 2's surrogate makes dSS/dC a
#   function of C alone, a sum of 256 bell curves; it is tabulated once per call, read for every pair, and a second
#   matrix product carries it to F.
#
# So two matrix products of $D \times D \times B$ are the floor, and the question is how much comes on top.

# %% tags=["parameters", "hide-input"]
scale = "quick"  # this notebook reads records and does the same at every scale

# %% tags=["hide-input"]
from reproduction.settings import check_parameters

settings = check_parameters(globals(), {}, {"quick": {}, "gpu": {}, "paper": {}})

import pandas as pd
from IPython.display import Markdown

from reproduction import records

runs = records.read_all("benchmark-ss-rate").sort_values(["config.device", "config.D", "config.B"])
ours = {unit: runs[f"metrics.ours_{unit}"] for unit in ("ms", "MB")}

# %% [markdown]
# {numref}`tab-speed` holds `sslib` against two rivals and a floor. "Plain" is Algorithm 2 as one would first vectorise it (differences of all pairs, thresholds × pairs, autograd);
# "pdist" the same with PyTorch's own pair distances, the stronger rival. "Floor" is the two matrix products and one
# pass over $D^2$ numbers. Forward and backward pass together; medians of one run in which all are timed in turn; peak
# memory above the inputs. The ratios carry over to other machines better than the milliseconds do.

# %% tags=["hide-input", "nbval-check-output"] mystnb={"figure": {"caption": "**Time and memory of SS_rate with its gradient**, by number of channels D and of images B: ours in milliseconds and megabytes, and its time over that of the floor; then what plain and pdist take, as multiples of ours; -: does not fit into memory. What to see: both rivals take tens to hundreds of times as much of both, and the larger B, the nearer ours comes to the floor.", "name": "tab-speed"}}
columns = {("ours", "ms"): ours["ms"].map("{:.1f}".format), ("ours", "MB"): ours["MB"].map("{:.0f}".format)}
columns["ours", "over floor"] = (ours["ms"] / runs["metrics.floor_ms"]).map("{:.1f}×".format)
for rival in ("plain", "pdist"):
    for unit, what in (("ms", "time"), ("MB", "memory")):
        ratio = runs[f"metrics.{rival}_{unit}"] / ours[unit]
        columns[rival, what] = ratio.map(lambda r: "-" if pd.isna(r) else f"{r:.0f}×")
sizes = [f"{D} × {B}" for D, B in zip(runs["config.D"], runs["config.B"])]
pd.DataFrame(columns).set_axis(sizes)

# %% tags=["hide-input", "nbval-check-output"]
one = runs[(runs["config.D"] == 768) & (runs["config.B"] == 512)].iloc[0]
threads = one["device.threads"]
Markdown(
    f"Measured on {one['device.name']}, {threads} thread{'' if threads == 1 else 's'}, torch {one['versions.torch']}. For D = 768 and B = 512, "
    f"`sslib` is {one['metrics.plain_ms'] / one['metrics.ours_ms']:.0f} times as fast as plain and takes "
    f"{one['metrics.ours_ms'] / one['metrics.floor_ms']:.1f} times the floor."
)

# %% [markdown]
# For small B the floor is out of reach: sorting the pairs and looking up thresholds cost a time that grows with
# $D^2$ alone, while the products shrink with B.
#
# ## In a training step
#
# {numref}`tab-step` has what the constraint adds to a step of ViT-S/16 at 224 pixels (forward, backward, AdamW), from the hooks to the gradient of
# the tapped output, measured on a stand-in so that the step's own noise does not drown it. "In the step" is the whole
# step with the constraint against the one without, noise included.

# %% tags=["hide-input", "nbval-check-output"] mystnb={"figure": {"caption": "**What the constraint adds to a training step** of ViT-S/16: the time of a step without it, and by device and batch size the cost of the constraint in per cent of that step, as `sslib` computes it (ours) and as the two rivals do. What to see: all three are small beside the step, ours the smallest.", "name": "tab-step"}}
steps = records.read_all("benchmark-constraint")
shown = pd.DataFrame({"device": steps["config.device"].str.upper(), "batch": steps["config.batch"]})
shown["step, s"] = (steps["metrics.step_ms"] / 1000).map("{:.2f}".format)
for name in ("ours", "pdist", "plain"):
    shown[f"{name}, %"] = (100 * steps[f"metrics.{name}_share"]).map("{:.2f}".format)
shown["in the step, %"] = (100 * steps["metrics.added_share"]).map("{:+.2f}".format)
shown.set_index("device").rename_axis(None)

# %% tags=["hide-input"]
kinds, machines = sorted(set(steps["config.device"])), dict.fromkeys(steps["device.name"])
Markdown(
    f"The constraint costs {steps['metrics.ours_share'].max():.2%} of a step at most; written down plainly it would cost at least "
    f"{(steps['metrics.plain_ms'] / steps['metrics.ours_ms']).min():.1f} times as much. Measured on {', '.join(machines)}"
    + ("." if "cuda" in kinds else "; **on a GPU: not run**.")
)

# %% [markdown]
# To measure another machine: `python benchmarks/ss_rate.py` and `python benchmarks/constraint.py`, with `--device cuda` on a
# GPU, and `--record` to keep the result for this page.
