"""Packages for tables and numbers."""

# ruff: noqa: PLC0415
# Imports are inside the tests, so that one broken package fails alone.
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


def test_numba() -> None:
    import numba

    @numba.njit(parallel=True)
    def total(values: np.ndarray) -> float:
        result = 0.0
        for i in numba.prange(len(values)):
            result += values[i]
        return result

    assert total(np.arange(1000.0)) == 499_500


def test_pandas_polars_and_pyarrow(tmp_path: Path) -> None:
    import pandas as pd
    import polars as pl

    frame = pl.DataFrame({"image_id": ["a", "b"], "xmin": [1, 2]})
    frame.write_parquet(tmp_path / "x.parquet")
    back = pd.read_parquet(tmp_path / "x.parquet", engine="pyarrow")
    assert back.to_dict("list") == {"image_id": ["a", "b"], "xmin": [1, 2]}
    assert pl.from_pandas(back).equals(frame)
    assert frame.to_arrow().num_rows == 2


def test_scipy() -> None:
    from scipy import ndimage, optimize

    assert optimize.brentq(lambda x: x**2 - 2, 0, 2) == pytest.approx(2**0.5)
    assert ndimage.label(np.eye(3))[1] == 3


def test_statsmodels() -> None:
    import statsmodels.api as sm

    x = np.linspace(0, 1, 50)
    fit = sm.OLS(1 + 2 * x, sm.add_constant(x)).fit()
    assert fit.params == pytest.approx([1, 2])
