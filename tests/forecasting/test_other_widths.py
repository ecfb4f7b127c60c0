"""Forecasts of layers of other widths."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.stats import betabinom

from actilaw import fit
from actilaw.errors import InputError
from actilaw.forecasting.width_assumptions import STUDY
from builders.drawn import draw_counts


@pytest.mark.slow
def test_a_layer_of_its_own_width_is_forecast_as_it_is() -> None:
    fitted = fit(draw_counts(2000, 40, 0.3, 500, seed=1))
    table = fitted.forecast([500, 5000], units=2000, assumption="all")
    names = ("study", "b fixed", "bN fixed")
    assert table["assumption"].tolist() == [name for name in names for _ in range(2)]
    for _, part in table.groupby("assumption"):
        np.testing.assert_allclose(
            part["expected"], fitted.forecast([500, 5000])["expected"], rtol=1e-9
        )


@pytest.mark.slow
@pytest.mark.parametrize("width", [500, 8000])
def test_widths_follow_the_law_that_each_assumption_is_about(width: int) -> None:
    fitted = fit(draw_counts(200_000, 4000, 0.3, 500, seed=1), "law")
    table = fitted.forecast(500, units=width * 100, assumption="all")
    by_assumption = table.set_index("assumption")["expected"]
    ratio = width / 2000
    for assumption, b in (
        ("b fixed", 0.3),
        ("bN fixed", 0.3 / ratio),
        ("study", 0.3 * ratio ** mean_exponent(200_000, 100 * width, b=0.3, active=4000)),
    ):
        truth = width * 100 * (1 - idle_share(width * 100, b, 4000, samples=500))
        assert by_assumption[assumption] == pytest.approx(truth, rel=0.02)


def idle_share(units: float, b: float, active: float, samples: int) -> float:
    knee = b * units / active
    return float(betabinom.pmf(0, samples, b, knee - b))


def mean_exponent(units: int, other: int, b: float, active: float) -> float:
    """(OW2) as a differential equation for ln b of the law."""

    def slope(log_units: float, log_b: np.ndarray) -> list[float]:
        idle = idle_share(np.exp(log_units), float(np.exp(log_b[0])), active, samples=500)
        return [STUDY.b_exponent + (STUDY.b_exponent_idle - STUDY.b_exponent) * idle]

    ends = np.log([units, other])
    solved = solve_ivp(slope, ends, [np.log(b)], rtol=1e-8)
    return float((solved.y[0, -1] - np.log(b)) / (ends[1] - ends[0]))


def test_a_wide_layer_after_less_than_one_rescaled_sample_is_its_activations() -> None:
    fitted = fit(draw_counts(2000, 40, 0.3, 500, seed=1))
    table = fitted.forecast(1, units=10**7, assumption="b fixed").set_index("assumption")
    assert table["expected"]["b fixed"] == pytest.approx(fitted.counts.active, rel=0.05)


def test_a_width_below_the_active_units_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"expected more units than the .* that one sample activates, but got 20"
    ):
        fit(draw_counts(2000, 40, 0.3, 500, seed=1)).forecast(units=20)


@pytest.mark.slow
def test_the_interval_holds_how_much_networks_differ() -> None:
    fitted = fit(draw_counts(20_000, 400, 0.3, 500, seed=1))
    tables = {
        name: fitted.forecast(500, units=[20_000, 40_000, 320_000], assumption=name)
        for name in ("study", "bN fixed")
    }
    spread = {name: np.log(table["upper"] / table["lower"]) for name, table in tables.items()}
    assert spread["study"][0] == pytest.approx(spread["bN fixed"][0], rel=1e-6)  # its own width
    assert (spread["study"][1:] > 2 * spread["bN fixed"][1:]).all()
    assert spread["study"].is_monotonic_increasing


@pytest.mark.slow
def test_by_default_widths_are_forecast_as_the_study_found() -> None:
    fitted = fit(draw_counts(2000, 40, 0.3, 500, seed=1))
    assert fitted.forecast(500, units="2x").equals(
        fitted.forecast(500, units="2x", assumption="study")
    )
    assert fitted.units_for(0.5)["assumption"].tolist() == ["study"]


@pytest.mark.parametrize("name", ["b", "", None, 1, ["study"]])
def test_an_unknown_assumption_is_refused_in_a_sentence(name: object) -> None:
    fitted = fit(draw_counts(2000, 40, 0.3, 500, seed=1))
    for ask in (
        lambda: fitted.forecast(500, units="2x", assumption=name),  # type: ignore[arg-type]
        lambda: fitted.units_for(0.5, assumption=name),  # type: ignore[arg-type]
    ):
        with pytest.raises(InputError, match="expected one of 'study', 'b fixed', 'bN fixed'"):
            ask()


@pytest.mark.slow
def test_widths_beyond_those_of_the_study_are_remarked_on() -> None:
    fitted = fit(draw_counts(256, 4.0, 0.4, 1000, seed=3))
    near = fitted.forecast("2x", units=[128, 64 * 256])
    far = fitted.forecast("2x", units=[128, 65 * 256])
    assert "16,640 units is 65 times" in " ".join(far.attrs["remarks"])
    assert not any("times as wide" in remark for remark in near.attrs.get("remarks", ()))
    other = fitted.forecast("2x", units=[65 * 256], assumption="b fixed")
    assert not any("times as wide" in remark for remark in other.attrs.get("remarks", ()))
