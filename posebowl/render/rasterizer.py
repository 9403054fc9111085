"""The rasterizer: renders meshes off-screen with PyVista and VTK.

This is the only module of the project that imports PyVista.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from posebowl.errors import PoseBowlError
from posebowl.render.materials import Material
from posebowl.render.mesh import Array, Mesh

SIZES: Final = ((256, 256), (512, 512), (1024, 1024), (2560, 2048))
"""Window sizes, (width, height): the smallest that holds a picture is used, since Mesa's
software renderer pays for every pixel."""
OPENGL_LIBRARIES: Final = ("libEGL.so.1", "libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so")
"""What VTK draws with where there is no display: the first that can be loaded."""
INSTALL: Final = "On Debian or Ubuntu, type: sudo apt-get install libegl1 libgl1-mesa-dri"


class RenderError(PoseBowlError):
    """This machine cannot render."""


@dataclass(frozen=True, kw_only=True)
class View:
    """A camera: where it is and how it projects, and the size of its picture in pixels.

    Attributes:
        rotation: Rows are the camera's right, up and backward directions, shape (3, 3).
        position: Of the camera, shape (3,).
        projection: OpenGL's clip matrix, shape (4, 4).
        width: In pixels.
        height: In pixels.
    """

    rotation: Array
    position: Array
    projection: Array
    width: int
    height: int


def require_renderer() -> None:
    """Check that rendering is possible, without the seconds that importing PyVista takes.

    Raises:
        RenderError: PyVista or an OpenGL library is missing.
    """
    if find_spec("pyvista") is None:
        raise missing_pyvista()
    if sys.platform == "linux" and not os.environ.get("DISPLAY") and not _loads(OPENGL_LIBRARIES):
        # VTK would crash, not complain.
        raise opengl_missing()


def _loads(libraries: Sequence[str]) -> bool:
    for library in libraries:
        with contextlib.suppress(OSError):
            ctypes.CDLL(library)
            return True
    return False


def opengl_missing() -> RenderError:
    """Return the error for a machine without off-screen OpenGL."""
    return RenderError(
        "VTK cannot render off-screen on this machine.",
        why=f"None of {', '.join(OPENGL_LIBRARIES)} can be loaded.",
        fix=INSTALL,
    )


def _vtk() -> SimpleNamespace:
    """Return the few classes of VTK that PyVista does not wrap, or wraps at a cost per actor."""
    from vtkmodules.util.numpy_support import vtk_to_numpy  # noqa: PLC0415
    from vtkmodules.vtkCommonCore import vtkFloatArray, vtkUnsignedCharArray  # noqa: PLC0415
    from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper  # noqa: PLC0415

    return SimpleNamespace(
        vtk_to_numpy=vtk_to_numpy,
        vtkFloatArray=vtkFloatArray,
        vtkUnsignedCharArray=vtkUnsignedCharArray,
        vtkActor=vtkActor,
        vtkPolyDataMapper=vtkPolyDataMapper,
    )


def missing_pyvista() -> RenderError:
    """Return the error for an environment without PyVista."""
    return RenderError(
        "PyVista is not installed in this environment.",
        why="The renderer alone needs it, so plain `uv sync` leaves it out.",
        fix="Type: uv run --group render python -m posebowl.render --help",
    )


def prefer_egl() -> None:
    """Set VTK to use EGL where there is no display: an X server would only cause a warning."""
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")


class Rasterizer:
    """An off-screen OpenGL window, kept open so that every image after the first is cheap."""

    def __init__(self) -> None:
        prefer_egl()
        try:
            import pyvista  # noqa: PLC0415  the rest of the project works without it
        except ImportError:
            raise missing_pyvista() from None
        self._pv: Any = pyvista
        self._vtk = _vtk()
        self._plotter = self._pv.Plotter(off_screen=True, window_size=SIZES[0], lighting="none")
        self._plotter.set_background("black")
        self._size = SIZES[0]
        self._window = self._plotter.render_window
        self._window.SetMultiSamples(0)
        self._renderer = self._plotter.renderer
        # The projection is set as a matrix, which VTK's own culling does not know of.
        self._renderer.GetCullers().RemoveAllItems()
        self._sun = self._pv.Light(light_type="scene light", position=(0, 0, 1))
        self._fill = self._pv.Light(light_type="scene light", position=(0, 0, 1))
        self._plotter.add_light(self._sun)
        self._plotter.add_light(self._fill)
        self._actors: list[Any] = []
        self._window.Render()
        if not self._window.SupportsOpenGL():
            raise opengl_missing()

    def close(self) -> None:
        """Release the OpenGL window."""
        self._plotter.close()

    def load(self, surfaces: list[tuple[Mesh, Material]], *, ambient: float) -> None:
        """Replace the scene by these surfaces; ambient is the share of undirected light."""
        for actor in self._actors:
            self._renderer.RemoveActor(actor)
        self._actors = [self._actor(mesh, material, ambient) for mesh, material in surfaces]
        for actor in self._actors:
            self._renderer.AddActor(actor)

    def _actor(self, mesh: Mesh, material: Material, ambient: float) -> Any:
        poly = self._pv.PolyData.from_regular_faces(mesh.points.astype(np.float32), mesh.triangles)
        poly.point_data["Normals"] = mesh.normals.astype(np.float32)
        poly.GetPointData().SetActiveNormals("Normals")
        if material.texture is not None:
            poly.active_texture_coordinates = mesh.uv.astype(np.float32)
        mapper = self._vtk.vtkPolyDataMapper()
        mapper.SetInputData(poly)
        mapper.ScalarVisibilityOff()
        actor = self._vtk.vtkActor()
        actor.SetMapper(mapper)
        prop = actor.GetProperty()
        prop.SetColor(*material.colour)
        prop.SetInterpolationToPhong()
        prop.SetDiffuse(material.diffuse)
        prop.SetAmbient(ambient)
        prop.SetSpecular(material.specular)
        prop.SetSpecularPower(material.power)
        if material.texture is not None:
            texture = self._pv.Texture(material.texture)
            texture.mipmap = True
            texture.interpolate = True
            texture.repeat = True
            actor.SetTexture(texture)
        return actor

    def light(self, *, sun: Array, sunlight: float, fill: Array, fill_light: float) -> None:
        """Set both lights by the directions they come from, shape (3,)."""
        for lamp, towards, strength in ((self._sun, sun, sunlight), (self._fill, fill, fill_light)):
            lamp.SetPosition(*towards)
            lamp.SetFocalPoint(0, 0, 0)
            lamp.SetIntensity(strength)

    def render(self, view: View) -> npt.NDArray[np.uint8]:
        """Render an image: RGB, shape (height, width, 3), top row first."""
        self._frame(view)
        self._window.Render()
        pixels = self._vtk.vtkUnsignedCharArray()
        self._window.GetPixelData(0, 0, view.width - 1, view.height - 1, 0, pixels, 0)
        flat = np.array(self._vtk.vtk_to_numpy(pixels), dtype=np.uint8)
        return flat.reshape(view.height, view.width, 3)[::-1]

    def depth(self, view: View) -> npt.NDArray[np.float32]:
        """Read the depth buffer of the last image, 0 to 1, shape (height, width)."""
        values = self._vtk.vtkFloatArray()
        self._window.GetZbufferData(0, 0, view.width - 1, view.height - 1, values)
        flat = np.array(self._vtk.vtk_to_numpy(values), dtype=np.float32)
        return flat.reshape(view.height, view.width)[::-1]

    def _frame(self, view: View) -> None:
        size = next(s for s in SIZES if s[0] >= view.width and s[1] >= view.height)
        if size != self._size:
            self._window.SetSize(*size)
            self._size = size
        self._renderer.SetViewport(0, 0, view.width / size[0], view.height / size[1])
        camera = self._renderer.GetActiveCamera()
        camera.SetPosition(*view.position)
        camera.SetFocalPoint(*(view.position - view.rotation[2]))
        camera.SetViewUp(*view.rotation[1])
        camera.SetUseExplicitProjectionTransformMatrix(True)  # noqa: FBT003  VTK takes no keywords
        matrix = self._pv.vtkmatrix_from_array(view.projection)
        camera.SetExplicitProjectionTransformMatrix(matrix)
