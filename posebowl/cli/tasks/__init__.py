"""What people type: one module for each group of tasks.

A task function declares its options, and imports what it needs when it runs: `invoke --list`
loads nothing of it.
"""
