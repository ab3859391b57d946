"""One function per figure: takes data, returns a matplotlib Figure; nothing is computed but
positions on paper.

Every figure uses the same signs: a colour per family, a marker per training state, and a grey line
for the reference that a curve is held against. The colours are Okabe and Ito's, told apart without
red-green vision.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike
from torch import Tensor

from sslib.invariance import CorrelationDimension, PowerLaw
from sslib.rate import BoxCurve
from sslib.stats import mean_interval

FAMILY_COLOURS = {"attention": "#0072B2", "cnn": "#D55E00", "mlp": "#009E73"}
FAMILY_LABELS = {"attention": "attention", "cnn": "convolution", "mlp": "MLP"}
STATE_MARKERS = {"untrained": "^", "trained": "s"}
INK, GREY = "#222222", "#767676"


def use_style() -> None:
    """Set matplotlib up for the book: opaque white, light grid, SVG files that come out the same
    every time.
    """
    plt.rcParams.update(
        {
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "figure.constrained_layout.use": True,
            "figure.dpi": 110,
            "font.size": 10,
            "axes.titlesize": 10,
            "axes.titleweight": "bold",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#e6e6e6",
            "grid.linewidth": 0.6,
            "axes.axisbelow": True,
            "axes.edgecolor": GREY,
            "text.color": INK,
            "axes.labelcolor": INK,
            "legend.frameon": False,
            "svg.hashsalt": "sslib",
        }
    )


def plot_distances(distances: Mapping[str, Tensor]) -> Figure:
    """Pair distances C as images, channels ordered by their mean distance to the others.

    distances: panel title -> (D, D) matrix of ``pair_distances``.
    """
    figure, axes = plt.subplots(
        1, len(distances), figsize=(3.1 * len(distances), 2.8), squeeze=False
    )
    for axis, (title, C) in zip(axes[0], distances.items()):
        C = _array(C)
        order = C.mean(0).argsort()
        image = axis.imshow(
            C[np.ix_(order, order)], cmap="cividis", interpolation="nearest", rasterized=True
        )
        axis.set(title=title, xlabel="channel, by mean distance", ylabel="channel")
        axis.grid(False)
        figure.colorbar(image, ax=axis, label=r"$C_{ij}$", shrink=0.85)
    return figure


def plot_adjacency(
    positions: Mapping[str, ArrayLike], graphs: Mapping[str, Mapping[str, Tensor]]
) -> Figure:
    """A_epsilon drawn over the channels' positions: a row per layer, a column per epsilon (Eq. 1).

    positions: row title -> (D, 2); graphs: row title -> column title -> (D, D) bool adjacency
    matrix.

    At most 4000 edges are drawn per panel, evenly taken.
    """
    columns = max(map(len, graphs.values()))
    figure, axes = plt.subplots(
        len(graphs), columns, figsize=(1.9 * columns + 0.3, 1.9 * len(graphs)), squeeze=False
    )
    for row, (layer, panels) in zip(axes, graphs.items()):
        place = _array(positions[layer])
        for axis, A in zip(row, panels.values()):
            i, j = np.nonzero(np.triu(_array(A), 1))
            shown = slice(None, None, math.ceil(len(i) / 4000) or 1)
            edges = np.stack([place[i[shown]], place[j[shown]]], axis=1)
            axis.add_collection(
                LineCollection(edges, colors=GREY, linewidths=0.5, alpha=0.5, rasterized=True)
            )
            isolated = ~_array(A).any(0)
            axis.scatter(*place[~isolated].T, s=6, color=INK, linewidths=0, zorder=2)
            axis.scatter(
                *place[isolated].T, s=8, facecolor="white", edgecolor=INK, linewidths=0.5, zorder=2
            )
            axis.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
            axis.spines[:].set_visible(False)
        row[0].set_ylabel(layer, weight="bold")
    for axis, title in zip(axes[0], next(iter(graphs.values()))):
        axis.set_title(title)
    return figure


def plot_positions(
    panels: Mapping[str, Mapping[str, ArrayLike]],
    families: Mapping[str, str],
    notes: Mapping[str, str] | None = None,
    *,
    columns: int = 3,
) -> Figure:
    """Fig. 2: channels of one layer per panel in the plane of an MDS, by training state.

    panels: title -> training state -> (D, 2) positions; families: title -> family; notes: title ->
    text below.
    """
    rows = math.ceil(len(panels) / columns)
    columns = min(columns, len(panels))
    figure, axes = plt.subplots(rows, columns, figsize=(2.1 * columns, 2.3 * rows), squeeze=False)
    for axis, (title, states) in zip(axes.flat, panels.items()):
        for state, place in states.items():
            face = FAMILY_COLOURS[families[title]] if state == "untrained" else "none"
            style = {
                "marker": STATE_MARKERS[state],
                "facecolor": face,
                "edgecolor": FAMILY_COLOURS[families[title]],
            }
            axis.scatter(*_array(place).T, s=14, linewidths=0.6, alpha=0.75, label=state, **style)
        axis.set(title=title, xticks=[], yticks=[], aspect="equal")
        axis.set_xlabel((notes or {}).get(title, ""), fontsize=9)
        axis.spines[:].set_visible(False)
        axis.set_adjustable("datalim")
    for axis in list(axes.flat)[len(panels) :]:
        axis.remove()
    if any(len(states) > 1 for states in panels.values()):
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def plot_box_curves(curves: Mapping[str, Mapping[str, BoxCurve]]) -> Figure:
    """log N_theta against log(1 + theta), the line of Eq. 4, and SS_rate as the area between: a row
    per layer.

    curves: row title -> formula -> BoxCurve.
    """
    columns = max(map(len, curves.values()))
    size = (3.1 * columns, 2.3 * len(curves) + 0.6)
    figure, axes = plt.subplots(
        len(curves), columns, figsize=size, squeeze=False, sharex="row", sharey="row"
    )
    for row, (layer, by_formula) in zip(axes, curves.items()):
        for axis, (formula, curve) in zip(row, by_formula.items()):
            x, y, line = (
                _array(v) for v in (curve.theta.log1p(), curve.boxes.log(), curve.reference)
            )
            axis.fill_between(x, y, line, color="#56B4E9", alpha=0.35, linewidth=0)
            axis.plot(x, line, color=GREY, linestyle="--", label="reference line (Eq. 4)")
            axis.plot(x, y, color=INK, linewidth=1.6, label=r"$\log N_\theta$")
            axis.set_title(f"{layer}, {formula}")
            # where the area leaves room: left below a falling curve, left below a high plateau
            axis.text(0.04, 0.06, f"SS_rate = {float(curve.ss_rate):.3f}", transform=axis.transAxes)
        row[0].set_ylabel(r"$\log N_\theta$")
    for axis in axes[-1]:
        axis.set_xlabel(r"$\log(1+\theta)$")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def plot_profiles(profiles: pd.DataFrame) -> Figure:
    """SS_rate along the depth of each model: a row of panels per family, a column per formula.

    profiles: columns model, family, module, depth (0 to 1), formula, ss_rate; with several rows per
        module (seeds) the line is the mean and the band one standard deviation.
    """
    formulas = list(dict.fromkeys(profiles["formula"]))
    families = [family for family in FAMILY_COLOURS if family in set(profiles["family"])]
    size = (3.1 * len(formulas), 2.3 * len(families) + 0.3)
    figure, axes = plt.subplots(
        len(families), len(formulas), figsize=size, squeeze=False, sharex=True, sharey=True
    )
    dashes = _dashes(profiles)
    for row, family in zip(axes, families):
        for axis, formula in zip(row, formulas):
            part = profiles[(profiles["formula"] == formula) & (profiles["family"] == family)]
            for model, rows in part.groupby("model", sort=False):
                spread = rows.groupby("depth")["ss_rate"].agg(["mean", "std"])
                style = {
                    "color": FAMILY_COLOURS[family],
                    "marker": STATE_MARKERS["untrained"],
                    "ls": dashes[model],
                }
                axis.plot(spread.index, spread["mean"], ms=4, label=model, **style)
                if spread["std"].notna().all():
                    low, high = spread["mean"] - spread["std"], spread["mean"] + spread["std"]
                    axis.fill_between(
                        spread.index, low, high, color=style["color"], alpha=0.12, linewidth=0
                    )
            axis.set(title=f"{FAMILY_LABELS[family]}, {formula}", ylim=(0, 1))
        row[0].set_ylabel("SS_rate")
        row[0].legend(loc="upper left", fontsize=9, ncols=2, handlelength=3)
    for axis in axes[-1]:
        axis.set_xlabel("depth (first to last module)")
    return figure


def plot_self_similarity(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """SS_rate along the layers of any models, over the band of their null value: a panel per model.

    tables: title -> DataFrame of ``sslib.self_similarity``. The band is null +- 2 null_std.
    """
    columns = min(len(tables), 2)
    rows = math.ceil(len(tables) / columns)
    size = (3.1 * columns, 2.6 * rows + 0.3)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, sharey=True)
    for axis, (title, table) in zip(axes.flat, tables.items()):
        place = np.arange(len(table))
        low, high = (table["null"] + side * table["null_std"] for side in (-2, 2))
        axis.fill_between(
            place, low, high, color=GREY, alpha=0.25, linewidth=0, label="noise, ± 2 std"
        )
        axis.plot(place, table["null"], color=GREY, linestyle="--", linewidth=1)
        axis.plot(place, table["SS_rate"], color=INK, marker="o", ms=4, label="SS_rate")
        axis.set(title=title, ylim=(0, None), xticks=place)
        axis.set_xticklabels(table.index, rotation=90, fontsize=9)
    for axis in list(axes.flat)[len(tables) :]:
        axis.remove()
    for row in axes:
        row[0].set_ylabel("SS_rate")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def plot_gains(gains: pd.DataFrame, decided: pd.Series) -> Figure:
    """Table 3 as differences: gain and 95 % interval per model, a panel per data set; filled where
    `decided`.

    gains: `audit.gains()`; decided: `audit.decided(gains)`, of the same index.
    """
    datasets = list(dict.fromkeys(gains.index.get_level_values("dataset")))
    order = list(dict.fromkeys(gains.index.get_level_values("model")))[::-1]
    size = (1.8 * len(datasets) + 0.9, 3.4)
    figure, axes = plt.subplots(1, len(datasets), figsize=size, sharey=True, sharex=True)
    for axis, dataset in zip(axes, datasets):
        axis.axvline(0, color=GREY, linewidth=1)
        for (model, _), row in gains.xs(dataset, level="dataset", drop_level=False).iterrows():
            colour = FAMILY_COLOURS[row["family"]]
            face = "white" if decided[model, dataset] == "not told apart" else colour
            bar = [[row["gain"] - row["low"]], [row["high"] - row["gain"]]]
            axis.errorbar(
                row["gain"],
                order.index(model),
                xerr=bar,
                fmt="none",
                ecolor=colour,
                elinewidth=1.5,
                zorder=2,
            )
            axis.scatter(
                row["gain"],
                order.index(model),
                s=26,
                facecolor=face,
                edgecolor=colour,
                linewidth=1.3,
                zorder=3,
            )
        axis.set_title(dataset)
    axes[0].set_yticks(range(len(order)), order)
    figure.supxlabel("constrained − baseline, points", fontsize=10)
    present = dict.fromkeys(gains["family"])
    handles = [
        Line2D([], [], marker="o", ls="", color=FAMILY_COLOURS[f], label=FAMILY_LABELS[f])
        for f in present
    ]
    handles.append(
        Line2D(
            [], [], marker="o", ls="", markerfacecolor="white", color=GREY, label="not told apart"
        )
    )
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=9)
    return figure


def plot_invariance_gain(tables: Mapping[str, pd.DataFrame], families: Mapping[str, str]) -> Figure:
    """Printed invariance against printed gain, a panel per table; filled: the models said to
    improve.

    tables: panel title -> `audit.invariance_against_gain(number)`; families: model of Table 1 ->
    family.
    """
    figure, axes = plt.subplots(
        1, len(tables), figsize=(3.1 * len(tables), 3.2), sharey=True, squeeze=False
    )
    for axis, (title, table) in zip(axes[0], tables.items()):
        axis.axhline(0, color=GREY, linewidth=1)
        for model, row in table.iterrows():
            colour = FAMILY_COLOURS[families[row["network"]]]
            face = colour if row["marked"] else "white"
            axis.scatter(
                row["average"],
                row["points"],
                s=34,
                facecolor=face,
                edgecolor=colour,
                linewidth=1.3,
                zorder=3,
            )
            # beside a neighbour on the right, the name goes to the left
            ahead = (table["average"] - row["average"]) / np.ptp(table["average"])
            crowded = (
                (ahead > 0) & (ahead < 0.05) & ((table["points"] - row["points"]).abs() < 0.3)
            ).any()
            place = {"xytext": (-5, 4), "ha": "right"} if crowded else {"xytext": (5, 4)}
            axis.annotate(
                model,
                (row["average"], row["points"]),
                textcoords="offset points",
                fontsize=9,
                **place,
            )
        axis.margins(x=0.16, y=0.12)
        axis.set(title=title, xlabel="average (less: more invariant)")
    axes[0, 0].set_ylabel("mean gain of Table 3, points")
    return figure


def plot_movement(movement: pd.DataFrame, names: Mapping[str, str]) -> Figure:
    """Where SS_rate went in Table 3: an arrow from baseline to constrained per cell, targets as
    ticks and crosses.

    movement: `audit.movement()`; names: data set -> its label.
    """
    figure, axis = plt.subplots(figsize=(6.2, 7.0))
    for y, ((model, dataset), row) in enumerate(movement[::-1].iterrows()):
        colour = FAMILY_COLOURS[row["family"]]
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
        axis.annotate("", (row["constrained"], y), (row["baseline"], y), arrowprops=arrow)
        axis.scatter(row["baseline"], y, s=22, facecolor="white", edgecolor=colour, zorder=3)
        axis.scatter(row["gamma: table 2"], y, marker="|", s=90, color=INK, zorder=2)
        axis.scatter(row["gamma: released"], y, marker="x", s=26, color=INK, zorder=2)
    labels = [f"{model}, {names.get(dataset, dataset)}" for model, dataset in movement.index[::-1]]
    axis.set_yticks(range(len(labels)), labels, fontsize=9)
    axis.set(xlabel="SS_rate", xlim=(0, 0.75), ylim=(-0.8, len(labels) - 0.2))
    handles = [
        Line2D(
            [],
            [],
            marker="o",
            ls="",
            markerfacecolor="white",
            color=GREY,
            label="baseline; arrow: to constrained",
        ),
        Line2D([], [], marker="|", ls="", ms=9, color=INK, label="trained value of Table 2"),
        Line2D([], [], marker="x", ls="", ms=5, color=INK, label="γ of the released command"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, fontsize=9)
    return figure


def plot_spectra(spectra: Mapping[str, Mapping[str, tuple[ArrayLike, PowerLaw]]]) -> Figure:
    """Share of a layer's eigenvalues that reach a value, and the power law fitted to them: a row
    per layer.

    spectra: row title -> column title -> (eigenvalues, fit). A power law is a straight line here;
    the fit is drawn over the eigenvalues it uses.
    """
    columns = max(map(len, spectra.values()))
    size = (3.3 * columns, 2.0 * len(spectra))
    figure, axes = plt.subplots(len(spectra), columns, figsize=size, squeeze=False, sharex="col")
    for row, (layer, panels) in zip(axes, spectra.items()):
        for axis, (way, (values, fit)) in zip(row, panels.items()):
            values = np.sort(_array(values))[::-1]
            values = values[values > 1e-10]
            axis.loglog(values, np.arange(1, len(values) + 1) / len(values), ".", ms=3, color=GREY)
            tail = np.array([fit.x_min, values[0]])
            share = fit.n_tail / fit.n * (tail / fit.x_min) ** (1 - fit.exponent)
            axis.loglog(tail, share, color=FAMILY_COLOURS["cnn"], linewidth=1.8)
            text = f"γ = {fit.exponent:.2f} ± {fit.standard_error:.2f}\nKS {fit.ks_distance:.2f}, n = {fit.n_tail}"
            axis.text(0.97, 0.95, text, transform=axis.transAxes, fontsize=9, ha="right", va="top")
            axis.set(title=f"{layer}, {way}", ylim=(0.5 / len(values), 1.5))
        row[0].set_ylabel("share ≥ λ")
    for axis in axes[-1]:
        axis.set_xlabel("eigenvalue λ")
    return figure


def plot_correlation_integrals(fits: Mapping[str, Mapping[str, CorrelationDimension]]) -> Figure:
    """T(r) against r on log-log axes and the line fitted to it: a row per layer, a column per
    estimator.

    fits: row title -> column title -> CorrelationDimension. The shaded band is the region of the
    fit.
    """
    columns = max(map(len, fits.values()))
    size = (3.3 * columns, 2.0 * len(fits))
    figure, axes = plt.subplots(
        len(fits), columns, figsize=size, squeeze=False, sharex="col", sharey="col"
    )
    for row, (layer, panels) in zip(axes, fits.items()):
        for axis, (way, fit) in zip(row, panels.items()):
            axis.loglog(fit.radii, fit.integral, ".", ms=2.5, color=GREY)
            ends = np.array(fit.region)
            axis.axvspan(*ends, color="#56B4E9", alpha=0.2, linewidth=0)
            axis.loglog(
                ends,
                np.exp(fit.intercept) * ends**fit.dimension,
                color=FAMILY_COLOURS["cnn"],
                linewidth=1.8,
            )
            text = f"{fit.dimension:.2f} ± {fit.standard_error:.2f}"
            axis.text(0.96, 0.05, text, transform=axis.transAxes, fontsize=9, ha="right")
            axis.set(title=f"{layer}, {way}")
        row[0].set_ylabel("T(r)")
    for axis in axes[-1]:
        axis.set_xlabel("distance r")
    return figure


def plot_against_paper(
    table: pd.DataFrame, families: Mapping[str, str], ways: Sequence[str]
) -> Figure:
    """Measured values beside the printed ones, a row of panels per way and a column per data set.

    table: columns model, images, way, paper, ours, std (``invariance_grid.invariance_table``);
    families: model -> family.

    Models stand in the order of their printed values, the smallest below; those that were not run
    are left out.
    """
    table = table.dropna(subset="ours")
    sets = list(dict.fromkeys(table["images"]))
    size = (3.3 * max(len(sets), 1), 2.5 * len(ways) + 0.3)
    figure, axes = plt.subplots(
        len(ways), max(len(sets), 1), figsize=size, squeeze=False, sharex="row"
    )
    for row, way in zip(axes, ways):
        for axis, images in zip(row, sets):
            part = table[(table["way"] == way) & (table["images"] == images)].sort_values("paper")
            for y, cell in enumerate(part.itertuples()):
                axis.plot([cell.paper, cell.ours], [y, y], color=GREY, linewidth=0.8, zorder=1)
                style = {
                    "marker": STATE_MARKERS["untrained"],
                    "color": FAMILY_COLOURS[families[cell.model]],
                    "ms": 6,
                    "capsize": 2,
                }
                axis.errorbar(cell.ours, y, xerr=cell.std if cell.std > 0 else None, ls="", **style)
            axis.plot(
                part["paper"], range(len(part)), ls="", marker="o", mfc="white", color=INK, ms=5
            )
            axis.set_yticks(range(len(part)), part["model"])
            axis.set(xscale="log", title=f"{images}, {way}")
            axis.grid(False, axis="y")
            values = table.loc[table["way"] == way, ["paper", "ours"]]
            if values.max(axis=None) < 100 * values.min(axis=None):
                _log_axis(axis, values.min(axis=None), values.max(axis=None))
    handles = [Line2D([], [], ls="", marker="o", mfc="white", color=INK, label="paper")]
    handles.append(
        Line2D(
            [], [], ls="", marker=STATE_MARKERS["untrained"], color=GREY, label="ours, untrained"
        )
    )
    present = dict.fromkeys(families[model] for model in table["model"])
    handles += [
        Line2D([], [], lw=4, color=FAMILY_COLOURS[f], label=FAMILY_LABELS[f]) for f in present
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=9)
    return figure


def plot_invariance_layers(
    layers: pd.DataFrame,
    value: str,
    label: str,
    ways: Sequence[str],
    *,
    null: str | None = None,
    log: bool = False,
) -> Figure:
    """A number of every layer along the depth: a row per way, a column per data set, a line per
    model.

    layers: of ``invariance_grid.layer_table``; value: the column drawn, null: the column of its
    null value, drawn as a grey band from the smallest to the largest; label: of the axis; log: rows
    that span more than a decade have a logarithmic axis. Lines are means over seeds.
    """
    sets = list(dict.fromkeys(layers["images"]))
    size = (3.3 * len(sets), 2.5 * len(ways) + 0.5)
    figure, axes = plt.subplots(
        len(ways), len(sets), figsize=size, squeeze=False, sharex=True, sharey="row"
    )
    dashes = _dashes(layers)
    for row, way in zip(axes, ways):
        for axis, images in zip(row, sets):
            part = layers[(layers["way"] == way) & (layers["images"] == images)]
            if null and len(part):
                low, high = part[null].min(), part[null].max()
                axis.axhspan(
                    low, high, color=GREY, alpha=0.2, linewidth=0, label="noise of these shapes"
                )
            for model, rows in part.groupby("model", sort=False):
                line = rows.groupby("depth")[value].mean()
                colour = FAMILY_COLOURS[rows["family"].iloc[0]]
                marker = STATE_MARKERS["untrained"]
                axis.plot(
                    line.index,
                    line,
                    ms=4,
                    color=colour,
                    marker=marker,
                    ls=dashes[model],
                    label=model,
                )
            axis.set(title=f"{images}, {way}")
        drawn = layers.loc[layers["way"] == way, [value, null] if null else [value]]
        if log and drawn.max().max() > 10 * drawn.min().min():
            row[0].set_yscale("log")  # shared along the row
        row[0].set_ylabel(label)
    for axis in axes[-1]:
        axis.set_xlabel("depth (first to last module)")
    lines = {
        label: line for axis in axes.flat for line, label in zip(*axis.get_legend_handles_labels())
    }
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=4, fontsize=9)
    return figure


def plot_differences(differences: pd.DataFrame, *, label: str = "top-1, points") -> Figure:
    """Paired differences, a row per model: a dot per pair, and the mean with its 95 % interval (t).

    differences: columns model, family, difference, as of ``constraint_grid.paired``.
    """
    names = list(dict.fromkeys(differences["model"]))[::-1]
    figure, axis = plt.subplots(figsize=(6.4, 0.6 * len(names) + 1.1))
    axis.axvline(0, color=GREY, linestyle="--", linewidth=1)
    for height, name in enumerate(names):
        part = differences[differences["model"] == name]
        values, colour = part["difference"].to_numpy(), FAMILY_COLOURS[part["family"].iloc[0]]
        spread = np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else [0.0]
        axis.scatter(
            values, height + 0.22 + np.asarray(spread), s=16, color=colour, alpha=0.6, linewidths=0
        )
        mean, low, high, n = mean_interval(values)
        if n > 1:
            axis.plot([low, high], [height, height], color=colour, linewidth=2)
        axis.plot(mean, height, marker="D", ms=6, color=colour)
    axis.set(
        yticks=range(len(names)),
        yticklabels=names,
        xlabel=f"constrained - baseline, {label}",
        ylim=(-0.6, len(names) - 0.3),
    )
    axis.grid(False, axis="y")
    return figure


def plot_histories(histories: pd.DataFrame) -> Figure:
    """SS_rate (left) and test accuracy (right) over epochs, a row per model, a line per arm with a
    band of one std.

    histories: of ``constraint_grid.histories``. The constrained arm is dashed, so that equal lines
    stay visible.
    """
    names = list(dict.fromkeys(histories["model"]))
    columns = {"ss_rate_train": "SS_rate", "test": "test top-1, %"}
    figure, axes = plt.subplots(
        len(names), 2, figsize=(6.6, 1.9 * len(names) + 0.7), squeeze=False, sharex=True
    )
    for row, name in zip(axes, names):
        part = histories[histories["model"] == name]
        for axis, (quantity, label) in zip(row, columns.items()):
            for arm, own in part.groupby("arm", sort=True):
                drawn = own.groupby("epoch")[quantity].agg(["mean", "std"])
                colour = FAMILY_COLOURS[own["family"].iloc[0]] if arm != "baseline" else INK
                axis.plot(
                    drawn.index,
                    drawn["mean"],
                    color=colour,
                    ls="-" if arm == "baseline" else "--",
                    linewidth=1.8,
                    label=arm,
                )
                axis.fill_between(
                    drawn.index,
                    drawn["mean"] - drawn["std"],
                    drawn["mean"] + drawn["std"],
                    color=colour,
                    alpha=0.13,
                    linewidth=0,
                )
            axis.set(title=name, ylabel=label)
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        row[1].legend(loc="lower right", fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel("epoch")
    return figure


def plot_gradient_ratios(histories: pd.DataFrame, *, columns: int = 2) -> Figure:
    """The penalty's gradient over the task's, over epochs and on a logarithmic axis: a panel per
    model, a line per arm.

    histories: of ``constraint_grid.histories``, arms with a penalty; ratios of 0, as with damping
    0, are not drawn.
    """
    names = list(dict.fromkeys(histories["model"]))
    rows, across = math.ceil(len(names) / columns), min(columns, len(names))
    figure, axes = plt.subplots(
        rows,
        across,
        figsize=(3.3 * across, 2.3 * rows + 0.8),
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    arms = histories.groupby("arm")["gradient_ratio"].median().sort_values().index
    shades = dict(zip(arms, plt.get_cmap("viridis")(np.linspace(0, 0.85, max(2, len(arms))))))
    for axis, name in zip(axes.flat, names):
        part = histories[(histories["model"] == name) & (histories["gradient_ratio"] > 0)]
        for arm in dict.fromkeys(part["arm"]):
            median = part[part["arm"] == arm].groupby("epoch")["gradient_ratio"].median()
            axis.plot(
                median.index,
                median,
                color=shades[arm],
                ls=":" if arm.startswith("placebo") else "-",
                label=arm,
            )
        axis.axhline(1, color=GREY, linestyle="--", linewidth=1)
        axis.set(title=name, xlabel="epoch", yscale="log")
        axis.tick_params(labelbottom=True)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("gradient ratio")
    lines = {
        label: line for axis in axes.flat for line, label in zip(*axis.get_legend_handles_labels())
    }
    order = [arm for arm in arms if arm in lines]
    figure.legend(
        [lines[arm] for arm in order], order, loc="outside lower center", ncols=3, fontsize=9
    )
    return figure


def plot_doses(doses: pd.DataFrame, families: Mapping[str, str]) -> Figure:
    """What alpha does to the modules' distance from their target (left) and to accuracy (right),
    against the baseline; open squares: placebo.

    doses: of ``constraint_grid.dose_response``; families: name of the model -> family.
    """
    figure, axes = plt.subplots(1, 2, figsize=(6.6, 3.4))
    for (model, penalty), part in doses.groupby(level=["model", "penalty"], sort=False):
        alpha = part.index.get_level_values("alpha").to_numpy(float) * (
            1.12 if penalty == "placebo" else 1
        )
        placebo = penalty == "placebo"
        colour = FAMILY_COLOURS[families[model]]
        style = {
            "color": colour,
            "marker": "s" if placebo else "o",
            "ms": 6,
            "ls": "" if placebo else "-",
            "mfc": "white" if placebo else colour,
            "label": f"{model}, {penalty}",
        }
        axes[0].plot(alpha, -part["nearer"], **style)
        error = np.abs(part[["low", "high"]].to_numpy().T - part["top-1"].to_numpy())
        axes[1].errorbar(alpha, part["top-1"], yerr=error, capsize=2, linewidth=1, **style)
    for axis, label in zip(
        axes, (r"distance from $\gamma$ against baseline", "top-1 against baseline, points")
    ):
        axis.axhline(0, color=GREY, linestyle="--", linewidth=1)
        axis.set(xscale="log", xlabel=r"$\alpha$", ylabel=label)
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9
    )
    return figure


def plot_boxes(
    places: ArrayLike,
    boxes: Mapping[str, Sequence[Sequence[int]]],
    counts: Mapping[str, ArrayLike],
    steps: Sequence[int],
) -> Figure:
    """The still picture of the explorer: one layer's boxes at some thresholds, and the numbers of
    boxes at all of them.

    places: (D, 2); boxes: panel title -> groups of channels; counts: "released", "printed", "lower"
    and "upper" -> (T,) number of boxes at thresholds uniform in log(1 + theta); steps: the panels'
    positions among them.
    """
    from matplotlib.patches import Polygon
    from scipy.spatial import ConvexHull, QhullError

    place, D = _array(places), len(_array(places))
    figure, axes = plt.subplot_mosaic(
        [list(boxes), ["N"] * len(boxes)], figsize=(6.6, 5.2), height_ratios=[1, 1.2]
    )
    for title, groups in boxes.items():
        axis = axes[title]
        for group in groups:
            corners = place[list(group)]
            try:
                corners = corners[ConvexHull(corners).vertices]
            except (QhullError, ValueError):
                pass  # one point, or all on a line
            style = {
                "facecolor": FAMILY_COLOURS["attention"],
                "edgecolor": FAMILY_COLOURS["attention"],
            }
            axis.add_patch(Polygon(corners, alpha=0.25, linewidth=1, **style))
        axis.scatter(place[:, 0], place[:, 1], s=6, color=FAMILY_COLOURS["attention"], linewidths=0)
        axis.set(title=title, xticks=[], yticks=[], aspect="equal")
        axis.spines[:].set_visible(False)
    axis, share = axes["N"], np.linspace(0, 1, len(_array(counts["released"])))
    low, high = (np.log(_array(counts[bound])) for bound in ("lower", "upper"))
    axis.fill_between(share, low, high, color=GREY, alpha=0.4, label="boxes that exist")
    axis.plot([0, 1], [math.log(D), 0], color=GREY, linestyle="--", label="line (Eq. 4)")
    for formula, style in (("released", "-"), ("printed", ":")):
        axis.plot(share, np.log(_array(counts[formula])), color=INK, linestyle=style, label=formula)
    for step in steps:
        axis.axvline(share[step], color=GREY, linewidth=0.6)
    axis.set(xlabel=r"$\log(1+\theta)$, from TZ to TV", ylabel=r"$\log N$", xticks=[])
    figure.legend(
        *axis.get_legend_handles_labels(), fontsize=9, loc="outside lower center", ncols=4
    )
    return figure


def plot_layers(
    table: pd.DataFrame,
    y: str,
    columns: Mapping[str, str],
    *,
    log: Sequence[str] = (),
    columns_per_row: int = 2,
) -> Figure:
    """One point per layer: the column `y` against each of several others, a panel each.

    table: with `y`, `family` and the keys of `columns`, whose values are labels; log: the columns
    drawn on a log axis.
    """
    rows = math.ceil(len(columns) / columns_per_row)
    across = min(columns_per_row, len(columns))
    figure, axes = plt.subplots(
        rows, across, figsize=(3.3 * across, 2.4 * rows + 0.3), squeeze=False, sharey=True
    )
    for axis, (column, label) in zip(axes.flat, columns.items()):
        for family, part in table.groupby("family", sort=False):
            style = {
                "color": FAMILY_COLOURS[family],
                "marker": STATE_MARKERS["untrained"],
                "label": FAMILY_LABELS[family],
            }
            axis.scatter(
                part[column],
                part[y],
                s=9 if len(table) > 300 else 22,
                alpha=0.5,
                linewidths=0,
                rasterized=True,
                **style,
            )
        axis.set(xlabel=label)
        if column in log:
            _log_axis(axis, table[column].min(), table[column].max())
    for axis in list(axes.flat)[len(columns) :]:
        axis.remove()
    for row in axes:
        row[0].set_ylabel("SS_rate")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3,
        fontsize=9,
        markerscale=2,
    )
    return figure


def plot_factors(
    table: pd.DataFrame,
    factors: Mapping[str, str],
    formulas: Sequence[str] = ("released", "printed"),
) -> Figure:
    """SS_rate of one layer per family as one thing changes: a row per factor, a column per formula.

    table: ``measures_grid.one_factor_table``; factors: name of a factor with numbers as values ->
    label of its axis.
    """
    size = (3.3 * len(formulas), 2.2 * len(factors) + 0.3)
    figure, axes = plt.subplots(
        len(factors), len(formulas), figsize=size, squeeze=False, sharex="row", sharey="col"
    )
    for row, (factor, label) in zip(axes, factors.items()):
        for axis, formula in zip(row, formulas):
            for (model, family), part in table[table["factor"] == factor].groupby(
                ["model", "family"], sort=False
            ):
                part = part.assign(value=part["value"].astype(float)).sort_values("value")
                style = {"color": FAMILY_COLOURS[family], "marker": STATE_MARKERS["untrained"]}
                axis.plot(
                    part["value"],
                    part[formula],
                    ms=4,
                    label=f"{model} {part['module'].iloc[0]}",
                    **style,
                )
                low, high = (
                    part[f"{formula}, {end}"].fillna(part[formula]) for end in ("low", "high")
                )
                axis.fill_between(
                    part["value"], low, high, color=style["color"], alpha=0.15, linewidth=0
                )
            values = table.loc[table["factor"] == factor, "value"].astype(float)
            _log_axis(axis, values.min(), values.max())
            axis.set(title=formula if factor == next(iter(factors)) else "", xlabel=label)
        row[0].set_ylabel("SS_rate")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9
    )
    return figure


def plot_graph_profile(
    table: pd.DataFrame, columns: Mapping[str, str], *, columns_per_row: int = 2
) -> Figure:
    """Statistics of A_epsilon against the share of pairs it joins: solid for features, dashed for
    Gaussian noise.

    table: ``measures_grid.graph_table``; columns: statistic -> label, a panel each.
    """
    rows, across = math.ceil(len(columns) / columns_per_row), min(columns_per_row, len(columns))
    figure, axes = plt.subplots(
        rows, across, figsize=(3.3 * across, 2.4 * rows + 0.3), squeeze=False
    )
    for axis in list(axes.flat)[len(columns) :]:
        axis.remove()
    for axis, (column, label) in zip(axes.flat, columns.items()):
        for (model, family, kind), part in table.groupby(["model", "family", "of"], sort=False):
            noise = kind == "gaussian"
            style = (
                {"color": GREY, "ls": "--", "lw": 0.8}
                if noise
                else {"color": FAMILY_COLOURS[family], "lw": 1.3}
            )
            axis.plot(part["density"], part[column], **style)
        axis.set(xlabel="share of pairs joined", title=label)
        _log_axis(axis, table["density"].min(), table["density"].max())
        if column == "sigma":
            axis.axhline(1, color=INK, lw=0.8, ls=":")
            axis.set_yscale("log")
    shown = [
        plt.Line2D([], [], color=colour, label=FAMILY_LABELS[f])
        for f, colour in FAMILY_COLOURS.items()
        if f in set(table["family"])
    ]
    figure.legend(
        handles=[*shown, plt.Line2D([], [], color=GREY, ls="--", label="Gaussian noise")],
        loc="outside lower center",
        ncols=4,
        fontsize=9,
    )
    return figure


def plot_covers(curves: Mapping[str, Mapping[str, ArrayLike]], *, columns: int = 2) -> Figure:
    """Both N_theta against bounds on the true covering number, as logarithms, with the line of Eq.
    4: a panel each.

    curves: title -> ``measures_grid.cover_curves``.
    """
    rows, across = math.ceil(len(curves) / columns), min(columns, len(curves))
    figure, axes = plt.subplots(
        rows, across, figsize=(3.3 * across, 2.3 * rows + 0.3), squeeze=False
    )
    for axis, (title, curve) in zip(axes.flat, curves.items()):
        x = np.log1p(_array(curve["theta"]))
        lower, upper, released, printed = (
            np.log(_array(curve[k])) for k in ("lower", "upper", "released", "printed")
        )
        axis.plot(
            x[[0, -1]], [math.log(curve["D"]), 0], color=GREY, ls="--", lw=1, label="line (Eq. 4)"
        )
        axis.plot(x, printed, color="#CC79A7", lw=1.4, label=r"$N_\theta$, printed")
        axis.plot(x, released, color="#0072B2", lw=1.4, label=r"$N_\theta$, released")
        axis.fill_between(
            x, lower, upper, color=INK, alpha=0.45, linewidth=0.8, label="covering number"
        )
        axis.set(title=title, xlabel=r"$\log(1+\theta)$")
    for axis in list(axes.flat)[len(curves) :]:
        axis.remove()
    for row in axes:
        row[0].set_ylabel(r"$\log N$")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9
    )
    return figure


def plot_graph_boxes(graphs: Mapping[str, Mapping[str, Mapping]], *, columns: int = 3) -> Figure:
    """Boxes against box size of graphs, both on log axes, and the fit where a power law is claimed:
    a panel per graph.

    graphs: title -> way to cover -> what ``measures_grid.covers`` gives.
    """
    marks = {
        "colouring": ("o", "#0072B2"),
        "burning": ("x", "#D55E00"),
        "growing": ("+", "#009E73"),
    }
    rows, across = math.ceil(len(graphs) / columns), min(columns, len(graphs))
    figure, axes = plt.subplots(
        rows, across, figsize=(2.2 * across, 2.2 * rows + 0.3), squeeze=False, sharey=True
    )
    for axis, (title, found) in zip(axes.flat, graphs.items()):
        for method, one in found.items():
            marker, colour = marks[method]
            axis.scatter(
                one["sizes"],
                one["boxes"],
                s=13,
                marker=marker,
                color=colour,
                linewidths=0.9,
                label=method,
            )
            if method == "colouring" and not one["reason"]:
                size = np.array(one["sizes"], dtype=float)
                boxes = np.array(one["boxes"], dtype=float)
                inside = (size >= one["window"][0]) & (size <= one["window"][1]) & (boxes > 1)
                level = np.mean(np.log(boxes[inside] - 1) + one["slope"] * np.log(size[inside]))
                axis.plot(
                    size[inside], 1 + np.exp(level) * size[inside] ** -one["slope"], color=INK, lw=1
                )
        axis.set(title=title, yscale="log", xlabel=r"box size $\ell$")
        _log_axis(axis, 2, max(max(one["sizes"]) for one in found.values()))
    for axis in list(axes.flat)[len(graphs) :]:
        axis.remove()
    for row in axes:
        row[0].set_ylabel(r"boxes $N(\ell)$")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3,
        fontsize=9,
        markerscale=1.5,
    )
    return figure


def _log_axis(axis: plt.Axes, low: float, high: float) -> None:
    """A logarithmic x axis with three or four plain numbers, however short it is."""
    steps = [m * 10.0**e for e in range(-3, 5) for m in (1, 2, 5)]
    inside = [step for step in steps if low * 0.99 <= step <= high * 1.01]
    if len(inside) > 5:  # whole decades alone, or every third step
        inside = (
            [step for step in inside if math.log10(step) % 1 == 0]
            if high / low > 1e3
            else inside[::3]
        )
    axis.set_xscale("log")
    axis.set_xticks(inside, [f"{step:g}" for step in inside])
    axis.xaxis.set_minor_formatter("")


def _array(values: Tensor | ArrayLike) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _dashes(profiles: pd.DataFrame) -> dict[str, object]:
    """A line style per model within its family, so that colour is not the only sign."""
    styles: Sequence[object] = ("-", "--", ":", "-.", (0, (6, 2, 1, 2, 1, 2)))
    models = profiles[["model", "family"]].drop_duplicates()
    rank = models.groupby("family", sort=False).cumcount()
    return {model: styles[k % len(styles)] for model, k in zip(models["model"], rank)}
