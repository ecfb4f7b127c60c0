"""All claims, examined on the readings of a study."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pandas as pd

from actilaw.errors import InputError
from actilaw.study.claims.accumulation import accumulation
from actilaw.study.claims.b_and_width import b_and_width
from actilaw.study.claims.compressibility import compressibility
from actilaw.study.claims.exponent import exponent
from actilaw.study.claims.loss_decay import loss_decay
from actilaw.study.claims.result import ClaimResult
from actilaw.study.claims.transition import transition
from actilaw.study.claims.width import width

CLAIMS: dict[str, Callable[[pd.DataFrame], ClaimResult]] = {
    "accumulation": accumulation,
    "exponent": exponent,
    "width": width,
    "transition": transition,
    "loss_decay": loss_decay,
    "compressibility": compressibility,
    "b_and_width": b_and_width,
}


def examine(readings: pd.DataFrame, claims: Iterable[str] = tuple(CLAIMS)) -> list[ClaimResult]:
    """The claims by name, in order.

    Args:
        readings: a row for each cell and layer, as `readings` of `study.readings` gives them.
        claims: names among `CLAIMS`.

    Raises:
        InputError: if a claim is unknown, or there are no readings.
    """
    names = tuple(claims)
    unknown = [name for name in names if name not in CLAIMS]
    if unknown:
        raise InputError(f"expected claims among {', '.join(CLAIMS)}, but got {', '.join(unknown)}")
    if readings.empty:
        raise InputError("expected cells that are done, but the study has none yet: run it first")
    tasks = {task: place for place, task in enumerate(readings["task"].unique())}
    in_order = readings.sort_values(["width", "samples", "seed"], kind="stable")
    in_order = in_order.sort_values("task", key=lambda task: task.map(tasks), kind="stable")
    labelled = in_order.assign(network=network_names(in_order))
    return [CLAIMS[name](labelled) for name in names]


def network_names(readings: pd.DataFrame) -> pd.Series:
    """The task; where it has several layers, with the layer behind it, less the last parts of its
    name if these are the same in all of them.
    """
    names = {
        (task, layer): name
        for task, layers in readings.groupby("task", sort=False)["layer"]
        for layer, name in _told_apart(str(task), list(layers.unique())).items()
    }
    keys = zip(readings["task"], readings["layer"], strict=True)
    return pd.Series([names[key] for key in keys], readings.index)


def _told_apart(task: str, layers: list[str]) -> dict[str, str]:
    """The name of each layer of a task."""
    if len(layers) == 1:
        return {layers[0]: task}
    parts = {layer: str(layer).split(".") for layer in layers}
    while len({tuple(of_layer[-1:]) for of_layer in parts.values()}) == 1:
        parts = {layer: of_layer[:-1] for layer, of_layer in parts.items()}
    return {layer: f"{task}, {'.'.join(of_layer)}" for layer, of_layer in parts.items()}
