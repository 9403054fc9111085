"""The Earth, the Moon and lookalikes painted from imagery; pictures of one's own behind a craft."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from posebowl.challenge import IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.errors import UsageError
from posebowl.render import backdrops, distractors, earth, ground, image as photo, lookalikes
from posebowl.render.backgrounds import BACKGROUNDS
from posebowl.render.imagery import Imagery, find_imagery
from posebowl.render.options import Only
from tests.unit.render.charts import ISLAND, write_imagery

SIZE = (96, 80)
SHAPE = (IMAGE_HEIGHT, IMAGE_WIDTH, 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_imagery(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module")
def maps(folder) -> Imagery:
    return find_imagery(folder)


def seen_from(maps, seed=0, *, night=False, sun=None):
    """Return an orbit, and the scene below it, for a small picture of the ground."""
    rng = np.random.default_rng(seed)
    orbit = earth.sample_orbit(rng, SIZE, limb=False, night=night, far=0.08)
    if sun is not None:
        orbit = replace(orbit, sun=np.array(sun, float))
    orbit = replace(orbit, place=ground.look_at(rng, orbit, maps))
    kept = []

    def surface(rng, orbit, points, up, sunny):
        kept.append(ground.scene_of(orbit, points, up, sunny))
        return ground.surface(rng, orbit, points, up, sunny, maps=maps)

    picture = earth.paint(rng, orbit, surface)
    return picture, kept[0]


def test_half_of_the_pictures_show_a_shore(maps):
    middles = []
    for seed in range(40):
        _, scene = seen_from(maps, seed)
        middles.append((scene.longitude[40, 48], scene.latitude[40, 48]))
    west, south, east, north = ISLAND
    near = [
        west - 8 < (x + 180) % 360 - 180 < east + 8 and south - 8 < y < north + 8
        for x, y in middles
    ]
    assert 0.3 < np.mean(near) < 0.95


def test_places_are_continuous_and_on_the_globe(maps):
    for seed in range(10):
        _, scene = seen_from(maps, seed)
        steps = np.abs(np.diff(scene.longitude, axis=1))[:, 30:60]
        assert np.median(steps) < 5
        assert np.abs(scene.latitude).max() <= 90
        assert scene.seen.any()


def test_land_and_sea_have_the_colours_of_the_map_where_the_chart_has_them(maps):
    contrasts = []
    for seed in range(30):
        picture, scene = seen_from(maps, seed, sun=(0, 0.3, 0.95))
        chart = ground._chart(np.random.default_rng(0), scene, maps)
        if chart is None:
            continue
        dry = chart.sample(scene.longitude, scene.latitude)
        if 0.2 < dry.mean() < 0.8:
            redder = picture[..., 0] - picture[..., 2]
            contrasts.append(redder[dry > 0.9].mean() - redder[dry < 0.1].mean())
    assert len(contrasts) > 5
    assert np.median(contrasts) > 0.05


def test_cities_shine_by_night_where_the_map_has_them_and_not_at_sea(maps):
    lit, dark = [], []
    for seed in range(30):
        picture, scene = seen_from(maps, seed, night=True)
        longitude = (scene.longitude + 180) % 360 - 180
        inside = (
            (np.abs(longitude - 30) < 4) & (np.abs(scene.latitude - 16) < 3) & (scene.sunny < -0.2)
        )
        outside = (np.abs(longitude - 30) > 9) & (scene.sunny < -0.2)
        lit += [picture[inside].max()] if inside.sum() > 50 else []
        dark += [picture[outside].max()] if outside.sum() > 50 else []
    assert np.median(lit) > 0.3
    assert np.median(dark) < 0.15


@pytest.mark.parametrize("missing", ["night", "clouds", "heights", "moon", "planets", "shores"])
def test_maps_may_be_missing(maps, missing):
    fewer = replace(maps, **{missing: (), **({"rivers": ()} if missing == "shores" else {})})
    pictures = [seen_from(fewer, seed, night=missing == "night")[0] for seed in range(3)]
    assert all(np.isfinite(picture).all() and picture.min() >= 0 for picture in pictures)
    light = np.full(SHAPE, 0.01, np.float32)
    lookalikes.ball(np.random.default_rng(0), light[:40, :40], fewer)
    assert light[:40, :40].max() > 0.01


def test_the_earth_the_moon_and_planets_are_painted_from_imagery():
    real = {name for name, kind in BACKGROUNDS.items() if kind.paint_real}
    assert set(BACKGROUNDS) - real == {"stars", "black", "glare", "gas-planet"}


@pytest.mark.parametrize("name", ["earth-limb", "aurora", "moon", "rocky-planet"])
def test_the_same_seed_paints_the_same_from_imagery(maps, name):
    paint = BACKGROUNDS[name].paint_real
    one, same, other = (paint(np.random.default_rng(seed), maps) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert one.shape == SHAPE
    assert one.dtype == np.float32
    assert one.min() >= 0
    assert (one != other).any()


def test_most_backgrounds_are_painted_from_imagery_where_there_is_any(maps):
    kind = BACKGROUNDS["moon"]
    told = replace(kind, paint=lambda _: "drawn", paint_real=lambda *_: "real")
    made = [told.picture(np.random.default_rng(seed), maps) for seed in range(200)]
    assert 0.75 < np.mean([one == "real" for one in made]) < 0.95
    assert told.picture(np.random.default_rng(1), None) == "drawn"


def test_with_imagery_there_is_less_empty_sky():
    shares = [
        np.mean(
            [
                photo.choose_kinds(("probe",), seed=1, index=index, real=real)[1]
                in {"stars", "black", "glare"}
                for index in range(500)
            ]
        )
        for real in (False, True)
    ]
    assert shares[0] > 0.18
    assert 0.1 < shares[1] < 0.17


@pytest.mark.parametrize("name", {**lookalikes.ON_GROUND, **lookalikes.ON_DARK})
def test_lookalikes_change_light_the_same_way_each_time(maps, name):
    add = {**lookalikes.ON_GROUND, **lookalikes.ON_DARK}[name]
    dark = name in lookalikes.ON_DARK
    pages = [np.full((70, 90, 3), 0.01 if dark else 0.3, np.float32) for _ in range(3)]
    for page in pages[:2]:
        add(np.random.default_rng(8), page, maps)
    np.testing.assert_array_equal(pages[0], pages[1])
    assert np.isfinite(pages[0]).all()
    assert pages[0].min() >= 0
    assert (pages[0] != pages[2]).any()
    # What it adds has an outline: it does not fill the rectangle.
    assert np.abs(pages[0] - pages[2]).max(axis=2)[[0, -1], [0, -1]].max() < 0.08


def test_most_pictures_have_lookalikes_and_they_suit_the_light(maps):
    taken = {"dark": [], "bright": []}
    for seed in range(40):
        for name, level in (("dark", 0.0), ("bright", 0.4)):
            light = np.full(SHAPE, level, np.float32)
            taken[name].append(lookalikes.add_lookalikes(np.random.default_rng(seed), light, maps))
            assert light.shape == SHAPE
    for name, kinds in (("dark", lookalikes.ON_DARK), ("bright", lookalikes.ON_GROUND)):
        assert 0.5 < np.mean([bool(names) for names in taken[name]]) < 0.9
        assert {one for names in taken[name] for one in names} == set(kinds)


def test_backgrounds_of_a_varied_set_get_lookalikes_with_imagery_alone(folder, monkeypatch):
    added = []
    monkeypatch.setattr(distractors, "add_distractors", lambda *_: [])
    monkeypatch.setattr(lookalikes, "add_lookalikes", lambda *_: added.append(1))
    spec = photo.ImageSpec(seed=1, index=2, families=("probe",), only=Only.BACKGROUNDS)
    photo.add_others(np.random.default_rng(0), spec, np.zeros(SHAPE, np.float32))
    assert not added
    real = replace(spec, imagery=folder)
    photo.add_others(np.random.default_rng(0), real, np.zeros(SHAPE, np.float32))
    photo.add_others(
        np.random.default_rng(0), replace(real, compact=True), np.zeros(SHAPE, np.float32)
    )
    assert added == [1]


@pytest.fixture
def pictures(tmp_path):
    """Make three pictures of one colour each, one of them in a subfolder."""
    (tmp_path / "more").mkdir()
    for name, colour in (("sea-1", (0, 0, 200)), ("sea-2", (0, 0, 100)), ("more/ice", (255,) * 3)):
        Image.new("RGB", (700, 500), colour).save(tmp_path / f"{name}.png")
    return tmp_path


def test_backdrops_take_turns_under_the_name_before_the_last_hyphen(pictures):
    chosen = [backdrops.choose(pictures, seed=5, index=index) for index in range(6)]
    assert sorted(chosen[:3]) == sorted(chosen[3:]) == sorted(backdrops.find_backdrops(pictures))
    assert sorted(backdrops.kind_of(path) for path in chosen[:3]) == ["ice", "sea", "sea"]


def test_a_backdrop_fills_the_photo_and_lights_the_spacecraft(pictures):
    spec = photo.ImageSpec(
        seed=3, index=0, families=("probe",), only=Only.BACKGROUNDS, backdrops=pictures
    )
    seen = {}
    for index in range(3):
        rng, family, kind, background = replace(spec, index=index).start()
        light = background.picture(rng, None)
        assert light.shape == SHAPE
        assert family == "probe"
        seen[kind, round(float(light[..., 2].mean()), 2)] = background.earthshine
    assert seen.keys() == {("sea", 0.78), ("sea", 0.39), ("ice", 1.0)}
    assert seen["ice", 1.0] == 1 > seen["sea", 0.78] > seen["sea", 0.39] > 0
    shown = photo.render_background(spec)
    assert shown.background in {"sea", "ice"}


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(UsageError, match="has no pictures"):
        backdrops.find_backdrops(tmp_path)


def test_a_damaged_backdrop_is_named(tmp_path):
    (tmp_path / "sea-1.jpg").write_bytes(b"half of a")
    with pytest.raises(UsageError, match=r"Cannot read .*sea-1\.jpg"):
        backdrops.as_background(tmp_path / "sea-1.jpg")


def test_a_share_of_orbits_is_far():
    def heights(far):
        rng = np.random.default_rng(3)
        orbits = (earth.sample_orbit(rng, SIZE, limb=True, night=False, far=far) for _ in range(60))
        return np.array([orbit.height for orbit in orbits])

    assert heights(0.0).max() < 1500
    assert heights(1.0).min() > 3000
    assert 0.3 < (heights(0.55) > 3000).mean() < 0.8


@pytest.mark.parametrize("name", ["earth-day", "earth-limb"])
def test_real_earths_are_more_often_seen_from_far_away(name, maps, monkeypatch):
    asked = []

    def sample_orbit(*_, far, **__):
        asked.append(far)
        raise InterruptedError

    monkeypatch.setattr(earth, "sample_orbit", sample_orbit)
    for painter, sources in (
        (BACKGROUNDS[name].paint, ()),
        (BACKGROUNDS[name].paint_real, (maps,)),
    ):
        with pytest.raises(InterruptedError):
            painter(np.random.default_rng(0), *sources)
    assert asked[0] < asked[1]
