"""Imagery: found by name, read in degrees, its shores drawn where they are."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from posebowl.errors import UsageError
from posebowl.render import imagery, shores
from tests.unit.render.charts import ISLAND, LAKE, LAND, LIGHT, SEA, outlines, write_imagery


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_imagery(tmp_path_factory.mktemp("packages"))


def at(pixels, longitude, latitude):
    places = (np.float32([[value]]) for value in (longitude, latitude))
    return imagery.sample(pixels, *places)[0, 0] * 255


def test_files_are_found_by_name_in_any_folder(folder):
    found = imagery.find_imagery(folder)
    assert {kind: [path.name for path in getattr(found, kind)] for kind in imagery.KINDS} == {
        "day": ["bmng.jpg"],
        "night": ["earth-night.jpg"],
        "clouds": ["clouds.png"],
        "heights": ["earth-topology.png"],
        "moon": ["moon_4k.jpg"],
        "planets": ["mars.png"],
        "shores": ["gshhs_i.dat"],
        "rivers": ["rivers_i.dat"],
    }
    assert len(found.files()) == 8


def test_a_folder_without_the_earth_is_refused(tmp_path):
    Image.new("RGB", (8, 4)).save(tmp_path / "moon_4k.jpg")
    with pytest.raises(UsageError, match="no imagery of the Earth"):
        imagery.find_imagery(tmp_path)


def test_maps_are_read_where_they_show_a_place(folder):
    day = imagery.read_map(imagery.find_imagery(folder).day[0])
    np.testing.assert_allclose(at(day, 30, 18), LAND, atol=4)
    np.testing.assert_allclose(at(day, -100, -40), SEA, atol=4)
    night = imagery.read_map(imagery.find_imagery(folder).night[0])
    np.testing.assert_allclose(at(night, 390, 15), LIGHT, atol=4)  # once around


def test_a_map_continues_across_the_date_line():
    pixels = np.zeros((18, 36, 3), np.uint8)
    pixels[:, 0], pixels[:, -1] = 200, 100
    assert at(pixels, 180, 0)[0] == pytest.approx(150)
    assert at(pixels, -180, 0)[0] == pytest.approx(150)
    assert at(pixels, 0, 90)[0] == 0


def test_clouds_are_as_dense_as_they_are_opaque(folder):
    pixels = imagery.read_map(imagery.find_imagery(folder).clouds[0])
    assert pixels.shape == (90, 180, 3)
    assert at(pixels, 0, 0)[0] == 255
    assert at(pixels, 0, 80)[0] == 0


def test_halvings_average(folder):
    path = imagery.find_imagery(folder).day[0]
    whole, half = imagery.read_map(path), imagery.read_map(path, 1)
    assert half.shape == (whole.shape[0] // 2, whole.shape[1] // 2, 3)
    np.testing.assert_allclose(whole.mean(axis=(0, 1)), half.mean(axis=(0, 1)), atol=1)
    assert imagery.map_km(path) == pytest.approx(40030 / 720, rel=1e-3)


def test_a_damaged_map_is_named(tmp_path):
    (tmp_path / "bmng.jpg").write_bytes(b"\xff\xd8\xff\xe0 half of a")
    with pytest.raises(UsageError, match=r"Cannot read .*bmng\.jpg"):
        imagery.read_map(tmp_path / "bmng.jpg")


def test_land_and_sea_continue_beneath_each_other(folder):
    land, sea = imagery.land_and_sea(imagery.find_imagery(folder).day[0])
    west, south, _, _ = ISLAND
    np.testing.assert_allclose(at(land, west - 1, south - 1), LAND, atol=25)
    np.testing.assert_allclose(at(sea, west + 2, south + 2), SEA, atol=25)
    np.testing.assert_allclose(at(land, 30, 18), LAND, atol=4)


def drawn(folder, west, east, rivers=True):
    found = imagery.find_imagery(folder)
    return shores.draw_chart(
        found.shores[0],
        found.rivers[0] if rivers else None,
        west=west,
        east=east,
        south=0.0,
        north=30.0,
        size=(400, 300),
    )


def share(chart, longitude, latitude):
    return float(chart.sample(*(np.float32([[value]]) for value in (longitude, latitude)))[0, 0])


@pytest.mark.parametrize("turn", [0, 360, -360])
def test_an_island_has_its_lake_and_its_river(folder, turn):
    chart = drawn(folder, 10 + turn, 50 + turn)
    assert share(chart, 25 + turn, 20) == 1
    assert share(chart, 15 + turn, 20) == 0
    assert share(chart, 30 + turn, 17) == 0  # the lake
    assert share(chart, 21 + turn, 17) < 0.9  # the river
    assert share(drawn(folder, 10 + turn, 50 + turn, rivers=False), 21 + turn, 17) == 1
    land = (chart.land > 127).mean() * 40 * 30
    whole = (ISLAND[2] - ISLAND[0]) * (ISLAND[3] - ISLAND[1])
    lake = (LAKE[2] - LAKE[0]) * (LAKE[3] - LAKE[1])
    assert land == pytest.approx(whole - lake, rel=0.05)


def test_many_points_are_thinned_without_a_change(tmp_path):
    angle = np.linspace(0, 2 * np.pi, 20_000)
    circle = np.stack((30 + 12 * np.cos(angle), 15 + 12 * np.sin(angle)), axis=1).astype("<f4")
    path = outlines(tmp_path, "gshhs", [(1, circle)])
    window = {"south": 0.0, "north": 30.0, "size": (400, 300)}
    chart = shores.draw_chart(path, None, west=10.0, east=50.0, **window)
    assert (chart.land > 127).mean() * 1200 == pytest.approx(np.pi * 144, rel=0.02)
    inside = shores.draw_chart(path, None, west=26.0, east=34.0, **window)
    assert share(inside, 30, 15) == 1
    half = shores.draw_chart(path, None, west=30.0, east=70.0, **window)
    assert (share(half, 35, 15), share(half, 45, 15)) == (1, 0)


@pytest.mark.parametrize("broken", ["missing", "words", "bytes"])
def test_damaged_outlines_are_named(tmp_path, broken):
    path = write_imagery(tmp_path / "copy") / "day" / "gshhs_i.dat"
    table = path.with_name("gshhsmeta_i.dat")
    if broken == "missing":
        table.unlink()
    elif broken == "words":
        table.write_text("1 2 3\n")
    else:
        path.write_bytes(b"123")
    with pytest.raises(UsageError, match=r"Cannot read .*gshhs_i\.dat and gshhsmeta_i\.dat"):
        shores.read_outlines(path)


def test_the_coarsest_outlines_that_are_fine_enough_are_used(tmp_path):
    files = tuple(tmp_path / f"gshhs_{detail}.dat" for detail in "fhi")
    assert [imagery.outlines_for(files, km).stem[-1] for km in (0.3, 1.0, 5.0)] == ["f", "h", "i"]
    assert imagery.outlines_for(files[-1:], 0.3) == files[-1]
