"""Units removed at equal loss: actilaw beside torch-pruning's magnitude and activation-based
importance, Wanda-style weight times activation (Sun et al. 2024, arXiv 2306.11695), and random
order, on networks trained here.

All are given the same trained network and the same training inputs to rank by. A method removes so
many of its lowest units that the loss on held-out data stays within 0.1 % or 1 % of the network's
own: the largest number before which every smaller one on a grid does, too. In networks of several
layers the rivals rank within layers and across all layers, and the better of both counts. Then the
network pruned by actilaw is timed beside the one it came from.

Also: how often the interval of the residual risk holds the share of removed units that are then
active on further samples, on layers recorded here; and, given the folder of a study, the share of
units that the law expects to carry no signal beside the share that was removable.

    python benchmarks/prune.py [--quick] [--study FOLDER]
"""

from __future__ import annotations

import argparse
import copy
import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import torch
import torch_pruning
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from actilaw import Census, plan_removal, prune, record
from actilaw.pruning import smaller_model
from actilaw.pruning.forward import evaluating
from actilaw.pruning.plan import CHANGE, RemovalPlan
from actilaw.pruning.removal import follow
from actilaw.pruning.result import PruneResult
from actilaw.study.networks import (
    digits,
    mnist,
    plain,
    python_source,
    train,
    train_transformer,
)

TOLERANCES = (0.001, 0.01)
GRID = 32  # numbers of units tried at first; between two of them the number is bisected
ORDERS_AT_RANDOM = 3
SEED = 0
# Layers between a linear module that makes units and one that takes them in, by their names.
Layers = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Case:
    """A trained network, with data.

    Attributes:
        name: of the case.
        model: the network.
        layers: for each layer of the census, the modules that make its units and take them in.
        batches: of training inputs, to rank by.
        loss: mean held-out loss of a network, in nats.
        held_out: inputs, whose activations nobody has seen.
    """

    name: str
    model: nn.Module
    layers: Layers
    batches: list[Tensor]
    loss: Callable[[nn.Module], float]
    held_out: list[Tensor]


def image_cases(quick: bool) -> list[Case]:
    cases = []
    for name, task, widths in (
        ("digits", digits(), (128, 512, 2048)),
        ("MNIST-5k", mnist(), (256, 1024, 4096)),
    ):
        for width in widths[:1] if quick else widths:
            model = train(task, units=width, steps=600, seed=SEED)

            def loss(smaller: nn.Module, task=task) -> float:
                with torch.no_grad():
                    return float(cross_entropy(smaller(task.test_inputs), task.test_labels))

            cases.append(
                Case(
                    f"{name}, {width} units",
                    model,
                    {"relu": ("hidden", "output")},
                    list(task.inputs.split(512)),
                    loss,
                    list(task.test_inputs.split(512)),
                )
            )
    return cases


def text_cases(quick: bool) -> list[Case]:
    text, cases = python_source(), []
    for width in (256,) if quick else (512, 1024):
        model = train_transformer(text, plain(width), l1=1e-4, steps=100 if quick else 600)
        shown, unseen = text.inputs[:192].split(16), text.test_inputs[:48].split(16)

        def loss(smaller: nn.Module, windows=unseen) -> float:
            with torch.no_grad():
                losses = [
                    float(cross_entropy(smaller(x)[:, :-1].flatten(0, 1), x[:, 1:].flatten()))
                    for x in windows
                ]
            return sum(losses) / len(losses)

        parts = {
            f"blocks.{i}.feedforward.act": (
                f"blocks.{i}.feedforward.up_proj",
                f"blocks.{i}.feedforward.down_proj",
            )
            for i in range(2)
        }
        cases.append(
            Case(f"Python text, 2 × {width} units", model, parts, list(shown), loss, list(unseen))
        )
    return cases


def recorded(model: nn.Module, batches: Sequence[Tensor], layers: Layers, per: str) -> Census:
    with torch.no_grad(), record(model, list(layers), per=per) as recording:
        for batch in batches:
            model(batch)
    return recording.census()


# Orders of units, the first to go in front, each a pair of layer and unit.

Order = list[tuple[str, int]]


def by_score(scores: Mapping[str, np.ndarray]) -> list[Order]:
    """By score within each layer, an equal share of every one; and across all layers, each score
    over the mean of its layer.
    """
    within = [
        ((place + 0.5) / len(score), layer, int(unit))
        for layer, score in scores.items()
        for place, unit in enumerate(np.argsort(score, kind="stable"))
    ]
    across = [
        (float(value / max(score.mean(), 1e-300)), layer, unit)
        for layer, score in scores.items()
        for unit, value in enumerate(score)
    ]
    found = [[(layer, unit) for _, layer, unit in sorted(pairs)] for pairs in (within, across)]
    return found[:1] if len(scores) == 1 else found


def inputs_of(case: Case) -> dict[str, Tensor]:
    """Mean square of what the taking module takes in of each unit."""
    sums: dict[str, Tensor] = {}
    hooks = []
    for layer, (_, taker) in case.layers.items():

        def add(_m: nn.Module, taken: tuple[Tensor, ...], _o: Tensor, layer=layer) -> None:
            squares = taken[0].flatten(0, -2).square().sum(0)
            sums[layer] = sums.get(layer, torch.zeros(())) + squares

        hooks.append(case.model.get_submodule(taker).register_forward_hook(add))
    with torch.no_grad():
        for batch in case.batches:
            case.model(batch)
    for hook in hooks:
        hook.remove()
    return sums


def torch_pruning_scores(case: Case, kind: str) -> dict[str, np.ndarray]:
    model, example = case.model, case.batches[0][:2]
    library: Any = torch_pruning  # its annotations leave None out
    graph = library.DependencyGraph().build_dependency(model, example_inputs=example)
    if kind == "magnitude":
        importance = library.importance.GroupMagnitudeImportance(p=2, normalizer=None)
    else:
        importance = library.importance.ActivationImportance(normalizer=None)
        with importance.compute_importance(model), torch.no_grad():
            model(torch.cat(case.batches))
    found = {}
    for layer, (maker, _) in case.layers.items():
        module: Any = model.get_submodule(maker)
        group = graph.get_pruning_group(
            module,
            library.prune_linear_out_channels,
            idxs=list(range(module.out_features)),
        )
        found[layer] = importance(group).detach().numpy().astype(float)
    return found


def rival_orders(case: Case) -> dict[str, list[Order]]:
    squares = inputs_of(case)
    rng = np.random.default_rng(SEED)
    wanda = {
        layer: (
            case.model.get_parameter(f"{taker}.weight").detach().abs().sum(0)
            * squares[layer].sqrt()
        ).numpy()
        for layer, (_, taker) in case.layers.items()
    }
    units = {layer: len(score) for layer, score in wanda.items()}
    at_random = [
        by_score({layer: rng.random(n) for layer, n in units.items()})[0]
        for _ in range(ORDERS_AT_RANDOM)
    ]
    return {
        "torch-pruning, magnitude": by_score(torch_pruning_scores(case, "magnitude")),
        "torch-pruning, activation": by_score(torch_pruning_scores(case, "activation")),
        "Wanda-style": by_score(wanda),
        "random": at_random,
    }


def without(case: Case, order: Order) -> nn.Module:
    """The network with units at zero: their columns in what takes them in."""
    model: Any = copy.deepcopy(case.model)
    with torch.no_grad():
        for layer, (_, taker) in case.layers.items():
            units = [unit for name, unit in order if name == layer]
            model.get_submodule(taker).weight[:, units] = 0
    return model


def plan_of(census: Census, order: Order, ranking: str) -> RemovalPlan:
    units = {
        layer: np.array([unit for name, unit in order if name == layer], np.int64)
        for layer in census
    }
    return RemovalPlan(census, units, ranking, 0.5)


class Pruner:
    """actilaw's own: plans of any number of units, made once."""

    def __init__(self, case: Case, census: Census, ranking: str) -> None:
        self.case, self.census, self.ranking = case, census, ranking
        self.order = self._order()

    def _order(self) -> Order:
        with evaluating(self.case.model):
            example = self.case.batches[0][:2]
            followed = follow(self.case.model, self.census, example)
            self.moments = smaller_model._moments(
                followed, self.census, self.case.batches, 1, of_pairs=self.ranking == CHANGE
            )
            scores = smaller_model._importance(self.ranking, followed, self.moments)
        if scores is None:
            scores = {name: counts.frequencies for name, counts in self.census.items()}
        pairs = [
            (float(value), self.census[layer].counts[unit], layer, unit)
            for layer, score in scores.items()
            for unit, value in enumerate(score)
        ]
        return [(layer, int(unit)) for _, _, layer, unit in sorted(pairs)]

    def result(self, units: int) -> PruneResult:
        left = {layer: counts.units - 1 for layer, counts in self.census.items()}
        order = []
        for layer, unit in self.order[:units]:
            if left[layer]:
                left[layer] -= 1
                order.append((layer, unit))
        plan = plan_of(self.census, order, self.ranking)
        # The moments are the same for every number of units: taken once.
        with mock.patch.object(smaller_model, "_moments", return_value=self.moments):
            return prune(self.case.model, self.census, self.case.batches[0][:2], plan=plan)


def most_removable(total: int, loss: Callable[[int], float], most: float) -> int:
    """The largest number of units at which the loss is at most `most`, before the first of a grid
    at which it is not.
    """
    grid = np.unique(np.round(np.linspace(0, total - 1, GRID + 1)).astype(int)).tolist()
    low, high = 0, total - 1
    for number in grid[1:]:
        if loss(number) > most:
            high = number
            break
        low = number
    else:
        return low
    while high - low > max(1, total // 1000):
        middle = (low + high) // 2
        low, high = (middle, high) if loss(middle) <= most else (low, middle)
    return low


def removed_at_equal_loss(case: Case) -> pd.DataFrame:
    """A row per method: units removed at each tolerance."""
    census = recorded(case.model, case.batches, case.layers, "position")
    total = sum(counts.units for counts in census.values())
    base = case.loss(case.model)
    idle = sum(counts.idle for counts in census.values())
    rows = []

    def add(method: str, losses: Sequence[Callable[[int], float]], least: bool) -> None:
        found = []
        for tolerance in TOLERANCES:
            numbers = [most_removable(total, loss, base * (1 + tolerance)) for loss in losses]
            found.append(max(numbers) if least else sum(numbers) / len(numbers))
        rows.append({"case": case.name, "method": method, "units": total, "idle": idle,
                     "loss": base, "at 0.1 %": found[0], "at 1 %": found[1]})  # fmt: skip

    for method, orders in rival_orders(case).items():
        losses = [
            cache(lambda n, order=order: case.loss(without(case, order[:n]))) for order in orders
        ]
        add(method, losses, least=method != "random")
    for method, ranking in (("actilaw, by change", CHANGE), ("actilaw, by count", "count")):
        pruner = Pruner(case, census, ranking)
        add(method, [cache(lambda n, pruner=pruner: case.loss(pruner.result(n).model))], least=True)
        if ranking == CHANGE:
            result = pruner.result(int(rows[-1]["at 1 %"]) or 1)
            verified = result.verify(case.held_out)
            rows[-1] |= {
                "speed-up": verified.speed_up,
                "size": result.parameters_after / result.parameters_before,
            }
    return pd.DataFrame(rows)


def report_removal(cases: Sequence[Case]) -> None:
    tables = []
    for case in cases:
        start = time.perf_counter()
        table = removed_at_equal_loss(case)
        tables.append(table)
        units, idle, loss = table[["units", "idle", "loss"]].iloc[0]
        seconds = time.perf_counter() - start
        print(f"\n{case.name}: {idle:,.0f} of {units:,.0f} idle, held-out loss {loss:.4f} nats")
        print(f"({seconds:.0f} s)")
        columns = ["method", "at 0.1 %", "at 1 %", "speed-up", "size"]
        print(table[columns].round(2).to_string(index=False, na_rep=""), flush=True)
    table = pd.concat(tables)
    rivals = table[~table["method"].str.startswith("actilaw")]
    ours = table[table["method"] == "actilaw, by change"].set_index("case")
    for column in ("at 0.1 %", "at 1 %"):
        best = rivals.groupby("case")[column].max()
        ratio = ours[column] / best.clip(lower=1)
        print(
            f"\n{column}: actilaw removes {ratio.mean():.2f} times the units of the best rival on "
            f"average (geometric mean {math.exp(np.log(ratio).mean()):.2f}), "
            f"{ratio.min():.2f} to {ratio.max():.2f}, "
            f"over {len(ratio)} cases"
        )


def report_risk(cases: Sequence[Case]) -> None:
    """Idle units after a random half of the held-out samples, on the other half and parts of it."""
    rows = []
    for case in cases:
        whole = torch.cat(case.held_out)
        for draw in range(10):
            order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(draw))
            half = len(whole) // 2
            first = whole[order[:half]]
            census = recorded(case.model, [first], case.layers, "position")
            plan = plan_removal(census)
            per = next(iter(census.values())).samples // half
            for part in (0.1, 0.3, 1.0):
                further = whole[order[half : half + int(part * half)]]
                then = recorded(case.model, [further], case.layers, "position")
                table = plan.residual_risk(per * len(further), level=0.95)
                for row in table.to_dict(orient="records"):
                    share = float((then[row["layer"]].counts[plan.units[row["layer"]]] > 0).mean())
                    rows.append(
                        {
                            "case": case.name.partition(",")[0],
                            "part": part,
                            "share": share,
                            "expected": row["expected"],
                            "inside": row["lower"] <= share <= row["upper"],
                            "below bound": share <= row["bound"],
                        }
                    )
    table = pd.DataFrame(rows)
    print("\nResidual risk of removed idle units, stated at 95 %, beside what was then active:")
    print(table.groupby(["case", "part"]).mean().round(3).to_string())
    print(
        f"inside the interval: {table['inside'].mean():.3f} of {len(table)}; below Good and "
        f"Turing's bound: {table['below bound'].mean():.3f}"
    )


def report_study(folder: Path) -> None:
    """The law's idle share beside what was removable, over a study's grid."""
    from actilaw.study.readings import readings
    from actilaw.study.store import Study

    table = readings(Study(folder))
    table = table.assign(idle=1 - table["working"] / table["units"])
    useful = table[table["loss_without_layer"] > 1.01 * table["test_loss"]]
    useful = useful[useful["counted"] > 0]
    columns = ["idle_by_law", "idle", "removable_0.1%", "removable_1%"]
    print(f"\nShare of units, means over {len(useful)} layers of the study in {folder.name}:")
    print(useful.groupby(["task", "layer"])[columns].mean().round(3).to_string())
    for column in columns[2:]:
        error = useful["idle_by_law"] - useful[column]
        rank = useful[["idle_by_law", column]].corr(method="spearman").iloc[0, 1]
        print(
            f"{column}: the law is {error.mean():+.3f} off on average (absolute "
            f"{error.abs().mean():.3f}); rank correlation {rank:.2f}; the law's share or more was "
            f"removable in {(useful[column] >= useful['idle_by_law'] - 0.005).mean():.2f} of them"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the narrowest networks alone")
    parser.add_argument("--study", type=Path, help="folder of a study that has run")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    cases = [*image_cases(options.quick), *text_cases(options.quick)]
    report_risk(cases)
    report_removal(cases)
    if options.study is not None:
        report_study(options.study)


if __name__ == "__main__":
    main()
