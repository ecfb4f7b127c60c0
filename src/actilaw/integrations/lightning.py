"""A callback of Lightning that counts activations during `Trainer.fit`."""

from __future__ import annotations

from typing import Any

from torch import nn

from actilaw.errors import needs_extra
from actilaw.integrations.loggers import Logger
from actilaw.integrations.training_log import DEFAULT_WINDOW, KeepsTrainingLog, TrainingLog

with needs_extra("lightning"):
    from lightning.pytorch import Callback


class ActivationCallback(KeepsTrainingLog, Callback):
    """Counts on which training samples each unit is active, and logs what came of it.

    Metrics go to the trainer's loggers, and to `trainer.callback_metrics`, where EarlyStopping and
    ModelCheckpoint find them. Batches of validation are not counted. Checkpoints hold the counts,
    and a run that goes on from one goes on counting.

    Args:
        window: samples after whose passing without activation a unit is called dead.
        every: training steps between two logs; those of the trainer, `log_every_n_steps`, by
            default.
        model: the part of the LightningModule to count, by its name; all of it by default.
        logger: gets histograms as well, say `to_tensorboard(writer)`.
        recording: as for `actilaw.record`: layers, criterion, per, mask.
    """

    def __init__(
        self,
        window: int = DEFAULT_WINDOW,
        every: int | None = None,
        model: str = "",
        logger: Logger | None = None,
        **recording: Any,
    ) -> None:
        self._window, self._every, self._model = window, every, model
        self._logger, self._recording = logger, recording
        self._state: dict[str, Any] = {}

    def on_train_start(self, trainer: Any, pl_module: nn.Module) -> None:
        """Begin to count, where the checkpoint left off if there is one."""
        self._log = TrainingLog(
            pl_module.get_submodule(self._model), self._window, **self._recording
        )
        self._log.load_state_dict(self._state)

    def on_train_batch_start(
        self, trainer: Any, pl_module: nn.Module, batch: Any, batch_idx: int
    ) -> None:
        """Count, also again after a validation."""
        self.counted.start()

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Log after every so many steps of the optimiser."""
        every = self._every or trainer.log_every_n_steps
        if every and trainer.global_step % every == 0:
            metrics = self.counted.metrics()
            pl_module.log_dict(metrics, logger=False)
            for logger in trainer.loggers:
                logger.log_metrics(metrics, step=trainer.global_step)
            if self._logger is not None:
                self._logger({**metrics, **self.counted.histograms()}, trainer.global_step)

    def on_validation_start(self, trainer: Any, pl_module: nn.Module) -> None:
        """Leave validation out."""
        if self._log is not None:
            self._log.stop()

    def on_train_end(self, trainer: Any, pl_module: nn.Module) -> None:
        """Count no longer."""
        self.counted.stop()

    def on_exception(self, trainer: Any, pl_module: nn.Module, exception: BaseException) -> None:
        """Take the counters off the model."""
        if self._log is not None:
            self._log.stop()

    def state_dict(self) -> dict[str, Any]:
        """For the checkpoint."""
        return self._state if self._log is None else dict(self._log.state_dict())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From the checkpoint; counting begins with the training."""
        self._state = state_dict
