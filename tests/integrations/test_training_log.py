"""What is logged while a network trains, and that a checkpoint goes on counting."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from actilaw import record
from actilaw.errors import InputError
from actilaw.integrations.loggers import to_tensorboard, to_wandb
from actilaw.integrations.training_log import TrainingLog
from builders.model_libraries import model_library


def network() -> nn.Sequential:
    torch.manual_seed(0)
    made = nn.Linear(6, 20)
    with torch.no_grad():
        made.bias.copy_(torch.linspace(1, -4, 20))
    return nn.Sequential(made, nn.ReLU(), nn.Linear(20, 2))


def batches(number: int, start: int = 0) -> list[torch.Tensor]:
    return [
        torch.randn(16, 6, generator=torch.Generator().manual_seed(i))
        for i in range(start, start + number)
    ]


def test_metrics_are_those_of_a_count_by_hand() -> None:
    model, log = network(), TrainingLog(network(), window=64)
    assert log.metrics() == {}
    log = TrainingLog(model, window=64)
    log.start()
    for inputs in batches(10):
        model(inputs)
        metrics = log.metrics()
    drawn = log.histograms()["density_hist/1"]
    log.stop()
    model(batches(1)[0])  # not counted any more
    seen = np.concatenate([(model[1](model[0](x)) > 0).numpy(force=True) for x in batches(10)])
    assert metrics["working/1"] == (seen.sum(0) > 0).sum()
    assert metrics["dead_frac/1"] == (seen[-64:].sum(0) == 0).mean()
    assert metrics["l0/1"] == pytest.approx(seen[-64:].sum(1).mean())
    assert len(drawn) == (seen[-64:].sum(0) > 0).sum()
    assert drawn.max() == pytest.approx(np.log10(seen[-64:].mean(0).max()))


def test_no_unit_is_called_dead_before_a_window_has_passed() -> None:
    model = network()
    log = TrainingLog(model, window=33)
    log.start()
    for inputs in batches(2):
        model(inputs)
        assert "dead_frac/1" not in log.metrics()
    model(batches(1)[0])
    assert "dead_frac/1" in log.metrics()


def test_a_checkpoint_goes_on_as_if_nothing_had_happened(tmp_path) -> None:
    model = network()
    with record(model) as whole:
        for inputs in batches(12):
            model(inputs)
    first = TrainingLog(model, window=64)
    first.start()
    for inputs in batches(7):
        model(inputs)
        first.metrics()
    torch.save(first.state_dict(), tmp_path / "state.pt")
    first.stop()
    second = TrainingLog(model, window=64)
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    second.start()
    for inputs in batches(5, start=7):
        model(inputs)
        metrics = second.metrics()
    second.stop()
    there, here = whole.census()["1"], second.census()["1"]
    for name in ("counts", "first", "active_squares"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))
    assert there.samples == here.samples
    assert metrics["dead_frac/1"] == pytest.approx(np.mean(_last(model, 4) == 0))


def _last(model: nn.Sequential, number: int) -> np.ndarray:
    inputs = torch.cat(batches(number, start=12 - number))
    return (model[1](model[0](inputs)) > 0).numpy(force=True).sum(0)


def test_a_checkpoint_of_another_model_is_refused() -> None:
    model = network()
    log = TrainingLog(model)
    log.start()
    model(batches(1)[0])
    other = TrainingLog(nn.Sequential(nn.Sequential(nn.Linear(6, 3), nn.ReLU())))
    with pytest.raises(InputError):
        other.load_state_dict(log.state_dict())


@pytest.mark.slow
def test_wandb_gets_numbers_and_histograms(tmp_path) -> None:
    wandb = model_library("wandb")
    run = wandb.init(mode="offline", dir=tmp_path, project="actilaw")
    try:
        log = to_wandb(run)
        log({"working/1": 5.0, "density_hist/1": np.array([-1.0, -2.0]), "empty": np.empty(0)}, 3)
        logged = dict(run.summary)
    finally:
        run.finish(quiet=True)
    assert logged["working/1"] == 5.0
    assert logged["trainer/global_step"] == 3
    assert sum(logged["density_hist/1"]["values"]) == 2
    assert "empty" not in logged


def test_tensorboard_gets_numbers_and_histograms(tmp_path) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(tmp_path))
    log = to_tensorboard(writer)
    log({"working/1": 5.0, "density_hist/1": np.array([-1.0, -2.0]), "empty": np.empty(0)}, 3)
    writer.close()
    events = accumulators.EventAccumulator(str(tmp_path), size_guidance={"histograms": 0})
    events.Reload()
    [scalar] = events.Scalars("working/1")
    assert (scalar.step, scalar.value) == (3, 5.0)
    [histogram] = events.Histograms("density_hist/1")
    assert histogram.histogram_value.num == 2
    assert events.Tags()["histograms"] == ["density_hist/1"]
