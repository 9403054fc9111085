from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from posebowl.submission.imports import find_imports


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        ("import torch", {"torch"}),
        ("import torch.nn as nn, cv2", {"torch", "cv2"}),
        ("from PIL.Image import open", {"PIL"}),
        ("from . import a\nfrom .b import c\nfrom ..d import e", set()),
        ("import os, sys, numpy", {"numpy"}),
        ("def f():\n  try:\n    import openvino\n  except ImportError:\n    pass", {"openvino"}),
        ("'''\nimport torch\n'''", set()),
        ("# import torch", set()),
        ("importlib.import_module('keras.models')", {"keras"}),
        ("__import__('timm')", {"timm"}),
        ("importlib.import_module('.near', __name__)", set()),
        ("importlib.import_module(name)", set()),
        ("x = '\\d'; import torch", {"torch"}),
    ],
)
def test_of_python(text: str, modules: set[str]):
    found = find_imports({"a.py": text})
    assert found.modules == modules
    assert found.unparsable == ()


@pytest.mark.parametrize(
    "text",
    [
        "import torch\nprint 'two'\nfrom cv2 import imread\n",
        "import torch\nfrom cv2 import imread\nx = (\n",
        "import torch\nimport cv2\n\0",
        "import torch\nimport cv2\nx = " + "-" * 9000 + "1",
    ],
)
def test_of_broken_python(text: str):
    found = find_imports({"src/a.py": text})
    assert found.modules == {"torch", "cv2"}
    assert len(found.unparsable) == 1
    assert found.unparsable[0].startswith("src/a.py:")


def test_beyond_the_budget_a_pattern_does():
    sources = {"a.py": "import torch", "b.py": "if x:\n    from cv2 import imread  # " + "x" * 30}
    assert find_imports(sources, budget=20).modules == {"torch", "cv2"}


@pytest.mark.parametrize(
    ("script", "modules"),
    [
        ("python -m ultralytics x", {"ultralytics"}),
        ("python3.11 -u -m torch.distributed.run", {"torch"}),
        ("python -um lightning", {"lightning"}),
        ("python -m pip install --no-deps x.whl", {"pip"}),
        ("python -c 'import torch; print(1)'", {"torch"}),
        ('python -c "from cv2 import imread"', {"cv2"}),
        ("python - <<'EOF'\nimport onnxruntime as ort\nEOF", {"onnxruntime"}),
        ("A=1 yolo predict model=w.pt", {"ultralytics"}),
        ("cd x && exec yolo predict", {"ultralytics"}),
        ("echo yolo", set()),
        ("# python -m torch", set()),
        ("python main.py", set()),
    ],
)
def test_of_scripts(script: str, modules: set[str]):
    assert find_imports({}, [script]).modules == modules


def test_what_the_submission_brings_is_not_imported():
    sources = {
        "main.py": "import helper, vendor, pkg, src.deep, torch",
        "helper.py": "",
        "vendor/__init__.py": "import cv2",
        "src/run.py": "import near, pkg, far",
        "src/near.py": "",
        "other/far.py": "",
        "pkg/mod.py": "",
    }
    # A folder without __init__.py gives way to an installed package, so `pkg` may be one.
    assert find_imports(sources).modules == {"torch", "cv2", "pkg", "src", "far"}


@given(st.text(max_size=200))
def test_any_text_is_read(text: str):
    found = find_imports({"a.py": "import x\n" + text}, [text])
    assert all(module.isidentifier() or module for module in found.modules)
    assert "x" in found.modules


@pytest.mark.parametrize("again", ["a", "a.", " ", "python -", "python -a ", "a=(", "-m", "<<a "])
def test_no_pattern_reads_a_long_script_again_and_again(again: str):
    # Read on from each place at which it begins, a pattern would take hours for this.
    text = f"from {again * ((1 << 20) // len(again))}"
    assert find_imports({"a.py": text}, [text, "python -m torch"]).modules == {"torch"}


def test_what_builds_a_bundled_package_is_not_imported_unless_it_is_run():
    sources = {"vendor/setup.py": "import setuptools", "main.py": "import torch"}
    assert find_imports(sources).modules == {"torch"}
    assert find_imports(sources, ["python vendor/setup.py install"]).modules == {
        "torch",
        "setuptools",
    }
