"""`invoke test`: one command from an edit to an answer, once and again."""

from __future__ import annotations

import shutil
import threading
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from posebowl.cli import trial
from posebowl.cli.trial import REMEMBERED, Trial, changes, chosen
from posebowl.engines import Engine, RunSpec, Watcher
from posebowl.errors import UsageError, Verdict
from posebowl.results import Result
from posebowl.run import Display, Request, run
from posebowl.settings import Settings, resolve
from posebowl.submission import archive, read_record
from tests.run_bench import FakeEngine, valid
from tests.typed import invoke


@pytest.fixture
def settings(tmp_path: Path, data_folder: Path) -> Settings:
    return replace(resolve.defaults(), submission=tmp_path / "submission", data=data_folder)


@pytest.fixture
def solution(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "main.sh").write_text("python main.py\n")
    (folder / "main.py").write_text("print(1)\n")
    return folder


@dataclass
class Runs:
    """Runs requests on a made-up engine, and keeps what came of them."""

    engine: FakeEngine = field(default_factory=FakeEngine)
    results: list[Result] = field(default_factory=list)

    def __call__(self, request: Request, as_json: bool) -> Result:
        assert as_json is False
        self.results.append(run(request, Display(quiet=True), prepared=self.prepared))
        return self.results[-1]

    def prepared(self, _: object, spec: RunSpec, watch: Watcher, **options: object) -> Engine:
        assert options == {"full": False, "allow_cpu": False}
        self.engine.prepare(spec, watch)
        return self.engine


@pytest.fixture
def runs() -> Runs:
    return Runs()


def test_a_solution_is_packed_and_run_in_one_go(
    settings: Settings, solution: Path, runs: Runs
) -> None:
    trying = Trial(settings=settings, note="first", carry_out=runs)
    assert trying.once(solution) == 0
    (result,) = runs.results
    (spec,) = runs.engine.specs
    assert spec.archive == settings.archive
    assert spec.variables == {}
    record = read_record(settings.archive)
    assert record is not None
    assert result.archive["sha256"] == record.sha256
    assert (result.submission, result.note, result.part) == ("mine", "first", "")
    report = (settings.submission / "report.html").read_text()
    assert "Note: first" in report
    (solution / "main.py").write_text("print(2)\n")
    assert replace(trying, note="").once(solution) == 0
    assert runs.results[1].archive["sha256"] != record.sha256
    assert runs.results[1].note == ""


def test_what_was_packed_is_neither_checked_nor_hashed_again(
    settings: Settings, solution: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("inspect", "digest"):
        monkeypatch.delattr(archive, name)
    assert Trial(settings=settings, carry_out=runs).once(solution) == 0


def test_some_of_the_images(settings: Settings, solution: Path, runs: Runs) -> None:
    seen: list[str] = []

    def predicts(spec: RunSpec) -> None:
        seen.extend(path.name for path in spec.images.iterdir())
        valid(spec)
        table = spec.output / "submission.csv"
        lines = table.read_text().splitlines()
        table.write_text("\n".join([lines[0], lines[2], lines[5]]) + "\n")

    runs.engine = FakeEngine(writes=predicts)
    assert Trial(settings=settings, limit=2, carry_out=runs).once(solution) == 0
    (result,), (spec,) = runs.results, runs.engine.specs
    assert len(seen) == 2
    assert spec.variables == {"IS_SMOKE_TEST": "1"}
    assert settings.data in spec.hidden  # where the labels are
    assert result.part == "2 of 6 images"
    assert result.score is not None
    assert (result.score.mean_iou, result.score.images) == (1.0, 2)
    assert "mean IoU on only 2 of 6 images" in (settings.submission / "report.html").read_text()
    shown = invoke("history", cwd=settings.submission, POSEBOWL_SUBMISSION=str(settings.submission))
    assert "1.0000 on 2 of 6 images" in shown.stdout


@pytest.mark.parametrize("how", ["new", "changed", "other"])
def test_a_zip_of_others_is_not_replaced(
    how: str, settings: Settings, solution: Path, runs: Runs
) -> None:
    trying = Trial(settings=settings, carry_out=runs)
    if how == "new":
        settings.submission.mkdir()
    else:
        trying.once(solution)
    if how == "other":
        settings.archive.unlink()
    with settings.archive.open("ab") as file:
        file.write(b"mine")
    before = settings.archive.read_bytes()
    count = len(runs.results)
    with pytest.raises(UsageError, match="is not a zip that this tool packed there") as caught:
        trying.once(solution)
    assert caught.value.exit_code == 2
    assert settings.archive.read_bytes() == before
    assert len(runs.results) == count


def test_a_mistyped_data_folder_touches_nothing(
    settings: Settings, solution: Path, runs: Runs, tmp_path: Path
) -> None:
    trying = Trial(settings=replace(settings, data=tmp_path / "none"), carry_out=runs)
    with pytest.raises(UsageError, match="none is not a folder"):
        trying.once(solution)
    assert not settings.submission.exists()


def test_the_last_one_is_remembered(settings: Settings, solution: Path, runs: Runs) -> None:
    with pytest.raises(UsageError, match="needs the name of a solution"):
        chosen("", settings)
    Trial(settings=settings, carry_out=runs).once(chosen(str(solution), settings))
    assert chosen("", settings) == solution
    assert chosen("quickstart", settings).name == "quickstart"
    shutil.rmtree(solution)
    with pytest.raises(UsageError, match="mine, which was tested last, is no longer there"):
        chosen("", settings)
    (settings.submission / REMEMBERED).write_bytes(b"\xff\0")
    with pytest.raises(UsageError):
        chosen("", settings)


def test_the_report_is_opened(
    settings: Settings, solution: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    opened: list[str] = []
    monkeypatch.setattr(trial.webbrowser, "open", lambda address: opened.append(address) or True)
    trying = Trial(settings=settings, opens_report=True, carry_out=runs)
    trying.once(solution)
    page = settings.submission / "report.html"
    assert opened == [page.as_uri()]
    monkeypatch.setattr(trial.webbrowser, "open", lambda _: False)
    trying.once(solution)
    assert f"No browser was found here. Open it by hand: {page}" in capsys.readouterr().err


def test_it_is_tested_again_after_each_change_until_ctrl_c(
    settings: Settings, solution: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run is passed; then main.sh is broken, and mended; the wait after that is ended."""
    edits = iter(["if\n", "python main.py #\n"])

    class Edited(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is None
            text = next(edits, None)
            if text is None:
                raise KeyboardInterrupt
            (solution / "main.sh").write_text(text)
            return True

    monkeypatch.setattr(trial, "changes", lambda _: nullcontext(Edited()))
    assert Trial(settings=settings, carry_out=runs).repeat(solution) == 0
    assert [result.verdict for result in runs.results] == [Verdict.OK, Verdict.OK]


def test_ctrl_c_during_a_run_ends_it_all(
    settings: Settings, solution: Path, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "changes", lambda _: nullcontext(threading.Event()))
    runs.engine = FakeEngine(ends=KeyboardInterrupt())
    assert Trial(settings=settings, carry_out=runs).repeat(solution) == 130
    assert [result.verdict for result in runs.results] == [Verdict.INTERRUPTED]


def test_a_change_is_noticed_and_what_python_leaves_is_not(solution: Path) -> None:
    pytest.importorskip("watchfiles")
    with changes(solution) as changed:
        (solution / "__pycache__").mkdir()
        (solution / "__pycache__" / "main.cpython-311.pyc").write_text("")
        for attempt in range(100):  # until the kernel watches
            (solution / "main.py").write_text(f"print({attempt})\n")
            if changed.wait(0.3):
                break
        assert changed.is_set()
