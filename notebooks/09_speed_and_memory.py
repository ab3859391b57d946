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
from sslib.parameters import check_parameters

settings = check_parameters(globals(), {}, {"quick": {}, "gpu": {}, "paper": {}})

import pandas as pd
from IPython.display import Markdown

from sslib import records

runs = records.read_all("benchmark-ss-rate").sort_values(["config.device", "config.D", "config.B"])
ours = {unit: runs[f"metrics.ours_{unit}"] for unit in ("ms", "MB")}

# %% [markdown]
# "Plain" is Algorithm 2 as one would first vectorise it (differences of all pairs, thresholds × pairs, autograd);
# "pdist" the same with PyTorch's own pair distances, the stronger rival. "Floor" is the two matrix products and one
# pass over $D^2$ numbers. Forward and backward pass together; medians of one run in which all are timed in turn; peak
# memory above the inputs. The ratios carry over to other machines better than the milliseconds do.

# %% tags=["hide-input", "nbval-check-output"]
columns = {"D × B": runs["config.D"].map(str) + " × " + runs["config.B"].map(str), "ms": ours["ms"].map("{:.1f}".format)}
columns["MB"] = ours["MB"].map("{:.0f}".format)
columns["over floor"] = (ours["ms"] / runs["metrics.floor_ms"]).map("{:.1f}×".format)
for rival in ("plain", "pdist"):
    for unit, what in (("ms", "time"), ("MB", "memory")):
        ratio = runs[f"metrics.{rival}_{unit}"] / ours[unit]
        columns[f"{rival}, {what}"] = ratio.map(lambda r: "does not fit" if pd.isna(r) else f"{r:.0f}×")
pd.DataFrame(columns).set_index("D × B").rename_axis(None)

# %% tags=["hide-input", "nbval-check-output"]
machine, versions = runs["device.name"].iloc[0], runs["versions.torch"].iloc[0]
one = runs[(runs["config.D"] == 768) & (runs["config.B"] == 512)].iloc[0]
print(f"measured on {machine}, {runs['device.threads'].iloc[0]} threads, torch {versions}")
print(f"D = 768, B = 512: {one['metrics.plain_ms'] / one['metrics.ours_ms']:.0f} times faster than plain, "
      f"{one['metrics.ours_ms'] / one['metrics.floor_ms']:.1f} times the floor")

# %% [markdown]
# For small B the floor is out of reach: sorting the pairs and looking up thresholds cost a time that grows with
# $D^2$ alone, while the products shrink with B.
#
# ## In a training step
#
# What the constraint adds to a step of ViT-S/16 at 224 pixels (forward, backward, AdamW), from the hooks to the gradient of
# the tapped output, measured on a stand-in so that the step's own noise does not drown it. "Step with it" is the whole step,
# noise included.

# %% tags=["hide-input", "nbval-check-output"]
steps = records.read_all("benchmark-constraint")
shown = pd.DataFrame({"machine": steps["device.name"], "batch": steps["config.batch"]})
shown["step, s"] = (steps["metrics.step_ms"] / 1000).map("{:.2f}".format)
for name, title in (("ours", "constraint"), ("pdist", "pdist"), ("plain", "plain")):
    shown[f"{title}, share"] = steps[f"metrics.{name}_share"].map("{:.2%}".format)
shown["step with it"] = steps["metrics.added_share"].map("{:+.2%}".format)
shown.set_index("machine").rename_axis(None)

# %% tags=["hide-input"]
kinds = sorted(set(steps["config.device"]))
Markdown(
    f"The constraint costs {steps['metrics.ours_share'].max():.2%} of a step or less; written down plainly it would be "
    f"{(steps['metrics.plain_ms'] / steps['metrics.ours_ms']).min():.1f} times as much. Measured on: {', '.join(kinds)}"
    + ("." if "cuda" in kinds else "; **on a GPU: not run**.")
)

# %% [markdown]
# To measure another machine: `python benchmarks/ss_rate.py` and `python benchmarks/constraint.py`, with `--device cuda` on a
# GPU, and `--record` to keep the result for this page.
