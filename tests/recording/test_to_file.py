"""Recording to a file, by the library and by the commands `actilaw record` and `actilaw merge`.

A run that is killed at any moment, and taken up again, ends as if undisturbed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch

from actilaw import Census, load, record
from actilaw.errors import CountsError, FileError
from actilaw.recording.to_file import record_to_file
from builders.recorded import INPUTS, assert_same, mlp, recorded

MAKERS = """
import time
import torch
from torch import nn

def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 50), nn.ReLU(), nn.Dropout(0.5), nn.Linear(50, 20), nn.ReLU())

def data():
    return torch.randn(600, 6, generator=torch.Generator().manual_seed(1)).split(10)

def slow_data():
    for batch in data():
        time.sleep(0.02)
        yield batch, "a label"

def unseeded():
    torch.seed()
    return nn.Sequential(nn.Linear(6, 50), nn.ReLU())

def other_batches():
    return torch.randn(600, 6, generator=torch.Generator().manual_seed(1)).split(20)

def number():
    return 3

def nothing():
    return []

def broken():
    return nn.Linear(2, 2)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "makers.py").write_text(MAKERS)
    return tmp_path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "actilaw", *map(str, arguments)]


def actilaw(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, cwd=folder, env=offline, check=False
    )


RECORD = ("record", "--model", "makers:model")


def cut_short(batches: Sequence[torch.Tensor], after: int) -> Iterator[torch.Tensor]:
    """Batches from a loader that fails after some of them."""
    yield from batches[:after]
    raise KeyboardInterrupt


def test_a_run_cut_short_goes_on_and_ends_as_if_undisturbed(tmp_path: Path) -> None:
    path, batches = tmp_path / "census", INPUTS.split(7)
    with pytest.raises(KeyboardInterrupt):
        record_to_file(mlp(), cut_short(batches, after=6), path, save_every=0)
    assert (load(path).about["batches"], load(path).about["finished"]) == (6, False)
    steps: list[int] = []
    census = record_to_file(mlp(), batches, path, progress=steps.append)
    assert steps == list(range(7, len(batches) + 1))
    assert_same(census, recorded(mlp(), [INPUTS]))
    assert_same(census, load(path))
    assert load(path).about["uncovered"] == ["4"]


def test_a_file_of_another_network_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "census"
    record_to_file(mlp(), [INPUTS], path)
    with pytest.raises(FileError, match=r"something else \(of other weights\): name"):
        record_to_file(mlp(width=41), [INPUTS], path)
    with pytest.raises(CountsError, match="expected at least one batch, but the loader is empty"):
        record_to_file(mlp(), [], tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_recording_to_a_file_counts_what_the_library_counts(folder: Path) -> None:
    done = actilaw(folder, *RECORD, "--data", "makers:data", "-o", "census", "--json")
    assert done.returncode == 0, done.stderr
    namespace: dict = {}
    exec(MAKERS, namespace)  # the same text that the command imports
    model = namespace["model"]().eval()
    with record(model) as recording, torch.no_grad():
        for batch in namespace["data"]():
            model(batch)
    assert_same(load(folder / "census"), recording.census())
    document = json.loads(done.stdout)
    assert document["layers"]["1"]["working"] == recording.census()["1"].working
    assert document["layers"]["1"]["regime"] == "frozen"
    assert document["uncovered"] == []
    assert load(folder / "census").about["model"] == "makers:model"


@pytest.mark.slow
def test_a_run_killed_at_any_moment_goes_on_and_ends_as_if_undisturbed(folder: Path) -> None:
    slow = (*RECORD, "--data", "makers:slow_data", "--save-every", "0", "-o")
    deaths = 0
    for wait in (0.1, 0.4, 0.7, 0.2):
        running = subprocess.Popen(command(*slow, "killed"), cwd=folder)
        start = time.monotonic()
        batches = load(folder / "killed").about["batches"] if (folder / "killed").exists() else 0
        # Wait until it has got on a little, then a little more.
        while time.monotonic() - start < 30:
            time.sleep(0.05)
            if (folder / "killed").exists() and load(folder / "killed").about["batches"] > batches:
                break
        time.sleep(wait / 4)
        running.send_signal(signal.SIGKILL)
        running.wait()
        deaths += not load(folder / "killed").about["finished"]
    assert deaths >= 2  # or the run was over before it could be killed
    assert actilaw(folder, *slow, "killed").returncode == 0
    assert actilaw(folder, *slow, "whole").returncode == 0
    assert_same(load(folder / "killed"), load(folder / "whole"))
    assert load(folder / "killed").about == load(folder / "whole").about


@pytest.mark.slow
def test_a_finished_file_is_not_counted_again(folder: Path) -> None:
    first = actilaw(folder, *RECORD, "--data", "makers:data", "-o", "census")
    before = (folder / "census").read_bytes()
    again = actilaw(folder, *RECORD, "--data", "makers:data", "-o", "census")
    assert (first.returncode, again.returncode) == (0, 0)
    assert "was finished before, and not counted again" in again.stderr
    assert (folder / "census").read_bytes() == before


@pytest.mark.slow
def test_merging_two_files(folder: Path) -> None:
    for name in ("a", "b"):
        actilaw(folder, *RECORD, "--data", "makers:data", "-o", name)
    done = actilaw(folder, "merge", "a", "b", "-o", "c")
    assert done.returncode == 0
    assert load(folder / "c")["1"].samples == 1200
    assert_same(load(folder / "c"), load(folder / "a").merge(load(folder / "b")))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*RECORD, "-o", "c"), "expected either --data package.module:function or --text FILE"),
        ((*RECORD, "--data", "makers:nothing", "-o", "c"), "the loader is empty"),
        (
            (*RECORD, "--data", "makers:number", "-o", "c"),
            "expected an iterable of batches, but got int",
        ),
        (
            (*RECORD, "--data", "makers:nowhere", "-o", "c"),
            "expected 'makers:nowhere' to name a function",
        ),
        (
            (*RECORD, "--data", "makers", "-o", "c"),
            "expected package.module:function, but got 'makers'",
        ),
        (
            ("record", "--model", "makers:broken", "--data", "makers:data", "-o", "c"),
            "expected a model with a layer",
        ),
        (
            (*RECORD, "--data", "makers:data", "--criterion", "big", "-o", "c"),
            "expected positive, threshold(0.1)",
        ),
        ((*RECORD, "--data", "makers:data", "-o", "missing/c"), "does not exist"),
        (
            ("record", "--model", "nowhere", "--text", "makers.py", "-o", "c"),
            "expected a model of Transformers at",
        ),
        (
            ("record", "--model", "x", "--text", "nowhere.txt", "-o", "c"),
            "expected a UTF-8 text file",
        ),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(
    folder: Path, arguments: tuple, said: str
) -> None:
    if "--text" in arguments:
        pytest.importorskip("transformers")
    done = actilaw(folder, *arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stderr.strip().count("\n") == 0
    assert not (folder / "c").exists()


@pytest.mark.slow
def test_a_file_of_another_run_is_left_alone(folder: Path) -> None:
    actilaw(folder, *RECORD, "--data", "makers:data", "-o", "census")
    before = (folder / "census").read_bytes()
    done = actilaw(folder, *RECORD, "--data", "makers:slow_data", "-o", "census")
    assert done.returncode == 2
    assert "already holds a census of something else" in done.stderr
    assert (folder / "census").read_bytes() == before


@pytest.mark.slow
def test_a_run_goes_on_only_with_the_same_network_flags_and_batches(folder: Path) -> None:
    actilaw(folder, "record", "--model", "makers:unseeded", "--data", "makers:data", "-o", "a")
    again = actilaw(
        folder, "record", "--model", "makers:unseeded", "--data", "makers:data", "-o", "a"
    )
    assert "of other weights" in again.stderr
    masked = actilaw(
        folder,
        "record",
        "--model",
        "makers:unseeded",
        "--data",
        "makers:data",
        "--mask",
        "x",
        "-o",
        "a",
    )
    assert "mask" in masked.stderr
    actilaw(folder, *RECORD, "--data", "makers:data", "-o", "b")
    census = load(folder / "b")
    Census(dict(census), {**census.about, "finished": False, "batches": 30, "entries": 300}).save(
        folder / "b"
    )
    (folder / "makers.py").write_text(
        MAKERS.replace("def data()", "def old()").replace("def other_batches()", "def data()")
    )
    other = actilaw(folder, *RECORD, "--data", "makers:data", "-o", "b")
    assert (
        "holds the counts of 30 batches with 300 entries, but the first 30 batches now have 600"
        in other.stderr
    )
    assert (again.returncode, masked.returncode, other.returncode) == (2, 2, 2)


@pytest.mark.slow
def test_censuses_that_differ_are_not_merged(folder: Path) -> None:
    actilaw(folder, *RECORD, "--data", "makers:data", "-o", "a")
    actilaw(folder, *RECORD, "--data", "makers:data", "--criterion", "threshold(0.1)", "-o", "b")
    actilaw(folder, *RECORD, "--data", "makers:data", "--layers", "1", "-o", "c")
    rules, layers = (
        actilaw(folder, "merge", "a", "b", "-o", "d"),
        actilaw(folder, "merge", "a", "c", "-o", "d"),
    )
    assert "layer '1': counts can be merged only if criterion agree" in rules.stderr
    assert "only one has 4" in layers.stderr
    assert (rules.returncode, layers.returncode) == (2, 2)
    assert not (folder / "d").exists()


@pytest.mark.slow
def test_a_language_model_over_a_text_file(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    text = "the quick brown fox jumps over the lazy dog and runs away from the dog again . " * 20
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator([text], trainers.WordLevelTrainer(special_tokens=["[UNK]"]))
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]"
    ).save_pretrained(tmp_path / "lm")
    torch.manual_seed(0)
    config = transformers.GPT2Config(n_embd=16, n_layer=2, n_head=2, vocab_size=40, n_positions=64)
    transformers.GPT2LMHeadModel(config).save_pretrained(tmp_path / "lm")
    (tmp_path / "text.txt").write_text(text)
    flags = ("--text", "text.txt", "--length", "32", "--batch", "3")
    done = actilaw(tmp_path, "record", "--model", "lm", *flags, "-o", "census")
    assert done.returncode == 0, done.stderr
    census: Census = load(tmp_path / "census")
    tokens = tokenizer.encode(text).ids
    model = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "lm").eval()
    kept: list[torch.Tensor] = []
    model.transformer.h[1].mlp.act.register_forward_hook(
        lambda _m, _i, out: kept.append(out.flatten(0, 1))
    )
    with torch.no_grad():
        for start in range(0, len(tokens), 32):
            model(torch.tensor([tokens[start : start + 32]]))
    x = torch.cat(kept).abs().double()
    counts = census["transformer.h.1.mlp.act"]
    assert counts.samples == len(tokens) == len(x)
    difference = counts.counts - (x > 0.1 * x.amax(-1, keepdim=True)).sum(0).numpy()
    # Batches of three and of one round differently in the last bit.
    assert abs(difference).sum() <= 3
