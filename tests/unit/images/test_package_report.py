"""The report on an image for a package request, and the script inside that it is made from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from posebowl import paths
from posebowl.challenge import Variant
from posebowl.environments import Change
from posebowl.images.package_report import PackageReport, is_copyleft, markdown
from posebowl.images.package_tests import Packages

TESTED = Packages(
    image="0123",
    exit_code=1,
    packages={},
    tests={"test_a.py::test_x": "passed", "test_a.py::test_y": "failed", "test_b.py::t": "passed"},
)


@pytest.mark.parametrize(
    ("licence", "flagged"),
    [
        ("GPL-3.0-only", True),
        ("GPLv3", True),
        ("MIT OR gpl-2.0", True),
        ("AGPL-3.0", True),
        ("GNU Affero General Public License v3 or later (AGPLv3+)", True),
        ("GNU General Public License v2 (GPLv2)", True),
        ("GNU Library or Lesser General Public License (LGPL)", False),
        ("GNU Lesser General Public License v3 (LGPLv3)", False),
        ("GNU Lesser General Public License v3 (LGPLv3) AND GPL-2.0", True),
        ("LGPL-2.1-or-later", False),
        ("MIT", False),
        ("", False),
    ],
)
def test_gpl_and_agpl_are_flagged(licence: str, *, flagged: bool) -> None:
    assert is_copyleft(licence) is flagged


def package(licence: str = "MIT", size: int = 1 << 20, **imported: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"version": "1", "licence": licence, "bytes": size}
    return found | ({"imported": {"module": "some", **imported}} if imported else {})


def report(**installed: dict[str, Any]) -> str:
    changes = (
        Change(name="fast", before="1.0", after="1.1"),
        Change(name="gone", before="2", after=""),
        Change(name="libre", before="", after="3"),
    )
    return markdown(
        PackageReport(
            variant=Variant.GPU,
            image_bytes=3 << 30,
            tested=TESTED,
            changes=changes,
            installed=installed,
        )
    )


def test_the_report_shows_what_reviewers_decide_on() -> None:
    text = report(
        fast=package(seconds=0.125),
        libre=package("AGPL-3.0-only", seconds=2.0),
        old=package("GPL-2.0", 5 << 20, error="ImportError: no"),
        unnamed=package(""),
    )
    lines = text.splitlines()
    assert lines[0] == "## The gpu image"
    assert "- Size: **3.0 GiB**, 4 packages" in lines
    assert "- Tests of the packages: 1 failed, 2 passed" in lines
    assert r"  - failed: test\_a.py::test\_y" in lines
    assert "| fast | 1.0 | 1.1 | 1.0 MiB | MIT | 0.12 s |" in lines
    assert "| gone | 2 | removed | not in it |  |  |" in lines
    assert "| libre | new | 3 | 1.0 MiB | ⚠️ **AGPL-3.0-only** | 2.00 s |" in lines
    assert "- GPL or AGPL: **libre (changed)**, old" in lines
    assert "- Not stated: unnamed" in lines
    imports = lines[lines.index("| package | module | time |") + 2 :]
    assert imports[:3] == ["| old | some | ❌ ImportError: no |", "| libre | some | 2.00 s |", ""]


def test_the_words_of_a_package_stay_words() -> None:
    text = report(fast=package("MIT | x\n<img src=y> @all [a](b)", error="`x`\x1b[1m"))
    (row,) = (line for line in text.splitlines() if line.startswith("| fast | 1.0"))
    assert r"MIT \| x\\n\<img src=y\> \@all \[a\]\(b\)" in row
    assert r"❌ \`x\`\\x1b\[1m" in row


def test_nothing_changed_and_nothing_is_slow() -> None:
    text = markdown(
        PackageReport(variant=Variant.CPU, image_bytes=1, tested=TESTED, changes=(), installed={})
    )
    assert "uv.lock: 0\n\nnone\n" in text
    assert "- GPL or AGPL: none\n- Not stated: none\n" in text


def install(folder: Path, name: str, metadata: str, **modules: str) -> None:
    """Make a package as an installer leaves it."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{metadata}")
    for module, code in modules.items():
        (folder / f"{module}.py").write_text(code)
    rows = [f"{module}.py,,{1000 * (n + 1)}\n" for n, module in enumerate(modules)]
    (info / "RECORD").write_text("".join(rows))


def survey(folder: Path, *names: str) -> dict[str, Any]:
    script = paths.RUNTIME / "tests" / "survey.py"
    argv = [sys.executable, str(script), str(folder / "result.json"), *names]
    subprocess.run(argv, check=True, env={**os.environ, "PYTHONPATH": str(folder)}, cwd=folder)
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return found


def test_the_survey_reads_what_is_installed(tmp_path: Path) -> None:
    osi = "Classifier: License :: OSI Approved"
    install(tmp_path, "Good-One", "License-Expression: MIT\nLicense: no\n", good_one="", other="")
    install(tmp_path, "bad", f"{osi} :: Z\n{osi} :: A\n{osi}\n", _bad="", badly="import gone")
    install(tmp_path, "texts", "License: The X License\n        Copyright\n", tests="")
    install(tmp_path, "unknown", "License: UNKNOWN\n", unknown="raise SystemExit(3)")
    found = survey(tmp_path, "good-one", "bad", "texts", "unknown", "never-installed")
    assert "never-installed" not in found
    assert found["good-one"]["licence"] == "MIT"
    assert found["good-one"]["bytes"] == 3000
    assert found["good-one"]["imported"]["module"] == "good_one"
    assert 0 <= found["good-one"]["imported"]["seconds"] < 60
    assert found["bad"]["licence"] == "A AND Z"
    assert found["bad"]["imported"] == {
        "module": "badly",
        "error": "ModuleNotFoundError: No module named 'gone'",
    }
    assert found["texts"]["licence"] == "The X License"
    assert "imported" not in found["texts"]
    assert found["unknown"]["licence"] == ""
    assert found["unknown"]["imported"]["error"] == "exit 3"
    assert found["pytest"]["version"] == pytest.__version__
    assert "imported" not in found["pytest"]
