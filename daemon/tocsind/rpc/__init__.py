"""The gRPC services: decode, call, encode; no rules of their own."""
