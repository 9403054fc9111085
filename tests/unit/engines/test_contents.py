"""What an engine offers to a submission."""

from __future__ import annotations

from pathlib import Path

import pytest

from posebowl import environments
from posebowl.challenge import EngineName, Variant
from posebowl.engines.contents import offered

NONE: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("variant", "full", "group"),
    [
        (Variant.CPU, False, "lean"),
        (Variant.CPU, True, "cpu"),
        (Variant.GPU, False, "gpu"),
    ],
)
def test_an_environment_offers_what_lies_in_it(
    variant: Variant, full: bool, group: environments.Group, tmp_path: Path
) -> None:
    place = environments.location(group, tmp_path)
    packages = place / "lib/python3.11/site-packages"
    for name in ("numpy", "google", "numpy-2.0.dist-info"):
        (packages / name).mkdir(parents=True)
    for name in ("six.py", "fast.cpython-311-x86_64-linux-gnu.so"):
        (packages / name).touch()
    (place / ".posebowl.json").touch()
    found = offered(EngineName.EMBEDDED, variant, NONE, tmp_path, full=full)
    assert {"numpy", "google", "six", "fast"} <= found.modules
    assert "cv2" not in found.modules
    assert group in found.where


def test_an_environment_that_is_not_made_offers_what_the_lock_has(tmp_path: Path) -> None:
    found = offered(EngineName.EMBEDDED, Variant.CPU, NONE, tmp_path)
    assert {"numpy", "cv2", "PIL", "yaml"} & found.modules >= {"numpy", "cv2", "PIL"}
    assert "torch" not in found.modules
