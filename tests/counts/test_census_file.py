"""The file of a census: any damage is noticed, earlier formats load, and no file does harm."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save, save_file

from actilaw import ActivationCounts, Blocks, Census, load
from actilaw.counts.census import census_from
from actilaw.errors import FileError

FED = {"relu/1": (("größe", "up"), ("up",))}
DATA = Path(__file__).parents[1] / "data"


def small_census() -> Census:
    blocks = Blocks(np.array([[1, 0], [0, 1]]), np.array([2, 1]), 2)
    counts = ActivationCounts(
        np.array([1, 1]), 3, entries=3, active_squares=2, first=np.array([0, 2]), blocks=blocks
    )
    about = {"model": "größe", "rates": [0.1, 1e-300, None, True], "deep": {"a": {"b": -1}}}
    return Census({"relu/1": counts}, about, recordings=("x", "y"), weights="3f", feeders=FED)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return small_census().save(tmp_path_factory.mktemp("census") / "whole").read_bytes()


def refused(content: bytes) -> str:
    """What reading bytes says; fails if they load, or raise anything but a FileError."""
    with pytest.raises(FileError) as refusal:
        census_from(content, "file")
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_everything_comes_back(tmp_path) -> None:
    census = small_census()
    loaded = load(census.save(tmp_path / "census"))
    assert loaded.about == census.about
    assert (loaded.recordings, loaded.weights, loaded.feeders) == (("x", "y"), "3f", FED)
    one, other = loaded["relu/1"], census["relu/1"]
    assert one.blocks is not None
    assert other.blocks is not None
    for a, b in ((one.first, other.first), (one.blocks.counts, other.blocks.counts)):
        np.testing.assert_array_equal(a, b)
    assert one.active_squares == 2


def test_a_file_of_before_feeders_were_kept_still_loads() -> None:
    assert census_from(forge(HEADER), "file").feeders == {}


def test_the_same_census_gives_the_same_bytes(tmp_path, whole: bytes) -> None:
    assert load(small_census().save(tmp_path / "a")).save(tmp_path / "b").read_bytes() == whole


def test_the_checksum_is_sha256_of_the_file_with_zeros_in_its_place(whole: bytes) -> None:
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(json.loads(whole[8 : 8 + length])["__metadata__"]["actilaw"])
    digits = header["checksum"].encode()
    assert whole.count(digits) == 1
    assert hashlib.sha256(whole.replace(digits, b"0" * 64)).hexdigest().encode() == digits


def test_it_is_a_safetensors_file(tmp_path, whole: bytes) -> None:
    (tmp_path / "file").write_bytes(whole)
    arrays = load_file(tmp_path / "file")
    assert arrays["relu/1/counts"].tolist() == [1, 1]


@pytest.mark.slow
def test_every_byte_counts(whole: bytes) -> None:
    for place, byte in enumerate(whole):
        for other in {byte ^ 1, byte ^ 32, byte ^ 128, 0, ord(" "), ord("1"), 255} - {byte}:
            refused(whole[:place] + bytes([other]) + whole[place + 1 :])


@given(data=st.data())
def test_no_changed_bytes_load(data: st.DataObject, whole: bytes) -> None:
    places = st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=3, unique=True)
    content = bytearray(whole)
    for place in data.draw(places):
        content[place] ^= data.draw(st.integers(1, 255))
    refused(bytes(content))


@given(data=st.data())
def test_bytes_left_out_put_in_or_behind_are_noticed(data: st.DataObject, whole: bytes) -> None:
    place = data.draw(st.integers(0, len(whole)))
    gone = data.draw(st.integers(0, 20))
    new = data.draw(st.binary(max_size=20))
    content = whole[:place] + new + whole[place + gone :]
    if content != whole:
        refused(content)
    refused(whole + (new or b"\0"))


def test_the_checksum_cannot_be_left_out(whole: bytes) -> None:
    """A file of today in which a second byte makes it one of format 2, which had no checksum."""
    as_old = whole.replace(rb"\"format\": 3", rb"\"format\": 2")
    assert "checksum does not fit" in refused(as_old)
    assert "is not one or is damaged" in refused(as_old.replace(b"checksum", b"checkum\\u0073"))
    moved = as_old.replace(rb"\"checksum\": ", rb"\"checksum\" :")
    assert "checksum does not fit" in refused(moved)


@pytest.mark.parametrize("content", [b"", b"not a census", b"\x00" * 64, b"\xff" * 8 + b"{}"])
def test_a_file_that_is_no_census_is_refused(tmp_path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"expected a census, but .* is not one or is damaged"):
        load(path)


def test_a_missing_file_is_refused(tmp_path) -> None:
    with pytest.raises(FileError, match="there is no file"):
        load(tmp_path / "nowhere")


def test_a_folder_and_a_table_are_told_from_a_census_cut_short(tmp_path) -> None:
    with pytest.raises(FileError, match="is a folder: name a file in it"):
        load(tmp_path)
    table = tmp_path / "losses.csv"
    table.write_text("samples,loss\n100,2.5\n")
    with pytest.raises(FileError, match="does not begin as one"):
        load(table)


def test_a_census_cut_short_anywhere_is_refused(tmp_path, counts: ActivationCounts) -> None:
    path = Census({"a": counts}).save(tmp_path / "whole")
    whole = path.read_bytes()
    for length in np.linspace(0, len(whole) - 1, 25).astype(int):
        path.write_bytes(whole[:length])
        with pytest.raises(FileError, match="expected a census"):
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


def forge(header: object, **arrays: np.ndarray) -> bytes:
    """A file of format 1 or 2, which anybody could write."""
    text = header if isinstance(header, str) else json.dumps(header)
    return save(arrays or {"a/counts": np.array([1, 0])}, metadata={"actilaw": text})


LAYER = {"samples": 2, "per": "sample", "criterion": "positive", "nonfinite": 0}
LAYER |= {"regime": "frozen", "entries": 2, "active_squares": None, "block_size": None}
HEADER = {"format": 2, "version": "0", "about": {}, "layers": {"a": LAYER}}
ONE = np.ones(1, int)
NESTED = "[" * 100_000 + "]" * 100_000


def raw(header: str, data: bytes = b"") -> bytes:
    return len(header.encode()).to_bytes(8, "little") + header.encode() + data


HOSTILE = {
    "no mapping": forge([1, 2]),
    "a number": forge("3"),
    "not a number": forge("NaN"),
    "deep": forge(NESTED),
    "deep about": forge(json.dumps(HEADER).replace('"about": {}', f'"about": {{"a": {NESTED}}}')),
    "a name twice": forge(json.dumps(HEADER).replace('"format"', '"format": 1, "format"')),
    "surrogate in a layer": forge(HEADER | {"layers": {"\ud800": LAYER}}, **{"?": ONE}),
    "surrogate in about": forge(HEADER | {"about": {"a": "\udfff"}}),
    "digits": forge(json.dumps(HEADER).replace('"samples": 2', f'"samples": {"9" * 5000}')),
    "infinite": forge(json.dumps(HEADER).replace('"samples": 2', '"samples": 1e999')),
    "format as text": forge(HEADER | {"format": "2"}),
    "format true": forge(HEADER | {"format": True}),
    "format zero": forge(HEADER | {"format": 0}),
    "format 3": forge(HEADER | {"format": 3}),
    "no layers": forge(HEADER | {"layers": {}}),
    "layers a list": forge(HEADER | {"layers": [LAYER]}),
    "layer a number": forge(HEADER | {"layers": {"a": 1}}),
    "about a list": forge(HEADER | {"about": [1]}),
    "no array": forge(HEADER, b=np.array([1])),
    "fractions": forge(HEADER, **{"a/counts": np.array([0.5])}),
    "two axes": forge(HEADER, **{"a/counts": np.ones((2, 2), int)}),
    "no units": forge(HEADER, **{"a/counts": np.ones(0, int)}),
    "half floats": forge(HEADER, **{"a/counts": np.ones(2, np.float16)}),
    "block size": forge(HEADER | {"layers": {"a": LAYER | {"block_size": "x"}}}),
    "block size 2": forge(
        HEADER | {"layers": {"a": LAYER | {"block_size": 2.5}}},
        **{"a/counts": np.ones(1, int), "a/block_counts": np.ones((1, 1), int)},
        **{"a/block_samples": np.full(1, 2)},
    ),
    "no metadata": save({"a": np.ones(1)}),
    "other metadata": save({"a": np.ones(1)}, metadata={"format": "pt"}),
    "more metadata": save({"a/counts": np.ones(1, int)}, metadata={"actilaw": "{}", "b": ""}),
    "huge shape": raw(
        '{"__metadata__":{"actilaw":'
        + json.dumps(json.dumps(HEADER))
        + '},"a/counts":{"dtype":"I64","shape":[4611686018427387904,4],"data_offsets":[0,8]}}',
        bytes(8),
    ),
    "huge header": (2**63).to_bytes(8, "little") + b"{}",
    "largest header": b"\xff" * 8 + b"{}",
    "metadata a number": raw('{"__metadata__":3}'),
    "outer a list": raw("[1]"),
    "outer deep": raw('{"a":' + NESTED + "}"),
    "outer twice": raw('{"__metadata__":{"actilaw":"{}"},"__metadata__":{"actilaw":"{}"}}'),
    "not utf-8": (2).to_bytes(8, "little") + b"\xff\xfe",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_are_refused_in_a_sentence(content: bytes) -> None:
    assert refused(content).startswith("expected a census")


def test_what_hostile_files_are_made_of_loads_where_it_is_right(tmp_path) -> None:
    (tmp_path / "right").write_bytes(forge(HEADER))
    assert load(tmp_path / "right")["a"].counts.tolist() == [1, 0]


@pytest.mark.slow
def test_mutated_files_raise_nothing_but_file_errors(whole: bytes) -> None:
    """Files of format 2, whose damage no checksum stops, are read to the end."""
    rng = random.Random(0)
    seeds = [forge(HEADER), (DATA / "format_2.census").read_bytes(), whole]
    loaded = 0
    for _ in range(6000):
        content = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        try:
            census_from(bytes(content), "file")
            loaded += 1
        except FileError:
            pass
    assert 0 < loaded < 6000


def test_a_file_of_format_1_still_loads_under_the_names_of_today() -> None:
    census = Census.load(DATA / "format_1.census")
    counts = census["1"]
    assert (counts.units, counts.samples, counts.per, counts.regime) == (12, 40, "sample", "frozen")
    assert counts.blocks is not None
    assert counts.blocks.counts.sum() == counts.counts.sum()
    assert (census.about["criterion"], census.about["per"]) == ("auto", "sample")
    assert "unit" not in census.about


def test_a_census_of_format_1_is_written_again_in_format_3(tmp_path) -> None:
    old = load(DATA / "format_1.census")
    new = load(old.save(tmp_path / "new"))
    np.testing.assert_array_equal(new["1"].counts, old["1"].counts)
    assert new.about == old.about


def test_a_file_of_a_later_format_asks_for_an_update(tmp_path, counts: ActivationCounts) -> None:
    path = Census({"a": counts}).save(tmp_path / "a")
    path.write_bytes(path.read_bytes().replace(b'\\"format\\": 3', b'\\"format\\": 9'))
    with pytest.raises(FileError, match="has format 9, this version reads 1 to 3: update actilaw"):
        load(path)


def test_a_file_of_format_2_still_loads() -> None:
    census = load(DATA / "format_2.census")
    assert list(census) == ["block.0/relu", "größe"]
    one, other = census.values()
    assert (one.counts.tolist(), one.samples, one.criterion) == ([1, 0, 3], 4, "relative(0.1)")
    assert one.blocks is not None
    assert one.blocks.counts.tolist() == [[1, 0, 2], [0, 0, 1]]
    assert one.first is not None
    assert one.first.tolist() == [1, -1, 0]
    assert (other.counts.tolist(), other.per, other.nonfinite) == ([5, 0], "position", 1)
    assert census.about["lr"] is None  # NaN, which JSON does not have
    assert (census.recordings, census.weights) == ((), None)


def test_a_path_that_cannot_be_read_is_refused(tmp_path) -> None:
    for path in (tmp_path, "no\0path", tmp_path / ("x" * 300)):
        with pytest.raises(FileError, match="expected"):
            load(path)
