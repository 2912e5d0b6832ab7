"""Carries changes out: rules from the domain, rows in the file, timers in memory, in one transaction each."""
