"""Workflows and templates: pinned, with few rights, and naming only what exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from posebowl import paths
from posebowl.cli.catalog import TASKS

yaml = pytest.importorskip("yaml", reason="needs the lean group: uv run --group lean pytest")

GITHUB = paths.ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml"))
TEMPLATES = [GITHUB / "pull_request_template.md", *FORMS]
SESSIONS = set(
    re.findall(r'name="([\w-]+)"', (paths.ROOT / "noxfile.py").read_text())
    + re.findall(r"^def (\w+)\(session", (paths.ROOT / "noxfile.py").read_text(), re.MULTILINE)
)
MADE = {"submission/result.json"}
"""Files that a run makes, and that a template may name."""

workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read(path)["jobs"]
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(path).values() for step in job["steps"]]


def scripts(path: Path) -> str:
    return "\n".join(step.get("run", "") for step in steps(path))


def test_the_workflows_are_these() -> None:
    assert [path.stem for path in WORKFLOWS] == ["check", "packages", "publish"]


@workflow
def test_actions_are_pinned_by_hash_with_their_version_beside(path: Path) -> None:
    lines = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert lines
    for line in lines:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_an_action_has_one_version_everywhere() -> None:
    pages = [paths.ROOT / "action.yml", *(paths.ROOT / "docs").rglob("*.md"), *WORKFLOWS]
    texts = [path.read_text(encoding="utf-8") for path in pages]
    used = {name for text in texts for name in re.findall(r"uses: ([\w-]+/.*)", text)}
    assert len(used) == len({name.partition("@")[0] for name in used})
    assert len({read(path)["env"]["UV_VERSION"] for path in WORKFLOWS}) == 1
    uv = f"uv=={read(WORKFLOWS[0])['env']['UV_VERSION']}"
    assert uv in texts[0]
    assert f"{uv} " in (paths.RUNTIME / "uv.txt").read_text(encoding="utf-8")


@workflow
def test_a_job_has_the_rights_that_it_names_and_an_end(path: Path) -> None:
    assert read(path)["permissions"] == {}
    for job in jobs(path).values():
        assert job["permissions"]["contents"] == "read"
        assert job["timeout-minutes"] <= 90


def test_only_publishing_may_write() -> None:
    for path in WORKFLOWS:
        rights = {right for job in jobs(path).values() for right in job["permissions"].items()}
        written = {name for name, right in rights if right == "write"}
        expected = {"packages", "id-token", "attestations"} if path.stem == "publish" else set()
        assert written == expected


@workflow
def test_no_step_keeps_the_token_of_the_checkout(path: Path) -> None:
    checkouts = [step for step in steps(path) if step.get("uses", "").startswith("actions/check")]
    assert len(checkouts) == len(jobs(path))
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@workflow
def test_what_others_wrote_is_never_part_of_a_script(path: Path) -> None:
    assert "${{" not in scripts(path)


@workflow
def test_sessions_and_tasks_of_a_workflow_exist(path: Path) -> None:
    text = scripts(path)
    for variant in ("cpu", "gpu"):
        sessions = re.findall(r'nox -s "?([\w-]+)', text.replace("$VARIANT", variant))
        assert sessions
        assert set(sessions) <= SESSIONS
    by_name = {task.name: task for task in TASKS}
    for name, words in re.findall(r"invoke ([\w.]+)((?: .*|\\\n)*)", text):
        flags = {option.flag for option in by_name[name].options}
        assert set(re.findall(r" (--[\w-]+)", words)) <= flags


def test_both_images_are_tested_when_the_lock_changes() -> None:
    found = read(GITHUB / "workflows" / "packages.yml")
    # YAML 1.1 reads the key `on` as true.
    paths_watched = found[True]["pull_request"]["paths"]
    assert "uv.lock" in paths_watched
    job = found["jobs"]["image"]
    assert job["strategy"]["matrix"]["variant"] == ["cpu", "gpu"]
    assert '--changes-from "$RUNNER_TEMP/before.lock" >> "$GITHUB_STEP_SUMMARY"' in scripts(
        GITHUB / "workflows" / "packages.yml"
    )


def test_what_is_attested_is_what_was_pushed() -> None:
    (job,) = jobs(GITHUB / "workflows" / "publish.yml").values()
    push = next(step for step in job["steps"] if step.get("id") == "push")
    assert '--version "${TAG#v}" --json' in push["run"]
    attest = job["steps"][-1]
    assert attest["uses"].startswith("actions/attest-build-provenance@")
    assert attest["with"]["subject-digest"] == "${{ steps.push.outputs.digest }}"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_files_and_sessions_of_a_template_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for name in named_files(text):
        assert name in MADE or (paths.ROOT / name).exists(), name
    assert set(re.findall(r"nox -s ([\w-]+)", text)) <= SESSIONS


def named_files(text: str) -> list[str]:
    """Return what looks like a file of this project."""
    words = re.findall(r"(?<![\w./-])[\w.-]+(?:/[\w.-]*)*", text)
    words = [word.rstrip(".") for word in words]
    tops = {one.name for one in paths.ROOT.iterdir() if one.is_dir()}
    return [
        word
        for word in words
        if ("/" in word and word.partition("/")[0] in tops)
        or re.fullmatch(r"[\w.-]+\.(md|lock|toml|json)", word)
    ]


def test_files_are_found_in_the_text_of_a_template() -> None:
    text = "See `docs/gone.md`, SECURITY.md. Its test in runtime/tests/; `./x.whl` and/or 1.2"
    assert named_files(text) == ["docs/gone.md", "SECURITY.md", "runtime/tests/"]


def test_forms_have_what_github_requires() -> None:
    for path in FORMS:
        form = read(path)
        if path.stem != "config":
            assert {"name", "description", "body"} <= form.keys()
            ids = [part["id"] for part in form["body"] if "id" in part]
            assert len(ids) == len({*ids})
