"""The container images: built from the lock, moved between machines, looked into."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.images.builder import (
        Built as Built,
        build as build,
        choose as choose,
        describe as describe,
    )
    from posebowl.images.debian_base import Base as Base
    from posebowl.images.package_tests import (
        Packages as Packages,
        check_packages as check_packages,
    )
    from posebowl.images.registry import Moved as Moved, pull as pull, push as push

__getattr__ = face(
    __name__,
    builder=("Built", "build", "choose", "describe"),
    debian_base=("Base",),
    package_tests=("Packages", "check_packages"),
    registry=("Moved", "pull", "push"),
)
