import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")

from posebowl.errors import BadDataError
from posebowl.training import dataset

HEADER = "image_id,xmin,ymin,xmax,ymax\n"


def data(folder, *, rows=(), names=(), size=(1280, 1024)):
    (folder / "images").mkdir()
    for name in names:
        shade = np.linspace(0, 255, size[0]).astype(np.uint8)
        image = np.broadcast_to(shade[None, :, None], (size[1], size[0], 3))
        Image.fromarray(np.ascontiguousarray(image)).save(folder / "images" / name)
    (folder / "train_labels.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return folder


def test_read_labels_keeps_the_order_and_takes_png_and_jpeg(tmp_path):
    folder = data(tmp_path, rows=["b,1,2,3,4", "a,5,6,7,8"], names=["a.png", "b.jpg"])
    samples = dataset.read_labels(folder)
    assert [(sample.path.name, sample.box) for sample in samples] == [
        ("b.jpg", (1, 2, 3, 4)),
        ("a.png", (5, 6, 7, 8)),
    ]


@pytest.mark.parametrize(
    ("rows", "names", "what"),
    [
        (["a,1,2,3,4", "b,1,2,3,4"], ["a.png"], "1 photo of .* cannot be found"),
        ([], [], "labels no image"),
        (["a,1,2,x,4"], ["a.png"], "without a box of integers"),
        (["a,,2,3,4"], ["a.png"], "without a box of integers"),
        (["a,-30,2,3,4"], ["a.png"], "not inside the photo"),
        (["a,3,2,3,4"], ["a.png"], "not inside the photo"),
        (["a,3,2,1281,4"], ["a.png"], "not inside the photo"),
    ],
)
def test_read_labels_that_are_broken(tmp_path, rows, names, what):
    with pytest.raises(BadDataError, match=what):
        dataset.read_labels(data(tmp_path, rows=rows, names=names))


def test_a_broken_photo_is_named(tmp_path):
    folder = data(tmp_path, rows=["a,1,2,3,4"], names=["a.png"])
    whole = (folder / "images" / "a.png").read_bytes()
    (folder / "images" / "a.png").write_bytes(whole[: len(whole) // 2])
    samples = dataset.read_labels(folder)
    with pytest.raises(BadDataError, match=r"a\.png cannot be read as a photo"):
        list(dataset.photos(samples))
    with pytest.raises(BadDataError, match=r"a\.png cannot be read as a photo"):
        dataset.fill_cache(samples, tmp_path / "cache", threads=1)


def test_no_labels(tmp_path):
    with pytest.raises(BadDataError, match="has no labelled photos"):
        dataset.read_labels(tmp_path)


def test_cache_holds_the_whole_at_half_size_and_the_surroundings_in_full(tmp_path):
    folder = data(tmp_path, rows=["a,1000,500,1100,560"], names=["a.png"])
    samples = dataset.read_labels(folder)
    [file] = dataset.fill_cache(samples, tmp_path / "cache", threads=1)
    whole, close = dataset.levels(file, samples[0])
    photo = np.asarray(Image.open(samples[0].path))
    assert (whole.x, whole.y, whole.scale) == (0, 0, 0.5)
    expected = photo.reshape(512, 2, 640, 2, 3).mean((1, 3))
    np.testing.assert_allclose(whole.image, expected, atol=1)
    assert (close.x, close.y, close.scale) == (640, 274, 1.0)  # as far right as the photo goes
    np.testing.assert_array_equal(close.image, photo[274 : 274 + 512, 640:])

    changed = file.stat().st_mtime_ns
    assert dataset.fill_cache(samples, tmp_path / "cache", threads=1) == [file]
    assert file.stat().st_mtime_ns == changed


def test_cache_refuses_photos_of_another_size(tmp_path):
    folder = data(tmp_path, rows=["a,1,2,3,4"], names=["a.png"], size=(64, 48))
    with pytest.raises(BadDataError, match="1280 by 1024"):
        dataset.fill_cache(dataset.read_labels(folder), tmp_path / "cache", threads=1)
