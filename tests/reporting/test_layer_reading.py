"""What the page reads off a layer, beside what the functions behind it say."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings

from actilaw import ActivationCounts, Census, check, fit, plan_removal, report
from actilaw.backtesting.backtest import backtest
from actilaw.errors import CountsError, InputError
from actilaw.reporting import layer_reading
from actilaw.reporting.layer_reading import read_layer, read_layers
from builders.drawn import draw_blocks, draw_counts
from builders.strategies import varied_layers


@pytest.fixture(scope="module")
def in_blocks() -> ActivationCounts:
    rng = np.random.default_rng(5)
    return draw_blocks(rng.beta(0.4, 0.4 * 40 - 0.4, 800), 32, 32, rng)


@pytest.mark.slow
def test_the_reading_says_what_fit_and_forecast_say(in_blocks: ActivationCounts) -> None:
    reading, fitted = read_layer("relu", in_blocks), fit(in_blocks)
    found = reading.estimates
    assert found is not None
    assert (reading.units, reading.samples, reading.working) == (800, 1024, in_blocks.working)
    assert (found.b, found.alpha) == (fitted.law.b, fitted.law.alpha)
    assert found.b_error == fitted.standard_errors["b"]
    ahead = fitted.forecast("10x").iloc[0]
    np.testing.assert_allclose(
        (found.expected, found.lower, found.upper), (ahead.expected, ahead.lower, ahead.upper)
    )
    assert reading.removable == max(0, 800 - ahead.upper)
    risk = plan_removal(Census({"relu": in_blocks})).residual_risk("1x").iloc[0]
    [sentence] = [text for text in found.sentences if "risk of removing" in text]
    share = f"{risk.expected:.2%} ({risk.lower:.2%} to {risk.upper:.2%})"
    assert f"Of the {in_blocks.idle} idle units {share}" in sentence
    tested = backtest(in_blocks, parts=[0.1], methods="rate_density").iloc[0]
    assert any(
        f"From the first {tested.from_samples} samples it forecast {tested.expected:,.0f} " in text
        for text in found.sentences
    )


@pytest.mark.slow
def test_quick_tests_are_rows_of_check(in_blocks: ActivationCounts) -> None:
    found = read_layer("relu", in_blocks).estimates
    assert found is not None
    rows = check(in_blocks).set_index("test")
    assert len(found.tests) == 6
    for test in found.tests:
        row = rows.loc[test.test]
        tolerance = 0.02 if test.test in ("goodness_of_fit", "estimators_of_b") else 1e-9  # draws
        ours = (test.estimate, test.lower, test.upper)
        np.testing.assert_allclose(
            ours, row[["estimate", "lower", "upper"]].astype(float), atol=tolerance, rtol=tolerance
        )
    assert found.deviating == sum("deviates" in test.verdict for test in found.tests)


@pytest.mark.slow
def test_a_fit_that_is_there_is_used_again(
    in_blocks: ActivationCounts, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    census = Census({"relu": in_blocks})
    fits = census.map(fit)
    fresh = read_layer("relu", in_blocks).estimates

    def refuse(counts: ActivationCounts) -> None:
        raise AssertionError("it was fitted again")

    monkeypatch.setattr(layer_reading, "fit", refuse)
    assert report(census, tmp_path / "page.html", fits=fits).exists()
    again = read_layer("relu", in_blocks, fits["relu"]).estimates
    assert fresh is not None
    assert again is not None
    assert again.rows == fresh.rows
    with pytest.raises(AssertionError, match="fitted again"):
        report(census, tmp_path / "page.html")


def test_another_family_draws_its_own_law(in_blocks: ActivationCounts) -> None:
    fitted = fit(in_blocks, "zero_inflated")
    found = read_layer("relu", in_blocks, fitted).estimates
    assert found is not None
    assert found.b == fitted.law.b
    assert any("closed form, zero_inflated" in text for text in found.sentences)
    names = [trace["name"] for trace in found.figures[1].chart.traces]
    assert names == [fitted.closed_form.family.description, "counted"]


@pytest.mark.slow
def test_layers_read_side_by_side_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = {f"{i}": draw_counts(300, 9, 0.3, 400, seed=i) for i in range(3)}
    census = Census(layers | {"silent": ActivationCounts(np.zeros(5, int), 10)})
    alone = read_layers(census, {}, workers=1)
    monkeypatch.setattr(layer_reading, "SECONDS_TO_START_PROCESSES", 0.0)
    told: list[tuple[int, int]] = []
    together = read_layers(
        census, {}, workers=2, progress=lambda done, steps: told.append((done, steps))
    )
    assert told == [(done, 4) for done in (1, 2, 3, 4)]
    for one, other in zip(alone, together, strict=True):
        assert (one.name, one.working, one.refusal) == (other.name, other.working, other.refusal)
        if one.estimates is not None and other.estimates is not None:
            assert one.estimates.sentences == other.estimates.sentences
            assert [f.chart.to_json() for f in one.estimates.figures] == [
                f.chart.to_json() for f in other.estimates.figures
            ]


def test_a_layer_that_cannot_be_fitted_has_the_reason() -> None:
    silent = ActivationCounts(np.zeros(5, int), 10)
    with pytest.raises(CountsError) as refused:
        fit(silent)
    reading = read_layer("silent", silent)
    assert (reading.estimates, reading.removable) == (None, None)
    assert reading.refusal == str(refused.value)


def test_fits_of_other_counts_are_refused(in_blocks: ActivationCounts, tmp_path) -> None:
    census, path = Census({"relu": in_blocks}), tmp_path / "page.html"
    other = fit(draw_counts(800, 20, 0.3, 1024, seed=0))
    for fits, said in (
        ({"relu": other}, r"expected fits\['relu'\] to be of the counts in the census"),
        (
            {"gelu": other},
            "expected fits of the census's layers, but it has no 'gelu'; it has relu",
        ),
        ({"relu": 3}, r"expected fits\['relu'\] to be what fit returns, but got int"),
        (other, "expected fits by name of layer"),
    ):
        with pytest.raises(InputError, match=said):
            report(census, path, fits=fits)  # type: ignore[arg-type]
    assert not path.exists()


@pytest.mark.slow
@settings(max_examples=25)
@given(varied_layers())
def test_any_layer_has_a_section(counts: ActivationCounts) -> None:
    reading = read_layer("any", counts)
    assert (reading.estimates is None) == bool(reading.refusal)
    assert reading.removable is None or 0 <= reading.removable <= counts.idle
    if reading.estimates is not None:
        for figure in reading.estimates.figures:
            drawn = json.loads(figure.chart.to_json())["data"]
            assert all(len(trace["x"]) == len(trace["y"]) for trace in drawn)
