// The explorer page: draws what reproduction/explorer.py worked out (data.js). Nothing is loaded, nothing is computed but
// positions on the screen and sums over the pairs; without this script the page shows a still picture.
(() => {
  "use strict";
  const root = document.getElementById("layer-explorer");
  const record = window.sslibExplorer;
  if (!root || !record) return;

  const LAST = 255; // the last of the 256 thresholds
  const layers = record.metrics.layers;
  const $ = (name, inside = root) => inside.querySelector(`[data-x="${name}"]`);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const digits = (value) => (value === 0 ? "0" : value >= 100 ? value.toFixed(0) : value.toPrecision(3));
  const unique = (values) => [...new Set(values)];
  const state = { shown: [layers[0]], formula: "released", step: 70 }; // one layer, or two side by side

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
    layer.at = inside(layer.places);
    layer.span = Math.log((1 + layer.TV) / (1 + layer.TZ));
    layer.ready = true;
    return layer;
  }

  const theta = (layer, step) => (1 + layer.TZ) * Math.exp((layer.span * step) / LAST) - 1;

  // Where a few channels lie far from all others, these stand at the edge, and the others keep the picture.
  function inside(places) {
    const middle = [0, 1].map((k) => places.map((p) => p[k]).sort((a, b) => a - b)[places.length >> 1]);
    const far = places.map((p) => Math.max(...p.map((x, k) => Math.abs(x - middle[k]))));
    const usual = [...far].sort((a, b) => a - b)[Math.floor(0.9 * (far.length - 1))];
    const most = Math.max(...far);
    const edge = most > 1.5 * usual ? 1.25 * usual : most;
    const moved = places.map((p, i) => p.map((x, k) => (x - middle[k]) * Math.min(1, edge / far[i] || 1)));
    const range = [0, 1].map((k) => [Math.min(...moved.map((p) => p[k])), Math.max(...moved.map((p) => p[k]))]);
    const half = Math.max(...range.map(([low, high]) => (high - low) / 2));
    return moved.map((p, i) => ({
      x: p.map((x, k) => Math.round((1000 / half) * (x - (range[k][0] + range[k][1]) / 2))),
      outside: far[i] > edge,
    }));
  }

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

  function drawPoints(panel, layer, step) {
    const at = layer.at.map((place) => place.x);
    const boxes = boxesAt(layer, step);
    const shown = boxes.filter((box) => box.length > 1);
    const joined = layer.edges.filter(([when]) => when <= step);
    const every = Math.ceil(joined.length / MOST_LINES) || 1;
    const lines = joined.filter((_, k) => k % every === 0);
    const parts = [
      tag("path", { class: "x-edges", d: lines.map(([, i, j]) => `M${at[i]}L${at[j]}`).join("") }),
      ...shown.map((box) => tag("path", { class: "x-box", d: `M${hull(box.map((i) => at[i])).join("L")}Z` })),
      ...layer.at.map(({ x, outside }) =>
        tag("circle", { class: outside ? "x-node x-far" : "x-node", cx: x[0], cy: x[1], r: 17 }),
      ),
    ];
    const svg = $("points", panel);
    const [wide, high] = [0, 1].map((k) => Math.max(...at.map((x) => Math.abs(x[k]))) + 60);
    svg.setAttribute("viewBox", `${-wide} ${-high} ${2 * wide} ${2 * high}`);
    svg.innerHTML = parts.join("");
    svg.setAttribute(
      "aria-label",
      `${layer.D} channels of ${layer.model}, ${layer.state}, ${layer.module}, in the plane; ` +
        `at this threshold ${boxes.length} boxes hold them`,
    );
    panel.dataset.family = layer.family;
    const outside = layer.at.filter((place) => place.outside).length;
    $("lines", panel).textContent =
      `${joined.length} pairs (${(100 * layer.below[step]).toFixed(1)} %) are closer than θ` +
      (every === 1 ? "." : `; one in ${every} is drawn.`) +
      (outside ? ` Channels further out than the picture, hollow at its edge: ${outside}.` : "");
    return boxes.length;
  }

  const PLOT = { left: 52, right: 470, top: 12, bottom: 268 };
  const across = (step) => PLOT.left + ((PLOT.right - PLOT.left) * step) / LAST;

  function drawCurves(panel, layer, step) {
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
    $("curves", panel).innerHTML = [
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
    $("curves", panel).setAttribute(
      "aria-label",
      `Number of boxes against theta: released ${layer.curves.released[step].toFixed(1)}, printed ${layer.curves.printed[step].toFixed(1)}`,
    );
  }

  function drawLayer(panel, layer) {
    const step = state.step;
    const boxes = drawPoints(panel, layer, step);
    drawCurves(panel, layer, step);
    $("where", panel).textContent = `at ${threshold(layer)}`;
    for (const formula of ["released", "printed"]) {
      $(`n-${formula}`, panel).textContent = layer.curves[formula][step].toFixed(1);
      $(`rate-${formula}`, panel).textContent = layer.ss_rate[formula].toFixed(3);
      $(`column-${formula}`, panel).classList.toggle("x-chosen", state.formula === formula);
    }
    $("n-drawn", panel).textContent = boxes;
    const [least, most] = [layer.low[step], layer.high[step]];
    $("n-bounds", panel).textContent = least === most ? `${least}` : `${least} to ${most}`;
    const all = layer.ss_rate_of_all;
    $("about", panel).textContent =
      `${layer.D} of ${layer.channels} channels, ${layer.B} images (${layer.images}). Stress of the picture: ${layer.stress.toFixed(2)}.` +
      (all ? ` SS_rate of all channels: ${all.released.toFixed(3)} released, ${all.printed.toFixed(3)} printed.` : "");
  }

  function threshold(layer) {
    const value = theta(layer, state.step);
    return `θ = ${digits(value)}, ε = ${digits(value * Math.sqrt(layer.B))}`;
  }

  function draw() {
    const shown = state.shown.map(prepare);
    shown.forEach((layer, k) => drawLayer(panels[k], layer));
    const text = shown.map(threshold).join(" beside ");
    $("theta").value = state.step;
    $("theta").setAttribute("aria-valuetext", text);
    $("at").textContent = shown.length === 1 ? text.replace("ε =", "ε = θ√B =") : text;
    for (const button of root.querySelectorAll("input[name=x-formula]")) button.checked = button.value === state.formula;
  }

  // ---- the address keeps the choice: #a=LAYER&b=LAYER&formula=NAME&step=NUMBER

  const name = (layer) => [layer.model, layer.state, layer.module].join("~");

  let waiting = 0; // browsers refuse an address that changes with every move of a slider
  function keep() {
    draw();
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const choice = new URLSearchParams();
      state.shown.forEach((layer, k) => choice.set("ab"[k], name(layer)));
      choice.set("formula", state.formula);
      choice.set("step", state.step);
      history.replaceState(null, "", `#${choice}`);
    }, 200);
  }

  function fromAddress() {
    const choice = new URLSearchParams(location.hash.slice(1));
    const asked = ["a", "b"].map((key) => layers.find((layer) => name(layer) === choice.get(key))).filter(Boolean);
    if (!asked.length) return; // no choice of ours: a heading of the page
    state.shown = asked;
    if (["released", "printed"].includes(choice.get("formula"))) state.formula = choice.get("formula");
    const step = Number.parseInt(choice.get("step"), 10);
    if (step >= 0 && step <= LAST) state.step = step;
    show();
  }

  // ---- controls

  function fill(select, values, chosen) {
    select.innerHTML = values.map((value) => tag("option", { value }, value)).join("");
    select.value = values.includes(chosen) ? chosen : values[0];
  }

  function follow(event) {
    const plot = event.currentTarget;
    const to = plot.getScreenCTM().inverse();
    const x = to.a * event.clientX + to.c * event.clientY + to.e;
    state.step = Math.max(0, Math.min(LAST, Math.round((LAST * (x - PLOT.left)) / (PLOT.right - PLOT.left))));
    keep();
  }

  const place = root.querySelector(".x-layers");
  const panels = ["First layer", "Second layer"].map((label, k) => {
    const panel = root.querySelector("template").content.firstElementChild.cloneNode(true);
    panel.setAttribute("aria-label", label);
    panel.dataset.layer = "ab"[k];
    place.append(panel);
    for (const control of ["model", "state", "module"]) {
      $(control, panel).addEventListener("change", () => {
        const of = Object.fromEntries(["model", "state", "module"].map((key) => [key, $(key, panel).value]));
        const same = layers.filter((layer) => layer.model === of.model);
        const trained = same.filter((layer) => layer.state === of.state);
        const left = trained.length ? trained : same;
        state.shown[k] = left.find((layer) => layer.module === of.module) || left[0];
        show();
        keep();
      });
    }
    const plot = $("curves", panel);
    plot.addEventListener("pointerdown", (event) => {
      plot.setPointerCapture(event.pointerId);
      follow(event);
    });
    plot.addEventListener("pointermove", (event) => {
      if (plot.hasPointerCapture(event.pointerId)) follow(event);
    });
    return panel;
  });

  // The controls say what is shown.
  function show() {
    panels.forEach((panel, k) => {
      const layer = state.shown[k];
      panel.hidden = !layer;
      if (!layer) return;
      const same = layers.filter((one) => one.model === layer.model);
      fill($("model", panel), unique(layers.map((one) => one.model)), layer.model);
      fill($("state", panel), unique(same.map((one) => one.state)), layer.state);
      fill($("module", panel), same.filter((one) => one.state === layer.state).map((one) => one.module), layer.module);
    });
    place.classList.toggle("x-two", state.shown.length === 2);
    $("compare").checked = state.shown.length === 2;
    draw();
  }

  // The same layer after training where there is one, or the network's last layer.
  function beside(layer) {
    const same = layers.filter((one) => one.model === layer.model && one !== layer);
    return same.find((one) => one.module === layer.module) || same.at(-1) || layer;
  }

  $("compare").addEventListener("change", (event) => {
    state.shown = event.target.checked ? [state.shown[0], beside(state.shown[0])] : [state.shown[0]];
    show();
    keep();
  });
  $("theta").addEventListener("input", (event) => {
    state.step = Number(event.target.value);
    keep();
  });
  for (const button of root.querySelectorAll("input[name=x-formula]"))
    button.addEventListener("change", () => {
      state.formula = button.value;
      keep();
    });
  // An address that keeps a choice leads to the explorer, which is no heading of the page.
  function arrive() {
    fromAddress();
    if (location.hash.startsWith("#a=")) root.scrollIntoView();
  }
  window.addEventListener("hashchange", arrive);

  $("origin").textContent =
    `Computed on ${record.date.slice(0, 10)} at commit ${record.commit.slice(0, 7)}; weights seed ${record.seed}; ` +
    `images: ${record.data.n} of ${record.data.name}, fingerprint ${record.data.fingerprint}; ${record.device.name}.`;
  root.hidden = false;
  document.querySelector(".explorer-still").hidden = true;
  show();
  arrive();
})();
