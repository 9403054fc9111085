"""Which machine of a cluster is at which run: noted in the cluster's own store."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator
from dataclasses import dataclass

import ray
from ray.exceptions import RayError
from ray.experimental.internal_kv import (
    _internal_kv_del,
    _internal_kv_list,
    _internal_kv_put,
    internal_kv_get_gcs_client,
)

_NAMESPACE = b"posebowl"
_PATIENCE_S = 5


@dataclass(frozen=True)
class Node:
    """A machine of the cluster, under an id that it has had since it joined."""

    node_id: str
    name: str

    @classmethod
    def here(cls) -> Node:
        """Return this machine."""
        return cls(ray.get_runtime_context().get_node_id(), platform.node())


@contextlib.contextmanager
def noted(key: str) -> Iterator[Node]:
    """Note, as long as the block lasts, that this machine runs the job of a key."""
    here = Node.here()
    _internal_kv_put(_note(key, here), b"", namespace=_NAMESPACE)
    try:
        yield here
    finally:
        forget(key, here)


def running() -> dict[str, Node]:
    """Return the machine of each job that is noted, by key; other evaluations have some too.

    A head that does not answer knows of none: Ray would wait for it ten minutes, and then end this
    process.
    """
    direct = internal_kv_get_gcs_client()  # None behind ray://
    try:
        if direct is None:
            names = _internal_kv_list(b"", namespace=_NAMESPACE)
        else:
            names = direct.internal_kv_keys(b"", _NAMESPACE, timeout=_PATIENCE_S)
    except RayError:
        return {}
    notes = (name.decode().split(":", 2) for name in names)
    return {key: Node(node_id, name) for key, node_id, name in notes}


def forget(key: str, node: Node) -> None:
    """Remove what a machine has noted of a job."""
    _internal_kv_del(_note(key, node), namespace=_NAMESPACE)


def _note(key: str, node: Node) -> bytes:
    return f"{key}:{node.node_id}:{node.name}".encode()
