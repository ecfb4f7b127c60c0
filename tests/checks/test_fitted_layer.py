"""Influences of units on the estimates of a layer, and the design effect."""

from __future__ import annotations

import numpy as np
import pytest

from actilaw import ActivationCounts
from actilaw.checks.fitted_layer import FittedLayer
from builders.drawn import draw_counts
from builders.layers import counts_of, draw_bursts


def test_the_influence_of_a_unit_on_c_is_what_leaving_it_out_does(
    layer: FittedLayer, fitted_layer
) -> None:
    counts = layer.counts
    for unit in (0, 17, int(counts.counts.argmax()), int(counts.counts.argmin())):
        keep = np.arange(counts.units) != unit
        without = fitted_layer(ActivationCounts(counts.counts[keep], counts.samples))
        assert np.log(layer.rate / without.rate) == pytest.approx(
            layer.log_rate_influence[unit], rel=0.05, abs=1e-5
        )


def test_the_error_of_b_from_influences_is_that_of_the_fit(fitted_layer) -> None:
    layer = fitted_layer(draw_counts(4000, 200, 0.4, 1000, seed=0))
    relative = layer.fitted.standard_errors["b"] / layer.law.b
    assert layer.design_effect == 1
    assert layer.standard_error(layer.log_b_influence) == pytest.approx(relative, rel=0.05)


def test_units_that_fire_together_have_a_design_effect(layer: FittedLayer, fitted_layer) -> None:
    bursts = fitted_layer(counts_of(draw_bursts(5, spread=2.0)))
    assert 1 <= layer.design_effect < 1.1
    assert bursts.design_effect > 1.2


def test_distinct_counts_are_those_of_the_units(layer: FittedLayer) -> None:
    k, of_unit, units = layer.distinct
    np.testing.assert_array_equal(k[of_unit], layer.counts.counts)
    np.testing.assert_array_equal(units, np.bincount(of_unit))


def test_z_is_the_normal_quantile(layer: FittedLayer) -> None:
    assert layer.z == pytest.approx(1.959964, abs=1e-6)
