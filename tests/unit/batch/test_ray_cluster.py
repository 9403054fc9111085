"""Addresses of clusters that cannot be joined, and what is said of each."""

from __future__ import annotations

import socket

import pytest

from posebowl.errors import UsageError

pytest.importorskip("ray", reason="needs uv sync --group cluster-test")

from posebowl.batch import ray_cluster


def test_an_address_where_nothing_listens_is_said_with_the_reason() -> None:
    with socket.socket() as bound:  # it does not listen, and nothing else gets its port
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        for asked in (address, f"ray://{address}"):
            with pytest.raises(UsageError) as caught:
                ray_cluster.join(asked, allow_open=False)
            assert caught.value.what == f"No cluster answers at {asked}."
            assert caught.value.why == "Connection refused."
            assert "the port" in caught.value.fix


def test_auto_is_a_cluster_of_this_machine() -> None:
    error = ConnectionError("Could not find any running Ray instance.")
    refusal = ray_cluster._unreachable("auto", error)
    assert refusal.what == "No cluster runs on this machine, which --address auto looks for."
    assert refusal.why == "Could not find any running Ray instance."


def test_a_machine_that_is_not_of_the_cluster_is_told_to_join() -> None:
    error = ConnectionError("Failed to connect to Ray cluster at 10.77.0.1:6379")
    refusal = ray_cluster._refusal("10.77.0.1:6379", error)
    assert refusal.what.startswith("The cluster at 10.77.0.1:6379 answers, but")
    assert "ray start --address" in refusal.fix
