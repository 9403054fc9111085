"""Replicas: real processes that train one network together."""

from functools import partial

import pytest

torch = pytest.importorskip("torch", reason="needs the cpu group: uv run --group cpu pytest")

from posebowl.errors import PoseBowlError  # noqa: E402
from posebowl.training.replicas import Replicas, start  # noqa: E402
from tests.replica_work import Unready, average_and_write, average_ranks, end  # noqa: E402


def test_gradients_become_their_means_and_the_leading_replica_is_followed(tmp_path):
    file = tmp_path / "other"
    with start(2, partial(average_and_write, file)) as replicas:
        assert replicas == Replicas(rank=0, count=2)
        result = average_ranks(replicas)
        gradients, clock, own = result
        replicas.agree(0.0)  # the other one has written its file
    # 1 and 3; where the other replica has no gradient, half of this one's.
    assert gradients == [2.0, *(half / 2 for half in range(24))]
    assert (clock, own) == (3.5, [7.0, 7.0])
    assert file.read_text() == repr(result)


def test_alone_nothing_changes():
    parameter = torch.nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([1.0, 2.0])
    with start(1, end) as replicas:
        replicas.average_gradients([parameter])
        replicas.share([parameter.grad])
        assert (replicas.leads, replicas.agree(3.5)) == (True, 3.5)
    assert parameter.grad.tolist() == [1.0, 2.0]


def test_a_replica_that_ends_is_an_error_in_words():
    with start(2, end) as replicas, pytest.raises(PoseBowlError, match=r"A process .* ended\."):
        # The first may still be in its way when the other one ends.
        agree_often(replicas)


def test_a_replica_that_cannot_start_is_not_waited_for():
    with pytest.raises(PoseBowlError, match=r"A process .* ended\. It could not start\."):
        start(2, Unready()).__enter__()


def agree_often(replicas):
    for _ in range(50):
        replicas.agree(1.0)
