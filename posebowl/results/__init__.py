"""What a run leaves: its result, its folder, the history of runs."""
