"""Everything that goes out over the network: a process of its own, and what the daemon and it say to each other."""
