"""Hypothesis for the theory: no deadline, for the first example of a law pays for its table of
counts.
"""

from hypothesis import settings

settings.register_profile("theory", deadline=None, max_examples=60)
settings.load_profile("theory")
