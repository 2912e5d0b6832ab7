"""Version 1 of the gRPC API; the .proto files beside this one are its documentation."""
