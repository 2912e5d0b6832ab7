"""Tocsin's command line."""
