"""The rules, pure: no clock, no SQL, no gRPC, no threads."""
