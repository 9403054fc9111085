import math

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from PIL import Image

pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")

from posebowl.errors import BadDataError
from posebowl.training import backgrounds, copy_paste, cutouts
from posebowl.training.augment import Photo
from posebowl.training.copy_paste import Composer, CopyPaste, PasteSources
from posebowl.training.cutouts import CutoutAugmentation
from posebowl.training.dataset import Level

SIZE = (256, 320)
PLAIN = CutoutAugmentation(joined=0, damaged=0, antennas=0, dark=0)


def cut_out(height=180, width=260):
    """Make a white cross, whose turned box is not the turned rectangle's."""
    straight = np.zeros((height, width, 4), np.uint8)
    straight[height // 2 - 8 : height // 2 + 8] = 255
    straight[:, width // 2 - 8 : width // 2 + 8] = 255
    return cutouts.pyramid(cutouts.premultiply(straight))


@pytest.fixture(scope="module")
def black(tmp_path_factory):
    """Make one black background."""
    file = tmp_path_factory.mktemp("backgrounds") / "black.jpg"
    Image.new("RGB", (640, 512)).save(file)
    return file


def photo(box=(300, 200, 500, 400)):
    """Make a grey labelled photo, its spacecraft red."""
    whole = np.full((512, 640, 3), 30, np.uint8)
    x0, y0, x1, y1 = (edge // 2 for edge in box)
    whole[y0:y1, x0:x1] = (0, 0, 255)
    level = Level(image=whole, x=0.0, y=0.0, scale=0.5)
    return Photo(whole=level, close=level, box=np.array(box, float))


def composer(black, seed, **augmentation):
    paste = CopyPaste(**{"noise": 0, "blur": 0, "empty": 0, "augmentation": PLAIN, **augmentation})
    sources = PasteSources(cutouts=[cut_out()], backgrounds=[black])
    return Composer(np.random.default_rng(seed), SIZE, paste, sources)


def bright(image, least):
    """Give the box around all bright pixels."""
    seen = image.max(2) >= least
    columns, rows = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


def test_some_spacecraft_have_other_proportions(black):
    def longest(stretched):
        changed = CutoutAugmentation(joined=0, damaged=0, antennas=0, dark=0, stretched=stretched)
        one = composer(black, 3, augmentation=changed, whole=1, largest=0.5)
        views = (one.take(photo()) for _ in range(200))
        sides = np.concatenate([view.boxes[:, 2:] - view.boxes[:, :2] for view in views if view])
        return (sides.max(1) / sides.min(1)).max()

    assert longest(1) > 1.2 * longest(0)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 100_000), close=st.booleans())
def test_boxes_are_tight(black, seed, close):
    view = composer(black, seed, photos=0, smallest=180, close=close).take(photo())
    assume(view is not None)  # two in 3,000 have nothing inside the view
    (box,) = view.boxes
    rounding = 1e-9
    assert (box[:2] >= -rounding).all()
    assert box[2] <= SIZE[1] + rounding
    assert box[3] <= SIZE[0] + rounding
    # Windows of backgrounds are enlarged twice, close ones up to 7.4 times: so soft are edges.
    seen = bright(view.image, view.image.max() // 8)
    np.testing.assert_allclose(seen, box, atol=10 if close else 4)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 100_000))
def test_the_same_seed_makes_the_same_view(black, seed):
    sources = PasteSources(cutouts=[cut_out(), cut_out(90, 90)], backgrounds=[black])
    one, other = (
        Composer(np.random.default_rng(seed), SIZE, CopyPaste(), sources).take(photo())
        for _ in range(2)
    )
    assert (one is None) == (other is None)
    if one is not None:
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.boxes, other.boxes)


def test_sizes_reach_from_a_few_pixels_to_the_whole_view(black):
    made = composer(black, 1, photos=0, close=0)
    views = [view for _ in range(300) if (view := made.take(photo())) is not None]
    longest = np.array([(view.boxes[0, 2:] - view.boxes[0, :2]).max() for view in views])
    assert longest.min() < 6
    assert longest.max() > 0.9 * SIZE[1]
    assert 15 < np.median(longest) < 80  # evenly in the logarithm
    assert len(views) > 270


def test_the_smallest_are_as_small_as_in_photos_and_the_largest_fill_the_view(black):
    """A view as large as the background shows it whole, two pixels of the photo in one."""
    paste = CopyPaste(noise=0, blur=0, empty=0, close=0, whole=1, photos=0, augmentation=PLAIN)
    sources = PasteSources(cutouts=[cut_out()], backgrounds=[black])
    made = Composer(np.random.default_rng(4), (512, 640), paste, sources)
    views = [view for _ in range(300) if (view := made.take(photo())) is not None]
    longest = 2 * np.array([(view.boxes[0, 2:] - view.boxes[0, :2]).max() for view in views])
    assert 9 < longest.min() < 20  # a cross that is turned by 45 degrees is 0.7 times as wide
    assert longest.max() > 0.9 * 1280


def test_close_views_are_filled_as_in_the_second_look(black):
    made = composer(black, 1, photos=0, close=1, whole=1)
    views = [made.take(photo()) for _ in range(100)]
    longest = [(view.boxes[0, 2:] - view.boxes[0, :2]).max() for view in views]
    assert min(longest) > 0.15 * SIZE[1]


def test_the_border_cuts_some(black):
    made = composer(black, 2, photos=0, whole=0, close=0, smallest=240)
    for _ in range(50):
        view = made.take(photo())
        if view is not None:
            box = view.boxes[0]
            edges = np.isclose(box, [0, 0, SIZE[1], SIZE[0]])
            assert edges.any()


@given(box=st.tuples(st.integers(0, 1200), st.integers(0, 950), st.integers(5, 1280)))
def test_free_parts_do_not_touch_the_box(box):
    x, y, wide = box
    inside = np.array([x, y, min(1280, x + wide), min(1024, y + wide)], float) / 2
    for seed in range(4):
        x0, y0, x1, y1 = copy_paste.free(inside, np.random.default_rng(seed))
        assert 0 <= x0 <= x1 <= 640
        assert 0 <= y0 <= y1 <= 512
        across = min(x1, inside[2]) - max(x0, inside[0])
        down = min(y1, inside[3]) - max(y0, inside[1])
        assert min(across, down) <= 0 or x1 == 0


def test_nothing_of_the_photo_s_own_spacecraft_is_seen(black):
    made = composer(black, 3, photos=1)
    seen = 0
    for _ in range(50):
        view = made.take(photo())
        if view is not None:
            seen += 1
            red = view.image.astype(int)
            assert (red[..., 2] - red[..., 0] < 60).all()
    assert seen > 30


def test_one_background_makes_many(tmp_path):
    """Toned and turned, a ramp that is brighter to its right is seen in all four directions."""
    ramp = np.repeat(np.linspace(60, 160, 640)[None, :, None], 512, 0).repeat(3, 2)
    Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / "ramp.png")
    made = composer(tmp_path / "ramp.png", 5, empty=1, photos=0)
    views = [made.take(photo()).image.astype(float) for _ in range(40)]
    across = [view[:, -40:].mean() - view[:, :40].mean() for view in views]
    down = [view[-40:].mean() - view[:40].mean() for view in views]
    steepest = {(abs(x) > abs(y), x + y > 0) for x, y in zip(across, down, strict=True)}
    assert len(steepest) == 4
    tints = [view[..., 0].mean() / view[..., 2].mean() for view in views]
    assert np.std(tints) > 0.02
    plain = composer(tmp_path / "ramp.png", 5, empty=1, photos=0, toned=0, turned=0)
    greys = [plain.take(photo()).image for _ in range(10)]
    assert all(np.ptp(view, axis=2).max() <= 2 for view in greys)


def test_no_room_no_view(black):
    assert composer(black, 3, photos=1).take(photo((100, 100, 1180, 924))) is None


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 200])
def test_pasting_puts_pixels_where_the_matrix_maps_them(degrees):
    cutout = cut_out()[0]
    outline = copy_paste.hull(cutout)
    turn = math.radians(degrees)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    shift = np.array([200.0, 200.0]) - rotation @ [130, 90]
    matrix = np.concatenate([rotation, shift[:, None]], 1)
    behind = np.zeros((400, 400, 3), np.uint8)
    image, box = copy_paste.paste_cutout(behind, cutout, matrix, outline @ rotation.T + shift)
    np.testing.assert_allclose(bright(image, 100), box, atol=1.01)
    np.testing.assert_allclose((box[:2] + box[2:]) / 2, 200, atol=0.6)


def test_a_box_inside_of_which_nothing_is_seen_is_none():
    """Of the cross, an empty quarter is inside the image."""
    corner = np.array([[1.0, 0, -200], [0, 1, -120]])
    outline = np.array([[-200.0, -120], [60, -120], [60, 60], [-200, 60]])
    behind = np.zeros((200, 200, 3), np.uint8)
    image, box = copy_paste.paste_cutout(behind, cut_out()[0], corner, outline)
    assert box is None
    assert image.max() == 0


def test_backgrounds_are_kept_at_half_size(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (1280, 1024), (10, 20, 30)).save(tmp_path / "images" / "one.jpg")
    (file,) = backgrounds.cache_backgrounds(tmp_path, tmp_path / "cache", threads=1)
    kept = backgrounds.read_half(file)
    assert kept.shape == (512, 640, 3)
    assert np.abs(kept[100, 100].astype(int) - (10, 20, 30)).max() <= 2
    assert backgrounds.cache_backgrounds(tmp_path, tmp_path / "cache", threads=1) == [file]
    with pytest.raises(BadDataError, match="no backgrounds"):
        backgrounds.cache_backgrounds(tmp_path / "cache", tmp_path, threads=1)


def test_a_damaged_background_is_named(tmp_path):
    file = tmp_path / "background-one.half.jpg"
    file.write_bytes(b"half of a")
    with pytest.raises(BadDataError, match=r"background-one\.half\.jpg"):
        backgrounds.read_half(file)


def test_large_views_show_their_background_whole(tmp_path):
    marked = np.full((512, 640, 3), 40, np.uint8)
    marked[4:-4, 4:-4] = 255
    file = tmp_path / "framed.png"
    Image.fromarray(marked).save(file)
    paste = CopyPaste(photos=0, close=0, empty=1, turned=0, toned=0)
    sources = PasteSources(cutouts=[cut_out()], backgrounds=[file])
    for seed in range(40):
        view = Composer(np.random.default_rng(seed), (512, 640), paste, sources).take(photo())
        assert view is not None
        np.testing.assert_array_equal(bright(view.image, 128), [4, 4, 636, 508])


def test_a_room_narrower_than_the_view_is_used_whole(black):
    for room in range(150, 288):  # whose exp(log(room)) is now below, now above it
        beside = photo(box=(2 * (room + 4), 0, 1280, 1024))
        paste = CopyPaste(photos=1, close=0, empty=1, turned=0)
        sources = PasteSources(cutouts=[cut_out()], backgrounds=[black])
        view = Composer(np.random.default_rng(room), (224, 288), paste, sources).take(beside)
        assert view is not None
        assert view.image.shape == (224, 288, 3)


def test_some_composites_have_no_spacecraft(black):
    made = composer(black, 4, photos=0, empty=0.5)
    views = [made.take(photo()) for _ in range(60)]
    empty = [view for view in views if view is not None and not len(view.boxes)]
    assert 15 < len(empty) < 45
    for view in empty:
        assert view.image.shape == (*SIZE, 3)
        assert view.image.max() < 5
        assert view.boxes.shape == (0, 4)
