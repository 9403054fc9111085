"""What a submission imports, compared with the lock."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

from posebowl.environments.comparison import Offer, missing, of_lock
from posebowl.environments.packages import MODULE_NAMES, module_names
from posebowl.submission.archive import inspect
from posebowl.util import host
from tests.hostile.archives import tree
from tests.unit.environments.conftest import FakeUv

LOCK = Offer(where="uv.lock", modules=frozenset({"numpy", "cv2", "sklearn", "PIL"}))
IMAGE = Offer(where="the image", modules=frozenset({"numpy", "cv2"}), remedy="Type: build")


def gone(files: dict[str, str], tmp_path: Path, offer: Offer = LOCK) -> dict[str, tuple[str, str]]:
    """Return what is missing: place and fix by module."""
    path = tmp_path / "a.zip"
    texts = {"main.sh": "python main.py\n"} | files
    path.write_bytes(tree({name: text.encode() for name, text in texts.items()}))
    return {item.module: (item.place, item.fix) for item in missing(inspect(path), LOCK, offer)}


@pytest.mark.parametrize(
    ("files", "modules"),
    [
        ({"main.py": "import os, numpy, cv2\nfrom PIL import Image"}, set()),
        ({"main.py": "import torch, numpy"}, {"torch"}),
        ({"main.py": "import near", "near.py": ""}, set()),
        ({"main.py": "import sys, far", "lib/far.py": ""}, set()),
        ({"main.py": "import sys, far", "lib/far/deep/a.py": ""}, set()),
        ({"main.py": "import fast", "fast.cpython-311-x86_64-linux-gnu.so": ""}, set()),
        ({"main.py": "import timm", "wheels/timm-1.0.2-py3-none-any.whl": ""}, set()),
        ({"main.py": "import yaml", "PyYAML-6.0.tar.gz": ""}, set()),
        ({"main.py": "import skimage", "w/scikit_image-0.2-cp311.whl": ""}, set()),
        ({"main.py": "import timm", "wheels/tim-1.0.2-py3-none-any.whl": ""}, {"timm"}),
        ({"main.py": "", "main.sh": "python -m lightgbm\n"}, {"lightgbm"}),
    ],
)
def test_what_is_missing(files: dict[str, str], modules: set[str], tmp_path: Path) -> None:
    assert gone(files, tmp_path).keys() == modules


def test_where_it_is_missing_and_what_to_type(tmp_path: Path) -> None:
    text = "import numpy\nimport sklearn, mmcv\ntry:\n  import hydra\nexcept ImportError:\n  pass\n"
    assert gone({"a/main.py": text}, tmp_path) == {
        "mmcv": (
            "a/main.py:2",
            "If it is yours, pack it too. If it is a package, type: uv add mmcv",
        ),
        "hydra": ("a/main.py:4", "Type: uv add hydra-core"),
    }
    # What the lock has comes to where it is missing in another way.
    found = gone({"a/main.py": text}, tmp_path, IMAGE)
    assert found["sklearn"] == ("a/main.py:2", "Type: build")
    assert found["hydra"] == ("a/main.py:4", "Type: uv add hydra-core")


def test_what_a_file_copes_without_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    text = b"import mmcv\ntry:\n  import ujson\nexcept ImportError:\n  pass\n"
    path.write_bytes(tree({"main.sh": b"python main.py", "main.py": text}))
    needed, spare = missing(inspect(path), LOCK, LOCK)
    assert (needed.optional, spare.optional) == (False, True)
    assert needed.text.startswith("main.py:1 imports mmcv, which is not in uv.lock")
    assert spare.text.startswith("main.py:3 can do without ujson")


def test_the_lock_offers_the_modules_of_its_packages(fake_uv: FakeUv, tmp_path: Path) -> None:
    fake_uv("for name in ('pyyaml', 'torch'): print(f'[[packages]]\\nname = \"{name}\"')\n")
    offer = of_lock("cpu", tmp_path)
    assert {"yaml", "torch"} <= offer.modules
    assert "cpu" in offer.where


def test_the_names_of_modules_are_those_of_what_is_installed() -> None:
    compared = 0
    for found in metadata.distributions():
        package = re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower()
        sources = [path for path in found.files or () if path.suffix == ".py"]
        tops = {path.parts[0].partition(".")[0] for path in sources}
        if package in MODULE_NAMES or module_names(package)[0] in tops:
            compared += 1
            assert tops >= set(module_names(package)) - {"mpl_toolkits"}, package
    assert compared > 20


def test_a_package_that_this_processor_cannot_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    offer = Offer(where="uv.lock", modules=frozenset({"polars", "tensorflow", "numpy"}))
    files = {"main.py": "import numpy, polars, tensorflow"}
    (tmp_path / "cpuinfo").write_text("flags\t\t: sse4_2 avx\n")
    monkeypatch.setattr(host, "_CPUINFO", tmp_path / "cpuinfo")
    assert gone(files, tmp_path, offer) == {
        "polars": ("main.py:1", "Run it on a machine with AVX2.")
    }
