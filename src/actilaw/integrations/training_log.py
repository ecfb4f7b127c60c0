"""Counting while a network trains, and the numbers that a logger wants of it.

    working/<layer>       units active at least once since the recording began
    dead_frac/<layer>     share of units not active in the window; from a full window on
    l0/<layer>            units active per sample, in the window
    density_hist/<layer>  log10 of the share of samples on which each unit was active, in the window

These are of a network whose weights change. For forecasts and fits hold the weights still and
record again; nothing here is fitted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import nn

from actilaw.counts.census import Census, census_from, content_of
from actilaw.errors import CountsError, InputError
from actilaw.integrations.window import Window
from actilaw.recording.recorder import Recorder

DEFAULT_WINDOW = 100_000  # samples


class TrainingLog:
    """Counts a model's activations while it trains.

    Args:
        model: any torch module.
        window: W, samples after whose passing without activation a unit is called dead; positions
            where these are counted.
        recording: as for `actilaw.record`: layers, criterion, per, mask.

    Raises:
        ModelError: if `model` is no torch module, or has no such layer.
        InputError: if the window is no whole number above zero, or another argument is none that
            `record` takes.
    """

    def __init__(self, model: nn.Module, window: int = DEFAULT_WINDOW, **recording: Any) -> None:
        self._model, self._options = model, recording
        self._window = Window(window)
        self._recorder = Recorder(model, **recording)
        self._counting = False

    def start(self) -> None:
        """Count from here on; nothing happens if it already does."""
        if not self._counting:
            self._recorder.__enter__()
            self._counting = True

    def stop(self) -> None:
        """Count no longer, as during an evaluation; nothing happens if it does not."""
        if self._counting:
            self._recorder.__exit__(None, None, None)
            self._counting = False

    def census(self) -> Census:
        """All counts so far, summed over the processes of torch.distributed where there are
        several: then every process must ask.

        Raises:
            CountsError: if nothing was counted yet.
        """
        return self._recorder.census(across_ranks=_world_size() > 1)

    def metrics(self) -> dict[str, float]:
        """Numbers to log, by their names; none before the first sample."""
        found: dict[str, float] = {}
        for name, counts in self._noted().items():
            recent = self._window.recent(name, counts)
            found[f"working/{name}"] = float(counts.working)
            if recent.samples:
                found[f"l0/{name}"] = float(recent.counts.sum() / recent.samples)
            if recent.full:
                found[f"dead_frac/{name}"] = recent.dead_fraction
        return found

    def histograms(self) -> dict[str, NDArray[np.float64]]:
        """Values of which histograms are to be drawn, by their names, (n_units_active,) each."""
        return {
            f"density_hist/{name}": self._window.recent(name, counts).log_densities
            for name, counts in self._noted().items()
        }

    def state_dict(self) -> dict[str, torch.Tensor]:
        """What a checkpoint has to hold for the counts to go on, as tensors; empty before the first
        sample.
        """
        try:
            census = self.census()
        except CountsError:
            return {}
        self._window.note(census)
        content = torch.frombuffer(bytearray(content_of(census)), dtype=torch.uint8)
        notes = {key: torch.from_numpy(array) for key, array in self._window.arrays().items()}
        return {"census": content, **notes}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Go on from a checkpoint; before anything is counted.

        Raises:
            InputError: if the state is of another model, layers or rules, or there are several
                processes, whose shares of the counts a checkpoint does not tell apart.
            FileError: if the state is damaged.
        """
        if not state:
            return
        if _world_size() > 1:
            raise InputError(
                f"expected one process to go on from a checkpoint, but there are {_world_size()}: "
                "begin a new count there, and merge the two censuses"
            )
        notes = {key: value.numpy() for key, value in state.items() if key != "census"}
        census = census_from(state["census"].numpy().tobytes(), "the checkpoint")
        was_counting = self._counting
        self.stop()
        self._recorder = Recorder(self._model, **self._options, resume=census)
        self._window.restore(notes)
        if was_counting:
            self.start()

    def _noted(self) -> Census | dict[str, Any]:
        try:
            census = self.census()
        except CountsError:
            return {}
        self._window.note(census)
        return census


class KeepsTrainingLog:
    """What a trainer's callback has of its `TrainingLog`, which begins with the training."""

    _log: TrainingLog | None = None

    @property
    def counted(self) -> TrainingLog:
        """The counts so far: `.census()`, `.metrics()`.

        Raises:
            InputError: before the training began.
        """
        if self._log is None:
            raise InputError("expected a training that has begun: start the trainer first")
        return self._log


def _world_size() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
