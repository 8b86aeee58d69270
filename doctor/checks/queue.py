"""Checks the queue: it exists, allows sending and receiving, and has the properties that workers rely on.

Sends and takes no message: a link that opens proves the right to send, and peeking locks nothing.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from connections.service_bus import service_bus_client, service_bus_errors
from contracts.errors import ConfigurationError, TailraceError
from doctor.endpoints import service_bus_endpoint
from doctor.finding import Check, Finding, failed, failed_by, ok, warning
from doctor.site import Site

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusClient
    from azure.servicebus.management import QueueProperties

_PAGE, _PAGES = 250, 4


def queue_can_be_used(site: Site) -> Iterator[Finding]:
    """Opens a sender and peeks, which needs the rights to send and to receive."""
    name = site.settings.queue
    try:
        with service_bus_client(site.settings) as client:
            with service_bus_errors("send", name), client.get_queue_sender(name) as sender:
                sender.create_message_batch()
            yield ok(f"queue {name}", "sending is allowed")
            with service_bus_errors("receive", name), client.get_queue_receiver(name) as receiver:
                receiver.peek_messages(1)
            yield ok(f"queue {name}", "receiving is allowed")
            yield _dead_letters(client, name)
    except ConfigurationError as error:
        advice = f"{create_command(name)}; or set TAILRACE_QUEUE"
        yield failed(f"queue {name}", str(error), advice)
    except TailraceError as error:
        yield failed_by(f"queue {name}", error)


def _dead_letters(client: "ServiceBusClient", name: str) -> Finding:
    from azure.servicebus import ServiceBusSubQueue

    count, following, subject = 0, 1, f"dead letters of {name}"
    with (
        service_bus_errors("peek at the dead letters", name),
        client.get_queue_receiver(name, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver,
    ):
        for _ in range(_PAGES):
            page = receiver.peek_messages(_PAGE, sequence_number=following)
            count += len(page)
            if not page:
                break
            following = (page[-1].sequence_number or 0) + 1
    if count == 0:
        return ok(subject, "none")
    more = " or more" if count >= _PAGE * _PAGES else ""
    return warning(subject, f"{count}{more} wait for a person", "tailrace dlq list")


def queue_is_set_up(site: Site) -> Iterator[Finding]:
    """Lock duration, duplicate detection and so on; needs the right to manage the queue, which workers may lack."""
    name, endpoint = site.settings.queue, service_bus_endpoint(site.settings)
    subject = f"properties of {name}"
    if endpoint is None or endpoint.tls is None:
        yield ok(subject, "an emulator: they are in its configuration file")
        return
    from azure.core.exceptions import AzureError, HttpResponseError

    try:
        found = _properties(site)
    except AzureError as error:
        why = "without Manage rights" if isinstance(error, HttpResponseError) else "from here, over HTTPS"
        says = f"cannot be seen {why} ({type(error).__name__})"
        yield warning(
            subject, says, f"az servicebus queue show --name {name} --namespace-name NAME --resource-group GROUP"
        )
        return
    yield from unfit(found, subject)


def unfit(found: "QueueProperties", subject: str) -> Iterator[Finding]:
    """Properties of the queue that could make exports fail; one `ok` if there are none."""
    update = "az servicebus queue update --namespace-name NAME --resource-group GROUP --name " + str(found.name)
    problems = []
    if not found.requires_duplicate_detection:
        says = "no duplicate detection: a tick that is repeated sends requests twice (harmless, and a waste)"
        problems.append(warning(subject, says, f"delete the queue when it is empty, then {create_command(found.name)}"))
    if found.requires_session:
        says = "it asks for sessions, which no request has"
        problems.append(failed(subject, says, f"make another: {create_command(found.name)}"))
    if isinstance(found.lock_duration, timedelta) and found.lock_duration < timedelta(minutes=1):
        says = f"locks of {found.lock_duration.total_seconds():g} s: one late renewal runs an export twice"
        problems.append(warning(subject, says, f"{update} --lock-duration PT5M"))
    if not found.dead_lettering_on_message_expiration:
        says = "requests that expire vanish without a trace"
        problems.append(warning(subject, says, f"{update} --enable-dead-lettering-on-message-expiration true"))
    if (found.max_delivery_count or 0) < 5:
        says = f"max delivery count {found.max_delivery_count}: a few restarts dead-letter a request"
        problems.append(warning(subject, says, f"{update} --max-delivery-count 10"))
    yield from problems or [ok(subject, f"locks of {found.lock_duration}, duplicate detection, dead-lettering")]


def _properties(site: Site) -> "QueueProperties":
    from azure.servicebus.management import ServiceBusAdministrationClient

    settings, few = site.settings, {"retry_total": 0, "connection_timeout": 5, "read_timeout": 5}
    if settings.service_bus_connection_string is not None:
        secret = settings.service_bus_connection_string.get_secret_value()
        client = ServiceBusAdministrationClient.from_connection_string(secret, **few)  # type: ignore[arg-type]
    else:
        assert settings.service_bus_namespace is not None
        client = ServiceBusAdministrationClient(settings.service_bus_namespace, site.credential, **few)  # type: ignore[arg-type]
    with client:
        return client.get_queue(settings.queue)


def create_command(name: str) -> str:
    """The command that creates a queue as the deployment does."""
    return (
        f"az servicebus queue create --namespace-name NAME --resource-group GROUP --name {name} --lock-duration PT5M "
        "--enable-duplicate-detection true --duplicate-detection-history-time-window P1D "
        "--enable-dead-lettering-on-message-expiration true --max-delivery-count 10"
    )


CHECKS = (
    Check("queue", queue_can_be_used, needs=("network Service Bus", "identity")),
    Check("queue properties", queue_is_set_up, needs=("queue",)),
)
