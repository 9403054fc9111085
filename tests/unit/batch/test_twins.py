"""How alike submissions are: in tensors whatever their format, in boxes, and in code."""

from __future__ import annotations

import base64
import io
import json
import random
import re
import zipfile
import zlib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posebowl.batch import fingerprints, twins, twins_page
from posebowl.batch.evaluation import EvaluationRequest
from posebowl.batch.fingerprints import of_zip
from posebowl.errors import UsageError
from posebowl.paths import SOLUTIONS
from tests.unit.batch.test_evaluation import planned


def tensors(seed: int, count: int = 3) -> dict[str, bytes]:
    drawn = random.Random(seed)
    return {f"w{number}": drawn.randbytes(4096) for number in range(count)}


def safetensors(made: Mapping[str, bytes]) -> bytes:
    at, header = 0, {"__metadata__": {"format": "pt"}}
    for name, data in made.items():
        header[name] = {"dtype": "F32", "data_offsets": [at, at + len(data)]}  # type: ignore[dict-item]
        at += len(data)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(made.values())


def pytorch(made: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as inner:
        inner.writestr("archive/data.pkl", bytes(2000))
        for name, data in made.items():
            inner.writestr(f"archive/data/{name}", data)
    return content.getvalue()


def numpy(made: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    arrays = {name: np.frombuffer(data, np.float32) for name, data in made.items()}
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def field(number: int, content: bytes) -> bytes:
    """Return a field of a protocol buffer."""
    size = len(content)
    length = b""
    while size >= 0x80:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def onnx(made: Mapping[str, bytes]) -> bytes:
    initializers = b"".join(
        field(5, b"\x08\x40\x10\x01" + field(8, name.encode()) + field(9, data))
        for name, data in made.items()
    )
    return b"\x08\x09" + field(2, b"maker") + field(7, field(2, b"graph") + initializers)


WRITERS = {"m.safetensors": safetensors, "m.pt": pytorch, "m.npz": numpy, "m.onnx": onnx}


def zipped(path: Path, files: Mapping[str, bytes | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as made:
        for name, content in {"main.sh": "true\n", **files}.items():
            made.writestr(name, content)
    return path


@pytest.mark.parametrize("name", WRITERS)
def test_tensors_are_the_same_in_all_formats(tmp_path: Path, name: str) -> None:
    made = tensors(1)

    found = of_zip(zipped(tmp_path / "a.zip", {name: WRITERS[name](made)}))

    assert found.tensors == {sha256(data).hexdigest(): 4096 for data in made.values()}


def test_weights_are_compared_by_bytes_and_not_by_names(tmp_path: Path) -> None:
    one, other = tensors(1), tensors(2)
    mixed = {"x": one["w0"], "y": other["w1"], "z": other["w2"]}
    zipped(tmp_path / "a.zip", {"weights/m.onnx": onnx(one)})
    zipped(tmp_path / "b.zip", {"best.pt": pytorch(mixed)})
    zipped(tmp_path / "c.zip", {"odd.bin": b"".join(one.values())})
    zipped(tmp_path / "d.zip", {"other.bin": b"".join(one.values())})

    found = twins.compare([tmp_path], None)

    weights = {(pair.one, pair.two): pair.weights for pair in found.pairs()}
    assert weights["a", "b"] == pytest.approx(1 / 3)
    assert weights["c", "d"] == 1.0
    assert weights["a", "c"] == 0.0
    assert (found.pairs()[0].one, found.pairs()[0].two) == ("c", "d")
    assert {pair.boxes for pair in found.pairs()} == {None}
    assert {pair.code for pair in found.pairs()} == {None}  # main.sh is too short to compare


PROGRAM = """
def area(box):  # of a box
    return (box[2] - box[0]) * (box[3] - box[1])

for number, name in enumerate(names):
    if name not in known and number % 3 == 0:
        total = total + area(boxes[name]) if name in boxes else total - 1
        print(f"{number} of {len(names)}", file=log, flush=True)
"""


def test_other_names_and_comments_do_not_hide_code(tmp_path: Path) -> None:
    renamed = PROGRAM.replace("number", "i").replace("name", "key").replace("# of a box", "# mine")
    other = "\n".join(f"import m{n}\nm{n}.run([{n}, {n * 7}], *x{n})" for n in range(30))
    zipped(tmp_path / "a.zip", {"main.py": PROGRAM})
    zipped(tmp_path / "b.zip", {"code/run.py": renamed})
    zipped(tmp_path / "c.zip", {"main.py": other})

    code = {(pair.one, pair.two): pair.code for pair in twins.compare([tmp_path], None).pairs()}

    assert code["a", "b"] == 1.0
    assert code["a", "c"] is not None
    assert code["a", "c"] < 0.05


def test_what_all_were_given_is_not_their_own(tmp_path: Path) -> None:
    start = (SOLUTIONS / "template/main.py").read_text()
    zipped(tmp_path / "a.zip", {"main.py": start})
    zipped(tmp_path / "b.zip", {"main.py": start})

    (pair,) = twins.compare([tmp_path], None).pairs()

    assert pair.code is None


def test_boxes_of_an_evaluation_are_compared(of_two: EvaluationRequest) -> None:
    """Each of the two has the boxes of the truth where the other has the first pixel."""
    made = planned(Path(str(of_two.data)), of_two.places[0])
    jobs = {item.name: [job.key for job in found] for item, found in made.jobs.items()}
    (of_two.out / "evaluation.json").write_text(json.dumps({"jobs": jobs}))

    (pair,) = twins.compare(of_two.places, of_two.out).pairs()

    assert pair.boxes is not None
    assert 0.0 <= pair.boxes < 0.1
    with pytest.raises(UsageError, match="does not hold an evaluation"):
        twins.compare(of_two.places, of_two.places[0])


@pytest.mark.parametrize("name", [*WRITERS, "m.npy"])
def test_broken_weights_are_compared_as_a_whole(tmp_path: Path, name: str) -> None:
    good = WRITERS.get(name, onnx)(tensors(1))
    drawn = random.Random(5)
    for number in range(60):
        bad = bytearray(good[: drawn.randrange(4096, len(good))])
        for _ in range(8):
            bad[drawn.randrange(200)] = drawn.randrange(256)
        path = zipped(tmp_path / f"{number}.zip", {name: bytes(bad)})
        assert of_zip(path).tensors  # whatever it is, it is something


def test_tensors_that_overlap_without_end_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprints, "_FILE", 1 << 20)
    header = {f"t{number}": {"data_offsets": [0, 8192]} for number in range(200)}
    text = json.dumps(header).encode()
    content = len(text).to_bytes(8, "little") + text + bytes(8192)

    found = of_zip(zipped(tmp_path / "a.zip", {"m.safetensors": content}))

    assert found.tensors == {sha256(content).hexdigest(): len(content)}


def test_what_is_no_zip_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"no zip")
    zipped(tmp_path / "b.zip", {})

    found = twins.compare([tmp_path], None)

    assert found.unread == ("a",)
    assert found.pairs()[0].weights is None


def on_page(page: str) -> dict[str, Any]:
    """Return what the script of a page is given."""
    packed = re.search('<template id="twins-data">(.*?)</template>', page)
    assert packed
    return dict(json.loads(zlib.decompress(base64.b64decode(packed[1]))))


def test_the_page_has_all_pairs_in_an_order_of_their_own(tmp_path: Path) -> None:
    for name in ("a<b>", "c", "d"):
        weights = tensors(1 if name != "c" else 2)
        zipped(tmp_path / f"{name}.zip", {"m.onnx": onnx(weights)})
    (tmp_path / "e.zip").write_bytes(b"no zip")

    page = twins_page.matrix_page(twins.compare([tmp_path], None))

    data = on_page(page)
    assert data["names"] == ["a<b>", "c", "d", "e"]
    assert [*data["measures"]] == ["weights"]  # there are no boxes, and too little code
    percents = [*base64.b64decode(data["measures"]["weights"]["percents"])]
    assert percents == [0, 100, 255, 0, 255, 255]
    assert data["measures"]["weights"]["order"][:2] in ([0, 2], [2, 0])
    assert "as the zips cannot be read: e." in page
    assert "a&lt;b&gt;" in page
    assert "a<b>" not in page


def test_a_page_of_very_many_has_those_that_are_like_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twins_page, "_MOST", 2)
    for name, seed in {"a": 1, "b": 2, "c": 3, "d": 2}.items():
        zipped(tmp_path / f"{name}.zip", {"m.onnx": onnx(tensors(seed))})

    page = twins_page.matrix_page(twins.compare([tmp_path], None))

    assert on_page(page)["names"] == ["b", "d"]
    assert "leaves out the 2 that are least like any other" in page
