"""Tocsin's daemon: owns alert groups and heartbeats."""
