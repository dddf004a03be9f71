"""Bytes to frames and back: reading, writing, and nothing in a file that was not asked for."""
