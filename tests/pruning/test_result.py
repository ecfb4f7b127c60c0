"""What the result says of itself."""

from __future__ import annotations

import dataclasses

from actilaw import prune
from actilaw.recording.fingerprint import weights_fingerprint
from builders.prunable import INPUTS, census_of, half_idle


def test_summary_says_before_and_after() -> None:
    model = half_idle()
    census = census_of(model, INPUTS, layers="relu_a")
    table = prune(model, census, INPUTS[:4]).summary()
    assert table.loc["relu_a", "before"] == 12
    assert table.loc["relu_a", "after"] == census["relu_a"].working
    assert list(table.index) == ["relu_a", "parameters"]
    assert table.loc["parameters", "before"] == sum(p.numel() for p in model.parameters())


def test_a_result_shows_itself_in_a_line() -> None:
    model = half_idle()
    census = dataclasses.replace(census_of(model, INPUTS), weights=weights_fingerprint(model))
    result = prune(model, census, INPUTS[:4])
    assert repr(result) == (
        f"<PruneResult: {result.units_removed} units removed, {result.parameters_after} of "
        f"{result.parameters_before} parameters left>"
    )
    assert "<th>relu_a</th>" in result._repr_html_()
