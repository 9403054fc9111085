"""The one filter of system calls: what a run may not call, and how each engine is told."""
