"""One spacecraft in front of the camera: attitude, size, place, light, colour and mask."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.render import mesh
from posebowl.render.materials import Palette
from posebowl.render.mesh import Array, Mesh
from posebowl.render.parts import Craft, Part, Rng, direction
from posebowl.render.pose import Pose

if TYPE_CHECKING:
    from posebowl.render.rasterizer import Rasterizer, View

PLAIN_WIRE_WIDTH: Final = 1.3
MIN_WIRE_WIDTH: Final = 0.8
"""Width of the thinnest wires, in pixels of the photo: thinner ones could not be seen."""


@dataclass(frozen=True, kw_only=True)
class Light:
    """Sun and fill light, as directions they come from in the camera's frame, shape (3,)."""

    sun: Array
    fill: Array
    fill_light: float
    ambient: float


@dataclass(frozen=True, kw_only=True)
class Sprite:
    """The picture of a spacecraft and where it belongs in the photo.

    Attributes:
        left: Column of its first pixel.
        top: Row of its first pixel.
        colour: Light from each pixel, weighted by coverage, 0 to 1, shape (h, w, 3).
        coverage: Share of each pixel that is covered, shape (h, w).
        mask: Whether any of a pixel is covered, shape (h, w).
    """

    left: int
    top: int
    colour: npt.NDArray[np.float32]
    coverage: npt.NDArray[np.float32]
    mask: npt.NDArray[np.bool_]


def box_of(mask: npt.NDArray[np.bool_], left: int = 0, top: int = 0) -> tuple[int, int, int, int]:
    """Return the box of a mask that is not empty: xmax and ymax are one past the last pixel."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return (
        left + int(columns[0]),
        top + int(rows[0]),
        left + int(columns[-1]) + 1,
        top + int(rows[-1]) + 1,
    )


def sample_light(rng: Rng, *, earthshine: float) -> Light:
    """Sample hard sunlight from any side and a weak fill light.

    Args:
        rng: Source of randomness.
        earthshine: 0 in deep space, 1 in front of the day side of the Earth.
    """
    sun = direction(rng)
    if sun[2] < 0.1 and rng.random() < 0.75:
        sun = sun * (1, 1, -1)  # mostly from the camera's side: from behind, nothing is lit
    return Light(
        sun=sun,
        fill=direction(rng),
        fill_light=float(rng.uniform(0.05, 0.3) + earthshine * rng.uniform(0.1, 0.5)),
        ambient=float(rng.uniform(0.03, 0.14) + earthshine * rng.uniform(0, 0.15)),
    )


def vertices(craft: Craft) -> Array:
    """Return all vertices and the ends of all wires, shape (n, 3)."""
    return np.concatenate(
        [p.mesh.points if isinstance(p, Part) else np.stack((p.start, p.end)) for p in craft]
    )


def surfaces(
    rng: Rng, craft: Craft, palette: Palette, pose: Pose, *, wire_width: float
) -> list[tuple[str, Mesh]]:
    """Return one mesh for each role from parts and wires, in the camera's frame.

    The camera is in the origin and looks along -z.
    """
    thin = wire_width / 2 * pose.distance / pose.focal
    groups: dict[str, list[Mesh]] = defaultdict(list)
    for piece in craft:
        if isinstance(piece, Part):
            groups[piece.role].append(piece.mesh)
        else:
            groups[piece.role].append(mesh.rod(piece.start, piece.end, max(piece.radius, thin)))
    offset = np.array((0, 0, -pose.distance))
    result: list[tuple[str, Mesh]] = []
    for role, meshes in groups.items():
        whole = (
            mesh.merge(meshes).translated(-pose.centre).rotated(pose.rotation).translated(offset)
        )
        crinkle = palette[role].crinkle
        if crinkle:
            bent = mesh.normalized(whole.normals + crinkle * rng.normal(size=whole.normals.shape))
            whole = replace(whole, normals=bent)
        result.append((role, whole))
    return result


def render_sprite(
    rasterizer: Rasterizer,
    rng: Rng,
    craft: Craft,
    *,
    palette: Palette,
    pose: Pose,
    light: Light,
    wire_width: float = PLAIN_WIRE_WIDTH,
) -> Sprite:
    """Render the part of a spacecraft that is inside the frame, shadows and mask included.

    Wires are at least `wire_width` pixels of the photo wide.
    """
    crop = _crop(pose)
    longer = max(crop[2] - crop[0], crop[3] - crop[1])
    scale = 4 if longer <= 128 else 3 if longer <= 341 else 2  # times finer than the photo
    view = crop_view(pose, crop, scale)
    groups = surfaces(rng, craft, palette, pose, wire_width=wire_width)
    rasterizer.load([(shape, palette[role]) for role, shape in groups], ambient=light.ambient)
    lamps = {"sun": light.sun, "fill": light.fill, "fill_light": light.fill_light}
    rasterizer.light(**lamps, sunlight=1.0)  # type: ignore[arg-type]
    lit = rasterizer.render(view).astype(np.float32) / 255
    depth = rasterizer.depth(view)
    mask = depth < 1
    shade = shadow(rasterizer, pose, light.sun, view, depth)
    if shade.any():
        rasterizer.light(**lamps, sunlight=0.0)  # type: ignore[arg-type]
        lit[shade] = rasterizer.render(view)[shade].astype(np.float32) / 255
    lit[~mask] = 0
    coverage = downsample(mask[..., None].astype(np.float32), scale)[..., 0]
    # A pixel belongs to the spacecraft if any of it is covered, so that thin parts count.
    return Sprite(
        left=crop[0],
        top=crop[1],
        colour=downsample(lit, scale),
        coverage=coverage,
        mask=coverage > 0,
    )


def _crop(pose: Pose) -> tuple[int, int, int, int]:
    """Return the part of the frame around a box, with a margin of three pixels."""
    left, top = (max(0, int(np.floor(side)) - 3) for side in pose.box[:2])
    right, bottom = (int(np.ceil(side)) + 3 for side in pose.box[2:])
    return left, top, min(IMAGE_WIDTH, right), min(IMAGE_HEIGHT, bottom)


def downsample(image: npt.NDArray[np.floating[Any]], scale: int) -> npt.NDArray[np.float32]:
    """Average blocks of scale x scale pixels."""
    height, width, channels = image.shape
    blocks = image.reshape(height // scale, scale, width // scale, scale, channels)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def crop_view(pose: Pose, crop: tuple[int, int, int, int], scale: int) -> View:
    """Return the camera that renders a crop of the photo, in its pixels, `scale` times finer."""
    from posebowl.render.rasterizer import View  # noqa: PLC0415

    near, far = pose.distance - 1.1 * pose.radius, pose.distance + 1.1 * pose.radius
    x0, x1 = ((side - pose.principal[0]) / pose.focal for side in (crop[0], crop[2]))
    y0, y1 = ((pose.principal[1] - side) / pose.focal for side in (crop[3], crop[1]))
    projection = np.array(
        [
            (2 / (x1 - x0), 0, (x1 + x0) / (x1 - x0), 0),
            (0, 2 / (y1 - y0), (y1 + y0) / (y1 - y0), 0),
            (0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)),
            (0, 0, -1, 0),
        ]
    )
    return View(
        rotation=np.eye(3),
        position=np.zeros(3),
        projection=projection,
        width=(crop[2] - crop[0]) * scale,
        height=(crop[3] - crop[1]) * scale,
    )


def shadow(
    rasterizer: Rasterizer, pose: Pose, sun: Array, view: View, depth: npt.NDArray[np.float32]
) -> npt.NDArray[np.bool_]:
    """Return the pixels that another part hides from the sun, by a shadow map.

    Source: L. Williams, "Casting curved shadows on curved surfaces", SIGGRAPH 1978.
    """
    size = 512 if max(view.width, view.height) <= 700 else 1024
    turn, centre = mesh.basis(sun).T, np.array((0, 0, -pose.distance))
    reach = pose.radius * 1.05
    from_sun = _sun_view(turn, centre + 2 * reach * np.asarray(sun), reach, size)
    rasterizer.render(from_sun)
    nearest = rasterizer.depth(from_sun) * 2 * reach  # from the plane one reach towards the sun
    rows, columns = np.nonzero(depth < 1)
    points = (_unproject(view, rows, columns, depth[rows, columns]) - centre) @ turn.T
    i = np.clip(((points[:, 0] / reach + 1) / 2 * size).astype(int), 0, size - 1)
    j = np.clip(((1 - points[:, 1] / reach) / 2 * size).astype(int), 0, size - 1)
    shade = np.zeros(depth.shape, dtype=bool)
    shade[rows, columns] = nearest[j, i] < reach - points[:, 2] - 6 * reach / size
    return shade


def _sun_view(rotation: Array, position: Array, reach: float, size: int) -> View:
    """Return the orthographic view from the sun, two reaches away: depth runs from one to three."""
    from posebowl.render.rasterizer import View  # noqa: PLC0415

    projection = np.diag((1 / reach, 1 / reach, -1 / reach, 1.0))
    projection[2, 3] = -2.0
    return View(
        rotation=rotation, position=position, projection=projection, width=size, height=size
    )


def _unproject(
    view: View,
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
    depth: npt.NDArray[np.float32],
) -> Array:
    """Return the points that are seen in some pixels, in the camera's frame, shape (n, 3)."""
    a, b = view.projection[2, 2], view.projection[2, 3]
    z = -b / (2 * depth.astype(float) - 1 + a)
    x_clip = (columns + 0.5) / view.width * 2 - 1
    y_clip = 1 - (rows + 0.5) / view.height * 2
    x = -z * (x_clip + view.projection[0, 2]) / view.projection[0, 0]
    y = -z * (y_clip + view.projection[1, 2]) / view.projection[1, 1]
    return np.stack((x, y, z), axis=1)
