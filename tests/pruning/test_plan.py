"""What is removed: idle units, but never a whole layer."""

from __future__ import annotations

import numpy as np
import torch

from actilaw import ActivationCounts, Census, prune
from actilaw.pruning.plan import units_to_remove
from builders.prunable import INPUTS, census_of, half_idle


def test_a_layer_in_which_nothing_fires_keeps_one_unit() -> None:
    model = half_idle()
    with torch.no_grad():
        model.b.bias[:] = -100
    result = prune(model, census_of(model, INPUTS), INPUTS[:4])
    assert result.model.b.out_features == 1
    torch.testing.assert_close(result.model(INPUTS), model(INPUTS))


def test_nothing_idle_removes_nothing() -> None:
    model = half_idle()
    census = Census({"relu_a": ActivationCounts(np.ones(12, int), 64)})
    result = prune(model, census, INPUTS[:4])
    assert result.units_removed == 0
    assert result.parameters_after == result.parameters_before


def test_idle_units_are_removed_except_the_first_of_a_layer_without_others() -> None:
    census = Census(
        {
            "some": ActivationCounts(np.array([0, 3, 0, 1]), 4),
            "all": ActivationCounts(np.zeros(3, int), 4),
            "none": ActivationCounts(np.array([1, 2]), 4),
        }
    )
    planned = {name: units.tolist() for name, units in units_to_remove(census).items()}
    assert planned == {"some": [0, 2], "all": [1, 2], "none": []}
