"""Each form against its paper's formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actilaw.loss.forms import FORMS
from builders.losses import PARAMETERS, D, curve


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
    return e + A * D ** -p["c0"] * (1 + (D / p["d"]) ** (1 / p["f"])) ** (-p["c1"] * p["f"])


@pytest.mark.parametrize("name", [name for name in FORMS if name != "M4"])
def test_a_form_is_its_papers_formula(name: str) -> None:
    np.testing.assert_allclose(
        curve(name, PARAMETERS[name]), by_the_paper(name, PARAMETERS[name]), rtol=1e-12
    )


@given(st.floats(0.02, 50), st.floats(0.02, 5), st.floats(1, 1e6))
def test_m4_solves_its_papers_equation(a: float, b: float, knee: float) -> None:
    e, gap = 0.2, 3.0
    loss = curve("M4", {"floor": e, "amplitude": gap, "knee": knee, "a": a, "b": b})
    # Near the floor and near the plateau the differences below are rounding.
    between = (loss - e > 1e-9) & (e + gap - loss > 1e-9)
    left = np.log((loss - e)[between]) - a * np.log((e + gap - loss)[between])
    right = (1 - a) * np.log(gap) + b * np.log(knee) - b * np.log(D[between])
    np.testing.assert_allclose(left, right, atol=1e-6 * (1 + a))


def test_bnsl_with_one_end_flat_and_a_break_of_one_e_fold_is_the_loss_law() -> None:
    law = PARAMETERS["activation"]
    broken = {"floor": 0.2, "amplitude": 3.0, "c0": 0.0, "c1": law["b"], "d": law["knee"], "f": 1.0}
    np.testing.assert_allclose(curve("bnsl", broken), curve("activation", law), rtol=1e-12)
