from __future__ import annotations

import numpy as np
import pytest

from actilaw import Census
from builders.drawn import draw_blocks


@pytest.fixture(scope="session")
def layers() -> Census:
    """Two layers with blocks, one of them with a name that is no text for a page, and one that was
    never active.
    """
    rng = np.random.default_rng(5)
    wide = draw_blocks(rng.beta(0.3, 0.3 * (800 / 20 - 1), 800), 16, 32, rng)
    narrow = draw_blocks(rng.beta(0.6, 0.6 * (300 / 9 - 1), 300), 16, 32, rng)
    silent = draw_blocks(np.zeros(20), 16, 32, rng)
    return Census({"wide": wide, "<img src=x onerror=alert(1)>\x1b": narrow, "silent": silent})
