"""README shows the example that is run, and no number of lines more than it promises."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_code_in_readme_is_the_example_in_under_fifteen_lines() -> None:
    [shown] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    example = (ROOT / "examples" / "main_job.py").read_text()
    assert example.endswith(shown)
    assert len([line for line in shown.splitlines() if line.strip()]) < 15


def test_every_public_name_of_the_package_has_a_docstring() -> None:
    import actilaw

    for name in actilaw.__all__:
        assert getattr(actilaw, name).__doc__, name


def test_links_in_readme_and_docs_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_imports_point_from_right_to_left() -> None:
    order = (
        "errors files gamma inputs blocks counts census theory record fit baselines forecast "
        "checks monitor prune "
        "study tables report simulate law_command loss_command demo cli"
    )
    order = order.split()
    apart = {("fit", "record")}  # they meet in counts
    package = ROOT / "src" / "actilaw"
    for file in package.rglob("*.py"):
        here = file.relative_to(package).with_suffix("").parts[0]
        if here not in order:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.ImportFrom)
                and node.module
                and node.module.startswith("actilaw.")
            ):
                there = node.module.split(".")[1]
                assert order.index(there) <= order.index(here), (
                    f"{file.name} imports {node.module} from its right"
                )
                assert (here, there) not in apart, f"{file.name} imports {node.module}"
