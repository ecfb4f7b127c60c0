"""Every curve of the explorer's figures is what `ActivationLaw` gives at the same place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actilaw import ActivationLaw, Census
from actilaw.explorer import law_figures
from actilaw.explorer.law_figures import ZERO_AT, FigureDict
from actilaw.explorer.layer_reading import LayerReading, read_layer

LAWS = st.builds(
    lambda units, share, b: ActivationLaw(units, share * units, b),
    st.floats(2, 1e9),
    st.floats(1e-6, 0.9),
    st.floats(1e-3, 3),
)
SAMPLES = st.floats(0, 15).map(lambda power: round(10**power))


def trace(figure: FigureDict, name: str) -> tuple[np.ndarray, np.ndarray]:
    [found] = [one for one in figure["data"] if one.get("name") == name]
    return np.array(found["x"]), np.array(found["y"])


@pytest.fixture(scope="module")
def reading(layers: Census) -> LayerReading:
    return read_layer("wide", layers["wide"])


@pytest.mark.slow
@given(LAWS, SAMPLES)
def test_curves_and_landmarks_are_those_of_the_law(law: ActivationLaw, samples: int) -> None:
    working = law_figures.accumulation(law, samples, None)
    idle = law_figures.idle_share(law, samples, None)
    for name, exact in (("law, exact", True), ("law, mean field", False)):
        x, y = trace(working, name)
        np.testing.assert_allclose(y, law.working(x, exact), rtol=1e-12)
        x, y = trace(idle, name)
        np.testing.assert_allclose(y, law.idle_fraction(x, exact), rtol=1e-12)
    for name, at in (
        ("knee bN/c", law.knee),
        ("inflection N/c", law.inflection),
        ("D", samples),
    ):
        x, y = trace(working, name)
        assert (x[0], y[0]) == (at, float(law.working(at)))
        x, y = trace(idle, name)
        assert (x[0], y[0]) == (at, float(law.idle_fraction(at)))


@pytest.mark.slow
@given(LAWS, SAMPLES)
def test_counts_and_reinforcement_are_those_of_the_law(law: ActivationLaw, samples: int) -> None:
    k, y = trace(law_figures.count_law(law, samples, None), f"law after {samples:,} samples")
    np.testing.assert_allclose(y, law.count_pmf(k.astype(int), samples), rtol=1e-12)
    figure = law_figures.reinforcement(law, samples, None)
    k, y = trace(figure, f"law after {samples:,} samples")
    expected = law.active * (k + law.b) / (law.active * samples + law.b * law.units)  # (1)
    np.testing.assert_allclose(y, expected, rtol=1e-9)
    x, y = trace(figure, "not active so far")
    assert x[0] == ZERO_AT
    assert y[0] == pytest.approx(law.b / (samples + law.knee))


def test_counted_points_and_the_forecast_are_those_of_the_layer(reading: LayerReading) -> None:
    counts, fitted = reading.counts, reading.fitted
    assert fitted is not None
    figure = law_figures.accumulation(fitted.law, counts.samples, reading)
    x, y = trace(figure, "counted")
    np.testing.assert_allclose(y, counts.rarefied(x.astype(int)))
    assert y[-1] == pytest.approx(counts.working)
    x, y = trace(figure, "forecast, 95 %")
    table = fitted.forecast(x.astype(int))
    np.testing.assert_allclose(y, table["expected"])
    [band] = [one for one in figure["data"] if one.get("fill")]
    np.testing.assert_allclose(band["y"][: x.size], table["upper"])
    np.testing.assert_allclose(band["y"][: x.size - 1 : -1], table["lower"])
    idle = law_figures.idle_share(fitted.law, counts.samples, reading)
    np.testing.assert_allclose(trace(idle, "forecast, 95 %")[1], 1 - table["expected"] / 800)


def test_counted_histogram_holds_every_working_unit(reading: LayerReading) -> None:
    counts = reading.counts
    assert reading.fitted is not None
    figure = law_figures.count_law(reading.fitted.law, counts.samples, reading)
    k, share = trace(figure, f"counted after {counts.samples:,}")
    assert share[0] == np.mean(counts.counts == 1)
    assert k[0] == 1


def test_next_activations_are_counted_in_the_second_half_of_the_blocks(
    reading: LayerReading,
) -> None:
    """Unit by unit, from the blocks themselves."""
    blocks = reading.counts.blocks
    assert blocks is not None
    assert reading.kernel is not None
    first, second = blocks.counts[:8].sum(0), blocks.counts[8:].sum(0)
    assert reading.kernel.samples == 256
    assert reading.kernel.count[:2].tolist() == [0, 1]
    for place, k in enumerate((0, 1)):
        expected = second[first == k].mean() / 256
        assert reading.kernel.rate[place] == pytest.approx(expected)


def test_growth_is_the_number_of_units_seen_by_the_end_of_each_block(reading: LayerReading) -> None:
    blocks = reading.counts.blocks
    assert blocks is not None
    figure = law_figures.growth(reading, np.array([512]), np.array([reading.counts.working]))
    x, y = trace(figure, "block by block")
    expected = [np.count_nonzero(blocks.counts[: end + 1].sum(0)) for end in range(16)]
    assert y.tolist() == expected
    assert x.tolist() == [32 * (end + 1) for end in range(16)]
    assert trace(figure, "as the file was read")[1].tolist() == [reading.counts.working]


def test_a_layer_that_cannot_be_fitted_is_shown_with_the_reason(layers: Census) -> None:
    silent = read_layer("silent", layers["silent"])
    assert silent.fitted is None
    assert "no unit was ever activated" in silent.refusal
    figure = law_figures.accumulation(ActivationLaw(20, 1, 0.3), 512, silent)
    assert set(trace(figure, "counted")[1]) == {0}
    assert not [one for one in figure["data"] if one.get("fill")]
