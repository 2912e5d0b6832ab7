"""Fixtures of this suite."""

from process_fixtures import folder, processes, stack

__all__ = ["folder", "processes", "stack"]
