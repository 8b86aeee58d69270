"""The invocations that were sent to the worker and have not ended."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from emulators.functions_host.journal import event
from emulators.functions_host.wire import Outcome


class Pending:
    """Futures by invocation, each finished once; the end of each is logged with its duration."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: dict[str, tuple[str, float, Future[Outcome]]] = {}

    def add(self, name: str, invocation_id: str) -> Future[Outcome]:
        """Note that an invocation of the function starts now."""
        outcome: Future[Outcome] = Future()
        with self._changed:
            self._calls[invocation_id] = (name, time.monotonic(), outcome)
        return outcome

    def finish(self, outcome: Outcome, before_telling: Callable[[], object] = bool) -> bool:
        """Hand over an outcome; return whether the invocation was still running, else the outcome is dropped."""
        with self._changed:
            call = self._calls.pop(outcome.invocation_id, None)
            self._changed.notify_all()
        if call is None:
            return False
        name, began, future = call
        _log(name, round((time.monotonic() - began) * 1000), outcome)
        before_telling()
        future.set_result(outcome)
        return True

    def fail_all(self, error: str) -> None:
        """End every invocation with one error, because the worker process is gone."""
        with self._changed:
            left = list(self._calls)
        for invocation_id in left:
            self.finish(Outcome(invocation_id, error=error, worker_lost=True))

    def wait_until_empty(self, timeout_s: float) -> bool:
        """Wait until no invocation is left, at most so long; return whether none is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._calls, timeout_s)


def _log(name: str, duration_ms: int, outcome: Outcome) -> None:
    fields = {"function": name, "invocation": outcome.invocation_id, "duration_ms": duration_ms}
    if outcome.error is None:
        event("info", "function.succeeded", **fields)
    else:
        event("error", "function.failed", **fields, error=outcome.error, trace=outcome.trace)
