"""Run a Pose Bowl detection submission on your own machine exactly as the platform would."""

__version__ = "0.1.0"
