// The start page of the app: every explorer with the question it answers, and one of them open at a time.
//
// Whatever is shown is set as text, never as markup. Whatever is sent is the name of a listed explorer and one of its
// listed choices. While one is being opened only the newest wish is kept; the kernel answers one after another. Whoever
// gives up is on the list at once: the kernel finishes behind it, and what it brings is not shown.

const STILL_AFTER = 10000;   // ms until the page says that it takes long
const STILL = "Still opening. A long table or a model with many features takes longer the first time. Back leads to the list at once; if nothing comes, reload the page, or run the cell again.";
const ALL = "← All explorers", BACK = "← Back";
const opening = (page, before) => `Opening ${page} …${before ? ` It comes as soon as ${before}, which was asked for first, is ready.` : ""}`;
const finishing = (page) => `${page} is still being made ready. What you open next comes right after it.`;

function makeExplorerCard(page, id, open) {
  const keys = Object.keys(page.choices), select = html("select", { id: `${id}-choice`, class: "mmx-select" }, ...keys.map((key) => option(key, page.choices[key], false)));
  const button = html("button", { type: "button", class: "mmx-button mmd-open", "aria-describedby": `${id}-says` }, `Open ${page.title}`);
  button.addEventListener("click", () => open(page.name, select.value));
  const way = keys.length ? [html("label", { class: "mmd-choice", for: `${id}-choice` }, page.asks, select), button] : [html("p", { class: "mmd-missing" }, page.missing)];
  const node = html("section", { class: "mmx-card mmd-card", "data-explorer": page.name, "aria-labelledby": `${id}-title` },
    html("h2", { class: "mmd-title", id: `${id}-title` }, page.title), html("p", { class: "mmd-sentence", id: `${id}-says` }, page.sentence), ...way);
  return { node, button, select };
}

function render({ model, el }) {
  const id = `mmd-${Math.random().toString(36).slice(2)}`, inApp = document.body.dataset.voila !== undefined;
  const heading = html("h1", { class: "mmd-heading" }), about = html("p", { class: "mmd-about" }), behind = html("p", { class: "mmd-behind", role: "status" }), grid = html("div", { class: "mmx-grid mmd-grid" });
  const back = html("button", { type: "button", class: "mmx-button" }, ALL), name = html("h2", { class: "mmd-name", tabindex: "-1" });
  const choice = html("select", { id: `${id}-now`, class: "mmx-select" }), asks = html("label", { class: "mmd-choice", for: `${id}-now` });
  const status = html("p", { class: "mmd-status", role: "status" }), busy = html("progress", { class: "mmd-busy", "aria-label": "Opening", hidden: "" });
  const problem = html("div", { class: "mmx-problem", role: "alert", hidden: "" });
  const list = html("div", { class: "mmd-list" }, heading, about, behind, grid);
  const bar = html("nav", { class: "mmd-bar", "aria-label": "Explorers", hidden: "" }, back, name, asks, choice);
  const root = html("div", { class: "mmx mmd", "data-lm-suppress-shortcuts": "true" }, list, bar, busy, status, problem);
  let cards = new Map(), wanted = null, flying = null, sequence = 0, slow = 0;

  const pages = () => model.get("spec").pages ?? [], pageOf = (key) => pages().find((p) => p.name === key);
  const same = (a, b) => Boolean(a && b && a.page === b.page && a.choice === b.choice);
  const shown = () => { const now = model.get("shown"); return now.page ? now : null; };
  const frame = () => el.closest(".mmd-frame"), titleOf = (wish) => pageOf(wish.page)?.title ?? wish.page;

  function drawList() {
    const spec = model.get("spec");
    say(heading, spec.title ?? ""); say(about, spec.about ?? "");
    cards = new Map(pages().map((page) => [page.name, makeExplorerCard(page, `${id}-${page.name}`, (p, c) => want({ page: p, choice: c }))]));
    grid.replaceChildren(...[...cards.values()].map((card) => card.node));
  }
  function drawBar() {
    const page = wanted && pageOf(wanted.page);
    if (!page) return;
    say(name, page.title); say(asks, page.asks);
    choice.replaceChildren(...Object.entries(page.choices).map(([key, words]) => option(key, words, key === wanted.choice)));
    choice.hidden = asks.hidden = choice.options.length < 2;
  }
  function draw() {
    const isOpen = same(wanted, shown()), isOpening = Boolean(wanted) && !isOpen && problem.hidden;
    list.hidden = Boolean(wanted); bar.hidden = !wanted; busy.hidden = !isOpening;
    frame()?.classList.toggle("mmd-shut", !isOpen);
    say(back, isOpening ? BACK : ALL);
    say(status, isOpening ? opening(titleOf(wanted), flying && flying.page !== wanted.page ? titleOf(flying) : "") : "");
    say(behind, !wanted && flying ? finishing(titleOf(flying)) : "");
    clearTimeout(slow);
    if (isOpening) slow = setTimeout(() => say(status, STILL), STILL_AFTER);
    drawBar();
  }
  function report(words) { problem.hidden = !words; say(problem, words); }
  function remember() {
    if (inApp && location.hash !== (wanted ? `#${wanted.page}` : "")) history.pushState(null, "", wanted ? `#${wanted.page}` : location.pathname);
  }
  function want(next) {
    wanted = next; report("");
    if (!same(wanted, shown()) && !flying) send();
    draw(); remember();
    name.focus();
  }
  function send() { flying = { ...wanted, sequence: ++sequence }; model.send({ type: "open", ...flying }); }
  function leave() {
    const from = wanted?.page;
    if (flying) model.send({ type: "give_up" });
    wanted = null; report(""); draw(); remember();
    (cards.get(from)?.button ?? heading).focus();
  }

  const received = (message) => {
    if (!flying || message.sequence !== flying.sequence) return;
    const asked = flying;
    flying = null;
    if (!wanted) { draw(); return; }
    if (!same(wanted, asked)) { if (!same(wanted, shown())) send(); draw(); return; }
    if (message.type === "refused") report(`${message.problem} ${message.remedy}`);
    draw();
  };
  const assigned = () => {                      // Python opened one, or heard that one was given up
    const now = shown();
    if (now && !flying && !same(now, wanted)) { wanted = { page: now.page, choice: now.choice }; report(""); }
    else if (!now && wanted && !flying) send();  // given up, and wanted again before the kernel heard of it
    draw();
  };
  const moved = () => {                         // the browser's own way back
    const key = location.hash.slice(1);
    if (!key) { if (wanted) leave(); }
    else if (pageOf(key) && wanted?.page !== key) first(key);
  };
  const first = (key) => { const known = Object.keys(pageOf(key).choices); if (known.length) want({ page: key, choice: known[0] }); };
  const relisted = () => { drawList(); drawBar(); };

  back.addEventListener("click", leave);
  root.addEventListener("keydown", (event) => { if (event.key === "Escape" && !busy.hidden) leave(); });
  choice.addEventListener("change", () => want({ page: wanted.page, choice: choice.value }));
  keepKeys(root);
  model.on("msg:custom", received); model.on("change:shown", assigned); model.on("change:spec", relisted);
  if (inApp) window.addEventListener("popstate", moved);
  el.append(root);
  drawList(); assigned();
  model.send({ type: "hello" });                // the page may have been prepared before the tables were made
  requestAnimationFrame(() => { draw(); if (inApp) moved(); });

  return () => {
    clearTimeout(slow);
    model.off("msg:custom", received); model.off("change:shown", assigned); model.off("change:spec", relisted);
    window.removeEventListener("popstate", moved);
  };
}

export default { render };
