"""Calls of functions as triggers make them: the worker runs the function, then its output bindings are sent."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from azure.servicebus.exceptions import ServiceBusError

from emulators.functions_host.app import Function
from emulators.functions_host.journal import event
from emulators.functions_host.output import QueueOutput, outputs_of
from emulators.functions_host.wire import Invocation, Outcome
from emulators.functions_host.worker import Worker

SENDERS = 8


class Calls:
    """Calls the functions of one app. Raises HostError for an output binding that cannot be resolved."""

    def __init__(self, worker: Worker, functions: Sequence[Function], settings: Mapping[str, str]) -> None:
        self._worker = worker
        self._outputs = {function.name: outputs_of(function, settings) for function in functions}
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="outputs")

    @property
    def ready(self) -> threading.Event:
        """Set while there is a worker process that takes calls."""
        return self._worker.ready

    def invoke(self, name: str, call: Invocation, **details: object) -> Future[Outcome]:
        """Call a function; its future always gets an outcome, which is a failure if an output cannot be sent.

        details: more fields for the log line that says that the function started.
        """
        outcome = self._worker.invoke(name, call, **details)
        outputs = self._outputs[name]
        if not outputs:
            return outcome
        sent: Future[Outcome] = Future()
        outcome.add_done_callback(lambda done: self._senders.submit(_send, name, outputs, done.result(), sent))
        return sent


def _send(name: str, outputs: Sequence[QueueOutput], outcome: Outcome, sent: Future[Outcome]) -> None:
    try:
        for output in outputs if outcome.error is None else ():
            if output.name in outcome.outputs:
                output.send(outcome.outputs[output.name])
    except (ServiceBusError, ValueError) as error:
        event("error", "output.failed", function=name, queue=output.queue, error=error)
        outcome = replace(outcome, error=f"The output {output.name} cannot be sent to {output.queue}: {error}")
    sent.set_result(outcome)
