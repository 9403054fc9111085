"""Docker and Podman, behind one builder of argument lists."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.engines.oci.argv import (
        ContainerSpec as ContainerSpec,
        Mount as Mount,
        image_name as image_name,
    )
    from posebowl.engines.oci.client import Client as Client
    from posebowl.engines.oci.look import attached as attached, look_spec as look_spec

__getattr__ = face(__name__)
