"""From a folder to a zip that the platform accepts."""
