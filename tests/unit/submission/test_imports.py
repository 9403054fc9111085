from __future__ import annotations

import resource

import pytest
from hypothesis import given, strategies as st

from posebowl.submission.imports import Import, find_imports


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


BOMBS = {
    "dots": "import a" + ".a" * (1 << 17),
    "brackets": ("x = " + "[" * 90 + "1" + "]" * 90 + "\n") * 2000,
    "commas": "x = " + "x," * (1 << 17),
    "attributes": "x = a" + ".b" * (1 << 17),
    "calls": "x = a" + "()" * (1 << 17),
    "fields": 'x = f"' + "{a}" * (1 << 17) + '"',
    "fields in fields": 'x = f"""' + "{f'{a}'}" * (1 << 15) + '"""',
    "strings": "x = " + 'f"{a}"' * (1 << 16),
    "digits": "x = " + "9" * (1 << 18),
    "open": "x = " + "{1:" * 190,
    "indents": "".join(" " * depth + "if 1:\n" for depth in range(95)),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_source_that_takes_for_ever_is_not_waited_for(bomb: str):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = find_imports({"a.py": f"import torch\n{BOMBS[bomb]}\n", "b.py": "import cv2"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert {"torch", "cv2"} <= found.modules
    assert found.unparsed in {(), ("a.py", "b.py")}
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.5


@pytest.mark.parametrize(
    ("text", "optional"),
    [
        ("import x", False),
        ("def f():\n  import x", False),
        ("class A:\n  if a:\n    import x", False),
        ("try:\n  import x\nexcept ImportError:\n  x = None", True),
        ("try:\n  pass\nexcept (KeyError, ModuleNotFoundError):\n  import x", True),
        ("try:\n  import x\nexcept Exception as e:\n  pass", True),
        ("try:\n  import x\nexcept:\n  pass", True),
        ("try:\n  import x\nexcept KeyError:\n  pass", False),
        ("try:\n  import x\nfinally:\n  pass", False),
        ("with contextlib.suppress(ImportError):\n  import x", True),
        ("with open('a'):\n  import x", False),
        ("if TYPE_CHECKING:\n  from x import y", True),
        ("if sys.version_info < (3, 11):\n  import x", True),
        ("if not importlib.util.find_spec('a'):\n  import x", True),
        ("match a:\n  case 1:\n    import x", False),
        ("try:\n  x = __import__('x')\nexcept ImportError:\n  pass", True),
        ("try:\n  import x\nexcept ImportError:\n  pass\nimport x", False),
    ],
)
def test_what_a_file_copes_without(text: str, optional: bool):
    (found,) = find_imports({"a.py": text}).used
    assert found == Import(module="x", place=found.place, optional=optional)


def test_where_a_module_is_used_first():
    scripts = {"main.sh": "# import x\ncd a\npython -m lightgbm\nyolo predict\n"}
    used = find_imports({"a/b.py": "\n\nimport cv2\nimport cv2.dnn"}, scripts).used
    assert [(item.module, item.place) for item in used] == [
        ("cv2", "a/b.py:3"),
        ("lightgbm", "main.sh:3"),
        ("ultralytics", "main.sh"),
    ]


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
    assert find_imports({}, {"main.sh": script}).modules == modules


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
    found = find_imports({"a.py": "import x\n" + text}, {"main.sh": text})
    assert all(module.isidentifier() or module for module in found.modules)
    assert "x" in found.modules


@pytest.mark.parametrize("again", ["a", "a.", " ", "python -", "python -a ", "a=(", "-m", "<<a "])
def test_no_pattern_reads_a_long_script_again_and_again(again: str):
    # Read on from each place at which it begins, a pattern would take hours for this.
    text = f"from {again * ((1 << 20) // len(again))}"
    assert find_imports({"a.py": text}, {"main.sh": text, "a.sh": "python -m torch"}).modules == {
        "torch"
    }


def test_what_builds_a_bundled_package_is_not_imported_unless_it_is_run():
    sources = {"vendor/setup.py": "import setuptools", "main.py": "import torch"}
    assert find_imports(sources).modules == {"torch"}
    assert find_imports(sources, {"main.sh": "python vendor/setup.py install"}).modules == {
        "torch",
        "setuptools",
    }
