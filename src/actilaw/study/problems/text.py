"""Characters of Python's own source code, foretold by a small transformer; and what such a
transformer computes, taken apart by sparse autoencoders.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, linear, normalize

from actilaw.study.networks.architectures import (
    SparseAutoencoder,
    TopK,
    Transformer,
    normalised,
    plain,
    routed,
)
from actilaw.study.networks.tasks import python_characters
from actilaw.study.networks.training import next_token_loss, seeded
from actilaw.study.problem import Problem, Schedule, Stop, shuffled

RESIDUAL, BLOCKS, HEADS = 64, 2, 4
FEEDFORWARD = tuple(f"blocks.{block}.feedforward" for block in range(BLOCKS))
TRAINING, TESTING = 4096, 48  # windows of 64 characters
VECTORS, TEST_VECTORS = 2**18, 4096  # of the residual stream
EXPERT_SIZE, EXPERTS_OF_A_TOKEN = 8, 2
ACTIVE_LATENTS = 16


def text_task(width: int, seed: int) -> Problem:
    """A language model whose feed-forward layers have `width` rectifiers each; a sample is a window
    of 64 characters for training, a character for the counts.
    """
    model = _transformer(plain(width))
    layers = tuple(f"{layer}.act" for layer in FEEDFORWARD)
    return _language_model(model, layers, seed, l1=1e-3)


def routed_task(width: int, seed: int) -> Problem:
    """A language model whose feed-forward layers have `width` experts, two for each character; the
    experts are the units.
    """
    model = _transformer(routed(width, EXPERT_SIZE, EXPERTS_OF_A_TOKEN))
    layers = tuple(f"{layer}.router" for layer in FEEDFORWARD)
    return _language_model(model, layers, seed, routers=True)


def relu_latents_task(width: int, seed: int) -> Problem:
    """A sparse autoencoder of a language model's residual stream, its latents rectifiers with an L1
    penalty.
    """
    return _latents(UnitDecoder(RESIDUAL, width, nn.ReLU()), seed, l1=1e-2)


def topk_latents_task(width: int, seed: int) -> Problem:
    """The same with the 16 largest latents of each vector, without a penalty."""
    active = TopK(min(ACTIVE_LATENTS, width))
    return _latents(UnitDecoder(RESIDUAL, width, active), seed, l1=0.0)


class UnitDecoder(SparseAutoencoder):
    """A sparse autoencoder whose decoder's columns have length 1, so that latents cannot evade an
    L1 penalty by becoming small.
    """

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """As `SparseAutoencoder`."""
        latents = self.activation(self.encoder(normalised(x) - self.decoder.bias))
        columns = normalize(self.decoder.weight, dim=0)
        return linear(latents, columns, self.decoder.bias), latents


def next_characters(logits: Tensor, windows: Tensor, _: Tensor) -> Tensor:
    """Cross-entropy of each character given those before it, in nats; (n_windows, window - 1)."""
    told = logits[:, :-1].log_softmax(-1)
    return -told.gather(-1, windows[:, 1:, None]).squeeze(-1)


def wrong_characters(logits: Tensor, windows: Tensor, _: Tensor) -> Tensor:
    """1 where the most probable character is not the next; (n_windows, window - 1)."""
    return (logits[:, :-1].argmax(-1) != windows[:, 1:]).float()


def unexplained(output: tuple[Tensor, Tensor], vectors: Tensor, _: Tensor) -> Tensor:
    """Squared error of each vector's reconstruction, as a share of its variance; (n,)."""
    return (output[0] - layer_norm(vectors, vectors.shape[-1:])).square().mean(-1)


def silence_experts(output: tuple[Tensor, Tensor], kept: Tensor) -> tuple[Tensor, Tensor]:
    """Experts that are removed add nothing to a token that they were chosen for."""
    chosen, weights = output
    return chosen, weights * kept[chosen]


def _transformer(feedforward: object) -> Transformer:
    text = python_characters()
    return Transformer(
        text.vocabulary,
        feedforward,  # pyright: ignore[reportArgumentType]
        width=RESIDUAL,
        blocks=BLOCKS,
        heads=HEADS,
        positions=text.inputs.shape[1],
    )


def _language_model(
    model: Transformer,
    layers: tuple[str, ...],
    seed: int,
    *,
    l1: float = 0.0,
    routers: bool = False,
) -> Problem:
    text = python_characters()
    (windows,) = shuffled(seed, text.inputs[:TRAINING])
    tests = text.test_inputs[:TESTING]
    schedule = Schedule(Stop(steps=400, tolerance=0.002), batch=16, rate=2e-3, l1=l1)
    return Problem(
        model=model,
        layers=layers,
        inputs=windows,
        targets=windows,
        test_inputs=tests,
        test_targets=tests,
        losses=next_characters,
        errors=wrong_characters,
        schedule=schedule,
        per="position",
        **({"indices": True, "silence": silence_experts} if routers else {}),
    )


def _latents(model: UnitDecoder, seed: int, *, l1: float) -> Problem:
    vectors = _residual_stream()
    (training,) = shuffled(seed, vectors[:VECTORS])
    tests = vectors[VECTORS:]
    return Problem(
        model=model,
        layers=("activation",),
        inputs=training,
        targets=training,
        test_inputs=tests,
        test_targets=tests,
        losses=unexplained,
        schedule=Schedule(Stop(steps=600, tolerance=0.005), batch=256, l1=l1),
    )


@cache
def _residual_stream() -> Tensor:
    """Residual stream after the first block of a language model of 256 rectifiers, which is
    trained once in each process; (n_vectors, RESIDUAL).
    """
    windows = python_characters().inputs
    with seeded(0):
        model = _transformer(plain(256))
        optimiser = torch.optim.Adam(model.parameters(), lr=2e-3, fused=True)
        for _ in range(500):
            optimiser.zero_grad()
            next_token_loss(model, windows[torch.randint(len(windows), (16,))]).backward()
            optimiser.step()
    per_window = windows.shape[1]
    needed = -(-(VECTORS + TEST_VECTORS) // per_window)
    with torch.no_grad():
        parts = [model.residual(part, blocks=1) for part in windows[:needed].split(32)]
    return torch.cat(parts).flatten(0, 1)[: VECTORS + TEST_VECTORS]
