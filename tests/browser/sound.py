"""What every page of ours keeps to, on every screen and in both colour schemes."""

from __future__ import annotations

from typing import Final

from tests.browser.webdriver import Browser

PHONE: Final = 360

# The contrast of each text with what is behind it, by WCAG 2: colours are read back from a
# canvas, which turns any notation into red, green and blue.
CONTRAST: Final = """
const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const rgba = (colour) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  return canvas.getImageData(0, 0, 1, 1).data;
};
const light = (colour) => {
  const [r, g, b] = [...rgba(colour)].slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (node) => {
  for (; node; node = node.parentElement) {
    const colour = getComputedStyle(node).backgroundColor;
    if (rgba(colour)[3] === 255) return colour;
  }
  return "white";
};
const low = [];
for (const node of document.querySelectorAll("body *")) {
  const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  const unseen = "script, style, dialog:not([open]), .photo, .skip, desc, title";
  if (!own || node.closest(unseen)) continue;
  const style = getComputedStyle(node);
  const text = light(node.closest("svg") ? style.fill : style.color);
  const [a, b] = [text, light(behind(node))].sort((x, y) => y - x);
  if ((a + 0.05) / (b + 0.05) < 4.5) low.push(node.outerHTML.slice(0, 120));
}
return low;
"""


def check_sound(chromium: Browser, width: int) -> None:
    """Check that a page fits, can be read, and that neither axe-core nor its console objects."""
    assert chromium.run("return document.documentElement.scrollWidth") == width
    assert chromium.run(CONTRAST) == []
    assert chromium.accessibility() == []
    assert chromium.console() == []
