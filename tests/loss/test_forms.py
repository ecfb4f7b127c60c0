"""Each form against its paper's formula, its slopes against differences, its fit against
SciPy's.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from actilaw import fit_loss
from actilaw.errors import InputError
from actilaw.loss.form import Form
from actilaw.loss.forms import FORMS, SURFACE, Tied

D = np.geomspace(10, 1e6, 14)
N = np.resize([1e3, 1e4, 1e5], D.size)
TIED = Tied("activation", "", (), knee=300.0, b=0.6)
ALL = [*FORMS.values(), SURFACE, TIED]
TRUTH = {
    "activation": {"floor": 0.2, "amplitude": 3.0, "knee": 300.0, "b": 0.6},
    "power": {"amplitude": 5.0, "b": 0.3},
    "power_floor": {"floor": 0.2, "amplitude": 5.0, "b": 0.3},
    "M3": {"floor": 0.2, "amplitude": 5.0, "g": 1e-4, "b": 0.4},
    "M4": {"floor": 0.2, "amplitude": 3.0, "knee": 300.0, "a": 0.7, "b": 0.5},
    "bnsl": {"floor": 0.05, "amplitude": 5.0, "c0": 0.1, "c1": 0.4, "d": 2000.0, "f": 0.5},
    "chinchilla": {"floor": 1.7, "A": 40.0, "B": 20.0, "alpha": 0.3, "beta": 0.4},
}


def by_the_paper(name: str, p: dict[str, float]) -> np.ndarray:
    """The loss as the form's paper writes it; M4, which is implicit there, is tested by its own
    equation.
    """
    e, A, b = p.get("floor", 0.0), p.get("amplitude", 0.0), p.get("b", 0.0)
    if name == "activation":
        return e + A * (1 + D / p["knee"]) ** -b
    if name in ("power", "power_floor"):
        return e + A * D**-b
    if name == "M3":
        return e + A * (1 / D + p["g"]) ** b
    if name == "bnsl":
        return e + A * D ** -p["c0"] * (1 + (D / p["d"]) ** (1 / p["f"])) ** (-p["c1"] * p["f"])
    return e + p["A"] * N ** -p["alpha"] + p["B"] * D ** -p["beta"]


def at(form: Form) -> np.ndarray:
    return np.log([D, N]) if form.width else np.log(D)


def coordinates(form: Form, parameters: dict[str, float]) -> np.ndarray:
    return np.array([[v if k in form.plain else np.log(v) for k, v in parameters.items()]])


def curve(name: str, parameters: dict[str, float]) -> np.ndarray:
    return np.exp(FORMS[name].log_loss(coordinates(FORMS[name], parameters), at(FORMS[name]))[0][0])


@pytest.mark.parametrize("name", [name for name in FORMS if name != "M4"])
def test_a_form_is_its_papers_formula(name: str) -> None:
    np.testing.assert_allclose(
        curve(name, TRUTH[name]), by_the_paper(name, TRUTH[name]), rtol=1e-12
    )


@given(st.floats(0.02, 50), st.floats(0.02, 5), st.floats(1, 1e6))
def test_m4_solves_its_papers_equation(a: float, b: float, knee: float) -> None:
    e, gap = 0.2, 3.0
    loss = curve("M4", {"floor": e, "amplitude": gap, "knee": knee, "a": a, "b": b})
    near = (loss - e > 1e-9) & (
        e + gap - loss > 1e-9
    )  # elsewhere the differences below are rounding
    left = np.log((loss - e)[near]) - a * np.log((e + gap - loss)[near])
    right = (1 - a) * np.log(gap) + b * np.log(knee) - b * np.log(D[near])
    np.testing.assert_allclose(left, right, atol=1e-6 * (1 + a))


def test_bnsl_with_one_end_flat_and_a_break_of_one_e_fold_is_the_loss_law() -> None:
    law = TRUTH["activation"]
    broken = {"floor": 0.2, "amplitude": 3.0, "c0": 0.0, "c1": law["b"], "d": law["knee"], "f": 1.0}
    np.testing.assert_allclose(curve("bnsl", broken), curve("activation", law), rtol=1e-12)


@pytest.mark.parametrize(
    "form", ALL, ids=lambda form: f"{form.name}-{len(form.parameters)}-{form.width}"
)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_slopes_agree_with_differences(form: Form, seed: int) -> None:
    rng = np.random.default_rng(seed)
    low, high = form.bounds(at(form), np.log([0.1, 10.0]))
    where = rng.uniform(np.maximum(low, -8), np.minimum(high, 8))[np.newaxis]
    _, slopes = form.log_loss(where, at(form))
    step = 1e-6
    for i, direction in enumerate(np.eye(where.size)):
        above, below = (
            form.log_loss(where + sign * step * direction, at(form))[0][0] for sign in (1, -1)
        )
        scale = max(
            1.0, float(np.abs(above).max())
        )  # what a difference of large numbers can resolve
        np.testing.assert_allclose(
            slopes[0, :, i], (above - below) / (2 * step), rtol=2e-4, atol=1e-8 * scale
        )


@pytest.mark.parametrize("name", FORMS)
def test_a_curve_without_noise_gives_its_parameters_back(name: str) -> None:
    units = N if FORMS[name].width else None
    fitted = fit_loss(D, curve(name, TRUTH[name]), name, size=units)
    assert fitted.params == pytest.approx(TRUTH[name], rel=1e-4)
    assert fitted.predict(D, units) == pytest.approx(curve(name, TRUTH[name]))


@pytest.mark.parametrize("name", ["activation", "power_floor", "M3"])
def test_without_a_loss_far_out_the_fit_and_its_errors_are_those_of_scipy(name: str) -> None:
    form = FORMS[name]
    noise = 0.02 * np.array([1, -1, 1, 1, -1, -1, 1, -1, 1, -1, -1, 1, 1, -1])
    loss = curve(name, TRUTH[name]) * np.exp(noise)

    def line(_: object, *p: float) -> np.ndarray:
        return form.log_loss(np.array([p]), at(form))[0][0]

    found, covariance = curve_fit(
        line, D, np.log(loss), coordinates(form, TRUTH[name])[0], ftol=1e-14, xtol=1e-14, gtol=1e-14
    )
    fitted = fit_loss(D, loss, name)
    estimates = np.array(list(fitted.params.values()))
    np.testing.assert_allclose(np.log(estimates), found, rtol=1e-5)
    errors = np.array(list(fitted.standard_errors.values())) / estimates
    np.testing.assert_allclose(errors, np.sqrt(np.diag(covariance)), rtol=1e-3)


@pytest.mark.parametrize("name", FORMS)
def test_a_form_with_more_parameters_than_sizes_is_refused(name: str) -> None:
    p = len(FORMS[name].parameters)
    units = N[:p] if FORMS[name].width else None
    with pytest.raises(
        InputError,
        match=f"has {p} parameters and needs at least {p + 1} different sizes, but got {p}",
    ):
        fit_loss(D[:p], 1 / D[:p], name, size=units)


def test_widths_go_with_their_forms_alone() -> None:
    with pytest.raises(
        InputError, match="'chinchilla' does not go with what was given: expected size= with it"
    ):
        fit_loss(D, 1 / D, "chinchilla")
    with pytest.raises(InputError, match="with units= expected one of activation, chinchilla"):
        fit_loss(D, 1 / D, "M3", size=N)
    with pytest.raises(InputError, match="expected no size="):
        fit_loss(D, curve("power", TRUTH["power"]), "power").predict(10, size=5)
    with pytest.raises(InputError, match="expected size=, the width to predict for"):
        fit_loss(D, curve("chinchilla", TRUTH["chinchilla"]), "chinchilla", size=N).predict(10)


def test_a_form_without_a_knee_says_so() -> None:
    fitted = fit_loss(D, curve("power", TRUTH["power"]), "power")
    assert fitted.b == pytest.approx(0.3)
    assert fitted.floor == 0
    with pytest.raises(
        InputError, match=r"a form with one knee, but amplitude D\^\(-b\) has amplitude, b"
    ):
        _ = fitted.knee
    with pytest.raises(InputError, match="'power' is no loss law"):
        _ = fitted.law
    assert fitted.local_slope([1.0, 1e9]) == pytest.approx([-0.3, -0.3], rel=1e-6)


def test_two_widths_cannot_tell_a_power_of_the_width_from_a_floor() -> None:
    two = np.resize([1e3, 1e4], D.size)
    loss = 1.7 + 40 * two**-0.3 + 20 * D**-0.4
    fitted = fit_loss(D, loss, "chinchilla", size=two)
    assert set(fitted.undetermined) == {"floor", "A", "alpha"}
    assert fitted.params["beta"] == pytest.approx(0.4, rel=1e-4)
