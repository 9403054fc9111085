"""Views made on the training device show what their labels say."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

pytest.importorskip("torch", reason="needs the cpu group: uv run --group cpu pytest")
pytest.importorskip("cv2", reason="needs the cpu group")

import torch

from posebowl.training import device_views, paste_plans, plans
from posebowl.training.atlas import Atlas
from posebowl.training.augment import PADDING, Augmentation
from posebowl.training.copy_paste import CopyPaste
from posebowl.training.cutouts import CutoutAugmentation
from posebowl.training.device_views import device_batches
from posebowl.training.pool import CANVAS, Pool

SIZE = (96, 128)
CPU = torch.device("cpu")
UNVARIED = {"tone": 0.0, "noise": 0.0, "blur": 0.0, "grey": 0.0}
PLAIN = CutoutAugmentation(joined=0, damaged=0, antennas=0, dark=0)


@pytest.fixture(autouse=True, scope="module")
def evenly_lit():
    """Let spacecraft not get darker towards a side, so that all of them can be seen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paste_plans, "SHADED", 0)
        yield


def pool(decoys=()):
    """Make a pool of a red spacecraft on black, grey backgrounds, and a white cross to paste."""
    boxes = np.array([[300.0, 200, 500, 400], [800, 500, 1100, 560]])
    wholes = np.zeros((2, 512, 640, 3), np.uint8)
    closes = np.zeros((2, 512, 640, 3), np.uint8)
    for whole, close, box in zip(wholes, closes, boxes, strict=True):
        x0, y0, x1, y1 = (box / 2).astype(int)
        whole[y0:y1, x0:x1, 0] = 255
        left, top = ((box[:2] + box[2:]) / 2 - [320, 256]).clip(0, [640, 512])
        x0, y0, x1, y1 = (box - np.tile([left, top], 2)).astype(int)
        close[y0:y1, x0:x1, 0] = 255
    cutouts = np.zeros((1, CANVAS, CANVAS, 4), np.uint8)
    middle = CANVAS // 2
    cutouts[0, middle - 8 : middle + 8, middle - 150 : middle + 150] = 255
    cutouts[0, middle - 100 : middle + 100, middle - 8 : middle + 8] = 255
    return Pool(
        wholes=wholes,
        closes=closes,
        boxes=boxes,
        backgrounds=np.full((2, 512, 640, 3), 20, np.uint8),
        cutouts=cutouts,
        decoys=np.array(decoys, np.float64).reshape(-1, 5),
    )


def views(seed, *, size=SIZE, batch=8, decoys=(), close=0.5, **paste):
    """Make a batch; return its images and, for each, its box in pixels or None."""
    made = next(
        device_batches(
            pool(decoys),
            size=size,
            batch=batch,
            seed=seed,
            augmentation=Augmentation(close=close, **UNVARIED),
            device=CPU,
            paste=CopyPaste(
                close=close,
                **{"noise": 0, "blur": 0, "toned": 0, "empty": 0, "augmentation": PLAIN, **paste},
            ),
        )
    )
    scale = np.tile(size[::-1], 2)
    found = [None] * batch
    for owner, (x, y, wide, high) in zip(
        made["batch_idx"].long().tolist(), made["bboxes"].numpy() * scale, strict=True
    ):
        found[owner] = np.array([x - wide / 2, y - high / 2, x + wide / 2, y + high / 2])
    return made["img"].numpy(), found


def around(seen):
    """Give the box around pixels; None if there are none."""
    columns, rows = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
    if not len(columns):
        return None
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000), close=st.booleans())
def test_labels_of_photos_are_where_the_spacecraft_is(seed, close):
    images, boxes = views(seed, close=float(close), share=0)
    for image, box in zip(images, boxes, strict=True):
        red = around((image[..., 0] > 127) & (image[..., 1] < 60))
        if box is not None:
            np.testing.assert_allclose(red, box, atol=1.6)
        elif red is not None:  # a quarter of it at most
            assert np.prod(red[2:] - red[:2]) < SIZE[0] * SIZE[1] / 2


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000), whole=st.booleans())
def test_labels_of_pasted_spacecraft_are_tight(seed, whole):
    images, boxes = views(seed, share=1, close=0, smallest=200, whole=float(whole), photos=0)
    assert sum(box is not None for box in boxes) >= 6
    for image, box in zip(images, boxes, strict=True):
        contrast = int(image.max()) - 20
        if box is None or contrast < 60:
            continue
        # A tenth of alpha counts; edges are as soft as backgrounds that are enlarged 3 times.
        inner, outer = (around(image.max(2) > 20 + share * contrast) for share in (0.25, 0.04))
        assert (box[:2] <= inner[:2] + 5).all()
        assert (box[2:] >= inner[2:] - 5).all()
        assert (box[:2] >= outer[:2] - 5).all()
        assert (box[2:] <= outer[2:] + 5).all()


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_whatever_is_attached_is_inside_the_box_and_whatever_is_cut_off_is_not(seed):
    changed = CutoutAugmentation(joined=1, damaged=0.5, antennas=1, dark=0)
    images, boxes = views(
        seed,
        size=(192, 256),
        share=1,
        close=0,
        smallest=300,
        whole=1,
        photos=0,
        augmentation=changed,
    )
    shares = []
    for image, box in zip(images, boxes, strict=True):
        if box is not None:
            seen = around(image.max(2) > 20 + (int(image.max()) - 20) // 3)
            assert (seen[:2] >= box[:2] - 5).all()
            assert (seen[2:] <= box[2:] + 5).all()
            shares.append(np.prod(seen[2:] - seen[:2]) / np.prod(box[2:] - box[:2]))
    assert np.mean(shares) > 0.6  # antennas may be as dark as the background


def test_an_antenna_is_as_wide_and_as_faint_as_it_was_drawn():
    x, y = torch.meshgrid(torch.arange(40) + 0.5, torch.arange(30) + 0.5, indexing="xy")
    rods = torch.tensor([[5.0, 15, 35, 15, 4, 200, 1], [5, 15, 35, 15, 4, 200, 0.4]])
    solid, faint = device_views._rods(rods, torch.ones(2), x[None], y[None])
    torch.testing.assert_close(faint, 0.4 * solid)
    assert solid[:, 20, 3].tolist() == [0.0] * 13 + [1.0] * 4 + [0.0] * 13
    torch.testing.assert_close(solid[..., 0], solid[..., 3] * 200 / 255)


def test_empty_views_have_no_label():
    images, boxes = views(1, share=1, empty=1, photos=0, close=0)
    assert boxes == [None] * 8
    assert images.max() <= 21


def test_decoys_are_shown_close_with_a_label_only_where_the_spacecraft_is_seen():
    beside = [0, 320.0, 240, 380, 300]  # inside the spacecraft of the first photo
    images, boxes = views(2, decoys=[beside], share=1, empty=1, close=1)
    assert all(image[..., 0].max() > 200 for image in images)
    assert any(box is not None for box in boxes)
    in_background = [3, 320.0, 240, 380, 300]
    images, boxes = views(2, decoys=[in_background], share=1, empty=1, close=1)
    assert boxes == [None] * 8
    assert set(np.unique(images)) == {20}


def test_the_same_seed_makes_the_same_views():
    (one, boxes), (other, others) = views(5, share=0.5), views(5, share=0.5)
    np.testing.assert_array_equal(one, other)
    assert str(boxes) == str(others)
    assert not np.array_equal(one, views(6, share=0.5)[0])


def test_large_views_take_turns_with_the_others():
    feed = device_batches(
        pool(),
        size=SIZE,
        batch=8,
        seed=1,
        augmentation=Augmentation(),
        device=CPU,
        large=(192, 256),
    )
    shapes = [tuple(next(feed)["img"].shape) for _ in range(3)]
    assert shapes == [(8, 96, 128, 3), (2, 192, 256, 3), (8, 96, 128, 3)]


def test_what_fails_while_plans_are_drawn_ends_the_run(monkeypatch):
    def fail(_self, _views):
        raise ValueError("no plan")

    monkeypatch.setattr(plans.Planner, "draw", fail)
    with pytest.raises(ValueError, match="no plan"):
        views(1)


def test_an_atlas_samples_between_pixels_and_reductions():
    image = np.zeros((2, 16, 32, 3), np.uint8)
    image[1, :, 16:] = 200
    atlas = Atlas([image[:1], image[1:]], levels=3, device=CPU)
    x = torch.tensor([[[15.5, 16.0, 16.5, 31.9, 32.1]]]).expand(2, -1, -1)
    y = torch.full_like(x, 8.0)
    found = atlas.sample(torch.tensor([0, 1]), torch.tensor([0, 0]), x, y, PADDING)
    assert found[0, 0, :4, 0].tolist() == [0, 0, 0, 0]
    assert found[1, 0, :, 0].tolist() == [0, 100, 200, 200, PADDING]
    assert found[1, 0, 0, 3] == 255
    reduced = atlas.sample(torch.tensor([1, 1]), torch.tensor([1, 2]), x, y, PADDING)
    np.testing.assert_allclose(reduced[:, 0, :4, 0], [[50, 100, 150, 200], [75, 100, 125, 200]])
