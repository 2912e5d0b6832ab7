"""Stands in for the daemon where `tocsin up` is tested with daemons that misbehave."""
