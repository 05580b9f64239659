// Linked charts of one table: histograms with a brush, category bars, one selection.
//
// Whatever is shown is set as text, never as markup. Whatever is sent is the name of a declared chart and bin
// numbers. While one chart is being changed every picture comes from its index, a table of prefix sums the kernel
// sent once (see the page "Cross-filter"), so a move needs no kernel. Needs nothing but a model with get, set, on,
// off, send and save_changes: JupyterLab and Voila have one, a frozen page can bring its own.

const SAVE_AFTER = 120;      // ms of rest until Python learns the selection
const HOVER_REST = 60;       // ms a pointer rests on a chart before its index is fetched
const INDEXES_KEPT = 16;
const NAMES_SHOWN = 6;
const PLOT = { height: 106, axis: 16, gap: 8, special: 18, edge: 9 };
const HOW = "Drag over a histogram, click a name. Keys: Tab to a handle, arrow keys move it (Shift: ten bins), Escape clears.";

// ---- small things -----------------------------------------------------------------------------------------------

const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });
const sum = (values) => { let total = 0; for (const v of values) total += v; return total; };
const bins = (low, high) => Array.from({ length: high - low + 1 }, (_, i) => low + i);

function share(part, whole) { return whole ? `${(100 * part / whole).toFixed(1)} %` : "0 %"; }

// The words of `binning.bin_text`, so that a chart, a page and a screen reader say the same.
function binText(dim, low, high) {
  const n = dim.first.length;
  if (low >= n) return dim.special[low - n];
  if (dim.first[low] === dim.last[high]) return dim.first[low];
  return `${dim.first[low]} ${dim.inclusive || high === n - 1 ? "to" : "to under"} ${dim.last[high]}`;
}

// Tallest bar drawn in full. One bar that dwarfs all others is cut and marked instead of flattening them.
function ceiling(counts) {
  let first = 0, second = 0;
  for (const c of counts) if (c > first) { second = first; first = c; } else if (c > second) second = c;
  return second && first > 4 * second ? 1.2 * second : first;
}

// ---- the index of one chart -------------------------------------------------------------------------------------

function readIndex(message, buffers) {
  const view = buffers[0];
  const flat = new Int32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  const tables = new Map();
  for (const { name, start, width } of message.tables) tables.set(name, { start, width });
  return { own: flat.subarray(0, message.bins), bins: message.bins, flat, tables };
}

// Rows per bin of another chart while `chosen` bins of the active one stay (null: all of them).
function countsAt(index, name, chosen) {
  const { start, width } = index.tables.get(name), out = new Int32Array(width), flat = index.flat;
  const add = (low, high) => {
    const lower = start + low * width, upper = start + (high + 1) * width;
    for (let i = 0; i < width; i++) out[i] += flat[upper + i] - flat[lower + i];
  };
  if (!chosen) { add(0, index.bins - 1); return out; }
  for (let i = 0; i < chosen.length;) {        // one subtraction per run of neighbouring bins
    let j = i;
    while (j + 1 < chosen.length && chosen[j + 1] === chosen[j] + 1) j++;
    add(chosen[i], chosen[j]);
    i = j + 1;
  }
  return out;
}

// ---- a chart's frame: heading, definition, clear, reading line ---------------------------------------------------

function makeCard(dim, id, actions) {
  const tip = html("span", { class: "mmx-tip", role: "tooltip", id: `${id}-tip` }, dim.definition || "No definition is declared for this column.");
  const name = html("span", { class: "mmx-name", tabindex: "0", "aria-describedby": `${id}-tip` }, dim.title);
  const unit = dim.unit ? html("span", { class: "mmx-unit" }, dim.unit) : "";
  const clear = html("button", { class: "mmx-clear", type: "button", "aria-label": `Clear the filter on ${dim.title}`, hidden: "" }, "Clear");
  const reading = html("span", { class: "mmx-reading" }), foot = html("div", { class: "mmx-foot" }, reading);
  const body = html("div", { class: "mmx-body" });
  const head = html("div", { class: "mmx-head" }, html("span", { class: "mmx-title" }, name, unit, tip), clear);
  const node = html("section", { class: "mmx-card", "data-column": dim.name, "aria-label": `${dim.title}${dim.unit ? `, ${dim.unit}` : ""}` }, head, body, foot);
  let rest = 0;
  const hint = () => { clearTimeout(rest); rest = setTimeout(() => actions.hint(dim.name), HOVER_REST); };
  node.addEventListener("pointerenter", hint);
  node.addEventListener("pointerleave", () => clearTimeout(rest));
  node.addEventListener("focusin", hint);
  clear.addEventListener("click", () => { actions.change(dim.name, null); node.querySelector(".mmx-body [tabindex='0']")?.focus(); });
  return { node, body, clear, reading, foot };
}

// ---- histogram ---------------------------------------------------------------------------------------------------

function bars(counts, low, high, place, top) {
  let path = "";
  for (let i = low; i <= high; i++) {
    if (!counts[i]) continue;
    const height = Math.max(1, Math.min(1, counts[i] / top) * PLOT.height);
    path += `M${place.x(i)} ${PLOT.height}v${-height}h${place.width(i)}v${height}z`;
  }
  return path;
}

function tornMarks(counts, place, top) {
  let path = "";
  counts.forEach((c, i) => { if (c > top) path += `M${place.x(i) - 1} 12l${place.width(i) + 2} -5v4l${-place.width(i) - 2} 5z`; });
  return path;
}

function makeHistogram(dim, id, actions) {
  const card = makeCard(dim, id, actions), n = dim.first.length, missing = dim.totals[n] > 0;
  const parts = Object.fromEntries(["ghost", "out", "in", "torn"].map((p) => [p, svg("path", { class: `mmx-${p}` })]));
  const brush = svg("rect", { class: "mmx-brush", y: 0, height: PLOT.height, width: 0 });
  const axis = svg("g", { class: "mmx-axis", "aria-hidden": "true" });
  const slider = (label) => svg("g", { class: "mmx-handle", role: "slider", tabindex: "0", "aria-label": `${dim.title}: ${label}`, "aria-valuemin": 0, "aria-valuemax": Math.max(0, n - 1) },
    svg("rect", { class: "mmx-grip", rx: 3 }), svg("rect", { class: "mmx-focus", rx: 3 }));
  const handles = { low: slider("from"), both: slider("move the selection"), high: slider("to") };
  const blank = svg("g", { class: "mmx-missing", role: "button", tabindex: "0", "aria-label": `${dim.title}: only missing values` },
    svg("rect", { class: "mmx-focus", rx: 3 }));
  const plot = svg("svg", { class: "mmx-plot", height: PLOT.height + PLOT.axis, role: "group", "aria-label": `Histogram of ${dim.title}` },
    parts.ghost, parts.out, parts.in, parts.torn, brush, axis, ...(n ? Object.values(handles) : []), ...(missing ? [blank] : []));
  card.body.append(plot);

  let width = 280, chosen = null, counts = dim.totals, hovered = null, top = { ghost: 1, bar: 1 };
  const plotWidth = () => Math.max(10, width - (missing ? PLOT.special + PLOT.gap : 0));
  const step = () => plotWidth() / Math.max(1, n);
  const place = {
    x: (i) => +(i < n ? i * step() + (step() > 4 ? .5 : 0) : width - PLOT.special).toFixed(2),
    width: (i) => +(i < n ? step() - (step() > 4 ? 1 : 0) : PLOT.special).toFixed(2),
  };
  const range = () => (chosen && chosen[0] < n ? [chosen[0], chosen[chosen.length - 1]] : [0, n - 1]);
  const isBlank = () => Boolean(chosen && chosen[0] === n);

  function drawAxis() {
    axis.replaceChildren();
    const text = (x, anchor, words) => axis.append(svg("text", { x, y: PLOT.height + 12, "text-anchor": anchor }, words));
    axis.append(svg("path", { d: `M0 ${PLOT.height + .5}H${plotWidth()}` + (missing ? `M${width - PLOT.special} ${PLOT.height + .5}H${width}` : "") }));
    if (missing) text(width, "end", n ? "none" : "missing");
    if (!n) return;
    const last = dim.last[n - 1];
    if (n === 1) { text(plotWidth() / 2, "middle", binText(dim, 0, 0)); return; }
    const room = 6.1;                                            // width of a character at 11 px
    if (dim.first.every((words, i) => words === dim.last[i])) {  // one value per bin: its name stands under it
      const widest = Math.max(...dim.first.map((words) => words.length)) * room + 8;
      for (let i = 0; i < n; i += Math.ceil(widest / step())) text((i + .5) * step(), "middle", dim.first[i]);
      return;
    }
    text(0, "start", dim.first[0]);
    const end = plotWidth() - (missing ? 14 : 0);
    let free = dim.first[0].length * room + 8;
    const stop = end - last.length * room - 8;
    const widest = Math.max(...dim.first.map((words) => words.length)) * room + 16;
    const every = Math.max(1, Math.round(n / clamp(Math.floor(plotWidth() / widest) - 1, 1, 5)));
    for (let i = every; i < n; i += every) {
      const half = dim.first[i].length * room / 2, x = i * step();
      if (x - half > free && x + half < stop) { text(x, "middle", dim.first[i]); free = x + half + 8; }
    }
    if (free < stop + 10) text(end, "end", last);
  }

  function drawBrush() {
    const [low, high] = range(), on = Boolean(chosen) && !isBlank();
    const left = low * step(), right = (high + 1) * step(), middle = (left + right) / 2;
    put(brush, { x: left, width: on ? right - left : 0 });
    const spots = { low: clamp(left, 0, width), both: middle, high: clamp(right, 0, width) };
    for (const [which, g] of Object.entries(handles)) {
      const wide = which === "both" ? 18 : 6, tall = which === "both" ? 5 : 22;
      const y = which === "both" ? 1 : PLOT.height / 2 - tall / 2;
      put(g.children[0], { x: clamp(spots[which] - wide / 2, 0, Math.max(0, width - wide)), y, width: wide, height: tall });
      put(g.children[1], { x: clamp(spots[which] - wide / 2 - 3, -3, width), y: y - 3, width: wide + 6, height: tall + 6 });
      const value = which === "high" ? high : low;
      put(g, { "aria-valuenow": value, "aria-valuetext": which === "both" ? binText(dim, low, high) : which === "low" ? dim.first[value] : dim.last[value] });
    }
    plot.classList.toggle("mmx-on", on);
    put(blank, { "aria-pressed": isBlank() });
    put(blank.children[0], { x: width - PLOT.special - 2, y: 0, width: PLOT.special + 4, height: PLOT.height + 2 });
    card.clear.hidden = !chosen;
  }

  function read() {
    if (hovered !== null) { say(card.reading, `${binText(dim, hovered, hovered)}: ${number.format(counts[hovered] ?? 0)} rows`); return; }
    if (!chosen) { say(card.reading, n ? "" : "no values"); return; }
    say(card.reading, `${isBlank() ? "missing" : binText(dim, ...range())}: ${number.format(sum(chosen.map((i) => counts[i])))} rows`);
  }

  function drawBars() {
    const everything = chosen === null, [low, high] = isBlank() ? [n, n] : range();
    put(parts.ghost, { d: bars(dim.totals, 0, n, place, top.ghost) });
    put(parts.in, { d: everything ? bars(counts, 0, n, place, top.bar) : bars(counts, low, high, place, top.bar) });
    put(parts.out, { d: everything ? "" : bars(counts, 0, low - 1, place, top.bar) + bars(counts, high + 1, n, place, top.bar) });
    put(parts.torn, { d: tornMarks(dim.totals, place, top.ghost) });
  }

  function binAt(event) {
    const x = event.clientX - plot.getBoundingClientRect().left;
    if (missing && x > width - PLOT.special - PLOT.gap / 2) return n;
    return n ? clamp(Math.floor(x / step()), 0, n - 1) : n;
  }

  const choose = (low, high) => actions.change(dim.name, low <= 0 && high >= n - 1 && n > 1 ? null : bins(low, high));
  let drag = null;
  plot.addEventListener("pointerdown", (event) => {
    if (event.button || (!n && !missing)) return;
    const at = binAt(event), x = event.clientX - plot.getBoundingClientRect().left, [low, high] = range();
    if (at === n) { actions.change(dim.name, isBlank() ? null : [n]); return; }
    const brushed = chosen && !isBlank(), near = (edge) => brushed && Math.abs(x - edge) <= PLOT.edge;
    if (near(low * step())) drag = { anchor: high };
    else if (near((high + 1) * step())) drag = { anchor: low };
    else if (brushed && at >= low && at <= high && high > low) drag = { from: at, low, high };
    else drag = { anchor: at, fresh: true, again: brushed && low === high && low === at };
    plot.setPointerCapture(event.pointerId);
    actions.press(dim.name);
    if (drag.fresh) choose(at, at);
  });
  plot.addEventListener("pointermove", (event) => {
    const at = binAt(event);
    if (!drag) { if (hovered !== at) { hovered = at; read(); } return; }
    const inside = Math.min(at, n - 1);
    hovered = null;
    if (drag.from === undefined) {
      if (inside !== drag.anchor) drag.moved = true;
      choose(Math.min(drag.anchor, inside), Math.max(drag.anchor, inside));
    } else {
      const shift = clamp(inside - drag.from, -drag.low, n - 1 - drag.high);
      if (shift) drag.moved = true;
      choose(drag.low + shift, drag.high + shift);
    }
  });
  const drop = () => {
    if (drag && drag.again && !drag.moved) actions.change(dim.name, null);
    drag = null;
  };
  plot.addEventListener("pointerup", drop);
  plot.addEventListener("pointercancel", drop);
  plot.addEventListener("pointerleave", () => { hovered = null; read(); });

  function keyed(which, event) {
    if (event.key === "Escape") { actions.change(dim.name, null); return true; }
    const ends = { Home: -n, End: n }, steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
    const by = ends[event.key] ?? steps[event.key] * (event.shiftKey ? 10 : 1);
    if (Number.isNaN(by) || by === undefined) return false;
    const [low, high] = range();
    if (which === "low") choose(clamp(low + by, 0, high), high);
    else if (which === "high") choose(low, clamp(high + by, low, n - 1));
    else { const shift = clamp(by, -low, n - 1 - high); choose(low + shift, high + shift); }
    return true;
  }
  for (const [which, g] of Object.entries(handles)) g.addEventListener("keydown", (event) => { if (keyed(which, event)) event.preventDefault(); });
  blank.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") actions.change(dim.name, isBlank() ? null : [n]);
    else if (event.key === "Escape") actions.change(dim.name, null);
    else return;
    event.preventDefault();
  });

  return {
    node: card.node,
    resize() {
      const now = card.body.clientWidth;
      if (now < 40) return;
      width = now;
      put(plot, { width, viewBox: `0 0 ${width} ${PLOT.height + PLOT.axis}` });
      drawAxis(); drawBrush(); drawBars();
    },
    choose(next) { chosen = next; drawBrush(); read(); },
    draw(next, enlarge) {
      counts = next;
      top = { ghost: ceiling(dim.totals) || 1, bar: (enlarge ? ceiling(next) : ceiling(dim.totals)) || 1 };
      drawBars(); read();
    },
  };
}

// ---- category bars -----------------------------------------------------------------------------------------------

function makeCategories(dim, id, actions) {
  const card = makeCard(dim, id, actions), n = dim.first.length;
  const labels = [...dim.first, ...dim.special], shown = labels.map((_, i) => i).filter((i) => dim.totals[i] > 0);
  const list = html("div", { class: "mmx-list", role: "group", "aria-label": `Values of ${dim.title}` });
  const more = html("button", { class: "mmx-more", type: "button" });
  const rows = new Map();
  let chosen = null, counts = dim.totals, top = 1, open = false, enlarged = false;

  function row(i) {
    const label = html("span", { class: i < n ? "mmx-label" : "mmx-label mmx-special" }, labels[i] === "" ? "(empty text)" : labels[i]);
    const ghost = html("span", { class: "mmx-hghost" }), bar = html("span", { class: "mmx-hbar" }), count = html("span", { class: "mmx-count" });
    const node = html("button", { class: "mmx-row", type: "button", "aria-pressed": "false", tabindex: "-1", title: labels[i] }, label, html("span", { class: "mmx-track" }, ghost, bar), count);
    node.addEventListener("click", () => {
      const next = new Set(chosen ?? []);
      if (next.has(i)) next.delete(i); else next.add(i);
      actions.change(dim.name, next.size ? [...next].sort((a, b) => a - b) : null);
    });
    return { node, ghost, bar, count };
  }
  function layout() {
    const special = shown.filter((i) => i >= n), plain = shown.filter((i) => i < n);
    const visible = open || plain.length <= NAMES_SHOWN + 1 ? plain : plain.filter((i, k) => k < NAMES_SHOWN || chosen?.includes(i));
    const all = [...visible, ...special];
    for (const i of all) if (!rows.has(i)) rows.set(i, row(i));
    const focused = list.contains(document.activeElement);
    list.replaceChildren(...all.map((i) => rows.get(i).node));
    if (!list.querySelector("[tabindex='0']") && all.length) rows.get(all[0]).node.tabIndex = 0;
    if (focused) list.querySelector("[tabindex='0']")?.focus();
    more.hidden = plain.length <= NAMES_SHOWN + 1;
    say(more, open ? "Show fewer" : `Show all ${number.format(plain.length)}`);
    put(more, { "aria-expanded": open });
    if (!all.length) say(card.reading, "no values");
  }
  function draw() {
    const ghostTop = Math.max(1, ...dim.totals), barTop = enlarged ? Math.max(1, ...counts) : ghostTop;
    for (const [i, { node, ghost, bar, count }] of rows) {
      if (!node.isConnected) continue;
      ghost.style.transform = `scaleX(${dim.totals[i] / ghostTop})`;
      bar.style.transform = `scaleX(${Math.min(1, counts[i] / barTop)})`;
      say(count, compact.format(counts[i]));
      put(node, { "aria-pressed": Boolean(chosen?.includes(i)), "aria-label": `${labels[i] || "empty text"}: ${number.format(counts[i])} rows` });
      node.classList.toggle("mmx-off", Boolean(chosen) && !chosen.includes(i));
    }
  }
  more.addEventListener("click", () => { open = !open; layout(); draw(); });
  list.addEventListener("keydown", (event) => {
    const all = [...list.children], at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Escape") actions.change(dim.name, null);
    else if (to !== undefined && at >= 0) {
      const target = all[clamp(to, 0, all.length - 1)];
      all.forEach((node) => { node.tabIndex = node === target ? 0 : -1; });
      target.focus();
    } else return;
    event.preventDefault();
  });
  list.addEventListener("focusin", (event) => {
    const target = event.target.closest(".mmx-row");
    for (const node of list.children) node.tabIndex = node === target ? 0 : -1;
  });
  card.body.append(list);
  card.foot.append(more);
  layout();

  return {
    node: card.node,
    resize() {},
    choose(next) {
      chosen = next;
      card.clear.hidden = !chosen;
      if (!open && chosen?.some((i) => !rows.has(i))) layout();
      say(card.reading, chosen ? `${chosen.length === 1 ? labels[chosen[0]] : `${chosen.length} values`} chosen` : shown.length ? "" : "no values");
      draw();
    },
    draw(next, enlarge) { counts = next; enlarged = enlarge; draw(); },
  };
}

// ---- the explorer ------------------------------------------------------------------------------------------------

function makeHeader(spec) {
  const count = html("span", { class: "mmx-selected" }), spoken = html("span", { class: "mmx-spoken", role: "status" });
  const fill = html("span", { class: "mmx-fill" });
  const clear = html("button", { class: "mmx-button", type: "button" }, "Clear filters");
  const enlarge = html("input", { type: "checkbox" });
  const problem = html("div", { class: "mmx-problem", role: "alert", hidden: "" });
  const code = html("pre", { class: "mmx-code", tabindex: "0" });
  const node = html("div", { class: "mmx-header" },
    html("div", { class: "mmx-line" }, html("strong", { class: "mmx-table" }, spec.title), count, html("span", { class: "mmx-meter", "aria-hidden": "true" }, fill),
      html("label", { class: "mmx-check" }, enlarge, "Enlarge the selection"), clear, spoken),
    html("div", { class: "mmx-how" }, HOW), ...spec.notes.map((note) => html("div", { class: "mmx-note" }, note)), problem);
  const details = html("details", { class: "mmx-details" }, html("summary", {}, "This selection as pandas code"), code);
  return { node, count, spoken, fill, clear, enlarge, problem, code, details };
}

function render({ model, el }) {
  const spec = model.get("spec"), id = `mmx-${Math.random().toString(36).slice(2)}`;
  const dims = new Map(spec.dimensions.map((d) => [d.name, d])), charts = new Map(), indexes = new Map();
  const totals = new Map(spec.dimensions.map((d) => [d.name, d.totals]));
  let filters = new Map(Object.entries(model.get("filters"))), active = [...filters.keys()].pop() ?? null;
  let frame = 0, saveTimer = 0;
  const header = makeHeader(spec), grid = html("div", { class: "mmx-grid" });
  const root = html("div", { class: "mmx", "data-lm-suppress-shortcuts": "true" }, header.node, grid, header.details), patience = makePatience(root);

  const others = (name) => Object.fromEntries([...filters].filter(([other]) => other !== name).sort(([a], [b]) => (a < b ? -1 : 1)));
  const keyOf = (name) => JSON.stringify([name, others(name)]);
  const wishFor = (name) => ({ dimension: name, filters: others(name), key: keyOf(name) });

  function report(message) {
    header.problem.hidden = !message;
    say(header.problem, message ?? "");
    if (message) patience.settle();
  }

  function picture() {
    if (!filters.size) return { selected: spec.rows, charts: totals };
    const index = indexes.get(keyOf(active)), chosen = filters.get(active) ?? null;
    if (!index) return null;
    const counts = new Map([[active, index.own]]);
    for (const name of index.tables.keys()) counts.set(name, countsAt(index, name, chosen));
    return { selected: chosen ? sum(chosen.map((i) => index.own[i])) : sum(index.own), charts: counts };
  }
  function draw() {
    frame = 0;
    const now = picture();
    if (!now) return;
    for (const [name, chart] of charts) chart.draw(now.charts.get(name), header.enlarge.checked);
    say(header.count, filters.size ? `${number.format(now.selected)} of ${number.format(spec.rows)} rows (${share(now.selected, spec.rows)})` : `all ${number.format(spec.rows)} rows`);
    header.fill.style.transform = `scaleX(${spec.rows ? now.selected / spec.rows : 0})`;
    header.clear.disabled = !filters.size;
  }
  function update() {
    if (filters.size && !indexes.has(keyOf(active))) {
      asker.ask(wishFor(active), false);
      patience.wait();
      return;
    }
    patience.settle();
    frame ||= requestAnimationFrame(draw);
  }
  function save() {
    clearTimeout(saveTimer);
    saveTimer = setTimeout(() => { model.set("filters", Object.fromEntries(filters)); model.save_changes(); say(header.spoken, header.count.textContent); }, SAVE_AFTER);
  }

  const asker = makeAsker({
    send(wish, sequence) { model.send({ type: "activate", sequence, dimension: wish.dimension, filters: wish.filters }); },
    answered(asked, message, buffers) {
      indexes.set(asked.key, readIndex(message, buffers));
      if (indexes.size > INDEXES_KEPT) indexes.delete(indexes.keys().next().value);
      report(null);
      update();
    },
    refused: (message) => report(`${message.problem} ${message.remedy}`), silent: () => report(SILENT),
  });

  const actions = {
    hint(name) { if (!indexes.has(keyOf(name))) asker.ask(wishFor(name), true); },
    press(name) { if (!indexes.has(keyOf(name))) asker.ask(wishFor(name), false); },
    change(name, chosen) {
      const before = filters.get(name) ?? null;
      if (JSON.stringify(before) === JSON.stringify(chosen)) return;
      if (chosen) filters.set(name, chosen); else filters.delete(name);
      active = name;
      charts.get(name).choose(chosen);
      update(); save();
    },
  };

  for (const dim of spec.dimensions) {
    const chart = (dim.range ? makeHistogram : makeCategories)(dim, `${id}-${charts.size}`, actions);
    charts.set(dim.name, chart);
    grid.append(chart.node);
  }
  if (!charts.size) grid.append(html("p", { class: "mmx-note" }, "No column of this table can be drawn."));

  const clearAll = () => {
    filters.clear();
    for (const chart of charts.values()) chart.choose(null);
    report(null); update(); save();
  };
  header.clear.addEventListener("click", clearAll);
  header.enlarge.addEventListener("change", () => { frame ||= requestAnimationFrame(draw); });
  keepKeys(root);

  const received = (message, buffers) => asker.receive(message, buffers);
  const assigned = () => {                      // Python set the selection
    const next = model.get("filters");
    if (JSON.stringify(next) === JSON.stringify(Object.fromEntries(filters))) return;
    filters = new Map(Object.entries(next));
    active = [...filters.keys()].pop() ?? null;
    for (const [name, chart] of charts) chart.choose(filters.get(name) ?? null);
    update();
  };
  const coded = () => say(header.code, model.get("code"));
  model.on("msg:custom", received);
  model.on("change:filters", assigned);
  model.on("change:code", coded);
  el.append(root);
  const watcher = new ResizeObserver(() => { for (const chart of charts.values()) chart.resize(); });
  watcher.observe(root);
  for (const [name, chart] of charts) { chart.resize(); chart.draw(dims.get(name).totals, false); chart.choose(filters.get(name) ?? null); }
  coded(); draw(); update();

  return () => {
    watcher.disconnect(); asker.stop(); patience.settle();
    clearTimeout(saveTimer); cancelAnimationFrame(frame);
    model.off("msg:custom", received); model.off("change:filters", assigned); model.off("change:code", coded);
  };
}

export default { render };
