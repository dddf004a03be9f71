"""Proof: what still shows in a file, found by other means than those that made it."""
