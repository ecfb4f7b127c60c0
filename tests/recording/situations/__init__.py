"""Situations in which a network may be recorded, each beside a count by brute force."""
