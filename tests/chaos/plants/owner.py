"""Planted: faults of whose blob it is."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from chaos.plants.plant import plant


def _outcomes(change: Callable[[Any, Any, Callable[..., Any]], Any]) -> None:
    from worker import existing

    outcome = existing._outcome_of
    existing._outcome_of = lambda found, request: change(found, request, outcome)


@plant(
    "one's own blob is taken for another's", "dead for nothing",
    faults=("answer to a commit lost",), count=8, loads=("small", "slow"),
)  # fmt: skip
def _own_is_foreign() -> None:
    from uuid import UUID

    def foreign(found: Any, request: Any, outcome: Callable[..., Any]) -> Any:
        receipt = found.receipt and found.receipt.model_copy(update={"request_id": UUID(int=1)})
        return outcome(replace(found, receipt=receipt), request)

    _outcomes(foreign)


@plant("another's blob is replaced", "overwritten", "no dead letter", loads=("foreign",), requests=4)
def _overwritten() -> None:
    _outcomes(lambda _found, _request, _outcome: None)


@plant("an older run replaces a newer one", "older run won", loads=("replaced",), requests=16)
def _older_wins() -> None:
    _outcomes(lambda _found, _request, _outcome: None)


@plant("another's blob counts as done", "no dead letter", "lost", loads=("foreign", "small"), requests=4)
def _foreign_is_done() -> None:
    from worker import existing

    def done(found: Any, request: Any, outcome: Callable[..., Any]) -> Any:
        receipt = found.receipt
        if receipt is None:
            from types import SimpleNamespace

            quiet = SimpleNamespace(rows=0, blob_bytes=0, csv_bytes=0, parts=(), job=request.job)
            return existing.Exported("already-there", quiet)  # type: ignore[arg-type]
        return outcome(found, request)

    _outcomes(done)
