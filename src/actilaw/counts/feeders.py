"""What fed the layers of a recording, and which layer of one recording is which of another.

A module, or function, that several parts of a network call is a layer in each of them, `relu#0`,
`relu#1`, ..., numbered as they were first called. Where a branch depends on the data, two
recordings may call them in different orders, so numbers alone do not say which is which: the names
of the calls that fed them do.

Where one layer feeds another, its own number is part of a name (`relu#0` fed `gelu`). Layers are
therefore matched from those that weights feed onwards, each number being translated once its layer
is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from actilaw.counts.about import require_text
from actilaw.counts.activation_counts import ActivationCounts
from actilaw.errors import InputError

Group = tuple[str, int]  # a place, and the number of one of its layers, which rules may share
# The sets of names that fed the calls of each layer; none where that is not known. A set is empty
# where no name was known.
Fed = dict[Group, frozenset[frozenset[str]]]
Feeders = Mapping[str, tuple[tuple[str, ...], ...]]  # the same by name of layer, in order


def group_of(name: str, criterion: str) -> Group:
    """The place of a layer, and its number there, from its name in a census and its rule, which
    ends the name where there are several.
    """
    base = name.removesuffix(f" {criterion}")
    place, mark, number = base.rpartition("#")
    return (place, int(number)) if mark and number.isdecimal() else (base, 0)


def fed_groups(layers: Mapping[str, ActivationCounts], feeders: Feeders) -> Fed:
    """What fed each of the layers of a census."""
    fed: Fed = {}
    for name, counts in layers.items():
        group = group_of(name, counts.criterion)
        known = frozenset(frozenset(names) for names in feeders.get(name, ()))
        fed[group] = fed.get(group, frozenset()) | known
    return fed


def in_order(fed: Iterable[frozenset[str]]) -> tuple[tuple[str, ...], ...]:
    """Sets of names, as a census keeps them."""
    return tuple(sorted(tuple(sorted(names)) for names in fed))


def checked_feeders(feeders: object, layers: Mapping[str, ActivationCounts]) -> Feeders:
    """Feeders as a census keeps them.

    Raises:
        InputError: if they are not of these layers, or no names.
    """
    if not isinstance(feeders, Mapping):
        raise InputError(f"expected feeders by name of layer, but got {type(feeders).__name__}")
    checked = {}
    for layer, fed in feeders.items():
        if layer not in layers:
            raise InputError(f"expected feeders of the layers counted, but got those of {layer!r}")
        if not _is_list(fed) or not all(_is_list(names) for names in fed):
            raise InputError(f"expected tuples of names that fed layer {layer!r}, but got {fed!r}")
        for names in fed:
            for name in names:
                require_text(f"names of what fed layer {layer!r}", name)
        checked[layer] = in_order(frozenset(names) for names in fed)
    return checked


def _is_list(value: object) -> bool:
    return isinstance(value, tuple | list)


def orders_unknown(*recordings: Fed) -> list[str]:
    """Places with several layers of which one recording does not say what fed them, so that only
    the order of their calls tells which is which.
    """
    several = {place for fed in recordings for place, number in fed if number > 0}
    unknown = {place for fed in recordings for (place, _), names in fed.items() if not names}
    return sorted(several & unknown)


def require_told_apart(fed: Fed) -> None:
    """Raise InputError if two layers of one place were fed alike, so that a call could belong to
    either.
    """
    for (place, number), sets in fed.items():
        for other, others in fed.items():
            if other[0] == place and other[1] < number and not sets.isdisjoint(others):
                raise InputError(
                    f"expected layers that are fed by different calls, but both {_name(other)} and "
                    f"{place}#{number} were fed by {words_of(sets & others)}: record again"
                )


def counterparts(own: Fed, other: Fed) -> dict[Group, Group]:
    """Which layer of one's own recording each layer of another one is; both have the same numbers
    of layers.

    Where a recording does not say what fed a layer, it keeps its number.

    Raises:
        InputError: if that cannot be told, or a layer was fed by something else altogether.
    """
    found: dict[Group, Group] = {}
    while new := _next_counterparts(own, other, found):
        found |= new
    for group in other:
        found.setdefault(group, group)
    for group, mine in found.items():
        known = _translated(other[group], found, other)
        told = known and own[mine] and not any(frozenset() in sets for sets in (known, own[mine]))
        if (told and known.isdisjoint(own[mine])) or list(found.values()).count(mine) > 1:
            raise _untold(group, own, other)
    return found


def _next_counterparts(own: Fed, other: Fed, found: Mapping[Group, Group]) -> dict[Group, Group]:
    """The layers that are known once those found are."""
    new = {}
    for group in other:
        if group in found:
            continue
        known = _translated(other[group], found, other)
        mine = [each for each in own if each[0] == group[0] and not known.isdisjoint(own[each])]
        if len(mine) > 1:
            raise _untold(group, own, other)
        if mine:
            new[group] = mine[0]
    return new


def translated(
    fed: frozenset[frozenset[str]], found: Mapping[Group, Group]
) -> frozenset[frozenset[str]]:
    """Sets of names in which layers of another recording have one's own numbers."""
    return _translated(fed, found, found)


def _translated(
    fed: frozenset[frozenset[str]], found: Mapping[Group, Group], layers: Iterable[Group]
) -> frozenset[frozenset[str]]:
    """As `translated`; sets with a layer that has not been found yet are left out."""
    numbered = {_name(group): _name(mine) for group, mine in found.items()}
    open_names = {_name(group) for group in layers if group not in found}
    return frozenset(
        frozenset(numbered.get(name, name) for name in names)
        for names in fed
        if names.isdisjoint(open_names)
    )


def _name(group: Group) -> str:
    """The name by which a layer feeds others."""
    return f"{group[0]}#{group[1]}"


def _untold(group: Group, own: Fed, other: Fed) -> InputError:
    """The error of a layer that cannot be matched."""
    place = group[0]
    words = [
        "; ".join(f"{_name(each)} fed by {words_of(fed[each])}" for each in fed if each[0] == place)
        for fed in (own, other)
    ]
    return InputError(
        f"expected layers of {place!r} that were fed by the same calls in both recordings, but in "
        f"one there are {words[0]}, and in the other {words[1]}: it cannot be told which is which, "
        "so count both in one recording, by resume=, or leave these layers out"
    )


def words_of(fed: frozenset[frozenset[str]]) -> str:
    """What fed a layer, for a message."""
    return " or ".join(" and ".join(names) or "nothing known" for names in in_order(fed)) or "?"
