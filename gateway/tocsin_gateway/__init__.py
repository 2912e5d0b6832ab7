"""Tocsin's gateway: HTTP in, gRPC out."""
