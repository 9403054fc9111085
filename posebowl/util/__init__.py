"""Tools that know nothing of the challenge: processes, files, text, units, the console."""
