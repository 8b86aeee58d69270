"""Service Bus queue triggers: maxConcurrentCalls receivers, each with one message at a time.

One message per receiver, because azure-servicebus 7.15 loses every lock when several are renewed on one receiver.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiver

from emulators.functions_host.app import Function
from emulators.functions_host.app_settings import HostError, connection_string, resolve
from emulators.functions_host.calls import Calls
from emulators.functions_host.delivery import Action, Delivery
from emulators.functions_host.host_json import QueueOptions
from emulators.functions_host.journal import event
from emulators.functions_host.message import attempt_of, body_of, metadata_of
from emulators.functions_host.settlement import Deliveries
from emulators.functions_host.wire import Invocation, Outcome

RECEIVE_WAIT_S = 0.5  # how long a stop may have to wait for a receiver
RECONNECT_AFTER_S = 2.0
TRY_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Source:
    """Where a queue trigger takes its messages from, how, and the kind of body it asks for."""

    connection_string: str = field(repr=False)
    queue: str
    data_type: str
    options: QueueOptions


class QueueTrigger:
    """Feeds one function from its queue, under peek-lock."""

    def __init__(self, function: Function, source: Source, calls: Calls, deliveries: Deliveries) -> None:
        self.function = function
        self._source = source
        self._calls = calls
        self._deliveries = deliveries
        self._threads: list[threading.Thread] = []

    def start(self, stopping: threading.Event) -> None:
        """Start the receivers; they end when the host stops."""
        for number in range(self._source.options.max_concurrent_calls):
            name = f"queue-{self.function.name}-{number}"
            thread = threading.Thread(target=self._keep_receiving, args=(stopping,), daemon=True, name=name)
            self._threads.append(thread)
            thread.start()

    def join(self, deadline: float) -> None:
        """Wait until the receivers are closed, at most until a time of time.monotonic()."""
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))

    def _keep_receiving(self, stopping: threading.Event) -> None:
        while not stopping.is_set():
            try:
                with self._client() as client, client.get_queue_receiver(self._source.queue) as receiver:
                    self._receive(receiver, stopping)
            except Exception as error:  # noqa: BLE001  a receiver that ended would leave its share of the queue
                event("error", "queue.unreachable", queue=self._source.queue, error=error, next="connecting again")
                stopping.wait(RECONNECT_AFTER_S)

    def _client(self) -> ServiceBusClient:
        # One retry, for this trigger connects again by itself, and says so.
        address = self._source.connection_string
        return ServiceBusClient.from_connection_string(address, retry_total=1, try_timeout=TRY_TIMEOUT_S)

    def _receive(self, receiver: ServiceBusReceiver, stopping: threading.Event) -> None:
        while not stopping.is_set():
            if not self._calls.ready.wait(RECEIVE_WAIT_S):
                continue
            for message in receiver.receive_messages(max_message_count=1, max_wait_time=RECEIVE_WAIT_S):
                if stopping.is_set():
                    receiver.abandon_message(message)
                else:
                    self._run(receiver, message, stopping)

    def _run(self, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage, stopping: threading.Event) -> None:
        delivery = Delivery(receiver, message, self._source.options.max_auto_lock_renewal)
        body = body_of(message, self._source.data_type)
        metadata = metadata_of(message, body)
        call = Invocation(self.function.id, self.function.parameter, body, metadata)
        details = {"message_id": message.message_id, "attempt": attempt_of(message)}
        self._deliveries.add(delivery)
        try:
            outcome = delivery.wait(self._calls.invoke(self.function.name, call, **details))
        finally:
            self._deliveries.remove(delivery)
        if outcome.worker_lost and stopping.is_set():
            return  # as after a kill in Azure: the lock ends by itself
        if not delivery.settled and (action := self._action(outcome)):
            delivery.finish(action)

    def _action(self, outcome: Outcome) -> Action | None:
        if outcome.error is not None:
            return ServiceBusReceiver.abandon_message
        return ServiceBusReceiver.complete_message if self._source.options.auto_complete else None


def source_of(function: Function, settings: Mapping[str, str], options: QueueOptions) -> Source:
    """Resolve where a queue trigger receives. Raises HostError that names the function and the setting."""
    complete = function.flag("autoCompleteMessages", default=options.auto_complete)
    try:
        return Source(
            connection_string(function.text("connection", "AzureWebJobsServiceBus"), settings),
            resolve(function.text("queueName"), settings),
            function.text("dataType", "string"),
            replace(options, auto_complete=complete),
        )
    except HostError as error:
        raise HostError(f"The queue trigger of {function.name}: {error}") from error
