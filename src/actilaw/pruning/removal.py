"""Which of the planned units can go, seen by running the model twice on the example inputs.

The first run follows units to the parameters that hold them (`following`). In the second run the
units are held at constants where their layer is counted: at zero, or at their mean output. What a
later weight takes in of them is then a constant too, which goes into its bias; where it is not, the
units reach the weight by another way, and stay. Its output is what the smaller model has to give.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from actilaw.counts.census import Census
from actilaw.errors import InputError, ModelError
from actilaw.pruning.expert_units import Experts, find_experts
from actilaw.pruning.following.axis_graph import AxisGraph, OwnedAxis
from actilaw.pruning.following.follower import Follower, Silence, graph_of
from actilaw.pruning.following.labels import Labels, varying
from actilaw.pruning.following.operation import Taken
from actilaw.pruning.forward import call, outputs
from actilaw.pruning.layer_units import (
    LayerInRun,
    RunOfLayers,
    base_name,
    choice_of,
    ids_along_units,
    place_of,
    require_same_layers,
)
from actilaw.pruning.stand_ins import StandIn
from actilaw.recording.layers import Choice
from actilaw.recording.tracing.activation_functions import SQUASHING
from actilaw.support.arrays import Floats, Ints

MOST_RUNS = 8  # of the model with units held, while fewer and fewer of them can go
SAME_MIX = 1e-3  # of the largest value, by which the same mix may differ where precision is low
SAME_CONSTANT = 1e-5  # relative differences of a constant that rounding makes
ANOTHER_WAY = "they reach a later weight by another way than the counted layer"
PRODUCTS_WITH_BIAS = {"addmm", "linear", "convolution", "baddbmm", "addmv"}
NO_BIAS = "they leave a constant, and nothing takes it"
SEVERAL_CONSTANTS = "they have another constant value in each call of a later weight"
AT_EDGES = "their constant value meets zeros around an image"
NOT_FOLLOWED = "its units could not be followed to the weights that make them"


@dataclass(eq=False)
class FollowedModel:
    """What following the units of a census through a model found.

    Attributes:
        model: the network.
        inputs: on which it ran.
        choice: where its layers are.
        graph: of the ids of its parameters.
        ids: of the units of each layer, by its name in the census; (n_units,). None where they
            could not be followed.
        experts: by layer, of those whose units are experts.
        takers: axes of weights that take units in.
        uses: by the id of a parameter, the operations that took it in.
        order: names of all layers of the model, as they were first called; of layers of the census
            as there.
    """

    model: nn.Module
    inputs: Any
    choice: Choice
    graph: AxisGraph
    ids: dict[str, Ints | None]
    experts: dict[str, Experts] = field(default_factory=dict)
    takers: tuple[OwnedAxis, ...] = ()
    order: tuple[str, ...] = ()
    uses: dict[int, list[str]] = field(default_factory=dict)

    def weights_of(self, name: str) -> tuple[Floats, bool] | None:
        """The weights that take in the units of a layer, (n_units, n_out), and whether all of them
        have a bias; None where they are not known, or take a unit in more than once.
        """
        columns, biased = [], True
        ids, units = self.ids[name], self.graph.units()
        if ids is None or name in self.experts:
            return None
        for axis in self.takers:
            if not np.isin(units[axis.ids], units[ids]).any():
                continue
            places = places_of(self, name, axis.ids)
            if places is None:
                return None
            weight = axis.tensor.detach().double().movedim(axis.dim, 0).flatten(1)
            columns.append(weight.cpu().numpy()[places])
            biased &= self.bias_beside(axis) is not None and axis.tensor.ndim == 2
        return (np.concatenate(columns, axis=1), biased) if columns else None

    def bias_beside(self, axis: OwnedAxis) -> nn.Parameter | None:
        """The parameter that is added to what a weight gives: of the same module, with an entry
        for each unit of the weight's other axis, and a name that says so.
        """
        owner = next(
            (m for m in self.model.modules() for p in m._parameters.values() if p is axis.tensor),
            None,
        )
        others = [one for one in self.graph.axes[id(axis.tensor)] if one.dim != axis.dim]
        if owner is None or not others:
            return None
        units = self.graph.units()
        for name, own in owner._parameters.items():
            if own is None or own.ndim != 1 or not name.lower().startswith("b"):
                continue
            ids = self.graph.axes[id(own)][0].ids
            if not self._is_added_alone(own):
                continue
            if ids.size == others[0].ids.size and np.array_equal(units[ids], units[others[0].ids]):
                return own
        return None

    def _is_added_alone(self, bias: nn.Parameter) -> bool:
        """Whether a bias does nothing else: the bias of an autoencoder's decoder is also taken off
        its input.
        """
        used = self.uses.get(id(bias), [])
        return used == ["add"] or all(name in PRODUCTS_WITH_BIAS for name in used)

    def may_take_constant(self, axis: OwnedAxis) -> bool:
        """Whether a weight has a bias for what it takes in along an axis, or may get one."""
        if self.bias_beside(axis) is not None:
            return True
        owner = next(
            (m for m in self.model.modules() for p in m._parameters.values() if p is axis.tensor),
            None,
        )
        ordinary = isinstance(owner, nn.Linear | nn.modules.conv._ConvNd)
        return ordinary and getattr(owner, "bias", None) is None

    def takes_constants(self, name: str, *, may_add_bias: bool) -> bool:
        """Whether every weight that takes in the units of a layer has a bias, or may get one."""
        ids, units = self.ids[name], self.graph.units()
        if ids is None:
            return False
        axes = [axis for axis in self.takers if np.isin(units[axis.ids], units[ids]).any()]
        if may_add_bias:
            return all(map(self.may_take_constant, axes))
        return all(self.bias_beside(axis) is not None for axis in axes)

    def weight_lengths(self) -> dict[str, Floats]:
        """Length of the weights that take each unit in, by layer; (n_units,)."""
        squares, units = np.zeros(self.graph.size), self.graph.units()
        for axis in self.takers:
            weight = axis.tensor.detach().double().movedim(axis.dim, 0).flatten(1)
            of_units = units[axis.ids]
            np.add.at(squares, of_units, weight.square().sum(1).cpu().numpy())
        return {
            name: np.zeros(0) if ids is None else np.sqrt(squares[units[ids]])
            for name, ids in self.ids.items()
        }


@dataclass(frozen=True, eq=False)
class Removable:
    """Units that can go, and what is left to do.

    Attributes:
        units: indices of the units, by layer.
        stand_ins: by layer, how kept units stand in for those that go, where they do.
        ids: whether each id goes; (size,), bool.
        taken: what weights take in of them, which is constant.
        output: what the model returns while they are held; a tensor for each of its outputs,
            without entries for units that go.
        kept: by layer, why units that were planned stay, with how many.
    """

    units: dict[str, Ints]
    stand_ins: dict[str, StandIn]
    ids: np.ndarray
    taken: list[Taken]
    output: list[Tensor]
    kept: dict[str, str]


def _is_counted_late(name: str, modules: set[str]) -> bool:
    """Whether a layer is a function that is counted once a weight has taken in what it returned:
    too late to hold it.
    """
    place = place_of(name)
    return place not in modules and place.rpartition(".")[2].removesuffix("()") in SQUASHING


def follow(model: nn.Module, census: Census, inputs: Any) -> FollowedModel:
    """Follow the units of a census through a model, which runs once.

    Raises:
        InputError: if the census is of other layers.
        ModelError: if it has no such layers, or does not run on the inputs.
    """
    choice = choice_of(model, census)
    graph = graph_of(model)
    follower = Follower(graph)
    ids: dict[LayerInRun, Ints | None] = {}
    widths: dict[LayerInRun, int] = {}

    def note(layer: LayerInRun, _: Tensor, x: Tensor) -> None:
        widths[layer] = x.shape[-1]
        found = ids_along_units(x, follower.labels_of(x))
        if found is not None:
            follower.note_counted(found)
            before = ids.get(layer)
            if before is not None and before.shape == found.shape:
                graph.join(before, found)
        ids.setdefault(layer, found)

    with RunOfLayers(model, choice, note) as run, follower:
        returned = _returned(model, inputs)
    for label in follower.labels_of(outputs(returned)[0]):
        graph.pin(np.asarray(label.reshape(-1).cpu()), "they are the model's output")
    by_name = {layer.name: ids.get(layer) for layer in run.layers}
    require_same_layers(
        census, list(by_name), {layer.name: width for layer, width in widths.items()}
    )
    takers = tuple(follower.takers.values())
    found = FollowedModel(model, inputs, choice, graph, {}, takers=takers, uses=follower.uses)
    full = {base_name(name, counts.criterion): name for name, counts in census.items()}
    found.order = tuple(full.get(layer.name, layer.name) for layer in widths)
    modules = {name for name, _ in model.named_modules()}
    routers = {name for name, point in choice.points.items() if point.chooses_experts}
    for name, counts in census.items():
        base = base_name(name, counts.criterion)
        if base in routers:
            experts = find_experts(model, base, graph)
            if experts is not None and len(experts.ids) == counts.units:
                found.experts[name] = experts
        own = found.experts[name].ids if name in found.experts else by_name[base]
        found.ids[name] = None if _is_counted_late(base, modules) else own
    return found


def removable(
    followed: FollowedModel,
    planned: Mapping[str, Ints],
    constants: Mapping[str, Floats],
    standing_in: Callable[[str, Ints], StandIn | None] = lambda name, units: None,
) -> Removable:
    """Which of the planned units can go.

    Args:
        followed: the model, which runs once or a few times more.
        planned: indices of units, by layer.
        constants: what the units of each layer are held at, (n_units,), in the unit of the
            activations; zero where there is none.
        standing_in: called with a layer and the units of it that go; how kept ones stand in for
            them, in the place of constants, or None.
    """
    graph = followed.graph
    units = graph.units()
    stays = dict(graph.pinned())
    fixed = _values(followed, constants)
    apart: set[str] = set()  # layers of which kept units cannot stand in for others
    for _ in range(MOST_RUNS):
        going = _going(followed, planned, stays)
        units_of = {name: _indices(followed, name, planned, going) for name in planned}
        stand_ins = _stand_ins(units_of, apart, standing_in)
        silence = Silence(np.isin(units, list(going)))
        silence.removed[0] = False
        output, bad, edges = _held(followed, silence, fixed, stand_ins)
        wrong = _not_standing_in(followed, silence, stand_ins)
        if wrong:
            apart |= wrong
            continue
        at_edges = np.isin(units, list(edges)) & (fixed != 0)
        if at_edges.any():
            fixed[at_edges] = 0.0  # a constant other than zero shows where an image ends
            continue
        bad |= edges
        if not bad:
            return Removable(
                units=units_of,
                stand_ins=stand_ins,
                ids=silence.removed,
                taken=silence.taken,
                output=output,
                kept=_kept(followed, planned, stays, going),
            )
        stays |= bad
    raise ModelError(
        "expected units that can be removed one layer after the other, but each run of the model "
        "found others that cannot: prune fewer layers, Census({name: census[name]})"
    )


def _going(
    followed: FollowedModel, planned: Mapping[str, Ints], stays: Mapping[int, str]
) -> set[int]:
    """Units of the network that are planned in every layer that has them."""
    units = followed.graph.units()
    wanted: set[int] = set()
    refused = set(stays)
    for name, ids in followed.ids.items():
        if ids is None:
            continue
        goes = np.zeros(len(ids), bool)
        goes[planned.get(name, np.zeros(0, np.int64))] = True
        wanted |= set(units[ids[goes]].tolist())
        refused |= set(units[ids[~goes]].tolist())
    return wanted - refused


def _indices(
    followed: FollowedModel, name: str, planned: Mapping[str, Ints], going: set[int]
) -> Ints:
    ids = followed.ids[name]
    if ids is None:
        return np.zeros(0, np.int64)
    of_units = followed.graph.units()[ids[planned[name]]]
    return np.asarray(planned[name])[np.isin(of_units, list(going))]


def _kept(
    followed: FollowedModel,
    planned: Mapping[str, Ints],
    stays: Mapping[int, str],
    going: set[int],
) -> dict[str, str]:
    """Why planned units stay, by layer."""
    kept: dict[str, str] = {}
    units = followed.graph.units()
    for name, indices in planned.items():
        ids = followed.ids[name]
        if not len(indices):
            continue
        if ids is None:
            kept[name] = f"{len(indices)} of {len(indices)} stay: {NOT_FOLLOWED}"
            continue
        left = [unit for unit in units[ids[indices]].tolist() if unit not in going]
        if left:
            shared = "other layers share them, in which they are not to be removed"
            why = next((stays[unit] for unit in left if unit in stays), shared)
            kept[name] = f"{len(left)} of {len(indices)} stay: {why}"
    return kept


def _values(followed: FollowedModel, constants: Mapping[str, Floats]) -> Floats:
    """What each id is held at; (size,)."""
    values = np.zeros(followed.graph.size)
    for name, ids in followed.ids.items():
        if ids is not None and name in constants:
            values[ids] = constants[name]
    return values


def _held(
    followed: FollowedModel,
    silence: Silence,
    values: Floats,
    stand_ins: Mapping[str, StandIn],
) -> tuple[list[Tensor], dict[int, str], dict[int, str]]:
    """What the model returns while units are held, which of them reach a weight otherwise, and
    which are constants other than zero with zeros put around them.
    """
    follower = Follower(followed.graph, silence)

    made: list[str] = []
    names: dict[LayerInRun, str] = {}

    def hold(layer: LayerInRun, whole: Tensor, x: Tensor) -> None:
        found = ids_along_units(x, follower.labels_of(x))
        if layer not in names:  # in the order of the first run
            names[layer] = followed.order[len(made)]
            made.append(names[layer])
        if found is not None:
            follower.note_counted(found)
            if names[layer] in stand_ins:
                _let_stand_in(whole, follower.labels_of(whole), stand_ins[names[layer]])
            else:
                follower.hold(whole, values)

    with RunOfLayers(followed.model, followed.choice, hold), follower:
        returned = _returned(followed.model, followed.inputs)
    output = []
    for tensor in outputs(returned):
        for label in follower.labels_of(tensor):
            for dim in varying(label):
                if len(varying(label)) == 1:
                    keep = torch.nonzero(~follower.is_removed(label).reshape(-1)).reshape(-1)
                    tensor = tensor.index_select(dim, keep)
        output.append(tensor)
    bad: dict[int, str] = {}
    edges: dict[int, str] = {}
    units = followed.graph.units()
    standing = _units_standing_for(followed, stand_ins)
    constants: dict[tuple[int, bytes], Tensor] = {}
    for taken in silence.taken:
        ids = np.asarray(taken.ids.cpu(), np.int64)
        goes = silence.removed[ids] & ~np.isin(units[ids], standing)
        rows = taken.values.reshape(-1, taken.values.shape[-1])[:, torch.from_numpy(goes)]
        wrong, nonzero = _constancy(rows)
        bad |= dict.fromkeys(units[ids[goes][wrong]].tolist(), ANOTHER_WAY)
        if len(rows):
            key = (taken.weight.untyped_storage().data_ptr(), ids.tobytes())
            apart = (constants.setdefault(key, rows[0]) - rows[0]).abs()
            differ = np.asarray((apart > SAME_CONSTANT * rows[0].abs()).cpu()) & ~wrong
            bad |= dict.fromkeys(units[ids[goes][differ]].tolist(), SEVERAL_CONSTANTS)
        if (nonzero & ~wrong).any() and not _is_foldable(followed, taken, ids):
            bad |= dict.fromkeys(units[ids[goes][nonzero & ~wrong]].tolist(), NO_BIAS)
        if taken.padded:
            edges |= dict.fromkeys(units[ids[goes][nonzero & ~wrong]].tolist(), AT_EDGES)
    return output, bad, edges


def _stand_ins(
    units: Mapping[str, Ints],
    apart: set[str],
    standing_in: Callable[[str, Ints], StandIn | None],
) -> dict[str, StandIn]:
    found = {}
    for name, removed in units.items():
        one = standing_in(name, np.sort(removed)) if removed.size and name not in apart else None
        if one is not None:
            found[name] = one
    return found


def _units_standing_for(followed: FollowedModel, stand_ins: Mapping[str, StandIn]) -> Ints:
    """Units of the network that others stand in for."""
    units, found = followed.graph.units(), [np.zeros(0, np.int64)]
    for name, one in stand_ins.items():
        ids = followed.ids[name]
        assert ids is not None
        found.append(units[ids[one.removed]])
    return np.concatenate(found)


def _let_stand_in(x: Tensor, labels: Labels, one: StandIn) -> None:
    """Replace the removed units of activations by what kept ones say of them."""
    units = one.removed.size + one.kept.size
    for label in labels:
        dims = varying(label)
        if len(dims) == 1 and label.numel() == units:
            last = x.movedim(next(iter(dims)), -1)
            kept = last[..., torch.from_numpy(one.kept).to(x.device)].double()
            mix = torch.from_numpy(one.mix).to(x.device)
            said = kept @ mix.T + torch.from_numpy(one.constant).to(x.device)
            last[..., torch.from_numpy(one.removed).to(x.device)] = said.to(x.dtype)


def places_of(followed: FollowedModel, name: str, ids: Ints) -> Ints | None:
    """Where each unit of a layer is among the ids of an axis, (n_units,); None unless each is there
    once.
    """
    own, units = followed.ids[name], followed.graph.units()
    if own is None:
        return None
    order = np.argsort(units[ids], kind="stable")
    wanted = units[own]
    left = np.searchsorted(units[ids][order], wanted, side="left")
    right = np.searchsorted(units[ids][order], wanted, side="right")
    return order[left] if np.all(right - left == 1) else None


def _not_standing_in(
    followed: FollowedModel, silence: Silence, stand_ins: Mapping[str, StandIn]
) -> set[str]:
    """Layers whose units reach a weight changed on the way, so that a mix of kept units is not the
    same mix there.
    """
    wrong = set()
    units = followed.graph.units()
    for name, one in stand_ins.items():
        of_layer = units[followed.ids[name]]
        for taken in silence.taken:
            ids = np.asarray(taken.ids.cpu(), np.int64)
            if not np.isin(units[ids], of_layer[one.removed]).any():
                continue
            places = places_of(followed, name, ids)
            if places is None or (taken.padded and one.constant.any()):
                wrong.add(name)
                break
            values = taken.values.reshape(-1, taken.values.shape[-1]).double()[:, places]
            kept = values[:, torch.from_numpy(one.kept)]
            mix = torch.from_numpy(one.mix).to(values.device)
            said = kept @ mix.T + torch.from_numpy(one.constant).to(values.device)
            found = values[:, torch.from_numpy(one.removed)]
            scale = float(values.abs().max()) if values.numel() else 0.0
            if values.numel() and not float((said - found).abs().max()) <= SAME_MIX * scale:
                wrong.add(name)
                break
    return wrong


def _is_foldable(followed: FollowedModel, taken: Taken, ids: Ints) -> bool:
    """Whether what a product makes of constants can go into a bias."""
    axis = followed.graph.owner(ids)
    if axis is None:
        return False
    same = axis.tensor.untyped_storage().data_ptr() == taken.weight.untyped_storage().data_ptr()
    return same and followed.may_take_constant(axis)


def _constancy(values: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Of each column of values (n_rows, n_columns): whether its rows differ, and whether any is
    not zero; bool, (n_columns,) each.
    """
    nonzero = np.asarray((values != 0).any(0).cpu())
    if not len(values):
        return np.zeros(values.shape[1], bool), nonzero
    differ = (values - values[:1]).abs().amax(0) > SAME_CONSTANT * values.abs().amax(0)
    return np.asarray((differ | ~values.isfinite().all(0)).cpu()), nonzero


def _returned(model: nn.Module, inputs: Any) -> Any:
    try:
        return call(model, inputs)
    except (InputError, ModelError):
        raise
    except Exception as error:  # whatever the user's model meets
        raise ModelError(
            "expected a model that runs on the example inputs, but it failed with "
            f"{type(error).__name__} ({error}): give inputs as the model takes them"
        ) from error
