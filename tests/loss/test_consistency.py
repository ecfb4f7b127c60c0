"""Losses beside widths and beside counts: joint fits, tied fits, and forms side by side."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from actilaw import LossLaw, LossSurface, compare_loss_forms, fit, fit_loss
from actilaw.errors import InputError
from actilaw.loss.forms import FORMS
from builders.command import actilaw, assert_one_sentence
from builders.drawn import draw_counts

SIZES = np.geomspace(10, 1e5, 12)
SURFACE = LossSurface(floor=1.7, amplitude=4.0, active=100.0, b=0.4)
WIDTHS = np.repeat([400.0, 2000.0, 10_000.0], 8)
DATA = np.tile(np.geomspace(3, 1e5, 8), 3)
CURVE = np.geomspace(2, 1e5, 14)


def scattered(loss: np.ndarray, seed: int, scatter: float = 0.01) -> np.ndarray:
    return loss * np.exp(np.random.default_rng(seed).normal(0, scatter, loss.size))


def test_a_joint_fit_finds_the_surface_and_its_knees() -> None:
    held = []
    for seed in range(30):
        fitted = fit_loss(DATA, scattered(SURFACE.loss(WIDTHS, DATA), seed), size=WIDTHS)
        summary = fitted.summary()
        held.append([r.lower <= getattr(SURFACE, str(n)) <= r.upper for n, r in summary.iterrows()])
    print(f"95 % intervals of {list(summary.index)} held {np.mean(held, axis=0)} of 30")
    assert np.all(np.mean(held, axis=0) > 0.95 - 4 * 0.04)
    assert fitted.law.at(2000).knee == pytest.approx(SURFACE.at(2000).knee, rel=0.2)
    np.testing.assert_allclose(
        fitted.predict(DATA, WIDTHS), fitted.law.loss(WIDTHS, DATA), rtol=1e-10
    )
    told = fitted.forecast([1e6, 1e7], size=400)
    assert list(told.columns) == ["samples", "size", "expected", "lower", "upper"]
    assert np.all((told.lower < told.expected) & (told.expected < told.upper))
    with pytest.raises(
        InputError, match=r"a form with one knee, but .* has floor, amplitude, active, b"
    ):
        _ = fitted.knee


def test_a_joint_fit_knows_no_unit_of_samples() -> None:
    loss = scattered(SURFACE.loss(WIDTHS, DATA), 0)
    one, other = fit_loss(DATA, loss, size=WIDTHS), fit_loss(DATA / 1e9, loss, size=WIDTHS)
    assert other.params["active"] == pytest.approx(1e9 * one.params["active"], rel=1e-3)
    assert other.b == pytest.approx(one.b, rel=1e-4)


def test_a_joint_fit_at_one_width_is_the_fit_of_its_curve() -> None:
    loss = scattered(SURFACE.loss(2000, CURVE), 0)
    joint, single = fit_loss(CURVE, loss, size=np.full(14, 2000.0)), fit_loss(CURVE, loss)
    assert joint.law.at(2000).knee == pytest.approx(single.knee, rel=1e-4)
    assert joint.b == pytest.approx(single.b, rel=1e-4)
    np.testing.assert_allclose(
        joint.forecast(1e6, size=2000).iloc[0, 2:], single.forecast(1e6).iloc[0, 1:], rtol=1e-3
    )


@pytest.fixture(scope="module")
def told():
    return fit(draw_counts(2000, 40, 0.3, 2000, seed=3))


def test_losses_tied_to_counts_take_their_b_and_knee(told) -> None:
    loss = scattered(LossLaw(0.5, 2, told.law.knee, told.law.b).loss(CURVE), 1)
    fitted = fit_loss(CURVE, loss, counts=told)
    assert (fitted.b, fitted.knee) == (told.law.b, told.law.knee)
    assert fitted.law == LossLaw(
        fitted.floor, fitted.params["amplitude"], told.law.knee, told.law.b
    )
    assert abs(fitted.floor - 0.5) < 3 * fitted.standard_errors["floor"]
    assert list(fitted.params) == ["floor", "amplitude"]
    assert fit_loss(CURVE, loss, counts=told.counts).floor == fitted.floor
    assert fit_loss(CURVE[:3], loss[:3], counts=told).agreement is None


def test_counts_and_losses_of_one_law_agree_as_often_as_they_should(told) -> None:
    """The truth behind both is b = 0.3 and a knee of 15; the counts' own error is granted."""
    truth, small, held, verdicts = LossLaw(0.5, 2, 15, 0.3), 0, [], set()
    for seed in range(40):
        told_anew = fit(draw_counts(2000, 40, 0.3, 2000, seed=seed))
        found = fit_loss(CURVE, scattered(truth.loss(CURVE), seed), counts=told_anew).agreement
        small += found.p_value < 0.05
        held.append(((found.table.lower <= 1) & (found.table.upper >= 1)).to_numpy())
        verdicts |= set(found.table.verdict)
    print(
        f"p < 0.05 in {small} of 40; intervals of the ratios held 1: {np.mean(held, axis=0)}; "
        f"{verdicts}"
    )
    assert small <= 8
    assert np.all(np.mean(held, axis=0) > 0.85)


def test_a_deviation_is_told_with_its_size(told) -> None:
    loss = scattered(LossLaw(0.5, 2, told.law.knee, 3 * told.law.b).loss(CURVE), 1)
    found = fit_loss(CURVE, loss, counts=told).agreement
    assert found.p_value < 1e-4
    assert found.freedom == (2, 10)
    assert found.table.loc["b", "verdict"].startswith("deviates by a factor of ")
    assert found.table.loc["b", "lower"] < 3 < found.table.loc["b", "upper"]
    assert found.spoilt > 2
    early = fit_loss(
        CURVE[:6], scattered(LossLaw(0.5, 2, 1e4, 0.3).loss(CURVE[:6]), 1), counts=told
    ).agreement
    assert early.table.loc["b", "verdict"] == "cannot be told"


def test_counts_go_with_the_loss_law_alone(told) -> None:
    with pytest.raises(
        InputError, match="expected counts= with form='activation' and without units="
    ):
        fit_loss(SIZES, 1 / SIZES, "power", counts=told)


@pytest.mark.parametrize("name", ["activation", "power_floor", "power"])
def test_the_form_that_made_the_losses_is_found(name: str) -> None:
    forms = {
        "activation": 0.2 + 3 * (1 + SIZES / 300) ** -0.6,
        "power_floor": 0.2 + 5 * SIZES**-0.4,
        "power": 5 * SIZES**-0.4,
    }
    table = compare_loss_forms(SIZES, scattered(forms[name], 2))
    assert set(table.index) == set(FORMS) - {"chinchilla"}
    assert table["weight"].idxmax() == name
    assert table["weight"].sum() == pytest.approx(1)
    assert table["held_out_error"].is_monotonic_increasing
    assert table.loc[name, "held_out_error"] < 0.05


def test_the_held_out_error_is_that_of_a_fit_to_the_rest() -> None:
    loss = scattered(0.2 + 3 * (1 + SIZES / 300) ** -0.6, 5)
    table = compare_loss_forms(SIZES, loss, held_out=2)
    assert table.attrs["held_out"] == SIZES[-2:].tolist()
    rest = fit_loss(SIZES[:-2], loss[:-2], "M3")
    off = np.abs(np.log(rest.predict(SIZES[-2:]) / loss[-2:])).mean()
    assert table.loc["M3", "held_out_error"] == pytest.approx(off, rel=1e-9)
    noise = np.log(fit_loss(SIZES, loss, "power").predict(SIZES) / loss)
    least = (
        12 * np.log(np.mean(noise**2)) + 12 * (1 + np.log(2 * np.pi)) + 2 * 3 * 12 / 8
    )  # under Gaussian noise
    assert table.loc["power", "aicc"] == pytest.approx(least, abs=6)


def test_forms_with_too_many_parameters_are_left_missing() -> None:
    table = compare_loss_forms(SIZES[:6], scattered(5 * SIZES[:6] ** -0.4, 0))
    assert np.isnan(table.loc["bnsl", "held_out_error"])
    assert np.isfinite(table.loc["activation", "held_out_error"])
    with pytest.raises(
        InputError, match="at least 3 different sizes besides those held out, but got 3 in all"
    ):
        compare_loss_forms(SIZES[:3], SIZES[:3] ** -0.4)


def test_the_command_compares_forms_and_takes_widths(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"samples": DATA, "width": WIDTHS, "loss": scattered(SURFACE.loss(WIDTHS, DATA), 0)}
    )
    table.to_csv(tmp_path / "grid.csv", index=False)
    table[:8].to_csv(tmp_path / "curve.csv", index=False)
    joint = json.loads(
        actilaw(
            "loss", tmp_path / "grid.csv", "--pers-column", "width", "--compare", "--json"
        ).stdout
    )
    assert set(joint["parameters"]) == {"floor", "amplitude", "active", "b"}
    assert {row["size"] for row in joint["forecast"]} == {400, 2000, 10_000}
    assert joint["comparison"][0]["form"] == "activation"
    shown = actilaw("loss", tmp_path / "curve.csv", "--form", "power_floor", "--compare").stdout
    assert "held-out error" in shown
    assert "95% interval" in shown


def test_mistakes_of_the_command_are_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "curve.csv"
    pd.DataFrame({"samples": SIZES, "loss": 5 * SIZES**-0.4}).to_csv(file, index=False)
    assert_one_sentence(actilaw("loss", file, "--form", "chinchilla"), "expected size=")
    assert_one_sentence(actilaw("loss", file, "--level", "95"), "level as a fraction")
    assert_one_sentence(actilaw("loss", file, "--forecast", "-1"), "positive, finite samples")


def test_a_tied_fit_has_an_interval_too(told) -> None:
    law = LossLaw(0.5, 2.0, told.law.knee, told.law.b)
    fitted = fit_loss(CURVE, scattered(law.loss(CURVE), 0), counts=told)
    table = fitted.forecast([1e3, 1e6])
    assert np.all((table["lower"] < law.loss([1e3, 1e6])) & (law.loss([1e3, 1e6]) < table["upper"]))


def test_weights_are_numbers_of_measurements() -> None:
    loss = scattered(LossLaw(0.5, 2.0, 100, 0.5).loss(CURVE), 0)
    with pytest.raises(InputError, match="expected weights that sum to more than the 4 parameters"):
        fit_loss(CURVE, loss, weights=np.full(CURVE.size, 0.1))
