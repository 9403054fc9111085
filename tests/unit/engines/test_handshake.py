"""The two marks in a run's output: taken out wherever chunks are cut, and never forged."""

from __future__ import annotations

import io
import itertools
import threading

import pytest
from hypothesis import given, strategies as st

from posebowl.engines.handshake import Handshake

NOISE = st.lists(
    st.sampled_from(
        [b"\x1e", b"ready ", b"end ", b"\n", b"go", b"text", b"\x1eend ", b"\x1eready "]
    )
    | st.binary(max_size=6),
    max_size=12,
).map(b"".join)
CUTS = st.lists(st.integers(0, 400), max_size=10)


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(stream), *(at for at in cuts if at < len(stream))})
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


def token(handshake: Handshake) -> str:
    """Return the second secret, as process 1 learns it."""
    pipe = io.BytesIO()
    handshake.open(pipe)
    words = pipe.getvalue().decode().split()
    assert words[0] == "go"
    return words[1] if len(words) > 1 else ""


def ready(handshake: Handshake) -> bytes:
    return b"\x1eready %s\n" % handshake.nonce.encode()


@given(NOISE, NOISE, NOISE, CUTS)
def test_both_marks_go_and_all_else_stays(
    before: bytes, during: bytes, after: bytes, cuts: list[int]
) -> None:
    handshake = Handshake(holds_end=True)
    end = b"\x1eend %s\n" % token(handshake).encode()
    stream = before + ready(handshake) + during + end + after
    passed = b"".join(handshake.feed(chunk) for chunk in cut(stream, cuts))
    assert answer(handshake) == b"\n"
    assert passed + handshake.finish() == before + during + after
    assert handshake.wait_ready()
    assert handshake.early == before


@given(NOISE, NOISE, CUTS)
def test_without_a_second_mark_nothing_after_the_first_is_touched(
    before: bytes, during: bytes, cuts: list[int]
) -> None:
    handshake = Handshake()
    assert token(handshake) == ""
    stream = before + ready(handshake) + during + b"\x1eend \n" + ready(handshake)
    passed = b"".join(handshake.feed(chunk) for chunk in cut(stream, cuts)) + handshake.finish()
    assert passed == before + during + b"\x1eend \n" + ready(handshake)


@given(NOISE, CUTS)
def test_the_end_of_the_stream_before_the_first_mark(noise: bytes, cuts: list[int]) -> None:
    handshake = Handshake(holds_end=True)
    assert b"".join(handshake.feed(chunk) for chunk in cut(noise, cuts)) == b""
    assert handshake.finish() == b""
    assert not handshake.wait_ready()
    assert handshake.early == noise


@given(st.lists(st.sampled_from([b"\x1eend ", b"\x1e", b"0f" * 16, b"\n", b"x"]), max_size=9), CUTS)
def test_a_forged_mark_is_text(pieces: list[bytes], cuts: list[int]) -> None:
    handshake = Handshake(holds_end=True)
    handshake.feed(ready(handshake))
    forged = b"".join(pieces) + b"\x1eend %s\n" % Handshake(holds_end=True).nonce.encode()
    passed = b"".join(handshake.feed(chunk) for chunk in cut(forged, cuts)) + handshake.finish()
    assert passed == forged
    assert not handshake._ended


def test_secrets_differ_from_run_to_run_and_from_each_other() -> None:
    handshakes = [Handshake(holds_end=True) for _ in range(8)]
    secrets = {handshake.nonce for handshake in handshakes} | {
        token(handshake) for handshake in handshakes
    }
    assert len(secrets) == 16
    assert all(len(secret) == 32 for secret in secrets)


def test_what_comes_before_the_first_mark_is_kept_within_bounds() -> None:
    handshake = Handshake()
    for _ in range(40):
        handshake.feed(b"x" * 10_000)
        assert len(handshake.early) <= 64 << 10
    assert handshake.feed(ready(handshake) + b"main").endswith(b"xmain")
    assert handshake.wait_ready()


def test_text_is_held_back_no_longer_than_a_mark_may_begin_in_it() -> None:
    handshake = Handshake(holds_end=True)
    handshake.feed(ready(handshake))
    assert handshake.feed(b"a line\n") == b"a line\n"
    assert handshake.feed(b"half a mark \x1een") == b"half a mark "
    assert handshake.feed(b"ding\n") == b"\x1eending\n"


def test_waiting_ends_with_the_stream() -> None:
    handshake = Handshake(holds_end=True)
    seen: list[bool] = []
    waiter = threading.Thread(target=lambda: seen.append(handshake.wait_ready()))
    waiter.start()
    handshake.feed(ready(handshake))
    waiter.join()
    assert seen == [True]
    assert answer(handshake) == b""
    handshake.finish()
    assert handshake.wait_dead(0, io.BytesIO(), count=pytest.fail)


def answer(handshake: Handshake) -> bytes:
    """Return what process 1 is told when the host looks."""
    pipe = io.BytesIO()
    handshake.wait_dead(0, pipe, count=lambda: None)
    return pipe.getvalue()


def test_a_mark_is_answered_once_and_is_not_the_end() -> None:
    handshake = Handshake(holds_end=True)
    handshake.feed(ready(handshake))
    handshake.feed(b"\x1eend %s\n" % token(handshake).encode())
    counted: list[int] = []
    pipe = io.BytesIO()
    for _ in range(3):
        assert not handshake.wait_dead(0, pipe, count=lambda: counted.append(1))
    assert (counted, pipe.getvalue()) == ([1], b"\n")
    handshake.died()
    assert handshake.wait_dead(60, pipe, count=pytest.fail)
    assert pipe.getvalue() == b"\n"


def test_death_ends_the_wait_that_answers_the_mark() -> None:
    handshake = Handshake(holds_end=True)
    handshake.feed(ready(handshake))
    handshake.feed(b"\x1eend %s\n" % token(handshake).encode())
    waiter = threading.Thread(target=handshake.died)
    assert handshake.wait_dead(60, io.BytesIO(), count=waiter.start)
    waiter.join()


def test_an_answer_to_a_dead_process_is_no_error() -> None:
    class Broken(io.BytesIO):
        def write(self, _: object) -> int:
            raise BrokenPipeError

    handshake = Handshake(holds_end=True)
    pipe = Broken()
    handshake.open(pipe)
    handshake.feed(ready(handshake))
    handshake.feed(b"\x1eend %s\n" % token(handshake).encode())
    assert not handshake.wait_dead(0, pipe, count=lambda: None)
    assert pipe.getvalue() == b""
