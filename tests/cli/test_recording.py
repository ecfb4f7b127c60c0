"""`actilaw record` and `actilaw merge`: what they print, write and refuse."""

from __future__ import annotations

import json
import signal
import sys
import unicodedata
import uuid
from pathlib import Path

import numpy as np
import pytest

from actilaw import ActivationCounts, Census, load
from builders.command import actilaw, assert_one_sentence

MAKERS = """
import os
import torch
from torch import nn

SIZE = 3

def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 3))

def data():
    return torch.randn(5, 20, 6, generator=torch.Generator().manual_seed(1))

def unseeded():
    return nn.Sequential(nn.Linear(6, 40), nn.ReLU())

def raising():
    return 1 / 0

def taking(a):
    return a

def wide():
    return nn.Sequential(nn.Linear(7, 40), nn.ReLU())

def meta():
    return nn.Sequential(nn.Linear(6, 40, device="meta"), nn.ReLU())

def none():
    pass

def words():
    return ["one", "two"]

def empty_tuples():
    return [()]

def failing():
    yield from data()[:2]
    raise OSError("the disk is gone")

def stopping():
    for place, batch in enumerate(data()):
        if place == 2:
            pass  # stop here
        yield batch

def texts_model():
    return nn.Sequential(nn.Embedding(9, 6), nn.Linear(6, 6), nn.ReLU())

def texts():
    return torch.arange(8).view(1, 2, 4)
"""


def test_record_counts_what_the_makers_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cli_makers.py").write_text(MAKERS)
    monkeypatch.syspath_prepend(tmp_path)
    flags = ("--model", "cli_makers:model", "--data", "cli_makers:data", "-o", "census", "--json")
    done = actilaw("record", *flags, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    counts = load(tmp_path / "census")["1"]
    said = json.loads(done.stdout)
    assert said["census"] == str(tmp_path / "census")
    assert said["layers"]["1"]["samples"] == counts.samples == 100
    assert said["layers"]["1"]["working"] == counts.working
    again = actilaw("record", *flags, folder=tmp_path)
    assert json.loads(again.stdout) == said
    assert "was finished before, and not counted again" in again.stderr


@pytest.mark.parametrize("sources", [(), ("--data", "a:b", "--text", "c")])
def test_record_takes_either_data_or_text(sources: tuple[str, ...]) -> None:
    done = actilaw("record", "--model", "a:b", "-o", "census", *sources)
    assert_one_sentence(done, "expected either --data package.module:function or --text FILE")


def test_merge_adds_up_and_says_what_a_layer_holds(census: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copy"  # drawn counts, which belong to no recording
    copied.write_bytes(census.read_bytes())
    done = actilaw("merge", census, copied, "-o", tmp_path / "sum", "--json")
    one, both = load(census), load(tmp_path / "sum")
    layers = json.loads(done.stdout)["layers"]
    for name, counts in both.items():
        assert np.array_equal(counts.counts, 2 * one[name].counts)
        assert layers[name] == Census(both).summary().loc[name].to_dict()
    shown = actilaw("merge", census, copied, "-o", tmp_path / "sum").stdout
    assert f"first: {both['first'].working:,} of 800 units working" in shown
    assert f"Census: {tmp_path / 'sum'}" in shown


def test_no_file_and_no_recording_is_merged_with_itself(census: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(census)
    for again in (census, tmp_path / "link"):
        done = actilaw("merge", census, again, "-o", tmp_path / "sum")
        assert_one_sentence(done, "are one file, whose samples would count twice: name each once")
    recorded = Census(dict(load(census)), recordings=("x",))
    files = [recorded.save(tmp_path / name) for name in ("a", "b")]
    done = actilaw("merge", *files, "-o", tmp_path / "sum")
    assert_one_sentence(done, "both hold counts of one and the same recording")
    assert not (tmp_path / "sum").exists()


@pytest.fixture
def makers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of a name that no other test imports."""
    name = f"makers_{uuid.uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(MAKERS)
    (tmp_path / f"{name}_wrong.py").write_text("1 +")
    (tmp_path / f"{name}_ends.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    return name


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": ":x"}, "expected package.module:function, but got ':x'"),
        ({"model": "x:"}, "expected package.module:function, but got 'x:'"),
        ({"model": ""}, "expected package.module:function, but got ''"),
        ({"model": ".a:b"}, "expected package.module:function, but got '.a:b'"),
        ({"model": "os:getcwd"}, "expected a torch module with weights, but got str"),
        ({"model": "os:path"}, "to name a function, but it is module"),
        ({"model": "MAKERS:SIZE"}, "to name a function, but it is int"),
        ({"model": "MAKERS:nowhere"}, "to name a function, but AttributeError"),
        ({"model": "MAKERS:raising"}, "but it raised ZeroDivisionError: division by zero"),
        ({"model": "MAKERS:taking"}, "to be callable without arguments, but it raised TypeError"),
        ({"model": "MAKERS_wrong:model"}, "to name a function, but SyntaxError"),
        ({"model": "MAKERS_ends:model"}, "the model or the data ended the program, with 3"),
        ({"model": "MAKERS:wide"}, "expected a model that runs on the data, but RuntimeError: m"),
        ({"model": "MAKERS:meta"}, "expected weights with values, but '"),
        ({"model": "MAKERS:none"}, "but got NoneType"),
        ({"data": "MAKERS:model"}, "expected"),
        ({"data": "MAKERS:words"}, "expected a model that runs on the data, but"),
        ({"data": "MAKERS:empty_tuples"}, "expected batches whose first item is the input"),
        ({"data": "MAKERS:failing"}, "but OSError: the disk is gone; the counts of 2 batches are"),
        ({"data": "MAKERS:SIZE"}, "to name a function, but it is int"),
        ({"layers": "nowhere"}, "nowhere"),
        ({"layers": "1,"}, "expected names or patterns as --layers, but got '1,'"),
        ({"layers": "auto,1"}, "expected --layers auto alone"),
        ({"criterion": "top(x)"}, "expected positive, threshold(0.1)"),
        ({"criterion": ""}, "expected positive, threshold(0.1)"),
        ({"per": "text"}, "expected"),
        ({"save-every": "-1"}, "--save-every"),
        ({"save-every": "nan"}, "--save-every"),
        ({"seed": "-1"}, "expected whole --seed"),
        ({"seed": "x"}, "--seed"),
        ({"batch": "0"}, "--batch"),
        ({"length": "0"}, "--length"),
        ({"output": "missing/census"}, "does not exist; create it first"),
        ({"output": "."}, "is a folder: name a file inside it"),
        ({"output": "a\0b"}, "embedded null byte"),
        ({"output": "x" * 300}, "File name too long"),
    ],
)
def test_wrong_command_lines_of_record_are_one_sentence(
    tmp_path: Path, makers: str, options: dict[str, str], said: str
) -> None:
    given = {"model": "MAKERS:model", "data": "MAKERS:data", "output": "census"} | options
    words = [
        word.replace("MAKERS", makers) for name in given for word in (f"--{name}", given[name])
    ]
    assert_one_sentence(actilaw("record", *words, folder=tmp_path), said)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a\x1b[31mred", "two\nlines", "back\b", "\u202eright to left"])
def test_control_characters_of_names_are_escaped(tmp_path: Path, name: str) -> None:
    counts = ActivationCounts(np.arange(1, 60) % 20, 20)
    idle = ActivationCounts(np.zeros(5, int), 20)
    census = Census({name: counts, name + "2": idle}, {"uncovered": [name]})
    path, copied = census.save(tmp_path / "a"), census.save(tmp_path / f"b{name}")
    runs = [
        actilaw("merge", path, copied, "-o", tmp_path / "sum"),
        actilaw("fit", path),
        actilaw("forecast", path, "--json"),
        actilaw("merge", path, tmp_path / f"nowhere{name}", "-o", tmp_path / "sum"),
    ]
    printed = "".join(run.stdout + run.stderr for run in runs)
    assert [run.returncode for run in runs] == [0, 0, 0, 2]
    assert name not in printed
    assert repr(name)[1:-1] in printed
    controls = {sign for sign in printed if unicodedata.category(sign) in ("Cc", "Cf")}
    assert controls == {"\n"}


@pytest.mark.slow
def test_layers_may_be_repeated_or_separated_by_commas(tmp_path: Path, makers: str) -> None:
    made = ("--model", f"{makers}:model", "--data", f"{makers}:data")
    for number, layers in enumerate((["1", "2"], ["1,2"], ["*"], ["auto"])):
        flags = [word for layer in layers for word in ("--layers", layer)]
        done = actilaw("record", *made, *flags, "-o", str(number), folder=tmp_path)
        assert done.returncode == 0, done.stderr
    kept = [load(tmp_path / str(number)) for number in range(4)]
    assert [list(census) for census in kept[:2]] == [["1", "2"], ["1", "2"]]
    assert kept[0].about["layers"] == kept[1].about["layers"] == "1,2"
    assert set(kept[2]) > {"1", "2"}
    assert list(kept[3]) == ["1"]


@pytest.mark.slow
def test_a_seed_makes_the_same_model_again(tmp_path: Path, makers: str) -> None:
    made = ("--model", f"{makers}:unseeded", "--data", f"{makers}:data")
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        done = actilaw("record", *made, "--seed", seed, "-o", name, folder=tmp_path)
        assert done.returncode == 0, done.stderr
    weights = {name: load(tmp_path / name).weights for name in "abc"}
    assert weights["a"] == weights["b"] != weights["c"]
    assert load(tmp_path / "a").about["seed"] == 1


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_says_that_the_same_command_goes_on(
    tmp_path: Path, makers: str, number: int, status: int
) -> None:
    module = tmp_path / f"{makers}.py"
    stopping = f"os.kill(os.getpid(), {int(number)})"
    module.write_text(MAKERS.replace("pass  # stop here", stopping))
    command = ("record", "--model", f"{makers}:model", "--data", f"{makers}:stopping")
    stopped = actilaw(*command, "-o", "census", folder=tmp_path)
    assert stopped.returncode == status
    assert stopped.stdout == ""
    assert stopped.stderr == (
        f"actilaw: stopped; the counts of 2 batches are saved in {tmp_path / 'census'}; the same "
        "command goes on from there\n"
    )
    sys.modules.pop(makers)
    module.write_text(MAKERS)
    ended = actilaw(*command, "-o", "census", folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert load(tmp_path / "census")["1"].samples == 100


@pytest.mark.slow
def test_whole_texts_as_samples_are_warned_of(tmp_path: Path, makers: str) -> None:
    made = ("--model", f"{makers}:texts_model", "--data", f"{makers}:texts", "-o", "census")
    done = actilaw("record", *made, folder=tmp_path)
    assert done.returncode == 0
    assert done.stderr.startswith("actilaw: a sample is a whole text here")
    assert done.stderr.count("\n") == 1
