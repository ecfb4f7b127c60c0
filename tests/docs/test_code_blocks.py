"""Every block of code in the documentation and in README.md runs, and prints what the page says.

A page's blocks run in order, in one namespace and one temporary folder: Python, plain or with
>>>, and lines of shell that begin with "actilaw". A block of text directly after a block of code
is what that code prints. What a page says of its blocks stands in comments before them:

    <!-- not run: why -->                          the block below is left out
    <!-- numbers within 20 % -->                   they differ between machines by up to so much
    <!-- numbers vary -->                          only the words around them are compared
    <!-- words vary -->                            only the first word of each line is compared

`python tests/docs/write_outputs.py PAGE ...` runs pages and writes what their blocks print.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import math
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builders.command import actilaw, forget_modules_in

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FAST = {  # pages whose blocks together take under a second
    "glossary",
    "theory/competition",
    "theory/counts",
    "theory/design",
    "theory/endless",
    "theory/idle",
    "theory/loss",
    "theory/process",
    "theory/working",
}
COLUMNS = 120
SHELL = re.compile(r"[|&;<>$*?~`]")  # what means something to a shell
FENCED = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"<!-- (not run: .+?|numbers within \d+ %|numbers vary|words vary) -->")
NUMBER = re.compile(r"[-+−]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?")
RULES = re.compile(r"[─━│┃┏┓┗┛┡┩╇┳┻└┘┴├┤┼╭╮╰╯-]{3,}|[│┃]")  # the lines of a printed table


@dataclass(frozen=True)
class Block:
    """A block of code, and what the page says that it prints.

    Attributes:
        language: "python" or "sh".
        code: as written.
        line: of the page, at which it begins.
        printed: the block of text directly after it, if there is one.
        tolerance: by which share numbers may differ; None if they are not compared at all.
        first_words: whether only the first word of each line is compared.
    """

    language: str
    code: str
    line: int
    printed: str | None
    tolerance: float | None
    first_words: bool = False


def blocks_of(page: str) -> Iterator[Block]:
    """Every block that is to be run, in the order of the page."""
    found = list(FENCED.finditer(page))
    for place, match in enumerate(found):
        language, code = match[2], _dedented(match[3], match[1])
        before = page[found[place - 1].end() if place else 0 : match.start()]
        said = _last_comment(before)
        if language not in ("python", "sh") or said.startswith("not run"):
            continue
        after = found[place + 1] if place + 1 < len(found) else None
        printed, between = None, ""
        if after and after[2] == "text":
            between = page[match.end() : after.start()]
            if not COMMENT.sub("", between).strip():
                printed = _dedented(after[3], after[1])
        said, line = _last_comment(between), page.count("\n", 0, match.start()) + 2
        first_words = said == "words vary"
        yield Block(language, code, line, printed, _tolerance(said), first_words)


def _dedented(code: str, indent: str) -> str:
    return "".join(line.removeprefix(indent) for line in code.splitlines(keepends=True))


def _last_comment(text: str) -> str:
    """What the comment says with which a text ends, if it ends with one."""
    comments = list(COMMENT.finditer(text))
    return comments[-1][1] if comments and not text[comments[-1].end() :].strip() else ""


def _tolerance(said: str) -> float | None:
    if said in ("numbers vary", "words vary"):
        return None
    within = re.fullmatch(r"numbers within (\d+) %", said)
    return int(within[1]) / 100 if within else 0.0


def run(block: Block, namespace: dict[str, object], name: str) -> str:
    """What a block prints."""
    if block.language == "sh":
        return "".join(_run_command(line) for line in _commands(block.code))
    if ">>>" in block.code:
        test = doctest.DocTestParser().get_doctest(block.code, namespace, name, name, block.line)
        report = io.StringIO()
        doctest.DocTestRunner(verbose=False).run(test, out=report.write, clear_globs=False)
        namespace.update(test.globs)
        assert not report.getvalue(), report.getvalue()
        return ""
    printed = io.StringIO()
    code = "\n" * (block.line - 1) + block.code  # so that an error names the line of the page
    with contextlib.redirect_stdout(printed):
        exec(compile(code, name, "exec"), namespace)
    return printed.getvalue()


def _commands(code: str) -> Iterator[str]:
    """Lines that call actilaw; a backslash joins a line to the next."""
    for line in code.replace("\\\n", " ").splitlines():
        if line.removeprefix("$ ").startswith("actilaw "):
            yield line.removeprefix("$ ")


def _run_command(line: str) -> str:
    """What a command prints: run in this process, or by a shell where the line needs one."""
    if SHELL.search(line):
        done = _run_by_shell(line)
    else:
        forget_modules_in(Path())
        done = actilaw(*shlex.split(line)[1:], columns=COLUMNS)
        forget_modules_in(Path())
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    return done.stdout


def _run_by_shell(line: str) -> subprocess.CompletedProcess[str]:
    line = re.sub(r"^actilaw ", f"{sys.executable} -m actilaw ", line)
    path = os.pathsep.join(["", *sys.path])
    environment = os.environ | {"COLUMNS": str(COLUMNS), "PYTHONPATH": path}
    return subprocess.run(
        line, shell=True, capture_output=True, text=True, env=environment, check=False
    )


def assert_same(printed: str, said: str, tolerance: float | None) -> None:
    """The same words, and numbers that agree within the tolerance, to the digits shown."""
    words, numbers = _taken_apart(printed)
    said_words, said_numbers = _taken_apart(said)
    assert words == said_words, f"the page says\n{said}\nbut the code prints\n{printed}"
    if tolerance is None:
        return
    for number, said_number in zip(numbers, said_numbers, strict=True):
        close = math.isclose(
            _value(number), _value(said_number), rel_tol=tolerance, abs_tol=_last_digit(said_number)
        )
        assert close, f"the page says {said_number}, the code prints {number}\n{printed}"


def _taken_apart(text: str) -> tuple[list[str], list[str]]:
    """Words with a mark for each number in them, and the numbers; lines of tables are left out."""
    text = RULES.sub(" ", text)
    return NUMBER.sub("#", text).split(), NUMBER.findall(text)


def _first_words(text: str) -> str:
    return "\n".join(line.split()[0] for line in text.splitlines() if line.strip())


def _value(number: str) -> float:
    return float(number.replace(",", "").replace("−", "-"))


def _last_digit(number: str) -> float:
    """What one unit of the last digit shown is worth."""
    mantissa, _, exponent = number.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 1.001 * 10.0 ** (int(exponent or 0) - decimals)


def _marked(page: Path) -> object:
    name = page.relative_to(ROOT).with_suffix("").as_posix().removeprefix("docs/")
    return pytest.param(page, id=name, marks=() if name in FAST else pytest.mark.slow)


@pytest.mark.parametrize(
    "page", [_marked(page) for page in PAGES if list(blocks_of(page.read_text()))]
)
def test_code_on_the_page_runs_and_prints_what_the_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # modules that a page writes can be imported
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in blocks_of(page.read_text()):
        printed = run(block, namespace, page.name)
        if block.printed is not None and block.first_words:
            assert_same(_first_words(printed), _first_words(block.printed), None)
        elif block.printed is not None:
            assert_same(printed, block.printed, block.tolerance)


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name == "theory"])
def test_pages_of_the_theory_recompute_their_numbers(page: Path) -> None:
    recomputed = any(">>>" in block.code for block in blocks_of(page.read_text()))
    assert recomputed or page.stem in ("index", "numerics", "forecasts")


def test_reasons_for_not_running_a_block_are_few() -> None:
    reasons = [said for page in PAGES for said in COMMENT.findall(page.read_text())]
    left_out = [reason for reason in reasons if reason.startswith("not run")]
    assert len(left_out) <= 6, left_out


def test_a_changed_number_or_word_is_noticed() -> None:
    assert_same("b 0.401\n", "b  0.40", 0.0)
    assert_same("b 0.45\n", "b 0.40", 0.2)
    with pytest.raises(AssertionError, match=r"the page says 0\.40"):
        assert_same("b 0.42", "b 0.40", 0.0)
    with pytest.raises(AssertionError, match="the code prints"):
        assert_same("knee 0.40", "b 0.40", None)


def test_comments_and_printed_blocks_belong_to_the_block_beside_them() -> None:
    page = """
<!-- not run: needs a GPU -->
```python
import cuda
```
```python
print(1)
```
<!-- numbers within 20 % -->
```text
1
```
"""
    [block] = blocks_of(page)
    assert (block.code, block.printed, block.tolerance) == ("print(1)\n", "1\n", 0.2)
