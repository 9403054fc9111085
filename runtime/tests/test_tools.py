"""Packages that scripts are written with, and the programs beside them."""

# ruff: noqa: PLC0415
# Imports are inside the tests, so that one broken package fails alone.
from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def test_click() -> None:
    import click
    from click.testing import CliRunner

    @click.command()
    @click.option("--count", type=int)
    def double(count: int) -> None:
        click.echo(2 * count)

    assert CliRunner().invoke(double, ["--count", "21"]).output == "42\n"


def test_dill() -> None:
    import dill

    offset = 40
    assert dill.loads(dill.dumps(lambda x: x + offset))(2) == 42  # noqa: S301


def test_loguru() -> None:
    from loguru import logger

    lines: list[str] = []
    handler = logger.add(lines.append, format="{level} {message}")
    logger.info("image {} of {}", 1, 2)
    logger.remove(handler)
    assert lines == ["INFO image 1 of 2\n"]


def test_pip_installs_a_bundled_wheel(tmp_path: Path) -> None:
    import zipfile

    wheel = tmp_path / "posebowl_probe-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        info = "posebowl_probe-1.dist-info"
        archive.writestr("posebowl_probe.py", "ANSWER = 42\n")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: posebowl-probe\nVersion: 1\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "-q", wheel], check=True
    )
    code = "import posebowl_probe; print(posebowl_probe.ANSWER)"
    argv = [sys.executable, "-c", code]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "42\n"
    subprocess.run(
        [sys.executable, "-m", "pip", "uninstall", "-q", "-y", "posebowl-probe"], check=True
    )


def test_pydantic() -> None:
    import pydantic

    class Box(pydantic.BaseModel):
        xmin: int
        xmax: pydantic.PositiveInt

    assert Box.model_validate_json('{"xmin": 1, "xmax": "2"}').xmax == 2
    with pytest.raises(pydantic.ValidationError):
        Box(xmin=0, xmax=-1)


def test_pyyaml() -> None:
    import yaml

    assert yaml.safe_load("model: {size: n, classes: [craft]}")["model"]["classes"] == ["craft"]


def test_tqdm() -> None:
    import io

    import tqdm

    stream = io.StringIO()
    assert list(tqdm.tqdm(range(3), file=stream)) == [0, 1, 2]
    assert "3/3" in stream.getvalue()


@pytest.mark.parametrize(
    "name", ["pip", "g++", "cmake", "curl", "wget", "zip", "unzip", "parallel"]
)
def test_programs_are_there(name: str) -> None:
    path = shutil.which(name)
    assert path is not None
    assert subprocess.run(
        [path, "--version" if name not in {"zip", "unzip"} else "-v"],
        capture_output=True,
        check=True,
    ).stdout


def test_time_zones_are_there() -> None:
    import zoneinfo

    assert zoneinfo.ZoneInfo("Europe/Paris").key == "Europe/Paris"
