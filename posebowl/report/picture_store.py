"""Pictures of earlier reports, so that a photo that has not changed is decoded once."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from pathlib import Path
from typing import Final, Self

from posebowl.util.files import atomic_write, make_folder, open_regular

_MOST_PICTURES: Final = 400
"""In the file of one folder of photos: those of several reports."""
_MOST_FILES: Final = 16
_LARGEST: Final = 64 << 20


class PictureStore:
    """The pictures that were made of one folder of photos, kept in one file.

    Nothing here is worth a failure: a file that cannot be read or written costs only time.

    Args:
        path: The file; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._before: dict[str, str] = {}
        self._used: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError, RecursionError):
            if path is not None:
                with open_regular(path) as file:
                    found = json.loads(file.read(_LARGEST))
                self._before = found if isinstance(found, dict) else {}

    @classmethod
    def of(cls, images: Path | None, cache: Path | None) -> Self:
        """Return the store of a folder of photos in the cache folder.

        Args:
            images: The photos.
            cache: The folder of the setting `cache`.
        """
        if images is None or cache is None:
            return cls(None)
        name = hashlib.sha256(bytes(images.resolve())).hexdigest()[:16]
        return cls(cache / "pictures" / f"{name}.json")

    def key(self, photo: Path, *how: object) -> str:
        """Return the name of what is made of a photo, which changes whenever the photo does."""
        status = photo.stat()
        state = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        return hashlib.sha256(repr((photo.name, state, how)).encode()).hexdigest()

    def get(self, key: str) -> bytes | None:
        """Return a picture that was made before."""
        found = self._before.get(key)
        if not isinstance(found, str) or not found.isascii():
            return None
        self._used[key] = found
        return base64.b64decode(found)

    def put(self, key: str, picture: bytes) -> None:
        """Keep a picture; called from any thread."""
        if self._path is not None:
            self._used[key] = base64.b64encode(picture).decode()

    def save(self) -> None:
        """Write what was made, with what was there before, the latest used first, within bounds."""
        path = self._path
        if path is None or self._used.keys() <= self._before.keys():
            return
        kept = dict(list({**self._used, **self._before}.items())[:_MOST_PICTURES])
        with contextlib.suppress(OSError):
            make_folder(path.parent)
            with atomic_write(path) as file:
                file.write(json.dumps(kept).encode())
            files = sorted(path.parent.glob("*.json"), key=lambda file: file.stat().st_mtime)
            for old in files[:-_MOST_FILES]:
                old.unlink(missing_ok=True)


NO_STORE: Final = PictureStore(None)
