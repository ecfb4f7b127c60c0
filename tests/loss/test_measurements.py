"""What is accepted as measured losses."""

from __future__ import annotations

import numpy as np
import pytest

from actilaw import fit_loss
from actilaw.errors import InputError
from actilaw.loss.measurements import read_measurements
from builders.losses import SIZES, noisy_law


@pytest.mark.parametrize(
    ("samples", "loss", "message"),
    [
        ([1, 2, 3], [1, 2], r"of one shape \(n,\), but got \(3,\) and \(2,\)"),
        ([[1, 2]], [[1, 2]], r"samples and loss of one shape \(n,\), but got \(1, 2\) and"),
        ([1, 2, 3, 4, 0], [1, 1, 1, 1, 1], "positive, finite samples, but 1 of 5"),
        ([1, 2, 3, 4, 5], [1, 1, 1, np.nan, 1], "positive, finite loss, but 1 of 5"),
        ([1, 2, 3, 4, 4], [5, 4, 3, 2, 1], "at least 5 different sizes, but got 4"),
    ],
)
def test_losses_that_cannot_be_fitted_are_refused(samples: list, loss: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_loss(samples, loss, "activation")


def test_weights_of_another_shape_or_not_positive_are_refused() -> None:
    with pytest.raises(
        InputError,
        match=r"expected samples and weights of one shape \(n,\), but got \(12,\) and \(1,\)",
    ):
        fit_loss(SIZES, noisy_law(0), "activation", weights=[1])
    with pytest.raises(InputError, match="positive, finite weights, but 1 of 12"):
        fit_loss(SIZES, noisy_law(0), "activation", weights=[0, *np.ones(11)])


def test_sizes_are_counted_as_pairs_of_data_and_network() -> None:
    assert read_measurements([1, 2, 2, 3], [4, 3, 3, 2]).distinct_sizes == 3
    joint = read_measurements([1, 2, 2, 3], [4, 3, 3, 2], size=[5, 5, 6, 6])
    assert joint.distinct_sizes == 4
    part = joint.where(joint.samples == 2)
    assert part.size is not None
    assert (part.samples.tolist(), part.size.tolist()) == ([2, 2], [5, 6])
