"""Studies filled with counts that are drawn from the law, without a training."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np

from actilaw import ActivationCounts, Blocks, Census
from actilaw.study.cells import Outcome
from actilaw.study.grid import IN_TRAINING, Cell
from actilaw.study.store import Study, opened_for_writing

WIDTHS, SAMPLES, SEEDS = (200, 400), (32, 64, 128, 256), (0, 1)
B, ACTIVE = 0.5, 8.0


def drawn_census(cell: Cell) -> Census:
    """Counts of one layer by the law with b fixed, in 16 blocks, and what a cell says besides."""
    rng = np.random.default_rng((cell.width, cell.samples, cell.seed))
    rates = rng.beta(B, B * (cell.width / ACTIVE - 1), cell.width)
    size = cell.samples // 16
    in_blocks = rng.binomial(size, rates, (16, cell.width))
    counts = ActivationCounts(
        in_blocks.sum(0), cell.samples, blocks=Blocks(in_blocks, np.full(16, size), size)
    )
    idle = counts.idle / counts.units
    removal = {
        "loss_without_idle": 0.5,
        "change_on_training": 0.0,
        "loss_without_layer": 2.0,
        "removable_0.1%": idle,
        "removable_1%": idle,
    }
    about = {
        **cell.settings(),
        "parameters": 100,
        "steps": 10,
        "test_loss": 0.1 + cell.samples**-0.5,
        "test_loss_se": 0.01,
        "training_loss": 0.1,
        "removal": {"relu": removal},
        "versions": {},
    }
    return Census({"relu": counts, f"relu{IN_TRAINING}": counts}, about)


def filled_study(folder: Path) -> Study:
    """A study of one task, all of whose cells are done."""
    cells = [Cell("digits", *shape) for shape in product(WIDTHS, SAMPLES, SEEDS)]
    with opened_for_writing(folder) as writer:
        writer.groups_to_run(cells, retry_failed=False)
        writer.keep(Outcome(cell, drawn_census(cell), None, 1.0) for cell in cells)
        return writer.study
