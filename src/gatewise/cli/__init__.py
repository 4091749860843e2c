"""The command line."""

from gatewise.cli.application import main

__all__ = ["main"]
