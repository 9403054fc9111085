"""What main.sh prints: kept within bounds, never held up, safe to show."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, strategies as st

from posebowl.engines import log_capture
from posebowl.engines.log_capture import LogCapture
from posebowl.util.text import visible

PIECES = st.sampled_from(
    [b"a", b"line\n", b"\r", b"\n", b"\r\n", b"50%\r", b"\x1b[31m", b"\xff", b"\xe2\x82", b"\0"]
    + [text.encode() for text in ("ä", "€", "🛰", "\u202e", "\x9b", "\t")]
)
STREAMS = st.lists(PIECES | st.binary(max_size=9), max_size=40).map(b"".join)
LEFT_OUT = re.compile(rb"\n\[\.\.\. ([0-9]+) bytes left out here \.\.\.\]\n")


@st.composite
def cut_streams(draw: st.DrawFn) -> list[bytes]:
    """Return a stream, cut into chunks anywhere."""
    stream = draw(STREAMS)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Let time stand still, unless a test moves it."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(log_capture, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def capture(chunks: list[bytes], max_bytes: int) -> tuple[bytes, list[str], int]:
    """Return the log file, the lines told, and the total."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log.txt")
        lines: list[str] = []
        log = LogCapture(path, max_bytes=max_bytes, on_line=lines.append)
        for chunk in chunks:
            log.feed(chunk)
        log.close()
        return path.read_bytes(), lines, log.total_bytes


def complete(lines: list[str]) -> list[str]:
    """Leave out the states of lines that are still redrawn."""
    return [line for line in lines if not line.endswith("\r")]


def shown(stream: bytes) -> bytes:
    """Return how a stream is kept when nothing of it is left out."""
    parts = stream.decode(errors="backslashreplace").split("\r")
    return "\r".join(map(visible, parts)).encode()


@given(cut_streams())
def test_what_fits_is_kept_whole_however_it_is_cut(chunks: list[bytes]) -> None:
    stream = b"".join(chunks)
    kept, _, total = capture(chunks, max_bytes=2 * len(stream) + 2)
    assert kept == shown(stream)
    assert total == len(stream)


@given(cut_streams())
def test_a_stream_as_long_as_the_bound_is_kept_whole(chunks: list[bytes]) -> None:
    stream = b"".join(chunks)
    kept, _, _ = capture(chunks, max_bytes=len(stream) + len(stream) % 2)
    assert kept == shown(stream)


@given(cut_streams(), st.integers(0, 60))
def test_head_and_tail_stay_within_the_bound(chunks: list[bytes], max_bytes: int) -> None:
    stream, half = b"".join(chunks), max_bytes // 2
    kept, _, total = capture(chunks, max_bytes)
    assert total == len(stream)
    if len(stream) <= 2 * half:
        assert LEFT_OUT.search(kept) is None
        return
    gap = LEFT_OUT.search(kept)
    assert gap is not None
    assert int(gap[1]) == len(stream) - 2 * half
    assert kept[: gap.start()] == shown(stream[:half])
    assert kept[gap.end() :] == shown(stream[-half:] if half else b"")
    assert len(kept) - len(gap[0]) <= 4 * 2 * half


@given(cut_streams())
def test_lines_are_the_same_however_they_are_cut(chunks: list[bytes]) -> None:
    whole = complete(capture([b"".join(chunks)], 4096)[1])
    assert complete(capture(chunks, 4096)[1]) == whole
    assert not {"\x1b", "\r", "\x9b", "\u202e"} & set("".join(whole))


@pytest.mark.parametrize(
    "chunks",
    [
        [b"10%\r", b"20%\r30", b"%\r\n", b"done\n"],
        [b"\r10%\r20%\r", b"30%", b"\n", b"done\n"],
        [b"\r10%\r20%\r30%\n", b"\r\rdone"],
    ],
)
def test_a_progress_bar_is_one_line_and_its_bytes_are_kept(chunks: list[bytes]) -> None:
    kept, lines, _ = capture(chunks, 4096)
    assert complete(lines) == ["30%", "done"]
    assert kept == b"".join(chunks)


def test_the_state_of_a_bar_is_told_while_it_is_drawn(
    tmp_path: Path, clock: SimpleNamespace
) -> None:
    lines: list[str] = []
    log = LogCapture(tmp_path / "log", max_bytes=4096, on_line=lines.append)
    for chunk in (b"\r10%", b"\r20%", b"\r30\x1b%"):
        log.feed(chunk)
        clock.now += 0.06
    assert lines == ["10%\r", "30\\x1b%\r"]
    log.close()
    assert lines[2:] == ["30\\x1b%"]


def test_a_line_end_cut_in_two_is_one_line_end() -> None:
    assert capture([b"a\r", b"\nb\r", b"", b"\n\nc"], 4096)[1] == ["a", "b", "", "c"]


def test_an_endless_line_is_told_shortened() -> None:
    (line,) = capture([b"x" * 1500, b"y" * 1500, b"\n"], 1 << 20)[1]
    assert len(line) == 2000


def test_a_flood_is_counted_but_told_a_tenth_of_a_second_apart(
    tmp_path: Path, clock: SimpleNamespace
) -> None:
    lines: list[str] = []
    log = LogCapture(tmp_path / "log", max_bytes=200, on_line=lines.append)
    for number in range(1000):
        log.feed(b"head and tail %d\n" % number)
    told = len(lines)
    assert told <= 100 // len("head and tail 0\n") + 2
    clock.now += 0.2
    log.feed(b"still there\nlater\n")
    assert lines[told:] == ["later"]
    log.close()
    kept = (tmp_path / "log").read_bytes()
    assert kept.startswith(b"head and tail 0\nhead and tail 1\n")
    assert kept.endswith(b"head and tail 999\nstill there\nlater\n")


def test_many_lines_at_once_are_all_kept_and_the_last_ones_told(
    tmp_path: Path, clock: SimpleNamespace
) -> None:
    lines: list[str] = []
    log = LogCapture(tmp_path / "log", max_bytes=1 << 20, on_line=lines.append)
    log.feed(b"\n" * 4000 + b"x\n" * 1000)
    assert lines == ["[... 4000 lines are only in the log ...]", *["x"] * 1000]
    log.feed(b"lost\n" * 7)
    clock.now += 0.5
    log.feed(b"y\n" * 600)
    assert lines[1001:] == ["[... 107 lines are only in the log ...]", *["y"] * 500]
    log.close()
    assert (tmp_path / "log").read_bytes().count(b"\n") == 5607


def test_memory_stays_bounded_whatever_the_size_of_chunks(tmp_path: Path) -> None:
    log = LogCapture(tmp_path / "log", max_bytes=1000, on_line=lambda _: None)
    for size in [1] * 5000 + [7000, 3, 1] * 20:
        log.feed(b"z" * size)
        assert len(log._tail) <= 2 * 500
    log.close()


class Disk:
    """A file that takes a part of each write, and fails once it holds `room` bytes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.content = b""

    def write(self, data: memoryview) -> int:
        free = self.room - len(self.content)
        if free <= 0:
            raise OSError(28, "No space left on device")
        self.content += bytes(data[: min(free, 3)])
        return min(free, 3, len(data))

    def close(self) -> None:
        pass


def with_disk(path: Path, room: int) -> tuple[LogCapture, Disk]:
    log = LogCapture(path, max_bytes=100, on_line=lambda _: None)
    log._file.close()
    disk = Disk(room)
    log._file = disk  # type: ignore[assignment]
    return log, disk


def test_a_full_disk_is_told_at_the_end_and_never_before(tmp_path: Path) -> None:
    log, disk = with_disk(tmp_path / "log", 10)
    for _ in range(50):
        log.feed(b"twelve bytes")
    assert disk.content == b"twelve byt"
    assert log.total_bytes == 600
    with pytest.raises(OSError, match="No space left"):
        log.close()


def test_a_disk_that_takes_parts_gets_all_of_them(tmp_path: Path) -> None:
    log, disk = with_disk(tmp_path / "log", 1000)
    log.feed(b"twelve bytes")
    log.close()
    assert disk.content == b"twelve bytes"


@pytest.mark.parametrize("gone", [BrokenPipeError(), SystemExit(1)])
def test_a_listener_who_has_gone_does_not_stop_the_drain(
    tmp_path: Path, gone: BaseException
) -> None:
    heard: list[str] = []

    def listen(line: str) -> None:
        heard.append(line)
        raise gone

    log = LogCapture(tmp_path / "log", max_bytes=1000, on_line=listen)
    log.feed(b"one\n")
    log.feed(b"two\n")
    log.close()
    assert heard == ["one"]
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


def test_an_earlier_log_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("mine")
    with pytest.raises(FileExistsError):
        LogCapture(tmp_path / "log", max_bytes=10, on_line=lambda _: None)
    assert (tmp_path / "log").read_text() == "mine"


def test_the_head_can_be_read_while_the_run_goes_on(tmp_path: Path) -> None:
    log = LogCapture(tmp_path / "log", max_bytes=1000, on_line=lambda _: None)
    for expected in _growing(log):
        assert (tmp_path / "log").read_bytes() == expected
    log.close()


def _growing(log: LogCapture) -> Iterator[bytes]:
    log.feed(b"one\n")
    yield b"one\n"
    log.feed(b"tw")
    yield b"one\ntw"
