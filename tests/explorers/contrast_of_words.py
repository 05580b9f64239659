"""Reads off a page in a browser how well each word on it can be told from what it stands on (WCAG 2.2, criterion 1.4.3)."""

WALK = """() => {
  const numbers = (c) => { const v = (c.match(/[\\d.]+/g) ?? ["0", "0", "0", "0"]).map(Number); return v.length > 3 ? v : [...v, 1] };
  const over = (top, low) => [0, 1, 2].map((i) => top[3] * top[i] + (1 - top[3]) * low[i]).concat(1);
  const lit = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 }); return .2126 * r + .7152 * g + .0722 * b };
  const ratio = (a, b) => { const [low, high] = [lit(a), lit(b)].sort((x, y) => x - y); return (high + .05) / (low + .05) };
  const paper = getComputedStyle(document.documentElement).colorScheme.includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
  const ground = (node) => {
    const grounds = [];
    for (let at = node; at; at = at.parentElement) { const colour = numbers(getComputedStyle(at).backgroundColor); if (colour[3] > 0) grounds.push(colour); if (colour[3] === 1) break }
    return grounds.reverse().reduce((low, top) => over(top, low), paper);
  };
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement, words = walker.currentNode.textContent.trim();
    if (!words || !node || node.closest("script, style, title, desc, option, :disabled, .mmx-waiting")) continue;
    const style = getComputedStyle(node), range = document.createRange();
    range.selectNodeContents(walker.currentNode);
    const box = range.getBoundingClientRect();
    if (style.visibility !== "visible" || box.width < 2 || box.height < 2 || !node.checkVisibility()) continue;
    let seen = 1, hidden = false;
    for (let at = node; at; at = at.parentElement) { const s = getComputedStyle(at); seen *= Number(s.opacity); hidden ||= s.clipPath.startsWith("inset(50%") }
    if (hidden || seen === 0) continue;
    const below = ground(node), colour = numbers(node.namespaceURI.endsWith("svg") ? style.fill : style.color);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    found.push({ words: words.slice(0, 60), where: node.getAttribute("class") ?? node.tagName, ratio: ratio(over([...colour.slice(0, 3), colour[3] * seen], below), below), least: large ? 3 : 4.5 });
  }
  return found;
}"""

def words_on(page) -> list[dict]:
    "Each visible piece of text: its words, its class, its contrast, and the least it needs. Left out: what is disabled, and what waits for an answer (`.mmx-waiting`)."
    return page.evaluate(WALK)

def too_pale(found: list[dict]) -> list[tuple]:
    "Those that cannot be read well."
    return sorted({(each["where"], each["words"], round(each["ratio"], 2)) for each in found if each["ratio"] < each["least"] - .005})
