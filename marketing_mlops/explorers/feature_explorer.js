// Features one by one: at whom the outcome happens, how that moved, what else says the same, and the cell that declares it.
//
// Python computes every figure and writes every sentence; here they are drawn. The browser sends settings and nothing
// else: names of features, bins and periods that the specification lists. Only the newest settings count: a profile
// that answers older ones is kept for later and not shown. Whatever is shown is set as text, never as markup. Needs a
// model with get, set, on, off, send and save_changes.

const PROFILES_KEPT = 60;
const HOVER_REST = 60;       // ms a pointer rests on a feature before its profile is fetched
const BINS = { height: 308, left: 44, right: 8, top: 10, rate: 196, gap: 16, rows: 60, gapSpecial: 10 };
const PANEL = { height: 84, left: 44, right: 8, top: 8, bottom: 6, axis: 18 };
const LETTER = 6.1;          // width of a character at 11 px
const HOW = "Choose a feature; click a day to look at its rows alone. Keys: Tab to the list or a chart, arrow keys move, Enter chooses, Escape goes back.";

const text = (x, y, anchor, words, look = "mmf-tick") => svg("text", { x: x.toFixed(1), y: y.toFixed(1), "text-anchor": anchor, class: look }, words);
const clip = (words, length) => (words.length <= length ? words : `${words.slice(0, Math.max(1, length - 1))}…`);
function tickText(value, digits, isRate) {       // has to fit beside the axis
  if (isRate) return `${(100 * value).toFixed(Math.max(0, digits - 2))} %`.replace("-", "−");
  if (Math.abs(value) < 10 ** -digits / 2) return "0";
  if (digits > 3) return value.toExponential(1).replace(".0e", "e").replaceAll("-", "−");
  if (Math.abs(value) >= 1e5) return value.toLocaleString("en-US", { notation: "compact", maximumFractionDigits: 2 }).replace("-", "−");
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");
}

function card(title, ...children) {
  const head = html("div", { class: "mmf-head" }, html("h3", { class: "mmf-title" }, title));
  return { node: html("section", { class: "mmx-card mmf-card", "aria-label": title }, head, ...children), head };
}
function scaleOf(values, from, to, withZero) {
  const known = values.filter((v) => v !== null);
  let low = Math.min(...known, withZero ? 0 : Infinity), high = Math.max(...known, withZero ? 0 : -Infinity);
  if (!known.length) [low, high] = [0, 1];
  if (low === high) { low = low > 0 ? low / 2 : low < 0 ? 2 * low : 0; high = high > 0 ? 1.5 * high : high < 0 ? 0 : withZero ? .1 : 1; }
  return { low, high, at: (v) => from + ((v - low) / (high - low)) * (to - from) };
}
function gridLines(axis, width, edges, wanted, isRate) {
  const { ticks, digits } = niceTicks(axis.low, axis.high, wanted), marks = [];
  for (const t of ticks) marks.push(svg("path", { d: `M${edges.left} ${axis.at(t).toFixed(1)}H${width - edges.right}`, class: "mmf-grid" }), text(edges.left - 6, axis.at(t) + 4, "end", tickText(t, digits, isRate)));
  return marks;
}

// A cursor that pointer and arrow keys share: `count` places, `placeAt(x)`, `read(i)` tells, `choose(i)` acts.
function makeCursor(plot, reading, { count, placeAt, mark, read, choose, idle }) {
  let at = null;
  function go(i) { at = i; mark(i); say(reading, i === null ? idle() : read(i)); }
  const inside = (event) => placeAt(event.clientX - plot.getBoundingClientRect().left);
  plot.addEventListener("pointermove", (event) => { if (count()) go(inside(event)); });
  plot.addEventListener("pointerleave", () => { if (!plot.matches(":focus")) go(null); });
  plot.addEventListener("focus", () => { if (plot.matches(":focus-visible") && at === null && count()) go(0); });
  plot.addEventListener("blur", () => go(null));
  if (choose) plot.addEventListener("click", (event) => { if (count()) choose(inside(event)); });
  plot.addEventListener("keydown", (event) => {
    const to = { ArrowRight: (at ?? -1) + 1, ArrowLeft: (at ?? 1) - 1, Home: 0, End: count() - 1 }[event.key];
    if (to !== undefined && count()) go(clamp(to, 0, count() - 1));
    else if (choose && (event.key === "Enter" || event.key === " ") && at !== null) choose(at);
    else if (choose && event.key === "Escape") choose(null);
    else return;
    event.preventDefault();
  });
  return { reset() { go(null); } };
}

// ---- the outcome by value ------------------------------------------------------------------------------------------

function makeBins() {
  const layers = Object.fromEntries(["scale", "hover", "rows", "all", "whisker", "dots", "axis"].map((name) => [name, svg("g", { class: `mmf-${name}` })]));
  const plot = svg("svg", { class: "mmf-plot", height: BINS.height, role: "img", tabindex: "0" }, ...Object.values(layers));
  const reading = html("p", { class: "mmf-reading", "aria-live": "polite" });
  let width = 420, shown = null;
  const specials = () => shown.bins.filter((b) => b.special).length;
  const step = () => (width - BINS.left - BINS.right - (specials() && specials() < shown.bins.length ? BINS.gapSpecial : 0)) / Math.max(1, shown.bins.length);
  const left = (i) => BINS.left + i * step() + (shown.bins[i].special && specials() < shown.bins.length ? BINS.gapSpecial : 0);
  const cursor = makeCursor(plot, reading, {
    count: () => shown?.bins.length ?? 0,
    placeAt: (x) => clamp(shown.bins.findLastIndex((_, i) => left(i) <= x), 0, shown.bins.length - 1),
    mark: (i) => layers.hover.replaceChildren(...(i === null ? [] : [svg("rect", { x: left(i).toFixed(1), y: 0, width: step().toFixed(1), height: BINS.top + BINS.rate + BINS.gap + BINS.rows })])),
    read: (i) => shown.bins[i].said,
    idle: () => (shown ? shown.scope_said : ""),
  });

  function draw() {
    if (!shown) return;
    const bins = shown.bins, bottom = BINS.top + BINS.rate, floor = bottom + BINS.gap + BINS.rows, wide = step();
    const rate = scaleOf(bins.flatMap((b) => [b.low ?? b.mean, b.high ?? b.mean]).concat(shown.mean), bottom, BINS.top, true);
    const most = Math.max(...bins.map((b) => b.share), 1e-9), middle = (i) => left(i) + wide / 2;
    layers.scale.replaceChildren(...gridLines(rate, width, BINS, 4, shown.is_rate), text(BINS.left - 6, floor - BINS.rows + 10, "end", `${(100 * most).toFixed(most < .1 ? 1 : 0)} %`), text(BINS.left - 6, floor, "end", "rows"));
    layers.all.replaceChildren(svg("path", { d: `M${BINS.left} ${rate.at(shown.mean).toFixed(1)}H${width - BINS.right}` }));
    layers.rows.replaceChildren(...bins.map((b, i) => { const tall = Math.max(1, (b.share / most) * BINS.rows); return svg("rect", { x: (left(i) + wide * .12).toFixed(1), y: (floor - tall).toFixed(1), width: (wide * .76).toFixed(1), height: tall.toFixed(1), class: b.special ? "mmf-special" : null }); }));
    layers.whisker.replaceChildren(...bins.map((b, i) => (b.low === null ? "" : svg("path", { d: `M${middle(i).toFixed(1)} ${rate.at(b.low).toFixed(1)}V${rate.at(b.high).toFixed(1)}` }))).filter(Boolean));
    layers.dots.replaceChildren(...bins.map((b, i) => svg("circle", { cx: middle(i).toFixed(1), cy: rate.at(b.mean).toFixed(1), r: 4, class: b.special ? "mmf-special" : null })));
    const labels = [], y = floor + 15;
    const put_ = (x, words) => labels.push({ x, words, half: words.length * LETTER / 2 });
    const lastValue = bins.findLastIndex((b) => !b.special), open = (b, i) => (i === lastValue && b.text !== b.start ? `${b.start} +` : b.start);
    bins.forEach((b, i) => put_(middle(i), shown.is_category || b.special ? clip(b.text, Math.max(6, Math.floor((1.7 * wide) / LETTER))) : open(b, i)));
    let free = -Infinity;
    const kept = labels.filter((label, i) => { const last = bins.slice(i + 1).find((b) => b.special); if (label.x - label.half < free) return false; if (!bins[i].special && last && label.x + label.half + 8 > labels[bins.indexOf(last)].x - labels[bins.indexOf(last)].half) return false; free = label.x + label.half + 8; return true; });
    layers.axis.replaceChildren(...kept.map((label) => text(clamp(label.x, label.half, width - label.half), y, "middle", label.words)), svg("path", { d: `M${BINS.left} ${floor + .5}H${width - BINS.right}` }));
    put(plot, { "aria-label": `${shown.title} by value. ${shown.sentence}` });
    cursor.reset();
  }
  return { plot, reading, show(next) { shown = next; draw(); }, resize(now) { if (now < 120 || now === width) return; width = now; put(plot, { width, viewBox: `0 0 ${width} ${BINS.height}` }); draw(); } };
}

// ---- over time -----------------------------------------------------------------------------------------------------

function makeCourse(choose) {
  const plot = svg("svg", { class: "mmf-plot mmf-course", role: "img", tabindex: "0" }), reading = html("p", { class: "mmf-reading", "aria-live": "polite" });
  const hover = svg("g", { class: "mmf-hover" });
  let width = 420, shown = null, chosen = null, tall = 300;
  const wide = () => (width - PANEL.left - PANEL.right) / Math.max(1, shown.course.length), middle = (i) => PANEL.left + (i + .5) * wide();
  const cursor = makeCursor(plot, reading, {
    count: () => shown?.course.length ?? 0,
    placeAt: (x) => clamp(Math.floor((x - PANEL.left) / wide()), 0, shown.course.length - 1),
    mark: (i) => hover.replaceChildren(...(i === null ? [] : [svg("rect", { x: (middle(i) - wide() / 2).toFixed(1), y: 0, width: wide().toFixed(1), height: tall - PANEL.axis })])),
    read: (i) => shown.course[i].said, idle: () => "", choose: (i) => choose(i === chosen ? null : i),
  });
  const dots = (top, axis, key) => shown.course.map((c, i) => (c[key] === null ? "" : svg("circle", { cx: middle(i).toFixed(1), cy: axis.at(c[key]).toFixed(1), r: 3 }))).filter(Boolean);
  const sides = () => [false, true].map((side) => shown.course.map((_, i) => i).filter((i) => shown.course[i].is_held_out === side));
  const line = (axis, values, look) => svg("path", { class: look, d: sides().map((side) => side.map((i, k) => (values[i] === null ? "" : `${k && values[side[k - 1]] !== null ? "L" : "M"}${middle(i).toFixed(1)} ${axis.at(values[i]).toFixed(1)}`)).join("")).join("") });

  function panel(index, title, values, isRate, draw) {
    const top = index * (PANEL.height + 20) + 18 + PANEL.top, bottom = top + PANEL.height - PANEL.top - PANEL.bottom, axis = scaleOf(values, bottom, top, isRate);
    const heading = values.some((v) => v !== null) ? title : `${title}: no value`, room = Math.floor((width - PANEL.left) / LETTER);
    return svg("g", { class: "mmf-panel" }, text(PANEL.left, top - 10, "start", clip(heading, room), "mmf-name"), ...gridLines(axis, width, PANEL, 2, isRate), ...draw(axis, top));
  }
  const band = (axis, low, high) => sides().flatMap((side) => {        // training rows and held-out rows are not joined
    const there = side.filter((i) => low[i] !== null && high[i] !== null), at = (i, values) => `${middle(i).toFixed(1)} ${axis.at(values[i]).toFixed(1)}`;
    if (there.length < 2) return there.map((i) => svg("path", { class: "mmf-whiskerline", d: `M${at(i, low)}L${at(i, high)}` }));
    return [svg("path", { class: "mmf-band", d: `M${there.map((i) => at(i, high)).join("L")}L${there.toReversed().map((i) => at(i, low)).join("L")}Z` })];
  });
  const column = (key) => shown.course.map((c) => c[key]);

  function draw() {
    if (!shown) return;
    const panels = [panel(0, shown.is_rate ? "outcome, share of customers" : "outcome, mean", [...column("low"), ...column("high"), ...column("mean")], shown.is_rate,
      (axis, top) => [...band(axis, column("low"), column("high")), line(axis, column("mean"), "mmf-line"), ...dots(top, axis, "mean")])];
    if (shown.names.length) panels.push(panel(1, "share of the commonest values", shown.names.flatMap((n) => n.shares), true, (axis) => shown.names.flatMap((n, k) => [line(axis, n.shares, `mmf-line mmf-series${k}`), ...n.shares.map((v, i) => svg("circle", { class: `mmf-series${k}`, cx: middle(i).toFixed(1), cy: axis.at(v).toFixed(1), r: 3 }))])));
    else panels.push(panel(1, shown.unit ? `median and quartiles, ${shown.unit}` : "median and quartiles", [...column("lower_quartile"), ...column("upper_quartile")], false,
      (axis, top) => [...band(axis, column("lower_quartile"), column("upper_quartile")), line(axis, column("median"), "mmf-line"), ...dots(top, axis, "median")]));
    panels.push(panel(2, "missing", column("missing"), true, (axis, top) => [line(axis, column("missing"), "mmf-line"), ...dots(top, axis, "missing")]));
    tall = panels.length * (PANEL.height + 20) + 10 + PANEL.axis;
    put(plot, { width, height: tall, viewBox: `0 0 ${width} ${tall}`, "aria-label": `${shown.title} over time. ${shown.course.map((c) => c.said).join(" ")}` });
    const held = shown.course.map((c, i) => [c, i]).filter(([c]) => c.is_held_out).map(([, i]) => svg("rect", { class: "mmf-held", x: (middle(i) - wide() / 2).toFixed(1), y: 0, width: wide().toFixed(1), height: tall - PANEL.axis }));
    const days = [], every = Math.max(1, Math.ceil((10 * LETTER + 10) / wide()));
    shown.course.forEach((c, i) => { if (i % every === 0) days.push(text(clamp(middle(i), PANEL.left, width - 5 * LETTER), tall - 4, "middle", c.day, i === chosen ? "mmf-tick mmf-chosen" : "mmf-tick")); });
    const mark = chosen === null ? [] : [svg("rect", { class: "mmf-picked", x: (middle(chosen) - wide() / 2).toFixed(1), y: 1, width: wide().toFixed(1), height: tall - PANEL.axis - 2 })];
    plot.replaceChildren(...held, hover, ...panels, ...mark, ...days);
    cursor.reset();
  }
  const key = html("p", { class: "mmf-key" });
  return { plot, reading, key,
    show(next, period) {
      shown = next; chosen = period;
      key.replaceChildren(...shown.names.map((n, k) => html("span", { class: `mmf-keyname mmf-series${k}` }, n.name)), ...(shown.course.some((c) => c.is_held_out) ? [html("span", { class: "mmf-keyname mmf-keyheld" }, "held out")] : []));
      draw();
    },
    resize(now) { if (now < 120 || now === width) return; width = now; draw(); } };
}

// ---- the list of features ------------------------------------------------------------------------------------------

const SORTS = { gain: ["Gain alone", (f) => -(f.gain ?? -Infinity)], drift: ["Drift", (f) => -(f.drift ?? -Infinity)], missing: ["Missing", (f) => -f.missing], name: ["Name", null] };

function makeList(spec, id, actions) {
  const rows = new Map(), most = Math.max(1e-9, ...spec.features.map((f) => f.gain ?? 0));
  const search = html("input", { type: "search", class: "mmf-search", placeholder: "Find a feature", "aria-label": "Find a feature", autocomplete: "off", spellcheck: "false" });
  const empty = html("p", { class: "mmx-note", hidden: "" }, "No feature has this in its name or definition.");
  const box = html("div", { class: "mmf-list", role: "group", "aria-label": "Features" });
  let sort = "gain";
  const sorting = makeChoice(`${id}-sort`, "Sorted by", (value) => { sort = value; layout(); });
  sorting.fill(Object.entries(SORTS).map(([key, [words]]) => [key, words]), sort);
  for (const f of spec.features) {
    const tick = html("input", { type: "checkbox", tabindex: "-1", "aria-label": `Tick ${f.name}` });
    const bar = html("span", { class: "mmf-bar" });
    bar.style.transform = `scaleX(${clamp((f.gain ?? 0) / most, 0, 1)})`;
    const button = html("button", { type: "button", class: "mmf-feature", tabindex: "-1", title: f.definition ? `${f.name}: ${f.definition}` : f.name, "aria-label": `${f.name}, ${f.said}` },
      html("span", { class: "mmf-label" }, f.name), html("span", { class: "mmf-figure" }, f.gain_said), html("span", { class: "mmf-track" }, bar), html("span", { class: "mmf-flags" }, f.flags));
    let rest = 0;
    button.addEventListener("click", () => actions.choose(f.name));
    button.addEventListener("pointerenter", () => { clearTimeout(rest); rest = setTimeout(() => actions.hint(f.name), HOVER_REST); });
    button.addEventListener("pointerleave", () => clearTimeout(rest));
    tick.addEventListener("change", () => actions.tick(f.name, tick.checked));
    rows.set(f.name, { node: html("div", { class: "mmf-row" }, tick, button), tick, button, words: `${f.name} ${f.definition}`.toLowerCase(), ...f });
  }
  function layout() {
    const wanted = search.value.trim().toLowerCase(), by = SORTS[sort][1];
    const all = [...rows.values()].filter((row) => row.words.includes(wanted));
    all.sort(by ? (a, b) => by(a) - by(b) : (a, b) => (a.name < b.name ? -1 : 1));
    box.replaceChildren(...all.map((row) => row.node));
    empty.hidden = all.length > 0;
    if (!all.some((row) => row.button.tabIndex === 0) && all.length) roving(all[0].button);
  }
  function roving(button) { for (const row of rows.values()) row.button.tabIndex = row.tick.tabIndex = row.button === button ? 0 : -1; }
  box.addEventListener("keydown", (event) => {
    const all = [...box.querySelectorAll(".mmf-feature")], at = all.findIndex((button) => button.parentNode.contains(event.target));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1, PageDown: at + 8, PageUp: at - 8 }[event.key];
    if (to === undefined || at < 0) return;
    const target = all[clamp(to, 0, all.length - 1)];
    target.focus(); target.click();
    const next = all[clamp(2 * clamp(to, 0, all.length - 1) - at, 0, all.length - 1)];     // where the next press will lead
    if (next !== target) actions.hint(next.querySelector(".mmf-label").textContent);
    event.preventDefault();
  });
  search.addEventListener("input", layout);
  layout();
  return { node: html("div", { class: "mmf-side" }, html("div", { class: "mmf-find" }, search, sorting.node), box, empty),
    show(settings) {
      for (const [name, row] of rows) { row.tick.checked = settings.ticked.includes(name); put(row.button, { "aria-current": String(name === settings.feature) }); }
      const row = rows.get(settings.feature);
      if (row) { roving(row.button); const low = row.node.offsetTop - box.offsetTop; if (low < box.scrollTop || low + row.node.offsetHeight > box.scrollTop + box.clientHeight) box.scrollTop = low - box.clientHeight / 3; }
    } };
}

// ---- the explorer --------------------------------------------------------------------------------------------------

function render({ model, el }) {
  const spec = model.get("spec"), id = `mmf-${Math.random().toString(36).slice(2)}`, profiles = new Map();
  let settings = { ...model.get("settings") }, measuring = null, hinted = false;
  const keyOf = (s) => JSON.stringify([s.feature, s.scale, s.period]);

  const problem = html("div", { class: "mmx-problem", role: "alert", hidden: "" }), spoken = html("span", { class: "mmx-spoken", role: "status" });
  const hint = (feature) => {                    // asked ahead, one at a time
    if (hinted || profiles.has(JSON.stringify([feature, "quantile", settings.period]))) return;
    hinted = true;
    model.send({ type: "hint", feature });
  };
  const list = makeList(spec, id, { hint, choose: (feature) => change({ feature, window: null, filter: null }), tick: (name, on) => change({ ticked: on ? [...settings.ticked, name] : settings.ticked.filter((n) => n !== name) }) });
  const tip = html("span", { class: "mmx-tip", role: "tooltip", id: `${id}-tip` }), title = html("span", { class: "mmx-name mmf-big", tabindex: "0", "aria-describedby": `${id}-tip` }), unit = html("span", { class: "mmx-unit" });
  const meaning = html("p", { class: "mmf-meaning" }), sentence = html("p", { class: "mmf-sentence" });
  const bins = makeBins(), course = makeCourse((period) => change({ period }));
  const scale = makeChoice(`${id}-scale`, "Bins", (value) => change({ scale: value })), period = makeChoice(`${id}-period`, "Rows", (value) => change({ period: value === "" ? null : Number(value) }));
  const byValue = card(`${spec.outcome} by value`, bins.plot, bins.reading), overTime = card("Over time", course.plot, course.key, course.reading);
  byValue.head.append(html("span", { class: "mmx-choices" }, scale.node, period.node));
  const related = html("div", { class: "mmf-related" }), worth = html("dl", { class: "mmf-facts" }), measure = html("button", { type: "button", class: "mmx-button" }, "Measure the time"), measured = html("span", { class: "mmf-measured", role: "status" });
  const relatedCard = card("Related features", related), worthCard = card("Gain beside cost", worth, ...(spec.can_measure ? [html("div", { class: "mmf-line" }, measure, measured)] : []));
  const windows = makeChoice(`${id}-window`, "Window", (value) => change({ window: value === "" ? null : Number(value) })), column = makeChoice(`${id}-column`, "Only rows whose", (value) => change({ filter: value === "" ? null : [value, choicesOf(value)[0]] })), only = makeChoice(`${id}-only`, "is", (value) => change({ filter: [settings.filter[0], JSON.parse(value)] }));
  const cell = makeCopyBox("Declaration, as a cell"), yaml = makeCopyBox("Declaration, for params.yaml"), listed = makeCopyBox("Ticked features, for params.yaml");
  const takeAway = card("Take it away", html("div", { class: "mmx-choices mmf-wide" }, windows.node, column.node, only.node), cell.node, yaml.node, listed.node);
  const main = html("div", { class: "mmf-main" },
    html("div", { class: "mmf-feature-head" }, html("span", { class: "mmx-title" }, title, unit, tip), meaning, sentence),
    html("div", { class: "mmf-cards" }, byValue.node, overTime.node, relatedCard.node, worthCard.node, takeAway.node));
  const root = html("div", { class: "mmx mmf", "data-lm-suppress-shortcuts": "true" },
    html("div", { class: "mmx-header" }, html("strong", { class: "mmx-table" }, spec.title), html("span", { class: "mmf-about" }, spec.about), html("div", { class: "mmx-how" }, HOW), ...spec.notes.map((note) => html("div", { class: "mmx-note" }, note)), problem, spoken),
    spec.features.length ? html("div", { class: "mmf-body" }, list.node, main) : html("p", { class: "mmx-note" }, "There is no feature to look at."));

  const aboutOf = (name) => spec.features.find((f) => f.name === name), choicesOf = (name) => spec.filters[aboutOf(settings.feature).table]?.[name] ?? [];
  const saidOf = (value) => (value === true ? "yes" : value === false ? "no" : value);
  function controls() {
    const about = aboutOf(settings.feature), columns = Object.keys(spec.filters[about.table] ?? {}).filter((c) => !about.filtered.includes(c));
    scale.fill(about.is_category ? [["quantile", "one per value"]] : spec.scales, about.is_category ? "quantile" : settings.scale);
    period.fill([["", spec.training], ...spec.periods.map((words, i) => [i, words])], settings.period ?? "");
    const same = about.window_days === null ? "as declared (all)" : `as declared (${about.window_days} days)`;
    windows.fill(about.has_window ? [["", same], ...spec.windows.filter((d) => d !== about.window_days).map((d) => [d, `${d} days`]), ...(about.window_days === null ? [] : [[0, "all"]])] : [["", "no window"]], settings.window ?? "");
    column.fill([["", "(no further filter)"], ...columns.map((c) => [c, c.replaceAll("_", " ")])], settings.filter?.[0] ?? "");
    only.node.hidden = !settings.filter;
    if (settings.filter) only.fill(choicesOf(settings.filter[0]).map((v) => [JSON.stringify(v), String(saidOf(v))]), JSON.stringify(settings.filter[1]));
  }

  function report(words) { problem.hidden = !words; say(problem, words ?? ""); }
  const patience = makePatience(root, () => report(SILENT));
  function show(profile) {
    patience.settle(); report(null);
    say(title, profile.title); say(unit, profile.unit); say(tip, profile.definition || "Nobody has written down what this is.");
    say(meaning, profile.definition || "Nobody has written down what this is."); say(sentence, profile.sentence);
    bins.show(profile); course.show(profile, settings.period);
    related.replaceChildren(...profile.related.map((r) => {
      const bar = html("span", { class: "mmx-hbar" });
      bar.style.transform = `scaleX(${Math.abs(r.relation ?? 0)})`;
      const node = html("button", { type: "button", class: "mmx-row", title: `${r.feature}, ${r.how}`, "aria-label": `${r.feature}: ${r.said}, ${r.how}` }, html("span", { class: "mmx-label" }, r.feature), html("span", { class: "mmx-track" }, html("span", { class: "mmx-hghost" }), bar), html("span", { class: "mmx-count" }, r.said));
      node.addEventListener("click", () => change({ feature: r.feature, window: null, filter: null }));
      return node;
    }), ...(profile.related.length ? [] : [html("p", { class: "mmx-note" }, "There is no other feature.")]));
    worth.replaceChildren(...profile.facts.flatMap(([label, value, note]) => [html("dt", {}, label), html("dd", {}, value, note ? html("span", { class: "mmf-small" }, note) : "")]));
    if (measuring !== profile.feature) say(measured, "");
    measure.disabled = !aboutOf(profile.feature).table;
    say(spoken, `${profile.title}. ${profile.sentence}`);
  }
  function update() {
    controls(); list.show(settings);
    const known = profiles.get(keyOf(settings));
    if (known) { show(known); return; }
    patience.wait();
  }
  function change(part) {
    settings = { ...settings, ...part };
    if (aboutOf(settings.feature).is_category) settings.scale = "quantile";
    model.set("settings", { ...settings }); model.save_changes();
    update();
  }
  const keep = (profile) => {
    if (!profile?.asked) return;
    const key = JSON.stringify(profile.asked);
    profiles.set(key, profile);
    if (profiles.size > PROFILES_KEPT) profiles.delete(profiles.keys().next().value);
    if (key === keyOf(settings)) show(profile);
  };
  const answered = () => keep(model.get("profile"));
  const written = () => { const texts = model.get("texts"); cell.show(texts.cell ?? ""); yaml.node.hidden = !texts.yaml; yaml.show(texts.yaml ?? ""); listed.show(texts.list || ""); listed.node.hidden = !texts.list; };
  const assigned = () => {                      // Python chose
    if (JSON.stringify(model.get("settings")) === JSON.stringify(settings)) return;
    settings = { ...model.get("settings") };
    update();
  };
  const received = (message) => {
    if (message.type === "profile") { hinted = false; keep(message.profile); }
    if (message.type === "measured" && message.feature === measuring) { measure.disabled = false; say(measured, message.said); }
  };
  measure.addEventListener("click", () => { measuring = settings.feature; measure.disabled = true; say(measured, "measuring …"); model.send({ type: "measure", feature: measuring }); });
  keepKeys(root);

  model.on("change:profile", answered); model.on("change:texts", written); model.on("change:settings", assigned); model.on("msg:custom", received);
  el.append(root);
  if (!spec.features.length) return () => {};
  const watcher = new ResizeObserver(() => { bins.resize(byValue.node.clientWidth - 26); course.resize(overTime.node.clientWidth - 26); });
  watcher.observe(root);
  bins.resize(byValue.node.clientWidth - 26); course.resize(overTime.node.clientWidth - 26);
  answered(); written(); update();

  return () => {
    watcher.disconnect(); patience.settle();
    model.off("change:profile", answered); model.off("change:texts", written); model.off("change:settings", assigned); model.off("msg:custom", received);
  };
}

export default { render };
