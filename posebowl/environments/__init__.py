"""uv.lock, and the Python environments that are made from it."""
