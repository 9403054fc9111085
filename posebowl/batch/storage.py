"""Where a data set is stored: a folder that all machines see, or object storage."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from posebowl.errors import BadDataError, EngineError, UsageError
from posebowl.util.text import reason

SCHEMES: Final = ("s3://", "gs://", "az://")
_PAUSES_S: Final = (1, 2, 4, 8, 15, 30)
"""Together they outlive a server's restart."""
_PASSING: Final = (408, 425, 429)
"""What HTTP refuses for a moment only."""

_T = TypeVar("_T")


class Storage(Protocol):
    """A place that files are read from."""

    where: str

    def read(self, name: str) -> bytes | None:
        """Return a small file, or None if it does not exist."""
        ...

    def fetch(self, name: str, target: Path) -> None:
        """Put a file at `target`.

        Raises:
            EngineError: It cannot be read at present.
        """
        ...


def is_uri(text: str) -> bool:
    """Return whether text names object storage."""
    return text.startswith(SCHEMES)


def open_storage(where: str) -> Storage:
    """Return the storage of a folder or URI.

    Raises:
        UsageError: It is a URI, and cloudpathlib is not installed.
    """
    return BucketStorage(where) if is_uri(where) else FolderStorage(Path(where))


class FolderStorage:
    """A folder of this machine, or one that many machines share."""

    def __init__(self, root: Path) -> None:
        self.where = str(root)
        self._root = root

    def read(self, name: str) -> bytes | None:
        """Return a small file, or None if it does not exist."""
        with contextlib.suppress(FileNotFoundError):
            return (self._root / name).read_bytes()
        return None

    def fetch(self, name: str, target: Path) -> None:
        """Link a file to `target`, or copy it if it cannot be linked.

        Raises:
            EngineError: The file cannot be read: the folder is not shared with this machine.
        """
        source = self._root / name
        try:
            try:
                if not source.stat().st_mode & stat.S_IROTH:
                    raise PermissionError  # a link has the mode of its file
                os.link(source, target, follow_symlinks=False)
            except OSError:
                shutil.copyfile(source, target, follow_symlinks=False)
                target.chmod(0o644)
        except OSError as error:
            raise EngineError(
                f"{platform.node()} cannot read {source}: {error.strerror}.",
                fix="Put the data into a folder that every machine has at this path, "
                "or into object storage.",
            ) from None


class BucketStorage:
    """Object storage, through cloudpathlib; credentials are those of the environment."""

    def __init__(self, where: str) -> None:
        self.where = where.rstrip("/")
        self._root = _cloud_path(self.where)

    def read(self, name: str) -> bytes | None:
        """Return a small object, or None if it does not exist."""
        path = self._root / name
        try:
            return _patiently(lambda: bytes(path.read_bytes()) if path.exists() else None)
        except Exception as error:  # noqa: BLE001  # each cloud's SDK has errors of its own
            raise BadDataError(
                f"{path} cannot be read: {reason(error)}",
                fix="Check the address and this machine's credentials.",
            ) from None

    def fetch(self, name: str, target: Path) -> None:
        """Download an object, and wait a minute in all for a server that does not answer.

        Raises:
            BadDataError: It does not exist.
            EngineError: It cannot be downloaded; another attempt may succeed.
        """
        path = self._root / name
        try:
            _patiently(lambda: path.download_to(target))
        except Exception as error:  # noqa: BLE001  # each cloud's SDK has errors of its own
            if _is_missing(error):
                raise BadDataError(
                    f"{path} does not exist.",
                    why="The manifest lists it.",
                    fix="Upload it, or make the manifest again.",
                ) from None
            raise EngineError(
                f"{platform.node()} cannot download {path}: {reason(error)}",
                fix="Check the address and this machine's credentials.",
            ) from None


def _patiently(action: Callable[[], _T]) -> _T:
    """Do something again, with growing pauses, while the server fails rather than refuses."""
    for pause_s in _PAUSES_S:
        try:
            return action()
        except Exception as error:  # each cloud's SDK has errors of its own
            if _is_refusal(error):
                raise
        time.sleep(pause_s)
    return action()


def _is_refusal(error: Exception) -> bool:
    """Return whether a server has answered that it never will do what was asked."""
    response = getattr(error, "response", None)
    status = (
        response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if isinstance(response, Mapping)
        else getattr(error, "status_code", getattr(error, "code", None))
    )
    if isinstance(status, int):
        return 400 <= status < 500 and status not in _PASSING
    return _is_missing(error)


def _is_missing(error: Exception) -> bool:
    from cloudpathlib.exceptions import CloudPathNotExistsError  # noqa: PLC0415  # as below

    return isinstance(error, FileNotFoundError | CloudPathNotExistsError)


def _cloud_path(where: str) -> Any:
    try:
        import cloudpathlib  # noqa: PLC0415  # only a URI needs it
    except ModuleNotFoundError:
        raise UsageError(
            f"{where} is in object storage, and cloudpathlib is not installed here.",
            fix="Type: uv sync --group cluster",
        ) from None
    try:
        return cloudpathlib.CloudPath(where)
    except Exception as error:  # noqa: BLE001  # of the SDK: credentials, a bucket's name
        raise UsageError(
            f"{where} cannot be opened: {reason(error)}",
            fix="Check the address and this machine's credentials.",
        ) from None
