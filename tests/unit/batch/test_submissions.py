"""Submissions: each zip found once, under a name of its own, and nothing left out silently."""

from __future__ import annotations

import itertools
import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from posebowl.batch.submissions import _distinct, collect
from posebowl.errors import UsageError
from tests.unit.batch.test_plan import zipped


def names(*places: Path) -> list[str]:
    return [item.name for item in collect(places).submissions]


def test_submissions_are_named_after_their_zip_or_its_folder(tmp_path: Path) -> None:
    for name in ("b.zip", "a/submission.zip", "c/d.zip", "notes.txt"):
        zipped(tmp_path / "all" / name)
    zipped(tmp_path / "alone/submission.zip")

    assert names(tmp_path / "all", tmp_path / "alone/submission.zip") == ["a", "b", "c/d", "alone"]


def test_a_folder_named_by_a_dot_has_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped(tmp_path / "team/submission.zip")
    monkeypatch.chdir(tmp_path / "team")

    assert names(Path()) == names(Path("submission.zip")) == ["team"]


def test_what_macos_leaves_beside_a_zip_is_not_a_submission(tmp_path: Path) -> None:
    for name in ("a.zip", "._a.zip", "__MACOSX/a.zip", "__MACOSX/._a.zip", "b/._c.zip", ".d.zip"):
        zipped(tmp_path / "all" / name)

    assert names(tmp_path / "all") == [".d", "a"]
    assert len(names(tmp_path / "all/._a.zip")) == 1  # as it is named
    with pytest.raises(UsageError, match="holds no zip"):
        collect([tmp_path / "all/b"])


def test_each_zip_is_evaluated_under_a_name_of_its_own(tmp_path: Path) -> None:
    paths = [zipped(tmp_path / name, name) for name in ("a.zip", "sub/a.zip", "sub/sub/a.zip")]

    found = collect([paths[0], tmp_path / "sub"]).submissions

    assert [(item.name, item.archive) for item in found] == [
        ("a.zip", paths[0]),
        ("sub/a.zip", paths[1]),
        ("sub/a", paths[2]),
    ]
    assert len({item.sha256 for item in found}) == 3


@pytest.mark.parametrize(
    "files",
    [
        ("x/a.zip", "y/a.zip"),
        ("a.zip", "A.zip", "A.ZIP", "a.Zip"),
        ("x/team/submission.zip", "y/team/submission.zip", "team/submission.zip", "team.zip"),
        ("submission/submission.zip", "submission.zip"),
        (unicodedata.normalize("NFC", "é.zip"), unicodedata.normalize("NFD", "é.zip")),
        ("a\n.zip", "a\\n.zip"),
        ("a.zip", "a.zip.zip", "a.zip #2.zip"),
        (os.fsdecode(b"\xff.zip"), "\\udcff.zip"),
    ],
)
def test_no_two_submissions_have_a_name_that_looks_the_same(
    tmp_path: Path, files: tuple[str, ...]
) -> None:
    for name in files:
        zipped(tmp_path / "all" / name, name.encode(errors="backslashreplace").hex())
    places = [tmp_path / "all" / name for name in files]

    for given_places in ([tmp_path / "all"], places, [*places, tmp_path / "all"]):
        found = collect(given_places).submissions
        assert {item.archive for item in found} == {path.resolve() for path in places}
        seen = {unicodedata.normalize("NFC", item.name) for item in found}
        assert len(seen) == len(files)
        assert all(name.isprintable() for name in seen)


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(["a", "A", "sub", "e\u0301", "\u00e9"]), max_size=3),
            st.sampled_from(["a.zip", "a.ZIP", "a.zip.zip", "submission.zip", "a.zip #2.zip"]),
            st.sampled_from(["a", "sub/a", "a.zip", "a.zip #2"]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_names_are_distinct_whatever_the_short_ones_are(
    files: list[tuple[list[str], str, str]],
) -> None:
    short = {Path("/all", *folders, name): said for folders, name, said in files}

    named = _distinct(short)

    assert list(named) == list(short)
    assert len({unicodedata.normalize("NFC", name) for name in named.values()}) == len(short)


def test_a_folder_that_is_named_twice_is_searched_once(tmp_path: Path) -> None:
    zipped(tmp_path / "all/a.zip")
    (tmp_path / "same").symlink_to("all")
    ways = [tmp_path / "all", tmp_path / "all/../all", tmp_path / "same", tmp_path / "all/a.zip"]

    for places in itertools.permutations(ways):
        found = collect(places)
        assert [item.name for item in found.submissions] == ["a"]
        assert len(found.left_out) == 0


def test_links_are_followed_and_keep_their_name(tmp_path: Path) -> None:
    zipped(tmp_path / "elsewhere/a.zip")
    folder = tmp_path / "all"
    folder.mkdir()
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "b.zip").symlink_to(tmp_path / "elsewhere/a.zip")
    (folder / "round").symlink_to(folder)

    found = collect([folder]).submissions

    assert [item.name for item in found] == ["b", "linked/a"]
    assert {item.archive for item in found} == {tmp_path / "elsewhere/a.zip"}


def test_capitals_are_no_reason_to_leave_a_zip_out(tmp_path: Path) -> None:
    zipped(tmp_path / "TEAM.ZIP")
    zipped(tmp_path / "other/SUBMISSION.Zip")

    assert names(tmp_path) == ["TEAM", "other"]


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    for name in ("a.zip", "notes.txt", "b.tar.gz", "in/a.zip"):
        zipped(tmp_path / name)
    (tmp_path / "twice").symlink_to("in")

    found = collect([tmp_path])

    assert [item.name for item in found.submissions] == ["a", "in/a"]
    assert [line.removeprefix(f"{tmp_path}/") for line in found.left_out] == [
        "b.tar.gz",
        "notes.txt",
        "twice/a.zip (found before)",
    ]


@pytest.mark.parametrize("name", ["empty", "absent.zip", "broken", "pipe"])
def test_what_cannot_be_evaluated_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    for folder in ("broken", "pipe"):
        zipped(tmp_path / folder / "a.zip")
    (tmp_path / "broken/b.zip").symlink_to("gone")
    os.mkfifo(tmp_path / "pipe/b.zip")

    with pytest.raises(UsageError, match=name):
        collect([tmp_path / name])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_searched_is_refused(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip")
    (tmp_path / "closed").mkdir(mode=0)

    with pytest.raises(UsageError, match="closed cannot be read: Permission denied"):
        collect([tmp_path])
