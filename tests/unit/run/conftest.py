"""What tests of runs share."""

from pathlib import Path

import pytest

from tests.run_bench import Bench


@pytest.fixture
def bench(tmp_path: Path, data_folder: Path) -> Bench:
    """Return a folder to run in."""
    return Bench(tmp_path, data_folder)
