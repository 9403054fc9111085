"""A Ray cluster: one that runs already, or one that lives on this machine while it is used."""

from __future__ import annotations

import contextlib
import ipaddress
import math
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import grpc
import ray
from ray._private import ray_constants
from ray._private.authentication import authentication_token_setup as token_setup
from ray._private.services import canonicalize_bootstrap_address

from posebowl import paths
from posebowl.errors import EngineError, UsageError
from posebowl.util import descendants
from posebowl.util.native import SETTLED
from posebowl.util.text import shorten

LOCAL: Final = "local"
_AUTO: Final = "auto"
_PROXY: Final = "ray://"
_QUESTION: Final = "/ray.rpc.NodeInfoGcsService/CheckAlive"
_PROXIED_QUESTION: Final = "/ray.rpc.RayletDriver/ClusterInfo"
"""Requests that change nothing; without its token, a head that has one refuses them."""
SENT: Final = ("posebowl", "runtime", "pyproject.toml", "uv.lock", ".python-version")
"""What machines are sent of this checkout: the package, and what environments are made from."""

_STARTS: Final = 3
"""Of a cluster on this machine, which may be busy."""
_ASK_S: Final = 5.0
_GONE_S: Final = 30.0
"""How long the head may not answer, or no machine be alive, until it is taken for lost."""
_MAKE_ONE: Final = (
    "Make a token on the head with: ray get-auth-token --generate; copy the file ~/.ray/auth_token "
    "to all machines and to this one, or set RAY_AUTH_TOKEN_PATH to it; then start Ray again."
)


class Cluster:
    """A cluster that this process has joined; made by `join`."""

    def __init__(self, head: tuple[str, int], left: contextlib.ExitStack) -> None:
        self.head = head
        self._left = left
        self._nodes: dict[str, Mapping[str, float]] = {}
        self._seen_at = time.monotonic()
        self._asked_at = -math.inf

    def nodes(self) -> Mapping[str, Mapping[str, float]]:
        """Return the resources of each machine that is alive, by its id, as of a few seconds ago.

        Raises:
            EngineError: For half a minute the head has not answered, or no machine was alive.
        """
        if time.monotonic() - self._asked_at < _ASK_S:
            return self._nodes
        # Ray itself waits for a head that has gone, and then ends the process that asked.
        answers = self.answers()
        known = ray.nodes() if answers else []
        self._nodes = {node["NodeID"]: node["Resources"] for node in known if node["Alive"]}
        self._asked_at = time.monotonic()
        if self._nodes:
            self._seen_at = self._asked_at
        elif self._asked_at - self._seen_at > _GONE_S:
            host, port = self.head
            lost = "No machine of the cluster is alive" if answers else "The cluster's head is lost"
            raise EngineError(
                f"{lost}: {host}:{port}.",
                why="Its machine or Ray on it ended; finished runs are kept.",
                fix="Start the cluster again, and type the same command with --resume.",
            )
        return self._nodes

    def answers(self) -> bool:
        """Return whether anything listens where the head did."""
        with contextlib.suppress(OSError), socket.create_connection(self.head, timeout=_ASK_S):
            return True
        return False

    def leave(self) -> None:
        """Leave the cluster; end it if it was started here."""
        self._left.close()


def join(address: str, *, allow_open: bool) -> Cluster:
    """Join a cluster, or start one on this machine for `local`.

    One that is started here listens on loopback, asks for a token that only this process and
    its children know, and is gone after `leave`, however it was started or failed to.

    Raises:
        UsageError: Nothing answers at the address, the token is wrong or missing, or anyone who
            reaches the cluster may run code on it and `allow_open` is false.
    """
    stack = contextlib.ExitStack()
    try:
        if address == LOCAL:
            stack.enter_context(descendants.ended())
            stack.enter_context(_private())
            head = None
        else:
            head = _head(address)
            _check_token(head, address, allow_open=allow_open)
        stack.callback(ray.shutdown)
        _init(address, tries=_STARTS if address == LOCAL else 1)
        return Cluster(head or _split(str(ray.get_runtime_context().gcs_address)), stack)
    except BaseException:
        stack.close()
        raise


@contextlib.contextmanager
def _private() -> Iterator[None]:
    """Keep a cluster that is started in the block on loopback, and give it a token of its own."""
    variables = {
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR: "0",  # of several machines
    }
    removed = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS")
    before = {name: os.environ.get(name) for name in (*removed, *variables)}
    for name in removed:
        os.environ.pop(name, None)
    several = ray_constants.ENABLE_RAY_CLUSTER
    os.environ.update(variables)
    ray_constants.ENABLE_RAY_CLUSTER = False
    read_authentication()
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = several
        for name, value in before.items():
            # Ray has threads: a variable that is there is replaced, since to add one moves all.
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        read_authentication()


def read_authentication() -> None:
    """Let Ray read again from the environment whether it needs a token, and which."""
    token_setup.Config.initialize("")
    token_setup.AuthenticationTokenLoader.instance().reset_cache()


def _init(address: str, *, tries: int) -> None:
    options = {"include_dashboard": False} if address == LOCAL else {}
    with _code() as folder:
        for left in reversed(range(tries)):
            try:
                ray.init(
                    address=address,
                    log_to_driver=False,
                    logging_level="ERROR",
                    # Workers have threads of Ray's before anything here can set a variable.
                    runtime_env={"working_dir": str(folder), "env_vars": SETTLED},
                    **options,
                )
            except Exception as error:  # noqa: BLE001  # Ray raises just that
                ray.shutdown()
                if not left:
                    raise _refusal(address, error) from None
            else:
                return


@contextlib.contextmanager
def _code() -> Iterator[Path]:
    """Copy what machines need of this checkout, and nothing else that lies in it."""
    with tempfile.TemporaryDirectory(prefix="posebowl-code-") as name:
        folder = Path(name)
        for item in SENT:
            source = paths.ROOT / item
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", ".*")
                shutil.copytree(source, folder / item, ignore=ignored)
            elif source.exists():
                shutil.copy(source, folder / item)
        yield folder


def _unreachable(address: str, error: Exception) -> UsageError:
    """Return the refusal of an address where nothing listens."""
    why = f"{(getattr(error, 'strerror', None) or _last_words(error)).rstrip('.')}."
    if address == _AUTO:
        what = "No cluster runs on this machine, which --address auto looks for."
        fix = (
            "Start or join one (docs/evaluate.md), name the address of another, or omit --address."
        )
    else:
        what = f"No cluster answers at {address}."
        fix = "Check that `ray start --head` ran there, and the port; or omit --address."
    return UsageError(what, why=why, fix=fix)


def _refusal(address: str, error: Exception) -> UsageError:
    """Return why Ray, which answers, was not joined or started."""
    why = f"Ray's last words: {_last_words(error)}"
    if address == LOCAL:
        what, fix = "Ray could not be started here.", "Omit --address to do without Ray."
    else:
        what = f"The cluster at {address} answers, but this machine could not join it."
        fix = "Type the command on a machine of the cluster, or make this one such a machine: "
        fix += "ray start --address HOST:6379"
    return UsageError(what, why=why, fix=fix)


def _last_words(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return shorten(lines[-1]) if lines else type(error).__name__


def _head(address: str) -> tuple[str, int]:
    """Return where the head of a cluster listens.

    Raises:
        UsageError: Nothing listens there.
    """
    try:
        found = address if address.startswith(_PROXY) else canonicalize_bootstrap_address(address)
        head = _split(found.removeprefix(_PROXY))
        socket.create_connection(head, timeout=_ASK_S).close()
    except Exception as error:  # noqa: BLE001  # Ray raises just that
        raise _unreachable(address, error) from None
    return head


def _check_token(head: tuple[str, int], address: str, *, allow_open: bool) -> None:
    """Check that a head takes the token of this process, and that others cannot do without.

    Ray itself would try for minutes.

    Raises:
        UsageError: The token is wrong or missing, or none is needed (see `join`).
    """
    question = _PROXIED_QUESTION if address.startswith(_PROXY) else _QUESTION
    loader = token_setup.AuthenticationTokenLoader.instance()
    loader.reset_cache()
    if _takes(head, question, {}):
        if allow_open or _is_loopback(head[0]):
            # Ray would not join it where RAY_AUTH_MODE asks for a token that is not there.
            _authenticate("disabled")
            return
        raise UsageError(
            f"The cluster at {address} asks for no token.",
            why="Whoever reaches its ports can run anything on its machines.",
            fix=f"{_MAKE_ONE} Or add --allow-open if its network is yours alone.",
        )
    known = loader.has_token(ignore_auth_mode=True)
    if known and _takes(head, question, loader.get_token_for_http_header(ignore_auth_mode=True)):
        _authenticate("token")
        return
    raise UsageError(
        f"The cluster at {address} asks for a token.",
        why="The one that is known here is another." if known else "None is known here.",
        fix=_MAKE_ONE,
    )


def _authenticate(mode: str) -> None:
    os.environ[token_setup.AUTH_MODE_ENV_VAR] = mode
    read_authentication()


def _takes(head: tuple[str, int], question: str, headers: Mapping[str, str]) -> bool:
    """Return whether a head answers a request with these headers instead of refusing it."""
    host, port = head
    with grpc.insecure_channel(f"{host}:{port}") as channel:
        try:
            channel.unary_unary(question)(b"", timeout=_ASK_S, metadata=tuple(headers.items()))
        except grpc.RpcError as error:
            return bool(error.code() is not grpc.StatusCode.UNAUTHENTICATED)
        return True


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(OSError):
        found = {str(item[4][0]) for item in socket.getaddrinfo(host, None)}
        return all(ipaddress.ip_address(item).is_loopback for item in found)
    return False


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
