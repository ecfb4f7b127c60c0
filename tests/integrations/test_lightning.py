"""Lightning's own Trainer, interrupted and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from actilaw import Census, record
from actilaw.errors import InputError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]
EPOCHS, SAMPLES, BATCH = 3, 48, 8


def data() -> TensorDataset:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(SAMPLES, 6, generator=generator)
    return TensorDataset(x, x.sum(1, keepdim=True))


def module() -> Any:
    lightning = pytest.importorskip("lightning.pytorch")

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Linear(6, 30), nn.ReLU(), nn.Linear(30, 1))
            with torch.no_grad():
                self.net[0].bias.copy_(torch.linspace(0.5, -4, 30))

        def training_step(self, batch: list[Tensor], _: int) -> Tensor:
            return nn.functional.mse_loss(self.net(batch[0]), batch[1])

        def validation_step(self, batch: list[Tensor], _: int) -> None:
            self.net(batch[0])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.05)

    return Module()


def trained(folder: Path, epochs: int, resumed_from: Path | None = None, **options: Any) -> Any:
    lightning = pytest.importorskip("lightning.pytorch")
    from actilaw.integrations.lightning import ActivationCallback

    callback = ActivationCallback(window=32, every=2)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[callback, *options.pop("callbacks", ())],
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=options.pop("logger", False),
        **options,
    )
    model = module()
    loader = DataLoader(data(), batch_size=BATCH)
    trainer.fit(model, loader, DataLoader(data(), batch_size=BATCH), ckpt_path=resumed_from)
    return trainer, callback


def counted_by_hand() -> Census:
    model, loader = module(), DataLoader(data(), batch_size=BATCH)
    optimiser = model.configure_optimizers()
    with record(model) as recording:
        for _ in range(EPOCHS):
            for batch in loader:
                optimiser.zero_grad()
                model.training_step(batch, 0).backward()
                optimiser.step()
    return recording.census()


def assert_equal(one: Census, other: Census) -> None:
    assert list(one) == list(other) == ["net.1"]
    for name in ("counts", "first", "active_squares"):
        np.testing.assert_array_equal(getattr(one["net.1"], name), getattr(other["net.1"], name))
    assert one["net.1"].samples == other["net.1"].samples == EPOCHS * SAMPLES


def test_training_batches_are_counted_and_validation_is_not(tmp_path: Path) -> None:
    _, callback = trained(tmp_path, EPOCHS)
    assert_equal(callback.counted.census(), counted_by_hand())


def test_a_run_that_is_resumed_ends_with_the_same_counts(tmp_path: Path) -> None:
    first, _ = trained(tmp_path, 1)
    first.save_checkpoint(tmp_path / "epoch.ckpt")
    trainer, callback = trained(tmp_path, EPOCHS, tmp_path / "epoch.ckpt")
    assert trainer.global_step == EPOCHS * SAMPLES // BATCH
    assert_equal(callback.counted.census(), counted_by_hand())


def test_metrics_reach_loggers_and_other_callbacks(tmp_path: Path) -> None:
    pytest.importorskip("lightning.pytorch")
    from lightning.pytorch.loggers import CSVLogger

    trainer, callback = trained(tmp_path, EPOCHS, logger=CSVLogger(tmp_path))
    last = callback.counted.metrics()
    assert trainer.callback_metrics["working/net.1"] == last["working/net.1"]
    assert trainer.callback_metrics["dead_frac/net.1"] == pytest.approx(last["dead_frac/net.1"])
    [file] = tmp_path.rglob("metrics.csv")
    logged = np.genfromtxt(file, delimiter=",", names=True, deletechars="")
    assert logged["step"].tolist() == list(range(2, EPOCHS * SAMPLES // BATCH + 1, 2))
    assert logged["working/net.1"][-1] == last["working/net.1"]


def test_an_error_in_training_leaves_no_counters_behind(tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning.pytorch")

    class Fails(lightning.Callback):
        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, i: int) -> None:
            if i == 3:
                raise RuntimeError("stop here")

    with pytest.raises(RuntimeError, match="stop here"):
        trained(tmp_path, 1, callbacks=[Fails()])
    assert not torch.overrides._get_current_function_mode_stack()


def test_counts_are_asked_for_too_early() -> None:
    pytest.importorskip("lightning.pytorch")
    from actilaw.integrations.lightning import ActivationCallback

    with pytest.raises(InputError, match=r"start the trainer first"):
        ActivationCallback().counted.census()
