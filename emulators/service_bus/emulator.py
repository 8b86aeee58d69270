"""The broker as an object: `with Emulator() as bus:`."""

import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from emulators.service_bus.admin.server import AdminServer
from emulators.service_bus.admin.tls import Tls
from emulators.service_bus.config import ConfigError, QueueConfig, queue_properties
from emulators.service_bus.control import Conflict, Control, Counts, Fault, UnknownNode
from emulators.service_bus.hosts import name_of
from emulators.service_bus.server import IDLE_LINKS_MS, Server

__all__ = ["ConfigError", "Conflict", "Counts", "Emulator", "Fault", "Tls", "UnknownNode"]


class Emulator(Control):
    """A Service Bus namespace in a thread of this process, with its admin port. Ports that are not given are free ones.

    with Emulator(["orders"]) as bus:
        client = ServiceBusClient.from_connection_string(bus.connection_string)

    tls: a certificate for the admin port; Azure's administration clients for Python need one.
    idle_links_ms: how long a link may carry nothing; 0 for ever. Raises OSError if a port is taken.
    """

    def __init__(
        self, queues: Iterable[str | QueueConfig] = (), *, port: int = 0, admin_port: int = 0, host: str = "127.0.0.1",
        tls: Tls | None = None, idle_links_ms: int = IDLE_LINKS_MS,
    ) -> None:  # fmt: skip
        configs = tuple(QueueConfig(Name=queue) if isinstance(queue, str) else queue for queue in queues)
        self.host = host
        self._bus = Server(configs, port, host=host, idle_links_ms=idle_links_ms)
        self._port = self._bus.port
        super().__init__(self._bus)
        try:
            self._admin = AdminServer(self, admin_port, host=host, tls=tls)
        except OSError:
            self._bus.close()
            raise
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._bus.serve, self._admin.serve)]

    @property
    def port(self) -> int:
        """The port of AMQP."""
        return self._port

    @property
    def admin_port(self) -> int:
        """The port of HTTP, and of HTTPS with a certificate."""
        return self._admin.port

    @property
    def connection_string(self) -> str:
        """For clients that send and receive."""
        return _connection_string(name_of(self.host), self.port)

    @property
    def admin_connection_string(self) -> str:
        """For clients that manage queues."""
        return _connection_string(name_of(self.host), self.admin_port)

    def add_queue(self, name: str, **properties: Any) -> str:
        """Make a queue with properties as in Config.json (LockDuration="PT5S"). Returns its name.

        Raises ConfigError, a ValueError, for a wrong property; otherwise as `create_queue`.
        """
        self.create_queue(name, queue_properties(name, properties))
        return name

    def counts(self, name: str) -> Counts:
        """Count the messages of a queue by their state. Raises UnknownNode."""
        return self.queue(name).counts

    def start(self) -> Self:
        """Serve. Clients may connect before that."""
        for thread in self._threads:
            thread.start()
        return self

    def close(self) -> None:
        """Stop serving and drop all messages."""
        self._admin.stop()
        self._bus.stop()
        for thread in self._threads:
            thread.join()
        self._bus.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _connection_string(host: str, port: int) -> str:
    key = "SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE"
    return f"Endpoint=sb://{host}:{port};{key};UseDevelopmentEmulator=true;"
