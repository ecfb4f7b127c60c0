"""What units and layers owe to each other: whether forecasts miss because units compete or start
together, and whether layers forecast better that lend each other the shape of their rates.

    python benchmarks/dependence.py [competition] [relatives] [STUDY]

competition: the cases of forecast.py as they are, and with every unit's activations dealt out to
samples anew, independently of all other units and of time. What independent units of the same rates
are missed by as well is not owed to competition. Recordings come from the folder that the
environment variable FORECAST_CASES names, or networks are trained.

relatives: `fit(counts)` beside `fit(counts, like=...)`, for the layers of deep networks, which are
trained on the way, and, if the folder of a study is given, for its networks that differ in their
seed alone. About 20 minutes on two cores.
"""

from __future__ import annotations

import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from actilaw import ActivationCounts, fit
from actilaw.counts.blocks import Blocks
from actilaw.errors import CountsError
from actilaw.forecasting.hindcast import compare
from actilaw.study.networks.architectures import plain, routed
from actilaw.study.networks.forecast_cases import (
    CASES,
    LATER_CASES,
    STAGES,
    WINDOWS,
    record_stages,
    shuffled,
)
from actilaw.study.networks.tasks import (
    Task,
    Text,
    digits,
    mnist,
    python_characters,
    python_source,
)
from actilaw.study.networks.training import train, train_transformer
from actilaw.study.store import Study
from forecast import HORIZONS, kept_case, scored

REPEATS = 5
DEPTH = 4

LEAST_NEWLY_WORKING = 10  # with fewer, a share of them says nothing
MEASURED = ("missed", "inside", "score")
Pair = tuple[ActivationCounts, ActivationCounts]  # the first part of a recording, and all of it


def forecast_of(early: ActivationCounts, full: ActivationCounts, **fitting: Any) -> dict[str, Any]:
    """What the forecast of all samples from the first part missed, and how its interval did."""
    forecaster = fit(early, allow_nonfinite=True, **fitting).forecaster
    return scored(compare(forecaster, full), early.idle)


def competition() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for name in (*CASES, *LATER_CASES):
        case = kept_case(name)
        full = case["full"]
        for stage, horizon in HORIZONS.items():
            early = case[stage]
            if early.working == 0 or early.idle == 0:
                continue
            anew = [
                forecast_of(independent(early, full, rng), full)["missed"] for _ in range(REPEATS)
            ]
            rows.append(
                {
                    "kind": kind_of(name),
                    "case": name,
                    "horizon": horizon,
                    "missed": forecast_of(early, full)["missed"],
                    "independent": np.nanmean(anew),
                }
            )
    table = pd.DataFrame(rows)
    print("missed, as they are and with independent units of the same rates, from blocks")
    print(table.to_string(index=False, float_format=lambda value: f"{value:.2f}"))
    _print_means(table, "kind", ["missed", "independent"])


def independent(
    early: ActivationCounts, full: ActivationCounts, rng: np.random.Generator
) -> ActivationCounts:
    """The first part of a recording whose units have as many activations in all as they had, on
    samples drawn for each unit by itself.
    """
    blocks = early.blocks
    assert blocks is not None
    left, samples = full.counts.astype(np.int64), full.samples
    drawn = np.zeros_like(blocks.counts, dtype=np.int64)
    for block, size in zip(drawn, blocks.samples.tolist(), strict=True):
        block[:] = rng.hypergeometric(left, samples - left, size)
        left, samples = left - block, samples - size
    dealt = Blocks(drawn, blocks.samples, blocks.size)
    return replace(early, counts=drawn.sum(axis=0), blocks=dealt, first=None, active_squares=None)


def kind_of(case: str) -> str:
    words = {"routed": "routed", "topk": "top-k latents", "latents": "other latents"}
    images = {"digits": "images", "mnist": "images"}
    return next((kind for word, kind in (words | images).items() if word in case), "text")


def relatives(study: str | None) -> None:
    rows = []
    for name, layers in deep_networks():
        for stage in list(STAGES)[:3]:
            pairs = {layer: (stages[stage], stages["full"]) for layer, stages in layers.items()}
            rows += rows_of_relatives({"of": "layers", "network": name, "from": stage}, pairs)
    if study is not None:
        for about, pairs in seeds_of(Study(study)):
            rows += rows_of_relatives({"of": "seeds", **about}, pairs)
    table = pd.DataFrame(rows)
    print(
        f"alone, and together with layers alike; forecasts of {LEAST_NEWLY_WORKING} newly working "
        "units or more, from blocks"
    )
    columns = [f"{what} {how}" for what in MEASURED for how in ("alone", "together")]
    for by in (["of", "network"], ["of"]):
        _print_means(table, by, columns)


def rows_of_relatives(about: dict[str, Any], pairs: Mapping[str, Pair]) -> list[dict[str, Any]]:
    """A row for each layer that has something to forecast: what was missed alone and together."""
    rows = []
    for name, (early, full) in pairs.items():
        others = [other for other_name, (other, _) in pairs.items() if other_name != name]
        if full.working - early.working < LEAST_NEWLY_WORKING or early.working == 0:
            continue
        try:
            alone, together = forecast_of(early, full), forecast_of(early, full, like=others)
        except CountsError as error:
            print(f"  left out {', '.join(map(str, about.values()))}, {name}: {error}")
            continue
        measured = {
            f"{what} {how}": found[what]
            for what in MEASURED
            for how, found in (("alone", alone), ("together", together))
        }
        rows.append(about | {"layer": name} | measured)
    return rows


def deep_networks() -> Iterator[tuple[str, dict[str, dict[str, ActivationCounts]]]]:
    """Networks of four layers each, with the counts of each layer at every stage."""
    for name, make in DEEP.items():
        model, stream, layers, per = make()
        stages = {layer: record_stages(model, stream, layer, per) for layer in layers}
        print(f"  {name}: {', '.join(str(all_[-1].working) for all_ in stages.values())} working")
        yield (
            name,
            {layer: dict(zip(STAGES, found, strict=True)) for layer, found in stages.items()},
        )


Deep = tuple[nn.Module, Tensor, list[str], str]  # the model, its stream, its layers, per


def _images(task: Task, units: int, l1: float) -> Deep:
    layers = ["relu", *(f"relu{layer}" for layer in range(2, DEPTH + 1))]
    return train(task, units, depth=DEPTH, l1=l1), shuffled(task), layers, "sample"


def _text(text: Text, feedforward: Callable[[int], nn.Module], layer: str, l1: float = 0) -> Deep:
    model = train_transformer(text, feedforward, blocks=DEPTH, l1=l1, steps=300)
    layers = [f"blocks.{block}.feedforward.{layer}" for block in range(DEPTH)]
    return model, text.test_inputs[:WINDOWS], layers, "position"


DEEP: dict[str, Callable[[], Deep]] = {
    "digits": lambda: _images(digits(), 1024, 1e-3),
    "mnist": lambda: _images(mnist(), 1024, 1e-3),
    "mnist, wider": lambda: _images(mnist(), 2048, 3e-4),
    "characters": lambda: _text(python_characters(), plain(1024), "act", 2e-3),
    "source": lambda: _text(python_source(), plain(1024), "act", 2e-3),
    "characters, routed": lambda: _text(python_characters(), routed(256), "router"),
    "source, routed": lambda: _text(python_source(), routed(256), "router"),
}


def seeds_of(study: Study) -> Iterator[tuple[dict[str, Any], dict[str, Pair]]]:
    """Networks that differ in their seed alone, from a third of their blocks and from a tenth."""
    groups: dict[tuple[Any, ...], dict[str, Pair]] = defaultdict(dict)
    for cell, census in study.results():
        for layer, full in census.items():
            if full.regime != "frozen" or full.blocks is None:
                continue
            for share in (3, 10):
                early = full.prefix(max(1, round(len(full.blocks) / share)))
                if min(early.idle, early.working) < 20:
                    continue
                kept = early.blocks
                assert kept is not None
                if early.per == "position" and len(kept) < 6:
                    continue  # of so few texts that nothing else matters
                key = (cell.task, layer, share, cell.width, cell.samples)
                groups[key][str(cell.seed)] = (early, full)
    for (task, _, share, *_), pairs in groups.items():
        yield {"network": task, "from": f"1/{share}"}, pairs


def _print_means(table: pd.DataFrame, by: str | list[str], columns: list[str]) -> None:
    grouped = table.groupby(by, sort=False)[columns]
    means = grouped.mean().assign(forecasts=grouped.size())
    print("\n" + means.to_string(float_format=lambda value: f"{value:.3f}"))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_flush_denormal(True)
    names = sys.argv[1:]
    parts = [name for name in names if name in ("competition", "relatives")]
    folders = [name for name in names if Path(name).is_dir()]
    if unknown := set(names) - {*parts, *folders}:
        sys.exit(f"expected competition, relatives or the folder of a study, but got {unknown}")
    if not parts or "competition" in parts:
        competition()
    if not parts or "relatives" in parts:
        relatives(folders[0] if folders else None)
