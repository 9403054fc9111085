"""A set is continued with the settings that it was started with, and refused with others."""

from __future__ import annotations

import json

import pytest

from posebowl.errors import UsageError
from posebowl.render import dataset
from posebowl.render.dataset import render_dataset
from posebowl.render.image import Only


@pytest.fixture
def written(tmp_path):
    """Write the settings of a set of seed 7; return their file."""
    settings = dataset._checked_settings(1, 7, None, only=Only.PHOTOS, jpeg=False, compact=False)
    dataset._create(tmp_path / "set", settings)
    return tmp_path / "set" / "render.json"


def test_a_set_of_another_seed_is_not_continued(written):
    with pytest.raises(UsageError, match="other settings") as refused:
        render_dataset(written.parent, count=1, seed=8)
    assert refused.value.why == "seed: 8, there 7."


@pytest.mark.parametrize("content", ["", "[]", '{"seed": 7'])
def test_a_set_with_unreadable_settings_is_not_continued(written, content):
    written.write_text(content)
    with pytest.raises(UsageError, match="other settings"):
        render_dataset(written.parent, count=1, seed=7)
    assert written.read_text() == content


def test_a_set_with_a_setting_of_a_later_version_is_not_continued(written):
    written.write_text(json.dumps(json.loads(written.read_text()) | {"sharpness": 3}))
    with pytest.raises(UsageError, match="other settings") as refused:
        render_dataset(written.parent, count=1, seed=7)
    assert refused.value.why == "sharpness: None, there 3."


def test_a_set_of_an_earlier_version_lacks_what_was_not_asked_for(written, monkeypatch):
    settings = json.loads(written.read_text())
    del settings["remodel"], settings["longitudes"]
    written.write_text(json.dumps(settings))
    with pytest.raises(UsageError) as refused:
        render_dataset(written.parent, count=1, seed=7, remodel=True)
    assert refused.value.why == "remodel: True, there None."
    monkeypatch.setattr(dataset, "require_renderer", lambda: None)
    monkeypatch.setattr(dataset, "_work", lambda *_: iter(()))
    assert render_dataset(written.parent, count=1, seed=7) == []
    assert json.loads(written.read_text()) == settings
