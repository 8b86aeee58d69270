"""Which HTTP function a request is for."""

import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_PARAMETER = re.compile(r"\{(?P<rest>\*{0,2})(?P<name>\w+)(?::(?P<constraint>[^}?]+))?(?P<optional>\?)?\}")


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _whole(text: str) -> bool:
    return re.fullmatch(r"-?\d+", text) is not None


_CONSTRAINTS: dict[str, Callable[[str], bool]] = {
    "int": _whole,
    "long": _whole,
    "bool": lambda text: text.lower() in {"true", "false"},
    "alpha": lambda text: re.fullmatch(r"[A-Za-z]*", text) is not None,
    "guid": _is_uuid,
}


@dataclass(frozen=True)
class Route:
    """A route template with its methods; no methods means all of them."""

    function: str
    template: str
    methods: frozenset[str]

    def match(self, method: str, segments: list[str]) -> dict[str, str] | None:
        """Give the route's parameters if the request is for it, else None.

        >>> Route("f", "jobs/{job}/runs/{run:int?}", frozenset()).match("GET", ["jobs", "orders", "runs"])
        {'job': 'orders'}
        >>> Route("f", "files/{*path}", frozenset()).match("GET", ["files", "a", "b.csv"])
        {'path': 'a/b.csv'}
        >>> Route("f", "runs/{run:int}", frozenset()).match("GET", ["runs", "first"])
        """
        if self.methods and method not in self.methods:
            return None
        return _parameters(self._parts(), segments)

    def rank(self) -> tuple[int, ...]:
        """Order routes: literal segments win over parameters with a constraint, those over parameters without one."""
        return tuple(_rank(part) for part in self._parts())

    def _parts(self) -> list[str]:
        return [part for part in self.template.strip("/").split("/") if part]


def find(routes: Iterable[Route], method: str, segments: list[str]) -> tuple[Route, dict[str, str]] | None:
    """Find the most specific route for a request, with its parameters."""
    for route in sorted(routes, key=Route.rank):
        parameters = route.match(method, segments)
        if parameters is not None:
            return route, parameters
    return None


def unknown_constraint(template: str) -> str | None:
    """Name a constraint of a template that this host does not know.

    >>> unknown_constraint("runs/{run:int}"), unknown_constraint("runs/{run:range(1,5)}")
    (None, 'range(1,5)')
    """
    given = [match["constraint"] for match in _PARAMETER.finditer(template)]
    return next((constraint for constraint in given if constraint and constraint not in _CONSTRAINTS), None)


def _parameters(parts: list[str], segments: list[str]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for place, part in enumerate(parts):
        parameter = _PARAMETER.fullmatch(part)
        if parameter and parameter["rest"]:
            return {**found, parameter["name"]: "/".join(segments[place:])}
        if place >= len(segments):
            if parameter and parameter["optional"]:
                continue
            return None
        if parameter is None:
            if part.lower() != segments[place].lower():
                return None
        elif _CONSTRAINTS.get(parameter["constraint"] or "", bool)(segments[place]):
            found[parameter["name"]] = segments[place]
        else:
            return None
    return found if len(segments) <= len(parts) else None


def _rank(part: str) -> int:
    parameter = _PARAMETER.fullmatch(part)
    if parameter is None:
        return 0
    return 3 if parameter["rest"] else 1 if parameter["constraint"] else 2
