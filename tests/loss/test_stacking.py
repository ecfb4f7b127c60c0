"""The average over forms: its weights, its intervals, losses far out, and few losses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from actilaw import fit_loss
from actilaw.errors import InputError
from actilaw.loss.averaging import FREEDOM, root_of_covariance
from actilaw.loss.forms import FORMS
from actilaw.loss.surfaces import SURFACES
from builders.losses import GRID_D, GRID_N, SIZES, curve, noisy, noisy_law, surface


@pytest.fixture(scope="module")
def by_average():
    return fit_loss(SIZES, noisy_law(1))


@pytest.mark.slow
def test_weights_sum_to_one_and_are_shown(by_average) -> None:
    table = by_average.form_weights
    assert set(table.index) == {"activation", "power_floor", "M3", "M4", "bnsl"}
    assert table["weight"].sum() == pytest.approx(1)
    assert table["weight"].is_monotonic_decreasing
    assert "forecasts from " + table.index[0] in repr(by_average)


@pytest.mark.slow
def test_the_forecast_is_the_weighted_mean_of_the_forms(by_average) -> None:
    at = np.array([5.0, 1e4, 1e7])
    table = by_average.form_weights
    logs = [np.log(fit_loss(SIZES, noisy_law(1), name).predict(at)) for name in table.index]
    np.testing.assert_allclose(np.log(by_average.predict(at)), table["weight"] @ logs, rtol=1e-9)
    assert by_average.params == fit_loss(SIZES, noisy_law(1), "activation").params


@pytest.mark.slow
def test_the_interval_adds_noise_curve_spread_of_forms_and_drift(by_average) -> None:
    """(AV2), each part by itself, with the covariance of the coordinates by a plain inverse."""
    at = 1e7
    x = np.log([at])
    expected = float(np.log(by_average.predict(at)))
    variance = (by_average.averaged.drift * np.log(at / SIZES.max())) ** 2
    for name, weight in by_average.form_weights["weight"].items():
        fitted = fit_loss(SIZES, noisy_law(1), name)
        form, coordinates = fitted.form, fitted.profile.coordinates[np.newaxis]
        jacobian = form.log_loss(coordinates, np.log(SIZES))[1][0] / fitted.residual
        covariance = np.linalg.inv(jacobian.T @ jacobian + np.eye(jacobian.shape[1]) / 9)
        value, slopes = form.log_loss(coordinates, x)
        of_curve = slopes[0, 0] @ covariance @ slopes[0, 0]
        variance += weight * (fitted.residual**2 + of_curve + (value[0, 0] - expected) ** 2)
    row = by_average.forecast(at, level=0.9).iloc[0]
    reach = student.ppf(0.95, FREEDOM) * np.sqrt(variance)
    assert np.log(row["upper"] / row["expected"]) == pytest.approx(reach, rel=1e-4)
    assert np.log(row["expected"] / row["lower"]) == pytest.approx(reach, rel=1e-4)


def test_what_losses_do_not_tell_is_as_wide_as_was_believed_before() -> None:
    root = root_of_covariance(np.array([[1.0, 0.0], [2.0, 0.0]]), noise=0.1)
    covariance = root @ root.T
    assert covariance[0, 0] == pytest.approx(1 / (5 / 0.01 + 1 / 9))
    assert covariance[1, 1] == pytest.approx(9)


@pytest.mark.slow
def test_forms_that_neither_fit_nor_foretell_have_little_weight() -> None:
    """A plateau is seen, which two of the forms do not have; Kaplan's limits add up otherwise."""
    of_curve = fit_loss(SIZES, noisy_law(2, scatter=0.005)).form_weights["weight"]
    assert of_curve[["power_floor", "M3"]].sum() < 1e-3
    loss = noisy(surface("chinchilla"), 0, scatter=0.002)
    of_surface = fit_loss(GRID_D, loss, size=GRID_N).form_weights["weight"]
    assert of_surface["kaplan"] < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 4, 5, 6, 7])
def test_few_losses_are_forecast_by_what_they_are_enough_for(n: int) -> None:
    fitted = fit_loss(SIZES[:n], noisy(5 * SIZES[:n] ** -0.4, 0))
    row = fitted.forecast(10 * SIZES[n - 1]).iloc[0]
    assert np.isfinite(row).all()
    assert row["lower"] < row["expected"] < row["upper"]
    enough = {name for name, form in FORMS.items() if len(form.parameters) < n}
    assert set(fitted.form_weights.index) <= enough


def test_too_few_losses_are_refused_in_one_sentence() -> None:
    with pytest.raises(InputError, match="needs at least 3 different sizes, but got 2"):
        fit_loss(SIZES[:2], [2.0, 1.0])
    with pytest.raises(InputError, match="needs at least 6 different sizes, but got 5"):
        fit_loss(GRID_D[:5], surface("chinchilla")[:5], size=GRID_N[:5])


@pytest.mark.slow
def test_runs_that_diverged_are_left_out_and_named() -> None:
    loss = noisy(surface("activation"), 2, scatter=0.005)
    dirty = loss.copy()
    dirty[[3, 20]] *= 3
    clean, found = (fit_loss(GRID_D, values, size=GRID_N) for values in (loss, dirty))
    assert found.left_out is not None
    np.testing.assert_array_equal(np.sort(found.left_out.loss), np.sort(dirty[[3, 20]]))
    assert found.loss.size == loss.size - 2
    assert any("left out, far from the curve: " in remark for remark in found.remarks())
    np.testing.assert_allclose(
        found.predict(1e7, 1e6), clean.predict(1e7, 1e6), rtol=3 * clean.residual
    )
    assert clean.left_out is not None
    assert clean.left_out.loss.size == 0


@pytest.mark.slow
@pytest.mark.parametrize("place", [2, 6, 9])
def test_one_run_that_diverged_among_twelve_is_left_out_and_none_of_fewer_than_ten(
    place: int,
) -> None:
    """At the very end of the data it would be a bend of the curve for all that is known."""
    dirty = noisy_law(1)
    dirty[place] *= 1.5
    found = fit_loss(SIZES, dirty).left_out
    assert found is not None
    assert found.loss.tolist() == [dirty[place]]
    few = fit_loss(SIZES[3:], dirty[3:]).left_out
    assert few is not None
    assert few.loss.size == 0


@pytest.mark.slow
def test_the_order_of_runs_does_not_matter() -> None:
    loss = noisy(surface("kaplan"), 4, scatter=0.005)
    order = np.random.default_rng(0).permutation(loss.size)
    one = fit_loss(GRID_D, loss, size=GRID_N)
    other = fit_loss(GRID_D[order], loss[order], size=GRID_N[order])
    weights = [fitted.form_weights["weight"].sort_index() for fitted in (one, other)]
    np.testing.assert_allclose(*weights, rtol=1e-4, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["activation", "chinchilla", "kaplan"])
def test_larger_runs_of_drawn_surfaces_are_forecast_within_their_intervals(name: str) -> None:
    far_d, far_n = np.array([3e6, 1e7]), np.array([3e6, 1e6])
    inside = []
    for seed in range(25):
        fitted = fit_loss(GRID_D, noisy(surface(name), seed, scatter=0.005), size=GRID_N)
        ahead = fitted.forecast(far_d, size=far_n)
        new = noisy(surface(name, far_d, far_n), 1000 + seed, scatter=0.005)
        inside += ((ahead["lower"] <= new) & (new <= ahead["upper"])).tolist()
    print(f"{name}: {np.mean(inside):.2f} of {len(inside)} new losses inside 95 % intervals")
    assert np.mean(inside) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 25)


def test_every_averaged_form_is_a_form() -> None:
    from actilaw.loss.fit import AVERAGED_CURVES, AVERAGED_SURFACES

    assert set(AVERAGED_CURVES) <= set(FORMS)
    assert set(AVERAGED_SURFACES) <= set(SURFACES)
    assert curve("power", {"amplitude": 5.0, "b": 0.3})[0] == pytest.approx(5 * 10**-0.3)
