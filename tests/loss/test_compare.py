"""Forms side by side."""

from __future__ import annotations

import numpy as np
import pytest

from actilaw import LossSurface, compare_loss_forms, fit_loss
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
    assert set(table.index) == set(FORMS)
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


@pytest.mark.slow
def test_forms_with_too_many_parameters_are_left_missing() -> None:
    table = compare_loss_forms(SIZES[:6], noisy(5 * SIZES[:6] ** -0.4, 0))
    assert np.isnan(table.loc["bnsl", "held_out_error"])
    assert np.isfinite(table.loc["activation", "held_out_error"])
    with pytest.raises(
        InputError,
        match="at least 3 different sizes besides those held out, but of 3 in all held_out=1 "
        "leaves 2",
    ):
        compare_loss_forms(SIZES[:3], SIZES[:3] ** -0.4)


@pytest.mark.slow
def test_forms_that_the_criterion_does_not_decide_about_have_no_weight() -> None:
    """Of k parameters with the scale of the noise, AICc is finite from k + 2 losses on."""
    five = compare_loss_forms(SIZES[:5], noisy(5 * SIZES[:5] ** -0.4, 0))
    assert five["weight"].isna().all()
    assert five.loc["power", "remark"] == ""
    assert five.loc["activation", "remark"] == "undecided by AICc: 5 losses, and it needs 7"

    six = compare_loss_forms(SIZES[:6], noisy(5 * SIZES[:6] ** -0.4, 0))
    decided = np.isfinite(six["aicc"])
    assert set(six.index[decided]) == {"power", "power_floor"}
    assert six.loc[decided, "weight"].sum() == pytest.approx(1)
    gain = six.loc["power_floor", "aicc"] - six.loc["power", "aicc"]
    odds = six.loc["power", "weight"] / six.loc["power_floor", "weight"]
    assert odds == pytest.approx(np.exp(gain / 2))
    assert six.loc[~decided, "weight"].isna().all()
    assert six.loc[~decided, "remark"].str.startswith("undecided by AICc: 6 losses").all()


@pytest.mark.slow
def test_a_grid_of_five_sizes_of_data_and_of_network_is_compared() -> None:
    """25 sizes in all: without the largest of the data 20 are left, more than any form needs."""
    surface = LossSurface(floor=1.7, amplitude=4.0, active=30.0, b=0.4)
    networks, samples = map(np.ravel, np.meshgrid(np.geomspace(100, 1e4, 5), SIZES[::2][:5]))
    table = compare_loss_forms(samples, noisy(surface.loss(networks, samples), 0), size=networks)
    assert table.attrs["held_out"] == [samples.max()]
    assert table.index[0] == "knee_alone"
    assert table.loc["knee_alone", "held_out_error"] < 0.05
    with pytest.raises(InputError, match="but of 25 in all held_out=5 leaves 0"):
        compare_loss_forms(samples, surface.loss(networks, samples), size=networks, held_out=5)
