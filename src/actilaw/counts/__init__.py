"""Counts of activations, the data in which all rooms meet, and the file that holds them."""
