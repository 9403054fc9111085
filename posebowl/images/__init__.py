"""The container images: built from the lock, moved between machines, looked into."""
