"""Render labelled photos of procedural spacecraft; needs the dependency group `render`."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.render.dataset import Row as Row, render_dataset as render_dataset
    from posebowl.render.options import RenderOptions as RenderOptions

__getattr__ = face(__name__)
