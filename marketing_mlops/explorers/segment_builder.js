// A segment in the making: a bound for every number, a list for every name, and beside them whoever is inside.
//
// Python computes every figure and writes every sentence; here they are drawn. The browser sends drafts and nothing
// else: conditions on features the specification lists, and three texts. One wish is out at a time and the newest
// counts; rules are asked when the hand rests. Whatever is shown is set as text, never as markup. Needs a model with
// get, on, off and send.

const JUDGE_AFTER = 350;   // ms of rest until the rules are asked
const TELL_AFTER = 500;    // ms of rest until a screen reader hears the sentence
const HIST = { height: 40, width: 240 };
const HOW = "Move a bound, type a number, or choose values. Keys: Tab to a control, arrow keys move a bound, Enter or Space chooses a value.";
const ASKED = "Change a condition to see what the rules of the set say.";
const MARKS = { pass: "✓ fine", review: "! look at it", unknown: "? not known", fail: "✗ broken" };

const part = (title, ...children) => html("section", { class: "mmx-card mms-part", "aria-label": title }, html("h3", { class: "mms-title" }, title), ...children);
const few = (value) => Number(value.toPrecision(6));
function ceiling(values) { const [first, second] = [...values, 0, 0].sort((a, b) => b - a); return (second && first > 4 * second ? 1.2 * second : first) || 1; }
const shares = (counts) => { const all = counts.reduce((a, b) => a + b, 0) || 1; return counts.map((c) => c / all); };

// ---- one number ----------------------------------------------------------------------------------------------------

function makeNumber(id, feature, changed) {
  const bins = feature.first.length, cuts = feature.cuts, ghost = svg("path", { class: "mmx-ghost" }), bars = svg("path", { class: "mmx-in" }), brush = svg("rect", { class: "mmx-brush", y: 0, height: HIST.height });
  const plot = svg("svg", { class: "mms-hist", viewBox: `0 0 ${HIST.width} ${HIST.height}`, preserveAspectRatio: "none", "aria-hidden": "true" }, ghost, brush, bars);
  const state = { ">=": null, "<": null }, step = HIST.width / Math.max(1, bins), place = (value) => cuts.filter((c) => c <= value).length;
  const path = (tall) => tall.map((t, i) => (t ? `M${(i * step).toFixed(2)} ${HIST.height}v${(-t * HIST.height).toFixed(2)}h${Math.max(.5, step - .6).toFixed(2)}V${HIST.height}z` : "")).join("");
  const ends = {};
  for (const [sign, words] of [[">=", "at least"], ["<", "below"]]) {
    const name = `${feature.name}, ${words}${feature.unit ? `, ${feature.unit}` : ""}`, none = sign === ">=" ? 0 : cuts.length;
    const slider = html("input", { type: "range", min: 0, max: Math.max(1, cuts.length), step: 1, "aria-label": name }), typed = html("input", { type: "number", step: "any", class: "mmx-number", "aria-label": `${name}, typed`, inputmode: "decimal" });
    const bound = (at) => (at === none ? null : cuts[sign === ">=" ? at - 1 : at]);
    slider.addEventListener("input", () => {
      const other = ends[sign === ">=" ? "<" : ">="], at = sign === ">=" ? Math.min(Number(slider.value), other.at()) : Math.max(Number(slider.value), other.at());
      if (at !== Number(slider.value)) slider.value = at;
      state[sign] = bound(at); show(); changed(conditions());
    });
    typed.addEventListener("input", () => {
      const value = typed.value.trim() === "" ? null : Number(typed.value);
      if (value !== null && !Number.isFinite(value)) return;
      state[sign] = value; show(typed); changed(conditions());
    });
    typed.addEventListener("blur", () => show());
    ends[sign] = { slider, typed, none, at: () => (state[sign] === null ? none : place(state[sign])), node: html("label", { class: "mms-end" }, html("span", {}, words), typed, slider) };
    slider.disabled = typed.disabled = !cuts.length;
  }
  const absent = feature.totals[bins], only = html("input", { type: "checkbox" });
  let isMissing = false, others = [];
  only.addEventListener("change", () => { isMissing = only.checked; show(); changed(conditions()); });
  const missing = html("label", { class: "mms-missing" }, only, `only the ${number.format(absent)} of whom it is not known`);
  missing.hidden = !absent;
  const also = html("div", { class: "mms-also" });

  function conditions() { return isMissing ? [[feature.name, "is missing"]] : [...others, ...[">=", "<"].filter((s) => state[s] !== null).map((s) => [feature.name, s, state[s]])]; }
  function show(writing) {
    for (const [sign, end] of Object.entries(ends)) {
      const at = end.at(), value = state[sign];
      if (Number(end.slider.value) !== at) end.slider.value = at;
      put(end.slider, { "aria-valuetext": value === null ? "no bound" : `${few(value)}${feature.unit ? ` ${feature.unit}` : ""}` });
      if (end.typed !== writing) end.typed.value = value === null ? "" : String(few(value));
      put(end.typed, { placeholder: "none" });
      end.slider.disabled = end.typed.disabled = isMissing || !cuts.length;
    }
    only.checked = isMissing;
    const from = state[">="] === null ? 0 : place(state[">="]), to = state["<"] === null ? bins : place(state["<"]);
    put(brush, { x: (from * step).toFixed(2), width: Math.max(0, (to - from) * step).toFixed(2), visibility: !isMissing && (state[">="] !== null || state["<"] !== null) ? "visible" : "hidden" });
    also.replaceChildren(...others.map((c) => {
      const gone = html("button", { type: "button", class: "mmx-clear", "aria-label": `Take away ${c.slice(0, 2).join(" ")} ${c[2] ?? ""}` }, "✕");
      gone.addEventListener("click", () => { others = others.filter((o) => o !== c); show(); changed(conditions()); });
      return html("span", {}, `${c[1]} ${c[2] ?? ""} `, gone);
    }));
  }
  return {
    node: html("div", {}, plot, ends[">="].node, ends["<"].node, missing, also),
    set(found) {
      state[">="] = state["<"] = null; isMissing = false; others = [];
      for (const c of found) { if (c[1] === "is missing") isMissing = true; else if (c[1] in state && state[c[1]] === null) state[c[1]] = c[2]; else others.push(c); }
      show();
    },
    draw(counts) {
      const all = shares(feature.totals.slice(0, bins)), inside = shares(counts.slice(0, bins)), top = Math.max(ceiling(all), ceiling(inside));
      put(ghost, { d: path(all.map((v) => Math.min(1, v / top))) }); put(bars, { d: path(inside.map((v) => Math.min(1, v / top) * .999)) });
    },
  };
}

// ---- one name ------------------------------------------------------------------------------------------------------

const FIND_FROM = 9;         // values from which on they can be searched
function makeNames(id, feature, changed) {
  const bins = feature.first.length, rows = [];
  let chosen = new Set(), isMissing = false, others = [];
  function row(label, i, choose) {
    const ghost = html("span", { class: "mmx-hghost" }), bar = html("span", { class: "mmx-hbar" }), count = html("span", { class: "mmx-count" }), name = html("span", { class: i < bins ? "mmx-label" : "mmx-label mmx-special" }, label);
    const node = html(choose ? "button" : "div", choose ? { type: "button", class: "mmx-row", "aria-pressed": "false", title: label } : { class: "mmx-row mms-still" }, name, html("span", { class: "mmx-track", "aria-hidden": "true" }, ghost, bar), count);
    if (choose) node.addEventListener("click", choose);
    rows.push({ node, ghost, bar, count, i, label });
  }
  feature.first.forEach((label, i) => row(label === "" ? "(empty text)" : label, i, () => { isMissing = false; if (chosen.has(label)) chosen.delete(label); else chosen.add(label); show(); changed(conditions()); }));
  if (feature.totals[bins]) row("other values", bins, null);
  if (feature.totals[bins + 1]) row("not known", bins + 1, () => { isMissing = !isMissing; chosen.clear(); show(); changed(conditions()); });
  const list = html("div", { class: "mmx-list mms-list", role: "group", "aria-label": `Values of ${feature.name}` }, ...rows.map((r) => r.node));
  const find = html("input", { type: "search", class: "mms-find", placeholder: `find among ${number.format(bins)}`, "aria-label": `Find a value of ${feature.name}` });
  find.addEventListener("input", () => { const words = find.value.trim().toLowerCase(); for (const r of rows) r.node.hidden = words !== "" && !r.label.toLowerCase().includes(words); });
  find.hidden = bins < FIND_FROM;
  const also = html("div", { class: "mms-also" });
  function conditions() { return isMissing ? [[feature.name, "is missing"]] : [...others, ...(chosen.size ? [[feature.name, "in", feature.first.filter((l) => chosen.has(l))]] : [])]; }
  function show() {
    for (const r of rows) if (r.node.tagName === "BUTTON") put(r.node, { "aria-pressed": String(r.i < bins ? chosen.has(feature.first[r.i]) : isMissing) });
    also.replaceChildren(...others.map((c) => {
      const gone = html("button", { type: "button", class: "mmx-clear", "aria-label": `Take away ${c[1]}` }, "✕");
      gone.addEventListener("click", () => { others = others.filter((o) => o !== c); show(); changed(conditions()); });
      return html("span", {}, `${c[1]} ${[].concat(c[2] ?? []).join(", ")} `, gone);
    }));
  }
  return {
    node: html("div", {}, find, list, also),
    set(found) {
      chosen = new Set(); isMissing = false; others = [];
      for (const c of found) { if (c[1] === "is missing") isMissing = true; else if (c[1] === "in" && !chosen.size && c[2].every((v) => feature.first.includes(v))) chosen = new Set(c[2]); else others.push(c); }
      show();
    },
    draw(counts) {
      const all = shares(feature.totals), inside = shares(counts), top = Math.max(...all, ...inside, 1e-9), any = counts.some(Boolean);
      for (const r of rows) { r.ghost.style.transform = `scaleX(${all[r.i] / top})`; r.bar.style.transform = `scaleX(${inside[r.i] / top})`; say(r.count, any ? `${Math.round(100 * inside[r.i])} %` : "–"); }
    },
  };
}

// ---- who is inside -------------------------------------------------------------------------------------------------

function makeProfile(spec, id) {
  const known = Object.fromEntries(spec.features.map((f, i) => {
    const bar = svg("rect", { class: "mmx-in", y: 2, height: 10 }), words = html("span", { class: "mms-words" });
    const plot = svg("svg", { class: "mms-diff", viewBox: "-50 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" }, bar, svg("path", { d: "M0 0V14", class: "mms-zero" }));
    return [f.name, { bar, words, node: html("div", { class: "mms-line" }, html("span", { class: "mms-name", title: f.name }, f.name), plot, words) }];
  }));
  const list = html("div", {});
  return { node: part("In what they differ from the rest", html("p", { class: "mmx-note" }, makeTerm(`${id}-difference`, "standardised difference", spec.terms.standardised_difference, "mmx-tagname"), ": to the right they have more, to the left less; a bar ends at two."), list),
    show(lines) {
      for (const line of lines) {
        const one = known[line.feature], d = clamp(line.difference ?? 0, -2, 2) * 25;
        put(one.bar, { x: Math.min(0, d), width: Math.abs(d) }); say(one.words, `${line.difference === null ? "" : `${signed(line.difference, 2)} · `}${line.words}`);
      }
      list.replaceChildren(...lines.map((line) => known[line.feature].node));
    } };
}

function bar(share, mark) {
  return svg("svg", { class: "mms-share", viewBox: "0 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { class: "mmx-ghost", y: 2, width: 100, height: 10 }), svg("rect", { class: "mmx-in", y: 2, width: (100 * share).toFixed(2), height: 10 }),
    ...(mark === null || mark === undefined ? [] : [svg("path", { d: `M${(100 * mark).toFixed(2)} 0V14`, class: "mms-zero" })]));
}
function makeLines(title, note, nothing) {
  const list = html("div", {});
  return { node: part(title, html("p", { class: "mmx-note" }, ...note), list),
    show(lines) { list.replaceChildren(...(lines.length ? lines.map(([name, share, mark, words]) => html("div", { class: "mms-line" }, html("span", { class: "mms-name", title: name }, name), bar(share, mark), html("span", { class: "mms-words" }, words))) : [html("p", { class: "mmx-note" }, nothing)])); } };
}

function makeSides(title, note) {
  const list = html("div", {});
  return { node: part(title, html("p", { class: "mmx-note" }, note), list),
    show(all) {
      list.replaceChildren(...all.flatMap((one) => {
        const known = ["inside", "outside"].map((s) => one[s].figure).filter(Boolean), ends = [0, ...known.flatMap((f) => [f.low, f.high])], low = Math.min(...ends), wide = Math.max(...ends) - low || 1, x = (v) => (2 + 96 * (v - low) / wide).toFixed(2);
        const lines = ["inside", "outside"].map((side) => {
          const f = one[side].figure, marks = f ? [svg("path", { class: "mms-whisker", d: `M${x(f.low)} 7H${x(f.high)}` }), svg("path", { class: "mms-dot", d: `M${x(f.value)} 7h.01` })] : [];
          return html("div", { class: "mms-line" }, html("span", { class: "mms-name" }, side), svg("svg", { class: "mms-share", viewBox: "0 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("path", { d: `M${x(0)} 0V14`, class: "mms-zero" }), ...marks), html("span", { class: "mms-words" }, one[side].words));
        });
        return [html("h4", { class: "mms-what" }, one.what), ...lines, html("p", { class: "mms-says" }, one.says)];
      }));
    } };
}

function makeRules() {
  const list = html("div", {}, html("p", { class: "mmx-note" }, ASKED));
  return { node: part("What the rules of the set say", list),
    wait() { list.classList.add("mms-old"); },
    show(answers) {
      list.classList.remove("mms-old");
      list.replaceChildren(...(answers.length ? answers.map((a) => html("div", { class: "mms-rule" }, html("span", { class: `mms-mark mms-${a.status}` }, MARKS[a.status]), html("span", { class: "mms-asks" }, a.asks), ...a.reasons.map((r) => html("p", { class: "mms-reason" }, r)))) : [html("p", { class: "mmx-note" }, ASKED)]));
    } };
}

// ---- saving --------------------------------------------------------------------------------------------------------

function makeSave(spec, id, written, save) {
  const field = (name, words, node) => html("label", { class: "mms-field", for: `${id}-${name}` }, html("span", {}, words), node);
  const name = html("input", { id: `${id}-name`, type: "text", maxlength: 80, autocomplete: "off", spellcheck: "false", placeholder: "such as faded" }), definition = html("textarea", { id: `${id}-definition`, rows: 2, maxlength: 400, placeholder: "Who is meant, in one sentence a colleague understands." });
  const sets = html("datalist", { id: `${id}-sets` }), set = html("input", { id: `${id}-set`, type: "text", maxlength: 80, autocomplete: "off", spellcheck: "false", list: `${id}-sets` });
  const button = html("button", { type: "button", class: "mmx-button mms-save" }, "Save as a segment"), change = html("button", { type: "button", class: "mmx-button", hidden: "" }, ""), done = html("p", { class: "mms-done", role: "status" });
  const copy = makeCopyBox("Declaration for params.yaml");
  let version = null;
  const draft = () => ({ name: name.value.trim(), definition: definition.value.trim(), set_name: set.value.trim() });
  for (const node of [name, definition, set]) node.addEventListener("input", () => { change.hidden = true; say(done, ""); written(); });
  button.addEventListener("click", () => save(null)); change.addEventListener("click", () => save(version));
  return {
    node: part("Keep it", field("name", "Name", name), field("definition", "Definition", definition), field("set", "Segment set", set), sets, html("div", { class: "mms-buttons" }, button, change), done, copy.node), draft,
    set(given) { for (const [node, value] of [[name, given.name], [definition, given.definition], [set, given.set_name]]) if (node.value.trim() !== value) node.value = value; },
    sets(names) { sets.replaceChildren(...names.map((n) => html("option", { value: n }))); },
    ready(hasConditions) {
      const d = draft(), lacking = [[hasConditions, "a condition"], [d.name, "a name"], [d.definition, "a definition"], [d.set_name, "a set"]].filter(([there]) => !there).map(([, what]) => what);
      button.disabled = Boolean(lacking.length) || !spec.can_save;
      put(button, { title: !spec.can_save ? "This explorer has no workspace; copy the declaration." : lacking.length ? `Still needed: ${lacking.join(", ")}.` : "" });
      if (!done.textContent || done.dataset.kind === "needed") { done.dataset.kind = "needed"; say(done, !spec.can_save ? "Without a workspace it cannot be saved here; copy the declaration." : lacking.length ? `To save it: ${lacking.join(", ")}.` : ""); }
    },
    busy() { button.disabled = change.disabled = true; done.dataset.kind = "busy"; say(done, "Saving…"); },
    answered(message) {
      change.disabled = false; version = message.replaces ?? null; change.hidden = !version; say(change, version ? `Replace version ${version}` : "");
      done.dataset.kind = message.is_saved ? "saved" : "refused"; done.classList.toggle("mms-refused", !message.is_saved); say(done, message.says);
    },
    quiet() { done.dataset.kind = "needed"; done.classList.remove("mms-refused"); say(done, ""); change.hidden = true; },
    entry(text) { copy.show(text); },
  };
}

// ---- the explorer --------------------------------------------------------------------------------------------------

function render({ model, el }) {
  const spec = model.get("spec"), id = `mms-${Math.random().toString(36).slice(2)}`, held = {};
  let judgeTimer = 0, speakTimer = 0, conditions = [];
  const sentence = html("p", { class: "mms-sentence" }), spoken = html("span", { class: "mmx-spoken", role: "status" }), fill = html("span", { class: "mmx-fill" });
  const problem = html("div", { class: "mmx-problem", role: "alert", hidden: "" }), reset = html("button", { type: "button", class: "mmx-button" }, "Everybody again");
  const report = (words) => { problem.hidden = !words; say(problem, words); };

  const cards = spec.features.map((feature, i) => {
    const control = (feature.range ? makeNumber : makeNames)(`${id}-${i}`, feature, (found) => { held[feature.name] = found; moved(); });
    const about = `${feature.definition}${feature.unit ? ` Unit: ${feature.unit}.` : ""}`;
    const clear = html("button", { type: "button", class: "mmx-clear", "aria-label": `Any ${feature.name}`, hidden: "" }, "Clear");
    clear.addEventListener("click", () => { control.set([]); held[feature.name] = []; moved(); });
    return { feature, control, clear, node: html("section", { class: "mmx-card mms-feature", "aria-label": feature.name }, html("div", { class: "mmx-head" }, html("div", { class: "mms-head" }, makeTerm(`${id}-${i}-about`, feature.name, about), feature.unit ? html("span", { class: "mmx-unit" }, feature.unit) : ""), clear), control.node) };
  });
  const profile = makeProfile(spec, id), coverage = makeLines("Whom one may address", [makeTerm(`${id}-reach`, "share that agreed", spec.terms.reachable_share, "mmx-tagname"), "; the line is the share outside."], "No consent is told: none is recorded, or too few are inside.");
  const overlap = makeLines("Where they are already", [makeTerm(`${id}-jaccard`, "in both, of those in either", spec.terms.jaccard, "mmx-tagname"), "."], "No other segment can be told here.");
  const ended = spec.has_outcome ? makeSides("How it ended", "Per customer, with intervals that hold together.") : null;
  const uplift = spec.has_arms ? makeSides("What the campaign changed", "Against the control, with intervals that hold together for one segment chosen before looking. You are looking: take what you find as something to test.") : null;
  const rules = makeRules(), keep = makeSave(spec, id, () => { keep.ready(conditions.length); judgeSoon(); ask(); }, (replaces) => { keep.busy(); saver.ask({ key: `save ${Math.random()}`, draft: draft(), replaces }); });
  const results = html("div", { class: "mms-results mmx-body" }, profile.node, coverage.node, overlap.node, ...[ended, uplift].filter(Boolean).map((s) => s.node), rules.node);
  const root = html("div", { class: "mmx mms", "data-lm-suppress-shortcuts": "true" },
    html("div", { class: "mmx-header mms-header" }, html("div", { class: "mmx-line" }, html("strong", { class: "mmx-table" }, spec.title), html("span", { class: "mmx-meter", "aria-hidden": "true" }, fill), reset), sentence, spoken, problem),
    html("p", { class: "mmx-how" }, HOW), html("div", { class: "mms-columns" }, html("div", { class: "mms-features" }, ...cards.map((c) => c.node)), results, html("div", { class: "mms-keep" }, keep.node)), ...spec.notes.map((note) => html("p", { class: "mmx-note" }, note)));

  const patience = makePatience(results, () => report(SILENT)), draft = () => ({ conditions, ...keep.draft() });
  const silent = () => { patience.settle(); report(SILENT); };
  const sender = (type) => (wish, sequence) => model.send({ type, sequence, draft: wish.draft, replaces: wish.replaces ?? null });
  const refused = (message) => { patience.settle(); report(message.problem); };
  const looker = makeAsker({ send: sender("look"), silent, refused, answered: (wish, message) => show(message.view) });
  const judge = makeAsker({ send: sender("judge"), silent, refused, answered: (wish, message) => { rules.show(message.answers); keep.entry(message.entry); } });
  const saver = makeAsker({ send: sender("save"), silent: () => { silent(); keep.quiet(); keep.ready(conditions.length); }, refused, answered: (wish, message) => { keep.answered(message); keep.sets(message.sets); keep.ready(conditions.length); if (message.is_saved) { ask(); judgeSoon(); } } });
  const receivers = { look: looker, judge, save: saver };

  function ask() { const d = draft(); patience.wait(); looker.ask({ key: JSON.stringify(d), draft: d }); }
  function judgeSoon() {
    clearTimeout(judgeTimer); rules.wait();
    judgeTimer = setTimeout(() => { const d = draft(); if (d.conditions.length) judge.ask({ key: JSON.stringify(d), draft: d }); else { rules.show([]); keep.entry(""); } }, JUDGE_AFTER);
  }
  function moved() {
    conditions = spec.features.flatMap((f) => held[f.name] ?? []);
    for (const c of cards) c.clear.hidden = !(held[c.feature.name] ?? []).length;
    keep.quiet(); keep.ready(conditions.length); ask(); judgeSoon();
  }
  function show(view) {
    patience.settle(); report("");
    say(sentence, view.sentence); fill.style.transform = `scaleX(${view.share})`;
    for (const c of cards) c.control.draw(view.counts[c.feature.name]);
    profile.show(view.profile);
    coverage.show(view.coverage.map((l) => [l.purpose, l.share, l.outside, l.words])); overlap.show(view.overlap.map((l) => [l.segment, l.jaccard, null, l.words]));
    if (ended) ended.show(view.outcome ? [view.outcome] : []);
    if (uplift) uplift.show(view.uplift);
    clearTimeout(speakTimer); speakTimer = setTimeout(() => say(spoken, view.sentence), TELL_AFTER);
  }
  function follow() {                          // Python set the draft
    const shown = model.get("shown");
    for (const c of cards) { held[c.feature.name] = shown.draft.conditions.filter((x) => x[0] === c.feature.name); c.control.set(held[c.feature.name]); c.clear.hidden = !held[c.feature.name].length; }
    conditions = spec.features.flatMap((f) => held[f.name] ?? []);
    keep.set(shown.draft); keep.sets(shown.sets); keep.entry(shown.entry); keep.ready(conditions.length);
    show(shown.view); judgeSoon();
  }
  const heard = (message) => receivers[message.about]?.receive(message);
  reset.addEventListener("click", () => { for (const c of cards) { c.control.set([]); held[c.feature.name] = []; } moved(); });
  keepKeys(root);
  model.on("change:shown", follow); model.on("msg:custom", heard);
  el.append(root);
  follow();
  return () => {
    clearTimeout(judgeTimer); clearTimeout(speakTimer); patience.settle();
    for (const one of [looker, judge, saver]) one.stop();
    model.off("change:shown", follow); model.off("msg:custom", heard);
  };
}

export default { render };
