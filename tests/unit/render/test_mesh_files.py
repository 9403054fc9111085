"""Reading spacecraft from mesh files of every supported kind, and refusing damaged ones."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from posebowl.errors import UsageError
from posebowl.render import mesh_files, spacecraft
from posebowl.render.dataset import render_dataset

CORNERS = ((0, 0, 0), (2, 0, 0), (0, 3, 0), (0, 0, 4))
FACES = ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))
RED = (0.8, 0.1, 0.1)


def write_obj(folder):
    (folder / "craft.mtl").write_text("newmtl red\nKd 0.8 0.1 0.1\nKs 0.5 0.5 0.5\nNs 40\n")
    lines = ["mtllib craft.mtl", "usemtl red"]
    lines += [f"v {x} {y} {z}" for x, y, z in CORNERS]
    lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in FACES]
    path = folder / "craft.obj"
    path.write_text("\n".join(lines) + "\n")
    return path


def write_glb(folder, *, draco):
    trimesh = pytest.importorskip("trimesh", reason="needs the render group")
    pytest.importorskip("DracoPy", reason="needs the render group")
    red = trimesh.visual.material.PBRMaterial(baseColorFactor=(204, 26, 26, 255))
    shape = trimesh.Trimesh(CORNERS, FACES, process=False)
    shape.visual = trimesh.visual.TextureVisuals(uv=np.zeros((4, 2)), material=red)
    scene = trimesh.Scene()
    scene.add_geometry(shape, transform=trimesh.transformations.translation_matrix((10, 0, 0)))
    path = folder / "craft.glb"
    path.write_bytes(trimesh.exchange.gltf.export_glb(scene, extension_draco=draco))
    return path


def write_msh(folder):
    lines = ["MSHX1", "GROUPS 1", "LABEL hull", "MATERIAL 1", "TEXTURE 0", "NONORMAL", "GEOM 4 4"]
    lines += [f"{x} {y} {-z} 0 0 ; a corner" for x, y, z in CORNERS]
    lines += [f"{a} {c} {b}" for a, b, c in FACES]
    lines += ["MATERIALS 1", "red", "MATERIAL red", "0.8 0.1 0.1 1", "0 0 0 1", "0.5 0.5 0.5 1 40"]
    lines += ["0 0 0 1", "TEXTURES 0"]
    path = folder / "craft.msh"
    path.write_text("\n".join(lines) + "\n")
    return path


def chunk(code, content):
    return struct.pack("<HI", code, len(content) + 6) + content


def write_3ds(folder):
    pytest.importorskip("pyvista", reason="needs the render group")
    colour = chunk(0xA020, chunk(0x0011, bytes((204, 26, 26))))
    material = chunk(0xAFFF, chunk(0xA000, b"red\0") + colour)
    points = b"".join(struct.pack("<3f", *corner) for corner in CORNERS)
    faces = b"".join(struct.pack("<4H", *face, 7) for face in FACES)
    of_red = chunk(0x4130, b"red\0" + struct.pack("<5H", 4, 0, 1, 2, 3))
    lists = chunk(0x4110, struct.pack("<H", 4) + points)
    lists += chunk(0x4120, struct.pack("<H", 4) + faces + of_red)
    shape = chunk(0x4000, b"hull\0" + chunk(0x4100, lists))
    path = folder / "craft.3ds"
    path.write_bytes(chunk(0x4D4D, chunk(0x3D3D, material + shape)))
    return path


WRITERS = {
    "obj": write_obj,
    "glb": lambda folder: write_glb(folder, draco=False),
    "draco": lambda folder: write_glb(folder, draco=True),
    "msh": write_msh,
    "3ds": write_3ds,
}


@pytest.mark.render
@pytest.mark.parametrize("kind", WRITERS)
def test_shape_place_and_colour_survive(tmp_path, kind):
    pytest.importorskip("trimesh", reason="needs the render group")
    model = mesh_files.read_model(WRITERS[kind](tmp_path))
    [piece] = model.craft
    shape = piece.mesh
    origin = (10, 0, 0) if kind in {"glb", "draco"} else (0, 0, 0)
    np.testing.assert_allclose(shape.points.min(axis=0), origin, atol=0.01)
    np.testing.assert_allclose(np.ptp(shape.points, axis=0), (2, 3, 4), atol=0.01)
    assert len(shape.triangles) == 4
    np.testing.assert_allclose(np.linalg.norm(shape.normals, axis=1), 1)
    # Normals, and the order of the corners, point outwards.
    middle = shape.points.mean(axis=0)
    corners = shape.points[shape.triangles]
    outwards = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((corners.mean(axis=1) - middle) * outwards).sum(axis=1).min() > 0
    colour = np.array(model.materials[piece.role].colour)
    assert colour[0] > 2 * colour[1]
    assert colour[1] == pytest.approx(colour[2])


@pytest.mark.render
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.glb", b"glTF\x02\0\0\0"),
        ("a.obj", b"v 0 0 0\n"),
        ("a.msh", b"MSHX1\nGROUPS 1\nGEOM 3 1\n0 0 0\n"),
        ("a.msh", b"MSHX1\nGROUPS 1\nGEOM 3 1\n0 0 0\n1 0 0\n0 1 0\n0 1 9\n"),
        ("a.msh", b"not a mesh"),
        ("a.msh", b""),
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path, name, content):
    pytest.importorskip("trimesh", reason="needs the render group")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=name):
        mesh_files.read_model(tmp_path / name)


def test_a_folder_without_meshes_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UsageError, match="has no meshes"):
        render_dataset(tmp_path / "set", count=1, seed=1, meshes=tmp_path)
    assert not (tmp_path / "set").exists()


def test_files_of_one_name_get_different_names(tmp_path):
    (tmp_path / "nasa").mkdir()
    for name in ("iss.msh", "iss.obj", "nasa/iss.glb"):
        (tmp_path / name).write_bytes(b"")
    assert list(mesh_files.find_meshes(tmp_path)) == ["iss", "iss.obj", "nasa/iss"]


def test_a_mesh_counts_as_a_family_and_brings_its_materials(tmp_path):
    meshes = {"craft": write_msh(tmp_path)}
    rng = np.random.default_rng(2)
    for _ in range(20):
        craft = spacecraft.build(rng, "craft", ["craft", "box-bus"], meshes=meshes)
        needed = {piece.role for piece in craft if "#" in piece.role}
        assert spacecraft.own_materials(rng, craft).keys() == needed
        assert needed


def test_a_share_of_the_materials_of_a_mesh_file_is_replaced(tmp_path):
    meshes = {"craft": write_msh(tmp_path)}
    for share, among in ((0.0, (0, 0)), (0.45, (0.3, 0.6)), (1.0, (1, 1))):
        rng = np.random.default_rng(2)
        craft = spacecraft.build(rng, "craft", ["craft"], meshes=meshes, varied=False)
        own = mesh_files.read_model(meshes["craft"]).materials
        drawn = [spacecraft.own_materials(rng, craft, repainted=share) for _ in range(100)]
        # A material of the file keeps its power; a procedural one draws its own.
        others = [
            material.power != own[role].power
            for palette in drawn
            for role, material in palette.items()
        ]
        assert among[0] <= np.mean(others) <= among[1]


@pytest.mark.render
def test_a_set_of_meshes_is_rendered(tmp_path):
    pytest.importorskip("pyvista", reason="needs the render group")
    folder = tmp_path / "meshes"
    folder.mkdir()
    write_msh(folder)
    rows = render_dataset(tmp_path / "set", count=1, seed=3, workers=1, meshes=folder)
    assert rows[0].family == "craft"
    with pytest.raises(UsageError, match="other settings"):
        render_dataset(tmp_path / "set", count=2, seed=3, workers=1, meshes=folder, remodel=True)
    write_obj(folder)
    with pytest.raises(UsageError, match="other settings"):
        render_dataset(tmp_path / "set", count=2, seed=3, workers=1, meshes=folder)
