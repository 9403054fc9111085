"""Which group is enough for a submission, and which modules a group brings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from posebowl.environments import packages
from posebowl.environments.packages import choose, modules
from posebowl.environments.venv import Group
from posebowl.errors import EngineError
from tests.unit.environments.conftest import FakeUv

LEAN = ["numpy", "opencv-python-headless", "onnxruntime"]
CPU = [*LEAN, "torch", "scikit-image", "scikit-learn", *"abcde"]
EXPORT = f"""
listed = {CPU} if "cpu" in words else {LEAN}
print('lock-version = "1.0"')
for name in listed:
    print(f'[[packages]]\\nname = "{{name}}"')
"""


@pytest.fixture
def known(fake_uv: FakeUv) -> Path:
    """List two small groups in the place of uv."""
    return fake_uv(EXPORT)


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("imports", "group", "reason"),
    [
        (set(), "lean", "nothing that needs more"),
        ({"numpy", "cv2"}, "lean", "nothing that needs more"),
        ({"my_own_module"}, "lean", "nothing that needs more"),
        ({"torch", "numpy"}, "cpu", "the submission imports torch"),
        ({"skimage"}, "cpu", "the submission imports skimage"),
        ({"torch", "sklearn", *"abcde"}, "cpu", "imports a, b, c, d, e and more"),
    ],
)
def test_the_smallest_environment_that_has_it(
    imports: set[str], group: Group, reason: str, tmp_path: Path
) -> None:
    choice = choose(frozenset(imports), tmp_path)
    assert choice.group == group
    assert reason in choice.reason


def test_all_that_is_asked_for_needs_no_list(known: Path, tmp_path: Path) -> None:
    assert choose(frozenset({"torch"}), tmp_path, full=True).group == "cpu"
    assert choose(frozenset(), tmp_path).group == "lean"
    assert known.read_text() == ""


def test_modules_have_other_names_than_packages(fake_uv: FakeUv, tmp_path: Path) -> None:
    names = ["absl-py", "jaraco.text", "Pillow", "scikit-image", "torch", "uvicorn", "torch"]
    calls = fake_uv(f"for name in {names}: print(f'[[packages]]\\nname = \"{{name}}\"')\n")
    expected = {
        "absl",
        "jaraco_text",
        "PIL",
        "skimage",
        "torch",
        "functorch",
        "torchgen",
        "uvicorn",
    }
    assert modules("cpu", tmp_path) == expected
    assert modules("cpu", tmp_path) == expected
    (call,) = map(json.loads, calls.read_text().splitlines())
    assert call["words"][:5] == ["export", "--frozen", "--no-default-groups", "--group", "cpu"]
    assert len(list((tmp_path / "environments").iterdir())) == 1


def test_the_real_uv_lists_the_real_groups(tmp_path: Path) -> None:
    lean, cpu = (modules(group, tmp_path) for group in ("lean", "cpu"))
    assert {"numpy", "cv2", "onnxruntime", "PIL"} <= lean < cpu
    assert {"torch", "ultralytics", "cpuinfo"} <= cpu - lean


def test_a_lock_that_cannot_be_read_is_the_engines_failure(fake_uv: FakeUv, tmp_path: Path) -> None:
    fake_uv("sys.exit('error: not a lock')")
    with pytest.raises(EngineError, match="failed with exit code 1") as caught:
        modules("cpu", tmp_path)
    assert caught.value.why == "error: not a lock"
    assert not (tmp_path / "environments").exists()


def test_names_are_normalized() -> None:
    for package, names in packages.MODULE_NAMES.items():
        assert package == package.lower()
        assert "_" not in package
        assert names
        assert all(name.isidentifier() for name in names)
