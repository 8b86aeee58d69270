"""Service Bus output bindings: what a function sets or returns is sent to a queue before its call counts as done."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from azure.servicebus import ServiceBusClient, ServiceBusMessage

from emulators.functions_host.app import QUEUE_OUTPUT, Function
from emulators.functions_host.app_settings import HostError, connection_string, resolve
from emulators.functions_host.wire import Typed


@dataclass(frozen=True)
class QueueOutput:
    """One output binding: the name of its parameter, or $return, and the queue that its values go to."""

    name: str
    queue: str
    connection_string: str = field(repr=False)

    def send(self, value: Typed) -> None:
        """Send one value, which may be several messages. Raises ServiceBusError."""
        client = ServiceBusClient.from_connection_string(self.connection_string, retry_total=1)
        with client, client.get_queue_sender(self.queue) as sender:
            for body in bodies(value.content):
                sender.send_messages(ServiceBusMessage(body))


def outputs_of(function: Function, settings: Mapping[str, str]) -> tuple[QueueOutput, ...]:
    """Resolve the output bindings of a function. Raises HostError that names the function and the setting."""
    found = [binding for binding in function.bindings if binding["type"] == QUEUE_OUTPUT]
    try:
        return tuple(_output(binding, settings) for binding in found)
    except HostError as error:
        raise HostError(f"An output binding of {function.name}: {error}") from error


def _output(binding: Mapping[str, object], settings: Mapping[str, str]) -> QueueOutput:
    queue = resolve(str(binding["queueName"]), settings)
    if "{" in queue:
        raise HostError(f'"{queue}" takes its name from the trigger, which this local host cannot do.')
    connection = str(binding.get("connection") or "AzureWebJobsServiceBus")
    return QueueOutput(str(binding["name"]), queue, connection_string(connection, settings))


def bodies(content: object) -> Iterator[str | bytes]:
    """Give the bodies of the messages that a value stands for, as the real host makes them.

    Text that is JSON is read and written anew: an array is one message for each of its elements.

    >>> list(bodies("hello")), list(bodies(b"[1]"))
    (['hello'], [b'[1]'])
    >>> list(bodies('[{"id": 1}, "two", true, 4]'))
    ['{\\n  "id": 1\\n}', 'two', 'True', '4']
    """
    if isinstance(content, bytes):
        yield content
        return
    text = str(content)
    document = _json(text)
    if document is None:
        yield text
        return
    for element in document if isinstance(document, list) else [document]:
        yield json.dumps(element, indent=2, ensure_ascii=False) if isinstance(element, dict | list) else _plain(element)


def _json(text: str) -> list[object] | dict[str, object] | None:
    if text.strip()[:1] not in {"{", "["}:
        return None
    try:
        document: list[object] | dict[str, object] = json.loads(text)
    except ValueError:
        return None
    return document


def _plain(value: object) -> str:
    return "" if value is None else str(value)
