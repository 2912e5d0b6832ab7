"""Stands in for the gateway where `tocsin up` is tested with gateways that misbehave."""
