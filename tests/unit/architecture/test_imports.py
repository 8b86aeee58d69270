"""Beyond the layer check: no circle of imports anywhere, and rooms are entered by their faces only."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROOMS = (
    "bench", "cli", "connections", "contracts", "deploy", "devstack", "doctor", "emulators", "operations", "producer",
    "telemetry", "web", "worker",
)  # fmt: skip
ROOT_FILES = [ROOT / "function_app.py", ROOT / "settings.py"]
FILES = ROOT_FILES + [
    file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py")) if "node_modules" not in file.parts
]


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(file): file for file in FILES}


def imported(file: Path) -> Iterator[str]:
    """The modules of ours that a file imports, at its top or in a function."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in names]
        yield from (name for name in names if name in MODULES)


IMPORTS = {name: set(imported(file)) for name, file in MODULES.items()}


def circle_through(start: str) -> list[str]:
    """The modules from one back to itself, none if there is no circle."""
    paths = [[start, following] for following in IMPORTS[start]]
    seen = set()
    while paths:
        path = paths.pop()
        if path[-1] == start:
            return path
        if path[-1] not in seen:
            seen.add(path[-1])
            paths += [[*path, following] for following in IMPORTS[path[-1]]]
    return []


def test_no_module_imports_itself_by_way_of_others() -> None:
    circles = [circle for name in MODULES if (circle := circle_through(name))]
    assert circles == []


@pytest.mark.parametrize("include", sorted((ROOT / "worker" / "native").glob("*.h")), ids=lambda file: file.name)
def test_no_header_is_included_by_a_file_that_it_includes(include: Path) -> None:
    def included(file: Path) -> set[Path]:
        lines = file.read_text("utf-8").splitlines()
        names = [line.split('"')[1] for line in lines if line.startswith('#include "')]
        return {file.with_name(name) for name in names}

    reached, waiting = set(), [include]
    while waiting:
        following = included(waiting.pop()) - reached
        reached |= following
        waiting += following
    assert include not in reached


def face_of(room: str) -> set[str]:
    """The modules that a room's `__init__` names as its face."""
    tree = ast.parse((ROOT / room / "__init__.py").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "FACE":
            return {f"{room}.{name}" for name in ast.literal_eval(node.value)}
    raise AssertionError(f"{room}/__init__.py names no FACE")


@pytest.mark.parametrize("room", ROOMS)
def test_other_rooms_import_only_the_face_of_a_room(room: str) -> None:
    inside = {name for name in MODULES if name == room or name.startswith(f"{room}.")}
    entered = {
        (name, entry)
        for name, entries in IMPORTS.items()
        if name not in inside and not name.startswith("bench.")  # it measures inner parts, too
        for entry in entries & inside
    }
    assert {(name, entry) for name, entry in entered if entry not in face_of(room)} == set()


def test_every_face_names_modules_that_are_there() -> None:
    assert {name for room in ROOMS for name in face_of(room)} <= MODULES.keys()
