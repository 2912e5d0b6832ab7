"""Telling people: chains that run, the outbox and what sends it, what messages say, and who is on call."""
