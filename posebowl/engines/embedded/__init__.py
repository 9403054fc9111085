"""The engine that needs no daemon and no image: Linux namespaces."""
