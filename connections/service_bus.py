"""The Service Bus client, and what its errors mean."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from contextvars import copy_context
from threading import Thread
from typing import TYPE_CHECKING, Any

from connections.causes import connection_refused, first_line
from connections.credential import credential_for
from contracts.errors import ConfigurationError, QueueUnavailable, TailraceError
from settings import Settings
from telemetry.waits import waiting_for

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusClient, ServiceBusReceiver, ServiceBusSender


# Detects a frozen broker within a minute. By default the SDK waits without limit for a link to open, and about eight
# minutes for a settlement.
_DEADLINES: dict[str, Any] = {"try_timeout": 15, "retry_total": 1}
# Undocumented: how long a receiver waits for the outcome of a settlement before it asks over another link.
_OUTCOME: dict[str, Any] = {"timeout": 10}
_LONGEST_SECONDS = 60.0  # of one call: two attempts with a pause between them


def service_bus_client(settings: Settings) -> "ServiceBusClient":
    """A client of the configured namespace; its senders and receivers are not thread-safe."""
    from azure.servicebus import ServiceBusClient

    if settings.service_bus_connection_string is not None:
        secret = settings.service_bus_connection_string.get_secret_value()
        try:
            return ServiceBusClient.from_connection_string(secret, **_DEADLINES)
        except ValueError as error:
            raise ConfigurationError(f"settings: ServiceBusConnection is no connection string: {error}") from None
    assert settings.service_bus_namespace is not None
    return ServiceBusClient(settings.service_bus_namespace, credential_for(settings), **_DEADLINES)


def queue_receiver(client: "ServiceBusClient", queue: str, **options: Any) -> "ServiceBusReceiver":
    """A receiver whose calls all have a deadline, so that a settlement on a silent link ends within a minute.

    `options` are the SDK's, such as `sub_queue`.
    """
    return client.get_queue_receiver(queue, **_OUTCOME, **options)


def queue_sender(client: "ServiceBusClient", queue: str) -> "ServiceBusSender":
    """A sender without a keep-alive thread: closing it would wait for that thread's sleep."""
    return client.get_queue_sender(queue, keep_alive=0)


def begun[T](call: Callable[[], T]) -> Future[T]:
    """Calls in a thread of its own, which an interrupted process does not wait for."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except BaseException as error:  # noqa: BLE001  # raised again by the caller's thread
            done.set_exception(error)

    Thread(target=copy_context().run, args=(run,), name="service-bus", daemon=True).start()
    return done


def answered[T](queue: str, what: str, call: Callable[[], T]) -> T:
    """Calls the SDK, and says what it waits for once that takes five seconds. Raises QueueUnavailable after a minute.

    The SDK cannot be stopped while it connects to a broker that says nothing; its thread is left behind then.
    """
    done = begun(call)
    try:
        with waiting_for(f"queue {queue}: {what}"):
            return done.result(_LONGEST_SECONDS)
    except TimeoutError:
        if done.done():
            raise
        says = f"{what} on queue {queue!r} failed: the broker took the connection and did not answer"
        raise QueueUnavailable(f"{says} within {_LONGEST_SECONDS:g} s", advice="run it again later") from None


@contextmanager
def open_link[L: ServiceBusSender | ServiceBusReceiver](link: L, queue: str) -> Iterator[L]:
    """A sender or receiver, connected for the block. Raises QueueUnavailable after a minute."""
    answered(queue, "connecting", link.__enter__)
    try:
        yield link
    except BaseException:
        # The thread of a call that was given up may still use it, which the SDK does not expect.
        with suppress(Exception):
            close_link(link)
        raise
    close_link(link)


def close_link(link: "ServiceBusSender | ServiceBusReceiver") -> None:
    """Closes a link without the SDK's wait for a thread that sleeps for up to a second.

    The thread pings the connection, and ends once it wakes up. A receiver has it even if `keep_alive` is 0.
    """
    handler = getattr(link, "_handler", None)
    if handler is not None and hasattr(handler, "_keep_alive_thread"):
        handler._keep_alive_thread = None  # noqa: SLF001  # what close() would wait for
    link.close()


@contextmanager
def open_links[L: ServiceBusSender | ServiceBusReceiver](links: Sequence[L], queue: str) -> Iterator[Sequence[L]]:
    """As open_link, for links that connect side by side: connecting takes longer than most looks at a queue."""
    managers = [open_link(link, queue) for link in links]
    opening = [begun(manager.__enter__) for manager in managers]
    failed: BaseException | None = None
    with ExitStack() as opened:
        for manager, one in zip(managers, opening, strict=True):
            try:
                one.result()
                opened.push(manager)
            except Exception as error:  # noqa: BLE001  # raised once the others are known, and closed
                failed = failed or error
        if failed:
            raise failed
        yield links


@contextmanager
def service_bus_errors(operation: str, queue: str) -> Iterator[None]:
    """Turns the SDK's errors into ours: `operation` on `queue` failed, why, and what to do next."""
    from azure.core.exceptions import ClientAuthenticationError
    from azure.servicebus import exceptions as sb

    try:
        yield
    except TailraceError:
        raise
    except sb.MessagingEntityNotFoundError as error:
        says = f"{operation} on queue {queue!r} failed: there is no such queue in this namespace"
        raise ConfigurationError(says, advice="create it, or set TAILRACE_QUEUE") from error
    except (sb.ServiceBusAuthenticationError, sb.ServiceBusAuthorizationError, ClientAuthenticationError) as error:
        raise QueueUnavailable(
            f"{operation} on queue {queue!r} was refused ({first_line(error)})",
            advice="grant this identity the role Azure Service Bus Data Owner on the namespace; it works after minutes",
            reason="QueueUnauthorized",
        ) from error
    except sb.ServiceBusError as error:
        why = connection_refused(error)
        advice = "check ServiceBusConnection, and that this machine reaches the namespace" if why else None
        says = f"{operation} on queue {queue!r} failed: {why or first_line(error)}"
        raise QueueUnavailable(says, advice=advice) from error
