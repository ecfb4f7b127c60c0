"""The row of a test: its verdict and its text."""

from __future__ import annotations

import numpy as np

from actilaw.checks.result import Claim, percent, sized

CLAIM = Claim(test="t", formula="(1)", statistic="s", expected="1")


def test_a_verdict_is_whether_the_interval_covers_the_claim() -> None:
    holds = CLAIM.compared(1.2, 0.9, 1.5, n=3, against=1.0, size="x")
    deviates = CLAIM.compared(1.2, 1.1, 1.3, n=3, against=1.0, size="+20%")
    assert holds.verdict == "holds"
    assert deviates.verdict == "deviates by +20%"
    assert (deviates.test, deviates.claim, deviates.statistic, deviates.expected, deviates.n) == (
        *("t", "(1)", "s", "1"),
        3,
    )


def test_an_inconclusive_test_has_no_numbers() -> None:
    row = CLAIM.inconclusive("no data")
    assert row.verdict == "inconclusive: no data"
    assert np.isnan([row.estimate, row.lower, row.upper]).all()
    assert sized(row.estimate, row.lower, row.upper) == ("-", "-")


def test_numbers_as_text() -> None:
    assert percent(1.2) == "+20.0%"
    assert percent(0.95) == "-5.0%"
    assert sized(1.23456, 1, 2) == ("1.235", "1 to 2")
