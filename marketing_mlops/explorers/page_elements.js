// What the scripts of all explorers share; each of them is sent after this file, as one module.
//
// Whatever is shown is set as text, never as markup.

const number = new Intl.NumberFormat("en-US");
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

function make(space, tag, attributes, children) {
  const node = space ? document.createElementNS(space, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
const html = (tag, attributes = {}, ...children) => make(null, tag, attributes, children);
const svg = (tag, attributes = {}, ...children) => make("http://www.w3.org/2000/svg", tag, attributes, children);

function put(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}
function say(node, text) { if (node.textContent !== text) node.textContent = text; }

// JupyterLab would take arrow keys and letters as commands of the notebook, and a slider would not move.
function keepKeys(root) {
  for (const kind of ["keydown", "keyup", "keypress"]) root.addEventListener(kind, (event) => event.stopPropagation());
}

// A word whose definition and unit show while a pointer or the focus rests on it; Escape hides them.
function makeTerm(id, words, about, look = "mmx-name") {
  const tip = html("span", { class: "mmx-tip", role: "tooltip", id }, about), name = html("span", { class: look, tabindex: "0", "aria-describedby": id }, words);
  const node = html("span", { class: "mmx-term" }, name, tip);
  node.addEventListener("keydown", (event) => { if (event.key === "Escape") { node.classList.add("mmx-hushed"); event.preventDefault(); } });
  for (const kind of ["focusout", "pointerleave"]) node.addEventListener(kind, () => node.classList.remove("mmx-hushed"));
  return node;
}

// Round values between two ends, and the decimals they need.
function niceTicks(low, high, wanted) {
  const rough = (high - low) / wanted || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough) ?? 10 * power, ticks = [];
  for (let k = Math.ceil(low / step); k <= Math.floor(high / step + 1e-9); k++) ticks.push(k * step);
  return { ticks, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

// ---- figures in words: the rules of `measurement.figures_in_words` ------------------------------------------------

const digitsFor = (size) => (size ? clamp(1 - Math.floor(Math.log10(Math.abs(size))), 2, 6) : 2);
function signed(value, digits) {
  const text = Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  if (!Number(text.replaceAll(",", ""))) return text;
  return (value < 0 ? "−" : "+") + text;
}
function inWords(e, unit) {
  const digits = digitsFor(e.high - e.low);
  return { value: `${signed(e.value, digits)} ${unit}`, interval: `${signed(e.low, digits)} to ${signed(e.high, digits)} ${unit}` };
}
const percent = (share) => `${(100 * share).toFixed(share > 0 && share < .095 ? 1 : 0)} %`;

// ---- one slider with its figure ------------------------------------------------------------------------------------

function makeSlider(id, label, hint, { min, max, step, text, typed, about }, changed) {
  const input = html("input", { type: "range", id, min, max, step, "aria-describedby": `${id}-hint` });
  const figure = typed ? html("input", { type: "number", class: "mmx-number", min: typed.min, max: typed.max, step: "any", "aria-label": `${label}, typed`, inputmode: "decimal", "aria-describedby": `${id}-hint` }) : html("output", { for: id, class: "mmx-output" });
  const unit = typed ? html("span", { class: "mmx-amountunit" }, typed.unit) : "";
  const node = html("div", { class: "mmx-control" }, html("span", { class: "mmx-controlhead" }, html("label", { for: id, class: about ? "mmx-spoken" : null }, label), about ? makeTerm(`${id}-about`, label, about) : ""), html("span", { class: "mmx-figure" }, figure, unit), input, html("span", { class: "mmx-hint", id: `${id}-hint` }, hint));
  input.addEventListener("input", () => changed(Number(input.value)));
  if (typed) {
    figure.addEventListener("input", () => { const value = typed.read(figure.value); if (value !== null) changed(value); });
    figure.addEventListener("blur", () => { figure.value = typed.write(Number(input.dataset.exact)); });
  }
  return {
    node,
    show(value) {
      input.dataset.exact = value;
      if (Number(input.value) !== value) input.value = value;
      put(input, { "aria-valuetext": text(value) });
      if (!typed) say(figure, text(value));
      else if (document.activeElement !== figure && figure.getRootNode().activeElement !== figure) figure.value = typed.write(value);
    },
  };
}

// Borders, unit and factor of an amount that can be typed beside its slider.
function amount(low, high, unit, factor) {
  const write = (value) => String(Number((value * factor).toFixed(6)));
  return { min: low * factor, max: high * factor, unit, write,
    read(text) { const value = Number(text) / factor; return text.trim() !== "" && Number.isFinite(value) && value >= low && value <= high ? value : null; } };
}

// ---- a choice with its label ---------------------------------------------------------------------------------------

function option(value, words, chosen) { const node = html("option", { value }, words); node.selected = chosen; return node; }
function makeChoice(id, label, onChange) {
  const select = html("select", { id, class: "mmx-select" });
  select.addEventListener("change", () => onChange(select.value));
  return { node: html("label", { class: "mmx-choice", for: id }, html("span", {}, label), select), select,
    fill(options, value) { select.replaceChildren(...options.map(([key, words]) => option(key, words, String(key) === String(value)))); select.disabled = options.length < 2; } };
}

// ---- text to take away ---------------------------------------------------------------------------------------------

function makeCopyBox(label) {
  const code = html("pre", { class: "mmx-code", tabindex: "0", "aria-label": label }), done = html("span", { class: "mmx-done", role: "status" });
  const button = html("button", { type: "button", class: "mmx-button" }, "Copy");
  button.addEventListener("click", async () => {
    let copied = true;
    try { await navigator.clipboard.writeText(code.textContent); }
    catch { const range = document.createRange(); range.selectNodeContents(code); const picked = getSelection(); picked.removeAllRanges(); picked.addRange(range); copied = document.execCommand("copy"); }
    say(done, copied ? "Copied" : "Marked: press Ctrl+C");
    setTimeout(() => say(done, ""), 2500);
  });
  return { node: html("div", { class: "mmx-copy" }, html("div", { class: "mmx-copyhead" }, html("span", {}, label), done, button), code), show(words) { say(code, words); button.disabled = !words; } };
}

// ---- asking the kernel: one request in flight, only the newest wish kept, stale answers dropped -------------------

const DIM_AFTER = 150;       // ms until an unanswered wish dims the old picture
const SILENT_AFTER = 10000;  // ms until a silent kernel is called that
const SILENT = "The kernel does not answer. If it is busy, wait; if it was restarted, run the cell again.";

// A wish is anything with a `key`; `send(wish, sequence)` carries it to the kernel, which answers with the sequence.
function makeAsker({ send, answered, refused, silent }) {
  let sequence = 0, flying = null, needed = null, hinted = null, timer = 0;
  function fly(wish) {
    flying = { ...wish, sequence: ++sequence };
    clearTimeout(timer);
    timer = setTimeout(() => { silent(); flying = null; }, SILENT_AFTER);
    send(wish, sequence);
  }
  function next() {
    const wish = needed ?? hinted;
    if (needed) needed = null; else hinted = null;
    if (wish) fly(wish);
  }
  return {
    ask(wish, isHint) {
      if (flying && flying.key === wish.key) { if (!isHint) needed = null; return; }
      if (isHint) hinted = wish; else needed = wish;
      if (!flying) next();
    },
    receive(message, buffers) {
      if (!flying || message.sequence !== flying.sequence) return;
      const asked = flying;
      flying = null;
      clearTimeout(timer);
      if (message.type === "refused") refused(message); else answered(asked, message, buffers);
      if (!flying) next();
    },
    stop() { clearTimeout(timer); needed = hinted = flying = null; },
  };
}

// While an answer is out the old picture is dimmed; `silent` is called where none comes.
function makePatience(root, silent) {
  let dimming = 0, silence = 0;
  return {
    wait() {
      dimming ||= setTimeout(() => root.classList.add("mmx-waiting"), DIM_AFTER);
      clearTimeout(silence);
      if (silent) silence = setTimeout(silent, SILENT_AFTER);
    },
    settle() { clearTimeout(dimming); clearTimeout(silence); dimming = silence = 0; root.classList.remove("mmx-waiting"); },
  };
}
