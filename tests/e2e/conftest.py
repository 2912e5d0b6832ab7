"""Fixtures of this suite."""

from process_fixtures import folder, processes, shared_stack, stack

__all__ = ["folder", "processes", "shared_stack", "stack"]
