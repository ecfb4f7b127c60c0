"""Which layers of two recordings are the same, by what fed them."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from actilaw import ActivationCounts, Census
from actilaw.counts.feeders import Fed, counterparts, group_of
from actilaw.errors import InputError


def fed(**layers: str) -> Fed:
    """relu_0="a b|c" is fed by a and b together in one call, and by c in another."""
    found: Fed = {}
    for name, sets in layers.items():
        place, number = name.rsplit("_", 1)
        known = frozenset(frozenset(names.split()) for names in sets.split("|")) if sets else None
        found[place, int(number)] = known or frozenset()
    return found


def census(**layers: tuple[int, str]) -> Census:
    """relu_0=(3, "a") is a layer relu#0 with one unit that 3 of 10 samples activate, fed by a."""
    counts = {name.replace("_", "#"): k for name, (k, _) in layers.items()}
    feeders = {name.replace("_", "#"): ((by,),) for name, (_, by) in layers.items() if by}
    return Census(
        {name: ActivationCounts(np.array([k]), 10) for name, k in counts.items()}, feeders=feeders
    )


def counted(merged: Census) -> dict[str, tuple[int, ...]]:
    return {name: tuple(layer.counts.tolist()) for name, layer in merged.items()}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_layers_are_matched_by_what_fed_them_in_any_order(order: tuple[int, ...]) -> None:
    own = fed(relu_0="a", relu_1="b c", relu_2="d|e")
    other = {("relu", order[i]): own["relu", i] for i in range(3)}
    assert counterparts(own, other) == {("relu", order[i]): ("relu", i) for i in range(3)}


def test_a_layer_that_feeds_another_is_known_by_its_own_number() -> None:
    own = fed(gelu_0="relu#0", gelu_1="relu#1", relu_0="a", relu_1="b")
    other = fed(gelu_0="relu#0", gelu_1="relu#1", relu_0="b", relu_1="a")
    found = counterparts(own, other)
    assert found["relu", 0] == ("relu", 1)
    assert found["gelu", 0] == ("gelu", 1)


def test_a_layer_that_feeds_itself_is_known_by_what_else_fed_it() -> None:
    own = fed(relu_0="a|step relu#0", relu_1="b|step relu#1")
    other = fed(relu_0="b|step relu#0", relu_1="a|step relu#1")
    assert counterparts(own, other) == {("relu", 0): ("relu", 1), ("relu", 1): ("relu", 0)}


def test_layers_in_a_circle_keep_their_numbers() -> None:
    own = fed(relu_0="gelu#0", gelu_0="relu#0", relu_1="gelu#1", gelu_1="relu#1")
    assert counterparts(own, own) == {group: group for group in own}


@pytest.mark.parametrize(
    ("own", "other"),
    [
        (fed(relu_0="a"), fed(relu_0="b")),
        (fed(relu_0="a", relu_1="b"), fed(relu_0="a", relu_1="c")),
        (fed(relu_0="a", relu_1="b"), fed(relu_0="a|b", relu_1="c")),
        (fed(relu_0="a|b", relu_1="c"), fed(relu_0="a", relu_1="b")),
    ],
)
def test_layers_that_were_fed_otherwise_are_refused_with_what_fed_them(
    own: Fed, other: Fed
) -> None:
    with pytest.raises(InputError, match=r"layers of 'relu' .* relu#0 fed by a.* fed by b"):
        counterparts(own, other)


def test_layers_keep_their_numbers_where_nothing_is_known_of_them() -> None:
    own, unknown = fed(relu_0="a", relu_1="b"), fed(relu_0="", relu_1="")
    assert counterparts(own, unknown) == {group: group for group in own}
    assert counterparts(unknown, own) == {group: group for group in own}


def test_the_place_of_a_layer_and_its_number_are_read_from_its_name() -> None:
    assert group_of("block.relu#12", "above zero") == ("block.relu", 12)
    assert group_of("block.relu#1 above zero", "above zero") == ("block.relu", 1)
    assert group_of("block.relu", "above zero") == ("block.relu", 0)


def test_a_merge_adds_the_layers_that_were_fed_alike_under_the_names_of_the_first() -> None:
    one = census(relu_0=(1, "a"), relu_1=(2, "b"))
    other = census(relu_0=(3, "b"), relu_1=(4, "a"))
    assert counted(one.merge(other)) == {"relu#0": (5,), "relu#1": (5,)}
    assert one.merge(other)["relu#0"].samples == 20
    third = census(relu_0=(7, "a"), relu_1=(0, "b"))
    assert counted(one.merge(other).merge(third)) == {"relu#0": (12,), "relu#1": (5,)}
    assert counted(third.merge(one.merge(other))) == {"relu#0": (12,), "relu#1": (5,)}


def test_censuses_that_do_not_say_what_fed_their_layers_are_merged_by_name_with_a_warning() -> None:
    one, old = census(relu_0=(1, "a"), relu_1=(2, "b")), census(relu_0=(3, ""), relu_1=(4, ""))
    with pytest.warns(UserWarning, match="the layers of relu are merged by their numbers"):
        merged = one.merge(old)
    assert counted(merged) == {"relu#0": (4,), "relu#1": (6,)}
    assert merged.feeders == one.feeders


NOT_FEEDERS = [{"gelu": ((),)}, {"relu": "a"}, {"relu": ("a",)}, {"relu": ((1,),)}, 3]


@pytest.mark.parametrize("feeders", NOT_FEEDERS)
def test_feeders_that_are_none_are_refused(feeders: object) -> None:
    layers = {"relu": ActivationCounts(np.array([1]), 10)}
    with pytest.raises(InputError, match=r"fed|feeders"):
        Census(layers, feeders=feeders)  # type: ignore[arg-type]
