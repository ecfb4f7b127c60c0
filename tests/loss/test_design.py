"""What runs of one size, at one ratio of data to size, or of two sizes cannot tell."""

from __future__ import annotations

import numpy as np
import pytest

from actilaw import fit_loss
from actilaw.errors import InputError
from builders.losses import GRID_D, GRID_N, noisy, surface

SIZES_OF_RUNS = np.geomspace(1e3, 1e6, 12)
MANY = np.geomspace(1e2, 1e6, 12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("samples", "size", "said", "elsewhere", "there"),
    [
        (MANY, np.full(12, 1e4), "all losses are of one size, 1e\\+04", (1e5, 1e5), (1e7, 1e4)),
        (np.full(12, 1e5), SIZES_OF_RUNS, "all losses are after 1e\\+05", (1e6, 1e5), (1e5, 1e7)),
        (20 * SIZES_OF_RUNS, SIZES_OF_RUNS, "all runs have 20 samples per", (1e7, 1e4), (2e7, 1e6)),
    ],
)
def test_a_design_without_room_says_so_and_leaves_the_rest_open(
    samples: np.ndarray,
    size: np.ndarray,
    said: str,
    elsewhere: tuple[float, float],
    there: tuple[float, float],
) -> None:
    loss = noisy(surface("chinchilla", samples, size), 0, scatter=0.003)
    with pytest.warns(UserWarning, match=said) as warned:
        fitted = fit_loss(samples, loss, size=size)
    assert warned[0].filename == __file__
    open_row = fitted.forecast(elsewhere[0], size=elsewhere[1]).iloc[0]
    assert (open_row["lower"], open_row["upper"]) == (0, np.inf)
    known = fitted.forecast(there[0], size=there[1]).iloc[0]
    truth = surface("chinchilla", np.array([there[0]]), np.array([there[1]]))[0]
    assert known["lower"] < truth < known["upper"] < 2 * known["lower"]
    with pytest.raises(InputError, match="no split of a budget can be told: all"):
        fitted.allocate(1e12)


@pytest.mark.slow
def test_two_sizes_are_told_from_three() -> None:
    two = np.resize([1e4, 1e5], 24)
    samples = np.geomspace(1e2, 1e6, 24)
    with pytest.warns(UserWarning, match="two sizes show that the loss differs between them"):
        fit_loss(samples, surface("chinchilla", samples, two), size=two)


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_a_grid_of_sizes_and_data_needs_no_warning() -> None:
    fitted = fit_loss(GRID_D, noisy(surface("activation"), 0), size=GRID_N)
    assert not any("cannot be told" in remark for remark in fitted.remarks())
    assert any(remark.startswith("the knee moves as size^g, g ") for remark in fitted.remarks())
