from __future__ import annotations

import json
import os
from itertools import combinations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from actilaw import ActivationCounts, Census, load
from actilaw.errors import CountsError, FileError, InputError

SAMPLES = 12
layers = st.lists(st.integers(0, SAMPLES), min_size=3, max_size=3).map(
    lambda c: ActivationCounts(np.array(c), SAMPLES)
)


def test_summary_quantities_by_hand() -> None:
    layer = ActivationCounts(np.array([0, 3, 1, 0]), 4)
    assert (layer.units, layer.samples, layer.working, layer.idle, layer.active) == (
        4,
        4,
        2,
        2,
        1.0,
    )


def test_counts_cannot_be_changed_afterwards() -> None:
    given_array = np.array([1, 2])
    layer = ActivationCounts(given_array, 4)
    given_array[0] = 3
    assert layer.counts[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        layer.counts[0] = 2


@pytest.mark.parametrize(
    ("counts", "samples", "message"),
    [
        ([0, 5, -1], 4, r"counts in 0\.\.4, but 2 of 3 lie outside \(-1\.\.5\)"),
        ([0.5, 1], 4, "whole numbers as counts, but got float64"),
        ([np.nan, 1], 4, "whole numbers as counts, but got float64"),
        (["a"], 4, "whole numbers as counts"),
        ([], 4, r"shape \(n_units,\), one per unit, but got shape \(0,\)"),
        ([[1, 2]], 4, r"but got shape \(1, 2\)"),
        ([0], 0, r"whole number of samples in 1\.\.2\^62, but got 0"),
        ([0], 1.5, r"whole number of samples in 1\.\.2\^62, but got 1\.5"),
    ],
)
def test_impossible_counts_are_refused(counts: list, samples: float, message: str) -> None:
    with pytest.raises(CountsError, match=message):
        ActivationCounts(np.array(counts), samples)


@given(layers, layers, layers)
def test_merge_is_commutative_and_associative(
    a: ActivationCounts, b: ActivationCounts, c: ActivationCounts
) -> None:
    for left, right in ((a.merge(b), b.merge(a)), (a.merge(b).merge(c), a.merge(b.merge(c)))):
        np.testing.assert_array_equal(left.counts, right.counts)
        assert left.samples == right.samples


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (ActivationCounts(np.array([1]), 4), "units agree, but one has 2, one 1"),
        (ActivationCounts(np.array([1, 2]), 4, criterion="threshold(1)"), "criterion agree"),
        (ActivationCounts(np.array([1, 2]), 4, per="position"), "unit agree"),
    ],
)
def test_only_like_counts_merge(other: ActivationCounts, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ActivationCounts(np.array([1, 2]), 4).merge(other)


def test_rarefied_is_the_mean_over_every_subset_of_samples() -> None:
    fired = np.random.default_rng(3).random((7, 5)) < 0.25  # (samples, units)
    layer = ActivationCounts(fired.sum(0), 7)
    for d in range(8):
        by_enumeration = np.mean(
            [fired[list(part)].any(0).sum() for part in combinations(range(7), d)]
        )
        assert layer.rarefied(d) == pytest.approx(by_enumeration, rel=1e-12)


@given(layers)
def test_rarefied_rises_from_nothing_through_active_to_working(layer: ActivationCounts) -> None:
    curve = layer.rarefied(np.arange(SAMPLES + 1))
    assert curve[0] == pytest.approx(0, abs=1e-12)
    assert curve[1] == pytest.approx(layer.active)
    assert curve[-1] == pytest.approx(layer.working)
    assert np.all(np.diff(curve) >= -1e-9)


@pytest.mark.parametrize("samples", [-1, 8, 2.5])
def test_rarefied_looks_only_inside_the_samples(samples: float) -> None:
    with pytest.raises(InputError, match=r"whole numbers in 0\.\.7"):
        ActivationCounts(np.array([1]), 7).rarefied(samples)


@given(layers, layers)
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
        (b'"format\\": 1', b'"format\\": 9'),
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


@pytest.mark.parametrize(
    ("total", "count", "d"), [(10**9, 5, 10**8), (10**12, 1000, 10**9), (10**15, 2, 10**14)]
)
def test_rarefied_keeps_its_digits_at_any_number_of_samples(total: int, count: int, d: int) -> None:
    with mpmath.workdps(60):
        gone = mpmath.loggamma(total - count + 1) - mpmath.loggamma(total - count - d + 1)
        exact = 1 - mpmath.exp(gone - mpmath.loggamma(total + 1) + mpmath.loggamma(total - d + 1))
    assert ActivationCounts(np.array([count]), total).rarefied(d) == pytest.approx(
        float(exact), rel=1e-12
    )


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
