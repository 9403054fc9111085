"use strict";
(() => {
  const get = (id) => document.getElementById(id);
  const dialog = get("viewer");
  const tiles = [...document.querySelectorAll("button.tile")];
  let at = 0;

  // Everything shown is a copy of nodes of this page: no text is ever read as markup.
  const show = (index) => {
    at = (index + tiles.length) % tiles.length;
    const tile = tiles[at];
    const frame = document.createElement("div");
    frame.className = "frame";
    frame.append(tile.querySelector(".photo").cloneNode(true));
    const side = document.createElement("div");
    side.className = "side";
    side.append(tile.parentElement.querySelector("template").content.cloneNode(true));
    get("viewer-stage").replaceChildren(frame, side);
    get("viewer-title").textContent = tile.querySelector(".id").textContent;
    get("viewer-count").textContent = `${at + 1} of ${tiles.length}`;
    if (!dialog.open) dialog.showModal();
  };

  tiles.forEach((tile, index) => tile.addEventListener("click", () => show(index)));
  get("viewer-previous").addEventListener("click", () => show(at - 1));
  get("viewer-next").addEventListener("click", () => show(at + 1));
  get("viewer-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(at - 1);
    if (event.key === "ArrowRight") show(at + 1);
  });
  dialog.addEventListener("close", () => {
    get("viewer-stage").replaceChildren();
    tiles[at].focus();
  });
})();
