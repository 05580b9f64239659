// What an experiment said, one view at a time: arms against what they are held against, days, groups.
//
// The kernel sends, once, every range with its sentence (see the page "Readout rows"). Choosing is looking up: no
// figure and no word about a figure is made here, and nothing is decided here. Whatever is shown is set as text,
// never as markup. Needs a model with get, set, on, off and save_changes.

const SAVE_AFTER = 120;    // ms of rest until Python learns the choices
const SPEAK_AFTER = 500;   // ms of rest until a screen reader hears the sentence
const STILL = "The kernel does not answer. What is shown stays right; the cell to copy and Python do not follow. If the kernel is busy, wait; if it was restarted, run the cell again.";
const HOW = "Choose a view, a metric and an arm; a row or a day can be clicked. Keys: Tab and Enter for views and rows, arrow keys for days.";
const VIEW_NAMES = { effects: "Effects", days: "Day by day", segments: "Groups" };
const NO_SLICES = "Not measured. The promise names no segments, and no column was asked for.";
const FAULT_ONLY = "Shown for finding the fault, not for deciding.";
const SIGNS = { ship: "✓", hold: "…", stop: "✕", exploratory: "?", pass: "✓", review: "…", fail: "✕", unknown: "?" };

// ---- what stands on the screen: the selections of `readout_views.view_of` ------------------------------------------

function screenOf(figures, chosen) {
  const metric = figures.metrics.find((m) => m.name === chosen.metric), goal = figures.metrics.find((m) => m.name === figures.goal);
  const effect = (name) => figures.effects.find((r) => r.metric === name && r.arm === chosen.arm);
  const join = (...words) => words.filter(Boolean).join(" "), warned = (words) => (figures.fault ? FAULT_ONLY : words);
  if (chosen.view === "days") {
    const { days, series, words, allowed, problem } = figures.days, found = series.find((s) => s.metric === chosen.metric && s.arm === chosen.arm);
    const rows = (found?.rows ?? []).map((row, k) => ({ ...row, label: days[k] }));
    return { heading: `${metric.label}: ${chosen.arm} against ${figures.control}, by the end of each day`, unit: metric.unit, rows, line: effect(chosen.metric).line, problem,
      says: join(words, ...rows.filter((r) => r.label === chosen.day).map((r) => r.says)), warning: warned(allowed ? "" : words.split(":")[0]) };
  }
  if (chosen.view === "segments") {
    const one = figures.slices.find((s) => s.name === chosen.segment && s.arm === chosen.arm), whole = effect(figures.goal);
    const frame = { heading: `${goal.label}: ${chosen.arm} against ${figures.control} by ${chosen.segment || "groups"}`, unit: goal.unit, line: whole.line };
    if (!one) return { ...frame, rows: [], says: NO_SLICES, warning: warned(""), problem: NO_SLICES };
    const more = one.left_out ? `${number.format(one.left_out)} smaller groups are not shown.` : "";
    return { ...frame, rows: [{ ...whole, label: "all customers" }, ...one.rows.map((r) => ({ ...r, label: `${one.name}: ${r.group}` }))], problem: "",
      says: join(one.words, one.together, more), warning: warned(one.named ? "" : "Exploratory: a question for the next experiment, not an answer") };
  }
  const rows = figures.effects.filter((r) => r.metric === chosen.metric).map((r) => ({ ...r, label: r.arm })), one = effect(chosen.metric);
  const decided = chosen.metric === figures.goal ? figures.by_arm[chosen.arm].sentence : "";
  return { heading: `${metric.label} against ${figures.control}`, unit: metric.unit, rows, line: one.line, problem: "", warning: warned(""),
    says: join(one.says, figures.decision.sentence.includes(decided) ? "" : decided) };
}

// ---- the chart -----------------------------------------------------------------------------------------------------

const cut = (words, pixels) => { const most = Math.max(4, Math.floor(pixels / 6.7)); return words.length > most ? `${words.slice(0, most - 1)}…` : words; };
const lineWords = (line, pixels) => cut(pixels < 330 ? line.words.split(" per ")[0] : line.words, .85 * pixels);
const label = (x, y, anchor, words, look = "mmr-tick") => svg("text", { x: x.toFixed(1), y: y.toFixed(1), "text-anchor": anchor, class: look }, words);
const stroke = (d, look) => svg("path", { d, class: look });

function axisOf(rows, line) {       // zero and the line are always in sight
  const ends = [0, ...rows.filter((r) => r.value !== null).flatMap((r) => [r.low, r.high]), ...(line ? [line.at] : [])];
  let low = Math.min(...ends), high = Math.max(...ends);
  if (low === high) { low -= 1; high += 1; }
  const room = .06 * (high - low);
  return [low - room, high + room];
}

function drawRanges(screen, chosenLabel, width, pick) {
  const wide = width >= 620, step = wide ? 34 : 70, top = 26, left = wide ? Math.min(230, .26 * width) : 8, right = wide ? width - 200 : width - 8;
  const [low, high] = axisOf(screen.rows, screen.line), x = (v) => left + ((v - low) / (high - low)) * (right - left), bottom = top + step * screen.rows.length, nodes = [];
  const { ticks, digits } = niceTicks(low, high, wide ? 5 : 4);
  for (const t of ticks) nodes.push(stroke(`M${x(t).toFixed(1)} ${top}V${bottom}`, Math.abs(t) < 1e-12 ? "mmr-zero" : "mmr-gridline"), label(x(t), bottom + 16, "middle", t.toFixed(digits).replace("-", "−")));
  if (screen.line) {
    const px = x(screen.line.at), words = lineWords(screen.line, width);
    nodes.push(stroke(`M${px.toFixed(1)} ${top - 4}V${bottom}`, "mmr-line"), label(clamp(px, 0, Math.max(0, width - 7.6 * words.length)), top - 9, "start", words, "mmr-linewords"));
  }
  screen.rows.forEach((row, k) => {
    const y0 = top + step * k, y = wide ? y0 + step / 2 : y0 + 54, isChosen = row.label === chosenLabel, group = svg("g", { class: isChosen ? "mmr-row mmr-chosen" : "mmr-row" });
    group.append(svg("rect", { x: 0, y: y0 + 2, width, height: step - 4, rx: 5, class: "mmr-back" }));
    group.append(label(8, wide ? y + 4 : y0 + 19, "start", cut(row.label, wide ? left - 20 : width - 16), "mmr-name"));
    if (row.value === null) group.append(label(wide ? left + 4 : 8, wide ? y + 4 : y0 + 38, "start", cut(`${row.words}: ${row.note}`, wide ? width - left - 12 : width - 16), "mmr-note"));
    else {
      const [a, b, c] = [row.low, row.high, row.value].map((v) => x(v).toFixed(1));
      group.append(stroke(`M${a} ${y}H${b}M${a} ${y - 5}v10M${b} ${y - 5}v10`, "mmr-range"), svg("circle", { cx: c, cy: y, r: 4.5 }));
      group.append(label(wide ? width - 8 : 8, wide ? y + 4 : y0 + 37, wide ? "end" : "start", row.short, "mmr-figures"));
    }
    if (pick) group.addEventListener("click", () => pick(row));
    nodes.push(group);
  });
  nodes.push(label((left + right) / 2, bottom + 33, "middle", screen.unit));
  return { nodes, height: bottom + 42 };
}

function drawDays(screen, day, width, pick) {
  const top = 26, bottom = 300, left = 52, right = width - 14, [low, high] = axisOf(screen.rows, screen.line), y = (v) => bottom - ((v - low) / (high - low)) * (bottom - top), nodes = [];
  const { ticks, digits } = niceTicks(low, high, 5), date = (iso) => Date.parse(`${iso}T00:00:00Z`) / 864e5;
  for (const t of ticks) nodes.push(stroke(`M${left} ${y(t).toFixed(1)}H${right}`, Math.abs(t) < 1e-12 ? "mmr-zero" : "mmr-gridline"), label(left - 6, y(t) + 4, "end", t.toFixed(digits).replace("-", "−")));
  const first = date(screen.rows[0].label), span = Math.max(1, date(screen.rows[screen.rows.length - 1].label) - first), x = (iso) => left + 14 + ((date(iso) - first) / span) * (right - left - 28);
  const last = screen.rows[screen.rows.length - 1].label, oneYear = screen.rows[0].label.slice(0, 4) === last.slice(0, 4);
  const every = Math.max(1, Math.ceil((screen.rows.length * 74) / (right - left)));
  [...screen.rows].reverse().forEach((row, k) => { if (k % every === 0) nodes.push(label(clamp(x(row.label), left, right - 2), bottom + 18, "middle", oneYear ? row.label.slice(5) : row.label.slice(2))); });
  if (screen.line) nodes.push(stroke(`M${left} ${y(screen.line.at).toFixed(1)}H${right}`, "mmr-line"));
  for (const row of screen.rows) {
    const px = x(row.label).toFixed(1), isChosen = row.label === day;
    if (isChosen) nodes.push(stroke(`M${px} ${top}V${bottom}`, "mmr-day"));
    if (row.value === null) nodes.push(label(Number(px), bottom - 6, "middle", "–", "mmr-note"));
    else nodes.push(svg("g", { class: isChosen ? "mmr-chosen" : "" }, stroke(`M${px} ${y(row.low).toFixed(1)}V${y(row.high).toFixed(1)}`, "mmr-range"), svg("circle", { cx: px, cy: y(row.value).toFixed(1), r: isChosen ? 5.5 : 3.5 })));
  }
  if (screen.line) nodes.push(label(right, 12, "end", `- - ${lineWords(screen.line, right)}`, "mmr-linewords"));
  nodes.push(label(width / 2, bottom + 35, "middle", `${oneYear ? `${last.slice(0, 4)}, ` : ""}${screen.unit}${screen.rows.some((r) => r.value === null) ? "; –: not measured" : ""}`));
  const nearest = (px) => screen.rows.reduce((best, r) => (Math.abs(x(r.label) - px) < Math.abs(x(best) - px) ? r.label : best), screen.rows[0].label);
  return { nodes, height: bottom + 44, at: (px) => pick(nearest(px)) };
}

// ---- tables --------------------------------------------------------------------------------------------------------

function statusNode(status) { return html("span", { class: `mmr-status mmr-${status}` }, `${SIGNS[status] ?? ""} ${status}`); }

function makeTable(headings, rows) {
  const cells = (row) => row.cells.map((content, k) => html(k ? "td" : "th", k ? {} : { scope: "row" }, content));
  return html("table", { class: "mmr-table" }, html("thead", {}, html("tr", {}, ...headings.map((words) => html("th", { scope: "col" }, words)))),
    html("tbody", {}, ...rows.map((row) => html("tr", { class: row.isChosen ? "mmr-chosen" : null }, ...cells(row)))));
}
const stacked = (row) => html("span", {}, html("span", { class: "mmr-value" }, row.words), html("span", { class: "mmr-interval" }, row.interval || row.note));
const choosing = (words, isChosen, run, key) => { const node = html("button", { type: "button", class: "mmr-pick", "aria-pressed": String(isChosen), "data-key": key }, words); node.addEventListener("click", run); return node; };

// ---- the explorer --------------------------------------------------------------------------------------------------

function render({ model, el }) {
  const figures = model.get("figures"), id = `mmr-${Math.random().toString(36).slice(2)}`, days = figures.days.days;
  let chosen = { ...model.get("settings") }, frame = 0, saveTimer = 0, speakTimer = 0, width = 640, marked = null;
  const change = (part) => { chosen = { ...chosen, ...part }; frame ||= requestAnimationFrame(draw); save(); };
  const metricOf = (name) => figures.metrics.find((m) => m.name === name);

  const decision = html("div", { class: `mmr-decision mmr-${figures.decision.word}` }, html("span", { class: "mmr-badge" }, `${SIGNS[figures.decision.word] ?? ""} ${figures.decision.word}`), html("p", { class: "mmr-decided" }, figures.decision.sentence));
  const more = html("details", { class: "mmx-details" }, html("summary", {}, "What would change it, and what had to hold first"), figures.decision.change ? html("p", {}, figures.decision.change) : "",
    makeTable(["what had to hold", "found"], figures.conditions.map((c) => ({ cells: [c.what, html("span", {}, statusNode(c.status), html("span", { class: "mmr-interval" }, c.message))] }))));
  const fault = html("p", { class: "mmr-warning", hidden: figures.fault ? null : "" }, `⚠ ${figures.fault}`);
  const problem = html("div", { class: "mmx-problem", role: "alert", hidden: "" }), spoken = html("span", { class: "mmx-spoken", role: "status" });

  const views = Object.entries(VIEW_NAMES).map(([view, name]) => { const node = html("button", { type: "button", class: "mmr-view", "data-view": view }, name); node.addEventListener("click", () => change({ view })); return node; });
  const metric = makeChoice(`${id}-metric`, "Metric", (value) => change({ metric: value })), arm = makeChoice(`${id}-arm`, "Arm", (value) => change({ arm: value }));
  const segment = makeChoice(`${id}-segment`, "Groups by", (value) => change({ segment: value }));
  metric.fill(figures.metrics.map((m) => [m.name, `${m.label} (${m.role})`]), chosen.metric); arm.fill(figures.arms.map((a) => [a, a]), chosen.arm);
  const named = new Map(figures.slices.map((s) => [s.name, s.named]));
  segment.fill([...named].map(([name, isNamed]) => [name, isNamed ? `${name} (in the promise)` : `${name} (exploratory)`]), chosen.segment);
  const slider = makeSlider(`${id}-day`, "Day", "What was known by its end", { min: 0, max: Math.max(0, days.length - 1), step: 1, text: (k) => days[k] ?? "" }, (k) => change({ day: days[k] }));

  const warning = html("p", { class: "mmr-warning" }), heading = html("h3", { class: "mmr-heading" }), about = html("p", { class: "mmx-note" }), empty = html("p", { class: "mmr-empty" });
  const plot = svg("svg", { class: "mmr-plot", role: "img" }), says = html("p", { class: "mmr-says" }), tables = html("div", { class: "mmr-tables" }), copy = makeCopyBox("The cell that shows this again");
  const root = html("div", { class: "mmx mmr", "data-lm-suppress-shortcuts": "true" },
    html("div", { class: "mmx-header" }, html("strong", { class: "mmx-table" }, figures.name), html("span", { class: "mmr-label" }, figures.label), html("p", { class: "mmx-note" }, figures.hypothesis), decision, fault, more, spoken, html("div", { class: "mmx-how" }, HOW), problem),
    html("div", { class: "mmr-bar" }, html("div", { class: "mmr-views", role: "group", "aria-label": "View" }, ...views), html("div", { class: "mmx-choices" }, metric.node, arm.node, segment.node)),
    html("div", { class: "mmr-picture" }, warning, heading, about, slider.node, plot, empty, says), tables, copy.node);
  const report = (words) => { problem.hidden = !words; say(problem, words); }, patience = makePatience(copy.node, () => report(STILL));

  function fillTables(screen) {
    const focus = tables.contains(el.getRootNode().activeElement) ? el.getRootNode().activeElement.dataset.key : null;
    const isHere = (row) => row.metric === chosen.metric && row.arm === chosen.arm;
    const shown = { effects: () => makeTable(["metric and arm", "change against " + figures.control, "verdict of the readout"], figures.effects.map((row) => ({ isChosen: isHere(row),
        cells: [choosing(`${metricOf(row.metric).label}, ${row.arm}`, isHere(row), () => change({ metric: row.metric, arm: row.arm }), `${row.metric}/${row.arm}`), stacked(row),
          row.verdict.status ? html("span", {}, statusNode(row.verdict.status), html("span", { class: "mmr-interval" }, row.verdict.message)) : html("span", { class: "mmr-interval" }, figures.fault ? "not judged" : metricOf(row.metric).role === "diagnostic" ? "explains, decides nothing" : "not judged")] }))),
      days: () => makeTable(["day", "what was known"], screen.rows.map((row) => ({ isChosen: row.label === chosen.day, cells: [choosing(row.label, row.label === chosen.day, () => change({ day: row.label }), row.label), stacked(row)] }))),
      segments: () => makeTable(["group", "gain", "customers in both arms"], screen.rows.map((row) => ({ cells: [row.label, stacked(row), row.n === null ? "–" : number.format(row.n)] }))) };
    const table = shown[chosen.view](), wasOpen = tables.querySelector("details")?.open;
    tables.replaceChildren(chosen.view === "days" && screen.rows.length ? html("details", { class: "mmx-details", open: wasOpen ? "" : null }, html("summary", {}, "All days as a table"), table) : screen.rows.length ? table : "");
    if (focus) [...tables.querySelectorAll("[data-key]")].find((node) => node.dataset.key === focus)?.focus();
  }

  function draw() {
    frame = 0;
    const screen = screenOf(figures, chosen), isDays = chosen.view === "days", isGroups = chosen.view === "segments";
    for (const node of views) put(node, { "aria-pressed": String(node.dataset.view === chosen.view) });
    metric.select.value = isGroups ? figures.goal : chosen.metric; metric.select.disabled = isGroups || figures.metrics.length < 2;
    arm.select.value = chosen.arm; segment.select.value = chosen.segment; segment.node.hidden = !isGroups || !named.size;
    slider.node.hidden = !isDays || !days.length;
    if (days.length) slider.show(Math.max(0, days.indexOf(chosen.day)));
    say(warning, screen.warning ? `⚠ ${screen.warning}` : ""); warning.hidden = !screen.warning;
    say(heading, screen.heading); say(about, isGroups ? metricOf(figures.goal).about : metricOf(chosen.metric).about);
    say(empty, screen.problem); empty.hidden = !screen.problem; says.hidden = Boolean(screen.problem); say(says, screen.says);
    const plain = chosen.view === "effects" ? (row) => change({ arm: row.arm }) : null;
    marked = !screen.rows.length ? null : isDays ? drawDays(screen, chosen.day, width, (day) => change({ day })) : drawRanges(screen, chosen.view === "effects" ? chosen.arm : null, width, plain);
    plot.toggleAttribute("hidden", !marked);
    if (marked) { plot.replaceChildren(...marked.nodes); put(plot, { width, height: marked.height, viewBox: `0 0 ${width} ${marked.height}`, "aria-label": `${screen.heading}, ${screen.unit}. ${screen.warning} ${screen.rows.slice(0, 12).map((r) => `${r.label}: ${r.words} ${r.interval}`).join("; ")}` }); }
    plot.classList.toggle("mmr-clickable", chosen.view !== "segments");
    fillTables(screen);
    clearTimeout(speakTimer);
    speakTimer = setTimeout(() => say(spoken, `${screen.warning} ${screen.problem || screen.says}`), SPEAK_AFTER);
  }
  const place = (event) => marked.at(event.clientX - plot.getBoundingClientRect().left);
  plot.addEventListener("pointerdown", (event) => { if (event.button || !marked?.at) return; plot.setPointerCapture(event.pointerId); place(event); });
  plot.addEventListener("pointermove", (event) => { if (marked?.at && event.buttons & 1) place(event); });

  function save() {
    clearTimeout(saveTimer);
    saveTimer = setTimeout(() => { model.set("settings", { ...chosen }); model.save_changes(); if (!isWritten()) patience.wait(); }, SAVE_AFTER);
  }
  const texts = () => model.get("texts") ?? {};      // Python writes the cell of the newest choices; a frozen page has nobody who would
  const isWritten = () => !texts().asked || Object.keys(chosen).every((name) => texts().asked[name] === chosen[name]);
  const written = () => {
    copy.node.hidden = !texts().code;
    if (!isWritten()) return;
    patience.settle(); report("");
    copy.show(texts().code ?? "");
  };
  const assigned = () => {                           // Python chose
    if (JSON.stringify(model.get("settings")) === JSON.stringify(chosen)) return;
    chosen = { ...model.get("settings") };
    frame ||= requestAnimationFrame(draw);
  };
  keepKeys(root);
  model.on("change:settings", assigned); model.on("change:texts", written);
  el.append(root);
  const resize = () => { const now = Math.floor(root.querySelector(".mmr-picture").clientWidth - 26); if (now < 120 || now === width) return; width = now; draw(); };
  const watcher = new ResizeObserver(resize);
  watcher.observe(root);
  draw(); resize(); written();

  return () => {
    watcher.disconnect(); patience.settle();
    clearTimeout(saveTimer); clearTimeout(speakTimer); cancelAnimationFrame(frame);
    model.off("change:settings", assigned); model.off("change:texts", written);
  };
}

export default { render };
