"use strict";

// The dialog that enlarges a picture. What it shows is a list of items, each with a title and
// functions that return its frame, its facts and what gets the focus when the dialog closes.
// All of that is made of copied nodes and text: nothing is ever read as markup.
const viewer = (() => {
  const get = (id) => document.getElementById(id);
  const dialog = get("viewer");
  let items = [];
  let at = 0;

  const wrapped = (name, node) => {
    const box = document.createElement("div");
    box.className = name;
    box.append(node);
    return box;
  };
  const go = (index) => {
    at = (index + items.length) % items.length;
    const item = items[at];
    get("viewer-stage").replaceChildren(wrapped("frame", item.frame()), wrapped("side", item.side()));
    get("viewer-title").textContent = item.title;
    get("viewer-count").textContent = `${(at + 1).toLocaleString("en")} of ${items.length.toLocaleString("en")}`;
    if (!dialog.open) dialog.showModal();
  };
  const show = (list, index) => {
    items = list;
    go(index);
  };

  const tiles = new Map();
  for (const tile of document.querySelectorAll("button.tile")) {
    tiles.set(tile.dataset.image, {
      title: tile.querySelector(".id").textContent,
      frame: () => tile.querySelector(".photo").cloneNode(true),
      side: () => tile.parentElement.querySelector("template").content.cloneNode(true),
      opener: () => tile,
    });
    tile.addEventListener("click", () => {
      const list = [...tiles.values()];
      show(list, list.indexOf(tiles.get(tile.dataset.image)));
    });
  }
  if (dialog) {
    get("viewer-previous").addEventListener("click", () => go(at - 1));
    get("viewer-next").addEventListener("click", () => go(at + 1));
    get("viewer-close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") go(at - 1);
      if (event.key === "ArrowRight") go(at + 1);
    });
    dialog.addEventListener("close", () => {
      get("viewer-stage").replaceChildren();
      items[at].opener()?.focus();
    });
  }
  return {show, tiles};
})();
