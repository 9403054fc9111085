"""Docker and Podman, behind one builder of argument lists."""
