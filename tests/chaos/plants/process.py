"""Planted: faults of the process."""

from typing import Any

from chaos.plants.message import settlements
from chaos.plants.plant import OUTAGE, STUCK, plant


@plant(
    "a slot ends at its first failure", *STUCK,
    faults=("broker refuses", "connections dropped"), count=10, loads=("small", "slow"), requests=14,
)  # fmt: skip
def _slot_ends() -> None:
    from worker.slot import Slot

    def once(self: Any) -> None:
        try:
            self._receive()
        except Exception:  # noqa: BLE001
            self._stopping.wait()

    Slot.work = once  # type: ignore[method-assign]


@plant("the worker ends when PostgreSQL is away", "worker ended", *STUCK, **OUTAGE)
def _worker_ends() -> None:
    import os

    from worker.message.settlement import RetryLater

    def ended(it: Any, _: Exception | None) -> Any:
        if isinstance(it, RetryLater):
            os._exit(3)
        return it

    settlements(ended)


@plant("a worker does not end at SIGTERM", "SIGTERM", faults=("worker terminated",), count=1, loads=("small",))
def _deaf() -> None:
    from worker.container import Consumer

    Consumer.stop = lambda _: None  # type: ignore[method-assign]


@plant("each export leaves memory behind", "memory", loads=("small",), requests=160, over_s=24.0)
def _leak() -> None:
    from worker import export

    left, upload = [], export._upload

    def leaking(*arguments: Any) -> Any:
        left.append(b"x" * (4 << 20))
        return upload(*arguments)

    export._upload = leaking


@plant("an error of any kind is a traceback", "unclassified error", "dead for nothing", **OUTAGE)
def _unclassified() -> None:
    from worker import export

    run = export._upload

    def raw(*arguments: Any) -> Any:
        try:
            return run(*arguments)
        except Exception as error:
            raise KeyError(str(error)) from error

    export._upload = raw
