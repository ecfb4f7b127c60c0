"""Hypothesis strategies for counts."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from actilaw import ActivationCounts

SAMPLES = 12
small_layers = st.lists(st.integers(0, SAMPLES), min_size=3, max_size=3).map(
    lambda counts: ActivationCounts(np.array(counts), SAMPLES)
)
