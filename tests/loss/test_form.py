"""What follows for every form from its terms: slopes, bounds and starts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actilaw.loss.form import Form
from actilaw.loss.forms import FORMS, KnownShape
from actilaw.loss.surfaces import SURFACES
from builders.losses import PARAMETERS, curve, log_sizes

KNOWN = KnownShape("activation", "", (), knee=300.0, b=0.6)
ALL = [*FORMS.values(), *SURFACES.values(), KNOWN]


@pytest.mark.parametrize(
    "form", ALL, ids=lambda form: f"{form.name}-{len(form.parameters)}-{form.uses_size}"
)
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_slopes_agree_with_differences(form: Form, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = log_sizes(form)
    low, high = form.bounds(x, np.log([0.1, 10.0]))
    where = rng.uniform(np.maximum(low, -8), np.minimum(high, 8))[np.newaxis]
    _, slopes = form.log_loss(where, x)
    step = 1e-6
    for i, direction in enumerate(np.eye(where.size)):
        above = form.log_loss(where + step * direction, x)[0][0]
        below = form.log_loss(where - step * direction, x)[0][0]
        resolved = max(1.0, float(np.abs(above).max()))  # by a difference of large numbers
        np.testing.assert_allclose(
            slopes[0, :, i], (above - below) / (2 * step), rtol=2e-4, atol=1e-8 * resolved
        )


@pytest.mark.parametrize("name", FORMS)
def test_many_fits_at_once_give_what_each_gives_alone(name: str) -> None:
    form = FORMS[name]
    x = log_sizes(form)
    starts = form.starts(x, np.log(curve(name, PARAMETERS[name])), np.ones(x.shape[-1]))
    values, slopes = form.log_loss(starts, x)
    alone = [form.log_loss(start[np.newaxis], x) for start in starts]
    np.testing.assert_allclose(values, np.concatenate([value for value, _ in alone]), rtol=1e-12)
    np.testing.assert_allclose(slopes, np.concatenate([slope for _, slope in alone]), rtol=1e-12)


@pytest.mark.parametrize("name", FORMS)
def test_every_start_has_the_floor_and_amplitudes_nearest_to_the_losses(name: str) -> None:
    """At the true shape they are the true ones, so the start is the curve itself."""
    form, truth = FORMS[name], PARAMETERS[name]
    loss = curve(name, truth)
    shape = [truth[k] if k in form.signed else np.log(truth[k]) for k in form.shape]

    class FromTheTruth(type(form)):
        def grid(self, x: np.ndarray) -> list[tuple[float, ...]]:
            return [tuple(shape)]

    start = FromTheTruth(**vars(form)).starts(log_sizes(form), np.log(loss), np.ones(loss.size))
    np.testing.assert_allclose(np.exp(form.log_loss(start, log_sizes(form))[0][0]), loss, rtol=1e-9)
