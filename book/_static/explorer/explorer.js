// The explorer page: draws what sslib/explorer.py worked out (data.js). Nothing is loaded, nothing is computed but
// positions on the screen and sums over the pairs; without this script the page shows a still picture.
(() => {
  "use strict";
  const root = document.getElementById("layer-explorer");
  const record = window.sslibExplorer;
  if (!root || !record) return;

  const LAST = 255; // the last of the 256 thresholds
  const layers = record.metrics.layers;
  const $ = (name) => root.querySelector(`[data-x="${name}"]`);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const digits = (value) => (value === 0 ? "0" : value >= 100 ? value.toFixed(0) : value.toPrecision(3));
  const unique = (values) => [...new Set(values)];
  const state = { layer: null, formula: "released", step: 70 };

  // ---- what is derived from a layer, once

  function prepare(layer) {
    if (layer.ready) return layer;
    const steps = bytes(layer.pairs);
    layer.edges = [];
    let k = 0;
    for (let i = 0; i < layer.D; i++)
      for (let j = i + 1; j < layer.D; j++, k++) if (steps[k]) layer.edges.push([steps[k], i, j]);
    layer.edges.sort((a, b) => a[0] - b[0]);
    layer.below = new Float64Array(LAST + 1); // share of pairs closer than theta
    for (const [step] of layer.edges) layer.below[step]++;
    for (let s = 1; s <= LAST; s++) layer.below[s] += layer.below[s - 1];
    layer.below = layer.below.map((count) => count / steps.length);
    layer.low = bytes(layer.lower);
    layer.high = bytes(layer.upper);
    layer.span = Math.log((1 + layer.TV) / (1 + layer.TZ));
    layer.ready = true;
    return layer;
  }

  const theta = (layer, step) => (1 + layer.TZ) * Math.exp((layer.span * step) / LAST) - 1;
  const stepOf = (layer, value) =>
    Math.max(0, Math.min(LAST, Math.round((LAST * Math.log((1 + value) / (1 + layer.TZ))) / layer.span)));

  function boxesAt(layer, step) {
    const group = Array.from({ length: layer.D }, (_, i) => i);
    const find = (i) => {
      while (group[i] !== i) i = group[i] = group[group[i]];
      return i;
    };
    for (const [a, b, when] of layer.tree) if (when <= step) group[find(a)] = find(b);
    const boxes = new Map();
    for (let i = 0; i < layer.D; i++) {
      const g = find(i);
      if (!boxes.has(g)) boxes.set(g, []);
      boxes.get(g).push(i);
    }
    return [...boxes.values()];
  }

  // ---- drawing

  const tag = (name, attributes, text = "") =>
    `<${name} ${Object.entries(attributes).map(([key, value]) => `${key}="${value}"`).join(" ")}>${text}</${name}>`;

  function hull(points) {
    const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const half = (list) => {
      const out = [];
      for (const p of list) {
        while (out.length > 1) {
          const [a, b] = out.slice(-2);
          if ((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]) > 0) break;
          out.pop();
        }
        out.push(p);
      }
      return out.slice(0, -1);
    };
    return [...half(sorted), ...half(sorted.reverse())];
  }

  const MOST_LINES = 800;

  function drawPoints(layer, step) {
    const at = layer.places;
    const boxes = boxesAt(layer, step);
    const shown = boxes.filter((box) => box.length > 1);
    const joined = layer.edges.filter(([when]) => when <= step);
    const every = Math.ceil(joined.length / MOST_LINES) || 1;
    const lines = joined.filter((_, k) => k % every === 0);
    const parts = [
      tag("path", { class: "x-edges", d: lines.map(([, i, j]) => `M${at[i]}L${at[j]}`).join("") }),
      ...shown.map((box) => tag("path", { class: "x-box", d: `M${hull(box.map((i) => at[i])).join("L")}Z` })),
      ...at.map(([x, y]) => tag("circle", { class: "x-node", cx: x, cy: y, r: 17 })),
    ];
    const svg = $("points");
    svg.innerHTML = parts.join("");
    svg.setAttribute(
      "aria-label",
      `${layer.D} channels of ${layer.model}, ${layer.module}, in the plane; at this threshold ${boxes.length} boxes hold them`,
    );
    root.dataset.family = layer.family;
    $("lines").textContent =
      every === 1 ? `${joined.length} pairs joined` : `${joined.length} pairs joined, one in ${every} drawn`;
    return boxes.length;
  }

  const PLOT = { left: 52, right: 470, top: 12, bottom: 268 };
  const across = (step) => PLOT.left + ((PLOT.right - PLOT.left) * step) / LAST;

  function drawCurves(layer, step) {
    const top = Math.log(layer.D);
    const y = (boxes) => PLOT.bottom - ((PLOT.bottom - PLOT.top) * Math.log(boxes)) / top;
    const path = (values) => values.map((n, s) => `${s ? "L" : "M"}${across(s).toFixed(1)},${y(n).toFixed(1)}`).join("");
    const curve = layer.curves[state.formula];
    const corner = `${PLOT.right},${PLOT.bottom}L${PLOT.left},${PLOT.top}`;
    const band =
      path([...layer.high]) +
      [...layer.low].map((n, s) => [s, n]).reverse().map(([s, n]) => `L${across(s).toFixed(1)},${y(n).toFixed(1)}`).join("");
    const ticks = [];
    for (let k = 0; k <= 4; k++) {
      const s = (LAST * k) / 4;
      ticks.push(tag("line", { class: "x-grid", x1: across(s), x2: across(s), y1: PLOT.top, y2: PLOT.bottom }));
      ticks.push(tag("text", { x: across(s), y: PLOT.bottom + 18, "text-anchor": k < 4 ? "middle" : "end" }, digits(theta(layer, s))));
    }
    for (let boxes = 1; boxes < layer.D; boxes *= 4) {
      ticks.push(tag("line", { class: "x-grid", x1: PLOT.left, x2: PLOT.right, y1: y(boxes), y2: y(boxes) }));
      if (layer.D / boxes > 1.6) ticks.push(tag("text", { x: PLOT.left - 7, y: y(boxes) + 4, "text-anchor": "end" }, boxes));
    }
    ticks.push(tag("text", { x: PLOT.left - 7, y: PLOT.top + 4, "text-anchor": "end" }, layer.D));
    const labels = [
      tag("text", { x: (PLOT.left + PLOT.right) / 2, y: PLOT.bottom + 38, "text-anchor": "middle" }, "θ, on the scale of log(1 + θ)"),
      tag("text", { transform: `translate(14 ${(PLOT.top + PLOT.bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, "boxes N, on the scale of log N"),
    ];
    const marks = ["released", "printed"].map((formula) =>
      tag("circle", { class: `x-mark x-${formula}`, cx: across(step), cy: y(layer.curves[formula][step]), r: 5 }),
    );
    $("curves").innerHTML = [
      ...ticks,
      tag("path", { class: "x-bounds", d: `${band}Z` }),
      tag("path", { class: `x-area x-${state.formula}`, d: `${path(curve)}L${corner}Z` }),
      tag("path", { class: "x-line", d: `M${corner}` }),
      tag("path", { class: "x-curve x-printed", d: path(layer.curves.printed) }),
      tag("path", { class: "x-curve x-released", d: path(layer.curves.released) }),
      tag("line", { class: "x-theta", x1: across(step), x2: across(step), y1: PLOT.top, y2: PLOT.bottom }),
      ...marks,
      ...labels,
    ].join("");
    $("curves").setAttribute(
      "aria-label",
      `Number of boxes against theta: released ${layer.curves.released[step].toFixed(1)}, printed ${layer.curves.printed[step].toFixed(1)}`,
    );
  }

  function draw() {
    const layer = prepare(state.layer);
    const value = theta(layer, state.step);
    const epsilon = value * Math.sqrt(layer.B);
    const boxes = drawPoints(layer, state.step);
    drawCurves(layer, state.step);
    $("theta").value = state.step;
    $("theta").setAttribute("aria-valuetext", digits(value));
    $("theta-value").textContent = digits(value);
    const low = layer.TZ * Math.sqrt(layer.B);
    $("epsilon").value = Math.round((1000 * (epsilon - low)) / (layer.TV * Math.sqrt(layer.B) - low));
    $("epsilon").dataset.drawn = $("epsilon").value;
    $("epsilon").setAttribute("aria-valuetext", digits(epsilon));
    $("epsilon-value").textContent = digits(epsilon);
    $("density").textContent = `${(100 * layer.below[state.step]).toFixed(1)} %`;
    for (const formula of ["released", "printed"]) {
      $(`n-${formula}`).textContent = layer.curves[formula][state.step].toFixed(1);
      $(`rate-${formula}`).textContent = layer.ss_rate[formula].toFixed(3);
      $(`column-${formula}`).classList.toggle("x-chosen", state.formula === formula);
    }
    $("n-drawn").textContent = boxes;
    const [least, most] = [layer.low[state.step], layer.high[state.step]];
    $("n-bounds").textContent = least === most ? `${least}` : `${least} to ${most}`;
    const all = layer.ss_rate_of_all;
    $("about").textContent =
      `${layer.D} of ${layer.channels} channels, ${layer.B} images (${layer.images}). Stress of the picture: ${layer.stress.toFixed(2)}.` +
      (all ? ` SS_rate of all channels: ${all.released.toFixed(3)} released, ${all.printed.toFixed(3)} printed.` : "");
  }

  // ---- controls

  function fill(select, values, chosen) {
    select.innerHTML = values.map((value) => tag("option", { value }, value)).join("");
    select.value = values.includes(chosen) ? chosen : values[0];
  }

  function choose() {
    const ofModel = layers.filter((layer) => layer.model === $("model").value);
    fill($("state"), unique(ofModel.map((layer) => layer.state)), $("state").value);
    const ofState = ofModel.filter((layer) => layer.state === $("state").value);
    fill($("module"), ofState.map((layer) => layer.module), $("module").value);
    state.layer = ofState.find((layer) => layer.module === $("module").value);
    draw();
  }

  fill($("model"), unique(layers.map((layer) => layer.model)));
  for (const name of ["model", "state", "module"]) $(name).addEventListener("change", choose);
  $("theta").addEventListener("input", (event) => {
    state.step = Number(event.target.value);
    draw();
  });
  $("epsilon").addEventListener("input", (event) => {
    const layer = state.layer;
    const value = Number(event.target.value);
    const step = stepOf(layer, layer.TZ + (layer.TV - layer.TZ) * (value / 1000));
    // An arrow key moves less than a step: it counts as one.
    const least = Math.sign(value - Number(event.target.dataset.drawn));
    state.step = step === state.step ? Math.max(0, Math.min(LAST, step + least)) : step;
    draw();
  });
  for (const button of root.querySelectorAll("input[name=x-formula]"))
    button.addEventListener("change", () => {
      state.formula = button.value;
      draw();
    });

  const plot = $("curves");
  const follow = (event) => {
    const box = plot.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * plot.viewBox.baseVal.width;
    state.step = Math.max(0, Math.min(LAST, Math.round((LAST * (x - PLOT.left)) / (PLOT.right - PLOT.left))));
    draw();
  };
  plot.addEventListener("pointerdown", (event) => {
    plot.setPointerCapture(event.pointerId);
    follow(event);
  });
  plot.addEventListener("pointermove", (event) => {
    if (plot.hasPointerCapture(event.pointerId)) follow(event);
  });

  $("origin").textContent =
    `Worked out ${record.date.slice(0, 10)} at commit ${record.commit.slice(0, 7)}; weights seed ${record.seed}; ` +
    `images: ${record.data.n} of ${record.data.name}, fingerprint ${record.data.fingerprint}; ${record.device.name}.`;
  root.hidden = false;
  document.querySelector(".explorer-still").hidden = true;
  choose();
})();
