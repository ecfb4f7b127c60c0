from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from actilaw import ActivationCounts
from actilaw.checks.fitted_layer import FittedLayer
from actilaw.fitting.families.catalogue import FAMILIES
from builders.layers import draw_layer


def _fitted_layer(counts: ActivationCounts, level: float = 0.95) -> FittedLayer:
    return FittedLayer.of(counts, level, np.random.default_rng(0))


@pytest.fixture(scope="session")
def fitted_layer() -> Callable[..., FittedLayer]:
    """Fits the law to counts; draws start from seed 0."""
    return _fitted_layer


@pytest.fixture(scope="session")
def layer() -> FittedLayer:
    """A layer that follows the law."""
    return _fitted_layer(draw_layer(0))


@pytest.fixture
def few_families(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the families that take long to fit, for tests of other rows."""
    for name in ("mixture", "heavy_tail"):
        monkeypatch.delitem(FAMILIES, name)
