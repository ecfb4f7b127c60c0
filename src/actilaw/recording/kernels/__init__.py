"""Counting activations at the speed of reading memory."""
