"""Networks of one shape trained together: their parameters are stacked, and one batched forward
pass (torch.func.vmap) computes the outputs of all.

Small networks spend most of their time between operations, so that many train together in less
time than one after the other; from some 30,000 parameters on, a stack on a CPU is slower, since it
leaves the caches. Adam works on each number by itself, so that each network takes the steps that it
would take alone, up to rounding.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import ActilawError, InputError
from actilaw.study.adam import Adam
from actilaw.study.denormals import denormals_flushed
from actilaw.study.problem import Problem
from actilaw.study.training_counts import TrainingCounts

WARM_UP = 1 / 20  # share of the steps in which the learning rate rises


class DivergedError(ActilawError):
    """A training whose loss is no finite number any more."""


@dataclass(frozen=True, eq=False)
class Run:
    """A problem, and how much of it to train on.

    Attributes:
        problem: the network and its data.
        samples: D, entries of the training set: the first of the problem's.
        seed: of the order of batches.
    """

    problem: Problem
    samples: int
    seed: int

    def __post_init__(self) -> None:
        if not 1 <= self.samples <= len(self.problem.inputs):
            raise InputError(
                f"expected training samples in 1..{len(self.problem.inputs)}, those the task has, "
                f"but got {self.samples}"
            )


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network.

    Attributes:
        model: in evaluation mode.
        steps: made.
        loss: mean training loss of the last steps compared, the penalty included.
        counts: of each layer over all batches of the training, by name of the layer.
    """

    model: nn.Module
    steps: int
    loss: float
    counts: dict[str, ActivationCounts]


def train_together(runs: Sequence[Run]) -> list[Trained | DivergedError]:
    """Every run trained, in one stack if there are several; their problems have one shape and one
    schedule.

    A network whose training diverges does not disturb the others; the error stands in its place.
    """
    with torch.enable_grad(), denormals_flushed(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(runs[0].seed)  # for models that draw numbers, as dropout does
        return _Stack(runs).trained() if len(runs) > 1 else [_Alone(runs[0]).trained()]


class _Training:
    """What training in a stack and alone have in common: batches, counts, and when to stop."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = list(runs)
        self.problem = runs[0].problem
        self.schedule = self.problem.schedule
        self.generators = [torch.Generator().manual_seed(run.seed) for run in runs]
        units = number_of_units(self.problem) if self.problem.indices else {}
        self.counts = TrainingCounts(units, self.problem.per, self.problem.criterion)
        self.window: list[Tensor] = []  # losses of the steps of this window, (n_runs,) each
        self.before: Tensor | None = None  # mean losses of the window before, (n_runs,)

    def batch(self, place: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of the next step of one run."""
        run = self.runs[place]
        chosen = torch.randint(
            run.samples, (self.schedule.batch,), generator=self.generators[place]
        )
        return run.problem.inputs[chosen], run.problem.targets[chosen]

    def rate(self, step: int) -> float:
        """The learning rate of a step; steps count from 1."""
        rising = max(1, int(WARM_UP * self.schedule.stop.steps))
        return self.schedule.rate * min(1.0, step / rising)

    def finished(self, step: int, losses: Tensor) -> Tensor | None:
        """Which runs end with this step, (n_runs,), or None between two windows.

        Args:
            step: number of the step, from 1.
            losses: of this step; (n_runs,).
        """
        stop = self.schedule.stop
        self.window.append(losses)
        last = step == stop.steps
        if len(self.window) < stop.window and not last:
            return None
        mean = torch.stack(self.window).mean(0)
        ended = torch.full(mean.shape, last) | ~mean.isfinite()
        if stop.tolerance is not None and self.before is not None:
            ended |= mean > (1 - stop.tolerance) * self.before
        self.window, self.before = [], mean
        return ended

    def result(self, place: int, model: nn.Module, step: int) -> Trained | DivergedError:
        """What came of one run; call it right after `finished`."""
        assert self.before is not None
        loss = float(self.before[place])
        if not torch.isfinite(self.before[place]):
            return DivergedError(
                f"the training loss is {loss} after {step} steps: take a lower learning rate"
            )
        return Trained(model.eval(), step, loss, self.counts.of(place))

    def keep(self, places: Sequence[int]) -> None:
        """Go on with these runs alone."""
        self.runs = [self.runs[place] for place in places]
        self.generators = [self.generators[place] for place in places]
        self.counts.keep(places)
        if self.before is not None:
            self.before = self.before[list(places)]


class _Alone(_Training):
    """One network by itself, as any model can be trained."""

    def __init__(self, run: Run) -> None:
        super().__init__([run])

    def trained(self) -> Trained | DivergedError:
        model = copy.deepcopy(self.problem.model).train()
        optimiser = Adam(model.parameters())
        step = 0
        while True:
            step += 1
            inputs, targets = self.batch(0)
            loss, outputs = penalised_loss(model, self.problem, inputs, targets)
            optimiser.descend(loss, self.rate(step))
            self.counts.add(_stacked(outputs))
            ended = self.finished(step, loss.detach()[None])
            if ended is not None and bool(ended[0]):
                return self.result(0, model, step)


class _Stack(_Training):
    """Several networks, whose parameters have one more axis in front, (n_runs, ...)."""

    def __init__(self, runs: Sequence[Run]) -> None:
        super().__init__(runs)
        models = [run.problem.model.train() for run in runs]
        self.skeleton = copy.deepcopy(models[0]).to("meta")
        parameters, buffers = stack_module_state(models)
        self.parameters: dict[str, Tensor] = parameters
        self.buffers: dict[str, Tensor] = buffers
        self.optimiser = Adam(parameters.values())

    def trained(self) -> list[Trained | DivergedError]:
        found: dict[int, Trained | DivergedError] = {}
        numbers = list(range(len(self.runs)))  # of the runs that still train
        step = 0
        while numbers:
            step += 1
            losses = self._step(step)
            ended = self.finished(step, losses)
            if ended is None or not bool(ended.any()):
                continue
            for place in ended.nonzero().flatten().tolist():
                found[numbers[place]] = self.result(place, self._model(place), step)
            left = (~ended).nonzero().flatten().tolist()
            numbers = [numbers[place] for place in left]
            if left:
                self.keep(left)
        return [found[number] for number in range(len(found))]

    def keep(self, places: Sequence[int]) -> None:
        super().keep(places)
        chosen = list(places)
        self.optimiser = self.optimiser.of_some(chosen)
        self.parameters = dict(zip(self.parameters, self.optimiser.parameters, strict=True))
        self.buffers = {name: buffer[chosen] for name, buffer in self.buffers.items()}

    def _step(self, step: int) -> Tensor:
        """One step of all; their losses, (n_runs,)."""
        batches = [self.batch(place) for place in range(len(self.runs))]
        inputs, targets = (torch.stack(part) for part in zip(*batches, strict=True))

        def one(state: Any, inputs: Tensor, targets: Tensor) -> tuple[Tensor, dict[str, Any]]:
            def call(x: Tensor) -> Any:
                return functional_call(self.skeleton, state, (x,))

            return penalised_loss(self.skeleton, self.problem, inputs, targets, call=call)

        losses, outputs = torch.vmap(one, randomness="different")(
            (self.parameters, self.buffers), inputs, targets
        )
        self.optimiser.descend(losses.sum(), self.rate(step))
        self.counts.add(outputs)
        return losses.detach()

    def _model(self, place: int) -> nn.Module:
        """The network at this place of the stack, by itself."""
        model = copy.deepcopy(self.runs[place].problem.model)
        state = {**self.parameters, **self.buffers}
        model.load_state_dict({name: values[place] for name, values in state.items()}, strict=False)
        return model


def penalised_loss(
    model: nn.Module, problem: Problem, inputs: Tensor, targets: Tensor, *, call: Any = None
) -> tuple[Tensor, dict[str, Any]]:
    """Mean loss of a batch with the L1 penalty, and the outputs of the layers counted.

    Args:
        model: the network.
        problem: of it.
        inputs, targets: the batch.
        call: takes the inputs to the model's output; the model itself by default.
    """
    with outputs_of(model, problem.layers) as outputs:
        output = (call or model)(inputs)
    loss = problem.losses(output, inputs, targets).mean()
    if problem.schedule.l1:
        magnitudes = [outputs[layer].abs().sum(-1).mean() for layer in problem.layers]
        loss = loss + problem.schedule.l1 * sum(magnitudes)
    return loss, outputs


@contextmanager
def outputs_of(model: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Any]]:
    """A mapping that gets the outputs of these layers while the model is called.

    Raises:
        InputError: if a layer is called more than once in one pass.
    """
    outputs: dict[str, Any] = {}

    def keep(layer: str, output: Any) -> None:
        if layer in outputs:
            raise InputError(
                f"expected the layer {layer} to be called once in a forward pass, but it is "
                "called several times: use a module of its own at each place"
            )
        outputs[layer] = output

    hooks = [
        model.get_submodule(layer).register_forward_hook(
            lambda _, __, output, layer=layer: keep(layer, output)
        )
        for layer in layers
    ]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def number_of_units(problem: Problem) -> dict[str, int]:
    """Units of the layers that name those active: as many as a layer's weight has rows."""
    weights = {layer: problem.model.get_submodule(layer).weight for layer in problem.layers}
    return {layer: len(weight) for layer, weight in weights.items() if isinstance(weight, Tensor)}


def _stacked(outputs: dict[str, Any]) -> dict[str, Any]:
    """Outputs of one network as those of a stack of one."""
    return {
        layer: tuple(part[None] for part in output) if isinstance(output, tuple) else output[None]
        for layer, output in outputs.items()
    }
