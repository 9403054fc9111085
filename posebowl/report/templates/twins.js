"use strict";
// The matrix of all pairs, and the table of those that are most alike.
(async () => {
  const get = (id) => document.getElementById(id);
  const canvas = get("twins-cells");
  if (!canvas) return;
  const [names, tools, told, rows] = ["twins-names", "twins-tools", "twins-told", "twins-pairs"].map(get);
  const [from, search] = ["twins-from", "twins-search"].map(get);
  const NONE = 255;
  const ROWS = 40;
  const MOST_NAMES = 60;

  const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  let data;
  try {
    const packed = new Blob([bytesOf(get("twins-data").content.textContent)]);
    data = await new Response(packed.stream().pipeThrough(new DecompressionStream("deflate"))).json();
  } catch {
    told.textContent = "The matrix needs a newer browser.";
    return;
  }
  const count = data.names.length;
  const measures = Object.fromEntries(Object.entries(data.measures).map(
    ([name, {order, percents}]) => [name, {order, percents: bytesOf(percents)}]));
  const between = (percents, a, b) => {
    const [i, j] = a < b ? [a, b] : [b, a];
    return percents[i * count - i * (i + 1) / 2 + j - i - 1];
  };
  const words = (value) => value === NONE ? "not compared" : `${value} %`;
  let measure;
  let place = [0, Math.min(1, count - 1)];

  const colour = (name) => {
    const node = document.createElement("canvas").getContext("2d");
    node.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
    node.fillRect(0, 0, 1, 1);
    return node.getImageData(0, 0, 1, 1).data;
  };
  const draw = () => {
    const {order, percents} = measures[measure];
    const [low, high, card, soft] = ["--track", "--heat", "--card", "--soft"].map(colour);
    const least = Number(from.value);
    const shades = Array.from({length: 256}, (_, value) => {
      if (value === NONE) return card;
      const share = Math.max(0, (value - least) / (100 - least));
      return [0, 1, 2].map((k) => Math.round(low[k] + share * (high[k] - low[k])));
    });
    canvas.width = canvas.height = count;
    const painter = canvas.getContext("2d");
    const cells = painter.createImageData(count, count);
    order.forEach((a, row) => order.forEach((b, column) => {
      const shade = a === b ? soft : shades[between(percents, a, b)];
      cells.data.set([...shade.slice(0, 3), 255], 4 * (row * count + column));
    }));
    painter.putImageData(cells, 0, 0);
    get("twins-least").textContent = `${least} %`;
  };
  const showNames = () => {
    names.replaceChildren(...(count > MOST_NAMES ? [] : measures[measure].order.map((at) => {
      const item = document.createElement("li");
      item.textContent = item.title = data.names[at];
      return item;
    })));
    names.classList.toggle("many", count > MOST_NAMES / 2);
  };
  const tell = () => {
    const [row, column] = place;
    const {order} = measures[measure];
    const [a, b] = [order[row], order[column]];
    const values = Object.entries(measures).map(([name, {percents}]) => `${name} ${words(between(percents, a, b))}`);
    told.textContent = a === b ? data.names[a] : `${data.names[a]} and ${data.names[b]}: ${values.join(", ")}`;
    [...names.children].forEach((item, at) => item.classList.toggle("on", at === row || at === column));
  };
  const list = () => {
    const wanted = search.value.trim().toLowerCase();
    const {percents} = measures[measure];
    const found = [];
    let least = -1;
    const tidy = () => {
      found.sort(([a], [b]) => b - a);
      found.length = Math.min(found.length, ROWS);
      least = found.length === ROWS ? found[ROWS - 1][0] : -1;
    };
    const matches = data.names.map((name) => name.toLowerCase().includes(wanted));
    for (let i = 0, k = 0; i < count; i += 1) {
      for (let j = i + 1; j < count; j += 1, k += 1) {
        if (percents[k] === NONE || percents[k] <= least || !(matches[i] || matches[j])) continue;
        found.push([percents[k], i, j]);
        if (found.length > 20 * ROWS) tidy();
      }
    }
    tidy();
    rows.tBodies[0].replaceChildren(...found.map(([, i, j]) => {
      const row = document.createElement("tr");
      for (const name of ["weights", "boxes", "code"]) {
        const value = measures[name] ? between(measures[name].percents, i, j) : NONE;
        row.insertCell().textContent = value === NONE ? "" : value;
      }
      for (const at of [i, j]) {
        const cell = row.insertCell();
        cell.className = "words";
        cell.textContent = data.names[at];
      }
      return row;
    }));
    const all = wanted ? `Those of submissions with “${search.value.trim()}” in their names, by` : "By";
    get("pairs-about").textContent = `${all} ${measure}, in percent; the first ${ROWS}.`;
  };
  const choose = () => {
    measure = new FormData(tools).get("measure");
    const known = measures[measure].percents.filter((value) => value !== NONE).sort();
    // Boxes are much alike everywhere: what stands out shows only above the usual.
    from.value = measure === "boxes" ? Math.min(known[known.length >> 1] ?? 0, 99) : 0;
    get("twins-about").textContent = tools.querySelector(":checked").parentElement.title;
    draw();
    showNames();
    tell();
    list();
  };

  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    const cell = (offset, size) => Math.max(0, Math.min(count - 1, Math.floor(offset / size * count)));
    place = [cell(event.clientY - box.top, box.height), cell(event.clientX - box.left, box.width)];
    tell();
  };
  const steps = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]};
  canvas.addEventListener("pointermove", at);
  canvas.addEventListener("pointerdown", at);
  canvas.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    place = place.map((value, k) => Math.max(0, Math.min(count - 1, value + step[k])));
    tell();
  });
  tools.addEventListener("submit", (event) => event.preventDefault());
  for (const radio of tools.querySelectorAll("[type=radio]")) radio.addEventListener("change", choose);
  from.addEventListener("input", draw);
  search.addEventListener("input", list);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  choose();
})();
