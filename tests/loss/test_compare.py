"""Forms side by side."""

from __future__ import annotations

import numpy as np
import pytest

from actilaw import compare_loss_forms, fit_loss
from actilaw.errors import InputError
from actilaw.loss.forms import FORMS
from builders.losses import SIZES, noisy


@pytest.mark.slow
@pytest.mark.parametrize("name", ["activation", "power_floor", "power"])
def test_the_form_that_made_the_losses_is_found(name: str) -> None:
    forms = {
        "activation": 0.2 + 3 * (1 + SIZES / 300) ** -0.6,
        "power_floor": 0.2 + 5 * SIZES**-0.4,
        "power": 5 * SIZES**-0.4,
    }
    table = compare_loss_forms(SIZES, noisy(forms[name], 2))
    assert set(table.index) == set(FORMS) - {"chinchilla"}
    assert table["weight"].idxmax() == name
    assert table["weight"].sum() == pytest.approx(1)
    assert table["held_out_error"].is_monotonic_increasing
    assert table.loc[name, "held_out_error"] < 0.05


@pytest.mark.slow
def test_the_held_out_error_is_that_of_a_fit_to_the_rest() -> None:
    loss = noisy(0.2 + 3 * (1 + SIZES / 300) ** -0.6, 5)
    table = compare_loss_forms(SIZES, loss, held_out=2)
    assert table.attrs["held_out"] == SIZES[-2:].tolist()
    rest = fit_loss(SIZES[:-2], loss[:-2], "M3")
    off = np.abs(np.log(rest.predict(SIZES[-2:]) / loss[-2:])).mean()
    assert table.loc["M3", "held_out_error"] == pytest.approx(off, rel=1e-9)
    power = fit_loss(SIZES, loss, "power")
    assert table.loc["power", "aicc"] == power.aicc
    squares = np.mean(np.log(power.predict(SIZES) / loss) ** 2)
    gaussian = 12 * np.log(squares) + 12 * (1 + np.log(2 * np.pi)) + 2 * 3 * 12 / 8
    assert table.loc["power", "aicc"] == pytest.approx(gaussian, abs=6)


def test_forms_with_too_many_parameters_are_left_missing() -> None:
    table = compare_loss_forms(SIZES[:6], noisy(5 * SIZES[:6] ** -0.4, 0))
    assert np.isnan(table.loc["bnsl", "held_out_error"])
    assert np.isfinite(table.loc["activation", "held_out_error"])
    with pytest.raises(
        InputError, match="at least 3 different sizes besides those held out, but got 3 in all"
    ):
        compare_loss_forms(SIZES[:3], SIZES[:3] ** -0.4)
