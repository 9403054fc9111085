"""A short round of the fuzzer; `python -m tests.hostile.fuzz` goes on for as long as one likes."""

from __future__ import annotations

import pytest

from tests.hostile.fuzz import READERS, fuzz


@pytest.mark.parametrize("kind", READERS)
def test_mutated_inputs_are_answered_in_words(kind: str):
    ended, finds = fuzz(kind, seed=1, count=3000)

    assert not finds
    assert sum(ended.values()) == 3000
    assert len(ended) > 1
