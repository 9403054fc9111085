"""Render labelled photos of procedural spacecraft; needs the dependency group `render`."""

from posebowl.render.dataset import Row, render_dataset

__all__ = ["Row", "render_dataset"]
