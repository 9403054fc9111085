"""uv.lock must install where nobody has a compiler."""

import tomllib

import pytest
from packaging.utils import parse_wheel_filename

from posebowl import paths
from posebowl.environments import venv

LOCK = tomllib.loads(paths.LOCK.read_text(encoding="utf-8"))
PACKAGES = {package["name"]: package for package in LOCK["package"]}


def fits(wheel):
    """Tell whether a wheel installs with CPython 3.11 on Linux, x86-64."""
    _, _, _, tags = parse_wheel_filename(wheel["url"].rsplit("/", 1)[-1].replace("%2B", "+"))
    return any(
        tag.platform == "any" or ("linux" in tag.platform and tag.platform.endswith("x86_64"))
        for tag in tags
    )


@pytest.mark.parametrize("group", ["lean", "cpu"])
def test_every_package_of_an_environment_has_a_wheel(group):
    names = set(venv._packages(group))
    assert "numpy" in names
    without = {
        name for name in names if not any(fits(wheel) for wheel in PACKAGES[name].get("wheels", []))
    }
    assert without == set()
