// How far down a ranking does a mail still pay? One curve, three rivals, and prices that answer to a slider.
//
// The kernel sends, once, six figures per depth and rival: by how much spend, unsubscribes and contacts per customer
// exceed the rival's, and how these vary together (see the page "Targeting depths"). Profit and interval at any margin
// and cost follow by a handful of multiplications, done here at every move. Whatever is shown is set as text, never as
// markup. Needs a model with get, set, on, off and save_changes: JupyterLab and Voila have one, a frozen page brings
// its own.

const SAVE_AFTER = 120;    // ms of rest until Python learns the settings
const SPEAK_AFTER = 500;   // ms of rest until a screen reader hears the sentence
const PLOT = { height: 320, left: 52, right: 10, top: 14, bottom: 36, label: 15 };
const STILL = "The kernel does not answer. Chart and figures stay right; the definition of the audience and Python do not follow. If the kernel is busy, wait; if it was restarted, run the cell again.";
const HOW = "Move a slider, type a figure, or drag in the chart. Keys: arrow keys move a slider, Page Up and Page Down in larger steps.";

// ---- prices ------------------------------------------------------------------------------------------------------

// Profit beyond a rival at one depth; null where too few buyers tell the two apart.
function priced(differences, i, weights) {
  if (!differences.measurable[i]) return null;
  const m = differences.means[i], [ss, su, sc, uu, uc, cc] = differences.covariances[i], [a, b, c] = weights;
  const variance = a * a * ss + b * b * uu + c * c * cc + 2 * (a * b * su + a * c * sc + b * c * uc);
  const value = a * m[0] + b * m[1] + c * m[2], half = differences.critical * Math.sqrt(Math.max(0, variance));
  return { value, low: value - half, high: value + half, same: !differences.covariances[i].some(Boolean) };
}

// ---- the conclusion: the words of `measurement.policies.policy_sentence` -------------------------------------------

function conclusion(spec, found) {
  const best = spec.best_single_arm, nameOf = (arm) => spec.rivals.find((r) => r.arm === arm).name;
  const unbeaten = spec.rivals.map((r) => r.arm).filter((arm) => !(found[arm] && found[arm].low > 0));
  const rank = (arm) => [arm !== best, found[arm] ? found[arm].low : 0];
  unbeaten.sort((a, b) => { const [x, y] = [rank(a), rank(b)]; return x[0] - y[0] || x[1] - y[1] || (a < b ? -1 : 1); });
  const rival = unbeaten[0] ?? best, name = nameOf(rival), d = found[rival];
  if (!d) return { rival, beats: null, text: `Whether targeting beats ${name} cannot be said. Too few buyers tell the two apart at this depth.` };
  if (d.same) return { rival, beats: false, text: `Targeting chooses ${name} and cannot beat it: everybody gets the same.` };
  const words = !unbeaten.length ? `Targeting beats ${name}, the best single arm of the training rows, and every other rival`
    : `Targeting does ${d.high < 0 ? "worse than" : "not beat"} ${name}`;
  const { value, interval } = inWords(d, spec.currency);
  const also = unbeaten.length && !unbeaten.includes(best) ? ` It does beat ${nameOf(best)}, the best single arm of the training rows.` : "";
  return { rival, beats: !unbeaten.length, text: `${words}: the difference is ${value} per customer (${interval} at all depths at once), measured on ${number.format(spec.n)} held-out customers of a randomised campaign.${also}` };
}

// ---- the chart -----------------------------------------------------------------------------------------------------

function makeChart(spec, changed) {
  const parts = Object.fromEntries(["grid", "band", "lines", "curve", "labels", "mark"].map((p) => [p, svg("g", { class: `mmu-${p}` })]));
  const plot = svg("svg", { class: "mmu-plot", height: PLOT.height, role: "img" }, ...Object.values(parts));
  const node = html("div", { class: "mmu-chart" }, plot);
  let width = 480, state = null, drag = false;
  const x = (share) => PLOT.left + share * (width - PLOT.left - PLOT.right);

  function spread(labels, low, high) {      // labels of lines that lie close are moved apart
    labels.sort((a, b) => a.y - b.y);
    for (let i = 1; i < labels.length; i++) labels[i].y = Math.max(labels[i].y, labels[i - 1].y + PLOT.label);
    for (let i = labels.length - 1, limit = high; i >= 0; limit = labels[i--].y - PLOT.label) labels[i].y = Math.max(low, Math.min(labels[i].y, limit));
  }

  function draw() {
    if (!state) return;
    const { points, lines, depth, rival } = state, known = points.filter(Boolean);
    const ends = [0, ...known.flatMap((p) => [p.low, p.high]), ...lines.map((l) => l.value)];
    let low = Math.min(...ends), high = Math.max(...ends);
    if (low === high) { low -= 1; high += 1; }
    const bottom = PLOT.height - PLOT.bottom, y = (v) => bottom - ((v - low) / (high - low)) * (bottom - PLOT.top);
    const text = (px, py, anchor, words, look = "mmu-tick") => svg("text", { x: px.toFixed(1), y: py.toFixed(1), "text-anchor": anchor, class: look }, words);

    const { ticks, digits } = niceTicks(low, high, 5), grid = [];
    for (const t of ticks) grid.push(svg("path", { d: `M${PLOT.left} ${y(t).toFixed(1)}H${width - PLOT.right}`, class: Math.abs(t) < 1e-12 ? "mmu-zero" : "mmu-gridline" }),
      text(PLOT.left - 6, y(t) + 4, "end", t.toFixed(digits).replace("-", "−")));
    const every = width < 420 ? .5 : .2;
    for (let k = 0; k * every <= 1 + 1e-9; k++) grid.push(text(x(k * every), bottom + 17, k ? (k * every > .99 ? "end" : "middle") : "start", `${Math.round(100 * k * every)} %`));
    grid.push(text((PLOT.left + width - PLOT.right) / 2, bottom + 33, "middle", "share of customers reached, best first"));
    parts.grid.replaceChildren(...grid);

    const runs = [];
    points.forEach((p, i) => { if (p) { if (i && points[i - 1]) runs[runs.length - 1].push(i); else runs.push([i]); } });
    const at = (i, key) => `${x(spec.shares[i]).toFixed(1)} ${y(points[i][key]).toFixed(1)}`;
    parts.band.replaceChildren(...runs.map((run) => svg("path", { d: `M${run.map((i) => at(i, "high")).join("L")}L${[...run].reverse().map((i) => at(i, "low")).join("L")}Z` })));
    parts.curve.replaceChildren(...runs.map((run) => svg("path", { d: `M${run.map((i) => at(i, "value")).join("L")}${run.length === 1 ? "h.1" : ""}` })));

    const gaps = [];                        // where the curve is missing stands why
    points.forEach((p, i) => { if (!p) { if (i && !points[i - 1]) gaps[gaps.length - 1].push(i); else gaps.push([i]); } });
    for (const gap of gaps) {
      const from = x(spec.shares[gap[0]]), to = x(spec.shares[gap[gap.length - 1]]);
      if (to - from > 96) for (const [k, words] of ["too few buyers", "to measure"].entries()) parts.grid.append(text((from + to) / 2, PLOT.top + 34 + 15 * k, "middle", words));
      else if (to - from > 46) for (const [k, words] of ["too few", "buyers"].entries()) parts.grid.append(text((from + to) / 2, PLOT.top + 34 + 15 * k, "middle", words));
    }

    const labels = lines.map((l) => ({ ...l, y: y(l.value) - 5 }));
    spread(labels, PLOT.top + 4, bottom - 4);
    parts.lines.replaceChildren(...lines.map((l) => svg("path", { d: `M${PLOT.left} ${y(l.value).toFixed(1)}H${width - PLOT.right}`, class: l.isBest ? "mmu-best" : "mmu-rival" })));
    parts.labels.replaceChildren(...labels.map((l) => text(width - PLOT.right - 2, l.y, "end", l.label, l.isBest ? "mmu-label mmu-bestlabel" : "mmu-label")));

    const p = points[depth], px = x(spec.shares[depth]).toFixed(1), mark = [svg("path", { d: `M${px} ${PLOT.top}V${bottom}`, class: "mmu-depth" })];
    if (p) mark.push(svg("path", { d: `M${px} ${y(p.low).toFixed(1)}V${y(p.high).toFixed(1)}`, class: "mmu-whisker" }), svg("circle", { cx: px, cy: y(p.value).toFixed(1), r: 5 }));
    parts.mark.replaceChildren(...mark);
    put(plot, { "aria-label": `Profit per customer beyond ${rival.beyond} against the share of customers reached. ${state.words}` });
  }

  function pick(event) {
    const share = (event.clientX - plot.getBoundingClientRect().left - PLOT.left) / (width - PLOT.left - PLOT.right);
    let best = 0;
    spec.shares.forEach((s, i) => { if (Math.abs(s - share) < Math.abs(spec.shares[best] - share)) best = i; });
    changed(best);
  }
  plot.addEventListener("pointerdown", (event) => { if (event.button) return; drag = true; plot.setPointerCapture(event.pointerId); pick(event); });
  plot.addEventListener("pointermove", (event) => { if (drag) pick(event); });
  for (const kind of ["pointerup", "pointercancel"]) plot.addEventListener(kind, () => { drag = false; });

  return {
    node,
    show(next) { state = next; draw(); },
    resize() {
      const now = node.clientWidth;
      if (now < 120 || now === width) return;
      width = now;
      put(plot, { width, viewBox: `0 0 ${width} ${PLOT.height}` });
      draw();
    },
  };
}

// ---- the table -----------------------------------------------------------------------------------------------------

function makeTable(spec, id) {
  const cell = () => html("td", {}, html("span", { class: "mmu-value" }), html("span", { class: "mmu-interval" }));
  const rows = spec.rivals.map((rival) => {
    const own = cell(), beyond = cell(), head = html("th", { scope: "row" }, rival.name);
    if (rival.arm === spec.best_single_arm) head.append(html("span", { class: "mmu-tag" }, makeTerm(`${id}-best`, "best single arm of the training rows", spec.terms.best_single_arm, "mmx-tagname")));
    return { own, beyond, node: html("tr", {}, head, own, beyond) };
  });
  const heading = (words) => html("th", { scope: "col" }, words);
  const node = html("table", { class: "mmu-table" }, html("thead", {}, html("tr", {}, heading("rival"), heading("its profit per customer beyond nobody"), heading(makeTerm(`${id}-learned`, "learned policy beyond it", spec.terms.learned_policy, "mmx-tagname")))), html("tbody", {}, ...rows.map((r) => r.node)));
  function fill(td, e) {
    const words = e ? inWords(e, spec.currency) : { value: "not measurable", interval: "too few buyers differ" };
    say(td.firstChild, words.value);
    say(td.lastChild, e && e.low === e.high ? "" : words.interval);
    td.classList.toggle("mmu-clear", Boolean(e && e.low > 0));
    td.classList.toggle("mmu-below", Boolean(e && e.high < 0));
  }
  return { node, show(own, beyond) { rows.forEach((row, k) => { fill(row.own, own[k]); fill(row.beyond, beyond[k]); }); } };
}

// ---- who gains -----------------------------------------------------------------------------------------------------

function makeGroups(spec) {
  const heading = (words) => html("th", { scope: "col" }, words), small = (words) => html("span", { class: "mmu-interval" }, words);
  const tables = spec.groups.map((each) => {
    const title = html("caption", { class: "mmu-caption" }, `Who gains from ${each.arm}, by predicted gain`);
    if (each.problem) return { node: html("p", { class: "mmx-note" }, `Who gains from ${each.arm} cannot be told. ${each.problem}`), show() {} };
    const rows = each.rows.map((row, k) => {
      const words = row.low === null ? { value: "not measurable", interval: "" } : inWords({ value: row.gained, low: row.low, high: row.high }, spec.currency);
      const reached = html("td", { class: "mmu-reached" }), part = `${k + 1} of ${each.rows.length}${k === 0 ? ", highest" : k === each.rows.length - 1 ? ", lowest" : ""}`;
      const about = row.n === null ? "fewer than 10 customers" : `${number.format(row.n)} customers, ${signed(row.predicted, 2)} predicted`;
      return { reached, node: html("tr", {}, html("th", { scope: "row" }, part, small(about)), reached, html("td", {}, html("span", { class: "mmu-value" }, words.value), small(words.interval)), html("td", {}, row.says)) };
    });
    return { node: html("table", { class: "mmu-table mmu-groups" }, title, html("thead", {}, html("tr", {}, heading("group"), heading("reached at this depth"), heading("measured gain in spend, all groups at once"), heading("what can be said"))), html("tbody", {}, ...rows.map((r) => r.node))),
      show(depth) { rows.forEach((row, k) => say(row.reached, each.rows[k].n === null ? "–" : percent(each.reached[depth][k]))); } };
  });
  return { nodes: tables.map((t) => t.node), show(depth) { for (const table of tables) table.show(depth); } };
}

// ---- the explorer --------------------------------------------------------------------------------------------------

function render({ model, el }) {
  const spec = model.get("spec"), id = `mmu-${Math.random().toString(36).slice(2)}`, last = spec.shares.length - 1;
  let settings = { ...model.get("settings") }, frame = 0, saveTimer = 0, speakTimer = 0;
  const spoken = html("span", { class: "mmx-spoken", role: "status" });
  const reach = html("p", { class: "mmu-reach" }), sentence = html("p", { class: "mmu-sentence" });
  const change = (part) => { settings = { ...settings, ...part }; frame ||= requestAnimationFrame(draw); save(); };

  const scale = spec.scales, unit = spec.currency, two = (value) => value.toFixed(digitsFor(scale.contact_cost / 40));
  const controls = {
    depth: makeSlider(`${id}-depth`, "Depth", "Customers reached, best predicted gain first", { min: 0, max: last, step: 1, text: (i) => `${percent(spec.shares[i])} of customers`, about: spec.terms.targeting_depth }, (depth) => change({ depth })),
    margin: makeSlider(`${id}-margin`, "Margin", "Share of spend that remains", { min: .01, max: 1, step: .01, text: (v) => percent(v), typed: amount(.001, 1, "%", 100), about: spec.terms.margin }, (margin) => change({ margin })),
    contact_cost: makeSlider(`${id}-contact`, "Contact cost", "Per customer reached", { min: 0, max: scale.contact_cost, step: scale.contact_cost / 200, text: (v) => `${two(v)} ${unit}`, typed: amount(0, 1e6, unit, 1), about: spec.terms.contact_cost }, (contact_cost) => change({ contact_cost })),
  };
  if (spec.has_unsubscribes) controls.unsubscribe_cost = makeSlider(`${id}-leave`, "Unsubscribe cost", "Per customer who unsubscribes", { min: 0, max: scale.unsubscribe_cost, step: scale.unsubscribe_cost / 200, text: (v) => `${two(v)} ${unit}`, typed: amount(0, 1e6, unit, 1), about: spec.terms.unsubscribe_cost }, (unsubscribe_cost) => change({ unsubscribe_cost }));

  const top = html("button", { type: "button", class: "mmx-button" }, "Depth of the highest profit");
  const reset = html("button", { type: "button", class: "mmx-button" }, "Given figures");
  const choice = html("select", { id: `${id}-rival`, class: "mmx-select" }, ...spec.rivals.map((r) => html("option", { value: r.arm }, r.beyond)));
  const chart = makeChart(spec, (depth) => change({ depth })), table = makeTable(spec, id), groups = makeGroups(spec);
  const problem = html("div", { class: "mmx-problem", role: "alert", hidden: "" }), audience = makeCopyBox("Audience at this depth");
  audience.node.classList.add("mmu-take");
  const notes = spec.notes.map((note) => html("p", { class: "mmx-note" }, note));
  const root = html("div", { class: "mmx mmu", "data-lm-suppress-shortcuts": "true" },
    html("div", { class: "mmx-header" }, html("strong", { class: "mmx-table" }, spec.title), reach, sentence, spoken, html("div", { class: "mmx-how" }, HOW), problem),
    html("div", { class: "mmu-body" },
      html("div", { class: "mmu-controls" }, ...Object.values(controls).map((c) => c.node), html("div", { class: "mmu-buttons" }, top, reset)),
      html("div", { class: "mmu-picture" }, html("label", { class: "mmu-choice", for: `${id}-rival` }, "Profit per customer beyond ", choice), chart.node)),
    table.node, ...groups.nodes, audience.node, ...notes);
  const report = (words) => { problem.hidden = !words; say(problem, words); }, patience = makePatience(audience.node, () => report(STILL));

  const weights = () => [settings.margin, -(settings.unsubscribe_cost ?? 0), -settings.contact_cost];
  const curveAgainst = (arm, w) => { const rival = spec.rivals.find((r) => r.arm === arm); return spec.shares.map((_, i) => priced(rival.against, i, w)); };

  function draw() {
    frame = 0;
    const w = weights(), i = settings.depth, rival = spec.rivals.find((r) => r.arm === settings.rival);
    const beyond = spec.rivals.map((r) => priced(r.against, i, w)), own = spec.rivals.map((r) => priced(r.to_all, 0, w));
    const found = Object.fromEntries(spec.rivals.map((r, k) => [r.arm, beyond[k]])), judged = conclusion(spec, found);
    const mix = spec.arms.map((arm, k) => [arm, spec.mix[i][k]]).filter(([arm, share]) => arm !== spec.control && share > 0).map(([arm, share]) => `${percent(share)} ${arm}`);
    const alone = found[spec.control], gain = alone ? inWords(alone, unit) : null;
    say(reach, `Reaching ${percent(spec.shares[i])} of customers${mix.length > 1 ? ` (${mix.join(", ")})` : ""} brings ${gain ? `${gain.value} per customer beyond nobody${alone.same ? "" : ` (${gain.interval})`}` : "a profit that cannot be measured: too few buyers tell it from nobody"}.`);
    say(sentence, judged.text);
    put(sentence, { "data-beats": String(judged.beats) });
    for (const [name, control] of Object.entries(controls)) control.show(settings[name]);
    if (choice.value !== settings.rival) choice.value = settings.rival;
    const isNobody = settings.rival === spec.control;
    const lines = isNobody ? spec.rivals.map((r, k) => ({ label: r.short, value: own[k]?.value ?? null, isBest: r.arm === spec.best_single_arm })).filter((l) => l.value !== null) : [{ label: rival.short, value: 0, isBest: rival.arm === spec.best_single_arm }];
    chart.show({ points: curveAgainst(settings.rival, w), lines, depth: i, rival, words: `${reach.textContent} ${judged.text}` });
    table.show(own, beyond); groups.show(i);
    clearTimeout(speakTimer);
    speakTimer = setTimeout(() => say(spoken, `${reach.textContent} ${judged.text}`), SPEAK_AFTER);
  }
  function save() {
    clearTimeout(saveTimer);
    saveTimer = setTimeout(() => {
      model.set("settings", { ...settings }); model.save_changes();
      if (!isWritten()) patience.wait();
    }, SAVE_AFTER);
  }

  // Python writes the audience of the newest settings; a frozen page has nobody who would.
  const texts = () => model.get("texts") ?? {};
  const isWritten = () => !texts().asked || Object.keys(settings).every((name) => texts().asked[name] === settings[name]);
  const written = () => {
    audience.node.hidden = !texts().audience;
    if (!isWritten()) return;
    patience.settle(); report("");
    audience.show(texts().audience ?? "");
  };

  top.addEventListener("click", () => {
    const points = curveAgainst(spec.control, weights());
    change({ depth: points.reduce((best, p, i) => (p && (points[best] === null || p.value > points[best].value) ? i : best), 0) });
  });
  reset.addEventListener("click", () => change({ ...spec.given }));
  choice.addEventListener("change", () => change({ rival: choice.value }));
  keepKeys(root);

  const assigned = () => {                     // Python set the figures
    if (JSON.stringify(model.get("settings")) === JSON.stringify(settings)) return;
    settings = { ...model.get("settings") };
    frame ||= requestAnimationFrame(draw);
  };
  model.on("change:settings", assigned); model.on("change:texts", written);
  el.append(root);
  const watcher = new ResizeObserver(() => chart.resize());
  watcher.observe(root);
  chart.resize(); draw(); written();

  return () => {
    watcher.disconnect(); patience.settle();
    clearTimeout(saveTimer); clearTimeout(speakTimer); cancelAnimationFrame(frame);
    model.off("change:settings", assigned); model.off("change:texts", written);
  };
}

export default { render };
