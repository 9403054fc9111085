"""Spacecraft from mesh files: GLB (with Draco too), glTF, OBJ with MTL, 3DS, and Orbiter's .msh."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from posebowl.errors import UsageError
from posebowl.render import orbiter
from posebowl.render.materials import Material, Palette
from posebowl.render.mesh import Array, Mesh, normalized
from posebowl.render.parts import Craft, Part
from posebowl.render.rasterizer import prefer_egl
from posebowl.render.textures import Pixels

GAMMA: Final = 1 / 2.2
"""Mesh files have linear colours; the renderer works with those of a display."""
LARGEST_TEXTURE: Final = 1024
NO_MESHES: Final[Mapping[str, Path]] = MappingProxyType({})
INSTALL: Final = "Type: uv run --group render python -m posebowl.render --help"


@dataclass(frozen=True, kw_only=True)
class Model:
    """A spacecraft with its own materials, by the roles of its parts."""

    craft: Craft
    materials: Palette


def find_meshes(folder: Path) -> dict[str, Path]:
    """Return the mesh files in a folder and its subfolders, by relative path without suffix.

    Raises:
        UsageError: There are none.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in READERS and path.is_file():
            relative = path.relative_to(folder)
            plain = relative.with_suffix("").as_posix()
            found[relative.as_posix() if plain in found else plain] = path
    if not found:
        raise UsageError(
            f"{folder} has no meshes.",
            why=f"The renderer reads {', '.join(READERS)}.",
            fix="Choose a folder with such files; docs/renderer.md lists sources.",
        )
    return found


@cache
def read_model(path: Path) -> Model:
    """Read a mesh file.

    Raises:
        UsageError: It is damaged or empty, or the library that reads it is missing.
    """
    try:
        surfaces = [one for one in READERS[path.suffix.lower()](path) if len(one[0].triangles)]
    except ImportError as error:
        raise UsageError(
            f"Cannot read {path}.", why=f"{error.name} is not installed.", fix=INSTALL
        ) from None
    except Exception as error:  # noqa: BLE001  (parsers of foreign files can raise anything)
        why = str(error).partition("\n")[0] or type(error).__name__
        fix = "Convert it to GLB, or remove it from the folder."
        raise UsageError(f"Cannot read {path}.", why=why, fix=fix) from None
    if not surfaces:
        fix = "Remove it from the folder."
        raise UsageError(f"{path} has no surface.", why="It contains no triangles.", fix=fix)
    roles = [f"{path}#{number}" for number in range(len(surfaces))]
    return Model(
        craft=[Part(mesh=mesh, role=role) for role, (mesh, _) in zip(roles, surfaces, strict=True)],
        materials={role: material for role, (_, material) in zip(roles, surfaces, strict=True)},
    )


def build_mesh(
    points: Array, triangles: npt.NDArray[np.int64], normals: Array | None, uv: Array | None
) -> Mesh:
    """Return a mesh, with flat faces where the file has no usable normals."""
    if normals is None or not np.isfinite(normals).all() or not normals.any():
        flat = triangles.reshape(-1)
        points, uv = points[flat], None if uv is None else uv[flat]
        corners = points.reshape(-1, 3, 3)
        faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals = np.repeat(faces, 3, axis=0)
        triangles = np.arange(len(points)).reshape(-1, 3)
    return Mesh(
        points=np.asarray(points, float),
        normals=normalized(normals),
        uv=np.zeros((len(points), 2)) if uv is None else np.asarray(uv, float),
        triangles=np.asarray(triangles, np.int64),
    )


def _read_scene(path: Path) -> list[tuple[Mesh, Material]]:
    """Read a format that trimesh supports, each part at its place in the scene."""
    import trimesh  # noqa: PLC0415  only sets of meshes need it

    scene: Any = trimesh.load_scene(path)
    surfaces = []
    for node in scene.graph.nodes_geometry:
        place, name = scene.graph[node]
        part = scene.geometry[name]
        if not isinstance(part, trimesh.Trimesh):
            continue
        points = np.asarray(part.vertices) @ place[:3, :3].T + place[:3, 3]
        # Only the file's own normals: trimesh would invent smooth ones for sharp edges.
        normals = part._cache.cache.get("vertex_normals")  # noqa: SLF001
        if normals is not None:
            normals = np.asarray(normals) @ np.linalg.inv(place[:3, :3])
        uv = getattr(part.visual, "uv", None)
        mesh = build_mesh(points, np.asarray(part.faces, np.int64), normals, uv)
        surfaces.append((mesh, _material(part.visual, textured=uv is not None)))
    return surfaces


def _material(visual: Any, *, textured: bool) -> Material:
    found = getattr(visual, "material", None)
    if found is None:  # colours of vertices
        return Material(colour=_colour(visual.main_color, linear=False))
    image = getattr(found, "baseColorTexture", None) or getattr(found, "image", None)
    texture = shrink_texture(image) if image is not None and textured else None
    if hasattr(found, "baseColorFactor"):
        rough = 0.6 if found.roughnessFactor is None else float(found.roughnessFactor)
        metal = 0.0 if found.metallicFactor is None else float(found.metallicFactor)
        base = (255, 255, 255) if found.baseColorFactor is None else found.baseColorFactor
        return Material(
            colour=_colour(base),
            diffuse=0.9 - 0.4 * metal,
            specular=(0.1 + 0.6 * metal) * (1 - 0.7 * rough),
            power=float(np.clip(2 / max(rough, 0.1) ** 4, 3, 120)),
            texture=texture,
        )
    return Material(
        colour=(1.0, 1.0, 1.0) if texture is not None else _colour(found.diffuse),
        specular=float(np.mean(found.specular[:3])) / 255 * 0.6,
        power=float(np.clip(found.glossiness or 20.0, 3, 120)),
        texture=texture,
    )


def _colour(rgba: Any, *, linear: bool = True) -> tuple[float, float, float]:
    red, green, blue = np.asarray(rgba[:3], float) / 255
    power = GAMMA if linear else 1.0
    return float(red**power), float(green**power), float(blue**power)


def shrink_texture(image: Image.Image) -> Pixels:
    """Return an image as RGB pixels, reduced to LARGEST_TEXTURE."""
    small = image.convert("RGB")
    small.thumbnail((LARGEST_TEXTURE, LARGEST_TEXTURE))
    return np.asarray(small)


def _read_3ds(path: Path) -> list[tuple[Mesh, Material]]:
    """Read a 3DS file with VTK."""
    prefer_egl()
    import vtkmodules.vtkRenderingOpenGL2  # noqa: F401, PLC0415  registers the window's class
    from vtkmodules.vtkIOImport import vtk3DSImporter  # noqa: PLC0415
    from vtkmodules.vtkRenderingCore import vtkRenderWindow  # noqa: PLC0415

    importer = vtk3DSImporter()
    importer.SetFileName(str(path))
    window = vtkRenderWindow()
    importer.SetRenderWindow(window)
    importer.Update()
    return [_surface_of(actor) for actor in importer.GetRenderer().GetActors()]


def _surface_of(actor: Any) -> tuple[Mesh, Material]:
    import pyvista  # noqa: PLC0415

    mapper = actor.GetMapper()
    mapper.Update()
    shape: Any = pyvista.wrap(mapper.GetInput()).triangulate()
    shape = shape.transform(pyvista.array_from_vtkmatrix(actor.GetMatrix()), inplace=False)
    look = actor.GetProperty()
    colour = tuple(float(value) for value in look.GetDiffuseColor())
    material = Material(
        colour=colour,  # type: ignore[arg-type]
        specular=float(look.GetSpecular()),
        power=float(np.clip(look.GetSpecularPower(), 3, 120)),
    )
    triangles = shape.faces.reshape(-1, 4)[:, 1:]
    return build_mesh(np.asarray(shape.points), triangles, None, None), material


def _read_msh(path: Path) -> list[tuple[Mesh, Material]]:
    surfaces = []
    for group in orbiter.read(path):
        mesh = build_mesh(group.points, group.triangles, group.normals, group.uv)
        texture = shrink_texture(group.texture) if group.texture is not None else None
        colour = (1.0, 1.0, 1.0) if texture is not None else group.colour
        material = Material(
            colour=colour, specular=group.specular, power=group.power, texture=texture
        )
        surfaces.append((mesh, material))
    return surfaces


READERS: Final[dict[str, Callable[[Path], list[tuple[Mesh, Material]]]]] = {
    ".glb": _read_scene,
    ".gltf": _read_scene,
    ".obj": _read_scene,
    ".3ds": _read_3ds,
    ".msh": _read_msh,
}
"""The function that reads each format, by suffix."""
