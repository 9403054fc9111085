"""What all tests share: a small data set, umasks, and guards against what tests must not do."""

from __future__ import annotations

import tests.isolation  # noqa: F401  # what follows reads the environment when it is imported

# isort: split

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from PIL import Image

from posebowl.challenge import COLUMNS, IMAGE_HEIGHT, IMAGE_WIDTH
from posebowl.engines.embedded import engine
from tests.leftovers import Leftovers
from tests.umask import UMASKS, umask

# No deadline: machines are shared and sometimes slow. In CI the same examples every time, so that a
# change never fails for a fault that was there before it.
settings.register_profile("posebowl", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("posebowl")

# A script's background jobs ignore Ctrl-C, and so would everything that they start: the tests that
# send it would wait forever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

IDS = tuple(f"{number:04x}{'ab' * 14}" for number in range(6))
BOXES = tuple((10 * number, 20, 300 + number, 400) for number in range(6))


def pytest_configure(config: pytest.Config) -> None:
    """Look for processes and temporary files that the tests leave."""
    config.pluginmanager.register(Leftovers())


@pytest.fixture(autouse=True)
def no_engine_unasked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbid engines in tests that are not marked `container`."""
    if request.node.get_closest_marker("container"):
        return

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("this test starts an engine: mark it with pytest.mark.container")

    monkeypatch.setattr(engine.EmbeddedEngine, "execute", refuse)


@pytest.fixture(params=UMASKS, ids="umask-{:03o}".format)
def each_umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Run the test once under each umask, and return it."""
    with umask(request.param):
        yield request.param


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a labelled data folder of six black photos."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    for name in IDS:
        image = Image.new("RGB", (IMAGE_WIDTH, IMAGE_HEIGHT))
        image.save(folder / "images" / f"{name}.png")
    write_table(folder / "submission_format.csv", [(0, 0, 0, 0)] * len(IDS))
    write_table(folder / "train_labels.csv", BOXES)
    return folder


def write_table(path: Path, boxes: object) -> None:
    """Write a table of boxes for the six photos."""
    rows = [",".join(COLUMNS)]
    rows += [",".join(map(str, (name, *box))) for name, box in zip(IDS, boxes, strict=True)]
    path.write_text("\n".join(rows) + "\n")
