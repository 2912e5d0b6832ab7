"""Measures Tocsin on this machine: the real processes, with load from outside. `python -m bench --help`."""
