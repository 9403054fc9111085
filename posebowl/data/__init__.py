"""The data folder: find it, check it, unpack it."""
