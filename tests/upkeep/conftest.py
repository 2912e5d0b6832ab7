"""Fixtures of the tests that run real processes."""

from process_fixtures import folder, processes, stack

__all__ = ["folder", "processes", "stack"]
