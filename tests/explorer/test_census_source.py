"""A census whose file grows, breaks, and disappears."""

from __future__ import annotations

from pathlib import Path

import pytest

from actilaw import ActivationCounts, Census, FileError, InputError
from actilaw.explorer.census_source import CensusSource, written_ago


def census(working: int, samples: int) -> Census:
    return Census({"relu": ActivationCounts([1] * working + [0] * (50 - working), samples)})


def test_a_file_that_grows_is_read_again_and_remembered(tmp_path: Path) -> None:
    file = census(10, 100).save(tmp_path / "a.census")
    source = CensusSource(file)
    first = source.look()
    assert (first.version, first.problem, first.census["relu"].working) == (1, "", 10)
    assert first.written == pytest.approx(file.stat().st_mtime)
    assert source.look() is first
    census(20, 200).save(file)
    second = source.look()
    assert (second.version, second.problem, second.census["relu"].working) == (2, "", 20)
    samples, working = source.growth("relu")
    assert (samples.tolist(), working.tolist()) == ([100, 200], [10, 20])
    assert source.growth("no such layer")[0].size == 0


def test_a_new_recording_in_its_place_begins_a_new_curve(tmp_path: Path) -> None:
    file = census(20, 200).save(tmp_path / "a.census")
    source = CensusSource(file)
    census(5, 50).save(file)
    source.look()
    assert [part.tolist() for part in source.growth("relu")] == [[50], [5]]


def test_a_file_cut_short_or_gone_leaves_the_last_census_and_a_sentence(tmp_path: Path) -> None:
    file = census(10, 100).save(tmp_path / "a.census")
    whole = file.read_bytes()
    source = CensusSource(file)
    source.look()
    file.write_bytes(whole[:500])
    broken = source.look()
    assert (broken.version, broken.census["relu"].working) == (1, 10)
    assert "is not one or is damaged" in broken.problem
    file.unlink()
    gone = source.look()
    assert (gone.version, gone.census["relu"].working) == (1, 10)
    assert "there is no file" in gone.problem
    assert gone.written is not None
    file.mkdir()
    assert "is a folder" in source.look().problem
    file.rmdir()
    census(30, 300).save(file)
    back = source.look()
    assert (back.version, back.problem, back.census["relu"].working) == (2, "", 30)


def test_what_is_no_census_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="there is no file"):
        CensusSource(tmp_path / "nowhere")
    with pytest.raises(InputError, match="expected a Census"):
        CensusSource(3)  # pyright: ignore[reportArgumentType]


def test_a_census_in_memory_never_changes() -> None:
    source = CensusSource(census(10, 100))
    assert source.look() is source.look()
    assert source.look().written is None


@pytest.mark.parametrize(
    ("age", "said"), [(0, "0 seconds"), (119, "119 seconds"), (120, "2 minutes"), (7200, "2 hours")]
)
def test_when_a_file_was_written_in_words(age: float, said: str) -> None:
    assert written_ago(1e9, 1e9 + age).endswith(f", {said} ago")
