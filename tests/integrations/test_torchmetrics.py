"""The metric of torchmetrics, beside a count of all batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from actilaw.errors import InputError

pytestmark = pytest.mark.slow


def metric(**options: object):
    pytest.importorskip("torchmetrics")
    from actilaw.integrations.torchmetrics import WorkingUnits

    return WorkingUnits(9, **options)


def batches(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, *shape, 9, generator=generator) - torch.linspace(-1, 4, 9)


def test_batches_are_counted_one_by_one() -> None:
    counting, x = metric(), batches(20)
    for batch in x:
        counting.update(batch)
    active = (x.reshape(-1, 9) > 0).numpy()
    found = counting.compute()
    assert found["working"] == active.any(0).sum()
    assert found["dead_frac"] == pytest.approx(1 - active.any(0).mean())
    assert found["l0"] == pytest.approx(active.sum(1).mean())
    np.testing.assert_array_equal(counting.activation_counts().counts, active.sum(0))
    counting.reset()
    assert counting.compute()["working"] == 0


def test_shares_of_several_processes_are_summed() -> None:
    pytest.importorskip("torchmetrics")
    from torchmetrics import MetricCollection

    parts, x = [metric(per="token"), metric(per="token")], batches(5, 3)
    for i, batch in enumerate(x):
        parts[i % 2].update(batch)
    gathered = [torch.stack([part.counts for part in parts]).sum(0)]
    assert parts[0]._reductions["counts"](torch.stack([p.counts for p in parts])).equal(gathered[0])
    np.testing.assert_array_equal(gathered[0], (x.reshape(-1, 9) > 0).sum(0))
    collection = MetricCollection({"layer": metric()})
    collection.update(x[0, :, 0])
    assert {name.rpartition("_")[2] for name in collection.compute()} >= {"working", "l0"}


def test_forward_gives_the_value_of_a_batch_and_keeps_the_whole() -> None:
    counting, x = metric(), batches(20)
    for batch in x:
        alone = counting(batch)
        assert alone["l0"] == pytest.approx(float((batch > 0).sum(1).float().mean()))
    assert counting.samples == 80


def test_another_number_of_units_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected activations of 9 units .* got shape \(4, 3\)"):
        metric().update(torch.ones(4, 3))
