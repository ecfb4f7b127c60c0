"""Kept units stand in for removed ones by least squares."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from actilaw import Census, prune, record
from actilaw.pruning.plan import RemovalPlan
from actilaw.pruning.stand_ins import Moments, costs, shrunk, stand_in


def drawn(rows: int = 4000, units: int = 7, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.maximum(rng.normal(size=(rows, 4)) @ rng.normal(size=(4, units)) + 0.3, 0) + 0.1


def moments_from(x: np.ndarray) -> Moments:
    return Moments(x.mean(0), x.T @ x / len(x), len(x))


def unshrunk(x: np.ndarray) -> Moments:
    """So many rows that nothing is shrunk."""
    return Moments(x.mean(0), x.T @ x / len(x), 10**15)


@pytest.mark.parametrize("centred", [True, False])
def test_the_mix_is_that_of_least_squares(centred: bool) -> None:
    x, removed = drawn(), np.array([1, 4])
    one = stand_in(unshrunk(x), removed, centred)
    design = x[:, one.kept]
    if centred:
        design = np.column_stack((design, np.ones(len(x))))
    expected = np.linalg.lstsq(design, x[:, removed], rcond=None)[0]
    np.testing.assert_allclose(one.mix, expected[: one.kept.size].T, atol=1e-6)
    constant = expected[-1] if centred else np.zeros(2)
    np.testing.assert_allclose(one.constant, constant, atol=1e-6)


def test_costs_are_what_least_squares_leaves() -> None:
    """The first unit's cost is the residual of its regression on all others, times its weights."""
    x, rng = drawn(), np.random.default_rng(1)
    weights = rng.normal(size=(7, 3))
    found = costs(unshrunk(x), weights, centred=True)
    total = np.trace(weights.T @ np.cov(x.T, bias=True) @ weights)
    residuals = []
    for unit in range(7):
        design = np.column_stack((np.delete(x, unit, axis=1), np.ones(len(x))))
        left = x[:, unit] - design @ np.linalg.lstsq(design, x[:, unit], rcond=None)[0]
        residuals.append((left**2).mean() * (weights[unit] ** 2).sum() / total)
    first = int(np.argmin(residuals))
    assert int(np.argmin(found)) == first
    assert found[first] == pytest.approx(residuals[first], rel=1e-5)


def test_a_copy_of_another_unit_costs_nothing() -> None:
    x = drawn()
    x[:, 3] = x[:, 0]
    found = costs(unshrunk(x), np.random.default_rng(0).normal(size=(7, 3)), centred=True)
    assert found[[0, 3]].min() < 1e-8
    assert np.sort(found)[1] > 1e-4


def test_a_constant_costs_nothing_and_goes_into_the_constant() -> None:
    x = drawn()
    x[:, 2] = 5.0
    moments = moments_from(x)
    assert costs(moments, np.ones((7, 2)), centred=True)[2] == 0
    one = stand_in(moments, np.array([2]), centred=True)
    np.testing.assert_allclose(one.constant, [5.0], atol=1e-6)
    np.testing.assert_allclose(one.mix, 0, atol=1e-6)


def test_shrinking_keeps_the_diagonal_and_is_less_with_more_rows() -> None:
    covariance = np.cov(drawn().T)
    few, many = shrunk(covariance, 10), shrunk(covariance, 10_000)
    np.testing.assert_allclose(np.diagonal(few), np.diagonal(covariance))
    apart = [np.abs(found - covariance).max() for found in (few, many)]
    assert apart[0] > apart[1] > 0
    assert np.linalg.eigvalsh(shrunk(np.cov(drawn(5).T), 5)).min() > 0


def removed_from(model: nn.Module, census: Census, units: list[int], batches: torch.Tensor):
    plan = RemovalPlan(census, {"1": np.array(units)}, "change", 0.5)
    return prune(model, census, batches[:5], plan=plan, batches=[batches])


@pytest.mark.parametrize("bias", [True, False])
def test_the_smaller_model_computes_the_mix(bias: bool) -> None:
    """A removed unit that is a sum of two others leaves no gap, with or without a bias."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3, bias=bias))
    with torch.no_grad():
        model[0].weight.abs_()
        model[0].bias.abs_()
        model[0].weight[4] = model[0].weight[0] + 2 * model[0].weight[1]
        model[0].bias[4] = model[0].bias[0] + 2 * model[0].bias[1]
    inputs = torch.rand(40_000, 5)
    with record(model) as recording:
        model(inputs)
    result = removed_from(model, recording.census(), [4], inputs)
    assert result.model[0].out_features == 5
    assert (result.model[2].bias is not None) == bias
    torch.testing.assert_close(result.model(inputs), model(inputs), rtol=0, atol=5e-3)
    assert not result.exact


def test_convolutions_mix_channels() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 3, 3, padding=1))
    with torch.no_grad():
        model[0].weight[4], model[0].bias[4] = 2 * model[0].weight[1], 2 * model[0].bias[1]
    inputs = torch.rand(200, 2, 12, 12)
    with record(model) as recording:
        model(inputs)
    result = removed_from(model, recording.census(), [4], inputs)
    torch.testing.assert_close(result.model(inputs), model(inputs), rtol=0, atol=5e-3)


def test_where_something_lies_between_units_are_held_at_a_constant() -> None:
    """A mix of kept units is another mix behind a max-pool."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(6 * 25, 3)
    )
    inputs = torch.rand(64, 2, 12, 12)
    with record(model) as recording:
        model(inputs)
    result = removed_from(model, recording.census(), [1, 4], inputs)
    assert result.model[0].out_channels == 4
    kept = torch.as_tensor([0, 2, 3, 5])
    columns = model[4].weight.view(3, 6, 25)[:, kept].reshape(3, 100)
    assert torch.equal(result.model[4].weight, columns)
