import pytest

from posebowl.training import solution_modules

table = solution_modules.module("table")


@pytest.mark.parametrize(
    "text", ["image_id,xmin\nb,1\na,2\n", "\ufeffimage_id,x\r\nb,1\r\na,2\r\n"]
)
def test_read_ids_keeps_the_order(tmp_path, text):
    path = tmp_path / "submission_format.csv"
    path.write_text(text, encoding="utf-8", newline="")
    assert table.read_ids(path) == ["b", "a"]


def test_header_only(tmp_path):
    path = tmp_path / "submission_format.csv"
    path.write_text("image_id,xmin,ymin,xmax,ymax\n")
    predictions = table.Predictions(table.read_ids(path))
    predictions.write(tmp_path / "out" / "submission.csv")
    assert (tmp_path / "out" / "submission.csv").read_text() == "image_id,xmin,ymin,xmax,ymax\n"


def test_write_keeps_order_and_fills_gaps_with_the_median(tmp_path):
    predictions = table.Predictions(["b", "a", "c", "d"])
    predictions.set(0, (0, 0, 10, 20))
    predictions.set(1, None)
    predictions.set(2, (100, 200, 120, 240))
    predictions.set(3, (1000, 900, 1010, 920))
    assert predictions.missing == 1
    predictions.write(tmp_path / "submission.csv")
    assert (tmp_path / "submission.csv").read_text().splitlines() == [
        "image_id,xmin,ymin,xmax,ymax",
        "b,0,0,10,20",
        "a,105,210,115,230",  # median size 10 x 20 around the median centre (110, 220)
        "c,100,200,120,240",
        "d,1000,900,1010,920",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["submission.csv"]


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (1279, 1023, 1280, 1024), (0, 0, 1280, 1024), None])
def test_fallback_is_a_box_inside_the_frame(box):
    predictions = table.Predictions(["a", "b"])
    predictions.set(0, box)
    xmin, ymin, xmax, ymax = predictions.fallback()
    assert 0 <= xmin < xmax <= 1280
    assert 0 <= ymin < ymax <= 1024
    if box is not None:
        assert (xmin, ymin, xmax, ymax) == box
