"""Tocsin's command line."""

import os

# gRPC's library writes what it sees of the network (a connection that ends, say) on stderr, which is for people.
# It reads this when it is loaded, so this comes first.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
