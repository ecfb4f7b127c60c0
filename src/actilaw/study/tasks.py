"""The tasks of a study by name, with the widths and sizes of training set that show most of each;
and tasks of the user's own.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from inspect import getsourcefile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from actilaw.errors import ActilawError, InputError

if TYPE_CHECKING:
    from actilaw.study.problem import Task


@dataclass(frozen=True)
class RegisteredTask:
    """A task by name.

    Attributes:
        name: of the task.
        where: `module:function`, imported when the task is first used.
        widths, samples: of the full preset, in rising order.
        stacked_up_to: the largest width at which several networks train faster in one stack than
            one after the other.
    """

    name: str
    where: str
    widths: tuple[int, ...]
    samples: tuple[int, ...]
    stacked_up_to: int = 0


_PROBLEMS = "actilaw.study.problems"
TASKS = {
    task.name: task
    for task in (
        RegisteredTask(
            "digits",
            f"{_PROBLEMS}.images:digits_task",
            (32, 128, 512, 2048, 8192),
            (20, 60, 150, 400, 800, 1347),
            stacked_up_to=128,
        ),
        RegisteredTask(
            "mnist",
            f"{_PROBLEMS}.images:mnist_task",
            (64, 256, 512, 1024, 2048),
            (30, 100, 300, 1000, 2000, 4000),
        ),
        RegisteredTask(
            "teacher",
            f"{_PROBLEMS}.teacher:teacher_task",
            (64, 256, 1024, 2048, 4096),
            (100, 400, 1600, 6400, 25_600, 102_400),
            stacked_up_to=256,
        ),
        RegisteredTask(
            "parity",
            f"{_PROBLEMS}.parity:parity_task",
            (32, 128, 512, 1024, 2048),
            (400, 1200, 3600, 10_800, 32_400, 97_200),
            stacked_up_to=128,
        ),
        RegisteredTask(
            "text",
            f"{_PROBLEMS}.text:text_task",
            (64, 256, 512, 1024, 2048),
            (1, 4, 16, 64, 256, 1024),
        ),
        RegisteredTask(
            "relu-latents",
            f"{_PROBLEMS}.text:relu_latents_task",
            (128, 256, 512, 1024, 2048),
            (256, 1024, 4096, 16_384, 65_536, 262_144),
            stacked_up_to=128,
        ),
        RegisteredTask(
            "topk-latents",
            f"{_PROBLEMS}.text:topk_latents_task",
            (128, 256, 512, 1024, 2048),
            (256, 1024, 4096, 16_384, 65_536, 262_144),
            stacked_up_to=128,
        ),
        RegisteredTask(
            "routed",
            f"{_PROBLEMS}.text:routed_task",
            (16, 32, 64, 128, 256),
            (1, 4, 16, 64, 256, 1024),
        ),
    )
}
_functions: dict[str, Task] = {}
_stacked_up_to: dict[Task, int] = {}


def register_task(name: str, *, stacked_up_to: int = 0) -> Callable[[Task], Task]:
    """Make a function a task of that name: a decorator, in a module that other processes can
    import, since a study trains in processes of their own.

    Args:
        name: letters, digits and hyphens.
        stacked_up_to: the largest width at which several of its networks are to train in one stack,
            by torch.func.vmap; faster for networks of up to some 30,000 parameters.

    Raises:
        InputError: if the name is no such text, or is taken.
    """
    if not isinstance(name, str) or not name or not name.replace("-", "").isalnum():
        raise InputError(f"expected a name of letters, digits and hyphens, but got {name!r}")

    def register(function: Task) -> Task:
        if name in TASKS or _functions.get(name, function) is not function:
            raise InputError(f"expected a new name for a task, but {name!r} is taken")
        _functions[name] = function
        _stacked_up_to[function] = stacked_up_to
        return function

    return register


def home_of(name: str) -> str | None:
    """The module that has to be imported for a task to be registered; None for others.

    Raises:
        InputError: if other processes cannot import it.
    """
    if name not in _functions:
        return None
    home = _functions[name].__module__
    if home == "__main__":
        raise InputError(
            f"expected the task {name!r} in a module, but it was registered in a script or a "
            "notebook, which other processes cannot import: move it into a file of its own"
        )
    return home


def stacked_up_to(name: str) -> int:
    """The largest width at which networks of this task train in one stack."""
    if name in TASKS:
        return TASKS[name].stacked_up_to
    return _stacked_up_to.get(task_function(name), 0)


def task_function(name: str) -> Task:
    """The function of a task, by its name or as `module:function`.

    A module is also looked for in the current folder.

    Raises:
        InputError: if there is no such task.
    """
    if name in _functions:
        return _functions[name]
    where = TASKS[name].where if name in TASKS else name
    module_name, colon, function_name = where.partition(":")
    if not colon or not module_name or not function_name:
        raise InputError(
            f"expected a task as module:function, or one of {', '.join((*TASKS, *_functions))}, "
            f"but got {name!r}"
        )
    if name not in TASKS and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    function = getattr(_module(module_name, name), function_name, None)
    if not callable(function):
        came = "it has none" if function is None else f"it is {type(function).__name__}"
        raise InputError(
            f"expected a function {function_name} in the module {module_name}, but {came}"
        )
    return cast("Task", function)


def source_digest(name: str) -> str | None:
    """A digest of the file that a user's task is in, comments and layout aside: whether cells of
    one name are of one task. None for those built in, which change with the version, and where
    there is no file.
    """
    if name in TASKS:
        return None
    try:
        file = getsourcefile(task_function(name))
        source = ast.dump(ast.parse(Path(file).read_bytes())) if file else None
    except (OSError, SyntaxError, TypeError, ValueError):
        return None
    return sha256(source.encode()).hexdigest()[:16] if source else None


def _module(module_name: str, task: str) -> ModuleType:
    """The module of a task, imported.

    Raises:
        InputError: if there is none, or its own code fails.
    """
    try:
        return import_module(module_name)
    except ActilawError:  # an extra that is missing
        raise
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{module_name}.".startswith(f"{missing}."):
            why = "there is none: start in its folder, or install it"
        else:
            why = f"importing it fails with {type(error).__name__}: {error}"
        raise InputError(
            f"expected the task {task} in a module {module_name}, but {why}"
        ) from error
