from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from safetensors.numpy import save_file

from actilaw import ActivationCounts, Census, fit, load
from actilaw.counts.census import one_layer
from actilaw.errors import CountsError, FileError, InputError
from builders.strategies import small_layers


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


@pytest.mark.parametrize("content", [b"", b"not a census", b"\x00" * 64, b"\xff" * 8 + b"{}"])
def test_a_file_that_is_no_census_is_refused(tmp_path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"expected a census, but .* is not one or is damaged"):
        load(path)


def test_a_missing_file_is_refused(tmp_path) -> None:
    with pytest.raises(FileError, match="there is no file"):
        load(tmp_path / "nowhere")


def test_a_census_cut_short_anywhere_is_refused(tmp_path, counts: ActivationCounts) -> None:
    path = Census({"a": counts}).save(tmp_path / "whole")
    whole = path.read_bytes()
    for length in np.linspace(0, len(whole) - 1, 25).astype(int):
        path.write_bytes(whole[:length])
        with pytest.raises(FileError, match="expected a census"):
            load(path)


@pytest.mark.parametrize(
    ("true", "forged"),
    [
        (b'samples\\": 500', b'samples\\":   7'),
        (b'samples\\": 500', b'samples\\": "x"'[:14] + b" "),
        (b'"format\\": 2', b'"format\\": 9'),
        (b"layers", b"lawyer"),
    ],
)
def test_a_forged_header_is_refused(
    tmp_path, counts: ActivationCounts, true: bytes, forged: bytes
) -> None:
    path = Census({"a": counts}).save(tmp_path / "census")
    content = path.read_bytes()
    true, forged = true.replace(b'"format', b"format"), forged.replace(b'"format', b"format")
    assert content.count(true) == 1
    path.write_bytes(content.replace(true, forged.ljust(len(true))))
    with pytest.raises(FileError):
        load(path)


@pytest.mark.parametrize(
    "forged",
    [
        {"samples": "x"},
        {"samples": float("nan")},
        {"samples": 7},
        {"unit": "banana"},
        {"criterion": 3},
        {"nonfinite": -1},
    ],
)
def test_a_header_with_impossible_values_is_refused(
    tmp_path, counts: ActivationCounts, forged: dict
) -> None:
    about = {
        "samples": 500,
        "unit": "sample",
        "criterion": "positive",
        "nonfinite": 0,
        "regime": "frozen",
    }
    about |= {"entries": 500, "active_squares": None, "block_size": None} | forged
    header = {"format": 1, "about": {}, "layers": {"a": about}}
    save_file(
        {"a/counts": counts.counts}, tmp_path / "forged", metadata={"actilaw": json.dumps(header)}
    )
    with pytest.raises(FileError, match=r"is not one or is damaged"):
        load(tmp_path / "forged")


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


def test_a_file_of_format_1_still_loads_under_the_names_of_today() -> None:
    census = Census.load(Path(__file__).parents[1] / "data" / "format_1.census")
    counts = census["1"]
    assert (counts.units, counts.samples, counts.per, counts.regime) == (12, 40, "sample", "frozen")
    assert counts.blocks is not None
    assert counts.blocks.counts.sum() == counts.counts.sum()
    assert (census.about["criterion"], census.about["per"]) == ("auto", "sample")
    assert "unit" not in census.about


def test_a_census_of_format_1_is_written_again_in_format_2(tmp_path) -> None:
    old = load(Path(__file__).parents[1] / "data" / "format_1.census")
    new = load(old.save(tmp_path / "new"))
    np.testing.assert_array_equal(new["1"].counts, old["1"].counts)
    assert new.about == old.about


def test_a_file_of_a_later_format_asks_for_an_update(tmp_path, counts: ActivationCounts) -> None:
    path = Census({"a": counts}).save(tmp_path / "a")
    path.write_bytes(path.read_bytes().replace(b'\\"format\\": 2', b'\\"format\\": 9'))
    with pytest.raises(FileError, match="has format 9, this version reads 1 to 2: update actilaw"):
        load(path)


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


def test_about_holds_what_json_holds(tmp_path, counts: ActivationCounts) -> None:
    with pytest.raises(InputError, match="words and numbers of Python in `about`"):
        Census({"relu": counts}, {"n": np.int64(1)}).save(tmp_path / "a.census")
    assert not list(tmp_path.iterdir())


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
