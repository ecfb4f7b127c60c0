"""Forecasts of layers of other widths."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import betabinom

from actilaw import fit
from actilaw.errors import InputError
from builders.drawn import draw_counts


def test_a_layer_of_its_own_width_is_forecast_as_it_is() -> None:
    fitted = fit(draw_counts(2000, 40, 0.3, 500, seed=1))
    table = fitted.forecast([500, 5000], units=2000)
    assert table["assumption"].tolist() == ["b fixed", "b fixed", "bN fixed", "bN fixed"]
    for _, part in table.groupby("assumption"):
        np.testing.assert_allclose(
            part["expected"], fitted.forecast([500, 5000])["expected"], rtol=1e-9
        )


@pytest.mark.parametrize("width", [500, 8000])
def test_widths_follow_the_law_that_each_assumption_is_about(width: int) -> None:
    fitted = fit(draw_counts(200_000, 4000, 0.3, 500, seed=1), "law")
    by_assumption = fitted.forecast(500, units=width * 100).set_index("assumption")["expected"]
    for assumption, b in (("b fixed", 0.3), ("bN fixed", 0.3 * 2000 / width)):
        knee = b * width * 100 / 4000
        truth = width * 100 * (1 - betabinom.pmf(0, 500, b, knee - b))
        assert by_assumption[assumption] == pytest.approx(truth, rel=0.02)


def test_a_wide_layer_after_less_than_one_rescaled_sample_is_its_activations() -> None:
    fitted = fit(draw_counts(2000, 40, 0.3, 500, seed=1))
    table = fitted.forecast(1, units=10**7).set_index("assumption")["expected"]
    assert table["b fixed"] == pytest.approx(fitted.counts.active, rel=0.05)


def test_a_width_below_the_active_units_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"expected more units than the .* that one sample activates, but got 20"
    ):
        fit(draw_counts(2000, 40, 0.3, 500, seed=1)).forecast(units=20)
