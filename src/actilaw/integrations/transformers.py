"""A callback of Transformers' `Trainer` that counts activations during `Trainer.train`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import nn

from actilaw.errors import InputError, needs_extra
from actilaw.integrations.loggers import Logger
from actilaw.integrations.training_log import DEFAULT_WINDOW, KeepsTrainingLog, TrainingLog

with needs_extra("transformers"):
    from transformers.trainer_callback import TrainerCallback
    from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

COUNTS_FILE = "actilaw.safetensors"  # in the folder of a checkpoint
MASK = "attention_mask"


class ActivationCallback(KeepsTrainingLog, TrainerCallback):
    """Counts on which training tokens each unit is active, and logs what came of it.

    All micro-batches of an accumulated step are counted, batches of evaluation are not. Padding is
    left out by the model's `attention_mask`, if it takes one. Metrics are kept with the Trainer's
    own in `trainer.state.log_history`. Every checkpoint of the Trainer holds the counts, and
    `train(resume_from_checkpoint=...)` goes on counting from there.

    Args:
        window: samples (tokens by default) after whose passing without activation a unit is called
            dead.
        logger: gets metrics and histograms whenever the Trainer logs: `to_tensorboard(writer)`,
            `to_wandb(run)`.
        resume: the checkpoint's folder that a run goes on from, if it is not the one of its step
            in `output_dir`.
        recording: as for `actilaw.record`: layers, criterion, per ("token" by default), mask.
    """

    def __init__(
        self,
        window: int = DEFAULT_WINDOW,
        logger: Logger | None = None,
        resume: str | Path | None = None,
        **recording: Any,
    ) -> None:
        self._window, self._logger, self._resume = window, logger, resume
        self._recording = {"per": "token", **recording}

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin to count, where the checkpoint left off if there is one."""
        model: nn.Module = kwargs["model"]
        options = dict(self._recording)
        if "mask" not in options and MASK in inspect.signature(model.forward).parameters:
            options["mask"] = MASK
        self._log = TrainingLog(model, self._window, **options)
        if state.global_step:
            self._log.load_state_dict(load_file(self._checkpoint(args, state)))
        self._log.start()

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count again after an evaluation."""
        self.counted.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Leave the evaluation out that is about to begin."""
        if control.should_evaluate:
            self.counted.stop()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """As after a step."""
        self.on_step_end(args, state, control)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Add the metrics to what the Trainer has just logged."""
        metrics = self.counted.metrics()
        if state.log_history:
            state.log_history[-1].update(metrics)
        if self._logger is not None and state.is_world_process_zero:
            self._logger({**metrics, **self.counted.histograms()}, state.global_step)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Keep the counts with the checkpoint."""
        content = self.counted.state_dict()
        if content and state.is_world_process_zero:
            save_file(content, _folder(args, state) / COUNTS_FILE)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count no longer."""
        self.counted.stop()

    def _checkpoint(self, args: Any, state: Any) -> Path:
        folder = _folder(args, state) if self._resume is None else Path(self._resume)
        if not (folder / COUNTS_FILE).exists():
            raise InputError(
                f"expected the counts of the checkpoint in {folder}, but there is no "
                f"{COUNTS_FILE}: name the folder that has it, ActivationCallback(resume=...)"
            )
        return folder / COUNTS_FILE


def _folder(args: Any, state: Any) -> Path:
    return Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
