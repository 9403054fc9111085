"""What runs a submission: the embedded engine, Docker or Podman, behind one interface."""
