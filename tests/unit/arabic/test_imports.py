"""The assistant's import rules: the Arabic room is pure, and nothing of the assistant knows the house."""

import ast
import sys
from pathlib import Path

import pytest

NLU = Path(__file__).parents[3] / "nlu"
OURS = sorted(path for path in NLU.rglob("*.py") if ".venv" not in path.parts)


def _imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", sorted((NLU / "arabic").glob("*.py")), ids=lambda path: path.name)
def test_the_arabic_room_imports_the_standard_library_alone(path):
    for name in _imported(path):
        assert name.startswith("nlu.arabic") or name.partition(".")[0] in sys.stdlib_module_names, name


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_the_assistant_does_not_know_the_house(path):
    assert not {name.partition(".")[0] for name in _imported(path)} & {"bot", "actions", "channels"}


def test_the_package_itself_imports_nothing():
    assert not (NLU / "__init__.py").read_text(encoding="utf-8").strip()
