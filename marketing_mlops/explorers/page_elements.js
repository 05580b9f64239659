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

// Round values between two ends, and the decimals they need.
function niceTicks(low, high, wanted) {
  const rough = (high - low) / wanted || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((s) => s >= rough) ?? 10 * power, ticks = [];
  for (let k = Math.ceil(low / step); k <= Math.floor(high / step + 1e-9); k++) ticks.push(k * step);
  return { ticks, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}
