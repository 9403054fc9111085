"""Measurements of speed and of accuracy, each a module to run: `python -m benchmarks.NAME`."""

from posebowl.util.missing_packages import explain_missing_packages

explain_missing_packages()
