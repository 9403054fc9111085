"""Meshes of the Orbiter space flight simulator: plain text, left-handed, in groups."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from posebowl.render.mesh import Array

MAGIC: Final = "MSHX1"
WHITE: Final = ("1 1 1 1", "", "0 0 0 1", "")


@dataclass(frozen=True, kw_only=True)
class Group:
    """Triangles of one material, right-handed.

    Shapes: points and normals (n, 3), uv (n, 2), triangles (m, 3).
    """

    points: Array
    normals: Array | None
    uv: Array | None
    triangles: npt.NDArray[np.int64]
    colour: tuple[float, float, float]
    specular: float
    power: float
    texture: Image.Image | None


@dataclass(kw_only=True)
class _Raw:
    material: int = 0
    texture: int = 0
    has_normals: bool = True
    vertices: list[list[float]]
    triangles: list[list[int]]


def read(path: Path) -> list[Group]:
    """Read the groups of a .msh file; textures may be in its folder or in one below.

    Raises:
        ValueError: It is not such a file, or damaged.
        OSError: It cannot be read.
    """
    text = path.read_text(encoding="latin-1").splitlines()
    lines = [line.partition(";")[0].strip() for line in text]
    lines = [line for line in lines if line]
    if not lines or lines[0] != MAGIC:
        raise ValueError(f"It does not start with {MAGIC}.")
    groups, at = _groups(lines)
    materials, textures = _tables(lines, at)
    return [
        _group(raw, materials, textures, path) for raw in groups if raw.vertices and raw.triangles
    ]


def _groups(lines: list[str]) -> tuple[list[_Raw], int]:
    """Return the groups, and the line after them."""
    groups: list[_Raw] = []
    material = texture = 0
    has_normals, at = True, 1
    while at < len(lines):
        words = lines[at].split()
        match words[0]:
            case "MATERIALS" | "TEXTURES":
                break
            case "MATERIAL":
                material = int(words[1])
            case "TEXTURE":
                texture = int(words[1])
            case "NONORMAL":
                has_normals = False
            case "GEOM":
                first = at + 1 + int(words[1])
                end = first + int(words[2])
                if end > len(lines):
                    raise ValueError("It ends in the middle of a group.")
                raw = _Raw(
                    material=material,
                    texture=texture,
                    has_normals=has_normals,
                    vertices=[[float(w) for w in line.split()] for line in lines[at + 1 : first]],
                    triangles=[[int(w) for w in line.split()[:3]] for line in lines[first:end]],
                )
                groups.append(raw)
                has_normals, at = True, end - 1
        at += 1
    return groups, at


def _tables(lines: list[str], at: int) -> tuple[list[tuple[str, ...]], list[str]]:
    """Return the four lines of each material, and the names of the textures."""
    materials: list[tuple[str, ...]] = []
    textures: list[str] = []
    while at < len(lines):
        words = lines[at].split()
        if words[0] == "MATERIAL":
            materials.append(tuple(lines[at + 1 : at + 5]))
            at += 4
        elif words[0] == "TEXTURES":
            textures = [line.split()[0] for line in lines[at + 1 : at + 1 + int(words[1])]]
            break
        at += 1
    return materials, textures


def _group(raw: _Raw, materials: list[tuple[str, ...]], textures: list[str], path: Path) -> Group:
    width = max(len(vertex) for vertex in raw.vertices)
    table = np.array([vertex + [0.0] * (width - len(vertex)) for vertex in raw.vertices])
    triangles = np.array(raw.triangles, np.int64)
    if width < 3 or triangles.min() < 0 or triangles.max() >= len(table):
        raise ValueError("A triangle names a vertex that does not exist.")
    mirror = np.array((1.0, 1.0, -1.0))  # left-handed to right-handed
    used = 6 if raw.has_normals else 3
    normals = table[:, 3:6] * mirror if raw.has_normals and width >= 6 else None
    known = 1 <= raw.material <= len(materials)  # counted from 1; 0 is the default
    diffuse, _, shine, _ = materials[raw.material - 1] if known else WHITE
    red, green, blue = (float(word) for word in diffuse.split()[:3])
    shining = [float(word) for word in shine.split()]
    named = 1 <= raw.texture <= len(textures)
    return Group(
        points=table[:, :3] * mirror,
        normals=normals,
        uv=table[:, used : used + 2] * (1, -1) if width >= used + 2 else None,
        triangles=triangles[:, ::-1],
        colour=(red, green, blue),
        specular=min(1.0, float(np.mean(shining[:3]))),
        power=float(np.clip(shining[4] if len(shining) > 4 else 20.0, 3, 120)),
        texture=_texture(path, textures[raw.texture - 1]) if named else None,
    )


def _texture(path: Path, name: str) -> Image.Image | None:
    """Open a texture in the mesh's folder or in one below it, whatever the case of its name."""
    wanted = name.replace("\\", "/").rpartition("/")[2].lower()
    for file in sorted(path.parent.rglob("*")):
        if file.name.lower() == wanted:
            with Image.open(file) as image:
                return image.convert("RGB")
    return None
