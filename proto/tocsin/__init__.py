"""Tocsin's contract: what clients import."""
