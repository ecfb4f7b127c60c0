from __future__ import annotations

import dataclasses
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actilaw import ActivationCounts, Census, fit, load
from actilaw.counts.census import one_layer
from actilaw.errors import CountsError, FileError, InputError
from builders.strategies import small_layers


@pytest.mark.slow
@given(small_layers, small_layers)
def test_a_saved_census_loads_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, a: ActivationCounts, b
) -> None:
    path = tmp_path_factory.mktemp("census") / "layers.census"
    census = Census({"first.relu": a, "second relu": b})
    census.save(path)
    loaded = load(path)
    assert list(loaded) == list(census)
    for name, counts in census.items():
        np.testing.assert_array_equal(loaded[name].counts, counts.counts)
        assert (loaded[name].samples, loaded[name].per) == (counts.samples, counts.per)


def test_what_the_counts_mean_is_kept_in_the_file(tmp_path) -> None:
    layer = ActivationCounts(
        np.array([1]), 7, per="position", criterion="threshold(0.5)", nonfinite=2
    )
    loaded = load(Census({"a": layer}).save(tmp_path / "a"))["a"]
    assert (loaded.per, loaded.criterion, loaded.nonfinite) == ("position", "threshold(0.5)", 2)


def test_an_unknown_layer_is_refused_with_those_there_are(counts: ActivationCounts) -> None:
    with pytest.raises(KeyError, match="no layer 'b' in this census; it has a"):
        Census({"a": counts})["b"]


def test_censuses_of_different_layers_do_not_merge(counts: ActivationCounts) -> None:
    with pytest.raises(InputError, match="both hold the same layers, but only one has a, b"):
        Census({"a": counts}).merge(Census({"b": counts}))


def test_a_link_is_followed_and_a_pipe_is_left_alone(tmp_path, counts: ActivationCounts) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    Census({"a": counts}).save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert load(tmp_path / "real")["a"].samples == 500
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="is a device or a pipe"):
        Census({"a": counts}).save(tmp_path / "pipe")


def test_saving_where_nothing_can_be_written_leaves_nothing_behind(
    tmp_path, counts: ActivationCounts
) -> None:
    census = Census({"a": counts})
    with pytest.raises(FileError, match=r"the folder .* does not exist"):
        census.save(tmp_path / "missing" / "file")
    with pytest.raises(FileError, match="is a folder: name a file inside it"):
        census.save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_save_that_fails_midway_keeps_the_last_whole_file(tmp_path, counts, monkeypatch) -> None:
    path = Census({"a": counts}).save(tmp_path / "census")
    before = path.read_bytes()

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(FileError, match="No space left on device"):
        Census({"b": counts}).save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["census"]


def test_map_leaves_a_refused_layer_out_and_says_so(counts: ActivationCounts) -> None:
    idle = ActivationCounts(np.zeros(5, int), 10)
    census = Census({"good": counts, "idle": idle})
    with pytest.warns(UserWarning, match="left out layer idle: no unit was ever activated"):
        fits = census.map(fit)
    assert list(fits) == ["good"]
    refused = {}
    assert list(census.map(fit, refused=refused.setdefault)) == ["good"]
    assert list(refused) == ["idle"]
    with pytest.raises(CountsError, match="layer idle: no unit was ever activated"):
        Census({"idle": idle}).map(fit)


def test_the_summary_has_a_row_per_layer(counts: ActivationCounts) -> None:
    census = Census({"a": counts, "b": ActivationCounts(np.array([0, 2, 3]), 4, per="token")})
    table = census.summary()
    assert table.index.tolist() == ["a", "b"]
    assert table.loc["b", ["units", "samples", "working", "idle"]].tolist() == [3, 4, 2, 1]
    assert table.loc["b", "active"] == 5 / 4
    assert table.loc["b", "per"] == "position"
    assert repr(census) == (
        f"<Census of 2 layers, {counts.working + 2:,} of {counts.units + 3:,} units working>"
    )


def test_the_frame_has_a_row_per_unit(tmp_path) -> None:
    known = ActivationCounts(np.array([0, 2, 1]), 4, first=np.array([-1, 0, 3]))
    census = Census({"a": known, "b": ActivationCounts(np.array([4]), 4)})
    frame = census.to_frame()
    assert frame["layer"].tolist() == ["a", "a", "a", "b"]
    assert frame["unit"].tolist() == [0, 1, 2, 0]
    assert frame["count"].tolist() == [0, 2, 1, 4]
    assert frame["rate"].tolist() == [0, 0.5, 0.25, 1]
    assert frame["first"].isna().tolist() == [True, False, False, True]
    assert frame["first"].dropna().tolist() == [0, 3]
    frame.to_parquet(tmp_path / "units.parquet")
    again = pd.read_parquet(tmp_path / "units.parquet")
    pd.testing.assert_frame_equal(again, frame, check_dtype=False)


def test_a_census_of_one_layer_stands_for_its_layer(counts: ActivationCounts) -> None:
    assert one_layer(counts) is counts
    assert one_layer(Census({"relu": counts})) is counts


def test_several_layers_where_one_is_taken_are_refused_by_name(counts: ActivationCounts) -> None:
    with pytest.raises(InputError, match=r"has 2 layers, 'a', 'b': choose one, census\['a'\]"):
        one_layer(Census({"a": counts, "b": counts}))
    with pytest.raises(InputError, match=r"has 9 layers, '0', .* '5' and 3 more: choose one"):
        one_layer(Census({str(i): counts for i in range(9)}))
    with pytest.raises(InputError, match=r"expected ActivationCounts of one layer, .* got dict"):
        one_layer({"a": counts})


def frozen(regime: str = "frozen") -> dict[str, ActivationCounts]:
    return {"a": ActivationCounts(np.array([1, 0, 3]), 4, regime=regime)}


def test_no_recording_is_counted_twice(tmp_path) -> None:
    """The file, a copy of it, an earlier look at it, and sums that hold it."""
    earlier = Census({"a": ActivationCounts(np.array([1, 0, 2]), 3)}, recordings=("x",))
    census, other = Census(frozen(), recordings=("x",)), Census(frozen(), recordings=("y",))
    copied = load(census.save(tmp_path / "census"))
    summed = census.merge(other)
    assert summed.recordings == ("x", "y")
    for again in (census, copied, earlier, summed):
        with pytest.raises(InputError, match="counts of one and the same recording, whose samples"):
            census.merge(again)
        with pytest.raises(InputError, match="of one recording keep the later census alone"):
            again.merge(census)
    by_hand = Census(frozen())
    with pytest.raises(InputError, match="one and the same recording"):
        by_hand.merge(by_hand)
    assert by_hand.merge(Census(frozen()))["a"].samples == 8


@given(st.permutations(["x", "y", "z"]))
def test_the_order_of_merging_does_not_matter(order: list[str]) -> None:
    censuses = [Census(frozen(), recordings=(name,), weights="w") for name in order]
    left = censuses[0].merge(censuses[1]).merge(censuses[2])
    right = censuses[0].merge(censuses[1].merge(censuses[2]))
    assert left.recordings == right.recordings == ("x", "y", "z")
    assert left.weights == right.weights == "w"
    assert left["a"].counts.tolist() == right["a"].counts.tolist() == [3, 0, 9]


def test_counts_of_two_frozen_networks_do_not_add_up() -> None:
    one, other = Census(frozen(), weights="1f"), Census(frozen(), weights="2e")
    with pytest.raises(InputError, match=r"weights differ \(fingerprints 1f and 2e\)"):
        one.merge(other)
    as_the_message_says = dataclasses.replace(other, weights=None)
    assert one.merge(as_the_message_says).weights is None
    in_training = Census(frozen("training"), weights="2e")
    assert one.merge(in_training).weights is None
    assert one.merge(Census(frozen(), weights="1f")).weights == "1f"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([1],), "expected a mapping from names of layers to their counts"),
        (({"a": [1, 2]},), "expected ActivationCounts of layer 'a', but got list"),
        (({3: frozen()["a"]},), "expected the name of a layer as a string, but got 3"),
        (({"\ud800": frozen()["a"]},), "has half of a surrogate pair"),
        (({},), "expected counts of at least one layer"),
        ((frozen(), {}, "abc"), "expected a tuple of identifiers as recordings, but got 'abc'"),
        ((frozen(), {}, None), "expected a tuple of identifiers as recordings, but got None"),
        ((frozen(), None), "expected `about` as a mapping"),
        ((frozen(), {}, (3,)), "expected identifiers of recordings as a string, but got 3"),
        ((frozen(), {}, (), 3), "expected the fingerprint of weights as a string, but got 3"),
    ],
)
def test_a_census_of_something_else_is_refused(arguments: tuple, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Census(*arguments)


def test_a_census_merges_with_a_census_alone() -> None:
    with pytest.raises(InputError, match=r"expected a Census, .* but got int"):
        Census(frozen()).merge(3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"expected ActivationCounts of one layer, .* got str"):
        frozen()["a"].merge("b")  # type: ignore[arg-type]


def test_wrong_calls_are_refused_in_a_sentence() -> None:
    census = Census(frozen())
    for function in (None, "fit"):
        with pytest.raises(InputError, match="expected a function of a layer's counts, but got"):
            census.map(function)  # type: ignore[arg-type]
    for layer in (0, ["a"], None):
        with pytest.raises(KeyError, match=r"no layer .* in this census; it has a"):
            census[layer]  # type: ignore[index]
    for path in (None, 3, ""):
        with pytest.raises(FileError, match="expected a census"):
            load(path)  # type: ignore[arg-type]
        with pytest.raises(FileError, match="name"):
            census.save(path)  # type: ignore[arg-type]


def test_layers_counted_by_other_rules_are_refused_whatever_their_order() -> None:
    def census(*rules: str) -> Census:
        layers = {
            f"layer {number}": ActivationCounts(np.array([1, 2]), 3, criterion=rule)
            for number, rule in enumerate(rules)
        }
        return Census(layers)

    for rules in (("positive", "top-2"), ("top-2", "positive"), ("top-2", "top-2")):
        with pytest.raises(InputError, match="can be merged only if criterion agree"):
            census("positive", "positive").merge(census(*rules))
    with pytest.raises(InputError, match="can be merged only if criterion agree"):
        census("positive", "top-2").merge(census("top-2", "positive"))
