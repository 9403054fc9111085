"""Docker and Podman, behind one builder of argument lists."""
# mypy: implicit-reexport
# ruff: noqa: F401

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.engines.oci.argv import ContainerSpec, Mount, image_name
    from posebowl.engines.oci.client import Client
    from posebowl.engines.oci.look import attached, look_spec

__getattr__ = face(__name__)
