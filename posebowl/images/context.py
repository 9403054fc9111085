"""What a build reads: copies of the lock, of the recipe, and of packages that no index has."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from posebowl import paths
from posebowl.challenge import Variant
from posebowl.engines.oci import image as identity
from posebowl.environments import DirectPackage, direct_packages, package_names, source_files
from posebowl.errors import EngineError
from posebowl.util import process
from posebowl.util.files import make_folder

_SOURCES: Final = Path("runtime", "sources")


@contextlib.contextmanager
def staged(variant: Variant, cache: Path, root: Path = paths.ROOT) -> Iterator[Path]:
    """Copy what a build reads to a folder that exists while the block runs.

    All users can read its files, whatever the modes in the checkout, which is not written to.

    Args:
        variant: Cpu or gpu.
        cache: The folder of the setting `cache`.
        root: The checkout.

    Raises:
        EngineError: The source of a package cannot be fetched or is missing.
    """
    with tempfile.TemporaryDirectory(prefix="posebowl-build-") as name:
        context = Path(name)
        recipe = (f"runtime/{file}" for file in identity.RECIPE)
        for place in ("pyproject.toml", "uv.lock", *recipe):
            copy_for_all(root / place, context / place)
        found = direct_packages((root / "uv.lock").read_text(encoding="utf-8"))
        if found:
            wanted = package_names(variant.value, cache)
            _add_sources([package for package in found if package.name in wanted], context, root)
        yield context


def _add_sources(found: Iterable[DirectPackage], context: Path, root: Path) -> None:
    """Copy the sources of packages, and list them for the Dockerfile."""
    sources = context / _SOURCES
    with (sources / "names.txt").open("a", encoding="utf-8") as names:
        for package in found:
            inside = _add_source(package, sources / package.name, root).relative_to(sources)
            names.write(f"{package.name} {package.version or '0'} {inside}\n")


def _add_source(package: DirectPackage, target: Path, root: Path) -> Path:
    """Copy the source of a package to a folder, and return what is to be installed there."""
    if package.kind == "git":
        return _clone(package, target)
    place = root / package.place
    if not place.exists():
        raise EngineError(
            f"The source of the package {package.name} is missing.",
            why=f"uv.lock takes it from {place}.",
            fix=f"Restore it, or type: uv remove {package.name}",
        )
    if package.kind == "file":
        return copy_for_all(place, target / place.name)
    for file in source_files(package, root):
        copy_for_all(file, target / file.relative_to(place))
    return target


def _clone(package: DirectPackage, target: Path) -> Path:
    """Check out the commit that the lock names, with the user's own git and credentials.

    The image gets the files alone: the history may hold something private.
    """
    address = urllib.parse.urlsplit(package.place)
    query = urllib.parse.parse_qs(address.query)
    url = address._replace(query="", fragment="").geturl()
    with tempfile.TemporaryDirectory(prefix="posebowl-git-") as name:
        try:
            process.run(["git", "clone", "--quiet", "--no-checkout", url, name], echo=True)
            for words in (
                ["checkout", "--quiet", "--detach", address.fragment],
                ["submodule", "--quiet", "update", "--init", "--recursive"],
            ):
                process.run(["git", "-C", name, *words])
        except process.ProcessError as error:
            raise EngineError(
                f"The source of the package {package.name} cannot be fetched.",
                why=f"{error.what} {error.why}",
                fix=f"Check that `git clone {url}` works, or type: uv remove {package.name}",
            ) from None
        for file in Path(name).rglob("*"):
            inside = file.relative_to(name)
            if file.is_file() and ".git" not in inside.parts:
                copy_for_all(file, target / inside)
    return target / query.get("subdirectory", [""])[0]


def copy_for_all(source: Path, target: Path) -> Path:
    """Copy a file so that all users can read it, and return the copy."""
    make_folder(target.parent)
    shutil.copyfile(source, target)
    target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
    return target
