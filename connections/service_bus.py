"""The Service Bus client, and what its errors mean for us."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from connections.credential import credential_for
from contracts.errors import ConfigurationError, QueueUnavailable, TailraceError
from settings import Settings

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusClient, ServiceBusSender


def service_bus_client(settings: Settings) -> "ServiceBusClient":
    """A client of the configured namespace; its senders and receivers are not thread-safe."""
    from azure.servicebus import ServiceBusClient

    if settings.service_bus_connection_string is not None:
        try:
            return ServiceBusClient.from_connection_string(settings.service_bus_connection_string.get_secret_value())
        except ValueError as error:
            raise ConfigurationError(f"settings: ServiceBusConnection is no connection string: {error}") from None
    assert settings.service_bus_namespace is not None
    return ServiceBusClient(settings.service_bus_namespace, credential_for(settings))


def queue_sender(client: "ServiceBusClient", queue: str) -> "ServiceBusSender":
    """A sender for one call, without a thread that keeps it alive: to close it would wait for that thread's sleep."""
    return client.get_queue_sender(queue, keep_alive=0)


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
        raise ConfigurationError(
            f"{operation} on queue {queue!r} failed: there is no such queue in this namespace; "
            f"create it, or set TAILRACE_QUEUE ({_first_line(error)})"
        ) from error
    except (sb.ServiceBusAuthenticationError, sb.ServiceBusAuthorizationError, ClientAuthenticationError) as error:
        raise QueueUnavailable(
            f"{operation} on queue {queue!r} was refused: grant this identity the role Azure Service Bus Data Owner "
            f"on the namespace; a new grant takes minutes to work ({_first_line(error)})",
            reason="QueueUnauthorized",
        ) from error
    except sb.ServiceBusError as error:
        raise QueueUnavailable(f"{operation} on queue {queue!r} failed: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]
