from __future__ import annotations

import pytest

from actilaw import ActivationCounts
from builders.drawn import draw_counts


@pytest.fixture(scope="session")
def counts() -> ActivationCounts:
    return draw_counts(units=2000, active=40, b=0.3, samples=500, seed=1)
