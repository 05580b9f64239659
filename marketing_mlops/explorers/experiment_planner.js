// A test that is planned: every field and slider asks the kernel, which answers with figures and words.
//
// Nothing of a plan is calculated here; the kernel has the library and the customers. One wish is under way at a time,
// the newest is kept, and what lies between is skipped. Whatever is shown is set as text, never as markup. Needs a
// model with get, on, off and send.

const SPEAK_AFTER = 700;   // ms of rest until a screen reader hears the sentences
const TYPE_AFTER = 250;    // ms of rest until a typed word is asked about
const PLOT = { height: 300, left: 66, right: 12, top: 26, bottom: 40 };
const HOW = "Move a slider, type a figure, or press in the chart to plan for that week. Keys: arrow keys move a slider, Page Up and Page Down in larger steps.";

// ---- fields --------------------------------------------------------------------------------------------------------

function makeText(id, label, { hint = "", longest, lines = 1, placeholder = "", type = "text" }, changed) {
  const about = { id, class: "mmp-text", maxlength: longest, placeholder, "aria-describedby": hint ? `${id}-hint` : null, autocomplete: "off", spellcheck: lines > 1 ? "true" : "false" };
  const input = lines > 1 ? html("textarea", { ...about, rows: lines }) : html("input", { ...about, type });
  const node = html("div", { class: "mmp-field" }, html("label", { for: id }, label), input, hint ? html("span", { class: "mmx-hint", id: `${id}-hint` }, hint) : "");
  input.addEventListener("input", () => changed(input.value));
  return { node, input, show(value) { if (input.value.trim() !== (value ?? "") && !hasFocus(input)) input.value = value ?? ""; } };
}

function makeFigure(id, label, { unit = "", hint = "", about = "" }, changed) {
  const input = html("input", { id, type: "number", step: "any", class: "mmx-number", inputmode: "decimal", "aria-describedby": `${id}-hint` });
  const units = html("span", { class: "mmx-amountunit" }, unit), words = html("span", { class: "mmx-hint", id: `${id}-hint` }, hint);
  const node = html("div", { class: "mmx-control mmp-figure" }, html("span", { class: "mmx-controlhead" }, html("label", { for: id, class: about ? "mmx-spoken" : null }, label), about ? makeTerm(`${id}-about`, label, about) : ""), html("span", { class: "mmx-figure" }, input, units), words);
  let factor = 1;
  input.addEventListener("input", () => { const value = Number(input.value) / factor; if (input.value.trim() === "") changed(null); else if (Number.isFinite(value)) changed(value); });
  return { node, input,
    show(value, { unit: next = unit, factor: times = 1, hint: said = hint } = {}) {
      factor = times; say(units, next); say(words, said);
      if (!hasFocus(input)) input.value = value === null ? "" : String(Number((value * factor).toPrecision(5)));
    } };
}
const whole = (low, high, unit) => ({ ...amount(low, high, unit, 1), write: (value) => (value ? String(Math.round(value)) : ""), read: (text) => (/^\d{1,10}$/.test(text.trim()) && Number(text) >= low && Number(text) <= high ? Number(text) : null) });
const stepOf = (top) => Number((top / 200).toPrecision(1)) || .01;

// A figure that was typed far from where its slider moves moves the ends of the slider, never under the hand.
function fit(control, value) {
  const input = control.node.querySelector("input[type=range]"), top = Number(input.max);
  if (hasFocus(input) || !(value > top || (value > 0 && value < top / 50))) return;
  const next = Number((4 * value).toPrecision(2));
  put(input, { max: next, step: stepOf(next) });
}
const hasFocus = (input) => document.activeElement === input || input.getRootNode().activeElement === input;

// ---- arms: the control first -----------------------------------------------------------------------------------------

function makeArms(id, most, about, changed) {
  let arms = [], rows = [];
  const list = html("div", { class: "mmp-arms" }), sum = html("span", { class: "mmx-hint mmp-sum" });
  const add = html("button", { type: "button", class: "mmx-clear" }, "Add an arm"), even = html("button", { type: "button", class: "mmx-clear" }, "Even shares");
  const node = html("fieldset", { class: "mmp-set" }, html("legend", {}, makeTerm(`${id}-about`, "Arms", about)), list, html("div", { class: "mmp-buttons" }, add, even, sum));
  const evenly = (names) => names.map((name) => [name, 1 / names.length]);
  const free = () => { for (let k = arms.length; ; k++) if (!arms.some(([name]) => name === `treatment_${k}`)) return `treatment_${k}`; };
  function makeRow(k) {
    const name = html("input", { class: "mmp-text", maxlength: 60, "aria-label": k ? `Name of arm ${k + 1}` : "Name of the control" });
    const share = html("input", { type: "number", class: "mmx-number", min: 0, max: 100, step: "any", "aria-label": k ? `Share of arm ${k + 1} in per cent` : "Share of the control in per cent" });
    const remove = html("button", { type: "button", class: "mmx-clear", "aria-label": k ? `Remove arm ${k + 1}` : "Remove the control; the next arm becomes the control" }, "×");
    name.addEventListener("input", () => changed(arms.map((arm, i) => (i === k ? [name.value, arm[1]] : arm)), true));
    share.addEventListener("input", () => {
      const part = Number(share.value) / 100;
      if (share.value.trim() === "" || !(part >= 0 && part <= 1)) return;
      changed(arms.map((arm, i) => (i === k ? [arm[0], part] : arms.length === 2 ? [arm[0], Number((1 - part).toFixed(10))] : arm)));
    });
    remove.addEventListener("click", () => changed(evenly(arms.filter((_, i) => i !== k).map(([each]) => each))));
    return { name, share, remove, node: html("div", { class: "mmp-arm" }, name, share, html("span", { class: "mmx-amountunit" }, "%"), remove) };
  }
  add.addEventListener("click", () => changed(evenly([...arms.map(([name]) => name), free()])));
  even.addEventListener("click", () => changed(evenly(arms.map(([name]) => name))));
  return { node, show(next) {
    arms = next;
    if (rows.length !== arms.length) { rows = arms.map((_, k) => makeRow(k)); list.replaceChildren(...rows.map((row) => row.node)); }
    rows.forEach((row, k) => {
      if (!hasFocus(row.name)) row.name.value = arms[k][0];
      if (!hasFocus(row.share)) row.share.value = String(Number((100 * arms[k][1]).toFixed(2)));
      row.remove.hidden = arms.length < 3;
    });
    add.hidden = arms.length >= most;
    say(sum, `The first is the control. Sum ${Number((100 * arms.reduce((all, arm) => all + arm[1], 0)).toFixed(2))} %`);
  } };
}

// ---- what could be seen after each week ------------------------------------------------------------------------------

function makeWeeks(picked) {
  const parts = Object.fromEntries(["grid", "lines", "curve", "labels", "mark"].map((p) => [p, svg("g", { class: `mmp-${p}` })]));
  const plot = svg("svg", { class: "mmp-plot", height: PLOT.height, role: "img" }, ...Object.values(parts));
  const node = html("div", { class: "mmp-chart" }, plot), reading = html("div", { class: "mmx-reading mmp-reading" }, "");
  let width = 480, plan = null, drag = false;
  const last = () => plan.weeks[plan.weeks.length - 1].weeks;
  const x = (week) => PLOT.left + (week / last()) * (width - PLOT.left - PLOT.right);

  function draw() {
    if (!plan || !plan.figures) { for (const part of Object.values(parts)) part.replaceChildren(); put(plot, { "aria-label": "No curve, because there is no plan." }); say(reading, ""); return; }
    const { weeks, figures, now } = plan, share = now.unit === "share", factor = share ? 100 : 1, seen = weeks.filter((w) => w.detectable !== null);
    const smallest = Math.min(...seen.map((w) => w.detectable)), largest = Math.max(...seen.map((w) => w.detectable)), hoped = figures.effect;
    const top = seen.length ? Math.min(Math.max(2.2 * hoped, 1.15 * smallest), Math.max(largest, 1.3 * hoped)) : 1.3 * hoped;
    const bottom = PLOT.height - PLOT.bottom, y = (v) => bottom - (Math.min(v, top) / top) * (bottom - PLOT.top);
    const text = (px, py, anchor, words, look = "mmp-tick") => svg("text", { x: px.toFixed(1), y: py.toFixed(1), "text-anchor": anchor, class: look }, words);

    const { ticks, digits } = niceTicks(0, top * factor, 4), grid = [];
    for (const t of ticks) grid.push(svg("path", { d: `M${PLOT.left} ${y(t / factor).toFixed(1)}H${width - PLOT.right}`, class: t ? "mmp-gridline" : "mmp-zero" }), text(PLOT.left - 6, y(t / factor) + 4, "end", `${signed(t, digits)}${share ? " pp" : ""}`));
    const { ticks: at } = niceTicks(0, last(), width < 420 ? 4 : 8);
    for (const week of at) if (week) grid.push(text(x(week), bottom + 16, "middle", number.format(week)));
    grid.push(text((PLOT.left + width - PLOT.right) / 2, bottom + 33, "middle", "weeks of assignment"));
    grid.push(text(0, 12, "start", share ? "smallest effect seen, percentage points" : `smallest effect seen, ${now.unit === "units" ? "per customer" : `${now.unit} per customer`}`));
    parts.grid.replaceChildren(...grid);

    const wide = width >= 420, lines = [["hoped", figures.effect, `hoped for${wide ? ` ${figures.effect_words}` : ""}`, -6], ["pays", figures.worthwhile, `worthwhile${wide ? ` ${figures.worthwhile_words}` : ""}`, figures.worthwhile > .12 * top ? 15 : -6]];
    parts.lines.replaceChildren(...lines.map(([look, value]) => svg("path", { d: `M${PLOT.left} ${y(value).toFixed(1)}H${width - PLOT.right}`, class: `mmp-${look}` })));
    const short = (words) => words.replace(" percentage points", " pp");
    parts.labels.replaceChildren(...lines.map(([look, value, words, off]) => text(width - PLOT.right - 2, y(value) + off, "end", short(words), `mmp-label mmp-${look}label`)));

    const shown = seen.filter((w) => w.detectable <= top), there = shown.filter((w) => w.is_there);
    const points = there.map((w) => `${x(w.weeks).toFixed(1)} ${y(w.detectable).toFixed(1)}`).join("L");
    const dots = shown.map((w) => svg("circle", { cx: x(w.weeks).toFixed(1), cy: y(w.detectable).toFixed(1), r: w.is_there ? 3.4 : 2, class: w.is_there ? "mmp-dot" : "mmp-far" }, svg("title", {}, w.words)));
    parts.curve.replaceChildren(...(points ? [svg("path", { d: `M${points}` })] : []), ...dots);

    const px = x(Math.min(figures.weeks, last()));
    parts.mark.replaceChildren(svg("path", { d: `M${px.toFixed(1)} ${PLOT.top}V${bottom}`, class: "mmp-chosen" }), ...(figures.detectable <= top && figures.weeks <= last() ? [svg("circle", { cx: px.toFixed(1), cy: y(figures.detectable).toFixed(1), r: 5.5 })] : []));
    const beyond = weeks.some((w) => !w.is_there) ? ` Small dots: more than the ${number.format(now.reachable)} customers there are.` : "";
    say(reading, `Planned: ${figures.weeks} ${figures.weeks === 1 ? "week" : "weeks"}${figures.weeks > last() ? ", beyond the picture" : ""}.${beyond}`);
    put(plot, { "aria-label": `Smallest effect a test could see, by weeks of assignment. ${plan.sentences.join(" ")} ${there.length ? there[there.length - 1].words : ""}` });
  }
  function pick(event) {
    if (!plan || !plan.figures) return;
    const week = ((event.clientX - plot.getBoundingClientRect().left - PLOT.left) / (width - PLOT.left - PLOT.right)) * last();
    picked(plan.weeks.reduce((best, each) => (Math.abs(each.weeks - week) < Math.abs(best.weeks - week) ? each : best)));
  }
  plot.addEventListener("pointerdown", (event) => { if (event.button) return; drag = true; plot.setPointerCapture(event.pointerId); pick(event); });
  plot.addEventListener("pointermove", (event) => { if (drag) pick(event); });
  for (const kind of ["pointerup", "pointercancel"]) plot.addEventListener(kind, () => { drag = false; });
  return { node: html("div", {}, node, reading), show(next) { plan = next; draw(); },
    resize() {
      const now = node.clientWidth;
      if (now < 120 || now === width) return;
      width = now;
      put(plot, { width, viewBox: `0 0 ${width} ${PLOT.height}` });
      draw();
    } };
}

// ---- what it takes, and who has asked before -------------------------------------------------------------------------

function fillRows(body, rows) {
  if (body.children.length !== rows.length) body.replaceChildren(...rows.map(() => html("tr", {}, html("th", { scope: "row" }), html("td", {}))));
  rows.forEach(([name, value], k) => { say(body.children[k].firstChild, name); say(body.children[k].lastChild, value); });
}

function fillNear(list, near, asked) {
  const items = near.map((test) => html("li", {}, html("strong", {}, test.name), ` · ${test.word}`, html("div", {}, test.hypothesis),
    ...[test.sentence, test.decision].filter(Boolean).map((words) => html("div", { class: "mmx-note" }, words)), ...test.lessons.map((words) => html("div", { class: "mmp-lesson" }, `Learnt: ${words}`))));
  list.replaceChildren(...(items.length ? items : [html("li", { class: "mmx-note" }, asked ? "No past test known here comes near." : "Say the hypothesis, and past tests that come near stand here.")]));
}

// ---- the planner -----------------------------------------------------------------------------------------------------

function render({ model, el }) {
  const spec = model.get("spec"), id = `mmp-${Math.random().toString(36).slice(2)}`, view = id, terms = spec.terms, money = spec.currency;
  let plan = model.get("plan"), choices = { ...plan.choices }, drawn = 0, newest = 0, typeTimer = 0, speakTimer = 0, answerTimer = 0, registered = "", isRegistering = false;
  const goalOf = (name) => spec.goals.find((goal) => goal.name === name) ?? { name, label: name, definition: "", is_money: true };

  const spoken = html("span", { class: "mmx-spoken", role: "status" }), sentences = html("div", { class: "mmp-sentences" }), problem = html("div", { class: "mmx-problem", role: "alert", hidden: "" });
  const change = (part, isTyped) => { choices = { ...choices, ...part }; showFields(); clearTimeout(typeTimer); if (isTyped) typeTimer = setTimeout(ask, TYPE_AFTER); else ask(); };

  const step = stepOf, two = (v) => `${v.toFixed(digitsFor(spec.scales.worthwhile / 40))} ${money}`;
  const goal = html("select", { id: `${id}-goal`, class: "mmx-select" }, ...spec.goals.map((each) => option(each.name, each.label, each.name === choices.goal))), about = html("span", { class: "mmx-hint" });
  const hypothesis = makeText(`${id}-hypothesis`, spec.fields.hypothesis, { lines: 2, longest: 500, placeholder: "such as: Free shipping raises net revenue within two weeks", hint: "One sentence that the data can contradict" }, (hypothesis) => change({ hypothesis }, true));
  const baseline = makeFigure(`${id}-baseline`, spec.fields.baseline, {}, (baseline) => change({ baseline }, true));
  const spread = makeFigure(`${id}-spread`, spec.fields.spread, { hint: "Standard deviation between customers" }, (spread) => change({ spread }, true));
  const measured = html("button", { type: "button", class: "mmx-clear" }, "As measured");
  const gains = (name, hint, about) => makeSlider(`${id}-${name}`, spec.fields[name], hint, { min: 0, max: spec.scales[name], step: step(spec.scales[name]), text: two, typed: amount(0, 1e6, money, 1), about }, (value) => change({ [name]: value }));
  const worthwhile = gains("worthwhile", "Smallest gain worth having, per customer", terms.worthwhile_effect), hoped = gains("hoped", "What you believe in, per customer; the test is sized for it", terms.hoped_gain);
  const value = makeFigure(`${id}-value`, spec.fields.goal_value, { unit: money, hint: "Such as the margin of one order" }, (goal_value) => change({ goal_value }, true));
  const cost = makeSlider(`${id}-cost`, spec.fields.contact_cost, "Per customer of a treated arm: the message, and what the offer costs", { min: 0, max: spec.scales.contact_cost, step: step(spec.scales.contact_cost), text: two, typed: amount(0, 1e6, money, 1), about: terms.contact_cost }, (contact_cost) => change({ contact_cost }));
  const arms = makeArms(`${id}-arms`, spec.most_arms, terms.arm, (arms, isTyped) => change({ arms }, isTyped));
  const weekly = makeSlider(`${id}-weekly`, spec.fields.weekly_customers, "Who can be assigned in one week", { min: step(spec.scales.weekly_customers), max: spec.scales.weekly_customers, step: step(spec.scales.weekly_customers), text: (v) => number.format(Math.round(v)), typed: whole(1, 1e10, "") }, (weekly_customers) => change({ weekly_customers }));
  const days = makeSlider(`${id}-days`, spec.fields.days, "Each customer's days; measured anew when they change", { min: 1, max: 90, step: 1, text: (v) => `${v} days`, typed: whole(1, 3650, "days"), about: terms.outcome_window }, (days) => change({ days }));
  const starts = makeText(`${id}-starts`, spec.fields.starts_on, { type: "date", longest: 10, hint: "Gives the promise its last day; may stay open" }, (day) => change({ starts_on: /^\d{4}-\d\d-\d\d$/.test(day) ? day : null }));
  const power = makeSlider(`${id}-power`, spec.fields.power, "Of telling the hoped gain from the worthwhile one", { min: .5, max: .99, step: .01, text: (v) => percent(v), typed: amount(.5, .999, "%", 100), about: terms.power }, (power) => change({ power }));
  const level = makeSlider(`${id}-level`, spec.fields.level, "At which all decisive intervals hold together", { min: .8, max: .99, step: .01, text: (v) => percent(v), typed: amount(.5, .9999, "%", 100), about: terms.level }, (level) => change({ level }));
  const size = makeSlider(`${id}-size`, spec.fields.n_customers, "In all arms together", { min: 0, max: spec.scales.n_customers, step: 1, text: (v) => number.format(v), typed: whole(1, 1e10, "") }, (n) => change({ n_customers: Math.max(1, Math.round(n)) }));
  const check = (key, words) => { const input = html("input", { type: "checkbox", id: `${id}-${key}` }); return { input, node: html("label", { class: "mmp-check", for: `${id}-${key}` }, input, words) }; };
  const asNeeded = check("needed", "As many as it takes"), watched = check("watched", "Read as often as anybody likes, by wider intervals");

  const rows = html("tbody"), near = html("ul", { class: "mmp-near" }), weeks = makeWeeks((week) => change({ n_customers: week.customers }));
  const promise = makeCopyBox("For params.yaml, below a model"), command = makeCopyBox("The same plan on the command line");
  const texts = { name: ["Made of the hypothesis if it stays empty", 80], objective: ["What will be decided", 300], owner: ["A role, as a mail address", 120] };
  const said = Object.fromEntries(Object.entries(texts).map(([name, [hint, longest]]) => [name, makeText(`${id}-${name}`, spec.fields[name], { hint, longest }, (typed) => change({ [name]: typed }, true))]));
  const role = makeText(`${id}-role`, "Registered by", { hint: "Your role, as a mail address; it stands in the ledger", longest: 120, placeholder: "such as marketing@example.com" }, () => showRegister());
  const register = html("button", { type: "button", class: "mmx-button mmp-register" }, "Register"), why = html("span", { class: "mmx-hint", id: `${id}-why` }), answer = html("p", { class: "mmp-answer", role: "status" });
  put(register, { "aria-describedby": `${id}-why` });

  const card = (title, ...children) => html("section", { class: "mmp-card", "aria-label": title }, html("h4", {}, title), ...children);
  const result = html("div", { class: "mmp-results" },
    card("What it takes", html("table", { class: "mmp-table" }, rows)), card("What would be seen", weeks.node), card("Who has asked before", near));
  const root = html("div", { class: "mmx mmp", "data-lm-suppress-shortcuts": "true" },
    html("div", { class: "mmx-header" }, html("strong", { class: "mmx-table" }, spec.title), sentences, problem, spoken, html("div", { class: "mmx-how" }, HOW)),
    card("What is asked", html("div", { class: "mmp-asked" }, hypothesis.node, html("div", { class: "mmp-field" }, html("label", { for: `${id}-goal` }, spec.fields.goal), goal, about),
      html("div", { class: "mmp-now" }, baseline.node, spread.node, measured))),
    html("div", { class: "mmp-body" },
      html("div", { class: "mmp-controls" },
        card("What it is worth", worthwhile.node, hoped.node, value.node, cost.node),
        card("Who, and how long", arms.node, weekly.node, days.node, starts.node),
        card("How sure", power.node, level.node, size.node, asNeeded.node, watched.node)),
      result),
    card("The promise", html("div", { class: "mmp-said" }, ...Object.values(said).map((each) => each.node), role.node), html("div", { class: "mmp-buttons" }, register, why), answer, promise.node, command.node),
    ...spec.notes.map((note) => html("p", { class: "mmx-note" }, note)));

  const places = { hypothesis: hypothesis.node, baseline: baseline.node, spread: spread.node, worthwhile: worthwhile.node, hoped: hoped.node, goal_value: value.node, contact_cost: cost.node, arms: arms.node,
    weekly_customers: weekly.node, days: days.node, starts_on: starts.node, power: power.node, level: level.node, n_customers: size.node };
  const patience = makePatience(root, () => report(SILENT, ""));
  function report(words, remedy) { problem.hidden = !words; say(problem, [words, remedy].filter(Boolean).join(" ")); }

  // ---- asking

  const asker = makeAsker({
    send(wish, sequence) { newest = sequence; model.send({ type: "plan", view, sequence, choices: wish.choices }); },
    answered() {}, silent() {}, refused(message) { patience.settle(); report(message.said, ""); },
  });
  function ask() { patience.wait(); asker.ask({ key: JSON.stringify(choices), choices }); }

  function arrived() {
    const next = model.get("plan");
    if (next.view === view) {
      if (next.sequence < drawn) return;
      drawn = next.sequence;
      asker.receive({ type: "planned", sequence: next.sequence });
      if (next.sequence === newest) patience.settle();
    } else choices = { ...next.choices };        // Python chose, or another view of the same planner
    plan = next;
    showFields(); showPlan();
  }
  function received(message) {
    if (message.view !== view) return;
    if (message.type === "refused") asker.receive(message);
    if (message.type === "registered") {
      clearTimeout(answerTimer); isRegistering = false;
      if (message.is_kept) registered = plan.promise;
      put(answer, { "data-kept": String(message.is_kept) }); say(answer, message.said); showRegister();
    }
  }

  // ---- showing

  function showFields() {
    const now = plan.now, chosenGoal = goalOf(choices.goal), isShare = now ? now.unit === "share" : chosenGoal.is_share;
    hypothesis.show(choices.hypothesis);
    if (goal.value !== choices.goal) goal.value = choices.goal;
    say(about, chosenGoal.definition);
    const unit = isShare ? "%" : chosenGoal.is_money ? money : "";
    baseline.show(choices.baseline ?? (now ? now.mean : null), { unit, factor: isShare ? 100 : 1, hint: now ? now.seen : "" });
    spread.show(choices.spread ?? (now ? now.spread : null), { unit });
    spread.node.hidden = isShare;
    measured.disabled = choices.baseline === null && choices.spread === null;
    worthwhile.show(choices.worthwhile); hoped.show(choices.hoped ?? plan.hoped);
    value.show(choices.goal_value); value.node.hidden = chosenGoal.is_money;
    cost.show(choices.contact_cost); arms.show(choices.arms);
    weekly.show(choices.weekly_customers ?? (now ? now.reachable : 0));
    days.show(choices.days); starts.show(choices.starts_on); power.show(choices.power); level.show(choices.level);
    size.show(choices.n_customers ?? (plan.figures ? plan.figures.n_customers : 0));
    asNeeded.input.checked = choices.n_customers === null; watched.input.checked = choices.watched;
    for (const name of Object.keys(said)) said[name].show(choices[name]);
    for (const [control, figure] of [[worthwhile, choices.worthwhile], [hoped, choices.hoped ?? plan.hoped], [cost, choices.contact_cost], [weekly, choices.weekly_customers ?? now?.reachable], [size, choices.n_customers ?? plan.figures?.n_customers]]) fit(control, figure);
  }
  function showPlan() {
    report(plan.problem, plan.remedy);
    root.classList.toggle("mmp-none", Boolean(plan.problem));
    for (const [name, node] of Object.entries(places)) {
      node.classList.toggle("mmp-fault", plan.field === name);
      for (const input of node.querySelectorAll("input, select, textarea")) put(input, { "aria-invalid": String(plan.field === name) });
    }
    const lines = plan.sentences.map((words) => html("p", {}, words));
    sentences.replaceChildren(...lines);
    fillRows(rows, plan.problem ? [["no plan", "see above"]] : plan.rows); weeks.show(plan); fillNear(near, plan.near, Boolean(choices.hypothesis));
    promise.show(plan.promise); command.show(plan.command); promise.node.hidden = command.node.hidden = !plan.promise;
    showRegister();
    clearTimeout(speakTimer);
    speakTimer = setTimeout(() => say(spoken, plan.problem ? "" : plan.sentences.join(" ")), SPEAK_AFTER);
  }
  function showRegister() {
    const missing = [...plan.missing, ...(role.input.value.trim() ? [] : ["who registers it"])];
    const words = !spec.can_register ? "This plan belongs to no workspace, so there is no ledger to write to." : plan.problem ? "A wish that cannot be granted cannot be promised."
      : isRegistering ? "Registering …" : registered && registered === plan.promise ? "This promise stands in the ledger." : missing.length ? `Still missing: ${missing.join(", ")}.` : `Writes ${plan.name} into the ledger, where a later change shows.`;
    say(why, words);
    register.disabled = !spec.can_register || Boolean(plan.problem) || isRegistering || missing.length > 0 || registered === plan.promise;
    role.node.hidden = register.hidden = !spec.can_register;
  }

  // ---- events

  goal.addEventListener("change", () => { const next = goalOf(goal.value); change({ goal: goal.value, baseline: null, spread: null, goal_value: next.is_money ? null : choices.goal_value }); });
  measured.addEventListener("click", () => change({ baseline: null, spread: null }));
  asNeeded.input.addEventListener("change", () => change({ n_customers: asNeeded.input.checked ? null : plan.figures ? plan.figures.n_customers : 1000 }));
  watched.input.addEventListener("change", () => change({ watched: watched.input.checked }));
  register.addEventListener("click", () => {
    if (register.disabled) return;
    isRegistering = true; say(answer, ""); showRegister();
    clearTimeout(answerTimer);
    answerTimer = setTimeout(() => { isRegistering = false; put(answer, { "data-kept": "false" }); say(answer, SILENT); showRegister(); }, SILENT_AFTER);
    model.send({ type: "register", view, choices, actor: role.input.value.trim() });
  });
  keepKeys(root);
  model.on("change:plan", arrived); model.on("msg:custom", received);
  el.append(root);
  const watcher = new ResizeObserver(() => weeks.resize());
  watcher.observe(root);
  showFields(); weeks.resize(); showPlan();

  return () => {
    watcher.disconnect(); patience.settle(); asker.stop();
    for (const timer of [typeTimer, speakTimer, answerTimer]) clearTimeout(timer);
    model.off("change:plan", arrived); model.off("msg:custom", received);
  };
}

export default { render };
