"use strict";
// The leaderboard's rows, sorted and searched where they stand.
(() => {
  const table = document.getElementById("board");
  const body = table.tBodies[0];
  const count = document.getElementById("board-count");
  const search = document.getElementById("board-search");
  const rows = [...body.rows];
  const words = rows.map((row) => row.textContent.toLowerCase());
  const heads = [...table.querySelectorAll("th[data-key]")];

  const value = (row, key) => {
    const cell = row.querySelector(`.${key}`);
    if (key === "name" || key === "ended") return cell.textContent.toLowerCase();
    return parseFloat((cell.dataset.v ?? cell.textContent).replaceAll(",", ""));
  };
  // What has no number stays last, in either direction.
  const compare = (a, b, sign) => {
    if (typeof a === "string") return sign * (a < b ? -1 : a > b ? 1 : 0);
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return sign * (a - b);
  };
  const sort = (head) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const one of heads) one.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const keyed = rows.map((row) => [value(row, head.dataset.key), row]);
    keyed.sort(([a], [b]) => compare(a, b, down ? -1 : 1));
    body.append(...keyed.map(([, row]) => row));
  };
  const filter = () => {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    rows.forEach((row, i) => {
      row.hidden = !words[i].includes(wanted);
      shown += !row.hidden;
    });
    const all = rows.length.toLocaleString("en");
    count.textContent = shown === rows.length ? `${all} submissions` : `${shown.toLocaleString("en")} of ${all} submissions`;
  };
  for (const head of heads) head.firstElementChild.addEventListener("click", () => sort(head));
  search.addEventListener("input", filter);
  filter();
})();
