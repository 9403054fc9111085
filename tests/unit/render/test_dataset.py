"""Writing data sets: refusals without PyVista, whole sets with it."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from posebowl.challenge import COLUMNS, IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.errors import UsageError
from posebowl.paths import DEMO_DATA, ROOT
from posebowl.render import dataset, materials, rasterizer, scene
from posebowl.render.__main__ import main as render_main
from posebowl.render.backgrounds import BACKGROUNDS
from posebowl.render.contact_sheet import write_sheet
from posebowl.render.dataset import Row, render_dataset
from posebowl.render.families import FAMILIES
from posebowl.render.image import Only
from posebowl.render.options import RenderOptions
from posebowl.render.pose import sample_plain_pose
from posebowl.util import program
from tests.unit.render.charts import write_imagery

DEMO_SEED = 2026
DEMO_COUNT = 24


def main(words):
    """Return the exit code of the renderer's command line."""
    return program.guard(
        lambda: render_main(program.read(RenderOptions, words, task="data.render"))
    )


def table(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"count": 0}, "--count"),
        ({"seed": -1}, "--seed"),
        ({"workers": 0}, "--workers"),
        ({"families": ["teapot"]}, "teapot"),
        ({"only": Only.CUTOUTS, "jpeg": True}, "JPEG"),
        ({"only": Only.CUTS}, "Cuts need imagery"),
        ({"longitudes": (10.0, 20.0)}, "--longitudes needs imagery"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(tmp_path, arguments, part):
    out = tmp_path / "set"
    with pytest.raises(UsageError, match=part):
        render_dataset(out, **{"count": 1, "seed": 1, **arguments})
    assert not out.exists()


def test_a_folder_of_the_user_s_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        render_dataset(tmp_path, count=1, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_not_a_folder(tmp_path):
    (tmp_path / "set").write_text("")
    with pytest.raises(UsageError, match="not a folder"):
        render_dataset(tmp_path / "set", count=1, seed=1)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    settings = dataset._checked_settings(1, 7, None, only=Only.PHOTOS, jpeg=False, compact=False)
    with pytest.raises(UsageError, match="Cannot create"):
        dataset._create(tmp_path / "file" / "set", settings)


def test_without_pyvista_nothing_is_written_and_the_fix_is_printed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(rasterizer, "find_spec", lambda _name: None)
    out = tmp_path / "set"
    assert main(["--count", "1", "--seed", "1", "--out", str(out)]) == 1
    assert "--group render" in capsys.readouterr().err
    assert not out.exists()


def test_tables_keep_the_order_of_the_images(tmp_path):
    rows = {
        index: Row(
            index=index, image_id=f"{index:032x}", box=(1, 2, 3, 4), family="a", background="b"
        )
        for index in (5, 0, 3)
    }
    dataset.write_tables(tmp_path, rows)
    labels = table(tmp_path / "train_labels.csv")
    assert labels[0] == list(COLUMNS)
    assert [line[0] for line in labels[1:]] == [f"{index:032x}" for index in (0, 3, 5)]
    assert labels[1][1:] == ["1", "2", "3", "4"]
    form = table(tmp_path / "submission_format.csv")
    assert [line[0] for line in form] == [line[0] for line in labels]
    assert form[1][1:] != labels[1][1:]


@pytest.mark.parametrize("jpeg", [False, True])
def test_only_images_that_are_there_count_as_done(tmp_path, jpeg):
    rows = {
        index: Row(
            index=index, image_id=f"{index:032x}", box=(1, 2, 3, 4), family="a", background="b"
        )
        for index in (0, 1)
    }
    (tmp_path / "images").mkdir()
    for index, is_jpeg in ((1, jpeg), (0, not jpeg)):
        name = dataset.image_name(rows[index].image_id, jpeg=is_jpeg)
        (tmp_path / "images" / name).write_bytes(b"")
    dataset.write_tables(tmp_path, rows)
    assert dataset.read_rows(tmp_path, jpeg=jpeg) == {1: rows[1]}


def test_a_damaged_table_is_an_error_not_a_traceback(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(dataset, "require_renderer", lambda: None)
    out = tmp_path / "set"
    dataset._create(
        out, dataset._checked_settings(1, 7, None, only=Only.PHOTOS, jpeg=False, compact=False)
    )
    (out / "render.csv").write_text("index,image_id\nx,y\n")
    assert main(["--count", "1", "--seed", "7", "--out", str(out)]) == 2
    assert "render.csv" in capsys.readouterr().err


def test_sheet_shows_the_images_with_their_boxes(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (IMAGE_WIDTH, IMAGE_HEIGHT)).save(tmp_path / "images" / "a.png")
    row = Row(index=0, image_id="a", box=(300, 300, 600, 600), family="f", background="b")
    write_sheet(tmp_path / "sheet.png", tmp_path, [row, row, row], columns=2)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (2 * 426, 2 * 341)
        line = [x for x in range(426) if sheet.getpixel((x, 150)) == (0, 255, 80)]
    assert len(line) == 2
    assert line == pytest.approx([99, 200], abs=1)


@pytest.mark.parametrize("name", ["sheet.gif", "nowhere/sheet.png"])
def test_a_sheet_that_cannot_be_written_is_refused_before_rendering(tmp_path, name, capsys):
    out = tmp_path / "set"
    options = ["--count", "1", "--seed", "1", "--out", str(out), "--sheet", str(tmp_path / name)]
    assert main(options) == 2
    assert not out.exists()
    assert "error" in capsys.readouterr().err


def test_the_demo_set_is_whole():
    labels = table(DEMO_DATA / "train_labels.csv")
    form = table(DEMO_DATA / "submission_format.csv")
    names = [line[0] for line in labels[1:]]
    assert labels[0] == form[0] == list(COLUMNS)
    assert names == [line[0] for line in form[1:]]
    assert len(set(names)) == len(names) == DEMO_COUNT
    files = sorted(path.name for path in (DEMO_DATA / "images").iterdir())
    assert files == sorted(f"{name}.png" for name in names)
    for name, *box in labels[1:]:
        xmin, ymin, xmax, ymax = (int(side) for side in box)
        assert 0 <= xmin < xmax <= IMAGE_WIDTH
        assert 0 <= ymin < ymax <= IMAGE_HEIGHT
        with Image.open(DEMO_DATA / "images" / f"{name}.png") as image:
            assert (image.mode, image.size) == ("RGB", (IMAGE_WIDTH, IMAGE_HEIGHT))


def test_the_demo_set_is_small_enough_for_the_repository():
    sizes = [path.stat().st_size for path in DEMO_DATA.rglob("*") if path.is_file()]
    assert sum(sizes) <= 15_000_000


def test_without_opengl_nothing_is_written_and_the_package_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(rasterizer, "find_spec", lambda name: name)
    monkeypatch.setattr(rasterizer, "OPENGL_LIBRARIES", ("libnowhere.so.1",))
    monkeypatch.setattr(rasterizer.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    assert main(["--count", "1", "--seed", "1", "--out", str(tmp_path / "set")]) == 1
    assert "libegl1" in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


@pytest.mark.render
def test_the_demo_set_is_what_its_command_makes(tmp_path):
    pytest.importorskip("pyvista")
    argv = [sys.executable, "-m", "posebowl.render", "--count", "2", "--seed", f"{DEMO_SEED}"]
    argv += ["--compact", "--workers", "1"]
    argv += ["--out", str(tmp_path / "demo"), "--sheet", str(tmp_path / "sheet.jpg")]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 images" in done.stdout
    assert (tmp_path / "sheet.jpg").stat().st_size > 1000
    rows = dataset.read_rows(tmp_path / "demo", jpeg=False).values()
    assert len(rows) == 2
    committed = {line[0]: line[1:] for line in table(DEMO_DATA / "train_labels.csv")[1:]}
    for row in rows:
        name = f"{row.image_id}.png"
        fresh = np.asarray(Image.open(tmp_path / "demo" / "images" / name)).astype(int)
        kept = np.asarray(Image.open(DEMO_DATA / "images" / name)).astype(int)
        box = np.array(committed[row.image_id], dtype=int)
        # The same bytes with the same driver; another one (llvmpipe against softpipe, both of
        # Mesa) differs by up to 3 levels in one colour of a thousand.
        assert np.abs(box - row.box).max() <= 1
        assert np.abs(fresh - kept).mean() < 0.05
        assert np.quantile(np.abs(fresh - kept), 0.999) <= 2


@pytest.fixture(scope="module")
def studio():
    """Open the rasterizer of this process; it shows what was loaded last, and nothing of before."""
    pytest.importorskip("pyvista")
    yield dataset._rasterizer()
    dataset._rasterizer().close()
    dataset._rasterizer.cache_clear()


def render_here(out, count, *, seed=6, only=Only.PHOTOS, jpeg=False):
    """Render a set as a rendering process does, without starting one."""
    settings = dataset._checked_settings(count, seed, None, only=only, jpeg=jpeg, compact=False)
    dataset._create(out, settings)
    rows = dataset.render_chunk(out, settings, range(count))
    dataset.write_tables(out, {row.index: row for row in rows}, settings.only)
    return rows


@pytest.fixture(scope="module")
def short(studio, tmp_path_factory):
    """Render a set of two images in this process."""
    assert studio is dataset._rasterizer()
    folder = tmp_path_factory.mktemp("short") / "set"
    return folder, render_here(folder, 2, seed=5)


@pytest.fixture(scope="module")
def longer(short, tmp_path_factory):
    """Continue a copy of the set that lacks its second image, in two processes, to three."""
    before, rows = short
    folder = tmp_path_factory.mktemp("longer") / "set"
    shutil.copytree(before, folder)
    os.utime(image_of(folder, rows[0]), ns=(1, 1))
    image_of(folder, rows[1]).unlink()
    with pytest.MonkeyPatch.context() as patch:
        # One image for each process.
        patch.setattr(dataset, "CHUNK", 1)
        return folder, render_dataset(folder, count=3, seed=5, workers=2)


def image_of(folder, row):
    return folder / "images" / f"{row.image_id}.png"


@pytest.mark.render
def test_workers_and_length_do_not_change_pixels(short, longer):
    assert longer[1][:2] == short[1]
    one, two = (np.asarray(Image.open(image_of(each, short[1][1]))) for each, _ in (short, longer))
    np.testing.assert_array_equal(one, two)
    for row in longer[1]:
        assert 0 <= row.box[0] < row.box[2] <= IMAGE_WIDTH
        assert 0 <= row.box[1] < row.box[3] <= IMAGE_HEIGHT


@pytest.mark.render
def test_a_set_is_continued_where_it_ended(longer):
    folder, rows = longer
    assert sorted((folder / "images").iterdir()) == sorted(image_of(folder, row) for row in rows)
    assert image_of(folder, rows[0]).stat().st_mtime_ns == 1
    assert len(rows) == 3
    assert len(table(folder / "train_labels.csv")) == 4


@pytest.mark.render
@pytest.mark.usefixtures("studio")
def test_cutouts_are_spacecraft_alone(tmp_path):
    out = tmp_path / "set"
    rows = render_here(out, 4, only=Only.CUTOUTS)
    for row in rows:
        with Image.open(out / "images" / f"{row.image_id}.png") as image:
            assert image.mode == "RGBA"
            pixels = np.asarray(image)
        height, width = pixels.shape[:2]
        assert row.box == (0, 0, width, height)
        assert 240 < max(width, height) <= 710
        cover = pixels[..., 3]
        assert all(edge.any() for edge in (cover[0], cover[-1], cover[:, 0], cover[:, -1]))
        assert not pixels[cover == 0].any()
        # Not multiplied by alpha: the rim is about as bright as what it surrounds.
        rim, body = ((cover > 0) & (cover < 128), cover == 255)
        assert pixels[rim][:, :3].mean() > 0.4 * pixels[body][:, :3].mean()
    assert not (out / "train_labels.csv").exists()
    with pytest.raises(UsageError, match="other settings"):
        render_dataset(out, count=4, seed=6, workers=1)


@pytest.mark.render
@pytest.mark.usefixtures("studio")
def test_backgrounds_are_photos_without_a_spacecraft(tmp_path):
    out = tmp_path / "set"
    rows = render_here(out, 3, only=Only.BACKGROUNDS, jpeg=True)
    assert all(row.box == (0, 0, 0, 0) and not row.family for row in rows)
    assert all(row.background in BACKGROUNDS for row in rows)
    assert sorted(path.name for path in out.iterdir()) == ["images", "render.csv", "render.json"]
    for row in rows:
        with Image.open(out / "images" / f"{row.image_id}.jpg") as image:
            assert (image.mode, image.size) == ("RGB", (IMAGE_WIDTH, IMAGE_HEIGHT))


@pytest.mark.render
def test_imagery_and_backdrops_belong_to_the_settings_of_a_set(tmp_path):
    pytest.importorskip("pyvista")
    maps, pictures = write_imagery(tmp_path / "maps"), tmp_path / "pictures"
    pictures.mkdir()
    Image.new("RGB", (320, 256), (90, 120, 200)).save(pictures / "sea-1.png")
    out, asked = tmp_path / "set", {"seed": 4, "workers": 1, "only": Only.BACKGROUNDS}
    (row,) = render_dataset(out, count=1, **asked, imagery=maps, backdrops=pictures)
    assert row.background == "sea"
    settings = json.loads((out / "render.json").read_text())
    assert [name.partition(":")[0] for name in settings["imagery"]][:2] == [
        "bmng.jpg",
        "earth-night.jpg",
    ]
    assert [name.partition(":")[0] for name in settings["backdrops"]] == ["sea-1.png"]
    for changed in ({"imagery": maps}, {"backdrops": pictures}, {}):
        with pytest.raises(UsageError, match="other settings"):
            render_dataset(out, count=2, **asked, **changed)


@pytest.mark.parametrize(
    ("option", "part"), [("imagery", "no imagery"), ("backdrops", "no pictures")]
)
def test_an_empty_folder_to_paint_from_is_refused_first(tmp_path, option, part):
    (tmp_path / "empty").mkdir()
    argv = ["--count", "1", "--out", str(tmp_path / "set"), f"--{option}", str(tmp_path / "empty")]
    with pytest.raises(UsageError, match=part):
        render_main(program.read(RenderOptions, argv, task="data.render"))
    assert not (tmp_path / "set").exists()


@pytest.mark.render
@pytest.mark.parametrize("family", FAMILIES)
def test_the_box_holds_what_the_spacecraft_changed(family, studio):
    """On black, everything that is not black is inside the box, and reaches its sides."""
    rng = np.random.default_rng(3)
    craft = FAMILIES[family](rng)
    pose = sample_plain_pose(rng, scene.vertices(craft))
    light = scene.Light(
        sun=np.array((0.0, 0, 1)), fill=np.array((0.0, 0, 1)), fill_light=1, ambient=1
    )
    sprite = scene.render_sprite(
        studio, rng, craft, palette=materials.palette(rng), pose=pose, light=light
    )
    box = scene.box_of(sprite.mask, sprite.left, sprite.top)
    frame = (IMAGE_WIDTH, IMAGE_HEIGHT) * 2
    wanted = np.clip(pose.box, 0, frame)
    assert np.abs(wanted - box).max() < 3
    seen = sprite.colour.max(axis=2) > 0
    assert not (seen & ~sprite.mask).any()
    assert seen[sprite.mask].mean() > 0.95
