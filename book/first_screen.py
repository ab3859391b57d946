"""The picture of the first page: one layer's two box curves over the straight line of Eq. 4."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from reproduction import explorer

#: A layer all of whose channels the explorer has, so that its SS_rate is the layer's own.
LAYER = ("PVT", "stages.1")

#: Of the picture, in its own units: size, and the frame's left, top, right and bottom.
SIZE, FRAME = (480, 300), (46, 12, 468, 256)


def picture() -> str:
    """The figure as HTML: an SVG that takes the page's colours, and its caption."""
    kept = explorer.read()["metrics"]["layers"]
    layer = next(one for one in kept if (one["model"], one["module"]) == LAYER)
    if layer["channels"] != layer["D"]:
        raise ValueError(
            f"the explorer has {layer['D']} channels of {layer['channels']} of {LAYER}"
        )
    name = f"{layer['model']}, {layer['module']}"
    rates = {formula: f"{rate:.2f}" for formula, rate in layer["ss_rate"].items()}
    label = (
        f"log N against log(1 + theta) for {name}: the released curve lies below the straight "
        f"line, the printed curve above it."
    )
    left, top, right, bottom = FRAME
    axes = "".join(
        f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>'
        for x, y, anchor, text in (
            (left - 8, top + 10, "end", "log D"),
            (left - 8, bottom + 4, "end", "0"),
            (left, bottom + 20, "start", "closest pair"),
            ((left + right) / 2, bottom + 38, "middle", "threshold θ (log scale)"),
            (right, bottom + 20, "end", "farthest pair"),
            (0.38 * left + 0.62 * right, top + 78, "middle", "printed:"),
            (0.38 * left + 0.62 * right, top + 97, "middle", f"SS_rate = {rates['printed']}"),
            (left + 12, bottom - 12, "start", f"released: SS_rate = {rates['released']}"),
        )
    )
    lines = {formula: _path(layer, formula) for formula in ("released", "printed")}
    area = lines["released"]
    return "\n".join(
        [
            '<figure class="explorer first-picture">',
            f'<svg viewBox="0 0 {SIZE[0]} {SIZE[1]}" role="img" aria-label="{html.escape(label)}">',
            f'<path class="x-area x-released" d="{area} Z"/>',
            f'<path class="x-line" d="M{left} {top} L{right} {bottom}"/>',
            *(f'<path class="x-curve x-{name}" d="{d}"/>' for name, d in lines.items()),
            f'<path class="x-axes" d="M{left} {top} V{bottom} H{right}"/>',
            axes,
            "</svg>",
            f"<figcaption>SS_rate is the shaded area, as a share of half the picture. The paper’s "
            f"formula and its authors’ code count boxes differently: {rates['printed']} and "
            f"{rates['released']} for one layer ({html.escape(name)}, {layer['D']} channels, "
            f"{layer['B']} images, {layer['state']}).</figcaption>",
            "</figure>",
        ]
    )


def _path(layer: Mapping[str, Any], formula: str) -> str:
    """A curve as an SVG path: its thresholds are evenly spaced in log(1 + theta)."""
    left, top, right, bottom = FRAME
    boxes: Sequence[float] = layer["curves"][formula]
    points = [
        (
            left + (right - left) * step / (len(boxes) - 1),
            bottom - (bottom - top) * math.log(n) / math.log(layer["D"]),
        )
        for step, n in enumerate(boxes)
    ]
    return "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
