"""One run, from the zip to the report."""
