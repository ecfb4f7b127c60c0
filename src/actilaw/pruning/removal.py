"""Taking units out of every weight matrix that holds them, along the dependency graph of
torch-pruning (Fang et al. 2023, arXiv 2301.12900).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch_pruning
from numpy.typing import NDArray
from torch import nn

from actilaw.errors import ModelError
from actilaw.pruning.forward import output


def remove_units(
    model: nn.Module,
    removed: Mapping[str, NDArray[np.intp]],
    producers: Mapping[str, nn.Linear],
    inputs: tuple[Any, ...],
) -> torch.Tensor:
    """Remove the units from the model itself; what it returns for the inputs afterwards.

    Args:
        model: is changed.
        removed: indices of the units, by layer.
        producers: the Linear layer that feeds each of the layers.
        inputs: on which the layers are followed.

    Raises:
        ModelError: if torch-pruning cannot follow the model, or the units feed other layers than
            Linear ones.
    """
    try:
        with _differentiable(model):
            for name, units in removed.items():
                if units.size:
                    _remove(model, name, producers[name], units, inputs)
        return output(model, inputs)
    except ModelError:
        raise
    except Exception as error:  # whatever torch-pruning meets in a model that it cannot follow
        raise ModelError(
            "expected a model whose layers torch-pruning can follow along their gradients, but it "
            f"failed with {type(error).__name__} ({error}): run it without no_grad, or prune the "
            "part between Linear layers"
        ) from error


def _remove(
    model: nn.Module,
    name: str,
    producer: nn.Linear,
    units: NDArray[np.intp],
    inputs: tuple[Any, ...],
) -> None:
    """Rows of the producer, and the columns of the Linear layers that take the units in."""
    graph = torch_pruning.DependencyGraph().build_dependency(model, example_inputs=inputs)
    group = graph.get_pruning_group(
        producer, torch_pruning.prune_linear_out_channels, idxs=units.tolist()
    )
    for dependency, _ in group:
        module = dependency.target.module
        has_weights = next(module.parameters(), None) is not None
        takes_in = dependency.handler == torch_pruning.prune_linear_in_channels
        if has_weights and module is not producer and not takes_in:
            raise ModelError(
                f"expected the units of layer {name!r} to feed Linear layers alone, but they also "
                f"feed {dependency.target.name}: prune removes units between two Linear layers; "
                "record(model, layers=[...]) without it"
            )
    group.prune()


@contextmanager
def _differentiable(model: nn.Module) -> Iterator[None]:
    """Gradients on inside the block, since torch-pruning finds its way along them; then as they
    were.
    """
    wanted = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    model.requires_grad_(True)
    try:
        with torch.enable_grad():
            yield
    finally:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(wanted[name])
