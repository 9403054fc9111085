"""Process 1 of a run: what it calls is what the images and the embedded engine hold."""

from __future__ import annotations

import re

from posebowl.engines.embedded import layout
from posebowl.paths import RUNTIME


def test_the_tools_that_it_calls_are_there() -> None:
    called = re.findall(r"/opt/posebowl/([\w./]+)", (RUNTIME / "entrypoint.sh").read_text())
    copied = (RUNTIME / "Dockerfile").read_text()
    assert called == ["unpack.py"]
    for name in called:
        assert name in layout.TOOL_FILES
        assert f"runtime/{name}" in copied
