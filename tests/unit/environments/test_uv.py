"""uv is started so that the user's settings reach packages, and choose none."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.environments import uv
from posebowl.errors import UsageError
from tests.unit.environments.conftest import FakeUv

FOREIGN = {
    "UV_EXCLUDE_NEWER": "2020-01-01",
    "UV_FORK_STRATEGY": "fewest",
    "UV_LINK_MODE": "symlink",
    "UV_NO_BINARY": "1",
    "UV_PRERELEASE": "allow",
    "UV_PROJECT": "/elsewhere",
    "UV_RESOLUTION": "lowest",
    "PYTHONPATH": "/opt/ros/lib/python3.10/site-packages",
    "VIRTUAL_ENV": "/elsewhere",
}
REACH = {
    "UV_CACHE_DIR": "/cache",
    "UV_DEFAULT_INDEX": "https://me:secret@example.org/simple",
    "UV_INDEX_MINE_PASSWORD": "secret",
    "UV_OFFLINE": "1",
    "https_proxy": "http://proxy.example.org:3128",
}


def test_only_settings_about_reaching_packages_hold(tmp_path: Path) -> None:
    changes = uv.environment(FOREIGN | REACH | {"UV_NO_CONFIG": "1"}, tmp_path)
    assert {name for name, value in changes.items() if value is None} >= set(FOREIGN)
    assert not set(changes) & set(REACH)
    assert changes["UV_NO_CONFIG"] == "1"
    assert list(tmp_path.iterdir()) == []


def test_so_in_the_users_configuration_file(tmp_path: Path) -> None:
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").write_text(
        'exclude-newer = "2020-01-01"\n'
        'link-mode = "symlink"\n'
        "native-tls = true\n"
        "concurrent-downloads = 3\n"
        'allow-insecure-host = ["a.example.org", "b\\"c"]\n'
        '[[index]]\nname = "mine"\nurl = "https://example.org/simple"\ndefault = true\n'
        '[pip]\nindex-url = "https://example.org"\n'
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "XDG_CONFIG_DIRS": "/nowhere"}
    changes = uv.environment(environ, scratch)
    file = changes["UV_CONFIG_FILE"]
    assert file is not None
    assert tomllib.loads(Path(file).read_text()) == {
        "native-tls": True,
        "concurrent-downloads": 3,
        "allow-insecure-host": ["a.example.org", 'b"c'],
        "index": [{"name": "mine", "url": "https://example.org/simple", "default": True}],
    }


def test_a_configuration_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "uv.toml").write_text("[")
    with pytest.raises(UsageError, match=r"uv\.toml cannot be read"):
        uv.environment({"UV_CONFIG_FILE": str(tmp_path / "uv.toml")}, tmp_path)


def test_uv_runs_in_the_checkout_with_modes_for_all(
    fake_uv: FakeUv, monkeypatch: pytest.MonkeyPatch, each_umask: int
) -> None:
    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)
    calls = fake_uv("print(f'{os.getcwd()} {os.umask(0):o}')\nsys.exit(words[0] == 'fail')\n")
    lines: list[str] = []
    uv.run_uv("version", on_line=lines.append)
    assert lines == [f"{paths.ROOT} 22"]
    assert each_umask == os.umask(each_umask)
    env = json.loads(calls.read_text())["env"]
    assert not set(env) & set(FOREIGN)


@pytest.mark.parametrize("name", ["UV_EXCLUDE_NEWER", "UV_PRERELEASE", "UV_FORK_STRATEGY"])
def test_the_real_uv_finds_the_lock_good_whatever_the_user_has_set(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, FOREIGN[name])
    argv = ["uv", "lock", "--check", "--offline"]
    assert subprocess.run(argv, cwd=paths.ROOT, capture_output=True, check=False).returncode
    assert uv.run_uv("lock", "--check", "--offline").returncode == 0


def test_the_projects_own_settings_win_over_the_users_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").write_text(
        'exclude-newer = "2020-01-01T00:00:00Z"\n'
        'prerelease = "allow"\nresolution = "lowest"\nfork-strategy = "fewest"\n'
    )
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    argv = ["uv", "lock", "--check", "--offline"]
    done = subprocess.run(argv, cwd=paths.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_settings_that_make_uv_write_the_lock_again(tmp_path: Path) -> None:
    (tmp_path / "uv.toml").write_text('native-tls = true\nindex-url = "https://example.org/"\n')
    environ = {"UV_CONFIG_FILE": str(tmp_path / "uv.toml"), "UV_OFFLINE": "1"}
    assert uv.rewriting_settings(environ) == [f"index-url in {tmp_path}/uv.toml"]
    environ = FOREIGN | {"UV_NO_CONFIG": "1"}
    assert uv.rewriting_settings(environ) == [
        "UV_EXCLUDE_NEWER",
        "UV_FORK_STRATEGY",
        "UV_PRERELEASE",
        "UV_RESOLUTION",
    ]
    assert uv.rewriting_settings(environ | {"UV_FROZEN": "1"}) == []
