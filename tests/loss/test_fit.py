"""Losses in, a curve out: estimates and standard errors against the truth and SciPy's, joint fits,
and what is refused.
"""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.optimize import curve_fit

import actilaw.loss.single_form as module
from actilaw import ActivationCounts, LossLaw, fit, fit_loss
from actilaw.errors import InputError
from actilaw.loss.forms import FORMS
from builders.drawn import draw_counts
from builders.losses import (
    DATA,
    EVEN,
    LONG,
    PARAMETERS,
    SIZES,
    SURFACE,
    TRUTH,
    WIDTHS,
    D,
    N,
    coordinates,
    curve,
    log_sizes,
    noisy,
    noisy_law,
)


def test_a_loss_law_without_noise_is_given_back() -> None:
    law = fit_loss(SIZES, TRUTH.loss(SIZES), "activation").law
    assert [law.floor, law.amplitude, law.knee, law.b] == pytest.approx(
        [0.2, 3.0, 300.0, 0.6], rel=1e-5
    )


@pytest.mark.parametrize("name", FORMS)
def test_a_curve_without_noise_gives_its_parameters_back(name: str) -> None:
    fitted = fit_loss(D, curve(name, PARAMETERS[name]), name)
    assert fitted.params == pytest.approx(PARAMETERS[name], rel=1e-4)
    assert fitted.predict(D) == pytest.approx(curve(name, PARAMETERS[name]))


@pytest.mark.parametrize("name", ["activation", "power_floor", "M3"])
def test_without_a_loss_far_out_the_fit_and_its_covariance_are_those_of_scipy(name: str) -> None:
    form = FORMS[name]
    loss = curve(name, PARAMETERS[name]) * np.exp(0.02 * np.array([*EVEN, 1, -1]))

    def line(_: object, *p: float) -> np.ndarray:
        return form.log_loss(np.array([p]), log_sizes(form))[0][0]

    start = coordinates(form, PARAMETERS[name])[0]
    found, covariance = curve_fit(line, D, np.log(loss), start, ftol=1e-14, xtol=1e-14, gtol=1e-14)
    fitted = fit_loss(D, loss, name)
    estimates = np.array(list(fitted.params.values()))
    np.testing.assert_allclose(np.log(estimates), found, rtol=1e-5)
    errors = np.array(list(fitted.standard_errors.values())) / estimates
    np.testing.assert_allclose(errors, np.sqrt(np.diag(covariance)), rtol=1e-3)
    relative = fitted.covariance.to_numpy() / np.outer(estimates, estimates)
    np.testing.assert_allclose(relative, covariance, rtol=1e-3)


@pytest.mark.slow
def test_the_truth_lies_within_the_standard_errors_as_often_as_it_should() -> None:
    fits = [fit_loss(SIZES, noisy_law(seed), "activation") for seed in range(100)]
    off = np.array([(fitted.b - TRUTH.b) / fitted.standard_errors["b"] for fitted in fits])
    print(f"(b - truth) / standard error: mean {off.mean():+.2f}, scatter {off.std():.2f}")
    inside = np.abs(off) < 2.31  # the 95 % point of Student's t with 8 degrees of freedom
    assert np.mean(inside) > 0.85


@pytest.mark.parametrize(
    "losses", [[1e-4, 3, 2, 1, 0.9, 0.8], [1, 1.1, 1.2, 1.5, 1.7, 2.0], 1e300 * SIZES[:6] ** -0.3]
)
def test_curves_of_any_shape_are_fitted_and_what_is_undetermined_is_said(
    losses: list[float],
) -> None:
    fitted = fit_loss(SIZES[:6], losses, "activation")
    assert fitted.undetermined
    assert all(error > 0 for error in fitted.standard_errors.values())


def test_the_unit_of_samples_and_of_loss_does_not_matter() -> None:
    one, other = (
        fit_loss(SIZES, noisy_law(1), "activation"),
        fit_loss(1000 * SIZES, 5 * noisy_law(1), "activation"),
    )
    assert other.b == pytest.approx(one.b, rel=1e-4)
    assert other.knee == pytest.approx(1000 * one.knee, rel=1e-3)
    assert other.floor == pytest.approx(5 * one.floor, rel=1e-3)


def test_a_pure_power_law_says_that_its_knee_is_not_determined() -> None:
    fitted = fit_loss(SIZES, 5 * SIZES**-0.4, "activation")
    assert fitted.b == pytest.approx(0.4, rel=0.02)
    assert {"amplitude", "knee"} <= set(fitted.undetermined)
    assert fitted.floor < 0.01 * fitted.loss.min()
    assert fitted.standard_errors["knee"] == np.inf
    np.testing.assert_allclose(fitted.predict(SIZES), 5 * SIZES**-0.4, rtol=0.01)


def test_an_exponential_decay_says_that_b_ended_at_a_bound() -> None:
    """(1 + x/b)^(−b) tends to exp(−x), so the best b is infinite: nothing is said in silence."""
    networks, samples = map(np.ravel, np.meshgrid(np.geomspace(100, 1e4, 5), SIZES[::2][:5]))
    loss = 1 + 2 * np.exp(-0.3 * samples / networks)
    with pytest.warns(UserWarning, match="do not determine b of floor") as warned:
        fitted = fit_loss(samples, loss, "knee_alone", size=networks)
    assert warned[0].filename == __file__
    assert fitted.undetermined == ("b",)
    assert fitted.params["b"] == pytest.approx(100)
    assert fitted.params["active"] == pytest.approx(0.3, rel=0.05)
    assert "b          not determined" in repr(fitted)
    summary = fitted.summary()
    assert summary.attrs["undetermined"] == ["b"]
    assert np.all((summary["lower"] >= 0) & (summary["lower"] <= summary["estimate"]))
    assert np.all(summary["upper"] >= summary["estimate"])
    [remark] = fitted.remarks()
    assert remark.startswith("b above")
    assert remark.endswith("(95%): an exponential decay of the loss is no worse")


def test_what_the_losses_determine_gives_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    assert fit_loss(SIZES, noisy_law(1), "activation").summary().attrs["undetermined"] == []
    assert not recwarn.list


@pytest.mark.slow
def test_many_losses_are_fitted_as_if_every_start_had_seen_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Starts are chosen by some of the losses; weights are scaled, so that tiny ones do no harm."""
    samples = np.geomspace(10, 1e5, 900)
    loss = noisy(TRUTH.loss(samples), 3)
    by_some = fit_loss(samples, loss, "bnsl", weights=np.full(900, 0.01))
    monkeypatch.setattr(module, "LOSSES_FOR_STARTS", 10**9)
    by_all = fit_loss(samples, loss, "bnsl", weights=np.full(900, 0.01))
    for name, value in by_all.params.items():
        assert by_some.params[name] == pytest.approx(value, rel=1e-4)


def test_two_sizes_cannot_tell_a_power_of_the_size_from_a_floor() -> None:
    two = np.resize([1e3, 1e4], D.size)
    loss = 1.7 + 40 * two**-0.3 + 20 * D**-0.4
    fitted = fit_loss(D, loss, "chinchilla", size=two)
    assert set(fitted.undetermined) == {"floor", "A", "alpha"}
    assert fitted.params["beta"] == pytest.approx(0.4, rel=1e-4)


@pytest.mark.slow
def test_a_joint_fit_finds_the_surface_and_its_knees() -> None:
    held = []
    for seed in range(30):
        fitted = fit_loss(DATA, noisy(SURFACE.loss(WIDTHS, DATA), seed), "knee_alone", size=WIDTHS)
        summary = fitted.summary()
        held.append([r.lower <= getattr(SURFACE, str(n)) <= r.upper for n, r in summary.iterrows()])
    print(f"95 % intervals of {list(summary.index)} held {np.mean(held, axis=0)} of 30")
    assert np.all(np.mean(held, axis=0) > 0.95 - 4 * 0.04)
    assert fitted.law.at(2000).knee == pytest.approx(SURFACE.at(2000).knee, rel=0.2)
    np.testing.assert_allclose(
        fitted.predict(DATA, WIDTHS), fitted.law.loss(WIDTHS, DATA), rtol=1e-10
    )
    ahead = fitted.forecast([1e6, 1e7], size=400)
    assert list(ahead.columns) == ["samples", "size", "expected", "lower", "upper"]
    assert np.all((ahead.lower < ahead.expected) & (ahead.expected < ahead.upper))
    with pytest.raises(
        InputError, match=r"a form with one knee, but .* has floor, amplitude, active, b"
    ):
        _ = fitted.knee


def test_a_joint_fit_knows_no_unit_of_samples() -> None:
    loss = noisy(SURFACE.loss(WIDTHS, DATA), 0)
    one, other = (
        fit_loss(DATA, loss, "knee_alone", size=WIDTHS),
        fit_loss(DATA / 1e9, loss, "knee_alone", size=WIDTHS),
    )
    assert other.params["active"] == pytest.approx(1e9 * one.params["active"], rel=1e-3)
    assert other.b == pytest.approx(one.b, rel=1e-4)


def test_a_joint_fit_at_one_size_is_the_fit_of_its_curve() -> None:
    loss = noisy(SURFACE.loss(2000, LONG), 0)
    joint, single = (
        fit_loss(LONG, loss, "knee_alone", size=np.full(14, 2000.0)),
        fit_loss(LONG, loss, "activation"),
    )
    assert joint.law.at(2000).knee == pytest.approx(single.knee, rel=1e-4)
    assert joint.b == pytest.approx(single.b, rel=1e-4)
    np.testing.assert_allclose(
        joint.forecast(1e6, size=2000).iloc[0, 2:], single.forecast(1e6).iloc[0, 1:], rtol=1e-3
    )


def test_a_fit_can_be_sent_to_another_process() -> None:
    fitted = fit_loss(SIZES, noisy_law(0), "activation")
    sent = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(sent.forecast(1e6), fitted.forecast(1e6))


@pytest.mark.parametrize("name", FORMS)
def test_a_form_with_more_parameters_than_sizes_is_refused(name: str) -> None:
    p = len(FORMS[name].parameters)
    with pytest.raises(
        InputError,
        match=f"has {p} parameters and needs at least {p + 1} different sizes, but got {p}",
    ):
        fit_loss(D[:p], 1 / D[:p], name)


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"expected form=.auto. or one of activation, power, .*, but got .line."
    ):
        fit_loss(SIZES, noisy_law(0), form="line")


def test_sizes_of_network_go_with_their_forms_alone() -> None:
    with pytest.raises(
        InputError, match="'chinchilla' does not go with what was given: expected size= with it"
    ):
        fit_loss(D, 1 / D, "chinchilla")
    with pytest.raises(InputError, match="with size= expected one of auto, activation, chinchilla"):
        fit_loss(D, 1 / D, "M3", size=N)


def test_counts_go_with_the_loss_law_alone() -> None:
    counts = draw_counts(500, 9, 0.6, 200, seed=1)
    expected = "expected counts= with form='activation' and without size="
    with pytest.raises(InputError, match=expected):
        fit_loss(SIZES, 1 / SIZES, "power", counts=counts)
    with pytest.raises(InputError, match=f"{expected}, but got form='auto' and size"):
        fit_loss(DATA, 1 / DATA, size=WIDTHS, counts=counts)
    rng = np.random.default_rng(0)
    rare = 1e-5 * rng.random(3000) ** (-1 / 0.5)  # rates with a tail of exponent 1/2
    heavy = fit(ActivationCounts(rng.binomial(5000, np.minimum(rare, 0.9)), 5000), "heavy_tail")
    assert heavy.family == "heavy_tail"
    with pytest.raises(InputError, match='got the family "heavy_tail": fit "law"'):
        fit_loss(SIZES, 1 / SIZES, counts=heavy)


def test_weights_are_numbers_of_measurements() -> None:
    loss = noisy(LossLaw(0.5, 2.0, 100, 0.5).loss(LONG), 0)
    with pytest.raises(InputError, match="expected weights that sum to more than the 4 parameters"):
        fit_loss(LONG, loss, "activation", weights=np.full(LONG.size, 0.1))
