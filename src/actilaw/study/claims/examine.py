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
    labelled = readings.assign(network=network_names(readings))
    return [CLAIMS[name](labelled) for name in names]


def network_names(readings: pd.DataFrame) -> pd.Series:
    """The task, with the layer behind it where the task has several."""
    layers = readings.groupby("task")["layer"].transform("nunique")
    return readings["task"].where(
        layers == 1, readings["task"] + ", " + readings["layer"].astype(str)
    )
