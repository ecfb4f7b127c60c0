"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from actilaw.support.validation import one_whole


def completing(*words: str) -> Callable[[str], list[str]]:
    """Completion by the shell of an option that takes one of these words."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


def whole_seed(seed: int | None) -> int | None:
    """The seed, which is refused unless it is a whole number >= 0."""
    return None if seed is None else one_whole("--seed", seed)


CensusFile = Annotated[
    Path,
    typer.Argument(
        help="A census: a file written by `actilaw record` or census.save(path).",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]
Level = Annotated[
    float, typer.Option(help="Confidence level of the intervals, between 0 and 1: 0.95 is 95 %.")
]
Simultaneous = Annotated[
    bool, typer.Option("--simultaneous", help="Bounds that hold the whole curve at once, a band.")
]
Seed = Annotated[
    int,
    typer.Option(
        callback=whole_seed,
        help="Seed of the random numbers, from 0 on; the same seed repeats a run.",
    ),
]
Family = Annotated[
    str | None,
    typer.Option(
        autocompletion=completing("law", "zero_inflated", "mixture", "heavy_tail"),
        help="Fit and forecast by one closed form: law, zero_inflated, mixture or heavy_tail.",
        show_default="the activation law; forecasts from the rate density",
    ),
]
