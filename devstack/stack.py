"""The embedded stack: PostgreSQL, Azurite and the Service Bus broker, started together on free ports.

with Stack.start(directory) as stack:
    settings = Settings.from_env(stack.environ())
"""

import json
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from devstack.azurite import Azurite
from devstack.broker import Broker
from devstack.postgres import Postgres
from devstack.postgres_address import DATABASE
from devstack.postgres_cluster import lasting_cluster, memo_of, write_private

QUEUE = CONTAINER = "exports"


class Stack:
    """The three running servers, with the queue and the container `exports`."""

    def __init__(self, postgres: Postgres, azurite: Azurite, service_bus: Broker, spare_queues: Iterable[str]) -> None:
        self.postgres, self.azurite, self.service_bus = postgres, azurite, service_bus
        self._spare_queues = iter(spare_queues)
        with BlobServiceClient.from_connection_string(azurite.connection_string) as client:
            with suppress(ResourceExistsError):
                client.create_container(CONTAINER)

    @classmethod
    def start_lasting(cls, directory: Path) -> Self:
        """As `start`, with tables, blobs, ports and passwords that are the same at the next start; messages are not.

        All of it is in `directory`. Raises ProcessError also if one of the ports is taken.
        """
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / "lasting.json"
        memo: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        cluster = lasting_cluster(directory, memo.get("cluster"))
        stack = cls._start(
            partial(
                Azurite.start, directory, persistence="disk", port=memo.get("azurite", 0), key=memo.get("azurite_key")
            ),
            partial(Broker.start, directory, [QUEUE], port=memo.get("broker", 0)),
            partial(Postgres.start, directory, cluster=cluster, port=memo.get("postgres", 0)),
        )
        with ExitStack() as started:
            started.callback(stack.close)
            ports = {"postgres": stack.postgres.port, "azurite": stack.azurite.port, "broker": stack.service_bus.port}
            others = {"azurite_key": stack.azurite.key, "cluster": memo_of(cluster)}
            write_private(file, json.dumps(ports | others))
            started.pop_all()
        return stack

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        spare_queues: int = 0,
        persistence: Literal["memory", "disk"] = "memory",
    ) -> Self:
        """Start all three, with their logs in `directory`, and wait until they are ready: 1 to 2 s.

        spare_queues: the number of queues for `unused_queue`. persistence: where Azurite keeps blobs.
        Raises ProcessError or RuntimeError with the reason of the first server that did not start;
        no server is left running then.
        """
        directory.mkdir(parents=True, exist_ok=True)
        spares = [f"spare-{number}" for number in range(1, spare_queues + 1)]
        return cls._start(
            partial(Azurite.start, directory, persistence=persistence),
            partial(Broker.start, directory, [QUEUE, *spares]),
            partial(Postgres.start, directory),
            spares,
        )

    @classmethod
    def _start(
        cls,
        azurite: Callable[[], Azurite],
        broker: Callable[[], Broker],
        postgres: Callable[[], Postgres],
        spares: Iterable[str] = (),
    ) -> Self:
        """Start all three at once, or none."""
        with ThreadPoolExecutor() as pool, ExitStack() as started:
            blobs, queues, tables = pool.submit(azurite), pool.submit(broker), pool.submit(postgres)
            for starting in (blobs, queues, tables):
                started.callback(_close, starting)
            stack = cls(tables.result(), blobs.result(), queues.result(), spares)
            started.pop_all()
        return stack

    def environ(self, *, database: str = DATABASE, queue: str = QUEUE, container: str = CONTAINER) -> dict[str, str]:
        """Return the settings of this stack, as environment variables or `Values`."""
        return {
            "ServiceBusConnection": self.service_bus.connection_string,
            "ExportStorage": self.azurite.connection_string,
            **self.postgres.environ(database=database),
            "TAILRACE_QUEUE": queue,
            "TAILRACE_CONTAINER": container,
        }

    def unused_queue(self) -> str:
        """Return the name of an unused queue. Raises StopIteration after the last spare one."""
        return next(self._spare_queues)

    def close(self) -> None:
        """End all three. Their data is deleted unless they were started to last."""
        with ThreadPoolExecutor() as pool:
            servers = (self.service_bus, self.azurite, self.postgres)
            for closing in [pool.submit(server.close) for server in servers]:
                closing.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _close(starting: Future[Azurite] | Future[Broker] | Future[Postgres]) -> None:
    if starting.exception() is None:
        starting.result().close()
