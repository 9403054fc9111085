"""Backgrounds that VTK draws: what they show, under names that the renderer counts them by."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from posebowl.render.backdrops import find_backdrops, kind_of
from tests.unit.render.charts import painted

pytestmark = pytest.mark.render

GREEN, LIGHT = (120, 150, 60), (250, 220, 150)


@pytest.fixture
def foreign(monkeypatch):
    pytest.importorskip("pyvista", reason="needs the render group")
    from benchmarks import foreign_backdrops  # noqa: PLC0415  it needs PyVista

    monkeypatch.setattr(foreign_backdrops, "KINDS", ("day", "night", "moon", "space"))
    yield foreign_backdrops
    foreign_backdrops.texture.cache_clear()


def write_maps(folder):
    folder.mkdir()
    for name, ground, mark in (
        ("earth.jpg", GREEN, GREEN),
        ("earth-day.jpg", GREEN, GREEN),
        ("shadedrelief.jpg", GREEN, GREEN),
        ("night.jpg", (0, 0, 0), LIGHT),
        ("moon.png", (90, 90, 90), (150, 150, 150)),
    ):
        painted((144, 72), ground, (-170, -80, 170, 80), mark).save(folder / name, quality=98)
    return folder


def test_each_kind_shows_what_its_name_says(foreign, tmp_path):
    out = tmp_path / "out"
    foreign.main(["--maps", str(write_maps(tmp_path / "maps")), "--out", str(out), "--count", "4"])
    shown = {}
    for path in find_backdrops(out):
        pixels = np.asarray(Image.open(path)).astype(float)
        assert pixels.shape == (1024, 1280, 3)
        shown.setdefault(kind_of(path), []).append(pixels)
    assert {kind: len(pages) for kind, pages in shown.items()} == dict.fromkeys(foreign.KINDS, 1)
    day = np.concatenate(shown["day"])
    lit = day[day.max(axis=2) > 60]
    assert len(lit) > 0.1 * day.shape[0] * day.shape[1]
    assert np.median(lit[:, 1] - lit[:, 2]) > 20
    night = np.concatenate(shown["night"])
    assert np.median(night[night.max(axis=2) > 60][:, 0]) > 150
    assert np.ptp(np.concatenate(shown["moon"]), axis=2).max() < 30
    assert np.mean(shown["space"]) < 5
    again = tmp_path / "again"
    foreign.main(["--maps", str(tmp_path / "maps"), "--out", str(again), "--count", "1"])
    for path in find_backdrops(again):
        assert path.read_bytes() == (out / path.name).read_bytes()


def test_directions_of_interest_are_red_on_the_map(foreign):
    pixels = np.asarray(painted((360, 180), (0, 0, 90), (-60, -40, 60, 50), GREEN))
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y, z = foreign.interesting(rng, pixels, red=100)
        assert -62 < np.degrees(np.arctan2(y, x)) < 62
        assert -42 < np.degrees(np.arcsin(z)) < 52


def test_missing_maps_are_named(foreign, tmp_path, capsys):
    (write_maps(tmp_path / "maps") / "moon.png").unlink()
    with pytest.raises(SystemExit):
        foreign.main(["--maps", str(tmp_path / "maps"), "--out", str(tmp_path / "out")])
    assert "lacks moon.png" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
