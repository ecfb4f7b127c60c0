from __future__ import annotations

import pytest
from hypothesis import settings

from actilaw import ActivationCounts
from builders.drawn import draw_counts

# How long an example takes says how busy the machine is.
settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")


@pytest.fixture(scope="session")
def counts() -> ActivationCounts:
    return draw_counts(units=2000, active=40, b=0.3, samples=500, seed=1)
