"""The folder of the results: held, cleared, and untrusted trees removed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from posebowl.errors import BusyError
from posebowl.results.folder import RUN_ID, clear, held, new_run_id
from posebowl.util.files import remove_tree


def test_one_holds_it_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    with held(out):
        with pytest.raises(BusyError) as caught, held(out):
            pytest.fail("held twice")
        assert "--out" in caught.value.fix
    with held(out, leave=False):
        assert out.is_dir()
    assert [path.name for path in out.iterdir()] == [".lock"]


def test_holding_a_folder_of_others_leaves_nothing(tmp_path: Path) -> None:
    with held(tmp_path, leave=False), pytest.raises(BusyError), held(tmp_path):
        pytest.fail("held twice")
    assert list(tmp_path.iterdir()) == []


def test_clear_takes_only_what_runs_left(tmp_path: Path) -> None:
    for name in ("submission.csv", "log.txt", "result.json", "report.html", "submission.zip"):
        (tmp_path / name).write_text("")
    (tmp_path / "keep").mkdir()
    for name in (".run-20261125-120000-0a1b2c", ".run-mine"):
        (tmp_path / name).mkdir()
    clear(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"keep", "submission.zip", ".run-mine"}
    clear(tmp_path)


def test_clear_takes_a_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    out, mine = tmp_path / "out", tmp_path / "mine"
    out.mkdir()
    mine.mkdir()
    (mine / "file").write_text("")
    (out / "log.txt").symlink_to(mine / "file")
    (out / ".run-20261125-120000-0a1b2c").symlink_to(mine)
    clear(out)
    assert list(out.iterdir()) == []
    assert (mine / "file").exists()


def test_an_untrusted_tree_goes_whatever_is_in_it(tmp_path: Path) -> None:
    tree, mine = tmp_path / "-rf", tmp_path / "mine"
    mine.mkdir()
    mine.chmod(0o750)
    (mine / "file").write_text("")
    deep = tree
    for _ in range(200):
        deep = deep / "deeper"
    deep.mkdir(parents=True)
    (tree / "closed" / "inner").mkdir(parents=True)
    (tree / "link").symlink_to(mine)
    (tree / "closed" / "inner" / "file\n").write_text("")
    (tree / "closed" / "inner").chmod(0)
    (tree / "closed").chmod(0)
    remove_tree(tree)
    assert not tree.exists()
    assert (mine / "file").exists()
    assert mine.stat().st_mode & 0o777 == 0o750


def test_what_is_not_there_is_removed_already(tmp_path: Path) -> None:
    remove_tree(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kept", "begins"),
    [
        ([], "20260301-120000-"),
        (["20260301-115959-0000ff"], "20260301-120000-"),
        (["20260301-120000-0000ff"], "20260301-120000-"),
        (["20991231-235959-0000ff", "20260301-115959-0000ff"], "21000101-000000-"),
        (["20260301-120001-0000ff", "best"], "20260301-120002-"),
        (["99999999-999999-0000ff"], "20260301-120000-"),
        (["99991231-235959-0000ff"], "20260301-120000-"),
    ],
)
def test_ids_go_on_where_the_clock_was_set_back(
    kept: list[str], begins: str, tmp_path: Path
) -> None:
    for name in kept:
        (tmp_path / "history" / name).mkdir(parents=True)
    made = new_run_id(tmp_path, datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert made.startswith(begins)
    assert RUN_ID.fullmatch(made)
