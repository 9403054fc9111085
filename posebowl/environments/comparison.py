"""What a submission imports, compared with what it will find where it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl.environments.packages import MODULE_NAMES, module_names, modules, too_new
from posebowl.environments.venv import Group
from posebowl.submission import Archive

_PACKAGES: Final = {
    "Crypto": "pycryptodome",
    "faiss": "faiss-cpu",
    "fitz": "pymupdf",
    "git": "gitpython",
    "hydra": "hydra-core",
    "skvideo": "scikit-video",
    "turbojpeg": "pyturbojpeg",
} | {module: package for package, names in MODULE_NAMES.items() for module in names}
"""Packages whose modules have other names than their own, by module."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """The modules that a submission finds besides its own and the standard library's."""

    where: str
    """For the middle of a sentence: `uv.lock`, `the image posebowl-runtime:cpu`."""
    modules: frozenset[str]
    remedy: str = ""
    """What brings a module of the lock there; the lock itself needs nothing."""


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A module that a submission imports, and that it will not find."""

    module: str
    place: str
    """Where it is imported first."""
    optional: bool
    """The submission copes without it, as far as its code shows."""
    text: str
    """One sentence about it."""
    fix: str


def of_lock(group: Group, cache: Path) -> Offer:
    """Return what a dependency group of the lock offers.

    Raises:
        EngineError: uv is missing, or cannot read its lock.
    """
    return Offer(where=f"the {group} group of uv.lock", modules=modules(group, cache))


def missing(archive: Archive, lock: Offer, offer: Offer) -> tuple[Missing, ...]:
    """Return what a submission imports and neither brings nor finds.

    Args:
        archive: The submission.
        lock: What the lock offers, which tells how a module gets to where it is missing.
        offer: What there is where it runs; the lock, if that is not known.
    """
    bundled = {name for package in archive.packages for name in module_names(package)}
    dying = {name: lack for package, lack in too_new().items() for name in module_names(package)}
    found = [item for item in archive.uses if not item.bundled and item.module not in bundled]
    return tuple(
        Missing(
            module=item.module,
            place=item.place,
            optional=item.optional,
            text=_text(item.module, item.place, offer.where, optional=item.optional),
            fix=offer.remedy if item.module in lock.modules else _fix(item.module),
        )
        for item in found
        if item.module not in offer.modules
    ) + tuple(
        Missing(
            module=item.module,
            place=item.place,
            optional=item.optional,
            text=f"{item.place} imports {item.module}, which needs {dying[item.module]}: on this "
            "machine's processor it dies of an illegal instruction.",
            fix=f"Run it on a machine with {dying[item.module]}.",
        )
        for item in found
        if item.module in offer.modules and item.module in dying
    )


def _text(module: str, place: str, where: str, *, optional: bool) -> str:
    if optional:
        return f"{place} can do without {module}, and will: it is not in {where}."
    return f"{place} imports {module}, which is not in {where}: a run fails where it gets there."


def _fix(module: str) -> str:
    if module in _PACKAGES:
        return f"Type: uv add {_PACKAGES[module]}"
    return f"If it is yours, pack it too. If it is a package, type: uv add {module}"
