"""Interrupts that must wait until a block has put things in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from posebowl.util.interrupts import held_back, undisturbed


@pytest.fixture(autouse=True)
def as_in_a_terminal():
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_undisturbed_block_runs_to_its_end_and_so_do_its_programs(number: signal.Signals):
    with undisturbed():
        os.kill(os.getpid(), number)
        script = f"import os; os.kill(os.getpid(), {int(number)}); print('alive')"
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert done.stdout == "alive\n"
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)


def test_a_second_interrupt_does_not_disturb_the_cleaning_up_after_the_first():
    cleaned = []

    def work():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            with undisturbed():
                os.kill(os.getpid(), signal.SIGINT)
                with undisturbed():
                    os.kill(os.getpid(), signal.SIGTERM)
                os.kill(os.getpid(), signal.SIGTERM)
                cleaned.append(True)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert cleaned == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_a_user_ignores_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with undisturbed():
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_leave_signals_alone():
    seen = []

    def work():
        with undisturbed():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_held_back_interrupts_wait_until_they_are_let_through():
    reached = []

    def work():
        with held_back() as interrupts:
            os.kill(os.getpid(), signal.SIGINT)
            reached.append("held back")
            try:
                with interrupts.let_through():
                    reached.append("never")
            except KeyboardInterrupt:
                os.kill(os.getpid(), signal.SIGINT)
                reached.append("tidied up")

    work()
    assert reached == ["held back", "tidied up"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_of_interrupts_that_are_let_through_one_counts():
    cleaned = []

    def work():
        with held_back() as interrupts, interrupts.let_through():
            try:
                os.kill(os.getpid(), signal.SIGINT)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                cleaned.append(True)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert cleaned == [True]
