"""Functions and modules that a person can read at one go."""

import ast
from collections.abc import Iterator

import pytest

from .test_imports import FILES, ROOT

_FUNCTION_LINES = 25
_MODULE_LINES = 250


def functions() -> Iterator[tuple[str, int]]:
    """Each function's place, and its lines without the docstring."""
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                first = node.body[1] if len(node.body) > 1 and ast.get_docstring(node) else node.body[0]
                yield f"{file.relative_to(ROOT)}:{node.lineno} {node.name}", (node.end_lineno or 0) - first.lineno + 1


def test_no_function_is_longer_than_a_screen_shows() -> None:
    assert [found for found in functions() if found[1] > _FUNCTION_LINES] == []


@pytest.mark.parametrize("room", sorted({file.relative_to(ROOT).parts[0] for file in FILES}))
def test_no_module_is_longer_than_a_person_keeps_in_mind(room: str) -> None:
    modules = [file for file in FILES if file.relative_to(ROOT).parts[0] == room]
    assert [file.name for file in modules if len(file.read_text("utf-8").splitlines()) > _MODULE_LINES] == []
