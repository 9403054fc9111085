"""Render labelled photos of procedural spacecraft; needs the dependency group `render`."""
# mypy: implicit-reexport
# ruff: noqa: F401

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.render.dataset import Row, render_dataset
    from posebowl.render.options import RenderOptions

__getattr__ = face(__name__)
