// The kernel of a frozen page: answers the questions of the linked charts from the cells that are written in the page.
//
// It is sent after live_charts.js. A cell is one combination of bins with the number of its rows; there is no row, and
// no combination of a few rows, that could be asked for.

function makeCellCounter({ names, widths, bins, counts }) {
  const at = Object.fromEntries(names.map((name, i) => [name, i]));

  // Joint counts of one chart's bins with every other chart's, each chart under the filters of all the others.
  function count({ dimension, filters }) {
    const active = at[dimension], own = new Int32Array(widths[active]);
    const kept = Object.entries(filters).filter(([name]) => name !== dimension).map(([name, list]) => [at[name], new Set(list)]);
    const tables = names.map((_, other) => (other === active ? null : new Int32Array((widths[active] + 1) * widths[other])));
    counts.forEach((rows, cell) => {
      const gone = kept.filter(([chart, set]) => !set.has(bins[chart][cell])).map(([chart]) => chart), row = bins[active][cell];
      if (gone.length > 1) return;
      if (!gone.length) own[row] += rows;
      for (const other of gone.length ? gone : tables.keys()) if (tables[other]) tables[other][(row + 1) * widths[other] + bins[other][cell]] += rows;
    });
    tables.forEach((table, other) => { if (table) for (let i = widths[other]; i < table.length; i++) table[i] += table[i - widths[other]]; });
    return { own, tables };
  }

  return (message) => {
    const { own, tables } = count(message), listed = [], parts = [own];
    let start = own.length;
    tables.forEach((table, other) => {
      if (!table) return;
      listed.push({ name: names[other], start, width: widths[other] });
      parts.push(table);
      start += table.length;
    });
    const flat = new Int32Array(start);
    parts.reduce((place, part) => { flat.set(part, place); return place + part.length; }, 0);
    return [{ type: "index", sequence: message.sequence, dimension: message.dimension, bins: own.length, tables: listed }, [new DataView(flat.buffer)]];
  };
}
