"""The fixed set of real networks that forecasts are scored on: each is trained when it is asked
for, frozen, and recorded.

The list is not edited after the fact, so cases with bad forecasts stay in it. Widths and L1
penalties were chosen so that layers are wide enough for idle units to go on waking. The constants
of the rate density were settled on the cases of digits and MNIST without latents and on the first
transformer of rectifiers; latents, gates, GELU, routing and the wide layer came later. The L1
penalty of the GELU case was set to 1e-3 because at 3e-3 no unit started to work after the first
thirtieth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from actilaw.counts.activation_counts import ActivationCounts
from actilaw.counts.census import Census
from actilaw.errors import InputError
from actilaw.recording.record import record
from actilaw.study.networks.architectures import (
    BatchTopK,
    SquaredReLU,
    TopK,
    Transformer,
    gated,
    plain,
    routed,
)
from actilaw.study.networks.tasks import (
    Task,
    Text,
    digits,
    mnist,
    python_characters,
    python_source,
)
from actilaw.study.networks.training import train, train_autoencoder, train_transformer

# How many times shorter than the whole stream each stage is, by its name.
STAGES = {"early100": 100, "early30": 30, "early10": 10, "full": 1}
WINDOWS = 2400  # of text, 128 tokens each, that are recorded: 307,200 tokens
FIRST, SECOND = "blocks.0.feedforward", "blocks.1.feedforward"

Stages = tuple[ActivationCounts, ...]  # one for each of STAGES


@dataclass(frozen=True, eq=False)
class Case:
    """Counts of one layer of a trained network at four stages of one stream of samples.

    Attributes:
        name: of the case, as in `CASES` or `LATER_CASES`.
        early100, early30, early10, full: counts after a hundredth, a thirtieth, a tenth and all of
            the entries of the stream; each has blocks of its own.
    """

    name: str
    early100: ActivationCounts
    early30: ActivationCounts
    early10: ActivationCounts
    full: ActivationCounts

    @property
    def stages(self) -> dict[str, ActivationCounts]:
        """The four counts by name, in the order of the stream."""
        return {stage: getattr(self, stage) for stage in STAGES}

    def census(self) -> Census:
        """The four stages as layers of one census, to be saved."""
        return Census(self.stages, {"case": self.name})


def cases() -> Iterator[Case]:
    """Every case in the order of `CASES` and `LATER_CASES`, trained and recorded when the iterator
    reaches it.
    """
    return map(make_case, (*CASES, *LATER_CASES))


def make_case(name: str) -> Case:
    """One case, trained and recorded now; a network that several cases share is trained once per
    process.

    Raises:
        InputError: if there is no such case.
        MissingExtraError: if the case needs mlxtend or tokenizers, which is not installed.
    """
    known = CASES | LATER_CASES
    if name not in known:
        raise InputError(f"expected one of the cases {', '.join(known)}, but got {name!r}")
    return Case(name, *known[name]())


def record_stages(model: nn.Module, stream: Tensor, layer: str, per: str = "sample") -> Stages:
    """Counts of a layer after a hundredth, a thirtieth, a tenth and all of a stream.

    Args:
        model: takes in parts of the stream.
        stream: in the order in which entries come; (n_entries, ...), 1,700 at least, so that every
            stage has 17 blocks.
        layer: name of the layer.
        per: what a sample is, as in `record`.
    """
    ends = [0, *(len(stream) // share for share in STAGES.values())]
    counts = []
    with torch.no_grad(), record(model, layers=layer, per=per) as recording:
        for start, end in pairwise(ends):
            for batch in stream[start:end].split(16):
                model(batch)
            counts.append(recording.census()[layer])
    return tuple(counts)


def _images(task: Task, units: int, *, l1: float) -> Stages:
    """The units of a network with one hidden layer."""
    return record_stages(train(task, units, l1=l1), shuffled(task), "relu")


def _second_layer(task: Task, units: int, *, l1: float) -> Stages:
    """The units of the second of two hidden layers."""
    return record_stages(train(task, units, depth=2, l1=l1), shuffled(task), "relu2")


def _image_latents(task: Task, latents: int, activation: nn.Module) -> Stages:
    """Latents of an autoencoder of the images themselves."""
    return record_stages(
        train_autoencoder(task.inputs, latents, activation), shuffled(task), "activation"
    )


def shuffled(task: Task) -> Tensor:
    """All images of the task, those for training among those for testing: there are too few to
    leave any out.
    """
    inputs = torch.cat([task.inputs, task.test_inputs])
    return inputs[torch.from_numpy(np.random.default_rng(1).permutation(len(inputs)))]


def _text(
    model: Transformer, layer: str, per: str = "position", text: Text | None = None
) -> Stages:
    """A layer of a language model, over text that it was not trained on."""
    text = text or python_source()
    return record_stages(model, text.test_inputs[:WINDOWS], layer, per)


def _text_in_order(model: Transformer, layer: str) -> Stages:
    """The same over text in its own order, as is common in practice: the stream drifts from one
    topic to another.
    """
    return record_stages(model, python_source().test_inputs_in_order[:WINDOWS], layer, "position")


def _text_latents(
    model: Transformer,
    latents: int,
    activation: nn.Module,
    *,
    l1: float = 0.0,
    text: Text | None = None,
) -> Stages:
    """Latents of a language model's residual stream after its first block."""
    text = text or python_source()
    training = _residual(model, text.inputs[:WINDOWS]).flatten(0, 1)
    stream = _residual(model, text.test_inputs[:WINDOWS])
    autoencoder = train_autoencoder(training, latents, activation, l1=l1)
    return record_stages(autoencoder, stream, "activation", "position")


@torch.no_grad()
def _residual(model: Transformer, windows: Tensor) -> Tensor:
    return torch.cat([model.residual(part, blocks=1) for part in windows.split(32)])


def _language_model(feedforward: Callable[[int], nn.Module], *, l1: float = 0.0) -> Transformer:
    return train_transformer(python_source(), feedforward, l1=l1)


@cache
def _rectified() -> Transformer:
    """The language model that several cases share."""
    return train_transformer(python_source(), plain(4096), l1=2e-3, steps=500)


@cache
def _squared() -> Transformer:
    """A language model of squared rectifiers that two cases share."""
    return _language_model(plain(4096, SquaredReLU), l1=1e-4)


@cache
def _of_characters() -> Transformer:
    """A language model of characters that three cases share."""
    return train_transformer(python_characters(), plain(2048), l1=2e-3)


def _character_latents(latents: int, activation: nn.Module, *, l1: float = 0.0) -> Stages:
    """Latents of the language model of characters."""
    return _text_latents(_of_characters(), latents, activation, l1=l1, text=python_characters())


def _routed_characters() -> Stages:
    """The experts of a language model of characters."""
    model = train_transformer(python_characters(), routed(512))
    return _text(model, f"{FIRST}.router", text=python_characters())


# Names say what sets a case apart: "sparse" and "dense" have a larger and a smaller L1 penalty than
# the case of the same width without them.
CASES: dict[str, Callable[[], Stages]] = {
    "digits-512": lambda: _images(digits(), 512, l1=1e-2),
    "digits-4096": lambda: _images(digits(), 4096, l1=3e-3),
    "mnist-1024": lambda: _images(mnist(), 1024, l1=3e-3),
    "mnist-2048": lambda: _images(mnist(), 2048, l1=1e-3),
    "mnist-2048-sparse": lambda: _images(mnist(), 2048, l1=3e-3),
    "mnist-8192-dense": lambda: _images(mnist(), 8192, l1=1e-4),
    "mnist-8192": lambda: _images(mnist(), 8192, l1=1e-3),
    "mnist-second-layer": lambda: _second_layer(mnist(), 2048, l1=1e-3),
    "mnist-topk-latents": lambda: _image_latents(mnist(), 4096, TopK(32)),
    "text-relu-first": lambda: _text(_rectified(), f"{FIRST}.act"),
    "text-relu-second": lambda: _text(_rectified(), f"{SECOND}.act"),
    "text-relu-windows": lambda: _text(_rectified(), f"{FIRST}.act", per="sample"),
    "text-relu-in-order": lambda: _text_in_order(_rectified(), f"{FIRST}.act"),
    "text-relu-8192": lambda: _text(_language_model(plain(8192), l1=1e-3), f"{FIRST}.act"),
    "text-gelu": lambda: _text(_language_model(plain(4096, nn.GELU), l1=1e-3), f"{SECOND}.act"),
    "text-gated": lambda: _text(_language_model(gated(4096), l1=1e-4), f"{FIRST}.down_proj"),
    "text-routed": lambda: _text(_language_model(routed(1024)), f"{SECOND}.router"),
    "text-topk-latents": lambda: _text_latents(_rectified(), 8192, TopK(32)),
    "text-l1-latents": lambda: _text_latents(_rectified(), 8192, nn.ReLU(), l1=1e-2),
}

# Cases that no constant of the forecasts was settled on: other experts, other latents, another
# activation, other text. The routed and top-k ones were in view while constants were settled.
LATER_CASES: dict[str, Callable[[], Stages]] = {
    "text-routed-4": lambda: _text(_language_model(routed(1024, top_k=4)), f"{FIRST}.router"),
    "characters-routed": _routed_characters,
    "text-batch-topk-latents": lambda: _text_latents(_rectified(), 4096, BatchTopK(16)),
    "characters-topk-latents": lambda: _character_latents(8192, TopK(16)),
    "text-squared-relu": lambda: _text(_squared(), f"{FIRST}.act"),
    "text-squared-relu-second": lambda: _text(_squared(), f"{SECOND}.act"),
    "characters-relu": lambda: _text(_of_characters(), f"{SECOND}.act", text=python_characters()),
    "characters-l1-latents": lambda: _character_latents(8192, nn.ReLU(), l1=1e-2),
}
