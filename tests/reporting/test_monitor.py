"""A line per layer for the log of a training run."""

from __future__ import annotations

import numpy as np
import pytest

from actilaw import ActivationCounts, Census, InputError, fit, monitor, report


def test_a_line_per_layer_names_its_numbers(counts: ActivationCounts) -> None:
    silent = ActivationCounts(np.zeros(5, int), 10)
    first, second = monitor(Census({"relu": counts, "silent": silent})).splitlines()
    fitted = fit(counts)
    assert first.startswith(
        f"relu: {counts.working:,} of 2,000 units working, {counts.idle:,} idle"
    )
    assert f"{counts.active:.1f} active on 500 samples" in first
    assert f"b {fitted.law.b:.3f} ± {fitted.standard_errors['b']:.3f}" in first
    assert second.startswith("silent: 0 of 5 units working, 5 idle")
    assert "b not determined" in second


def test_what_is_no_census_is_refused(counts: ActivationCounts, tmp_path) -> None:
    for look in (monitor, lambda given: report(given, tmp_path / "page.html")):
        with pytest.raises(InputError, match=r"expected a Census, .* but got ActivationCounts"):
            look(counts)
    assert not list(tmp_path.iterdir())
