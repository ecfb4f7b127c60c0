from __future__ import annotations

from pathlib import Path

import pytest

from actilaw import Census
from builders.drawn import draw_counts


@pytest.fixture(scope="session")
def census(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with two layers, whose counts `draw_counts` draws again."""
    layers = {
        "first": draw_counts(800, 20, 0.3, 200, seed=0),
        "second": draw_counts(500, 9, 0.6, 200, seed=1),
    }
    return Census(layers).save(tmp_path_factory.mktemp("cli") / "layers.census")
