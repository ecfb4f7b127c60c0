"""What a fitted curve says of itself: tables, criteria, remarks, a drawing, a few lines of text."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy.integrate import quad

from actilaw import LossLaw, fit_loss
from actilaw.errors import InputError
from actilaw.loss.fitted_loss import FittedLoss
from actilaw.loss.forms import FORMS
from actilaw.loss.huber import CLIP
from builders.losses import (
    DATA,
    EVEN,
    PARAMETERS,
    SIZES,
    SURFACE,
    TRUTH,
    WIDTHS,
    D,
    N,
    curve,
    even_law,
    noisy,
    noisy_law,
)


@pytest.fixture(scope="module")
def fitted() -> FittedLoss:
    return fit_loss(SIZES, even_law(), "activation")


@pytest.fixture(scope="module")
def joint() -> FittedLoss:
    return fit_loss(DATA, noisy(SURFACE.loss(WIDTHS, DATA), 0), "knee_alone", size=WIDTHS)


def test_the_covariance_is_by_name_and_its_diagonal_are_the_squared_errors(
    fitted: FittedLoss,
) -> None:
    names = ["floor", "amplitude", "knee", "b"]
    assert list(fitted.covariance.index) == list(fitted.covariance.columns) == names
    np.testing.assert_allclose(
        np.sqrt(np.diag(fitted.covariance)), list(fitted.standard_errors.values()), rtol=1e-12
    )
    assert np.linalg.eigvalsh(fitted.covariance).min() > 0


@pytest.mark.slow
def test_the_covariance_is_that_of_estimates_over_many_draws() -> None:
    draws = [fit_loss(SIZES, noisy_law(seed, scatter=0.005), "activation") for seed in range(200)]
    estimates = pd.DataFrame([draw.params for draw in draws])
    said = np.mean([draw.covariance for draw in draws], axis=0)
    found = estimates.cov().to_numpy()
    errors = np.sqrt(np.diag(said))
    ratio = (found - said) / np.outer(errors, errors)
    print("(found - said) / (error × error):\n", ratio.round(2))
    # Standard error of a covariance of 200 draws: 1 / sqrt(200), up to sqrt(2) of it.
    assert np.abs(ratio).max() < 4 * np.sqrt(2 / 200)


def test_what_is_undetermined_has_no_covariance() -> None:
    power = fit_loss(SIZES, 5 * SIZES**-0.4, "activation")
    for name in power.undetermined:
        assert power.covariance.loc[name, name] == np.inf
        assert power.covariance[name].drop(name).isna().all()
    two = np.resize([1e3, 1e4], D.size)
    flat = fit_loss(D, 1.7 + 40 * two**-0.3 + 20 * D**-0.4, "chinchilla", size=two)
    assert np.isfinite(flat.covariance.loc[["B", "beta"], ["B", "beta"]]).all(axis=None)
    assert flat.covariance.loc["floor", "beta"] != flat.covariance.loc["floor", "beta"]


def test_the_likelihood_is_gaussian_where_no_loss_is_far_out(fitted: FittedLoss) -> None:
    """Up to the tails of Huber's law, which make its normalising constant Z larger than √(2π)."""
    squares = float(np.mean(np.log(fitted.predict(SIZES) / fitted.loss) ** 2))
    gaussian = -6 * (np.log(2 * np.pi * squares) + 1)
    inner = quad(lambda u: np.exp(-(u**2) / 2), -CLIP, CLIP)[0]
    tails = 2 * quad(lambda u: np.exp(-CLIP * u + CLIP**2 / 2), CLIP, np.inf)[0]
    expected = gaussian - 12 * np.log((inner + tails) / np.sqrt(2 * np.pi))
    # One residual lies a little beyond the clipping point.
    assert fitted.log_likelihood == pytest.approx(expected, abs=0.01)
    assert fitted.aic == 2 * 5 - 2 * fitted.log_likelihood
    assert fitted.aicc == pytest.approx(fitted.aic + 2 * 5 * 6 / (12 - 5 - 1))
    assert fit_loss(SIZES[:6], even_law()[:6], "activation").aicc == np.inf


def test_aic_prefers_the_form_that_made_the_losses() -> None:
    loss = noisy_law(2)
    assert fit_loss(SIZES, loss, "activation").aic < fit_loss(SIZES, loss, "power").aic - 10


def test_plot_draws_measurements_curve_and_interval(fitted: FittedLoss) -> None:
    ax = fitted.plot()
    line, dots = ax.get_lines()
    np.testing.assert_array_equal(dots.get_xdata(), SIZES)
    np.testing.assert_array_equal(dots.get_ydata(), fitted.loss)
    np.testing.assert_allclose(line.get_ydata(), fitted.predict(line.get_xdata()))
    assert line.get_xdata()[-1] == pytest.approx(10 * SIZES[-1])
    [band] = ax.collections
    last = fitted.forecast(10 * SIZES[-1]).iloc[0]
    at_the_end = band.get_paths()[0].vertices
    at_the_end = at_the_end[at_the_end[:, 0] == at_the_end[:, 0].max(), 1]
    assert [at_the_end.min(), at_the_end.max()] == pytest.approx([last.lower, last.upper])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


@pytest.mark.slow
def test_plot_takes_axes_and_draws_a_curve_for_each_size(joint: FittedLoss) -> None:
    ax = Figure().subplots()
    assert joint.plot(ax=ax) is ax
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["size 400", "size 2,000", "size 10,000"]
    assert len(ax.get_lines()) == 6
    assert len(ax.collections) == 3


@pytest.mark.parametrize("name", FORMS)
def test_the_repr_is_a_few_lines(name: str) -> None:
    size = N if FORMS[name].uses_size else None
    fitted = fit_loss(D, curve(name, PARAMETERS[name]), name, size=size)
    text = repr(fitted)
    assert text.startswith(f"<FittedLoss {name}: ")
    assert len(text) < 500
    for parameter, value in fitted.params.items():
        assert f"  {parameter} " in text
        assert f"{value:.4g} ±" in text


def test_a_notebook_shows_the_summary(fitted: FittedLoss) -> None:
    assert fitted._repr_html_() == fitted.summary().to_html()


@pytest.mark.parametrize("samples", [0, -5, np.nan, [[1, 2]]])
def test_losses_are_forecast_for_positive_sizes_alone(fitted: FittedLoss, samples: float) -> None:
    with pytest.raises(InputError, match="positive, finite samples"):
        fitted.forecast(samples)


def test_a_level_outside_its_range_is_refused(fitted: FittedLoss) -> None:
    for call in (fitted.summary, fitted.remarks, lambda level: fitted.forecast(10, level=level)):
        with pytest.raises(InputError, match="expected level as a fraction"):
            call(95)


def test_size_goes_with_joint_fits_alone(fitted: FittedLoss, joint: FittedLoss) -> None:
    with pytest.raises(InputError, match="expected no size="):
        fitted.predict(10, size=5)
    with pytest.raises(InputError, match="expected size=, to predict for, since the fit was a"):
        joint.predict(10)
    with pytest.raises(InputError, match=r"of one shape, but got \(2,\) and \(3,\)"):
        joint.predict([10, 20], size=[1, 2, 3])


def test_a_form_without_a_knee_says_so() -> None:
    power = fit_loss(D, curve("power", PARAMETERS["power"]), "power")
    assert power.b == pytest.approx(0.3)
    assert power.floor == 0
    with pytest.raises(
        InputError, match=r"a form with one knee, but amplitude D\^\(-b\) has amplitude, b"
    ):
        _ = power.knee
    with pytest.raises(InputError, match=r"'power' is no loss law: use \.params"):
        _ = power.law
    assert power.local_slope([1.0, 1e9]) == pytest.approx([-0.3, -0.3], rel=1e-6)


@pytest.mark.slow
def test_what_the_losses_leave_open_is_said_with_its_bound() -> None:
    power = fit_loss(SIZES, 5 * SIZES**-0.4 * np.exp(0.02 * EVEN), "activation")
    [knee] = [remark for remark in power.remarks() if remark.startswith("knee below ")]
    assert knee.endswith("no plateau is seen")
    assert any(remark.startswith("floor below ") for remark in power.remarks())
    truth = LossLaw(0.2, 3, 3e5, 0.5)
    early = fit_loss(SIZES, truth.loss(SIZES) * np.exp(0.02 * EVEN), "activation")
    [knee] = [remark for remark in early.remarks() if remark.startswith("knee")]
    bound = early.summary().lower["knee"]
    assert knee == f"knee above {bound:.4g} (95%): no power law is seen after it"
    assert bound < truth.knee
    assert fit_loss(SIZES, noisy_law(0), "activation").remarks() == ()


def test_the_local_slope_is_that_of_the_law() -> None:
    fitted = fit_loss(SIZES, noisy_law(0), "activation")
    np.testing.assert_allclose(fitted.local_slope(SIZES), fitted.law.local_slope(SIZES), rtol=1e-6)
    assert isinstance(float(fitted.local_slope(50)), float)
    assert fitted.law.knee == pytest.approx(TRUTH.knee, rel=0.5)
