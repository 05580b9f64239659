// The list of the gallery: finds runs while somebody types, and keeps what was asked for in the address.
(() => {
  const $ = id => document.getElementById(id);
  const data = JSON.parse($("runs").textContent), STEP = 30, FIRST = 8;   // so many fill a screen; the rest follow after it is painted
  const FIELDS = ["q", "report", "status", "market", "channel", "from", "to"];
  const fold = text => (/^[\x00-\x7f]*$/.test(text) ? text : text.normalize("NFKD").replace(/\p{M}/gu, "")).toLowerCase();
  const runs = data.runs.map(r => ({
    id: r[0], report: data.reports[r[1]], title: r[2], asked: r[3], owner: data.owners[r[4]], made: r[5], status: data.statuses[r[6]], word: data.words[r[7]],
    meaning: data.meanings[r[8]], sentence: r[9], until: r[10], labels: r[11], markets: r[12], channels: r[13], changed: r[14], remedy: r[15], mended: r[16]
  }));
  const textOf = r => r.text ??= fold([r.title, r.report, r.asked, r.owner, r.word, r.sentence, r.id, r.labels, ...r.markets, ...r.channels].join(" "));
  let shown = STEP, found = [], before = null, waiting = 0;

  const made = (tag, cls, text) => { const e = document.createElement(tag); if (cls) e.className = cls; if (text) e.textContent = text; return e; };
  const told = text => { const e = made("p"); text.split("`").forEach((part, i, all) => e.append(i % 2 && i < all.length - 1 ? made("code", "", part) : i % 2 ? "`" + part : part)); return e; };
  const plain = word => (word.charAt(0).toUpperCase() + word.slice(1)).replaceAll("_", " ");

  function line(r) {
    const item = made("li", "line " + r.meaning), head = made("p"), link = made("a", "", r.title);
    link.href = "runs/" + encodeURIComponent(r.id) + "/index.html";
    head.append(made("strong", r.meaning, plain(r.word)), " · ", link);
    item.append(head);
    if (r.sentence) item.append(told(r.sentence));
    if (r.remedy) item.append(told(r.remedy));
    if (r.mended) {
      const since = made("p"), way = made("a", "", "The same report was made since");
      way.href = "runs/" + encodeURIComponent(r.mended) + "/index.html";
      since.append(way);
      item.append(since);
    }
    const facts = [r.made + " UTC", r.owner || "no owner named", r.until ? "data until " + r.until : "age of the data not recorded", r.asked, r.labels].filter(Boolean);
    item.append(made("p", "next", facts.join(" · ")));
    if (r.changed) item.append(made("p", "next", r.changed.startsWith("Nothing") ? "Nothing changed since the run before." : "Since the run before: " + r.changed));
    return item;
  }

  const asked = () => Object.fromEntries(FIELDS.map(name => [name, $(name).value.trim()]));
  function fits(r, a, words) {
    return (!a.report || r.report === a.report) && (!a.status || r.status === a.status || r.word === a.status) && (!a.market || r.markets.includes(a.market))
      && (!a.channel || r.channels.includes(a.channel)) && (!a.from || r.made.slice(0, 10) >= a.from) && (!a.to || r.made.slice(0, 10) <= a.to)
      && words.every(word => textOf(r).includes(word));
  }

  function show() {
    const from = $("list").childElementCount;
    $("list").append(...found.slice(from, shown).map(line));
    $("more").hidden = found.length <= shown;
    $("more").textContent = `Show ${Math.min(STEP, found.length - shown)} more`;
  }

  function fill() { clearTimeout(waiting); if (shown < STEP) { shown = STEP; show(); } }

  function search(keep) {
    const a = asked(), words = fold(a.q).split(/\s+/).filter(Boolean);
    const narrows = before && a.q.startsWith(before.q) && FIELDS.every(name => name === "q" || a[name] === before[name]);
    found = (narrows ? found : runs).filter(r => fits(r, a, words));
    before = a;
    $("list").replaceChildren();
    shown = FIRST;
    show();
    $("more").hidden = true;
    clearTimeout(waiting);
    requestAnimationFrame(() => { clearTimeout(waiting); waiting = setTimeout(fill); });
    const n = found.length.toLocaleString("en"), all = runs.length.toLocaleString("en");
    $("hits").textContent = found.length ? `${n} of ${all} ${runs.length === 1 ? "run" : "runs"}, newest first` : `None of ${all} ${runs.length === 1 ? "run" : "runs"} fits. Take a word or a filter away.`;
    $("clear").disabled = !FIELDS.some(name => a[name]);
    if (keep) return;
    const state = FIELDS.filter(name => a[name]).map(name => name + "=" + encodeURIComponent(a[name])).join("&");
    try { history.replaceState(null, "", state ? "#" + state : location.pathname + location.search); } catch (e) { location.hash = state; }
  }

  function take() {
    const state = new Map(location.hash.slice(1).split("&").filter(Boolean).map(part => { const i = part.indexOf("="); return [part.slice(0, i), part.slice(i + 1)]; }));
    for (const name of FIELDS) {
      let value = "";
      try { value = decodeURIComponent(state.get(name) || ""); } catch (e) { value = ""; }
      const field = $(name);
      if (value && field.tagName === "SELECT" && ![...field.options].some(o => o.value === value)) field.append(new Option(value + " (none here)", value));
      field.value = value;
    }
    search(true);
  }

  const choices = (name, values) => $(name).append(...values.map(value => new Option(plain(value), value)));
  const several = key => [...new Set(runs.flatMap(r => r[key]))].sort();
  choices("report", [...new Set(runs.map(r => r.report))].sort());
  for (const [label, values] of [["How it ended", [...new Set(runs.map(r => r.status))]], ["What it says", [...new Set(runs.filter(r => r.word !== r.status).map(r => r.word))]]]) {
    if (!values.length) continue;
    const group = document.createElement("optgroup");
    group.label = label;
    group.append(...values.sort().map(value => new Option(plain(value), value)));
    $("status").append(group);
  }
  for (const [name, key] of [["market", "markets"], ["channel", "channels"]]) {
    const values = several(key);
    $(name).append(...values.map(value => new Option(value, value)));
    $(name).closest("div").hidden = !values.length;
  }
  $("find").addEventListener("submit", e => e.preventDefault());
  $("find").addEventListener("input", () => search(false));
  $("clear").addEventListener("click", () => { for (const name of FIELDS) $(name).value = ""; search(false); $("q").focus(); });
  $("more").addEventListener("click", () => { fill(); const at = shown; shown += STEP; show(); $("list").children[at]?.querySelector("a").focus(); });
  addEventListener("hashchange", take);
  $("find").hidden = false;
  take();
  const ready = from => requestIdleCallback(left => { while (from < runs.length && left.timeRemaining() > 1) textOf(runs[from++]); if (from < runs.length) ready(from); });
  if ("requestIdleCallback" in window) ready(0);
})();
