"""Which machine of a cluster is at which run: noted in the cluster's own store."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator

from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_list, _internal_kv_put

_NAMESPACE = b"posebowl"


@contextlib.contextmanager
def noted(key: str) -> Iterator[None]:
    """Note, as long as the block lasts, that this machine runs the job of a key."""
    name = f"{key}:{platform.node()}".encode()
    _internal_kv_put(name, b"", namespace=_NAMESPACE)
    try:
        yield
    finally:
        _internal_kv_del(name, namespace=_NAMESPACE)


def running() -> dict[str, str]:
    """Return the machine of each job that is noted, by key; other evaluations have some too."""
    names = _internal_kv_list(b"", namespace=_NAMESPACE)
    return dict(name.decode().split(":", 1) for name in names)
