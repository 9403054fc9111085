"""The container images: built from the lock, moved between machines, opened and tested."""
