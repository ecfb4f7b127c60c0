"""What a situation is, and the comparison of `actilaw.record` with a count by brute force.

A situation builds a model, runs it, and says what every layer should have seen: the activations of
each forward pass arranged as (samples, positions..., units), computed by the model's arithmetic in
a few lines of its own. From these NumPy counts; nothing of actilaw is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from actilaw import Census, record
from actilaw.errors import ActilawError

SENTENCE = 20  # letters at least

# From activations (samples, positions, units) to whether each is active.
Rule = Callable[[NDArray[np.float64]], NDArray[np.bool_]]


def positive(x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The rule after rectifiers."""
    return x > 0


def nonzero(x: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The rule for latents of sparse autoencoders, and for gates that are rectifiers."""
    return x != 0


def standing_out(x: NDArray[np.float64], share: float = 0.1) -> NDArray[np.bool_]:
    """The rule for smooth and gated units: above a share of the largest of the row."""
    return np.abs(x) > share * np.abs(x).max(-1, keepdims=True)


def largest(k: int) -> Rule:
    """The rule for routers: among the k largest of the row."""
    return lambda x: np.argsort(np.argsort(-x, -1, kind="stable"), -1) < k


@dataclass(frozen=True)
class Units:
    """What one layer should have seen.

    Attributes:
        values: activations (samples, positions..., units) of one forward pass, or of several.
        rule: when one is active.
        kept: (samples, positions...) or (samples,) for each forward pass, true where it counts.
    """

    values: Tensor | Sequence[Tensor]
    rule: Rule = positive
    kept: Tensor | Sequence[Tensor] | None = None


def smooth(values: Tensor | Sequence[Tensor], kept: Tensor | None = None) -> Units:
    """A layer of smooth or gated units."""
    return Units(values, standing_out, kept)


Layers = Mapping[str, Units | Tensor | Sequence[Tensor]]


@dataclass(frozen=True)
class Case:
    """A model, how it is run, and what should be counted.

    Attributes:
        model: in evaluation mode, unless the situation is about training.
        calls: the inputs of each forward pass: a tensor, a tuple of arguments, or a mapping of
            named ones; or a function that runs the model, given the recording.
        layers: what each layer should have seen, by its name or a glob; or several such mappings,
            of which one must agree.
        arguments: of `record`.
        refusal: "never", "must" or "may" it be refused by a sentence.
        regime: of every layer, where that is the point.
        more_layers: whether other layers may be counted beside those named.
    """

    model: nn.Module
    calls: Sequence[Any] | Tensor | Callable[[Any], object]
    layers: Layers | Sequence[Layers] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    refusal: str = "never"
    regime: str | None = None
    more_layers: bool = False

    def run(self, recording: Any = None) -> object:
        """Run the model as the situation asks for."""
        if callable(self.calls) and not isinstance(self.calls, Tensor):
            return self.calls(recording)
        calls = [self.calls] if isinstance(self.calls, Tensor) else self.calls
        with torch.no_grad():
            return [_call(self.model, call) for call in calls]


def _call(model: nn.Module, call: Any) -> object:
    if isinstance(call, Mapping):
        return model(**call)
    return model(*call) if isinstance(call, tuple) else model(call)


@dataclass(frozen=True)
class Situation:
    """A case that is built afresh for every test, and the samples by which it is counted."""

    name: str
    build: Callable[[], Case]
    per: tuple[str, ...]
    slow: bool


TABLE: list[Situation] = []


def situation(
    *, per: Sequence[str] = ("sample", "position"), slow: bool = False
) -> Callable[[Callable[[], Case]], Callable[[], Case]]:
    """Put a function that builds a case into the table, under the function's name."""

    def add(build: Callable[[], Case]) -> Callable[[], Case]:
        subject = build.__module__.rpartition(".")[2]
        TABLE.append(Situation(f"{subject}-{build.__name__}", build, tuple(per), slow))
        return build

    return add


@contextmanager
def refusal_allowed() -> Iterator[None]:
    """A block in which `record` may refuse something, by a sentence."""
    try:
        yield
    except ActilawError as error:
        if len(str(error)) < SENTENCE:
            raise


@dataclass(frozen=True)
class Count:
    """Of one layer."""

    counts: tuple[int, ...]
    samples: int
    nonfinite: int

    def __str__(self) -> str:
        counts = f"{len(self.counts)} units, counts {self._shown()}"
        return f"{counts}, {self.samples} samples, {self.nonfinite} not finite"

    def _shown(self) -> str:
        return " ".join(map(str, self.counts[:24])) + (" ..." if len(self.counts) > 24 else "")


def by_brute_force(layer: Units | Tensor | Sequence[Tensor], per: str) -> Count:
    """The count of one layer: every activation at once, then sums."""
    units = layer if isinstance(layer, Units) else Units(layer)
    passes = [units.values] if isinstance(units.values, Tensor) else list(units.values)
    masks: Sequence[Tensor | None]
    if units.kept is None:
        masks = [None] * len(passes)
    else:
        masks = [units.kept] if isinstance(units.kept, Tensor) else list(units.kept)
    parts = [_one_pass(x, units.rule, m, per) for x, m in zip(passes, masks, strict=True)]
    counts = np.sum([part[0] for part in parts], 0)
    samples, nonfinite = (sum(part[i] for part in parts) for i in (1, 2))
    return Count(tuple(counts.tolist()), samples, nonfinite)


def _one_pass(
    values: Tensor, rule: Rule, kept: Tensor | None, per: str
) -> tuple[NDArray[np.int64], int, int]:
    """Counts of units, number of samples, and number of those that are not finite."""
    x = values.detach().double().numpy()
    n, units = len(x), x.shape[-1]
    positions = int(np.prod(x.shape[1:-1]))
    x = x.reshape(n, positions, units)
    here = np.ones((n, positions), bool)
    if kept is not None:
        here &= kept.bool().numpy().reshape(n, -1)
    active = rule(x) & ~np.isnan(x) & here[..., None]
    broken = ~np.isfinite(x).all(-1) & here
    if per == "sample":
        return active.any(1).sum(0), int(here.any(1).sum()), int(broken.any(1).sum())
    return active.sum((0, 1)), int(here.sum()), int(broken.sum())


def compare(case: Case, per: str) -> None:
    """Record the case, and fail with a clear message unless the counts are those of brute force."""
    census, output, refusal = _recorded(case, per)
    if census is None:
        assert case.refusal in ("must", "may"), f"refused: {refusal}"
        assert len(refusal) >= SENTENCE, f"expected a sentence, but got {refusal!r}"
        return
    assert case.refusal != "must", f"expected a refusal, but counted {_all_counts(census)}"
    _assert_outputs_stay(case, output)
    options = [case.layers] if isinstance(case.layers, Mapping) else list(case.layers)
    problems = [_differences(census, option, per, case.more_layers) for option in options]
    if all(problems):
        lines = "\n  or ".join("; ".join(problem) for problem in problems)
        raise AssertionError(f"per {per}:\n     {lines}")
    if case.regime is not None:
        regimes = {counts.regime for counts in census.values()}
        assert regimes == {case.regime}, f"expected {case.regime}, but recorded {regimes}"


def _recorded(case: Case, per: str) -> tuple[Census | None, object, str]:
    """The census and the outputs of the model; or None, and the sentence that refused it."""
    try:
        with record(case.model, per=per, **case.arguments) as recording:
            output = case.run(recording)
        return recording.census(), output, ""
    except ActilawError as error:
        return None, None, str(error)


def _assert_outputs_stay(case: Case, output: object) -> None:
    """The model's outputs are, to the last bit, what they are without recording."""
    if callable(case.calls) and not isinstance(case.calls, Tensor):
        return
    for one, other in zip(_tensors(output), _tensors(case.run()), strict=True):
        assert torch.equal(one, other) or (one.isnan() == other.isnan()).all(), "outputs changed"


def _tensors(output: object) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, Mapping):
        output = list(output.values())
    if isinstance(output, list | tuple):
        return [tensor for part in output for tensor in _tensors(part)]
    return []


def _differences(census: Census, layers: Layers, per: str, more_layers: bool) -> list[str]:
    """What is not as it should be, in words."""
    expected = {pattern: by_brute_force(layer, per) for pattern, layer in layers.items()}
    problems = []
    free = list(census)
    for pattern, count in expected.items():
        name = next((name for name in free if name == pattern or fnmatchcase(name, pattern)), None)
        if name is None:
            problems.append(f"no layer {pattern!r} among {list(census)}")
            continue
        free.remove(name)
        counted = _count_of(census, name)
        if counted != count:
            problems.append(f"layer {name!r}: expected {count}, but recorded {counted}")
    if free and not more_layers:
        problems.append(f"layers that should not be counted: {free}")
    return problems


def _count_of(census: Census, name: str) -> Count:
    layer = census[name]
    return Count(tuple(layer.counts.tolist()), layer.samples, layer.nonfinite)


def _all_counts(census: Census) -> str:
    return "; ".join(f"{name}: {_count_of(census, name)}" for name in census)
