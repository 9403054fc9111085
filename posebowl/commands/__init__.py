"""What people type: one module for each group of tasks.

A task function says what the task is called, which flags it has and what they mean, and imports
what it needs when it runs: `invoke --list` loads nothing of it.
"""
