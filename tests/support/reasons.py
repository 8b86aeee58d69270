"""The reasons that the code can write on a dead letter, found in its source."""

import ast
from collections.abc import Iterator
from pathlib import Path

from connections.postgres import server_errors
from connections.storage import _REFUSED
from contracts import errors
from contracts.errors import Permanent, Transient

ROOT = Path(__file__).parents[2]
# Written by Service Bus itself.
BROKER = {"MaxDeliveryCountExceeded", "TTLExpiredException"}
# The worker abandons the message, compresses again, or uses these for queue errors, which leave the message as it is.
_NEVER_DEAD = {"ExportInterrupted", "CompressionWrong", "QueueUnavailable", "QueueUnauthorized"}


def raised(kinds: set[str]) -> Iterator[str]:
    """The reasons that the code gives to errors of these classes."""
    for room in ("worker", "connections", "contracts"):
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in kinds:
                    for keyword in node.keywords:
                        if keyword.arg == "reason" and isinstance(keyword.value, ast.Constant):
                            yield str(keyword.value.value)


def kinds_of(base: type) -> dict[str, type]:
    """The error classes below `base`, by name."""
    return {
        name: one
        for name, one in vars(errors).items()
        if isinstance(one, type) and issubclass(one, base) and one is not base
    }


def permanent_reasons() -> set[str]:
    """The reasons of failures that are dead-lettered at the first attempt, except a window that was left open."""
    found = set(raised(set(kinds_of(Permanent)))) - {"WindowOpen"}
    return found | {reason for reason, _ in server_errors._REJECTED.values()} | set(_REFUSED)


def transient_reasons() -> set[str]:
    """The reasons of failures that are dead-lettered after the last attempt, or may pass by themselves."""
    kinds = {name for name, kind in kinds_of(Transient).items() if kind.costs_attempt}  # type: ignore[attr-defined]
    states = ("28P01", "57014", "55P03", "53300", "")
    by_state = {server_errors._transient_reason(state) for state in states}
    return (kinds | set(raised(kinds)) | by_state | BROKER | {"UnexpectedError", "WindowOpen"}) - _NEVER_DEAD
