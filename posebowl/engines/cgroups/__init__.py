"""Control groups: read those of a run, make one for it."""
