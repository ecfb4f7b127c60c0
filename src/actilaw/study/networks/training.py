"""Training of the networks of a study, by Adam (Kingma & Ba 2015, arXiv 1412.6980), and their
losses.

An L1 penalty on the activations makes layers sparse: it is added to the loss, times a weight `l1`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.optim.lr_scheduler import OneCycleLR

from actilaw.errors import InputError
from actilaw.study.denormals import denormals_flushed
from actilaw.study.networks.architectures import SparseAutoencoder, Transformer, normalised
from actilaw.study.networks.tasks import Task, Text


def train(
    task: Task,
    units: int = 4096,
    *,
    depth: int = 1,
    samples: int | None = None,
    l1: float = 3e-3,
    steps: int = 400,
    seed: int = 0,
) -> nn.Sequential:
    """A classifier with hidden layers of rectifiers, named "relu", "relu2" and so on, trained on
    the task.

    Args:
        task: what to learn.
        units: N, width of each hidden layer.
        depth: number of hidden layers.
        samples: D, size of the training set, taken from the front of the task's; all of it by
            default.
        l1: weight of the L1 penalty: the loss is the cross-entropy in nats plus l1 times the sum
            of a sample's activations.
        steps: of Adam, learning rate 2e-3, on 128 samples each.
        seed: of weights and order; the global random state stays as it is.

    Raises:
        InputError: if the task does not have so many samples.
    """
    if samples is not None and not 1 <= samples <= len(task.labels):
        raise InputError(
            f"expected training samples in 1..{len(task.labels)}, those the task has, but got "
            f"{samples}"
        )
    inputs, labels = task.inputs[:samples], task.labels[:samples]
    with seeded(seed):
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for number in range(1, depth + 1):
            name = str(number) if number > 1 else ""
            layers[f"hidden{name}"] = nn.Linear(inputs.shape[1] if number == 1 else units, units)
            layers[f"relu{name}"] = nn.ReLU()
        layers["output"] = nn.Linear(units, task.classes)

        def loss() -> Tensor:
            batch = torch.randint(len(labels), (128,))
            x, penalty = inputs[batch], torch.zeros(())
            for layer in layers.values():
                x = layer(x)
                if isinstance(layer, nn.ReLU):
                    penalty = penalty + x.sum(1).mean()
            return cross_entropy(x, labels[batch]) + l1 * penalty

        model = nn.Sequential(layers)
        _minimise(model, loss, steps)
    return model


def train_transformer(
    text: Text,
    feedforward: Callable[[int], nn.Module],
    *,
    blocks: int = 2,
    l1: float = 0.0,
    steps: int = 400,
    seed: int = 0,
) -> Transformer:
    """A small language model, trained to predict the next token of the text.

    Args:
        text: what to learn.
        feedforward: makes the feed-forward layer of each block: `plain(4096)`, `gated(4096)`,
            `routed(1024)`.
        blocks: how many the model has.
        l1: weight of the L1 penalty: the loss is the cross-entropy in nats plus l1 times the sum
            of the magnitudes of a token's activations, which are the inputs of modules named
            "down_proj"; routed layers have none.
        steps: of Adam, learning rate up to 4e-3 and down again, on 8 windows each.
        seed: of weights and order; the global random state stays as it is.
    """
    with seeded(seed):
        positions = text.inputs.shape[1]
        model = Transformer(text.vocabulary, feedforward, blocks=blocks, positions=positions)
        magnitudes: list[Tensor] = []
        hooks = [
            module.register_forward_pre_hook(
                lambda _, taken: magnitudes.append(taken[0].abs().sum(-1).mean())
            )
            for name, module in model.named_modules()
            if l1 and name.endswith("down_proj")
        ]

        def loss() -> Tensor:
            windows = text.inputs[torch.randint(len(text.inputs), (8,))]
            magnitudes.clear()
            return next_token_loss(model, windows) + l1 * sum(magnitudes)

        _minimise(model, loss, steps, rate=4e-3, one_cycle=True)
    for hook in hooks:
        hook.remove()
    return model.eval()


def next_token_loss(model: nn.Module, windows: Tensor) -> Tensor:
    """Mean cross-entropy of each token given those before it, in nats, over windows (n_windows,
    window).
    """
    return cross_entropy(model(windows)[:, :-1].flatten(0, 1), windows[:, 1:].flatten())


def train_autoencoder(
    vectors: Tensor,
    latents: int,
    activation: nn.Module,
    *,
    l1: float = 0.0,
    steps: int = 400,
    seed: int = 0,
) -> SparseAutoencoder:
    """A sparse autoencoder, trained to reconstruct the vectors.

    Args:
        vectors: (n_vectors, width), float32.
        latents: number of latents.
        activation: `TopK(k)`, or `nn.ReLU()` with an L1 penalty.
        l1: weight of the L1 penalty: the loss is the mean squared error, as a share of the
            variance, plus l1 times the sum of a vector's latents, each times the length of its
            column in the decoder.
        steps: of Adam, learning rate up to 2e-3 and down again, on 512 vectors each.
        seed: of weights and order; the global random state stays as it is.
    """
    with seeded(seed):
        model = SparseAutoencoder(vectors.shape[1], latents, activation)

        def loss() -> Tensor:
            batch = vectors[torch.randint(len(vectors), (512,))]
            reconstructed, latents = model(batch)
            penalty = (latents @ model.decoder.weight.norm(dim=0)).mean()
            return mse_loss(reconstructed, normalised(batch)) + l1 * penalty

        _minimise(model, loss, steps, one_cycle=True)
    return model


def _minimise(
    model: nn.Module,
    loss: Callable[[], Tensor],
    steps: int,
    *,
    rate: float = 2e-3,
    one_cycle: bool = False,
) -> None:
    """Steps of Adam on the loss, at a constant rate or in one cycle (Smith & Topin 2018, arXiv
    1708.07120): up to the rate in a tenth of the steps, then down.
    """
    optimiser = torch.optim.Adam(model.parameters(), lr=rate, fused=True)
    schedule = OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1) if one_cycle else None
    for _ in range(steps):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
        if schedule:
            schedule.step()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeded random numbers of torch and gradients on; the global state is restored afterwards."""
    with torch.random.fork_rng(devices=[]), torch.enable_grad(), denormals_flushed():
        torch.manual_seed(seed)
        yield


@torch.no_grad()
def evaluate(model: nn.Module, inputs: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy, in nats per sample, and accuracy, in 0..1."""
    logits = model(inputs)
    return float(cross_entropy(logits, labels)), float((logits.argmax(-1) == labels).float().mean())


def learning_curve(
    task: Task, sizes: Iterable[int], *, seeds: Iterable[int] = range(3), **training: Any
) -> pd.DataFrame:
    """Test loss against the size of the training set: columns samples, seed, loss, a row per
    training.

    Args:
        task: what to learn.
        sizes: of the training sets.
        seeds: how often each, and from which start.
        training: further arguments of `train`.
    """
    seeds = tuple(seeds)
    rows = []
    for samples in sizes:
        for seed in seeds:
            model = train(task, samples=samples, seed=seed, **training)
            loss, _ = evaluate(model, task.test_inputs, task.test_labels)
            rows.append({"samples": samples, "seed": seed, "loss": loss})
    return pd.DataFrame(rows)
