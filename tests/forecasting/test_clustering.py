"""How much more than independent units those that start to work will vary."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from actilaw import ActivationCounts, fit
from actilaw.counts.blocks import Blocks
from actilaw.forecasting.clustering import (
    BETWEEN_ENTRIES,
    RELIABLE,
    USUAL_OVERDISPERSION,
    overdispersion_ahead,
)
from actilaw.forecasting.incidence import incidence_frequencies
from builders.drawn import draw_blocks


def draw_together(group: int, rng: np.random.Generator) -> ActivationCounts:
    """Units in groups, each of which answers to the same samples; 24 blocks of 16."""
    rates = rng.gamma(0.3, 0.01, 6000 // group)
    alone = rng.random((24 * 16, rates.size)) < -np.expm1(-rates)
    active = np.repeat(alone, group, axis=1)
    first = np.where(active.any(axis=0), active.argmax(axis=0), -1)
    part = active.reshape(24, 16, -1).sum(axis=1)
    blocks = Blocks(part, np.full(24, 16), 16)
    return ActivationCounts(part.sum(axis=0), 384, entries=384, first=first, blocks=blocks)


def ahead(counts: ActivationCounts) -> float:
    return overdispersion_ahead(counts, incidence_frequencies(counts))


@pytest.mark.parametrize("group", [1, 5])
def test_groups_vary_as_their_size_says(group: int) -> None:
    counts = draw_together(group, np.random.default_rng(group))
    print(f"groups of {group}: {ahead(counts):.2f}")
    assert 0.5 * group < ahead(counts) < 2 * group


def test_large_values_are_shrunken_and_grow() -> None:
    rng = np.random.default_rng(2)
    counts = draw_together(60, rng)
    measured = incidence_frequencies(counts).overdispersion
    assert measured > 2 * RELIABLE
    assert RELIABLE < ahead(counts) < measured
    assert ahead(counts) == pytest.approx(RELIABLE * (measured / RELIABLE) ** 0.25)


def test_first_activations_betray_it_where_there_are_no_blocks() -> None:
    together = replace(draw_together(30, np.random.default_rng(3)), blocks=None)
    alone = replace(draw_together(1, np.random.default_rng(3)), blocks=None)
    assert ahead(alone) < 1.6
    assert 2 < ahead(together) < 30
    assert ahead(replace(together, first=None)) == USUAL_OVERDISPERSION


def test_the_interval_is_wider_where_units_start_together() -> None:
    rng = np.random.default_rng(4)
    counts = draw_blocks(rng.beta(0.3, 30, 3000), 24, 16, rng)
    forecaster = fit(counts).forecaster
    widths = []
    for overdispersion in (1.0, 20.0):
        table = replace(forecaster, overdispersion=overdispersion).at(np.array([768]), 0.95)
        widths.append(float(table["upper"].iloc[0] - table["lower"].iloc[0]))
    assert widths[1] > 1.5 * widths[0]


def test_positions_of_few_texts_are_less_certain_unless_blocks_tell() -> None:
    rng = np.random.default_rng(5)
    counts = draw_blocks(rng.beta(0.3, 30, 3000), 24, 16, rng)
    positions = replace(counts, per="position", blocks=None)
    samples = np.array([counts.samples * 10])
    _, of_samples = fit(replace(counts, blocks=None)).forecaster.newly_working(samples)
    _, of_one = fit(replace(positions, entries=1)).forecaster.newly_working(samples)
    _, of_many = fit(replace(positions, entries=1000)).forecaster.newly_working(samples)
    assert of_one - of_samples == pytest.approx(BETWEEN_ENTRIES)
    assert of_many - of_samples == pytest.approx(BETWEEN_ENTRIES / 1000)
    assert fit(replace(counts, per="position", entries=24)).forecaster.between_entries == 0
