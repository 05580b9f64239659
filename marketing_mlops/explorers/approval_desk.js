// The desk of an approver: what waits, what there is to read about one matter, and three buttons.
//
// Nothing is decided here. Every look and every answer is a message; the kernel has the ledger, the rules and the key,
// and answers with words. What is recorded is recorded once: while an answer is out the buttons rest. Whatever is shown
// is set as text; a report page is shown in a frame that runs no script. Needs a model with get, on, off and send.

const LOOK_EVERY = 15000;  // ms between looks at the ledger
const SPEAK_AFTER = 500;   // ms until a screen reader hears where the matter stands
const TYPE_AFTER = 600;    // ms of rest until a typed role is taken
const MEASURING = "The figures are still being measured. What you asked for comes right after them.";
const MARKS = { pass: "✓", review: "?", unknown: "–", fail: "✕" };

const fill = (node, children) => node.replaceChildren(...children);
const lines = (texts, tag = "p", look = null) => texts.filter(Boolean).map((words) => html(tag, { class: look }, words));

function makeTable(heads, rows) {
  const head = html("tr", {}, ...heads.map((words) => html("th", { scope: "col" }, words)));
  return html("table", { class: "mma-table" }, html("thead", {}, head), html("tbody", {}, ...rows));
}

function gateRow(gate, hasChampion) {
  const said = html("td", { "data-head": "Answer" }, html("span", { class: `mma-mark mma-${gate.status}` }, html("span", { "aria-hidden": "true" }, `${MARKS[gate.status]} `), gate.word), html("div", {}, gate.message), gate.next_step ? html("div", { class: "mmx-note" }, gate.next_step) : "");
  return html("tr", { "data-gate": gate.gate }, html("th", { scope: "row" }, gate.gate), said, ...(hasChampion ? [html("td", { "data-head": "Champion" }, gate.before || "–")] : []));
}

function figureRow(row) {
  return html("tr", {}, html("th", { scope: "row" }, row.figure, html("div", { class: "mmx-note" }, row.asks)), html("td", { "data-head": "Candidate" }, row.candidate || "–"), html("td", { "data-head": "Champion" }, row.champion || "–"),
    html("td", { "data-head": "Difference" }, row.difference || "–"), html("td", { "data-head": "Candidate is" }, row.word, row.note ? html("div", { class: "mmx-note" }, row.note) : ""));
}

function render({ model, el }) {
  const id = `mma-${Math.random().toString(36).slice(2)}`, view = id;
  let desk = model.get("desk"), role = desk.role, drawn = 0, newest = 0, isOut = false, isMeasuring = false, shownHead = "", shownModel = null, timers = { type: 0, speak: 0, out: 0 };

  // ---- the frame: who, what waits, the matter

  const spoken = html("span", { class: "mmx-spoken", role: "status" }), problem = html("div", { class: "mmx-problem", role: "alert", hidden: "" });
  const who = html("input", { id: `${id}-role`, class: "mma-text", maxlength: 120, placeholder: "such as marketing@example.com", autocomplete: "off", spellcheck: "false" });
  const refresh = html("button", { type: "button", class: "mmx-clear" }, "Look again"), seen = html("span", { class: "mmx-hint" });
  const list = html("ul", { class: "mma-list" });
  const title = html("h4", { class: "mma-title" }), purpose = html("div", { class: "mmx-note" }), stands = html("p", { class: "mma-stands" }), then = html("p", { class: "mmx-note" }), part = html("p", { class: "mma-part" }), live = html("p", { class: "mmx-note" });
  const yeses = html("div"), found = html("div"), checked = html("div", { class: "mmx-note" }), gates = html("div"), changes = html("div"), rules = html("div"), pages = html("ul", { class: "mma-pages" });
  const frame = html("iframe", { class: "mma-frame", sandbox: "", title: "Report page", hidden: "" }), close = html("button", { type: "button", class: "mmx-clear", hidden: "" }, "Close the page");
  const measure = html("button", { type: "button", class: "mmx-button" }, "Measure the figures"), figures = html("div", { "aria-live": "polite" });

  // ---- the answer

  const reason = html("textarea", { id: `${id}-reason`, class: "mma-text", rows: 2, maxlength: 2000, "aria-describedby": `${id}-why`, placeholder: "One sentence; whoever asked reads it" });
  const why = html("p", { class: "mmx-hint", id: `${id}-why` }), answer = html("p", { class: "mma-answer", role: "status" });
  const button = (word, words) => html("button", { type: "button", class: `mmx-button mma-${word}`, "aria-describedby": `${id}-why` }, words);
  const buttons = { approve: button("approve", "Approve …"), refuse: button("refuse", "Refuse"), withdraw: button("withdraw", "Take my yes back") };
  const asked = html("ul"), yes = html("button", { type: "button", class: "mmx-button mma-yes" }, "Yes, I answer for this"), no = html("button", { type: "button", class: "mmx-button" }, "Not yet");
  const confirm = html("div", { class: "mma-confirm", role: "group", "aria-label": "What your yes answers for", tabindex: "-1", hidden: "" }, html("strong", {}, "Your yes answers for this:"), asked, html("div", { class: "mma-buttons" }, yes, no));

  const card = (heading, ...children) => html("section", { class: "mma-card", "aria-label": heading }, html("h4", {}, heading), ...children);
  const matter = html("div", { class: "mma-matter" },
    html("section", { class: "mma-card", "aria-label": "The matter" }, title, purpose, stands, part, yeses, then, live),
    card("What was found", found), card("What the gates say", checked, gates), card("What is other than the champion", changes, measure, figures), card("Rules that come into force", rules),
    card("Pages behind it", pages, close, frame),
    card("Your answer", html("div", { class: "mma-field" }, html("label", { for: `${id}-reason` }, "Reason"), reason), html("div", { class: "mma-buttons" }, ...Object.values(buttons)), why, confirm, answer));
  const nothing = html("p", { class: "mma-card mma-nothing" });
  const root = html("div", { class: "mmx mma", "data-lm-suppress-shortcuts": "true" },
    html("div", { class: "mmx-header" }, html("strong", { class: "mmx-table" }, "Approvals"), problem, spoken,
      html("div", { class: "mma-who" }, html("label", { for: `${id}-role` }, "I am"), who, refresh, seen)),
    html("div", { class: "mma-body" }, html("nav", { class: "mma-card", "aria-label": "What waits" }, html("h4", {}, "What waits"), list), html("div", { class: "mma-main" }, nothing, matter)));

  // ---- asking

  const patience = makePatience(root, () => report(isMeasuring ? MEASURING : SILENT));
  const asker = makeAsker({
    send(wish, sequence) { newest = sequence; model.send({ type: "look", view, sequence, role: wish.role, model: wish.model }); },
    answered() {}, silent() {}, refused(message) { patience.settle(); report(message.said); },
  });
  const key = () => JSON.stringify([role, chosen, Date.now()]);
  let chosen = desk.matter ? desk.matter.model : null;
  function look(isQuiet) { if (!isQuiet) patience.wait(); asker.ask({ key: key(), role, model: chosen }); }
  function report(words) { problem.hidden = !words; say(problem, words); }

  function arrived() {
    const next = model.get("desk");
    if (next.view === view) {
      if (next.sequence < drawn) return;
      drawn = next.sequence;
      asker.receive({ type: "looked", sequence: next.sequence });
      if (next.sequence === newest) patience.settle();
    } else if (next.view === "") { role = next.role; chosen = next.matter ? next.matter.model : chosen; who.value = role; }
    else { look(true); return; }                        // another window of the same desk sits there as somebody else
    desk = next;
    show();
  }
  function received(message) {
    if (message.view !== view) return;
    if (message.type === "refused") asker.receive(message);
    if (message.type === "answered") {
      clearTimeout(timers.out); isOut = false;
      put(answer, { "data-kept": String(message.is_kept) }); say(answer, message.said);
      if (message.is_kept) reason.value = "";
      confirm.hidden = true; look(); showButtons();
    }
    if (message.type === "page") showPage(message);
    if (message.type === "figures") { isMeasuring = false; if (problem.textContent === MEASURING) report(""); measure.disabled = false; say(measure, "Measure the figures again"); fill(figures, [html("p", {}, message.said), ...(message.rows.length ? [makeTable(["Figure", "Candidate", "Champion", "Difference", "Candidate is"], message.rows.map(figureRow))] : [])]); }
  }

  // ---- showing

  function showList() {
    const items = desk.waiting.map((each) => {
      const pick = html("button", { type: "button", class: "mma-pick", "aria-current": each.model === chosen ? "true" : null }, html("span", { class: "mma-model" }, each.model), html("span", { class: each.is_asked ? "mma-asked" : "mmx-note" }, each.is_asked ? "waits for you" : each.words), html("span", { class: "mmx-note" }, `bundle ${each.bundle} · ${each.status}`));
      pick.addEventListener("click", () => { chosen = each.model; report(""); look(); showList(); });
      return html("li", {}, pick);
    });
    const at = [...list.querySelectorAll("button")].indexOf(el.getRootNode().activeElement);
    fill(list, items.length ? items : [html("li", { class: "mmx-note" }, "Nothing waits for an approval.")]);
    if (at >= 0 && items[at]) items[at].firstChild.focus();
  }
  function showMatter() {
    const m = desk.matter;
    matter.hidden = !m; nothing.hidden = Boolean(m);
    say(nothing, desk.problem ? "" : "No matter is chosen, and nothing waits.");
    if (!m) return;
    const isOther = m.model !== shownModel, isNew = isOther || m.head !== shownHead;
    if (isOther) { fill(figures, []); say(measure, "Measure the figures"); measure.disabled = false; frame.hidden = close.hidden = true; say(answer, ""); reason.value = ""; }
    if (isNew && !isOther && !confirm.hidden) { confirm.hidden = true; put(answer, { "data-kept": "false" }); say(answer, "Something was recorded while you were reading. Look at the matter as it stands now, and answer then."); }
    if (isOther) confirm.hidden = true;
    shownModel = m.model; shownHead = m.head;
    say(title, m.bundle ? `${m.model}, bundle ${m.bundle}` : m.model); say(purpose, m.purpose); say(stands, m.stands); say(then, m.then); say(part, m.part); say(live, m.live);
    fill(yeses, m.yeses.map((each) => html("p", { class: "mma-yesline" }, `${each.role} said yes on ${each.on}; `, html("strong", { class: `mma-${each.identity}` }, `identity: ${each.identity}`), each.reason ? `: ${each.reason}` : "")));
    fill(found, lines(m.found.length ? m.found : ["Its evaluation cannot be read here."]));
    say(checked, m.checked ? `Asked on ${m.checked}.` : "No gate was asked yet.");
    const isBeside = m.gates.some((gate) => gate.before);      // the champion was asked, too
    fill(gates, m.gates.length ? [makeTable(["Gate", "Answer", ...(isBeside ? ["Champion"] : [])], m.gates.map((gate) => gateRow(gate, isBeside)))] : []);
    fill(changes, lines([m.structure, ...m.features]));
    const [head, changed, warning] = m.rules;
    fill(rules, head ? [html("p", {}, head), html("ul", {}, ...lines(changed, "li")), ...lines([warning], "p", "mma-warning")] : lines(["None: the rules asked for are in force already."]));
    fill(pages, m.pages.map((page) => {
      const open = html("button", { type: "button", class: "mmx-clear", "data-page": page.name }, `Read ${page.title.toLowerCase()}`);
      open.disabled = !page.is_there;
      open.addEventListener("click", () => { report(""); patience.wait(); model.send({ type: "page", view, name: page.name, model: m.model, role }); });
      return html("li", {}, open, page.note ? html("span", { class: "mmx-note" }, page.note) : "");
    }));
    clearTimeout(timers.speak);
    if (isNew) timers.speak = setTimeout(() => say(spoken, `${m.stands} ${m.part}`), SPEAK_AFTER);
  }
  function showButtons() {
    const m = desk.matter, isTheirs = who.value.trim().toLowerCase() === desk.role.toLowerCase(), may = m && isTheirs ? m.may : [], typed = reason.value.trim(), stopped = m && m.stops;
    for (const [word, node] of Object.entries(buttons)) {
      node.hidden = word === "withdraw" && !may.includes(word);
      node.disabled = isOut || !may.includes(word) || (word === "approve" && (Boolean(stopped) || !confirm.hidden)) || (word !== "approve" && !typed);
    }
    yes.disabled = isOut;
    const needs = may.includes("refuse") && !typed ? "A refusal needs a reason; a yes may have one." : "";
    say(why, isOut ? "Recording …" : !isTheirs ? `What you see was read for ${desk.role || "nobody"}; it is being read for ${who.value.trim() || "nobody"}.` : !m ? "" : [...m.hurdles, stopped || "", may.length ? needs : stopped ? "" : m.part].filter(Boolean).join(" "));
  }
  function showPage(message) {
    patience.settle();
    if (!message.is_there) { report(message.said); return; }
    frame.srcdoc = message.text; put(frame, { title: message.title }); frame.hidden = close.hidden = false; close.focus();
  }
  function show() {
    report(desk.problem);
    say(seen, `As of ${new Date().toLocaleTimeString("en-GB")}`);
    showMatter(); showList(); showButtons();
  }

  // ---- answering

  function send(word) {
    const m = desk.matter;
    isOut = true; say(answer, ""); report(""); showButtons();
    clearTimeout(timers.out);
    const silent = () => {
      if (isMeasuring) { say(answer, MEASURING); timers.out = setTimeout(silent, SILENT_AFTER); return; }
      isOut = false; put(answer, { "data-kept": "false" }); say(answer, SILENT); showButtons();
    };
    timers.out = setTimeout(silent, SILENT_AFTER);
    model.send({ type: "answer", view, word, role, model: m.model, reason: reason.value.trim(), head: m.head, bundle_hash: m.bundle_hash });
  }
  buttons.approve.addEventListener("click", () => { fill(asked, lines([...desk.matter.confirm, ...desk.matter.hurdles], "li")); confirm.hidden = false; say(answer, ""); showButtons(); confirm.focus(); });
  no.addEventListener("click", () => { confirm.hidden = true; showButtons(); buttons.approve.focus(); });
  confirm.addEventListener("keydown", (event) => { if (event.key === "Escape") no.click(); });
  yes.addEventListener("click", () => { if (!yes.disabled) send("approve"); });
  for (const word of ["refuse", "withdraw"]) buttons[word].addEventListener("click", () => { if (!buttons[word].disabled) { confirm.hidden = true; send(word); } });
  reason.addEventListener("input", showButtons);
  who.addEventListener("input", () => {        // what another role read, and would answer for, is nobody else's
    confirm.hidden = true; showButtons();
    clearTimeout(timers.type); timers.type = setTimeout(() => { role = who.value.trim(); report(""); look(); }, TYPE_AFTER);
  });
  refresh.addEventListener("click", () => { report(""); look(); });
  measure.addEventListener("click", () => { isMeasuring = true; measure.disabled = true; say(measure, "Measuring …"); fill(figures, [html("p", { class: "mmx-note" }, "Both bundles score the customers held out today; this takes some seconds.")]); model.send({ type: "figures", view, role, model: desk.matter.model }); });
  close.addEventListener("click", () => { frame.hidden = close.hidden = true; frame.srcdoc = ""; });
  keepKeys(root);
  model.on("change:desk", arrived); model.on("msg:custom", received);
  el.append(root);
  who.value = role;
  show();
  const watch = setInterval(() => { if (document.visibilityState === "visible" && !isOut && root.isConnected) look(true); }, LOOK_EVERY);

  return () => {
    clearInterval(watch); patience.settle(); asker.stop();
    for (const timer of Object.values(timers)) clearTimeout(timer);
    model.off("change:desk", arrived); model.off("msg:custom", received);
  };
}

export default { render };
