"""The compiled loops against torch's own operations, bit for bit, by one thread and by several."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from actilaw import Positive, Relative, Threshold, TopK
from actilaw.recording.criteria import Criterion
from actilaw.recording.kernels.cpu import count_on_cpu, first_rows_on_cpu, largest_magnitudes_on_cpu
from actilaw.recording.kernels.levels import rows_of
from actilaw.recording.kernels.torch_ops import (
    count_by_torch,
    first_rows_by_torch,
    largest_magnitudes_by_torch,
)

PRECISIONS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def draw(precision: torch.dtype, positions: int) -> torch.Tensor:
    """(301, positions, 450) normal numbers, of which a few are not finite: enough for threads."""
    x = torch.randn(301, positions, 450, generator=torch.Generator().manual_seed(0))
    x[7, 0, 3], x[8, -1, 4], x[300, 0, 449] = torch.nan, torch.inf, -torch.inf
    return x.to(precision)


@pytest.mark.slow
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("rule", [Positive(), Threshold(0.7), Relative(0.1), TopK(3)], ids=str)
@pytest.mark.parametrize("positions", [1, 3])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS, ids=str)
def test_counts_and_first_rows_are_those_of_torch(
    precision: torch.dtype, masked: bool, positions: int, rule: Criterion
) -> None:
    x = draw(precision, positions)
    keep = torch.rand(x.shape[:2], generator=torch.Generator().manual_seed(1)) < 2 / 3
    rows = rows_of(x, rule, keep if masked else None)
    ours, reference = count_on_cpu(rows), count_by_torch(rows)
    assert torch.equal(ours.units, reference.units)
    assert torch.equal(ours.active, reference.active)
    assert torch.equal(ours.nonfinite, reference.nonfinite)
    units = ours.units.nonzero().squeeze(1)
    assert torch.equal(first_rows_on_cpu(rows, units), first_rows_by_torch(rows, units))


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("precision", PRECISIONS, ids=str)
def test_largest_finite_magnitudes_are_those_of_torch(precision: torch.dtype) -> None:
    x = draw(precision, 2)
    assert torch.equal(largest_magnitudes_on_cpu(x), largest_magnitudes_by_torch(x))


@pytest.mark.parametrize("shape", [(7, 3, 130), (70, 1, 33), (5, 40, 9), (5, 1, 9)])
@pytest.mark.parametrize("masked", [False, True])
def test_which_units_were_active_in_which_row_can_be_kept(
    shape: tuple[int, int, int], masked: bool
) -> None:
    x = torch.randn(shape) - 1
    mask = torch.rand(shape[:2]) > 0.5 if masked else None
    kept = torch.empty(shape[0], shape[2], dtype=torch.bool)
    count_on_cpu(rows_of(x, Positive(), mask), kept)
    active = x > 0 if mask is None else (x > 0) & mask[..., None]
    assert torch.equal(kept, active.any(1))
