"""Families of laws that counts may follow, and the search for the maximum of their likelihood."""
