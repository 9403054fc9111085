// The table of all images: only the rows in view are in the document.
(async () => {
  const get = (id) => document.getElementById(id);
  const make = (tag, text, name) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (name) node.className = name;
    return node;
  };
  const region = get("images-rows");
  const body = region.querySelector("tbody");
  const count = get("images-count");
  const search = get("images-search");
  const picked = get("images-pick");
  const ROW = 33;
  const SVG = document.querySelector("svg").namespaceURI;

  const unpack = async () => {
    const packed = atob(get("images-data").content.textContent);
    const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).json();
  };
  let data;
  try {
    data = await unpack();
  } catch {
    count.textContent = "This table needs a newer browser.";
    return;
  }
  const {ids, pred, truth} = data;
  if (truth) pred.forEach((column, k) => column.forEach((value, i) => { column[i] = value + truth[k][i]; }));
  const boxOf = (columns, i) => columns.map((column) => column[i]);
  const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);
  const iou = truth && Float64Array.from(ids, (_, i) => {
    const [a, b] = [boxOf(pred, i), boxOf(truth, i)];
    const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
    const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
    const inter = Math.max(width, 0) * Math.max(height, 0);
    const union = area(a) + area(b) - inter;
    return union > 0 ? inter / union : 0;
  });
  const main = truth ?? pred;
  const size = Float64Array.from(ids, (_, i) => Math.sqrt(Math.max(area(boxOf(main, i)), 1)));

  // What can be picked of each image; the names stand in the charts' data-pick.
  const values = {
    iou: (i) => iou[i],
    twentieth: (i) => Math.min(19, Math.floor(iou[i] / 0.05)),
    size: (i) => size[i],
    w: (i) => main[2][i] - main[0][i],
    h: (i) => main[3][i] - main[1][i],
    cx: (i) => (main[0][i] + main[2][i]) / 2,
    cy: (i) => (main[1][i] + main[3][i]) / 2,
    edge: (i) => Number(main[0][i] <= 0 || main[1][i] <= 0 || main[2][i] >= 1280 || main[3][i] >= 1024),
    aspect: (i) => {
      const [w, h] = [values.w(i), values.h(i)];
      return Math.max(w, h) / Math.max(Math.min(w, h), 1e-9);
    },
  };
  for (const [kind, numbers] of Object.entries(data.kinds ?? {})) values[kind] = (i) => numbers[i] ?? -1;

  let order = [];
  let pick = null;
  let key = truth ? "iou" : "id";
  let down = false;
  let active = 0;

  const rowOf = (at) => {
    const i = order[at];
    const row = make("tr");
    row.setAttribute("aria-rowindex", at + 2);
    const button = make("button", ids[i]);
    button.type = "button";
    button.title = ids[i];
    button.tabIndex = at === active ? 0 : -1;
    button.dataset.at = at;
    button.setAttribute("aria-haspopup", "dialog");
    const head = make("th", undefined, "words");
    head.scope = "row";
    head.append(button);
    row.append(head);
    if (iou) row.append(make("td", iou[i].toFixed(4)));
    row.append(make("td", size[i].toFixed(0)));
    if (truth) row.append(make("td", boxOf(truth, i).join(", "), "box mono"));
    row.append(make("td", boxOf(pred, i).join(", "), "box mono"));
    return row;
  };
  const space = (rows) => {
    const row = make("tr", undefined, "space");
    row.setAttribute("aria-hidden", "true");
    const cell = make("td");
    cell.colSpan = [...region.querySelectorAll("thead th")].filter((head) => head.offsetParent).length;
    cell.style.height = `${rows * ROW}px`;
    row.append(cell);
    return row;
  };
  const draw = () => {
    const first = Math.max(0, Math.floor(region.scrollTop / ROW) - 8);
    const last = Math.min(order.length, Math.ceil((region.scrollTop + region.clientHeight) / ROW) + 8);
    const focused = body.contains(document.activeElement);
    if (active < first || active >= last) active = Math.min(Math.max(active, first), Math.max(last - 1, 0));
    const rows = [];
    for (let at = first; at < last; at += 1) rows.push(rowOf(at));
    body.replaceChildren(space(first), ...rows, space(order.length - last));
    if (focused) body.querySelector("[tabindex='0']")?.focus({preventScroll: true});
  };
  const choose = () => {
    const words = search.value.trim().toLowerCase();
    order = [];
    for (let i = 0; i < ids.length; i += 1) {
      if ((!pick || pick.fits(i)) && (!words || ids[i].toLowerCase().includes(words))) order.push(i);
    }
    const of = key === "id" ? null : {iou, size}[key];
    const sign = down ? -1 : 1;
    order.sort((a, b) => sign * (of ? of[a] - of[b] : ids[a] < ids[b] ? -1 : ids[a] > ids[b] ? 1 : 0) || a - b);
    for (const head of region.querySelectorAll("thead th[data-key]")) {
      if (head.dataset.key === key) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    const all = ids.length.toLocaleString("en");
    count.textContent = order.length === ids.length ? `${all} images` : `${order.length.toLocaleString("en")} of ${all} images`;
    picked.hidden = !pick;
    picked.textContent = pick ? `${pick.label} ✕` : "";
    picked.setAttribute("aria-label", pick ? `Show all images again, not only: ${pick.label}` : "");
    region.querySelector("table").setAttribute("aria-rowcount", order.length + 1);
    region.scrollTop = 0;
    active = 0;
    draw();
  };

  // The dialog for an image: its picture if the page has one, else its boxes alone.
  const outline = (name, box) => {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", name);
    path.setAttribute("d", `M${box[0]} ${box[1]}H${box[2]}V${box[3]}H${box[0]}Z`);
    return path;
  };
  const diagram = (i) => {
    const frame = make("span", undefined, "photo none");
    frame.append(make("span", "This page has no picture of it: only its boxes.", "why"));
    const drawing = document.createElementNS(SVG, "svg");
    drawing.setAttribute("class", "boxes");
    drawing.setAttribute("viewBox", "0 0 1280 1024");
    drawing.setAttribute("aria-hidden", "true");
    if (truth) drawing.append(outline("truth", boxOf(truth, i)));
    drawing.append(outline("pred", boxOf(pred, i)));
    frame.append(drawing);
    return frame;
  };
  const facts = (i) => {
    const list = make("dl", undefined, "pairs");
    const pairs = [["Image", ids[i]]];
    if (iou) pairs.push(["IoU", iou[i].toFixed(4)], ["Truth", boxOf(truth, i).join(", ")]);
    pairs.push(["Prediction", boxOf(pred, i).join(", ")]);
    for (const [name, value] of pairs) {
      const pair = make("div");
      pair.append(make("dt", name), make("dd", value, "mono"));
      list.append(pair);
    }
    return list;
  };
  const opener = (at) => () => {
    reach(at);
    return body.querySelector("[tabindex='0']");
  };
  const item = (i, at) => ({
    title: ids[i],
    frame: viewer.tiles.get(ids[i])?.frame ?? (() => diagram(i)),
    side: viewer.tiles.get(ids[i])?.side ?? (() => facts(i)),
    opener: opener(at),
  });
  const reach = (at) => {
    active = Math.min(Math.max(at, 0), order.length - 1);
    const top = active * ROW;
    const visible = region.clientHeight - 2 * ROW;
    if (top < region.scrollTop) region.scrollTop = top;
    if (top > region.scrollTop + visible) region.scrollTop = top - visible;
    draw();
  };

  body.addEventListener("click", (event) => {
    const at = event.target.closest("tr")?.querySelector("button")?.dataset.at;
    if (at === undefined) return;
    active = Number(at);
    viewer.show(order.map(item), active);
  });
  body.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(region.clientHeight / ROW) - 2);
    const to = {
      ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page,
      Home: 0, End: order.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    reach(to);
    body.querySelector("[tabindex='0']").focus({preventScroll: true});
  });
  region.addEventListener("scroll", draw, {passive: true});
  window.addEventListener("resize", draw);
  search.addEventListener("input", choose);
  picked.addEventListener("click", () => {
    pick = null;
    choose();
    search.focus();
  });
  for (const head of region.querySelectorAll("thead th[data-key]")) {
    head.firstElementChild.addEventListener("click", () => {
      down = head.dataset.key === key ? !down : false;
      key = head.dataset.key;
      choose();
    });
  }

  // Bars, cells and dots of the charts choose the images that they stand for.
  const only = (label, fits) => {
    pick = {label, fits};
    search.value = "";
    choose();
    get("table").scrollIntoView();
    picked.focus({preventScroll: true});
  };
  const ranges = (text) => {
    const words = text.split(" ");
    const rules = [];
    for (let k = 0; k < words.length; k += 3) rules.push([values[words[k]], Number(words[k + 1]), Number(words[k + 2])]);
    return (i) => rules.every(([value, low, high]) => value(i) >= low && value(i) < high);
  };
  const use = (node) => {
    const label = node.dataset.label ?? node.querySelector("title").textContent.replace(/: [^:]*$/, "");
    only(label, ranges(node.dataset.pick));
  };
  for (const node of document.querySelectorAll("button[data-pick]")) node.addEventListener("click", () => use(node));
  for (const drawing of document.querySelectorAll(".chart svg:has([data-pick])")) {
    const marks = [...drawing.querySelectorAll("[data-pick]")];
    drawing.setAttribute("role", "group");
    marks.forEach((mark, k) => {
      mark.classList.add("picks");
      mark.setAttribute("role", "button");
      mark.setAttribute("aria-label", mark.querySelector("title").textContent);
      mark.setAttribute("tabindex", k ? -1 : 0);
      mark.addEventListener("click", () => use(mark));
      mark.addEventListener("keydown", (event) => {
        const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
        if (event.key === "Enter" || event.key === " ") use(mark);
        else if (step) {
          const next = marks[(k + step + marks.length) % marks.length];
          mark.setAttribute("tabindex", -1);
          next.setAttribute("tabindex", 0);
          next.focus();
        } else return;
        event.preventDefault();
      });
    });
  }
  for (const dots of document.querySelectorAll("[data-near]")) {
    const drawing = dots.ownerSVGElement;
    const [left, right, top, bottom] = [52, 350, 14, 168];
    const words = dots.dataset.near.split(" ");
    const axis = (at, start, stop) => {
      const [of, low, high] = [values[words[at]], Number(words[at + 1]), Number(words[at + 2])];
      const scale = words[at + 3] === "log" ? Math.log : Number;
      return (i) => start + (stop - start) * (scale(of(i)) - scale(low)) / (scale(high) - scale(low));
    };
    const [x, y] = [axis(0, left, right), axis(4, bottom, top)];
    drawing.classList.add("picks");
    drawing.addEventListener("click", (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
      const far = (i) => Math.hypot(x(i) - point.x, y(i) - point.y);
      const near = ids.map((_, i) => i).filter((i) => far(i) < 6);
      if (!near.length) return;
      const chosen = new Set(near);
      only("near that point of the chart", (i) => chosen.has(i));
    });
  }
  choose();
})();
