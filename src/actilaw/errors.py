"""Every exception that actilaw raises on purpose.

    ActilawError
    ├── InputError (ValueError)           an argument outside the values that make sense
    │   ├── CountsError   counts that no recording could have produced, or that cannot be fitted
    │   └── ModelError                    a model without the layers that the task needs
    ├── FileError (OSError)               a file that cannot be read, written, or understood
    └── MissingExtraError (ImportError)   an optional dependency that is not installed

Each message is one sentence: what was expected, what came, what to try.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class ActilawError(Exception):
    """Base of all exceptions that actilaw raises on purpose."""


class InputError(ActilawError, ValueError):
    """An argument lies outside the values that make sense."""


class CountsError(InputError):
    """Counts are impossible (outside 0..samples, say) or carry too little to be fitted."""


class ModelError(InputError):
    """A model lacks the layers that the task needs."""


class FileError(ActilawError, OSError):
    """A file cannot be read, written, or understood."""


class MissingExtraError(ActilawError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(
            f"this needs the package '{module}', which is not installed: pip install "
            f"'actilaw[{extra}]'"
        )


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Turn a missing import inside the block into a sentence that names the exact `pip install`."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name).partition(".")[0], extra) from error
