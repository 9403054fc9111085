"""Textures and materials of varied spacecraft."""

from __future__ import annotations

import numpy as np
import pytest

from posebowl.render import materials, textures

MADE = (
    textures.cell_grid,
    textures.wrinkles,
    textures.panel_lines,
    textures.grid,
    textures.blanket,
    textures.worn_cells,
)
PAINTED = (textures.marked, textures.striped, textures.checkered, textures.stained)


@pytest.mark.parametrize("texture", MADE)
def test_textures_are_pictures_that_differ(texture):
    pages = [texture(np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert pages[0].shape == (textures.TEXTURE_SIZE, textures.TEXTURE_SIZE, 3)
    assert pages[0].dtype == np.uint8
    assert pages[0].std() > 2
    np.testing.assert_array_equal(pages[0], pages[1])
    assert (pages[0] != pages[2]).any()


@pytest.mark.parametrize("paint", PAINTED)
def test_paint_changes_a_page_and_leaves_the_first_as_it_was(paint):
    for seed in range(10):
        page = textures.blank()
        painted = paint(np.random.default_rng(seed), page)
        assert painted.shape == page.shape
        assert painted.dtype == np.uint8
        assert (painted != page).any()
        np.testing.assert_array_equal(page, textures.blank())


def test_marks_cover_but_a_part():
    covers = [
        (textures.marked(np.random.default_rng(seed), textures.blank()) != 240).any(axis=2).mean()
        for seed in range(40)
    ]
    assert 0.005 < np.median(covers) < 0.5


def test_a_varied_palette_has_the_same_roles_and_more_looks():
    plain, varied = (
        [materials.palette(np.random.default_rng(k), varied=v) for k in range(60)]
        for v in (False, True)
    )
    assert all(one.keys() == two.keys() for one, two in zip(plain, varied, strict=True))
    changed = [
        one[role].texture is not two[role].texture and two[role].texture is not None
        for one, two in zip(plain, varied, strict=True)
        for role in one
    ]
    assert np.mean(changed) > 0.2
    for palette in varied:
        for material in palette.values():
            assert min(material.colour) >= 0
