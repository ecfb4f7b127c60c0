"""What verification says of data, and what it refuses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from actilaw import PruneResult, prune, record
from actilaw.errors import InputError, ModelError


def rarely_active() -> tuple[nn.Sequential, Tensor]:
    """Units 0 and 1 work where the first feature is above 2 alone."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    with torch.no_grad():
        model[0].weight[:2] = torch.eye(4)[:1]
        model[0].bias[:2] = -2.0
    return model, torch.rand(60, 4)


def result_of() -> tuple[nn.Sequential, PruneResult, Tensor]:
    model, inputs = rarely_active()
    with record(model, "1") as recording:
        model(inputs)
    census = recording.census()
    assert {0, 1} <= set(census["1"].idle_units.tolist())
    return model, prune(model, census, inputs[:4]), inputs


@pytest.mark.slow
def test_samples_on_which_removed_units_are_active_are_told() -> None:
    model, result, inputs = result_of()
    more = inputs.clone()
    more[:9, 0] = 3.0  # here units 0 and 1 are active
    verified = result.verify(more.split(25))
    active = (torch.relu(model[0](more))[:, result.removed["1"]] > 0).any(1)
    assert active.sum() >= 9
    assert verified.samples == 60
    assert verified.affected == pytest.approx(float(active.float().mean()))
    change = (model(more) - result.model(more)).abs().amax(1)
    assert verified.largest_change == pytest.approx(float(change.max()), rel=1e-5)
    assert verified.largest_change_elsewhere <= 1e-6
    assert verified.largest_change > 1e-3
    assert verified.exact


@pytest.mark.slow
def test_losses_and_their_intervals() -> None:
    model, result, inputs = result_of()
    more = torch.cat((inputs, 3 * torch.rand(60, 4)))
    labels = torch.randint(0, 3, (120,))
    table = result.verify([(more[:50], labels[:50]), (more[50:], labels[50:])], level=0.9).loss
    losses = {
        name: cross_entropy(one(more), labels, reduction="none").detach().double().numpy()
        for name, one in {"before": model, "after": result.model}.items()
    }
    losses["change"] = losses["after"] - losses["before"]
    assert table is not None
    for name, values in losses.items():
        error = values.std(ddof=1) / np.sqrt(values.size)
        expected = norm(values.mean(), error).ppf([0.5, 0.05, 0.95])
        np.testing.assert_allclose(table.loc[name], expected, rtol=1e-5, atol=1e-9)


@pytest.mark.slow
def test_a_loss_of_ones_own() -> None:
    _, result, inputs = result_of()
    table = result.verify([inputs], loss=lambda model, x: model(x).square().sum(1)).loss
    assert table is not None
    assert table.loc["change", "estimate"] == pytest.approx(0, abs=1e-6)
    summary = result.verify([inputs], loss=lambda model, x: model(x).mean()).summary()
    assert np.isnan(summary.loc["loss change", "lower"])  # one number says nothing of its error


@pytest.mark.slow
def test_a_model_that_changed_since_is_noticed() -> None:
    model, result, inputs = result_of()
    with torch.no_grad():
        model[2].bias += 1
    with pytest.raises(ModelError, match="expected equal outputs on samples on which no removed"):
        result.verify([inputs])


@pytest.mark.slow
def test_within_a_budget_nothing_is_promised() -> None:
    model, inputs = rarely_active()
    with record(model) as recording:
        model(inputs)
    result = prune(model, recording.census(), inputs[:4], budget=0.9)
    verified = result.verify([inputs])
    assert not result.exact
    assert not verified.exact
    assert "not promised to be equal" in repr(verified)


def test_what_cannot_be_verified_is_refused() -> None:
    _, result, inputs = result_of()
    with pytest.raises(InputError, match="at least one batch"):
        result.verify([])
    with pytest.raises(InputError, match="expected batches, as a loader gives them"):
        result.verify(3)  # type: ignore[arg-type]
    alone = dataclasses.replace(result, before=None)
    for ask in (lambda: alone.verify([inputs]), lambda: alone.save("nowhere")):
        with pytest.raises(InputError, match="expected the result of prune"):
            ask()
