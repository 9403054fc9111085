"""Backgrounds cut from imagery: of every kind, between longitudes, the same for the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from posebowl.errors import UsageError
from posebowl.render import cuts, distractors, earth, ground, image as photo
from posebowl.render.imagery import find_imagery
from posebowl.render.options import LONGITUDES, Only
from tests.unit.render.charts import write_imagery


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_imagery(tmp_path_factory.mktemp("packages"))


def stripes(tmp_path, east, last):
    """Return imagery whose day is green between two longitudes, and red elsewhere."""
    pixels = np.zeros((180, 360, 3), np.uint8)
    pixels[..., 0] = 200
    pixels[:, east + 180 : last + 180] = (0, 200, 0)
    Image.fromarray(pixels).save(tmp_path / "bmng.jpg", quality=98, subsampling=0)
    return find_imagery(tmp_path)


def spec(folder, index, **more):
    return photo.ImageSpec(seed=3, index=index, families=(), imagery=folder, only=Only.CUTS, **more)


def test_cuts_are_pictures_of_half_size_of_several_kinds(folder):
    made = [photo.render(None, spec(folder, index)) for index in range(30)]
    assert {one.pixels.shape for one in made} == {(512, 640, 3)}
    assert {one.pixels.dtype for one in made} == {np.dtype(np.uint8)}
    assert {one.box for one in made} == {(0, 0, 0, 0)}
    assert len({one.background for one in made}) >= 4
    assert sum(one.pixels.std() > 5 for one in made) > 20
    again = photo.render(None, spec(folder, 7))
    np.testing.assert_array_equal(again.pixels, made[7].pixels)


def test_half_of_the_cuts_have_distractors(folder, monkeypatch):
    made = [photo.render(None, spec(folder, index)).pixels for index in range(24)]
    monkeypatch.setattr(distractors, "SHARE", 0.0)
    plain = [photo.render(None, spec(folder, index)).pixels for index in range(24)]
    changed = sum(not np.array_equal(a, b) for a, b in zip(made, plain, strict=True))
    assert 6 <= changed <= 18


@pytest.mark.parametrize("name", cuts.CUTS)
def test_every_kind_does_with_a_map_by_day_alone(tmp_path, name):
    maps = stripes(tmp_path, 60, 120)
    light = cuts._PAINTERS[name](np.random.default_rng(1), maps)
    assert light.shape == (512, 640, 3)
    assert light.dtype == np.float32
    assert light.min() >= 0
    assert np.isfinite(light).all()


@pytest.mark.parametrize(
    ("longitudes", "colour"), [((60.0, 120.0), "green"), ((120.0, 60.0), "red")]
)
def test_nothing_beyond_the_longitudes_is_cut(tmp_path, longitudes, colour):
    maps = replace(stripes(tmp_path, 60, 120), longitudes=longitudes)
    for seed in range(12):
        cut = cuts.piece(np.random.default_rng(seed), maps.day[0], maps)
        red, green = cut[..., 0].mean(), cut[..., 1].mean()
        assert (green > 50 * red) if colour == "green" else (red > 50 * green)


@pytest.mark.parametrize("ends", [(60.0, 120.0), (120.0, 60.0), (170.0, -170.0)])
def test_the_painter_looks_between_the_longitudes(folder, ends):
    maps = replace(find_imagery(folder), longitudes=ends)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        orbit = earth.sample_orbit(rng, (8, 6), limb=False, night=False, far=0.08)
        place = ground.look_at(rng, orbit, maps)
        middle = orbit.rays[3, 4]
        start = np.array((0, 0, earth.RADIUS_KM + orbit.height))
        along = middle[2] * start[2]
        away = -along - np.sqrt(earth.RADIUS_KM**2 - start[2] ** 2 + along**2)
        x, y, _ = place @ (start + middle * away)
        east = np.degrees(np.arctan2(y, x))
        assert (east - ends[0]) % 360 <= (ends[1] - ends[0]) % 360


def test_cuts_need_imagery():
    with pytest.raises(UsageError, match="--imagery"):
        photo.render(None, spec(None, 0))


@pytest.mark.parametrize("text", ["60", "60,60", "60,181", "a,b", "1,2,3"])
def test_other_longitudes_are_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011  any: the option's own message follows
        LONGITUDES.read(text)


def test_longitudes_are_written_as_they_are_read():
    assert LONGITUDES.write(LONGITUDES.read("120,-60.5")) == "120,-60.5"
