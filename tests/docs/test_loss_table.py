"""The table of forms in the docs: errors on the last losses of five public curves, computed
again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from actilaw import fit_loss

ROOT = Path(__file__).parents[2]
CURVES = pd.read_csv(ROOT / "benchmarks" / "data" / "learning_curves_nmt.csv").groupby(
    "model", sort=False
)
PAGE = (ROOT / "docs" / "results.md").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["auto", "activation", "power", "power_floor", "M3", "M4", "bnsl"])
def test_the_docs_say_how_far_each_form_misses(form: str) -> None:
    [line] = [
        line
        for line in PAGE.splitlines()
        if line.startswith(f"| `{form}` |") and line.count("|") == 7
    ]
    said = [float(cell.strip(" *")) for cell in line.split("|")[3:6]]
    found = []
    for cut in (1, 2, 3):
        errors = []
        for _, curve in CURVES:
            fitted = fit_loss(curve.samples[:-cut], curve.loss[:-cut], form)
            predicted = fitted.predict(curve.samples[-cut:])
            errors.append(np.abs(np.log(predicted / curve.loss[-cut:].to_numpy())).mean())
        found.append(np.mean(errors))
    assert said == pytest.approx(found, abs=6e-4)
