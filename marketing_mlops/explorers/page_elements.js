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

