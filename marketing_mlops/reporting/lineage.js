// A page of lineage: finds things while somebody types, in the list and in the drawing.
(() => {
  const $ = id => document.getElementById(id);
  const fold = text => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const items = [...document.querySelectorAll("ol.things>li")].map(li => ({li, text: fold(li.textContent), node: $("n" + li.id)}));
  const search = () => {
    const words = fold($("q").value).split(/\s+/).filter(Boolean);
    let n = 0;
    for (const {li, text, node} of items) {
      const fits = words.every(word => text.includes(word));
      li.hidden = !fits;
      n += fits;
      if (node) { node.classList.toggle("dim", !fits); node.classList.toggle("met", fits && words.length > 0); }
    }
    $("hits").textContent = words.length ? `${n.toLocaleString("en")} of ${items.length.toLocaleString("en")} found` : "";
  };
  $("find").hidden = false;
  $("q").addEventListener("input", search);
  $("find").addEventListener("submit", event => event.preventDefault());
  addEventListener("hashchange", () => {
    const to = $(location.hash.slice(1));
    if (to && to.hidden) { $("q").value = ""; search(); to.scrollIntoView(); }
  });
})();
